"""Rows of segments as a schematic: the netlist's own transistors in every column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from metalrom.layout.segment_rows import Names, tile_names
from netlists.readout.segment_devices import SegmentDevice, SegmentNetlist


@dataclass(frozen=True, slots=True)
class SegmentSchematic:
    """Transistors of rows of segments; pins: nets that carry their names in the layout, too."""

    name: str
    pins: tuple[str, ...]
    devices: tuple[SegmentDevice, ...]

    def spice(self, models: Mapping[str, str]) -> str:
        """The schematic as a SPICE subcircuit; models: names by kind."""
        lines = [f"* {self.name}: transistors of the readout's segments", f".subckt {self.name}"]
        lines += [f"+ {' '.join(self.pins[i : i + 12])}" for i in range(0, len(self.pins), 12)]
        lines += [
            f"{d.name} {d.drain} {d.gate} {d.source} {d.bulk} {models[d.kind]} w={d.width:.6e} l={d.length:.6e}"
            for d in self.devices
        ]
        return "\n".join([*lines, f".ends {self.name}", ""])


def rows_schematic(
    netlist: SegmentNetlist, columns: int, rows: int, name: str, names: Names = tile_names
) -> SegmentSchematic:
    """Rows of so many segments, nets named as in the layout; node 0 is ground."""
    pins: dict[str, None] = {"0": None}
    devices = []
    for k in range(rows):
        for c in range(columns):
            nets = {net: names(net, c, k) for net in netlist.pins} | {"0": "0"}
            pins |= dict.fromkeys(nets.values())
            for d in netlist.devices:
                drain, gate, source, bulk = (nets.get(n, f"{n}_{k}_{c}") for n in (d.drain, d.gate, d.source, d.bulk))
                made = replace(d, name=f"{d.name}_r{k}_c{c}", drain=drain, gate=gate, source=source, bulk=bulk)
                devices.append(made)
    return SegmentSchematic(name, tuple(pins), tuple(devices))

"""A row of segments as a schematic: the netlist's own transistors in every column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from metalrom.layout.segment_rows import Names, same_names
from netlists.readout.segment_devices import SegmentDevice, SegmentNetlist


@dataclass(frozen=True, slots=True)
class SegmentSchematic:
    """Transistors of a row of segments; pins: nets that carry their names in the layout, too."""

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


def row_schematic(netlist: SegmentNetlist, columns: int, name: str, names: Names = same_names) -> SegmentSchematic:
    """The segments of so many columns, nets named as in the layout; node 0 is ground."""
    pins: dict[str, None] = {"0": None}
    devices = []
    for c in range(columns):
        nets = {net: names(net, c) for net in netlist.pins} | {"0": "0"}
        pins |= dict.fromkeys(nets.values())
        for d in netlist.devices:
            ends = [nets.get(net, f"{net}_c{c}") for net in (d.drain, d.gate, d.source, d.bulk)]
            devices.append(replace(d, name=f"{d.name}_c{c}", drain=ends[0], gate=ends[1], source=ends[2], bulk=ends[3]))
    return SegmentSchematic(name, tuple(pins), tuple(devices))

"""A drawn segment as a circuit: one column's transistors, their diffusions and the capacitance of its wires."""

from __future__ import annotations

from typing import Any

from metalrom.layout.front_end import FrontEnd
from metalrom.layout.segment_rows import Names, tile_names
from metalrom.signoff.drc import klayout_db
from metalrom.signoff.segment_lvs import ExtractedSegments, extracted_devices
from netlists.readout.segment_bench import SegmentCircuitry
from netlists.readout.segment_devices import SegmentDevice, SegmentNetlist


def extract_circuit(
    front: FrontEnd,
    extracted: ExtractedSegments,
    netlist: SegmentNetlist,
    column: int,
    window: tuple[int, int],
    names: Names = tile_names,
) -> SegmentCircuitry:
    """The segment of one column of the first row from the layout alone; the netlist only says what its pins are called.

    Wires are those of the nets that the column has for itself, between the heights of the window (nm): every face and
    edge to the substrate, by the coefficients of the front end. Coupling between wires is left out.
    """
    known = {names(net, column, 0): net for net in netlist.pins} | {"0": "0"}
    own = {name for name, net in known.items() if names(net, column, 0) != names(net, column + 1, 0)}
    devices: list[SegmentDevice] = []
    sizes: list[dict[str, float]] = []
    inner: dict[str, str] = {}

    def local(name: str) -> str:
        return known[name] if name in known else inner.setdefault(name, f"inner_{len(inner)}")

    for device, diffusions in extracted_devices(extracted, window[0] * 1e-3, window[1] * 1e-3):
        ends = (device.drain, device.gate, device.source, device.bulk)
        if own.isdisjoint(ends):
            continue
        drain, gate, source, bulk = map(local, ends)
        name = f"M_{len(devices)}"
        devices.append(SegmentDevice(name, drain, gate, source, bulk, device.kind, device.width, device.length))
        sizes.append(diffusions)
    wires = []
    for net in extracted.circuit.each_net():
        name = net.expanded_name()
        if name in own or name in inner:
            wires.append((local(name), wire_capacitance(front, extracted, net, window)))
    return SegmentCircuitry(netlist.pins, tuple(devices), tuple(sizes), tuple(wires))


def wire_capacitance(front: FrontEnd, extracted: ExtractedSegments, net: Any, window: tuple[int, int]) -> float:
    """Capacitance of a net's wires between two heights (nm) to the substrate, F; gates are those of the transistors."""
    db = klayout_db()
    dbu = extracted.database.internal_layout().dbu * 1e-6
    everywhere, (low, high) = 2**30, (round(y * 1e-9 / dbu) for y in window)
    inside = db.Region(db.Box(-everywhere, low, everywhere, high))
    total = 0.0
    for layer, (area, edge) in front.wires.items():
        shapes = extracted.database.shapes_of_net(net, extracted.conductors[layer], True) & inside
        if layer == "poly":
            shapes -= extracted.conductors["diff"]
        total += area * shapes.area() * dbu**2 + edge * shapes.perimeter() * dbu
    return total

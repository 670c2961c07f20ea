"""A drawn segment as a circuit: one column's transistors, their diffusions and the capacitance of its wires."""

from __future__ import annotations

from typing import Any

from metalrom.layout.front_end import FrontEnd
from metalrom.layout.segment_rows import Names
from metalrom.signoff.drc import klayout_db
from metalrom.signoff.segment_lvs import ExtractedSegments, extracted_devices
from netlists.readout.segment_bench import SegmentCircuitry
from netlists.readout.segment_devices import SegmentDevice, SegmentNetlist


def extract_circuit(
    front: FrontEnd, extracted: ExtractedSegments, netlist: SegmentNetlist, column: int, names: Names
) -> SegmentCircuitry:
    """The segment of one column from the layout alone; the netlist only says what its pins are called.

    Wires are those of the nets that the column has for itself, above the array's edge (y > 0): every face and edge to
    the substrate, by the coefficients of the front end. Coupling between wires is left out.
    """
    known = {names(net, column): net for net in netlist.pins} | {"0": "0"}
    own = {name for name, net in known.items() if names(net, column) != names(net, column + 1)}
    devices: list[SegmentDevice] = []
    sizes: list[dict[str, float]] = []
    inner: dict[str, str] = {}

    def local(name: str) -> str:
        return known[name] if name in known else inner.setdefault(name, f"inner_{len(inner)}")

    for device, diffusions in extracted_devices(extracted):
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
            wires.append((local(name), wire_capacitance(front, extracted, net)))
    return SegmentCircuitry(netlist.pins, tuple(devices), tuple(sizes), tuple(wires))


def wire_capacitance(front: FrontEnd, extracted: ExtractedSegments, net: Any) -> float:
    """Capacitance of a net's wires to the substrate, F; gates are those of the transistors."""
    db = klayout_db()
    dbu = extracted.database.internal_layout().dbu * 1e-6
    everywhere = 10**8
    inside = db.Region(db.Box(-everywhere, 0, everywhere, everywhere))
    total = 0.0
    for layer, (area, edge) in front.wires.items():
        shapes = extracted.database.shapes_of_net(net, extracted.conductors[layer], True) & inside
        if layer == "poly":
            shapes -= extracted.conductors["diff"]
        total += area * shapes.area() * dbu**2 + edge * shapes.perimeter() * dbu
    return total

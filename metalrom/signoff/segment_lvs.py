"""Transistors of a drawn row of segments as KLayout extracts them, against the netlist's, with their sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from interconnect.stack import Stack
from metalrom.layout.front_end import FrontEnd
from metalrom.layout.layers import LayerMap
from metalrom.signoff.drc import DERIVE, MOST_SHOWN, klayout_db
from metalrom.signoff.lvs import difference_listener, name_nets, net_name
from metalrom.signoff.segment_schematic import SegmentSchematic
from netlists.readout.segment_devices import SegmentDevice

_TERMINALS = ("S", "G", "D", "B")
SUBSTRATE = "substrate"


@dataclass(frozen=True)
class ExtractedSegments:
    """Nets and transistors of a layout. database: `LayoutToNetlist`; conductors: its diffusions and wires by layer."""

    database: Any
    circuit: Any
    conductors: dict[str, Any]


@dataclass(frozen=True)
class SegmentLvsReport:
    """The comparison of a row of segments. nets, devices: of the schematic. differences: some of `count`, in words."""

    nets: int
    devices: int
    count: int
    differences: tuple[str, ...]
    schematic: SegmentSchematic
    extracted: ExtractedSegments

    @property
    def ok(self) -> bool:
        """Layout and schematic are the same circuit."""
        return self.count == 0


def extract_segments(front: FrontEnd, stack: Stack, layers: LayerMap, layout: Any) -> ExtractedSegments:
    """Transistors and nets of a layout that KLayout has opened.

    Both types have four terminals: the n-well is the bulk of the PMOS, everything outside of it that of the NMOS.
    """
    db = klayout_db()
    top, dbu = layout.top_cell(), layout.dbu

    def drawn(number: tuple[int, int] | None) -> Any:
        index = layout.find_layer(*number) if number else None
        return db.Region() if index is None else db.Region(top.begin_shapes_rec(index))

    shapes = {name: drawn(number) for name, number in front.layers.items()}
    for name, (one, operation, other) in front.derived.items():
        if one in shapes and other in shapes:
            shapes[name] = DERIVE[operation](shapes[one], shapes[other])
    shapes[SUBSTRATE] = db.Region(top.bbox().enlarged(1000)) - shapes["nwell"]
    shapes["n_gate"], shapes["p_gate"] = shapes["gate"] - shapes["nwell"], shapes["gate"] & shapes["nwell"]
    metals = [m.name for m in stack.metals]
    shapes |= {name: drawn(layers.layers[name].drawing) for name in (*metals, *(v.name for v in stack.vias))}
    found = db.LayoutToNetlist(top.name, dbu)
    for name, region in shapes.items():
        found.register(region, name)
    for kind, bulk in (("n", SUBSTRATE), ("p", "nwell")):
        diffusion = shapes[f"{kind}sd"]
        regions = {"SD": diffusion, "G": shapes[f"{kind}_gate"], "P": shapes["poly"], "W": shapes[bulk]}
        regions |= {"tS": diffusion, "tD": diffusion, "tG": shapes["poly"], "tB": shapes[bulk]}
        found.extract_devices(db.DeviceExtractorMOS4Transistor(kind), regions)
    alone = ("nsd", "psd", "ptap", "ntap", "nwell", SUBSTRATE, "poly", "licon", *metals, *(v.name for v in stack.vias))
    for name in alone:
        found.connect(shapes[name])
    found.connect(shapes["ntap"], shapes["nwell"])
    found.connect(shapes["ptap"], shapes[SUBSTRATE])
    for name in ("nsd", "psd", "ptap", "ntap", "poly", "li1"):
        found.connect(shapes["licon"], shapes[name])
    for via in stack.vias:
        found.connect(shapes[via.below], shapes[via.name])
        found.connect(shapes[via.name], shapes[via.above])
    for name in metals:
        label = layers.layers[name].label
        index = layout.find_layer(*label) if label else None
        if index is not None:
            texts = db.Texts(top.begin_shapes_rec(index))
            found.register(texts, f"{name}_texts")
            found.connect(shapes[name], texts)
    found.extract_netlist()
    circuit = found.netlist().circuit_by_name(top.name)
    return ExtractedSegments(found, circuit, {name: shapes[name] for name in ("diff", "poly", *metals)})


def compare_segments(extracted: ExtractedSegments, schematic: SegmentSchematic) -> SegmentLvsReport:
    """Nets, transistors, bulks, widths and lengths of a layout against a schematic."""
    db = klayout_db()
    reference = _netlist(db, schematic)
    circuit = reference.circuit_by_name(schematic.name)
    listener = difference_listener(db, _in_layout, _in_schematic)
    comparer = db.NetlistComparer(listener)
    differences = name_nets(comparer, extracted.circuit, circuit, schematic.pins)
    netlist = extracted.database.netlist()
    for kind in ("n", "p"):
        ours, theirs = (n.device_class_by_name(kind) for n in (netlist, reference))
        if ours is not None:
            comparer.same_device_classes(ours, theirs)
    comparer.same_circuits(extracted.circuit, circuit)
    comparer.max_depth, comparer.max_branch_complexity = 50, 500
    comparer.compare(netlist, reference)
    differences += listener.found
    nets = {net for d in schematic.devices for net in (d.drain, d.gate, d.source, d.bulk)} | set(schematic.pins)
    shown = tuple(differences[:MOST_SHOWN])
    return SegmentLvsReport(len(nets), len(schematic.devices), len(differences), shown, schematic, extracted)


def _netlist(db: Any, schematic: SegmentSchematic) -> Any:
    """The schematic in KLayout's form, lengths in um."""
    netlist = db.Netlist()
    classes = {}
    for kind in ("n", "p"):
        classes[kind] = db.DeviceClassMOS4Transistor()
        classes[kind].name = kind
        for name in ("W", "L"):  # on the layout's grid
            number = classes[kind].parameter_id(name)
            compare = db.EqualDeviceParameters(number, 1e-4, 0.0)
            classes[kind].equal_parameters = compare if name == "W" else classes[kind].equal_parameters + compare
        netlist.add(classes[kind])
    circuit = db.Circuit()
    circuit.name = schematic.name
    netlist.add(circuit)
    names = {net for d in schematic.devices for net in (d.drain, d.gate, d.source, d.bulk)} | set(schematic.pins)
    nets = {name: circuit.create_net(name) for name in sorted(names)}
    for device in schematic.devices:
        made = circuit.create_device(classes[device.kind], device.name)
        ends = (device.source, device.gate, device.drain, device.bulk)
        for terminal, name in zip(_TERMINALS, ends, strict=True):
            made.connect_terminal(terminal, nets[name])
        made.set_parameter("W", device.width * 1e6)
        made.set_parameter("L", device.length * 1e6)
    return netlist


def extracted_devices(
    extracted: ExtractedSegments, bottom: float, top: float
) -> list[tuple[SegmentDevice, dict[str, float]]]:
    """Transistors between two heights (um), with areas and perimeters of their diffusions (m2, m) by SPICE's names."""
    out = []
    for device in extracted.circuit.each_device():
        if not bottom < device.trans.disp.y < top:
            continue
        ends = [net_name(device, device.device_class().terminal_id(t)) for t in ("D", "G", "S", "B")]
        sizes = {p.name: device.parameter(p.name) for p in device.device_class().parameter_definitions()}
        made = SegmentDevice(
            f"M{device.id()}", ends[0], ends[1], ends[2], ends[3], device.device_class().name,
            sizes["W"] * 1e-6, sizes["L"] * 1e-6,
        )  # fmt: skip
        diffusions = {
            name.lower(): sizes[name] * (1e-12 if name[0] == "A" else 1e-6) for name in ("AS", "AD", "PS", "PD")
        }
        out.append((made, diffusions))
    return out


def _in_layout(device: Any) -> str:
    place = device.trans.disp
    return f"at ({place.x:.9g}, {place.y:.9g}) um {_describe(device)}"


def _in_schematic(device: Any) -> str:
    return f"{device.name} {_describe(device)}"


def _describe(device: Any) -> str:
    ids = {t: device.device_class().terminal_id(t) for t in _TERMINALS}
    ends = sorted(net_name(device, ids[t]) for t in ("S", "D"))
    size = " / ".join(f"{device.parameter(p):.4g}" for p in ("W", "L"))
    kind = device.device_class().name
    return f"({kind}, W/L {size} um, gate {net_name(device, ids['G'])}, between {ends[0]} and {ends[1]})"

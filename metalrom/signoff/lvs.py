"""Layout against schematic by KLayout's comparer: what is connected otherwise, with names and places."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from metalrom.layout.plan import PlacedPlane, Plan
from metalrom.signoff.drc import MOST_SHOWN, klayout_db
from metalrom.signoff.lvs_layout import ExtractedPlane, device_classes, extract_plane
from metalrom.signoff.schematic import Schematic, schematic_of


@dataclass(frozen=True)
class LvsReport:
    """One plane's comparison. nets, devices: of the schematic. count: all differences; differences: some in words."""

    plane: str
    nets: int
    devices: int
    count: int
    differences: tuple[str, ...]
    schematic: Schematic

    @property
    def ok(self) -> bool:
        """Layout and schematic are the same circuit."""
        return self.count == 0


def compare_planes(plan: Plan, layout: Any) -> tuple[LvsReport, ...]:
    """Every plane of a layout, opened by KLayout, against its schematic.

    Raises InputError for a level without a schematic, UnsupportedCell for a kind without one.
    """
    return tuple(compare_plane(plan, layout, part) for part in plan.parts)


def compare_plane(plan: Plan, layout: Any, part: PlacedPlane) -> LvsReport:
    """One plane against its schematic."""
    db = klayout_db()
    schematic = schematic_of(part, plan.kind)
    found = extract_plane(plan, layout, part)
    reference = _netlist(db, schematic)
    circuit = reference.circuit_by_name(schematic.name)
    listener = difference_listener(db, partial(_ends_in_layout, found), _ends_in_schematic)
    comparer = db.NetlistComparer(listener)
    differences = name_nets(comparer, found.circuit, circuit, schematic.pins)
    extracted = found.database.netlist()
    for device_class in extracted.each_device_class():
        for other in reference.each_device_class():
            if device_class.name.split("_")[0] == other.name:
                comparer.same_device_classes(device_class, other)
    comparer.same_circuits(found.circuit, circuit)
    comparer.max_depth, comparer.max_branch_complexity = 50, 500
    comparer.compare(extracted, reference)
    differences += listener.found
    nets = len({net for d in schematic.devices for net in (d.a, d.b)} | set(schematic.pins))
    shown = tuple(differences[:MOST_SHOWN])
    return LvsReport(part.name, nets, len(schematic.devices), len(differences), shown, schematic)


def name_nets(comparer: Any, extracted: Any, circuit: Any, pins: Sequence[str]) -> list[str]:
    """Tell the comparer which nets must be which by their names; what that shows by itself: shorts and opens."""
    out: list[str] = []
    layout_nets: dict[str, list[Any]] = {}
    for net in extracted.each_net():
        names = net.name.split(",") if net.name else []
        for name in names:
            layout_nets.setdefault(name, []).append(net)
        if len(names) > 1:
            out.append(f"short: {' and '.join(names)} are one net")
    for name in pins:
        nets = layout_nets.get(name, [])
        if len(nets) == 1 and nets[0].name == name:
            comparer.same_nets(nets[0], circuit.net_by_name(name), True)
        elif not nets:
            out.append(f"the layout has no net {name}")
        elif len(nets) > 1:
            out.append(f"open: {name} is {len(nets)} nets")
    return out


def _netlist(db: Any, schematic: Schematic) -> Any:
    """The schematic in KLayout's form."""
    netlist = db.Netlist()
    classes = device_classes(db)
    for device_class in classes.values():
        netlist.add(device_class)
    circuit = db.Circuit()
    circuit.name = schematic.name
    netlist.add(circuit)
    nets: dict[str, Any] = {}
    for device in schematic.devices:
        for name in (device.a, device.b):
            if name not in nets:
                nets[name] = circuit.create_net(name)
    for name in schematic.pins:
        if name not in nets:
            nets[name] = circuit.create_net(name)
    for device in schematic.devices:
        made = circuit.create_device(classes[device.kind], device.name)
        for terminal, name in enumerate((device.a, device.b)):
            made.connect_terminal(terminal, nets[name])
    return netlist


def difference_listener(db: Any, in_layout: Callable[[Any], str], in_schematic: Callable[[Any], str]) -> Any:
    """A logger of the comparer that keeps what does not match, in words; in_layout, in_schematic: those of a device."""

    class Listener(db.GenericNetlistCompareLogger):  # type: ignore[misc]
        """Differences in the order in which they are met."""

        def __init__(self) -> None:
            super().__init__()
            self.found: list[str] = []

        def net_mismatch(self, a: Any, b: Any, message: str) -> None:
            self.found.append(_words("net", [n.expanded_name() for n in (a, b) if n], message, a is None, b is None))

        def device_mismatch(self, a: Any, b: Any, message: str) -> None:
            names = ([in_layout(a)] if a else []) + ([in_schematic(b)] if b else [])
            self.found.append(_words("device", names, message, a is None, b is None))

        def match_devices_with_different_parameters(self, a: Any, b: Any) -> None:
            self.found.append(f"device {in_layout(a)} against {in_schematic(b)}: another size")

    return Listener()


def _ends_in_layout(layout: ExtractedPlane, device: Any) -> str:
    x, y = layout.places[device.id()]
    ends = sorted(net_name(device, t) for t in range(2))
    return f"at ({x:.9g}, {y:.9g}) um between {ends[0]} and {ends[1]}"


def _ends_in_schematic(device: Any) -> str:
    ends = sorted(net_name(device, t) for t in range(2))
    return f"{device.name} between {ends[0]} and {ends[1]}"


def net_name(device: Any, terminal: int) -> str:
    """Net at a device's terminal, in words."""
    net = device.net_for_terminal(terminal)
    return net.expanded_name() if net else "nothing"


def _words(what: str, names: Sequence[str], message: str, no_layout: bool, no_schematic: bool) -> str:
    where = "missing in the layout" if no_layout else "not in the schematic" if no_schematic else "connected otherwise"
    return f"{what} {' against '.join(names)}: {where}" + (f" ({message})" if message else "")

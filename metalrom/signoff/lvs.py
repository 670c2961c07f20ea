"""Layout against schematic by KLayout's comparer: what is connected otherwise, with names and places."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from metalrom.layout.plan import PlacedPlane, Plan
from metalrom.signoff.drc import MOST_SHOWN, klayout_db
from metalrom.signoff.lvs_layout import ExtractedBand, bands_of, device_classes, extract_band
from metalrom.signoff.net_names import NetNames
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
    """One plane against its schematic, band by band."""
    schematic = schematic_of(part, plan.kind)
    names, count, shown = NetNames(), 0, list[str]()
    for band in bands_of(part):
        found = _compare_band(extract_band(plan, layout, part, band), schematic, names)
        count += len(found)
        shown += found[: MOST_SHOWN - len(shown)]
    by_names = names.differences(schematic.pins)
    shown = [*by_names, *shown][:MOST_SHOWN]
    return LvsReport(
        part.name, schematic.net_count, schematic.device_count, count + len(by_names), tuple(shown), schematic
    )


def _compare_band(found: ExtractedBand, schematic: Schematic, names: NetNames) -> list[str]:
    """Differences of some rows. Nets of one name must be each other's counterparts; all others are found by KLayout."""
    db = klayout_db()
    reference, nets = _netlist(db, schematic, found.band.rows)
    comparer = db.NetlistComparer(listener := difference_listener(db, _ends_in_layout, _ends_in_schematic))
    for name, net in names.of_band(found.circuit).items():
        if name in nets:
            comparer.same_nets(net, nets[name], True)
    extracted = found.database.netlist()
    for device_class in extracted.each_device_class():
        for other in reference.each_device_class():
            if device_class.name.split("_")[0] == other.name:
                comparer.same_device_classes(device_class, other)
    comparer.same_circuits(found.circuit, reference.circuit_by_name(schematic.name))
    comparer.max_depth, comparer.max_branch_complexity = 50, 500
    comparer.compare(extracted, reference)
    differences: list[str] = listener.found
    return differences


def name_nets(comparer: Any, extracted: Any, circuit: Any, pins: Sequence[str]) -> list[str]:
    """Tell the comparer which nets must be which by their names; what that shows by itself: shorts and opens."""
    names = NetNames()
    for name, net in names.of_band(extracted).items():
        if (other := circuit.net_by_name(name)) is not None:
            comparer.same_nets(net, other, True)
    return names.differences(pins)


def _netlist(db: Any, schematic: Schematic, rows: range) -> tuple[Any, dict[str, Any]]:
    """The schematic of some rows in KLayout's form, and its nets by name."""
    netlist = db.Netlist()
    classes = device_classes(db)
    for device_class in classes.values():
        netlist.add(device_class)
    circuit = db.Circuit()
    circuit.name = schematic.name
    netlist.add(circuit)
    nets: dict[str, Any] = {}
    for device in schematic.devices(rows):
        made = circuit.create_device(classes[device.kind], device.name)
        for terminal, name in enumerate((device.a, device.b)):
            net = nets.get(name)
            if net is None:
                net = nets[name] = circuit.create_net(name)
            made.connect_terminal(terminal, net)
    return netlist, nets


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


def _ends_in_layout(device: Any) -> str:
    x, y = device.trans.disp.x, device.trans.disp.y
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

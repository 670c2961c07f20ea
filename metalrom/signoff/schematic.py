"""What a layout should connect, as a schematic: the netlists' own scopes, and of every cell what its kind ties where.

Nets are row lines, segments of bit lines, shields and pieces of metal of a cell (tabs, fingers, plates, posts). A
device `CMOM` stands between a piece and each line beside it, a device `RPLUG` where a plug joins a row and a bit line;
wires and parasitics are no part of it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from interconnect.errors import InputError, UnsupportedCell
from metalrom.layout.plan import PlacedPlane

CMOM, RPLUG = "CMOM", "RPLUG"
FLOATING = ""
"""Net of a piece that no via ties."""

SHIELD = "shield"


@dataclass(frozen=True, slots=True)
class SchematicDevice:
    """A device between two nets that may be exchanged."""

    name: str
    kind: str
    a: str
    b: str


@dataclass(frozen=True, slots=True)
class Schematic:
    """One plane. pins: nets that carry their names in the layout, too."""

    name: str
    pins: tuple[str, ...]
    devices: tuple[SchematicDevice, ...]

    def spice(self) -> str:
        """The schematic as a SPICE subcircuit: `C` for `CMOM`, `R` for `RPLUG`. Shields are pins here."""
        shields = sorted({net for d in self.devices for net in (d.a, d.b) if net.startswith(SHIELD)})
        lines = [f"* {self.name}: nets, pieces of metal and plugs; no parasitics", f".subckt {self.name}"]
        pins = [*self.pins, *shields]
        lines += [f"+ {' '.join(pins[i : i + 12])}" for i in range(0, len(pins), 12)]
        lines += [f"{'C' if d.kind == CMOM else 'R'}{d.name} {d.a} {d.b} {d.kind}" for d in self.devices]
        return "\n".join([*lines, f".ends {self.name}", ""])


@dataclass(frozen=True, slots=True)
class Tie:
    """A device of a cell by the roles of its nets: letters of row lines, `BL`, `BLP`, `BLN`, `shield`, or floating."""

    kind: str
    a: str
    b: str


def _beside(piece: str, lines: Sequence[str]) -> tuple[Tie, ...]:
    return tuple(Tie(CMOM, piece, line) for line in lines)


def _tabs(ties: Sequence[str]) -> Callable[[int], tuple[Tie, ...]]:
    return lambda symbol: _beside(ties[symbol], ("BL", SHIELD))


def _fingers(symbol: int) -> tuple[Tie, ...]:
    return *_beside("S" if symbol else FLOATING, ("BL", SHIELD)), *_beside("G", ("BL", SHIELD))


def _plates(symbol: int) -> tuple[Tie, ...]:
    return *_beside((FLOATING, "BLP", "BLN")[symbol], ("S", "G")), *_beside(SHIELD, ("S", "G"))


def _plugs(symbol: int) -> tuple[Tie, ...]:
    return (Tie(RPLUG, "S", "BL"),) if symbol else ()


_BETWEEN = "TUVWYZ"
"""Letters of the lines between the fully driven one and ground of `cap_select`, from the top."""


def ties_of(kind: str, symbols: int) -> Callable[[int], tuple[Tie, ...]]:
    """Devices of a cell by its symbol. Raises UnsupportedCell for a kind that has no schematic here."""
    known: Mapping[str, Callable[[int], tuple[Tie, ...]]] = {
        "cap_balanced": _tabs(("G", "S")),
        "cap_select": _tabs(("G", *reversed(_BETWEEN[: symbols - 2]), "S")),
        "cap_tie": _tabs((FLOATING, "S", "G")),
        "cap_present": _fingers,
        "cap_ternary": _plates,
        "res_via": _plugs,
    }
    if kind not in known:
        raise UnsupportedCell(f"the cell {kind} has no schematic to compare a layout with", where="cell.kind")
    return known[kind]


def schematic_of(part: PlacedPlane, kind: str) -> Schematic:
    """The schematic of a plane as its scope describes it.

    Raises InputError for a plane without a scope (a single cell), UnsupportedCell for an unknown kind.
    """
    if part.scope is None:
        raise InputError("a single cell has no schematic", where="--level", hint="tile, array or macro")
    ties = ties_of(kind, len(part.pattern.symbols))
    pins: dict[str, None] = {}
    devices = []
    row_letters = [line.net for line in part.pattern.rows]
    for r in range(part.rows):
        pins |= dict.fromkeys(f"{letter.lower()}{r}_0" for letter in row_letters)
    by_symbol = [ties(symbol) for symbol in range(len(part.pattern.symbols))]
    group = part.scope.group_rows
    for r, row in enumerate(part.symbols.tolist()):
        for c, symbol in enumerate(row):
            cut = c in part.cut_columns
            for i, tie in enumerate(by_symbol[symbol]):
                nets = [_net(role, r, c, r // group if cut else 0, i) for role in (tie.a, tie.b)]
                if cut:
                    pins |= dict.fromkeys(net for net in nets if net.startswith("bl"))
                devices.append(SchematicDevice(f"r{r}_c{c}_{i}", tie.kind, *nets))
    return Schematic(part.name, tuple(pins), tuple(devices))


def _net(role: str, row: int, column: int, segment: int, index: int) -> str:
    if role == FLOATING:
        return f"float_r{row}_c{column}"
    if role == SHIELD:
        return f"{SHIELD}_{column}"
    if role.startswith("BL"):
        return f"{role.lower()}{segment}_{column}"
    return f"{role.lower()}{row}_0"

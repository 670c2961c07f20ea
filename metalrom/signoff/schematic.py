"""What a layout should connect, as a schematic: the netlists' own scopes, and of every cell what its kind ties where.

Nets are row lines, segments of bit lines, ground (shields, posts, bit lines of dummy columns) and pieces of metal of a
cell (tabs, fingers, plates). A device `CMOM` stands between a piece and each line beside it, a device `RPLUG` where a
plug joins a row and a bit line; wires and parasitics are no part of it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from interconnect.errors import InputError, UnsupportedCell
from metalrom.layout.plan import GROUND, PlacedPlane

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


@dataclass(frozen=True)
class Schematic:
    """One plane. pins: nets that carry their names in the layout, too; ties: devices of a cell by its symbol."""

    part: PlacedPlane
    pins: tuple[str, ...]
    ties: tuple[tuple[Tie, ...], ...]

    @property
    def name(self) -> str:
        """Name of the plane."""
        return self.part.name

    @property
    def device_count(self) -> int:
        """Devices of the whole plane."""
        number = np.bincount(self.part.symbols.ravel(), minlength=len(self.ties))
        return int(sum(n * len(ties) for n, ties in zip(number, self.ties, strict=True)))

    @property
    def net_count(self) -> int:
        """Nets of the whole plane: its pins, and the pieces that nothing ties."""
        number = np.bincount(self.part.symbols.ravel(), minlength=len(self.ties))
        floating = [any(FLOATING in (t.a, t.b) for t in ties) for ties in self.ties]
        return len(self.pins) + int(sum(number[floating]))

    def devices(self, rows: range) -> Iterator[SchematicDevice]:
        """The devices of some rows."""
        cut, group = self.part.cut_columns, self.part.scope.group_rows if self.part.scope else self.part.rows
        for r in rows:
            for c, symbol in enumerate(self.part.symbols[r].tolist()):
                segment = r // group if c in cut else None
                for i, tie in enumerate(self.ties[symbol]):
                    a, b = (_net(role, r, c, segment) for role in (tie.a, tie.b))
                    yield SchematicDevice(f"r{r}_c{c}_{i}", tie.kind, a, b)

    def spice(self) -> str:
        """The schematic as a SPICE subcircuit: `C` for `CMOM`, `R` for `RPLUG`."""
        return spice_of(self.name, self.devices(range(self.part.rows)), self.pins)


def spice_of(name: str, devices: Iterable[SchematicDevice], pins: Sequence[str] = ()) -> str:
    """Devices between nets as a SPICE subcircuit."""
    lines = [f"* {name}: nets, pieces of metal and plugs; no parasitics", f".subckt {name}"]
    lines += [f"+ {' '.join(pins[i : i + 12])}" for i in range(0, len(pins), 12)]
    lines += [f"{'R' if d.kind == RPLUG else 'C'}{d.name} {d.a} {d.b} {d.kind}" for d in devices]
    return "\n".join([*lines, f".ends {name}", ""])


def schematic_of(part: PlacedPlane, kind: str) -> Schematic:
    """The schematic of a plane as its scope describes it.

    Raises InputError for a plane without a scope (a single cell), UnsupportedCell for an unknown kind.
    """
    if part.scope is None:
        raise InputError("a single cell has no schematic", where="--level", hint="tile, array or macro")
    of = ties_of(kind, len(part.pattern.symbols))
    pins = [_net(line.net, r, 0, None) for r in range(part.rows) for line in part.pattern.rows]
    pins += [
        f"{line.name}{segment}_{c}"
        for line in part.pattern.columns
        if line.bit_line
        for c in part.cut_columns
        for segment in range(len(part.segments(c)))
    ]
    pins += [GROUND] if part.strap else []
    return Schematic(part, tuple(pins), tuple(of(symbol) for symbol in range(len(part.pattern.symbols))))


def _net(role: str, row: int, column: int, segment: int | None) -> str:
    """Net of a role at a cell. segment: of the bit lines of its column; None where they are tied to ground."""
    if role == FLOATING:
        return f"float_r{row}_c{column}"
    if role.startswith("BL"):
        return GROUND if segment is None else f"{role.lower()}{segment}_{column}"
    return GROUND if role == SHIELD else f"{role.lower()}{row}_0"

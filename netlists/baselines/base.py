"""What every baseline cell shares: its pins, its transistors and the interface of a kind."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from interconnect.errors import InputError
from interconnect.provenance import Provenance
from netlists.baselines.area import CellArea
from netlists.parameters import require_positive

ASSUMED_SIZES = Provenance("estimate", "own choice for a 50 nm, 1.0 V technology; of no published circuit")
"""Status and source of the default sizes of every baseline cell and of the local computing cell."""

PINS = ("bl", "blb", "wl", "vdd", "q", "qb")
"""Pins that a deck can connect besides `level<k>`: local bit line that is read, its complement, word line, cell
supply, the two nodes of a latch. Ground is node 0."""

LARGEST_TOP_LEVEL = 0.5
"""Of the supply: an NMOS whose gate is at the supply settles to a level below this within a nanosecond."""


@dataclass(frozen=True, slots=True)
class BaselineDevice:
    """One transistor of a cell or computing cell: name, type, width (m)."""

    name: str
    type: Literal["n", "p"]
    width: float


class BaselineCell(Protocol):
    """A baseline kind: a frozen parameter class (see `netlists.parameters`) with a template `cells/<kind>.cir.j2`.

    The template gets `cell` and `mos`, and defines for each stored symbol k the subcircuit `<kind>_<k>` with the pins
    `pins`, then one parameter `dvt_<name>` (default 0) per device: its threshold shift in V.
    reading: `discharge`: the bit line is precharged to the supply and discharged by a stored 1; `level`: it is
    precharged to ground and settles to the level of the stored symbol.
    """

    kind: ClassVar[str]
    title: ClassVar[str]
    reading: ClassVar[Literal["discharge", "level"]]
    provenance: ClassVar[Provenance]

    @property
    def length(self) -> float:
        """Channel length, m."""
        ...

    @property
    def bl_wire(self) -> float:
        """Wire of a local bit line per row, F."""
        ...

    @property
    def wl_wire(self) -> float:
        """Wire of a word line per cell, F."""
        ...

    @property
    def pins(self) -> tuple[str, ...]:
        """Of the subcircuits, in order; see `PINS`."""
        ...

    @property
    def symbols(self) -> int:
        """Number of symbols that a cell stores: 0 to symbols - 1."""
        ...

    @property
    def word_gate_width(self) -> float:
        """Total width of the gates on the word line, m."""
        ...

    @property
    def devices(self) -> tuple[BaselineDevice, ...]:
        """Transistors whose threshold a Monte-Carlo draw may shift, in the order of `BaselineDeviations.cell`."""
        ...

    def levels(self, vdd: float) -> tuple[float, ...]:
        """What an input of 1 puts on the unit capacitor, V, by stored symbol."""
        ...

    def initial(self, symbol: int, vdd: float) -> Mapping[str, float]:
        """Voltages of the pins that hold state (`q`, `qb`), V; empty for a ROM."""
        ...

    def area(self, node: float) -> CellArea:
        """Area of one cell in a technology of feature size `node` (m)."""
        ...


class BitRead:
    """What cells share that hold one bit and discharge the local bit line where it is 1."""

    __slots__ = ()
    reading: ClassVar[Literal["discharge", "level"]] = "discharge"
    provenance: ClassVar[Provenance] = ASSUMED_SIZES

    @property
    def symbols(self) -> int:
        """Two: the bits."""
        return 2

    def levels(self, vdd: float) -> tuple[float, ...]:
        """0 or the supply (V): the computing cell restores the bit."""
        return (0.0, vdd)

    def initial(self, symbol: int, vdd: float) -> Mapping[str, float]:
        """No state, as in a ROM."""
        return {}


class OneTransistor(BitRead):
    """What ROM cells of one NMOS share."""

    __slots__ = ()
    width: float

    @property
    def word_gate_width(self) -> float:
        """Of the cell transistor, m."""
        return self.width

    @property
    def devices(self) -> tuple[BaselineDevice, ...]:
        """The cell transistor."""
        return (BaselineDevice("cell", "n", self.width),)


def subckt_name(cell: BaselineCell, symbol: int) -> str:
    """Name of the subcircuit of a stored symbol."""
    return f"{cell.kind}_{symbol}"


def level_pins(cell: BaselineCell) -> tuple[int, ...]:
    """Numbers k of the pins `level<k>` of a cell: driven source lines at the voltage of symbol k."""
    return tuple(int(p.removeprefix("level")) for p in cell.pins if p.startswith("level"))


def check_sizes(cell: BaselineCell, names: tuple[str, ...]) -> None:
    """Refuse lengths and widths (m) that are not positive, and wire capacitances (F) that are negative."""
    for name in (*names, "length"):
        require_positive(getattr(cell, name), where=f"local cell {cell.kind}.{name}", unit="m")
    for name in ("bl_wire", "wl_wire"):
        require_positive(getattr(cell, name), where=f"local cell {cell.kind}.{name}", unit="F", zero=True)


def check_symbol_levels(cell: BaselineCell, vdd: float) -> tuple[float, ...]:
    """Levels of a cell at this supply; InputError unless there is one per symbol, from 0 upwards to at most vdd."""
    levels = cell.levels(vdd)
    good = len(levels) == cell.symbols and all(math.isfinite(v) and 0 <= v <= vdd for v in levels)
    if not good or max(levels, default=0.0) <= 0:
        raise InputError(
            f"levels are {levels}, expected {cell.symbols} voltages from 0 to {vdd:g} V",
            where=f"local cell {cell.kind}",
        )
    return levels

"""What every cell kind shares: planes, elements, electrical models and the interface of a kind."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar, Literal, Protocol

import numpy as np

from interconnect.arrays import ByteArray, FloatArray
from interconnect.errors import InputError, UnsupportedCell
from interconnect.extraction import Extraction
from interconnect.geometry import CellGeometry
from interconnect.stack import Stack

Extract = Callable[[CellGeometry, Stack], "Extraction"]
"""What turns a geometry into capacitances and resistances; usually `interconnect.extract` with options bound."""

GROUND_NODE = "0"


@dataclass(frozen=True, slots=True)
class Plane:
    """A pair of neighbouring metals that stores weights: rows on `row`, columns on `column` above it."""

    row: str
    column: str

    @property
    def label(self) -> str:
        """Short name for files and comments, e.g. `metal2-metal3`."""
        return f"{self.row}-{self.column}"


@dataclass(frozen=True, slots=True)
class Element:
    """A capacitor (`C_...`, F) or resistor (`R_...`, ohm) of a cell between two of its pins or ground (`0`).

    varies: cell-to-cell mismatch multiplies this value. tcr: 1/K, about the model's reference temperature.
    """

    name: str
    a: str
    b: str
    value: float
    meaning: str
    varies: bool = False
    tcr: float = 0.0

    @property
    def is_capacitor(self) -> bool:
        """True for a capacitor, false for a resistor."""
        return self.name.startswith("C")


@dataclass(frozen=True, slots=True)
class RowLine:
    """A line of a row: pins `<prefix>_in` and `<prefix>_out`, nodes `<letter><row>_<column>` in decks.

    level: by how much it moves when the row's input turns 1, as a fraction of the row drive. A line of level 0 is
    always grounded; one of level -1 is high while the input is 0 and falls with it (complement drive).
    The resistance of one segment is the element `R_<prefix>`. above: it belongs to the row of the next plane above this
    one and follows that row's input. joined: it is one node for all rows of the same input, its wire left out.
    """

    prefix: str
    letter: str
    level: float
    above: bool = False
    joined: bool = False


@dataclass(frozen=True, slots=True)
class BitLine:
    """A bit line of a column: pins `<prefix>_in`, `<prefix>_out`; nodes `<letter><row>_<column>`, sensed at
    `<prefix>_<column>`. sign: +1, or -1 for the subtracted line of a differential column.

    A pin `<prefix>_next`, if the cell has one, is this bit line of the next column in the same row. The resistance of
    one segment is the element `R_<prefix>`."""

    prefix: str
    letter: str
    sign: int = 1


SIGNAL = RowLine("row", "s", 1.0)
GROUND_LINE = RowLine("gnd", "g", 0.0)
COMPLEMENT_LINE = RowLine("gnd", "g", -1.0)
NEXT_SIGNAL = RowLine("next_row", "u", 1.0, above=True)
NEXT_GROUND = RowLine("next_gnd", "v", 0.0, above=True)
NEXT_COMPLEMENT = RowLine("next_gnd", "v", -1.0, above=True)
BIT_LINE = BitLine("bl", "b")


@dataclass(frozen=True, slots=True)
class Variant:
    """How one stored symbol is written: the subcircuit that is called, and which pin is tied to which other pin."""

    subckt: str
    elements: tuple[Element, ...]
    ties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CellModel:
    """Electrical values of one cell, ready for netlists and for the linear network.

    mode: `charge` (the bit line floats and shares charge) or `current` (the bit line is a virtual ground).
    pins: of the subcircuit, in order. variants: index = stored symbol (a via bit for two of them). pitch: (row,
    column) m. area: m^2 per cell. lines: of a row, the fully driven one first. bit_lines: of a column; two of opposite
    sign are read as a difference. symbol_values: what a symbol adds to the count of a driven row, by symbol.
    relative_error: of the extraction. fit_residual: largest misfit of the decomposition into pair capacitances,
    relative to the bit line's total. geometry_keys, notes: where the values come from.
    """

    kind: str
    mode: Literal["charge", "current"]
    plane: Plane
    pins: tuple[str, ...]
    variants: tuple[Variant, ...]
    pitch: tuple[float, float]
    area: float
    reference_temperature: float
    relative_error: float
    fit_residual: float
    method: str
    geometry_keys: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    lines: tuple[RowLine, ...] = (SIGNAL,)
    bit_lines: tuple[BitLine, ...] = (BIT_LINE,)
    symbol_values: tuple[int, ...] = (0, 1)

    @property
    def symbols(self) -> int:
        """Number of symbols that a cell can store."""
        return len(self.variants)

    def value(self, element: str, bit: int = 1) -> float:
        """Value of a named element in the variant of `bit` (F or ohm); 0 when that variant lacks it."""
        for variant in (self.variants[bit], *self.variants):
            for e in variant.elements:
                if e.name == element:
                    return e.value if variant is self.variants[bit] else 0.0
        raise InputError(f"cell {self.kind} has no element {element!r}")

    def at(self, temperature: float, *, row_wire: float = 1.0, bl_wire: float = 1.0) -> CellModel:
        """The model at `temperature` (degC), its row and bit-line wire resistances scaled by two factors."""
        rise = temperature - self.reference_temperature
        wire = self.wire_factors(row_wire, bl_wire)

        def warm(e: Element) -> Element:
            return replace(e, value=e.value * (1.0 + e.tcr * rise) * wire.get(e.name, 1.0), tcr=0.0)

        variants = tuple(replace(v, elements=tuple(map(warm, v.elements))) for v in self.variants)
        return replace(self, variants=variants, reference_temperature=temperature)

    def wire_factors(self, row_wire: float, bl_wire: float) -> dict[str, float]:
        """Factors of the wires' resistances, by element."""
        wire = {f"R_{line.prefix}": row_wire for line in (*self.lines, GROUND_LINE)}
        return wire | {f"R_{line.prefix}": bl_wire for line in self.bit_lines}

    @property
    def balanced(self) -> bool:
        """Whether a bit line's load is the same for every symbol."""
        loads = [
            [f(s, line) for s in range(self.symbols)] for line in self.bit_lines for f in (self.load, self.next_load)
        ]
        return all(max(values) - min(values) <= 1e-9 * self.bl_total for values in loads)

    def complement_driven(self) -> CellModel:
        """The cell with its ground line driven against the signal line: twice the switched charge per count, and a
        level that depends on 2 count - active. Raises UnsupportedCell for a cell without a ground line."""
        if COMPLEMENT_LINE in self.lines:
            return self
        if GROUND_LINE not in self.lines:
            raise UnsupportedCell(f"the cell {self.kind} has no ground line to drive with the complement")
        driven = {GROUND_LINE: COMPLEMENT_LINE, NEXT_GROUND: NEXT_COMPLEMENT}
        return replace(self, lines=tuple(driven.get(line, line) for line in self.lines))

    def with_joined_next_plane(self) -> CellModel:
        """The model whose lines of the next plane are one node for all rows of the same input: their wires settle
        within picoseconds and take nothing from a level, and a deck has half of the nodes."""
        return replace(self, lines=tuple(replace(x, joined=True) if x.above else x for x in self.lines))

    def named(self, suffix: str) -> CellModel:
        """The same cell under subcircuit names with a suffix, for netlists that hold cells of several planes."""
        variants = tuple(replace(v, subckt=v.subckt + suffix) for v in self.variants)
        return replace(self, variants=variants)

    def rounded(self, digits: int = 7) -> CellModel:
        """The model with its values rounded to `digits` significant digits, its errors to 2.

        Field solvers differ in their last bits from run to run; equal cells must give equal decks to the last byte.
        """

        def short(value: float, places: int) -> float:
            return float(f"{value:.{places - 1}e}")

        variants = tuple(
            replace(v, elements=tuple(replace(e, value=short(e.value, digits)) for e in v.elements))
            for v in self.variants
        )
        return replace(
            self,
            variants=variants,
            relative_error=short(self.relative_error, 2),
            fit_residual=short(self.fit_residual, 2),
        )

    def capacitance(self, pin: str, bit: int, other: str | None = None) -> float:
        """Capacitance (F) of `pin` in the variant of `bit` towards `other`, or towards everything when None.

        Pins tied together count as one; a capacitor between two pins of the same node counts nothing.
        """
        variant = self.variants[bit]
        node = {p: variant.ties.get(p, p) for p in (*self.pins, GROUND_NODE)}
        target = node[pin]
        total = 0.0
        for e in variant.elements:
            ends = {node[e.a], node[e.b]}
            if (
                e.is_capacitor
                and len(ends) == 2
                and target in ends
                and (other is None or ends == {target, node[other]})
            ):
                total += e.value
        return total

    def load(self, symbol: int, line: BitLine | None = None) -> float:
        """Capacitance (F) that a cell of this symbol puts on its own bit line `line` (default: the first)."""
        return self.capacitance(f"{(line or self.bit_lines[0]).prefix}_in", symbol)

    def next_load(self, symbol: int, line: BitLine | None = None) -> float:
        """Capacitance (F) that a cell of this symbol puts on the bit line `line` of the next column."""
        pin = f"{(line or self.bit_lines[0]).prefix}_next"
        return self.capacitance(pin, symbol) if pin in self.pins else 0.0

    def drive(self, symbol: int, line: BitLine | None = None, *, above: bool = False) -> float:
        """Capacitance (F) from a bit line to the row's lines, each weighed by its level: what one driven cell of this
        symbol adds to the charge on `line` (default: the first) per volt of the row drive. above: the same from the
        row of the next plane."""
        pin = f"{(line or self.bit_lines[0]).prefix}_in"
        return sum(
            row.level * self.capacitance(pin, symbol, f"{row.prefix}_out")
            for row in self.lines
            if row.level != 0.0 and row.above == above
        )

    def drive_with_next_plane(self, symbol: int, line: BitLine | None = None) -> float:
        """`drive` of a row together with that of the next plane's row, which follows the same input, F."""
        return self.drive(symbol, line) + (self.drive(symbol, line, above=True) if self.has_next_plane else 0.0)

    @property
    def has_next_plane(self) -> bool:
        """Whether the model holds the lines of the next plane's row; a grounded sheet stands for them otherwise."""
        return any(line.above for line in self.lines)

    def signal(self, symbol: int) -> float:
        """`drive` of the bit lines added up with their signs, F: what a driven cell contributes to the read-out."""
        return sum(line.sign * self.drive(symbol, line) for line in self.bit_lines)

    @property
    def bl_total(self) -> float:
        """Capacitance of one bit line per row (F), both neighbours quiet; the mean over symbols and bit lines."""
        loads = [
            (self.load(k, line) + self.next_load(k, line)) / (self.symbols * len(self.bit_lines))
            for line in self.bit_lines
            for k in range(self.symbols)
        ]
        return sum(loads)

    @property
    def switched(self) -> float:
        """Driven capacitance per count, F: by how much `signal` grows from the symbol of the lowest to that of the
        highest count, over the counts between them (0 for a resistive cell)."""
        low, high = (pick(range(self.symbols), key=self.symbol_values.__getitem__) for pick in (min, max))
        return (self.signal(high) - self.signal(low)) / (self.symbol_values[high] - self.symbol_values[low])

    @property
    def sha256(self) -> str:
        """Content hash of the printed values (they decide every deck made from this model)."""
        body = [
            self.kind,
            self.pins,
            [
                (v.subckt, sorted(v.ties.items()), [(e.name, e.a, e.b, e.value, e.tcr) for e in v.elements])
                for v in self.variants
            ],
        ]
        return hashlib.sha256(json.dumps(body).encode()).hexdigest()


def plane_models(model: CellModel | Sequence[CellModel], planes: int) -> tuple[CellModel, ...]:
    """One model per plane. One alone serves every plane; several get the plane in their subcircuits' names."""
    if isinstance(model, CellModel):
        return (model,) * planes
    if len(model) == 1:
        return (model[0],) * planes
    if len(model) < planes:
        raise InputError(f"{planes} planes are used but there are cell models for {len(model)}", where="macro.planes")
    return tuple(m.named(f"_p{i}") for i, m in enumerate(model[:planes]))


@dataclass(frozen=True, slots=True)
class CouplingGap:
    """The drawn gap across which the storing capacitor couples, and over which length (both m)."""

    gap: float
    length: float


class CellLengths(Protocol):
    """Drawn lengths of a cell on a plane, m, defaults resolved and drawing rules checked.

    coupling: where the edge roughness of its lines changes the stored value; None where it does not.
    """

    @property
    def row_pitch(self) -> float: ...
    @property
    def column_pitch(self) -> float: ...
    @property
    def row_width(self) -> float: ...
    @property
    def column_width(self) -> float: ...
    @property
    def coupling(self) -> CouplingGap | None: ...


class Cell(Protocol):
    """A cell kind: a frozen parameter class (see `netlists.parameters`) that knows its geometry and model.

    kind: name in configurations. mode: `charge` or `current`, see `CellModel`. title: one line for reports and lists.
    measurable: whether the characterization procedures can drive and read its column. symbol_values: what a stored
    symbol adds to the count of a driven row, by symbol; known without an extraction.

    `measurable` and `lengths` are capabilities that a kind may lack: what needs them asks `require_capability`. So is
    `stackable`: whether `geometry` and `model` take the plane `above`, whose row lines they then hold. A kind may also
    declare `text`: what the report says of it beyond its title.
    """

    kind: ClassVar[str]
    mode: ClassVar[Literal["charge", "current"]]
    title: ClassVar[str]
    measurable: ClassVar[bool]

    @property
    def symbol_values(self) -> tuple[int, ...]:
        """Count of every symbol, lowest symbol first: (0, 1) for one via bit."""
        ...

    def lengths(self, stack: Stack, plane: Plane) -> CellLengths:
        """Drawn lengths on this plane. Raises InputError for one that violates the stack's rules; it names the key."""
        ...

    def geometry(self, stack: Stack, plane: Plane, program: Sequence[int]) -> CellGeometry:
        """One row of `len(program)` columns with these symbols (the extraction uses two columns)."""
        ...

    def model(self, stack: Stack, plane: Plane, extract: Extract) -> CellModel:
        """Electrical values from the extraction of this cell."""
        ...

    @staticmethod
    def closed_form(model: CellModel, read: ColumnRead) -> float:
        """Level (V or A) of one column by the kind's simple formula; see `netlists.cells.closed_form`."""
        ...


class ChargeCell:
    """What the capacitive kinds share: their column shares charge, and the procedures can drive and read it."""

    __slots__ = ()
    mode: ClassVar[Literal["charge", "current"]] = "charge"
    measurable: ClassVar[bool] = True


REQUIRED_MEMBERS = ("kind", "mode", "title", "symbol_values", "geometry", "model")


def require_capability(cell: Cell, capability: str, purpose: str, *, where: str = "cell.kind") -> None:
    """Refuse a cell whose kind lacks a capability, or declares it as False.

    Parameters
    ----------
    cell : Cell
        The cell that is asked.
    capability : str
        Member of `Cell`: `measurable`, `lengths` or `stackable`.
    purpose : str
        What cannot be done without it, such as `drawn at several pitches`.
    where : str, optional
        Key of the configuration, for the message.

    Raises
    ------
    UnsupportedCell
    """
    if not getattr(cell, capability, False):
        raise UnsupportedCell(
            f"the cell {cell.kind} cannot be {purpose}", where=where, hint=f"its kind declares no `{capability}`"
        )


def check_program(program: Sequence[int], kind: str, symbols: int = 2) -> tuple[int, ...]:
    """Stored symbols of a supercell as a tuple of whole numbers below `symbols`; InputError otherwise."""
    stored = tuple(int(b) for b in program)
    if not stored or any(not 0 <= b < symbols for b in stored):
        known = "via bits 0 or 1" if symbols == 2 else f"symbols 0 to {symbols - 1}"
        raise InputError(f"{kind}: a program is a list of {known}, got {list(program)!r}")
    return stored


@dataclass(frozen=True)
class ColumnRead:
    """One read of one column.

    drive: row voltage, V. symbols: stored in the column, shape (rows,). inputs: 0 or 1 per row, shape (rows,).
    c_extra: capacitance on each bit line that is not the cells', F. shares: of each symbol in the column before, which
    loads the first bit line, and in the `extra_rows` further rows, which are not driven. model: the cell.
    """

    model: CellModel
    drive: float
    symbols: ByteArray
    inputs: ByteArray
    c_extra: float
    shares: tuple[float, ...]
    extra_rows: int = 0

    @property
    def rows(self) -> int:
        """Cells on the bit line whose symbols are known."""
        return len(self.symbols)

    @property
    def active(self) -> int:
        """Driven rows."""
        return int(self.inputs.sum())

    @cached_property
    def count(self) -> int:
        """Ideal MAC count."""
        return int(np.asarray(self.model.symbol_values)[self.symbols] @ self.inputs.astype(np.int64))

    @cached_property
    def stored(self) -> FloatArray:
        """Cells per symbol, those of the further rows included, shape (symbols,)."""
        further = self.extra_rows * np.asarray(self.shares)
        return np.asarray(np.bincount(self.symbols, minlength=self.model.symbols) + further, dtype=np.float64)

    @cached_property
    def driven(self) -> FloatArray:
        """Cells per symbol in driven rows, shape (symbols,)."""
        return np.bincount(self.symbols[self.inputs > 0], minlength=self.model.symbols).astype(np.float64)

"""One situation of a column: stored symbols, inputs, place in the array and deviations from nominal."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interconnect.arrays import ByteArray, FloatArray, IntArray
from interconnect.errors import InputError
from netlists.cells.base import GROUND_NODE, RowLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviations:
    """Departures from nominal; None means nominal.

    cell: factor on the cell's varying element (coupling capacitance or resistor), shape (rows, columns).
    driver_nmos, driver_pmos: threshold shifts of the last driver stage, shape (rows,), V (added to the magnitude's
    signed threshold as the simulator's `delvto`); they act on the driver of the row's full line. reset: threshold shift
    of the reset NMOS, V, shape (columns,), or (bit lines, columns) for columns of several bit lines.
    row_wire, bl_wire: factors on the wire resistances. readout: (device, threshold shift in V) of the target's readout
    chain (`ReadoutChain.devices`).
    """

    cell: FloatArray | None = None
    driver_nmos: FloatArray | None = None
    driver_pmos: FloatArray | None = None
    reset: FloatArray | None = None
    row_wire: float = 1.0
    bl_wire: float = 1.0
    readout: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnStimulus:
    """A target column between neighbours.

    bits: stored symbols, shape (rows, columns), columns odd; the middle column is the target. For a binary cell they
    are its via bits. pair: the columns are even in number, and the two in the middle are the target and the `minus`
    column whose level is taken from the target's. inputs: 0 or 1 per row, shape (rows,). position: columns between the
    row drivers and the first of these. columns_total: columns on the row line, None = none beyond these.
    ones_fraction: share of 1 bits in the columns that are only a load. symbol_values: of the cell
    (`CellModel.symbol_values`), what each adds to the count.
    shares: of each symbol in the columns that are only a load; None: by ones_fraction for two symbols, else equal.
    next_plane: inputs of the next plane's rows, 0 or 1, shape (rows,), for a cell model that holds the lines of that
    plane; None: they follow `inputs`, as on the chip.
    copies: alike rows that each row stands for, in parallel, shape (rows,); None: itself alone.
    """

    bits: ByteArray
    inputs: ByteArray
    position: int = 0
    columns_total: int | None = None
    ones_fraction: float = 0.5
    deviations: Deviations = field(default_factory=Deviations)
    symbol_values: tuple[int, ...] = (0, 1)
    shares: tuple[float, ...] | None = None
    next_plane: ByteArray | None = None
    pair: bool = False
    copies: IntArray | None = None

    def __post_init__(self) -> None:
        bits, inputs = _symbols(self.bits, "bits", len(self.symbol_values)), _symbols(self.inputs, "inputs", 2)
        object.__setattr__(self, "bits", bits)
        object.__setattr__(self, "inputs", inputs)
        if bits.ndim != 2 or bits.shape[0] < 1 or bits.shape[1] < 1 or bits.shape[1] % 2 == self.pair:
            number = "even" if self.pair else "odd"
            raise InputError(f"column case: bits have shape {bits.shape}, expected (rows, {number} number of columns)")
        if inputs.shape != (self.rows,):
            raise InputError(f"column case: inputs have shape {inputs.shape}, expected ({self.rows},)")
        if self.next_plane is not None:
            above = _symbols(self.next_plane, "next_plane", 2)
            object.__setattr__(self, "next_plane", above)
            if above.shape != (self.rows,):
                raise InputError(f"column case: next_plane has shape {above.shape}, expected ({self.rows},)")
        if self.copies is not None and (np.shape(self.copies) != (self.rows,) or np.min(self.copies) < 1):
            raise InputError(f"column case: copies must be whole numbers from 1 on, one for each of {self.rows} rows")
        if self.position < 0 or self.beyond < 0:
            raise InputError(
                f"column case: position {self.position} and {self.columns} columns do not fit "
                f"columns_total {self.columns_total}"
            )
        if not 0.0 <= self.ones_fraction <= 1.0:
            raise InputError(f"column case: ones_fraction is {self.ones_fraction!r}, expected 0 to 1")
        if self.shares is not None and not (
            len(self.shares) == len(self.symbol_values) and min(self.shares) >= 0 and abs(sum(self.shares) - 1) < 1e-9
        ):
            raise InputError(
                f"column case: shares are {self.shares!r}, expected {len(self.symbol_values)} of them, zero or more, "
                "sum 1"
            )
        d = self.deviations
        reset = () if d.reset is None else np.shape(d.reset)[:-1]
        shapes = {"cell": bits.shape, "driver_nmos": (self.rows,), "driver_pmos": (self.rows,)}
        for name, shape in {**shapes, "reset": (*reset[:1], self.columns)}.items():
            value = getattr(d, name)
            if value is not None and (np.shape(value) != shape or not np.isfinite(value).all()):
                raise InputError(f"column case: deviations.{name} must be finite with shape {shape}")
        if d.cell is not None and not (np.asarray(d.cell) > 0).all():
            raise InputError("column case: deviations.cell holds a factor that is not positive")
        if not (d.row_wire > 0 and d.bl_wire > 0):
            raise InputError("column case: wire factors must be positive")

    def with_dummy_row(self) -> ColumnStimulus:
        """The same case with one more row that counts in every column (symbol 1), driven where the number of active
        rows is odd; its devices are nominal. The next plane has such a row of its own."""

        def longer(values: Any, fill: float) -> Any:
            if values is None:
                return None
            array = np.asarray(values)
            return np.concatenate([array, np.full((1, *array.shape[1:]), fill, dtype=array.dtype)])

        d = self.deviations
        return replace(
            self,
            copies=longer(self.copies, 1),
            bits=longer(self.bits, 1),
            inputs=longer(self.inputs, self.active % 2),
            next_plane=longer(self.next_plane, 0 if self.next_plane is None else int(self.next_plane.sum()) % 2),
            deviations=replace(
                d,
                cell=longer(d.cell, 1.0),
                driver_nmos=longer(d.driver_nmos, 0.0),
                driver_pmos=longer(d.driver_pmos, 0.0),
            ),
        )

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.bits.shape[0])

    def with_parallel_rows(self) -> ColumnStimulus:
        """The same column with one row in place of all that have the same inputs and store the same in every modelled
        column, as so many in parallel; itself where devices or cells deviate, which makes every row another one.

        The settled level is that of the column but for the order of the rows on the wire of the bit lines."""
        d = self.deviations
        if self.copies is not None or not (d.cell is None and d.driver_nmos is None and d.driver_pmos is None):
            return self
        above = self.inputs if self.next_plane is None else self.next_plane
        alike = np.column_stack([self.inputs, above, self.bits])
        _, first, number = np.unique(alike, axis=0, return_index=True, return_counts=True)
        order = np.argsort(first)
        rows = first[order]
        return replace(
            self,
            bits=self.bits[rows],
            inputs=self.inputs[rows],
            next_plane=None if self.next_plane is None else self.next_plane[rows],
            copies=number[order].astype(np.int64),
        )

    @property
    def all_rows(self) -> int:
        """Number of rows that the modelled ones stand for."""
        return int(self.weights.sum())

    @property
    def weights(self) -> IntArray:
        """Rows that each row stands for, (rows,)."""
        return np.ones(self.rows, dtype=np.int64) if self.copies is None else self.copies

    @property
    def columns(self) -> int:
        """Number of columns that are modelled cell by cell."""
        return int(self.bits.shape[1])

    @property
    def target(self) -> int:
        """Index of the middle column, of a pair that of its plus column."""
        return (self.columns - 1) // 2

    @property
    def minus(self) -> int | None:
        """Index of the column whose level is subtracted; None without a pair."""
        return self.target + 1 if self.pair else None

    @property
    def beyond(self) -> int:
        """Columns on the row line after the last modelled one."""
        total = self.position + self.columns if self.columns_total is None else self.columns_total
        return total - self.position - self.columns

    @property
    def count(self) -> int:
        """Ideal MAC count of the target: what its symbols count in the driven rows, those of a minus column subtracted;
        it may be negative."""
        counted = np.asarray(self.symbol_values)[self.bits]
        stored = counted[:, self.target] - (0 if self.minus is None else counted[:, self.minus])
        return int(stored @ (self.weights * self.inputs))

    @property
    def load_shares(self) -> tuple[float, ...]:
        """Share of each symbol in the columns that are only a load."""
        if self.shares is not None:
            return self.shares
        n = len(self.symbol_values)
        return (1.0 - self.ones_fraction, self.ones_fraction) if n == 2 else (1.0 / n,) * n

    @property
    def active(self) -> int:
        """Number of driven rows."""
        return int(self.weights @ self.inputs)

    def input_of(self, line: RowLine, row: int) -> bool:
        """Whether a line of the row follows an input of 1."""
        return bool((self.inputs if not line.above or self.next_plane is None else self.next_plane)[row])

    def joined_node(self, line: RowLine, row: int) -> str | None:
        """The node of a joined line, named after the first row of the same input; None for any other line."""
        if not line.joined:
            return None
        if line.level == 0.0:
            return GROUND_NODE
        return f"{line.letter}{next(r for r in range(self.rows) if self.input_of(line, r) == self.input_of(line, row))}"

    def factors(self) -> FloatArray:
        """Cell factors, shape (rows, columns); ones when nominal."""
        cell = self.deviations.cell
        return np.ones(self.bits.shape) if cell is None else np.asarray(cell, dtype=np.float64)


def _symbols(value: ArrayLike, name: str, symbols: int) -> ByteArray:
    array: NDArray[Any] = np.asarray(value)
    if not np.isin(array, range(symbols)).all():
        known = "0 and 1 only" if symbols == 2 else f"whole numbers from 0 to {symbols - 1} only"
        raise InputError(f"column case: {name} may hold {known}")
    return array.astype(np.uint8)

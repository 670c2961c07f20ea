"""The samples of a campaign: one row per simulation, failures kept as rows."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from interconnect.arrays import FloatArray
from netlists.condition import NOMINAL_METALS, Condition


@dataclass(frozen=True, slots=True)
class Sample:
    """One simulated conversion.

    level: bit-line voltage (V) or readout current (A) at the sample instant, NaN unless the verdict is ok.
    row_energy: J that the row drivers drew, of the whole simulated row (all its columns); NaN likewise.
    pattern: name of the row/column/neighbour pattern. draw: Monte-Carlo sample, -1 for the nominal cell.
    deck: SHA-256 of the deck that was run; empty for a level of the corrected linear network. beol: corner of the
    metals. error: standard error of such a level, its unit; 0 of a simulated one.
    """

    procedure: str
    corner: str
    vdd: float
    temperature: float
    rows: int
    active: int
    count: int
    pattern: str
    draw: int
    level: float
    row_energy: float
    verdict: str
    deck: str
    beol: str = NOMINAL_METALS
    error: float = 0.0

    @property
    def condition(self) -> Condition:
        """The operating point of the sample."""
        return Condition(self.corner, self.vdd, self.temperature, self.beol)


OPTIONAL = {"beol": NOMINAL_METALS, "error": 0.0}
"""Columns that `samples.csv` holds only where one of its samples has another value."""

COLUMNS = tuple(field.name for field in fields(Sample) if field.name not in OPTIONAL)
"""Columns of `samples.csv`; those of `OPTIONAL` follow them."""


@dataclass(frozen=True)
class Dataset:
    """Samples in the order of the plan."""

    samples: tuple[Sample, ...]

    def select(self, procedure: str, condition: Condition | None = None) -> Dataset:
        """Samples of one procedure (and one condition)."""
        return Dataset(tuple(self._sorted.get((procedure, condition), ())))

    @cached_property
    def _sorted(self) -> dict[tuple[str, Condition | None], list[Sample]]:
        """Samples by procedure and condition, and by procedure alone; a campaign asks for every one of them."""
        out: dict[tuple[str, Condition | None], list[Sample]] = {}
        for s in self.samples:
            out.setdefault((s.procedure, s.condition), []).append(s)
            out.setdefault((s.procedure, None), []).append(s)
        return out

    def good(self) -> Dataset:
        """Samples whose simulation was judged ok."""
        return Dataset(tuple(s for s in self.samples if s.verdict == "ok" and math.isfinite(s.level)))

    def failed(self) -> Dataset:
        """Samples that must not enter a fit."""
        good = set(map(id, self.good().samples))
        return Dataset(tuple(s for s in self.samples if id(s) not in good))

    def column(self, name: str) -> FloatArray:
        """A numeric column as floats, shape (samples,)."""
        return np.array([getattr(s, name) for s in self.samples], dtype=np.float64)

    def __len__(self) -> int:
        return len(self.samples)

    def to_csv(self) -> str:
        """CSV text with a header; floats with full precision, so that reading it back is exact."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        more = [n for n, usual in OPTIONAL.items() if any(getattr(s, n) != usual for s in self.samples)]
        columns = (*COLUMNS, *more)
        writer.writerow(columns)
        for sample in self.samples:
            writer.writerow([_cell(getattr(sample, name)) for name in columns])
        return buffer.getvalue()


def read_samples_csv(text: str) -> Dataset:
    """Inverse of `Dataset.to_csv`. Raises ValueError for another header."""
    rows = csv.reader(io.StringIO(text))
    header = tuple(next(rows, ()))
    more = header[len(COLUMNS) :]
    if header[: len(COLUMNS)] != COLUMNS or more != tuple(n for n in OPTIONAL if n in more):
        raise ValueError(f"samples: unexpected columns {header}")
    types = {field.name: {"str": str, "int": int, "float": float}[str(field.type)] for field in fields(Sample)}
    return Dataset(tuple(Sample(**{n: types[n](v) for n, v in zip(header, row, strict=True)}) for row in rows))


def _cell(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)

"""The readout table: what characterization hands to lookup tables, the macro estimator and the report.

One conversion sums `rows` cells of one bit line. Its ideal result is the MAC count (0..active) while `active`
rows are driven. Both are known to matter: the count sets the level, the number of active rows shifts it
(the off-state coupling of the cells), and the digital side knows `active` exactly.

The table is an `xarray.Dataset`; `ReadoutTable` is its typed view, also reachable as the accessor `dataset.readout`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray

from characterization.margins import (
    LevelMargin,
    WorstLevel,
    code_probabilities,
    decision_thresholds,
    margin_of,
    spacing,
    weighted_mean,
    wrong_code_probability,
)
from characterization.readout_levels import ReadoutLevels
from interconnect.arrays import BoolArray, FloatArray, IntArray
from interconnect.errors import InputError, UnknownName
from interconnect.suggestion import suggest
from netlists.condition import NOMINAL_METALS, Condition

LEVEL_VARIABLES = {
    "level": "mean level at the bit line",
    "sigma_static": "standard deviation over chips and cells (device and cell mismatch, frozen)",
    "sigma_noise": "standard deviation between conversions (thermal noise)",
    "sigma_pattern": "standard deviation over row position, column position and neighbour data at equal count",
}
"""Variables over (condition, active, count) in the table's unit, defined where the driven rows can give the count."""

DIMENSIONS = ("condition", "active", "count")
PLANE = "plane"
THRESHOLD = "threshold"
STEP = "step"
"""Reserved for tables of several planes: a dimension before the others. One plane at a time is viewed."""


@dataclass(frozen=True, slots=True)
class Assumption:
    """An input that was not measured here: its name, value in words, status and source."""

    name: str
    value: str
    status: str
    source: str


@dataclass(frozen=True)
class AdcModel:
    """Behavioral ADC of one conversion: a threshold between every two neighbouring counts.

    codes: number of output codes (0..codes-1), one count per code. offset_sigma: static input-referred offset
    of a converter instance, volts or amperes like the table's unit. noise_sigma: its input noise, same unit.
    tracks_active: thresholds follow the known number of active rows (a digital offset per conversion).
    """

    codes: int
    offset_sigma: float
    noise_sigma: float
    tracks_active: bool = True


@xarray.register_dataset_accessor("readout")  # type: ignore[no-untyped-call]
class ReadoutTable:
    """Levels and their spread for every condition, number of active rows and MAC count: a view of a dataset.

    Parameters
    ----------
    dataset : xarray.Dataset
        Dimensions condition, active (N + 1) and count (N (levels - 1) + 1). Variables `level`, `sigma_static` (device
        and cell mismatch, frozen per chip), `sigma_noise` (thermal, new at every conversion), `sigma_pattern` (over
        row position, column position and neighbour data at equal count), all in `unit`, and `row_energy` (condition,
        active), J per conversion drawn by the row drivers per column. Coordinates condition (label), corner, vdd (V),
        temperature (degC) and, where not all are nominal, beol. Optionally `threshold` (condition, active, step): the
        decision levels between code k and k + 1, where the converter's circuit fixes them. Attributes cell, unit (`V`
        or `A`), rows (N), levels
        of a cell, read_time (s), adc_codes, adc_offset_sigma, adc_noise_sigma, adc_tracks_active, and as JSON
        assumptions and provenance. Of a dataset with a dimension `plane`, select one first.

    Attributes
    ----------
    level, sigma_static, sigma_noise, sigma_pattern : FloatArray
        Shape (conditions, active, count), `unit`; NaN where the active rows cannot give the count.
    row_energy : FloatArray
        Shape (conditions, active), J.
    threshold : FloatArray or None
        Shape (conditions, active, codes - 1), `unit`; None where thresholds follow from the levels.
    valid : BoolArray
        Which (active, count) can occur: count <= active (levels - 1).

    Raises
    ------
    InputError
        For a dataset that is no readout table, or one with a missing or negative value.

    Examples
    --------
    >>> from characterization.tables.table import AdcModel, ReadoutTable
    >>> level, spread = np.array([[[0.0, np.nan], [0.0, 1.0]]]), np.full((1, 2, 2), 0.1)
    >>> table = ReadoutTable.from_arrays(
    ...     "ideal", "V", 1, (Condition("tt", 1.0, 27.0),), level, spread, 0 * spread, 0 * spread, np.zeros((1, 2)),
    ...     1e-9, AdcModel(2, 0.0, 0.0))
    >>> table.dataset.readout.worst_margin().margin
    5.0
    """

    def __init__(self, dataset: xarray.Dataset) -> None:
        self.dataset = dataset
        if PLANE in dataset.dims:
            raise InputError("readout table: the dataset holds several planes", hint="select one with .isel(plane=0)")
        try:
            a, at = dataset.attrs, dataset.coords
            self.cell, self.rows, self.levels = str(a["cell"]), int(a["rows"]), int(a["levels"])
            self.unit: Literal["V", "A"] = a["unit"]
            self.read_time = float(a["read_time"])
            self.adc = AdcModel(
                int(a["adc_codes"]),
                float(a["adc_offset_sigma"]),
                float(a["adc_noise_sigma"]),
                bool(a["adc_tracks_active"]),
            )
            self.assumptions = tuple(Assumption(**item) for item in json.loads(a["assumptions"]))
            self.provenance: Mapping[str, str] = json.loads(a["provenance"])
            corner, vdd, temperature = (at[name].values.tolist() for name in ("corner", "vdd", "temperature"))
            metals = at["beol"].values.tolist() if "beol" in at else [NOMINAL_METALS] * len(corner)
            self.conditions = tuple(
                Condition(str(c), float(v), float(t), str(m))
                for c, v, t, m in zip(corner, vdd, temperature, metals, strict=True)
            )
            self.plane = str(at[PLANE].item()) if PLANE in at else None
            arrays = {
                name: np.asarray(dataset[name].transpose(*DIMENSIONS).values, np.float64) for name in LEVEL_VARIABLES
            }
            self.row_energy = np.asarray(dataset["row_energy"].transpose(*DIMENSIONS[:2]).values, np.float64)
            self.threshold = (
                np.asarray(dataset[THRESHOLD].transpose(*DIMENSIONS[:2], STEP).values, np.float64)
                if THRESHOLD in dataset
                else None
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"readout table: the dataset is not a readout table ({error})") from None
        _check_shapes(self.levels, self.rows, len(self.conditions), {**arrays, "row_energy": self.row_energy})
        self.valid = _valid(self.rows, self.levels)
        arrays = {name: np.where(self.valid, values, np.nan) for name, values in arrays.items()}
        self.level, self.sigma_static = arrays["level"], arrays["sigma_static"]
        self.sigma_noise, self.sigma_pattern = arrays["sigma_noise"], arrays["sigma_pattern"]
        self._check_values()

    @classmethod
    def from_arrays(
        cls,
        cell: str,
        unit: Literal["V", "A"],
        rows: int,
        conditions: tuple[Condition, ...],
        level: FloatArray,
        sigma_static: FloatArray,
        sigma_noise: FloatArray,
        sigma_pattern: FloatArray,
        row_energy: FloatArray,
        read_time: float,
        adc: AdcModel,
        assumptions: tuple[Assumption, ...] = (),
        provenance: Mapping[str, str] | None = None,
        levels: int = 2,
        plane: str | None = None,
        threshold: FloatArray | None = None,
    ) -> ReadoutTable:
        """A table from plain values; names, shapes and units as those of the class. Raises InputError."""
        spreads = (level, sigma_static, sigma_noise, sigma_pattern)
        arrays = {name: np.asarray(v, np.float64) for name, v in zip(LEVEL_VARIABLES, spreads, strict=True)}
        row_energy = np.asarray(row_energy, np.float64)
        _check_shapes(levels, rows, len(conditions), {**arrays, "row_energy": row_energy})
        valid = _valid(rows, levels)
        variables: dict[str, Any] = {
            name: (DIMENSIONS, np.where(valid, arrays[name], np.nan), {"units": unit, "long_name": text})
            for name, text in LEVEL_VARIABLES.items()
        }
        meaning = {"units": "J", "long_name": "energy of the row drivers per conversion and column"}
        variables["row_energy"] = (DIMENSIONS[:2], row_energy, meaning)
        if threshold is not None:
            text = {"units": unit, "long_name": "decision level between code k and k + 1, fixed by the converter"}
            variables[THRESHOLD] = ((*DIMENSIONS[:2], STEP), np.asarray(threshold, np.float64), text)
        attributes = {
            "cell": cell,
            "unit": unit,
            "rows": int(rows),
            "levels": int(levels),
            "read_time": float(read_time),
            "adc_codes": int(adc.codes),
            "adc_offset_sigma": float(adc.offset_sigma),
            "adc_noise_sigma": float(adc.noise_sigma),
            "adc_tracks_active": int(adc.tracks_active),
            "assumptions": json.dumps([dataclasses.asdict(a) for a in assumptions]),
            "provenance": json.dumps({str(k): str(v) for k, v in sorted((provenance or {}).items())}),
        }
        coordinates = _coordinates(conditions, rows, levels)
        if plane is not None:
            coordinates[PLANE] = ((), plane)
        return cls(xarray.Dataset(variables, coordinates, attributes))

    def replace(self, **changes: Any) -> ReadoutTable:
        """A table with some of the parameters of `from_arrays` replaced. Raises InputError."""
        names = (*LEVEL_VARIABLES, "cell", "unit", "rows", "conditions", "row_energy", "read_time", "adc",
                 "assumptions", "provenance", "levels", "plane", "threshold")  # fmt: skip
        return ReadoutTable.from_arrays(**{**{name: getattr(self, name) for name in names}, **changes})

    def with_adc(self, **changes: Any) -> ReadoutTable:
        """A table with some fields of its `AdcModel` replaced; fewer codes keep the lowest thresholds. Raises
        InputError.
        """
        adc = dataclasses.replace(self.adc, **changes)
        if self.threshold is None:
            return self.replace(adc=adc)
        return self.replace(adc=adc, threshold=self.threshold[:, :, : adc.codes - 1])

    def __repr__(self) -> str:
        labels = ", ".join(c.label for c in self.conditions)
        return f"<ReadoutTable {self.cell}, {self.rows} rows, {self.unit}, conditions {labels}>"

    def _check_values(self) -> None:
        if self.unit not in ("V", "A"):
            raise InputError(f"readout table: unit is {self.unit!r}, expected V or A")
        if len({c.label for c in self.conditions}) != len(self.conditions):
            raise InputError("readout table: two conditions share a label")
        if self.adc.codes < 2:
            raise InputError(f"readout table: the ADC has {self.adc.codes} code, expected at least 2")
        if self.threshold is not None:
            want = (len(self.conditions), self.rows + 1, self.adc.codes - 1)
            if self.threshold.shape != want or not np.isfinite(self.threshold).all():
                raise InputError(f"readout table: thresholds must be finite, of shape {want}")
        if not np.isfinite(self.level[:, self.valid]).all():
            raise InputError("readout table: a level is missing (not finite)")
        spreads = [v[:, self.valid] for v in (self.sigma_static, self.sigma_noise, self.sigma_pattern)]
        scalars = np.array([self.read_time, self.adc.offset_sigma, self.adc.noise_sigma])
        for values in (*spreads, self.row_energy, scalars):
            if not (np.isfinite(values).all() and np.min(values, initial=0.0) >= 0):
                raise InputError("readout table: a spread, energy or time is missing or negative")

    @property
    def max_count(self) -> int:
        """Largest count of a conversion: N (levels - 1)."""
        return self.rows * (self.levels - 1)

    def index(self, condition: Condition | str) -> int:
        """Row of a condition (or its label). Raises UnknownName for one that was not characterized."""
        labels = [c.label for c in self.conditions]
        label = condition if isinstance(condition, str) else condition.label
        if label not in labels:
            raise UnknownName(f"condition {label} was not characterized", hint=suggest(label, labels))
        return labels.index(label)

    def lsb(self, condition: Condition | str) -> float:
        """Mean spacing of neighbouring counts with all rows active, `unit` per count."""
        return spacing(self.level[self.index(condition)])

    def at(self, condition: Condition | str) -> ReadoutLevels:
        """Levels, spreads and thresholds at a condition, shape (active, count), to be varied."""
        i = self.index(condition)
        return ReadoutLevels(
            count=np.broadcast_to(np.arange(self.max_count + 1), self.valid.shape),
            level=self.level[i],
            static=self.sigma_static[i],
            noise=self.sigma_noise[i],
            pattern=self.sigma_pattern[i],
            thresholds=self.thresholds(condition)[:, None, :],
            offset=self.adc.offset_sigma,
            comparator=self.adc.noise_sigma,
            signal=self.level[i] - self.level[i, 0, 0],
            supply=np.zeros(self.valid.shape),
            sign=float(np.sign(self.lsb(condition))) or 1.0,
        )

    def total_sigma(self, condition: Condition | str) -> FloatArray:
        """Root sum of squares of every spread incl. the ADC's: shape (active, count), `unit`."""
        return self.at(condition).sigma

    def thresholds(self, condition: Condition | str) -> FloatArray:
        """Decision levels of the ADC: shape (active, codes - 1), `unit`; those of its circuit where the table holds
        them, else see `decision_thresholds`.
        """
        if self.threshold is not None:
            return np.asarray(self.threshold[self.index(condition)])
        level = self.level[self.index(condition)]
        return decision_thresholds(level, self.adc.codes, tracks_active=self.adc.tracks_active)

    def code_probability(self, condition: Condition | str) -> FloatArray:
        """P(code | active, count), all spreads together: shape (active, count, codes); NaN where no such level."""
        level, sigma = self.level[self.index(condition)], self.total_sigma(condition)
        out = code_probabilities(level, sigma, self.thresholds(condition)[:, None, :])
        out[~self.valid] = np.nan
        return out

    def margins(self, condition: Condition | str) -> FloatArray:
        """Distance of every level to its nearer threshold in sigma, negative on the wrong side: (active, count)."""
        return margin_of(*self.at(condition).tails())

    def code_errors(self, condition: Condition | str) -> FloatArray:
        """P(code is not the count | active, count), both tails exact: shape (active, count); NaN where no level."""
        return wrong_code_probability(*self.at(condition).tails())

    def worst_margin(self, condition: Condition | str | None = None) -> WorstLevel:
        """The level with the smallest margin of all that can occur, at one condition or at all of them."""
        return min((self._worst(i, by_margin=True) for i in self._asked(condition)), key=lambda w: w.margin)

    def worst_code_error(self, condition: Condition | str | None = None) -> WorstLevel:
        """The level with the largest code error of all that can occur, at one condition or at all of them."""
        return max((self._worst(i, by_margin=False) for i in self._asked(condition)), key=lambda w: w.code_error)

    def _asked(self, condition: Condition | str | None) -> range | tuple[int]:
        return range(len(self.conditions)) if condition is None else (self.index(condition),)

    def _worst(self, i: int, *, by_margin: bool) -> WorstLevel:
        lower, upper = self.at(self.conditions[i]).tails()
        margin, error = margin_of(lower, upper), wrong_code_probability(lower, upper)
        flat = int(np.nanargmin(margin)) if by_margin else int(np.nanargmax(error))
        active, count = (int(k) for k in np.unravel_index(flat, margin.shape))
        at = active, count
        return WorstLevel(self.conditions[i].label, *at, float(margin[at]), float(error[at]), self.plane)

    def margins_by_count(self) -> tuple[LevelMargin, ...]:
        """Of every condition and count: the smallest margin over the numbers of active rows."""
        out = []
        for condition in self.conditions:
            lower, upper = self.at(condition).tails()
            margin, error = margin_of(lower, upper), wrong_code_probability(lower, upper)
            for count, active in enumerate(np.nanargmin(margin, axis=0).tolist()):
                value = float(margin[active, count])
                known = value if np.isfinite(value) else None
                out.append(LevelMargin(condition.label, active, count, known, float(error[active, count])))
        return tuple(out)

    def mean_code_error(self, condition: Condition | str, histogram: FloatArray | IntArray | None = None) -> float:
        """Expected fraction of conversions whose code is not the count.

        Parameters
        ----------
        condition : Condition or str
            Condition of the table, or its label.
        histogram : array, optional
            How often each (active, count) occurs, shape of `valid`, any scale, as from `Macro.count_histogram`. Without
            it all rows are driven and every count weighs the same.

        Returns
        -------
        float
            Between 0 and 1.

        Raises
        ------
        InputError
            For a wrong shape or an empty histogram.
        """
        return weighted_mean(self.code_errors(condition), self.occurrence(histogram))

    def occurrence(self, histogram: FloatArray | IntArray | None = None) -> FloatArray:
        """How often each (active, count) counts: the histogram, or every count of all rows driven alike."""
        if histogram is not None:
            return np.asarray(histogram, dtype=np.float64)
        weight = np.zeros(self.valid.shape)
        weight[-1] = 1.0
        return weight


def _valid(rows: int, levels: int) -> BoolArray:
    return np.arange(rows * (levels - 1) + 1)[None, :] <= np.arange(rows + 1)[:, None] * (levels - 1)


def _check_shapes(levels: int, rows: int, conditions: int, arrays: Mapping[str, FloatArray]) -> None:
    if levels < 2:
        raise InputError(f"readout table: a cell has {levels} levels, expected at least 2")
    shape = (conditions, rows + 1, rows * (levels - 1) + 1)
    for name, values in arrays.items():
        want = shape if name in LEVEL_VARIABLES else shape[:2]
        if values.shape != want:
            raise InputError(f"readout table: {name} has shape {values.shape}, expected {want}")


def _coordinates(conditions: tuple[Condition, ...], rows: int, levels: int) -> dict[str, Any]:
    def texts(values: list[str]) -> Any:
        return np.array(values, dtype=object)

    metals = [c.beol for c in conditions]
    counts = "0..active" if levels == 2 else f"0..{levels - 1} active"
    active, count = (np.arange(n + 1, dtype=np.int32) for n in (rows, rows * (levels - 1)))
    label = {"long_name": "corner, supply and temperature"}
    out: dict[str, Any] = {
        "condition": ("condition", texts([c.label for c in conditions]), label),
        "corner": ("condition", texts([c.corner for c in conditions])),
        "vdd": ("condition", np.array([float(c.vdd) for c in conditions]), {"units": "V"}),
        "temperature": ("condition", np.array([float(c.temperature) for c in conditions]), {"units": "degC"}),
        "active": ("active", active, {"units": "1", "long_name": "driven rows of the group"}),
        "count": ("count", count, {"units": "1", "long_name": f"ideal sum of the conversion, {counts}"}),
    }
    if set(metals) != {NOMINAL_METALS}:
        out["beol"] = ("condition", texts(metals), {"long_name": "corner of the metal stack"})
    return out

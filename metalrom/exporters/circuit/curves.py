"""What a circuit simulator's model of one conversion holds: levels and spreads in LSB, by driven rows and count."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from metalrom.exporters.checksum import condition_lines, conditions_in, header, symbol, two_levels, verify_digests
from metalrom.exporters.probes import ProbePoints, ProbeQuantity
from metalrom.exporters.run_data import RunData
from netlists.condition import Condition
from netlists.render import cards

FEMTO = 1e15
SIMULATION = 1e-8
"""Difference in LSB (of the largest energy) that a simulator may add: ngspice rewrites the numbers of a behavioral
source with 11 digits."""

TOLERANCE: dict[str, float] = {"level": 1e-15, "sigma": 1e-15, "code": 0.0, "row_energy": 1e-15}
PRECISION = "17 digits in LSB and fJ"


@dataclass(frozen=True)
class ConditionCurves:
    """One condition. mean, spread: (N + 1 driven, N + 1 count) in LSB, NaN where there is none; zero: (N + 1,) LSB,
    where the converter's first code begins less half an LSB; energy: (N + 1,) J; lsb: `unit`; codes: their number."""

    mean: FloatArray
    spread: FloatArray
    zero: FloatArray
    energy: FloatArray
    lsb: float
    codes: int
    unit: str


def held_of(source: RunData, condition: Condition) -> ConditionCurves:
    """A condition of the run's table."""
    table = source.table
    i, lsb = table.index(condition), table.lsb(condition)
    return ConditionCurves(
        table.level[i] / lsb,
        table.total_sigma(condition) / lsb,
        table.thresholds(condition)[:, 0] / lsb - 0.5,
        table.row_energy[i],
        lsb,
        table.adc.codes,
        table.unit,
    )


def model_notes(source: RunData, label: str) -> tuple[str, ...]:
    """What a model says of itself. Raises InputError for cells that it cannot describe."""
    two_levels(source, "a model of one conversion")
    if source.table.threshold is not None:
        raise InputError(
            "a model of one conversion holds equally spaced thresholds, those of this readout chain are not",
            hint="the SystemVerilog export holds every threshold",
        )
    unit = source.table.unit
    level = "V, held by a source" if unit == "V" else "A, pushed out of the pin into a virtual ground"
    return (
        *condition_lines(source),
        f"this model: {label}",
        f"pins: driven, count in volts (1 V = 1 row); level ({level}); sigma: standard deviation of the level, all",
        f"spreads, 1 V = 1 {unit}; code in volts; energy of the row drivers per conversion and column, 1 V = 1 fJ",
        f"quasi-static: the level holds from {source.table.read_time:.4g} s after the rows are driven; count is taken",
        "as at most driven; between whole numbers level, sigma and energy are straight",
    )


def common(source: RunData, condition: Condition, mark: str) -> dict[str, Any]:
    """What the template of every model takes."""
    return {
        "header": cards(header(source, mark, *model_notes(source, condition.label))),
        "symbol": symbol(condition.label),
        "rows": source.table.rows,
        "codes": source.table.adc.codes,
        "unit": source.table.unit,
        "lsb": source.table.lsb(condition),
    }


def texts_of(folder: Path, ending: str, mark: str) -> dict[str, str]:
    """The file of every condition, in the table's order. Raises InputError for missing, damaged or mixed files."""
    names = sorted(path.name for path in folder.glob(f"column_*{ending}"))
    if not names:
        raise InputError(f"holds no column_*{ending}", where=str(folder))
    texts = verify_digests(folder, names, mark)
    labels, _ = conditions_in(texts[names[0]], str(folder / names[0]))
    wanted = [f"column_{symbol(label)}{ending}" for label in labels]
    if sorted(wanted) != names:
        raise InputError("does not hold the model of every condition", where=str(folder), hint="export again")
    return {name: texts[name] for name in wanted}


def codes_of(held: ConditionCurves) -> FloatArray:
    """Code of every (driven, count) as the models work it out: thresholds below the level."""
    out: FloatArray = np.clip(np.ceil(held.mean - held.zero[:, None] - 0.5), 0, held.codes - 1)
    return out


def curve_values(held: Sequence[ConditionCurves], quantity: ProbeQuantity, points: ProbePoints) -> FloatArray | None:
    """Level, sigma, code and row energy at `points`; None for other quantities."""
    i, a, c = points.condition, points.active, points.count
    lsb = np.array([h.lsb for h in held])[i]
    match quantity:
        case "level":
            return np.asarray(np.stack([h.mean for h in held])[i, a, c] * lsb)
        case "sigma":
            return np.asarray(np.stack([h.spread for h in held])[i, a, c] * lsb)
        case "row_energy":
            return np.asarray(np.stack([h.energy for h in held])[i, a])
        case "code":
            return np.asarray(np.stack([codes_of(h) for h in held])[i, a, c])
    return None


@dataclass(frozen=True)
class Swept:
    """What a simulator returned at every (driven, count), each (N + 1, N + 1): unit of the table, code, fJ."""

    level: FloatArray
    sigma: FloatArray
    code: FloatArray
    energy: FloatArray


@dataclass(frozen=True)
class Agreement:
    """Values compared, their worst difference (LSB; of the largest energy), and the codes that differ."""

    values: int
    worst: float
    codes: int


def agreement(source: RunData, condition: Condition, got: Swept) -> Agreement:
    """A simulator's values against the run's own."""
    expected = held_of(source, condition)
    valid = source.table.valid
    energy = np.broadcast_to(expected.energy[:, None] * FEMTO, valid.shape)
    pairs = (
        (got.level, expected.mean * expected.lsb, expected.lsb),
        (got.sigma, expected.spread * expected.lsb, expected.lsb),
        (got.energy, energy, float(energy.max()) or 1.0),
    )
    worst = max(float(np.abs(reported - mine)[valid].max()) / scale for reported, mine, scale in pairs)
    wrong = (got.code != codes_of(expected))[valid]
    return Agreement(4 * wrong.size, worst, int(wrong.sum()))


def agreement_problem(found: dict[str, Agreement]) -> tuple[str | None, str]:
    """What is wrong with the agreements of all files (None: nothing), and the observations in words."""
    values, worst = sum(a.values for a in found.values()), max(a.worst for a in found.values())
    observations = f"{len(found)} models, {values} values, worst {worst:.1e} LSB"
    for name, one in found.items():
        if one.codes or not one.worst <= SIMULATION:
            return f"{name}: {one.codes} codes differ, values by up to {one.worst:.1e} LSB", observations
    return None, observations

"""Probability of a wrong decision between two neighbouring counts, from the readout table, with its 95 % interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import betaincinv, ndtr

from characterization.dataset import Dataset, Sample
from characterization.noise import charge_noise
from characterization.patterns import FAR, NEAR
from characterization.procedure_registry import with_requirements
from characterization.procedures.adc_margin import AdcMargin
from characterization.readout.decision import ConverterCalibration, DecisionSigmas, switch_noise
from characterization.tables.table import ReadoutTable
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray

BOOTSTRAPS = 400


@dataclass(frozen=True, slots=True)
class DecisionModel:
    """A decision between a count and the next one, all at the comparator's inputs, V.

    distance: of the mean levels of both counts from the threshold, positive on the right side, (2,). level: spread of
    these levels from chip to chip and pattern to pattern, (2,). switches: spread from sampling switches' thresholds.
    noise: thermal, of reset, switches and comparator. offset: sigma of the comparators' offsets.
    """

    distance: FloatArray
    level: FloatArray
    switches: float
    noise: DecisionSigmas
    offset: float

    @property
    def sigma(self) -> FloatArray:
        """All spreads together, (2,)."""
        return np.asarray(np.sqrt(self.level**2 + self.switches**2 + self.noise.total**2 + self.offset**2))

    @property
    def error(self) -> float:
        """Probability of a wrong decision, both counts equally likely: mean of Q(distance / sigma)."""
        return float(np.mean(ndtr(-self.distance / self.sigma)))


@dataclass(frozen=True, slots=True)
class PredictedFigure:
    """Probability of a wrong decision; low, high: 95 % interval from what the parameters are known to."""

    value: float
    low: float
    high: float
    model: DecisionModel


def clopper_pearson(wrong: int, samples: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact interval of a proportion; C. J. Clopper, E. S. Pearson, Biometrika 26 (1934) 404."""
    tail = (1 - confidence) / 2
    low = 0.0 if wrong == 0 else float(betaincinv(wrong, samples - wrong + 1, tail))
    high = 1.0 if wrong == samples else float(betaincinv(wrong + 1, samples - wrong, 1 - tail))
    return low, high


def readout_table(setup: Testbench, data: Dataset) -> ReadoutTable:
    """The table that `adc_margin` makes of a campaign's samples. Raises ConditionError as its procedures do."""
    results: dict[str, Any] = {}
    for procedure in with_requirements(("adc_margin",)):
        results[procedure.name] = procedure.analyse(setup, data, results)
        if procedure.name == "transfer":
            # No decision depends on the energy; a resampled line may cross zero without active rows.
            found = results["transfer"]
            results["transfer"] = replace(found, row_energy=np.maximum(found.row_energy, 0.0))
    margin: AdcMargin = results["adc_margin"]
    return margin.table


def decision_model(
    setup: Testbench,
    table: ReadoutTable,
    load: float,
    calibration: ConverterCalibration,
    offset: float,
    *,
    active: int,
    count: int,
) -> DecisionModel:
    """From table, input load (F), sampling gain and offset sigma (V) at the first condition.

    Levels and spreads of the table are those of the bit line; the opening switch passes them on times the calibration's
    gain. The comparator's own noise is the table's.
    """
    condition = setup.conditions[0]
    levels = table.level[0, active, [count, count + 1]]
    threshold = table.thresholds(condition)[active, count]
    pair = (0, active, [count, count + 1])
    static, pattern = table.sigma_static[pair], table.sigma_pattern[pair]
    total = condition.vdd * setup.model.switched / table.lsb(condition)
    sample, replica = switch_noise(load, total, condition.kelvin)
    gain = calibration.gain
    noise = DecisionSigmas(
        reset=gain * float(np.mean(table.sigma_noise[pair])),
        sample=sample,
        replica=replica,
        comparator=gain * table.adc.noise_sigma,
    )
    return DecisionModel(
        gain * (threshold - levels) * np.array([1.0, -1.0]),
        gain * np.hypot(static, pattern),
        calibration.switches,
        noise,
        offset,
    )


def predict_code_error(
    setup: Testbench,
    data: Dataset,
    load: float,
    calibration: ConverterCalibration,
    offsets: FloatArray,
    *,
    active: int,
    count: int,
    seed: int = 1,
) -> PredictedFigure:
    """Probability and interval from a campaign's samples and the offsets (samples,), V, of drawn comparators.

    The interval: percentiles over resampled reads, chips and comparators (B. Efron, Annals of Statistics 7 (1979) 1),
    all fits made anew. Load and gain are nominal simulations and carry no error.
    """

    def model(d: Dataset, o: FloatArray) -> DecisionModel:
        return decision_model(
            setup, readout_table(setup, d), load, calibration, float(np.std(o, ddof=1)), active=active, count=count
        )

    rng = np.random.default_rng(np.random.SeedSequence([seed, 41]))
    drawn = [model(resampled(data, rng), rng.choice(offsets, offsets.size)).error for _ in range(BOOTSTRAPS)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    best = model(data, offsets)
    return PredictedFigure(best.error, float(low), float(high), best)


@dataclass(frozen=True, slots=True)
class KnownFigure:
    """A figure and its standard error, both in the figure's unit."""

    value: float
    error: float


def predict_figures(
    setup: Testbench,
    load: float,
    *,
    spacing: KnownFigure,
    gain: KnownFigure,
    static: KnownFigure,
    pattern: KnownFigure,
    switches: KnownFigure,
    offsets: FloatArray,
    seed: int = 1,
) -> PredictedFigure:
    """Probability and interval where no campaign was run: the figures come from models with errors.

    spacing, static, pattern: of the bit line, V; gain of the opening switch and spread from its threshold (V at the
    comparator). `setup` tells conditions, cell and the converter's noise. The interval: percentiles over normal draws
    of the figures and resampled comparators.
    """
    condition = setup.conditions[0]

    def model(figures: Sequence[float], o: FloatArray) -> DecisionModel:
        step, rise, own, drawn, opening = figures
        total = condition.vdd * setup.model.switched / step
        sample, replica = switch_noise(load, total, condition.kelvin)
        noise = DecisionSigmas(
            reset=rise * charge_noise(total, condition.kelvin),
            sample=sample,
            replica=replica,
            comparator=rise * setup.converter.noise_sigma * step,
        )
        half = np.full(2, rise * step / 2)
        spread = np.full(2, rise * np.hypot(own, drawn))
        return DecisionModel(half, spread, opening, noise, float(np.std(o, ddof=1)))

    known = (spacing, gain, static, pattern, switches)
    rng = np.random.default_rng(np.random.SeedSequence([seed, 42]))
    drawn = []
    for _ in range(10 * BOOTSTRAPS):
        figures = [k.value + k.error * rng.standard_normal() for k in known]
        drawn.append(model(figures, rng.choice(offsets, offsets.size)).error)
    low, high = np.quantile(drawn, [0.025, 0.975])
    best = model([k.value for k in known], offsets)
    return PredictedFigure(best.error, float(low), float(high), best)


def resampled(data: Dataset, rng: np.random.Generator) -> Dataset:
    """Reads of `transfer` under drawn patterns, and chips of `mismatch`, drawn again with replacement."""
    reads = [s for s in data.samples if s.procedure == "transfer" and s.pattern not in (NEAR, FAR)]
    fixed = [s for s in data.samples if s.procedure == "transfer" and s.pattern in (NEAR, FAR)]
    chips: dict[int, list[Sample]] = {}
    for s in data.samples:
        if s.procedure == "mismatch":
            chips.setdefault(s.draw, []).append(s)
    numbers = list(chips)
    picked = [
        replace(s, draw=new)
        for new, i in enumerate(rng.integers(len(numbers), size=len(numbers)))
        for s in chips[numbers[i]]
    ]
    return Dataset((*(reads[i] for i in rng.integers(len(reads), size=len(reads))), *fixed, *picked))

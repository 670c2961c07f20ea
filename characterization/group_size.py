"""How many rows may share one conversion: the group-size law, measured, against the allowed code errors.

Noise in counts grows with the square root of the rows that share charge, so the group is a result of the
margin. Each candidate is simulated (empty level, full level, and the empty level with a reset switch that is one
sigma off), which gives the true spacing with all parasitics and what the switch's mismatch leaves behind; noise and
cell mismatch follow in closed form; the code error is averaged over the (active, count) pairs that the layer meets.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from characterization.campaign import CampaignOutcome, ProgressCallback, Task, run_tasks
from characterization.column_line import ColumnLines, stored_numbers
from characterization.margins import tail_distances, wrong_code_probability
from characterization.patterns import pattern_of
from characterization.procedures.adc_margin import thermal_noise
from characterization.procedures.mismatch import moved
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from netlists.case import Deviations
from ngspice_runner import Cache, EngineError, Workers


@dataclass(frozen=True, slots=True)
class GroupCandidate:
    """One group size: spacing per count (V or A), sigmas in counts, expected code error of the layer.

    sigma_noise, sigma_mismatch: at the layer's root-mean-square over the levels it uses; code_error: P(wrong
    code) averaged over the layer's conversions; full_scale_error: of the worst level (all rows count).
    """

    rows: int
    lsb: float
    sigma_noise: float
    sigma_mismatch: float
    sigma_converter: float
    code_error: float
    full_scale_error: float
    meets_target: bool


@dataclass(frozen=True)
class GroupChoice:
    """All candidates and the chosen number of rows. `reason`: one sentence."""

    candidates: tuple[GroupCandidate, ...]
    rows: int
    reason: str
    outcome: CampaignOutcome


def choose_group(
    setup: Testbench,
    candidates: tuple[int, ...],
    histogram: Callable[[int], FloatArray],
    target: float,
    *,
    cache: Cache | None = None,
    workers: Workers = None,
    progress: ProgressCallback | None = None,
) -> GroupChoice:
    """Pick the largest group whose mean code error over the layer stays below `target` at the first condition.

    histogram(rows): how often each (active, count) occurs in the layer, shape (rows + 1, counts), any scale.
    If none meets the target the one with the smallest code error is taken and the reason says so. Raises EngineError
    when a probe simulation fails.
    """
    condition = setup.conditions[0]
    sigma = setup.technology.devices.sigma_vth("nmos", setup.periphery.reset_width, setup.periphery.length)
    lines = len(setup.model.bit_lines)
    one = np.full(3, sigma)
    # Of two bit lines one alone is shifted: what both share cancels in their difference, and they vary apart.
    shifted = Deviations(reset=one if lines == 1 else np.stack([one, *[0 * one] * (lines - 1)]))
    tasks = []
    for rows in candidates:
        here = replace(setup, rows=rows)
        for count, deviations in ((0, Deviations()), (here.max_count, Deviations()), (0, shifted)):
            seed = np.random.SeedSequence([setup.seed, 4, rows, count])
            p = pattern_of(here, "random0", rows, count, seed)
            case = p.case(setup.columns, setup.ones, deviations)
            tasks.append(Task("group_probe", condition, rows, count, p.name, -1, case))
    outcome = run_tasks(setup, tasks, cache=cache, workers=workers, progress=progress)
    bad = [s for s in outcome.samples if s.verdict != "ok"]
    if bad:
        raise EngineError(f"the probe of a group of {bad[0].active} rows failed in ngspice: verdict {bad[0].verdict}")
    rated = []
    for i, rows in enumerate(candidates):
        here = replace(setup, rows=rows)
        low, high, off = (s.level for s in outcome.samples[3 * i : 3 * i + 3])
        if not setup.balanced:
            low, high, off = _referred(here, tasks[3 * i : 3 * i + 3], (low, high, off))
        device = abs(off - low) * float(np.sqrt(lines))
        rated.append(_rate(here, (high - low) / here.max_count, device, histogram(rows), target))
    return chosen_group(tuple(rated), target, outcome)


def chosen_group(rated: tuple[GroupCandidate, ...], target: float, outcome: CampaignOutcome) -> GroupChoice:
    """The largest of the rated groups that meets the target, else that of the smallest code error."""
    good = [c for c in rated if c.meets_target]
    if good:
        chosen = max(good, key=lambda c: c.rows)
        reason = (
            f"{chosen.rows} rows is the largest group whose expected code error ({chosen.code_error:.1e}) stays below "
            f"the target of {target:.0e} on this layer"
        )
    else:
        chosen = min(rated, key=lambda c: c.code_error)
        reason = (
            f"no candidate reaches the target of {target:.0e}; {chosen.rows} rows has the smallest expected code error "
            f"({chosen.code_error:.1e})"
        )
    return GroupChoice(rated, chosen.rows, reason, outcome)


def _referred(setup: Testbench, tasks: list[Task], levels: tuple[float, ...]) -> list[float]:
    """Levels of the probes as those of the mean column; the reset switch's own load is left out."""
    stored = np.array([stored_numbers(t.case) for t in tasks])
    active = np.array([t.active for t in tasks], dtype=np.float64)
    return [float(v) for v in ColumnLines(setup, setup.conditions[0]).referred(np.array(levels), active, stored)]


def _rate(setup: Testbench, lsb: float, device: float, histogram: FloatArray, target: float) -> GroupCandidate:
    """Closed-form sigma and code error of one group size; `lsb` and the reset switch's sigma `device` are simulated."""
    n = setup.rows
    if not lsb > 0:
        raise InputError(
            f"a group of {n} rows has levels that do not rise with the count; check the cell and the timing"
        )
    condition = setup.conditions[0]
    active, count = np.meshgrid(np.arange(n + 1.0), np.arange(setup.max_count + 1.0), indexing="ij")
    counting = np.nan_to_num(moved(setup, active, count))  # pairs that cannot be weigh nothing
    noise = thermal_noise(setup, lsb, condition.vdd, condition.kelvin, active, count) / lsb
    mismatch = np.hypot(setup.variation.cell_sigma * setup.mismatch_gain * np.sqrt(counting), device / lsb)
    converter = float(np.hypot(setup.converter.assumed_offset, setup.converter.noise_sigma))
    sigma = np.sqrt(noise**2 + mismatch**2 + converter**2)
    edges = (
        np.arange(setup.max_count, dtype=np.float64) + 0.5
    )  # in counts: every level lies midway between its thresholds
    error = wrong_code_probability(*tail_distances(count, sigma, edges, count.astype(np.int64)))
    weight = histogram / histogram.sum()
    mean_error = float(np.sum(weight * error))
    return GroupCandidate(
        rows=n,
        lsb=float(lsb),
        sigma_noise=float(np.sqrt(np.sum(weight * noise**2))),
        sigma_mismatch=float(np.sqrt(np.sum(weight * mismatch**2))),
        sigma_converter=converter,
        code_error=mean_error,
        full_scale_error=float(error[n].max()),
        meets_target=mean_error <= target,
    )

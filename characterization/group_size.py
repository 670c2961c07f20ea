"""How many rows may share one conversion: the group-size law, measured, against the allowed code errors.

Noise in counts grows with the square root of the rows that share charge, so the group is a result of the
margin. Each candidate is simulated (empty and full level, with a nominal reset switch and one that is one sigma
off), which gives the true spacing with all parasitics and what the switch's mismatch leaves behind; noise and cell
mismatch follow in closed form; the code error is averaged over the (active, count) pairs that the layer meets. The
bend of the levels and the spread by stored data are left to the campaign.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from characterization.campaign import CampaignOutcome, ProgressCallback, Task, joined_outcome, run_tasks
from characterization.column_line import ColumnLines, stored_numbers
from characterization.group_levels import ideal_levels
from characterization.margins import tail_distances, wrong_code_probability
from characterization.patterns import pattern_of
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray
from netlists.case import Deviations
from netlists.condition import Condition
from ngspice_runner import Cache, EngineError, Workers

PROBES = 4
"""Reads of a candidate."""
_LEFT_OUT = "bends of the levels and the spread by stored data, which the campaign measures, are not in it"


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
    """Pick the largest group whose mean code error over the layer stays below `target` at the worst condition: the one
    that errs most at the middle candidate.

    histogram(rows): how often each (active, count) occurs in the layer, shape (rows + 1, counts), any scale.
    If none meets the target the one with the smallest code error is taken and the reason says so. Raises EngineError
    when a probe simulation fails; a condition beside the first whose probe fails is left out.
    """
    outcomes = []

    def rated(pairs: Sequence[tuple[int, Condition]]) -> list[GroupCandidate | None]:
        found, outcome = _rated(setup, pairs, histogram, target, cache, workers, progress)
        outcomes.append(outcome)
        return found

    worst, *others = setup.conditions
    if others:
        middle = sorted(candidates)[len(candidates) // 2]
        errors = [c.code_error if c else -1.0 for c in rated([(middle, c) for c in setup.conditions])]
        worst = setup.conditions[int(np.argmax(errors))]
    found = rated([(rows, worst) for rows in candidates])
    return chosen_group(tuple(c for c in found if c), target, joined_outcome(outcomes), worst if others else None)


def _rated(
    setup: Testbench,
    pairs: Sequence[tuple[int, Condition]],
    histogram: Callable[[int], FloatArray],
    target: float,
    cache: Cache | None,
    workers: Workers,
    progress: ProgressCallback | None,
) -> tuple[list[GroupCandidate | None], CampaignOutcome]:
    """Groups of a number of rows, each at a condition; None where a probe fails and the condition is not the first."""
    tasks = [task for rows, condition in pairs for task in end_probes(replace(setup, rows=rows), condition)]
    outcome = run_tasks(setup, tasks, cache=cache, workers=workers, progress=progress)
    rated: list[GroupCandidate | None] = []
    for i, (rows, condition) in enumerate(pairs):
        probes = outcome.samples[PROBES * i : PROBES * (i + 1)]
        bad = [s.verdict for s in probes if s.verdict != "ok"]
        if bad and condition != setup.conditions[0]:
            rated.append(None)
            continue
        if bad:
            raise EngineError(f"the probe of a group of {rows} rows failed in ngspice: verdict {bad[0]}")
        here = replace(setup.at(condition), rows=rows, conditions=(condition,))
        lsb, device = probed_ends(here, tasks[PROBES * i : PROBES * (i + 1)], [s.level for s in probes])
        rated.append(_rate(here, lsb, device, histogram(rows), target))
    return rated, outcome


def end_probes(setup: Testbench, condition: Condition) -> list[Task]:
    """The `PROBES` reads of a group: no and all counts with all rows driven, each nominal and with the reset switch one
    sigma off."""
    sigma = setup.technology.devices.sigma_vth("nmos", setup.periphery.reset_width, setup.periphery.length)
    lines = len(setup.model.bit_lines)
    one = np.full(3, sigma)
    # Of two bit lines one alone is shifted: what both share cancels in their difference, and they vary apart.
    shifted = Deviations(reset=one if lines == 1 else np.stack([one, *[0 * one] * (lines - 1)]))
    tasks = []
    for count, deviations in product((0, setup.max_count), (Deviations(), shifted)):
        seed = np.random.SeedSequence([setup.seed, 4, setup.rows, count])
        p = pattern_of(setup, "random0", setup.rows, count, seed)
        case = p.case(setup.columns, setup.ones, deviations)
        tasks.append(Task("group_probe", condition, setup.rows, count, p.name, -1, case))
    return tasks


def probed_ends(setup: Testbench, tasks: list[Task], levels: list[float]) -> tuple[float, FloatArray]:
    """(spacing of the counts, what the reset switch's sigma moves the lowest and the highest level by), V or A, from
    the levels of `end_probes`; the setup's first condition is theirs."""
    if not setup.balanced:
        levels = _referred(setup, tasks, levels)
    low, low_off, high, high_off = levels
    device = np.array([low_off - low, high_off - high]) * float(np.sqrt(len(setup.model.bit_lines)))
    return (high - low) / setup.max_count, device


def chosen_group(
    rated: tuple[GroupCandidate, ...], target: float, outcome: CampaignOutcome, condition: Condition | None = None
) -> GroupChoice:
    """The largest of the rated groups that meets the target, else that of the smallest code error. condition: the worst
    of several, at which they were rated."""
    place = "on this layer" if condition is None else f"on this layer at {condition.label}"
    good = [c for c in rated if c.meets_target]
    if good:
        chosen = max(good, key=lambda c: c.rows)
        reason = (
            f"{chosen.rows} rows is the largest group whose code error by the probe ({chosen.code_error:.1e}) stays "
            f"below the target of {target:.0e} {place}; {_LEFT_OUT}"
        )
    else:
        chosen = min(rated, key=lambda c: c.code_error)
        reason = (
            f"no candidate reaches the target of {target:.0e}; {chosen.rows} rows has the smallest code error by the "
            f"probe ({chosen.code_error:.1e}) {place}; {_LEFT_OUT}"
        )
    return GroupChoice(rated, chosen.rows, reason, outcome)


def _referred(setup: Testbench, tasks: list[Task], levels: list[float]) -> list[float]:
    """Levels of the probes as those of the mean column; the reset switch's own load is left out."""
    stored = np.array([stored_numbers(t.case) for t in tasks])
    active = np.array([t.active for t in tasks], dtype=np.float64)
    return [float(v) for v in ColumnLines(setup, setup.conditions[0]).referred(np.array(levels), active, stored)]


def _rate(setup: Testbench, lsb: float, device: FloatArray, histogram: FloatArray, target: float) -> GroupCandidate:
    """Closed-form sigma and code error of one group size; `lsb` and what the reset switch's sigma moves
    the lowest and the highest level by, `device`, are simulated."""
    g = ideal_levels(setup, lsb, device)
    noise, mismatch = g.noise / lsb, g.mismatch / lsb
    converter = float(np.hypot(g.comparator, g.offset)) / lsb
    sigma = np.sqrt(noise**2 + mismatch**2 + converter**2)
    # in counts: every level lies midway between its thresholds
    edges = np.arange(setup.max_count, dtype=np.float64) + 0.5
    error = wrong_code_probability(*tail_distances(g.count, sigma, edges, g.count.astype(np.int64)))
    weight = histogram[g.possible] / histogram.sum()
    mean_error = float(np.sum(weight * error))
    return GroupCandidate(
        rows=setup.rows,
        lsb=float(lsb),
        sigma_noise=float(np.sqrt(np.sum(weight * noise**2))),
        sigma_mismatch=float(np.sqrt(np.sum(weight * mismatch**2))),
        sigma_converter=converter,
        code_error=mean_error,
        full_scale_error=float(error[g.active == setup.rows].max()),
        meets_target=mean_error <= target,
    )

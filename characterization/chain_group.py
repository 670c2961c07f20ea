"""How many rows may share one conversion through a readout chain: figures of the sign-off from few decks a size.

All rows of a group are driven at five counts, nominally and with every device of the column one sigma off in turn; the
levels between are those of the polynomial through them. Cell mismatch follows in closed form, noise and the converter's
thresholds as in `adc_margin`. What stored data and partly driven rows add is left to the characterization. Larger
groups err more, so that the size is found by bisection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import ndtr

from characterization.campaign import CampaignOutcome, Task, joined_outcome, run_tasks
from characterization.column_testbench import ColumnTestbench
from characterization.group_levels import simulated_levels
from characterization.group_size import GroupCandidate, GroupChoice, chosen_group
from characterization.patterns import pattern_of
from characterization.procedures.chain_margin import in_reach
from characterization.readout.chain_noise import ChainNoisePoint, measure_chain_noise
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from netlists.case import Deviations
from netlists.readout.chain import ReadoutChain
from ngspice_runner import Cache, EngineError, Workers

PROBES = 5
"""Counts at which all rows of a group are read, evenly spread over the range."""


def choose_chain_group(
    setup_of: Callable[[int], Testbench],
    candidates: Sequence[int],
    histogram: Callable[[int], FloatArray],
    target: float,
    *,
    cache: Cache | None = None,
    workers: Workers = None,
) -> GroupChoice:
    """The largest group whose mean code error over the layer stays below `target` at the first condition.

    Parameters
    ----------
    setup_of : Callable[[int], Testbench]
        The group of a number of rows, with its chain.
    candidates : Sequence[int]
        Rising numbers of rows; of seven, three are simulated.
    histogram : Callable[[int], FloatArray]
        How often each (active, count) occurs in the layer, shape (rows + 1, counts), any scale.
    target : float
        Code error.
    cache : Cache, optional
        Results of earlier simulations.
    workers : Workers
        Where the simulations run.

    Returns
    -------
    GroupChoice
        With the candidates that were simulated, in rising order.

    Raises
    ------
    EngineError
        If a probe fails in ngspice.
    """
    rated, outcomes = [], []
    low, high = 0, len(candidates) - 1
    while low <= high:
        middle = (low + high) // 2
        rows = candidates[middle]
        found, outcome = rate_chain_group(setup_of(rows), histogram(rows), target, cache=cache, workers=workers)
        rated.append(found)
        outcomes += outcome
        low, high = (middle + 1, high) if found.meets_target else (low, middle - 1)
    return chosen_group(tuple(sorted(rated, key=lambda c: c.rows)), target, joined_outcome(outcomes))


def rate_chain_group(
    setup: Testbench, histogram: FloatArray, target: float, *, cache: Cache | None = None, workers: Workers = None
) -> tuple[GroupCandidate, list[CampaignOutcome]]:
    """One group size and what its probes took. Raises EngineError if one of them fails in ngspice."""
    if setup.chain is None:
        raise InputError("the readout is ideal, there is no chain to probe", where="readout.kind")
    tasks = [*nominal_probes(setup), *device_probes(setup)]
    outcome = run_tasks(setup, tasks, cache=cache, workers=workers)
    bad = [s for s in outcome.samples if s.verdict != "ok"]
    if bad:
        raise EngineError(f"the probe of a group of {setup.rows} rows failed in ngspice: verdict {bad[0].verdict}")
    count = np.array([t.count for t in tasks if t.draw < 0], dtype=np.float64)
    levels = np.array([s.level for s in outcome.samples]).reshape(-1, len(count))
    bench = ColumnTestbench(setup, cache=cache, workers=workers)
    point = measure_chain_noise(setup, bench).at(setup.conditions[0])
    return candidate_of(setup, setup.chain, point, count, levels, histogram, target), [outcome, bench.outcome]


def device_probes(setup: Testbench, number: int = PROBES) -> list[Task]:
    """Reads of a few counts with one device after the other one sigma off, from draw 0 on."""
    devices, p = setup.technology.devices, setup.periphery
    reset = devices.sigma_vth("nmos", p.reset_width, p.length)
    # of all columns at once; those of a pair, whose common part cancels, one after the other
    columns = np.eye(4)[1:3] if setup.pair else np.ones((1, 3))
    shifted = [Deviations(reset=reset * which) for which in columns]
    shifted += [
        Deviations(readout=((d.name, devices.sigma_vth(d.kind, d.width, d.length)),)) for d in setup.readout_devices
    ]
    return [task for draw, x in enumerate(shifted) for task in _probes(setup, number, draw, x)]


def nominal_probes(setup: Testbench) -> list[Task]:
    """Reads of a few counts by a nominal column, draw -1."""
    return _probes(setup, PROBES, -1, Deviations())


def _probes(setup: Testbench, number: int, draw: int, deviations: Deviations) -> list[Task]:
    """Reads of evenly spread counts with all rows driven."""
    tasks = []
    for count in np.unique(np.rint(np.linspace(0, setup.max_count, number)).astype(int)).tolist():
        seed = np.random.SeedSequence([setup.seed, 4, setup.rows, count])
        pattern = pattern_of(setup, "random0", setup.rows, count, seed)
        case = pattern.case(setup.columns, setup.ones, deviations)
        tasks.append(Task("group_probe", setup.conditions[0], setup.rows, count, pattern.name, draw, case))
    return tasks


def candidate_of(
    setup: Testbench,
    chain: ReadoutChain,
    point: ChainNoisePoint,
    count: FloatArray,
    levels: FloatArray,
    histogram: FloatArray,
    target: float,
) -> GroupCandidate:
    """Sigma and code error of a group from a few levels of it.

    Parameters
    ----------
    setup : Testbench
        The group.
    chain : ReadoutChain
        Its readout.
    point : ChainNoisePoint
        Noise of the chain.
    count : FloatArray
        Counts that were read with all rows driven, from 0 to the largest, shape (counts,).
    levels : FloatArray
        Levels, V, shape (1 + devices, counts): nominal ones, then those with one device after the other one sigma off.
    histogram : FloatArray
        How often each (active, count) occurs, any scale.
    target : float
        Code error.

    Returns
    -------
    GroupCandidate
        With a code error of 1 for levels that do not rise or that the converter does not reach.
    """
    n, top = float(setup.rows), setup.max_count
    g = simulated_levels(setup, point, count, levels)
    d, (first, last) = g.difference, g.ends
    sigma = np.sqrt(g.noise**2 + g.comparator**2 + g.mismatch**2 + g.offset**2)
    # thresholds lie midway between neighbouring levels, beyond the ends half of a mean step away
    step = (last - first) / top
    above = np.where(d + step > last + 1e-9, g.lsb, g.law(d + step) - g.level) / 2
    below = np.where(d - step < first - 1e-9, g.lsb, g.level - g.law(d - step)) / 2
    error = np.where(g.count < top, ndtr(-above / sigma), 0.0) + np.where(g.count > 0, ndtr(-below / sigma), 0.0)
    if not (g.lsb > 0 and in_reach(chain, levels[0])):
        error = np.ones_like(error)
    weight = histogram[g.possible] / histogram.sum()

    def rms(values: FloatArray) -> float:
        return float(np.sqrt(np.sum(weight * values**2))) / g.lsb

    mean_error = float(np.sum(weight * error))
    return GroupCandidate(
        rows=setup.rows,
        lsb=g.lsb,
        sigma_noise=rms(g.noise),
        sigma_mismatch=rms(g.mismatch),
        sigma_converter=float(np.hypot(g.comparator, g.offset)) / g.lsb,
        code_error=mean_error,
        full_scale_error=float(error[g.active == n].max()),
        meets_target=mean_error <= target,
    )

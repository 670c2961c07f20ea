"""Where an experiment most probably fails: the failing points nearest to the origin of the standard normals."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from interconnect.arrays import FloatArray
from interconnect.errors import InputError

Experiment = Callable[[FloatArray], FloatArray]
"""A model under test of rare failures: what is drawn, and what counts as a failure."""

_STEP = 1e-3
"""Of the central differences, in standard deviations."""
_SAME = 0.9
"""Points whose directions have a larger cosine count as one region."""


@dataclass(frozen=True, slots=True)
class FailurePoints:
    """points: (points, dims), nearest first; distances (points,) in sigmas; calls: experiments that the search took."""

    points: FloatArray
    distances: FloatArray
    calls: int


def failure_points(
    experiment: Experiment, dims: int, seed: int, *, starts: int = 8, most: int = 4, iterations: int = 30
) -> FailurePoints:
    """Search from widened draws that fail (one draw set, widths 2, 3, 4, 6), downhill to the limit of failure.

    Each start is pulled to the limit along its ray and then moved by the iteration of Hasofer, Lind (1974) and
    Rackwitz, Fiessler (1978): z' = (grad z - margin) grad / grad^2, gradient by central differences, steps shortened
    where they do not help. Points of one direction are kept once, and those more than 1.5 sigmas farther than the
    nearest are dropped: they add less than some e^-5 of it. Raises InputError when nothing fails.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, 32]))
    calls = 0
    found: list[FloatArray] = []
    for width in (2.0, 3.0, 4.0, 6.0):
        z = width * rng.standard_normal((2000, dims))
        failing = z[experiment(z) < 0]
        calls += len(z)
        found.extend(failing[np.argsort(np.sum(failing**2, axis=1))][: 4 * starts])
        if len(found) >= starts:
            break
    if not found:
        raise InputError(
            f"none of {calls} draws widened to 6 sigma fails, so no failure rate can be estimated",
            hint="check the experiment's margin, or its scale",
        )
    # Starts apart in direction, so that a second region is not missed because the first has more draws.
    chosen: list[FloatArray] = [found[0]]
    while len(chosen) < min(starts, len(found)):
        unit = np.array([c / np.linalg.norm(c) for c in chosen])
        cosine = np.array([np.max(unit @ (f / np.linalg.norm(f))) for f in found])
        chosen.append(found[int(np.argmin(cosine))])
    ends = []
    for start in chosen:
        end, spent = _descend(experiment, start, iterations)
        calls += spent
        ends.append(end)
    order = np.argsort([float(np.linalg.norm(e)) for e in ends])
    kept: list[FloatArray] = []
    for i in order:
        e, size = ends[i], float(np.linalg.norm(ends[i]))
        if kept and size > float(np.linalg.norm(kept[0])) + 1.5:
            break
        if all(float(e @ k) < _SAME * size * float(np.linalg.norm(k)) for k in kept):
            kept.append(e)
    points = np.array(kept[:most])
    return FailurePoints(points, np.linalg.norm(points, axis=1), calls)


def _descend(experiment: Experiment, start: FloatArray, iterations: int) -> tuple[FloatArray, int]:
    """A failing point at the limit, as near to the origin as the iteration gets; and the experiments it took."""
    z, calls = _to_limit(experiment, start)
    dims = len(z)
    shifts = np.concatenate([np.eye(dims), -np.eye(dims)]) * _STEP
    for _ in range(iterations):
        margins = experiment(np.concatenate([z[None], z + shifts]))
        calls += 1 + 2 * dims
        gradient = (margins[1 : dims + 1] - margins[dims + 1 :]) / (2 * _STEP)
        steep = float(gradient @ gradient)
        if steep == 0.0:
            break
        target = (float(gradient @ z) - float(margins[0])) * gradient / steep
        moved = False
        for part in (1.0, 0.5, 0.25, 0.1):
            trial = z + part * (target - z)
            # Slightly beyond, since the target of a bent limit need not fail itself.
            tried = trial * np.array([1.0, 1.02, 1.1])[:, None]
            failing = tried[experiment(tried) < 0]
            calls += len(tried)
            if len(failing):
                near, spent = _to_limit(experiment, failing[0])
                calls += spent
                if np.linalg.norm(near) < np.linalg.norm(z) - 1e-6:
                    moved = float(np.linalg.norm(near - z)) > 1e-4
                    z = near
                    break
        if not moved:
            break
    return z, calls


def _to_limit(experiment: Experiment, failing: FloatArray) -> tuple[FloatArray, int]:
    """The last failing point on the way from a failing point to the origin (16 points at a time, thrice)."""
    low, high = 0.0, 1.0
    for _ in range(3):
        t = np.linspace(low, high, 17)
        good = np.flatnonzero(experiment(t[:, None] * failing) >= 0)
        if not len(good):
            break
        last = int(good[-1])
        low, high = float(t[last]), float(t[min(last + 1, 16)])
    return high * failing, 3 * 17

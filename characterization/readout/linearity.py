"""Code edges of a converter and their differential and integral nonlinearity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from interconnect.arrays import FloatArray, IntArray
from ngspice_runner.errors import EngineError

Convert = Callable[[FloatArray], IntArray]
_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Edges:
    """Inputs (2^bits - 1,) in V at which a converter's code rises from k - 1 to k.

    uncertainty: half the width (V) of the widest bracket. missing: codes that were seen on neither side of their edges.
    conversions: how many it took.
    """

    volts: FloatArray
    low: float
    high: float
    uncertainty: float
    missing: tuple[int, ...]
    conversions: int

    @property
    def step(self) -> float:
        """Ideal width of a code, V."""
        return (self.high - self.low) / (self.volts.size + 1)

    @property
    def deviation(self) -> FloatArray:
        """Distance of every edge from its ideal place, in ideal steps."""
        ideal = self.low + self.step * np.arange(1, self.volts.size + 1)
        return (self.volts - ideal) / self.step

    @property
    def offset(self) -> float:
        """Deviation of the first edge, in ideal steps."""
        return float(self.deviation[0])

    @property
    def gain(self) -> float:
        """Mean step between the first and the last edge over the ideal step."""
        return float((self.volts[-1] - self.volts[0]) / (self.volts.size - 1) / self.step)

    @property
    def dnl(self) -> FloatArray:
        """Width of every inner code (2^bits - 2,) over the mean step, less 1 (end-point definition, IEEE 1241)."""
        widths = np.diff(self.volts)
        return np.asarray(widths / widths.mean() - 1.0)

    @property
    def inl(self) -> FloatArray:
        """Distance of every edge from the line through the first and the last, in mean steps."""
        k = np.arange(self.volts.size)
        slope = (self.volts[-1] - self.volts[0]) / (self.volts.size - 1)
        return np.asarray((self.volts - self.volts[0]) / slope - k)


def find_edges(convert: Convert, *, bits: int, low: float, high: float, resolution: float = 0.125) -> Edges:
    """Bracket every code edge of a converter to `resolution` ideal steps; `convert` turns levels (V) into codes.

    A few conversions near both ends tell offset and gain; both sides of every predicted edge are then converted at
    once. Brackets that miss are widened, brackets that are too wide are halved.
    Raises EngineError if an edge cannot be bracketed within a quarter of the range.
    """
    n = 2**bits
    step = (high - low) / n
    k = np.arange(1, n)
    used = 0

    def codes(levels: FloatArray) -> IntArray:
        nonlocal used
        used += levels.size
        return convert(levels)

    first = max(1, n // 8)
    fine = (np.arange(16) + 0.5) / 4
    probes = np.concatenate([first + fine, n - first - 4 + fine])
    error = probes - 0.5 - codes(low + step * probes)
    place = np.array([probes[:16].mean(), probes[16:].mean()])
    mean_error = np.array([error[:16].mean(), error[16:].mean()])
    slope = (mean_error[1] - mean_error[0]) / max(place[1] - place[0], 1.0)
    predicted = low + step * (k + mean_error[0] + slope * (k - place[0]))

    below, above = (np.maximum(predicted + sign * resolution / 2 * step, 0.0) for sign in (-1, 1))
    seen = codes(np.concatenate([below, above]))
    at_below, at_above = seen[: n - 1].copy(), seen[n - 1 :].copy()
    reach = resolution * step / 2
    for _ in range(_ROUNDS):
        high_side, low_side = np.flatnonzero(at_below >= k), np.flatnonzero(at_above < k)
        if high_side.size == low_side.size == 0:
            break
        # What was meant as a lower bound lies above the edge: it becomes the upper one, and the search goes on below.
        above[high_side], at_above[high_side] = below[high_side], at_below[high_side]
        below[low_side], at_below[low_side] = above[low_side], at_above[low_side]
        below[high_side] = np.maximum(below[high_side] - reach, 0.0)
        above[low_side] += reach
        got = codes(np.concatenate([below[high_side], above[low_side]]))
        at_below[high_side], at_above[low_side] = got[: high_side.size], got[high_side.size :]
        reach *= 2
    else:
        raise EngineError("readout: some code edges lie far from their ideal position: the converter does not work")
    while (wide := np.flatnonzero(above - below > resolution * step * (1 + 1e-6))).size:
        middle = (below[wide] + above[wide]) / 2
        got = codes(middle)
        up = got >= k[wide]
        above[wide[up]], at_above[wide[up]] = middle[up], got[up]
        below[wide[~up]], at_below[wide[~up]] = middle[~up], got[~up]
    present = np.union1d(at_below, at_above)
    return Edges(
        volts=(below + above) / 2,
        low=low,
        high=high,
        uncertainty=float((above - below).max() / 2),
        missing=tuple(int(c) for c in np.setdiff1d(np.arange(n), present)),
        conversions=used,
    )

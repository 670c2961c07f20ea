"""Values, crossings and settling of a result's signals over their sweep."""

from __future__ import annotations

import numpy as np

from interconnect.arrays import FloatArray
from ngspice_runner.errors import JobError
from ngspice_runner.job import Result

SWEEPS = ("time", "frequency", "v-sweep", "i-sweep", "temp-sweep", "res-sweep")
"""Names of the vectors that others are drawn over."""


def is_sweep(name: str) -> bool:
    """Whether a signal is a sweep, of any analysis of its deck."""
    return name.rpartition(".")[2] in SWEEPS


def sweep_of(result: Result, name: str) -> FloatArray | None:
    """The sweep that a signal belongs to, shape (points,); None for one without, such as an operating point's."""
    values = result.signals[name].values
    prefixes = {sweep.rpartition(".")[0] for sweep in result.signals if is_sweep(sweep)}
    prefix = next((p for p in prefixes if p and name.startswith(f"{p}.")), "")
    for sweep in SWEEPS:
        found = result.signals.get(f"{prefix}.{sweep}" if prefix else sweep)
        if found is not None and len(found.values) == len(values) > 0:
            return np.asarray(found.values.real)
    return None


def value_at(result: Result, name: str, point: float) -> float:
    """A signal at a point of its sweep, by a straight line between the points of the result.

    Parameters
    ----------
    result
        A result with the signal.
    name
        Of the signal.
    point
        Of the sweep, in its unit.

    Returns
    -------
    float
        Real part, in the signal's unit.

    Raises
    ------
    JobError
        There is no such signal, it has no sweep, or the point lies outside of it.
    """
    at, values = _waveform(result, name)
    if not at[0] <= point <= at[-1]:
        raise JobError(f"{name}: {point:g} lies outside of the sweep from {at[0]:g} to {at[-1]:g}")
    return float(np.interp(point, at, values))


def crossings(result: Result, name: str, level: float) -> FloatArray:
    """Points of the sweep at which a signal passes `level` in either direction, shape (crossings,); see `value_at`."""
    at, values = _waveform(result, name)
    above = values - level
    i = np.flatnonzero(np.signbit(above[:-1]) != np.signbit(above[1:]))
    return np.asarray(at[i] - above[i] * (at[i + 1] - at[i]) / (above[i + 1] - above[i]))


def settling_point(result: Result, name: str, band: float) -> float:
    """The point of the sweep from which on a signal stays within `band` of its last value; see `value_at`."""
    at, values = _waveform(result, name)
    outside = np.flatnonzero(np.abs(values - values[-1]) > band)
    return float(at[outside[-1] + 1] if len(outside) else at[0])


def _waveform(result: Result, name: str) -> tuple[FloatArray, FloatArray]:
    if name not in result.signals:
        raise JobError(f"the result has no signal {name!r}, only {', '.join(list(result.signals)[:8]) or 'none'}")
    at = sweep_of(result, name)
    if at is None:
        raise JobError(f"{name} has no sweep")
    return at, np.asarray(result.signals[name].values.real)

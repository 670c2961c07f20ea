"""What drives a linear network in time: piecewise linear Thevenin sources and switches that change in steps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from interconnect.network import NodeList


class Waveform:
    """Piecewise linear in time: straight lines between (`times`, `values`), constant before and after.

    times: (points,) s, increasing. values: (points,) V, or without unit if the sources that use it scale it.
    """

    def __init__(self, times: ArrayLike, values: ArrayLike) -> None:
        self.times = np.atleast_1d(np.asarray(times, dtype=float))
        self.values = np.atleast_1d(np.asarray(values, dtype=float))
        if self.times.ndim != 1 or self.times.shape != self.values.shape or len(self.times) == 0:
            raise InputError(f"a waveform has times of shape {self.times.shape} and values of {self.values.shape}")
        if not (np.isfinite(self.times).all() and np.isfinite(self.values).all()):
            raise InputError("a waveform holds a time or value that is not finite")
        steps = np.diff(self.times)
        if not (steps > 0).all():
            at = self.times[1:][steps <= 0][0]
            raise InputError(
                f"the times of a waveform must increase, {at:g} s does not", hint="give a jump a rise time"
            )

    def __call__(self, times: ArrayLike) -> FloatArray:
        """Values at `times`, same shape."""
        return np.asarray(np.interp(np.asarray(times, dtype=float), self.times, self.values))


def constant_waveform(value: float) -> Waveform:
    """A waveform that holds one value for ever."""
    return Waveform([0.0], [value])


def ramp(start: float, rise: float, level: float = 1.0) -> Waveform:
    """From 0 to `level` within `rise` s, beginning at `start` s."""
    return Waveform([start, start + rise], [0.0, level])


@dataclass(frozen=True)
class VoltageSources:
    """Voltage sources with one waveform, each behind its own resistance.

    nodes: where they are. level: what the waveform is multiplied with, scalar, (nodes,) or (nodes, vectors); vectors
    are independent excitations of the same network, solved together. ohm: source resistance, scalar or (nodes,); 0 is
    an ideal source, which holds its node. name: under which the currents are returned.
    """

    nodes: NodeList | int | str
    waveform: Waveform
    level: ArrayLike = 1.0
    ohm: ArrayLike = 0.0
    name: str = ""


@dataclass(frozen=True)
class Switch:
    """Conductances between nodes `a` and `b` (broadcast) that change together in steps.

    siemens: values in turn (S, >= 0). times: s, when the second and every further value begins; at 0 or before, the
    value is there from the start.
    """

    a: NodeList | int | str
    b: NodeList | int | str
    times: Sequence[float]
    siemens: Sequence[float]

    def __post_init__(self) -> None:
        values = np.asarray(self.siemens, dtype=float)
        times = np.asarray(self.times, dtype=float)
        if values.ndim != 1 or len(values) != times.size + 1:
            raise InputError(
                f"a switch has {times.size} times and {values.size} values", hint="one value more is right"
            )
        if not (np.isfinite(values).all() and (values >= 0).all()):
            raise InputError("the conductance of a switch must be finite and not negative")
        if not (np.isfinite(times).all() and (np.diff(times) > 0).all()):
            raise InputError("the times of a switch must increase")

    def at(self, time: float) -> float:
        """Conductance from `time` on, S."""
        return float(self.siemens[int(np.searchsorted(np.asarray(self.times, dtype=float), time, side="right"))])

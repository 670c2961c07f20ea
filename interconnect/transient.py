"""Transient of linear R-C networks without SPICE: Thevenin sources of any waveform, switches, many vectors at once.

TR-BDF2 (R. E. Bank et al., IEEE Trans. CAD 4, 1985, 436; error estimate of M. E. Hosea and L. F. Shampine, Appl. Num.
Math. 20, 1996, 21): second order, L-stable, two solutions per step with the one matrix G + alpha C. It is written for
the charge, d(C x)/dt = -G x + f, so nodes without capacitance and held nodes need no special case. Steps end at every
corner of a waveform and at every switching time; a short backward Euler step follows each switching.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from interconnect.arrays import FloatArray
from interconnect.errors import InputError, SolverError
from interconnect.network import LinearNetwork, NodeList
from interconnect.transient_kernel import GAMMA, SMALL, march
from interconnect.transient_system import TransientSystem
from interconnect.waveform import Switch, VoltageSources
from interconnect.wire_lines import LineFactor

INITIAL_STEP_RATIO = 1e-4
"""Length of the backward Euler step after a switching, as a part of the regular step or of the interval."""

MAX_HALVINGS = 40
"""An adaptive step is never shorter than the simulated time divided by 2^MAX_HALVINGS."""

CHUNK = 256
"""Adaptive steps taken before the waveforms are evaluated again."""


@dataclass(frozen=True)
class Transient:
    """Waveforms of a network.

    time: (points,) s, ends of all steps. voltage: (points, saved) or (points, saved, vectors) V. current: name of a
    source -> (points, nodes) or (points, nodes, vectors) A that it delivers into the network; right after a switching
    it is the mean over the short step there. steps, rejected, factorisations: work done.
    """

    time: FloatArray
    voltage: FloatArray
    current: Mapping[str, FloatArray]
    steps: int
    rejected: int
    factorisations: int
    stage_time: FloatArray
    """Times of the stages inside the steps, (points - 1,) s."""
    stage_voltage: FloatArray
    """Voltages at the stages, (points - 1, saved[, vectors]) V."""

    def at(self, times: ArrayLike) -> FloatArray:
        """Voltages at any `times` (count,) within the simulated span, shape (count, saved) or (count, saved, vectors).

        Parabola through both ends and the stage of each step: third order, as accurate as the steps themselves.
        """
        wanted = np.atleast_1d(np.asarray(times, dtype=float))
        if not ((wanted >= self.time[0]) & (wanted <= self.time[-1])).all():
            raise InputError(f"the waveforms reach from {self.time[0]:g} to {self.time[-1]:g} s")
        k = np.clip(np.searchsorted(self.time, wanted, side="left") - 1, 0, len(self.time) - 2)
        a, b, c = self.time[k], self.stage_time[k], self.time[k + 1]
        tall = (-1,) + (1,) * (self.voltage.ndim - 1)
        wa = ((wanted - b) * (wanted - c) / ((a - b) * (a - c))).reshape(tall)
        wb = ((wanted - a) * (wanted - c) / ((b - a) * (b - c))).reshape(tall)
        wc = ((wanted - a) * (wanted - b) / ((c - a) * (c - b))).reshape(tall)
        return np.asarray(wa * self.voltage[k] + wb * self.stage_voltage[k] + wc * self.voltage[k + 1])


def solve_transient(
    network: LinearNetwork,
    sources: Sequence[VoltageSources],
    *,
    stop: float,
    save: NodeList | int | str,
    switches: Sequence[Switch] = (),
    step: float | None = None,
    tolerance: float = 1e-5,
    initial: ArrayLike | None = None,
    currents: Sequence[str] = (),
) -> Transient:
    """Waveforms of a linear network from time 0.

    Parameters
    ----------
    network : LinearNetwork
        Resistors and capacitors.
    sources : Sequence[VoltageSources]
        Driven nodes and their waveforms.
    stop : float
        End of the simulation, s.
    save : NodeList or int or str
        Nodes whose voltage is returned.
    switches : Sequence[Switch]
        Conductances that change in time.
    step : float, optional
        Fixed steps of at most this size, s; None lets `tolerance` choose them.
    tolerance : float
        Largest error of one adaptive step at any node, relative to the largest source or initial voltage.
    initial : ArrayLike, optional
        Node voltages at time 0, scalar, (nodes,) or (nodes, vectors), V; None is the DC state. Driven nodes follow
        their source.
    currents : Sequence[str]
        Names of sources whose currents are returned.

    Returns
    -------
    Transient
        Time points, voltages and currents.

    Raises
    ------
    InputError
        For a bad value, no source, or (`initial` None) a node whose DC voltage is not determined (named).
    SolverError
        If adaptive steps become too short, or the network's matrix cannot be factored.
    """
    if not (math.isfinite(stop) and stop > 0):
        raise InputError(f"the stop time must be positive, not {stop!r} s")
    if step is not None and not (math.isfinite(step) and step > 0):
        raise InputError(f"the time step must be positive, not {step!r} s")
    if not 1e-12 <= tolerance <= 0.1:
        raise InputError(f"the tolerance must lie between 1e-12 and 0.1, not {tolerance!r}")
    run = _Run(TransientSystem(network, sources, switches, network.index(save), currents, initial), stop)
    if step is not None:
        run.fixed(step)
    else:
        run.adaptive(tolerance)
    return run.result()


class _Run:
    """The state on its way through time and what was recorded."""

    def __init__(self, system: TransientSystem, stop: float) -> None:
        self.system, self.stop = system, stop
        self.state = system.start()
        self.steps = self.rejected = 0
        self.times: list[FloatArray] = [np.zeros(1)]
        self.stage_times: list[FloatArray] = []
        self.ends: list[FloatArray] = [system.record(self.state, 0.0)]
        self.stages: list[FloatArray] = []

    def intervals(self) -> list[tuple[float, float]]:
        """Spans of time within which everything is smooth."""
        corners = self.system.corners(self.stop).tolist()
        return list(pairwise(corners))

    def _begin(self, start: float, settle: float) -> float:
        """Enter the interval at `start`, with a backward Euler step of length `settle` where the state may jump."""
        # Corners that differ by rounding were merged into the first of them.
        if not self.system.enter(start + 1e-12 * self.stop):
            return start
        end = start + settle
        before = self.ends[-1][-1]
        self.state = self.system.backward_euler(self.state, start, end)
        after = self.system.record(self.state, end)
        self._keep(start, np.array([end]), after, (before + GAMMA * (after[0] - before))[None])
        return end

    def _keep(self, start: float, ends: FloatArray, values: FloatArray, stages: FloatArray) -> None:
        begins = np.append(start, ends[:-1])
        self.times.append(ends)
        self.stage_times.append(begins + GAMMA * (ends - begins))
        self.ends.append(values)
        self.stages.append(stages)
        self.steps += len(ends)

    def _march(
        self, start: float, h: float, steps: int, tolerance: float, grow: bool, final: float | None
    ) -> tuple[int, float]:
        """Take up to `steps` steps of size h; `final`: exact time of the last one's end."""
        system = self.system
        grid: FloatArray = start + h * np.arange(steps + 1, dtype=np.float64)
        if final is not None:
            grid[-1] = final
        points = np.empty(2 * steps + 1)
        points[0::2] = grid
        points[1::2] = grid[:-1] + GAMMA * h
        waves = system.drives.values(points)
        shape = (steps, system.taps, system.vectors)
        ends, stages = np.empty(shape), np.empty(shape)
        factor = system.factor(h)
        direct, lines = (None, factor) if isinstance(factor, LineFactor) else (factor, None)
        done, error = march(
            direct, lines, system.exact(tolerance), system.work, system.g_rows, system.forcing, 2.0 / (GAMMA * h),
            waves, self.state, system.tap_rows, ends, stages, tolerance, grow,
        )  # fmt: skip
        if done:
            system.add_pinned(ends[:done], waves[2 : 2 * done + 1 : 2])
            system.add_pinned(stages[:done], waves[1 : 2 * done : 2])
            self._keep(start, grid[1 : done + 1], ends[:done], stages[:done])
        return done, error

    def fixed(self, step: float) -> None:
        """Equal steps of at most `step` within every interval."""
        for start, end in self.intervals():
            begin = self._begin(start, INITIAL_STEP_RATIO * min(step, end - start))
            steps = max(1, math.ceil((end - begin) / step * (1 - 1e-9) - 1e-9))
            # Keep the wanted size where the steps fit but for rounding, so that intervals share a factorisation.
            h = (end - begin) / steps
            done, _ = self._march(begin, step if abs(h / step - 1) < 1e-9 else h, steps, 0.0, False, end)
            if done < steps:
                raise SolverError(f"the transient's equations were not solved after {begin + done * h:g} s")

    def adaptive(self, tolerance: float) -> None:
        """Steps of stop / 2^level, so that intervals share factorisations; the last of each is cut to fit."""
        limit = tolerance * self.system.scale
        level = 7
        for start, end in self.intervals():
            now = self._begin(start, INITIAL_STEP_RATIO * min(self.stop / 2**level, end - start))
            while now < end:
                h = self.stop / 2**level
                count = min(CHUNK, math.floor((end - now) / h * (1 + 1e-9)))
                # Cut to fit, and never leave a last step that is lost in the rounding of the times.
                last = count == 0 or abs(now + count * h - end) < 1e-6 * h
                h, count = (end - now, 1) if count == 0 else (h, count)
                taken, error = self._march(now, h, count, limit, True, end if last else None)
                now = end if taken == count and last else now + taken * h
                if taken < count and error > 1.0:
                    self.rejected += 1
                    level += max(1, math.ceil(math.log2(error) / 3)) if math.isfinite(error) else 1
                    if level > MAX_HALVINGS:
                        raise SolverError(f"the transient's steps became too short at {now:g} s")
                elif error < SMALL and level > 0 and now < end:
                    level -= 1

    def result(self) -> Transient:
        """The records in their final form."""
        system = self.system
        time, stage_time = np.concatenate(self.times), np.concatenate(self.stage_times)
        ends, stages = np.concatenate(self.ends), np.concatenate(self.stages)
        saved = len(system.save)
        current = system.currents(time, ends, stages)

        def shape(values: FloatArray) -> FloatArray:
            return values[..., 0] if system.flat else values

        return Transient(
            time=time,
            voltage=shape(ends[:, :saved]),
            current={name: shape(values) for name, values in current.items()},
            steps=self.steps,
            rejected=self.rejected,
            factorisations=system.factorisations,
            stage_time=stage_time,
            stage_voltage=shape(stages[:, :saved]),
        )

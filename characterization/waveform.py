"""The waveform of one read of the nominal column, with the instants at which it is sampled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from characterization.campaign import Task, deck_of, job_of
from characterization.procedures.transfer import plan_transfer
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray
from netlists.column import ColumnDeck
from ngspice_runner import Cache, Result, Workers, run_many

POINTS = 400
"""Kept of a waveform, at equal distances; and the instants."""

DIGITS = 6
"""Significant digits kept of a value."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A vector of the simulation: what it is, V or A, values at the waveform's times."""

    name: str
    unit: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Instant:
    """What happens at a time, s."""

    name: str
    time: float


@dataclass(frozen=True, slots=True)
class ReadWaveform:
    """One read as the engine simulated it: time in s, traces from a driven row to the converter, instants of the read.

    condition: label; active, count: of the read.
    """

    condition: str
    active: int
    count: int
    time: tuple[float, ...]
    traces: tuple[Trace, ...]
    instants: tuple[Instant, ...]


def read_waveform(setup: Testbench, *, cache: Cache | None = None, workers: Workers = None) -> ReadWaveform | None:
    """A read of all rows at the first condition, most of them counting; None if it is no transient, or failed.

    The read is one of those that `transfer` plans, run for itself: it saves a driven row's line too, which the others
    are spared, so that their keys and sizes in the cache stay.
    """
    tasks = [t for t in plan_transfer(setup) if t.condition == setup.conditions[0] and t.active == setup.rows]
    task = min(tasks, key=lambda t: abs(t.count - 0.75 * setup.max_count))
    deck = deck_of(setup, task, save_row=True)
    (result,) = run_many([job_of(setup, deck)], workers=workers, cache=cache)
    if not result.ok or deck.read_at is None:
        return None
    instants = tuple(_instants(setup, deck))
    time = _values(result, "time")
    grid = np.unique(np.concatenate([np.linspace(0.0, time[-1], POINTS), [i.time for i in instants]]))
    return ReadWaveform(
        condition=task.condition.label,
        active=task.active,
        count=task.count,
        time=_rounded(grid),
        traces=tuple(
            Trace(name, unit, _rounded(np.interp(grid, time, values)))
            for name, unit, values in _traces(setup, task, deck, result)
        ),
        instants=instants,
    )


def _traces(setup: Testbench, task: Task, deck: ColumnDeck, result: Result) -> Iterator[tuple[str, str, FloatArray]]:
    if deck.row is not None:
        yield "row line at its driver", "V", _values(result, deck.row)
    if setup.chain is not None:
        yield "bit line", "V", _values(result, deck.outputs[task.case.target])
        yield "shared line", "V", _values(result, "v(line)")
        yield "comparator input", "V", _values(result, deck.target)
        if deck.target_minus:
            yield "comparator input, minus column", "V", _values(result, deck.target_minus)
        return
    if deck.edge is not None:
        yield "bit line", "V", _values(result, deck.outputs[task.case.target])
        yield "ramp", "V", _values(result, "v(ramp)")
        yield "shared line", "V", _values(result, deck.edge.line)
        return
    values = _values(result, deck.target)
    if deck.target_minus:
        values = values - _values(result, deck.target_minus)
    yield "bit line" if deck.unit == "V" else "sensed current", deck.unit, values


def _instants(setup: Testbench, deck: ColumnDeck) -> Iterator[Instant]:
    if setup.chain is not None:
        t = setup.chain.timing
        yield Instant("reset ends", t.reset)
        yield Instant("first sample", t.clamp_opens)
        yield Instant("rows toggle", t.rows_toggle)
        yield Instant("column joins the bus", t.bus_joins)
        yield Instant("decision", t.decides)
        return
    if setup.inverter is not None:
        yield Instant("reset ends", setup.inverter.zero_time)
        yield Instant("rows toggle", setup.inverter.rows_toggle)
        yield Instant("ramp starts", setup.inverter.ramp_start)
        yield Instant("ramp ends", setup.inverter.ramp_end)
        return
    if deck.unit == "V":
        yield Instant("reset ends", setup.timing.reset_end)
    if deck.input_at is not None:
        yield Instant("first sample, inputs rise" if setup.double_sampling else "inputs rise", deck.input_at)
    if deck.read_at is not None:
        yield Instant("sample" if deck.unit == "V" else "integration begins", deck.read_at)


def _values(result: Result, name: str) -> FloatArray:
    return np.asarray(result.signals[name.lower()].values, dtype=np.float64)


def _rounded(values: FloatArray) -> tuple[float, ...]:
    return tuple(float(f"{v:.{DIGITS}g}") for v in values)

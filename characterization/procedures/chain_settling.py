"""`chain_settling`: how long line and bus of a readout chain need, against the times that the chain gives them.

The phases of a read are stretched and each is observed by itself: the line after the reset ends, the line after the
rows toggle, the bus after a column has joined. Leakage goes on meanwhile, so the end is a straight line through the
last part of the phase, and settled means within `BAND` of a count of that line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from characterization.charts import INK, SERIES, Chart, axis_scale, height_for, label_bars
from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.failures import ConditionError
from characterization.procedure_result import DataclassResult, ResultRow
from characterization.procedures.registry import ProcedureResults, measured
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from netlists.column import column_deck
from netlists.condition import Condition
from netlists.readout.chain import EDGE, ReadoutChain
from ngspice_runner import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BAND = 0.05
"""Of a count's step: what may be missing when a phase ends."""

STRETCHES = (3.0, 8.0, 24.0, 72.0, 216.0)
"""Observed time over the configured time of every phase, in turn until the slope of the ends has become leakage's
alone: over the whole window it then differs from that of the observation before by less than `BAND`."""

LATE = 0.6
"""Share of a phase after which its end is fitted."""

PHASES = ("line after the reset", "line after the rows toggle", "bus after joining")


@dataclass(frozen=True, slots=True)
class PhaseSettling:
    """One phase at one condition: s that it needs and that the chain gives it, what is missing when it ends (counts,
    0 where the phase is longer than needed), and what leakage moves meanwhile (counts)."""

    condition: str
    phase: str
    needed: float
    given: float
    missing: float
    drift: float

    @property
    def settled(self) -> bool:
        """Whether the phase is long enough."""
        return self.needed <= self.given


@dataclass(frozen=True)
class ChainSettling(DataclassResult):
    """The slower of two reads (every row counts, no row counts) in every phase; band: counts."""

    band: float
    phases: tuple[PhaseSettling, ...]

    @property
    def late(self) -> tuple[PhaseSettling, ...]:
        """Phases that the chain's timing does not wait for."""
        return tuple(p for p in self.phases if not p.settled)

    def figures(self) -> Sequence[ResultRow]:
        """Needed and given time, what is missing, at every condition."""
        out = []
        for p in self.phases:
            at = f"{p.condition}, {p.phase}"
            out += [
                ResultRow(f"within {self.band:g} LSB", p.needed, "s", at),
                ResultRow("given by the timing", p.given, "s", at),
                ResultRow("missing at its end", p.missing, "LSB", at),
            ]
        return out

    def charts(self) -> Sequence[Chart]:
        """Needed and given time of every phase."""
        caption = f"Time until a phase stays within {self.band:g} counts of its end; marks: what it is given."
        return (Chart("phases", "Settling of the chain", caption, self._draw, height_for(len(self.phases))),)

    def _draw(self, axes: Axes) -> None:
        scale, unit = axis_scale([p.given for p in self.phases], "s")
        places = np.arange(len(self.phases))
        axes.barh(places, [p.needed / scale for p in self.phases], height=0.6, color=SERIES[0])
        axes.plot(
            [p.given / scale for p in self.phases], places, linestyle="none", marker="|", markersize=16, color=INK
        )
        label_bars(axes, places, [f"{p.condition}, {p.phase}" for p in self.phases])
        axes.set(xlabel=f"time, {unit}")


def measure_chain_settling(setup: Testbench, bench: ColumnTestbench, results: ProcedureResults) -> ChainSettling:
    """Two stretched reads at every condition."""
    if setup.chain is None:
        raise InputError("the ideal readout does not settle", where="readout.kind")
    chain = setup.chain
    return ChainSettling(BAND, tuple(p for c in setup.conditions for p in settling_at(setup, bench, chain, c)))


def settling_at(
    setup: Testbench, bench: ColumnTestbench, chain: ReadoutChain, condition: Condition
) -> list[PhaseSettling]:
    """Every phase of `chain` at one condition, observed for so long that observing longer changes nothing.

    Raises ConditionError for a chain that does not come to rest within the longest of `STRETCHES`.
    """
    before = _observed(setup, bench, chain, condition, STRETCHES[0])
    known: dict[str, PhaseSettling] = {}
    for stretch in STRETCHES[1:]:
        found = _observed(setup, bench, chain, condition, stretch)
        for a, b in zip(before, found, strict=True):
            if abs(a.drift - b.drift) * stretch <= BAND:
                known.setdefault(b.phase, b)
        if len(known) == len(PHASES):
            return [known[phase] for phase in PHASES]
        before = found
    raise ConditionError(f"the readout chain does not settle within {stretch:g} times its timing", condition)


def _observed(
    setup: Testbench, bench: ColumnTestbench, chain: ReadoutChain, condition: Condition, stretch: float
) -> list[PhaseSettling]:
    t, there, n = chain.timing, setup.at(condition), setup.rows
    long = replace(
        chain,
        timing=replace(
            t,
            settle_reset=stretch * t.settle_reset,
            settle_rows=stretch * t.settle_rows,
            settle_bus=stretch * t.settle_bus,
            queue=0.0,
        ),
    )
    decks = [
        column_deck(
            there.technology,
            there.model,
            there.periphery,
            there.timing,
            condition,
            there.simulated_case(stimulus_of(setup, draw_pattern(setup, "random0", n, count))),
            chain=long,
            periodic=True,
        )
        for count in (0, setup.max_count)
    ]
    low, high = (_Read.of(r) for r in bench.run(f"chain_settling_{condition.label}", decks))
    w = long.timing
    start, before, toggled, decided = (w.stop + x for x in (0.0, w.rows_toggle, w.bus_joins, w.decides))
    windows = (
        ("line", start + w.reset + EDGE, start + w.clamp_opens, t.settle_reset - EDGE),
        ("line", before + EDGE, toggled, t.settle_rows - EDGE),
        ("bus", toggled + EDGE, decided, t.settle_bus - EDGE),
    )
    out = []
    for phase, (node, begin, end, given) in zip(PHASES, windows, strict=True):
        step = high.moved(node, before, decided) - low.moved(node, before, decided)
        lsb = abs(step) / setup.max_count
        found = [settled_phase(r.time, r.values[node], begin, end, given, BAND * lsb) for r in (low, high)]
        needed, missing, drift = (max(x) for x in zip(*found, strict=True))
        out.append(PhaseSettling(condition.label, phase, needed, given, missing / lsb, drift / lsb))
    return out


def settled_phase(
    time: FloatArray, level: FloatArray, begin: float, end: float, given: float, band: float
) -> tuple[float, float, float]:
    """(s after `begin` until `level` stays within `band` of its end, distance from it after `given`, drift in between).

    The end is the straight line through the last part of the window from `begin` to `end` (s). The crossing is
    interpolated between the two points around it.
    """
    late = (time >= begin + LATE * (end - begin)) & (time <= end)
    slope, constant = np.polyfit(time[late] - end, level[late], 1)
    inside = (time >= begin) & (time <= end)
    t = time[inside]
    error = np.abs(level[inside] - (constant + slope * (t - end)))
    outside = np.flatnonzero(error > band)
    needed = 0.0
    if outside.size:
        k = int(outside[-1])
        after = min(k + 1, t.size - 1)
        part = (error[k] - band) / (error[k] - error[after]) if after > k else 0.0
        needed = float(t[k] + part * (t[after] - t[k]) - begin)
    missing = float(np.interp(begin + given, t, error)) if needed > given else 0.0
    return needed, missing, float(abs(slope) * given)


@dataclass(frozen=True, slots=True)
class _Read:
    time: FloatArray
    values: dict[str, FloatArray]

    @classmethod
    def of(cls, result: Result) -> _Read:
        """Line and bus of a result."""
        get = {name: np.real(result.signals[f"v({name})"].values).astype(np.float64) for name in ("line", "bus")}
        return cls(np.real(result.signals["time"].values).astype(np.float64), get)

    def moved(self, node: str, start: float, stop: float) -> float:
        """Difference of a node's level between two times, V."""
        first, last = np.interp([start, stop - EDGE], self.time, self.values[node])
        return float(last - first)


def _refuses(setup: Testbench) -> str | None:
    return None if setup.chain is not None else "its readout is ideal and has no line to settle"


PROCEDURE = measured(
    "chain_settling",
    "settling of the readout chain's line and bus against its timing",
    measure_chain_settling,
    refuses=_refuses,
    result=ChainSettling,
    through_chain=True,
)

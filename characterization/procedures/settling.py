"""`settling`: how long after the input edge a level needs to stay within half and a tenth of a count of its end.

The end is the level when the observation ends, `WINDOW` times the configured time after the edge. A floating bit line
leaks meanwhile: `drift` tells how much, and where it exceeds the narrow band the time to it is that of the leakage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from characterization.charts import INK, SERIES, TARGET, Chart, axis_scale, height_for, label_bars
from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.patterns import FAR, NEAR
from characterization.procedure_result import DataclassResult, ResultRow
from characterization.procedures.read_levels import full_scale
from characterization.procedures.registry import ProcedureResults, measured
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray
from netlists.condition import Condition

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BANDS = (0.5, 0.1)
"""LSB around the final level."""

WINDOW = 4.0
"""Observed time over the configured time from the input edge to the read."""

PATTERN_NAMES = (NEAR, FAR, "random0", "random1")


@dataclass(frozen=True, slots=True)
class SettlingTime:
    """One pattern. times: s from the end of the input edge until the level stays within BANDS. left_at_read: distance
    from the final level at the configured read, LSB. drift: what the last quarter of the observation still moves, LSB.
    """

    condition: str
    pattern: str
    active: int
    count: int
    times: tuple[float, ...]
    left_at_read: float
    drift: float


@dataclass(frozen=True)
class Settling(DataclassResult):
    """All patterns; worst: the slowest to the narrowest band at each condition."""

    bands: tuple[float, ...]
    window: float
    patterns: tuple[SettlingTime, ...]
    worst: tuple[SettlingTime, ...]

    def figures(self) -> Sequence[ResultRow]:
        """Times of the slowest pattern at every condition, and how far it still moves by then (leakage)."""
        out = []
        for w in self.worst:
            at = f"{w.condition}, {w.pattern}, {w.count} of {w.active}"
            out += [
                ResultRow(f"within {band:g} LSB of the end", time, "s", at)
                for band, time in zip(self.bands, w.times, strict=True)
            ]
            out.append(ResultRow("drift of the last quarter", w.drift, "LSB", at))
        return out

    def charts(self) -> Sequence[Chart]:
        """Times of the slowest pattern at every condition."""
        if not self.worst:
            return ()
        bands = " and ".join(f"{b:g}" for b in self.bands)
        caption = f"Slowest pattern: time after the input edge until the level stays within {bands} LSB of its end."
        return (Chart("times", "Settling", caption, self._draw_times, height_for(len(self.worst), each=0.5)),)

    def _draw_times(self, axes: Axes) -> None:
        sample = self.window / WINDOW
        scale, unit = axis_scale([sample, *(t for w in self.worst for t in w.times)], "s")
        places, share = np.arange(len(self.worst)), 0.8 / len(self.bands)
        for k, band in enumerate(self.bands):
            at = places + (k - (len(self.bands) - 1) / 2) * share
            times = np.array([w.times[k] for w in self.worst]) / scale
            axes.barh(at, times, height=share * 0.9, color=SERIES[k % len(SERIES)], label=f"{band:g} LSB")
            for y in at[np.isnan(times)]:
                axes.text(0, y, " not within the window", va="center", fontsize=9, color=TARGET)
        axes.axvline(sample / scale, color=INK, linestyle="--", label="sample")
        label_bars(axes, places, [w.condition for w in self.worst])
        axes.set(xlabel=f"time, {unit}")
        axes.legend(loc="best")


def settling_time(time: FloatArray, level: FloatArray, start: float, band: float) -> float:
    """Seconds after `start` from which on `level` (points,) stays within `band` of its last value; 0 if it always does.

    The crossing is interpolated linearly between the two points around it.
    """
    error = np.abs(level - level[-1])
    outside = np.flatnonzero((error > band) & (time >= start))
    if len(outside) == 0:
        return 0.0
    k = int(outside[-1])
    part = (error[k] - band) / (error[k] - error[k + 1])
    return float(time[k] + part * (time[k + 1] - time[k]) - start)


def measure_settling(setup: Testbench, bench: ColumnTestbench, results: ProcedureResults) -> Settling:
    """Observe reads for longer than the configured time, in short steps."""
    n, top = setup.rows, setup.max_count
    points = [(name, n, count) for name in PATTERN_NAMES for count in sorted({0, top // 2, top})]
    points += [(name, 1, 1) for name in (NEAR, FAR)]
    found, worst = [], []
    for condition in setup.conditions:
        _, lsb = full_scale(setup, bench, results, condition, "settling_scale")
        here = observed(setup, bench, condition, points, lsb)
        found += here
        worst.append(max(here, key=lambda s: s.times[::-1]))
    return Settling(BANDS, WINDOW * setup.timing.read_after, tuple(found), tuple(worst))


def observed(
    setup: Testbench, bench: ColumnTestbench, condition: Condition, points: Sequence[tuple[str, int, int]], lsb: float
) -> list[SettlingTime]:
    """Reads of these (pattern, active, count), observed for `WINDOW` times the configured time; lsb: V or A."""
    t = setup.timing
    timing = replace(t, read_after=WINDOW * t.read_after, max_step=t.input_edge / 4)
    decks = [bench.deck(condition, stimulus_of(setup, draw_pattern(setup, *p)), timing=timing) for p in points]
    here = []
    for (name, active, count), deck, result in zip(
        points, decks, bench.run(f"settling_{condition.label}", decks), strict=True
    ):
        time, level = (np.asarray(result.signals[x].values, dtype=np.float64) for x in ("time", deck.target))
        if deck.target_minus:
            level = level - np.asarray(result.signals[deck.target_minus].values, dtype=np.float64)
        late = time[0] + (t.input_end + 0.75 * timing.read_after)
        here.append(
            SettlingTime(
                condition.label,
                name,
                active,
                count,
                tuple(settling_time(time, level, t.input_end, band * lsb) for band in BANDS),
                float((np.interp(t.read_at, time, level) - level[-1]) / lsb),
                float((level[-1] - np.interp(late, time, level)) / lsb),
            )
        )
    return here


PROCEDURE = measured(
    "settling",
    "time to half and a tenth of a count after the input edge, worst pattern",
    measure_settling,
    result=Settling,
)

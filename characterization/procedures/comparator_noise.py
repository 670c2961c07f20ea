"""`comparator_noise`: the comparator's input noise by its sensitivity and by noisy decisions, three sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from characterization.charts import INK, SERIES, Chart, axis_scale, height_for, label_bars
from characterization.column_testbench import ColumnTestbench
from characterization.procedure_result import DataclassResult, ResultRow
from characterization.procedures.registry import ProcedureResults, measured
from characterization.readout.comparator_decisions import transient_noise
from characterization.readout.comparator_noise import sensitivity_of
from characterization.testbench import Testbench
from netlists.readout.strongarm import StrongArm

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCALES = (0.5, 1.0, 2.0)
"""Widths over those of the readout's comparator."""

COMMON_MODE = 0.4
"""V, of an ideal readout's comparator; a chain's is its own."""

DECISIONS = 300
"""Under transient noise, of every size; at most."""

DECIDED_ERROR = 0.08
"""Relative standard error of the noise by decisions at which no more are simulated, unless sampling is full: that of
`DECISIONS` counted ones."""

_WIDTHS = ("input", "tail", "same", "other", "precharge", "buffer", "clock")


@dataclass(frozen=True, slots=True)
class ComparatorNoisePoint:
    """One size at the nominal condition, V rms: predicted from its sensitivity; counted decisions under transient noise
    and the spread of the regenerating nodes in the same reads, each with its standard error. decisions: how many."""

    condition: str
    scale: float
    predicted: float
    decided: float
    decided_error: float
    spread: float
    spread_error: float
    decisions: int = DECISIONS


@dataclass(frozen=True)
class ComparatorNoise(DataclassResult):
    """Prediction and transient noise of every size."""

    points: tuple[ComparatorNoisePoint, ...]

    def figures(self) -> Sequence[ResultRow]:
        """Prediction, counted decisions and their ratio of every size."""
        out = []
        for p in self.points:
            at = f"{p.condition}, widths x {p.scale:g}"
            out += [
                ResultRow("comparator noise predicted", p.predicted, "V", at),
                ResultRow("comparator noise of decisions", p.decided, "V", at),
                ResultRow("standard error of the decisions", p.decided_error, "V", at),
                ResultRow("comparator noise of its nodes", p.spread, "V", at),
                ResultRow("standard error of the nodes", p.spread_error, "V", at),
                ResultRow("decisions under transient noise", p.decisions, "", at),
                ResultRow("predicted over decisions", p.predicted / p.decided, "", at),
            ]
        return out

    def charts(self) -> Sequence[Chart]:
        """Prediction and decisions of every size."""
        caption = "Input noise of the comparator: bars by decisions under transient noise, marks by the prediction."
        return (Chart("sizes", "Comparator noise", caption, self._draw, height_for(len(self.points))),)

    def _draw(self, axes: Axes) -> None:
        scale, unit = axis_scale([p.decided for p in self.points], "V")
        places = np.arange(len(self.points))
        axes.barh(places, [p.decided / scale for p in self.points], height=0.6, color=SERIES[0])
        predicted = [p.predicted / scale for p in self.points]
        axes.plot(predicted, places, linestyle="none", marker="|", markersize=16, color=INK)
        label_bars(axes, places, [f"widths x {p.scale:g}" for p in self.points])
        axes.set(xlabel=f"rms, {unit}")


def scaled_comparator(sizes: StrongArm, factor: float) -> StrongArm:
    """A comparator all of whose widths are `factor` times as large."""
    return replace(sizes, **{f"{name}_width": factor * getattr(sizes, f"{name}_width") for name in _WIDTHS})


def measure_comparator_noise(setup: Testbench, bench: ColumnTestbench, results: ProcedureResults) -> ComparatorNoise:
    """Three sizes of the comparator at the nominal condition."""
    condition = setup.conditions[0]
    sizes, common = StrongArm(length=setup.periphery.length), COMMON_MODE
    if setup.chain is not None:
        sizes, common = setup.chain.comparator, setup.chain.sampler.common_mode
    points = []
    for scale in SCALES:
        comparator = scaled_comparator(sizes, scale)
        found = sensitivity_of(setup.technology, condition, comparator, common, bench.run)
        t = transient_noise(
            setup.technology,
            condition,
            comparator,
            found,
            common,
            bench.run,
            decisions=DECISIONS,
            seed=setup.seed,
            error=None if setup.sampling == "full" else DECIDED_ERROR,
        )
        noise = found.point.noise
        points.append(
            ComparatorNoisePoint(
                condition.label, scale, noise, t.decided, t.decided_error, t.spread, t.spread_error, t.decisions
            )
        )
    return ComparatorNoise(tuple(points))


def _refuses(setup: Testbench) -> str | None:
    if setup.chain is not None and not setup.chain.converter.clocked:
        return "its comparator is not clocked; procedure chain_noise has its noise"
    if setup.inverter is not None:
        return "its comparator is not clocked; procedure local_inverter has its noise"
    return None if setup.unit == "V" else "its readout has no comparator of voltages"


PROCEDURE = measured(
    "comparator_noise",
    "input noise of the comparator: its sensitivity against decisions under transient noise",
    measure_comparator_noise,
    refuses=_refuses,
    result=ComparatorNoise,
    through_chain=True,
)

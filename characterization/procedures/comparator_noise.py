"""`comparator_noise`: the comparator's input noise by formula and by decisions under transient noise, three sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from characterization.charts import INK, SERIES, Chart, axis_scale, height_for, label_bars
from characterization.column_testbench import ColumnTestbench
from characterization.procedure_result import DataclassResult, ResultRow
from characterization.procedures.registry import ProcedureResults, measured
from characterization.readout.comparator_noise import point_of, transient_noise
from characterization.testbench import Testbench
from netlists.readout.strongarm import StrongArm

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCALES = (0.5, 1.0, 2.0)
"""Widths over those of the readout's comparator."""

COMMON_MODE = 0.4
"""V, of an ideal readout's comparator; a chain's is its own."""

_WIDTHS = ("input", "tail", "same", "other", "precharge", "buffer", "clock")


@dataclass(frozen=True, slots=True)
class ComparatorNoisePoint:
    """One size at the nominal condition, V rms: input and series pair by the formula and by transient noise (with its
    standard error), and with the precharge's k T / C, which no transient source stands for."""

    condition: str
    scale: float
    formula: float
    transient: float
    error: float
    total: float


@dataclass(frozen=True)
class ComparatorNoise(DataclassResult):
    """Formula and transient noise of every size."""

    points: tuple[ComparatorNoisePoint, ...]

    def figures(self) -> Sequence[ResultRow]:
        """Formula, transient noise, their ratio and the whole input noise of every size."""
        out = []
        for p in self.points:
            at = f"{p.condition}, widths x {p.scale:g}"
            out += [
                ResultRow("comparator noise by formula", p.formula, "V", at),
                ResultRow("comparator noise by transient noise", p.transient, "V", at),
                ResultRow("formula over transient noise", p.formula / p.transient, "", at),
                ResultRow("comparator noise with its precharge", p.total, "V", at),
            ]
        return out

    def charts(self) -> Sequence[Chart]:
        """Formula and transient noise of every size."""
        caption = "Input noise of the comparator: bars by transient noise sources, marks by the formula."
        return (Chart("sizes", "Comparator noise", caption, self._draw, height_for(len(self.points))),)

    def _draw(self, axes: Axes) -> None:
        scale, unit = axis_scale([p.transient for p in self.points], "V")
        places = np.arange(len(self.points))
        axes.barh(places, [p.transient / scale for p in self.points], height=0.6, color=SERIES[0])
        formula = [p.formula / scale for p in self.points]
        axes.plot(formula, places, linestyle="none", marker="|", markersize=16, color=INK)
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
        point = point_of(setup.technology, condition, comparator, common, bench.run)
        noise, error = transient_noise(setup.technology, condition, comparator, point, common, bench.run)
        points.append(ComparatorNoisePoint(condition.label, scale, point.pair, noise, error, point.noise))
    return ComparatorNoise(tuple(points))


def _refuses(setup: Testbench) -> str | None:
    return None if setup.unit == "V" else "its readout has no comparator of voltages"


PROCEDURE = measured(
    "comparator_noise",
    "input noise of the comparator: formula against decisions under transient noise",
    measure_comparator_noise,
    refuses=_refuses,
    result=ComparatorNoise,
    through_chain=True,
)

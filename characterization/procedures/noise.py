"""`noise`: the closed forms of thermal noise against the engine's small-signal noise of the whole column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from characterization.charts import INK, SERIES, Chart, axis_scale, height_for, label_bars, legend_below
from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.noise import BOLTZMANN, charge_noise
from characterization.procedure_result import DataclassResult, ResultRow
from characterization.procedures.registry import ProcedureResults, measured
from characterization.testbench import Testbench
from netlists.case import ColumnStimulus
from netlists.cells.closed_form import bit_line_total, charge_balance
from netlists.column import ColumnDeck
from netlists.column_noise import DENSITY, TOTAL, noise_deck
from netlists.condition import Condition
from netlists.reference import column_read

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIRST_FREQUENCY = 1e3
"""Hz; far below every pole of a column, so that the density there is that of its resistors."""

DECADES_ABOVE = 4
"""The integral ends this many decades above the pole of the reset: what lies beyond is 2 / pi of 1e-4 of the power."""


@dataclass(frozen=True, slots=True)
class NoisePoint:
    """One simulation. unit: V (rms of the whole spectrum) or A/sqrt(Hz) (density at low frequency).

    closed_form: sqrt(k T / C) with the metal's capacitance, or sqrt(4 k T n / R). ratio: simulated over closed form.
    """

    condition: str
    switch: Literal["ideal", "transistor"]
    count: int
    unit: str
    simulated: float
    closed_form: float
    ratio: float


@dataclass(frozen=True)
class Noise(DataclassResult):
    """With an ideal switch the two must agree; a transistor switch adds its own capacitance and so lowers k T / C."""

    points: tuple[NoisePoint, ...]

    def figures(self) -> Sequence[ResultRow]:
        """Simulated value and ratio of every point."""
        out = []
        for p in self.points:
            at = f"{p.condition}, {p.switch} reset" if p.unit == "V" else f"{p.condition}, count {p.count}"
            out.append(ResultRow("thermal noise", p.simulated, p.unit, at))
            out.append(ResultRow("over the closed form", p.ratio, "", at))
        return out

    def charts(self) -> Sequence[Chart]:
        """Simulated noise and the closed form of every point."""
        if not self.points:
            return ()
        caption = (
            "ngspice's noise analysis against the closed form, k T / C or 4 k T / R: equal with an ideal switch; a "
            "transistor's junctions add capacitance."
        )
        return (Chart("points", "Thermal noise", caption, self._draw_points, height_for(len(self.points))),)

    def _draw_points(self, axes: Axes) -> None:
        simulated, closed = (np.array([getattr(p, n) for p in self.points]) for n in ("simulated", "closed_form"))
        scale, unit = axis_scale([*simulated, *closed], self.points[0].unit)
        places = np.arange(len(self.points))
        axes.barh(places, simulated / scale, height=0.6, color=SERIES[0], label="simulated")
        axes.plot(closed / scale, places, linestyle="none", marker="|", markersize=16, color=INK, label="closed form")
        label_bars(axes, places, [f"{p.condition}, {p.switch} switch" for p in self.points])
        axes.set(xlabel=f"rms, {unit}")
        legend_below(axes, 2)


def measure_noise(setup: Testbench, bench: ColumnTestbench, results: ProcedureResults) -> Noise:
    """k T / C of the reset (charge), or 4 k T / R at the virtual ground (current), at every condition."""
    read = _charge if setup.unit == "V" else _current
    return Noise(tuple(p for condition in setup.conditions for p in read(setup.at(condition), bench, condition)))


def _deck(
    setup: Testbench,
    condition: Condition,
    case: ColumnStimulus,
    last: float,
    switch: Literal["ideal", "transistor"] = "ideal",
) -> ColumnDeck:
    """Noise of a case from FIRST to `last` Hz."""
    return noise_deck(
        setup.technology,
        setup.model,
        setup.periphery,
        condition,
        setup.simulated_case(case),
        first=FIRST_FREQUENCY,
        last=last,
        switch=switch,
    )


def _charge(setup: Testbench, bench: ColumnTestbench, condition: Condition) -> list[NoisePoint]:
    n = setup.rows
    case = stimulus_of(setup, draw_pattern(setup, "random0", n, setup.max_count // 2))
    read = column_read(setup.model, setup.periphery, condition, case)
    total = capacitance = bit_line_total(setup.model, read)
    if len(setup.model.bit_lines) > 1:
        # of a difference: k T times what the inverse of the lines' capacitance matrix gives for it
        signs = np.array([line.sign for line in setup.model.bit_lines], dtype=np.float64)
        capacitance = 1.0 / float(signs @ np.linalg.solve(charge_balance(setup.model, read)[0], signs))
    expected = charge_noise(capacitance, condition.kelvin)
    pole = 1.0 / (2.0 * np.pi * setup.periphery.switch_resistance * total)
    last = float(10.0 ** (np.ceil(np.log10(pole)) + DECADES_ABOVE))
    bench.count("closed_form", 1)
    kinds: tuple[Literal["ideal", "transistor"], ...] = ("ideal", "transistor")
    decks = [_deck(setup, condition, case, last, kind) for kind in kinds]
    runs = bench.run(f"noise_{condition.label}", decks)
    found = [float(np.real(r.signals[TOTAL].values[-1])) for r in runs]
    return [
        NoisePoint(condition.label, kind, case.count, "V", value, expected, value / expected)
        for kind, value in zip(kinds, found, strict=True)
    ]


def _current(setup: Testbench, bench: ColumnTestbench, condition: Condition) -> list[NoisePoint]:
    n = setup.rows
    cases = [stimulus_of(setup, draw_pattern(setup, "random0", n, count)) for count in sorted({1, max(n // 2, 1), n})]
    decks = [_deck(setup, condition, case, 1e3 * FIRST_FREQUENCY) for case in cases]
    out = []
    bench.count("closed_form", len(cases))
    plug = setup.model.at(condition.temperature).value("R_plug")
    for case, result in zip(cases, bench.run(f"noise_{condition.label}", decks), strict=True):
        value = float(np.real(result.signals[DENSITY].values[0]))
        expected = float(np.sqrt(4.0 * BOLTZMANN * condition.kelvin * case.count / plug))
        point = NoisePoint(condition.label, "ideal", case.count, "A/sqrt(Hz)", value, expected, value / expected)
        out.append(point)
    return out


PROCEDURE = measured(
    "noise", "thermal noise in closed form against the engine's noise analysis", measure_noise, result=Noise
)

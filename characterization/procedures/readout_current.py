"""`readout_current`: the level against count, time and place in the array, and the map of what is lost on the way.

The map is an exact solution of the linear array with ideal drivers, checked in ngspice at its corners; levels with
transistors are simulated at the same places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from characterization.charts import INK, SERIES, Chart, axis_scale
from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.loss_map import LossMap, charge_map, current_loss, spread_indices, thinned
from characterization.patterns import ColumnPattern
from characterization.procedure_result import DataclassResult, ResultRow
from characterization.procedures.read_levels import ReadSampling, read_levels, sampling_rows
from characterization.procedures.registry import ProcedureResults, measured
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray
from netlists.case import ColumnStimulus
from netlists.condition import Condition
from netlists.reference import reference_column

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COUNTS = 9
CURVE_POINTS = 21


@dataclass(frozen=True)
class LevelCurve:
    """All rows active at one condition. level (counts,): at the read, V or A; ideal: by the cell's simple formula
    (no wire, driver or sense resistance; of a charge cell without the reset's charge). time (times,): s from the start
    of the input edge; wave (counts, times): the level then."""

    condition: str
    counts: tuple[int, ...]
    level: FloatArray
    ideal: FloatArray
    time: FloatArray
    wave: FloatArray


@dataclass(frozen=True, slots=True)
class MapPoint:
    """A counting cell at a row and a column. step: what it adds with transistors, V or A; error: its standard error, 0
    where its reads are simulated; relative: over the mean of all places. exact, engine: what it adds with ideal
    periphery by the linear network and by ngspice; difference: relative."""

    row: int
    column: int
    step: float
    relative: float
    exact: float
    engine: float
    difference: float
    error: float = 0.0


@dataclass(frozen=True)
class ReadoutCurrent(DataclassResult):
    """Curves at every condition, places and map at the nominal one. checked: the largest relative difference between
    ngspice and the exact network at the places. map_difference: of the map (the whole crossbar) from ngspice's column,
    whose far columns are lumped; None for a charge cell, whose map is made of columns. sampling: decks of the
    places."""

    unit: str
    curves: tuple[LevelCurve, ...]
    places: tuple[MapPoint, ...]
    map: LossMap
    checked: float
    map_difference: float | None
    sampling: tuple[ReadSampling, ...] = ()

    def figures(self) -> Sequence[ResultRow]:
        """Full level at every condition, spread over places, worst loss, differences."""
        out = []
        for c in self.curves:
            swing = float(c.level[-1] - c.level[0])
            out.append(ResultRow("swing of all counts", swing, self.unit, c.condition))
            out.append(ResultRow("over the simple formula", swing / float(c.ideal[-1] - c.ideal[0]), "", c.condition))
        loss, row, column = self.map.worst
        out.append(ResultRow("largest loss of the map", loss, "", f"row {row}, column {column}"))
        weakest = min(self.places, key=lambda p: p.relative)
        out.append(
            ResultRow(
                "weakest place over the mean, transistors",
                weakest.relative,
                "",
                f"row {weakest.row}, column {weakest.column}",
            )
        )
        out.append(ResultRow("ngspice against the exact network", self.checked, ""))
        if self.map_difference is not None:
            out.append(ResultRow("ngspice's column against the map", self.map_difference, ""))
        return out + sampling_rows(self.sampling)

    def charts(self) -> Sequence[Chart]:
        """Levels in time at the nominal condition."""
        if not self.curves:
            return ()
        caption = "Each curve is one count, all rows active; a dot is its end."
        return (Chart("waves", "Level in time", caption, self._draw_waves),)

    def _draw_waves(self, axes: Axes) -> None:
        curve = self.curves[0]
        scale, unit = axis_scale([*curve.level, *curve.wave.ravel()], self.unit)
        clock, seconds = axis_scale(curve.time, "s")
        shades = np.linspace(0.25, 1.0, len(curve.wave))
        for k, (shade, count, wave) in enumerate(zip(shades, curve.counts, curve.wave, strict=True)):
            label = f"count {count}" if k in (0, len(curve.wave) - 1) else None
            axes.plot(curve.time / clock, wave / scale, color=SERIES[0], alpha=float(shade), label=label)
            axes.plot(curve.time[-1] / clock, wave[-1] / scale, color=INK, marker="o", markersize=2.5)
        name = "bit line" if self.unit == "V" else "readout current"
        axes.set(xlabel=f"time, {seconds}", ylabel=f"{name}, {unit}", title=curve.condition)
        axes.legend(loc="best")


def measure_readout_current(setup: Testbench, bench: ColumnTestbench, results: ProcedureResults) -> ReadoutCurrent:
    """Curves, places, map."""
    curves = tuple(_curve(setup, bench, condition) for condition in setup.conditions)
    nominal = setup.conditions[0]
    last = setup.columns - 3
    positions = tuple(sorted({0, last // 2, last}))
    found, sampling = _places(setup, bench, results, nominal, positions)
    if setup.unit == "A":
        bench.count("linear", 1)
        full = current_loss(setup, nominal)
        loss = thinned(full)
        difference = _against_map(setup, bench, nominal, positions, full)
    else:
        bench.count("linear", 2 * len(positions))
        loss, difference = charge_map(setup, nominal, positions), None
    checked = max(abs(p.difference) for p in found)
    return ReadoutCurrent(setup.unit, curves, found, loss, checked, difference, (sampling,))


def _curve(setup: Testbench, bench: ColumnTestbench, condition: Condition) -> LevelCurve:
    n, t = setup.rows, setup.timing
    counts = spread_indices(n + 1, COUNTS)
    cases = [stimulus_of(setup, draw_pattern(setup, "random0", n, c)) for c in counts]
    decks = [bench.deck(condition, case) for case in cases]
    runs = bench.run(f"readout_current_{condition.label}", decks)
    bench.count("closed_form", len(cases))
    moments = np.linspace(t.input_start, t.read_at, CURVE_POINTS)
    waves = [
        np.interp(
            moments,
            np.asarray(r.signals["time"].values, dtype=np.float64),
            np.asarray(r.signals[d.target].values, dtype=np.float64),
        )
        for d, r in zip(decks, runs, strict=True)
    ]
    return LevelCurve(
        condition.label,
        counts,
        np.array([bench.read(d, r)[0] for d, r in zip(decks, runs, strict=True)]),
        np.array(
            [reference_column(setup.at(condition).model, setup.periphery, condition, c).closed_form for c in cases]
        ),
        moments - t.input_start,
        np.array(waves),
    )


def _single(setup: Testbench, row: int | None, position: int) -> ColumnStimulus:
    """All rows active, only one (or none) counting, neighbours as the layer stores."""
    base = draw_pattern(setup, "random0", setup.rows, 0)
    bits = base.bits.copy()
    if row is not None:
        bits[row, 1] = 1
    return stimulus_of(setup, replace(base, bits=bits, position=position))


def _places(
    setup: Testbench, bench: ColumnTestbench, results: ProcedureResults, condition: Condition, positions: Sequence[int]
) -> tuple[tuple[MapPoint, ...], ReadSampling]:
    rows = tuple(sorted({0, setup.rows // 2, setup.rows - 1}))
    ideal = replace(setup.periphery, kind="ideal")
    cases = {(r, p): _single(setup, r, p) for p in positions for r in (None, *rows)}
    name = f"readout_current_place_{condition.label}"
    # what the correction says is compared with the first and the last of them
    levels = read_levels(setup, bench, results, name, condition, list(cases.values()), simulated=(0, len(cases) - 1))
    real = levels.value
    engine = bench.levels(f"{name}_ideal", [bench.deck(condition, c, periphery=ideal) for c in cases.values()])
    bench.count("linear", len(cases))
    exact = [reference_column(setup.at(condition).model, ideal, condition, c).value for c in cases.values()]
    keys = list(cases)

    def step(levels: Sequence[float] | FloatArray, row: int, position: int) -> float:
        return float(levels[keys.index((row, position))] - levels[keys.index((None, position))])

    wanted = [(r, p) for p in positions for r in rows]
    mean = float(np.mean([step(real, r, p) for r, p in wanted]))
    out = []
    for r, p in wanted:
        mine, reported = step(exact, r, p), step(engine, r, p)
        here = step(real, r, p)
        weights = np.zeros(len(keys))
        weights[[keys.index((r, p)), keys.index((None, p))]] = (1.0, -1.0)
        error = levels.combined(weights)[1]
        out.append(MapPoint(r, p + 1, here, here / mean, mine, reported, reported / mine - 1.0, error))
    return tuple(out), levels.sampling


def _against_map(
    setup: Testbench, bench: ColumnTestbench, condition: Condition, positions: Sequence[int], loss: FloatArray
) -> float:
    """Largest relative difference of a row's own current between ngspice's column and the whole crossbar of the map."""
    n = setup.rows
    ideal = replace(setup.periphery, kind="ideal")
    alone = setup.periphery.read_voltage / setup.at(condition).model.at(condition.temperature).value("R_plug")
    spots = [(r, p) for p in positions for r in (0, n - 1)]
    decks = []
    for r, p in spots:
        inputs = np.zeros(n, dtype=np.uint8)
        inputs[r] = 1
        case = ColumnPattern("ones", np.ones((n, 3), dtype=np.uint8), inputs, p).case(setup.columns, 1.0)
        decks.append(bench.deck(condition, case, periphery=ideal))
    levels = bench.levels(f"readout_current_map_{condition.label}", decks)
    exact = [alone * (1.0 - loss[r, p + 1]) for r, p in spots]
    return float(np.abs(levels / np.array(exact) - 1.0).max())


def readout_current_refusal(setup: Testbench) -> str | None:
    """Curves and the map are drawn for cells that store a one or a zero."""
    return None if setup.levels == 2 else f"its curves are of cells of two symbols, it has {setup.levels}"


PROCEDURE = measured(
    "readout_current",
    "level against count, time and place; map of the loss on the wires",
    measure_readout_current,
    anchored=True,
    refuses=readout_current_refusal,
    result=ReadoutCurrent,
)

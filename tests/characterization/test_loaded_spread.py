"""The spread of a line that its cells load: against the exact network with single cells changed; nothing biased."""

from __future__ import annotations

import numpy as np
import pytest

from characterization.fit import LineLoad, fit_spread
from characterization.procedures.mismatch import line_load, pattern_at
from characterization.testbench import Converter, Testbench, Variation
from interconnect.extraction import extract
from netlists.case import Deviations
from netlists.cells import make_cell
from netlists.cells.base import Plane
from netlists.condition import Condition
from netlists.periphery import Periphery, Timing
from netlists.reference import reference_column
from netlists.technology import load_technology

ROWS = 8
TT = Condition("tt", 1.0, 27.0)


def make_setup() -> Testbench:
    technology = load_technology("generic28", "open45")
    model = make_cell("cap_balanced", {}).model(
        technology.stack, Plane("M2", "M3"), lambda g, s: extract(g, s, method="formula")
    )
    return Testbench(
        technology=technology,
        model=model,
        periphery=Periphery(sense_capacitance=1e-16),
        timing=Timing(),
        rows=ROWS,
        columns=16,
        conditions=(TT,),
        variation=Variation(0.1, "test"),
        converter=Converter(0.0, 0.0, 5e-9),
        samples=30,
    )


@pytest.mark.parametrize("count", [3, 6])
def test_a_cell_moves_the_level_by_what_its_drive_is_above_it_or_by_the_level(count: int) -> None:
    setup = make_setup()
    pattern = pattern_at(setup, ROWS, count)

    def level(cell: np.ndarray | None) -> float:
        case = pattern.case(setup.columns, setup.ones, None if cell is None else Deviations(cell=cell))
        return float(reference_column(setup.model, setup.periphery, TT, case).value)

    rest, step = level(None), 1e-3
    moves = np.zeros(ROWS)
    for row in range(ROWS):
        cell = np.ones((ROWS, 3))
        cell[row, 1] += step
        moves[row] = (level(cell) - rest) / step
    empty = pattern_at(setup, 0, 0).case(setup.columns, setup.ones, None)
    share = (rest - float(reference_column(setup.model, setup.periphery, TT, empty).value)) / TT.vdd
    counted = (pattern.bits[:, 1] * pattern.inputs).astype(bool)
    assert counted.sum() == count
    # d level / d C: (drive - level) / C of the line for a counted cell, -level / C for every other one
    assert moves[~counted].mean() / moves[counted].mean() == pytest.approx(-share / (1 - share), rel=0.1)
    # variance of independent cells, one on an empty line (level 0, drive 1) moving `unit`
    unit = moves[counted].mean() / (1 - share)
    expected = float((moves**2).sum()) / unit**2
    # the load by levels of other patterns, all rows active: counts 0, 4 and 8
    patterns = [pattern_at(setup, ROWS, c) for c in (0, 4, 8)]
    levels = [
        float(reference_column(setup.model, setup.periphery, TT, p.case(setup.columns, setup.ones, None)).value)
        for p in patterns
    ]
    active, counts = np.full(4, 8.0), np.array([0.0, 4.0, 8.0, 0.0])
    active[3] = 4.0
    half = pattern_at(setup, 4, 0).case(setup.columns, setup.ones, None)
    levels.append(float(reference_column(setup.model, setup.periphery, TT, half).value))
    load = line_load(setup, TT, active, counts, np.array(levels))
    assert load is not None
    assert load.per_count * count + load.per_active * ROWS == pytest.approx(share, rel=0.02)
    assert float(load.moving(np.array(ROWS), np.array(count))) == pytest.approx(expected, rel=0.05)


def test_the_mean_of_fitted_variances_is_the_true_one() -> None:
    points = np.array([(0, 0), (8, 0), (8, 8), (16, 0), (16, 8), (16, 16)], dtype=float)
    active, count = points.T
    load = LineLoad(16, 0.03, 0.01)
    true = 0.01 + 0.09 * load.moving(active, count)
    chips, rng = 12, np.random.default_rng(5)
    found = [
        fit_spread(TT, active, count, true * rng.chisquare(chips - 1, 6) / (chips - 1), np.full(6, chips), load=load)
        for _ in range(400)
    ]
    at = np.array([16.0, 16.0]), np.array([4.0, 12.0])
    mean = np.mean([model(*at) ** 2 for model in found], axis=0)
    # weights by the samples' own variances leave it 2 / 11 per independent point low: more than 10 % here
    assert mean == pytest.approx(0.01 + 0.09 * load.moving(*at), rel=0.04)


def test_a_read_of_no_row_says_nothing_of_the_form() -> None:
    active, count = np.array([(0, 0), (8, 0), (8, 8), (16, 0), (16, 8), (16, 16)], dtype=float).T
    variance, draws = 10.0 + count, np.full(6, 100_000.0)
    assert fit_spread(TT, active, count, variance, draws).misfit == pytest.approx(0.0, abs=0.002)
    without_row = fit_spread(TT, active, count, variance * np.where(active > 0, 1.0, 25.0), draws)
    with_rows = fit_spread(TT, active, count, variance * np.where(count == 8, 25.0, 1.0), draws)
    assert without_row.misfit < 0.2 * with_rows.misfit

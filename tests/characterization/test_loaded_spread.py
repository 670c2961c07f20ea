"""The second form of a charge cell's spread against the exact network with single cells changed."""

from __future__ import annotations

import numpy as np
import pytest

from characterization.fit import fit_spread
from characterization.procedures.mismatch import has_loaded_count, loaded_count, pattern_at
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
    assert has_loaded_count(setup)
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
    assert float(loaded_count(setup, np.array(count), np.array(share))) == pytest.approx(expected, rel=0.05)


def test_a_read_of_no_row_says_nothing_of_the_form() -> None:
    active, count = np.array([(0, 0), (8, 0), (8, 8), (16, 0), (16, 8), (16, 16)], dtype=float).T
    variance, draws = 10.0 + count, np.full(6, 100_000.0)
    assert fit_spread(TT, active, count, variance, draws).misfit == pytest.approx(0.0, abs=0.002)
    without_row = fit_spread(TT, active, count, variance * np.where(active > 0, 1.0, 25.0), draws)
    with_rows = fit_spread(TT, active, count, variance * np.where(count == 8, 25.0, 1.0), draws)
    assert without_row.misfit < 0.2 * with_rows.misfit

"""Spread of many patterns by the linear network, against the network node by node."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from characterization.column_testbench import ColumnTestbench
from characterization.linear_column import exact_level
from characterization.pattern_search import LINE_PATTERNS, draw, fit_ideal_line
from characterization.procedures.pattern_spread import PatternSpread, measure_pattern_spread, spread
from characterization.testbench import Testbench


@pytest.mark.parametrize("name", ["charge_setup", "current_setup"])
def test_deviations_are_those_of_the_full_network(name: str, request: pytest.FixtureRequest) -> None:
    setup: Testbench = request.getfixturevalue(name)
    condition, place, number = setup.conditions[0], 29, 60
    found = spread(setup, condition, place, number)
    # The same draws, solved one by one on the whole network; the line by numpy's polynomial of two variables.
    rng = np.random.default_rng(np.random.SeedSequence([setup.seed, 8]))
    lined = draw(setup.rows, LINE_PATTERNS, setup.ones, rng)
    genes = draw(setup.rows, number, setup.ones, rng)

    def level(g: np.ndarray) -> float:
        return exact_level(setup, condition, place, g[:, 1:], g[:, 0])

    few = lined[:40]

    class Exact:
        def levels(self, bits: np.ndarray, inputs: np.ndarray) -> np.ndarray:
            both = np.concatenate([inputs[:, :, None], bits], axis=2)
            return np.array([level(g) for g in both])

    line = fit_ideal_line(Exact(), few)
    exact = np.array([level(g) for g in genes])
    count = (genes[:, :, 0] * genes[:, :, 2]).sum(axis=1)
    deviation = (exact - line.offset - line.slope * count - line.shift * genes[:, :, 0].sum(axis=1)) / line.slope
    # Another 40 patterns give nearly the line of 500.
    assert found.rms == pytest.approx(float(np.sqrt(np.mean(deviation**2))), rel=0.2, abs=1e-6)
    assert found.largest == pytest.approx(float(np.abs(deviation).max()), rel=0.3, abs=1e-6)
    assert found.rms <= found.largest
    for c, row in enumerate(found.by_count):
        assert (row is None) == (np.count_nonzero(count == c) < 2)


def test_more_patterns_find_more_and_repeat(charge_setup: Testbench) -> None:
    condition = charge_setup.conditions[0]
    few, many = (spread(charge_setup, condition, 0, n) for n in (500, 25_000))
    assert many == spread(charge_setup, condition, 0, 25_000)
    assert many.largest >= few.largest
    assert many.rms == pytest.approx(few.rms, rel=0.2)
    assert many.wrong <= 1e-3  # four rows: half an LSB is far


def test_finding_of_all_conditions(charge_setup: Testbench) -> None:
    hot = replace(charge_setup.conditions[0], temperature=85.0)
    setup = replace(charge_setup, conditions=(charge_setup.conditions[0], hot), spread_patterns=2000)
    bench = ColumnTestbench(setup)
    found = measure_pattern_spread(setup, bench, {})
    assert isinstance(found, PatternSpread)
    assert [(s.condition, s.position) for s in found.spreads] == [
        (c.label, p) for c in setup.conditions for p in (0, setup.columns - 3)
    ]
    assert bench.outcome.linear == 4 * (2000 + LINE_PATTERNS)
    assert bench.outcome.simulated == 0
    assert len(found.figures()) == 4

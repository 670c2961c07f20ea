"""Group size of a readout chain: code error of straight levels by the normal law, and which sizes are simulated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from characterization import chain_group
from characterization.campaign import CampaignOutcome
from characterization.chain_group import candidate_of, choose_chain_group
from characterization.group_size import GroupCandidate
from characterization.readout.chain_noise import ChainNoisePoint
from characterization.readout.converter_spread import converter_spread
from characterization.testbench import Variation
from netlists.readout.chain import ReadoutChain
from tests.builders import make_testbench

STEP, LINE, COMPARATOR, SHIFT = 10e-3, 1e-3, 0.6e-3, 0.8e-3
COUNTS = np.array([0.0, 1, 2, 3, 4])
POINT = ChainNoisePoint("tt", 0.6, LINE, (0.0, 0.0, 0.0), 0.0, COMPARATOR)


def candidate(levels: np.ndarray, cell_sigma: float = 0.025, active: int = 4) -> GroupCandidate:
    """Four rows of complement-driven binary cells, `active` of them driven in every conversion, every count alike."""
    setup = make_testbench(rows=4, chain=ReadoutChain(), variation=Variation(cell_sigma, "test"))
    setup = replace(setup, model=setup.model.complement_driven())
    used = np.zeros((5, 5))
    used[active, : active + 1] = 1.0
    return candidate_of(setup, ReadoutChain(), POINT, COUNTS, levels, used, 1e-4)


def test_straight_levels_err_by_the_normal_law() -> None:
    level = STEP * (COUNTS - 2)
    found = candidate(np.stack([level, level + SHIFT]))
    # A driven cell moves the line by half of a count, whatever it counts, and all of its coupling varies.
    cells = 0.025 * 0.5 * STEP * np.sqrt(4)
    static = np.hypot(cells, SHIFT)
    offset = converter_spread(ReadoutChain().converter, float(np.hypot(LINE, COMPARATOR)), static).total
    sigma = np.sqrt(LINE**2 + COMPARATOR**2 + static**2 + offset**2)
    # five counts have eight tails between them
    assert found.code_error == pytest.approx(8 / 5 * norm.sf(STEP / 2 / sigma), rel=1e-6)
    assert (found.lsb, found.sigma_noise) == (pytest.approx(STEP), pytest.approx(LINE / STEP))
    assert found.sigma_mismatch == pytest.approx(static / STEP)
    assert found.full_scale_error == pytest.approx(2 * norm.sf(STEP / 2 / sigma), rel=1e-6)


def test_a_gain_error_grows_with_the_difference_and_bent_levels_err_where_they_are_close() -> None:
    level = STEP * (COUNTS - 2)
    quiet = candidate(np.stack([level, level * 1.1]), active=2)  # differences -2, 0 and 2
    loud = candidate(np.stack([level, level * 1.1]))
    assert loud.sigma_mismatch > 1.5 * quiet.sigma_mismatch
    bent = level - 0.1 * STEP * (COUNTS - 2) ** 2
    found = candidate(bent[None])
    # Levels -2.4, -1.1, 0, 0.9 and 1.6 steps: thresholds midway, the fourth level lies between the two closest.
    sigma = np.sqrt(found.sigma_noise**2 + found.sigma_mismatch**2 + found.sigma_converter**2)
    assert found.full_scale_error == pytest.approx(norm.sf(0.45 / sigma) + norm.sf(0.35 / sigma), rel=1e-6)


def test_levels_that_fall_or_leave_the_converter_are_no_group() -> None:
    level = STEP * (COUNTS - 2)
    assert candidate(-level[None]).code_error == 1
    assert candidate(100 * level[None]).code_error == 1


@pytest.mark.parametrize(
    ("largest", "chosen", "simulated"), [(20, 20, [16, 20, 24]), (99, 32, [16, 24, 32]), (1, 4, [4, 8, 16])]
)
def test_bisection_simulates_three_of_seven(
    monkeypatch: pytest.MonkeyPatch, largest: int, chosen: int, simulated: list[int]
) -> None:
    def rated(setup: int, *_: object, **__: object) -> tuple[GroupCandidate, list[CampaignOutcome]]:
        found = GroupCandidate(setup, 1e-2, 0.1, 0.1, 0.1, 1e-6 * setup, 1e-3, setup <= largest)
        return found, [CampaignOutcome((), 40, 1, {"ok": 41}, 1.0, "ngspice")]

    monkeypatch.setattr(chain_group, "rate_chain_group", rated)
    rows = (4, 8, 12, 16, 20, 24, 32)
    found = choose_chain_group(lambda n: n, rows, lambda n: np.ones((1, 1)), 1e-4)  # type: ignore[arg-type, return-value]
    assert (found.rows, [c.rows for c in found.candidates]) == (chosen, simulated)
    assert (found.outcome.simulated, found.outcome.cached, found.outcome.verdicts) == (120, 3, {"ok": 123})

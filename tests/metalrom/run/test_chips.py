"""Step of a count over chips from corners of the metals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from metalrom.run.chips import CORNER_SIGMAS, step_sigma
from netlists.condition import Condition
from tests.builders import make_readout_table

STEPS = {"nominal": 10e-3, "LSBmin": 9.1e-3, "LSBmax": 11e-3}


def test_corners_of_the_metals_lie_three_sigma_from_each_side() -> None:
    conditions = (*(Condition("tt", 1.0, 27.0, beol) for beol in STEPS), Condition("ss", 1.0, 27.0))
    count = np.arange(5.0)
    steps = np.array([*STEPS.values(), 5e-3])  # another process does not count
    level = steps[:, None, None] * np.broadcast_to(count, (4, 5, 5))
    table = make_readout_table(4, conditions, level=level, sigma_static=1e-3)
    assert step_sigma(table, conditions[0]) == pytest.approx(math.log(11 / 9.1) / (2 * CORNER_SIGMAS), rel=1e-12)
    assert step_sigma(table, conditions[1]) == step_sigma(table, conditions[0])
    assert step_sigma(table, conditions[3]) == 0.0

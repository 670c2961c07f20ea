"""Small groups of both characterized cells, values by formula."""

from __future__ import annotations

import pytest

from characterization.testbench import Testbench
from tests.builders import make_testbench


@pytest.fixture(scope="session")
def charge_setup() -> Testbench:
    """The balanced capacitive cell."""
    return make_testbench("cap_balanced", columns=32, patterns=1, samples=30)


@pytest.fixture(scope="session")
def current_setup() -> Testbench:
    """The resistive cell, 1 Mohm."""
    return make_testbench("res_via", columns=32, patterns=1, samples=30)

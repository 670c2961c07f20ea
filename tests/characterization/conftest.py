"""Small groups of both characterized cells, values by formula."""

from __future__ import annotations

import pytest

from characterization.testbench import Converter, Testbench, Variation
from interconnect.extraction import extract
from netlists.cells import make_cell
from netlists.cells.base import Plane
from netlists.condition import Condition
from netlists.periphery import Periphery, Timing
from netlists.technology import load_technology

TT = Condition("tt", 1.0, 27.0)


def small_setup(kind: str) -> Testbench:
    """Four rows of a cell in an array of 32 columns."""
    technology = load_technology("generic28", "open45")
    model = make_cell(kind).model(technology.stack, Plane("M2", "M3"), lambda g, s: extract(g, s, method="formula"))
    return Testbench(
        technology=technology,
        model=model,
        periphery=Periphery(kind="transistor", sense_capacitance=1e-16),
        timing=Timing(),
        rows=4,
        columns=32,
        conditions=(TT,),
        variation=Variation(0.03, "test"),
        converter=Converter(0.05, 0.02, 5e-9),
        patterns=1,
        samples=30,
    )


@pytest.fixture(scope="session")
def charge_setup() -> Testbench:
    """The balanced capacitive cell."""
    return small_setup("cap_balanced")


@pytest.fixture(scope="session")
def current_setup() -> Testbench:
    """The resistive cell, 1 Mohm."""
    return small_setup("res_via")

"""The corner that is worst for the step per count, found by sensitivities, is the one that the stacks ship."""

from __future__ import annotations

from functools import partial

import pytest

from interconnect import extract
from interconnect.errors import InputError, UnsupportedCell
from interconnect.stackfile import load_stack
from interconnect.variation import stack_at_corner
from netlists.cells import make_cell
from netlists.cells.base import Plane
from netlists.cells.cap_balanced import CapBalanced
from netlists.worst_corner import step_per_volt, worst_step_corner

CELL = CapBalanced(row_pitch=200e-9, column_pitch=300e-9, row_width=50e-9, column_width=50e-9, tab_length=150e-9)
PLANE = Plane("M2", "M3")
FORMULA = partial(extract, method="formula")


def test_the_shipped_ratio_corner_is_the_worst_by_sensitivities() -> None:
    stack = load_stack("generic28")
    found = worst_step_corner(CELL, stack, PLANE, FORMULA, rows=32, c_extra=0.5e-15)
    shipped = stack.corner("lsbmin").scaling
    assert (found.scaling.width, found.scaling.thickness, found.scaling.ild, found.scaling.k) == (
        shipped.width, shipped.thickness, shipped.ild, shipped.k
    )  # fmt: skip
    # Both by the same extraction: the corner itself against the first order of the logarithms.
    steps = [
        step_per_volt(CELL.model(s, PLANE, FORMULA), 32, 0.5e-15) for s in (stack, stack_at_corner(stack, "LSBmin"))
    ]
    assert steps[1] / steps[0] - 1.0 == pytest.approx(found.change, abs=0.01)


def test_every_corner_of_capacitance_and_resistance_is_milder() -> None:
    for name, plane in (("generic28", PLANE), ("open45", Plane("metal2", "metal3"))):
        stack, cell = load_stack(name), CapBalanced()

        def step(corner: str, stack: object = stack, cell: CapBalanced = cell, plane: Plane = plane) -> float:
            return step_per_volt(cell.model(stack_at_corner(stack, corner), plane, FORMULA), 32)  # type: ignore[arg-type]

        steps = {c.name: step(c.name) for c in stack.corners}
        assert min(steps, key=steps.__getitem__) == "LSBmin"
        assert max(steps, key=steps.__getitem__) == "LSBmax"
        assert {stack.corner(n).provenance.status for n in ("LSBmin", "LSBmax")} == {"estimate"}


def test_what_has_no_such_corner_is_refused() -> None:
    with pytest.raises(InputError, match="stack sky130 has no corners"):
        worst_step_corner(CapBalanced(), load_stack("sky130"), Plane("met1", "met2"), FORMULA, rows=8)
    with pytest.raises(UnsupportedCell, match="follows its resistor"):
        worst_step_corner(make_cell("res_via"), load_stack("generic28"), PLANE, FORMULA, rows=8)

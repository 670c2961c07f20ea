"""A plane that errs more than the one whose table verdicts take is named."""

from __future__ import annotations

from metalrom.run.evaluate import plane_warnings
from metalrom.run.results import PlaneSummary


def plane(label: str, margin: float, error: float) -> PlaneSummary:
    return PlaneSummary((label,), "inner", margin, error, "ss_1.00V_85C", simulated=False, rows_above=True)


def test_a_plane_with_more_code_errors_is_named() -> None:
    planes = (plane("M2-M3", 3.2, 6.5e-6), plane("M4-M5", 3.0, 2.3e-6))  # the smaller margin errs less
    (text,) = plane_warnings(planes, taken=2.3e-6)
    assert "plane M2-M3 errs more: 6.5e-06 at ss_1.00V_85C" in text


def test_nothing_is_said_where_the_taken_plane_is_the_worst() -> None:
    assert plane_warnings((plane("M2-M3", 3.0, 6.5e-6), plane("M4-M5", 3.2, 2.3e-6)), taken=6.5e-6) == ()
    assert plane_warnings((), taken=1e-4) == ()

"""Idle rows as equivalent loads against the whole column: exact networks, waveforms, and ngspice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from interconnect.errors import InputError
from netlists.case import ColumnStimulus, Deviations
from netlists.cells.base import CellModel
from netlists.column import Periphery, Timing, column_deck
from netlists.condition import Condition
from netlists.equivalent import equivalent_case, equivalent_deck
from netlists.reference import reference_column
from netlists.technology import Technology
from ngspice_runner import Job, run

IDEAL = Periphery(kind="ideal")
AT = Condition("tt", 0.9, 27.0)


def random_case(seed: int, rows: int = 24, active: float = 0.3, columns: int = 3) -> ColumnStimulus:
    rng = np.random.default_rng(seed)
    return ColumnStimulus(
        bits=rng.integers(0, 2, (rows, columns)),
        inputs=(rng.random(rows) < active).astype(int),
        position=5,
        columns_total=40,
        deviations=Deviations(cell=1 + 0.05 * rng.standard_normal((rows, columns))),
    )


@pytest.mark.parametrize("where", ["kept", "merged"])
@pytest.mark.parametrize("kind", ["cap_model", "res_model"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_level_stays_within_a_part_per_thousand(
    seed: int, kind: str, where: str, request: pytest.FixtureRequest
) -> None:
    model: CellModel = request.getfixturevalue(kind)
    case = random_case(seed)
    short_model, short = equivalent_case(model, case, where=where)  # type: ignore[arg-type]
    assert short.rows < case.rows
    assert short.count == case.count
    assert short.active == case.active
    whole = reference_column(model, IDEAL, AT, case)
    found = reference_column(short_model, IDEAL, AT, short)
    # Settled charge sharing: idle rows end at 0 V exactly, so lumping changes nothing but rounding. Currents: idle
    # resistors (half of some 17) drain the bit line, 0.1 mV high, through 200 kohm each; lumping neglects the drivers'
    # 1 kohm of that and, merged, the place along a line of 24 x 0.5 ohm.
    limit = 1e-9 if model.mode == "charge" else 3e-4
    np.testing.assert_allclose(found.columns, whole.columns, rtol=limit)


def test_the_reported_error_is_that_of_ngspice(cap_model: CellModel, technology: Technology) -> None:
    case, timing = random_case(7, rows=32, active=0.2), Timing()
    deck, error = equivalent_deck(technology, cap_model, IDEAL, timing, AT, case)
    full = column_deck(technology, cap_model, IDEAL, timing, AT, case)
    levels = []
    for d in (full, deck):
        result = run(Job(text=d.text, outputs=d.outputs, stop=d.stop))
        assert result.ok, result.log
        assert "warning" not in result.log.lower()
        levels.append(float(result.signals[d.target].values[-1]))
    assert error.modelled_rows < error.rows == 32
    assert error.waveform is not None
    assert error.read is not None
    assert abs(error.read) <= error.waveform < 5e-3 * error.full
    # ngspice resolves 1e-6 of the level at these tolerances.
    assert levels[1] - levels[0] == pytest.approx(error.read, abs=3e-6 * abs(error.full))


def test_far_columns_become_a_load(cap_model: CellModel, technology: Technology) -> None:
    case = random_case(3, columns=7)
    deck, error = equivalent_deck(technology, cap_model, IDEAL, Timing(), AT, case, keep_columns=3, waveform=False)
    assert (error.columns, error.modelled_columns, error.waveform) == (7, 3, None)
    # The load stands for columns of half ones; the neighbours' couplings of 1.3 aF of 33 aF decide the rest.
    assert 0 < abs(error.relative) < 5e-3
    assert len(deck.columns) == 3
    narrow = equivalent_case(cap_model, case, keep_columns=3)[1]
    assert (narrow.position, narrow.beyond) == (7, 30)


def test_extreme_cases(cap_model: CellModel) -> None:
    case = random_case(1)
    idle = replace(case, inputs=np.zeros(24, dtype=int))
    assert equivalent_case(cap_model, idle)[1].rows == 1
    driven = replace(case, inputs=np.ones(24, dtype=int))
    same_model, same = equivalent_case(cap_model, driven, where="merged")
    assert same_model == cap_model
    np.testing.assert_array_equal(same.bits, driven.bits)
    with pytest.raises(InputError, match="kept or merged"):
        equivalent_case(cap_model, case, where="gone")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="odd number"):
        equivalent_case(cap_model, case, keep_columns=2)

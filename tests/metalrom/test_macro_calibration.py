"""Calibrated converter ranges, column correction, the error budget and the domain of a table."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from characterization.tables.table import Assumption
from interconnect.errors import InputError
from metalrom.macro import Macro, Mitigation, calibrate_columns, calibrate_ranges, csnr, error_budget, synthetic_table
from metalrom.macro.cost import RelativeErrors
from metalrom.macro.readout import EFFECTS, AdcRange, readout_of
from netlists.condition import Condition


def layer(seed=0, sigma=25.0):
    """Activations and weights with the bell-shaped values of a trained layer."""
    rng = np.random.default_rng(seed)
    x = np.clip(rng.normal(0, 30, (64, 256)).round(), -128, 127).astype(int)
    return x, np.clip(rng.normal(0, sigma, (256, 48)).round(), -127, 127).astype(int)


def test_a_converter_with_enough_codes_keeps_one_count_per_code():
    x, w = layer()
    table = synthetic_table(64)
    macro = Macro(table, table.conditions[0])
    found = calibrate_ranges(macro, [(x, w)])
    assert set(found.ranges) == {AdcRange(1.0, 0.0, 65)}
    assert set(found.mean_square) == set(found.clipped) == {0.0}
    assert (Macro(table, table.conditions[0], calibration=found).matmul(x, w) == x @ w).all()


@pytest.mark.parametrize("per", ["plane", "layer"])
def test_calibrated_ranges_beat_the_plain_ones(per):
    """16 codes for counts to 64, half of the cells ones: one count per code clips, four round; the search beats
    both."""
    x, w = layer()
    table = synthetic_table(64, codes=16, sigma_noise=0.1)
    condition, samples = table.conditions[0], [layer(1)]

    def quality(calibration):
        macro = Macro(table, condition, mapping="offset", calibration=calibration)
        return csnr(x @ w, macro.matmul(x, w)).raw

    found = calibrate_ranges(Macro(table, condition, mapping="offset"), samples, per=per)
    coarse = dataclasses.replace(found, ranges=(AdcRange(4.0, 0.0, 16),) * 8)
    assert quality(found) > max(quality(None), quality(coarse)) + 3
    assert all(a <= b for a, b in zip(found.mean_square, found.mean_square_before, strict=True))
    assert (len(set(found.ranges)) == 1) == (per == "layer")
    with pytest.raises(InputError, match="calibration: made for"):
        Macro(table, condition, weight_bits=4, calibration=found)


def test_expected_error_is_what_the_engine_returns():
    """Mean square of single conversions, from the histogram and the spreads, against simulated ones."""
    rng = np.random.default_rng(0)
    table = synthetic_table(16, codes=6, sigma_noise=0.4)
    table = table.replace(level=table.level**1.05)
    options = {"mapping": "unsigned", "weight_bits": 1, "input_bits": 1, "input_signed": False}
    x, w = rng.integers(0, 2, (400, 16)), rng.integers(0, 2, (16, 300))
    macro = Macro(table, table.conditions[0], **options)
    for objective in ("mean_square", "clip"):
        found = calibrate_ranges(macro, [(x, w)], objective=objective, clip_probability=0.05)
        y = Macro(table, table.conditions[0], calibration=found, **options).matmul(x, w)
        assert y.dtype == np.float64 or found.ranges[0].plain
        assert np.mean((y - x @ w) ** 2) == pytest.approx(found.mean_square[0], rel=0.02)
    assert found.clipped[0] <= 0.05


def test_clip_objective_by_hand():
    """Counts 0..40 equally often, 11 codes: full range 4 counts per code; 20 % clipped: 4..36, 3.2 -> 3.25."""
    table = synthetic_table(40, codes=11)
    options = {"mapping": "unsigned", "weight_bits": 1, "input_bits": 1, "input_signed": False}
    macro = Macro(table, table.conditions[0], **options)
    x, w = np.ones((1, 40), int), (np.arange(40)[:, None] < np.arange(41)).astype(int)
    assert calibrate_ranges(macro, [(x, w)], objective="clip", clip_probability=0.0).ranges == (AdcRange(4.0, 0.0, 11),)
    assert calibrate_ranges(macro, [(x, w)], objective="clip", clip_probability=0.2).ranges == (
        AdcRange(3.25, 4.0, 11),
    )


def test_column_correction_removes_frozen_errors_and_says_how_much():
    """Unsigned inputs: a converter's offset is the same in all conversions of a column, a constant of its output. (With
    two's complement inputs the planes' worths add up to -1, and a constant cancels by itself.)"""
    x, w = layer(2)
    x = np.abs(x) * 2
    table = synthetic_table(64, offset_sigma=0.6)
    macro = Macro(table, table.conditions[0], input_signed=False)
    stored, report = calibrate_columns(macro, w, np.abs(layer(3)[0]) * 2)
    ideal = x @ w
    plain, corrected = (np.mean((macro.matmul(x, s) - ideal) ** 2) for s in (macro.store(w), stored))
    assert report.removed > 0.3
    assert 1 - corrected / plain == pytest.approx(report.removed, abs=0.15)
    _, report = calibrate_columns(Macro(table, table.conditions[0]), w, layer(3)[0])
    assert abs(report.removed) < 0.2
    noisy = synthetic_table(64, sigma_noise=0.2)
    _, report = calibrate_columns(Macro(noisy, noisy.conditions[0], input_signed=False), w, x)
    assert abs(report.removed) < 0.2  # noise is no straight line
    with pytest.raises(InputError, match="expected at least 8"):
        calibrate_columns(macro, w, x[:4])


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda m, s: calibrate_ranges(m, []), "no sample products"),
        (lambda m, s: calibrate_ranges(m, s, clip_probability=1.0), "clip_probability is 1"),
        (lambda m, s: AdcRange(0.3, 0.0, 8), "multiple of 1/16"),
        (lambda m, s: AdcRange(-1.0, 0.0, 8), "not a rising range"),
        (lambda m, s: AdcRange(1.0, 0.0, 1), "1 code"),
        (lambda m, s: readout_of(m.table, m.condition, EFFECTS, AdcRange(1.0, 0.0, 99)), "99 codes"),
    ],
)
def test_bad_calibrations_are_refused(action, message):
    with pytest.raises(InputError, match=message):
        action(Macro.ideal(rows=16), [layer()])


def test_budget_names_the_effect_and_the_cause():
    """Only noise acts: alone it makes all of the error, without it none is left; its cause is the extraction."""
    x, w = layer(4)
    table = synthetic_table(64, sigma_noise=0.17)
    budget = error_budget(table, table.conditions[0], x, w, errors=RelativeErrors(extraction=0.1, monte_carlo=0.2))
    by_name = {e.effect: e for e in budget.effects}
    assert set(by_name) == set(EFFECTS)
    assert by_name["noise"].alone == budget.total > 0
    assert by_name["noise"].without == by_name["static"].alone == budget.converter == 0
    assert by_name["static"].without == budget.total
    causes = {c.cause: c for c in budget.causes}
    assert list(causes) == ["fit", "monte_carlo", "extraction", "technology_assumption"]
    assert causes["extraction"].low < budget.total < causes["extraction"].high
    assert causes["monte_carlo"].low == causes["monte_carlo"].high == budget.total  # there is no static spread to scale
    document = json.loads(json.dumps(budget.to_dict(), allow_nan=False))
    assert document["causes"]["fit"] == {"csnr_dB": "unknown", "source": "unknown"}
    assert document["effects"]["noise"]["without_csnr_dB"] is None
    low, high = document["causes"]["extraction"]["csnr_dB"]
    assert low < document["csnr_dB"] < high


def test_budget_varies_what_the_table_calls_assumed():
    x, w = layer(5)
    table = synthetic_table(64, sigma_static=0.15, offset_sigma=0.12)
    known = Assumption("cell mismatch", "1 %", "estimate", "a guess")
    table = table.replace(assumptions=(known,))
    budget = error_budget(table, table.conditions[0], x, w, errors=RelativeErrors(fit=0.002))
    causes = {c.cause: c for c in budget.causes}
    assert causes["technology_assumption"].low < budget.total < causes["technology_assumption"].high
    assert "cell mismatch" in causes["technology_assumption"].source
    assert causes["fit"].high > budget.total
    with pytest.raises(InputError, match="cannot be an option"):
        error_budget(table, table.conditions[0], x, w, effects=("noise",))


def test_a_condition_that_was_not_characterized_is_refused_or_labelled():
    conditions = (Condition("tt", 0.9, 27.0), Condition("tt", 0.9, 125.0), Condition("ss", 0.8, 27.0))
    table = synthetic_table(8)
    table = table.replace(
        conditions=conditions,
        row_energy=np.zeros((3, 9)),
        **{n: np.repeat(getattr(table, n), 3, 0) for n in ("level", "sigma_static", "sigma_noise", "sigma_pattern")},
    )
    hot = Condition("tt", 0.9, 110.0)
    with pytest.raises(InputError, match="not characterized"):
        Macro(table, hot)
    macro = Macro(table, hot, outside_domain=True)
    assert macro.condition == conditions[1]
    note = "condition tt_0.90V_110C was not characterized, read as tt_0.90V_125C"
    assert macro.run(np.ones((1, 8), int), np.ones((8, 1), int)).outside_domain == (note,)
    assert Macro(table, conditions[0], outside_domain=True).outside_domain == ()
    for unknown in (Condition("ff", 0.9, 27.0), "ff"):
        with pytest.raises(InputError, match="not characterized"):
            Macro(table, unknown, outside_domain=True)


def test_planes_with_other_rows_keep_one_count_per_code():
    """A range found for 64 rows does not fit the counts of 16: those planes are read as their own table says."""
    x, w = layer(6)
    table, tables = synthetic_table(64, codes=9), {16: synthetic_table(16)}
    found = calibrate_ranges(Macro(table, table.conditions[0], mapping="offset"), [(x, w)], per="layer")
    options = {"mapping": "offset", "tables": tables, "calibration": found}
    split = Macro(table, table.conditions[0], mitigations=[Mitigation(rows=16)], **options)
    assert found.ranges[0].counts_per_code > 1
    assert (split.matmul(x, w) == x @ w).all()

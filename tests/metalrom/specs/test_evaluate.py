"""Specifications against a synthetic run whose figures are known in closed form."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from scipy.special import ndtr

from characterization.failures import FailedCondition
from characterization.sign_off import sign_off
from characterization.uncertainty import ReadoutUncertainty
from interconnect.errors import InputError
from metalrom.cli.specs import missed, spec_table
from metalrom.run.judge import default_specs, judge_specs
from metalrom.run.readers import read_quantity
from metalrom.run.results import parse_results, write_results
from metalrom.run.view import RunView
from metalrom.specs.grammar import parse_spec
from metalrom.specs.quantities import QUANTITIES, QuantityValue, SpecQuantity

TT, SS, FF = "tt_1.00V_27C", "ss_1.00V_27C", "ff_1.00V_27C"


@pytest.fixture
def run(make_table, make_results):
    table = make_table()
    return RunView(make_results(table), table)


def with_figures(run):
    """The run with the sign-off figures of its own table."""
    figures = tuple(sign_off(run.table, c, ReadoutUncertainty(30)) for c in run.table.conditions)
    return RunView(replace(run.results, sign_off=figures), run.table)


def judged(run, *texts, failed=()):
    return judge_specs([parse_spec(text) for text in texts], run, failed).specs


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("lsb > 1mV", 20e-3),  # the synthetic spacing
        ("inl < 0.01", 0.0),  # straight
        ("dnl < 0.01LSB", 0.0),
        # 4 rows, 5 codes; sigma of 0.1 LSB beside the 1/12 LSB^2 of an ideal converter
        ("enob > 2bit", math.log2(5) - math.log2(1 + 12 * 0.01) / 2),
        ("margin > 4.5", 5.0),  # half of 20 mV over 2 mV
        ("code_error_worst < 1e-3", 2 * ndtr(-5.0)),  # an inner level errs to both sides
        ("code_error < 1e-3", 1e-6),
        ("csnr > 20 at nominal", 30.0),
        ("csnr > 20", 29.0),  # the worse of 30 and 29
        ("csnr_fitted > 20", 30.0),
        ("csnr_fitted < 40", 31.0),
        ("read_time < 2ns", 1e-9),
        ("density > 10", 1 / 0.06),  # one bit per 0.06 um2 is 16.667 Mb/mm2
    ],
)
def test_values_are_those_of_the_run(run, text, value):
    (found,) = judged(with_figures(run), text)
    assert found.value == pytest.approx(value, rel=1e-9, abs=1e-12)
    assert found.passed
    assert found.source


def test_estimates_are_those_of_metalrom_estimate_with_their_range(run):
    energy, rate, weight, macro, conversion = judged(
        run, "energy_per_mac < 1pJ", "tops_per_watt > 1", "weight_density > 1", "density_macro > 1",
        "energy_per_conversion < 1pJ",
    )  # fmt: skip
    layer = run.estimate(TT)
    assert (energy.low, energy.value, energy.high) == (
        layer.merit.energy_per_mac.low, layer.merit.energy_per_mac.mid, layer.merit.energy_per_mac.high
    )  # fmt: skip
    assert energy.value == pytest.approx(layer.macro.energy_per_mac.mid, rel=1e-12)  # the layer fills its tile
    assert rate.value == pytest.approx(2e-12 / energy.value, rel=1e-9)  # a MAC is two operations
    # 4-bit weights in 2 x 3 cells each
    assert weight.value == pytest.approx(macro.value * 4 / 6, rel=1e-9)
    # a MAC takes 4 input bits x 6 bit columns / 4 rows of a conversion
    assert energy.value == pytest.approx(conversion.value * 4 * 6 / 4, rel=1e-9)


def test_a_range_across_the_limit_is_told(run):
    value = run.estimate(TT).macro.energy_per_mac
    above, at_limit = judged(run, f"energy_per_mac < {2 * value.high!r}J", f"energy_per_mac < {1.01 * value.mid!r}J")
    assert (above.passed, above.certain) == (True, True)
    assert (at_limit.passed, at_limit.certain) == (True, False)


def test_conditions_nominal_named_and_all(run):
    assert [(s.condition, s.value) for s in judged(run, "csnr > 29.5 at nominal")] == [(TT, 30.0)]
    # no condition: the worst one, which depends on what is asked
    assert [(s.condition, s.value, s.passed) for s in judged(run, "csnr > 29.5")] == [(SS, 29.0, False)]
    assert [(s.condition, s.value, s.passed) for s in judged(run, "csnr < 29.5")] == [(TT, 30.0, False)]
    assert [str(s.spec) for s in judged(run, "csnr > 29.5", "csnr > 29.5 at all")] == [
        "csnr > 29.5dB", f"csnr > 29.5dB at {TT}", f"csnr > 29.5dB at {SS}",
    ]  # fmt: skip
    assert [(s.condition, s.passed) for s in judged(run, f"csnr > 29.5 at {SS}")] == [(SS, False)]
    assert [(s.condition, s.passed) for s in judged(run, "csnr > 29.5 at all")] == [(TT, True), (SS, False)]
    assert [s.condition for s in judged(run, "density > 1")] == [""]
    with pytest.raises(InputError, match=f"condition {FF} was not characterized"):
        judged(run, f"csnr > 1 at {FF}")


def test_a_failed_condition_fails_every_specification_that_asks_for_it(run):
    failed = (FailedCondition(FF, (("timeout", 12), ("ok", 3)), "12 of 15 simulations failed (verdict timeout first)"),)
    found = judged(run, "csnr > 1 at all", f"lsb > 1mV at {FF}", "csnr > 1", failed=failed)
    assert [(s.condition, s.passed) for s in found] == [(TT, True), (SS, True), (FF, False), (FF, False), (SS, True)]
    assert found[2].value is None
    assert found[2].reason == "the condition failed: 12 of 15 simulations failed (verdict timeout first)"


def test_unbounded_values_pass_upwards_and_say_so(run, make_results):
    perfect = replace(run.results.quality[0], csnr_raw=None, csnr_fitted=None)
    lost = replace(perfect, gain=0.0)  # nothing follows the ideal output
    view = RunView(replace(run.results, quality=(perfect,)), run.table)
    assert [(s.passed, s.value, s.value_shown) for s in judged(view, "csnr > 100", "csnr_fitted > 100")] == [
        (True, None, "unbounded")
    ] * 2
    view = RunView(replace(run.results, quality=(lost,)), run.table)
    (found,) = judged(view, "csnr_fitted > -100")
    assert (found.passed, found.value, found.value_shown) == (False, None, "none")


def with_intervals(run, make_table):
    """The run with intervals of code error 1e-6 / 2 to 2e-6, CSNR -2 to +1 dB, margin 5 +- 0.5 sigma."""
    figures = sign_off(make_table(), TT, ReadoutUncertainty(30))
    known = tuple(
        replace(figures, condition=label, code_error_interval=(5e-7, 2e-6), margin_interval_sigma=(4.5, 5.5),
                csnr_change_dB=(-2.0, 1.0))
        for label in (TT, SS)
    )  # fmt: skip
    return RunView(replace(run.results, sign_off=known), run.table)


def test_judged_by_the_interval_a_limit_within_it_leaves_the_verdict_open(run, make_table):
    view = with_intervals(run, make_table)
    found = judged(
        view, "code_error < 1.5e-6", "code_error < 1.5e-6 by interval", "code_error < 3e-6 by interval",
        "code_error < 4e-7 by interval", f"csnr > 29 at {TT} by interval", "csnr > 20 by interval",
        "margin > 4 by interval", "density > 1 by interval",
    )  # fmt: skip
    assert [s.verdict for s in found] == [
        "pass", "undecided", "pass", "fail", "undecided", "pass", "pass", "pass",
    ]  # fmt: skip
    assert [s.passed for s in found] == [s.verdict == "pass" for s in found]
    assert (found[0].certain, found[1].certain, found[3].certain) == (False, False, True)
    assert (found[4].low, found[4].high) == (28.0, 31.0)  # 30 dB, -2 and +1
    assert (found[6].low, found[6].high) == (4.5, 5.5)
    assert str(found[1].spec) == "code_error < 1.5e-06 by interval"
    assert parse_spec(str(found[4].spec)) == found[4].spec


def test_the_default_is_the_code_error_target_at_the_worst_condition(run):
    (found,) = judge_specs(default_specs(1e-6), run).specs
    assert (found.quantity, found.worst, found.passed) == ("code_error", True, True)  # as large as the target: met
    (found,) = judge_specs(default_specs(0.99e-6), run).specs
    assert not found.passed


def test_the_verdict_is_of_every_condition(run, make_table):
    def verdict(view, *texts, failed=()):
        return judge_specs([parse_spec(text) for text in texts], view, failed).verdict

    # 30 dB at nominal, 29 dB at the other condition
    assert verdict(run, "csnr > 28") == "met"
    assert verdict(run, "csnr > 29.5 at nominal") == "met"
    assert verdict(run, "csnr > 28", "csnr > 29.5") == "missed"
    assert verdict(run, "csnr > 28", failed=(FailedCondition(FF, (("ok", 3),), "no level"),)) == "missed"
    view = with_intervals(run, make_table)
    assert verdict(view, "csnr > 20", "code_error < 1.5e-6 by interval") == "undecided"
    assert verdict(view, "csnr > 40", "code_error < 1.5e-6 by interval") == "missed"


def test_results_keep_the_verdicts(run, tmp_path):
    failed = (FailedCondition(FF, (("ok", 3),), "the level does not rise with the count"),)
    specs = judged(run, "csnr > 29.5 at all", "density > 1", failed=failed)
    results = replace(run.results, specs=specs, failed_conditions=failed)
    assert not results.passed
    assert parse_results(write_results(results, tmp_path).read_bytes(), where="results.json") == results
    good = replace(results, specs=specs[:1], failed_conditions=())
    assert good.passed
    assert missed(results) == f"specifications missed: 2 of 4 (csnr); failed conditions: {FF}"
    assert spec_table(results).row_count == 5


def test_results_of_a_version_without_specifications_are_read(run, tmp_path):
    import json

    path = write_results(run.results, tmp_path)
    data = json.loads(path.read_text())
    del data["specs"], data["failed_conditions"]
    assert parse_results(json.dumps(data).encode(), where="results.json") == run.results


def test_a_procedure_brings_its_own_quantity(run, monkeypatch):
    monkeypatch.setattr(QUANTITIES, "_registered", {})
    settled = {TT: 2e-9, SS: 3e-9}
    QUANTITIES.register(
        "settled_after",
        SpecQuantity(
            "settled_after",
            ("s",),
            "test",
            "settle",
            read=lambda r, at: QuantityValue(r.procedure_result("settle", dict)[at], "test"),
        ),
    )
    assert "settled_after" in QUANTITIES
    view = RunView(run.results, run.table, {"settle": settled})
    assert [s.passed for s in judged(view, "settled_after < 2.5ns at all")] == [True, False]
    (found,) = judged(run, "settled_after < 5ns")  # a run without the finding
    assert (found.passed, found.value) == (False, None)
    assert "run the procedure settle" in found.reason


def test_every_quantity_can_be_read_from_a_run(run):
    run = with_figures(run)
    for quantity in QUANTITIES.values():
        if quantity.procedure != "adc_margin":  # no finding of it is at hand here
            with pytest.raises(InputError, match=f"run the procedure {quantity.procedure}"):
                read_quantity(quantity.name, run, TT)
            continue
        reading = read_quantity(quantity.name, run, TT)
        assert math.isfinite(reading.value), quantity.name
        assert reading.source

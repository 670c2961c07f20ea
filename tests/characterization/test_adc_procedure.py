"""The procedure `adc`: a converter by transistors as a finding, and its comparator's offset in the readout table."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from characterization.column_testbench import ColumnTestbench
from characterization.procedure_result import ProcedureResult
from characterization.procedures import PROCEDURES, with_requirements
from characterization.procedures.adc import AdcFigures, AdcReading, ComparatorFigures, comparator_figures, make_adc
from characterization.procedures.adc_margin import margin_assumptions, measured_offset
from characterization.testbench import AdcRequest, Converter, Testbench
from interconnect.errors import InputError
from netlists.condition import Condition
from netlists.technology import load_technology
from tests.builders import TT, make_testbench

TECHNOLOGY = load_technology("generic28", "open45")
COMPARATOR = ComparatorFigures(50, 5e-3, 5e-4, 4.7e-3, 3e-5, 3e-3, 1.5e-10, 5e-14)


def a_setup(adc: AdcRequest | None, offset: float | None = 0.05) -> Testbench:
    return make_testbench(conditions=(TT, Condition("ss", 0.9, 85.0)), converter=Converter(offset, 0.02, 5e-9), adc=adc)


def figures(comparator: ComparatorFigures | None) -> AdcFigures:
    reading = AdcReading(
        "tt", 0.05, 0.1, 1.0, (0.1, -0.2), (0.0, 0.3, -0.4), 0.06, (), 60, 5e-9, 1e-13, {}, 1e-12, 1e-14, comparator
    )
    return AdcFigures("sar", 3, 0.05, 0.45, "", (reading,))


def measure(setup: Testbench) -> AdcFigures:
    procedure = PROCEDURES["adc"]
    assert procedure.measure is not None
    found = procedure.measure(setup, ColumnTestbench(setup, workers=1), {})
    assert isinstance(found, AdcFigures)
    assert isinstance(found, ProcedureResult)
    return found


def test_without_a_converter_there_is_nothing_to_measure() -> None:
    with pytest.raises(InputError, match=r"readout\.adc: .*no converter to measure"):
        measure(a_setup(None))


def test_references_follow_the_supply() -> None:
    adc = make_adc(AdcRequest("sar", 5), TECHNOLOGY.devices)
    assert (adc.bits, adc.ref_low, adc.ref_high) == (5, pytest.approx(0.05), pytest.approx(0.45))
    given = make_adc(AdcRequest("flash", 4, low=0.1, high=0.3), TECHNOLOGY.devices)
    assert (given.ref_low, given.ref_high) == (0.1, 0.3)
    for kind, bits in (("flash", 7), ("flash", 2), ("sar", 9)):
        with pytest.raises(InputError, match="bits"):
            make_adc(AdcRequest(kind, bits), TECHNOLOGY.devices)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="ref_low"):
        make_adc(AdcRequest("ramp", 4, low=0.5), TECHNOLOGY.devices)


def test_table_lines_hold_the_worst_of_either_sign() -> None:
    told = {f.name: (f.value, f.unit) for f in figures(COMPARATOR).figures()}
    assert told["largest DNL"] == (0.2, "LSB")
    assert told["largest INL"] == (0.4, "LSB")
    assert told["comparator offset sigma"] == (5e-3, "V")
    assert "comparator offset sigma" not in {f.name for f in figures(None).figures()}


def test_offset_of_the_table_is_assumed_or_measured() -> None:
    number, asked = a_setup(None), a_setup(None, offset=None)
    assert measured_offset(number, {"adc": figures(COMPARATOR)}) is None
    assert measured_offset(asked, {"adc": figures(COMPARATOR)}) == COMPARATOR
    for missing in ({}, {"adc": figures(None)}):
        with pytest.raises(InputError, match=r"readout\.offset_sigma: no converter's offset was characterized"):
            measured_offset(asked, missing)
    with pytest.raises(InputError, match="before anything is simulated"):
        _ = asked.converter.assumed_offset
    (line,) = (a for a in margin_assumptions(asked, COMPARATOR) if a.name == "converter offset")
    assert (line.status, "5 mV rms of 50" in line.value) == ("measured", True)
    # the procedure that measures it comes first where it is named first
    assert next(p.name for p in with_requirements(("adc", "adc_margin"))) == "adc"


@pytest.mark.ngspice
def test_ramp_of_three_bits() -> None:
    found = measure(a_setup(AdcRequest("ramp", 3)))
    (r,) = found.readings  # the nominal condition alone
    assert r.condition == "tt_1.00V_27C"
    assert r.step == pytest.approx(0.4 / 8)
    assert (len(r.dnl), len(r.inl), r.missing) == (6, 7, ())
    assert max(np.abs(r.dnl).max(), np.abs(r.inl).max()) < 0.1  # 0.06 LSB at six bits, docs/explanation/circuits.md
    assert r.comparator is None
    assert r.energy == pytest.approx(sum(r.sources.values()))
    text = json.dumps(found.to_json(), allow_nan=False)
    assert json.loads(text)["readings"][0]["comparator"] is None


@pytest.mark.ngspice
def test_comparator_of_the_converter() -> None:
    setup = replace(a_setup(AdcRequest("sar", 4, comparators=10)), timeout=1e-3)
    bench = ColumnTestbench(setup, workers=1)
    assert setup.adc is not None
    adc = make_adc(setup.adc, TECHNOLOGY.devices)
    # a column's timeout, here too short for anything, does not bind a converter
    c = comparator_figures(setup, bench, setup.adc, adc, setup.conditions[0])  # type: ignore[arg-type]
    # 5.06 mV of 200 samples, docs/explanation/circuits.md; ten samples know a sigma to 24 %
    assert 2e-3 < c.offset_sigma < 9e-3
    assert c.difference == pytest.approx(0.4 / 32)
    assert 50e-12 < c.decision_time < 400e-12  # 132 ps at 50 mV, 157 ps at 5 mV, docs/explanation/circuits.md
    assert list(bench.decks) == ["comparator_tt_1.00V_27C.cir"]
    assert bench.outcome.simulated == 11


@pytest.mark.slow
@pytest.mark.ngspice
def test_flash_of_three_bits() -> None:
    (r,) = measure(a_setup(AdcRequest("flash", 3, comparators=10))).readings
    assert r.missing == ()
    assert np.abs(r.dnl).max() < 0.13
    assert r.comparator is not None


@pytest.mark.slow
@pytest.mark.ngspice
def test_sar_of_three_bits_at_every_condition() -> None:
    setup = a_setup(AdcRequest("sar", 3, comparators=10, every_condition=True))
    found = measure(replace(setup, conditions=(*setup.conditions[:1], Condition("ff", 1.0, 27.0))))
    assert [r.condition for r in found.readings] == ["tt_1.00V_27C", "ff_1.00V_27C"]
    assert all(np.abs(r.dnl).max() < 0.2 and not r.missing for r in found.readings)

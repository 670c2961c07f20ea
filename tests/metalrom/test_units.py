"""Quantities of configs: every accepted spelling means what an engineer means, everything else is refused in words."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from interconnect.errors import InputError
from metalrom.units import (
    Area,
    Capacitance,
    Fraction,
    Frequency,
    Length,
    Resistance,
    SheetResistance,
    Temperature,
    Time,
    Voltage,
    parse_quantity,
)

PREFIXES = {"a": -18, "f": -15, "p": -12, "n": -9, "u": -6, "µ": -6, "μ": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9}
"""SI prefixes (SI brochure, 9th edition, table 7); micro in its three spellings."""


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("100nm", "m", 1e-7),
        ("0.1um", "m", 1e-7),
        ("1e-7m", "m", 1e-7),
        ("1e-7 m", "m", 1e-7),
        (" 100 nm", "m", 1e-7),
        ("1e3 nm", "m", 1e-6),
        ("1m", "m", 1.0),  # metre where metres are wanted, not milli
        ("1mm", "m", 1e-3),
        ("1Mm", "m", 1e6),
        ("20aF", "F", 2e-17),
        ("0.9V", "V", 0.9),
        ("900mV", "V", 0.9),
        (".9 V", "V", 0.9),
        ("-40mV", "V", -0.04),
        ("100kohm", "ohm", 1e5),
        ("0.1Mohm", "ohm", 1e5),  # SI mega; SPICE's M is milli
        ("100 kΩ", "ohm", 1e5),
        ("380 mohm/sq", "ohm/sq", 0.38),
        ("10ns", "s", 1e-8),
        ("0.06um^2", "m^2", 6e-14),  # (1e-6)^2, not 1e-6
        ("6039 nm2", "m^2", 6.039e-15),
        ("1m^2", "m^2", 1.0),
        ("27", "degC", 27.0),
        ("-40 °C", "degC", -40.0),
        ("300K", "degC", 300 - 273.15),
        ("2.5%", "", 0.025),
        ("0.025", "", 0.025),
        ("0", "F", 0.0),
        (0, "m", 0.0),
        (0.0, "V", 0.0),
        (27, "degC", 27.0),
        (0.025, "", 0.025),
        ("3e-3/K", "1/K", 3e-3),
    ],
)
def test_accepted_spellings(text: object, unit: str, value: float) -> None:
    assert parse_quantity(text, unit) == value


@pytest.mark.parametrize(
    ("text", "unit", "message"),
    [
        (100, "m", "lacks its unit"),
        (1e-7, "m", "lacks its unit"),
        ("1e-7", "m", "lacks its unit"),
        ("100n", "m", "lacks its unit"),
        ("50a", "F", "lacks its unit"),  # SPICE engines read 50 F
        ("900m", "V", "lacks its unit"),
        ("1M", "ohm", "lacks its unit"),
        ("100nV", "m", "wrong unit"),
        ("0V", "m", "wrong unit"),
        ("100nM", "m", "wrong unit"),
        ("0.9v", "V", "wrong unit"),
        ("20af", "F", "wrong unit"),
        ("1 farad", "F", "wrong unit"),
        ("1meg", "ohm", "wrong unit"),
        ("10um", "m^2", "wrong unit"),
        ("0.06u^2", "m^2", "wrong unit"),
        ("5V^2", "m^2", "wrong unit"),
        ("300%", "V", "wrong unit"),
        ("2.5ppm", "", "percentage"),
        ("0,1um", "m", "no quantity"),  # quantiphy alone: 1e-6
        ("1,000nm", "m", "no quantity"),
        ("0x10", "m", "wrong unit"),
        ("$5", "V", "no quantity"),
        ("", "V", "no quantity"),
        ("nan", "V", "no quantity"),
        ("nan V", "V", "no quantity"),
        ("inf V", "V", "no quantity"),
        ("∞ V", "V", "no quantity"),
        (math.nan, "", "no quantity"),
        (math.inf, "", "no quantity"),
        ("1e400V", "V", "out of range"),
        (10**400, "", "out of range"),
        ("-1e999 V", "V", "out of range"),
        ("1_5m", "m", "no quantity"),
        (True, "", "no quantity"),
        (None, "V", "no quantity"),
        (["1V"], "V", "no quantity"),
        ("0.9V\n.control", "V", "no quantity"),
        ("0.9V 1", "V", "no quantity"),
        ("٣nm", "m", "no quantity"),
        ("1e-7e3m", "m", "no quantity"),
        ("1e99999m", "m", "no quantity"),
    ],
)
def test_refused_in_one_sentence(text: object, unit: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse_quantity(text, unit)
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)
    assert "such as" in str(caught.value)
    assert len(str(caught.value)) < 160


@given(
    digits=st.integers(-(10**9), 10**9),
    decimals=st.integers(0, 9),
    prefix=st.sampled_from(sorted(PREFIXES)),
    unit=st.sampled_from(["m", "V", "F", "ohm", "s", "J"]),
    gap=st.sampled_from(["", " "]),
)
def test_prefixes_are_exact(digits: int, decimals: int, prefix: str, unit: str, gap: str) -> None:
    # The correctly rounded decimal is the reference: Python's own float() of the same number in exponent form.
    number = f"{digits / 10**decimals:.{decimals}f}"
    assert parse_quantity(f"{number}{gap}{prefix}{unit}", unit) == float(f"{number}e{PREFIXES[prefix]}")


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["m", "m^2", "V", "F", "ohm", "s", ""]))
def test_written_floats_read_back_bit_for_bit(value: float, unit: str) -> None:
    assert parse_quantity(f"{value!r}{unit}", unit) == value


@given(st.text(max_size=30), st.sampled_from(["m", "V", "degC", "m^2", "", "1/K"]))
def test_any_text_gives_a_finite_number_or_an_input_error(text: str, unit: str) -> None:
    try:
        assert math.isfinite(parse_quantity(text, unit))
    except InputError as error:
        message = str(error)
    else:
        return
    assert message.isprintable()


def test_integer_too_long_to_print_is_refused() -> None:
    with pytest.raises(InputError, match="out of range"):
        parse_quantity(10**5000, "")


def test_preferences_of_the_calling_program_do_not_reach_in() -> None:
    from quantiphy import Quantity

    Quantity.set_prefs(ignore_sf=True)
    try:
        assert parse_quantity("3nm", "m") == 3e-9
    finally:
        Quantity.reset_prefs()


class _Example(BaseModel):
    model_config = ConfigDict(extra="forbid")
    pitch: Length = Field(gt=0)
    supply: Voltage
    load: Capacitance = 0.0
    leak: Resistance = 1e9
    metal: SheetResistance = 0.38
    footprint: Area = 6e-14
    pause: Time = 0.0
    clock: Frequency = 1e8
    ambient: Temperature = 27.0
    droop: Fraction = Field(default=0.0, le=1.0)


def test_model_reads_quantities_and_its_json_reads_back() -> None:
    model = _Example.model_validate({"pitch": "100nm", "supply": "0.9V", "load": "20aF", "droop": "2.5%"})
    assert (model.pitch, model.supply, model.load, model.droop) == (1e-7, 0.9, 2e-17, 0.025)
    assert model.model_dump()["pitch"] == 1e-7
    assert _Example.model_validate_json(model.model_dump_json()) == model


def test_model_names_the_key_of_a_bad_quantity() -> None:
    with pytest.raises(ValidationError) as caught:
        _Example.model_validate({"pitch": "-100nm", "supply": "0.9A", "droop": "250%"})
    assert {error["loc"]: error["type"] for error in caught.value.errors()} == {
        ("pitch",): "greater_than",
        ("supply",): "value_error",
        ("droop",): "less_than_equal",
    }


def test_schema_shows_how_quantities_are_written() -> None:
    schema = _Example.model_json_schema()
    assert schema["properties"]["pitch"]["examples"] == ["100nm"]
    assert schema["properties"]["droop"]["examples"] == ["0.025", "2.5%"]
    assert json.dumps(schema)

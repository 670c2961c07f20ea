"""Quantities with units: every accepted spelling means what an engineer means, everything else is refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interconnect.errors import InputError
from interconnect.quantity import parse_quantity

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
        ("0.003 /K", "1/K", 3e-3),
        ("0.003 1/K", "1/K", 3e-3),
        ("5 ohms", "ohm", 5.0),
        ("0.2 Ω/□", "ohm/sq", 0.2),
        ("3.9", "1", 3.9),
        (3.9, "1", 3.9),
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
        ("390%", "1", "plain number"),  # a permittivity is no fraction
        ("3.9m", "1", "plain number"),
        ("0,1um", "m", "not a quantity"),  # quantiphy alone: 1e-6
        ("1,000nm", "m", "not a quantity"),
        ("0x10", "m", "wrong unit"),
        ("$5", "V", "not a quantity"),
        ("", "V", "not a quantity"),
        ("nan", "V", "not a quantity"),
        ("nan V", "V", "not a quantity"),
        ("inf V", "V", "not a quantity"),
        ("∞ V", "V", "not a quantity"),
        (math.nan, "", "not a quantity"),
        (math.inf, "", "not a quantity"),
        ("1e400V", "V", "out of range"),
        (10**400, "", "out of range"),
        ("-1e999 V", "V", "out of range"),
        ("1_5m", "m", "not a quantity"),
        (True, "", "not a quantity"),
        (None, "V", "not a quantity"),
        (["1V"], "V", "not a quantity"),
        ("0.9V\n.control", "V", "not a quantity"),
        ("0.9V 1", "V", "not a quantity"),
        ("٣nm", "m", "not a quantity"),
        ("1e-7e3m", "m", "not a quantity"),
        ("1e99999m", "m", "not a quantity"),
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


@pytest.mark.parametrize(("value", "unit", "number"), [(7e-8, "m", 7e-8), ("5e-8", "m", 5e-8), (0.2, "ohm/sq", 0.2)])
def test_technology_files_may_give_plain_si_numbers(value: object, unit: str, number: float) -> None:
    assert parse_quantity(value, unit, plain_si=True) == number
    with pytest.raises(InputError, match="lacks its unit"):
        parse_quantity(value, unit)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("70n", "lacks its unit"),  # a prefix or a unit? refused also where plain numbers are SI
        ("1M", "lacks its unit"),
        ("0.1ohm", "has the wrong unit"),
        (".", "is not a quantity"),
        (True, "is not a quantity"),
        (math.nan, "is not a quantity"),
        (10**400, "is out of range"),
    ],
)
def test_plain_numbers_as_si_loosen_nothing_else(value: object, message: str) -> None:
    with pytest.raises(InputError, match=rf"^t\.yaml: metals\[0\]\.bottom: .*{message}"):
        parse_quantity(value, "m", where="t.yaml: metals[0].bottom", plain_si=True)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_plain_numbers_are_taken_bit_for_bit(value: float) -> None:
    assert parse_quantity(value, "m", plain_si=True) == parse_quantity(repr(value), "m", plain_si=True) == value

"""The shared ramp behind a chain's bus: times, parts and refusals by hand."""

from __future__ import annotations

import pytest

from interconnect.errors import InputError
from netlists.periphery import Periphery
from netlists.readout.chain import ComparatorBus, ReadoutChain, SharedLine
from netlists.readout.column_converter import COLUMN_CONVERTERS
from netlists.readout.column_ramp import GATE_CAPACITANCE, ColumnRamp
from netlists.readout.column_sar import ColumnSar
from netlists.readout.conversion import Conversion, nominal_conversion
from netlists.readout.drawn import drawn_parts
from netlists.technology import load_technology


def test_times_and_charges_by_hand() -> None:
    """0.40 V over 128 steps of 0.5 ns: 6.25 mV/ns; from 50 mV below the range, ten steps more: 64 + 8 + 5 ns."""
    ramp = ColumnRamp()
    assert ramp.step == pytest.approx(3.125e-3)
    assert ramp.duration(25) == pytest.approx(77e-9)
    # 2 pF, 64 gates of 0.5 fF and 64 wires of 0.1 fF at 6.25 mV/ns
    assert ramp.line_current(0.1e-15) == pytest.approx((2e-12 + 64 * 0.6e-15) * 6.25e6)
    assert ramp.switched_capacitance(0.2e-15) == pytest.approx(64 * (0.2e-15 + GATE_CAPACITANCE))
    assert ramp.reach(0.4) == (0.20, 0.60)
    assert ramp.within(20).shared_by == 20
    assert ramp.within(100).shared_by == 64
    assert ramp.update_share == pytest.approx(ColumnSar().update_share)


def test_an_array_reaches_its_first_and_last_code() -> None:
    """0.45 V over 256 units of 0.25 fF and 1 fF of wire: 1.731 mV a code, 128 below the common mode, 127 above."""
    low, high = ColumnSar().reach(0.4)
    assert low == pytest.approx(0.4 - 128 * 0.45 * 0.25 / 65)
    assert high == pytest.approx(0.4 + 127 * 0.45 * 0.25 / 65)


def test_a_comparator_per_bus_a_generator_per_group() -> None:
    chain = ReadoutChain(line=SharedLine(segments=16, planes=4), bus=ComparatorBus(columns=1), converter=ColumnRamp())
    technology = load_technology("open45", "open45")
    parts = {p.name: p for p in drawn_parts(technology, chain, Periphery(), 25)}
    assert parts["adc"].transistors == 1 + 2 + 2 + 2 + 2 * 2  # tail, pair, loads, second stage, two inverters
    assert parts["ramp"].transistors == 6  # two mirrors with cascodes, the diode of their gates, hold
    assert parts["ramp"].capacitance == 2e-12
    assert (parts["adc"].unit, parts["ramp"].unit, parts["thresholds"].unit) == ("bus", "group", "group")
    # 7 bits latched, 13 of the own middle, each with a selector
    assert parts["adc_logic"].transistors == 4 * (7 + 13) * 4.5
    # counter 7 (6 + 3.5), averaging 13 (6 + 14), table 24 x 7 x 4, look-up 5 x 7 x 4 + 24 x 7 / 2
    assert parts["thresholds"].transistors == 4 * (66.5 + 260 + 672 + 140 + 84)
    assert chain.input_gate == (0.5e-6, 0.1e-6)


def test_every_registered_converter_has_a_conversion() -> None:
    for kind, made in COLUMN_CONVERTERS.items():
        assert nominal_conversion(made(), 25).levels == 25, kind


def test_what_belongs_to_another_converter_is_refused() -> None:
    chain = ReadoutChain(converter=ColumnRamp())
    with pytest.raises(InputError, match="needs a capacitor array"):
        Conversion(codes=(100, 120)).outputs(chain)
    with pytest.raises(InputError, match="needs a ramp"):
        nominal_conversion(ColumnRamp(), 3).read_at(ReadoutChain())
    with pytest.raises(InputError, match=r"readout\.converter\.ref_start"):
        ColumnRamp(ref_start=0.3)

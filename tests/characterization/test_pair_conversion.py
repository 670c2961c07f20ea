"""The difference of two columns by transistors: what both have in common cancels; steps and parts by hand."""

from __future__ import annotations

import numpy as np
import pytest

from characterization.readout.converter_noise import frozen_noise
from characterization.readout.converter_spread import converter_spread
from interconnect.errors import InputError
from netlists.condition import Condition
from netlists.periphery import Periphery
from netlists.readout.chain import ReadoutChain, SharedLine
from netlists.readout.column_pair import ColumnPair
from netlists.readout.column_sar import ColumnSar
from netlists.readout.conversion import PairConversion, conversions_deck, nominal_conversion
from netlists.readout.drawn import drawn_parts
from netlists.technology import load_technology
from ngspice_runner import Job
from ngspice_runner.executor import run_many

TECHNOLOGY = load_technology("open45", "open45")
TT = Condition("tt", 1.0, 27.0)
CHAIN = ReadoutChain(converter=ColumnPair(), line=SharedLine(segments=4))
SEARCH, STEPS = 0.128, 9
"""V, halvings: the plus column's level is known to 0.25 mV, the difference of the buses to 0.07 mV."""


def test_both_columns_are_drawn() -> None:
    one = {p.name: p for p in drawn_parts(TECHNOLOGY, ReadoutChain(converter=ColumnSar()), Periphery(), 49)}
    two = {p.name: p for p in drawn_parts(TECHNOLOGY, CHAIN, Periphery(), 49)}
    comparator = 1 + 2 + 2 + 2 + 4 + 2 + 8
    assert (
        two["adc"].transistors == comparator + 2 * 8 * 2
    )  # two switches per bit of two arrays; the buses' resets reset
    assert two["adc"].capacitance == pytest.approx(2 * 257 * 0.125e-15)
    assert two["column_mux"].transistors - 1 == 2 * (one["column_mux"].transistors - 1)  # one diode of the bias
    assert CHAIN.one_column.bus.wire_capacitance == pytest.approx(CHAIN.bus.wire_capacitance + 33e-15)
    assert ReadoutChain().one_column == ReadoutChain()


def test_two_arrays_make_twice_the_step() -> None:
    """0.32 V x 0.125 fF over 32 fF of units, 1 fF of wire, 30 fF of the series capacitor; twice."""
    found = converter_spread(ColumnPair(), 0.0, 0.0, load=30e-15)
    assert found.rounding == pytest.approx(2 * 0.32 * 0.125 / 63 / np.sqrt(12))
    one = converter_spread(ColumnSar(unit_capacitance=0.125e-15, reference=0.32), 0.0, 0.0, load=30e-15)
    assert found.capacitors == pytest.approx(np.sqrt(2) * one.capacitors)
    assert frozen_noise(ColumnPair(), TECHNOLOGY, TT, CHAIN, 0.4, lambda _, decks: []) == 0.0


def test_a_single_column_has_no_minus() -> None:
    chain = ReadoutChain()
    one = nominal_conversion(chain.converter, 3)
    with pytest.raises(InputError, match="only for a converter of differences"):
        conversions_deck(TECHNOLOGY, TT, chain, one, [0.3], minus=[0.3])


@pytest.mark.ngspice
def test_what_both_columns_have_in_common_cancels() -> None:
    """Thresholds by bisection, the minus column at rest or 80 mV lower: what 40 rows add to both, and more."""
    middle, up = CHAIN.converter.middle if isinstance(CHAIN.converter, ColumnSar) else 0, 32
    reset = CHAIN.segment.reset_level
    decks = [
        conversions_deck(
            TECHNOLOGY, TT, CHAIN, PairConversion(codes=(code,)), [level + start] * STEPS, minus=[level] * STEPS,
            search=SEARCH, further=("v(line_minus)",), reltol=1e-4,
        )
        for level, code, start in ((reset, middle, 0.02), (reset - 0.08, middle, 0.02), (reset, middle + up, 0.12))
    ]  # fmt: skip
    options = TECHNOLOGY.devices.job_options
    results = run_many([Job(d.text, d.outputs, stop=d.stop, options=options) for d in decks], workers=1)
    found, buses, lines = [], [], []
    for deck, result in zip(decks, results, strict=True):
        assert result.ok, result.log
        t, plus, minus = (np.real(result.signals[n].values) for n in ("time", "v(bus)", "v(bus_minus)"))
        end = deck.reads[-1][0]
        found.append(np.interp(end, t, plus) - np.interp(end, t, minus))
        buses.append(float(np.interp(end, t, minus)))
        lines.append(float(np.interp(end, t, np.real(result.signals["v(line_minus)"].values))))
    assert buses[0] - buses[1] > 0.02  # the shift is on both buses,
    assert abs(found[1] - found[0]) < 0.3e-3  # and gone in the difference: a twentieth of a count
    assert abs(found[0]) < 2e-3  # equal arrays, an equal kick: no offset but half a step for the complement
    # all that the bus carries follows from how the series capacitor shares charge with it: C_s dV_line = C dV_bus
    total = CHAIN.sampler.capacitance * (lines[0] - lines[1]) / (buses[0] - buses[1])
    assert 63e-15 < total < 80e-15
    assert (found[2] - found[0]) / up == pytest.approx(2 * 0.32 * 0.125e-15 / total, rel=0.03)

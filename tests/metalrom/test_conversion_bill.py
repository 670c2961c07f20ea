"""Energy, time and errors of skipped, shortened and dropped conversions against hand values."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from characterization.tables.table import ReadoutTable
from interconnect.errors import InputError
from metalrom.macro import Macro, MacroGeometry, estimate_layer, estimate_macro, synthetic_table
from metalrom.macro.conversion_bill import decision_share
from metalrom.macro.conversions import ConversionRule
from metalrom.macro.scale_bill import multiplier_gates
from netlists.devices.device_set import load_devices

Q5 = 2.8665e-7
"""Q(5), normal distribution: half a count at a noise of 0.1 counts."""


@pytest.fixture
def table() -> ReadoutTable:
    """64 rows per conversion, 0.9 V, 1 fJ per driven row and column, read time 1 ns."""
    table = synthetic_table(64, codes=64, sigma_noise=0.1)
    condition = dataclasses.replace(table.conditions[0], vdd=0.9)
    return table.replace(conditions=(condition,), row_energy=1e-15 * np.arange(65.0)[None], read_time=1e-9)


def geometry(columns_per_adc: int = 14, **rule: object) -> MacroGeometry:
    """128 x 448 cells in two planes: 64 weights of 8 bits per row, two segments, whole weights per converter."""
    return MacroGeometry(
        cell_area=0.06e-12, rows=128, columns=448, planes=2, group_rows=64, columns_per_adc=columns_per_adc, adc_bits=6,
        driver_area=2e-12, reset_area=1e-12, rules=load_devices("open45").area, rule=ConversionRule(**rule),
    )  # fmt: skip


def histogram(**rows: int) -> np.ndarray:
    """All conversions at count 0 of so many driven rows: `a8=5` five with 8 rows."""
    out = np.zeros((65, 65), np.int64)
    for name, number in rows.items():
        out[int(name[1:]), 0] = number
    return out


def parts(estimate: object) -> dict[str, float]:
    return {name: part.value.mid * 1e15 for name, part in estimate.conversion.items()}


def test_dropped_products_save_reads_where_converters_hold_whole_weights(table: ReadoutTable) -> None:
    """Below 2^4 a weight of 7 digits and 2 signs drops 2 (4 + 3 + 2 + 1) of 112 conversions."""
    condition = table.conditions[0]
    whole = estimate_macro(geometry(), table, condition)
    dropped = estimate_macro(geometry(drop_below=4), table, condition)
    assert dropped.geometry.partial_products == 92
    assert whole.conversions_per_mac == pytest.approx(112 * 2 / 128)
    assert dropped.conversions_per_mac == pytest.approx(92 * 2 / 128)
    assert parts(dropped)["row_drivers"] == parts(whole)["row_drivers"] == pytest.approx(32 * 14)
    assert dropped.latency.mid == pytest.approx(whole.latency.mid * 92 / 112)
    # constants of first planes 1 to 4 with 7 bits of 128 rows: 8 + 9 + 10 + 11 shift-adds per 92 x 2 conversions
    assert parts(dropped)["dropped_means"] == pytest.approx(parts(whole)["shift_add"] * 38 / 184)
    energy = parts(whole)["row_drivers"] + parts(whole)["adc"] + parts(whole)["shift_add"] * (1 + 38 / 184)
    assert dropped.energy_per_mvm.mid * 1e15 == pytest.approx(64 * 2 * 92 * energy)
    # 64 outputs x 38 bits x half a gate, an accumulator of 8 + 7 bits of 12 gates; 0.798 um2 each
    assert dropped.area["dropped_means"].value.mid * 1e12 == pytest.approx(0.798 * (64 * 38 / 2 + 15 * 12))
    # 16 columns per converter: some converter always needs the read, so its energy and time stay
    apart, before = (estimate_macro(geometry(16, **rule), table, condition) for rule in ({"drop_below": 4}, {}))
    assert parts(apart)["row_drivers"] == pytest.approx(32 * 16 * 112 / 92)
    assert parts(apart)["adc"] == parts(before)["adc"]
    assert apart.latency == before.latency


def test_skipped_conversions_are_neither_counted_nor_billed(table: ReadoutTable) -> None:
    condition, used = table.conditions[0], histogram(a0=3, a8=5)
    every = estimate_macro(geometry(), table, condition, histogram=used)
    skipping = estimate_macro(geometry(skip_idle=True), table, condition, histogram=used)
    assert parts(every)["row_drivers"] == pytest.approx(14 * 5)  # 5 fJ on average
    assert parts(skipping)["row_drivers"] == pytest.approx(14 * 8)  # those that are made
    assert skipping.conversions_per_mac == pytest.approx(every.conversions_per_mac * 5 / 8)
    assert skipping.latency == every.latency
    assert skipping.code_error == pytest.approx(Q5, rel=1e-4)
    soon = estimate_macro(geometry(skip_idle=True, variable_time=True), table, condition, histogram=used)
    assert soon.latency.mid == pytest.approx(every.latency.mid * 5 / 8)
    # a popcount of 64 full adders of 7 gates, 1.5 fF a gate, a quarter of them, for 2 x 32 converters
    assert parts(skipping)["popcount"] == pytest.approx(64 * 7 * 1.5 * 0.81 / 4 / 64)
    layer = estimate_layer(geometry(skip_idle=True), table, condition, inputs=128, outputs=64, histogram=used)
    assert (layer.conversions, layer.skipped) == (64 * 2 * 112 * 5 // 8, 64 * 2 * 112 * 3 // 8)
    assert layer.energy.mid == pytest.approx(skipping.energy_per_mvm.mid)
    with pytest.raises(InputError, match="drive no row"):
        estimate_macro(geometry(skip_idle=True), table, condition, histogram=histogram(a0=3))


def test_fewer_counts_take_fewer_decisions(table: ReadoutTable) -> None:
    """8 driven rows give 9 counts, 4 of 6 decisions; 3 rows 4 counts, 2 of 6."""
    condition = table.conditions[0]
    assert decision_share(9, 64) == pytest.approx(4 / 6)
    assert decision_share(1, 64) == pytest.approx(1 / 6)
    every = estimate_macro(geometry(), table, condition)
    short = estimate_macro(geometry(popcount_range=True), table, condition, histogram=histogram(a8=1, a3=1))
    assert parts(short)["adc"] == pytest.approx(parts(every)["adc"] / 2)
    assert short.latency == every.latency
    soon = estimate_macro(
        geometry(popcount_range=True, variable_time=True), table, condition, histogram=histogram(a8=1, a3=1)
    )
    assert soon.step["adc"].value.mid == pytest.approx(every.step["adc"].value.mid / 2)
    # a full column: noise upwards is cut off, 2 Q(5) without the range
    full = np.zeros((65, 65), np.int64)
    full[8, 8] = 1
    errors = [
        estimate_macro(geometry(popcount_range=limit), table, condition, histogram=full).code_error
        for limit in (False, True)
    ]
    assert errors == pytest.approx([2 * Q5, Q5], rel=1e-4)


def test_the_bill_counts_what_the_engine_converts(table: ReadoutTable) -> None:
    rng = np.random.default_rng(0)
    x, w = rng.integers(-3, 4, (5, 128)) * (rng.random((5, 128)) < 0.01), rng.integers(-9, 9, (128, 64))
    macro = Macro.ideal(rows=64, skip_idle=True, drop_below=3)
    run, used = macro.run(x, w), macro.count_histogram(x, w)
    layer = estimate_layer(
        geometry(skip_idle=True, drop_below=3), table, table.conditions[0], inputs=128, outputs=64, tokens=5,
        histogram=used,
    )  # fmt: skip
    assert run.skipped > 0
    assert (layer.conversions, layer.skipped) == (run.conversions, run.skipped)


def test_empty_groups_save_conversions_but_no_reads(table: ReadoutTable) -> None:
    """A quarter of the column groups empty: a quarter of conversions less; reads and slots are spread over the rest."""
    condition = table.conditions[0]
    whole = estimate_macro(geometry(), table, condition)
    every = dataclasses.replace(geometry(skip_empty=True), empty_share=0.25)
    found = estimate_macro(every, table, condition)
    assert found.conversions_per_mac == pytest.approx(0.75 * whole.conversions_per_mac)
    assert found.latency.mid == whole.latency.mid
    before, after = parts(whole), parts(found)
    assert after["row_drivers"] == pytest.approx(before["row_drivers"] / 0.75)
    assert after["adc"] == pytest.approx(before["adc"])
    assert found.energy_per_mac.mid < whole.energy_per_mac.mid
    # one selector of half a NAND2 for 448 columns x 2 planes x 2 groups
    assert found.area["empty_groups"].value.mid == pytest.approx(every.known_rules.logic_area(0.5 * 448 * 2 * 2))
    layer = estimate_layer(every, table, condition, inputs=128, outputs=64)
    assert layer.conversions == round(0.75 * 2 * 64 * 112)
    assert layer.skipped == 2 * 64 * 112 - layer.conversions
    assert found.to_dict()["empty_groups_share"] == 0.25
    with pytest.raises(InputError, match="empty_share"):
        dataclasses.replace(geometry(), empty_share=0.25)


def test_scales_of_outputs_by_hand(table: ReadoutTable) -> None:
    """Accumulator of 6 + 8 + 7 + 1 bits times 16 bits, 64 outputs of a tile, 112 x 2 conversions of an output."""
    condition = table.conditions[0]
    plain, scaled = geometry(), dataclasses.replace(geometry(), scale_bits=16, scale_multipliers=2)
    assert plain.accumulator_bits == 22
    each = 22 * 16 * (7 + 1.33) + 38 * 6
    found, without = (estimate_macro(g, table, condition) for g in (scaled, plain))
    area = plain.known_rules.logic_area(2 * each + 64 * 16 * 0.5)
    assert found.area["scales"].value.mid == pytest.approx(area)
    assert found.area["scales"].provenance.status == "estimate"
    energy = each * 0.25 * 1.5 * 0.9**2 / (112 * 2)  # fJ: activity, 1.5 fF a gate, 0.9 V
    assert parts(found)["scales"] == pytest.approx(energy)
    assert found.energy_per_conversion.mid == pytest.approx(without.energy_per_conversion.mid + energy * 1e-15)
    assert "multiplication by the outputs' scales" in without.not_included
    assert "multiplication by the outputs' scales" not in found.not_included
    with pytest.raises(InputError, match="scales of 33 bits"):
        dataclasses.replace(geometry(), scale_bits=33)


def test_a_multiplier_is_that_of_the_literature(table: ReadoutTable) -> None:
    """M. Horowitz, ISSCC 2014: 8 x 8 bits take 0.2 pJ, 32 x 32 bits 3.1 pJ, at 45 nm, 0.9 V; within a factor of 2."""
    for bits, energy in ((8, 0.2e-12), (32, 3.1e-12)):
        assert 0.5 < multiplier_gates(bits, bits) * 0.25 * 1.5e-15 * 0.9**2 / energy < 2

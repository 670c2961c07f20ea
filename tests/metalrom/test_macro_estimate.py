"""Costs of converter, macro and layer against hand values."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from interconnect.errors import InputError
from metalrom.macro import Macro, estimate_layer, estimate_macro, synthetic_table
from metalrom.macro.adc_cost import adc_cost
from metalrom.macro.cost import RelativeErrors
from metalrom.macro.quantity import Span
from netlists.devices.device_set import load_devices
from tests.builders import make_geometry


@pytest.fixture
def table():
    """64 rows per conversion, 64 codes, 0.9 V, 1 fJ per driven row and column, read time 1 ns."""
    table = synthetic_table(64, codes=64, sigma_noise=0.1)
    condition = dataclasses.replace(table.conditions[0], vdd=0.9)
    energy = 1e-15 * np.arange(65.0)[None]
    return table.replace(conditions=(condition,), row_energy=energy, read_time=1e-9)


@pytest.fixture
def geometry():
    """128 x 448 cells of 0.06 um2 (field-solver cell at 100 nm pitch) in two planes; 64 weights of 8 bits per row."""
    return make_geometry()


@pytest.mark.parametrize(
    ("bits", "energy", "area", "time"),
    [(6, 489e-15, 618e-12, 8.9e-9), (8, 701e-15, 2085e-12, 11.8e-9)],
)
def test_published_adc_regression(bits, energy, area, time):
    """At 0.9 V and 128 rows: 6 b 489 fJ, 618 um2, 8.9 ns; 8 b 701 fJ, 2085 um2, 11.8 ns (by hand)."""
    cost = adc_cost(bits, vdd=0.9, rows=128)
    assert cost.energy == pytest.approx(energy, rel=2e-3)
    assert cost.area == pytest.approx(area, rel=1e-3)
    assert cost.time == pytest.approx(time, rel=6e-3)
    assert cost.provenance.status == "published"


@pytest.mark.parametrize(
    ("bits", "vdd", "rows"), [(0, 0.9, 64), (12, 0.9, 64), (True, 0.9, 64), (6, 5.0, 64), (6, 0.9, 0), (6, 0.9, 10**6)]
)
def test_adc_regression_refuses_outside_its_domain(bits, vdd, rows):
    with pytest.raises(InputError, match="outside its domain"):
        adc_cost(bits, vdd=vdd, rows=rows)


def test_area_by_hand(table, geometry):
    area = estimate_macro(geometry, table, table.conditions[0]).area
    um2 = {name: part.value.mid * 1e12 for name, part in area.items()}
    assert um2["array"] == pytest.approx(128 * 448 * 0.06)
    assert um2["row_drivers"] == pytest.approx(128 * 2 * 2.0)  # rows x planes
    assert um2["lcc_reset"] == pytest.approx(448 * 2 * 2 * 1.0)  # columns x 2 segments x planes
    assert um2["adc"] == pytest.approx(2 * 28 * 617.7, rel=1e-3)  # 448 / 16 converters per plane
    # accumulator 6 + 8 + 7 + 1 = 22 bits x 12 gates x 0.798 um2 (NAND2 of the 45 nm library) x 56 converters
    assert um2["shift_add"] == pytest.approx(56 * 22 * 12 * 0.798)
    assert all(part.provenance.source for part in area.values())
    assert area["array"].value.low == area["array"].value.high
    assert area["adc"].value.high == pytest.approx(2 * area["adc"].value.mid)


def test_stacked_and_side_by_side(table, geometry):
    """With a thin edge the stacked macro is the greater of array and periphery; a lone array is never smaller."""
    thin = dataclasses.replace(geometry, edge_width=0.0)
    estimate = estimate_macro(thin, table, table.conditions[0])
    parts = {name: part.value.mid for name, part in estimate.area.items()}
    array = parts.pop("array")
    assert estimate.footprint.stacked.mid == pytest.approx(max(array, sum(parts.values())))
    assert estimate.footprint.side_by_side.mid == pytest.approx(array + sum(parts.values()))
    wide = estimate_macro(dataclasses.replace(geometry, edge_width=2e-6), table, table.conditions[0])
    side = estimate.footprint.stacked.mid**0.5
    assert wide.footprint.stacked.mid == pytest.approx((side + 4e-6) ** 2)  # a ring of 2 um on every side
    assert wide.footprint.stacked.low < wide.footprint.stacked.mid < wide.footprint.stacked.high


def test_density_by_hand(table, geometry):
    """Two planes of 0.06 um2: 33.3 Mb/mm2 raw; one plane of 6,039 nm2: the reference line of 165.6 Mb/mm2."""
    estimate = estimate_macro(geometry, table, table.conditions[0])
    assert estimate.density_raw.mid == pytest.approx(2 / 0.06, rel=1e-9)
    bits = 2 * 128 * 448
    assert estimate.footprint.density_stacked.mid == pytest.approx(bits * 1e-12 / estimate.footprint.stacked.mid)
    assert (
        estimate.footprint.density_side_by_side.mid < estimate.footprint.density_stacked.mid < estimate.density_raw.mid
    )
    # A differential 8-bit weight takes 14 cells.
    assert estimate.footprint.weight_density_stacked.mid == pytest.approx(
        estimate.footprint.density_stacked.mid * 8 / 14
    )
    small = dataclasses.replace(geometry, cell_area=6.039e-15, planes=1)
    assert estimate_macro(small, table, table.conditions[0]).density_raw.mid == pytest.approx(165.6, rel=1e-3)


def test_energy_by_hand(table, geometry):
    """32 of 64 rows driven at 1 fJ, 16 columns charged per conversion: 512 fJ; ADC 489.3 fJ."""
    estimate = estimate_macro(geometry, table, table.conditions[0])
    parts = {name: part.value.mid * 1e15 for name, part in estimate.conversion.items()}
    assert parts["row_drivers"] == pytest.approx(32 * 16)
    assert parts["adc"] == pytest.approx(489.3, rel=1e-3)
    assert parts["shift_add"] == pytest.approx(22 * 12 * 0.25 * 1.5 * 0.81)
    held = estimate_macro(dataclasses.replace(geometry, rows_held=True), table, table.conditions[0])
    assert held.conversion["row_drivers"].value.mid == pytest.approx(32e-15)
    # One product: 8 input bits x 2 groups x 896 bit columns, and 128 x 64 MACs.
    conversions = 8 * 2 * 896
    assert estimate.energy_per_mvm.mid == pytest.approx(conversions * estimate.energy_per_conversion.mid)
    assert estimate.energy_per_mac.mid == pytest.approx(estimate.energy_per_mvm.mid / (128 * 64))
    assert estimate.tops_per_watt.mid == pytest.approx(2e-12 / estimate.energy_per_mac.mid)
    assert estimate.tops_per_watt.low == pytest.approx(2e-12 / estimate.energy_per_mac.high)


def test_latency_by_hand(table, geometry):
    """8 input bits x 2 segments x 16 columns x (1 ns read + 6 x (0.00653 x 64 + 0.640) ns)."""
    adc = 6 * (0.00653 * 64 + 0.640)
    estimate = estimate_macro(geometry, table, table.conditions[0])
    assert estimate.latency.mid * 1e9 == pytest.approx(8 * 2 * 16 * (1 + adc))
    assert estimate.tops.mid == pytest.approx(2 * 128 * 64 / estimate.latency.mid * 1e-12)
    assert estimate.footprint.tops_per_mm2_stacked.mid == pytest.approx(
        estimate.tops.mid / (estimate.footprint.stacked.mid * 1e6)
    )
    held = estimate_macro(dataclasses.replace(geometry, rows_held=True), table, table.conditions[0])
    assert held.latency.mid * 1e9 == pytest.approx(8 * (1 + 2 * 16 * adc))


def test_histogram_weighs_energy_and_errors(table, geometry):
    """Data that drives exactly 8 rows per conversion, every count 0 or 8: 8 fJ x 16 and one-sided errors at 0."""
    histogram = np.zeros((65, 65), np.int64)
    histogram[8, 0] = 5
    condition = table.conditions[0]
    estimate = estimate_macro(geometry, table, condition, histogram=histogram)
    assert estimate.conversion["row_drivers"].value.mid == pytest.approx(8e-15 * 16)
    assert estimate.code_error == pytest.approx(2.8665e-7, rel=1e-4)  # Q(5)


def test_error_budget_separates_causes(table, geometry):
    errors = RelativeErrors(fit=0.02, monte_carlo=0.01, extraction=0.05)
    estimate = estimate_macro(geometry, table, table.conditions[0], errors=errors)
    share = estimate.conversion["row_drivers"].value.mid / estimate.energy_per_conversion.mid
    budget = estimate.error_budget["energy"]
    assert budget["fit"] == pytest.approx(0.02 * share)
    assert budget["monte_carlo"] == pytest.approx(0.01 * share)
    assert budget["extraction"] == pytest.approx(0.05 * share)
    # ADC and logic within a factor of 2: half range (2 - 1/2) / 2 = 0.75 of their share.
    assert budget["technology_assumption"] == pytest.approx(0.75 * (1 - share))
    rows = estimate.conversion["row_drivers"].value
    assert rows.high / rows.mid - 1 == pytest.approx((0.02**2 + 0.01**2 + 0.05**2) ** 0.5)


def test_layer_by_hand(table, geometry):
    """384 x 384 on tiles of 128 rows x 64 weights: 3 x 6 tiles, full; conversions as the engine counts them."""
    layer = estimate_layer(geometry, table, table.conditions[0], inputs=384, outputs=384, tokens=10)
    assert layer.macro.geometry.tiles == 18
    assert layer.macro.geometry.utilisation == pytest.approx(1.0)
    rng = np.random.default_rng(0)
    run = Macro.ideal(rows=64).run(rng.integers(-9, 9, (10, 384)), rng.integers(-9, 9, (384, 384)))
    assert layer.conversions == run.conversions
    assert layer.macs == 10 * 384 * 384
    assert layer.energy.mid == pytest.approx(run.conversions * layer.macro.energy_per_conversion.mid)
    assert layer.latency.mid == pytest.approx(10 * layer.macro.latency.mid)


def test_layer_that_does_not_fill_its_tiles(table, geometry):
    """100 x 70: one row tile (100 of 128 rows), two column tiles: 7,000 weights of 2 x 128 x 64."""
    layer = estimate_layer(geometry, table, table.conditions[0], inputs=100, outputs=70)
    assert layer.macro.geometry.tiles == 2
    assert layer.macro.geometry.utilisation == pytest.approx(7000 / (2 * 128 * 64))
    assert layer.conversions == 8 * 2 * 70 * 14
    small = estimate_layer(geometry, table, table.conditions[0], inputs=60, outputs=1)
    assert small.latency.mid == pytest.approx(layer.latency.mid / 2)  # one segment of two


def test_estimates_are_plain_json_with_sources(table, geometry):
    layer = estimate_layer(geometry, table, table.conditions[0], inputs=384, outputs=384)
    document = json.loads(json.dumps(layer.to_dict(), allow_nan=False))
    macro = document["macro"]
    assert macro["reference_density_Mb_per_mm2"]["value"] == 165.6
    assert macro["area_mm2"]["adc"]["status"] == "published"
    assert "published regression" in macro["area_mm2"]["adc"]["source"]
    assert macro["energy_conversion_fJ"]["shift_add"]["status"] == "estimate"
    assert "leakage" in macro["not_included"]


def test_transistor_area_by_hand():
    """0.5 um in a 1.4 um row: 2 fingers of at most 0.42 um, 3 gate pitches of 0.19 um, half a row."""
    assert load_devices("open45").area.transistor_area(0.5e-6) == pytest.approx(3 * 0.19e-6 * 0.7e-6)
    assert load_devices("open45").area.logic_area(1) == pytest.approx(0.798e-12)  # NAND2_X1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cell_area": 0.0}, "cell_area"),
        ({"rows": 0}, "rows is 0"),
        ({"group_rows": 200}, "exceeds rows"),
        ({"utilisation": 1.5}, "utilisation"),
        ({"columns": 10, "planes": 1}, "hold no weight"),
        ({"adc_bits": 5}, "cannot deliver"),
        ({"adc_bits": 12}, "outside its domain"),
        ({"group_rows": 32}, "sums 32 rows"),
        ({"weight_bits": 1}, "weight_bits"),
        ({"driver_area": float("nan")}, "driver_area"),
    ],
)
def test_bad_geometry_is_refused(table, geometry, change, message):
    with pytest.raises(InputError, match=message):
        estimate_macro(dataclasses.replace(geometry, **change), table, table.conditions[0])


def test_estimate_outside_the_tables_domain_is_refused_or_labelled(table, geometry):
    small = dataclasses.replace(geometry, group_rows=32)
    with pytest.raises(InputError, match="sums 32 rows"):
        estimate_macro(small, table, table.conditions[0])
    estimate = estimate_macro(small, table, table.conditions[0], outside_domain=True)
    assert estimate.to_dict()["outside_domain"] == ["32 rows per conversion scaled from a table of 64"]
    # noise 0.1 count falls to 0.071: 5 sigma to a threshold become 7.07
    assert estimate.code_error < 1e-10 < estimate_macro(geometry, table, table.conditions[0]).code_error
    warm = dataclasses.replace(table.conditions[0], temperature=85.0)
    layer = estimate_layer(geometry, table, warm, inputs=64, outputs=64, outside_domain=True)
    assert "not characterized" in layer.to_dict()["macro"]["outside_domain"][0]


def test_bad_layer_histogram_and_range_are_refused(table, geometry):
    with pytest.raises(InputError, match="inputs is 0"):
        estimate_layer(geometry, table, table.conditions[0], inputs=0, outputs=4)
    with pytest.raises(InputError, match="histogram"):
        estimate_macro(geometry, table, table.conditions[0], histogram=np.zeros((3, 3), np.int64))
    with pytest.raises(InputError, match="does not hold"):
        Span(2.0, 1.0, 3.0)


def test_without_area_rules_the_periphery_has_no_area(table, geometry):
    """Energy, time and the cells' own density stay; figures of the periphery's area are refused, none is guessed."""
    condition = table.conditions[0]
    known = estimate_macro(geometry, table, condition)
    bare = dataclasses.replace(geometry, rules=None, driver_area=0.0, reset_area=0.0)
    estimate = estimate_macro(bare, table, condition)
    assert estimate.density_raw == known.density_raw
    assert (estimate.energy_per_mac, estimate.latency) == (known.energy_per_mac, known.latency)
    assert set(estimate.area) == {"array"}
    with pytest.raises(InputError, match="area: not available"):
        _ = estimate.footprint
    data = estimate.to_dict()
    assert data["area_status"] == "area: not available"
    assert data["area_stacked_mm2"] is None
    assert data["density_raw_Mb_per_mm2"] == known.to_dict()["density_raw_Mb_per_mm2"]


def test_converter_energy_beyond_the_regression_is_labelled(table, geometry):
    """At 3.3 V: the regression at its end, 2 V, times (3.3 / 2)^2, as an estimate."""
    conditions = tuple(dataclasses.replace(c, vdd=3.3) for c in table.conditions)
    high = table.replace(conditions=conditions)
    part = estimate_macro(geometry, high, high.conditions[0]).conversion["adc"]
    expected = adc_cost(geometry.adc_bits, vdd=2.0, rows=geometry.group_rows).energy * 1.65**2
    assert part.value.mid == pytest.approx(expected)
    assert part.provenance.status == "estimate"
    assert "EXTRAPOLATED to 3.3 V" in part.provenance.source

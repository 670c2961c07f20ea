"""Costs of a macro read by inverters in its segments against hand values."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from characterization.procedures.local_inverter import InverterFigures, InverterPoint
from characterization.tables.table import ReadoutTable
from interconnect.jsonable import from_jsonable, to_jsonable
from metalrom.exporters.estimator.headline import headline
from metalrom.macro import MacroGeometry, estimate_macro, synthetic_table
from metalrom.macro.inverter_cost import InverterCost
from netlists.devices.device_set import load_devices
from netlists.readout.drawn import DrawnPart
from netlists.readout.local_inverter import LocalInverter


@pytest.fixture
def table() -> ReadoutTable:
    """16 rows per conversion, 1 V, 1 fJ per driven row and column."""
    table = synthetic_table(16, codes=16, sigma_noise=0.1)
    condition = replace(table.conditions[0], vdd=1.0)
    return table.replace(conditions=(condition,), row_energy=1e-15 * np.arange(17.0)[None], read_time=1e-9)


@pytest.fixture
def geometry(table: ReadoutTable) -> MacroGeometry:
    """64 x 112 cells of 0.06 um2 in two planes, four segments of a column, 40 reference rows in each."""
    inverter = LocalInverter(
        segments=4, planes=2, reference_rows=40, replicas=3, shared_by=50, bits=6, replica_reads=100,
        update_interval=10_000,
    )  # fmt: skip
    parts = (
        DrawnPart("row_drivers", "row", 8, 2e-12, 0.0, ""),
        DrawnPart("lcc_reset", "segment", 16, 3e-12, 0.0, ""),
        DrawnPart("column_line", "column", 1, 0.5e-12, 0.0, ""),
        DrawnPart("adc_logic", "bus", 100, 10e-12, 0.0, ""),
        DrawnPart("thresholds", "group", 400, 100e-12, 0.0, ""),
        DrawnPart("control_lines", "line", 2, 4e-12, 0.0, ""),
    )
    point = InverterPoint(
        condition=table.conditions[0].label, active=16, line_gain=0.15, comparator=1e-3, zeroing=5e-3, lsb=60e-3,
        zero_drift=0.001, settle_drift=0.05, rows=0.0, row_gates=32e-15, driver_leakage=1e-9, supply=200e-15,
        idle_power=1e-9, reset=2e-15, ramp=3e-15, line=4e-15, gates=1e-15,
    )  # fmt: skip
    cost = InverterCost(inverter, parts, lines=29, wire=0.1e-15, figures=InverterFigures((point,)))
    rules = load_devices("open45").area
    assert rules is not None
    return MacroGeometry(
        0.06e-12, 64, 112, 2, 16, 1, 4, 1e-12, 1e-12, rules, planes_per_adc=2, planes_per_driver=2, planes_per_reset=2,
        edge_width=0.0, inverter=cost,
    )  # fmt: skip


def test_area_by_hand(table: ReadoutTable, geometry: MacroGeometry) -> None:
    estimate = estimate_macro(geometry, table, table.conditions[0])
    um2 = {name: part.value.mid * 1e12 for name, part in estimate.area.items()}
    assert um2["row_drivers"] == pytest.approx((64 + 4) * 2.0)  # both planes on one driver, a dummy row per segment
    assert um2["dummy_cells"] == pytest.approx(4 * 112 * 0.06)
    assert um2["dummy_parity"] == pytest.approx(64 * 1.596, rel=1e-3)  # an XOR2_X1 of Nangate's library per row
    assert um2["lcc_reset"] == pytest.approx((112 + 6) * 4 * 3.0)  # six replica columns
    assert um2["column_line"] == pytest.approx((112 + 6) * 0.5)
    assert um2["adc_logic"] == pytest.approx((112 + 6) * 10.0)
    assert um2["thresholds"] == pytest.approx(3 * 100.0)  # 112 columns in groups of 50
    assert um2["control_lines"] == pytest.approx(29 * 4.0)
    assert um2["reference_cells"] == pytest.approx(112 * 4 * 40 * 0.06)
    assert um2["replica_cells"] == pytest.approx(6 * (64 + 4 + 4 * 40) * 0.06)
    metal = um2["array"] + um2["dummy_cells"] + um2["reference_cells"] + um2["replica_cells"]
    assert estimate.footprint.stacked.mid * 1e12 == pytest.approx(max(metal, sum(um2.values()) - metal))


def test_energy_by_hand(table: ReadoutTable, geometry: MacroGeometry) -> None:
    """8 of 16 rows driven; a read serves a conversion of each of 112 columns, of one plane."""
    parts = estimate_macro(geometry, table, table.conditions[0]).conversion
    fj = {name: part.value.mid * 1e15 for name, part in parts.items()}
    stop = 1.0e-9 + 0.2e-9 + 0.5e-9 + 32e-9 + 1.0e-9
    assert fj["row_drivers"] == pytest.approx(8 * 1.0 * 2)  # rows x fJ x planes
    assert fj["driver_gates"] == pytest.approx(32 / 16 * 8 / 112)
    assert fj["inverters"] == pytest.approx(200)
    assert fj["ramp"] == pytest.approx(2 * 3)  # both planes
    assert fj["column_line"] == pytest.approx(4 + 1)
    assert fj["leakage"] == pytest.approx((1e-9 * 2 * (64 + 4) / 112 + (4 * 2 - 1) * 1e-9) * stop * 1e15)
    assert fj["control_lines"] == pytest.approx(0.1 * (1.1**2 + 3))
    assert fj["counter"] == pytest.approx(2**5 * (0.1 + 1.5))
    others = sum(v for name, v in fj.items() if name not in ("threshold_updates", "shift_add"))
    assert fj["threshold_updates"] == pytest.approx(others * 2 * 100 / 10_000)


def test_time_label_and_flag(table: ReadoutTable, geometry: MacroGeometry) -> None:
    """Each of 4 segments and 2 planes is read for each of 8 input bits: 34.7 ns each."""
    estimate = estimate_macro(geometry, table, table.conditions[0])
    assert estimate.latency.mid == pytest.approx(8 * 4 * 2 * 34.7e-9)
    assert estimate.readout_label.startswith("inverters in the segment")
    assert "generator of the ramp" in estimate.not_included
    (flag,) = estimate.flags  # the bit line moves by 0.05 LSB just before the ramp
    assert "0.05 LSB as the ramp starts" in flag
    assert estimate.to_dict()["readout"]["kind"] == "inverter"


def test_the_geometry_is_read_back(geometry: MacroGeometry) -> None:
    assert from_jsonable(MacroGeometry, to_jsonable(geometry)) == geometry


def test_cost_models_get_the_inverters_as_their_converter(table: ReadoutTable, geometry: MacroGeometry) -> None:
    """Energy of inverters, ramp, line and counter (above); line, latches and counters over 112 columns; the ramp."""
    macro = estimate_macro(geometry, table, table.conditions[0])
    results = SimpleNamespace(condition=table.conditions[0].label)
    run: Any = SimpleNamespace(estimate=SimpleNamespace(macro=macro), table=table, results=results)
    found = headline(run)
    assert found.adc_energy * 1e15 == pytest.approx(200 + 2 * 3 + 4 + 1 + 2**5 * (0.1 + 1.5))
    assert found.adc_area * 1e12 == pytest.approx(((112 + 6) * (0.5 + 10.0) + 3 * 100.0) / 112)
    assert found.adc_time == pytest.approx(32e-9)

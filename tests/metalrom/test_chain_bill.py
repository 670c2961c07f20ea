"""Costs of a macro with a readout chain against hand values."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from characterization.procedures.chain_energy import ChainEnergy, ChainEnergyPoint
from characterization.procedures.chain_settling import ChainSettling, PhaseSettling
from characterization.tables.table import ReadoutTable
from interconnect.provenance import Provenance
from metalrom.macro import MacroGeometry, estimate_macro, synthetic_table
from metalrom.macro.chain_bill import METAL
from metalrom.macro.chain_cost import CapacitorDensity, ChainCost
from metalrom.macro.cost import IDEAL_READOUT
from metalrom.macro.scaling import stacked_at_node
from metalrom.run.readout_cost import chain_geometry
from netlists.devices.device_set import load_devices
from netlists.readout.chain import ChainTiming, ComparatorBus, ReadoutChain
from netlists.readout.drawn import DrawnPart


@pytest.fixture
def table() -> ReadoutTable:
    """16 rows per conversion, 1 V, 1 fJ per driven row and column."""
    table = synthetic_table(16, codes=16, sigma_noise=0.1)
    condition = replace(table.conditions[0], vdd=1.0)
    return table.replace(conditions=(condition,), row_energy=1e-15 * np.arange(17.0)[None], read_time=1e-9)


@pytest.fixture
def cost(table: ReadoutTable) -> ChainCost:
    label = table.conditions[0].label
    parts = (
        DrawnPart("row_drivers", "row", 4, 2e-12, 0.0, ""),
        DrawnPart("lcc_reset", "segment", 5, 1e-12, 0.0, ""),
        DrawnPart("column_line", "column", 2, 0.5e-12, 10e-15, ""),
        DrawnPart("adc", "bus", 100, 50e-12, 40e-15, ""),
        DrawnPart("control_lines", "line", 2, 3e-12, 0.0, ""),
    )
    point = ChainEnergyPoint(
        condition=label, active=16, cycle=9e-9, rows=0.0, row_gates=32e-15, driver_leakage=1e-9, reset_driver=8e-15,
        reset_gate=0.2e-15, reset_charge=0.1e-15, line=40e-15, line_power=5e-6, bias=45e-15, bias_power=6e-6,
        clamp=1e-15, mux=0.5e-15, parking=0.01e-15, converter={"v_dd": 300e-15, "v_clk": 20e-15}, conversion=7e-9,
    )  # fmt: skip
    phase = PhaseSettling(label, "bus after joining", 1e-9, 2e-9, 0.0, 0.0)
    density = CapacitorDensity(5e-3, Provenance("estimate", "5 fF/um2"))
    energy, settling = ChainEnergy(4, (point,)), ChainSettling(0.05, (phase,))
    return ChainCost(
        "complement", "array", 8, 1, 8, parts, density, 30, 2, 1e-16, 0.0, 1.1, 7, 0.02, ChainTiming(), energy, settling
    )


@pytest.fixture
def geometry(cost: ChainCost) -> MacroGeometry:
    """64 x 112 cells of 0.06 um2 in two planes, four segments of a column, 14 converters of 8 columns."""
    rules = load_devices("open45").area
    assert rules is not None
    plain = MacroGeometry(0.06e-12, 64, 112, 2, 16, 16, 4, 1e-12, 1e-12, rules)
    return chain_geometry(plain, cost)


def test_area_by_hand(table: ReadoutTable, geometry: MacroGeometry) -> None:
    estimate = estimate_macro(replace(geometry, edge_width=0.0), table, table.conditions[0])
    um2 = {name: part.value.mid * 1e12 for name, part in estimate.area.items()}
    assert um2["row_drivers"] == pytest.approx((64 + 4) * 2.0)  # both planes on one driver, a dummy row per segment
    assert um2["dummy_cells"] == pytest.approx(4 * 112 * 0.06)
    assert um2["dummy_parity"] == pytest.approx(64 * 1.596, rel=1e-3)  # an XOR2_X1 of Nangate's library per row
    assert um2["lcc_reset"] == pytest.approx(112 * 4 * 1.0)
    assert um2["column_line"] == pytest.approx(112 * 0.5)
    assert um2["adc"] == pytest.approx(14 * 50.0)  # 112 / 8 columns, all planes
    assert um2["control_lines"] == pytest.approx(30 * 3.0)
    assert um2["replicas"] == pytest.approx(7 * (4 * 1.0 + 0.5))
    assert um2["replica_cells"] == pytest.approx(7 * (64 + 4) * 0.06)
    assert um2["capacitors"] == pytest.approx(((112 + 7) * 10 + 14 * 40) / 5.0)
    metal = um2["array"] + um2["dummy_cells"] + um2["replica_cells"] + um2["capacitors"]
    silicon = sum(um2.values()) - metal
    # metals: array and capacitors beside each other; transistors lie under both
    assert estimate.footprint.stacked.mid * 1e12 == pytest.approx(max(metal, silicon))


def test_energy_by_hand(table: ReadoutTable, geometry: MacroGeometry) -> None:
    """8 of 16 rows driven; a read of the tile serves 14 conversions, so columns cost 8 times what one takes."""
    parts = estimate_macro(geometry, table, table.conditions[0]).conversion
    fj = {name: part.value.mid * 1e15 for name, part in parts.items()}
    assert fj["row_drivers"] == pytest.approx(8 * 1.0 * 8 * 2)  # rows x fJ x columns x planes
    assert fj["driver_gates"] == pytest.approx(32 / 16 * 8 / 14)
    assert fj["reset"] == pytest.approx(8 * 0.3 + 8 / 14)
    assert fj["line_bias"] == pytest.approx(8 * (40 + 5 * 7) + 45 + 6 * 7)  # bias of every column, conversion included
    assert fj["clamp"] == pytest.approx(8 * 1.0)
    assert fj["column_mux"] == pytest.approx(0.5)
    assert fj["leakage"] == pytest.approx(1e-9 * (64 + 4) * 2 * 16e-9 / 14 * 1e15 + 8 * 0.01)
    assert fj["control_lines"] == pytest.approx(0.1 * 8 * (1.1**2 + 3))
    assert fj["adc"] == pytest.approx(320)
    assert parts["adc"].provenance.status == "measured"


def test_a_shared_ramp_by_hand(table: ReadoutTable, geometry: MacroGeometry, cost: ChainCost) -> None:
    """14 buses in groups of 4: four generators; 100 fF of counter lines at 1 V."""
    ramp = DrawnPart("ramp", "group", 6, 20e-12, 2000e-15, "")
    shared = replace(cost, buses=4, parts=(*cost.parts, ramp), counter_capacitance=100e-15)
    estimate = estimate_macro(replace(geometry, readout=shared), table, table.conditions[0])
    assert estimate.area["ramp"].value.mid * 1e12 == pytest.approx(4 * 20.0)
    assert estimate.area["capacitors"].value.mid * 1e12 == pytest.approx(((112 + 7) * 10 + 14 * 40 + 4 * 2000) / 5.0)
    assert estimate.conversion["counter"].value.mid * 1e15 == pytest.approx(100.0)


def test_switched_bias_by_hand(table: ReadoutTable, geometry: MacroGeometry, cost: ChainCost) -> None:
    """Two of eight columns on; the six others leak no more than a row driver, 1 nW x 16 ns."""
    switched = replace(geometry, readout=replace(cost, biased=2))
    parts = estimate_macro(switched, table, table.conditions[0]).conversion
    assert parts["line_bias"].value.mid * 1e15 == pytest.approx(2 * (40 + 5 * 7) + 6 * 0.016 + 45 + 6 * 7)


def test_latency_by_hand(table: ReadoutTable, geometry: MacroGeometry) -> None:
    """8 input bits x 4 segments x 8 columns x 2 planes on one converter x (8.5 + 7 + 0.5 ns)."""
    estimate = estimate_macro(geometry, table, table.conditions[0])
    assert estimate.latency.mid * 1e9 == pytest.approx(8 * 4 * 8 * 2 * (8.5 + 7 + 0.5))


def test_a_hold_counts_once(table: ReadoutTable, geometry: MacroGeometry, cost: ChainCost) -> None:
    """A cycle that holds the rows for 5 of the conversion's 7 ns: the same period, a cycle of 9 + 5 ns as simulated."""
    (point,) = cost.energy.points
    held = replace(
        cost,
        timing=replace(cost.timing, hold=5e-9),
        energy=replace(cost.energy, points=(replace(point, cycle=point.cycle + 5e-9),)),
    )
    found = estimate_macro(replace(geometry, readout=held), table, table.conditions[0])
    before = estimate_macro(geometry, table, table.conditions[0])
    assert found.latency.mid == pytest.approx(before.latency.mid)
    # 2 ns of the period lie outside of the cycle: its supplies are those of 5 uW and 6 uW at rest
    assert found.conversion["line_bias"].value.mid * 1e15 == pytest.approx(8 * (40 + 5 * 2) + 45 + 6 * 2)


def test_more_planes_share_line_and_converter(table: ReadoutTable, geometry: MacroGeometry, cost: ChainCost) -> None:
    four = chain_geometry(replace(geometry, planes=4), cost)
    one, other = (estimate_macro(g, table, table.conditions[0]) for g in (geometry, four))
    for name in ("row_drivers", "adc", "column_line", "capacitors"):
        assert one.area[name].value == other.area[name].value
    assert other.latency.mid == pytest.approx(2 * one.latency.mid)


def test_two_columns_on_a_line_by_hand(table: ReadoutTable, geometry: MacroGeometry, cost: ChainCost) -> None:
    """112 columns on 56 lines; 8 columns of a bus are 4 lines, of which every read serves one column."""
    (point,) = cost.energy.points
    energy = replace(cost.energy, points=(replace(point, parked=0.02e-15),))
    shared = replace(cost, columns_per_line=2, biased=4, energy=energy)
    estimate = estimate_macro(replace(geometry, readout=shared), table, table.conditions[0])
    um2 = {name: part.value.mid * 1e12 for name, part in estimate.area.items()}
    assert um2["lcc_reset"] == pytest.approx(56 * 4 * 1.0)
    assert um2["column_line"] == pytest.approx(56 * 0.5)
    assert um2["replicas"] == pytest.approx(4 * (4 * 1.0 + 0.5))  # seven replica columns on four lines
    assert um2["capacitors"] == pytest.approx(((56 + 4) * 10 + 14 * 40) / 5.0)
    assert um2["adc"] == pytest.approx(14 * 50.0)
    fj = {name: part.value.mid * 1e15 for name, part in estimate.conversion.items()}
    assert fj["row_drivers"] == pytest.approx(8 * 1.0 * 8 * 2)  # all columns are driven for every conversion
    assert fj["line_bias"] == pytest.approx(4 * (40 + 5 * 7) + 45 + 6 * 7)
    assert fj["reset"] == pytest.approx(4 * 0.3 + 8 / 14 + 4 * (2 * 2 - 1) * 0.02)  # three of four bit lines are parked
    assert fj["clamp"] == pytest.approx(4 * 1.0)
    assert estimate.latency.mid == pytest.approx(estimate_macro(geometry, table, table.conditions[0]).latency.mid)


def test_a_line_for_every_plane_by_hand(table: ReadoutTable, geometry: MacroGeometry, cost: ChainCost) -> None:
    """Nothing is shared: two planes cost twice the circuits of one and convert at the same time."""
    apart = replace(cost, planes_per_line=1)
    plain = replace(geometry, readout=None)
    one, two = (
        estimate_macro(chain_geometry(replace(plain, planes=p), apart), table, table.conditions[0]) for p in (1, 2)
    )
    for name in ("row_drivers", "lcc_reset", "column_line", "adc", "control_lines", "replicas", "capacitors"):
        assert two.area[name].value.mid == pytest.approx(2 * one.area[name].value.mid), name
    assert two.area["array"].value == one.area["array"].value
    assert two.latency == one.latency
    assert two.energy_per_conversion.mid == pytest.approx(one.energy_per_conversion.mid)


def test_held_rows_by_hand(table: ReadoutTable, geometry: MacroGeometry, cost: ChainCost) -> None:
    """One read of 8.5 - 2 + 0.5 ns for eight lines, each 0.5 + 2 + 7 ns at the converter: the decks wait 3.5 turns."""
    (point,) = cost.energy.points
    chain = ReadoutChain(schedule="held", bus=ComparatorBus(columns=8))
    slot = cost.timing.recover + cost.timing.settle_bus + point.conversion
    timing = replace(cost.timing, queue=3.5 * slot)
    energy = replace(cost.energy, points=(replace(point, cycle=timing.stop),))
    held = replace(cost, conversions_per_read=chain.conversions_per_read, slot=slot, timing=timing, energy=energy)
    shape = replace(geometry, readout=held, conversions_per_read=8)
    estimate = estimate_macro(shape, table, table.conditions[0])
    # 8 input bits x 4 segments x 2 planes x (one read + eight turns)
    assert estimate.latency.mid * 1e9 == pytest.approx(8 * 4 * 2 * (7.0 + 8 * 9.5))
    fj = {name: part.value.mid * 1e15 for name, part in estimate.conversion.items()}
    assert fj["row_drivers"] == pytest.approx(8 * 1.0 * 2)  # an eighth of that of eight reads
    assert fj["reset"] == pytest.approx((8 * 0.3 + 8 / 14) / 8)
    period = 9.0 + 7 + 7 * 9.5  # ns, of which the deck holds 9 + 3.5 x 9.5
    rest = period - (9.0 + 3.5 * 9.5)
    assert fj["line_bias"] == pytest.approx((8 * (40 + 5 * rest) + 45 + 6 * rest) / 8)
    assert fj["adc"] == pytest.approx(320)
    assert fj["column_mux"] == pytest.approx(0.5)


def test_via_towers_by_hand(table: ReadoutTable, geometry: MacroGeometry) -> None:
    """112 columns x 4 segments x 1 upper plane on squares of 180 nm, in the metals; for an ideal readout too."""
    tall = replace(geometry, tower_pitch=180e-9, edge_width=0.0)
    estimate = estimate_macro(tall, table, table.conditions[0])
    assert estimate.area["via_towers"].value.mid * 1e12 == pytest.approx(112 * 4 * 0.0324)
    assert "via_towers" in estimate_macro(replace(tall, readout=None), table, table.conditions[0]).area
    assert "via_towers" not in estimate_macro(replace(tall, planes=1), table, table.conditions[0]).area
    # 32 rows of 0.06 um2 under three towers of 180 nm: 5 % of the array
    four = replace(tall, planes=4, group_rows=32, rows=64)
    assert four.towers * 0.0324 / (64 * 112 * 0.06) == pytest.approx(0.0506, abs=1e-4)


def test_a_macro_shrinks_by_the_rule_of_the_literature(table: ReadoutTable, geometry: MacroGeometry) -> None:
    """Metals of 28 nm stay, transistors of 45 nm take (28 / 45)^2 of their area; where nothing changes, so it was."""
    estimate = estimate_macro(replace(geometry, edge_width=0.0), table, table.conditions[0])
    same = stacked_at_node(estimate, metals=28e-9, devices=28e-9, node=28e-9)
    assert same.mid == pytest.approx(estimate.footprint.stacked.mid)
    silicon = sum(p.value.mid for n, p in estimate.area.items() if n not in METAL)
    metal = sum(p.value.mid for n, p in estimate.area.items() if n in METAL)
    assert silicon > metal
    mixed = stacked_at_node(estimate, metals=28e-9, devices=45e-9, node=28e-9)
    assert mixed.mid == pytest.approx(max(metal, silicon * (28 / 45) ** 2))


def test_a_short_timing_is_flagged(table: ReadoutTable, geometry: MacroGeometry, cost: ChainCost) -> None:
    late = replace(cost.settling.phases[0], needed=2.5e-9, missing=0.2)
    slow = replace(geometry, readout=replace(cost, settling=ChainSettling(0.05, (late,))))
    estimate = estimate_macro(slow, table, table.conditions[0])
    assert "needs 2.5 ns" in estimate.flags[0]
    assert "NOT SETTLED" in estimate.step["read"].provenance.source
    assert estimate_macro(geometry, table, table.conditions[0]).flags == ()


def test_every_estimate_names_its_readout(table: ReadoutTable, geometry: MacroGeometry) -> None:
    chain = estimate_macro(geometry, table, table.conditions[0]).to_dict()
    ideal = estimate_macro(replace(geometry, readout=None), table, table.conditions[0]).to_dict()
    assert chain["readout"]["kind"] == "chain"
    assert json.dumps(chain)
    assert ideal["readout"] == {"label": IDEAL_READOUT, "kind": "ideal"}
    assert IDEAL_READOUT in ideal["area_mm2"]["adc"]["source"]

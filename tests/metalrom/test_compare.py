"""Systems under common rules: definitions, published results, the energy model against hand values."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from interconnect.errors import InputError
from metalrom.studies.systems import merit
from metalrom.studies.systems.checks import CHECKS, CheckOutcome, run_checks
from metalrom.studies.systems.comparison import BASELINE, METAL, SystemComparison, compare_systems, corners
from metalrom.studies.systems.description import (
    DATA,
    SYSTEMS,
    Assumptions,
    SourcedNumber,
    read_system,
    shared_assumptions,
)
from metalrom.studies.systems.energy import Bits, Demand, Platform, Scenario, inference_energy, platform_of
from metalrom.studies.systems.metal import (
    TERNARY_EXAMPLE,
    TERNARY_SOURCE,
    MetalMacro,
    example_macro,
    example_text,
    ternary_example,
)
from metalrom.workloads.inventory.catalogue import SIZES, at_size


def test_definitions() -> None:
    assert merit.tops(128, 8.9e-9) * 1e3 == pytest.approx(28.76, abs=0.005)  # YOLoC, GOPS
    assert merit.tops_per_watt(2304, 11.49e-12) == pytest.approx(401.0, abs=0.05)  # Jia, 0.85 V
    assert merit.energy_per_mac(20) == pytest.approx(0.1e-12)
    assert merit.tops_per_mm2(1024, 5.5e-9, 1e-6) == pytest.approx(0.37236, abs=5e-6)
    assert merit.normalised_to_one_bit(20.69, 8, 8) == pytest.approx(1324.16)  # 8b x 8b counts 64 times
    assert merit.density(1.2e6, 0.24e-6) == pytest.approx(5.0)
    assert merit.density_at_node(8.928, 28e-9) == pytest.approx(1.6567, abs=5e-5)  # to 65 nm
    assert merit.density_at_node(3.984, 65, 28) == pytest.approx(3.984 * (65 / 28) ** 2)
    assert merit.array_efficiency(3.984, 0.096e-12) == pytest.approx(0.38246, abs=5e-6)
    assert merit.key_value_saving(128, 32) == pytest.approx(0.4360, abs=5e-5)  # BitROM
    assert merit.key_value_saving(4, 0) == 0
    assert merit.key_value_saving(4, 4) == 1


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan])
def test_definitions_refuse_nonsense(value: float) -> None:
    with pytest.raises(InputError, match="expected more than 0"):
        merit.tops(1, value)
    with pytest.raises(InputError, match="expected more than 0"):
        merit.tops_per_watt(1, value)


def test_published_results_come_out() -> None:
    outcomes = run_checks()
    assert [o.check.what for o in outcomes if not o.ok] == []
    numbers = (1, 2, 3, 5, 6, 8, 10, 11, 12, 13, 15, *range(17, 25))
    assert {o.check.number for o in outcomes} == {str(number) for number in numbers}
    assert len(outcomes) >= 27 + 10


def test_a_check_can_fail() -> None:
    for check in CHECKS:
        assert not CheckOutcome(check, check.reference + 2 * check.tolerance + 1e-3 * abs(check.reference)).ok
        assert not CheckOutcome(check, math.nan).ok
        # rounding to two digits is the coarsest
        assert check.tolerance <= 0.014 * abs(check.reference) + 1e-12, check.what


def test_derived_densities_follow_from_their_sources() -> None:
    # IMAGINE 187 kB/mm2 at 22 nm; Valavi 2.4 Mb in 18876/1498 mm2 at 65 nm; CACTI 4.8 Mb/mm2 at 22 nm; all to 28 nm
    density = SYSTEMS[BASELINE].density
    imagine = merit.density_at_node(187 * 8e-3, 22, 28)
    valavi = merit.density_at_node(2.4 / (18876 / 1498), 65, 28)
    assert density.low == pytest.approx(imagine, rel=1e-3)
    assert density.mid == pytest.approx(math.sqrt(imagine * valavi), rel=1e-3)
    assert density.high == pytest.approx(merit.density_at_node(4.8, 22, 28), rel=1e-3)
    assert SYSTEMS["mlc-rom"].efficiency.mid == pytest.approx(1324.26 / 64, rel=1e-2)


def test_unverified_values_are_estimates_and_say_so() -> None:
    # what the survey could not read again must not pass as published
    yoloc, hidden = SYSTEMS["yoloc"], SYSTEMS["hidden-rom"]
    for fact in (yoloc.sram_per_bit, hidden.node, hidden.cells_per_bit, hidden.sram_per_bit):
        assert fact.status == "estimate"
        assert "unverified" in fact.source
    for system in SYSTEMS.values():
        if system.memory == "rom":
            assert system.efficiency.status == "estimate"


STOCK = Platform(1.0, 0.1e-12, 0.1e-12, 0.1e-12, 0.0, 1.0)
"""20 TOPS/W everywhere."""


@pytest.mark.parametrize(
    ("model", "size", "total", "split", "gain"),
    # A survey's plausibility table: SRAM-CiM 20 TOPS/W, 8 pJ/bit DRAM, every 8-bit weight loaded once, buffer
    # 0.15 pJ/bit, activations of the matrices alone. total mJ; computing / weights / activations in %.
    [
        ("resnet-34", "S", 1.40, (0.5, 99.5, 0), 182),
        ("resnet-34", "M", 3.35, (57, 42, 1), 1.71),
        ("resnet-34", "L", 16.95, (90, 8, 2), 1.09),
        ("bert-base", "S", 5.58, (2, 98, 0), 53),
        ("bert-base", "M", 6.62, (17, 83, 0), 5.8),
        ("bert-base", "L", 10.4, (46, 53, 1), 2.1),
    ],
)
def test_energy_split_equals_the_survey(
    model: str, size: str, total: float, split: tuple[float, ...], gain: float
) -> None:
    demand = replace(Demand.of(at_size(model, SIZES[size])), operands=0, moved=0)
    shared = stock_assumptions()
    loaded = inference_energy(demand, STOCK, 0.0, shared, Scenario())
    held = inference_energy(demand, STOCK, math.inf, shared, Scenario())
    assert loaded.total * 1e3 == pytest.approx(total, rel=5e-3)
    parts = (loaded.computing, loaded.weight_loading, loaded.activation_access)
    for got, printed in zip(parts, split, strict=True):
        assert 100 * got / loaded.total == pytest.approx(printed, abs=1.0)
    assert held.weight_loading == 0
    assert loaded.total / held.total == pytest.approx(gain, rel=0.02)


def stock_assumptions(write: float = 0.0) -> Assumptions:
    def single(value: float, unit: str) -> SourcedNumber:
        return SourcedNumber(low=value, mid=value, high=value, unit=unit, status="user", source="stock value")

    row = {"kilobytes": 512, "low_power_22": 0.15, "high_performance_22": 0.15, "low_power_32": 0.15}
    return Assumptions.model_validate(
        {
            "dram": single(8, "pJ/bit"),
            "dram_bandwidth": single(50, "GB/s"),
            "array_write": single(write, "pJ/bit"),
            "sram_rate": single(1, "TOPS/mm2"),
            "logic_mac": single(0.1, "pJ/MAC"),
            "dynamic_share": single(0.1, "1"),
            "buffer_kilobytes": 512,
            "buffer_source": "stock value",
            "buffers": [row],
        }
    )


def test_energy_by_hand() -> None:
    """Half of the weights resident, attention in SRAM or in logic, every term a different power of ten."""
    demand = Demand(weights=1000, macs=10_000, activations=500, attention_macs=300, operands=40, moved=60)
    platform = Platform(1.0, mac=1e-12, sram_mac=2e-12, logic_mac=5e-12, extra_macs=0.1, weight_share=1.0)
    shared = stock_assumptions(write=3.0)
    got = inference_energy(demand, platform, 4000.0, shared, Scenario())
    assert got.matrices == pytest.approx(10_000 * (0.5 * 1e-12 + (0.5 + 0.1) * 2e-12))
    assert got.weight_loading == pytest.approx(4000 * (8e-12 + 3e-12))
    assert got.attention == pytest.approx(300 * 2e-12 + 40 * 8 * 0.15e-12)
    assert got.activation_access == pytest.approx((500 + 60) * 8 * 0.15e-12)
    assert got.total == pytest.approx(got.computing + got.weight_loading + got.activation_access)
    logic = inference_energy(demand, platform, 4000.0, shared, Scenario(), attention="logic")
    assert logic.attention == pytest.approx(300 * 5e-12)
    narrow = inference_energy(demand, platform, 4000.0, shared, Scenario(), bits=Bits(4, 4))
    assert narrow.weight_loading == 0  # 4000 bits hold 1000 weights of 4 bits


def test_platform_by_hand() -> None:
    systems, shared = SYSTEMS, shared_assumptions()
    platform = platform_of(systems["yoloc"], systems[BASELINE], shared, Scenario(), 28.0, Bits())
    # a trunk bit at 5 Mb/mm2 and 1/16 bit of SRAM at 0.974 Mb/mm2; a tenth of the area is left to SRAM
    assert platform.area_per_megabit == pytest.approx(1 / 5 + 0.0625 / 0.974)
    assert platform.capacity(10.0) == pytest.approx(9e6 / (1 / 5 + 0.0625 / 0.974))
    assert platform.mac == pytest.approx(2e-12 / 8.49)
    hidden = platform_of(systems["hidden-rom"], systems[BASELINE], shared, Scenario(), 28.0, Bits())
    assert hidden.mac == pytest.approx(2e-12 / (8.49 * 0.9))
    assert hidden.area_per_megabit == pytest.approx(1.5 / 5 + 0.0625 / 0.974)
    mlc = platform_of(systems["mlc-rom"], systems[BASELINE], shared, Scenario(), 65.0, Bits(4, 8))
    assert mlc.area_per_megabit == pytest.approx(1 / 3.984)  # at its own node
    assert mlc.mac == pytest.approx(2e-12 / 20.7 / 2)  # 4 x 8 of 8 x 8 bits


def compared(
    models: tuple[str, ...] = ("resnet-34",), sizes: str = "SML", area: float | None = None
) -> SystemComparison:
    inventories = [(model, size, at_size(model, SIZES[size])) for model in models for size in sizes]
    return compare_systems(inventories, (*SYSTEMS, METAL), example_macro(), area=area)


def test_fully_deployed_metal_rom_loads_nothing() -> None:
    found = compared(("resnet-34", "bert-base"))
    macro = example_macro().at_node(28.0)
    for case in found.cases:
        metal = next(r for r in case.results if r.system == METAL)
        assert metal.resident == 1
        assert all(energy.weight_loading == 0 for energy in metal.energy.values())
        assert metal.energy["mid"].matrices == pytest.approx(case.demand.macs * macro.energy_per_mac.mid * 1e-15)
        assert case.area == pytest.approx(case.tiling.tiles * macro.tile_area.mid / 0.9)
        # the area holds the weights: density of full tiles x their utilisation
        bits = case.area * 0.9 * macro.density.mid * case.tiling.utilisation * 1e6
        assert bits == pytest.approx(8 * case.demand.weights)


def test_a_given_area_binds_everyone() -> None:
    found = compared(sizes="S", area=5.0)
    (case,) = found.cases
    for result in case.results:
        assert 0 < result.resident < 1 or result.system == "mlc-rom"
        assert result.capacity <= 5.0 * 25e6
    metal = next(r for r in case.results if r.system == METAL)
    macro = example_macro().at_node(28.0)
    assert metal.capacity == pytest.approx(5.0 * 0.9 * macro.density.mid * case.tiling.utilisation * 1e6)
    missing = 8 * case.demand.weights - metal.capacity
    assert metal.energy["mid"].weight_loading == pytest.approx(missing * (8e-12 + 0.2e-12))
    assert metal.reload == pytest.approx(missing / (68.3e9 * 8))


def test_ranges_hold_every_combination_and_the_baseline_gains_nothing() -> None:
    for case in compared(sizes="SL").cases:
        for result in case.results:
            low, mid, high = (result.energy[level].total for level in ("low", "mid", "high"))
            assert low <= mid <= high
            assert result.gain.low <= result.gain.mid <= result.gain.high
            for ends in result.swing.values():
                for end in ends:
                    assert result.gain.low <= end * (1 + 1e-12)
                    assert end <= result.gain.high * (1 + 1e-12)
            if result.system == BASELINE:
                assert (result.gain.low, result.gain.mid, result.gain.high) == (1, 1, 1)
    assert len(list(corners())) == 2 ** len(Scenario.__dataclass_fields__)


def test_gain_falls_with_the_work_per_weight() -> None:
    gains = [next(r for r in case.results if r.system == METAL).gain.mid for case in compared().cases]
    assert gains == sorted(gains, reverse=True)
    whole = [case.full_deployment.mid for case in compared().cases]
    assert whole == sorted(whole, reverse=True)


def test_a_system_of_ones_own(tmp_path: Path) -> None:
    data = yaml.safe_load((DATA / "literature" / "2_yoloc.yaml").read_text()) | {"name": "mine"}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(data))
    inventories = [("resnet-34", "S", at_size("resnet-34", SIZES["S"]))]
    found = compare_systems(inventories, ["yoloc", str(path)], example_macro(), area=20.0)
    one, other = found.cases[0].results
    assert other.system == "mine"
    assert one.energy == other.energy


def fact(unit: str = "Mb/mm2", **numbers: object) -> dict[str, object]:
    return {"unit": unit, "status": "user", "source": "mine"} | numbers


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"densty": 1}, ("unknown key 'densty'", "did you mean 'density'")),
        ({"name": "yoloc x"}, ("name",)),
        ({"density": fact(low=3, mid=2, high=4)}, ("density", "3 <= 2 <= 4 does not hold")),
        ({"density": fact("kb/mm2", value=3)}, ("density", "kb/mm2", "expected Mb/mm2")),
        ({"density": fact(value=0)}, ("density", "more than 0")),
        ({"density": fact(value=3, low=1)}, ("both value and low",)),
        ({"density": fact(value=3, status="guess")}, ("density.status", "published")),
        ({"efficiency_loss": fact("1", value=1)}, ("efficiency_loss", "less than 1")),
        ({"memory": "flash"}, ("memory", "flash")),
    ],
)
def test_bad_system_files_get_one_sentence(change: dict[str, object], words: tuple[str, ...], tmp_path: Path) -> None:
    data = yaml.safe_load((DATA / "literature" / "2_yoloc.yaml").read_text()) | {"name": "mine"} | change
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(InputError) as caught:
        read_system(path)
    for word in ("mine.yaml", *words):
        assert word in str(caught.value), str(caught.value)


def test_shipped_example_reads_back_as_it_is_written(tmp_path: Path) -> None:
    macro = example_macro()
    assert macro.example
    assert (DATA / "example_macro.yaml").read_text() == example_text(macro)
    assert MetalMacro.model_validate(yaml.safe_load(example_text(macro))) == macro
    ternary = ternary_example()
    assert TERNARY_EXAMPLE.read_text() == example_text(ternary, TERNARY_SOURCE)
    assert (macro.ternary_columns, ternary.ternary_columns) == (2, 1)
    # 384 x 256 x 4 cells, 14 to a weight of 8 bits
    assert macro.density.mid == pytest.approx(384 * 256 * 4 / 14 * 8e-6 / macro.tile_area.mid)
    assert macro.efficiency.mid == pytest.approx(2000 / macro.energy_per_mac.mid)
    assert macro.tile_area.status == macro.energy_per_mac.status == "estimate"


def test_our_macro_shrinks_by_the_rule_of_everybody() -> None:
    """Metals of 28 nm stay, transistors of 45 nm take (28 / 45)^2; twice the node is four times the area."""
    macro = example_macro()
    assert (macro.metal_node, macro.device_node) == (28, 45)
    there = macro.at_node(28.0)
    assert there.metal_area == macro.metal_area
    assert there.silicon_area.mid == pytest.approx(macro.silicon_area.mid * (28 / 45) ** 2)
    side = math.sqrt(max(there.metal_area.mid, there.silicon_area.mid))
    ring = there.edge_width * 1e-3
    six_digits = 1e-5
    assert there.tile_area.mid == pytest.approx(side**2 + 4 * side * ring + 4 * ring**2, rel=six_digits)
    assert there.at_node(56.0).tile_area.mid == pytest.approx(4 * there.tile_area.mid, rel=six_digits)
    unknown = macro.model_copy(update={"metal_node": None}).at_node(7.0)
    assert unknown.tile_area == macro.tile_area
    assert "its area is not scaled" in unknown.warnings[-1]

"""A network on every system by the same rules: areas, energies and times against hand values."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from interconnect.errors import InputError
from metalrom.studies.systems.chip import CHIPS, read_chip
from metalrom.studies.systems.comparison import BASELINE, METAL
from metalrom.studies.systems.description import DATA, shared_assumptions
from metalrom.studies.systems.metal import example_macro
from metalrom.studies.systems.phases import phase_demand
from metalrom.studies.systems.placement import NPU, Placer, place_network

WEIGHTS = 2_084_044_800


def test_decode_and_prefill_of_a_language_model() -> None:
    """BitNet b1.58 2B4T: 30 blocks, width 2560, 5 key heads of 128, feed-forward 6912, output table shared."""
    step = phase_demand("bitnet-2b", "decode", 1000)
    block = 2560 * 2560 * 2 + 2 * 2560 * 640 + 3 * 2560 * 6912
    assert step.demand.weights == step.demand.macs == 30 * block == WEIGHTS
    assert (step.matrices, step.shared_table) == (210, 128256 * 2560)
    assert step.cache == 30 * 2 * 1000 * 640
    assert step.demand.attention_macs == 30 * 2 * 1000 * 2560
    whole = phase_demand("bitnet-2b", "prefill", 1000)
    assert whole.tokens == 1000
    assert whole.demand.macs == 1000 * WEIGHTS
    assert whole.demand.attention_macs == 1000 * step.demand.attention_macs
    with pytest.raises(InputError, match="out of range"):
        phase_demand("bitnet-2b", "decode", 0)


def test_every_system_by_hand() -> None:
    """At 14 nm: what was drawn at 7 nm takes four times its area."""
    placed = place_network("bitnet-2b", list(CHIPS.values()), example_macro(), 14.0, [512])
    row = {r.system: r for r in placed.rows}
    assert set(row) == {*CHIPS, NPU, BASELINE, METAL}
    tom = row["tom"]
    assert tom.area is not None
    assert tom.area.mid == pytest.approx(WEIGHTS * 2 / 120e6 * 4 / 0.9)  # a macro: a tenth of the chip is left to SRAM
    assert (tom.rate_rule, tom.energy) == ("stated", None)
    ank = row["ankhdjet"]
    assert ank.area is not None
    assert ank.cells is not None
    assert ank.area.mid == pytest.approx(340 * 4, rel=1e-3)  # its own chip, cache included
    assert ank.cells.mid == pytest.approx(145.88 * 4, rel=1e-3)
    hc1 = row["hc1"]
    assert hc1.energy is not None
    assert hc1.energy.mid == pytest.approx(WEIGHTS / 8.03e9 / 75.6)  # as many bits per weight
    assert hc1.rate is not None
    assert hc1.rate.mid == pytest.approx(17000 * 8.03e9 / WEIGHTS)
    metro = row["3d-metro"]
    assert metro.area is not None
    assert (metro.scaled_area, metro.rate, metro.energy, metro.masks) == (False, None, None, None)
    assert metro.area.mid == pytest.approx(WEIGHTS * 2 / 165.6e6 / 0.9)


def test_our_macro_by_hand() -> None:
    """Seven matrices of a block in four steps of the chain; two columns to a ternary weight on one-bit cells."""
    macro, shared = example_macro(), shared_assumptions()
    placer = Placer.of(macro, 28.0)
    step = phase_demand("bitnet-2b", "decode", 512)
    ours = placer.metal(step)
    assert ours.cells is not None
    assert ours.cells.mid == pytest.approx(WEIGHTS * 2 / macro.shape.cells * macro.metal_area.mid)
    cost = placer.phase_cost(METAL, step)
    chain = 30 * 4 * macro.tile_time.mid * 1e-9
    area = placer.metal_area(step).mid * 0.1
    attention = 2 * step.demand.attention_macs / (shared.sram_rate.mid * 1e12 * area)
    cache = 0.0 if cost.cache_on_chip else step.cache * 8 / (68.3e9 * 8)
    assert cost.time == pytest.approx(chain + attention + cache)
    fixed = WEIGHTS * macro.energy_per_mac.mid * 1e-15 * 2 / 14
    fixed += step.demand.activations * 8 * shared.buffer.mid * 1e-12
    assert cost.energy * (1 - cost.attention_share) == pytest.approx(fixed)
    longer = placer.phase_cost(METAL, phase_demand("bitnet-2b", "decode", 4096))
    assert longer.attention_share > cost.attention_share
    assert longer.time > cost.time


def test_a_reload_is_paid_by_every_decoded_token_and_once_by_a_prefill() -> None:
    placer = Placer.of(example_macro(), 28.0)
    step = placer.phase_cost(NPU, phase_demand("bitnet-2b", "decode", 512))
    assert step.reload_time == pytest.approx(WEIGHTS * 2 / (68.3e9 * 8))
    once = placer.phase_cost(NPU, phase_demand("bitnet-2b", "prefill", 512))
    assert once.reload_time == pytest.approx(step.reload_time / 512)
    assert once.energy < step.energy / 50
    part = placer.phase_cost(BASELINE, phase_demand("bitnet-2b", "decode", 512))
    assert part.reload_time < step.reload_time  # some weights stay in its SRAM
    assert placer.phase_cost(METAL, phase_demand("bitnet-2b", "decode", 512)).reload_time == 0


def test_every_stated_value_tells_its_source() -> None:
    for chip in CHIPS.values():
        document = chip.model_dump(exclude_none=True)
        facts = [f for f in (*document.values(), *document.get("model", {}).values()) if isinstance(f, dict)]
        for fact in (f for f in facts if "status" in f):
            assert len(fact["source"]) > 5, chip.name
            assert not (fact["status"] == "published" and "unverified" in fact["source"]), chip.name


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"evidence": "hope"}, ("evidence", "product")),
        ({"densty": 1}, ("unknown key 'densty'", "did you mean 'density'")),
        ({"rate": {"value": 1, "unit": "MHz", "status": "user", "source": "mine"}}, ("rate", "MHz", "token/s")),
        ({"model": None}, ("model", "is missing")),
    ],
)
def test_bad_chip_files_get_one_sentence(change: dict[str, object], words: tuple[str, ...], tmp_path: Path) -> None:
    data = yaml.safe_load((DATA / "chips" / "03_hc1.yaml").read_text()) | {"name": "mine"} | change
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(InputError) as caught:
        read_chip(path)
    for word in ("mine.yaml", *words):
        assert word in str(caught.value), str(caught.value)

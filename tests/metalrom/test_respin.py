"""Two models: which masks differ, what they cost and when they pay."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from interconnect.errors import InputError
from metalrom.cli.main import app
from metalrom.layout.files import write_layout
from metalrom.layout.plan import plan_layout
from metalrom.studies.respin.difference import compare_layouts
from metalrom.studies.respin.economics import Use, break_even, dies_per_wafer, economic_inputs, respin_days
from metalrom.studies.respin.masks import mask_bill, mask_price, published_case
from netlists.cells import make_cell
from netlists.cells.base import Plane
from netlists.mapping import MacroShape, ViaProgram, tile
from netlists.mapping.program import Encoding

pytest.importorskip("gdstk")
pytest.importorskip("klayout.db")

VALUES = (0, 1, -1)
PLANES = (Plane("M2", "M3"), Plane("M4", "M5"), Plane("M6", "M7"), Plane("M8", "M9"))


def program(seed: int) -> ViaProgram:
    """A ternary matrix of 12 x 16 weights on ternary cells."""
    symbols = np.random.default_rng(seed).integers(0, 3, (12, 16)).astype(np.uint8)
    ones = np.ones(16, dtype=np.int64)
    return ViaProgram(symbols, np.arange(16), ones, ones * 0, Encoding("drawn", VALUES))


def draw(path: Path, found: ViaProgram) -> Path:
    from interconnect.stackfile import load_stack

    manifest = tile(found, MacroShape(rows=12, columns=4, planes=4))
    cell = make_cell("cap_tie", {})
    return write_layout(
        plan_layout(cell, load_stack("generic28"), PLANES, found, manifest, "macro", group_rows=4), path
    ).path


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Layouts of two ternary models on four planes, in either format."""
    folder = tmp_path_factory.mktemp("models")
    return draw(folder / "a.gds", program(1)), draw(folder / "b.oas", program(2))


def test_two_models_differ_in_the_via_layers_of_their_planes_alone(models: tuple[Path, Path]) -> None:
    found = compare_layouts(*models)
    assert [layer.name for layer in found.changed] == ["V2", "V4", "V6", "V8"]
    assert found.only_cuts
    assert found.stack == "generic28"
    # a via moves, comes or goes at every cell whose symbol differs: counted from the programs themselves
    one, two = program(1).bits, program(2).bits
    differ = one != two
    assert sum(layer.removed for layer in found.changed) == int((differ & (one > 0)).sum())
    assert sum(layer.added for layer in found.changed) == int((differ & (two > 0)).sum())
    metals = [layer for layer in found.layers if layer.kind == "metal"]
    assert len(metals) >= 8
    assert all(layer.first == layer.second and not layer.changed for layer in metals)


def test_what_cannot_be_compared(models: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        compare_layouts(models[0], tmp_path / "none.gds")
    (tmp_path / "broken.gds").write_bytes(b"\x00\x06\x00\x02nothing")
    with pytest.raises(InputError, match="cannot be read as a layout"):
        compare_layouts(models[0], tmp_path / "broken.gds")


def test_published_masks_come_out() -> None:
    """HNLPU, arXiv 2508.16151: 65 M$ for the first 16 chips, 37 M$ for a new model. HC1: two masks per model."""
    case = published_case("hnlpu")
    bill = mask_bill(case.changed, case.node, chips=case.chips)
    assert round(bill.first) == 65
    assert round(bill.again) == 37
    assert bill.masks == 160
    hc1 = published_case("hc1")
    assert mask_bill(hc1.changed, hc1.node).masks == 2
    assert mask_bill(hc1.changed, hc1.node).again == pytest.approx(2 * 11.7 / 78)  # of a 7 nm set


def test_mask_prices() -> None:
    """A set of 30 M$ with 58 DUV masks and 12 EUV masks at six times their price."""
    assert mask_price(5.0).plain == pytest.approx(30 / (58 + 6 * 12))
    assert mask_price(6.0).node == 7
    with pytest.raises(InputError, match="no mask prices near 400 nm"):
        mask_price(400.0)
    with pytest.raises(InputError, match="masks change, but a set"):
        mask_bill({"V1": 99}, 28.0)


def test_break_even_by_hand() -> None:
    known = economic_inputs()
    use = Use(area=100.0, energy=1e-3, energy_there=31e-3, weight_yield=0.9)
    assert dies_per_wafer(100.0) == math.floor(math.pi * 147**2 / 100 - math.pi * 294 / math.sqrt(200))
    bill = mask_bill({"V2": 1, "V4": 1}, 28.0)
    found = break_even(bill, use, 16, devices=1e6)
    chip = 3000 / (dies_per_wafer(100.0) * math.exp(-0.1) * 0.9) + 3.0
    assert found.chip == pytest.approx(chip)
    tokens = 1e6 * 4 * 365.25
    assert found.energy_saving == pytest.approx(tokens * 30e-3 / 3.6e6 * 0.15)
    assert found.saving == pytest.approx(12 + 5 * 2 - chip + found.energy_saving)
    assert found.fixed == pytest.approx(1.5e6 + 10e6)
    assert found.volume == pytest.approx(found.fixed / found.saving)
    updates = (1e6 * found.saving - found.fixed) / (2e6 * 1.5 / 45 + 0.2e6 + 1e6 * chip)
    assert found.interval == pytest.approx(4 / updates)
    assert found.days.mid == respin_days(16).mid == pytest.approx(21 + 16 * 1.2 + 14)
    dear = replace(use, energy=1.0)  # costs more energy than it saves money
    worse = break_even(bill, dear, 16, devices=1e6, inputs=known)
    assert worse.volume is None
    assert worse.interval is None


def test_command(models: tuple[Path, Path]) -> None:
    def call(*words: str | Path) -> tuple[int, str, str]:
        done = CliRunner().invoke(app, ["respin", *map(str, words)], env={"COLUMNS": "80"})
        return done.exit_code, done.stdout, done.stderr

    code, out, _ = call(*models, "--json")
    data = json.loads(out)
    assert code == 0
    assert data["difference"]["changed_layers"] == ["V2", "V4", "V6", "V8"]
    assert data["difference"]["only_via_layers"] is True
    assert data["masks"]["respin_masks_Musd"]["mid"] == pytest.approx(4 * 1.5 / 45)
    assert data["network"]["ternary_weights"] == 2_084_044_800
    shares = [part["yield"] for part in data["yield"]]
    assert shares == sorted(shares)
    facts = [*data["inputs"].values(), *(w["price"] for w in data["inputs"]["wafers"])]
    assert all(f["source"] and f["status"] for f in facts if isinstance(f, dict))
    code, out, _ = call(*models, "--node", "5", "--chips", "2")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "8 masks for 2 chip(s) at 5 nm" in out
    code, _, message = call(models[0], models[0])
    assert code == 2
    assert "do not differ" in message
    code, _, message = call(models[0], models[1].with_suffix(".txt"))
    assert code == 2
    assert "neither a layout nor the folder of a run" in message

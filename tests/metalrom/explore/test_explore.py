"""The exploration: the space against its own configuration, frontier against brute force, a small sweep by ngspice."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from interconnect.errors import InputError
from metalrom.api import load
from metalrom.studies.density import run
from metalrom.studies.density.answer import answers
from metalrom.studies.density.fast import FastRating
from metalrom.studies.density.frontier import frontier, undominated
from metalrom.studies.density.point import DesignPoint
from metalrom.studies.density.run import KEPT, Exploration, explore_designs
from metalrom.studies.density.space import DesignBlock, DesignSpace, Settings, is_word
from metalrom.studies.density.write import write_exploration

POINT = DesignPoint(
    settings=(("array.group_rows", 32),), cell="cap_balanced", readout="sar", mapping="differential", row_pitch=2e-7,
    column_pitch=3e-7, rows=384, columns=256, planes=4, group_rows=32, columns_per_adc=64, lsb=5e-3, unit="V",
    sigma_noise=0.1, sigma_mismatch=0.05, sigma_pattern=0.02, sigma=0.12, code_error=1e-5, csnr=45.0, density=66.0,
    density_macro=13.0, weight_density=7.0, utilisation=0.5, energy_per_mac=2e-12, energy_per_conversion=1e-12,
    latency=1e-6, read_time=1e-9, tops=0.01, tops_per_mm2=0.1, tops_per_watt=1.0, shares="adc 50 %", meets_target=True,
    extraction="table",
)  # fmt: skip


@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=12))
@settings(max_examples=100, deadline=None)
def test_undominated_is_the_definition(rows: list[tuple[int, int, int]]) -> None:
    values = np.array(rows, dtype=float)
    expected = [
        not any(all(b >= a for a, b in zip(x, y, strict=True)) and tuple(y) != tuple(x) for y in rows) for x in rows
    ]
    assert undominated(values).tolist() == expected


def test_frontier_keeps_kinds_apart_and_drops_the_beaten() -> None:
    beaten = replace(POINT, mapping="beaten", density_macro=12.0)
    ideal = replace(POINT, readout="ideal", density_macro=5.0)
    other = replace(POINT, cell="res_via", density_macro=4.0)
    assert [p.kind for p in frontier([beaten, POINT, ideal, other])] == [
        "cap_balanced, sar", "cap_balanced, ideal", "res_via, sar",
    ]  # fmt: skip


def test_answer_names_the_price() -> None:
    dense = replace(POINT, settings=(("array.group_rows", 64),), density=170.0, density_macro=40.0, csnr=25.0,
                    code_error=1e-2, energy_per_mac=1e-12, meets_target=False, planes=8)  # fmt: skip
    (found,) = answers([POINT, dense])
    assert found.raw is dense
    assert found.macro is None
    assert found.within is POINT
    text = " ".join(found.sentences)
    assert "its cells alone reach 165.6 Mb/mm2 (170.0 at most)" in text
    assert "does not reach it (40.0 at most)" in text
    assert "20.0 dB of CSNR given up" in text  # 45 - 25
    assert "energy x0.50" in text  # 1 / 2 pJ


def test_a_point_reads_itself_back() -> None:
    assert DesignPoint.from_dict(json.loads(json.dumps(POINT.to_dict()))) == POINT


SWEEP = {
    "name": "sweep",
    "cell": {"kind": "cap_balanced", "row_pitch": "200nm", "column_pitch": "300nm",
             "planes": [{"row": "M2", "column": "M3"}, {"row": "M4", "column": "M5"}]},
    "array": {"rows": 32, "columns": 32},
    "weights": {"random": [32, 6], "bits": 4},
    "inputs": {"bits": 4, "vectors": 8},
    "readout": {"kind": "ideal", "double_sampling": True},
    "characterization": {"samples": 30, "patterns": 1, "max_levels": 5},
    "explore": {
        "verify": 1,
        "vary": [
            {"cell.kind": ["cap_balanced"], "cell.row_pitch": ["1x", "1.5x"], "array.group_rows": [16, 32],
             "cell.planes": [1, 3], "array.columns_per_adc": [8, 16], "mapping": ["differential", "twos_complement"]},
            {"cell.kind": ["res_via"], "readout.double_sampling": [False], "cell.resistance": ["1Mohm"],
             "variation.cell_sigma": ["2.5%"], "array.group_rows": [8]},
        ],
    },
}  # fmt: skip


def written(folder: Path, **explore: object) -> Path:
    """The configuration with other keys of its `explore` block."""
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump(SWEEP | {"explore": {**SWEEP["explore"], **explore}}))  # type: ignore[dict-item]
    return path


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("explore"))


@pytest.fixture(scope="module")
def found(config: Path) -> Exploration:
    return explore_designs(load(config), config.parent)


def test_words_and_numbers() -> None:
    assert [is_word(v) for v in ("sar", True, "M2", "20fF", "1.5x", "2.5%", 16, None)] == [True] * 3 + [False] * 5


def test_the_anchor_is_the_middle_of_the_numbers() -> None:
    block = DesignBlock({"mapping": ("a", "b"), "array.group_rows": (8, 16, 24)})
    assert block.anchor((("mapping", "b"), ("array.group_rows", 24))) == (("mapping", "b"), ("array.group_rows", 16))
    assert block.base((("mapping", "b"), ("array.group_rows", 24))) == (("mapping", "a"), ("array.group_rows", 16))


def test_settings_become_keys_of_the_configuration(config: Path) -> None:
    space = DesignSpace(load(config))
    chosen: Settings = (("readout.kind", "chain"), ("readout.sampler.capacitance", "20fF"), ("cell.planes", 3),
                        ("cell.row_pitch", "1.5x"), ("array.group_rows", 8))  # fmt: skip
    design = space.at(chosen)
    assert design.config.readout.sampler.parameters() == {"capacitance": pytest.approx(20e-15)}
    assert not design.config.readout.double_sampling  # belongs to the ideal readout of the base
    # two planes are listed, the third lies on the next two metals
    assert [(p.row, p.column) for p in design.planes] == [("M2", "M3"), ("M4", "M5"), ("M6", "M7")]
    # smallest of generic28 (two lines and two spaces of 45 nm) times 1.5
    assert design.models[0].pitch[0] == pytest.approx(1.5 * 180e-9)
    document = space.document(chosen)
    assert document["array"]["group_rows"] == 8


@pytest.mark.parametrize(
    ("vary", "message"),
    [
        ({"array.grup_rows": [8]}, "grup_rows"),
        ({"cell.kind": ["cap_balanzed"], "array.group_rows": [8]}, "cap_balanzed"),
        ({"array.columns_per_adc": [8]}, "chosen by the margin"),
        ({"array.group_rows": [8], "readout.kind": ["ideal"], "readout.converter.kind": ["sar", "ramp"]}, "readout"),
        ({"array.group_rows": [8], "cell.planes": [9]}, "metals for"),
    ],
)
def test_what_is_no_configuration_is_one_sentence(
    vary: dict[str, object], message: str, config: Path, tmp_path: Path
) -> None:
    path = written(tmp_path, vary=vary)
    if "readout.converter.kind" in vary:
        vary["readout.converter.bits"] = [7]
        path = written(tmp_path, vary=vary)
    with pytest.raises(InputError, match=message):
        explore_designs(load(path), tmp_path)


def test_every_combination_is_rated_once(found: Exploration) -> None:
    # pitches x groups x planes x sharing x mappings, and one current cell
    assert len(found.points) == 2 * 2 * 2 * 2 * 2 + 1
    assert len({p.key for p in found.points}) == len(found.points)
    # 4 probes each: the anchor, another group, another pitch; the current cell
    assert found.decks == 4 * 4
    assert not found.refused


def test_raw_density_is_cells_over_footprint(found: Exploration) -> None:
    for p in found.points:
        # one bit per cell: planes / (pitch x pitch), 1 Mb/mm2 = 1e12 bits per m2
        assert p.density == pytest.approx(p.planes / (p.row_pitch * p.column_pitch) * 1e-12, rel=1e-9)
        assert p.density_macro < p.density


def test_levels_follow_the_divider_and_the_resistor(found: Exploration, config: Path) -> None:
    space = DesignSpace(load(config))
    for p in found.points:
        if p.cell == "res_via":
            assert p.lsb == pytest.approx(0.2 / 1e6, rel=0.03)  # V / R of one plug; IR drop and driver take the rest
        else:
            model = space.at(p.settings).models[0]
            # the divider V C_s / (N C_t + C_sense) is an upper bound: the reset switch loads the line too
            bound = 1.0 * model.switched / (p.group_rows * model.bl_total + 100e-18)
            assert 0.5 * bound < p.lsb < bound


def test_products_of_ratios_meet_a_full_characterization(found: Exploration) -> None:
    (v,) = found.verified
    assert v.simulations > 30
    assert v.full.lsb == pytest.approx(v.point.lsb, rel=0.03)  # closed formulas of the metal: 1 % of the line
    assert 1 / 4 < v.code_error_factor < 4
    assert v.full.energy_per_mac == pytest.approx(v.point.energy_per_mac, rel=0.05)
    assert v.full.density_macro == pytest.approx(v.point.density_macro, rel=1e-6)
    assert found.error is not None
    assert found.error.points == 1


def test_every_kind_is_drawn_and_obeys_the_group_size_law(found: Exploration) -> None:
    by = {k.kind: k for k in found.kinds}
    assert {"cap_present", "cap_balanced", "res_via", "cap_select", "cap_ternary"} <= set(by)
    b = by["cap_balanced"]
    # sqrt(k T N c_t) / (V c_s), k T at 27 degC = 4.144e-21 J, 32 rows, 1.0 V
    assert b.noise == pytest.approx((4.144e-21 * 32 * b.load) ** 0.5 / b.per_count, rel=1e-3)
    assert by["cap_select"].bits == 2.0
    assert all(k.density == pytest.approx(k.bits * found.planes / k.area * 1e-12) for k in found.kinds)


def test_written_files_read_back(found: Exploration, tmp_path: Path) -> None:
    write_exploration(found, tmp_path)
    rows = list(csv.DictReader((tmp_path / "points.csv").open()))
    assert [float(r["density"]) for r in rows] == [p.density for p in found.points]
    assert sum(r["frontier"] == "True" for r in rows) == len(found.frontier)
    document = json.loads((tmp_path / "explore.json").read_text())
    assert document["reference_Mb_per_mm2"]["value"] == 165.6
    assert document["error"]["points"] == 1
    assert document["warnings"]  # the stack is an estimate and says so
    assert (tmp_path / "frontier.svg").read_text().startswith("<svg")
    assert "WARNING" in (tmp_path / "answer.md").read_text()


def test_stopped_and_gone_on_with_is_the_same(
    found: Exploration, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path)
    rate = FastRating.rate
    count = 0

    def stopping(self: FastRating, block: DesignBlock, chosen: Settings) -> DesignPoint:
        nonlocal count
        count += 1
        if count == 12:
            raise KeyboardInterrupt
        return rate(self, block, chosen)

    monkeypatch.setattr(run.FastRating, "rate", stopping)
    with pytest.raises(KeyboardInterrupt):
        explore_designs(load(path), tmp_path)
    kept = (tmp_path / KEPT).read_bytes()
    assert kept.count(b"\n") == 12  # what it is of, and eleven points
    with (tmp_path / KEPT).open("ab") as file:
        file.write(kept.splitlines()[-1][:40])  # killed within a line
    again = explore_designs(load(path), tmp_path)
    assert count == 12 + len(found.points) - 11  # none twice but the one that was stopped
    assert again.resumed == 11
    assert again.points == found.points
    assert again.verified == found.verified

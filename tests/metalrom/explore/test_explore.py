"""The exploration: the frontier against brute force, a small real sweep through ngspice, and its written files."""

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
from metalrom.studies.density.answer import answers
from metalrom.studies.density.frontier import frontier, undominated
from metalrom.studies.density.point import DesignPoint
from metalrom.studies.density.run import Exploration, explore_designs
from metalrom.studies.density.write import write_exploration

POINT = DesignPoint(
    label="p", cell="cap_balanced", row_pitch=2e-7, column_pitch=3e-7, rows=384, columns=256, resistance=None,
    double_sampling=True, planes=4, group_rows=32, adc_bits=6, columns_per_adc=64, lsb=5e-3, unit="V", sigma_noise=0.1,
    sigma_mismatch=0.05, sigma_pattern=0.02, sigma=0.12, code_error=1e-5, csnr=45.0, density_raw=66.0,
    density_macro=13.0, weight_density=7.0, energy_per_mac=2e-12, tops=0.01, tops_per_mm2=0.1, adc_share=0.1,
    driver_share=0.1, lcc_share=0.5, meets_target=True,
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
    beaten = replace(POINT, label="beaten", density_macro=12.0, columns_per_adc=16)
    other = replace(POINT, label="other", cell="res_via", density_macro=5.0)
    assert [p.label for p in frontier([beaten, POINT, other])] == ["p", "other"]


def test_answer_names_the_price() -> None:
    dense = replace(POINT, label="dense", density_raw=170.0, density_macro=40.0, csnr=25.0, code_error=1e-2,
                    energy_per_mac=1e-12, meets_target=False, planes=8)  # fmt: skip
    (found,) = answers([POINT, dense])
    assert found.raw is dense
    assert found.macro is None
    assert found.within is POINT
    text = " ".join(found.sentences)
    assert "its cells alone reach 165.6 Mb/mm2 (170.0 at most)" in text
    assert "does not reach it (40.0 at most)" in text
    assert "20.0 dB of CSNR given up" in text  # 45 - 25
    assert "energy x0.50" in text  # 1 / 2 pJ


SWEEP = {
    "name": "sweep",
    "cell": {"kind": "cap_balanced", "planes": [{"row": "M2", "column": "M3"}, {"row": "M4", "column": "M5"}]},
    "array": {"rows": 64, "columns": 64},
    "weights": {"random": [64, 6], "bits": 4},
    "inputs": {"bits": 4, "vectors": 8},
    "characterization": {"samples": 30, "patterns": 1, "max_levels": 5},
    "variation": {"cell_sigma": 0.025},  # of resistors
    "explore": {
        "cells": ["cap_balanced", "res_via"], "row_pitch_factors": [1.0], "resistances": ["1Mohm"], "planes": [1, 2, 9],
        "double_sampling": [True], "group_rows": [8, 16], "adc_bits_less": [0, 1], "columns_per_adc": [16, 1111],
        "arrays": [[64, 64]], "vectors": 8, "verify": 1,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("explore") / "sweep.yaml"
    path.write_text(yaml.safe_dump(SWEEP))
    return path


@pytest.fixture(scope="module")
def found(config: Path) -> Exploration:
    return explore_designs(load(config))


def test_every_combination_that_fits_is_rated(found: Exploration) -> None:
    # 2 columns x 2 groups x 2 converters x planes 1, 2 (9 are not listed) x 16 columns per converter (1111 > 64)
    assert len(found.points) == 2 * 2 * 2 * 2
    assert len({p.key for p in found.points}) == len(found.points)
    assert {p.planes for p in found.points} == {1, 2}


def test_raw_density_is_cells_over_footprint(found: Exploration) -> None:
    for p in found.points:
        # one bit per cell: planes / (pitch x pitch), 1 Mb/mm2 = 1e12 bits per m2
        assert p.density_raw == pytest.approx(p.planes / (p.row_pitch * p.column_pitch) * 1e-12, rel=1e-9)
        assert p.density_macro < p.density_raw


def test_levels_follow_the_divider_and_the_resistor(found: Exploration, config: Path) -> None:
    for p in found.points:
        if p.cell == "res_via":
            assert p.lsb == pytest.approx(0.2 / 1e6, rel=0.03)  # V / R of one plug; IR drop and driver take the rest
        else:
            model = load(config).models[0]
            # the divider V C_s / (N C_t + C_sense) is an upper bound: the reset switch loads the line too
            bound = 1.0 * model.switched / (p.group_rows * model.bl_total + 100e-18)
            assert 0.5 * bound < p.lsb < bound


def test_full_characterization_agrees_with_the_probes(found: Exploration) -> None:
    (v,) = found.verified
    assert v.lsb == pytest.approx(v.point.lsb, rel=0.01)
    assert v.simulations > 30


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
    assert [float(r["density_raw"]) for r in rows] == [p.density_raw for p in found.points]
    assert sum(r["frontier"] == "True" for r in rows) == len(found.frontier)
    document = json.loads((tmp_path / "explore.json").read_text())
    assert document["reference_Mb_per_mm2"]["value"] == 165.6
    assert document["warnings"]  # the stack is an estimate and says so
    assert (tmp_path / "frontier.svg").read_text().startswith("<svg")
    assert "WARNING" in (tmp_path / "answer.md").read_text()


def test_a_cell_that_the_readout_does_not_serve_is_one_sentence(config: Path, tmp_path: Path) -> None:
    sweep = json.loads(json.dumps(SWEEP))
    sweep["explore"]["cells"] = ["cap_balanzed"]
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump(sweep))
    with pytest.raises(InputError, match="cap_balanzed"):
        explore_designs(load(path))

"""The search: what is asked for, the order of points, and a small search whose best point brute force knows."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
import yaml
from typer.testing import CliRunner

from interconnect.errors import InputError, MissingLibrary
from interconnect.optional import has_library
from metalrom.api import load
from metalrom.cli import completion
from metalrom.cli.main import app
from metalrom.folders import cache_folder
from metalrom.specs.quantities import QUANTITIES
from metalrom.studies.density import optimize
from metalrom.studies.density.fast import FastRating
from metalrom.studies.density.objective import RATED, Objective, parse_objective
from metalrom.studies.density.optimize import optimize_design, ranked
from metalrom.studies.density.optimize_page import write_optimization
from metalrom.studies.density.space import DesignSpace, design_blocks
from ngspice_runner import Cache
from tests.metalrom.explore.test_explore import POINT, SWEEP

VARY = {"array.group_rows": [8, 16], "array.columns_per_adc": [4, 8, 16, 32]}


def test_one_quantity_that_is_rated() -> None:
    with pytest.raises(InputError, match="maximize or to minimize"):
        parse_objective("density", "energy_per_mac", ())
    with pytest.raises(InputError, match="gives no 'margin'"):
        parse_objective("density", None, ["margin > 4"])
    assert set(completion.RATED) == set(RATED) <= set(QUANTITIES)


def test_how_far_a_specification_is_missed() -> None:
    objective = parse_objective("density_macro", None, ["code_error <= 1e-4", "csnr >= 40dB"])
    assert objective.value(POINT) == 6.5  # 13 Mb/mm2, half of the cells in use
    error, signal = objective.misses(POINT)
    assert error == pytest.approx(math.log(0.1))  # 1e-5 of 1e-4
    assert signal == pytest.approx(-5.0)  # 45 of 40 dB
    error, signal = objective.misses(POINT, {"code_error": 100.0, "csnr": -6.0})
    assert error == pytest.approx(math.log(10.0))
    assert signal == pytest.approx(1.0)


def test_points_that_keep_the_specifications_come_first() -> None:
    objective = parse_objective("density_macro", None, ["code_error <= 1e-4"])
    dense = replace(POINT, density_macro=40.0, code_error=1e-3)
    worse = replace(POINT, density_macro=50.0, code_error=1e-2)
    assert ranked(objective, [worse, dense, POINT], {}) == [POINT, dense, worse]
    # a run found ten times the code error: none is left, the one that misses least comes first
    assert ranked(objective, [dense, POINT], {"code_error": 1e3})[0] == POINT


@pytest.mark.parametrize(
    ("given", "asked"), [((), ["code_error <= 0.001"]), (("--subject", "csnr >= 40"), ["csnr >= 40.0dB"])]
)
def test_without_specifications_the_code_error_target_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: tuple[str, ...], asked: list[str]
) -> None:
    searched: list[Objective] = []

    def search(design: object, objective: Objective, *_: object, **__: object) -> NoReturn:
        searched.append(objective)
        raise InputError("enough")

    monkeypatch.setattr(optimize, "optimize_design", search)
    config = _config(tmp_path, readout={"kind": "ideal", "code_error_target": 1e-3})
    CliRunner().invoke(app, ["optimize", str(config), "-o", str(tmp_path), "--maximize", "density", *given])
    assert [str(spec) for spec in searched[0].specs] == asked


@pytest.mark.ngspice
def test_a_search_finds_the_best_and_goes_on_alike(tmp_path: Path) -> None:
    if not has_library("optuna"):
        with pytest.raises(MissingLibrary, match="optimize"):
            optimize_design(load(_config(tmp_path)), parse_objective("density_macro", None, ()), tmp_path, trials=1)
        pytest.skip("without optuna")
    design = load(_config(tmp_path))
    objective = parse_objective("density_macro", None, ["code_error <= 0.5 at nominal"])
    found = optimize_design(design, objective, tmp_path, trials=24, winners=1)
    assert found.best is not None
    assert found.best.value == pytest.approx(found.best.fast, rel=1e-3)  # an area, not a rating
    rating = FastRating(DesignSpace(design), Cache(cache_folder("simulations")))
    (block,) = design_blocks(design.config.explore.vary)
    every = [rating.rate(block, chosen) for chosen in block.points()]
    assert found.best.fast == max(map(objective.value, every))  # brute force
    size = (tmp_path / "points.jsonl").stat().st_size
    again = optimize_design(design, objective, tmp_path, trials=24, winners=1)
    assert again == found
    assert (tmp_path / "points.jsonl").stat().st_size == size
    names = [p.name for p in write_optimization(found, tmp_path)]
    assert names == ["optimize.json", "optimize.svg", "optimize.md"]
    assert json.loads((tmp_path / "optimize.json").read_text())["winners"][0]["confirmed"]
    won = dict(found.best.point.settings)
    assert load(tmp_path / "winner_1.yaml").config.array.columns_per_adc == won["array.columns_per_adc"]


def _config(folder: Path, **changes: object) -> Path:
    path = folder / "search.yaml"
    content = SWEEP | {"explore": {"vary": VARY}, "conditions": {"corners": ["tt"]}} | changes
    path.write_text(yaml.safe_dump(content))
    return path

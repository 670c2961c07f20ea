"""SYNTHETIC finished runs: invented numbers of plausible size, so that every view is written and read in seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from characterization.table import AdcModel, Assumption, ReadoutTable
from interconnect.geometry import Box, BoxKind, CellGeometry, Slab
from metalrom.exports.source import Source, write_layer
from metalrom.macro.geometry import RULES, MacroGeometry
from metalrom.results import CellFacts, ElementFact, LayerFacts, RunResults
from netlists.condition import Condition

NM = 1e-9
ROWS = 5
"""Rows of a group: odd, so that words of via bits do not fill whole hexadecimal digits."""


def _box(net: str, layer: str, kind: BoxKind, lower: tuple[int, int, int], upper: tuple[int, int, int]) -> Box:
    lo, hi = (tuple(v * NM for v in corner) for corner in (lower, upper))
    return Box(net, layer, kind, (lo[0], lo[1], lo[2]), (hi[0], hi[1], hi[2]))


def cell_geometry() -> CellGeometry:
    """A row and a bit line of 50 nm, crossing."""
    boxes = (
        _box("S", "M2", "line", (0, 25, 90), (300, 75, 185)),
        _box("BL", "M3", "line", (25, 0, 275), (75, 200, 370)),
    )
    return CellGeometry("synthetic", boxes, (300 * NM, 200 * NM), 0.0, 460 * NM, (Slab(0.0, 460 * NM, 2.7),))


def table_of(unit: Literal["V", "A"]) -> ReadoutTable:
    """Bent levels with an off-state slope, every conversion unsure enough for codes to err; fewer codes than counts."""
    conditions = (Condition("tt", 1.0, 27.0), Condition("ss", 0.81, -40.0))
    n = ROWS + 1
    index = np.arange(n)
    valid = index[None, :] <= index[:, None]
    rng = np.random.default_rng(3)
    step = 8e-3 if unit == "V" else 4e-7
    level = index[None, :] * (1 - 0.06 * index[:, None]) + 0.13 * index[:, None] + 0.01
    mean = np.stack([step * c.vdd * level for c in conditions]) * (1 + rng.uniform(0, 1e-3, (2, n, n)))

    def spread(size: float) -> np.ndarray:
        return np.where(valid, rng.uniform(0.5, 1.0, (2, n, n)) * size * step, np.nan)

    return ReadoutTable(
        cell="synthetic",
        unit=unit,
        rows=ROWS,
        conditions=conditions,
        mean=np.where(valid, mean, np.nan),
        sigma_static=spread(0.2),
        sigma_noise=spread(0.15),
        sigma_pattern=spread(0.05),
        row_energy=rng.uniform(0.5, 1.0, (2, n)) * index * 1e-15,
        read_time=1.02e-9,
        adc=AdcModel(codes=ROWS, offset_sigma=0.05 * step, noise_sigma=0.02 * step),
        assumptions=(
            Assumption("hostile */ text", '`endif \\ { "quoted" } é\n.end', "estimate", "condition 7: none (nominal)"),
        ),
    )


def results_of(unit: Literal["V", "A"], condition: str) -> RunResults:
    """Facts of a run on two planes whose layer needs several tiles, with a last group that is not full."""
    names = {"C_bl_tab": 11e-18, "C_bl_s": 2e-18, "C_bl_bl": 1e-21, "C_tab_gnd": 16e-18, "C_s_gnd": 10e-18}
    elements = [ElementFact(name, value, "F", "synthetic") for name, value in names.items()]
    elements += [ElementFact(name, value, "ohm", "synthetic") for name, value in (("R_row", 1.6), ("R_bl", 1.1))]
    if unit == "A":
        elements.append(ElementFact("R_plug", 5e5, "ohm", "synthetic"))
    geometry = MacroGeometry(
        cell_area=6e-14, rows=12, columns=16, planes=2, group_rows=ROWS, columns_per_adc=4, adc_bits=3,
        driver_area=1e-12, reset_area=8e-13, rules=RULES["open45"], weight_bits=4, input_bits=3,
    )  # fmt: skip
    cell = CellFacts(
        "synthetic", "synthetic cell", "charge" if unit == "V" else "current", "M2-M3", tuple(elements), 13e-18, 11e-18,
        6e-14, "none", 0.0, 0.0, 0.0, cell_geometry(), cell_geometry(),
    )  # fmt: skip
    histogram = tuple(tuple(int(c <= a) for c in range(ROWS + 1)) for a in range(ROWS + 1))
    layer = LayerFacts(
        "synthetic", 20, 7, 4, 3, "random", 4, 20 * 42, 4, 0.5, ("M2-M3", "M4-M5"), (((0,),),), histogram
    )
    return RunResults(
        name="synthetic", technology="synthetic", warnings=("invented numbers",), condition=condition,
        target_error=1e-4, seed=1, config={}, cell=cell, layer=layer, candidates=(), group_rows=ROWS,
        group_reason="chosen", group_automatic=False, margins=(), fits=(), quality=(), verdicts=(),
        macro_geometry=geometry, fit_error=0.01, monte_carlo_error=0.05, extraction_error=0.01, provenance={},
    )  # fmt: skip


@pytest.fixture(scope="session")
def make_source(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Literal["V", "A"]], Source]:
    """`make_source("V" or "A")`: a finished synthetic run; its nominal condition is the second one."""

    def make(unit: Literal["V", "A"]) -> Source:
        folder: Path = tmp_path_factory.mktemp("run")
        rng = np.random.default_rng(5)
        write_layer(folder, rng.integers(-7, 8, (20, 7)), rng.integers(-4, 4, (4, 20)))
        table = table_of(unit)
        return Source(folder, results_of(unit, table.conditions[1].label), table)

    return make


@pytest.fixture(scope="session", params=["V", "A"])
def source(request: pytest.FixtureRequest, make_source: Callable[[str], Source]) -> Source:
    """A run of a charge cell, then of a current cell."""
    return make_source(request.param)

"""SYNTHETIC finished runs: invented numbers of plausible size with closed-form consequences. Nothing was simulated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from characterization.tables.formats import FORMATS
from characterization.tables.table import ReadoutTable
from interconnect.geometry import Box, CellGeometry, Slab
from metalrom.config.schema import Config
from metalrom.macro.geometry import MacroGeometry
from metalrom.run.manifest import write_manifest
from metalrom.run.results import LUT, CellSummary, ElementValue, LayerQuality, LayerSummary, RunResults, write_results
from netlists.condition import Condition
from netlists.devices.device_set import load_devices
from tests.builders import make_config, make_readout_table

ROWS, STEP, SIGMA = 4, 20e-3, 2e-3
"""Straight levels 20 mV apart with a spread of 2 mV: thresholds are 5 sigma away."""

CONFIG = make_config(name="synthetic", array={"columns": 64}, inputs={"bits": 4})


def synthetic_table(step: float = STEP, sigma: float = SIGMA, corners: tuple[str, ...] = ("tt", "ss")) -> ReadoutTable:
    """Levels count * step at every condition; all the spread is static."""
    conditions = tuple(Condition(corner, 1.0, 27.0) for corner in corners)
    energy = np.arange(ROWS + 1) * 1e-16
    return make_readout_table(ROWS, conditions, step=step, sigma_static=sigma, row_energy=energy)


def synthetic_results(table: ReadoutTable, config: dict[str, Any] | None = None, **changes: Any) -> RunResults:
    """A run of a 16 x 4 layer that fits `table`; keyword arguments replace fields."""
    box = Box("BL", "M3", "line", (0.0, 0.0, 0.0), (5e-8, 2e-7, 9e-8))
    geometry = CellGeometry("cap_balanced", (box,), (3e-7, 2e-7), 0.0, 3e-7, (Slab(0.0, 3e-7, 2.7),))
    labels = [c.label for c in table.conditions]
    run = RunResults(
        name="synthetic",
        technology="synthetic",
        warnings=(),
        condition=labels[0],
        target_error=1e-4,
        seed=1,
        config=Config.model_validate(config or CONFIG).model_dump(mode="json"),
        cell=CellSummary(
            "cap_balanced", "balanced", "charge", "M2/M3", (ElementValue("C_tab", 12e-18, "F", "tab"),),
            33e-18, 11e-18, 6e-14, "formula", 0.02, 0.0, 0.0, (geometry, geometry),
        ),
        layer=LayerSummary(
            "random", 16, 4, 4, 4, "random", 8, 384, 1, 1.0, ("M2/M3",),
            tuple(tuple(int(c <= a) for c in range(ROWS + 1)) for a in range(ROWS + 1)),
        ),
        candidates=(),
        group_rows=ROWS,
        group_reason="set",
        group_automatic=False,
        margins=table.margins_by_count(),
        fits=(),
        quality=tuple(
            LayerQuality(label, 30.0 - i, 31.0 - i, 1.0, 0.0, 512, 0.0, 1e-6) for i, label in enumerate(labels)
        ),
        verdicts=(),
        macro_geometry=MacroGeometry(6e-14, 16, 64, 1, ROWS, 8, 3, 1e-12, 1e-13, load_devices("open45").area, 4, 4),
        fit_error=0.0,
        monte_carlo_error=0.0,
        extraction_error=0.0,
        provenance={"metalrom": "0.1.0", "engine": "ngspice-39", "stack": "s, sha256 1", "devices": "d, sha256 2",
                    "cell model": "sha256 3", "decks": "sha256 4", "weights": "sha256 5", "python": "3.11",
                    "numpy": "2", "extraction": "formula", "configuration": "sha256 6"},
    )  # fmt: skip
    return replace(run, **changes)


@pytest.fixture(scope="session")
def make_table() -> Callable[..., ReadoutTable]:
    """`make_table(step, sigma, corners)`: straight levels, one spread."""
    return synthetic_table


@pytest.fixture(scope="session")
def make_results() -> Callable[..., RunResults]:
    """`make_results(table, config, **changes)`: a finished run."""
    return synthetic_results


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """`make_folder(name, table, results)`: an output folder as far as `diff` reads it."""

    def make(name: str, table: ReadoutTable, results: RunResults) -> Path:
        folder = tmp_path / name
        (folder / LUT).mkdir(parents=True)
        write_results(results, folder)
        FORMATS["json"].write(table, folder / LUT)
        write_manifest(folder, {})
        return folder

    return make


@pytest.fixture(scope="session")
def config() -> dict[str, Any]:
    """A small configuration as YAML would give it."""
    return CONFIG

"""SYNTHETIC finished runs: invented numbers of plausible size, so that every view is written and read in seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from characterization.tables.table import AdcModel, Assumption, ReadoutTable
from interconnect.geometry import Box, BoxKind, CellGeometry, Slab
from interconnect.stackfile import load_stack
from metalrom import exporters as exports
from metalrom.exporters.run_data import RunData, load_source
from metalrom.macro import Macro
from metalrom.macro.geometry import MacroGeometry
from metalrom.run.folder import open_run
from metalrom.run.layer import write_stored_layer
from metalrom.run.manifest import write_manifest
from metalrom.run.results import LUT, CellSummary, ElementValue, LayerSummary, RunResults, write_results
from metalrom.run.stored_program import write_stored_program
from netlists.condition import Condition
from netlists.devices.device_set import load_devices
from netlists.mapping import via_program

NM = 1e-9
STACK = load_stack("generic28")
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

    return ReadoutTable.from_arrays(
        cell="synthetic",
        unit=unit,
        rows=ROWS,
        conditions=conditions,
        level=np.where(valid, mean, np.nan),
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
    elements = [ElementValue(name, value, "F", "synthetic") for name, value in names.items()]
    elements += [ElementValue(name, value, "ohm", "synthetic") for name, value in (("R_row", 1.6), ("R_bl", 1.1))]
    if unit == "A":
        elements.append(ElementValue("R_plug", 5e5, "ohm", "synthetic"))
    geometry = MacroGeometry(
        cell_area=6e-14, rows=12, columns=16, planes=2, group_rows=ROWS, columns_per_adc=4, adc_bits=3,
        driver_area=1e-12, reset_area=8e-13, rules=load_devices("open45").area, weight_bits=4, input_bits=3,
    )  # fmt: skip
    cell = CellSummary(
        "synthetic", "synthetic cell", "charge" if unit == "V" else "current", "M2-M3", tuple(elements), 13e-18, 11e-18,
        6e-14, "none", 0.0, 0.0, 0.0, (cell_geometry(), cell_geometry()),
    )  # fmt: skip
    histogram = tuple(tuple(int(c <= a) for c in range(ROWS + 1)) for a in range(ROWS + 1))
    layer = LayerSummary("synthetic", 20, 7, 4, 3, "random", 4, 20 * 42, 4, 0.5, ("M2-M3", "M4-M5"), histogram)
    return RunResults(
        name="synthetic", technology="synthetic", warnings=("invented numbers",), condition=condition,
        target_error=1e-4, seed=1, cell=cell, layer=layer, candidates=(),
        config={"technology": {"stack": STACK.name}, "readout": {"double_sampling": False}},
        group_rows=ROWS,
        group_reason="chosen", group_automatic=False, margins=(), fits=(), quality=(), verdicts=(),
        macro_geometry=geometry, fit_error=0.01, monte_carlo_error=0.05, extraction_error=0.01,
        provenance={"stack": f"{STACK.name}, sha256 {STACK.sha256}"},
    )  # fmt: skip


@pytest.fixture(scope="session")
def make_source(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Literal["V", "A"]], RunData]:
    """`make_source("V" or "A")`: a finished synthetic run; its nominal condition is the second one."""

    def make(unit: Literal["V", "A"]) -> RunData:
        folder: Path = tmp_path_factory.mktemp("run")
        rng = np.random.default_rng(5)
        weights = rng.integers(-7, 8, (20, 7))
        write_stored_layer(folder, weights, rng.integers(-4, 4, (4, 20)))
        write_stored_program(folder, via_program(weights, 4))
        table = table_of(unit)
        write_manifest(folder, {})
        return RunData(open_run(folder), results_of(unit, table.conditions[1].label), table)

    return make


@pytest.fixture(scope="session", params=["V", "A"])
def source(request: pytest.FixtureRequest, make_source: Callable[[str], RunData]) -> RunData:
    """A run of a charge cell, then of a current cell."""
    return make_source(request.param)


CONDITIONS = (Condition("tt", 1.0, 27.0), Condition("ss", 0.9, -40.0), Condition("ff", 1.1, 125.0))
INPUTS, OUTPUTS, BITS, VECTORS = 24, 6, 4, 40


def synthetic_table(rows: int = 8, conditions: tuple[Condition, ...] = CONDITIONS, scale: float = 1.0) -> ReadoutTable:
    """Slightly bent levels that shift with the driven rows; spreads of 0.1 to 0.2 counts times `scale`."""
    active, count = np.meshgrid(np.arange(rows + 1.0), np.arange(rows + 1.0), indexing="ij")
    mean, static, noise, pattern, energy = [], [], [], [], []
    for k, c in enumerate(conditions):
        lsb = 0.02 * c.vdd
        full = [
            lsb * (count + 0.11 * active - 0.004 * count * active / rows),
            lsb * scale * (0.08 + 0.01 * k) * np.sqrt(1 + active / rows),
            np.full_like(count, lsb * scale * 0.12 * np.sqrt((c.temperature + 273) / 300)),
            lsb * scale * 0.03 * np.sqrt(active / rows),
        ]
        for values, kept in zip(full, (mean, static, noise, pattern), strict=True):
            kept.append(np.where(count <= active, values, np.nan))
        energy.append(np.arange(rows + 1) * 2.1e-16 * c.vdd**2)
    return ReadoutTable.from_arrays(
        cell="cap_balanced",
        unit="V",
        rows=rows,
        conditions=conditions,
        level=np.array(mean),
        sigma_static=np.array(static),
        sigma_noise=np.array(noise),
        sigma_pattern=np.array(pattern),
        row_energy=np.array(energy),
        read_time=1.1e-9,
        adc=AdcModel(rows + 1, 0.05 * 0.02 * scale, 0.02 * 0.02 * scale),
        assumptions=(
            Assumption("every number", 'SYNTHETIC, "invented"', "assumption", "this test; µ and\nline break"),
        ),
        provenance={"source": "synthetic"},
    )


def make_run(folder: Path, table: ReadoutTable) -> RunData:
    """Write the parts of a finished run that exports are made from, and load them."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(3)
    top = 2 ** (BITS - 1)
    weights = rng.integers(1 - top, top, (INPUTS, OUTPUTS))
    activations = rng.integers(-top, top, (VECTORS, INPUTS))
    nominal = table.conditions[0].label
    histogram = Macro(table, nominal, weight_bits=BITS, input_bits=BITS).count_histogram(activations, weights)
    geometry = MacroGeometry(
        cell_area=6e-14, rows=-(-INPUTS // table.rows) * table.rows, columns=48, planes=1, group_rows=table.rows,
        columns_per_adc=8, adc_bits=int(np.ceil(np.log2(table.adc.codes))),
        driver_area=1.2e-12, reset_area=8e-13, rules=load_devices("open45").area,
        weight_bits=BITS, input_bits=BITS,
    )  # fmt: skip
    charge = results_of("V", nominal)
    results = RunResults(
        name="synthetic", technology="generic28 with open45 devices", warnings=("SYNTHETIC: nothing was simulated",),
        condition=nominal, target_error=1e-2, seed=5, config=charge.config,
        cell=charge.cell,
        layer=LayerSummary("synthetic layer", INPUTS, OUTPUTS, BITS, BITS, "random", VECTORS, INPUTS * OUTPUTS * 6, 1,
                         1.0, ("M2-M3",), tuple(tuple(row) for row in histogram.tolist())),
        candidates=(), group_rows=table.rows, group_reason="synthetic", group_automatic=False, margins=(), fits=(),
        quality=(), verdicts=(), macro_geometry=geometry, fit_error=0.01, monte_carlo_error=0.1, extraction_error=0.01,
        provenance=charge.provenance,
    )  # fmt: skip
    write_results(results, folder)
    write_stored_layer(folder, weights, activations)
    write_stored_program(folder, via_program(weights, BITS))
    exports.write_table(table, "json", folder / LUT)
    write_manifest(folder, {})
    return load_source(folder)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    """A run as it lies on disk, with a layer large and noisy enough to count errors."""
    return make_run(tmp_path_factory.mktemp("run"), synthetic_table())


def write_all(source: RunData, folder: Path) -> dict[str, Path]:
    """Every view and format of a run, each in a folder of its name."""
    for name, view in exports.EXPORTERS.items():
        view.write(source, folder / name)
    for name in exports.FORMATS:
        exports.write_table(source.table, name, folder / name)
    return {name: folder / name for name in (*exports.EXPORTERS, *exports.FORMATS)}


@pytest.fixture(scope="session")
def written(source: RunData, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folder of every view and format of `source`, by name; for reading only."""
    return write_all(source, tmp_path_factory.mktemp("written"))


@pytest.fixture(scope="session")
def run_written(run: RunData, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same of `run`."""
    return write_all(run, tmp_path_factory.mktemp("run_written"))

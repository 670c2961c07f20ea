"""A finished run with SYNTHETIC numbers: small, noisy enough to count errors, and loaded from disk as a real one is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from characterization.table import AdcModel, Assumption, ReadoutTable
from interconnect.geometry import Box, BoxKind, CellGeometry, Slab
from metalrom import exports
from metalrom.config import load_config
from metalrom.exports.source import Source, load_source, write_layer
from metalrom.macro import Macro
from metalrom.macro.geometry import RULES, MacroGeometry
from metalrom.results import LUT, CellFacts, ElementFact, LayerFacts, RunResults, write_results
from netlists.condition import Condition

NM = 1e-9
ROWS, INPUTS, OUTPUTS, BITS = 8, 24, 6, 4
CONDITIONS = (Condition("tt", 1.0, 27.0), Condition("ss", 0.9, -40.0), Condition("ff", 1.1, 125.0))
CONFIG = """\
name: synthetic
technology: {stack: generic28, devices: open45}
cell:
  kind: cap_balanced
  row_pitch: 200nm
  column_pitch: 300nm
  row_width: 50nm
  column_width: 50nm
  planes: [{row: M2, column: M3}]
array: {rows: 24, columns: 48, group_rows: 8, columns_per_adc: 8}
weights: {random: [24, 6], bits: 4}
inputs: {bits: 4, source: random, vectors: 40}
"""


def synthetic_table(
    rows: int = ROWS, conditions: tuple[Condition, ...] = CONDITIONS, scale: float = 1.0
) -> ReadoutTable:
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
    return ReadoutTable(
        cell="cap_balanced",
        unit="V",
        rows=rows,
        conditions=conditions,
        mean=np.array(mean),
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


def _box(net: str, layer: str, kind: BoxKind, lower: tuple[float, ...], upper: tuple[float, ...]) -> Box:
    low, high = (tuple(v * NM for v in corner) for corner in (lower, upper))
    return Box(net, layer, kind, (low[0], low[1], low[2]), (high[0], high[1], high[2]))


def _cell(bit: int) -> CellGeometry:
    """Signal and ground line below, bit line and tab above; the via ties the tab to either."""
    tied, y = ("S", 25) if bit else ("G", 125)
    boxes = (
        _box("S", "M2", "line", (0, 25, 90), (300, 75, 185)),
        _box("G", "M2", "line", (0, 125, 90), (300, 175, 185)),
        _box("BL", "M3", "line", (25, 0, 275), (75, 200, 370)),
        _box(tied, "M3", "tab", (125, 25, 275), (175, 175, 370)),
        _box(tied, "V2", "via", (125, y, 185), (175, y + 50, 275)),
        _box("GND", "M3", "shield", (225, 0, 275), (275, 200, 370)),
    )
    return CellGeometry("cap_balanced M2-M3", boxes, (300 * NM, 200 * NM), 0.0, 460 * NM, (Slab(0.0, 460 * NM, 2.7),))


ELEMENTS = {"C_bl_tab": 1.1e-17, "C_bl_s": 2.3e-18, "C_bl_g": 2.3e-18, "C_bl_gnd": 1.7e-17, "C_bl_bl": 3e-21,
            "C_tab_bl": 1.2e-19, "C_tab_gnd": 1.6e-17, "C_s_g": 3.8e-17, "C_s_gnd": 1e-17, "C_g_gnd": 1e-17,
            "R_row": 1.6, "R_gnd": 1.6, "R_bl": 1.1}  # fmt: skip


def make_run(folder: Path, table: ReadoutTable) -> Source:
    """Write the parts of a finished run that exports are made from, and load them."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(3)
    top = 2 ** (BITS - 1)
    weights = rng.integers(1 - top, top, (INPUTS, OUTPUTS))
    activations = rng.integers(-top, top, (40, INPUTS))
    nominal = table.conditions[0].label
    histogram = Macro(table, nominal, weight_bits=BITS, input_bits=BITS).count_histogram(activations, weights)
    geometry = MacroGeometry(
        cell_area=6e-14, rows=-(-INPUTS // table.rows) * table.rows, columns=48, planes=1, group_rows=table.rows, columns_per_adc=8,
        adc_bits=int(np.ceil(np.log2(table.adc.codes))), driver_area=1.2e-12, reset_area=8e-13, rules=RULES["open45"],
        weight_bits=BITS, input_bits=BITS,
    )  # fmt: skip
    config = folder / "config.yaml"
    config.write_text(CONFIG)
    elements = tuple(ElementFact(k, v, "F" if k[0] == "C" else "ohm", "synthetic") for k, v in ELEMENTS.items())
    results = RunResults(
        name="synthetic", technology="generic28 with open45 devices", warnings=("SYNTHETIC: nothing was simulated",),
        condition=nominal, target_error=1e-2, seed=5, config=load_config(config).model_dump(mode="json"),
        cell=CellFacts("cap_balanced", "synthetic", "charge", "M2-M3", elements, 3.3e-17, 1.1e-17, 6e-14, "synthetic",
                       0.01, 0.0, 0.0, _cell(1), _cell(0)),
        layer=LayerFacts("synthetic layer", INPUTS, OUTPUTS, BITS, BITS, "random", 40, INPUTS * OUTPUTS * 6, 1, 1.0,
                         ("M2-M3",), (((0, 1), (1, 0)),), tuple(tuple(row) for row in histogram.tolist())),
        candidates=(), group_rows=table.rows, group_reason="synthetic", group_automatic=False, margins=(), fits=(),
        quality=(), verdicts=(), macro_geometry=geometry, fit_error=0.01, monte_carlo_error=0.1, extraction_error=0.01,
        provenance={"source": "synthetic"},
    )  # fmt: skip
    write_results(results, folder)
    write_layer(folder, weights, activations)
    exports.write(table, "json", folder / LUT)
    return load_source(folder)


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """The synthetic run."""
    return make_run(tmp_path_factory.mktemp("run"), synthetic_table())


@pytest.fixture(scope="session")
def written(source: Source, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folder of every view and format of the synthetic run, by name; written once, for reading only."""
    folder = tmp_path_factory.mktemp("written")
    for name, view in exports.VIEWS.items():
        view.write(source, folder / name)
    for name in exports.FORMATS:
        exports.write(source.table, name, folder / name)
    return {name: folder / name for name in (*exports.VIEWS, *exports.FORMATS)}

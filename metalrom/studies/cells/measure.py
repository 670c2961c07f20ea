"""Characterizes every kind at every group size; the layer, the macro's cost and the exact network complete it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from characterization.campaign import CampaignOutcome, ProgressCallback
from characterization.column_line import ColumnLines
from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.patterns import FAR, NEAR
from characterization.procedures import EnergyResult, with_requirements
from characterization.procedures.mismatch import moved
from characterization.procedures.settling import observed
from characterization.testbench import Testbench
from interconnect.errors import InputError
from metalrom.design.design import Design
from metalrom.design.setup import group_setup
from metalrom.folders import cache_folder
from metalrom.macro import csnr
from metalrom.macro.cost import RelativeErrors
from metalrom.macro.estimate import NOT_INCLUDED, estimate_layer
from metalrom.macro.quantity import Span
from metalrom.run.characterize import CharacterizationRun, histogram, measure_group
from metalrom.run.evaluate import macro_geometry, macro_of
from metalrom.studies.cells.comparison import CellComparison, CellLevels, CellReading, CellsPage
from metalrom.studies.cells.variants import CellVariant, variants
from netlists.reference import reference_column
from ngspice_runner import Cache

PROCEDURES = ("adc_margin", "energy")
SAMPLES = 12
"""Chips per point, of six to eight points: many cells and group sizes, so fewer than a run takes."""
PATTERNS, MAX_LEVELS = 2, 5


def compare_cells(
    design: Design,
    rows: Sequence[int],
    *,
    jobs: int | None = None,
    announce: Callable[[str], None] = lambda text: None,
    progress: ProgressCallback | None = None,
) -> CellsPage:
    """The page of a configuration at these group sizes, nominal condition.

    A kind that the stack cannot draw, or whose group cannot be read, is listed with its reason. Raises InputError when
    none is left, EngineError without ngspice.
    """
    readings: list[CellReading] = []
    refused: list[str] = []
    outcomes: list[CampaignOutcome] = []
    kinds = variants(design)
    with Cache(cache_folder("simulations")) as cache:
        for number in rows:
            for variant in kinds:
                announce(f"cell {variant.letter}, {variant.kind}, {number} rows")
                try:
                    reading, took = _reading(variant, number, cache, jobs=jobs, progress=progress)
                except InputError as error:
                    refused.append(f"{variant.letter} ({variant.kind}), {number} rows: {error.what}")
                    continue
                readings.append(reading)
                outcomes += took
    if not readings:
        raise InputError(f"no cell kind can be compared: {refused[0]}", where=str(design.path))
    c = design.config
    order = sorted(readings, key=lambda r: (r.fact.rows, r.fact.letter))
    return CellsPage(
        name=c.name,
        condition=design.conditions[0].label,
        technology=design.technology.name,
        layer=design.weights_source,
        array=f"{c.array.rows} x {c.array.columns} x {len(design.planes)} planes, {c.array.columns_per_adc} columns "
        f"per converter, weights of {c.weights.bits} bits, inputs of {c.inputs.bits} bits, {c.mapping} mapping",
        readings=tuple(order),
        refused=tuple(refused),
        warnings=design.technology.warnings,
        not_included=(*NOT_INCLUDED, "supplies of lines between ground and the full level (cell D)"),
        simulated=sum(o.simulated for o in outcomes),
        cached=sum(o.cached for o in outcomes),
        simulation_seconds=sum(o.cpu_seconds for o in outcomes),
    )


def _reading(
    variant: CellVariant, rows: int, cache: Cache, *, jobs: int | None, progress: ProgressCallback | None
) -> tuple[CellReading, tuple[CampaignOutcome, ...]]:
    design = variant.design
    design.check_characterized()
    setup = replace(group_setup(design, rows), samples=SAMPLES, patterns=PATTERNS, max_levels=MAX_LEVELS)
    done = measure_group(setup, with_requirements(PROCEDURES), cache, jobs=jobs, progress=progress)
    table, condition = done.table, setup.conditions[0]
    used = histogram(design, rows)
    lsb, top = table.lsb(condition), table.max_count
    x, w = design.activations.values, design.weights.values.astype(np.int64)
    quality = csnr(x @ w, macro_of(design, table, condition).matmul(x, w))
    geometry = replace(macro_geometry(design, rows), planes=variant.planes)
    errors = RelativeErrors(
        done.transfer.models[0].quality.held_out_rms / (lsb * top),
        done.mismatch.models[0].relative_error,
        setup.model.relative_error,
    )
    layer = estimate_layer(
        geometry, table, condition, inputs=w.shape[0], outputs=w.shape[1], histogram=used, errors=errors
    )
    energy = done.results["energy"]
    assert isinstance(energy, EnergyResult)  # noqa: S101 - of this procedure
    bench = ColumnTestbench(setup, cache=cache, workers=jobs, progress=progress)
    # the ends of the rows and of the range: near and far rows first to count, the farthest column
    ends = [(FAR, rows, top), (NEAR, rows, 0), (FAR, rows, top // 2)]
    settled = max(s.times[-1] for s in observed(setup, bench, condition, ends, lsb))
    margin = table.margins(condition)[rows]
    weakest = int(np.nanargmin(margin))
    sigma = table.total_sigma(condition)[rows]
    cells, switch, noise, pattern = _sigmas(done, used, lsb)
    model, footprint = setup.model, layer.macro.known_footprint
    fact = CellComparison(
        letter=variant.letter,
        kind=variant.kind,
        title=design.cell.title,
        rows=rows,
        levels=table.levels,
        unit=table.unit,
        area=model.area,
        pitch=model.pitch,
        columns_per_weight=geometry.bit_columns_per_weight,
        lsb=lsb,
        lsb_metal=_metal_lsb(setup),
        swing=lsb * top,
        margin_lsb=float(margin[weakest] * sigma[weakest] / lsb),
        margin_sigma=float(margin[weakest]),
        weakest=weakest + (min(setup.symbol_values) * rows),
        cell=cells,
        switch=switch,
        noise=noise,
        pattern=pattern,
        converter=float(np.hypot(table.adc.offset_sigma, table.adc.noise_sigma) / lsb),
        code_error=table.mean_code_error(condition, used),
        code_error_common=_common(done, used),
        csnr=quality.raw if np.isfinite(quality.raw) else None,
        csnr_fitted=quality.fitted if np.isfinite(quality.fitted) else None,
        gain_spread=done.transfer.lines[0].gain_spread() if done.transfer.lines else None,
        energy_rows=float(layer.macro.conversion["row_drivers"].value.mid),
        energy_reset=energy.conditions[0].reset,
        energy_conversion=_ends(layer.macro.energy_per_conversion),
        energy_mac=_ends(layer.macro.energy_per_mac),
        read_time=table.read_time,
        settling=settled,
        density_cells=layer.macro.density_raw.mid,
        density_macro=_ends(footprint.density_stacked) if footprint else None,
        weight_density=_ends(footprint.weight_density_stacked) if footprint else None,
        extraction=f"{model.method}, error about {100 * model.relative_error:.2g} %",
    )
    count = np.arange(top + 1)
    level = table.level[0, rows]
    zero = table.thresholds(condition)[rows, 0] - lsb / 2
    levels = CellLevels(count + min(setup.symbol_values) * rows, level, sigma, zero + count * lsb)
    message = tuple(f"{a.name}: {a.value} ({a.status}; {a.source})" for a in table.assumptions)
    return CellReading(fact, levels, message), (*done.outcomes, bench.outcome)


def _sigmas(done: CharacterizationRun, used: np.ndarray, lsb: float) -> tuple[float, float, float, float]:
    """Cell, switch, noise and pattern sigma in LSB, root mean square over the layer's conversions."""
    setup, table = done.setup, done.table
    active, count = np.meshgrid(np.arange(setup.rows + 1.0), np.arange(setup.max_count + 1.0), indexing="ij")
    weight = np.where(table.valid, used, 0.0) / used.sum()
    spread = done.mismatch.models[0]
    v = spread.variances
    cells = spread.terms(active, np.nan_to_num(moved(setup, active, count)))[..., 1:] @ v[1:]

    def rms(variance: np.ndarray) -> float:
        return float(np.sqrt(np.sum(weight * np.nan_to_num(np.broadcast_to(variance, weight.shape)))) / lsb)

    return rms(cells), float(np.sqrt(v[0]) / lsb), rms(table.sigma_noise[0] ** 2), rms(table.sigma_pattern[0] ** 2)


def _common(done: CharacterizationRun, used: np.ndarray) -> float | None:
    """Code error of the layer where thresholds are those of the mean column; None where all columns are alike."""
    table = done.table
    if not done.transfer.lines:
        return None
    spread = np.where(table.valid, done.transfer.lines[0].column_spread(), np.nan)[None]
    unfollowed = table.replace(sigma_static=np.hypot(table.sigma_static, spread))
    return unfollowed.mean_code_error(table.conditions[0], used)


def _metal_lsb(setup: Testbench) -> float:
    """Level per count of the metal alone: exact network with ideal drivers and switches, all rows active."""
    ideal = replace(setup.periphery, kind="ideal")
    condition = setup.conditions[0]
    if not setup.balanced:  # of the mean column: that of count 0 and that of the largest differ in load
        return abs(ColumnLines(setup, condition).mean_column[1])
    cases = [stimulus_of(setup, draw_pattern(setup, "random0", setup.rows, c)) for c in (0, setup.max_count)]
    low, high = (reference_column(setup.model, ideal, condition, case).value for case in cases)
    return (high - low) / setup.max_count


def _ends(span: Span) -> tuple[float, float, float]:
    return span.low, span.mid, span.high

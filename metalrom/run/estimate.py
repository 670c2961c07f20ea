"""The macro estimate of a finished run: for its own layer, or for every linear layer of a model file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from characterization.tables.table import ReadoutTable
from interconnect.errors import InputError
from metalrom.assets import ASSETS, asset_path
from metalrom.macro.cost import RelativeErrors
from metalrom.macro.estimate import LayerEstimate, MacroEstimate, estimate_layer
from metalrom.macro.quantity import Span
from metalrom.run.folder import open_run
from metalrom.run.results import RunResults
from metalrom.workloads.inventory import read_inventory

_MEGABIT = 1e6


@dataclass(frozen=True)
class NamedLayer:
    """A fixed matrix of a workload: its layer's name, inputs and outputs."""

    name: str
    inputs: int
    outputs: int


def layer_estimate(
    results: RunResults,
    table: ReadoutTable,
    inputs: int,
    outputs: int,
    tokens: int = 1,
    *,
    condition: str | None = None,
) -> LayerEstimate:
    """A linear layer on macros as the run characterized them, at a condition (default: its nominal one).

    The run's own (active, count) histogram weighs row energy and code errors.
    """
    return estimate_layer(
        results.macro_geometry,
        table,
        condition or results.condition,
        inputs=inputs,
        outputs=outputs,
        tokens=tokens,
        histogram=np.array(results.layer.histogram, dtype=np.int64),
        errors=RelativeErrors(results.fit_error, results.monte_carlo_error, results.extraction_error),
    )


def run_layer(results: RunResults, table: ReadoutTable) -> LayerEstimate:
    """The layer of the run itself, for one input vector."""
    return layer_estimate(results, table, results.layer.inputs, results.layer.outputs)


def estimate_of_run(out: Path, workload: str | None = None) -> dict[str, Any]:
    """The estimate as plain values: `figures` (low, mid, high, unit), every component with its source, error budget.

    workload: what `workload_layers` takes; every matrix gets tiles of its own and one input vector.
    Raises InputError for an unfinished run or an unreadable workload.
    """
    run = open_run(out)
    results, table = run.results, run.table
    layers = (
        [NamedLayer(results.layer.source, results.layer.inputs, results.layer.outputs)]
        if workload is None
        else workload_layers(workload)
    )
    parts = [layer_estimate(results, table, layer.inputs, layer.outputs) for layer in layers]
    title = layers[0].name if workload is None else f"{workload}: {len(layers)} weight matrices"
    quality = results.quality[0]
    return {
        "title": f"{title}, one input vector at {results.condition}",
        "figures": [dict(zip(("figure", "low", "mid", "high", "unit"), row, strict=True)) for row in _figures(parts)],
        "tiles": sum(p.macro.geometry.tiles for p in parts),
        "macs": sum(p.macs for p in parts),
        "conversions": sum(p.conversions for p in parts),
        "skipped_conversions": sum(p.skipped for p in parts),
        "accuracy": {
            "layer": results.layer.source,
            "csnr_dB": quality.csnr_raw,
            "csnr_gain_offset_removed_dB": quality.csnr_fitted,
            "code_error_expected": quality.code_error_expected,
            "code_error_simulated": quality.code_error_rate,
        },
        "components_of": layers[0].name,
        "components": parts[0].macro.to_dict(),
        "error_budget": {k: dict(v) for k, v in parts[0].macro.error_budget.items()},
        "readout": results.readout_cost,
        "warnings": [*results.warnings, *parts[0].macro.flags],
        "data": f"row energy and code errors as of the activations of {results.layer.source}",
        "assumptions": [f"{a.name}: {a.value} ({a.status}; {a.source})" for a in table.assumptions],
    }


def workload_layers(workload: str) -> list[NamedLayer]:
    """Fixed matrices of a workload, each once: a built-in network, a fetched model, or what `inventory` reads.

    Tables that are only looked up, and products of two activations, are not among them. Raises InputError.
    """
    model = workload
    if workload in ASSETS:
        files = [f.name for f in ASSETS[workload].files if f.name.endswith((".safetensors", ".gguf"))]
        if files:
            model = str(asset_path(workload, files[0]))
    layers = [
        NamedLayer(layer.name, matrix.rows, matrix.columns)
        for layer in read_inventory(model).layers
        if (matrix := layer.matrix) is not None
        for _ in range(matrix.copies)
    ]
    if not layers:
        raise InputError("holds no weight matrix of a linear layer", where=workload)
    return layers


def _figures(parts: list[LayerEstimate]) -> list[tuple[str, float, float, float, str]]:
    """Headline figures over all layers: areas and energies add, layers run one after the other."""
    macros = [p.macro for p in parts]
    area, beside = _sum(m.stacked for m in macros), _sum(m.side_by_side for m in macros)
    energy, latency = _sum(p.energy for p in parts), _sum(p.latency for p in parts)
    macs = sum(p.macs for p in parts)
    bits = sum(_used_bits(m) for m in macros) / _MEGABIT
    g = macros[0].geometry
    weight = g.bits_per_weight / g.bit_columns_per_weight
    rows: list[tuple[str, Span, str]] = [
        ("area, periphery under the array", area * 1e6, "mm2"),
        ("area, periphery beside the array", beside * 1e6, "mm2"),
        ("density of the cells alone", macros[0].density_raw, "Mb/mm2"),
        ("density of via bits, periphery under the array", (area * 1e6).under(bits * g.bits_per_cell), "Mb/mm2"),
        ("density of via bits, periphery beside the array", (beside * 1e6).under(bits * g.bits_per_cell), "Mb/mm2"),
        ("density of weight bits, periphery under the array", (area * 1e6).under(bits * weight), "Mb/mm2"),
        ("conversions per MAC", Span.exact(sum(p.conversions for p in parts) / macs), ""),
        ("energy per MAC", energy * (1e15 / macs), "fJ"),
        ("energy", energy * 1e9, "nJ"),
        ("latency", latency * 1e6, "us"),
        ("efficiency", energy.under(2e-12 * macs), "TOPS/W"),
    ]
    return [(name, span.low, span.mid, span.high, unit) for name, span, unit in rows]


def _used_bits(macro: MacroEstimate) -> float:
    g = macro.geometry
    return g.bits * g.tiles * g.utilisation


def _sum(spans: Any) -> Span:
    total = Span.exact(0.0)
    for span in spans:
        total = total + span
    return total

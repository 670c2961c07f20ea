"""The macro estimate of a finished run: for its own layer, or for a whole network on its macros."""

from pathlib import Path
from typing import Any

import numpy as np

from characterization.tables.table import ReadoutTable
from interconnect.errors import InputError
from metalrom.assets import ASSETS, asset_path
from metalrom.macro.cost import RelativeErrors
from metalrom.macro.estimate import LayerEstimate, estimate_layer
from metalrom.macro.merit import efficiency
from metalrom.macro.quantity import Span
from metalrom.run.folder import open_run
from metalrom.run.network_estimate import NetworkEstimate, estimate_network
from metalrom.run.results import RunResults
from metalrom.workloads.inventory import Inventory, read_inventory
from metalrom.workloads.inventory.layers import FixedMatrix


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


def estimate_of_run(
    out: Path, workload: str | None = None, *, image: tuple[int, int] | None = None, sequence: int | None = None
) -> dict[str, Any]:
    """The estimate as plain values: `figures` (low, mid, high, unit), every component with its source, error budget.

    workload: what `workload_inventory` takes, for an image (height, width) or a sequence; `network` then holds the
    network layer by layer. Without it the run's own layer takes one input vector.
    Raises InputError for an unfinished run or an unreadable workload.
    """
    run = open_run(out)
    results, table = run.results, run.table
    source = results.layer.source
    if workload is None:
        if image or sequence:
            raise InputError("the run's own layer takes no image and no sequence", hint="give --workload")
        own = FixedMatrix(source, results.layer.inputs, results.layer.outputs)
        network = _network(results, table, Inventory(source, "one input vector", (own,), source))
        title = f"{source}, one input vector"
    else:
        network = _network(results, table, workload_inventory(workload, image=image, sequence=sequence))
        title = f"{workload}: {len(network.matrices)} weight matrices, {network.inventory.input}"
    part = network.matrices[0].block.macro
    quality = results.quality[0]
    return {
        "title": f"{title} at {results.condition}",
        "condition": results.condition,
        "figures": [
            dict(zip(("figure", "low", "mid", "high", "unit"), row, strict=True)) for row in _figures(network, workload)
        ],
        "tiles": network.tiles,
        "macs": sum(m.macs for m in network.matrices),
        "conversions": sum(m.conversions for m in network.matrices),
        "skipped_conversions": sum(m.skipped for m in network.matrices),
        **({} if workload is None else {"network": network.to_dict()}),
        "accuracy": {
            "layer": source,
            "csnr_dB": quality.csnr_raw,
            "csnr_gain_offset_removed_dB": quality.csnr_fitted,
            "code_error_expected": quality.code_error_expected,
            "code_error_simulated": quality.code_error_rate,
        },
        "components_of": network.matrices[0].name,
        "components": part.to_dict(),
        "error_budget": {k: dict(v) for k, v in part.error_budget.items()},
        "operations": network.matrices[0].block.merit.operations,
        "readout": results.readout_cost,
        "warnings": [*results.warnings, *part.flags],
        "data": f"row energy and code errors as of the activations of {source}",
        "assumptions": [f"{a.name}: {a.value} ({a.status}; {a.source})" for a in table.assumptions],
    }


def workload_inventory(
    workload: str, *, image: tuple[int, int] | None = None, sequence: int | None = None
) -> Inventory:
    """A workload by name: a built-in network, a fetched model, or what `inventory` reads. Raises InputError.

    Tables that are only looked up, and products of two activations, take no macro.
    """
    model = workload
    if workload in ASSETS:
        files = [f.name for f in ASSETS[workload].files if f.name.endswith((".safetensors", ".gguf"))]
        if files:
            model = str(asset_path(workload, files[0]))
    found = read_inventory(model, image=image, sequence=sequence)
    if not found.weights:
        raise InputError("holds no weight matrix of a linear layer", where=workload)
    return found


def _network(results: RunResults, table: ReadoutTable, inventory: Inventory) -> NetworkEstimate:
    return estimate_network(inventory, lambda inputs, outputs: layer_estimate(results, table, inputs, outputs))


def _figures(network: NetworkEstimate, workload: str | None) -> list[tuple[str, float, float, float, str]]:
    """Headline figures of all matrices; of a network those of one token or input."""
    macs, item = network.macs, network.item
    per = "" if workload is None else f" per {item}"
    rows: list[tuple[str, Span, str]] = [
        *_area_figures(network),
        ("conversions per MAC", Span.exact(network.conversions / macs), ""),
        ("energy per MAC", network.energy * (1e15 / macs), "fJ"),
        *([(f"energy{per}", network.energy * 1e6, "uJ")] if workload else [("energy", network.energy * 1e9, "nJ")]),
        *([(f"latency{per}", network.latency * 1e3, "ms")] if workload else [("latency", network.latency * 1e6, "us")]),
        ("efficiency", efficiency(macs, network.energy), "TOPS/W"),
    ]
    if workload is None:
        merit = network.matrices[0].block.merit
        rows.append(("throughput", merit.tops, "TOPS"))
        if merit.tops_per_mm2 is not None:
            rows.append(("throughput per area", merit.tops_per_mm2, "TOPS/mm2"))
    if workload is not None:
        rows += [
            (f"{item}s per second, one after the other", network.sequential, "1/s"),
            (f"{item}s per second, pipelined by matrix", network.pipelined, "1/s"),
        ]
    return [(name, span.low, span.mid, span.high, unit) for name, span, unit in rows]


def _area_figures(network: NetworkEstimate) -> list[tuple[str, Span, str]]:
    """Areas and densities; without area rules that of the cells alone."""
    macro = network.matrices[0].block.macro
    cells = ("density of the cells alone", macro.density_raw, "Mb/mm2")
    if not network.has_area:
        return [cells]
    g, area, beside = macro.geometry, network.stacked * 1e6, network.side_by_side * 1e6
    megabits = network.cells * 1e-6
    weight = g.bits_per_weight / g.bit_columns_per_weight
    return [
        ("area, periphery under the array", area, "mm2"),
        ("area, periphery beside the array", beside, "mm2"),
        cells,
        ("density of via bits, periphery under the array", area.under(megabits * g.bits_per_cell), "Mb/mm2"),
        ("density of via bits, periphery beside the array", beside.under(megabits * g.bits_per_cell), "Mb/mm2"),
        ("density of weight bits, periphery under the array", area.under(megabits * weight), "Mb/mm2"),
    ]

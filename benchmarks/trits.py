"""Balanced trits on the ternary tie against binary weights on the same drawing: density, energy, code error.

    python benchmarks/trits.py out/trits

runs `examples/minilm_chain.yaml` (binary, differential and in two's complement), `examples/minilm_trits.yaml` (five
trits per weight) and the latter with `weights.bits: ternary` (one trit per weight) into folders of `out/trits`, unless
they are there, and prints one row per figure. Everything but the rounding error of the weights is of the runs' own
results, tables and estimates, at the nominal condition; the layer takes one input vector. What was expected is printed
first: from the place values alone, and the prototype's figures.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from metalrom.config.schema import Config
from metalrom.design.design import Design
from metalrom.pipeline import run_pipeline
from metalrom.run.estimate import run_layer
from metalrom.run.folder import Run, open_run
from netlists.weights import load_weights, quantize

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
SCHEMES: dict[str, tuple[str, Mapping[str, Any]]] = {
    "binary, differential": ("minilm_chain.yaml", {}),
    "binary, two's complement": ("minilm_chain.yaml", {"mapping": "twos_complement"}),
    "trits": ("minilm_trits.yaml", {}),
    "native ternary": ("minilm_trits.yaml", {"weights": {"bits": 2}}),
}
"""Example and the keys that are changed, by name."""

SAMPLING = "30fF"
REFERENCE = "binary, two's complement"
EXPECTED = {"conversions per MAC": "1.25", "weights per area": "1.13 to 1.35", "energy per MAC": "1.31"}
"""Trits over two's complement, of the readout's prototype: its binary group has 32 rows, that of the tie 16."""


def design_of(name: str) -> Design:
    """The design of a scheme."""
    return changed_example(name, *SCHEMES[name])


def changed_example(name: str, file: str, changes: Mapping[str, Any]) -> Design:
    """An example under another name, with changed keys."""
    data = yaml.safe_load((EXAMPLES / file).read_text(encoding="utf-8"))
    for key, value in changes.items():
        data[key] = data[key] | value if isinstance(value, dict) else value
    data["readout"] = data["readout"] | {"sampler": {"capacitance": SAMPLING}}  # the same for all
    data["name"] = name.replace(" ", "_").replace(",", "").replace("'", "")
    return Design(Config.model_validate(data), EXAMPLES / file)


def finished(design: Design, out: Path) -> Path:
    """Folder of the run of a design, made now if `out` does not hold it."""
    folder = out / design.config.name
    if not (folder / "manifest.json").exists():
        name = design.config.name
        run_pipeline(design, folder, announce=lambda text: print(f"  {name}: {text}", flush=True))
    return folder


def conversions_per_mac(design: Design) -> float:
    """Of full groups: columns of a weight times bits of an input, over the rows of a group."""
    return design.scheme.columns * design.config.inputs.bits / int(design.config.array.group_rows)


def rounding(design: Design) -> float:
    """Rms error of the quantized weights over the rms of the weights."""
    section = design.config.weights
    real = load_weights(design.resolve(section.file or ""), section.tensor, transpose=section.transpose)
    error = (
        quantize(real, section.bits, top=min((1 << (section.bits - 1)) - 1, design.scheme.high)).dequantized() - real
    )
    return float(np.sqrt(np.mean(error**2) / np.mean(np.square(real))))


def figures(name: str, run: Run) -> dict[str, float]:
    """Figures of one scheme, by name with unit."""
    design, results, table = design_of(name), run.results, run.table
    layer = run_layer(results, table)
    macro, quality, head = layer.macro, results.quality[0], results.headline
    inputs, outputs = design.weights.values.shape
    g = macro.geometry
    high = np.nan if head is None or head.code_error_interval is None else head.code_error_interval[1]
    return {
        "columns per weight": float(design.scheme.columns),
        "rows per conversion": float(table.rows),
        "conversions per MAC": layer.conversions / (inputs * outputs),
        "LSB, mV": table.lsb(results.condition) * 1e3,
        "code error": quality.code_error_expected,
        "code error, upper end of 95 %": high,
        "energy per conversion, fJ": macro.energy_per_conversion.mid * 1e15,
        "energy per MAC, pJ": macro.energy_per_mac.mid * 1e12,
        "energy of row drivers, fJ per conversion": macro.conversion["row_drivers"].value.mid * 1e15,
        "array, um2 per tile": macro.area["array"].value.mid * 1e12 / g.tiles,
        "periphery under the array, um2 per tile": macro.footprint.stacked.mid * 1e12 / g.tiles,
        "cells alone, Mb/mm2": macro.density_raw.mid,
        "via bits, full tiles, Mb/mm2": macro.footprint.density_stacked.mid / g.utilisation,
        "weight bits, full tiles, Mb/mm2": macro.footprint.weight_density_stacked.mid / g.utilisation,
        "weights, full tiles, M/mm2": macro.footprint.weight_density_stacked.mid / g.utilisation / g.bits_per_weight,
        "rounding of the weights, % rms": 100 * rounding(design),
    }


def main() -> None:
    """Print expectations, then the table with the ratio of trits to two's complement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of the runs")
    out = parser.parse_args().out
    print("expected, trits over two's complement (prototype at 16 and 32 rows):")
    for name, value in EXPECTED.items():
        print(f"  {name}: {value}")
    print("expected from the place values:")
    for name in SCHEMES:
        print(f"  {name}: {conversions_per_mac(design_of(name)):.2f} conversions per MAC in full groups")
    rows = {name: figures(name, open_run(finished(design_of(name), out))) for name in SCHEMES}
    print(f"\n| | {' | '.join(rows)} | trits over two's complement |\n|---|{'---|' * (len(rows) + 1)}")
    for figure in rows["trits"]:
        values = " | ".join(f"{row[figure]:.4g}" for row in rows.values())
        print(f"| {figure} | {values} | {rows['trits'][figure] / rows[REFERENCE][figure]:.3g} |")


if __name__ == "__main__":
    main()

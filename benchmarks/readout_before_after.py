"""The example with an ideal readout and through its readout chain, row by row.

    metalrom run examples/minilm_layer.yaml -o out/ideal
    metalrom run examples/minilm_chain.yaml -o out/chain
    python benchmarks/readout_before_after.py out/ideal out/chain

Every figure is that of the run's own results, table and estimate; nothing is computed here but sums of the table's
spreads. The layer takes one input vector.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np

from characterization.tables.table import ReadoutTable
from metalrom.macro.estimate import LayerEstimate
from metalrom.run.estimate import run_layer
from metalrom.run.folder import open_run
from metalrom.run.results import Headline, RunResults


def budget(table: ReadoutTable, condition: str) -> dict[str, float]:
    """Spreads of the level of half of the rows counting, all driven, LSB."""
    i, lsb, n = table.index(condition), table.lsb(condition), table.rows
    at = (i, n, table.max_count // 2)
    return {
        "cells and transistors": float(table.sigma_static[at]) / lsb,
        "neighbouring bits": float(table.sigma_pattern[at]) / lsb,
        "thermal noise": float(table.sigma_noise[at]) / lsb,
        "converter's noise": table.adc.noise_sigma / lsb,
        "converter's offset": table.adc.offset_sigma / lsb,
    }


def _interval(ends: tuple[float, float] | None, form: str) -> str:
    return "none" if ends is None else " to ".join(format(end, form) for end in ends)


def _signed(results: RunResults, head: Headline) -> dict[str, str]:
    """What the run is signed off with at its worst condition."""
    figures, chips = results.sign_off_at(head.margin_at.condition), results.chips
    rows = {
        "code error at the worst condition": f"{head.code_error:.1e}",
        "  its 95 % interval": _interval(head.code_error_interval, ".1e"),
        "margin there, sigma": "none" if head.margin_sigma is None else f"{head.margin_sigma:.2f}",
        "  95 % interval of the margin": _interval(head.margin_interval_sigma, ".2f"),
        "CSNR there, dB": "exact" if head.csnr_dB is None else f"{head.csnr_dB:.1f}",
        "  95 % interval of the CSNR": _interval(head.csnr_interval_dB, ".1f"),
    }
    if figures is not None:
        rows["INL, DNL, INL from the thresholds, LSB"] = (
            f"{figures.inl:.3f}, {figures.dnl:.3f}, {figures.inl_from_thresholds:.3f}"
        )
        rows["ENOB"] = f"{figures.enob:.2f}"
    if chips is not None:
        low, high = (100 * end for end in chips.yield_interval)
        rows["chips within the target"] = (
            f"{round(chips.yield_share * len(chips.chips))} of {len(chips.chips)} ({low:.0f} to {high:.0f} %)"
        )
    return rows


def column(results: RunResults, table: ReadoutTable, layer: LayerEstimate) -> dict[str, str]:
    """Rows of one run, by name."""
    condition, macro, head = results.condition, layer.macro, results.headline
    tiles, quality = macro.geometry.tiles, results.quality[0]
    spreads = budget(table, condition)
    rows = {
        "readout": results.readout_cost,
        "group, rows": f"{table.rows}",
        "LSB, mV": f"{table.lsb(condition) * 1e3:.2f}",
        **{f"sigma of {name}, LSB": f"{value:.4f}" for name, value in spreads.items()},
        "sigma together, LSB": f"{np.sqrt(sum(v * v for v in spreads.values())):.4f}",
        "margin, sigma (nominal, worst level)": f"{table.worst_margin(condition).margin:.2f}",
        "code error": f"{quality.code_error_expected:.1e}",
        "CSNR, dB": "exact" if quality.csnr_raw is None else f"{quality.csnr_raw:.1f}",
        **(_signed(results, head) if head is not None else {}),
        "verdict": "none" if head is None else head.verdict,
        "read, ns": f"{macro.step['read'].value.mid * 1e9:.2f}",
        "conversion, ns": f"{macro.step['adc'].value.mid * 1e9:.2f}",
        "conversions of the layer": f"{layer.conversions}",
        "energy per conversion, fJ": f"{macro.energy_per_conversion.mid * 1e15:.0f}",
        **{f"  {name}, fJ": f"{part.value.mid * 1e15:.1f}" for name, part in macro.conversion.items()},
        "energy per MAC, fJ": f"{macro.energy_per_mac.mid * 1e15:.0f}",
        "latency of the layer, us": f"{layer.latency.mid * 1e6:.1f}",
        **{f"  area of {name}, um2 per tile": f"{p.value.mid * 1e12 / tiles:.0f}" for name, p in macro.area.items()},
        "area, periphery under the array, um2 per tile": f"{macro.footprint.stacked.mid * 1e12 / tiles:.0f}",
        "density of via bits, Mb/mm2": f"{macro.footprint.density_stacked.mid:.2f}",
        "density of weight bits, Mb/mm2": f"{macro.footprint.weight_density_stacked.mid:.2f}",
        "not settled": "; ".join(macro.flags) or "nothing",
    }
    statuses = Counter(item.status for item in results.readout_inputs)
    rows["inputs by status"] = ", ".join(f"{number} {name}" for name, number in sorted(statuses.items()))
    assumed = [f"{i.stage}: {i.name}" for i in results.readout_inputs if i.status == "assumption"]
    rows["assumptions"] = "; ".join(assumed) or "none"
    return rows


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, help="output folder of a run with an ideal readout")
    parser.add_argument("after", type=Path, help="output folder of a run through a chain")
    args = parser.parse_args()
    columns = []
    for folder in (args.before, args.after):
        run = open_run(folder)
        columns.append(column(run.results, run.table, run_layer(run.results, run.table)))
    first, second = columns
    names = list(first)  # parts of the chain after the parts of the same group
    for name in second:
        if name not in names:
            before = list(second)[list(second).index(name) - 1]
            names.insert(names.index(before) + 1, name)
    print("| | before: ideal | after: chain |\n|---|---|---|")
    for name in names:
        print(f"| {name} | {first.get(name, '-')} | {second.get(name, '-')} |")


if __name__ == "__main__":
    main()

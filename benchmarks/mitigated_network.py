"""Accuracy that each mitigation buys for MiniLM under characterized macros, against its energy and area.

    python benchmarks/mitigated_network.py RUN [--fewer RUN2] [--words 20] [--condition LABEL] [--json FILE]

RUN: output folder of `metalrom run`, best one whose rows per conversion are too many to be right (its code errors then
cost accuracy); RUN2: a run of the same cell with fewer rows per conversion, for the mitigation that reads fewer rows.
Energy and area are those of `metalrom estimate` for every linear layer of the network, times what the mitigation takes:
conversions as they were made (repeated reads included), bit columns as they are stored. w8a8, one chip, one seed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.accuracy import words_only
from interconnect.files import atomic_write_text
from interconnect.jsonable import to_jsonable
from metalrom.macro import Mitigation
from metalrom.run.estimate import layer_estimate
from metalrom.run.folder import open_run
from metalrom.studies.accuracy import ActivationRule, QuantizedOperator, WeightRule, chips_of
from metalrom.studies.accuracy.macro_product import MacroProduct
from metalrom.studies.accuracy.quantized import ExactProduct
from metalrom.workloads.networks import fetched
from metalrom.workloads.networks.linear import float_operator


@dataclass(frozen=True)
class Bought:
    """A way to read the network: accuracy, code errors after correction, energy per MAC in pJ, area in mm2."""

    name: str
    cosine: float
    rho: float
    code_error: float
    energy_pJ_per_MAC: float
    area_mm2: float
    seconds: float


def cases(rows: int, fewer: Path | None) -> dict[str, dict[str, object]]:
    """Options of the macro by name."""
    out: dict[str, dict[str, object]] = {
        "plain": {},
        "median of 3 reads, top 3 planes": {"mitigations": [Mitigation(top=3, reads=3)]},
        "median of 3 reads": {"mitigations": [Mitigation(reads=3)]},
        "6 check columns per 25, corrected": {"mitigations": [Mitigation(residue=6)]},
        "6 check columns per 25, 2 repeats": {"mitigations": [Mitigation(residue=6, retries=2)]},
        "two's complement weights": {"mapping": "twos_complement"},
    }
    if fewer is not None:
        table = open_run(fewer).table
        out[f"{table.rows} rows in the top 3 planes"] = {
            "tables": {table.rows: table},
            "mitigations": [Mitigation(top=3, rows=table.rows)],
        }
        out[f"{table.rows} rows in all planes"] = {
            "tables": {table.rows: table},
            "mitigations": [Mitigation(rows=table.rows)],
        }
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--fewer", type=Path)
    parser.add_argument("--words", type=int, default=20)
    parser.add_argument("--condition")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    run = open_run(args.run)
    results, table = run.results, run.table
    chip = chips_of(str(args.run), (args.condition,) if args.condition else ())[0]
    work = words_only(args.words)
    reference = work.run(float_operator)
    model, _ = fetched.minilm()
    layers = [layer_estimate(results, table, w.inputs, w.outputs) for w in model.layers]
    macs = sum(layer.macs for layer in layers)
    energy = sum(layer.energy.mid for layer in layers) / macs
    area = sum(layer.macro.footprint.stacked.mid for layer in layers)
    exact = work.figures(work.run(QuantizedOperator(ExactProduct(), WeightRule(8), ActivationRule(8))), reference)
    print(f"{chip.title}; {work.notes}")
    print(f"exact integers: cosine {exact['wordsim_cosine']:.4f}, rho {exact['wordsim_spearman']:.3f}")
    print(f"{'':36}{'cosine':>8}{'rho':>7}{'code errors':>13}{'pJ/MAC':>8}{'mm2':>7}{'s':>6}")
    found: list[Bought] = []
    base = 0
    for name, options in cases(table.rows, args.fewer).items():
        product = MacroProduct(chip, weight_bits=8, input_bits=8, seed=1, options=options)
        start = time.perf_counter()
        figures = work.figures(work.run(QuantizedOperator(product, WeightRule(8), ActivationRule(8))), reference)
        base = base or product.conversions
        columns = product.bit_columns(384, 384)
        found.append(
            Bought(
                name,
                figures["wordsim_cosine"],
                figures["wordsim_spearman"],
                product.code_error_rate,
                1e12 * energy * product.conversions / base,
                1e6 * area * columns / (384 * 14),
                time.perf_counter() - start,
            )
        )
        b = found[-1]
        print(
            f"{b.name:36}{b.cosine:8.4f}{b.rho:7.3f}{b.code_error:13.1e}{b.energy_pJ_per_MAC:8.2f}{b.area_mm2:7.1f}"
            f"{b.seconds:6.0f}",
            flush=True,
        )
    if args.json:
        document = {"macro": chip.title, "exact": exact, "notes": work.notes, "rows": found}
        atomic_write_text(args.json, json.dumps(to_jsonable(document), indent=1) + "\n")


if __name__ == "__main__":
    main()

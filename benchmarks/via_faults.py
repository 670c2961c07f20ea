"""Defects injected into ternary digits: yields against the closed form, faulty networks, and their low-rank patch.

    python benchmarks/via_faults.py [MODEL] [--samples 2000] [--seed 0] [--covariances FILE.npz]

MODEL is a folder of the format `bitnet`; without one a stand-in is made of MiniLM-L6 (see ternary_network.py). Three
tables, each with its prediction in the column before:

1. yield of a macro that stores one 384 x 384 matrix on four planes, at the assumed defect rates times a factor, without
   repair, with check columns, and with a writable spare column per plane as well: closed form and drawn macros with
   their 95 % interval (Clopper and Pearson). The last line says how many intervals hold the closed form.
2. digits of the whole network that are wrong on one chip, with and without repair.
3. what a low-rank branch in SRAM leaves of the error of a faulty chip with check columns, against its area and that of
   whole columns of SRAM digits in place of the faulty ones. Covariances of the inputs, by the matrix's name, weigh the
   error; without them inputs are taken as independent and alike.

Rates are assumptions (`STOCK_RATES`); factors far beyond 1 are there to make faults that can be counted.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ternary_network import stand_in

from metalrom.macro.via_faults import Digits, FaultCounts, array_of, count_yield, faulty_network
from metalrom.macro.via_yield import STOCK_RATES, UNPROTECTED, DefectRates, Protection, WeightArray, weight_yield
from metalrom.studies.respin.patch import patch_area, patch_network, spare_area
from netlists.weights import load_blocks, ternary_names

PLANE = WeightArray(
    rows=384, columns=96, group_rows=10, tiles=1, planes=4, via_share=0.0,
    row_pitch=200e-9, column_pitch=300e-9, spacing=50e-9, width=50e-9,
)  # fmt: skip
"""A tile of examples/minilm_trits.yaml, 96 columns wide, and the widths of its lines."""

CHECKED = Protection(4, levels=3)
PROTECTIONS = {"none": UNPROTECTED, "check columns": CHECKED, "check and spare": replace(CHECKED, spares=1)}
FACTORS = (1e3, 1e4, 1e5, 3e5)
PATCH_FACTOR = 1e6
RANKS = (1, 4, 16)
NODE = 28e-9


def times(factor: float) -> DefectRates:
    """The assumed rates, so many times."""
    r = STOCK_RATES
    return DefectRates(r.missing_via * factor, r.extra_via * factor, r.shorts * factor, r.opens * factor, r.smallest)


def yields(digits: Digits, samples: int, seed: int) -> None:
    """Table 1."""
    print(f"\nYield of a macro of {digits.size:,} weights, {samples:,} macros drawn")
    print("| rates times | repair | predicted | drawn | 95 % interval | digits | bit lines | rows |")
    print("|---|---|---|---|---|---|---|---|")
    held = number = 0
    for factor in FACTORS:
        for name, protection in PROTECTIONS.items():
            closed = weight_yield(array_of([digits], PLANE, protection), times(factor), protection)
            found = count_yield(digits, PLANE, times(factor), protection, samples=samples, seed=seed + number)
            parts = []
            for cause, share in (
                ("total", closed.total), ("wrong_digits", closed.missing_vias), ("bit_lines", closed.bit_lines),
                ("rows", closed.rows),
            ):  # fmt: skip
                low, high = found.interval(cause)
                held, number = held + (low <= share <= high), number + 1
                parts.append((share, getattr(found, cause) / samples, low, high))
            share, drawn, low, high = parts[0]
            causes = " | ".join(f"{100 * p:.2f} / {100 * d:.2f} %" for p, d, _, _ in parts[1:])
            print(
                f"| {factor:g} | {name} | {100 * share:.2f} % | {100 * drawn:.2f} % | {100 * low:.2f} to "
                f"{100 * high:.2f} % | {causes} |"
            )
    print(f"{held} of {number} intervals of 95 % hold the closed form (expected: {0.95 * number:.0f})")


def networks(matrices: Mapping[str, Digits], seed: int) -> None:
    """Table 2: the prediction is the mean of binomial laws, digits in lost rows and lines counted where not 0."""
    cells = sum(m.size for m in matrices.values())
    vias = sum(int(np.count_nonzero(m)) for m in matrices.values())
    print(f"\nOne chip of {cells:,} ternary weights")
    print("| rates times | repair | wrong digits expected without repair | wrong digits | share | opens, extras, "
          "corrected | bit lines, spared | rows | matrices without a fault |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|")
    for factor in FACTORS:
        rates = times(factor)
        defects = rates.smallest**2 / 2 * (rates.shorts / PLANE.spacing + rates.opens / PLANE.width)
        column = -np.expm1(-PLANE.rows * PLANE.row_pitch * defects)
        row = -np.expm1(-PLANE.columns * PLANE.column_pitch * defects) + PLANE.columns * vias / cells * rates.extra_via
        expected = vias * (rates.missing_via + row + column) + (cells - vias) * 2 * rates.extra_via
        for name, protection in PROTECTIONS.items():
            chip = faulty_network(matrices, PLANE, rates, protection, seed=seed)
            counts = sum((f.counts for f in chip.values()), FaultCounts())
            wrong = sum(int((f.digits != matrices[n]).sum()) for n, f in chip.items())
            clean = sum(bool((f.digits == matrices[n]).all()) for n, f in chip.items())
            print(
                f"| {factor:g} | {name} | {expected:,.0f} | {wrong:,} | {wrong / cells:.2e} "
                f"| {counts.opens}, {counts.extras}, {counts.corrected} | {counts.bit_lines}, {counts.spared} "
                f"| {counts.rows} | {clean} of {len(chip)} |"
            )


def patches(
    matrices: Mapping[str, Digits], scales: Mapping[str, NDArray[Any]], covariances: Mapping[str, Any], seed: int
) -> None:
    """Table 3, for the first matrices of each kind of shape: a layer."""
    layer = {n: m for n, m in matrices.items() if n.startswith("encoder.layer.0.")} or dict(matrices)
    chip = faulty_network(layer, PLANE, times(PATCH_FACTOR), replace(CHECKED, spares=1), seed=seed)
    right = {n: m * scales[n] for n, m in layer.items()}
    faulty = {n: f.digits * scales[n] for n, f in chip.items()}
    print(f"\nLow-rank branch of 8 bits at rates times {PATCH_FACTOR:g}, check and spare columns, {NODE * 1e9:g} nm")
    print("| matrix | faulty outputs | relative squared error | " + " | ".join(f"left, rank {r}" for r in RANKS)
          + " | " + " | ".join(f"um2, rank {r}" for r in RANKS) + " | um2, whole columns |")  # fmt: skip
    print(f"|---|---|---|{'---|' * (2 * len(RANKS) + 1)}")
    found = [patch_network(right, faulty, rank=rank, covariances=covariances) for rank in RANKS]
    for name, first in found[0].items():
        left = " | ".join(f"{p[name].left:.2e}" for p in found)
        area = " | ".join(f"{patch_area(p[name].words, 8, NODE).value.mid * 1e12:,.0f}" for p in found)
        whole = spare_area(len(right[name]), len(first.outputs), NODE).value.mid * 1e12
        print(f"| {name} | {len(first.outputs)} | {first.before:.2e} | {left} | {area} | {whole:,.0f} |")
    print(f"area: {patch_area(1, 8, NODE).provenance.source.partition('; ')[2]}")


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, nargs="?", help="folder of the format `bitnet`")
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--covariances", type=Path, help="npz of the inputs' covariances by name of the matrix")
    arguments = parser.parse_args()
    begun = time.process_time()
    with tempfile.TemporaryDirectory() as scratch:
        model = arguments.model or stand_in(Path(scratch))
        blocks = {name: load_blocks(model, name) for name in ternary_names(model)}
    matrices = {name: b.integers for name, b in blocks.items()}
    print(f"rates: {STOCK_RATES.source}")
    square = next(m for m in matrices.values() if m.shape == (384, 384))
    yields(square, arguments.samples, arguments.seed)
    networks(matrices, arguments.seed)
    covariances = dict(np.load(arguments.covariances)) if arguments.covariances else {}
    patches(matrices, {name: b.scale for name, b in blocks.items()}, covariances, arguments.seed)
    print(f"\n{time.process_time() - begun:.0f} CPU seconds")


if __name__ == "__main__":
    main()

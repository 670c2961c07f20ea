"""What each mitigation buys along the noise cliff, and what it costs: one layer, Gaussian noise before rounding.

    python benchmarks/mitigation.py [--rows 64] [--sigma 0.11 0.14 0.16 0.2] [--json]

64 tokens of bell-shaped 8-bit activations through 384 x 96 bell-shaped 8-bit weights, differential, one count per code.
Costs are relative to the plain macro: conversions as made (repeated reads included) and bit columns (cells, area).
Fewer rows take noise as the charge-sharing law scales it, sigma ~ sqrt(rows): an extrapolation, not a characterization.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from metalrom.macro import Macro, Mitigation, csnr, synthetic_table


def cases(rows):
    """Mitigations by name for groups of `rows` rows."""
    return {
        "plain": (),
        "median of 3, top 3 planes": (Mitigation(top=3, reads=3),),
        "median of 3, top 3 planes, top 4 inputs": (Mitigation(top=3, reads=3, input_top=4),),
        "median of 3": (Mitigation(reads=3),),
        "mean of 4": (Mitigation(reads=4, combine="mean"),),
        "half the rows, top 3 planes": (Mitigation(top=3, rows=rows // 2),),
        "half the rows": (Mitigation(rows=rows // 2),),
        "6 check columns per 25, corrected": (Mitigation(residue=6),),
        "6 check columns per 25, 2 retries": (Mitigation(residue=6, retries=2),),
        "7 check columns per 56, 3 retries": (Mitigation(residue=7, retries=3),),
        "5 check columns per 10, 3 retries": (Mitigation(residue=5, retries=3),),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--sigma", type=float, nargs="+", default=[0.11, 0.14, 0.16, 0.2])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    x = np.clip(rng.normal(0, 30, (64, 384)).round(), -128, 127).astype(int)
    w = np.clip(rng.normal(0, 25, (384, 96)).round(), -127, 127).astype(int)
    results = []
    for sigma in options.sigma:
        table = synthetic_table(options.rows, sigma_noise=sigma)
        for name, mitigations in cases(options.rows).items():
            macro = Macro(table, table.conditions[0], mitigations=mitigations, outside_domain=True)
            made, cost = macro.run(x, w), macro.mitigation_cost(*w.shape)
            plain = macro.input_bits * macro.scheme.columns * w.shape[1] * len(x) * -(-len(w) // options.rows)
            quality = csnr(x @ w, made.y).raw
            results.append(
                {
                    "sigma_counts": sigma,
                    "mitigation": name,
                    "csnr_dB": quality if np.isfinite(quality) else "exact",
                    "code_error_rate": made.code_error_rate,
                    "conversions": made.conversions / plain,
                    "bit_columns": cost.bit_columns,
                    "segments": cost.segments,
                }
            )
    if options.json:
        print(json.dumps(results))
        return
    for r in results:
        quality = r["csnr_dB"] if isinstance(r["csnr_dB"], str) else f"{r['csnr_dB']:.1f} dB"
        print(
            f"{r['sigma_counts']:5.2f}  {r['mitigation']:40s} {quality:>8s}  errors {r['code_error_rate']:.1e}  "
            f"conversions {r['conversions']:.2f}  columns {r['bit_columns']:.2f}  segments {r['segments']:.2f}"
        )


if __name__ == "__main__":
    main()

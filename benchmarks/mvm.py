"""Conversions per CPU second of the MVM engine and of bit-serial GEMMs in numpy (and torch, if there), side by side.

    python benchmarks/mvm.py [--rows 64 32] [--batch 64] [--size 384] [--json]

All compute the same layer (8-bit inputs and weights, differential planes) through the same arbitrary look-up table;
their outputs must agree exactly. Only that table, large noise and check columns are looked up by the engine; the others
it computes by thinning (benchmarks/thinning.py), its rate being that of the conversions that the product stands for.
Ratios are to the numpy GEMM with that table. CPU time of one thread for either side, best of three, compilation
excluded; a busy neighbour on the same physical core slows everything.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"  # before numpy loads: idle BLAS threads spin and would be charged to the GEMM

import numpy as np  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from metalrom.macro import Macro, Mitigation, synthetic_table  # noqa: E402

BITS = 8


def bent_table(rows):
    """A table whose codes are wrong here and there, so that the look-up cannot be skipped."""
    table = synthetic_table(rows)
    bend = np.random.default_rng(0).uniform(-0.7, 0.7, table.level.shape)
    bend[:, :, 0] = bend[:, rows, rows] = 0.0
    return table.replace(level=table.level + bend)


def planes_of(w):
    """Magnitude planes of the positive, then of the negative weights, with what each is worth."""
    parts = ((1, w.clip(0)), (-1, (-w).clip(0)))
    return [(sign << q, ((part >> q) & 1).astype(np.float32)) for sign, part in parts for q in range(BITS - 1)]


def numpy_bit_serial(x, w, rows, readout):
    """One float32 GEMM per group, input plane, weight plane and sign; readout(active, counts) -> codes."""
    y = np.zeros((x.shape[0], w.shape[1]), np.int64)
    for start in range(0, x.shape[1], rows):
        xs, weights = x[:, start : start + rows], planes_of(w[start : start + rows])
        for p in range(BITS):
            bits = ((xs >> p) & 1).astype(np.float32)
            active = bits.sum(1).astype(np.intp)[:, None]
            for worth, plane in weights:
                code = readout(active, bits @ plane)
                y += (worth << p) * (-1 if p == BITS - 1 else 1) * code.astype(np.int64)
    return y


def torch_bit_serial(torch, x, w, rows, lut):
    """The same in torch tensors, look-up by index."""
    x, table = torch.from_numpy(x), torch.from_numpy(lut.astype(np.int64))
    y = torch.zeros(x.shape[0], w.shape[1], dtype=torch.int64)
    for start in range(0, x.shape[1], rows):
        xs, weights = x[:, start : start + rows], planes_of(w[start : start + rows])
        for p in range(BITS):
            bits = ((xs >> p) & 1).to(torch.float32)
            active = bits.sum(1).to(torch.int64)[:, None]
            for worth, plane in weights:
                counts = (bits @ torch.from_numpy(plane)).to(torch.int64)
                y += (worth << p) * (-1 if p == BITS - 1 else 1) * table[active, counts]
    return y.numpy()


def best_time(work, repeats=3):
    """Least CPU seconds of `work()` over the repeats, and its last result."""
    least, result = float("inf"), None
    for _ in range(repeats):
        start = time.process_time()
        result = work()
        least = min(least, time.process_time() - start)
    return least, result


def measure(x, w, rows):
    """Conversions per product, and conversions per CPU second of every engine by name."""
    rng = np.random.default_rng(2)
    conversions = len(x) * w.shape[1] * -(-len(w) // rows) * BITS * 2 * (BITS - 1)
    rates = {}

    def engine(table, **options):
        """Rate and result of a product; a mitigated or otherwise encoded one counts its own conversions."""
        macro = Macro(table, table.conditions[0], threads=1, **options)
        stored = macro.store(w)
        made = macro.run(x, stored)
        seconds, y = best_time(lambda: macro.matmul(x, stored))
        return made.conversions / seconds, made.code_error_rate, y

    bent = bent_table(rows)
    lut = Macro(bent, bent.conditions[0]).readout.nominal
    seconds, reference = best_time(
        lambda: numpy_bit_serial(x, w, rows, lambda active, counts: lut[active, counts.astype(np.intp)])
    )
    rates["numpy bit-serial GEMM, arbitrary LUT"] = conversions / seconds

    def noisy(active, counts):
        counts += 0.14 * rng.standard_normal(counts.shape, np.float32)
        return np.rint(counts, out=counts)

    seconds, _ = best_time(lambda: numpy_bit_serial(x, w, rows, noisy))
    rates["numpy bit-serial GEMM, noise 0.14 counts"] = conversions / seconds
    try:
        import torch
    except ImportError:
        torch = None
    if torch is not None:
        torch.set_num_threads(1)
        seconds, y = best_time(lambda: torch_bit_serial(torch, x, w, rows, lut))
        assert (y == reference).all(), "torch and numpy disagree"
        rates["torch bit-serial GEMM, arbitrary LUT"] = conversions / seconds
    rates["engine, arbitrary LUT"], _, y = engine(bent)
    assert (y == reference).all(), "engine and numpy disagree"
    rates["engine, ideal LUT"], _, y = engine(synthetic_table(rows))
    assert (y == x @ w).all(), "ideal readout is not exact"
    rates["engine, ideal LUT, two's complement"], _, y = engine(synthetic_table(rows), mapping="twos_complement")
    assert (y == x @ w).all(), "ideal readout is not exact"
    rates["engine, ideal LUT, 2 bits per cell"], _, y = engine(synthetic_table(rows, levels=4))
    assert (y == x @ w).all(), "ideal readout is not exact"
    for noise, static in ((0.1, 0.0), (0.14, 0.0), (0.2, 0.0), (0.28, 0.0), (0.1, 0.05)):
        table = synthetic_table(rows, sigma_noise=noise, sigma_static=static)
        rate, wrong, _ = engine(table)
        rates[f"engine, noise {noise} static {static} counts (code errors {wrong:.1e})"] = rate
    checked = (Mitigation(residue=6, retries=2),)
    rate, wrong, _ = engine(synthetic_table(rows, sigma_noise=0.14), mitigations=checked)
    rates[f"engine, noise 0.14 counts, 6 check columns and 2 retries (code errors {wrong:.1e})"] = rate
    return conversions, rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[64, 32], help="rows per conversion")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--size", type=int, default=384, help="inputs and outputs of the layer")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    x = rng.integers(-128, 128, (options.batch, options.size))
    w = rng.integers(-127, 128, (options.size, options.size))
    results = {rows: measure(x, w, rows) for rows in options.rows}
    if options.json:
        print(json.dumps({rows: {"conversions": n, "per_second": rates} for rows, (n, rates) in results.items()}))
        return
    for rows, (conversions, rates) in results.items():
        base = rates["numpy bit-serial GEMM, arbitrary LUT"]
        print(f"{options.batch} x {options.size} x {options.size}, {rows} rows per conversion, one core:")
        print(f"{conversions / 1e6:.0f} M conversions per product")
        for name, rate in rates.items():
            print(f"{rate / 1e6:9.1f} M/s  {rate / base:7.1f} x  {name}")


if __name__ == "__main__":
    main()

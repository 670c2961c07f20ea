"""Conversions per second of the MVM engine and of a numpy bit-serial GEMM, side by side on one core.

    python benchmarks/mvm.py [--rows 64] [--batch 64] [--size 384] [--json]

Both compute the same layer (8-bit inputs and weights, differential planes) through the same arbitrary look-up table;
their outputs must agree exactly. Ratios are to the numpy GEMM with that table. CPU time, one thread for either side,
best of three, compilation excluded; a busy neighbour on the same physical core slows everything.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import time
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"  # before numpy loads: idle BLAS threads spin and would be charged to the GEMM

import numpy as np  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from metalrom.macro import Macro, synthetic_table  # noqa: E402

BITS = 8


def bent_table(rows):
    """A table whose codes are wrong here and there, so that the look-up cannot be skipped."""
    table = synthetic_table(rows)
    bend = np.random.default_rng(0).uniform(-0.7, 0.7, table.mean.shape)
    bend[:, :, 0] = bend[:, rows, rows] = 0.0
    return dataclasses.replace(table, mean=table.mean + bend)


def numpy_bit_serial(x, w, rows, readout):
    """One float32 GEMM per group, input plane, weight plane and sign; readout(active, counts) -> codes."""
    y = np.zeros((x.shape[0], w.shape[1]), np.int64)
    for start in range(0, x.shape[1], rows):
        xs, ws = x[:, start : start + rows], w[start : start + rows]
        weights = [
            ((part >> q) & 1).astype(np.float32) for part in (ws.clip(0), (-ws).clip(0)) for q in range(BITS - 1)
        ]
        for p in range(BITS):
            bits = ((xs >> p) & 1).astype(np.float32)
            active = bits.sum(1).astype(np.intp)[:, None]
            for k, plane in enumerate(weights):
                code = readout(active, bits @ plane)
                sign = (1 if k < BITS - 1 else -1) * (-1 if p == BITS - 1 else 1)
                y += sign * (code.astype(np.int64) << (p + k % (BITS - 1)))
    return y


def best_time(work, repeats=3):
    """Least CPU seconds of `work()` over the repeats, and its last result."""
    least, result = float("inf"), None
    for _ in range(repeats):
        start = time.process_time()
        result = work()
        least = min(least, time.process_time() - start)
    return least, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=64, help="rows per conversion")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--size", type=int, default=384, help="inputs and outputs of the layer")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    x = rng.integers(-128, 128, (options.batch, options.size))
    w = rng.integers(-127, 128, (options.size, options.size))
    groups = -(-options.size // options.rows)
    conversions = options.batch * options.size * groups * BITS * 2 * (BITS - 1)

    def engine(table):
        macro = Macro(table, table.conditions[0], threads=1)
        stored = macro.store(w)
        macro.run(x[:1], stored)
        return best_time(lambda: macro.run(x, stored))

    bent = bent_table(options.rows)
    lut = Macro(bent, bent.conditions[0]).readout.nominal
    rates = {}

    def look_up(active, counts):
        return lut[active, counts.astype(np.intp)]

    def noisy(active, counts):
        counts += 0.14 * rng.standard_normal(counts.shape, np.float32)
        return np.rint(counts, out=counts)

    seconds, reference = best_time(lambda: numpy_bit_serial(x, w, options.rows, look_up))
    rates["numpy bit-serial GEMM, arbitrary LUT"] = conversions / seconds
    seconds, _ = best_time(lambda: numpy_bit_serial(x, w, options.rows, noisy))
    rates["numpy bit-serial GEMM, noise 0.14 counts"] = conversions / seconds
    macro = Macro(bent, bent.conditions[0], threads=1)
    stored = macro.store(w)
    macro.run(x[:1], stored)
    seconds, result = best_time(lambda: macro.matmul(x, stored))
    assert (result == reference).all(), "engine and numpy disagree"
    rates["engine, arbitrary LUT"] = conversions / seconds
    seconds, result = best_time(lambda: macro.run(x, stored))
    rates[f"engine, arbitrary LUT, errors counted ({result.code_error_rate:.1e})"] = conversions / seconds
    seconds, result = engine(synthetic_table(options.rows))
    assert (result.y == x @ w).all(), "ideal readout is not exact"
    rates["engine, LUT without errors"] = conversions / seconds
    for noise, static in ((0.1, 0.0), (0.1, 0.05), (0.14, 0.0), (0.2, 0.0), (0.28, 0.0)):
        seconds, result = engine(synthetic_table(options.rows, sigma_noise=noise, sigma_static=static))
        name = f"engine, noise {noise} static {static} counts (code errors {result.code_error_rate:.1e})"
        rates[name] = conversions / seconds
    if options.json:
        print(json.dumps({"conversions": conversions, "per_second": rates}))
        return
    base = rates["numpy bit-serial GEMM, arbitrary LUT"]
    print(f"{options.batch} x {options.size} x {options.size}, {options.rows} rows per conversion, one core")
    print(f"{conversions / 1e6:.0f} M conversions per product")
    for name, rate in rates.items():
        print(f"{rate / 1e6:9.1f} M/s  {rate / base:7.1f} x  {name}")


if __name__ == "__main__":
    main()

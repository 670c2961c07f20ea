"""Products by thinning against the look-up of every conversion and one float32 GEMM, side by side in CPU seconds.

    python benchmarks/thinning.py [--run OUT] [--conversions 1e8] [--tokens 48]

OUT: a finished `metalrom run examples/minilm_layer.yaml`, whose layer and readout are added. Prints

- CPU time of a product by either way and of the GEMM, with the share of candidates that was predicted and the errors;
- chi-square of the codes of every (active, count) between both ways, on the same chips, over at least `--conversions`
  conversions each, and mean and variance of the output's error of the 8-bit layer;
- tokens per CPU second of the linear layers of SmolLM2-135M: random weights and activations of its shapes, one of the
  30 alike layers measured, embeddings, attention and norms left out;
- CPU time of storing weights.

One thread; medians; compilation excluded. A busy neighbour on the same physical core slows everything.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"  # before numpy loads: idle BLAS threads spin and would be charged to the GEMM

import numpy as np  # noqa: E402
from scipy.stats import chi2  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from metalrom.macro import Macro, synthetic_table  # noqa: E402
from metalrom.studies.accuracy import chips_of  # noqa: E402

ROWS = 64
LAYERS = 30
SHAPES = ((576, 576), (576, 192), (576, 192), (576, 576), (576, 1536), (576, 1536), (1536, 576))
"""Query, key, value, output, gate, up and down of a layer of SmolLM2-135M, (inputs, outputs)."""

ONE_BIT = {"weight_bits": 1, "mapping": "unsigned", "input_bits": 1, "input_signed": False}
"""An output of one group of rows is one conversion."""

Maker = Callable[..., Macro]


def cpu_time(work: Callable[[], Any], repeats: int = 7) -> float:
    """Median CPU seconds of `work()`."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds)


def synthetic(rows: int = ROWS, **spreads: float) -> Maker:
    """Makes macros of a synthetic readout."""
    table = synthetic_table(rows, **spreads)
    return lambda **options: Macro(table, table.conditions[0], threads=1, **options)


def readouts(run: str | None) -> Iterator[tuple[str, Maker]]:
    """The readouts that are compared, by name."""
    yield "no error", synthetic()
    for noise in (0.1, 0.14, 0.2):
        yield f"noise {noise:g}", synthetic(sigma_noise=noise)
    yield "noise 0.12 static 0.05 offset 0.03", synthetic(sigma_noise=0.12, sigma_static=0.05, offset_sigma=0.03)
    if run:
        chip = chips_of(run)[0]
        yield chip.title, lambda **options: chip.macro(threads=1, **options)


def products(run: str | None) -> None:
    """CPU time of products, and the moments of their errors."""
    rng = np.random.default_rng(1)
    layers = {"random 64 x 384 x 384": (rng.integers(-128, 128, (64, 384)), rng.integers(-127, 128, (384, 384)))}
    if run:
        with np.load(Path(run) / "layer.npz") as data:
            layers["the run's layer"] = (data["activations"].astype(np.int64), data["weights"].astype(np.int64))
    for name, (x, w) in layers.items():
        single, weights = x.astype(np.float32), w.astype(np.float32)
        gemm = cpu_time(lambda: single @ weights, 25)  # noqa: B023
        print(f"\n{name}, 8 bits, differential: float32 GEMM {gemm * 1e3:.3f} ms")
        for title, maker in readouts(run):
            thin, looked_up = maker(), maker(thin=False)
            stored, by_look_up = thin.store(w), looked_up.store(w)
            found = thin._sections[0].thinning(stored.sections[0], 8)
            share = "look-up chosen" if found is None else f"{found[0].share:.1e} candidates predicted"
            print(f"  {title}: {share}")
            results = [m.run(x, s) for m, s in ((thin, stored), (looked_up, by_look_up))]
            errors = [r.y - x @ w for r in results]
            times = [cpu_time(lambda: m.run(x, s), n) for m, s, n in  # noqa: B023
                     ((thin, stored, 15), (looked_up, by_look_up, 5))]  # fmt: skip
            print(
                f"    {times[0] * 1e3:.3f} ms = {times[0] / gemm:.1f} GEMM; look-up {times[1] * 1e3:.1f} ms: "
                f"x{times[1] / times[0]:.1f}; code errors {results[0].code_errors} and {results[1].code_errors} of "
                f"{results[0].conversions:.3g}; output error mean {errors[0].mean():.3g} and {errors[1].mean():.3g}, "
                f"rms {errors[0].std():.4g} and {errors[1].std():.4g}",
                flush=True,
            )


def homogeneity(kinds: np.ndarray, codes: tuple[np.ndarray, np.ndarray], width: int) -> tuple[float, int]:
    """Chi-square of two samples of codes within every kind (active, count), and its degrees of freedom."""
    tables = [
        np.bincount((kinds * width + c).ravel(), minlength=(kinds.max() + 1) * width).reshape(-1, width) for c in codes
    ]
    statistic, freedom = 0.0, 0
    for a, b in zip(*tables, strict=True):
        many = a + b >= 20
        a, b = (np.append(n[many], n[~many].sum()) for n in (a, b))
        seen = a + b > 0
        statistic += float(((a - b)[seen] ** 2 / (a + b)[seen]).sum())
        freedom += max(0, int(seen.sum()) - 1)
    return statistic, freedom


def distributions(conversions: float, run: str | None) -> None:
    """Codes of single conversions by either way."""
    print(f"\ndistribution of the codes over at least {conversions:.2g} conversions by either way, ten chips:")
    for title, maker in readouts(run):
        if title == "no error":
            continue
        statistic, freedom, made, wrong = 0.0, 0, 0, [0, 0]
        for seed in range(10):
            rng = np.random.default_rng(seed)
            macros = [maker(seed=seed, thin=thin, **ONE_BIT) for thin in (True, False)]
            rows = macros[0].rows
            x = rng.integers(0, 2, (int(conversions / 10 / 2500) + 1, rows))
            w = rng.integers(0, 2, (rows, 2500))
            count = x @ w
            kinds = x.sum(axis=1)[:, None] * (rows + 1) + count
            results = [m.run(x, w) for m in macros]
            more, free = homogeneity(kinds, tuple(r.y for r in results), rows + 1)  # type: ignore[arg-type]
            statistic, freedom, made = statistic + more, freedom + free, made + results[0].conversions
            wrong = [n + r.code_errors for n, r in zip(wrong, results, strict=True)]
        print(
            f"  {title}: {made:.3g} conversions, code errors {wrong[0]} and {wrong[1]}, chi-square {statistic:.0f} at "
            f"{freedom} degrees of freedom, p = {chi2.sf(statistic, freedom):.3f}",
            flush=True,
        )


def language_model(tokens: int, run: str | None) -> None:
    """Linear layers of SmolLM2-135M."""
    rng = np.random.default_rng(0)

    def bell(shape: tuple[int, int]) -> np.ndarray:
        return np.clip(np.rint(rng.standard_normal(shape) * 32), -127, 127).astype(np.int64)

    weights, inputs = [bell(s) for s in SHAPES], [bell((tokens, s[0])) for s in SHAPES]
    singles = [(x.astype(np.float32), w.astype(np.float32)) for x, w in zip(inputs, weights, strict=True)]
    gemm = cpu_time(lambda: [x @ w for x, w in singles])
    speed = tokens / gemm / LAYERS
    print(f"\nSmolLM2-135M's linear layers, random weights, {tokens} tokens: float32 {speed:.0f} tokens/s")
    makers = {"noise 0.12 static 0.05, 32 rows": synthetic(32, sigma_noise=0.12, sigma_static=0.05)}
    if run:
        makers[chips_of(run)[0].title] = dict(readouts(run))[chips_of(run)[0].title]
    for title, maker in makers.items():
        for native in (False, True):
            speeds, rates = [], []
            for thin in (True, False):
                macro = maker(thin=thin, **({"mapping": "twos_complement", "weight_bits": 4} if native else {}))
                if native and 32 % macro.rows:
                    break
                stored: list[Any] = [
                    macro.store_blocks(np.clip(w // 16, -8, 7), rng.random((len(w) // 32, w.shape[1])), block=32)
                    if native
                    else macro.store(w)
                    for w in weights
                ]
                results = [macro.run(x, s) for x, s in zip(inputs, stored, strict=True)]
                seconds = cpu_time(lambda: [macro.run(x, s) for x, s in zip(inputs, stored, strict=True)], 3)  # noqa: B023
                speeds.append(tokens / seconds / LAYERS)
                rates.append(sum(r.code_errors for r in results) / sum(r.conversions for r in results))
            if speeds:
                kind = "4-bit blocks of 32 rows" if native else "8 bits, differential"
                print(
                    f"  {title}, {kind}: {speeds[0]:.1f} tokens/s, look-up {speeds[1]:.2f}, code errors {rates[0]:.2e} "
                    f"and {rates[1]:.2e}",
                    flush=True,
                )


def storing() -> None:
    """CPU time of storing."""
    w = np.random.default_rng(2).integers(-127, 128, (576, 1536))
    print("\nstoring 576 x 1536 weights of 8 bits, differential, 32 rows per conversion:")
    for title, maker in (
        ("no error", synthetic(32)),
        ("noise and frozen spread", synthetic(32, sigma_noise=0.1, sigma_static=0.05)),
        ("with converter offsets", synthetic(32, sigma_noise=0.1, sigma_static=0.05, offset_sigma=0.02)),
    ):
        macro = maker()
        macro._sections[0].thinning(macro.store(w).sections[0], 8)
        seconds = cpu_time(lambda: macro.store(w))  # noqa: B023
        stored = [macro.store(w) for _ in range(3)]
        plans = cpu_time(lambda: macro._sections[0].thinning(stored.pop().sections[0], 8), 3)  # noqa: B023
        print(f"  {title}: {seconds / w.size * 1e9:.1f} ns per weight, classes {plans / w.size * 1e9:.1f} ns")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", metavar="OUT", help="folder of a finished run")
    parser.add_argument("--conversions", type=float, default=1e8)
    parser.add_argument("--tokens", type=int, default=48)
    options = parser.parse_args()
    products(options.run)
    language_model(options.tokens, options.run)
    storing()
    distributions(options.conversions, options.run)


if __name__ == "__main__":
    main()

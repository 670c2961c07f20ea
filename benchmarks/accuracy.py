"""Accuracy of MiniLM and SmolLM2 under quantization, converter range, noise, and characterized macros.

    python benchmarks/accuracy.py [--parts schemes,adc,cliff,encoding,macro,smollm2,smollm2_macro] [--macro OUT]
                                  [--words 110] [--json FILE] [--plot FILE] [--only-plot]

schemes: float and exact integers on all of WordSim353, SimLex999 and Lee's documents. adc: a 6-bit converter over
groups of 64 and 256 rows; steps of two counts; half the range. cliff: Gaussian noise before rounding, against the
published figures. encoding: how activations are driven. macro: a finished run at three conditions and its error
budget. smollm2: next tokens in exact integers, and from the file's own 4-bit blocks. smollm2_macro: the same on the
ideal macro and on a finished run, few tokens. Each part takes one to ten minutes on two idle cores. --json: results,
kept and added to. --only-plot: draw the figure from that file alone.
Assets: `metalrom fetch minilm smollm2 wordsim`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from interconnect.files import atomic_write_text
from interconnect.jsonable import to_jsonable
from metalrom.macro import Macro, synthetic_table
from metalrom.studies.accuracy import (
    ActivationRule,
    ExactProduct,
    NativeBlocks,
    NextToken,
    QuantizedOperator,
    SentenceSimilarity,
    Settings,
    WeightRule,
    chips_of,
    evaluate_network,
)
from metalrom.studies.accuracy.chips import gaussian_code_error
from metalrom.studies.accuracy.datasets import judgements, lee_documents
from metalrom.studies.accuracy.macro_product import MacroProduct
from metalrom.studies.accuracy.native import BlockOperator, ExactBlocks
from metalrom.workloads.networks import fetched
from metalrom.workloads.networks.linear import float_operator

PUBLISHED_SCHEMES = {"float": (0.729, 1.0), "w8a8": (0.730, 0.998), "w6a8": (0.737, 0.992), "w4a8": (0.714, 0.943)}
"""Spearman's rho on WordSim353 and mean cosine to float: the project's reference, measured elsewhere beforehand."""

PUBLISHED_CLIFF = {
    8: {0.0: 0.995, 0.11: 0.995, 0.125: 0.991, 0.14: 0.952, 0.16: 0.830, 0.2: 0.387, 0.28: 0.07},
    4: {0.0: 0.939, 0.11: 0.939, 0.125: 0.933, 0.14: 0.915, 0.16: 0.832, 0.2: 0.480},
}
"""Mean cosine over 110 words by weight bits and noise in counts: the same source. Which words is not known."""

CONDITIONS = ("tt_1.00V_27C", "ss_1.00V_27C", "tt_0.90V_27C")


def words_only(count: int) -> SentenceSimilarity:
    """WordSim353 pairs, evenly spaced, of as nearly `count` different words as there are."""
    model, pieces = fetched.minilm()
    sizes = range(3, 354)
    limit = min(sizes, key=lambda n: abs(len(judgements(["wordsim"], n)[0].texts) - count))
    return SentenceSimilarity(model, pieces, judgements(["wordsim"], limit))


def schemes(args):
    """Float and exact integers on every task in full."""
    model, pieces = fetched.minilm()
    work = SentenceSimilarity(model, pieces, judgements(["wordsim", "simlex", "lee"]), most_tokens=128)
    reference = work.run(float_operator)
    rows = [{"scheme": "float", **work.figures(reference, reference)}]
    for fine in (False, True):
        for bits in (8, 6, 4) if fine else (8, 6, 5, 4, 3, 2):
            operator = QuantizedOperator(ExactProduct(), WeightRule(bits, fine), ActivationRule(8, fine))
            title = f"w{bits}a8" + (", fitted weights, shifted activations" if fine else "")
            rows.append({"scheme": title, **work.figures(work.run(operator), reference)})
    for row in rows:
        rho, cosine = PUBLISHED_SCHEMES.get(row["scheme"].partition(",")[0], (None, None))
        row |= {"published_rho": rho, "published_cosine": cosine}
    return {"notes": work.notes, "rows": rows}


def adc(args):
    """A converter of 64 or 65 codes over 64 or 256 rows, a step of two counts, half the range."""
    work = words_only(args.words)
    reference = work.run(float_operator)
    rows = []
    for bits in (8, 4):
        exact = QuantizedOperator(ExactProduct(), WeightRule(bits), ActivationRule(8))
        rows.append({"scheme": f"w{bits}a8 exact", **work.figures(work.run(exact), reference)})
        for text in ("rows=64,codes=64", "rows=256,codes=64", "rows=64,lsb=2", "rows=64,codes=33", "rows=256,codes=33"):
            rows.append(noisy(work, reference, text, bits))
    return {"notes": work.notes, "rows": rows}


def cliff(args):
    """Gaussian noise of sigma counts before rounding, separate columns, 64 rows per conversion."""
    work = words_only(args.words)
    reference = work.run(float_operator)
    rows = []
    for bits, published in PUBLISHED_CLIFF.items():
        for sigma, cosine in published.items():
            row = noisy(work, reference, f"rows=64,sigma={sigma}", bits)
            rows.append({**row, "sigma": sigma, "bits": bits, "code_error": gaussian_code_error(sigma)})
            rows[-1]["published_cosine"] = cosine
    return {"notes": work.notes, "rows": rows}


class SignMagnitude:
    """Activations driven as sign and magnitude: positive ones first, then negative ones, outputs subtracted.

    A conversion with no driven row is skipped, hence without noise. Takes up to twice the conversions.
    """

    def __init__(self, sigma, bits):
        table = chips_of(f"synthetic:rows=64,sigma={sigma}")[0].table
        spread = table.sigma_noise.copy()
        spread[:, 0, 0] = 0.0
        self.macro = Macro(table.replace(sigma_noise=spread), table.conditions[0], weight_bits=bits, seed=1)

    def store(self, w, index):
        return self.macro.store(w, layer=index)

    def multiply(self, x, stored):
        return self.macro.matmul(np.maximum(x, 0), stored) - self.macro.matmul(np.maximum(-x, 0), stored)


class OnePerPair:
    """The positive and the negative column of a weight bit read as one difference: half of the conversions."""

    def __init__(self, sigma, bits):
        table = synthetic_table(64, levels=3, sigma_noise=sigma)
        self.macro = Macro(table, table.conditions[0], weight_bits=bits, seed=1, symbol_values=(-1, 0, 1))

    def store(self, w, index):
        return self.macro.store(w, layer=index)

    def multiply(self, x, stored):
        return self.macro.matmul(x, stored)


def encoding(args):
    """At one noise in the middle of the cliff: two's complement against sign and magnitude, and one conversion per pair
    of columns against one per column."""
    work = words_only(args.words)
    reference = work.run(float_operator)
    rows = []
    for bits in (8, 4):
        rows.append({**noisy(work, reference, "rows=64,sigma=0.14", bits), "encoding": "two's complement"})
        operator = QuantizedOperator(SignMagnitude(0.14, bits), WeightRule(bits), ActivationRule(8))
        rows.append({"encoding": "sign and magnitude", **work.figures(work.run(operator), reference)})
        operator = QuantizedOperator(OnePerPair(0.14, bits), WeightRule(bits), ActivationRule(8))
        rows.append({"encoding": "one conversion per pair", **work.figures(work.run(operator), reference)})
        print(json.dumps(to_jsonable(rows[-3:])), file=sys.stderr, flush=True)
    return {"notes": work.notes, "rows": rows}


def noisy(work, reference, text, bits):
    """One pass on a made-up readout."""
    chip = chips_of(f"synthetic:{text}")[0]
    product = MacroProduct(chip, weight_bits=bits, input_bits=8, seed=1)
    start = time.perf_counter()
    found = work.run(QuantizedOperator(product, WeightRule(bits), ActivationRule(8)))
    seconds = time.perf_counter() - start
    row = {"scheme": f"w{bits}a8 {text}", **work.figures(found, reference)}
    row |= {"drawn_code_error": product.code_error_rate, "seconds": seconds}
    row["conversions_per_second"] = product.conversions / seconds
    print(json.dumps(to_jsonable(row)), file=sys.stderr, flush=True)
    return row


def macro(args):
    """A finished run at three conditions, and on an eighth of the words its error budget at the nominal one."""
    work = words_only(args.words)
    at = evaluate_network(work, chips_of(str(args.macro), CONDITIONS), Settings(seed=1))
    print(json.dumps(to_jsonable(at.outcomes)), file=sys.stderr, flush=True)
    budget = evaluate_network(
        words_only(max(12, args.words // 8)), chips_of(str(args.macro)), Settings(seed=1, budget=True)
    )
    return {"conditions": to_jsonable(at), "budget": to_jsonable(budget)}


def smollm2(args):
    """Next tokens in exact integers, first 64 tokens of four documents."""
    model, pieces = fetched.smollm2(blocks=True)
    work = NextToken(model, pieces, lee_documents()[:4], most_tokens=64)
    start = time.perf_counter()
    reference = work.run(float_operator)
    speed = work.tokens / (time.perf_counter() - start)
    rows = [{"scheme": "float", **work.figures(reference, reference), "tokens_per_second": speed}]
    for shifted in (False, True):
        operator = BlockOperator(ExactBlocks(), ActivationRule(8, shifted))
        title = "native blocks a8" + (", shifted activations" if shifted else "")
        rows.append({"scheme": title, **work.figures(work.run(operator), reference)})
        print(json.dumps(to_jsonable(rows[-1])), file=sys.stderr, flush=True)
    for bits, fine in ((8, False), (8, True), (6, True), (4, False), (4, True)):
        operator = QuantizedOperator(ExactProduct(), WeightRule(bits, fine), ActivationRule(8, fine))
        title = f"w{bits}a8" + (", fitted weights, shifted activations" if fine else "")
        rows.append({"scheme": title, **work.figures(work.run(operator), reference)})
        print(json.dumps(to_jsonable(rows[-1])), file=sys.stderr, flush=True)
    return {"notes": work.notes, "rows": rows}


def smollm2_macro(args):
    """Next tokens on the ideal macro and on a finished run, few tokens."""
    model, pieces = fetched.smollm2(blocks=True)
    few = NextToken(model, pieces, lee_documents()[:1], most_tokens=12)
    native = evaluate_network(few, chips_of(str(args.macro)), Settings(NativeBlocks(), seed=1))
    out = {"native blocks run": to_jsonable(native)}
    print(json.dumps(to_jsonable(native.outcomes)), file=sys.stderr, flush=True)
    for bits in (8, 4):
        for name, folder in (("ideal", "ideal"), ("run", str(args.macro))):
            found = evaluate_network(few, chips_of(folder), Settings(WeightRule(bits), seed=1))
            out[f"w{bits}a8 {name}"] = to_jsonable(found)
            print(json.dumps(to_jsonable(found.outcomes)), file=sys.stderr, flush=True)
    return out


PARTS = {
    "schemes": schemes,
    "adc": adc,
    "cliff": cliff,
    "encoding": encoding,
    "macro": macro,
    "smollm2": smollm2,
    "smollm2_macro": smollm2_macro,
}


def plot(rows, notes, path):
    """Cosine against code-error probability, ours and the published one."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    matplotlib.rcParams["svg.hashsalt"] = "metalrom"
    figure, axes = plt.subplots(figsize=(7.6, 4.2), layout="constrained")
    for bits, colour in ((8, "#1f4e79"), (4, "#c05a12")):
        mine = [r for r in rows if r["bits"] == bits and r["sigma"] > 0]
        x = [r["code_error"] for r in mine]
        axes.plot(x, [r["wordsim_cosine"] for r in mine], "o-", color=colour, label=f"w{bits}a8, cosine")
        axes.plot(x, [r["wordsim_spearman"] for r in mine], "s:", color=colour, label=f"w{bits}a8, rho")
        axes.plot(x, [r["published_cosine"] for r in mine], "x", color=colour, ms=9, label=f"w{bits}a8, earlier cosine")
    axes.axvspan(1e-5, 1e-4, color="#888888", alpha=0.2, lw=0)
    axes.text(3.2e-5, 0.04, "must stay\nbelow", ha="center", va="bottom", fontsize=8, color="#555555")
    axes.set(
        xscale="log",
        ylim=(-0.15, 1.05),
        xlabel="code-error probability of a conversion, 2Q(1/2σ)",
        ylabel="cosine to float, Spearman's rho",
        title=f"MiniLM with wrong counts: the noise cliff\n({notes[0]}; 64 rows per conversion)",
    )
    top = axes.secondary_xaxis("top")
    sigmas = sorted({r["sigma"] for r in rows if r["sigma"] > 0})
    top.set_xticks([gaussian_code_error(s) for s in sigmas], [f"{s:g}" for s in sigmas], fontsize=8)
    top.minorticks_off()
    top.set_xlabel("noise before rounding σ, counts")
    axes.grid(alpha=0.3)
    figure.legend(fontsize=8, loc="outside right center")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default="schemes,adc,cliff", help="comma-separated")
    parser.add_argument("--macro", type=Path, help="folder of a finished run, for the parts macro and smollm2_macro")
    parser.add_argument("--words", type=int, default=110)
    parser.add_argument("--json", type=Path, help="results, kept and added to")
    parser.add_argument("--plot", type=Path, help="figure of the part cliff")
    parser.add_argument("--only-plot", action="store_true", help="draw from the JSON file, measure nothing")
    args = parser.parse_args()
    found = json.loads(args.json.read_text()) if args.json and args.json.exists() else {}
    for name in [] if args.only_plot else args.parts.split(","):
        start = time.perf_counter()
        found[name] = to_jsonable(PARTS[name](args))
        print(f"{name}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
        if args.json:
            atomic_write_text(args.json, json.dumps(found, indent=1) + "\n")
    if args.plot and "cliff" in found:
        plot(found["cliff"]["rows"], found["cliff"]["notes"], args.plot)
    if not args.json:
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

"""Accuracy of MiniLM by the errors of the macro: 8 bits in trits, 4 bits, one and two distilled ternary planes.

    metalrom fetch minilm wordsim
    python benchmarks/noise_cliff.py OUT1 OUT2 ... [--chips 5] [--pairs 60] [--conditions 2] [--picture cliff.svg]

OUT: finished runs of the ternary tie (`examples/minilm_trits.yaml` with `weights.bits: ternary`), say of 10, 20 and 32
rows per conversion. Of each the conditions of least and greatest code error count. Every chip is another seed. The
figure is the mean cosine of the words' embeddings to those of the same network without errors; its interval (95 %)
is over chips (Student) and its spread over words (se) stands beside it; rho against people is given as the chips' mean.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from characterization.charts import MARKS, SERIES, TARGET
from metalrom.studies.accuracy import ActivationRule, NativeBlocks, PassResult, SentenceSimilarity, Settings, WeightRule
from metalrom.studies.accuracy.chips import Chip, chips_of
from metalrom.studies.accuracy.datasets import Judgements, judgements
from metalrom.studies.accuracy.measure import evaluate_network
from metalrom.workloads.networks.fetched import DISTILLED, distilled_folder, minilm, ternary_minilm

KEPT = 0.95
"""Cosine at which a network is said to bear its errors."""

Network = tuple[str, SentenceSimilarity, Settings]


def networks(pairs: int) -> list[Network]:
    """(name, work, how weights and activations become integers) of every network."""
    asked = judgements(["wordsim"], pairs)
    whole = SentenceSimilarity(*minilm(), asked)
    found: list[Network] = [
        ("8 bits, five trits", whole, Settings(WeightRule(8), ActivationRule(8), options={"mapping": "trits"})),
        ("4 bits, three digits", whole, Settings(WeightRule(4), ActivationRule(8))),
    ]
    return found + [distilled(name, asked) for name in DISTILLED]


def distilled(name: str, asked: Sequence[Judgements]) -> Network:
    """A network of ternary planes, as it comes with the project or as a folder holds it."""
    folder = distilled_folder(name)
    if folder is None:
        raise SystemExit(f"{name} is no distilled network")
    return name, SentenceSimilarity(*ternary_minilm(folder), asked), Settings(NativeBlocks(), ActivationRule(8))


def chips(runs: list[str], count: int) -> list[Chip]:
    """The `count` conditions of every run, evenly spaced in code error."""
    found = []
    for run in runs:
        there = sorted(chips_of(run, every_condition(run)), key=lambda chip: chip.table.mean_code_error(chip.condition))
        found += [there[i] for i in dict.fromkeys(np.linspace(0, len(there) - 1, count).round().astype(int))]
    return found


def every_condition(run: str) -> list[str]:
    """Labels of the conditions that a run holds."""
    return [condition.label for condition in chips_of(run, ())[0].table.conditions]


@dataclass(frozen=True)
class ChipPass:
    """A network on one chip. exact, found: embeddings of every text without errors and with them."""

    exact: Any
    found: Any
    outcome: PassResult

    @property
    def cosine(self) -> Any:
        """Of every text: to the same network without errors."""
        return np.einsum("ij,ij->i", self.found, self.exact)


def chip_passes(network: Network, chip: Chip, seeds: int) -> list[ChipPass]:
    """A network on as many chips of one condition."""
    _, work, settings = network
    found = []
    for seed in range(seeds):
        seen: list[Any] = []
        outcome = evaluate_network(Watched(work, seen), [chip], replace(settings, seed=seed)).outcomes[-1]
        found.append(ChipPass(seen[1], seen[2], outcome))
    return found


def over_chips(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half of its 95 % interval (Student)."""
    half = student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    return float(np.mean(values)), float(half)


def spread_of(cosines: Sequence[Any]) -> float:
    """Standard error over texts of the mean over chips."""
    texts = np.mean(cosines, axis=0)
    return float(np.std(texts, ddof=1) / math.sqrt(len(texts)))


def measured(network: Network, chip: Chip, seeds: int) -> dict[str, Any]:
    """Figures of a network over chips."""
    passes = chip_passes(network, chip, seeds)
    cosine, half = over_chips([float(p.cosine.mean()) for p in passes])
    return {
        "cosine": cosine, "half": half, "words": spread_of([p.cosine for p in passes]),
        "rho": float(np.mean([p.outcome.figures["wordsim_spearman"] for p in passes])),
        "errors": float(np.mean([p.outcome.code_error_rate or 0.0 for p in passes])),
        "conversions": passes[-1].outcome.conversions_per_mac or 0.0,
    }  # fmt: skip


class Watched:
    """A workload that keeps what every pass found: float, exact, chip."""

    def __init__(self, work: SentenceSimilarity, seen: list[Any]) -> None:
        self._work, self._seen = work, seen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._work, name)

    def run(self, operator: Any) -> Any:
        """The embeddings, kept."""
        self._seen.append(self._work.run(operator))
        return self._seen[-1]


def tolerated(rows: Sequence[tuple[str, dict[str, Any]]], name: str, cosine: float) -> float | None:
    """Code errors at which a network falls to a cosine, between the points around it on the logarithm; None outside."""
    points = sorted((r["errors"], r["cosine"]) for n, r in rows if n == name and r["errors"] > 0)
    for (low, above), (high, below) in pairwise(points):
        if above >= cosine > below:
            share = (above - cosine) / (above - below)
            return float(low * (high / low) ** share)
    return None


def draw(rows: Sequence[tuple[str, dict[str, Any]]], path: Path) -> None:
    """Cosine against code error, a line per network."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = path.stem
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
    for name, colour, mark in zip(dict.fromkeys(name for name, _ in rows), SERIES, MARKS, strict=False):
        own = sorted((r for n, r in rows if n == name), key=lambda r: r["errors"])
        axes.errorbar(
            [r["errors"] for r in own], [r["cosine"] for r in own], [r["half"] for r in own], marker=mark, capsize=3,
            color=colour, label=name,
        )  # fmt: skip
    axes.axhline(KEPT, color=TARGET, linestyle="--", linewidth=1)
    axes.annotate(
        f"{KEPT:g}", (1, KEPT), xycoords=("axes fraction", "data"), xytext=(4, -3), textcoords="offset points"
    )
    axes.set(xscale="log", ylim=(-0.03, 1.03), xlabel="wrong codes per conversion")
    axes.set_ylabel("cosine to the same network without errors")
    axes.grid(which="major", alpha=0.3)
    axes.legend(loc="lower left")
    figure.savefig(path, dpi=130, metadata={"Date": None} if path.suffix == ".svg" else None)


def main() -> None:
    """Measure, print a table, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="OUT")
    parser.add_argument("--chips", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--conditions", type=int, default=2)
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    print("prediction: at equal code errors the ternary networks keep a greater cosine than 8 bits in trits, whose")
    print("leading trit weighs 81 times the last one; two planes lie between one plane and 4 bits", flush=True)
    print("| network | rows | condition | code errors | cosine (95 %) | se, words | rho | conv./MAC | CPU s |")
    print("|---|---|---|---|---|---|---|---|---|")
    rows: list[tuple[str, dict[str, Any]]] = []
    for chip in chips(given.runs, given.conditions):
        for network in networks(given.pairs):
            started = time.process_time()
            found = measured(network, chip, given.chips)
            rows.append((network[0], found))
            print(
                f"| {network[0]} | {chip.table.rows} | {chip.condition.label} | {found['errors']:.1e} "
                f"| {found['cosine']:.4f} ± {found['half']:.4f} | {found['words']:.4f} | {found['rho']:.3f} "
                f"| {found['conversions']:.2f} | {time.process_time() - started:.0f} |",
                flush=True,
            )
            if given.picture:
                draw(rows, given.picture)
    for name in dict.fromkeys(name for name, _ in rows):
        errors = tolerated(rows, name, KEPT)
        print(f"{name}: cosine {KEPT:g} at {'no measured' if errors is None else f'{errors:.1e}'} code errors")


if __name__ == "__main__":
    main()

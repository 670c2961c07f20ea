"""Accuracy of a ternary network against the defect rate: without repair, with check and spare columns, with a branch.

    metalrom fetch minilm wordsim wordnet news
    python benchmarks/faulty_accuracy.py [NETWORK] [--chips 5] [--pairs 60] [--held 30] [--factors 1e5 1e6 ...]

NETWORK: a distilled network that comes with the project (minilm-ternary by default), or a folder of `metalrom distill`.
A chip (seed) draws the defects of every digit at the assumed rates times a factor (`via_faults.py`); what the
digits then say is computed exactly, activations in 8 bits: no error of the macro, no noise. Judged are the words of
WordSim pairs and held-out glosses: mean cosine to the same network without faults, and rho against people.

Predictions stand before the counts: wrong digits and squared errors of the layers in closed form; the cosine by runs of
the network with Gaussian errors of its weights that are as large, layer by layer (`STAND_INS` of them), in place of
faults. The first lines say how far the rounding of activations alone carries an error that is next to nothing.

The low-rank branch of 8 bits (`metalrom.studies.respin.patch`) is fitted to the faults that check and spare columns
leave, weighted by the covariance of every layer's inputs; those come from texts on which the network was trained, none
of them judged. Intervals (95 %) are over chips (Student); se is over texts, of the mean over chips.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

sys.path.insert(0, str(Path(__file__).resolve().parent))

from via_faults import NODE, PLANE, PROTECTIONS, RANKS, times

from interconnect.arrays import FloatArray
from metalrom.macro.via_faults import Digits, array_of, faulty_network
from metalrom.macro.via_yield import fault_shares
from metalrom.studies.accuracy import ActivationRule, SentenceSimilarity
from metalrom.studies.accuracy.datasets import Judgements, judgements, spaced
from metalrom.studies.accuracy.native import BlockOperator, ExactBlocks, native_planes_of
from metalrom.studies.distill.texts import LONGEST, load_corpus
from metalrom.studies.respin.faulty_layers import (
    FaultyBlocks,
    faulty_planes,
    layer_energy,
    plane_names,
    real_weights,
)
from metalrom.studies.respin.patch import CovarianceRoots, Patch, covariance_roots, fit_patches, patch_area, spare_area
from metalrom.workloads.networks.fetched import DISTILLED, distilled_folder, ternary_minilm
from metalrom.workloads.networks.linear import LinearLayer

FACTORS = (1e5, 3e6, 3e7, 3e8)
PATCH_FACTORS = (3e6, 3e7)
COVARIANCE_TEXTS = 120
"""Of glosses, and as many words."""
STAND_INS = 2
BITS = 8
WEIGHTS_PER_M2 = 14.1e12
"""Full tiles with converters, references and accumulators (docs/explanation/ternary.md); cells alone are PLANE's."""

ROUNDING = ActivationRule(8)


class GaussianBlocks(ExactBlocks):
    """The exact product of the right digits, and of a Gaussian error of the weights, the same for all tokens.

    errors: squared error by the layer's name, relative to every output's square. spread: of a weight, by output, that
    doubles the square.
    """

    def __init__(self, errors: Mapping[str, float], spread: Mapping[str, FloatArray], seed: int) -> None:
        self._errors, self._spread, self._seed = errors, spread, seed

    def store(self, layer: LinearLayer) -> list[Any]:
        size = math.sqrt(self._errors[layer.name]) * self._spread[layer.name]
        generator = np.random.default_rng([self._seed, layer.index])
        drawn = generator.standard_normal(layer.weight.shape, dtype=np.float32)
        return [*super().store(layer), drawn * size.astype(np.float32)]


class Covariances(ExactBlocks):
    """Runs the network and adds up the squares of every layer's inputs, as the macro gets them."""

    def __init__(self) -> None:
        self.found: dict[str, FloatArray] = {}
        self._exact = BlockOperator(ExactBlocks(), ROUNDING)

    def __call__(self, layer: LinearLayer, x: Any) -> Any:
        integers, scale, _ = ROUNDING(x)
        real = integers * scale
        self.found[layer.name] = self.found.get(layer.name, 0.0) + real.T @ real
        return self._exact(layer, x)


@dataclass(frozen=True)
class Score:
    """Of several chips: mean, half of its interval and standard error over texts, of words and held-out texts."""

    words: tuple[float, float, float]
    held: tuple[float, float, float]
    rho: tuple[float, float]

    @property
    def cells(self) -> str:
        """For a table."""
        words, held = (f"{mean:.4f} ± {half:.4f} | {error:.4f}" for mean, half, error in (self.words, self.held))
        return f"{words} | {held} | {self.rho[0]:.3f} ± {self.rho[1]:.3f}"

    @property
    def means(self) -> str:
        """For a table of predictions."""
        return f"{self.words[0]:.4f} | {self.held[0]:.4f} | {self.rho[0]:.3f}"


PREDICTED = "words | held-out | rho"
SCORES = "words: cosine (95 %) | se | held-out: cosine (95 %) | se | rho (95 %)"


class Bench:
    """A network, what it is judged by, and the covariances of its layers' inputs."""

    def __init__(self, folder: Path, pairs: int, held: int) -> None:
        self.model, tokenizer = ternary_minilm(folder)
        corpus, (words,) = load_corpus(), judgements(["wordsim"], pairs)
        texts = corpus.held[:held]
        asked = Judgements("held", texts, np.repeat(np.arange(len(texts))[:, None], 2, axis=1), np.zeros(len(texts)), 0)
        self.work = SentenceSimilarity(self.model, tokenizer, [words, asked])
        self.count = len(words.texts)
        self.sequences = [tokenizer.encode(text, most=LONGEST) for text in self.work.texts]
        self.reference = self.embed(ExactBlocks())
        self.digits: dict[str, Digits] = {
            n: plane.integers for x in self.model.layers
            for n, plane in zip(plane_names(x), native_planes_of(x), strict=True)
        }  # fmt: skip
        self.cells = sum(m.size for m in self.digits.values())
        judged = set(self.work.texts)
        found = Covariances()
        for kind in ("glosses", "words"):
            known = [text for text in corpus.texts[kind] if text not in judged]
            chosen = [known[i] for i in spaced(len(known), COVARIANCE_TEXTS)]
            self.model.hidden([tokenizer.encode(text, most=LONGEST) for text in chosen], found)
        self.covariances = found.found
        self.right = {layer.name: real_weights(native_planes_of(layer)) for layer in self.model.layers}
        squares = {n: np.einsum("ij,ij->j", w, self.covariances[n] @ w) for n, w in self.right.items()}
        self.spread = {n: np.sqrt(square / np.trace(self.covariances[n])) for n, square in squares.items()}
        self.whole = {n: float(square.sum()) for n, square in squares.items()}
        self.energies = {
            n: layer_energy(plane.integers, plane.scale, self.covariances[x.name]) for x in self.model.layers
            for n, plane in zip(plane_names(x), native_planes_of(x), strict=True)
        }  # fmt: skip

    def embed(self, product: ExactBlocks) -> Any:
        """Embeddings of all judged texts, in one batch: a product reads its weights once."""
        return np.array(self.model.embed(self.sequences, BlockOperator(product, ROUNDING)))

    def score(self, products: Sequence[ExactBlocks]) -> Score:
        """Run the network with every product, a chip each."""
        cosines, rhos = [], []
        for product in products:
            found = self.embed(product)
            cosines.append(np.einsum("ij,ij->i", found, self.reference, dtype=np.float64))
            rhos.append(self.work.figures(found, self.reference)["wordsim_spearman"])
        every = np.array(cosines)
        words, held = (
            (*mean_and_half(part.mean(axis=1)), float(part.mean(axis=0).std(ddof=1) / math.sqrt(part.shape[1])))
            for part in (every[:, : self.count], every[:, self.count :])
        )
        return Score(words, held, mean_and_half(rhos))

    def stand_in(self, errors: Mapping[str, float]) -> Score:
        """What Gaussian errors of this size make of the network."""
        return self.score([GaussianBlocks(errors, self.spread, seed) for seed in range(STAND_INS)])

    def wrong(self, digits: Mapping[str, Digits]) -> float:
        """Share of a chip's digits that are wrong."""
        return sum(int((d != self.digits[n]).sum()) for n, d in digits.items()) / self.cells

    def faulty(self, digits: Mapping[str, Digits]) -> dict[str, FloatArray]:
        """Real weights of a chip by the layer's name."""
        return {layer.name: real_weights(faulty_planes(layer, digits)) for layer in self.model.layers}


def mean_and_half(values: Sequence[float] | FloatArray) -> tuple[float, float]:
    """Mean over chips and half of its interval of 95 %."""
    n = len(values)
    return float(np.mean(values)), float(student.ppf(0.975, n - 1) * np.std(values, ddof=1) / math.sqrt(n))


def chips_of(bench: Bench, factor: float, repair: str, count: int) -> list[dict[str, Digits]]:
    """Digits of chips by the name of the matrix."""
    return [
        {
            n: f.digits
            for n, f in faulty_network(bench.digits, PLANE, times(factor), PROTECTIONS[repair], seed=k).items()
        }
        for k in range(count)
    ]


def predicted(bench: Bench, factor: float, repair: str) -> tuple[float, dict[str, float]]:
    """(share of wrong digits, relative squared error by layer) in closed form; planes of a layer add up."""
    rates, protection = times(factor), PROTECTIONS[repair]
    wrong, errors = 0.0, {}
    for layer in bench.model.layers:
        squares = 0.0
        for name in plane_names(layer):
            digits, energy = bench.digits[name], bench.energies[name]
            shares = fault_shares(array_of([digits], PLANE, protection), rates, protection)
            wrong += shares.wrong(np.count_nonzero(digits) / digits.size) * digits.size
            squares += energy.error(shares) * energy.whole
        errors[layer.name] = squares / bench.whole[layer.name]
    return wrong / bench.cells, errors


def rates_table(bench: Bench, factors: Sequence[float], count: int) -> None:
    """Accuracy without a branch: predictions, then chips."""
    print(f"\nPredicted\n| rates times | repair | wrong digits | layers' squared error | {PREDICTED} | CPU s |")
    print(f"|{'---|' * 8}")
    expected: dict[tuple[float, str], tuple[float, float, Score]] = {}
    for case in itertools.product(factors, PROTECTIONS):
        begun = time.process_time()
        share, errors = predicted(bench, *case)
        error, score = float(np.mean(list(errors.values()))), bench.stand_in(errors)
        expected[case] = share, error, score
        print(f"| {case[0]:g} | {case[1]} | {share:.2e} | {error:.2e} | {score.means} "
              f"| {time.process_time() - begun:.0f} |", flush=True)  # fmt: skip
    print(f"\n{count} chips\n| rates times | repair | wrong digits (95 %) | {SCORES} | CPU s |\n|{'---|' * 9}")
    held: dict[str, list[bool]] = {}
    for (factor, repair), (share, _, score) in expected.items():
        begun = time.process_time()
        chips = chips_of(bench, factor, repair, count)
        wrong = mean_and_half([bench.wrong(chip) for chip in chips])
        found = bench.score([FaultyBlocks(chip) for chip in chips])
        print(f"| {factor:g} | {repair} | {wrong[0]:.2e} ± {wrong[1]:.0e} "
              f"| {found.cells} | {time.process_time() - begun:.0f} |", flush=True)  # fmt: skip
        for name, value, interval in (
            ("wrong digits", share, wrong), ("words", score.words[0], found.words),
            ("held-out texts", score.held[0], found.held), ("rho", score.rho[0], found.rho),
        ):  # fmt: skip
            held.setdefault(name, []).append(abs(value - interval[0]) <= interval[1])
    print("intervals that hold their prediction: "
          + ", ".join(f"{name} {sum(v)} of {len(v)}" for name, v in held.items()))  # fmt: skip


def patch_table(bench: Bench, factors: Sequence[float], count: int) -> None:
    """Accuracy with a branch behind check and spare columns, and its SRAM."""
    cells = bench.cells
    alone = cells / PLANE.planes * PLANE.row_pitch * PLANE.column_pitch * 1e6
    print(f"\nLow-rank branch of {BITS} bits after check and spare columns, {NODE * 1e9:g} nm; the macro: cells alone "
          f"{alone:.2f} mm2, full tiles {cells / WEIGHTS_PER_M2 * 1e6:.2f} mm2")  # fmt: skip
    print(f"area: {patch_area(1, BITS, NODE).provenance.source.partition('; ')[2]}")
    print("predicted: by the errors that the branches leave, before the chips run")
    print(f"| rates times | rank | layers' squared error | left | predicted: {PREDICTED} | {SCORES} | SRAM, mm2 "
          f"| as whole columns of digits, mm2 | CPU s |\n|{'---|' * 15}")  # fmt: skip
    roots = {n: covariance_roots(c / np.trace(c), len(c)) for n, c in bench.covariances.items()}
    for factor in factors:
        begun = time.process_time()
        chips = chips_of(bench, factor, "check and spare", count)
        fitted = [fit_all(bench, chip, roots) for chip in chips]
        for k, rank in enumerate(RANKS):
            sets = [{n: patches[k] for n, patches in chip.items()} for chip in fitted]
            expected = bench.stand_in(mean_over(sets, bench.right, lambda patch: patch.left))
            before, left = (
                np.mean(list(mean_over(sets, bench.right, value).values()))
                for value in (lambda patch: patch.before, lambda patch: patch.left)
            )
            score = bench.score([FaultyBlocks(chip, own) for chip, own in zip(chips, sets, strict=True)])
            words = np.mean([sum(p.words for p in own.values()) for own in sets])
            columns = np.mean([sum(len(bench.right[n]) * len(p.outputs) for n, p in own.items()) for own in sets])
            print(
                f"| {factor:g} | {rank} | {before:.2e} | {left:.2e} | {expected.means} | {score.cells} "
                f"| {patch_area(int(words), BITS, NODE).value.mid * 1e6:.4f} "
                f"| {spare_area(1, int(columns), NODE).value.mid * 1e6:.4f} | {time.process_time() - begun:.0f} |",
                flush=True,
            )
            begun = time.process_time()


def fit_all(
    bench: Bench, chip: Mapping[str, Digits], roots: Mapping[str, CovarianceRoots]
) -> dict[str, tuple[Patch, ...]]:
    """Branches of all ranks for every layer that has a fault."""
    faulty = bench.faulty(chip)
    return {
        n: fit_patches(w, faulty[n], ranks=RANKS, covariance=roots[n], bits=BITS)
        for n, w in bench.right.items()
        if (w != faulty[n]).any()
    }


def mean_over(
    sets: Sequence[Mapping[str, Patch]], layers: Mapping[str, Any], value: Callable[[Patch], float]
) -> dict[str, float]:
    """Mean over chips by layer, 0 where a chip's layer has no fault."""
    return {n: float(np.mean([value(own[n]) if n in own else 0.0 for own in sets])) for n in layers}


def main() -> None:
    """Print what an error that is next to nothing does, and the two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", nargs="?", default=DISTILLED[0])
    parser.add_argument("--chips", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--held", type=int, default=30)
    parser.add_argument("--factors", type=float, nargs="*", default=FACTORS)
    parser.add_argument("--patch-factors", type=float, nargs="*", default=PATCH_FACTORS)
    given = parser.parse_args()
    if given.chips < 2:
        parser.error("an interval over chips takes at least 2 of them")
    folder = distilled_folder(given.network)
    if folder is None:
        parser.error(f"{given.network} is neither {', '.join(DISTILLED)} nor a folder that `metalrom distill` wrote")
    begun = time.process_time()
    bench = Bench(folder, given.pairs, given.held)
    print(f"{given.network}: {bench.cells:,} digits, {bench.count} words and {given.held} held-out texts; rho without "
          f"faults {bench.score([ExactBlocks()] * 2).rho[0]:.3f}")  # fmt: skip
    for size in (1e-9, 1e-5):
        floor = bench.stand_in(dict.fromkeys(bench.right, size))
        print(f"a Gaussian error of {size:g} of the squares in every layer: words {floor.words[0]:.4f} ± "
              f"{floor.words[1]:.4f}, held-out {floor.held[0]:.4f}, rho {floor.rho[0]:.3f}")  # fmt: skip
    print(f"{time.process_time() - begun:.0f} CPU seconds so far", flush=True)
    if given.factors:
        rates_table(bench, given.factors, given.chips)
    if given.patch_factors:
        patch_table(bench, given.patch_factors, given.chips)
    print(f"\n{time.process_time() - begun:.0f} CPU seconds")


if __name__ == "__main__":
    main()

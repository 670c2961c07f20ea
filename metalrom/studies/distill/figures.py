"""What a distilled network is worth, computed from its files; and the noise of a macro that training reckons with."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interconnect.arrays import FloatArray
from metalrom.studies.accuracy import ActivationRule, SentenceSimilarity, WeightRule, chips_of
from metalrom.studies.accuracy.datasets import TASKS, Judgements, judgements
from metalrom.studies.accuracy.embeddings import correlation
from metalrom.studies.accuracy.macro_product import MacroProduct
from metalrom.studies.accuracy.native import BlockOperator, ExactBlocks
from metalrom.studies.accuracy.quantized import ExactProduct
from metalrom.studies.distill.texts import LONGEST, load_corpus
from metalrom.workloads.networks.bert import Bert
from metalrom.workloads.networks.fetched import ternary_minilm
from metalrom.workloads.networks.linear import Float32, LinearLayer, Operator, float_operator
from metalrom.workloads.networks.tokenizer import Tokenizer

NOISE_TEXTS = 12
"""Held-out texts on which the noise of a macro is measured."""

Figure = tuple[float, float | None, float]
"""(value, its standard error, the float network's value)."""


def final_figures(model: Bert, tokenizer: Tokenizer, folder: Path) -> dict[str, Figure]:
    """Figures of the network in a folder, with the activations in 8 bits and exact integer products.

    Standard errors: of the cosine over texts; of Spearman's rho by Bonett and Wright (2000); of Lee's r by leaving each
    document out in turn.
    """
    student, _ = ternary_minilm(folder)
    operator = BlockOperator(ExactBlocks(), ActivationRule(8))
    corpus, asked = load_corpus(), judgements(TASKS)
    held = [tokenizer.encode(text, most=LONGEST) for text in corpus.held]
    cosine = np.einsum("ij,ij->i", _embedded(student, held, operator), _embedded(model, held, float_operator))
    found: dict[str, Figure] = {
        "held_cosine": (float(cosine.mean()), float(cosine.std(ddof=1) / math.sqrt(len(cosine))), 1.0)
    }
    workload = SentenceSimilarity(student, tokenizer, asked)
    mine, other = workload.run(operator), SentenceSimilarity(model, tokenizer, asked).run(float_operator)
    scores, reference = workload.figures(mine, other), workload.figures(other, other)
    for name, value in scores.items():
        task = next(j for j in asked if name.startswith(j.task))
        found[name] = (value, _error(name, value, task, workload.texts, mine), reference[name])
    return found


def noise_of(model: Bert, tokenizer: Tokenizer, macro: str) -> dict[str, float]:
    """Standard deviation of a macro's error of every layer with ternary weights, relative to its outputs' own.

    macro: as `evaluate` takes it; its first condition counts.
    """
    chip = chips_of(macro, (), nearest=False)[0]
    product = MacroProduct(chip, weight_bits=2, input_bits=8)
    rule, activations, exact = WeightRule(2), ActivationRule(8), ExactProduct()
    found: dict[str, float] = {}

    def measured(layer: LinearLayer, x: Float32) -> Float32:
        digits, _ = rule(layer.weight)
        integers, _, _ = activations(x)
        wanted = exact.multiply(integers, exact.store(digits, layer.index))
        error = product.multiply(integers, product.store(digits, layer.index)) - wanted
        found[layer.name] = float(error.std() / wanted.std())
        return float_operator(layer, x)

    model.hidden([tokenizer.encode(t, most=LONGEST) for t in load_corpus().held[:NOISE_TEXTS]], measured)
    return found


def _embedded(model: Bert, sequences: list[list[int]], operator: Operator) -> NDArray[np.float32]:
    return np.array([e for i in range(0, len(sequences), 16) for e in model.embed(sequences[i : i + 16], operator)])


def _error(
    name: str, value: float, task: Judgements, texts: tuple[str, ...], embeddings: NDArray[np.float32]
) -> float | None:
    if name.endswith("_cosine"):
        return None
    if name.endswith("_spearman"):
        return (1 - value**2) * math.sqrt((1 + value**2 / 2) / (len(task.pairs) - 3))
    place = {text: i for i, text in enumerate(texts)}
    e = embeddings[[place[text] for text in task.texts]]
    cosine: FloatArray = np.einsum("ij,ij->i", e[task.pairs[:, 0]], e[task.pairs[:, 1]]).astype(np.float64)
    left = []
    for document in range(len(task.texts)):
        kept = (task.pairs != document).all(axis=1)
        left.append(correlation("pearson", cosine[kept], task.human[kept]))
    spread = np.array(left) - np.mean(left)
    return float(math.sqrt((len(left) - 1) / len(left) * (spread @ spread)))

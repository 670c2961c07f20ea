"""Sentence similarity as a person sees it and as the encoder computes it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from interconnect.arrays import FloatArray
from metalrom.studies.accuracy.datasets import Judgements
from metalrom.studies.accuracy.sequences import SequenceBatches
from metalrom.workloads.networks.bert import Bert
from metalrom.workloads.networks.linear import Operator
from metalrom.workloads.networks.tokenizer import Encoder

BATCH_TOKENS = 256


class SentenceSimilarity(SequenceBatches):
    """MiniLM's embeddings of the texts of some tasks.

    judged: pairs of texts with people's judgements. most_tokens: first tokens of a text that are kept, [CLS] and [SEP]
    included.
    Figures: Spearman's rho against people for words, Pearson's r for documents (Lee et al. 2005), and the mean cosine
    of the embeddings to those of the float network.
    """

    def __init__(
        self, model: Bert, tokenizer: Encoder, judged: Sequence[Judgements], *, most_tokens: int = 128
    ) -> None:
        self._model, self._judged = model, tuple(judged)
        self._texts = tuple(dict.fromkeys(text for j in judged for text in j.texts))
        full = [tokenizer.encode(text) for text in self._texts]
        sequences = [tokenizer.encode(text, most=most_tokens) for text in self._texts]
        super().__init__(model, sequences, BATCH_TOKENS)
        cut = sum(len(a) < len(b) for a, b in zip(sequences, full, strict=True))
        self.notes: tuple[str, ...] = tuple(
            f"{j.task}: {len(j.pairs)} of {j.whole} pairs, {len(j.texts)} different texts" for j in self._judged
        )
        if cut:
            self.notes += (f"{cut} of {len(full)} texts were cut to their first {most_tokens} tokens",)

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text once, in the order of the embeddings."""
        return self._texts

    def run(self, operator: Operator) -> NDArray[np.float32]:
        """Embeddings of every text, shape (texts, width)."""
        return np.array([e for part in self._batches for e in self._model.embed(part, operator)])

    def figures(self, embeddings: NDArray[np.float32], reference: NDArray[np.float32]) -> dict[str, float]:
        """Scores by name, `reference` being the float network's embeddings."""
        place = {text: i for i, text in enumerate(self._texts)}
        found: dict[str, float] = {}
        for j in self._judged:
            rows = np.array([place[text] for text in j.texts])
            e = embeddings[rows]
            cosine = np.einsum("ij,ij->i", e[j.pairs[:, 0]], e[j.pairs[:, 1]])
            name = "pearson" if j.task == "lee" else "spearman"
            found[f"{j.task}_{name}"] = correlation(name, cosine, j.human)
            found[f"{j.task}_cosine"] = float(np.einsum("ij,ij->i", e, reference[rows]).mean())
        return found


def correlation(kind: str, x: NDArray[np.floating[Any]], y: FloatArray) -> float:
    """Pearson's r, or Spearman's rho: r of the ranks, ties sharing their mean. NaN where nothing varies."""
    a, b = (rankdata(v) if kind == "spearman" else v.astype(np.float64) for v in (x, y))
    a, b = a - a.mean(), b - b.mean()
    length = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / length if length > 0 else float("nan")

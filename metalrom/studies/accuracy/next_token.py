"""Next-token prediction of a language model on real text: perplexity, and agreement with the float network."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from interconnect.arrays import FloatArray, IntArray
from interconnect.errors import InputError
from metalrom.studies.accuracy.sequences import SequenceBatches
from metalrom.workloads.networks.linear import Float32, Operator
from metalrom.workloads.networks.llama import Llama
from metalrom.workloads.networks.tokenizer import Encoder

BATCH_TOKENS = 64


class Predictions(NamedTuple):
    """Per predicted token: surprise -ln p(next), nat; the likeliest token; hidden states (tokens, width)."""

    surprise: FloatArray
    best: IntArray
    hidden: Float32


class NextToken(SequenceBatches):
    """Teacher-forced prediction of the first tokens of some texts.

    texts: one at least. most_tokens: tokens of each, of which all but the first are predicted. Figures: perplexity with
    the standard error of the mean surprise (nat), agreement of the likeliest token with the float network's, mean
    cosine of the last hidden states to the float network's. Raises InputError if nothing is left to predict.
    """

    def __init__(self, model: Llama, tokenizer: Encoder, texts: Sequence[str], *, most_tokens: int = 24) -> None:
        self._model = model
        sequences = [tokenizer.encode(text)[:most_tokens] for text in texts]
        predicted = sum(len(s) - 1 for s in sequences)
        if min(map(len, sequences), default=0) < 2 or predicted < 2:
            raise InputError("nothing is left to predict", where="--tokens, --limit", hint="3 tokens of 1 text or more")
        super().__init__(model, sequences, BATCH_TOKENS)
        self.notes: tuple[str, ...] = (
            f"first {most_tokens} tokens of {len(texts)} texts: {predicted} predictions",
            "all tokens of a text are computed together (teacher forcing), not one by one as in generation",
            "the output matrix, tied to the embedding, is computed digitally in float",
        )

    def run(self, operator: Operator) -> Predictions:
        """Predict every token but the first of each text."""
        surprise, best, kept = [], [], []
        for part in self._batches:
            for ids, hidden in zip(part, self._model.hidden(part, operator), strict=True):
                logits = self._model.logits(hidden[:-1]).astype(np.float64)
                logits -= logits.max(axis=1, keepdims=True)
                right = logits[np.arange(len(logits)), ids[1:]]
                surprise.append(np.log(np.exp(logits).sum(axis=1)) - right)
                best.append(logits.argmax(axis=1))
                kept.append(hidden[:-1])
        return Predictions(np.concatenate(surprise), np.concatenate(best), np.concatenate(kept))

    def figures(self, found: Predictions, reference: Predictions) -> dict[str, float]:
        """Scores by name, `reference` being the float network's predictions."""
        length = np.linalg.norm(found.hidden, axis=1) * np.linalg.norm(reference.hidden, axis=1)
        cosine = np.einsum("ij,ij->i", found.hidden, reference.hidden) / np.maximum(length, 1e-30)
        return {
            "perplexity": float(np.exp(found.surprise.mean())),
            "surprise_standard_error": float(found.surprise.std(ddof=1) / np.sqrt(len(found.surprise))),
            "agreement": float((found.best == reference.best).mean()),
            "cosine": float(cosine.mean()),
        }

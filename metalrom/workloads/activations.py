"""The integer activations with which a layer is judged: a checkpoint's own first-layer inputs, or random ones."""

from pathlib import Path

import numpy as np

from interconnect.arrays import FloatArray, IntArray
from interconnect.errors import InputError
from netlists.weights import load_tensor

LAYER_NORM_EPSILON = 1e-12
"""BERT's own (config.json, layer_norm_eps)."""


def random_activations(vectors: int, width: int, seed: int) -> FloatArray:
    """Gaussian vectors, shape (vectors, width); unit variance, as a layer norm would leave them."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 11]))
    return rng.standard_normal((vectors, width))


def embedding_activations(checkpoint: Path, vocabulary: Path, text: tuple[str, ...]) -> FloatArray:
    """Inputs of the first encoder layer of a BERT checkpoint for `text`: shape (tokens, width).

    Word, position and type embeddings, summed and layer-normed as the model does (Devlin et al. 2018). Words are
    looked up whole; one that the vocabulary lacks is refused, for it would need the full tokenizer.
    """
    index = {word: i for i, word in enumerate(_vocabulary(vocabulary))}
    prefix = "embeddings."
    word, position, kind, gain, bias = (
        load_tensor(checkpoint, prefix + name)
        for name in (
            "word_embeddings.weight",
            "position_embeddings.weight",
            "token_type_embeddings.weight",
            "LayerNorm.weight",
            "LayerNorm.bias",
        )
    )
    rows = []
    for number, sentence in enumerate(text):
        tokens = ["[CLS]", *sentence.lower().split(), "[SEP]"]
        missing = [token for token in tokens if token not in index]
        if missing:
            raise InputError(
                f"`{missing[0]}` is not a whole word of the vocabulary",
                where=f"inputs.text.{number}",
                hint="use plain lower-case words without punctuation",
            )
        ids = np.array([index[token] for token in tokens])
        if len(ids) > len(position):
            raise InputError(f"sentence of {len(ids)} tokens, the model takes {len(position)}", where="inputs.text")
        rows.append(word[ids] + position[: len(ids)] + kind[0])
    if not rows:
        raise InputError("no text given", where="inputs.text", hint="add sentences or set inputs.source: random")
    x = np.concatenate(rows)
    centred = x - x.mean(axis=1, keepdims=True)
    out: FloatArray = centred / np.sqrt(centred.var(axis=1, keepdims=True) + LAYER_NORM_EPSILON) * gain + bias
    return out


def quantize_activations(x: FloatArray, bits: int) -> tuple[IntArray, FloatArray]:
    """Symmetric, per vector (token): integers in +-(2^(bits-1) - 1), shape of `x`, and scales, shape (vectors, 1)."""
    top = 2 ** (bits - 1) - 1
    scale = np.abs(x).max(axis=1, keepdims=True) / top
    scale[scale == 0] = 1.0
    return np.rint(x / scale).astype(np.int64), scale


def _vocabulary(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("cannot read the vocabulary", where=str(path)) from error

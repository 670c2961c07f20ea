"""Token sequences of any length side by side, without padding: every row of a product is a real token."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from interconnect.arrays import IntArray
from interconnect.errors import InputError
from metalrom.workloads.networks.linear import Float32


@dataclass(frozen=True)
class Packed:
    """Sequences one after the other. ids, positions: shape (tokens,); lengths: (sequences,)."""

    ids: IntArray
    positions: IntArray
    lengths: IntArray

    def groups(self) -> Iterator[IntArray]:
        """Token indices of all sequences of one length at a time: shape (sequences, length)."""
        starts = np.cumsum(self.lengths) - self.lengths
        for length in np.unique(self.lengths):
            yield starts[self.lengths == length][:, None] + np.arange(length)[None, :]


def pack(sequences: Sequence[Sequence[int]], *, vocabulary: int, longest: int) -> Packed:
    """Pack token ids. Raises InputError for an empty or too long sequence or an id outside the vocabulary."""
    if not sequences or not all(len(s) for s in sequences):
        raise InputError("no tokens to compute", hint="give texts that are not empty")
    lengths = np.array([len(s) for s in sequences], dtype=np.int64)
    if lengths.max() > longest:
        raise InputError(f"a text has {lengths.max()} tokens, the model takes at most {longest}", hint="limit tokens")
    ids = np.concatenate([np.asarray(s, dtype=np.int64) for s in sequences])
    if ids.min() < 0 or ids.max() >= vocabulary:
        raise InputError(f"a token id lies outside 0..{vocabulary - 1}")
    return Packed(ids, np.concatenate([np.arange(n) for n in lengths]), lengths)


def attend(packed: Packed, query: Float32, key: Float32, value: Float32, *, causal: bool, scale: float) -> Float32:
    """softmax(scale q k^T) v within every sequence, digital float (Vaswani et al. 2017).

    query: (tokens, heads, size); key, value: (tokens, key heads, size), each shared by heads / key heads neighbouring
    query heads (grouped queries). causal: a token sees itself and what came before. Returns (tokens, heads * size).
    """
    tokens, heads, size = query.shape
    shared = key.shape[1]
    out = np.empty((tokens, heads, size), np.float32)
    for rows in packed.groups():
        n, length = rows.shape
        q = query[rows].reshape(n, length, shared, heads // shared, size).transpose(0, 2, 3, 1, 4)
        k, v = (part[rows].transpose(0, 2, 1, 3)[:, :, None] for part in (key, value))
        score = (q @ k.swapaxes(-1, -2)) * np.float32(scale)
        if causal:
            score = np.where(np.tri(length, dtype=bool), score, np.float32(-np.inf))
        score = np.exp(score - score.max(axis=-1, keepdims=True))
        score /= score.sum(axis=-1, keepdims=True)
        out[rows] = (score @ v).transpose(0, 3, 1, 2, 4).reshape(n, length, heads, size)
    return out.reshape(tokens, heads * size)


def batches(sequences: Sequence[Sequence[int]], most_tokens: int) -> list[list[Sequence[int]]]:
    """Consecutive sequences of together at most `most_tokens` tokens, or a single longer one.

    Bounds the memory, and the time until an interruption takes effect.
    """
    out: list[list[Sequence[int]]] = []
    tokens = 0
    for sequence in sequences:
        if not out or tokens + len(sequence) > most_tokens:
            out.append([])
            tokens = 0
        out[-1].append(sequence)
        tokens += len(sequence)
    return out

"""Llama-family decoder in numpy: RMS norm, rotary positions, grouped queries, gated MLP, output tied to the embedding.

Touvron et al. 2023 (Llama), Su et al. 2021 (rotary positions), Shazeer 2020 (SwiGLU). BitNet b1.58 (Ma et al. 2025,
2B4T report) is the same decoder with another activation and a norm before each block's last two products.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from interconnect.arrays import IntArray
from metalrom.workloads.networks.linear import Float32, LinearLayer, Operator, float_operator
from metalrom.workloads.networks.packing import attend, pack

Activation = Callable[[Float32], Float32]


def silu(x: Float32) -> Float32:
    """x / (1 + exp(-x)) (Elfwing et al. 2018)."""
    out: Float32 = x * expit(x)
    return out


def squared_relu(x: Float32) -> Float32:
    """max(x, 0)^2 (So et al. 2021)."""
    out: Float32 = np.square(np.maximum(x, np.float32(0)))
    return out


ACTIVATIONS: dict[str, Activation] = {"silu": silu, "relu2": squared_relu}
"""Activations by the name that a config.json gives them."""


@dataclass(frozen=True)
class LlamaSizes:
    """heads, key_heads: query and key/value heads; longest: tokens of one text; base: of the rotary frequencies.

    halves: rotary pairs are i and i + size / 2 of a head, not neighbours.
    """

    blocks: int
    heads: int
    key_heads: int
    longest: int
    base: float
    epsilon: float
    halves: bool = False


@dataclass(frozen=True)
class LlamaBlock:
    """One decoder layer. attention_norm, mlp_norm: gains, shape (width,).

    attention_sub_norm, mlp_sub_norm: gains of norms before `output` and before `down`, of as many values as these have
    inputs; None without.
    """

    attention_norm: Float32
    query: LinearLayer
    key: LinearLayer
    value: LinearLayer
    output: LinearLayer
    mlp_norm: Float32
    gate: LinearLayer
    up: LinearLayer
    down: LinearLayer
    activation: Activation = silu
    attention_sub_norm: Float32 | None = None
    mlp_sub_norm: Float32 | None = None

    @property
    def layers(self) -> tuple[LinearLayer, ...]:
        """The linear layers in the order in which they are computed."""
        return (self.query, self.key, self.value, self.output, self.gate, self.up, self.down)


@dataclass(frozen=True)
class Llama:
    """embedding: shape (vocabulary, width), also the output matrix (tied, computed digitally); norm: (width,)."""

    sizes: LlamaSizes
    embedding: Float32
    blocks: tuple[LlamaBlock, ...]
    norm: Float32

    @property
    def layers(self) -> tuple[LinearLayer, ...]:
        """Every linear layer, in order; the tied output matrix is not among them."""
        return tuple(layer for block in self.blocks for layer in block.layers)

    def hidden(self, sequences: Sequence[Sequence[int]], operator: Operator = float_operator) -> list[Float32]:
        """Hidden states after the last norm: one array (tokens, width) per sequence of token ids.

        operator: applies every linear layer; norms, rotation, softmax and attention products stay digital float.
        Raises InputError for ids or lengths that the model does not take.
        """
        sizes = self.sizes
        packed = pack(sequences, vocabulary=len(self.embedding), longest=sizes.longest)
        x = self.embedding[packed.ids]
        tokens, width = x.shape
        size = width // sizes.heads
        turn = rotation(packed.positions, size, sizes.base)
        for block in self.blocks:
            h = rms_norm(x, block.attention_norm, sizes.epsilon)
            q, k, v = (operator(part, h).reshape(tokens, -1, size) for part in (block.query, block.key, block.value))
            q, k = (rotate(part, turn, halves=sizes.halves) for part in (q, k))
            mixed = attend(packed, q, k, v, causal=True, scale=size**-0.5)
            x = x + operator(block.output, rms_norm(mixed, block.attention_sub_norm, sizes.epsilon))
            h = rms_norm(x, block.mlp_norm, sizes.epsilon)
            gated = block.activation(operator(block.gate, h)) * operator(block.up, h)
            x = x + operator(block.down, rms_norm(gated, block.mlp_sub_norm, sizes.epsilon))
        return np.split(rms_norm(x, self.norm, sizes.epsilon), np.cumsum(packed.lengths)[:-1])

    def logits(self, hidden: Float32) -> Float32:
        """Scores of the next token, shape (tokens, vocabulary), from hidden states (tokens, width)."""
        return hidden @ self.embedding.T


def rms_norm(x: Float32, gain: Float32 | None, epsilon: float) -> Float32:
    """x / rms(x) * gain (Zhang, Sennrich 2019); x itself without a gain."""
    if gain is None:
        return x
    out: Float32 = x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + np.float32(epsilon)) * gain
    return out


def rotation(positions: IntArray, size: int, base: float) -> tuple[Float32, Float32]:
    """cos and sin of position * base^(-2 i / size): each of shape (tokens, size / 2)."""
    angle = positions[:, None] * base ** (-np.arange(0, size, 2) / size)
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def rotate(x: Float32, turn: tuple[Float32, Float32], *, halves: bool = False) -> Float32:
    """Rotate every pair of a head, x: (tokens, heads, size): neighbours, or with `halves` i and i + size / 2.

    GGUF files of the architecture llama hold query and key rows so that neighbours are pairs; other files pair halves.
    """
    cos, sin = (part[:, None, :] for part in turn)
    half = x.shape[-1] // 2
    first, second = (slice(half), slice(half, None)) if halves else (slice(0, None, 2), slice(1, None, 2))
    a, b = x[..., first], x[..., second]
    out = np.empty_like(x)
    out[..., first] = a * cos - b * sin
    out[..., second] = a * sin + b * cos
    return out

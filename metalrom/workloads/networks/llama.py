"""Llama-family decoder in numpy: RMS norm, rotary positions, grouped queries, SwiGLU, output tied to the embedding.

Touvron et al. 2023 (Llama), Su et al. 2021 (rotary positions), Shazeer 2020 (SwiGLU).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from interconnect.arrays import IntArray
from interconnect.errors import InputError
from metalrom.workloads.networks.linear import Float32, LinearLayer, Operator, float_operator
from metalrom.workloads.networks.packing import attend, pack
from netlists.weights import GgufFile


@dataclass(frozen=True)
class LlamaSizes:
    """heads, key_heads: query and key/value heads; longest: tokens of one text; base: of the rotary frequencies."""

    blocks: int
    heads: int
    key_heads: int
    longest: int
    base: float
    epsilon: float


@dataclass(frozen=True)
class LlamaBlock:
    """One decoder layer. attention_norm, mlp_norm: gains, shape (width,)."""

    attention_norm: Float32
    query: LinearLayer
    key: LinearLayer
    value: LinearLayer
    output: LinearLayer
    mlp_norm: Float32
    gate: LinearLayer
    up: LinearLayer
    down: LinearLayer

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
            mixed = attend(packed, rotate(q, turn), rotate(k, turn), v, causal=True, scale=size**-0.5)
            x = x + operator(block.output, mixed)
            h = rms_norm(x, block.mlp_norm, sizes.epsilon)
            gate = operator(block.gate, h)
            x = x + operator(block.down, gate * expit(gate) * operator(block.up, h))
        return np.split(rms_norm(x, self.norm, sizes.epsilon), np.cumsum(packed.lengths)[:-1])

    def logits(self, hidden: Float32) -> Float32:
        """Scores of the next token, shape (tokens, vocabulary), from hidden states (tokens, width)."""
        return hidden @ self.embedding.T


def rms_norm(x: Float32, gain: Float32, epsilon: float) -> Float32:
    """x / rms(x) * gain (Zhang, Sennrich 2019)."""
    out: Float32 = x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + np.float32(epsilon)) * gain
    return out


def rotation(positions: IntArray, size: int, base: float) -> tuple[Float32, Float32]:
    """cos and sin of position * base^(-2 i / size): each of shape (tokens, size / 2)."""
    angle = positions[:, None] * base ** (-np.arange(0, size, 2) / size)
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def rotate(x: Float32, turn: tuple[Float32, Float32]) -> Float32:
    """Rotate every neighbouring pair of a head, x: (tokens, heads, size).

    GGUF files hold query and key rows in that order; the original checkpoints pair i with i + size / 2.
    """
    cos, sin = (part[:, None, :] for part in turn)
    even, odd = x[..., 0::2], x[..., 1::2]
    out = np.empty_like(x)
    out[..., 0::2] = even * cos - odd * sin
    out[..., 1::2] = even * sin + odd * cos
    return out


def load_llama(file: GgufFile, *, blocks: bool = False) -> Llama:
    """The network of a GGUF file. blocks: keep every linear layer's own integers, too.

    Raises InputError for another architecture, missing tensors, shapes that clash, or with `blocks` a linear layer that
    is stored as plain numbers.
    """
    where = str(file.path)
    if file.get("general.architecture", str) != "llama":
        raise InputError(
            f"architecture {file.metadata['general.architecture']} is not known, expected llama", where=where
        )
    if "output.weight" in file.tensors:
        raise InputError("has a separate output matrix, expected one tied to the embedding", where=where)
    sizes = LlamaSizes(
        blocks=file.get("llama.block_count", int),
        heads=file.get("llama.attention.head_count", int),
        key_heads=file.get("llama.attention.head_count_kv", int),
        longest=file.get("llama.context_length", int),
        base=file.get("llama.rope.freq_base", float),
        epsilon=file.get("llama.attention.layer_norm_rms_epsilon", float),
    )
    width, wide = file.get("llama.embedding_length", int), file.get("llama.feed_forward_length", int)
    if min(sizes.heads, sizes.key_heads) < 1 or sizes.heads % sizes.key_heads or width % (2 * sizes.heads):
        raise InputError("has head counts that do not divide its width", where=where)
    if file.metadata.get("llama.rope.dimension_count", width // sizes.heads) != width // sizes.heads:
        raise InputError("rotates only a part of each head, which is not supported", where=where)
    narrow = width // sizes.heads * sizes.key_heads
    order = iter(range(7 * sizes.blocks))

    def tensor(name: str, *shape: int) -> Float32:
        values = file.tensor(name)
        if values.shape != shape:
            raise InputError(f"tensor {name} has shape {values.shape}, expected {shape}", where=where)
        return values

    def linear(name: str, inputs: int, outputs: int) -> LinearLayer:
        matrix = np.ascontiguousarray(tensor(f"{name}.weight", outputs, inputs).T)
        # Both come from the same stored order of outputs, so the rotary order of query and key rows is the same.
        own = file.blocks(f"{name}.weight") if blocks else None
        return LinearLayer(name, next(order), matrix, blocks=own)

    def block(i: int) -> LlamaBlock:
        at = f"blk.{i}"
        return LlamaBlock(
            attention_norm=tensor(f"{at}.attn_norm.weight", width),
            query=linear(f"{at}.attn_q", width, width),
            key=linear(f"{at}.attn_k", width, narrow),
            value=linear(f"{at}.attn_v", width, narrow),
            output=linear(f"{at}.attn_output", width, width),
            mlp_norm=tensor(f"{at}.ffn_norm.weight", width),
            gate=linear(f"{at}.ffn_gate", width, wide),
            up=linear(f"{at}.ffn_up", width, wide),
            down=linear(f"{at}.ffn_down", wide, width),
        )

    embedding = tensor("token_embd.weight", len(file.get("tokenizer.ggml.tokens", list)), width)
    decoder = tuple(block(i) for i in range(sizes.blocks))
    return Llama(sizes, embedding, decoder, tensor("output_norm.weight", width))

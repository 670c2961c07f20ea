"""BERT in numpy (Devlin et al. 2018): an encoder with mean pooling, as all-MiniLM-L6-v2's model card uses it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import erf

from interconnect.errors import InputError
from interconnect.files import read_bytes
from metalrom.workloads.networks.linear import Float32, LinearLayer, Operator, float_operator
from metalrom.workloads.networks.packing import attend, pack
from netlists.weights import load_blocks, load_tensor, tensor_names

SECOND_PLANE = "_plane2"
"""Behind the name of a ternary matrix: what its first plane leaves over."""

NORM_FLOOR = 1e-12
"""Least length of a pooled vector that is divided by (torch.nn.functional.normalize's own)."""


@dataclass(frozen=True)
class BertSizes:
    """heads: attention heads; longest: tokens of one text; epsilon: of the layer norms."""

    blocks: int
    heads: int
    vocabulary: int
    longest: int
    epsilon: float


@dataclass(frozen=True)
class LayerNorm:
    """gain, bias: shape (width,)."""

    gain: Float32
    bias: Float32

    def __call__(self, x: Float32, epsilon: float) -> Float32:
        centred = x - x.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + np.float32(epsilon))
        out: Float32 = centred / spread * self.gain + self.bias
        return out


@dataclass(frozen=True)
class BertBlock:
    """One encoder layer."""

    query: LinearLayer
    key: LinearLayer
    value: LinearLayer
    output: LinearLayer
    attention_norm: LayerNorm
    widen: LinearLayer
    narrow: LinearLayer
    norm: LayerNorm

    @property
    def layers(self) -> tuple[LinearLayer, ...]:
        """The linear layers in the order in which they are computed."""
        return (self.query, self.key, self.value, self.output, self.widen, self.narrow)


@dataclass(frozen=True)
class Bert:
    """word, position: tables of shape (entries, width); kind: (width,), the first token type."""

    sizes: BertSizes
    word: Float32
    position: Float32
    kind: Float32
    norm: LayerNorm
    blocks: tuple[BertBlock, ...]

    @property
    def layers(self) -> tuple[LinearLayer, ...]:
        """Every linear layer, in order."""
        return tuple(layer for block in self.blocks for layer in block.layers)

    def hidden(self, sequences: Sequence[Sequence[int]], operator: Operator = float_operator) -> list[Float32]:
        """Last hidden states of token id sequences: one array (tokens, width) each.

        operator: applies every linear layer; norms, softmax and attention products stay digital float.
        Raises InputError for ids or lengths that the model does not take.
        """
        packed = pack(sequences, vocabulary=self.sizes.vocabulary, longest=self.sizes.longest)
        x = self.norm(self.word[packed.ids] + self.position[packed.positions] + self.kind, self.sizes.epsilon)
        tokens, width = x.shape
        size = width // self.sizes.heads
        for block in self.blocks:
            q, k, v = (operator(part, x).reshape(tokens, -1, size) for part in (block.query, block.key, block.value))
            mixed = attend(packed, q, k, v, causal=False, scale=size**-0.5)
            x = block.attention_norm(operator(block.output, mixed) + x, self.sizes.epsilon)
            x = block.norm(operator(block.narrow, gelu(operator(block.widen, x))) + x, self.sizes.epsilon)
        return np.split(x, np.cumsum(packed.lengths)[:-1])

    def embed(self, sequences: Sequence[Sequence[int]], operator: Operator = float_operator) -> list[Float32]:
        """Sentence embeddings: mean over the tokens, scaled to length 1; one array (width,) per sequence."""
        pooled = [h.mean(axis=0) for h in self.hidden(sequences, operator)]
        return [p / max(float(np.linalg.norm(p)), NORM_FLOOR) for p in pooled]


def gelu(x: Float32) -> Float32:
    """x Phi(x), the exact form that BERT uses (Hendrycks, Gimpel 2016)."""
    phi = np.float32(1) + erf(x * np.float32(np.sqrt(0.5))).astype(np.float32)
    out: Float32 = x * np.float32(0.5) * phi
    return out


def load_bert(weights: Path, config: Path, *, ternary: Path | None = None) -> Bert:
    """A checkpoint in safetensors with its config.json.

    ternary: safetensors file of the format `bitnet` whose tensors stand in place of those of the same name; a second
    plane of digits is a tensor `NAME_plane2`. Its layers have their digits as blocks.
    Raises InputError if a file cannot be read or does not fit.
    """
    sizes = _sizes(config)
    names = iter(range(6 * sizes.blocks))
    packed = set(tensor_names(ternary)) if ternary is not None else set()

    def tensor(name: str) -> Float32:
        return load_tensor(ternary if ternary is not None and name in packed else weights, name).astype(np.float32)

    def linear(name: str) -> LinearLayer:
        stored, bias = f"{name}.weight", tensor(f"{name}.bias")
        if ternary is None or stored not in packed:
            return LinearLayer(name, next(names), np.ascontiguousarray(tensor(stored).T), bias)
        planes = [load_blocks(ternary, n) for n in (stored, stored + SECOND_PLANE) if n in packed]
        matrix = sum((plane.dequantized() for plane in planes[1:]), planes[0].dequantized())
        if matrix.shape != load_tensor(weights, stored).T.shape:
            raise InputError(f"tensor {stored} has another shape than in {weights}", where=str(ternary))
        return LinearLayer(name, next(names), matrix, bias, planes[0], tuple(planes[1:]))

    def norm(name: str) -> LayerNorm:
        return LayerNorm(tensor(f"{name}.weight"), tensor(f"{name}.bias"))

    def block(i: int) -> BertBlock:
        at = f"encoder.layer.{i}"
        return BertBlock(
            query=linear(f"{at}.attention.self.query"),
            key=linear(f"{at}.attention.self.key"),
            value=linear(f"{at}.attention.self.value"),
            output=linear(f"{at}.attention.output.dense"),
            attention_norm=norm(f"{at}.attention.output.LayerNorm"),
            widen=linear(f"{at}.intermediate.dense"),
            narrow=linear(f"{at}.output.dense"),
            norm=norm(f"{at}.output.LayerNorm"),
        )

    word = tensor("embeddings.word_embeddings.weight")
    position = tensor("embeddings.position_embeddings.weight")
    if word.shape[0] != sizes.vocabulary or position.shape[0] != sizes.longest or word.shape[1] % sizes.heads:
        raise InputError("describes a different network than the weights beside it", where=str(config))
    return Bert(
        sizes,
        word,
        position,
        tensor("embeddings.token_type_embeddings.weight")[0],
        norm("embeddings.LayerNorm"),
        tuple(block(i) for i in range(sizes.blocks)),
    )


def _sizes(config: Path) -> BertSizes:
    try:
        data = json.loads(read_bytes(config))
        if data.get("hidden_act") != "gelu":
            raise InputError(f"activation {data.get('hidden_act')!r} is not known, expected gelu", where=str(config))
        return BertSizes(
            blocks=int(data["num_hidden_layers"]),
            heads=int(data["num_attention_heads"]),
            vocabulary=int(data["vocab_size"]),
            longest=int(data["max_position_embeddings"]),
            epsilon=float(data["layer_norm_eps"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError("is not the config.json of a BERT model", where=str(config)) from None

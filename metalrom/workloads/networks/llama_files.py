"""Decoders of the Llama family from files: GGUF (llama, bitnet), and folders of the Hugging Face library (bitnet).

What an architecture of a GGUF file means (github.com/ggml-org/llama.cpp, src/models): `llama` pairs neighbours in its
rotation; `bitnet` and `bitnet-b1.58`, the latter of microsoft/BitNet's fork, pair halves and have a norm before the
last product of each part of a block, with SiLU and the squared ReLU.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from interconnect.errors import InputError, shortened
from interconnect.files import read_text
from metalrom.workloads.networks.linear import Float32, LinearLayer
from metalrom.workloads.networks.llama import ACTIVATIONS, Llama, LlamaBlock, LlamaSizes
from netlists.weights import BlockWeights, Checkpoint, GgufFile

CONFIG = "config.json"

_GGUF_NAMES = {
    "embedding": "token_embd", "norm": "output_norm", "block": "blk.{}.",
    "attention_norm": "attn_norm", "query": "attn_q", "key": "attn_k", "value": "attn_v", "output": "attn_output",
    "mlp_norm": "ffn_norm", "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down",
    "attention_sub_norm": "attn_sub_norm", "mlp_sub_norm": "ffn_sub_norm",
}  # fmt: skip

_FOLDER_NAMES = {
    "embedding": "model.embed_tokens", "norm": "model.norm", "block": "model.layers.{}.",
    "attention_norm": "input_layernorm", "query": "self_attn.q_proj", "key": "self_attn.k_proj",
    "value": "self_attn.v_proj", "output": "self_attn.o_proj",
    "mlp_norm": "post_attention_layernorm", "gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj",
    "attention_sub_norm": "self_attn.attn_sub_norm", "mlp_sub_norm": "mlp.ffn_sub_norm",
}  # fmt: skip

_BESIDE = ("bias", "scale")
"""What may lie beside a linear layer's weight and would be left out."""


@dataclass(frozen=True)
class _Kind:
    """What the name of an architecture stands for. sub_norms: norms before the products `output` and `down`."""

    activation: str
    halves: bool
    sub_norms: bool


_GGUF_KINDS = {
    "llama": _Kind("silu", halves=False, sub_norms=False),
    "bitnet": _Kind("silu", halves=True, sub_norms=True),
    "bitnet-b1.58": _Kind("relu2", halves=True, sub_norms=True),
}


class _Source(Protocol):
    """A file or folder of tensors, (outputs, inputs) each."""

    path: Path

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]: ...

    def tensor(self, name: str) -> Float32: ...

    def blocks(self, name: str) -> BlockWeights: ...


def load_llama(file: GgufFile, *, blocks: bool = False) -> Llama:
    """The network of a GGUF file of one of the architectures llama, bitnet and bitnet-b1.58.

    blocks: keep every linear layer's own integers, too. Raises InputError for another architecture, missing tensors,
    shapes that clash, or with `blocks` a linear layer that is stored as plain numbers.
    """
    where = str(file.path)
    name = file.get("general.architecture", str)
    if name not in _GGUF_KINDS:
        known = ", ".join(_GGUF_KINDS)
        raise InputError(f"architecture {shortened(name)} is not known, expected one of {known}", where=where)
    if "output.weight" in file.tensors:
        raise InputError("has a separate output matrix, expected one tied to the embedding", where=where)
    kind = _GGUF_KINDS[name]
    sizes = LlamaSizes(
        blocks=file.get(f"{name}.block_count", int),
        heads=file.get(f"{name}.attention.head_count", int),
        key_heads=file.get(f"{name}.attention.head_count_kv", int),
        longest=file.get(f"{name}.context_length", int),
        base=file.get(f"{name}.rope.freq_base", float),
        epsilon=file.get(f"{name}.attention.layer_norm_rms_epsilon", float),
        halves=kind.halves,
    )
    width, wide = file.get(f"{name}.embedding_length", int), file.get(f"{name}.feed_forward_length", int)
    table = (len(file.get("tokenizer.ggml.tokens", list)), width)
    parts = _Parts(file, _GGUF_NAMES, kind, sizes, table, wide, blocks)
    if file.metadata.get(f"{name}.rope.dimension_count", width // sizes.heads) != width // sizes.heads:
        raise InputError("rotates only a part of each head, which is not supported", where=where)
    return parts.network()


def load_bitnet(folder: Path, *, blocks: bool = False) -> Llama:
    """The network of a folder with config.json (model_type bitnet) and safetensors, packed ternary or plain floats.

    blocks: keep every linear layer's digits and scales, too. Raises InputError for another model type, a switch of the
    configuration that is not known here, missing tensors, shapes that clash, or a layer without digits where there must
    be some: with `blocks`, and of the method bitnet (trained floats that become ternary at every use are not read).
    """
    path = folder / CONFIG
    try:
        data = json.loads(read_text(path))
        rope = data.get("rope_parameters") or {"rope_theta": data.get("rope_theta"), **(data.get("rope_scaling") or {})}
        sizes = LlamaSizes(
            blocks=int(data["num_hidden_layers"]),
            heads=int(data["num_attention_heads"]),
            key_heads=int(data["num_key_value_heads"]),
            longest=int(data["max_position_embeddings"]),
            base=float(rope["rope_theta"]),
            epsilon=float(data["rms_norm_eps"]),
            halves=True,
        )
        width, wide, words = (int(data[name]) for name in ("hidden_size", "intermediate_size", "vocab_size"))
        kinds = str(rope.get("rope_type", rope.get("type", "default")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("is not the config.json of a BitNet", where=str(path)) from None
    expected: dict[str, tuple[Any, Any]] = {
        "model_type": (data.get("model_type"), "bitnet"),
        "tie_word_embeddings": (data.get("tie_word_embeddings", False), True),
        "attention_bias": (data.get("attention_bias", False), False),
        "rope_type": (kinds, "default"),
        "head_dim": (data.get("head_dim", width // max(1, sizes.heads)), width // max(1, sizes.heads)),
    }
    for name, (found, wanted) in expected.items():
        if found != wanted:
            raise InputError(f"{name} is {shortened(repr(found))}, expected {wanted!r}", where=str(path))
    if data.get("hidden_act") not in ACTIVATIONS:
        what = f"activation {shortened(repr(data.get('hidden_act')))} is not known"
        raise InputError(what, where=str(path), hint=f"expected {' or '.join(ACTIVATIONS)}")
    kind = _Kind(data["hidden_act"], halves=True, sub_norms=True)
    packed = data.get("quantization_config") is not None
    return _Parts(Checkpoint(folder), _FOLDER_NAMES, kind, sizes, (words, width), wide, blocks, packed).network()


@dataclass(frozen=True)
class _Parts:
    """Reads the tensors of a network. table: shape of the embedding; wide: length of the hidden vector of the MLP.

    packed: the linear layers have to be blocks of integers, whether these are kept or not.
    """

    source: _Source
    names: Mapping[str, str]
    kind: _Kind
    sizes: LlamaSizes
    table: tuple[int, int]
    wide: int
    blocks: bool
    packed: bool = False

    def __post_init__(self) -> None:
        sizes, width = self.sizes, self.table[1]
        if min(sizes.heads, sizes.key_heads) < 1 or sizes.heads % sizes.key_heads or width % (2 * sizes.heads):
            raise InputError("has head counts that do not divide its width", where=str(self.source.path))

    def network(self) -> Llama:
        decoder = tuple(self._block(i) for i in range(self.sizes.blocks))
        norm = self._tensor(self.names["norm"], self.table[1])
        return Llama(self.sizes, self._tensor(self.names["embedding"], *self.table), decoder, norm)

    def _block(self, number: int) -> LlamaBlock:
        width, wide = self.table[1], self.wide
        narrow = width // self.sizes.heads * self.sizes.key_heads
        at = self.names["block"].format(number)
        indices = iter(range(7 * number, 7 * number + 7))

        def linear(part: str, inputs: int, outputs: int) -> LinearLayer:
            return self._linear(at + self.names[part], next(indices), inputs, outputs)

        def norm(part: str, size: int) -> Float32:
            return self._tensor(at + self.names[part], size)

        return LlamaBlock(
            attention_norm=norm("attention_norm", width),
            query=linear("query", width, width),
            key=linear("key", width, narrow),
            value=linear("value", width, narrow),
            output=linear("output", width, width),
            mlp_norm=norm("mlp_norm", width),
            gate=linear("gate", width, wide),
            up=linear("up", width, wide),
            down=linear("down", wide, width),
            activation=ACTIVATIONS[self.kind.activation],
            attention_sub_norm=norm("attention_sub_norm", width) if self.kind.sub_norms else None,
            mlp_sub_norm=norm("mlp_sub_norm", wide) if self.kind.sub_norms else None,
        )

    def _linear(self, name: str, index: int, inputs: int, outputs: int) -> LinearLayer:
        for beside in _BESIDE:
            if f"{name}.{beside}" in self.source.shapes:
                raise InputError(f"has a tensor {name}.{beside}, which is not known", where=str(self.source.path))
        # Both come from the same stored order of outputs, so the rotary order of query and key rows is the same.
        own = self.source.blocks(f"{name}.weight") if self.blocks or self.packed else None
        matrix = np.ascontiguousarray(self._tensor(name, outputs, inputs).T)
        return LinearLayer(name, index, matrix, blocks=own if self.blocks else None)

    def _tensor(self, name: str, *shape: int) -> Float32:
        values = self.source.tensor(f"{name}.weight")
        if values.shape != shape:
            what = f"tensor {name}.weight has shape {values.shape}, expected {shape}"
            raise InputError(what, where=str(self.source.path))
        return values

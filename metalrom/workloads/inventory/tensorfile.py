"""Networks from a file of tensors (safetensors, GGUF): parameters and fixed matrices from the header's shapes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interconnect.errors import InputError
from metalrom.workloads.inventory.catalogue import SEQUENCE, check_input
from metalrom.workloads.inventory.inventory import Inventory
from metalrom.workloads.inventory.layers import Attention, Embedding, Kernel, Linear, Offsets, WorkloadLayer
from netlists.weights import GgufFile, tensor_shapes

LOOKED_UP = ("embed", "embd", "wte.", "wpe.", "shared.", "relative_attention_bias")
"""Parts of the names of tables that are looked up, not multiplied (BERT, Llama, GPT-2, T5, GGUF)."""

COUNTERS = ("position_ids", "rope_freqs", "rotary_emb.inv_freq", "num_batches_tracked")
"""Parts of the names of tensors that are constants of the program, not parameters."""

TRANSPOSED = (".attn.c_attn.weight", ".attn.c_proj.weight", ".mlp.c_fc.weight", ".mlp.c_proj.weight")
"""Ends of the names of GPT-2's matrices, which its checkpoints store as (inputs, outputs)."""

_NO_HEAD = "an output layer that shares the word table does not show in a safetensors file and is not counted"
_NO_ATTENTION = "products of activations (attention) do not show in a file of tensors; config.json tells them"
_NO_MAPS = "convolution kernels: their multiply-accumulates depend on the image and are not known from the file"


def safetensors_inventory(path: Path, *, sequence: int | None = None) -> Inventory:
    """Inventory from a safetensors header, every linear layer for `sequence` vectors (default 128).

    Convolutions have parameters but no known MACs. Raises InputError for a damaged file.
    """
    check_input(path.name, "sequence", None, sequence)
    tokens = sequence or SEQUENCE
    layers = layers_of(tensor_shapes(path), tokens)
    notes = [_NO_ATTENTION, _NO_HEAD]
    if any(isinstance(layer, Kernel) for layer in layers):
        notes.append(_NO_MAPS)
    words = f"{tokens} vectors into every linear layer"
    return Inventory(path.name, words, tuple(layers), str(path), False, tuple(notes), tokens)


def gguf_inventory(path: Path, *, sequence: int | None = None) -> Inventory:
    """Inventory from a GGUF header; attention from its metadata if the architecture's keys are there.

    Raises InputError for a damaged file.
    """
    check_input(path.name, "sequence", None, sequence)
    tokens = sequence or SEQUENCE
    header = GgufFile(path)
    shapes = header.shapes
    if not all(1 <= extent < 1 << 40 for shape in shapes.values() for extent in shape):
        raise InputError("is damaged: a tensor has an impossible shape", where=str(path))
    layers = layers_of(shapes, tokens)
    notes: list[str] = []
    attention = attention_of(header.metadata, tokens)
    if not attention:
        notes.append(_NO_ATTENTION)
    table = shapes.get("token_embd.weight")
    if table is not None and len(table) == 2 and "output.weight" not in shapes:
        layers.append(Linear("output (shares token_embd)", table[1], table[0], tokens, bias=False, stored=False))
        notes.append("no output matrix in the file: the output layer shares the word table")
    name = header.metadata.get("general.name")
    model = name if isinstance(name, str) and name else path.name
    words = f"sequence of {tokens}"
    return Inventory(model, words, (*layers, *attention), str(path), bool(attention), tuple(notes), items=tokens)


def layers_of(shapes: Mapping[str, tuple[int, ...]], tokens: int) -> list[WorkloadLayer]:
    """A layer for every tensor, by its name and shape; the slowest dimension first, as (outputs, inputs)."""
    found: list[WorkloadLayer] = []
    for name, shape in shapes.items():
        if any(part in name for part in COUNTERS):
            continue
        wide = [n for n in shape if n > 1]
        if any(part in name for part in LOOKED_UP) and "patch" not in name and len(shape) > 1:
            rows = math.prod(shape[:-1])
            found.append(Embedding(name, rows, shape[-1]))
        elif len(shape) == 2:
            outputs, inputs = reversed(shape) if name.endswith(TRANSPOSED) else shape
            found.append(Linear(name, inputs, outputs, tokens, bias=False))
        elif len(wide) > 1:
            found.append(Kernel(name, math.prod(shape[1:]), shape[0]))
        else:
            found.append(Offsets(name, math.prod(shape)))
    return found


def attention_of(metadata: Mapping[str, Any], tokens: int) -> list[Attention]:
    """One attention per block from a GGUF's metadata; empty if a key is missing, differs by block or is unusable."""
    kind = metadata.get("general.architecture")

    def number(key: str, default: object = None) -> int:
        value = metadata.get(f"{kind}.{key}", default)
        return value if isinstance(value, int) and not isinstance(value, bool) else 0

    blocks, width, heads = number("block_count"), number("embedding_length"), number("attention.head_count")
    key_heads = number("attention.head_count_kv", heads)
    head_width = number("attention.key_length", width // heads if heads > 0 else 0)
    if not (0 < blocks <= 10_000 and min(width, heads, key_heads, head_width) > 0):
        return []
    return [Attention(f"blk.{block}.attn", heads, head_width, tokens, tokens, key_heads) for block in range(blocks)]

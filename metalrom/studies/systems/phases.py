"""Work of a language model by phase: prefill of a context, or decode of one token after it.

Fixed matrices multiply one vector per token. Attention grows with the context: a decoded token meets every key and
value of the cache, a prefill every pair of tokens (as published counts have it, without a causal mask). A table that is
shared with the word table (a tied output layer) is no fixed matrix of the ROM and is counted apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from interconnect.errors import InputError
from metalrom.studies.systems.energy import Demand
from metalrom.workloads.inventory.catalogue import MAX_INPUT
from metalrom.workloads.inventory.inventory import Inventory
from metalrom.workloads.inventory.layers import Attention, Linear, WorkloadLayer
from metalrom.workloads.inventory.read import read_inventory

Phase = Literal["prefill", "decode"]


@dataclass(frozen=True, slots=True)
class PhaseDemand:
    """What a phase asks for. tokens: that come out of it. demand: of all its tokens, without the shared output table.

    matrices: fixed ones. shared_table: numbers of the output table that is left out, 0 if there is none.
    cache: numbers of keys and values of the whole context.
    """

    model: str
    phase: Phase
    context: int
    tokens: int
    demand: Demand
    matrices: int
    shared_table: int
    cache: int
    inventory: Inventory


def phase_demand(model: str, phase: Phase, context: int) -> PhaseDemand:
    """Work of `model` (a name or file that `read_inventory` takes) after or over a context of `context` tokens.

    Raises InputError for a context that is none, a network that does not work token by token, or one whose attention
    is not told by heads.
    """
    if not 1 <= context <= MAX_INPUT:
        raise InputError(f"a context of {context} is out of range", hint=f"1 to {MAX_INPUT}")
    found = read_inventory(model, sequence=1 if phase == "decode" else context)
    if not found.items:
        raise InputError(f"{found.model} does not work token by token", hint="give a language model")
    layers = tuple(_attending(layer, context) if phase == "decode" else layer for layer in found.layers)
    shared = [layer for layer in layers if isinstance(layer, Linear) and not layer.stored]
    kept = replace(found, layers=tuple(layer for layer in layers if layer not in shared), steps=())
    return PhaseDemand(
        found.model,
        phase,
        context,
        1 if phase == "decode" else context,
        Demand.of(kept),
        sum(layer.matrix is not None for layer in kept.layers),
        sum(layer.weights for layer in shared),
        _cache(kept.layers),
        kept,
    )


def _attending(layer: WorkloadLayer, context: int) -> WorkloadLayer:
    """The layer of one token that meets a cache of `context` keys."""
    if isinstance(layer, Attention):
        return replace(layer, keys=context)
    if layer.attention_macs:
        raise InputError(
            f"layer {layer.name} does not tell its heads: how it grows with the context is unknown",
            hint="give a network of the families bert, gpt2, llama or bitnet",
        )
    return layer


def _cache(layers: Sequence[WorkloadLayer]) -> int:
    return sum(layer.operands for layer in layers if isinstance(layer, Attention))

"""The inventory of a network: its layers and their sums."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from interconnect.errors import InputError
from metalrom.workloads.inventory.layers import COUNTS, UNFOLDED, Attention, Conv, Product, WorkloadLayer
from metalrom.workloads.inventory.schedule import Step, steps_by_name


@dataclass(frozen=True)
class Inventory:
    """What `model` stores and computes for one input (batch 1).

    input: what the counts are for, in words. attention_known: False if the source does not tell about products of
    activations. notes: what the reader has to know about the counts. items: tokens of the input, 0 for a network that
    does not work token by token. steps: which matrix waits for which; empty where only the names say it.
    """

    model: str
    input: str
    layers: tuple[WorkloadLayer, ...]
    source: str
    attention_known: bool = True
    notes: tuple[str, ...] = ()
    items: int = 0
    steps: tuple[Step, ...] = ()

    @property
    def schedule(self) -> tuple[Step, ...]:
        """Every use of a fixed matrix and what it waits for. Raises InputError if the source does not tell the uses."""
        if self.steps:
            return self.steps
        self.complete()
        return steps_by_name(self.layers)

    @property
    def remarks(self) -> tuple[str, ...]:
        """The notes, and how convolutions are counted."""
        convolves = any(isinstance(layer, Conv) for layer in self.layers)
        return (*self.notes, UNFOLDED) if convolves and UNFOLDED not in self.notes else self.notes

    @property
    def parameters(self) -> int:
        """Stored numbers."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def weights(self) -> int:
        """Numbers in fixed matrices, a shared table counted where it is multiplied."""
        return sum(layer.weights for layer in self.layers)

    @property
    def macs(self) -> int | None:
        """Multiply-accumulates with fixed weights; None if one layer's are unknown."""
        return _sum(layer.macs for layer in self.layers)

    @property
    def attention_macs(self) -> int | None:
        """Multiply-accumulates of activations with activations."""
        return sum(layer.attention_macs for layer in self.layers) if self.attention_known else None

    @property
    def activations_in(self) -> int | None:
        """Numbers that enter fixed matrices."""
        return _sum(layer.activations_in for layer in self.layers)

    @property
    def activations_out(self) -> int | None:
        """Numbers that leave fixed matrices."""
        return _sum(layer.activations_out for layer in self.layers)

    @property
    def activations(self) -> int | None:
        """Numbers that enter or leave fixed matrices."""
        return _sum((self.activations_in, self.activations_out))

    @property
    def attention(self) -> tuple[Attention | Product, ...]:
        """The layers that multiply activations."""
        return tuple(layer for layer in self.layers if isinstance(layer, Attention | Product))

    def complete(self) -> tuple[int, int]:
        """(macs, activations). Raises InputError if the source does not tell them."""
        if self.macs is None or self.activations is None:
            raise InputError(
                f"{self.model}: a tensor file alone does not determine the multiply-accumulates",
                hint="give the network's config.json or a built-in name",
            )
        return self.macs, self.activations

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "model": self.model,
            "input": self.input,
            **{name: getattr(self, name) for name in (*COUNTS[:4], "activations", *COUNTS[4:])},
            "layers": [layer.to_dict() for layer in self.layers],
            "source": self.source,
            "notes": list(self.remarks),
        }


def joined(model: str, input: str, parts: Sequence[tuple[str, Inventory]], *, source: str) -> Inventory:
    """One inventory of several networks that run one after the other; names get `prefix.` in front."""
    layers = tuple(replace(layer, name=f"{prefix}.{layer.name}") for prefix, part in parts for layer in part.layers)
    notes = tuple(dict.fromkeys(note for _, part in parts for note in part.notes))
    known = all(part.attention_known for _, part in parts)
    return Inventory(model, input, layers, source, attention_known=known, notes=notes)


def group_layers(
    layers: Sequence[WorkloadLayer], key: Callable[[WorkloadLayer], str]
) -> dict[str, list[WorkloadLayer]]:
    """Layers by `key`, in order of first appearance."""
    found: dict[str, list[WorkloadLayer]] = {}
    for layer in layers:
        found.setdefault(key(layer), []).append(layer)
    return found


def _sum(values: Iterable[int | None]) -> int | None:
    total = 0
    for value in values:
        if value is None:
            return None
        total += value
    return total

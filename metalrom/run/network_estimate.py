"""A whole network on macros of a finished run: area, time and energy of one token (or image, or input).

Definitions. All matrices are resident, each on macros of its own. An item is a token of a network that works token by
token, else one image or input. Latency of an item: the longest chain of matrices that wait for each other, each for its
own vectors of that item one after the other (a convolution: every output pixel, as im2col gives them); matrices that do
not wait for each other work at the same time. Sequential rate (decode): 1 / latency, the next item starts when one has
left. Pipelined rate (prefill): 1 / time of the busiest matrix for an item, since consecutive items are in consecutive
matrices; queries of a bidirectional attention wait for all keys of their text, so this needs several texts. Energy of
an item: its conversions. Products of activations and digital parts are in none of these figures.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from interconnect.errors import InputError
from metalrom.macro.estimate import LayerEstimate
from metalrom.macro.quantity import Span, sum_of_spans
from metalrom.workloads.inventory import Inventory
from metalrom.workloads.inventory.schedule import longest_chain

NOT_INCLUDED = (
    "products of activations (attention): energy, time, area",
    "normalisation, activation functions, softmax, residual sums, router, requantization between matrices",
    "word and position tables, key-value cache, buffers, wiring between macros",
)
"""What the estimate of a network leaves out, beside what that of its macros does."""


@dataclass(frozen=True)
class MatrixEstimate:
    """A fixed matrix of a network: `copies` blocks on macros of their own, `active` of which multiply one vector.

    block: the estimate of one block and one vector. vectors: of the whole input. kind: of its layer.
    """

    name: str
    kind: str
    copies: int
    active: int
    vectors: int
    block: LayerEstimate

    @property
    def tiles(self) -> int:
        """Macros of all copies."""
        return self.block.macro.geometry.tiles * self.copies

    @property
    def cells(self) -> float:
        """Cells that hold weights."""
        g = self.block.macro.geometry
        return g.bits * g.tiles * g.utilisation * self.copies

    @property
    def energy(self) -> Span:
        """All vectors of the input, J."""
        return self.block.energy * (self.active * self.vectors)

    @property
    def macs(self) -> int:
        """All vectors of the input."""
        return self.block.macs * self.active * self.vectors

    @property
    def conversions(self) -> int:
        """All vectors of the input."""
        return self.block.conversions * self.active * self.vectors

    @property
    def skipped(self) -> float:
        """Conversions of all vectors of the input that are not made."""
        return self.block.skipped * self.active * self.vectors

    def to_dict(self, items: int) -> dict[str, Any]:
        """Plain values; energy and MACs of one of `items`."""
        area = self.block.macro.known_footprint
        return {
            "name": self.name,
            "kind": self.kind,
            "shape": [self.block.inputs, self.block.outputs],
            "copies": self.copies,
            "copies_active": self.active,
            "vectors": self.vectors,
            "tiles": self.tiles,
            "utilisation": self.block.macro.geometry.utilisation,
            "area_stacked_mm2": area and (area.stacked * self.copies).to_dict(1e6),
            "latency_per_vector_us": self.block.latency.to_dict(1e6),
            "energy_per_item_nJ": (self.energy * (1 / items)).to_dict(1e9),
            "macs_per_item": self.macs / items,
        }


@dataclass(frozen=True)
class NetworkEstimate:
    """A network of `matrices`. items: tokens of the input, or 1. Areas m^2, energy J, times s, rates items per second.

    latency, sequential, pipelined, energy: of one item, as defined above. chain: layers of the longest chain, in order.
    """

    inventory: Inventory
    matrices: tuple[MatrixEstimate, ...]
    latency: Span
    chain: tuple[str, ...]
    busiest: Span

    @property
    def items(self) -> int:
        """Tokens of the input; 1 for a network that does not work token by token."""
        return self.inventory.items or 1

    @property
    def item(self) -> str:
        """What the figures are for."""
        return "token" if self.inventory.items else "input"

    @property
    def stacked(self) -> Span:
        """Area with the periphery under the arrays. Raises InputError where it is not available."""
        return sum_of_spans(m.block.macro.footprint.stacked * m.copies for m in self.matrices)

    @property
    def side_by_side(self) -> Span:
        """Area with the periphery beside the arrays. Raises InputError where it is not available."""
        return sum_of_spans(m.block.macro.footprint.side_by_side * m.copies for m in self.matrices)

    @property
    def has_area(self) -> bool:
        """Whether the area of its macros is known."""
        return all(m.block.macro.known_footprint is not None for m in self.matrices)

    @property
    def energy(self) -> Span:
        """Conversions of one item."""
        return sum_of_spans(m.energy for m in self.matrices) * (1 / self.items)

    @property
    def sequential(self) -> Span:
        """Items per second if the next one starts when one has left."""
        return self.latency.under(1)

    @property
    def pipelined(self) -> Span:
        """Items per second if consecutive items are in consecutive matrices."""
        return self.busiest.under(1)

    @property
    def tiles(self) -> int:
        """Macros of all matrices."""
        return sum(m.tiles for m in self.matrices)

    @property
    def cells(self) -> float:
        """Cells that hold weights."""
        return sum(m.cells for m in self.matrices)

    @property
    def utilisation(self) -> float:
        """Share of all cells that hold weights."""
        return self.cells / sum(m.block.macro.geometry.bits * m.tiles for m in self.matrices)

    @property
    def macs(self) -> float:
        """Multiply-accumulates of one item with fixed weights."""
        return sum(m.macs for m in self.matrices) / self.items

    @property
    def conversions(self) -> float:
        """Conversions of one item."""
        return sum(m.conversions for m in self.matrices) / self.items

    @property
    def attention_macs(self) -> float | None:
        """Products of activations of one item, which are not in the figures; None if the source does not tell."""
        macs = self.inventory.attention_macs
        return None if macs is None else macs / self.items

    def to_dict(self) -> dict[str, Any]:
        """Plain values with units in the keys."""
        return {
            "model": self.inventory.model,
            "input": self.inventory.input,
            "source": self.inventory.source,
            "notes": list(self.inventory.notes),
            "item": self.item,
            "items": self.items,
            "area_stacked_mm2": self.stacked.to_dict(1e6) if self.has_area else None,
            "area_side_by_side_mm2": self.side_by_side.to_dict(1e6) if self.has_area else None,
            "tiles": self.tiles,
            "utilisation": self.utilisation,
            "latency_per_item_us": self.latency.to_dict(1e6),
            "items_per_second_sequential": self.sequential.to_dict(),
            "items_per_second_pipelined": self.pipelined.to_dict(),
            "energy_per_item_uJ": self.energy.to_dict(1e6),
            "macs_per_item": self.macs,
            "attention_macs_per_item": self.attention_macs,
            "conversions_per_item": self.conversions,
            "overlap": "as the source's graph says" if self.inventory.steps else "by the names of the matrices",
            "longest_chain": list(self.chain),
            "not_included": list(NOT_INCLUDED),
            "layers": [m.to_dict(self.items) for m in self.matrices],
        }


def estimate_network(inventory: Inventory, estimate: Callable[[int, int], LayerEstimate]) -> NetworkEstimate:
    """A network whose blocks of (inputs, outputs) cost what `estimate` says for one vector.

    Raises InputError if the source does not tell how often a matrix is used.
    """
    schedule, items = inventory.schedule, inventory.items or 1
    blocks: dict[tuple[int, int], LayerEstimate] = {}
    matrices = {}
    for layer in inventory.layers:
        if layer.matrix is not None:
            shape = layer.matrix.rows, layer.matrix.columns
            if shape not in blocks:
                blocks[shape] = estimate(*shape)
            if layer.name in matrices:
                raise InputError(f"{inventory.model} has two layers {layer.name}")
            copies, vectors = layer.matrix.copies, layer.vectors or 0
            matrices[layer.name] = MatrixEstimate(layer.name, layer.kind, copies, layer.active, vectors, blocks[shape])
    # A matrix that is used less than once for each item, as a pooler, is passed once by the item that uses it.
    uses = [math.ceil(step.vectors / items) for step in schedule]
    times = [matrices[step.layer].block.latency * n for step, n in zip(schedule, uses, strict=True)]
    low, mid, high = (longest_chain(schedule, [getattr(t, end) for t in times]) for end in ("low", "mid", "high"))
    busy = dict.fromkeys(matrices, Span.exact(0.0))
    for step, time in zip(schedule, times, strict=True):
        busy[step.layer] = busy[step.layer] + time
    busiest = Span.exact(0.0)
    for time in busy.values():
        busiest = busiest.highest(time)
    chain = tuple(schedule[place].layer for place in mid[1])
    return NetworkEstimate(inventory, tuple(matrices.values()), Span(low[0], mid[0], high[0]), chain, busiest)

"""What a network's products multiply, counted while its graph is walked: fixed matrices, and what waits for what."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

from metalrom.workloads.inventory.layers import Embedding, FixedMatrix, Offsets, Product, WorkloadLayer
from metalrom.workloads.inventory.schedule import Step


@dataclass(frozen=True, slots=True)
class Origin:
    """Where numbers come from: parameters alone, or activations. waits: a bit for each step."""

    parameters: frozenset[str] = frozenset()
    active: bool = False
    waits: int = 0

    @property
    def fixed(self) -> bool:
        """Whether they are computed from parameters alone."""
        return bool(self.parameters) and not self.active


@dataclass(frozen=True, slots=True)
class FixedBlock:
    """A fixed matrix as a product met it: a part of a parameter, `chosen` of `copies` blocks at work."""

    parameter: str
    part: Hashable
    rows: int
    columns: int
    copies: int = 1
    chosen: int = 1


class Tally:
    """Counts of a network whose parameters have `shapes`."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.shapes = dict(shapes)
        self._steps: list[Step] = []
        self._behind: list[int] = []  # bits of all steps that a step waits for, indirectly too
        self._blocks: dict[FixedBlock, list[int]] = {}  # vectors, numbers read, numbers written
        self._names: dict[FixedBlock, str] = {}
        self._looked_up: dict[str, None] = {}
        self._products: dict[str, list[int]] = {}  # MACs, operands, numbers moved

    def result(self) -> tuple[tuple[WorkloadLayer, ...], tuple[Step, ...]]:
        """Layers, every parameter in one of them, and the schedule of the products with parameters."""
        left = {name: math.prod(shape) for name, shape in self.shapes.items()}
        layers: list[WorkloadLayer] = []
        for name in self._looked_up:
            layers.append(Embedding(plain_name(name), left[name] // self.shapes[name][-1], self.shapes[name][-1]))
            left[name] = 0
        for block, (vectors, read, written) in self._blocks.items():
            count = block.rows * block.columns * block.copies
            stored = count <= left[block.parameter]
            left[block.parameter] -= count * stored
            shape = block.rows, block.columns
            layers.append(
                FixedMatrix(self._names[block], *shape, vectors, block.copies, block.chosen, stored, read, written)
            )
        layers += [Offsets(plain_name(name), count) for name, count in left.items() if count]
        for path, counts in self._products.items():
            layers.append(Product(f"{path or 'model'} (products)", *counts))
        return tuple(layers), tuple(self._steps)

    def other_tables(self) -> tuple[str, ...]:
        """Parameters of two or more dimensions that no product and no look-up took whole."""
        met = {block.parameter for block in self._blocks} | set(self._looked_up)
        return tuple(plain_name(n) for n in self.tables(self.shapes) if n not in met)

    def tables(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of two or more dimensions."""
        return tuple(n for n in names if sum(extent > 1 for extent in self.shapes[n]) > 1)

    def owner(self, origin: Origin) -> str:
        """The largest of the parameters that a matrix is made of (a norm of its rows may be another)."""
        return max(sorted(origin.parameters), key=lambda name: math.prod(self.shapes[name]))

    def look_up(self, origin: Origin) -> None:
        """Rows of a table are taken."""
        self._looked_up |= dict.fromkeys(sorted(origin.parameters))

    def multiply(
        self,
        origin: Origin,
        part: Hashable,
        shape: tuple[int, int, int, int],
        vectors: int,
        waits: int,
        read: int,
        written: int,
    ) -> Origin:
        """`vectors` products with a fixed matrix that comes from `origin`.

        part: which part of the parameter it is, if not all. shape: rows, columns, copies, copies at work. read,
        written: numbers that enter and leave.
        """
        owner = self.owner(origin)
        rows, columns, copies, chosen = shape
        whole = rows * columns * copies == math.prod(self.shapes[owner])
        block = FixedBlock(owner, 0 if whole else part, rows, columns, copies, chosen)
        if block not in self._blocks:
            same = sum(other.parameter == owner for other in self._blocks)
            self._blocks[block] = [0, 0, 0]
            self._names[block] = plain_name(owner) + (f" ({same + 1})" if same else "")
            if owner in self._looked_up:
                self._names[block] += " (output)"
        for place, more in enumerate((vectors, read, written)):
            self._blocks[block][place] += more
        after, behind = list[int](), waits
        while waits:  # from the latest: what it waits for need not be named again
            place = waits.bit_length() - 1
            after.append(place)
            behind |= self._behind[place]
            waits &= ~(self._behind[place] | 1 << place)
        self._steps.append(Step(self._names[block], vectors, tuple(reversed(after))))
        self._behind.append(behind)
        return Origin(active=True, waits=1 << (len(self._steps) - 1))

    def product(self, path: str, macs: int, operands: int, moved: int) -> None:
        """Products of two activations in the part `path` of the network."""
        counts = self._products.setdefault(path, [0, 0, 0])
        for place, more in enumerate((macs, operands, moved)):
            counts[place] += more


def joined_origin(origins: Iterable[Origin]) -> Origin:
    """Of numbers computed from others: activations if one of them is, else parameters if one of them is."""
    active, waits, parameters = False, 0, set[str]()
    for origin in origins:
        active, waits = active or origin.active, waits | origin.waits
        parameters |= origin.parameters
    return Origin(frozenset() if active else frozenset(parameters), active, waits)


def plain_name(name: str) -> str:
    """A parameter's name as that of its layer."""
    return name.removesuffix(".weight")

"""The products of one forward pass of a torch model: operands, parameters, and what waits for what."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from interconnect.errors import InputError
from interconnect.optional import optional_library
from metalrom.workloads.inventory.layers import Embedding, FixedMatrix, Offsets, Product, WorkloadLayer
from metalrom.workloads.inventory.schedule import Step

_MULTIPLIED = {"mm": 0, "addmm": 1, "bmm": 0, "baddbmm": 1}
"""Products of two matrices, and the place of their first operand."""

_GATHERED = ("index", "index_select", "gather")
_UNCOUNTED = ("mv", "dot", "vdot", "addmv", "addbmm", "addr", "lstm", "gru", "rnn_tanh", "rnn_relu", "mkldnn_rnn_layer")
"""Products that are not counted here: a network that has them is refused, as one with any other that torch counts."""


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where the numbers of a storage come from: parameters alone, or activations. waits: a bit for each step."""

    parameters: frozenset[str] = frozenset()
    active: bool = False
    waits: int = 0


@dataclass(frozen=True, slots=True)
class _Block:
    """A fixed matrix as a product met it: part `offset` of a parameter, `chosen` of `copies` blocks at work."""

    parameter: str
    offset: int
    rows: int
    columns: int
    copies: int
    chosen: int


class Trace:
    """A pass of `model` over `inputs`, made in the mode of torch in which `run` is called once.

    multiplies_constants: whether it holds products of numbers that are neither parameters nor activations.
    """

    def __init__(self, torch: Any, model: Any, inputs: dict[str, Any]) -> None:
        self._torch, self._model, self._inputs = torch, model, inputs
        self._counted_by_torch = optional_library(
            "torch.utils.flop_counter", extra="networks", purpose="traced networks"
        ).flop_registry
        self._origins: dict[int, _Origin] = {}
        self._held: list[Any] = []  # storages, so that none takes the address of another
        self._steps: list[Step] = []
        self._behind: list[int] = []  # bits of all steps that a step waits for, indirectly too
        self._blocks: dict[_Block, list[int]] = {}  # vectors, numbers read, numbers written
        self._names: dict[_Block, str] = {}
        self._looked_up: dict[str, None] = {}
        self._products: dict[str, list[int]] = {}  # MACs, operands, numbers moved
        self._path: list[str] = []
        self._shapes: dict[str, tuple[int, ...]] = {}
        for name, parameter in model.named_parameters():
            self._shapes[name] = tuple(parameter.shape)
            self._keep(parameter, _Origin(frozenset((name,))))
        for tensor in inputs.values():
            self._keep(tensor, _Origin(active=True))
        self.multiplies_constants = False
        self._untouched = dict.fromkeys(self._shapes)
        self._tokens = max((t.shape[1] for t in inputs.values() if t.dim() == 2), default=1)

    def run(self) -> None:
        """Run the pass. Raises InputError for a product that is not counted."""
        trace, mode = self, self._torch.utils._python_dispatch.TorchDispatchMode

        class Watch(mode):  # type: ignore[misc, valid-type]
            """Shows every operation to the trace."""

            def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
                out = func(*args, **(kwargs or {}))
                trace._see(func, args, kwargs or {}, out)
                return out

        hooks = []
        for name, module in self._model.named_modules():
            hooks.append(module.register_forward_pre_hook(lambda *_, name=name: self._path.append(name)))
            hooks.append(module.register_forward_hook(lambda *_: self._leave()))
        try:
            with Watch():
                self._model(**self._inputs)
        finally:
            for hook in hooks:
                hook.remove()

    def result(self) -> tuple[tuple[WorkloadLayer, ...], tuple[Step, ...]]:
        """Layers, every parameter in one of them, and the schedule of the products with parameters."""
        left = {name: math.prod(shape) for name, shape in self._shapes.items()}
        layers: list[WorkloadLayer] = []
        for name in self._looked_up:
            layers.append(Embedding(_plain(name), left[name] // self._shapes[name][-1], self._shapes[name][-1]))
            left[name] = 0
        for block, (vectors, read, written) in self._blocks.items():
            count = block.rows * block.columns * block.copies
            stored = count <= left[block.parameter]
            left[block.parameter] -= count * stored
            shape = block.rows, block.columns
            layers.append(
                FixedMatrix(self._names[block], *shape, vectors, block.copies, block.chosen, stored, read, written)
            )
        layers += [Offsets(_plain(name), count) for name, count in left.items() if count]
        for path, counts in self._products.items():
            layers.append(Product(f"{path or 'model'} (products)", *counts))
        return tuple(layers), tuple(self._steps)

    @property
    def unused(self) -> tuple[str, ...]:
        """Parameters of two or more dimensions that the pass did not touch."""
        return tuple(_plain(n) for n in self._untouched if sum(extent > 1 for extent in self._shapes[n]) > 1)

    def other_tables(self) -> tuple[str, ...]:
        """Parameters of two or more dimensions that no product and no look-up took whole."""
        met = {block.parameter for block in self._blocks} | set(self._looked_up)
        return tuple(_plain(n) for n, s in self._shapes.items() if sum(e > 1 for e in s) > 1 and n not in met)

    def _see(self, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """One operation: count it if it is a product, and note where its results come from."""
        name = func.overloadpacket.__name__
        given = list(_tensors((args, kwargs), self._torch))
        origins = [self._origin(t) for t in given]
        for origin in origins:
            for parameter in origin.parameters:
                self._untouched.pop(parameter, None)
        if name in _MULTIPLIED:
            at = _MULTIPLIED[name]
            self._spread(out, self._multiplied(args[at], args[at + 1], out), func)
            if at:  # what is added
                self._spread(out, _joined([self._origin(out), self._origin(args[0])]), func, again=True)
            return
        if name == "convolution":
            self._spread(out, self._convolved(args[0], args[1], args[2], bool(args[6]), int(args[8]), out), func)
            return
        if name in _UNCOUNTED or func.overloadpacket in self._counted_by_torch:
            raise InputError(f"computes the product {name}, which is not counted")
        first = origins[0] if origins else _Origin()
        if name == "embedding" and first.parameters and not first.active:
            self._looked_up |= dict.fromkeys(sorted(first.parameters))
        if name in _GATHERED and first.parameters and not first.active and given[0].dim() > 2:
            # of several matrices those that a router chose: still fixed numbers, but they wait for the router
            waits = _joined(origins).waits
            self._spread(out, _Origin(first.parameters, False, waits), func)
            return
        self._spread(out, _joined(origins), func)

    def _multiplied(self, a: Any, b: Any, out: Any) -> _Origin:
        """A product of matrices, of several pairs with a first dimension more."""
        batch = a.shape[0] if a.dim() == 3 else 1
        (rows, inner), columns = a.shape[-2:], b.shape[-1]
        left, right = self._origin(a), self._origin(b)
        waits = left.waits | right.waits
        if right.parameters and not right.active:
            return self._matrix(b, right, (inner, columns), batch, rows, waits, a.numel(), out.numel())
        if left.parameters and not left.active:
            return self._matrix(a, left, (inner, rows), batch, columns, waits, b.numel(), out.numel())
        self.multiplies_constants |= not (left.active or right.active)
        self._product(batch * rows * inner * columns, b.numel(), a.numel() + b.numel() + out.numel())
        return _Origin(active=left.active or right.active, waits=waits)

    def _convolved(self, x: Any, kernel: Any, bias: Any, transposed: bool, groups: int, out: Any) -> _Origin:
        """A convolution, every output pixel a vector; a transposed one, every input pixel."""
        source, origin = self._origin(x), self._origin(kernel)
        waits = source.waits | origin.waits
        positions = x.shape[0] * math.prod((x if transposed else out).shape[2:])
        if not origin.parameters or origin.active:
            self._product(positions * kernel.numel(), kernel.numel(), x.numel() + kernel.numel() + out.numel())
            return _Origin(active=True, waits=waits | (self._origin(bias).waits if bias is not None else 0))
        if transposed:
            rows, columns = kernel.shape[0] // groups, kernel.shape[1] * math.prod(kernel.shape[2:])
        else:
            rows, columns = math.prod(kernel.shape[1:]), kernel.shape[0] // groups
        block = self._block(kernel, origin, rows, columns, groups, groups)
        return self._step(block, positions, waits, x.numel(), out.numel())

    def _matrix(
        self, b: Any, origin: _Origin, shape: tuple[int, int], batch: int, vectors: int, waits: int, read: int, out: int
    ) -> _Origin:
        """A product with a parameter, of `batch` blocks of it or of one block `batch` times."""
        held = math.prod(self._shapes[self._owner(origin)])
        count = shape[0] * shape[1]
        copies = chosen = 1
        if batch * count == held and batch > 1:
            copies = chosen = batch
        elif batch == 1 or count == held:
            vectors *= batch
        else:
            # experts: each of the batch is one of the parameter's blocks, several for each token
            copies, rest = divmod(held, count)
            chosen, odd = divmod(batch * vectors, self._tokens)
            vectors = self._tokens
            if rest or odd or not 1 <= chosen <= copies:
                raise InputError(f"multiplies parts of {self._owner(origin)} that are not known from their shapes")
        return self._step(self._block(b, origin, *shape, copies, chosen), vectors, waits, read, out)

    def _owner(self, origin: _Origin) -> str:
        """The largest of the parameters that a matrix is made of (a norm of its rows may be another)."""
        return max(sorted(origin.parameters), key=lambda name: math.prod(self._shapes[name]))

    def _block(self, tensor: Any, origin: _Origin, rows: int, columns: int, copies: int, chosen: int) -> _Block:
        owner = self._owner(origin)
        whole = rows * columns * copies == math.prod(self._shapes[owner])
        block = _Block(owner, 0 if whole else tensor.storage_offset(), rows, columns, copies, chosen)
        if block not in self._blocks:
            same = sum(other.parameter == owner for other in self._blocks)
            self._blocks[block] = [0, 0, 0]
            self._names[block] = _plain(owner) + (f" ({same + 1})" if same else "")
            if owner in self._looked_up:
                self._names[block] += " (output)"
        return block

    def _step(self, block: _Block, vectors: int, waits: int, read: int, written: int) -> _Origin:
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
        return _Origin(active=True, waits=1 << (len(self._steps) - 1))

    def _leave(self) -> None:
        self._path.pop()

    def _product(self, macs: int, operands: int, moved: int) -> None:
        counts = self._products.setdefault(self._path[-1] if self._path else "", [0, 0, 0])
        for place, more in enumerate((macs, operands, moved)):
            counts[place] += more

    def _spread(self, out: Any, origin: _Origin, func: Any, *, again: bool = False) -> None:
        """Note the origin of every result; one that shares the storage of an older tensor keeps that one's too."""
        written = again or func._schema.is_mutable
        for tensor in _tensors(out, self._torch):
            old = self._origins.get(self._key(tensor))
            if old is None:
                self._keep(tensor, origin)
            elif written:
                self._keep(tensor, _joined([old, origin]))

    def _origin(self, tensor: Any) -> _Origin:
        return self._origins.get(self._key(tensor), _NONE)

    def _keep(self, tensor: Any, origin: _Origin) -> None:
        key = self._key(tensor)
        if key not in self._origins:
            self._held.append(tensor.untyped_storage())
        self._origins[key] = origin

    @staticmethod
    def _key(tensor: Any) -> int:
        return int(tensor.untyped_storage()._cdata)


_NONE = _Origin()


def _joined(origins: list[_Origin]) -> _Origin:
    """Of numbers computed from others: activations if one of them is, else parameters if one of them is."""
    active, waits = False, 0
    for origin in origins:
        active, waits = active or origin.active, waits | origin.waits
    if active:
        return _Origin(active=True, waits=waits)
    return _Origin(frozenset().union(*(origin.parameters for origin in origins)), False, waits)


def _tensors(value: Any, torch: Any) -> Iterator[Any]:
    """Tensors in nested lists, tuples and dictionaries."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _tensors(part, torch)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()), torch)


def _plain(name: str) -> str:
    return name.removesuffix(".weight")

"""The products of one forward pass of a torch model: operands, parameters, and what waits for what."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from interconnect.errors import InputError
from interconnect.optional import optional_library
from metalrom.workloads.inventory.tally import Origin, Tally, joined_origin, plain_name

_MULTIPLIED = {"mm": 0, "addmm": 1, "bmm": 0, "baddbmm": 1}
"""Products of two matrices, and the place of their first operand."""

_GATHERED = ("index", "index_select", "gather")
_UNCOUNTED = ("mv", "dot", "vdot", "addmv", "addbmm", "addr", "lstm", "gru", "rnn_tanh", "rnn_relu", "mkldnn_rnn_layer")
"""Products that are not counted here: a network that has them is refused, as one with any other that torch counts."""


class Trace:
    """A pass of `model` over `inputs`, made in the mode of torch in which `run` is called once.

    multiplies_constants: whether it holds products of numbers that are neither parameters nor activations.
    """

    def __init__(self, torch: Any, model: Any, inputs: dict[str, Any]) -> None:
        self._torch, self._model, self._inputs = torch, model, inputs
        self._counted_by_torch = optional_library(
            "torch.utils.flop_counter", extra="networks", purpose="traced networks"
        ).flop_registry
        self._origins: dict[int, Origin] = {}
        self._held: list[Any] = []  # storages, so that none takes the address of another
        self._path: list[str] = []
        shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
        for name, parameter in model.named_parameters():
            self._keep(parameter, Origin(frozenset((name,))))
        for tensor in inputs.values():
            self._keep(tensor, Origin(active=True))
        self.tally = Tally(shapes)
        self.multiplies_constants = self.convolves = False
        self._untouched = dict.fromkeys(shapes)
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

    @property
    def unused(self) -> tuple[str, ...]:
        """Parameters of two or more dimensions that the pass did not touch."""
        return tuple(plain_name(n) for n in self.tally.tables(self._untouched))

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
                self._spread(out, joined_origin([self._origin(out), self._origin(args[0])]), func, again=True)
            return
        if name == "convolution":
            self._spread(out, self._convolved(args[0], args[1], args[2], bool(args[6]), int(args[8]), out), func)
            return
        if name in _UNCOUNTED or func.overloadpacket in self._counted_by_torch:
            raise InputError(f"computes the product {name}, which is not counted")
        first = origins[0] if origins else Origin()
        if name == "embedding" and first.fixed:
            self.tally.look_up(first)
        if name in _GATHERED and first.fixed and given[0].dim() > 2:
            # of several matrices those that a router chose: still fixed numbers, but they wait for the router
            waits = joined_origin(origins).waits
            self._spread(out, Origin(first.parameters, False, waits), func)
            return
        self._spread(out, joined_origin(origins), func)

    def _multiplied(self, a: Any, b: Any, out: Any) -> Origin:
        """A product of matrices, of several pairs with a first dimension more."""
        batch = a.shape[0] if a.dim() == 3 else 1
        (rows, inner), columns = a.shape[-2:], b.shape[-1]
        left, right = self._origin(a), self._origin(b)
        waits = left.waits | right.waits
        if right.fixed:
            return self._matrix(b, right, (inner, columns), batch, rows, waits, a.numel(), out.numel())
        if left.fixed:
            return self._matrix(a, left, (inner, rows), batch, columns, waits, b.numel(), out.numel())
        self.multiplies_constants |= not (left.active or right.active)
        self._product(batch * rows * inner * columns, b.numel(), a.numel() + b.numel() + out.numel())
        return Origin(active=left.active or right.active, waits=waits)

    def _convolved(self, x: Any, kernel: Any, bias: Any, transposed: bool, groups: int, out: Any) -> Origin:
        """A convolution, every output pixel a vector; a transposed one, every input pixel."""
        source, origin = self._origin(x), self._origin(kernel)
        waits = source.waits | origin.waits
        positions = x.shape[0] * math.prod((x if transposed else out).shape[2:])
        if not origin.fixed:
            self._product(positions * kernel.numel(), kernel.numel(), x.numel() + kernel.numel() + out.numel())
            return Origin(active=True, waits=waits | (self._origin(bias).waits if bias is not None else 0))
        if transposed:
            rows, columns = kernel.shape[0] // groups, kernel.shape[1] * math.prod(kernel.shape[2:])
        else:
            rows, columns = math.prod(kernel.shape[1:]), kernel.shape[0] // groups
        self.convolves = True
        shape = rows, columns, groups, groups
        return self.tally.multiply(origin, kernel.storage_offset(), shape, positions, waits, x.numel(), out.numel())

    def _matrix(
        self, b: Any, origin: Origin, shape: tuple[int, int], batch: int, vectors: int, waits: int, read: int, out: int
    ) -> Origin:
        """A product with a parameter, of `batch` blocks of it or of one block `batch` times."""
        held = math.prod(self.tally.shapes[self.tally.owner(origin)])
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
                raise InputError(f"multiplies parts of {self.tally.owner(origin)} that are not known from their shapes")
        return self.tally.multiply(origin, b.storage_offset(), (*shape, copies, chosen), vectors, waits, read, out)

    def _leave(self) -> None:
        self._path.pop()

    def _product(self, macs: int, operands: int, moved: int) -> None:
        self.tally.product(self._path[-1] if self._path else "", macs, operands, moved)

    def _spread(self, out: Any, origin: Origin, func: Any, *, again: bool = False) -> None:
        """Note the origin of every result; one that shares the storage of an older tensor keeps that one's too."""
        written = again or func._schema.is_mutable
        for tensor in _tensors(out, self._torch):
            old = self._origins.get(self._key(tensor))
            if old is None:
                self._keep(tensor, origin)
            elif written:
                self._keep(tensor, joined_origin([old, origin]))

    def _origin(self, tensor: Any) -> Origin:
        return self._origins.get(self._key(tensor), _NONE)

    def _keep(self, tensor: Any, origin: Origin) -> None:
        key = self._key(tensor)
        if key not in self._origins:
            self._held.append(tensor.untyped_storage())
        self._origins[key] = origin

    @staticmethod
    def _key(tensor: Any) -> int:
        return int(tensor.untyped_storage()._cdata)


_NONE = Origin()


def _tensors(value: Any, torch: Any) -> Iterator[Any]:
    """Tensors in nested lists, tuples and dictionaries."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _tensors(part, torch)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()), torch)

"""Networks from an ONNX file: its graph is walked once, by shapes, no number of a weight is read.

Every product is seen with its operands: which constant of the file it multiplies, how often, and which products it
waits for. Sizes that the file leaves open are set: a batch of one, the sequence or the image that is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from interconnect.errors import InputError, error_text, shortened
from interconnect.files import read_bytes
from interconnect.optional import optional_library
from metalrom.workloads.inventory.catalogue import check_input
from metalrom.workloads.inventory.inventory import Inventory
from metalrom.workloads.inventory.layers import UNFOLDED
from metalrom.workloads.inventory.onnx_shapes import SMALL, infer_shapes, set_inputs
from metalrom.workloads.inventory.tally import Origin, Tally, joined_origin

MAX_NODES = 200_000
_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
_MATRICES = {"MatMul": (0, 1), "MatMulInteger": (0, 1), "QLinearMatMul": (0, 3), "Gemm": (0, 1)}
_KERNELS = {"Conv": (0, 1), "ConvInteger": (0, 1), "QLinearConv": (0, 3), "ConvTranspose": (0, 1)}
_UNCOUNTED = ("Einsum", "Attention", "DeformConv", "Det", "DFT", "STFT")
_OF_SHAPES = ("Shape", "Size", "ConstantOfShape", "Range", "EyeLike")
_CONSTANTS = "constants of floating point, and of 8 or 4 bits, count as parameters; integers of shapes do not"


def onnx_inventory(
    path: Path, *, image: tuple[int, int] | None = None, sequence: int | None = None, exact: bool = True
) -> Inventory:
    """Inventory of an ONNX file, with the order of its products.

    image: (height, width) of an input of four dimensions that leaves them open, default 224 x 224; sequence: other open
    dimensions, default 128; exact: refuse those that the network does not take. Raises InputError for a damaged file,
    an operator whose products are not counted, or shapes that do not follow from the inputs'; MissingLibrary without
    the extra `onnx`.
    """
    where = str(path)
    onnx = optional_library("onnx", extra="onnx", purpose="ONNX files")
    graph = _graph(onnx, path)
    try:
        words, takes = set_inputs(graph, image, sequence)
        if exact:
            check_input(path.name, takes, image, sequence)
        shapes = infer_shapes(onnx, graph)
        walk = _Walk(onnx, graph.graph, shapes)
        walk.run()
    except InputError as error:
        raise (error if error.where else InputError(error.what, where=where, hint=error.hint)) from None
    layers, steps = walk.tally.result()
    if not steps:
        raise InputError("holds no product with a constant", where=where)
    notes = [UNFOLDED] if walk.convolves else []
    notes.append(_CONSTANTS)
    others = walk.tally.other_tables()
    if others:
        notes.append(f"{len(others)} tables are neither multiplied nor looked up: {shortened(', '.join(others), 120)}")
    name = graph.graph.name if graph.graph.name.isprintable() else ""
    return Inventory(shortened(name) or path.name, words, layers, where, True, tuple(notes), steps=steps)


def _graph(onnx: Any, path: Path) -> Any:
    """The model, its local functions written out, without the numbers of its weights."""
    content = read_bytes(path)
    try:
        model = onnx.load_model_from_string(content)
        if model.functions:
            model = optional_library("onnx.inliner", extra="onnx", purpose="ONNX files").inline_local_functions(model)
    except Exception as error:  # protobuf's and the library's own kinds
        raise InputError(f"is no ONNX file ({shortened(error_text(error), 80)})", where=str(path)) from None
    if not model.graph.node or len(model.graph.node) > MAX_NODES:
        raise InputError(f"holds {len(model.graph.node)} operators, expected 1 to {MAX_NODES}", where=str(path))
    if model.graph.sparse_initializer:
        raise InputError("holds sparse constants, which are not counted", where=str(path))
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) > SMALL:
            for field in ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data"):
                tensor.ClearField(field)
    return model


class _Walk:
    """One walk through the nodes of a graph in their order."""

    def __init__(self, onnx: Any, graph: Any, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._onnx, self._graph, self._shapes = onnx, graph, dict(shapes)
        kinds = onnx.TensorProto
        self._weights = {
            getattr(kinds, name)
            for name in dir(kinds)
            if not name.endswith("_NUMBER")
            and name.startswith(("FLOAT", "BFLOAT", "DOUBLE", "INT8", "UINT8", "INT4", "UINT4"))
        }
        held: dict[str, tuple[int, ...]] = {}
        for tensor in self._constants():
            self._shapes[tensor.name] = tuple(tensor.dims)
            if tensor.data_type in self._weights and math.prod(tensor.dims) and len(tensor.dims):
                held[tensor.name] = tuple(tensor.dims)
        self._origins = {name: Origin(frozenset((name,))) for name in held}
        self._origins |= {value.name: Origin(active=True) for value in graph.input if value.name not in held}
        self.tally, self.convolves = Tally(held), False

    def run(self) -> None:
        """Walk. Raises InputError for a product that is not counted."""
        for node in self._graph.node:
            if node.domain not in ("", "ai.onnx") or node.op_type in _UNCOUNTED:
                name = f"{node.domain}.{node.op_type}".lstrip(".")
                raise InputError(f"uses the operator {shortened(name)}, whose products are not counted")
            origins = [self._origins.get(name, Origin()) for name in _read(node)]
            for kinds, count in ((_MATRICES, self._matrix), (_KERNELS, self._kernel), (_GATES, self._recurrent)):
                if node.op_type in kinds:
                    origin = count(node)
                    break
            else:
                origin = self._other(node, origins)
            for name in node.output:
                self._origins.setdefault(name, origin)

    def _constants(self) -> Iterator[Any]:
        yield from self._graph.initializer
        for node in self._graph.node:
            if node.op_type == "Constant" and node.output:
                for attribute in node.attribute:
                    if attribute.name == "value":
                        attribute.t.name = node.output[0]
                        yield attribute.t

    def _other(self, node: Any, origins: list[Origin]) -> Origin:
        for part in _inner(node):
            if part.op_type in (*_MATRICES, *_KERNELS, *_GATES, *_UNCOUNTED) or part.domain not in ("", "ai.onnx"):
                what = f"{node.op_type} {shortened(node.name)} chooses or repeats products while it runs"
                raise InputError(what, hint="export the network without control flow")
        if node.op_type in _OF_SHAPES:
            return Origin()
        if node.op_type == "Gather" and origins[0].fixed and len(self._shapes.get(node.input[0], ())) == 2:
            self.tally.look_up(origins[0])
        return joined_origin(origins)

    def _matrix(self, node: Any) -> Origin:
        """A product of matrices, of several pairs with more dimensions."""
        left, right = (node.input[place] for place in _MATRICES[node.op_type])
        a, b, out = self._shape(left, node), self._shape(right, node), math.prod(self._shape(node.output[0], node))
        one, two = self._origins.get(left, Origin()), self._origins.get(right, Origin())
        across = {attribute.name: attribute.i for attribute in node.attribute}
        a = (1, *a) if len(a) == 1 else a[:-2] + a[:-3:-1] if across.get("transA") else a
        b = (*b, 1) if len(b) == 1 else b[:-2] + b[:-3:-1] if across.get("transB") else b
        added = [self._origins.get(name, Origin()) for name in node.input[2:3]] if node.op_type == "Gemm" else []
        waits = joined_origin([one, two, *added]).waits
        read = math.prod(a), math.prod(b)
        if two.fixed:
            copies = math.prod(b[:-2])
            shape = b[-2], b[-1], copies, copies
            return self.tally.multiply(two, right, shape, out // (b[-1] * copies), waits, read[0], out)
        if one.fixed:
            copies = math.prod(a[:-2])
            shape = a[-1], a[-2], copies, copies
            return self.tally.multiply(one, left, shape, out // (a[-2] * copies), waits, read[1], out)
        self.tally.product(shortened(node.name), out * a[-1], read[1], sum(read) + out)
        return Origin(active=one.active or two.active, waits=waits)

    def _kernel(self, node: Any) -> Origin:
        """A convolution, every output pixel a vector; a transposed one, every input pixel."""
        self.convolves = True
        data, kernel = (node.input[place] for place in _KERNELS[node.op_type])
        x, k, out = self._shape(data, node), self._shape(kernel, node), self._shape(node.output[0], node)
        origin = self._origins.get(kernel, Origin())
        waits = joined_origin([self._origins.get(data, Origin()), origin]).waits
        groups = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
        turned = node.op_type == "ConvTranspose"
        positions = x[0] * math.prod((x if turned else out)[2:])
        if groups < 1 or k[0] % groups or len(k) < 3:
            raise InputError(f"{node.op_type} {shortened(node.name)} has {groups} groups for a kernel of {k}")
        rows, columns = math.prod(k[1:]), k[0] // groups
        if turned:
            rows, columns = k[0] // groups, math.prod(k[1:])
        if not origin.fixed:
            moved = math.prod(x) + math.prod(k) + math.prod(out)
            self.tally.product(shortened(node.name), positions * math.prod(k), math.prod(k), moved)
            return Origin(active=True, waits=waits)
        shape = rows, columns, groups, groups
        return self.tally.multiply(origin, kernel, shape, positions, waits, math.prod(x), math.prod(out))

    def _recurrent(self, node: Any) -> Origin:
        """A recurrent layer: one matrix for its inputs, one for its own last state, both used at every step."""
        x, origins = self._shape(node.input[0], node), [self._origins.get(name, Origin()) for name in node.input]
        steps, waits, last = x[0] * x[1], joined_origin(origins).waits, Origin(active=True)
        for name, origin in zip(node.input[1:3], origins[1:3], strict=True):
            copies, columns, rows = self._shape(name, node)
            if not origin.fixed:
                raise InputError(f"{node.op_type} {shortened(node.name)} multiplies weights that are computed")
            read, written = rows * copies * steps, columns * copies * steps
            last = self.tally.multiply(origin, name, (rows, columns, copies, copies), steps, waits, read, written)
            waits |= last.waits
        return last

    def _shape(self, name: str, node: Any) -> tuple[int, ...]:
        """Shape of a value that a product needs, nothing of it empty."""
        found = self._shapes.get(name)
        if found is None or 0 in found:
            what = (
                f"the shape of {shortened(repr(name))}, which {node.op_type} {shortened(node.name)} uses, is not known"
            )
            raise InputError(what, hint="export the network with fixed sizes of its inputs")
        return found


def _inner(node: Any) -> Iterator[Any]:
    """Nodes of the graphs inside a node, at any depth."""
    for attribute in node.attribute:
        for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            for part in graph.node:
                yield part
                yield from _inner(part)


def _read(node: Any) -> list[str]:
    """Names that a node reads, those of graphs inside it too."""
    return [*node.input, *(name for part in _inner(node) for name in part.input)]

"""Shapes of the values of an ONNX graph, from those of its inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interconnect.errors import InputError, error_text, shortened
from interconnect.optional import optional_library
from metalrom.workloads.inventory.catalogue import IMAGE, SEQUENCE
from metalrom.workloads.inventory.layers import MAX_EXTENT

SMALL = 4096
"""Numbers of a constant that shapes may need; larger ones are weights."""

MAX_ROUNDS = 24

_COMPUTED = frozenset(
    {
        *("Add", "And", "Cast", "Ceil", "Concat", "ConstantOfShape", "Div", "Equal", "Expand", "Floor", "Gather"),
        *("Greater", "Identity", "Less", "Max", "Min", "Mod", "Mul", "Neg", "Not", "Or", "Range", "ReduceProd"),
        *("Reshape", "Shape", "Size", "Slice", "Squeeze", "Sub", "Transpose", "Unsqueeze", "Where"),
    }
)
"""Operators with which exporters compute shapes."""


def set_inputs(model: Any, image: tuple[int, int] | None, sequence: int | None) -> tuple[str, str]:
    """Give every open size of an input a number: (the inputs in words, what the network takes)."""
    constants = {tensor.name for tensor in model.graph.initializer}
    words, takes = [], ""
    for value in model.graph.input:
        if value.name in constants:
            continue
        dims = value.type.tensor_type.shape.dim
        for place, dim in enumerate(dims):
            if dim.WhichOneof("value") == "dim_value" and dim.dim_value > 0:
                continue
            if place == 0 or "batch" in dim.dim_param:
                size = 1
            elif "past" in dim.dim_param and "+" not in dim.dim_param:
                size = 0
            elif len(dims) == 4:
                size = 3 if place == 1 else (image or IMAGE)[place - 2]
                takes = "image"
            else:
                size, takes = sequence or SEQUENCE, takes or "sequence"
            dim.dim_value = size
        words.append(f"{shortened(value.name, 30)} {'x'.join(str(dim.dim_value) for dim in dims) or 'scalar'}")
    return shortened(", ".join(words), 200), takes


def infer_shapes(onnx: Any, model: Any) -> dict[str, tuple[int, ...]]:
    """Shape of every value of the graph that follows from those of the inputs.

    The library's inference leaves open what it cannot compute (the chains of integers with which exporters make the
    target of an Expand or a Reshape); these are computed here and become constants, until nothing new follows.
    """
    shapes = _inferred(onnx, model)
    for _ in range(MAX_ROUNDS):
        if not _compute(onnx, model, shapes):
            break
        shapes = _inferred(onnx, model)
    return shapes


def _compute(onnx: Any, model: Any, shapes: dict[str, tuple[int, ...]]) -> bool:
    """Make constants of small integers that follow from constants and shapes; whether there were any of use."""
    reference = optional_library("onnx.reference", extra="onnx", purpose="ONNX files")
    held = {tensor.name: _array(onnx, tensor) for tensor in model.graph.initializer}
    known = {name: array for name, array in held.items() if array is not None}
    useful = False
    for node in model.graph.node:
        out = node.output[0] if node.output else ""
        if node.op_type == "Constant":
            for attribute in node.attribute:
                array = _array(onnx, attribute.t) if attribute.name == "value" else None
                known |= {} if array is None else {out: array}
            continue
        if node.op_type not in _COMPUTED or len(node.output) != 1 or math.prod(shapes.get(out, (SMALL + 1,))) > SMALL:
            continue
        result: NDArray[Any] | None = None
        if node.op_type == "Shape" and node.input[0] in shapes and not node.attribute:
            result = np.array(shapes[node.input[0]], np.int64)
        elif node.op_type != "Shape" and all(name in known for name in node.input if name):
            result = _evaluated(reference, node, known)
        if result is None:
            continue
        known[out] = result
        if result.dtype.kind in "iub":
            useful |= node.op_type != "Shape"
            node.CopyFrom(onnx.helper.make_node("Constant", [], [out], value=onnx.numpy_helper.from_array(result)))
    return useful


def _array(onnx: Any, tensor: Any) -> NDArray[Any] | None:
    """A small constant; None for a large or damaged one and for one in another file, which is not opened."""
    if tensor.external_data or not 0 <= math.prod(tensor.dims) <= SMALL:
        return None
    try:
        return np.asarray(onnx.numpy_helper.to_array(tensor))
    except Exception:  # whatever damaged bytes make of the library
        return None


def _evaluated(reference: Any, node: Any, known: Mapping[str, NDArray[Any]]) -> NDArray[Any] | None:
    """Result of a node of known inputs; None if the library cannot tell: its shape stays unknown."""
    try:
        found = reference.ReferenceEvaluator(node).run(None, {name: known[name] for name in node.input if name})
    except Exception:  # whatever a damaged node makes of the library
        return None
    return np.asarray(found[0])


def _inferred(onnx: Any, model: Any) -> dict[str, tuple[int, ...]]:
    """Shape of every value of the graph that follows from those of the inputs."""
    try:
        found = onnx.shape_inference.infer_shapes(model, strict_mode=False, data_prop=True).graph
    except Exception as error:  # the library's own kinds
        raise InputError(f"its shapes cannot be inferred ({shortened(error_text(error), 120)})") from None
    shapes = {tensor.name: tuple(tensor.dims) for tensor in found.initializer}
    for value in (*found.input, *found.value_info, *found.output):
        dims = value.type.tensor_type.shape.dim
        if value.type.tensor_type.HasField("shape") and all(dim.WhichOneof("value") == "dim_value" for dim in dims):
            shapes[value.name] = tuple(dim.dim_value for dim in dims)
    if any(not 0 <= extent <= MAX_EXTENT for shape in shapes.values() for extent in shape):
        raise InputError(f"has a size outside 0 to {MAX_EXTENT}")
    return shapes

"""ONNX files: counts by hand, against the traced network, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interconnect.errors import InputError
from interconnect.optional import has_library
from metalrom.workloads.inventory import Inventory
from metalrom.workloads.inventory.layers import UNFOLDED
from metalrom.workloads.inventory.read import read_inventory
from metalrom.workloads.inventory.schedule import longest_chain
from metalrom.workloads.inventory.traced import traced_inventory

pytestmark = pytest.mark.skipif(not has_library("onnx"), reason="the extra `onnx` is missing")


def write(
    path: Path, nodes: list[Any], inputs: dict[str, list[Any]], weights: dict[str, np.ndarray], **more: Any
) -> Path:
    """A model whose last node's first output is the output. inputs: sizes by name, a word for an open one."""
    from onnx import TensorProto, helper, numpy_helper, save_model

    kinds = {name: TensorProto.INT64 if name.startswith("ids") else TensorProto.FLOAT for name in inputs}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, kinds[name], sizes) for name, sizes in inputs.items()],
        [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    save_model(helper.make_model(graph, opset_imports=opsets, **more), path)
    return path


def node(kind: str, inputs: str, output: str, **attributes: Any) -> Any:
    from onnx import helper

    return helper.make_node(kind, inputs.split(), [output], name=f"{kind}_{output}", **attributes)


def floats(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def by_name(found: Inventory) -> dict[str, Any]:
    return {layer.name: layer for layer in found.layers}


def test_convolutions_are_unfolded(tmp_path: Path) -> None:
    nodes = [
        node("Conv", "x a bias", "1", pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Conv", "1 b", "2", group=8),
        node("ConvTranspose", "2 c", "3", strides=[2, 2]),
        node("GlobalAveragePool", "3", "4"),
        node("Flatten", "4", "5"),
        node("Gemm", "5 d", "6", transB=1),
    ]
    weights = {"a": floats(8, 3, 3, 3), "bias": floats(8), "b": floats(8, 1, 3, 3), "c": floats(8, 4, 2, 2)}
    path = write(tmp_path / "m.onnx", nodes, {"x": ["batch", 3, "h", "w"]}, weights | {"d": floats(10, 4)})
    found = read_inventory(str(path), image=(32, 24))
    layers = by_name(found)
    # by hand: 32 x 24 -> 16 x 12 -> 14 x 10; the transposed one has a vector per input pixel
    assert layers["a"].matrix == (27, 8, 1)
    assert (layers["a"].vectors, layers["b"].vectors, layers["c"].vectors, layers["d"].vectors) == (192, 140, 140, 1)
    assert layers["b"].matrix == (9, 1, 8)
    assert layers["c"].matrix == (8, 16, 1)
    assert layers["d"].matrix == (4, 10, 1)
    assert found.macs == 192 * 27 * 8 + 140 * 9 * 8 + 140 * 8 * 16 + 40
    assert found.parameters == 216 + 8 + 72 + 128 + 40
    assert (layers["a"].activations_in, layers["a"].activations_out) == (3 * 32 * 24, 8 * 192)
    assert UNFOLDED in found.notes
    assert longest_chain(found.schedule, [1.0] * 4)[0] == 4
    with pytest.raises(InputError, match="accepts no sequence length"):
        read_inventory(str(path), sequence=4)


def test_attention_and_shared_tables(tmp_path: Path) -> None:
    nodes = [
        node("Gather", "table ids", "e"),
        node("MatMul", "e q", "Q"), node("MatMul", "e k", "K"), node("MatMul", "e v", "V"),
        node("Transpose", "K", "Kt", perm=[0, 2, 1]), node("MatMul", "Q Kt", "S"), node("Softmax", "S", "P"),
        node("MatMul", "P V", "O"), node("Transpose", "table", "tableT"), node("MatMul", "O tableT", "logits"),
    ]  # fmt: skip
    weights = {"table": floats(50, 16), "q": floats(16, 8), "k": floats(16, 8), "v": floats(16, 16)}
    path = write(tmp_path / "m.onnx", nodes, {"ids": ["batch", "length"]}, weights)
    found = read_inventory(str(path), sequence=7)
    assert found.parameters == 50 * 16 + 2 * 16 * 8 + 16 * 16
    assert found.macs == 7 * (2 * 16 * 8 + 16 * 16 + 50 * 16)
    assert found.attention_macs == 7 * 7 * 8 + 7 * 7 * 16
    assert by_name(found)["table (output)"].parameters == 0
    # queries, keys and values together, then the output
    assert longest_chain(found.schedule, [1.0] * 4)[0] == 2
    assert found.schedule[3].after == (0, 1, 2)


def test_recurrent_layers(tmp_path: Path) -> None:
    from onnx import helper

    layer = helper.make_node("LSTM", ["x", "W", "R"], ["y"], name="l", hidden_size=6, direction="bidirectional")
    path = write(tmp_path / "m.onnx", [layer], {"x": [5, 1, 4]}, {"W": floats(2, 24, 4), "R": floats(2, 24, 6)})
    found = read_inventory(str(path))
    assert found.macs == 5 * 2 * 24 * (4 + 6)
    assert [step.after for step in found.schedule] == [(), (0,)]


def test_quantized_weights_are_weights(tmp_path: Path) -> None:
    nodes = [node("DequantizeLinear", "q s", "w"), node("MatMul", "x w", "y")]
    weights = {"q": np.ones((4, 6), np.int8), "s": np.array(0.5, np.float32)}
    found = read_inventory(str(write(tmp_path / "m.onnx", nodes, {"x": [2, 4]}, weights)))
    assert (found.parameters, found.macs) == (24, 48)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("com.microsoft", r"uses the operator com\.microsoft\.Attention, whose products are not counted"),
        ("Einsum", "uses the operator Einsum"),
        ("If", "If If_y chooses or repeats products while it runs"),
        ("none", "holds no product with a constant"),
    ],
)
def test_what_is_not_counted_is_refused(kind: str, words: str, tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    if kind == "If":
        out = helper.make_tensor_value_info("z", TensorProto.FLOAT, [2, 6])
        branch = helper.make_graph([node("MatMul", "x w", "z")], "b", [], [out])
        nodes = [node("Cast", "x", "c", to=9), node("If", "c", "y", then_branch=branch, else_branch=branch)]
    elif kind == "com.microsoft":
        nodes = [helper.make_node("Attention", ["x", "w"], ["y"], domain=kind)]
    else:
        nodes = [node("Relu", "x", "y") if kind == "none" else node("Einsum", "x w", "y", equation="ij,jk->ik")]
    path = write(tmp_path / "m.onnx", nodes, {"x": [2, 4]}, {"w": floats(4, 6)})
    with pytest.raises(InputError, match=words) as caught:
        read_inventory(str(path))
    assert str(caught.value).startswith(str(path))


def test_damage_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", [node("MatMul", "x w", "y")], {"x": [2, 4]}, {"w": floats(4, 6)})
    whole, rng = path.read_bytes(), np.random.default_rng(3)
    for trial in range(60):
        raw = bytearray(whole)
        if trial % 3:
            raw[int(rng.integers(0, len(raw)))] = rng.integers(0, 256)
        else:
            del raw[int(rng.integers(0, len(raw))) :]
        path.write_bytes(raw)
        try:
            read_inventory(str(path))
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017
    path.write_bytes(b"")
    with pytest.raises(InputError, match="holds 0 operators"):
        read_inventory(str(path))


EXPORTED: dict[str, dict[str, Any]] = {
    "BertForMaskedLM": {
        "model_type": "bert", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
        "num_attention_heads": 4, "vocab_size": 300,
    },
    "ResNetForImageClassification": {
        "model_type": "resnet", "depths": [1, 1, 1, 1], "hidden_sizes": [16, 32, 64, 128], "embedding_size": 16,
    },
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(not has_library("torch", "transformers"), reason="the extra `networks` is missing")
@pytest.mark.parametrize("name", sorted(EXPORTED))
def test_an_exported_network_counts_as_the_traced_one(name: str, tmp_path: Path) -> None:
    import torch
    import transformers

    data, path = EXPORTED[name], tmp_path / "m.onnx"
    kind = getattr(transformers, name)
    config = kind.config_class(**{key: value for key, value in data.items() if key != "model_type"})
    config._attn_implementation, config.return_dict = "eager", False
    words = torch.ones(1, 12, dtype=torch.long)
    given = (words,) if name.startswith("Bert") else (torch.ones(1, 3, 224, 224),)
    torch.onnx.export(kind(config).eval(), given, str(path), dynamo=False, do_constant_folding=False)
    found = read_inventory(str(path))
    sequence = 12 if name.startswith("Bert") else None
    reference = traced_inventory(data | {"architectures": [name]}, "c", image=None, sequence=sequence)
    assert (found.macs, found.attention_macs) == (reference.macs, reference.attention_macs)
    chains = [longest_chain(i.schedule, [1.0] * len(i.schedule))[0] for i in (found, reference)]
    assert chains[0] == chains[1]

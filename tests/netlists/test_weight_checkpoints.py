"""Folders of safetensors, 8-bit floats with their scales, packed ternary weights, convolution kernels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interconnect.errors import InputError
from interconnect.optional import has_library
from netlists.weights import load_blocks, load_tensor, load_weights, tensor_file, tensor_names, tensor_shapes

needs_torch = pytest.mark.skipif(not has_library("torch"), reason="the extra `networks` (torch) is missing")
needs_transformers = pytest.mark.skipif(
    not has_library("torch", "transformers"), reason="the extra `networks` (torch, transformers) is missing"
)
RNG = np.random.default_rng(11)


def write(path: Path, tensors: dict[str, tuple[str, np.ndarray]]) -> Path:
    """A safetensors file as the format is described: length, header, data. tensors: name -> (type, bytes as stored)."""
    header, data = {}, b""
    for name, (dtype, array) in tensors.items():
        raw = array.tobytes()
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def floats(*shape: int) -> tuple[str, np.ndarray]:
    return "F32", RNG.standard_normal(shape).astype(np.float32)


def folder(tmp_path: Path, index: dict[str, Any] | None = None) -> tuple[Path, dict[str, np.ndarray]]:
    """A folder of two parts and their index."""
    tensors = {"a.weight": floats(4, 6), "b.weight": floats(3, 5), "b.bias": floats(3)}
    names = list(tensors)
    parts = {"model-00001-of-00002.safetensors": names[:1], "model-00002-of-00002.safetensors": names[1:]}
    for part, held in parts.items():
        write(tmp_path / part, {name: tensors[name] for name in held})
    placed = {name: part for part, held in parts.items() for name in held}
    content = {"metadata": {"total_size": 1}, "weight_map": placed} if index is None else index
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(content))
    return tmp_path, {name: array for name, (_, array) in tensors.items()}


def test_a_folder_of_parts_reads_as_one(tmp_path: Path) -> None:
    place, arrays = folder(tmp_path)
    for path in (place, place / "model.safetensors.index.json"):
        assert tensor_names(path) == tuple(arrays)
        assert tensor_shapes(path) == {name: array.shape for name, array in arrays.items()}
        for name, array in arrays.items():
            np.testing.assert_array_equal(load_tensor(path, name), array)
    assert tensor_file(place, "b.bias").name == "model-00002-of-00002.safetensors"
    with pytest.raises(InputError, match=r"no tensor 'c.weight'.*did you mean"):
        load_tensor(place, "c.weight")


def test_a_folder_of_one_file(tmp_path: Path) -> None:
    _, array = content = floats(2, 3)
    write(tmp_path / "model.safetensors", {"w": content})
    np.testing.assert_array_equal(load_weights(tmp_path, "w", transpose=True), array.T)
    assert tensor_file(tmp_path, "w") == tmp_path / "model.safetensors"


@pytest.mark.parametrize(
    ("index", "words"),
    [
        ({"weight_map": {"w": "../model.safetensors"}}, r"places tensors in '../model.safetensors'"),
        ({"weight_map": {"w": "/etc/passwd"}}, "places tensors in"),
        ({"weight_map": {"w": 3}}, "places tensors in 3"),
        ({"weight_map": {"w": "model-00003-of-00002.safetensors"}}, "which is not there; did you mean 'model-0000"),
        ({"weight_map": {"w": "model-00001-of-00002.safetensors"}}, "lacks the tensor 'w' that the index places there"),
        ({"weight_map": {}}, "its weight_map is missing"),
        ({}, "its weight_map is missing"),
        ([], "holds no JSON object"),
    ],
)
def test_damaged_indices_are_refused(index: dict[str, Any], words: str, tmp_path: Path) -> None:
    place, _ = folder(tmp_path, index)
    with pytest.raises(InputError, match=words):
        tensor_shapes(place)


def test_an_empty_folder_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds neither model.safetensors nor model.safetensors.index.json"):
        load_tensor(tmp_path, "w")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(InputError, match=r"pytorch_model\.bin is given by its own path"):
        load_tensor(tmp_path, "w")


@needs_torch
@pytest.mark.parametrize("dtype", ["F8_E4M3", "F8_E5M2"])
def test_all_codes_of_8_bit_floats_are_torchs(dtype: str, tmp_path: Path) -> None:
    import torch

    codes = np.arange(256, dtype=np.uint8)
    kind = torch.float8_e4m3fn if dtype == "F8_E4M3" else torch.float8_e5m2
    wanted = torch.from_numpy(codes).view(kind).float().numpy()
    finite = np.isfinite(wanted)
    got = load_tensor(write(tmp_path / "w.safetensors", {"w": (dtype, codes[finite])}), "w")
    np.testing.assert_array_equal(got, wanted[finite])
    with pytest.raises(InputError, match="NaN or infinite"):
        load_tensor(write(tmp_path / "w.safetensors", {"w": (dtype, codes)}), "w")


# by hand from arXiv 2209.05433, table 1: sign, exponent bias 7 or 15, subnormals
@pytest.mark.parametrize(
    ("dtype", "code", "value"),
    [
        ("F8_E4M3", 0x7E, 448.0), ("F8_E4M3", 0x01, 2.0**-9), ("F8_E4M3", 0x08, 2.0**-6), ("F8_E4M3", 0xBC, -1.5),
        ("F8_E5M2", 0x7B, 57344.0), ("F8_E5M2", 0x01, 2.0**-16), ("F8_E5M2", 0x04, 2.0**-14), ("F8_E5M2", 0xBE, -1.5),
    ],
)  # fmt: skip
def test_codes_of_8_bit_floats(dtype: str, code: int, value: float, tmp_path: Path) -> None:
    path = write(tmp_path / "w.safetensors", {"w": (dtype, np.array([code], np.uint8))})
    assert load_tensor(path, "w") == [value]


@pytest.mark.parametrize(
    ("name", "scale", "factors"),
    [
        ("w.weight_scale", np.array(0.5), np.full((4, 6), 0.5)),
        ("w.weight_scale", np.arange(1.0, 5)[:, None], np.arange(1.0, 5)[:, None] * np.ones(6)),
        # blocks of 3 x 4, the last ones cut, as DeepSeek-V3's
        ("w.weight_scale_inv", np.array([[1, 2], [4, 8]]), np.kron([[1, 2], [4, 8]], np.ones((3, 4)))[:4, :6]),
        ("w.scale_weight", np.array([2.0]), np.full((4, 6), 2.0)),
    ],
)
def test_scales_of_8_bit_floats_apply(name: str, scale: np.ndarray, factors: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        '{"quantization_config": {"quant_method": "fp8", "weight_block_size": [3, 4]}}'
    )
    ones = np.full((4, 6), 0x38, np.uint8)  # 1.0
    path = write(tmp_path / "m.safetensors", {"w.weight": ("F8_E4M3", ones), name: ("F32", scale.astype(np.float32))})
    np.testing.assert_array_equal(load_tensor(path, "w.weight"), factors)


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        ("w.weight_scale", (3,), r"has a scale of shape \(3,\)"),
        ("w.weight_scale_inv", (2, 3), r"has a scale of shape \(2, 3\)"),
        ("w.weight_scale_2", (), "what its scale w.weight_scale_2 means is not known"),
    ],
)
def test_scales_that_are_not_understood_are_refused(
    name: str, shape: tuple[int, ...], words: str, tmp_path: Path
) -> None:
    eight = ("F8_E4M3", np.full((4, 6), 0x38, np.uint8))
    path = write(tmp_path / "m.safetensors", {"w.weight": eight, name: floats(*shape)})
    with pytest.raises(InputError, match=words):
        load_tensor(path, "w.weight")


def bitnet(tmp_path: Path, kind: str | None, packed: np.ndarray, scale: np.ndarray) -> Path:
    content = {"quant_method": "bitnet"} | ({} if kind is None else {"linear_class": kind})
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bitnet", "quantization_config": content}))
    tensors = {"q.weight": ("U8", packed), "q.weight_scale": ("F32", scale.astype(np.float32))}
    write(tmp_path / "model.safetensors", tensors)
    return tmp_path


@needs_transformers
@pytest.mark.parametrize("kind", [None, "bitlinear", "autobitlinear"])
def test_packed_ternary_weights_are_transformers(kind: str | None, tmp_path: Path) -> None:
    import torch
    from transformers.integrations.bitnet import pack_weights

    digits = RNG.integers(-1, 2, (512, 512)).astype(np.int8)  # 1,024 blocks of 256
    packed = pack_weights(torch.from_numpy(digits.copy())).numpy()
    path = bitnet(tmp_path, kind, packed, np.array([3.0]))
    blocks = load_blocks(path, "q.weight")
    np.testing.assert_array_equal(blocks.integers, digits.T)
    assert (blocks.bits, blocks.type, blocks.block_size) == (2, "bitnet", 512)
    # BitLinear.forward: y = x_q W / (input_scale weight_scale); AutoBitLinear.forward: W = digits * weight_scale
    scale = np.float32(3) if kind == "autobitlinear" else np.float32(1) / np.float32(3)
    np.testing.assert_array_equal(load_weights(path, "q.weight", transpose=True), digits.T * scale)
    assert tensor_shapes(path)["q.weight"] == (512, 512)


@needs_transformers
def test_layers_of_transformers_multiply_with_what_is_read(tmp_path: Path) -> None:
    import torch
    from transformers.integrations import bitnet as theirs

    digits = RNG.integers(-1, 2, (8, 16)).astype(np.int8)
    packed = theirs.pack_weights(torch.from_numpy(digits.copy()))
    x = torch.from_numpy(RNG.integers(-127, 128, (3, 16)).astype(np.float32))
    x[:, 0] = 127  # 8-bit activations then are the numbers themselves
    unpack = theirs.unpack_weights
    theirs.unpack_weights = unpack._torchdynamo_orig_callable  # as written, without a compiler
    try:
        layer = theirs.BitLinear(16, 8, bias=False, dtype=torch.float32)
        layer.weight, layer.weight_scale = packed, torch.tensor([3.0])
        got = layer(x).numpy()
    finally:
        theirs.unpack_weights = unpack
    ours = load_weights(bitnet(tmp_path, "bitlinear", packed.numpy(), np.array([3.0])), "q.weight", transpose=True)
    np.testing.assert_allclose(got, x.numpy() @ ours, rtol=1e-6)


def test_rows_of_packed_ternary_weights_by_hand(tmp_path: Path) -> None:
    # transformers' own example of unpack_weights: row r + k outputs / 4 in bits 2k, 2k + 1, code - 1
    packed = np.array([[0b10100001, 0b00011000], [0b10010000, 0b00001010]], np.uint8)
    wanted = [[0, -1], [-1, 1], [-1, 1], [-1, 1], [1, 0], [0, -1], [1, -1], [1, -1]]
    blocks = load_blocks(bitnet(tmp_path, "autobitlinear", packed, np.arange(1.0, 9)), "q.weight")
    np.testing.assert_array_equal(blocks.integers.T, wanted)
    np.testing.assert_array_equal(blocks.dequantized().T, np.array(wanted) * np.arange(1, 9)[:, None])


def test_ternary_weights_that_are_not_understood_are_refused(tmp_path: Path) -> None:
    packed = np.zeros((2, 3), np.uint8)
    with pytest.raises(InputError, match="linear_class: is 'linear'; expected bitlinear or autobitlinear"):
        load_tensor(bitnet(tmp_path, "linear", packed, np.ones(1)), "q.weight")
    with pytest.raises(InputError, match=r"scale of shape \(3,\) fits no 8 outputs"):
        load_tensor(bitnet(tmp_path, None, packed, np.ones(3)), "q.weight")
    with pytest.raises(InputError, match="or is 0"):
        load_tensor(bitnet(tmp_path, None, packed, np.zeros(1)), "q.weight")
    bad = packed.copy()
    bad[1, 1] = 0b1100
    with pytest.raises(InputError, match=r"q\.weight: holds the code 3"):
        load_tensor(bitnet(tmp_path, None, bad, np.ones(1)), "q.weight")
    path = bitnet(tmp_path, None, packed, np.ones(1))
    (path / "config.json").unlink()
    with pytest.raises(InputError, match=r"no config\.json beside it says that it is of the method bitnet"):
        load_tensor(path, "q.weight")


def test_integers_of_an_unknown_method_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"quantization_config": {"quant_method": "gptq"}}')
    path = write(tmp_path / "m.safetensors", {"w": ("I32", np.ones((2, 3), np.int32)), "f": floats(2)})
    with pytest.raises(InputError, match="packed by the method 'gptq', which is not read"):
        load_tensor(path, "w")
    assert load_tensor(path, "f").shape == (2,)


@needs_torch
@pytest.mark.parametrize(
    ("shape", "groups"), [((6, 3, 3, 2), 1), ((6, 2, 3), 3), ((8, 1, 3, 3), 8), ((4, 2, 2, 2, 2), 2)]
)
def test_kernels_become_the_matrices_of_their_unfolded_inputs(
    shape: tuple[int, ...], groups: int, tmp_path: Path
) -> None:
    import torch

    content = floats(*shape)
    path = write(tmp_path / "w.safetensors", {"w": content})
    dims = len(shape) - 2
    x = torch.from_numpy(RNG.standard_normal((1, shape[1] * groups, *shape[2:])).astype(np.float32))  # one output pixel
    kernel = torch.from_numpy(content[1])
    wanted = getattr(torch.nn.functional, f"conv{dims}d")(x, kernel, groups=groups).numpy().ravel()
    rows = x.numpy().reshape(groups, -1)
    got = [load_weights(path, "w", transpose=True, groups=groups, group=g).T @ rows[g] for g in range(groups)]
    np.testing.assert_allclose(np.concatenate(got), wanted, rtol=1e-4, atol=1e-5)


def test_kernels_need_their_order_and_a_group_that_exists(tmp_path: Path) -> None:
    path = write(tmp_path / "w.safetensors", {"w": floats(6, 3, 3, 3), "m": floats(4, 4)})
    with pytest.raises(InputError, match=r"a convolution kernel, .*set weights\.transpose"):
        load_weights(path, "w")
    for groups, group in ((4, 0), (3, 3)):
        with pytest.raises(InputError, match=f"no group {group} of {groups} in 6 outputs"):
            load_weights(path, "w", transpose=True, groups=groups, group=group)
    with pytest.raises(InputError, match="groups belong to convolution kernels"):
        load_weights(path, "m", transpose=True, groups=2)

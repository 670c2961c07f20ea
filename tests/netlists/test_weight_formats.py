"""GGUF, CSV and hex weight files: values against their definitions, and every kind of damage refused in a sentence."""

from __future__ import annotations

import math
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interconnect.errors import InputError
from netlists.weights import (
    TERNARY_RULES,
    BlockWeights,
    GgufFile,
    Words,
    integer_weights,
    load_blocks,
    load_tensor,
    load_weights,
    quantize,
    quantize_columns,
    tensor_names,
    tensor_shapes,
)

RNG = np.random.default_rng(7)


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def gguf_file(tensors: dict[str, tuple[int, tuple[int, ...], bytes]], version: int = 3) -> bytes:
    """A file as the specification writes it: magic, counts, key-values, tensor infos, padded data.

    tensors: name -> (type, shape as stored in a checkpoint (outputs, inputs), data).
    """
    values = [
        text("general.alignment") + struct.pack("<II", 4, 64),
        text("general.name") + struct.pack("<I", 8) + text("tiny"),
        text("tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("bc"),
        text("scores") + struct.pack("<IIQ", 9, 6, 3) + struct.pack("<3f", 1, 2, 3),
    ]
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(values)) + b"".join(values)
    data = b""
    for name, (kind, shape, raw) in tensors.items():
        data += bytes(-len(data) % 64)
        sizes = struct.pack(f"<{len(shape)}Q", *reversed(shape))
        head += text(name) + struct.pack("<I", len(shape)) + sizes + struct.pack("<IQ", kind, len(data))
        data += raw
    return head + bytes(-len(head) % 64) + data


def blocks(outputs: int, inputs: int, kind: int) -> tuple[bytes, np.ndarray]:
    """Random blocks of a format and the matrix (outputs, inputs) that its definition gives, element by element."""
    raw, matrix = b"", np.zeros((outputs, inputs))
    for o in range(outputs):
        for b in range(inputs // 32):
            d, m = (np.float16(v) for v in RNG.standard_normal(2))
            if kind == 8:  # Q8_0: d, then 32 int8; x = d q
                q = RNG.integers(-128, 128, 32)
                raw += d.tobytes() + q.astype(np.int8).tobytes()
                x = [np.float32(d) * np.float32(v) for v in q]
            else:  # Q4: element j in the low nibble of byte j, element j + 16 in its high nibble
                q = RNG.integers(0, 16, 32)
                packed = bytes(int(q[j] | q[j + 16] << 4) for j in range(16))
                raw += d.tobytes() + (m.tobytes() if kind == 3 else b"") + packed
                # Q4_0: x = d (q - 8); Q4_1: x = d q + m
                x = [np.float32(d) * np.float32(v - 8 * (kind == 2)) + np.float32(m) * (kind == 3) for v in q]
            matrix[o, 32 * b : 32 * b + 32] = x
    return raw, matrix


@pytest.mark.parametrize(("kind", "name", "bits"), [(2, "Q4_0", 4), (3, "Q4_1", 4), (8, "Q8_0", 8)])
def test_gguf_blocks_are_what_the_format_says(kind: int, name: str, bits: int, tmp_path: Path) -> None:
    raw, matrix = blocks(3, 96, kind)
    path = tmp_path / "w.gguf"
    path.write_bytes(gguf_file({"blk.0.attn_q.weight": (kind, (3, 96), raw)}))
    np.testing.assert_array_equal(load_tensor(path), matrix)
    np.testing.assert_array_equal(load_weights(path, "blk.0.attn_q.weight", transpose=True, shape=(96, 3)), matrix.T)
    native = load_blocks(path)
    assert (native.type, native.bits, native.block_size, native.shape) == (name, bits, 32, (96, 3))
    assert native.scale.shape == native.offset.shape == (3, 3)
    np.testing.assert_array_equal(native.dequantized(), matrix.T.astype(np.float32))
    assert (native.offset != 0).any() == (name == "Q4_1")
    # The integers are the real matrix on the scale's grid.
    grid = (matrix.T.reshape(3, 32, 3) - native.offset[:, None]) / native.scale[:, None]
    np.testing.assert_allclose(grid.reshape(96, 3), native.integers, atol=1e-3)


def test_gguf_plain_tensors(tmp_path: Path) -> None:
    path = tmp_path / "w.gguf"
    values = RNG.standard_normal((2, 3)).astype(np.float32)
    short = np.array([[1.0, -2.5, 0.15625]], dtype="<f4")  # exact in bfloat16
    path.write_bytes(
        gguf_file(
            {
                "f32": (0, (2, 3), values.tobytes()),
                "f16": (1, (3,), values[0].astype(np.float16).tobytes()),
                "bf16": (30, (1, 3), (short.view("<u4") >> 16).astype("<u2").tobytes()),
                "k": (12, (1, 256), bytes(144)),
            },
            version=2,
        )
    )
    np.testing.assert_array_equal(load_weights(path, "f32"), values)
    np.testing.assert_array_equal(load_tensor(path, "f16"), values[0].astype(np.float16))
    np.testing.assert_array_equal(load_tensor(path, "bf16"), short)
    assert tensor_shapes(path) == {"f32": (2, 3), "f16": (3,), "bf16": (1, 3), "k": (1, 256)}
    assert tensor_names(path) == ("f32", "f16", "bf16", "k")
    with pytest.raises(InputError, match=r"tensor f32 has the type F32, .*integers are taken from Q4_0"):
        load_blocks(path, "f32")
    with pytest.raises(InputError, match="did you mean 'bf16'"):
        load_tensor(path, "bf61")


def test_gguf_of_the_reference_library(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    x = RNG.standard_normal((4, 64)).astype(np.float32)
    writer = gguf.GGUFWriter(tmp_path / "w.gguf", "llama")
    kinds = {n: getattr(gguf.GGMLQuantizationType, n) for n in ("Q4_0", "Q4_1", "Q8_0")}
    for name, kind in kinds.items():
        writer.add_tensor(name, gguf.quantize(x, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    for name, kind in kinds.items():
        expected = gguf.dequantize(gguf.quantize(x, kind), kind)
        np.testing.assert_array_equal(load_tensor(tmp_path / "w.gguf", name), expected)


def test_gguf_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    whole = gguf_file({"a": (8, (1, 32), blocks(1, 32, 8)[0]), "b": (0, (2,), bytes(8))})
    path = tmp_path / "w.gguf"
    for keep in range(len(whole)):
        path.write_bytes(whole[:keep])
        with pytest.raises(InputError, match=r"truncated|not a GGUF file"):
            load_tensor(path, "a")
    path.write_bytes(whole)
    assert load_tensor(path, "b").tolist() == [0, 0]


def test_gguf_with_impossible_headers(tmp_path: Path) -> None:
    raw = blocks(1, 32, 8)[0]
    path = tmp_path / "w.gguf"
    for content, why in (
        (gguf_file({"a": (8, (1, 32), raw)}, version=9), "GGUF of version 9"),
        (gguf_file({"a": (8, (1, 33), raw)}), "33 inputs do not make blocks"),
        (gguf_file({"a": (8, (1, 1, 1, 1, 32), raw)}), "5 dimensions"),
        (gguf_file({"a": (99, (1, 32), raw)}), "type number 99"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60), "truncated"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<I", 77), "value of type 77"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IIQ", 9, 4, 2**62), "truncated"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=why):
            load_tensor(path, "a")
    with pytest.raises(InputError, match="do not make blocks of 32"):
        BlockWeights("x", 4, np.zeros((40, 1), np.int8), np.zeros((1, 1), "f4"), np.zeros((1, 1), "f4"), 32)


@settings(max_examples=80, deadline=None)
@given(data=st.binary(max_size=120), start=st.sampled_from(["", "GGUF", "GGUF\3\0\0\0", "1,z\n"]))
def test_garbage_is_refused_in_one_sentence(data: bytes, start: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("garbage") / ("x.csv" if "z" in start else "x.gguf")
    path.write_bytes(start.encode() + data)
    with pytest.raises(InputError) as caught:
        load_weights(path)
    assert "\n" not in str(caught.value)


def test_csv_with_and_without_headings(tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    for content in (
        "1,-2\n3,4e-1\n",
        "# made by hand\na,b\n1,-2\n\n  # half way\n3,4e-1",
        "\ufeffout 0,out 1\r\n 1 , -2\r\n3,0.4\r\n",
    ):
        path.write_text(content, encoding="utf-8", newline="")
        np.testing.assert_array_equal(load_weights(path), [[1, -2], [3, 0.4]])
    assert tensor_names(path) == ()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("1,2\n3\n", "line 2 has 1 fields, expected 2"),
        ("# x\n\n1,2\n3,x\n", "line 4: 'x' is not a number"),
        ("a,b\n1,2,3\n", "line 2 has 3 fields, expected 2"),
        ("a,1\n1,2\n", "line 1: 'a' is not a number"),
        ("1,2,\n", "line 1: 'an empty field' is not a number"),
        ("1_0,2\n", "line 1: '1_0' is not a number"),
        ('"1",2\n3,4\n', "line 1: '\"1\"' is not a number"),
        ("1;2\n3;4\n", "not a number"),
        ("nan,1\n", r"NaN or infinite, the first at \[0, 0\]"),
        ("1,1e999\n", "NaN or infinite"),
        ("a,b\n", "holds no numbers"),
        ("", "holds no numbers"),
        ("\xff", "holds no numbers|UTF-8"),
    ],
)
def test_csv_is_read_strictly(content: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=why):
        load_weights(path)


def test_hex_words(tmp_path: Path) -> None:
    path = tmp_path / "w.hex"
    path.write_text("// two rows\n@0 7f 80\n/* then\n two more */ ff 00 @4 01\n0A\n")
    expected = [[127, -128, -1], [0, 1, 10]]
    np.testing.assert_array_equal(load_weights(path, words=Words(8), shape=(2, 3)), expected)
    np.testing.assert_array_equal(
        load_weights(path, words=Words(8, signed=False), shape=(2, 3)), [[127, 128, 255], [0, 1, 10]]
    )
    np.testing.assert_array_equal(
        load_weights(path, words=Words(8), shape=(3, 2), transpose=True), np.transpose(expected)
    )
    path.write_text("1f 10 0f")
    # 5 bits: 11111 = -1, 10000 = -16, 01111 = 15
    np.testing.assert_array_equal(load_weights(path, words=Words(5), shape=(1, 3)), [[-1, -16, 15]])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("7f 8", "line 1: '8' has 1 digits, expected 2"),
        ("7f\n080", "line 2: '080' has 3 digits, expected 2"),
        ("7f\nzz", "line 2: 'zz' is not hexadecimal"),
        ("7f", "holds 1 words, expected 1 x 2"),
        ("7f 80 81", "holds 3 words"),
        ("7f @2 80", "address @2 is not that of the next word, 1"),
        ("7f @x 80", "address @x"),
        ("", "holds 0 words"),
        ("3f xx", "'xx' is not hexadecimal"),
    ],
)
def test_hex_is_read_strictly(content: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "w.mem"
    path.write_text(content)
    with pytest.raises(InputError, match=why):
        load_weights(path, words=Words(8), shape=(1, 2))


def test_hex_needs_its_width_and_shape(tmp_path: Path) -> None:
    path = tmp_path / "w.hex"
    path.write_text("3f 40")
    with pytest.raises(InputError, match="needs the width"):
        load_weights(path, shape=(1, 2))
    with pytest.raises(InputError, match="'40' does not fit 6 bits"):
        load_weights(path, words=Words(6), shape=(1, 2))
    with pytest.raises(InputError, match="holds a matrix only"):
        load_tensor(path)
    with pytest.raises(InputError, match="words of 33 bits"):
        Words(33)


def test_integers_are_stored_as_they_are() -> None:
    q = integer_weights(np.array([[3.0, -8.0], [7.0, 0.0]]), 4)
    assert q.values.tolist() == [[3, -8], [7, 0]]
    np.testing.assert_array_equal(q.dequantized(), q.values)
    with pytest.raises(InputError, match=r"8 at \[0, 1\] does not fit 4 bits"):
        integer_weights(np.array([[1.0, 8.0]]), 4)
    with pytest.raises(InputError, match=r"0\.5 at \[0, 0\] is no integer"):
        integer_weights(np.array([[0.5]]), 4)


def test_ternary_quantization() -> None:
    w = np.array([[0.4], [0.6], [-3.0], [0.0]])
    # mean |w| = 1: 0.4 and 0.6 are below 0.7, the mean of the others is 3
    q = quantize(w, 2)
    assert (q.values[:, 0].tolist(), q.scale[0]) == ([0, 0, -1, 0], 3.0)
    # 0.4 rounds to 0, 0.6 to 1, -3 is cut to -1, 0 stays
    q = quantize(w, 2, ternary="bitnet")
    assert (q.values[:, 0].tolist(), q.scale[0]) == ([0, 1, -1, 0], 1.0)
    with pytest.raises(InputError, match="ternary rule 'mean' is not known; twn or bitnet"):
        quantize(w, 2, ternary="mean")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_ternary_weights_keep_their_digits_and_the_scale(kind: type[np.floating[Any]]) -> None:
    rng = np.random.default_rng(6)
    digits = rng.choice([-1, 0, 1], (6912, 40), p=[0.29, 0.42, 0.29])
    digits[:, 0], digits[1:, 1], digits[0, 1] = 0, 0, -1  # no digit, and one alone
    scale = rng.uniform(1e-3, 3, 40).astype(np.float32)
    weights = (digits * scale).astype(kind)
    for rule in TERNARY_RULES:
        values, found = quantize_columns(weights, 1, ternary=rule)
        np.testing.assert_array_equal(values, digits)
        assert found[0] == 1
        if rule == "twn":
            assert found.dtype == kind
            np.testing.assert_array_equal(found[1:], scale[1:])


def test_the_ternary_rule_errs_as_the_closed_form_of_normal_weights_says() -> None:
    """E (w - s q)^2 = 1 - 2 phi(t)^2 / Q(t) for the threshold t = 0.7 sqrt(2 / pi) and the scale s = phi(t) / Q(t)."""
    w = np.random.default_rng(0).standard_normal((200_000, 1))
    t = 0.7 * math.sqrt(2 / math.pi)
    density, tail = math.exp(-t * t / 2) / math.sqrt(2 * math.pi), math.erfc(t / math.sqrt(2)) / 2
    errors = {rule: ((quantize(w, 2, ternary=rule).dequantized() - w) ** 2).mean() for rule in TERNARY_RULES}
    assert quantize(w, 2).scale[0] == pytest.approx(density / tail, rel=5e-3)
    assert errors["twn"] == pytest.approx(1 - 2 * density**2 / tail, rel=1e-2)
    assert errors["bitnet"] > 1.1 * errors["twn"]


def test_a_damaged_npy_header_is_refused(tmp_path: Path) -> None:
    """numpy parses the header as Python text: an open bracket ends in a TokenError, a huge shape in a MemoryError."""
    path = tmp_path / "w.npy"
    np.save(path, np.ones((16, 2)))
    whole = path.read_bytes()
    for old, new in ((b")", b"("), (b"(16, 2)", b"(9" + b"9" * 14 + b",2)"), (b"'descr'", b"\x00descr'")):
        path.write_bytes(whole.replace(old, new, 1))
        with pytest.raises(InputError, match="not a readable"):
            load_tensor(path)


def test_a_stray_carriage_return_in_csv_is_refused_and_windows_lines_are_not(tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    path.write_bytes(b"1,2\n\r3,4\n")
    with pytest.raises(InputError, match="line 2"):
        load_tensor(path)
    path.write_bytes(b"1,2\r\n3,4\r\n")
    np.testing.assert_array_equal(load_tensor(path), [[1, 2], [3, 4]])


def test_gguf_with_an_empty_huge_tensor_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.gguf"
    path.write_bytes(gguf_file({"a": (0, (0, 2**60), b"")}))
    with pytest.raises(InputError, match="holds no numbers"):
        load_tensor(path, "a")


def test_safetensors_offsets_of_one_number_are_refused(tmp_path: Path) -> None:
    head = b'{"w":{"dtype":"F32","shape":[1,1],"data_offsets":[4]}}'
    path = tmp_path / "w.safetensors"
    path.write_bytes(struct.pack("<Q", len(head)) + head + bytes(4))
    with pytest.raises(InputError, match="header cannot be read"):
        load_tensor(path, "w")


def test_an_npz_member_that_is_no_array_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w.npy", b"something else")
    with pytest.raises(InputError, match="is not an array"):
        load_tensor(path, "w")


@pytest.mark.parametrize("piece", [1, 7, 64])
def test_gguf_header_in_small_pieces(piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A header longer than what is read at once gives the same metadata and tensors."""
    raw = blocks(2, 64, 8)[0]
    path = tmp_path / "w.gguf"
    path.write_bytes(gguf_file({"a": (8, (2, 64), raw), "b": (0, (2,), bytes(8))}))
    whole = GgufFile(path)
    monkeypatch.setattr("netlists.weights.gguf_file._PIECE", piece)
    found = GgufFile(path)
    assert found.metadata == whole.metadata == {
        "general.alignment": 64, "general.name": "tiny", "tokens": ["a", "bc"], "scores": [1.0, 2.0, 3.0]
    }  # fmt: skip
    assert found.tensors == whole.tensors

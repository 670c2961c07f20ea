"""Quantized GGUF tensors against the package gguf: every type, random blocks, and what is refused."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interconnect.errors import InputError, MissingLibrary
from interconnect.optional import has_library
from netlists.weights import BlockWeights, gguf_formats, load_blocks, load_tensor, load_weights
from netlists.weights.gguf_formats import BLOCKS, INTEGER_BLOCKS, NAMES
from tests.netlists.test_weight_formats import gguf_file

needs_gguf = pytest.mark.skipif(not has_library("gguf"), reason="the extra `llm` (gguf) is missing")

STORED = sorted(set(BLOCKS) - {9, 15})
Q4_K, TQ1_0, TQ2_0 = 12, 34, 35


def random_blocks(kind: int, count: int, seed: int = 0) -> np.ndarray:
    """Random bytes, shape (count, bytes of a block), with finite scales and no code 3 of TQ2_0."""
    rng = np.random.default_rng([kind, seed])
    raw = rng.integers(0, 256, (count, BLOCKS[kind][1]), dtype=np.uint8)
    if kind == TQ2_0:
        digits = raw[:, :64]
        digits ^= digits & digits >> 1 & 0x55
    return raw


@needs_gguf
@pytest.mark.parametrize("kind", STORED, ids=lambda kind: NAMES[kind])
def test_values_equal_the_package_gguf(kind: int, tmp_path: Path) -> None:
    import gguf

    raw = random_blocks(kind, 1200)
    with np.errstate(all="ignore"):
        wanted = gguf.quants.dequantize(raw, gguf.GGMLQuantizationType(kind))
    assert tuple(gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType(kind)]) == BLOCKS[kind]
    finite = np.isfinite(wanted).all(axis=1)
    assert finite.sum() >= 1000  # the others have NaN or infinity as a scale
    path = tmp_path / "w.gguf"
    path.write_bytes(gguf_file({"w": (kind, (int(finite.sum()), BLOCKS[kind][0]), raw[finite].tobytes())}))
    assert np.abs(load_tensor(path, "w") - wanted[finite]).max() == 0


@needs_gguf
@pytest.mark.parametrize("kind", [TQ1_0, TQ2_0], ids=["TQ1_0", "TQ2_0"])
def test_what_gguf_packs_as_ternary_is_read_as_the_same_digits(kind: int, tmp_path: Path) -> None:
    import gguf

    rng = np.random.default_rng(3)
    digits = rng.integers(-1, 2, (1000, 512)).astype(np.float32)
    digits[:, ::256] = 1  # the largest value of a block is its scale
    scale = rng.choice([0.25, 0.5, 2.0], (1000, 1)).astype(np.float32)
    raw = gguf.quants.quantize(digits * scale, gguf.GGMLQuantizationType(kind))
    path = tmp_path / "w.gguf"
    path.write_bytes(gguf_file({"w": (kind, (1000, 512), raw.tobytes())}))
    blocks = load_blocks(path, "w")
    assert (blocks.type, blocks.bits, blocks.block_size, blocks.shape) == (NAMES[kind], 2, 256, (512, 1000))
    np.testing.assert_array_equal(blocks.integers.T, digits)
    np.testing.assert_array_equal(blocks.scale, np.broadcast_to(scale.T, (2, 1000)))
    np.testing.assert_array_equal(load_weights(path, "w", transpose=True), (digits * scale).T)


def test_every_byte_of_base_three_is_what_the_format_says() -> None:
    # ggml's rule: digit k of a byte is ((byte * 3^k mod 256) * 3) >> 8; a number v of five digits is ceil(256 v / 243)
    v = np.arange(243)
    raw = np.zeros((243, 54), np.uint8)
    raw[:, :48] = (-(-256 * v // 243))[:, None]
    digits, _, _ = gguf_formats.unpack(TQ1_0, raw, "w")
    for place in range(5):
        np.testing.assert_array_equal(digits[:, 32 * place : 32 * place + 32].T + 1, [v // 3 ** (4 - place) % 3] * 32)


def test_the_code_three_of_tq2_is_refused(tmp_path: Path) -> None:
    raw = random_blocks(TQ2_0, 2)
    raw[:, 64:] = np.frombuffer(struct.pack("<e", 1.0), np.uint8)
    raw[1, 7] |= 0b00110000
    path = tmp_path / "w.gguf"
    path.write_bytes(gguf_file({"w": (TQ2_0, (2, 256), raw.tobytes())}))
    for read in (load_tensor, load_blocks):
        with pytest.raises(InputError, match="w: holds the code 3, which is no ternary digit"):
            read(path, "w")


@pytest.mark.parametrize(
    ("kind", "shape", "words"),
    [
        (36, (4, 128), "type I2_S: the order of its values depends on the build"),
        (15, (1, 256), "has the type Q8_K; read are F32, .*Q4_K, .*TQ2_0"),
        (33, (1, 256), "has the type number 33"),
        (Q4_K, (1, 576), "576 inputs do not make blocks of 256"),
        (Q4_K, (2**40, 2**40), "is truncated"),
        (Q4_K, (0, 256), "holds no numbers"),
        (Q4_K, (256, 0), "holds no numbers"),
        (Q4_K, (3, 256), "is truncated: tensor w ends at byte"),
    ],
)
def test_what_is_not_read_is_refused(kind: int, shape: tuple[int, int], words: str, tmp_path: Path) -> None:
    path = tmp_path / "w.gguf"
    path.write_bytes(gguf_file({"w": (kind, shape, bytes(292))}))
    with pytest.raises(InputError, match=words) as caught:
        load_tensor(path, "w")
    assert "\n" not in str(caught.value)


def test_integers_are_not_taken_from_formats_of_several_scales(tmp_path: Path) -> None:
    path = tmp_path / "w.gguf"
    path.write_bytes(gguf_file({"w": (Q4_K, (1, 256), bytes(144))}))
    with pytest.raises(InputError, match="Q4_K, whose blocks have no single scale; integers are taken from Q4_0, "):
        load_blocks(path, "w")
    assert Q4_K not in INTEGER_BLOCKS


def test_without_the_package_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, **words: Any) -> Any:
        raise MissingLibrary(f"{words['purpose']} need the package {name}", hint=words["extra"])

    monkeypatch.setattr(gguf_formats, "optional_library", missing)
    path = tmp_path / "w.gguf"
    path.write_bytes(gguf_file({"w": (Q4_K, (1, 256), bytes(144))}))
    with pytest.raises(MissingLibrary, match="GGUF tensors of type Q4_K need the package gguf; llm"):
        load_tensor(path, "w")


def test_blocks_join_to_columns_only_where_their_scales_agree() -> None:
    rng = np.random.default_rng(8)
    digits, zeros = rng.integers(-1, 2, (512, 3)).astype(np.int8), np.zeros((2, 3), np.float32)
    same = np.full((2, 3), 0.25, np.float32) * np.arange(1, 4, dtype=np.float32)
    joined = BlockWeights("TQ2_0", 2, digits, same, zeros, 256).whole_columns()
    assert (joined.block_size, joined.scale.shape, joined.offset.shape) == (512, (1, 3), (1, 3))
    np.testing.assert_array_equal(joined.dequantized(), digits * same[0])
    other = same.copy()
    other[1, 2] = 0.5
    for scale, offset in ((other, zeros), (same, zeros + 1)):
        blocks = BlockWeights("TQ2_0", 2, digits, scale, offset, 256)
        assert blocks.whole_columns() is blocks

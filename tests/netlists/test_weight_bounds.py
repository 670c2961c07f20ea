"""Weight files that ask for more memory than they are worth, or are damaged in ways that a library does not name."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from interconnect.errors import InputError
from netlists.weights import GgufFile, load_tensor
from netlists.weights.safetensors_file import MAX_HEADER
from tests.netlists.test_weight_formats import gguf_file


def safetensors(path: Path, dtype: str, offsets: list[int], data: bytes) -> Path:
    head = json.dumps({"w": {"dtype": dtype, "shape": [2], "data_offsets": offsets}}).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + data)
    return path


def test_safetensors_headers_are_bounded_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", MAX_HEADER + 1))
        file.truncate(MAX_HEADER + 9)
    with pytest.raises(InputError, match=f"header of {MAX_HEADER + 1} bytes"):
        load_tensor(path, "w")


@pytest.mark.parametrize("dtype", ["F8_E8M0", "F4"])
def test_types_whose_scale_lies_elsewhere_are_refused(dtype: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"tensor w is stored as {dtype}; read are F64, "):
        load_tensor(safetensors(tmp_path / "w.safetensors", dtype, [0, 2], bytes(2)), "w")


def test_bfloat16_never_reads_the_header_as_data(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_tensor(safetensors(tmp_path / "w.safetensors", "BF16", [-4, 0], bytes(4)), "w")


def npy(shape: str, data: bytes, dtype: str = "<f8") -> bytes:
    head = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data


def test_npz_members_are_compared_with_their_size_first(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w.npy", npy("(1000000000, 1)", bytes(64)))
    with pytest.raises(InputError, match="promises an array of shape"):
        load_tensor(path, "w")
    plain = tmp_path / "w.npy"
    plain.write_bytes(npy("(1000000000, 1)", bytes(64)))
    with pytest.raises(InputError, match="promises an array of shape"):
        load_tensor(plain)


def test_an_npz_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w.npy", npy("(16, 16)", bytes(2048)))
    raw = path.read_bytes()
    # The size that the directory of the archive states for the member, unpacked.
    at = raw.index(b"PK\x01\x02") + 24
    path.write_bytes(raw[:at] + struct.pack("<I", 2**31) + raw[at + 4 :])
    with pytest.raises(InputError, match="2147483648 bytes is packed in a file of"):
        load_tensor(path, "w")


def test_an_npz_packed_by_lzma_and_damaged_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("w.npy", npy("(16, 16)", np.random.default_rng(1).bytes(2048).replace(b"\xff", b"\x00")))
    whole = path.read_bytes()
    assert load_tensor(path, "w").shape == (16, 16)
    for at in range(50, 400, 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with pytest.raises(InputError, match=r"w\.npz"):
            load_tensor(path, "w")


@pytest.mark.parametrize("shape", [(0, 64), (2**40, 0)])
def test_gguf_blocks_without_numbers_are_refused(shape: tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / "w.gguf"
    path.write_bytes(gguf_file({"a": (8, shape, b"")}))
    for read in (lambda: load_tensor(path, "a"), lambda: GgufFile(path).blocks("a")):
        with pytest.raises(InputError, match="holds no numbers"):
            read()


def test_gguf_of_a_type_that_is_not_read_still_fits_its_file(tmp_path: Path) -> None:
    path = tmp_path / "w.gguf"
    path.write_bytes(gguf_file({"a": (14, (2**60, 2**60), bytes(64))}))
    with pytest.raises(InputError, match="is truncated: tensor a ends at byte"):
        GgufFile(path)


@pytest.mark.parametrize("digit", ["\u0663", "\uff11", "\u0967"])
def test_digits_of_other_scripts_are_no_numbers(digit: str, tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    path.write_text(f"1,2\n3,{digit}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 2: .* is not a number"):
        load_tensor(path)

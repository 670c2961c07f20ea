"""`$readmemh` files: words in hexadecimal, one a line, under comments and a digest."""

from pathlib import Path
from typing import Any

import numpy as np

from interconnect.arrays import ByteArray, FloatArray, IntArray
from interconnect.errors import InputError

MARK = "//"


def doubles(values: FloatArray) -> str:
    """Every value as the 64 bits of an IEEE 754 double, in C order; what is not a number is one canonical word."""
    flat = np.where(np.isnan(values), np.nan, values).astype(">f8")
    return lines_of(flat.tobytes().hex(), 16)


def integer_words(values: IntArray, bits: int) -> str:
    """Integers as words of `bits` bits in two's complement (at most 64)."""
    mask = np.uint64(2**bits - 1)
    flat = (values.astype(np.int64).view(np.uint64) & mask).astype(">u8")
    digits = -(-bits // 4)
    full = flat.tobytes().hex()
    return "".join(f"{full[k + 16 - digits : k + 16]}\n" for k in range(0, len(full), 16))


def bit_words(bits: ByteArray) -> str:
    """Words of bits, shape (words, width); bit 0 of a word is entry 0 of its row."""
    digits = -(-bits.shape[1] // 4)
    padded = np.zeros((len(bits), -(-bits.shape[1] // 8) * 8), np.uint8)
    padded[:, : bits.shape[1]] = bits
    full = np.packbits(padded[:, ::-1], axis=1).tobytes().hex()
    step = padded.shape[1] // 4
    return "".join(f"{full[k + step - digits : k + step]}\n" for k in range(0, len(full), step))


def lines_of(text: str, digits: int) -> str:
    """A string cut into lines of `digits`."""
    return "".join(f"{text[k : k + digits]}\n" for k in range(0, len(text), digits))


def words_of(text: str, where: Path) -> list[str]:
    """Words of a file, without comments. Raises InputError if there are none or one is not hexadecimal."""
    words = [line for line in text.splitlines() if line and not line.startswith(MARK)]
    if not words or not all(set(word) <= set("0123456789abcdef") for word in words):
        raise InputError("contains something other than hexadecimal words", where=str(where))
    return words


def doubles_in(text: str, where: Path, shape: tuple[int, ...]) -> FloatArray:
    """What `doubles` wrote, in that shape. Raises InputError for another number or size of words."""
    words = words_of(text, where)
    if len(words) != int(np.prod(shape)) or any(len(word) != 16 for word in words):
        raise InputError(f"{len(words)} words, expected {int(np.prod(shape))} of 64 bits", where=str(where))
    return np.frombuffer(bytes.fromhex("".join(words)), ">f8").astype(np.float64).reshape(shape)


def bits_in(text: str, where: Path, width: int) -> ByteArray:
    """What `bit_words` wrote: shape (words, width)."""
    numbers: list[Any] = [int(word, 16) for word in words_of(text, where)]
    data = b"".join(n.to_bytes(-(-width // 8), "little") for n in numbers)
    raw = np.frombuffer(data, np.uint8).reshape(len(numbers), -1)
    return np.unpackbits(raw, axis=1, bitorder="little")[:, :width]

"""Integer matrices as hexadecimal words, as `$readmemh` of Verilog reads them, row by row."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interconnect.arrays import IntArray
from interconnect.errors import InputError, shortened
from interconnect.files import read_bytes
from netlists.weights.csv_file import LIMIT

_COMMENT = re.compile(rb"//[^\n]*|/\*.*?\*/", re.DOTALL)
_DIGIT = np.full(256, 255, dtype=np.uint8)
_DIGIT[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)
_DIGIT[np.frombuffer(b"ABCDEF", np.uint8)] = np.arange(10, 16)


@dataclass(frozen=True, slots=True)
class Words:
    """Words of a hex file: width in bits, two's complement (`signed`) or not."""

    bits: int
    signed: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 32:
            raise InputError(f"words of {self.bits} bits cannot be read", hint="1 to 32")

    @property
    def digits(self) -> int:
        """Hexadecimal digits of a word."""
        return -(-self.bits // 4)


def read_hex_weights(path: Path, name: str | None, words: Words, shape: tuple[int, ...]) -> tuple[IntArray, str]:
    """(integers of `shape`, what to call them in a sentence).

    Every word has exactly the digits of its width; `//` and `/* */` comments count as blanks. An address `@...` must be
    that of the word that follows.

    Raises:
        InputError: a word of another width or value, an address out of order, or another number of words.
    """
    where = str(path)
    if name is not None:
        raise InputError("a hex file holds a single unnamed matrix", where=where, hint="omit the tensor name")
    # Comments become their line breaks, so that lines keep their numbers.
    text = _COMMENT.sub(lambda m: b" " + b"\n" * m[0].count(b"\n"), read_bytes(path, limit=LIMIT))
    tokens = _without_addresses(text.split(), where) if b"@" in text else text.split()
    if len(tokens) != math.prod(shape):
        raise InputError(f"holds {len(tokens)} words, expected {' x '.join(map(str, shape))}", where=where)
    if any(length != words.digits for length in set(map(len, tokens))):
        bad = next(t for t in tokens if len(t) != words.digits)
        raise InputError(
            f"{_place(text, bad)} has {len(bad)} digits, expected {words.digits} ({words.bits} bits)", where=where
        )
    digits = _DIGIT[np.frombuffer(b"".join(tokens), np.uint8).reshape(-1, words.digits)]
    wrong = (digits == 255).any(axis=1)
    if wrong.any():
        raise InputError(f"{_place(text, tokens[int(wrong.argmax())])} is not hexadecimal", where=where)
    values = digits.astype(np.int64) @ (16 ** np.arange(words.digits - 1, -1, -1, dtype=np.int64))
    if (values >> words.bits).any():
        bad = tokens[int((values >> words.bits > 0).argmax())]
        raise InputError(f"{_place(text, bad)} does not fit {words.bits} bits", where=where)
    if words.signed:
        values -= (values >> (words.bits - 1)) << words.bits
    return values.reshape(shape), "the matrix"


def _without_addresses(tokens: list[bytes], where: str) -> list[bytes]:
    kept: list[bytes] = []
    for token in tokens:
        if not token.startswith(b"@"):
            kept.append(token)
        elif not re.fullmatch(rb"@[0-9a-fA-F]{1,16}", token) or int(token[1:], 16) != len(kept):
            shown = shortened(token.decode("ascii", "replace"))
            raise InputError(f"the address {shown} is not that of the next word, {len(kept)}", where=where)
    return kept


def _place(text: bytes, token: bytes) -> str:
    """`line 3: 'zz'` for the first occurrence of a word."""
    found = re.search(rb"(?<!\S)" + re.escape(token) + rb"(?!\S)", text)
    line = text.count(b"\n", 0, found.start() if found else 0) + 1
    return f"line {line}: {shortened(token.decode('ascii', 'replace'))!r}"

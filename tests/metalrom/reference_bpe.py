"""Byte-level byte-pair encoding (GPT-2, Radford et al. 2019) with the splitting of the SmolLM family: single digits."""

import functools
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from interconnect.errors import InputError

_CONTRACTION = re.compile(r"'(?:s|t|re|ve|m|ll|d)")
_RUN = re.compile(r" ?L+| ?O+|[ S]+(?![^ S])|[ S]+")
"""GPT-2's pattern over classes of characters: L letter, O other, S and blank white space (digits never get here)."""


@functools.cache
def byte_letters() -> tuple[str, ...]:
    """The printable character that stands for each byte: itself if it is printable Latin-1, else 256, 257, ..."""
    own = {*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    spare = iter(range(256, 512))
    return tuple(chr(b) if b in own else chr(next(spare)) for b in range(256))


def split_text(text: str) -> Iterator[str]:
    """Pieces that merges never cross; joined they are `text` again."""
    start = 0
    for i, c in enumerate(text):
        if unicodedata.category(c)[0] == "N":
            yield from _split_segment(text[start:i])
            yield c
            start = i + 1
    yield from _split_segment(text[start:])


def _split_segment(text: str) -> Iterator[str]:
    classes = "".join(_class(c) for c in text)
    at = 0
    while at < len(text):
        found = _CONTRACTION.match(text, at) or _RUN.match(classes, at)
        if found is None:  # the classes leave no other character
            raise AssertionError(text[at:])
        yield text[at : found.end()]
        at = found.end()


def _class(c: str) -> str:
    if c == " " or c.isalpha():
        return " " if c == " " else "L"
    return "S" if c.isspace() and not "\x1c" <= c <= "\x1f" else "O"


class BytePairs:
    """A vocabulary (tokens in the order of their ids) and its merges (`left right`, most frequent first).

    unknown: id of a byte that the vocabulary lacks (rare control bytes). Raises InputError without plain letters.
    """

    def __init__(self, tokens: Sequence[str], merges: Sequence[str], *, unknown: int = 0) -> None:
        self._ids: Mapping[str, int] = {token: i for i, token in enumerate(tokens)}
        self._rank = {tuple(merge.split(" ")): i for i, merge in enumerate(merges)}
        self._unknown = unknown
        if any(letter not in self._ids for letter in byte_letters()[ord("!") : ord("~") + 1]):
            raise InputError("the vocabulary is not one of byte-level byte pairs: a printable byte is missing")
        self._piece = functools.lru_cache(maxsize=1 << 16)(self._merged)

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`; special tokens in it are read as plain text."""
        return [i for piece in split_text(text) for i in self._piece(piece)]

    def _merged(self, piece: str) -> tuple[int, ...]:
        letters = byte_letters()
        parts = [letters[b] for b in piece.encode("utf-8", "replace")]
        while len(parts) > 1:
            ranks = [self._rank.get(pair, len(self._rank)) for pair in pairwise(parts)]
            least = min(ranks)
            if least == len(self._rank):
                break
            joined: list[str] = []
            i = 0
            while i < len(parts):
                merge = i < len(ranks) and ranks[i] == least
                joined.append(parts[i] + parts[i + 1] if merge else parts[i])
                i += 2 if merge else 1
            parts = joined
        return tuple(self._ids.get(part, self._unknown) for part in parts)

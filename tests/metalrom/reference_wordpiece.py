"""WordPiece (Schuster, Nakajima 2012) as uncased BERT uses it: clean, split, then longest piece first."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from interconnect.errors import InputError
from interconnect.files import read_bytes

LONGEST_WORD = 100
"""Characters; a longer word becomes [UNK] (BERT's own)."""

_CJK = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)
"""Blocks whose every character is a word of its own."""


@dataclass(frozen=True)
class WordPiece:
    """A vocabulary: token -> id, pieces inside a word written `##piece`."""

    vocabulary: Mapping[str, int]

    def encode(self, text: str, *, most: int | None = None) -> list[int]:
        """Token ids with [CLS] first and [SEP] last; at most `most` tokens together, cut before [SEP]."""
        ids = [self.vocabulary[piece] for word in split_words(text) for piece in self._pieces(word)]
        if most is not None:
            if most < 3:
                raise InputError(f"a limit of {most} tokens leaves no room for a text", hint="at least 3")
            ids = ids[: most - 2]
        return [self.vocabulary["[CLS]"], *ids, self.vocabulary["[SEP]"]]

    def _pieces(self, word: str) -> list[str]:
        if len(word) > LONGEST_WORD:
            return ["[UNK]"]
        pieces: list[str] = []
        start = 0
        while start < len(word):
            mark = "##" if start else ""
            for end in range(len(word), start, -1):
                if mark + word[start:end] in self.vocabulary:
                    pieces.append(mark + word[start:end])
                    start = end
                    break
            else:
                return ["[UNK]"]
        return pieces


def load_wordpiece(path: Path) -> WordPiece:
    """A vocab.txt, one token a line. Raises InputError if it cannot be read or lacks a special token."""
    try:
        lines = read_bytes(path).decode("utf-8").rstrip("\n").split("\n")
    except UnicodeDecodeError:
        raise InputError("is not a vocabulary (no UTF-8 text)", where=str(path)) from None
    vocabulary = {token: i for i, token in enumerate(lines)}
    for special in ("[CLS]", "[SEP]", "[UNK]"):
        if special not in vocabulary:
            raise InputError(f"is not BERT's vocabulary: {special} is missing", where=str(path))
    return WordPiece(vocabulary)


def split_words(text: str) -> list[str]:
    """Words and single punctuation marks of `text`: no control characters, no accents, lower case."""
    cleaned = "".join(_clean(c) for c in text)
    plain = "".join(c for c in unicodedata.normalize("NFD", cleaned) if unicodedata.category(c) != "Mn").lower()
    return "".join(f" {c} " if _punctuation(c) else c for c in plain).split()


def _clean(c: str) -> str:
    if c in "\t\n\r" or unicodedata.category(c) == "Zs":
        return " "
    if c in "\0\ufffd" or unicodedata.category(c) in ("Cc", "Cf", "Cn", "Co"):
        return ""
    return f" {c} " if any(low <= ord(c) <= high for low, high in _CJK) else c


def _punctuation(c: str) -> bool:
    ascii_mark = c.isascii() and c.isprintable() and not c.isalnum() and c != " "
    return ascii_mark or unicodedata.category(c).startswith("P")

"""Tokenizers of the networks, built with the package tokenizers (extra `llm`) from the vocabulary of their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from interconnect.errors import InputError, error_text, shortened
from interconnect.files import read_text
from interconnect.optional import optional_library
from netlists.weights import GgufFile

MAX_TOKENIZER = 2**27
"""Bytes of a tokenizer.json; those of 256,000 tokens have 35 MB."""

PROBE = "a"
"""A text that every vocabulary has."""

LONGEST_WORD = 100
"""Characters; a longer word becomes [UNK] (BERT's own)."""


class Encoder(Protocol):
    """Turns a text into token ids."""

    def encode(self, text: str, *, most: int | None = None) -> list[int]:
        """Token ids of `text`, `most` of them at most."""
        ...


@dataclass(frozen=True)
class Tokenizer:
    """A tokenizer of the package, and the ids that stand before and behind every text."""

    library: Any
    first: tuple[int, ...] = ()
    last: tuple[int, ...] = ()

    def encode(self, text: str, *, most: int | None = None) -> list[int]:
        """Token ids of `text`, `most` at most, cut before the last ones; special tokens in it are plain text."""
        room = None if most is None else most - len(self.first) - len(self.last)
        if room is not None and room < 1:
            raise InputError(f"a limit of {most} tokens leaves no room for a text", hint="at least 3")
        whole = text.encode("utf-8", "replace").decode()
        ids = self.library.encode(whole, add_special_tokens=False).ids
        return [*self.first, *ids[:room], *self.last]


def byte_pairs(tokens: Sequence[str], merges: Sequence[str], *, unknown: int = 0) -> Tokenizer:
    """Byte-level byte pairs (GPT-2, Radford et al. 2019) with the splitting of the SmolLM family: single digits.

    tokens: in the order of their ids; merges: `left right`, most frequent first; unknown: id of a byte that the
    vocabulary lacks (rare control bytes). Raises InputError for a vocabulary that does not fit.
    """
    library = _library()
    ids = {token: i for i, token in enumerate(tokens)}
    if any(chr(letter) not in ids for letter in range(ord("!"), ord("~") + 1)):
        raise InputError("the vocabulary is not one of byte-level byte pairs: a printable byte is missing")
    if not 0 <= unknown < len(tokens):
        raise InputError(f"the vocabulary of {len(tokens)} tokens has no token {unknown}")
    pairs = [tuple(merge.split(" ")) for merge in merges]
    odd = next((pair for pair in pairs if len(pair) != 2 or not {*pair, "".join(pair)} <= ids.keys()), None)
    if odd is not None:
        raise InputError(f"the merge {shortened(repr(' '.join(odd)))} is not one of two tokens into a third")
    try:
        found = library.Tokenizer(library.models.BPE(ids, pairs, unk_token=tokens[unknown]))
    except Exception as error:  # the library's own kinds
        raise InputError(f"the vocabulary is refused by tokenizers ({shortened(error_text(error))})") from None
    split = library.pre_tokenizers
    found.pre_tokenizer = split.Sequence(
        [split.Digits(individual_digits=True), split.ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    return Tokenizer(found)


def gguf_tokenizer(file: GgufFile) -> Tokenizer:
    """The tokenizer of a GGUF file. Raises InputError for one that is not byte-level with single digits (`smollm`)."""
    kind = (file.get("tokenizer.ggml.model", str), file.get("tokenizer.ggml.pre", str))
    if kind != ("gpt2", "smollm"):
        raise InputError(f"has tokenizer {kind}, expected ('gpt2', 'smollm')", where=str(file.path))
    tokens, merges = file.get("tokenizer.ggml.tokens", list), file.get("tokenizer.ggml.merges", list)
    if not all(isinstance(text, str) for text in (*tokens, *merges)):
        raise InputError("has a vocabulary that is no list of texts", where=str(file.path))
    try:
        return byte_pairs(tokens, merges, unknown=file.get("tokenizer.ggml.unknown_token_id", int))
    except InputError as error:
        raise type(error)(error.what, where=error.where or str(file.path), hint=error.hint) from None


def load_tokenizer(path: Path) -> Tokenizer:
    """A tokenizer.json of the package itself; what it puts around every text is kept.

    Raises InputError if it cannot be read, or puts other tokens between those of a text.
    """
    library = _library()
    content = read_text(path, limit=MAX_TOKENIZER)
    try:
        found = library.Tokenizer.from_str(content)
        plain, whole = (found.encode(PROBE, add_special_tokens=special).ids for special in (False, True))
    except Exception as error:  # the library's own kinds
        raise InputError(f"is refused by tokenizers ({shortened(error_text(error))})", where=str(path)) from None
    for start in range(len(whole) - len(plain) + 1):
        if plain and whole[start : start + len(plain)] == plain:
            return Tokenizer(found, tuple(whole[:start]), tuple(whole[start + len(plain) :]))
    raise InputError("puts special tokens inside a text, which is not supported", where=str(path))


def word_pieces(words: Sequence[str]) -> Tokenizer:
    """WordPiece (Schuster, Nakajima 2012) as uncased BERT uses it; words: in the order of their ids.

    Raises InputError if a special token is missing.
    """
    library = _library()
    ids = {word: i for i, word in enumerate(words)}
    for special in ("[CLS]", "[SEP]", "[UNK]"):
        if special not in ids:
            raise InputError(f"is not BERT's vocabulary: {special} is missing")
    model = library.models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=LONGEST_WORD)  # noqa: S106
    found = library.Tokenizer(model)
    found.normalizer = library.normalizers.BertNormalizer(lowercase=True)
    found.pre_tokenizer = library.pre_tokenizers.BertPreTokenizer()
    return Tokenizer(found, (ids["[CLS]"],), (ids["[SEP]"],))


def load_word_pieces(path: Path) -> Tokenizer:
    """A vocab.txt, one token a line. Raises InputError if it cannot be read or lacks a special token."""
    words = read_text(path).rstrip("\n").split("\n")
    try:
        return word_pieces(words)
    except InputError as error:
        raise type(error)(error.what, where=error.where or str(path), hint=error.hint) from None


def _library() -> Any:
    return optional_library("tokenizers", extra="llm", purpose="texts for a network")

"""Tokenizers of the package against this project's own implementations of the same definitions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interconnect.errors import InputError
from interconnect.optional import has_library
from metalrom.assets import asset_path, asset_state
from metalrom.studies.accuracy.datasets import lee_documents
from metalrom.workloads.networks.fetched import SMOLLM2_FILE
from metalrom.workloads.networks.tokenizer import byte_pairs, gguf_tokenizer, load_word_pieces, word_pieces
from netlists.weights import GgufFile
from tests.metalrom.reference_bpe import BytePairs, byte_letters
from tests.metalrom.reference_wordpiece import WordPiece, load_wordpiece

pytestmark = pytest.mark.skipif(not has_library("tokenizers"), reason="the extra `llm` (tokenizers) is missing")

MERGES = ["l o", "Ġ lo", "lo w", "Ġlo w", "e r", "Ġ e", "Ċ Ċ", "' t", "1 2"]
TOKENS = [*byte_letters(), *(m.replace(" ", "") for m in MERGES)]
WORDS = ["[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "##a", "naive", ",", "東", "unaff", "a", "##b", "e", "1"]
PLAIN = st.text(st.one_of(st.sampled_from("lower 12'tunaffable,.é東\n\t "), st.characters(max_codepoint=0x24F)))
"""Texts of characters whose classes every version of Unicode has alike."""


@settings(max_examples=300, deadline=None)
@given(PLAIN)
def test_byte_pairs_equal_the_reference(text: str) -> None:
    assert byte_pairs(TOKENS, MERGES).encode(text) == BytePairs(TOKENS, MERGES).encode(text)


@settings(max_examples=300, deadline=None)
@given(PLAIN)
def test_word_pieces_equal_the_reference(text: str) -> None:
    reference = WordPiece({word: i for i, word in enumerate(WORDS)})
    found = word_pieces(WORDS)
    assert found.encode(text) == reference.encode(text)
    assert found.encode(text, most=4) == reference.encode(text, most=4)


def test_special_tokens_in_a_text_are_plain_text() -> None:
    assert word_pieces(WORDS).encode("[SEP] un") == [1, 0, 0, 0, 3, 2]
    with pytest.raises(InputError, match="leaves no room"):
        word_pieces(WORDS).encode("un", most=2)
    assert byte_pairs(TOKENS, MERGES).encode("\ud800") == BytePairs(TOKENS, MERGES).encode("?")  # half a character


@pytest.mark.parametrize(
    ("tokens", "merges", "words"),
    [
        (TOKENS[40:], [], "a printable byte is missing"),
        (TOKENS, ["l"], "the merge 'l' is not one of two tokens into a third"),
        (TOKENS, ["l w"], "the merge 'l w' is not one"),
        (TOKENS, ["l o w"], "the merge 'l o w' is not one"),
    ],
)
def test_damaged_vocabularies_are_refused(tokens: list[str], merges: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        byte_pairs(tokens, merges)
    with pytest.raises(InputError, match="has no token 999"):
        byte_pairs(TOKENS, MERGES, unknown=999)
    with pytest.raises(InputError, match=r"\[SEP\] is missing"):
        word_pieces(["[UNK]", "[CLS]"])


@pytest.mark.skipif(asset_state("wordsim") != "fetched", reason="needs `metalrom fetch wordsim`")
@pytest.mark.parametrize("asset", ["minilm", "smollm2"])
def test_documents_equal_the_reference(asset: str) -> None:
    if asset_state(asset) != "fetched":
        pytest.skip(f"needs `metalrom fetch {asset}`")
    texts = lee_documents()
    if asset == "minilm":
        path = asset_path("minilm", "vocab.txt")
        found, reference = load_word_pieces(path), load_wordpiece(path)
        assert [found.encode(t) for t in texts] == [reference.encode(t) for t in texts]
        return
    file = GgufFile(asset_path("smollm2", SMOLLM2_FILE))
    tokens, merges = file.metadata["tokenizer.ggml.tokens"], file.metadata["tokenizer.ggml.merges"]
    pairs = BytePairs(tokens, merges, unknown=file.metadata["tokenizer.ggml.unknown_token_id"])
    found = gguf_tokenizer(file)
    encoded = [found.encode(t) for t in texts]
    assert encoded == [pairs.encode(t) for t in texts]
    assert sum(map(len, encoded)) == 5052  # tokenizers 0.23.3 from the file, counted apart

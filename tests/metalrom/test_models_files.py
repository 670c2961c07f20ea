"""Tokenizers and GGUF files: literals from the reference implementations, round trips, damage."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interconnect.errors import InputError
from interconnect.optional import has_library
from metalrom.assets import asset_state
from metalrom.workloads.networks.llama_files import load_llama
from netlists.weights import GgufFile
from tests.metalrom.reference_bpe import BytePairs, byte_letters, split_text
from tests.metalrom.reference_wordpiece import WordPiece, load_wordpiece, split_words

KINDS = {str: 8, int: 4, float: 6, bool: 7, list: 9}


def _text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def _value(value: Any) -> bytes:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return struct.pack("<IQ", KINDS[type(value[0])], len(value)) + b"".join(_value(v) for v in value)
    return struct.pack({int: "<I", float: "<f", bool: "<?"}[type(value)], value)


def gguf(metadata: dict[str, Any], tensors: dict[str, tuple[tuple[int, ...], int, bytes]]) -> bytes:
    """A GGUF version 3 file. tensors: name -> (shape as numpy has it, format number, raw data)."""
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    for key, value in metadata.items():
        out += _text(key) + struct.pack("<I", KINDS[type(value)]) + _value(value)
    data = b""
    for name, (shape, number, raw) in tensors.items():
        out += _text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape[::-1])
        out += struct.pack("<IQ", number, len(data))
        data += raw + b"\0" * (-len(raw) % 32)
    return out + b"\0" * (-len(out) % 32) + data


def _sample() -> bytes:
    values = np.arange(6, dtype="<f4").reshape(2, 3)
    q8 = struct.pack("<e", 0.5) + np.arange(-16, 16, dtype=np.int8).tobytes()
    q4 = struct.pack("<ee", 0.25, -1.0) + bytes(i | (15 - i) << 4 for i in range(16))
    return gguf(
        {"general.name": "ünït", "count": 7, "rate": 0.5, "flag": True, "words": ["a", "bc"], "numbers": [1, 2, 3]},
        {"plain": ((2, 3), 0, values.tobytes()), "eight": ((1, 32), 8, q8), "four": ((32,), 3, q4)},
    )


def test_gguf_reads_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(_sample())
    file = GgufFile(path)
    assert file.metadata == {
        "general.name": "ünït", "count": 7, "rate": 0.5, "flag": True, "words": ["a", "bc"], "numbers": [1, 2, 3],
    }  # fmt: skip
    np.testing.assert_array_equal(file.tensor("plain"), [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(file.tensor("eight"), 0.5 * np.arange(-16, 16)[None, :])
    # w = d q + m; low nibbles are values 0..15, high nibbles 16..31
    np.testing.assert_array_equal(file.tensor("four"), 0.25 * np.r_[np.arange(16), np.arange(15, -1, -1)] - 1)
    with pytest.raises(InputError, match=r"no tensor 'plane'.*did you mean 'plain'"):
        file.tensor("plane")
    with pytest.raises(InputError, match="rate is missing or not of kind int"):
        file.get("rate", int)
    with pytest.raises(InputError, match="flag is missing or not of kind int"):
        file.get("flag", int)
    with pytest.raises(InputError, match=r"general\.architecture"):
        load_llama(file)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_gguf_is_refused_in_one_sentence(data: st.DataObject, tmp_path: Path) -> None:
    whole = bytearray(_sample())
    if data.draw(st.booleans()):
        del whole[data.draw(st.integers(0, len(whole) - 33)) :]
    else:
        for place in data.draw(st.lists(st.integers(0, 260), min_size=1, max_size=4)):
            whole[place] = data.draw(st.integers(0, 255))
    path = tmp_path / "m.gguf"
    path.write_bytes(whole)
    refusal = _refusal(path)
    assert "\n" not in refusal
    assert refusal or len(whole) == len(_sample())  # a shortened file is never taken for whole


def _refusal(path: Path) -> str:
    """What reading every tensor of a file ends with, empty if it went well."""
    try:
        file = GgufFile(path)
        for name in file.tensors:
            file.tensor(name)
    except InputError as error:
        return str(error)
    return ""


def test_wordpiece_takes_the_longest_piece_first() -> None:
    words = ["[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "##a", "naive", ",", "東", "unaff"]
    tokenizer = WordPiece({w: i for i, w in enumerate(words)})
    # by hand: `unaff` is longer than `un`; accents fall; a CJK character and a comma are words of their own
    assert tokenizer.encode("UnAffable, naïve東") == [1, 10, 5, 8, 7, 9, 2]
    assert tokenizer.encode("xyz") == [1, 0, 2]
    assert tokenizer.encode("un" * 60) == [1, 0, 2]
    assert tokenizer.encode("unaffable , naive", most=4) == [1, 10, 5, 2]
    with pytest.raises(InputError, match="leaves no room"):
        tokenizer.encode("un", most=2)


def test_cleaning_of_text() -> None:
    assert split_words("a\u200bb\tc\u00a0d\0e\ufffd f's") == ["ab", "c", "de", "f", "'", "s"]


def test_vocabulary_without_special_tokens_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_text("[CLS]\n[SEP]\na\n")
    with pytest.raises(InputError, match=r"\[UNK\] is missing"):
        load_wordpiece(path)


def test_merges_in_order_of_rank() -> None:
    merges = ["l o", "Ġ lo", "lo w", "Ġlo w"]
    letters = list(byte_letters())
    pairs = BytePairs([*letters, *(m.replace(" ", "") for m in merges)], merges)
    names = {**dict(enumerate(letters)), 256: "lo", 257: "Ġlo", 258: "low", 259: "Ġlow"}
    assert [names[i] for i in pairs.encode("low low lw")] == ["low", "Ġlow", "Ġ", "l", "w"]


def test_pieces_follow_the_pattern() -> None:
    # GPT-2's pattern with single digits: expected by hand from the pattern
    assert list(split_text("don't  we'll go\n\n to 24!? x ")) == [
        "don", "'t", " ", " we", "'ll", " go", "\n\n", " to", " ", "2", "4", "!?", " x", " ",
    ]  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_pieces_join_to_the_text(text: str) -> None:
    assert "".join(split_text(text)) == text


def needs(asset: str) -> pytest.MarkDecorator:
    """The test runs where the asset is fetched and the extra with the tokenizers is installed."""
    missing = asset_state(asset) != "fetched" or not has_library("tokenizers")
    return pytest.mark.skipif(missing, reason=f"needs `metalrom fetch {asset}` and the extra `llm` (tokenizers)")


needs_minilm, needs_smollm2 = needs("minilm"), needs("smollm2")

HEADLINE = (
    "The national executive of the strife-torn Democrats last night appointed little-known West Australian senator "
    "Brian Greig as interim leader--a shock move likely to provoke further conflict between the"
)
"""Beginning of Lee's first document."""


@needs_minilm
def test_minilm_equals_the_reference() -> None:
    from metalrom.workloads.networks import fetched

    model, tokenizer = fetched.minilm()
    # tokenizers 0.23.3 with the asset's tokenizer.json; transformers 5.23.0 BertModel, torch 2.13.0, mean pooling and
    # normalisation of the model card: token ids and the first four values of the embedding
    reference = {
        "love": ([101, 2293, 102], [-0.1402734, 0.0292287, 0.0519795, 0.0118947]),
        "sex": ([101, 3348, 102], [-0.0761201, 0.0765694, -0.0094049, 0.0805983]),
        "tiger": ([101, 6816, 102], [-0.0810311, 0.0568322, -0.0199647, 0.0617583]),
        "cat": ([101, 4937, 102], [0.0373304, 0.0511618, -0.0003060, 0.0602099]),
        "book": ([101, 2338, 102], [-0.0326113, 0.0318348, -0.0313982, 0.0881440]),
        "paper": ([101, 3259, 102], [-0.1101442, 0.0770925, -0.0175555, 0.0491696]),
        "computer": ([101, 3274, 102], [-0.0512737, 0.0478384, -0.0033391, -0.0388703]),
        "keyboard": ([101, 9019, 102], [-0.0383089, -0.0441712, 0.0292416, -0.0237905]),
        "telephone": ([101, 7026, 102], [-0.1148488, 0.0608950, 0.0146858, -0.0451563]),
        "communication": ([101, 4807, 102], [0.0296166, 0.0206973, -0.0152056, -0.0242733]),
        "jaguar": ([101, 16490, 102], [-0.0893497, 0.0852376, -0.0568161, 0.0133500]),
        "Cash-strapped financial services group AMP has shelved a $400 million plan.": (
            [101, 5356, 1011, 18019, 3361, 2578, 2177, 23713, 2038, 2016, 26832, 1037, 1002, 4278, 2454, 2933, 1012,
             102],
            [0.0156100, 0.0441384, -0.0043292, 0.0327961],
        ),
        "naïve café: unaffable?! 東京 x": (
            [101, 15743, 7668, 1024, 14477, 20961, 3468, 1029, 999, 1879, 1755, 1060, 102],
            [0.1027885, 0.0169882, 0.0600601, -0.0269424],
        ),
    }  # fmt: skip
    ids = [tokenizer.encode(text) for text in reference]
    assert ids == [ids for ids, _ in reference.values()]
    embeddings = np.array(model.embed(ids))
    np.testing.assert_allclose(embeddings[:, :4], [first for _, first in reference.values()], atol=2e-6)


@needs_smollm2
@pytest.mark.slow
def test_smollm2_equals_the_reference() -> None:
    from metalrom.workloads.networks import fetched

    model, tokenizer = fetched.smollm2()
    # transformers 5.23.0 LlamaForCausalLM and tokenizer from the same GGUF file, torch 2.13.0, float32
    assert tokenizer.encode("don't we'll  two  spaces\n\nnaïve 東京 2024!") == [
        12420, 982, 392, 3060, 216, 827, 216, 5600, 198, 198, 3546, 46494, 17097, 247, 126, 16736, 122, 216, 34, 32, 34,
        36, 17,
    ]  # fmt: skip
    ids = tokenizer.encode(HEADLINE)
    assert ids == [
        504, 2448, 9518, 282, 260, 30456, 29, 100, 1395, 20242, 1596, 3163, 9951, 1838, 29, 3864, 3689, 6948, 37093,
        20165, 15712, 324, 347, 31369, 5702, 423, 81, 9128, 1485, 2003, 288, 28198, 2030, 4678, 826, 260,
    ]  # fmt: skip
    assert len(model.layers) == 210
    assert sum(layer.weight.size for layer in model.layers) == 106_168_320
    logits = model.logits(model.hidden([ids])[0]).astype(np.float64)
    reference = [-4.294841766357422, -11.916144371032715, -9.745050430297852, -11.08455753326416]
    np.testing.assert_allclose(logits[-1, :4], reference, atol=2e-4)
    assert logits.argmax(1)[-5:].tolist() == [253, 6866, 30, 260, 827]
    chance = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    assert np.exp(-chance[np.arange(len(ids) - 1), ids[1:]].mean()) == pytest.approx(199.60010852661185, rel=1e-5)

"""Texts for distillation: WordNet's glosses, examples and lemmas, and news stories, as `metalrom fetch` brings them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from interconnect.arrays import IntArray
from interconnect.files import read_bytes
from metalrom.assets import asset_path
from metalrom.workloads.networks.tokenizer import Encoder

HELD_SHARE = 400
"""One text in so many is kept for the held-out figures, chosen by its own hash."""
LONGEST = 128
"""Tokens of a text, [CLS] and [SEP] included."""
SHARES = {"glosses": 0.70, "words": 0.20, "stories": 0.10}
"""Shares of the drawn texts: mostly sentences; single words as the word tasks have them; whole stories."""
_WINDOW = 1500
"""Texts that are drawn together and sorted by length, so that a batch pads little."""
_SENTENCE = re.compile(r"(?<=[.!?]) (?=[A-Z])")


@dataclass(frozen=True)
class Corpus:
    """Texts by kind, for training; held: texts that training never sees."""

    texts: dict[str, tuple[str, ...]]
    held: tuple[str, ...]

    @property
    def count(self) -> int:
        """Texts for training."""
        return sum(map(len, self.texts.values()))


@dataclass(frozen=True)
class Batch:
    """ids: token ids, shape (texts, longest), 0 behind the end; lengths: shape (texts,)."""

    ids: IntArray
    lengths: IntArray

    @property
    def tokens(self) -> int:
        """Tokens without the padding."""
        return int(self.lengths.sum())


def load_corpus() -> Corpus:
    """The texts of the assets `wordnet` and `news`.

    Raises InputError, naming the command, while one is not fetched.
    """
    glosses, words = _wordnet()
    stories = _stories()
    kept: dict[str, tuple[str, ...]] = {}
    held: list[str] = []
    for kind, texts in (("glosses", glosses), ("words", words), ("stories", stories)):
        kept[kind] = tuple(text for text in texts if not _is_held(text))
        if kind != "words":
            held += [text for text in texts if _is_held(text)]
    return Corpus(kept, tuple(held))


def batches(corpus: Corpus, encoder: Encoder, *, seed: int, tokens: int) -> Iterator[Batch]:
    """Batches without end, each of at most `tokens` places, padding included. The same seed gives the same batches."""
    kinds = tuple(SHARES)
    shares = np.array([SHARES[kind] for kind in kinds])
    for window in range(2**31):
        rng = np.random.default_rng((seed, window))
        drawn = [
            corpus.texts[kind][rng.integers(len(corpus.texts[kind]))]
            for kind in (kinds[i] for i in rng.choice(len(kinds), _WINDOW, p=shares))
        ]
        made = list(packed([encoder.encode(text, most=LONGEST) for text in drawn], tokens))
        for i in rng.permutation(len(made)):
            yield made[i][1]


def packed(sequences: Sequence[Sequence[int]], tokens: int) -> Iterator[tuple[IntArray, Batch]]:
    """(places in `sequences`, batch) of every batch: neighbours in length, at most `tokens` places each."""
    order = sorted(range(len(sequences)), key=lambda i: len(sequences[i]))
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and len(sequences[order[stop]]) * (stop - start + 1) <= tokens:
            stop += 1
        chosen = order[start:stop]
        lengths = np.array([len(sequences[i]) for i in chosen])
        ids = np.zeros((len(chosen), int(lengths.max())), np.int64)
        for row, i in enumerate(chosen):
            ids[row, : lengths[row]] = sequences[i]
        yield np.array(chosen), Batch(ids, lengths)
        start = stop


def _is_held(text: str) -> bool:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) % HELD_SHARE == 0


def _wordnet() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(glosses and examples, lemmas), in the order of the files (format: wndb(5WN))."""
    glosses: dict[str, None] = {}
    words: dict[str, None] = {}
    for part in ("noun", "verb", "adj", "adv"):
        for line in read_bytes(asset_path("wordnet", f"data.{part}")).decode("latin-1").splitlines():
            if line.startswith("  "):
                continue  # the licence
            data, _, gloss = line.partition(" | ")
            fields = data.split()
            # Behind offset, file and kind: the number of lemmas (hex), then lemma and sense of each.
            lemmas = [f.partition("(")[0].replace("_", " ") for f in fields[4 : 4 + 2 * int(fields[3], 16) : 2]]
            words.update(dict.fromkeys(lemmas))
            first, *examples = (part.strip(' "') for part in gloss.strip().split('; "'))
            glosses[f"{lemmas[0]}: {first}"] = None
            glosses.update(dict.fromkeys(text for text in examples if text.count(" ") > 1))
    return tuple(glosses), tuple(words)


def _stories() -> tuple[str, ...]:
    """Every story, and its sentences in threes."""
    stories = read_bytes(asset_path("news", "lee_background.cor")).decode("latin-1").split("\n")
    return tuple(_pieces(story.strip() for story in stories if story.strip()))


def _pieces(stories: Iterable[str]) -> Iterator[str]:
    for story in stories:
        yield story
        sentences = _SENTENCE.split(story)
        for i in range(0, len(sentences), 3):
            yield " ".join(sentences[i : i + 3])

"""Texts for distillation: what is drawn, how it is batched, and what stays away from training."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from metalrom.assets.store import asset_state
from metalrom.studies.distill.texts import Corpus, batches, load_corpus, packed
from tests.metalrom.distill.conftest import Letters


def test_batches_hold_every_sequence_once_and_stay_within_their_size() -> None:
    sequences = [list(range(1, n + 1)) for n in (5, 3, 9, 3, 7, 1, 20)]
    found = list(packed(sequences, 12))
    assert sorted(int(i) for places, _ in found for i in places) == list(range(7))
    for places, batch in found:
        assert batch.ids.size <= 12 or len(places) == 1  # one that is longer stands alone
        for place, row, length in zip(places, batch.ids, batch.lengths, strict=True):
            assert row[:length].tolist() == sequences[place]
            assert not row[length:].any()
        assert batch.tokens == sum(len(sequences[i]) for i in places)


def test_a_seed_decides_the_batches(corpus: Corpus) -> None:
    def drawn(seed: int) -> list[bytes]:
        return [b.ids.tobytes() for b in islice(batches(corpus, Letters(), seed=seed, tokens=512), 40)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


@pytest.mark.skipif(
    asset_state("wordnet") != "fetched" or asset_state("news") != "fetched", reason="needs `fetch wordnet news`"
)
def test_the_corpus_of_the_assets() -> None:
    corpus = load_corpus()
    # WordNet 3.1 has 117,659 synsets, each with a gloss (wnstats, Princeton), and 300 stories are in the corpus.
    assert len(corpus.texts["glosses"]) > 117_000
    assert not set(corpus.held) & {text for texts in corpus.texts.values() for text in texts}
    share = len(corpus.held) / (len(corpus.texts["glosses"]) + len(corpus.texts["stories"]))
    assert share == pytest.approx(1 / 400, rel=0.2)
    assert "dog: a member of the genus Canis" in " ".join(t for t in corpus.texts["glosses"] if t.startswith("dog: "))
    assert np.mean([" " in w for w in corpus.texts["words"]]) < 0.6  # most lemmas are single words

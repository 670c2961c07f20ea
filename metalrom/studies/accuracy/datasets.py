"""Human similarity judgements as `metalrom fetch wordsim` brings them.

WordSim353 (Finkelstein et al. 2002), SimLex-999 (Hill, Reichart, Korhonen 2015), Lee's fifty documents (Lee, Pincombe,
Welsh 2005).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interconnect.arrays import FloatArray, IntArray
from interconnect.errors import InputError
from interconnect.files import read_bytes
from interconnect.suggestion import suggest
from metalrom.assets import asset_path

TASKS = ("wordsim", "simlex", "lee")
FILES = {"wordsim": "wordsim353.tsv", "simlex": "simlex999.txt"}
DOCUMENTS, DOCUMENT_SIMILARITY = "lee.cor", "similarities0-1.txt"


@dataclass(frozen=True)
class Judgements:
    """Pairs of texts and how similar people found them. whole: pairs of the complete set."""

    task: str
    texts: tuple[str, ...]
    pairs: IntArray
    human: FloatArray
    whole: int


def judgements(tasks: Sequence[str], limit: int | None = None) -> tuple[Judgements, ...]:
    """Tasks by name (`wordsim`, `simlex`, `lee`), each with all or `limit` evenly spaced pairs of words or documents.

    Raises InputError for an unknown task, a limit too small, or data that is not fetched.
    """
    for task in tasks:
        if task not in TASKS:
            raise InputError(f"unknown task {task!r}", where="--tasks", hint=suggest(task, TASKS))
    return tuple(document_pairs(limit) if task == "lee" else word_pairs(task, limit) for task in dict.fromkeys(tasks))


def word_pairs(task: str, limit: int | None = None) -> Judgements:
    """`wordsim` or `simlex`, all pairs or `limit` evenly spaced ones. pairs: shape (n, 2), into texts."""
    path = asset_path("wordsim", FILES[task])
    rows = read_word_pairs(path)
    kept = [rows[i] for i in spaced(len(rows), limit)]
    texts = tuple(dict.fromkeys(word for a, b, _ in kept for word in (a, b)))
    place = {word: i for i, word in enumerate(texts)}
    pairs = np.array([(place[a], place[b]) for a, b, _ in kept], dtype=np.int64)
    return Judgements(task, texts, pairs, np.array([score for _, _, score in kept]), len(rows))


def read_word_pairs(path: Path) -> list[tuple[str, str, float]]:
    """Lines `word<TAB>word<TAB>score`, `#` starts a comment. Raises InputError with the line of a bad one."""
    rows = []
    for number, line in enumerate(_lines(path), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            first, second, score = line.split("\t")
            rows.append((first, second, float(score)))
        except ValueError:
            raise InputError(f"line {number} is not two words and a score", where=str(path)) from None
    if len(rows) < 3:
        raise InputError("holds no word pairs", where=str(path))
    return rows


def lee_documents() -> tuple[str, ...]:
    """Lee's fifty documents."""
    return tuple(line for line in _lines(asset_path("wordsim", DOCUMENTS)) if line.strip())


def document_pairs(limit: int | None = None) -> Judgements:
    """Every pair of Lee's documents, or of `limit` evenly spaced documents."""
    path = asset_path("wordsim", DOCUMENT_SIMILARITY)
    texts = lee_documents()
    try:
        table = np.array([[float(v) for v in line.split("\t")] for line in _lines(path) if line.strip()])
    except ValueError:
        raise InputError("is not a matrix of numbers", where=str(path)) from None
    if table.shape != (len(texts), len(texts)):
        raise InputError(f"has shape {table.shape}, expected one row per document ({len(texts)})", where=str(path))
    kept = spaced(len(texts), limit)
    pairs = np.array(np.triu_indices(len(kept), 1), dtype=np.int64).T
    human = table[kept[pairs[:, 0]], kept[pairs[:, 1]]]
    return Judgements("lee", tuple(texts[i] for i in kept), pairs, human, len(texts) * (len(texts) - 1) // 2)


def spaced(count: int, limit: int | None) -> IntArray:
    """`limit` evenly spaced places of 0..count-1, all of them for None. Raises InputError for a limit below 3."""
    if limit is None or limit >= count:
        return np.arange(count)
    if limit < 3:
        raise InputError(f"a limit of {limit} is too small for a correlation", where="--limit", hint="3 or more")
    return np.linspace(0, count - 1, limit).round().astype(np.int64)


def _lines(path: Path) -> list[str]:
    """The files are Latin-1 (Lee's documents hold a pound sign)."""
    return read_bytes(path).decode("latin-1").split("\n")

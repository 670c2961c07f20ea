"""A deck with several analyses of one kind, or with `.meas`, as the decks that the engine is given one by one.

The engine runs analyses of one kind in reverse order and names their plots alike. Each run gets one analysis of a kind
at most, so that a plot belongs to its analysis by what was run and not by its position. `.meas` is not evaluated when a
raw file is written: each measured analysis is run once more, by itself and without one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ngspice_runner.deck import Analysis, ParsedDeck

_MEASURED = re.compile(r"^[ \t]*([a-z_][\w.#]*)[ \t]+=[ \t]+([-+]?\d\S*)", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MeasuringRun:
    """A run for the `.meas` cards of one analysis: prefix of the results' names, their names, deck."""

    prefix: str
    names: tuple[str, ...]
    text: str


def separate_analyses(deck: ParsedDeck) -> list[set[int]]:
    """For each run, the numbers of the analyses that it leaves out; one empty set when one run does for all."""
    runs: list[set[int]] = []
    ordinals = _ordinals(deck.analyses)
    for run in range(max(ordinals, default=0) + 1 if not deck.control else 1):
        runs.append({i for i, ordinal in enumerate(ordinals) if ordinal != run} if not deck.control else set())
    return runs


def measured_analyses(deck: ParsedDeck) -> list[tuple[str, tuple[str, ...], set[int]]]:
    """(prefix, names of `.meas` results, numbers of the analyses to leave out) for each measured analysis."""
    cards = [card.lower().split() for _, card in deck.cards if card[0] == "." and card[:5].lower() == ".meas"]
    if deck.control or not cards:
        return []
    found = []
    for number, (analysis, ordinal) in enumerate(zip(deck.analyses, _ordinals(deck.analyses), strict=True)):
        names = tuple(words[2] for words in cards if len(words) > 3 and words[1] == analysis.kind)
        if names:
            prefix = f"{analysis.kind}{ordinal + 1}." if ordinal else ""
            found.append((prefix, names, set(range(len(deck.analyses))) - {number}))
    return found


def without_analyses(lines: Sequence[str], deck: ParsedDeck, left_out: Iterable[int]) -> list[str]:
    """The deck's lines with some analyses, and what continues them, turned into comments."""
    kept = list(lines)
    for number in left_out:
        line = deck.analyses[number].line
        kept[line - 1] = "*"
        while line < len(kept) and kept[line].lstrip()[:1] in ("+", "*", ""):
            if kept[line].lstrip()[:1] == "+":
                kept[line] = "*"
            line += 1
    return kept


def read_measures(log: str, names: Iterable[str], prefix: str = "") -> dict[str, float]:
    """Results of `.meas` in an engine's log, by lower-case name; those that failed are missing."""
    wanted = set(names)
    return {
        prefix + name.lower(): float(value)
        for name, value in _MEASURED.findall(log)
        if name.lower() in wanted and _is_number(value)
    }


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _ordinals(analyses: Sequence[Analysis]) -> list[int]:
    seen: dict[str, int] = {}
    found = []
    for analysis in analyses:
        found.append(seen.get(analysis.kind, 0))
        seen[analysis.kind] = found[-1] + 1
    return found

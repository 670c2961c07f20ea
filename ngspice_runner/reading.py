"""Did the engine read what the deck says? Its own list of elements against an independent reading.

The comparison takes one more start of the engine, without any analysis. It is made for the first deck with a card of
some form (names and numbers aside) and again while a form has led to a difference, so that a campaign pays it once.
"""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Iterator, Sequence

from ngspice_runner.deck import ParsedDeck
from ngspice_runner.engine_view import EngineView
from ngspice_runner.flatten import ELEMENT_LIMIT, FlatElement, canonical_name
from ngspice_runner.job import Verdict
from ngspice_runner.lint_finding import LintFinding

TOLERANCE = 2e-5
"""Relative; the engine shows six digits."""

_NUMBER = re.compile(r"\d+\.?\d*(?:[eE][+-]?\d+)?")
_UNITS = {"r": "ohm", "c": "F", "l": "H", "v": "V", "i": "A"}
_FORMS_KEPT = 100_000
_seen: set[tuple[str, str]] = set()
_lock = threading.Lock()


def new_forms(deck: ParsedDeck, engine: str) -> set[tuple[str, str]]:
    """Forms of a deck's cards that have not been compared yet with this engine; none of a deck that is too large."""
    if len(deck.cards) > ELEMENT_LIMIT:
        return set()
    forms = {_form(card) for _, card in deck.cards}
    with _lock:
        return {(engine, form) for form in forms} - _seen


@functools.lru_cache(maxsize=20_000)
def _form(card: str) -> str:
    return _NUMBER.sub("9", card)


def remember_forms(forms: set[tuple[str, str]]) -> None:
    """Mark forms as read alike by both."""
    with _lock:
        if len(_seen) + len(forms) > _FORMS_KEPT:
            _seen.clear()
        _seen.update(forms)


def compare_reading(
    elements: Sequence[FlatElement], view: EngineView, *, included: bool = False
) -> Iterator[LintFinding]:
    """What the engine read otherwise: a finding for every element that differs in nodes or value, or is missing.

    Nodes are compared where the engine listed them. included: the deck includes files.
    """
    nodes = {canonical_name(name): words for name, words in view.nodes.items()}
    values = {canonical_name(name): value for name, value in view.values.items()}
    if not values:
        return
    for element in elements:
        name = canonical_name(element.name)
        listed = nodes.get(name)
        wanted = element.nodes + (element.control if element.kind in "eg" else ())
        if element.opaque:
            continue
        if listed is not None and not _connected(wanted, listed, included):
            yield _finding(element, f"connects {' '.join(wanted)}, the engine read {' '.join(listed[: len(wanted)])}")
        if element.value is None:
            continue
        value = values.get(name)
        if value is None and nodes and listed is None and view.complete:
            yield _finding(element, "is not in the engine's circuit")
        elif value is not None and abs(value - element.value) > TOLERANCE * abs(element.value):
            unit = _UNITS.get(element.kind, "")
            meant = f"is {element.text}, {element.value:.6g} {unit}".rstrip()
            yield _finding(element, f"{meant}; the engine read {value:.6g} {unit}".rstrip())


def _connected(wanted: Sequence[str], listed: Sequence[str], included: bool) -> bool:
    """True where the nodes agree; an included file may make global what looks like a node of a subcircuit."""
    return len(listed) >= len(wanted) and all(
        there == here or (included and there == here.rpartition(".")[2])
        for here, there in zip(wanted, listed, strict=False)
    )


def _finding(element: FlatElement, text: str) -> LintFinding:
    return LintFinding(element.line, f"{element.name} {text}", Verdict.SUSPECT, False)

"""Sources whose numbers ngspice replaces, and sines that a transient's steps pass over. All are noted.

In a transient the engine takes the step of the analysis for edges of 0 in a pulse and for delays and time constants of
0 in an exponential, its end for a pulse's width of 0, and one period for a sine of 0 Hz.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ngspice_runner.deck import ParsedDeck
from ngspice_runner.lint_finding import LintFinding
from ngspice_runner.spice_numbers import evaluate_expression

STEPS_PER_PERIOD = 8
"""A transient with a coarser largest step may pass over a sine's peaks."""

_SOURCE = re.compile(r"\b(pulse|exp|sin)\s*\(?([^()]*)", re.IGNORECASE)
_WORDS = re.compile(r"\{[^}]*\}|'[^']*'|[^\s,]+")


def misread_sources(deck: ParsedDeck) -> Iterator[LintFinding]:
    """Findings on independent sources; none without a transient."""
    transient = next((a for a in deck.analyses if a.kind == "tran" and a.step and a.stop), None)
    if transient is None or transient.step is None or transient.stop is None:
        return
    words = _WORDS.findall(transient.text)[1:]
    largest = evaluate_expression(words[3], deck.parameters) if len(words) > 3 else None
    step, stop = transient.step, transient.stop
    largest = largest or min(step, (stop - (transient.start or 0.0)) / 50)
    for line, card in deck.cards:
        match = _SOURCE.search(card) if card[0] in "vViI" else None
        if match is None:
            continue
        kind = match[1].lower()
        numbers = [evaluate_expression(word, deck.parameters) for word in _WORDS.findall(match[2])]
        if kind == "pulse" and 0.0 in numbers[3:5]:
            yield _note(line, f"the step of .tran, {step:g} s, of rise and fall times of 0")
        if kind == "pulse" and numbers[5:6] == [0.0]:
            yield _note(line, f"the end of .tran, {stop:g} s, of a width of 0")
        if kind == "exp" and 0.0 in numbers[2:6]:
            yield _note(line, f"the step of .tran, {step:g} s, of a delay or time constant of 0")
        if kind == "sin" and numbers[2:3] == [0.0]:
            yield _note(line, "one period in all of .tran of a frequency of 0")
        frequency = numbers[2] if kind == "sin" and len(numbers) > 2 else None
        if frequency and largest * abs(frequency) * STEPS_PER_PERIOD > 1:
            yield LintFinding(
                line,
                f"steps of .tran up to {largest:g} s for a sine of {1 / abs(frequency):g} s: give a largest step",
                None,
                False,
            )


def _note(line: int, what: str) -> LintFinding:
    return LintFinding(line, f"ngspice makes {what}", None, False)

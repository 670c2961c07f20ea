"""Expressions and values that ngspice computes otherwise than other simulators and textbooks.

Refused: `limit(x,low,high)`, which is no limiter in ngspice. Suspect: two values behind an R, C or L, of which the
second counts. Noted: odd powers in sources, where the engine takes the magnitude of the base; negative R, C and L.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from ngspice_runner.deck import ParsedDeck
from ngspice_runner.job import Job, Verdict
from ngspice_runner.lint_finding import LintFinding
from ngspice_runner.spice_numbers import parse_number

_ODD_POWER = re.compile(r"(?:[)\]]|\b[a-z_]\w*)\s*(?:\^|\*\*)\s*\d*[13579](?![\w.])|\bpow\s*\([^,]*,\s*\d*[13579]\s*\)")
_LIMIT = re.compile(r"\blimit\s*\(")


def misread_expressions(job: Job, deck: ParsedDeck) -> Iterator[LintFinding]:
    """Findings on the cards of a deck."""
    lowered = job.text.lower()
    limits = "limit" in lowered and not re.search(r"\.func\s+limit\b", lowered)
    mode = next((value for name, value in job.options if name.lower() == "ngbehavior"), "")
    limiter = "ps" in mode and "a" in mode  # there ngspice 39 defines it, for sources only
    powers = ("^" in lowered or "**" in lowered or "pow" in lowered) and "lt" not in mode and "hs" not in mode
    negative: list[tuple[int, str]] = []
    for line, card in deck.cards:
        two_values, below_zero = _values(card)
        if below_zero:
            negative.append((line, below_zero))
        if two_values:
            yield LintFinding(line, two_values, Verdict.SUSPECT, False)
        if not (limits or powers):
            continue
        kind = card[0].lower()
        if limits and "limit" in card.lower():
            expression = card.lower()
            for match in _LIMIT.finditer(expression):
                if (kind in "beg" and not limiter) or (kind == "." and _arguments(expression, match.end()) > 2):
                    yield LintFinding(
                        line, "limit(x,low,high) is no limiter in ngspice: write min(max(x,low),high)", Verdict.PARSE
                    )
                    break
        if powers and kind in "beg":
            power = _ODD_POWER.search(card.lower())
            if power:
                yield LintFinding(
                    line, f"in sources ngspice takes the magnitude of the base of {power.group()!r}", None, False
                )
    if negative:
        more = f" and of {len(negative) - 1} more" if len(negative) > 1 else ""
        yield LintFinding(negative[0][0], f"the value of {negative[0][1]}{more} is negative", None, False)


@functools.lru_cache(maxsize=20_000)
def _values(card: str) -> tuple[str, str]:
    """(what is wrong with two values, name of an element with a negative one) of a card; empty where nothing is."""
    words = card.split(None, 5) if card[0] in "rRcClL" else []
    two_values = ""
    if len(words) > 4 and words[4][0] in "0123456789." and _two_values(words[3:]):
        two_values = f"two values, {words[3]} and {words[4]}: ngspice takes the second"
    return two_values, words[0] if len(words) > 3 and words[3][0] == "-" else ""


def _two_values(words: list[str]) -> bool:
    following = words[2] if len(words) > 2 else ""
    return (
        parse_number(words[0]) is not None
        and parse_number(words[1].partition("=")[0]) is not None
        and "=" not in words[1]
        and following[:1] != "="
    )


def _arguments(text: str, start: int) -> int:
    """Number of arguments of the call whose parenthesis ends before `start`."""
    depth, count = 1, 1
    for letter in text[start:]:
        depth += (letter == "(") - (letter == ")")
        count += letter == "," and depth == 1
        if not depth:
            break
    return count

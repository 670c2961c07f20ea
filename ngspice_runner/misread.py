"""What ngspice reads in another way than it looks: rules over the cards of a deck and over included files.

Refused: a value in resistor notation (`4k7` is read as 4k); a subcircuit defined twice with other contents (the second
is ignored); a subcircuit's pin called `gnd` that is connected to another node (it is the global ground). Suspect: `ic=`
of an element in a transient without `uic` (ignored); an AC analysis without an AC source; the suffixes of `lint` on
elements of included files. Noted: nodes with one connection, such suffixes in parameters of included files.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from ngspice_runner.deck import ParsedDeck
from ngspice_runner.includes import IncludeSet
from ngspice_runner.job import Verdict
from ngspice_runner.lint_finding import LintFinding
from ngspice_runner.spice_numbers import bad_suffix, parse_number

RESISTOR_NOTATION = re.compile(r"(?<![\w.:#$\[])\d+(?:meg|[tgkmunpfr])\d+(?![\w.(])", re.IGNORECASE)
_INITIAL = re.compile(r"\bic\s*=\s*([^\s,]+)", re.IGNORECASE)
_STIMULUS = re.compile(r"\s(?:ac|portnum)\b", re.IGNORECASE)
_UNCONNECTED = re.compile(r"(?:nc|unconnected|open)", re.IGNORECASE)
_NAME = re.compile(r"[^\s()\[\],={}'*/+-]+")
_NODE_LIMIT = 200
_TWO_NODES = frozenset("rclvid")


def misread_cards(deck: ParsedDeck, includes: IncludeSet, version: float) -> Iterator[LintFinding]:
    """All findings of these rules."""
    subcircuits = [card.lower() for _, card in deck.cards if card[0] == "." and card[:7].lower() == ".subckt"]
    if len({card.split(None, 2)[1] for card in subcircuits if " " in card}) < len(subcircuits):
        yield from _redefined(deck)
    if includes.grounded or any("gnd" in card for card in subcircuits):
        yield from _grounded_pins(deck, includes)
    yield from _ignored_initial_conditions(deck)
    yield from _no_stimulus(deck, includes)
    yield from _single_connections(deck, includes)
    for path, line, number, in_parameter in includes.values:
        reason = value_trap(number, version)
        if reason:
            verdict = None if in_parameter else Verdict.SUSPECT
            yield LintFinding(0, f"{path}, line {line}: {number}: {reason}", verdict, False)


def value_trap(number: str, version: float) -> str | None:
    """Why a number is not what it seems (one clause), None if it is."""
    if RESISTOR_NOTATION.fullmatch(number):
        return "ngspice drops what follows the first suffix: write a decimal point, as in 4.7k"
    return bad_suffix(number.lstrip("+-0123456789."), version) if parse_number(number) is not None else None


def _redefined(deck: ParsedDeck) -> Iterator[LintFinding]:
    if any(card[:3].lower() == ".if" for _, card in deck.cards):
        return  # branches may define one name each
    bodies: dict[tuple[str, ...], list[str]] = {}
    scope: list[str] = []
    body: list[str] = []
    for line, card in deck.cards:
        lowered = card.lower()
        if lowered.startswith(".subckt") and len(lowered.split()) > 1:
            scope.append(lowered.split()[1])
            body = [lowered]
        elif lowered.startswith(".ends") and scope:
            known = bodies.setdefault(tuple(scope), body)
            if known != body:
                yield LintFinding(
                    line, f"subcircuit {scope[-1]} is defined twice, ngspice ignores the second", Verdict.PARSE
                )
            scope.pop()
            body = []
        else:
            body.append(lowered)


def _grounded_pins(deck: ParsedDeck, includes: IncludeSet) -> Iterator[LintFinding]:
    grounded = dict(includes.grounded)
    for _, card in deck.cards:
        words = card.lower().split() if card[:7].lower() == ".subckt" else []
        if "gnd" in words[2:]:
            grounded[words[1]] = words.index("gnd", 2) - 2
    if not grounded:
        return
    ground = {"0", "gnd"}
    for _, card in deck.cards:
        if card[0] not in "vV":
            continue
        words = card.lower().replace(" dc ", " ").split()
        if len(words) > 3 and parse_number(words[3]) == 0 and not ground.isdisjoint(words[1:3]):
            ground.update(words[1:3])  # tied to ground by a source of 0 V
    for line, card in deck.cards:
        if card[0] in "xX":
            words = card.lower().partition("params:")[0].replace(" =", "=").replace("= ", "=").split()
            words = [word for word in words if "=" not in word]
            pin = grounded.get(words[-1])
            if pin is not None and pin + 1 < len(words) - 1 and words[pin + 1] not in ground:
                yield LintFinding(
                    line,
                    f"pin gnd of subcircuit {words[-1]} is the global ground in ngspice, not {words[pin + 1]}: "
                    "rename the pin",
                    Verdict.PARSE,
                )


def _ignored_initial_conditions(deck: ParsedDeck) -> Iterator[LintFinding]:
    transients = [a for a in deck.analyses if a.kind == "tran"]
    if not transients or any(a.uic for a in transients):
        return
    for line, card in deck.cards:
        match = _INITIAL.search(card) if card[0] in "cClL" else None
        if match and parse_number(match[1]) != 0:
            yield LintFinding(
                line, f"ngspice ignores {match.group()} without uic in .tran: {card!r}", Verdict.SUSPECT, False
            )


def _no_stimulus(deck: ParsedDeck, includes: IncludeSet) -> Iterator[LintFinding]:
    """A small-signal analysis whose every answer is zero."""
    analysis = next((a for a in deck.analyses if a.kind == "ac"), None)
    if analysis is None or includes.paths or deck.control:
        return
    if not any(card[0] in "vViI" and _STIMULUS.search(card) for _, card in deck.cards):
        yield LintFinding(
            analysis.line, f"no source has an AC magnitude, all of {analysis.text!r} is zero", Verdict.SUSPECT, False
        )


def _single_connections(deck: ParsedDeck, includes: IncludeSet) -> Iterator[LintFinding]:
    if len(deck.cards) > _NODE_LIMIT or includes.paths:
        return
    seen: dict[str, str] = {}
    often = {"0", "gnd"}
    depth = 0
    for _, card in deck.cards:
        if card[0] == ".":
            words = card.lower().split()
            depth += (words[0] == ".subckt") - words[0].startswith(".ends")
            if words[0] == ".global":
                often.update(words)
        elif not depth:
            name, ends, others = _named(card)
            for node in ends:
                if node in seen:
                    often.add(node)
                seen.setdefault(node, name)
            often |= others
    for node, element in seen.items():
        if node not in often and element[0] != "v" and not _UNCONNECTED.match(node):
            yield LintFinding(0, f"node {node} has one connection only, {element}", None, False)


@functools.lru_cache(maxsize=20_000)
def _named(card: str) -> tuple[str, tuple[str, ...], frozenset[str]]:
    """(name, both nodes of an element with two, other names) of a card: pins of other elements and nodes in
    expressions are among the last; a name that is one word too many is never reported."""
    words = card.lower().split()
    ends = tuple(words[1:3] if words[0][0] in _TWO_NODES else ())
    return words[0], ends, frozenset(_NAME.findall(" ".join(words[1 + len(ends) :])))

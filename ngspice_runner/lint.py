"""Faults that are visible in a deck's text and that ngspice passes over in silence or answers with a riddle.

Errors mean that the deck would not simulate what it says: such a job is judged without being run. Warnings go to the
provenance of the result. Rules (error unless said otherwise): the title line is an element of the circuit; a value is
missing on R, C or L; a number carries a suffix that ngspice reads as something else (see `spice_numbers.bad_suffix`);
a name is used twice; a missing include file; no analysis; the declared end differs from the deck's own; a node without
DC path (small flat decks only; makes an otherwise good result suspect); elements after `.end`, which ngspice still
reads (warning). Rules about what is read in another way than it looks are in the modules `misread...`.
"""

import functools
import re
import string
from collections.abc import Iterator

import numpy as np

from ngspice_runner.deck import Analysis, ParsedDeck
from ngspice_runner.deck_form import deck_form
from ngspice_runner.includes import IncludeSet, unset_variables
from ngspice_runner.job import Job, Verdict
from ngspice_runner.lint_finding import LintFinding
from ngspice_runner.misread import RESISTOR_NOTATION, misread_cards, value_trap
from ngspice_runner.misread_definitions import misread_definitions
from ngspice_runner.misread_expressions import misread_expressions
from ngspice_runner.misread_sources import misread_sources
from ngspice_runner.spice_numbers import ATTO_VERSION, bad_suffix, parse_number

# Possessive quantifiers: the exponent of 1e-12 must not be given back and taken for a suffix.
_SUSPECT_NUMBER = re.compile(r"(?<![\w.:#$\[])(?>\d++\.?\d*+|\.\d++)(?:[eE][+-]?\d++)?+([A-Za-zµμ]++)(?![\w(:#.])")
_DIGIT, _LETTER, _EXPONENT, _POINT, _SIGN = 1, 2, 3, 4, 5
_KINDS = np.zeros(256, np.uint8)
_KINDS[128:] = _LETTER  # pieces of a Greek letter
for _characters, _kind in (
    (string.digits, _DIGIT),
    (string.ascii_letters, _LETTER),
    ("eE", _EXPONENT),
    (".", _POINT),
    ("+-", _SIGN),
):
    _KINDS[list(_characters.encode())] = _kind
_NODE_REFERENCE = re.compile(r"\b[vi]\s*\([^()]*\)", re.IGNORECASE)
_ELEMENT = re.compile(r"[A-Za-z][\w.:#$\[\]+-]*$")
_SOURCE_WORD = re.compile(r"(?:dc|ac|pulse|sin|exp|pwl|sffm|am|trnoise|trrandom|external)\b", re.IGNORECASE)
_VALUE_KEYS = {
    "r": re.compile(r"(?:^|\s)(?:r|resistance)\s*=", re.IGNORECASE),
    "c": re.compile(r"(?:^|\s)(?:c|q|capacitance)\s*=", re.IGNORECASE),
    "l": re.compile(r"(?:^|\s)(?:l|inductance)\s*=", re.IGNORECASE),
}
_NODE_COUNT = {
    "r": 2,
    "c": 2,
    "l": 2,
    "v": 2,
    "i": 2,
    "d": 2,
    "b": 2,
    "e": 4,
    "g": 4,
    "f": 2,
    "h": 2,
    "s": 4,
    "w": 2,
    "t": 4,
    "k": 0,
    "m": 4,
    "q": 3,
    "j": 3,
    "z": 3,
    "u": 3,
    "o": 4,
}
_DC_PATH_LIMIT = 200
_FORMS_KEPT = 100_000
_clean: set[str] = set()
"""Forms of decks in which nothing was found."""


def lint(job: Job, deck: ParsedDeck, includes: IncludeSet, version: float = 39) -> tuple[LintFinding, ...]:
    """All findings of a deck for an engine's version, in the order of the rules; empty for a clean deck."""
    findings = [LintFinding(line, _missing(name), Verdict.PARSE) for name, line in includes.missing]
    findings += _title(deck)
    form = deck_form(job, deck, includes, version) if not findings else ""
    if form and form in _clean:
        return ()
    findings += _elements(deck)
    findings += _suffixes(job.text, deck, version)
    findings += _analyses(job, deck, includes)
    findings += _paths(job, deck, includes)
    findings += misread_cards(deck, includes, version)
    findings += misread_definitions(deck, includes)
    findings += misread_expressions(job, deck)
    findings += misread_sources(deck)
    if form and not findings:
        if len(_clean) >= _FORMS_KEPT:
            _clean.clear()
        _clean.add(form)
    return tuple(findings)


def _missing(name: str) -> str:
    unset = [f"the environment variable {variable} is not set" for variable in unset_variables(name)]
    return f"include file {name!r} does not exist" + "".join(f"; {reason}" for reason in unset)


def _elements(deck: ParsedDeck) -> Iterator[LintFinding]:
    scopes: list[set[str]] = [set()]
    scope = scopes[0]
    last = deck.end_line if deck.end_line is not None else len(deck.lines)
    for line, card in deck.cards:
        if card[0] == ".":
            lowered = card[:6].lower()
            if lowered == ".subck":
                scopes.append(set())
                scope = scopes[-1]
            elif lowered[:5] == ".ends" and len(scopes) > 1:
                scopes.pop()
                scope = scopes[-1]
            elif lowered in (".if", ".else", ".elsei", ".if(") or lowered.startswith((".if ", ".elif")):
                scope.clear()  # branches may define one name each
            continue
        if line > last:
            yield LintFinding(line, "ngspice still reads this element after .end", None, False)
        name, fault, verdict = _element(card)
        if fault:
            yield LintFinding(line, fault, verdict, verdict is not None)
        if name in scope:
            yield LintFinding(line, f"element {name} is defined twice", Verdict.PARSE)
        scope.add(name)


@functools.lru_cache(maxsize=20_000)
def _element(card: str) -> tuple[str, str, Verdict | None]:
    """(name, what is wrong with its value or nothing, verdict of that) of an element; decks of a campaign share most of
    their cards."""
    kind = card[0].lower()
    tokens = card.split(None, 4)
    name = tokens[0].lower()
    if kind in "rcl":
        if len(tokens) < 4 or "=" in tokens[3] or (len(tokens) > 4 and tokens[4][0] == "="):
            tail = card.split(None, 3)[3:]
            if not tail or not _VALUE_KEYS[kind].search(tail[0]):
                return name, f"{tokens[0]} has no value: {card!r}", Verdict.PARSE
        elif kind == "r" and tokens[3][0] in "0." and parse_number(tokens[3]) == 0:
            return name, f"ngspice makes 1 mohm of a resistance of 0: {card!r}", None
    return name, "", None


def _suffixes(text: str, deck: ParsedDeck, version: float) -> Iterator[LintFinding]:
    # Most decks of this harness hold plain exponent floats only: a digit before a letter other than e is rare there.
    if not _some_suffix(text):
        return
    notation = RESISTOR_NOTATION.search(text)
    if not notation and not any(bad_suffix(tail, version) for tail in set(_SUSPECT_NUMBER.findall(text))):
        return
    for line, card in deck.cards + [(line, "." + card) for line, card in deck.control]:
        for region in _value_regions(card):
            for match in _SUSPECT_NUMBER.finditer(region):
                reason = bad_suffix(match.group(1), version)
                ampere = match.group(1) == "A" and card[0] not in "cCrRlL" and version < ATTO_VERSION
                if reason and not ampere:
                    yield LintFinding(line, f"{match.group(0)}: {reason}", Verdict.PARSE)
            for match in RESISTOR_NOTATION.finditer(region) if notation else ():
                reason = value_trap(match.group(), version)
                yield LintFinding(line, f"{match.group()}: {reason}", Verdict.PARSE)


def _some_suffix(text: str) -> bool:
    """True when any digit (and perhaps a point) has a letter behind it that does not begin an exponent."""
    kinds = _KINDS[np.frombuffer(f"{text}   ".encode("utf-8", "surrogateescape"), np.uint8)]
    digit, second, third = kinds[:-2] == _DIGIT, kinds[1:-1], kinds[2:]
    if np.any(digit & (second == _LETTER)) or np.any(digit & (second == _POINT) & (third == _LETTER)):
        return True
    return bool(np.any(digit & (second == _EXPONENT) & (third != _DIGIT) & (third != _SIGN)))


def _value_regions(card: str) -> list[str]:
    """The parts of a card where a number is a value and not the name of a node, model or file."""
    kind = card[0].lower()
    assignments = re.findall(r"=\s*('[^']*'|\{[^}]*\}|[^\s=]+)", card)
    if kind == ".":
        word = card.split(None, 1)[0].lower()
        if word in (".tran", ".ac", ".temp", ".step"):
            return [card]
        if word == ".dc":
            tokens = card.split()
            return [token for index, token in enumerate(tokens[1:]) if index % 4]
        if word in (".model", ".param", ".ic", ".nodeset", ".option", ".options", ".subckt", ".csparam"):
            return assignments
        if word in (".alter", ".altermod", ".alterparam", ".let"):
            return assignments
        if word == ".func":
            return [card.partition(")")[2]]
        return []
    tokens = card.split()
    if kind in "rclvi":
        return [_NODE_REFERENCE.sub(" ", " ".join(tokens[3:]))]
    if kind == "b":
        return [_NODE_REFERENCE.sub(" ", " ".join(tokens[3:]))]
    if kind in "efgh" and "poly" not in card.lower():
        return [*assignments, tokens[-1]]
    return [_NODE_REFERENCE.sub(" ", value) for value in assignments]


def _title(deck: ParsedDeck) -> Iterator[LintFinding]:
    title = deck.title.strip()
    tokens = title.split()
    if title.startswith(".") and re.match(
        r"\.(tran|op|ac|dc|subckt|model|param|inc|include|lib|option)\b", title, re.IGNORECASE
    ):
        yield LintFinding(1, f"the first line is the title, but it is a card: {title!r}", Verdict.PARSE)
        return
    if len(tokens) < 4 or not _ELEMENT.match(tokens[0]):
        return
    kind = tokens[0][0].lower()
    count = _NODE_COUNT.get(kind)
    if kind == "x":
        subcircuits = {
            card.split()[1].lower() for _, card in deck.cards if card[:7].lower() == ".subckt" and len(card.split()) > 1
        }
        positional = [token for token in tokens if "=" not in token]
        if positional[-1].lower() in subcircuits:
            yield LintFinding(1, f"the first line is the title, but it is an element: {title!r}", Verdict.PARSE)
        return
    if not count or len(tokens) < count + 2:
        return
    value = tokens[count + 1]
    if kind in "rcl":
        valued = parse_number(value) is not None or value[0] in "{'" or bool(_VALUE_KEYS[kind].match(value))
    elif kind in "vi":
        valued = parse_number(value) is not None or value[0] in "{'" or bool(_SOURCE_WORD.match(value))
    elif kind in "egfhb":
        valued = True
    else:
        models = {
            card.split()[1].lower() for _, card in deck.cards if card[:6].lower() == ".model" and len(card.split()) > 1
        }
        valued = value.lower() in models
    if not valued:
        return
    known: set[str] = set()
    for _, card in deck.cards:
        if card[0] != ".":
            known.update(token.lower() for token in card.split()[1 : 1 + max(2, _NODE_COUNT.get(card[0].lower(), 8))])
    hits = [node.lower() in known for node in tokens[1 : 1 + count]]
    # A prose title like "Cell 4 by 4" has the shape of an element as well: its "nodes" are not those of the circuit.
    if all(hits) or (any(hits) and re.fullmatch(r"[A-Za-z]\d+", tokens[0])):
        yield LintFinding(1, f"the first line is the title, but it is an element: {title!r}", Verdict.PARSE)


def _analyses(job: Job, deck: ParsedDeck, includes: IncludeSet) -> Iterator[LintFinding]:
    main = deck.main
    if main is None:
        if not includes.analysis and not any(card.split()[0].lower() in ("run", "source") for _, card in deck.control):
            yield LintFinding(0, "the deck has no analysis (.op, .tran, .ac, .dc, ...)", Verdict.NO_OUTPUT)
        return
    if job.stop is not None and main.stop is not None and main.swept and not _agrees(job.stop, main, main.stop):
        yield LintFinding(
            main.line,
            f"the job declares the end {job.stop:g}, the deck says {main.stop:g}: {main.text!r}",
            Verdict.PARSE,
        )


def _agrees(stop: float, analysis: Analysis, end: float) -> bool:
    slack = 1e-9 * abs(end)
    if analysis.kind == "dc" and analysis.step is not None:
        slack += abs(analysis.step)
    elif analysis.spacing == "oct":
        slack += abs(end)
    return abs(stop - end) <= slack


def nodes_without_dc_path(deck: ParsedDeck) -> list[str]:
    """Nodes of a flat deck that no resistance, inductance, source or semiconductor connects to ground.

    Semiconductors count as connecting all their nodes, elements that are not looked into (subcircuits, code models) as
    connecting them to ground: a node that is named has no path for certain.
    """
    nodes: dict[str, None] = {}
    joined: dict[str, list[str]] = {}
    reached = ["0"]
    depth = 0
    for _, card in deck.cards:
        if card[0] == ".":
            lowered = card[:7].lower()
            depth += (lowered == ".subckt") - (lowered[:5] == ".ends")
            if lowered[:3] == ".ic":
                reached += re.findall(r"v\s*\(\s*([^()\s]+)\s*\)", card.lower())
            continue
        if depth:
            continue
        anchor, ends, conducts = _connections(card)
        nodes.update(dict.fromkeys(ends))
        if conducts and anchor == "0":
            reached += ends
        elif conducts:
            for node in ends:
                joined.setdefault(anchor, []).append(node)
                joined.setdefault(node, []).append(anchor)
    known = set(reached)
    while reached:
        for node in joined.get(reached.pop(), ()):
            if node not in known:
                known.add(node)
                reached.append(node)
    return [node for node in nodes if node not in known]


@functools.lru_cache(maxsize=20_000)
def _connections(card: str) -> tuple[str, tuple[str, ...], bool]:
    """(node that the others are joined to, nodes, whether there is a DC path between them) of an element."""
    kind = card[0].lower()
    tokens = ["0" if word == "gnd" else word for word in card.lower().split()]
    nodes = tuple(token for token in tokens[1 : 1 + _NODE_COUNT.get(kind, len(tokens))] if "=" not in token)
    if kind in "eg":
        nodes = nodes[:2]  # the controlling nodes draw no current
    conducts = kind not in "cigfk" and not (kind == "b" and re.search(r"\bi\s*=", card, re.IGNORECASE))
    return (nodes[0] if kind in _NODE_COUNT and nodes else "0"), nodes, conducts


def _paths(job: Job, deck: ParsedDeck, includes: IncludeSet) -> Iterator[LintFinding]:
    if len(deck.cards) > _DC_PATH_LIMIT or includes.hashes or not deck.analyses or all(a.uic for a in deck.analyses):
        return
    if "rshunt" in job.text.lower() or any(name.lower() == "rshunt" for name, _ in job.options):
        return
    floating = nodes_without_dc_path(deck)
    if floating:
        names = ", ".join(sorted(floating)[:5]) + (" ..." if len(floating) > 5 else "")
        yield LintFinding(
            0, f"no DC path to ground from node {names}: the operating point is arbitrary there", Verdict.SUSPECT, False
        )

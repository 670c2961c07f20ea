"""An independent reading of a deck: its elements with subcircuits expanded, nodes and values as the author wrote them.

It is compared with what the engine says that it read (`reading`). Values follow the usual notation of the trade, not
the engine's: `4k7` is 4700, `1M` is 1e6, `1F` is one farad, `1,5` is 1.5. What is not understood for certain has no
value, and a deck with parts that are not understood at all (conditional cards, functions, subcircuits of included
files) is read only as far as it is plain.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

from ngspice_runner.deck import ParsedDeck
from ngspice_runner.spice_numbers import evaluate_expression, intended_number

_WORDS = re.compile(r"\{[^}]*\}|'[^']*'|[^\s,=(){}']+|=|\([^()]*\)")
_DECIMAL_COMMA = re.compile(r"(?<=\s)([+-]?\d+),(\d+[a-zA-Z]*)$")
_NODES = {"r": 2, "c": 2, "l": 2, "v": 2, "i": 2, "d": 2, "m": 4, "j": 3}
_VALUE_KEYS = {"r": ("r", "resistance"), "c": ("c", "capacitance"), "l": ("l", "inductance")}
_FUNCTIONS = frozenset({"pulse", "sin", "exp", "pwl", "sffm", "am", "trnoise", "trrandom", "external"})
_KEYWORDS = _FUNCTIONS | {"ac", "distof1", "distof2", "portnum"}
_HARMLESS = frozenset({"ic", "dc", "ac", "m"})
"""Assignments that leave the value alone that the engine shows; `m` of a resistor."""
_DEPTH = 20
ELEMENT_LIMIT = 5_000
"""Decks of more elements are not expanded any further."""


@dataclass(frozen=True, slots=True)
class FlatElement:
    """An element as the author wrote it: hierarchical name, nodes, value (ohm, F, H, V, A; None where it is not plain),
    the value's text and the line."""

    name: str
    nodes: tuple[str, ...]
    value: float | None
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class _Subcircuit:
    pins: tuple[str, ...]
    defaults: Mapping[str, str]
    cards: list[tuple[int, str]] = field(default_factory=list)
    inner: dict[str, _Subcircuit] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where a card stands: instance path, nodes of the pins, parameters, subcircuits known there, whether an instance
    around it stands for several in parallel."""

    path: tuple[str, ...]
    pins: Mapping[str, str]
    parameters: Mapping[str, str]
    known: Mapping[str, _Subcircuit]
    parallel: bool = False

    def node(self, name: str, shared: frozenset[str]) -> str:
        if name in ("0", "gnd"):
            return "0"
        if name in self.pins:
            return self.pins[name]
        return name if name in shared or not self.path else ".".join((*self.path, name))


def canonical_name(name: str) -> str:
    """A hierarchical name without the letters of its kind that the engine puts before every level."""
    kind, *parts = [part for part in name.split(".") if part]
    if not parts:
        return name
    parts = parts if len(kind) == 1 else [kind, *parts]
    letter = parts[-1][0]
    return ".".join([part for part in parts[:-1] if part != letter] + parts[-1:])


def flatten(deck: ParsedDeck) -> tuple[FlatElement, ...]:
    """The plain elements (R, C, L, V, I, D, M, J) of a deck and of its subcircuits; none of one with conditional
    cards."""
    if any(card[:3].lower() == ".if" for _, card in deck.cards):
        return ()
    top = _read(deck.cards)
    shared = frozenset(
        word for _, card in deck.cards if card[:7].lower() == ".global" for word in card.lower().split()[1:]
    )
    scope = _Scope((), {}, {}, top.inner)
    out: list[FlatElement] = []
    for element in _expand(top, scope, shared, 0):
        out.append(element)
        if len(out) >= ELEMENT_LIMIT:
            break
    return tuple(out)


def _read(cards: list[tuple[int, str]]) -> _Subcircuit:
    """The deck as a subcircuit without pins, definitions nested as they stand."""
    stack = [_Subcircuit((), {})]
    for line, card in cards:
        lowered = card.lower()
        if lowered.startswith(".subckt"):
            words = _words(lowered)[1:]
            if not words:
                continue
            pins, defaults = _split_parameters(words[1:])
            stack[-1].inner[words[0]] = circuit = _Subcircuit(tuple(pins), defaults)
            stack.append(circuit)
        elif lowered.startswith(".ends"):
            if len(stack) > 1:
                stack.pop()
        else:
            stack[-1].cards.append((line, lowered if card[0] == "." else card))
    return stack[0]


def _expand(circuit: _Subcircuit, scope: _Scope, shared: frozenset[str], depth: int) -> Iterator[FlatElement]:
    parameters = dict(scope.parameters)
    for _, card in circuit.cards:
        if card.startswith(".param"):
            parameters.update(_split_parameters(_words(card)[1:])[1])
    scope = replace(scope, parameters=parameters)
    for line, card in circuit.cards:
        kind = card[0].lower()
        if kind == "x" and depth < _DEPTH:
            yield from _instance(card.lower(), scope, shared, depth)
        elif kind in _NODES:
            found = _element(line, card, scope, shared)
            if found is not None:
                yield found


def _instance(card: str, scope: _Scope, shared: frozenset[str], depth: int) -> Iterator[FlatElement]:
    words, given = _split_parameters(_words(card))
    if len(words) < 2 or words[-1] not in scope.known:
        return
    circuit = scope.known[words[-1]]
    nodes = words[1:-1]
    if len(nodes) != len(circuit.pins):
        return
    outside = {name: value for name, text in given.items() if (value := _value(text, scope.parameters)) is not None}
    parameters = dict(scope.parameters) | dict(circuit.defaults)
    for name in given:
        # An argument that is not understood must not be taken for the default.
        parameters[name] = repr(outside[name]) if name in outside else "?"
    inner = _Scope(
        (*scope.path, words[0]),
        {pin: scope.node(node, shared) for pin, node in zip(circuit.pins, nodes, strict=True)},
        parameters,
        {**scope.known, **circuit.inner},
        scope.parallel or "m" in given,
    )
    yield from _expand(circuit, inner, shared, depth + 1)


def _element(line: int, card: str, scope: _Scope, shared: frozenset[str]) -> FlatElement | None:
    raw = _words(_DECIMAL_COMMA.sub(r"\1.\2", card))
    kind = raw[0][0].lower()
    name = raw[0].lower()
    ends = _NODES[kind]
    if len(raw) <= ends or any("(" in word for word in raw[1 : ends + 1]):
        return None
    nodes = tuple(scope.node(word.lower(), shared) for word in raw[1 : ends + 1])
    rest = raw[ends + 1 :]
    text = _value_text(kind, rest)
    # The engine shows a resistance by itself, other values together with what is in parallel.
    known = text is not None and (kind == "r" or not scope.parallel)
    value = _value(text or "", scope.parameters) if known else None
    return FlatElement(".".join((*scope.path, name)), nodes, value, text or "", line)


def _value_text(kind: str, rest: list[str]) -> str | None:
    """The text of an element's value; None where there is none, or where it is not the only thing that decides it."""
    lowered = [word.lower() for word in rest]
    assigned = {word for word, after in pairwise(lowered) if after == "="}
    if not assigned <= _HARMLESS.union(_VALUE_KEYS.get(kind, ())) - {"m" if kind != "r" else ""}:
        return None
    if kind in "vi":
        if "dc" in lowered:
            at = lowered.index("dc") + 1
            at += at < len(rest) and rest[at] == "="
            return rest[at] if at < len(rest) else None
        if not rest or lowered[0] in _KEYWORDS or rest[0].startswith("("):
            return None
        return rest[0]
    keys = _VALUE_KEYS.get(kind)
    if keys is None or not rest:
        return None
    if "=" not in rest[:2]:
        # A word behind the value may be a model, which decides together with it.
        return rest[0] if len(rest) == 1 or "=" in rest[1:3] else None
    if lowered[0] in keys and len(rest) >= 3:
        return rest[2]
    return None


def _value(text: str, parameters: Mapping[str, str]) -> float | None:
    number = intended_number(text)
    if number is not None:
        return number
    return None if "(" in text else evaluate_expression(text, parameters)


def _words(card: str) -> list[str]:
    return [word for word in _WORDS.findall(card) if word.strip()]


def _split_parameters(words: list[str]) -> tuple[list[str], dict[str, str]]:
    """Words before `params:` or the first assignment, and the assignments."""
    plain: list[str] = []
    assigned: dict[str, str] = {}
    i = 0
    while i < len(words):
        if i + 2 < len(words) and words[i + 1] == "=":
            assigned[words[i]] = words[i + 2]
            i += 3
        else:
            if words[i] != "params:":
                plain.append(words[i])
            i += 1
    return plain, assigned

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
_NODES = {"r": 2, "c": 2, "l": 2, "v": 2, "i": 2, "d": 2, "m": 4, "j": 3, "e": 2, "g": 2, "f": 2, "h": 2}
_CONTROLS = {"e": 2, "g": 2, "f": 1, "h": 1}
_VALUE_KEYS = {"r": ("r", "resistance"), "c": ("c", "capacitance"), "l": ("l", "inductance")}
_FUNCTIONS = frozenset({"pulse", "sin", "exp", "pwl", "sffm", "am", "trnoise", "trrandom", "external"})
_KEYWORDS = _FUNCTIONS | {"ac", "distof1", "distof2", "portnum"}
_NOT_LINEAR = frozenset({"poly", "vol", "cur", "value", "table", "laplace", "freq", "vcvs", "vccs", "ccvs", "cccs"})
_NAMES = re.compile(r"[^\s,=(){}'\[\]%*/]+")
_HARMLESS = frozenset({"ic", "dc", "ac", "m"})
"""Assignments that leave the value alone that the engine shows; `m` of a resistor."""
_DEPTH = 20
ELEMENT_LIMIT = 5_000
"""Decks of more elements are not expanded any further."""


@dataclass(frozen=True, slots=True)
class FlatElement:
    """An element as the author wrote it.

    name: hierarchical. value: ohm, F, H, V, A, gain; None where it is not plain. text: of the value. control: nodes
    whose voltage, or source whose current, controls it. count: how many of it are in parallel, None where that is not
    known. constant: False for a source that is a function of time. opaque: nothing is known of it but names that may
    be its nodes.
    """

    name: str
    nodes: tuple[str, ...]
    value: float | None
    text: str
    line: int
    control: tuple[str, ...] = ()
    count: float | None = 1.0
    constant: bool = True
    opaque: bool = False

    @property
    def kind(self) -> str:
        """The letter of its kind."""
        return self.name.rpartition(".")[2][0]

    @property
    def engine_name(self) -> str:
        """Its name in the expanded circuit of the engine."""
        return f"{self.kind}.{self.name}" if "." in self.name else self.name


@dataclass(frozen=True, slots=True)
class _Subcircuit:
    pins: tuple[str, ...]
    defaults: Mapping[str, str]
    cards: list[tuple[int, str]] = field(default_factory=list)
    inner: dict[str, _Subcircuit] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where a card stands: instance path, nodes of the pins, parameters, subcircuits known there, how many in parallel
    the instances around it stand for."""

    path: tuple[str, ...]
    pins: Mapping[str, str]
    parameters: Mapping[str, str]
    known: Mapping[str, _Subcircuit]
    count: float | None = 1.0

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
    """The elements (R, C, L, V, I, D, M, J and linear E, F, G, H) of a deck and of its subcircuits, others as opaque
    ones; none of a deck with conditional cards."""
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
            yield from _instance(line, card.lower(), scope, shared, depth)
        elif kind not in ".k":
            found = _element(line, card, scope, shared) if kind in _NODES else None
            yield found or _opaque(line, card, scope, shared)


def _opaque(line: int, card: str, scope: _Scope, shared: frozenset[str]) -> FlatElement:
    words = _NAMES.findall(card.lower())
    parts = [part for word in words[1:] for part in re.split(r"[-+]", word) if part]
    nodes = tuple(scope.node(word, shared) for word in dict.fromkeys([*words[1:], *parts]))
    return FlatElement(".".join((*scope.path, words[0])), nodes, None, "", line, count=None, opaque=True)


def _instance(line: int, card: str, scope: _Scope, shared: frozenset[str], depth: int) -> Iterator[FlatElement]:
    words, given = _split_parameters(_words(card))
    circuit = scope.known.get(words[-1])
    nodes = words[1:-1]
    if len(words) < 2 or circuit is None or len(nodes) != len(circuit.pins):
        yield _opaque(line, card, scope, shared)
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
        _product(scope.count, outside.get("m") if "m" in given else 1.0),
    )
    yield from _expand(circuit, inner, shared, depth + 1)


def _element(line: int, card: str, scope: _Scope, shared: frozenset[str]) -> FlatElement | None:
    raw = _words(_DECIMAL_COMMA.sub(r"\1.\2", card))
    kind = raw[0][0].lower()
    name = raw[0].lower()
    ends = _NODES[kind]
    controls = _CONTROLS.get(kind, 0)
    if len(raw) <= ends + controls or any("(" in word for word in raw[1 : ends + controls + 1]):
        return None
    nodes = tuple(scope.node(word.lower(), shared) for word in raw[1 : ends + 1])
    control = tuple(word.lower() for word in raw[ends + 1 : ends + controls + 1])
    rest = raw[ends + controls + 1 :]
    if controls:
        if len(rest) != 1 or control[0] in _NOT_LINEAR or "=" in control:
            return None
        names = [scope.node(word, shared) if controls == 2 else ".".join((*scope.path, word)) for word in control]
        control = tuple(names)
    text = rest[0] if controls else _value_text(kind, rest)
    # The engine shows a resistance by itself, other values together with what is in parallel.
    known = text is not None and (kind == "r" or scope.count == 1.0)
    value = _value(text or "", scope.parameters) if known else None
    if controls and value is None:
        return None
    lowered = [word.lower() for word in rest]
    own = _value(rest[lowered.index("m") + 2], scope.parameters) if "m" in lowered[:-2] else 1.0
    constant = kind not in "vi" or _KEYWORDS.isdisjoint(lowered)
    count = _product(scope.count, own)
    return FlatElement(".".join((*scope.path, name)), nodes, value, text or "", line, control, count, constant)


def _product(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one * other


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

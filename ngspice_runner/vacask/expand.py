"""A deck with its subcircuits expanded: element cards, each with the names and parameters that hold where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ngspice_runner.vacask.cards import Card, split_card
from ngspice_runner.vacask.expressions import ExpressionError, Scope, evaluate

_DEPTH = 40
_LIMIT = 2_000_000
"""Elements; more are a loop."""
GROUND = frozenset(("0", "gnd"))


@dataclass(slots=True)
class Circuit:
    """A subcircuit, or the deck itself: pins, defaults, cards, subcircuits that are defined in it."""

    pins: tuple[str, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=dict)
    cards: list[Card] = field(default_factory=list)
    inner: dict[str, Circuit] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Site:
    """Where an element stands: instance path, nodes of the pins, parameters, models and subcircuits known there, how
    many instances of what is around it are in parallel."""

    path: tuple[str, ...]
    pins: Mapping[str, str]
    scope: Scope
    models: Mapping[str, tuple[Card, Scope]]
    circuits: Mapping[str, Circuit]
    shared: frozenset[str]
    parallel: float = 1.0

    def node(self, name: str) -> str:
        """The node of this name in the whole circuit, `0` for ground."""
        if name in GROUND:
            return "0"
        if name in self.pins:
            return self.pins[name]
        return name if name in self.shared or not self.path else ".".join((*self.path, name))

    def element(self, name: str) -> str:
        """The element of this name in the whole circuit."""
        return ".".join((*self.path, name))

    def value(self, text: str, card: Card) -> float:
        """The value of an expression; the card is refused where it has none."""
        try:
            return evaluate(text, self.scope)
        except ExpressionError as error:
            raise card.refuse(str(error)) from None


def read_circuit(cards: list[Card]) -> Circuit:
    """The cards as a tree of subcircuits. Raises JobError for unbalanced or repeated definitions."""
    stack = [Circuit()]
    for card in cards:
        if card.keyword == ".subckt":
            words, defaults = split_card(card.text)
            if len(words) < 2:
                raise card.refuse("it has no name")
            if words[1] in stack[-1].inner:
                raise card.refuse(f"subcircuit {words[1]} is defined twice")
            circuit = Circuit(tuple(words[2:]), defaults)
            stack[-1].inner[words[1]] = circuit
            stack.append(circuit)
        elif card.keyword.startswith(".ends"):
            if len(stack) == 1:
                raise card.refuse("no subcircuit is open")
            stack.pop()
        else:
            stack[-1].cards.append(card)
    if len(stack) > 1:
        raise cards[-1].refuse("a subcircuit is not closed by .ends")
    return stack[0]


def expand_circuit(top: Circuit) -> tuple[Site, Iterator[tuple[Card, Site]], list[Card]]:
    """(site of the deck, element cards with their sites, dotted cards of the deck that define nothing)."""
    scope = Scope()
    shared = frozenset(w for card in top.cards if card.keyword == ".global" for w in card.text.split()[1:])
    site = Site((), {}, scope, {}, top.inner, shared)
    cards, models = _live_cards(top, site, {})
    site = Site((), {}, scope, models, top.inner, shared)
    elements = [card for card in cards if card.text[0] != "."]
    return site, _limited(_elements(elements, site, 0)), [card for card in cards if card.text[0] == "."]


def _limited(found: Iterator[tuple[Card, Site]]) -> Iterator[tuple[Card, Site]]:
    for number, (card, site) in enumerate(found):
        if number >= _LIMIT:
            raise card.refuse(f"the circuit has more than {_LIMIT} elements")
        yield card, site


def _elements(cards: list[Card], site: Site, depth: int) -> Iterator[tuple[Card, Site]]:
    for card in cards:
        if card.text[0] == "x":
            yield from _instance(card, site, depth)
        else:
            yield card, site


def _instance(card: Card, site: Site, depth: int) -> Iterator[tuple[Card, Site]]:
    words, given = split_card(card.text)
    circuit = site.circuits.get(words[-1])
    if circuit is None:
        raise card.refuse(f"subcircuit {words[-1]} is not defined")
    nodes = words[1:-1]
    if len(nodes) != len(circuit.pins):
        raise card.refuse(f"{words[-1]} has {len(circuit.pins)} pins, {len(nodes)} nodes are given")
    if depth > _DEPTH:
        raise card.refuse("subcircuits contain each other")
    scope = site.scope.inside()
    for name, text in circuit.defaults.items():
        scope.define(name, text)
    for name, text in given.items():
        scope.set(name, site.value(text, card))
    # A subcircuit that has a parameter m takes care of it itself.
    parallel = site.value(given["m"], card) if "m" in given and "m" not in circuit.defaults else 1.0
    pins = {pin: site.node(node) for pin, node in zip(circuit.pins, nodes, strict=True)}
    inner = Site(
        (*site.path, words[0]), pins, scope, site.models, {**site.circuits, **circuit.inner}, site.shared,
        site.parallel * parallel,
    )  # fmt: skip
    cards, models = _live_cards(circuit, inner, given)
    if models:
        inner = Site(
            inner.path, pins, scope, {**site.models, **models}, inner.circuits, site.shared, inner.parallel
        )  # fmt: skip
    for dotted in cards:
        if dotted.text[0] == ".":
            raise dotted.refuse("it stands inside a subcircuit")
    yield from _elements(cards, inner, depth + 1)


def _live_cards(
    circuit: Circuit, site: Site, given: Mapping[str, str]
) -> tuple[list[Card], dict[str, tuple[Card, Scope]]]:
    """Cards that are left once conditions are decided, and the models among them; parameters and functions are
    entered into the site's scope. given: what an instance sets, whatever `.param` says inside."""
    models: dict[str, tuple[Card, Scope]] = {}
    out: list[Card] = []
    branches: list[tuple[bool, bool]] = []  # (this branch is taken, one of this .if was)
    for card in circuit.cards:
        keyword = card.keyword if card.text[0] == "." else ""
        if keyword.startswith(".if"):
            live = all(taken for taken, _ in branches) and bool(site.value(_condition(card), card))
            branches.append((live, live))
        elif keyword.startswith(".elseif"):
            _, done = _last(branches, card)
            live = not done and all(taken for taken, _ in branches[:-1]) and bool(site.value(_condition(card), card))
            branches[-1] = (live, done or live)
        elif keyword == ".else":
            _, done = _last(branches, card)
            branches[-1] = (not done, True)
        elif keyword == ".endif":
            _last(branches, card)
            branches.pop()
        elif not all(taken for taken, _ in branches):
            continue
        elif keyword == ".param":
            for name, text in split_card(card.text)[1].items():
                if name not in given:
                    site.scope.define(name, text)
        elif keyword == ".func":
            _function(card, site.scope)
        elif keyword == ".model":
            words, _ = split_card(card.text)
            if len(words) < 3:
                raise card.refuse("it has no name or no type")
            models[words[1]] = (card, site.scope)
        elif keyword != ".global":
            out.append(card)
    if branches:
        raise circuit.cards[-1].refuse("an .if is not closed by .endif")
    return out, models


def _last(branches: list[tuple[bool, bool]], card: Card) -> tuple[bool, bool]:
    if not branches:
        raise card.refuse("no .if is open")
    return branches[-1]


def _condition(card: Card) -> str:
    return card.text[card.text.index("(") if "(" in card.text else len(card.keyword) :]


def _function(card: Card, scope: Scope) -> None:
    head, _, body = card.text[len(card.keyword) :].partition(")")
    name, _, arguments = head.partition("(")
    if not name.strip() or not body.strip(" ="):
        raise card.refuse("it is no function of the form name(arguments) {expression}")
    names = tuple(word.strip() for word in arguments.split(",") if word.strip())
    scope.functions[name.strip()] = (names, body.strip(" ="))

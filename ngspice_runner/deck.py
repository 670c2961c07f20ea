"""Reading a deck's text just far enough to know what it asks for: cards, analyses, includes, control section."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from ngspice_runner.spice_numbers import evaluate_expression

PLOT_NAMES = {
    "op": "operating point",
    "tran": "transient analysis",
    "ac": "ac analysis",
    "dc": "dc transfer characteristic",
    "noise": "noise spectral density",
    "tf": "transfer function",
    "sens": "sensitivity analysis",
    "pz": "pole-zero analysis",
    "disto": "distortion",
    "sp": "sp analysis",
}
"""Analysis kind -> how the engine's plot name begins (lower case)."""

INTEGRATED_NOISE = "integrated noise"
"""Beginning of the second plot that `.noise` writes: one point, the totals."""

_PARAMETER = re.compile(r"([a-z_]\w*)\s*=\s*('[^']*'|\{[^}]*\}|\"[^\"]*\"|[^\s,]+)", re.IGNORECASE)
_INLINE_COMMENT = re.compile(r"\s*(?:;|//|(?<!\S)\$).*")
_VARIABLE_PATH = re.compile(r"\.(?:inc|lib)\w*\s+\$(?=[{\w])", re.IGNORECASE)
"""`.include $PDK_ROOT/...`: this `$` begins no comment."""
_INCLUDE = re.compile(r"\.(inc|lib)\w*(?:\s*\"([^\"]*)\"|\s*'([^']*)'|\s+(\S+))\s*(\S+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Analysis:
    """One analysis that a deck asks for. start, stop, step are those of the (inner) sweep in its own unit, None when
    there is no sweep or when the text does not tell; `spacing` is lin, dec or oct for `.ac`, empty otherwise."""

    kind: str
    line: int
    text: str
    start: float | None = None
    stop: float | None = None
    step: float | None = None
    spacing: str = ""
    uic: bool = False

    @property
    def swept(self) -> bool:
        """True when the analysis has an axis with an end."""
        return self.kind in ("tran", "ac", "dc", "noise", "sp")


@dataclass(frozen=True, slots=True)
class Include:
    """A file named by `.include` or `.lib`, as written in the deck; `section` is None for `.include`."""

    name: str
    section: str | None
    line: int


@dataclass(frozen=True, slots=True)
class ParsedDeck:
    """What a deck's text says. `cards`: (line number from 1, logical line without comments) outside the control
    section."""

    lines: list[str]
    cards: list[tuple[int, str]]
    control: list[tuple[int, str]]
    analyses: tuple[Analysis, ...]
    includes: tuple[Include, ...]
    end_line: int | None
    title_card: tuple[int, str] | None
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The first line."""
        return self.lines[0]

    @property
    def main(self) -> Analysis | None:
        """The analysis whose vectors a result carries under plain names: the first that is not `.op`, else the
        first."""
        return next((a for a in self.analyses if a.kind != "op"), self.analyses[0] if self.analyses else None)


def read_deck(text: str) -> ParsedDeck:
    """Split a deck into logical lines (continuations joined, comments dropped) and read its analyses and includes."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    cards: list[tuple[int, str]] = []
    control: list[tuple[int, str]] = []
    dotted: list[tuple[int, str]] = []
    in_control = False
    end_line: int | None = None
    strip_comments = ";" in text or "$" in text or "//" in text
    for number, line in enumerate(lines[1:], start=2):
        card = line.strip()
        if not card:
            continue
        first = card[0]
        if first == "*":
            continue
        if in_control:
            if card[:5].lower() == ".endc":
                in_control = False
            else:
                control.append((number, card))
            continue
        if strip_comments and (";" in card or "$" in card or "//" in card):
            path = _VARIABLE_PATH.match(card)
            kept = path.end() if path else 0
            card = card[:kept] + _INLINE_COMMENT.sub("", card[kept:])
            if not card:
                continue
        if first == "+":
            if cards:
                joined = (cards[-1][0], f"{cards[-1][1]} {card[1:].strip()}")
                if dotted and dotted[-1] is cards[-1]:
                    dotted[-1] = joined
                cards[-1] = joined
            continue
        if first == ".":
            lowered = card[:9].lower()
            if lowered.startswith(".control"):
                in_control = True
                continue
            if lowered.split()[0] == ".end":
                end_line = end_line or number
                continue
            entry = (number, card)
            cards.append(entry)
            dotted.append(entry)
            continue
        cards.append((number, card))
    parameters = _parameters(dotted)
    includes = tuple(i for i in map(_include, dotted) if i)
    analyses = [a for a in (_analysis(number, card[1:], parameters) for number, card in dotted) if a]
    if control:
        analyses += [a for a in (_analysis(number, card, parameters) for number, card in control) if a]
    titles = [(number, card) for number, card in dotted if card[:6].lower() == ".title"]
    return ParsedDeck(
        lines, cards, control, tuple(analyses), includes, end_line, titles[-1] if titles else None, parameters
    )


def with_parameters(deck: ParsedDeck, values: dict[str, str]) -> ParsedDeck:
    """The deck as it reads when `.param` names have other values: its analyses anew where they use expressions."""
    if not any("{" in a.text or "'" in a.text or '"' in a.text for a in deck.analyses):
        return deck
    known = deck.parameters | values
    analyses = (_analysis(a.line, a.text.lstrip("."), known) for a in deck.analyses)
    return replace(deck, analyses=tuple(a for a in analyses if a), parameters=known)


def _parameters(dotted: list[tuple[int, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for _, card in dotted:
        if card[:6].lower() == ".param":
            found.update((name.lower(), value) for name, value in _PARAMETER.findall(card.partition(" ")[2]))
    return found


def _include(entry: tuple[int, str]) -> Include | None:
    match = _INCLUDE.match(entry[1])
    if match is None:
        return None
    keyword, name = match.group(1).lower(), match.group(2) or match.group(3) or match.group(4)
    if keyword != "lib":
        return Include(name, None, entry[0])
    # `.lib NAME` alone opens a section inside a library; only `.lib FILE SECTION` names a file.
    return Include(name, match.group(5), entry[0]) if match.group(5) else None


def _tokens(text: str) -> list[str]:
    """Blank-separated tokens; expressions in braces or quotes stay whole."""
    return re.findall(r"\{[^}]*\}|'[^']*'|\"[^\"]*\"|[^\s,]+", text)


def _analysis(line: int, text: str, parameters: dict[str, str]) -> Analysis | None:
    kind = text.split(None, 1)[0].lower() if text else ""
    if kind not in PLOT_NAMES:
        return None
    tokens = _tokens(text)[1:]

    def value(position: int) -> float | None:
        return evaluate_expression(tokens[position], parameters) if position < len(tokens) else None

    if kind == "tran":
        uic = any(token.lower() == "uic" for token in tokens)
        start = value(2) if len(tokens) > 2 and tokens[2].lower() != "uic" else 0.0
        return Analysis(kind, line, text, start, value(1), value(0), uic=uic)
    if kind in ("ac", "sp"):
        return Analysis(kind, line, text, value(2), value(3), value(1), spacing=tokens[0].lower() if tokens else "")
    if kind == "noise":
        return Analysis(
            kind, line, text, value(4), value(5), value(3), spacing=tokens[2].lower() if len(tokens) > 2 else ""
        )
    if kind == "dc":
        return Analysis(kind, line, text, value(1), value(2), value(3))
    return Analysis(kind, line, text)


def root_of(parent: dict[str, str], node: str) -> str:
    """Representative of the set that a node was joined to (union-find with path halving); a new node is its own."""
    parent.setdefault(node, node)
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node

"""The cards of a deck and of everything that it includes, in order, each with its place; and their parts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ngspice_runner.deck import read_deck
from ngspice_runner.errors import JobError

_WORD = re.compile(r"\{[^{}]*\}|'[^']*'|\"[^\"]*\"|[^\s,=(){}'\"]+")
_ASSIGNMENT = re.compile(r"(?<![\w.$])([a-z_$][\w$]*)\s*=(?!=)\s*")
_QUOTED = re.compile(r"\{[^{}]*\}|'[^']*'|\"[^\"]*\"")
_FILE = re.compile(r"\.(inc\w*|lib)(?:\s*\"([^\"]*)\"|\s*'([^']*)'|\s+(\S+))\s*(\S*)", re.IGNORECASE)
_LARGEST = 256 * 2**20
_DEEPEST = 30


@dataclass(frozen=True, slots=True)
class Card:
    """A logical line in lower case; file: empty for the deck itself."""

    file: str
    line: int
    text: str

    def refuse(self, why: str) -> JobError:
        """The refusal of this card: place, card, reason in one sentence."""
        place = f"{self.file}, line {self.line}" if self.file else f"line {self.line}"
        return JobError(f"{place}: {self.text[:80]!r} cannot be translated to VACASK: {why}")

    @property
    def keyword(self) -> str:
        """The first word."""
        return self.text.split(None, 1)[0]


def read_cards(text: str, folder: Path) -> list[Card]:
    """All cards of a deck, those of its includes in their place. Raises JobError for a file that cannot be read, or a
    section that is not there."""
    deck = read_deck(text)
    return list(_inlined(deck.cards, "", folder, folder, 0))


def _inlined(cards: list[tuple[int, str]], file: str, base: Path, beside: Path, depth: int) -> Iterator[Card]:
    for line, text in cards:
        match = _FILE.match(text) if text[0] == "." else None
        if match is None or (match[1].lower() == "lib" and not match[5]):
            yield Card(file, line, text.lower())
            continue
        card = Card(file, line, text)
        if depth > _DEEPEST:
            raise card.refuse("files include each other")
        name = match[2] or match[3] or match[4]
        starts = (base, beside)
        path = next((p for s in starts if (p := (s / Path(name).expanduser()).absolute()).is_file()), None)
        if path is None:
            raise card.refuse(f"there is no file {name}")
        if path.stat().st_size > _LARGEST:
            raise card.refuse(f"{path} is larger than {_LARGEST} bytes")
        # The reader of decks takes the first line for a title, which a file has not.
        inner = [(n - 1, t) for n, t in read_deck("\n" + path.read_text("utf-8", "surrogateescape")).cards]
        if match[1].lower() == "lib":
            inner = _section(inner, match[5], card)
        yield from _inlined(inner, str(path), base, path.parent, depth + 1)


def _section(cards: list[tuple[int, str]], name: str, card: Card) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    current = ""
    known: list[str] = []
    for line, text in cards:
        words = text.lower().split()
        if words[0] == ".lib" and len(words) == 2:
            current = words[1].strip("'\"")
            known.append(current)
        elif words[0] == ".endl":
            current = ""
        elif current == name.lower().strip("'\""):
            found.append((line, text))
    if name.lower().strip("'\"") not in known:
        raise card.refuse(f"the file has no section {name}; it has {', '.join(dict.fromkeys(known)) or 'none'}")
    return found


def split_card(text: str) -> tuple[list[str], dict[str, str]]:
    """(words before the first assignment, assigned values) of a card in lower case; expressions stay whole.

    Parentheses around lists are dropped; the keyword `params:` too.
    """
    masked = _QUOTED.sub(lambda m: "?" * len(m.group()), text)
    marks = list(_ASSIGNMENT.finditer(masked))
    head = text[: marks[0].start()] if marks else text
    words = [word for word in _WORD.findall(head) if word != "params:"]
    assigned: dict[str, str] = {}
    for mark, following in zip(marks, [*marks[1:], None], strict=False):
        value = text[mark.end() : following.start() if following else len(text)].strip().rstrip(",").strip()
        while value.endswith(")") and value.count(")") > value.count("("):
            value = value[:-1].rstrip()
        assigned[mark[1]] = value
    return words, assigned

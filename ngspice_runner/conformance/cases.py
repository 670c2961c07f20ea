"""Cases of the conformance suite: decks with the values that their authors mean, as data for any harness.

Four groups, each a file of `decks/`: `misleading` (legal decks that ngspice reads otherwise than their author),
`broken` (decks for which no value is right), `odd` (decks that look strange and are right) and `good` (decks as people
write them: model libraries and corners, subcircuit trees, loops, converters, lines, code models).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

GROUPS = ("misleading", "broken", "odd", "good")
FOLDER = Path(__file__).resolve().parent / "decks"
_KEYS = {
    "name", "deck", "files", "expect", "outputs", "says", "draws", "source", "stop", "timeout", "verdict",
}  # fmt: skip
_RTOL = 1e-4


@dataclass(frozen=True, slots=True)
class Expected:
    """A value that the author means: output, value in SI units (magnitude of a complex one), the point of the sweep
    (None: the last one), tolerances."""

    output: str
    value: float
    at: float | None = None
    rtol: float = _RTOL
    atol: float = 0.0

    def holds(self, value: float | None) -> bool:
        """Whether a harness's value is the expected one."""
        return value is not None and abs(value - self.value) <= self.rtol * abs(self.value) + self.atol


@dataclass(frozen=True, slots=True)
class Case:
    """A deck, files beside it, and what is right.

    expected: empty where no value is right. outputs: what is asked of the harness. says: pieces of text, one of which
    a note must hold to name the difference. draws: a random deck. stop, timeout: for harnesses that take a declared end
    (in the sweep's unit) and a limit (s). verdict: that of this harness for a broken deck.
    """

    name: str
    group: str
    deck: str
    files: Mapping[str, str] = field(default_factory=dict)
    expected: tuple[Expected, ...] = ()
    outputs: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    draws: bool = False
    source: str = ""
    stop: float | None = None
    timeout: float = 20.0
    verdict: str = ""

    @property
    def good(self) -> bool:
        """True for a deck that must not be refused."""
        return self.group in ("odd", "good")

    def write(self, folder: Path) -> Path:
        """Write the deck and its files; the deck's path."""
        for name, text in self.files.items():
            (folder / name).write_text(text, encoding="utf-8")
        path = folder / "deck.cir"
        path.write_bytes(self.deck.encode())
        return path


def load_cases(*groups: str) -> tuple[Case, ...]:
    """The cases of some groups, of all if none is named, in the order of their files."""
    return tuple(case for group in groups or GROUPS for case in _read(group))


def _read(group: str) -> Iterator[Case]:
    rows = yaml.safe_load((FOLDER / f"{group}.yaml").read_text(encoding="utf-8"))
    for row in rows:
        unknown = set(row) - _KEYS
        if unknown:
            raise ValueError(f"{group}.yaml, {row.get('name')}: unknown keys {sorted(unknown)}")
        expected = tuple(_expected(output, given) for output, given in row.get("expect", {}).items())
        says = row.get("says", ())
        yield Case(
            name=row["name"],
            group=group,
            deck=row["deck"],
            files=row.get("files", {}),
            expected=expected,
            outputs=tuple(row.get("outputs", [e.output for e in expected])),
            says=(says,) if isinstance(says, str) else tuple(says),
            draws=row.get("draws", False),
            source=row.get("source", ""),
            stop=row.get("stop"),
            timeout=row.get("timeout", 20.0),
            verdict=row.get("verdict", ""),
        )


def _expected(output: str, given: Any) -> Expected:
    return (
        Expected(output, **{k: float(v) for k, v in given.items()})
        if isinstance(given, dict)
        else Expected(output, float(given))
    )

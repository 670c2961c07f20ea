"""Points of a sweep: which numbers of a deck change, as text of a deck of their own and as commands to the engine.

A point is named by `.param` names and by top-level R, C, L, V and I elements (their value; for sources the DC value).
Its deck is the base's text with those numbers exchanged, so a point is an ordinary job and any backend can run it;
`alter` and `alterparam` only save the start-up. Both ways are compared on a sample in every sweep (see `sweep`).
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ngspice_runner.deck import ParsedDeck, with_parameters
from ngspice_runner.errors import JobError
from ngspice_runner.job import Job

_VALUE = r"('[^']*'|\{[^}]*\}|\"[^\"]*\"|[^\s,;$]+)"
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_ELEMENT = re.compile(
    rf"\s*(?P<name>[RCLVI]\S*)\s+\S+\s+\S+\s+(?:dc\s*=?\s*)?(?P<value>{_NUMBER}(?:[a-zA-Z]\w*)?|\{{[^}}]*\}}|'[^']*')"
    r"(?=\s|$)",
    re.IGNORECASE,
)
_PLAIN_PARAMETER = re.compile(rf"(?<=[\s.])([A-Za-z_]\w*)\s*=\s*({_NUMBER})(?=[\s,]|$)")


@dataclass(frozen=True, slots=True)
class Sweep:
    """One circuit at many points: `points` map `.param` names and element names to numbers (SI units). All points name
    the same things."""

    base: Job
    points: Sequence[Mapping[str, float]] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class SweptParameter:
    """One number that changes: its place in the text, and how the engine is reported."""

    name: str
    start: int
    end: int
    is_parameter: bool

    def command(self, token: str) -> str:
        """The engine's command that sets it."""
        return f"alterparam {self.name} = {token}" if self.is_parameter else f"alter {self.name} = {token}"


class SweepPoints:
    """The points of a sweep over one base job. values: tokens per point in the order of `knobs`."""

    def __init__(
        self, base: Job, deck: ParsedDeck, knobs: Sequence[SweptParameter], values: Sequence[tuple[str, ...]]
    ) -> None:
        self._base, self._deck, self.values = base, deck, values
        order = sorted(range(len(knobs)), key=lambda i: knobs[i].start)
        self._knobs = [knobs[i] for i in order]
        self._order = order
        text = "\n".join(deck.lines)
        starts = [0, *(knob.end for knob in self._knobs)]
        ends = [*(knob.start for knob in self._knobs), len(text)]
        self._pieces = [text[a:b] for a, b in zip(starts, ends, strict=True)]

    def __len__(self) -> int:
        return len(self.values)

    def text(self, index: int) -> str:
        """The complete deck of a point."""
        parts = [self._pieces[0]]
        for place, piece in zip(self._order, self._pieces[1:], strict=True):
            parts += [self.values[index][place], piece]
        return "".join(parts)

    def job(self, index: int) -> Job:
        """A point as a job of its own."""
        return replace(self._base, text=self.text(index))

    def commands(self, index: int) -> list[str]:
        """What takes the engine to a point from any other."""
        tokens = [self.values[index][place] for place in self._order]
        message = [knob.command(token) for knob, token in zip(self._knobs, tokens, strict=True) if knob.is_parameter]
        if message:
            message.append("reset")  # reads the circuit anew with the parameters; forgets altered elements
        return message + [
            knob.command(token) for knob, token in zip(self._knobs, tokens, strict=True) if not knob.is_parameter
        ]

    def doubtful(self, index: int) -> bool:
        """True for element values that the engine refuses in a deck and swallows in `alter`: resistances below 10
        mohm, capacitances and inductances that are not positive."""
        return any(
            float(self.values[index][place]) < (1e-2 if knob.name[0] == "r" else 1e-30)
            for knob, place in zip(self._knobs, self._order, strict=True)
            if not knob.is_parameter and knob.name[0] in "rcl"
        )

    def deck(self, index: int) -> ParsedDeck:
        """The point's deck as far as the judge needs it: its analyses."""
        named = {k.name: self.values[index][place] for k, place in zip(self._knobs, self._order, strict=True)}
        return with_parameters(self._deck, named)


def plan_points(sweep: Sweep, deck: ParsedDeck) -> SweepPoints:
    """Find the numbers that a sweep changes. Raises JobError for a name that the deck has not, or a value that is no
    finite number."""
    if not sweep.points:
        return SweepPoints(sweep.base, deck, (), ())
    names = list(sweep.points[0])
    lowered = [name.lower() for name in names]
    if len(set(lowered)) != len(lowered):
        raise JobError("a sweep point sets one parameter twice")
    knobs = [_find(name, deck) for name in lowered]
    values = []
    for number, point in enumerate(sweep.points):
        if point.keys() != sweep.points[0].keys():
            raise JobError(f"point {number} names {sorted(point)}, point 0 {sorted(names)}: all must name the same")
        numbers = [float(point[name]) for name in names]
        if not all(map(math.isfinite, numbers)):
            raise JobError(f"point {number} holds a value that is not a finite number: {dict(point)}")
        values.append(tuple(map(repr, numbers)))
    return SweepPoints(sweep.base, deck, knobs, values)


def _find(name: str, deck: ParsedDeck) -> SweptParameter:
    offsets = [0]
    for physical in deck.lines:
        offsets.append(offsets[-1] + len(physical) + 1)
    found: list[SweptParameter] = []
    depth = 0
    for line, card in deck.cards:
        lowered = card[:7].lower()
        depth += (lowered == ".subckt") - (lowered[:5] == ".ends")
        if depth or line == 1:
            continue
        if lowered[:6] == ".param" and name in deck.parameters:
            last = line
            while last < len(deck.lines) and deck.lines[last].lstrip().startswith("+"):
                last += 1
            text = "\n".join(deck.lines[line - 1 : last])
            for match in re.finditer(rf"(?<![\w.]){re.escape(name)}\s*=\s*{_VALUE}", text, re.IGNORECASE):
                start = offsets[line - 1] + match.start(1)
                found.append(SweptParameter(name, start, start + len(match[1]), True))
        elif card.split(None, 1)[0].lower() == name:
            value = _ELEMENT.match(deck.lines[line - 1])
            if value is None:
                raise JobError(
                    f"line {line}: only the value of an R, C, L, V or I that stands on its first line can be swept; "
                    f"for {name} use a .param"
                )
            start = offsets[line - 1] + value.start("value")
            found.append(SweptParameter(name, start, start + len(value["value"]), False))
    if not found:
        raise JobError(f"the deck has no .param and no top-level element {name!r} to sweep")
    if len(found) > 1:
        raise JobError(f"{name!r} appears more than once in the deck (.param or element): it cannot be swept")
    return found[0]


def group_jobs(
    jobs: Sequence[Job], size: int
) -> list[tuple[list[Job], Job, list[SweptParameter], list[tuple[str, ...]]]]:
    """Groups of at least `size` jobs that differ only in plain numbers of `.param` cards: (jobs, base, knobs,
    values)."""
    groups: dict[Job, list[tuple[Job, list[re.Match[str]]]]] = {}
    for job in jobs:
        if ".param" in job.text.lower() and "\r" not in job.text:
            matches = [m for m in _parameter_numbers(job.text) if m]
            pieces, at = [], 0
            for match in matches:
                pieces.append(job.text[at : match.start(2)])
                at = match.end(2)
            skeleton = "\0".join([*pieces, job.text[at:]])
            groups.setdefault(replace(job, text=skeleton), []).append((job, matches))
    found = []
    for members in groups.values():
        names = [match[1].lower() for match in members[0][1]]
        if len(members) < size or len(set(names)) != len(names):
            continue
        first = members[0][1]
        changed = [i for i in range(len(first)) if len({matches[i][2] for _, matches in members}) > 1]
        if not changed:
            continue
        knobs = [SweptParameter(names[i], first[i].start(2), first[i].end(2), True) for i in changed]
        values = [tuple(matches[i][2] for i in changed) for _, matches in members]
        found.append(([job for job, _ in members], members[0][0], knobs, values))
    return found


def _parameter_numbers(text: str) -> list[re.Match[str]]:
    """Plain `name = number` assignments of top-level one-line `.param` cards."""
    found: list[re.Match[str]] = []
    depth, at = 0, 0
    for line in text.split("\n"):
        lowered = line[:9].lstrip().lower()
        if lowered.startswith("."):
            depth += lowered.startswith(".subckt") - lowered.startswith(".ends")
            if lowered.startswith(".param") and not depth and not any(mark in line for mark in "'\"{;$"):
                found += list(_PLAIN_PARAMETER.finditer(text, at, at + len(line)))
        at += len(line) + 1
    return found

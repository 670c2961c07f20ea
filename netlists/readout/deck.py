"""What every readout deck has in common: its text, its timing, its sources, and the template values they share."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from interconnect.errors import InputError
from netlists.condition import Condition
from netlists.deck import Deck
from netlists.parameters import tidy as tidy
from netlists.render import render
from netlists.technology import Technology
from netlists.transistors import deck_values

Level = Literal["transistor", "behavioral"]

ReadoutRole = Literal["converter", "comparator", "sense", "sampler", "multiplexer"]
"""What a readout circuit does; a `converter` may be named by `readout.adc.kind`."""
POWER_UP = 0.2e-9
"""Rise time of the supply at the start of every readout deck, s."""


@dataclass(frozen=True, slots=True)
class ReadoutDeck(Deck):
    """A readout circuit with its stimuli, ready to run.

    outputs: saved vectors. stop: end of the transient, s. windows: (start, end) of every conversion or decision, s.
    sources: name of a source -> (current vector into its positive terminal, voltage vector of its node); the power
    delivered is minus their product. high: voltage of a logic 1. reads: per conversion, the times (s) that are read.
    """

    stop: float
    windows: tuple[tuple[float, float], ...]
    sources: Mapping[str, tuple[str, str]]
    high: float
    reads: tuple[tuple[float, ...], ...] = ()


def build_deck(
    template: str,
    values: Mapping[str, Any],
    *,
    technology: Technology,
    condition: Condition,
    length: float,
    level: Level,
    title: str,
    outputs: Sequence[str],
    stop: float,
    max_step: float,
    chgtol: float = 1e-16,
    windows: Sequence[tuple[float, float]],
    sources: Mapping[str, str],
    reads: Sequence[tuple[float, ...]] = (),
) -> ReadoutDeck:
    """Render `testbenches/<template>`; `sources` maps a voltage source `v_x` to the node at its positive terminal.

    length: default channel length, m.
    Raises InputError for an unknown level, a size outside the device set or a fault in a template.
    """
    if level not in ("transistor", "behavioral"):
        raise InputError(f"the level is {level!r}", where="readout", hint="transistor or behavioral")
    pairs = {name: (f"i({name})", f"v({node})") for name, node in sources.items()}
    saved = tuple(dict.fromkeys([*outputs, *(vector for pair in pairs.values() for vector in pair)]))
    shared: dict[str, Any] = {
        **deck_values(technology, condition, length, title),
        "transistor_level": level == "transistor",
        "outputs": saved,
        "stop": tidy(stop),
        "max_step": max_step,
        "power_up": POWER_UP,
        "tidy": tidy,
        "chgtol": chgtol,
    }
    text = render(f"testbenches/{template}", {**shared, **values})
    return ReadoutDeck(text, title, saved, tidy(stop), tuple(windows), pairs, condition.vdd, tuple(reads))


def staircase(levels: Sequence[float], starts: Sequence[float], edge: float) -> list[tuple[float, float]]:
    """Corners (s, V) of a waveform that takes `levels[i]` from `starts[i]` + `edge` on; 0 V before the first."""
    corners: list[tuple[float, float]] = []
    before = 0.0
    for start, level in zip(starts, levels, strict=True):
        corners += [(tidy(start), before), (tidy(start + edge), float(level))]
        before = float(level)
    return corners


@dataclass(frozen=True, slots=True)
class Transistor:
    """A transistor instance: name, model, width and length in m, multiplier, nets of drain and source."""

    name: str
    model: str
    width: float
    length: float
    multiplier: int
    drain: str = ""
    source: str = ""


_MOS = re.compile(r"^(M\w*) (\S+) \S+ (\S+) \S+ (\w+) w=(\S+) l=(\S+)(?:.* m=(\d+))?", re.MULTILINE | re.IGNORECASE)
_SUBCKT = re.compile(r"^\.subckt (\w+)(.*?)^\.ends", re.MULTILINE | re.DOTALL)
_CALL = re.compile(r"^(X\w*) (.+)$", re.MULTILINE | re.IGNORECASE)


def transistors(deck_text: str, subckt: str) -> list[Transistor]:
    """Every transistor below a subcircuit of a rendered deck, calls followed; names are joined by a point.

    Raises InputError if the deck has no such subcircuit.
    """
    bodies: dict[str, str] = dict(_SUBCKT.findall(deck_text))
    if subckt not in bodies:
        raise InputError(f"the deck has no subcircuit {subckt}", where="readout")

    def below(name: str, prefix: str) -> list[Transistor]:
        found = [
            Transistor(
                prefix + m[0], m[3], float(m[4]), float(m[5]), int(m[6] or 1), f"{prefix}{m[1]}", f"{prefix}{m[2]}"
            )
            for m in _MOS.findall(bodies[name])
        ]
        for instance, rest in _CALL.findall(bodies[name]):
            called = next(word for word in reversed(rest.split()) if "=" not in word)
            if called not in bodies:
                raise InputError(
                    f"{instance} of {name} calls {called}, which the deck does not define",
                    where="readout",
                    hint="sizes are read from plain MOS instances only",
                )
            found += below(called, f"{prefix}{instance}.")
        return found

    return below(subckt, "")


def gate_area(deck_text: str, subckt: str) -> float:
    """Sum of all gate areas W L below a subcircuit, m2: a lower bound of its layout area (no diffusion, no wiring)."""
    return sum(t.width * t.length * t.multiplier for t in transistors(deck_text, subckt))

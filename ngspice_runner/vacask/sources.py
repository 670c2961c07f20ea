"""Independent sources: value, small-signal magnitude and time function."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ngspice_runner.vacask.cards import Card
from ngspice_runner.vacask.device import Assignments, Device
from ngspice_runner.vacask.expand import Site

_TOKEN = re.compile(r"\{[^{}]*\}|'[^']*'|\"[^\"]*\"|[^\s,=(){}'\"]+")
_FUNCTIONS = ("pulse", "pwl", "sin", "exp")


@dataclass(frozen=True, slots=True)
class Times:
    """Of the transient that a deck runs, s; None without one. ngspice takes missing times of a pulse from it."""

    step: float | None
    stop: float | None


def independent_source(card: Card, site: Site, times: Times) -> Device:
    """A V or I card. Without a transient the source has its direct value alone."""
    words = _TOKEN.findall(card.text)
    if len(words) < 3:
        raise card.refuse("two nodes are needed")
    name, nodes, rest = words[0], tuple(site.node(w) for w in words[1:3]), words[3:]
    direct: float | None = None
    magnitude = phase = 0.0
    function: tuple[str, list[float]] | None = None
    at = 0
    while at < len(rest):
        word = rest[at]
        at += 1
        if word in _FUNCTIONS:
            function = (word, [site.value(text, card) for text in rest[at:] if text not in ("ac", "dc")])
            if {"ac", "dc", "r", "td"} & set(rest[at:]):
                raise card.refuse("nothing may follow its time function")
            at = len(rest)
        elif word == "ac":
            given: list[float] = []
            while at < len(rest) and len(given) < 2 and rest[at] not in (*_FUNCTIONS, "dc"):
                given.append(site.value(rest[at], card))
                at += 1
            magnitude, phase = (*given, 1.0, 0.0)[:2] if not given else (*given, 0.0)[:2]
        elif word == "dc" and at < len(rest):
            direct = site.value(rest[at], card)
            at += 1
        elif direct is None and at == 1:
            direct = site.value(word, card)
        else:
            raise card.refuse(f"{word!r} of a source is not known")
    values: Assignments
    if function is None or times.stop is None:
        start = 0.0 if function is None else _start(*function, card)
        values = (("type", "dc"), ("dc", start if direct is None else direct))
    else:
        values = _waveform(*function, times, card)
    if magnitude:
        values += (("mag", magnitude), ("phase", phase))
    if card.text[0] == "i" and site.parallel != 1.0:
        values += (("$mfactor", site.parallel),)
    return Device(site.element(name), nodes, "vsource" if card.text[0] == "v" else "isource", values=values)


def _start(kind: str, numbers: list[float], card: Card) -> float:
    """The value at time 0."""
    if not numbers:
        raise card.refuse(f"{kind} has no values")
    return numbers[1] if kind == "pwl" and len(numbers) > 1 else numbers[0]


def _waveform(kind: str, n: list[float], times: Times, card: Card) -> Assignments:
    if kind == "pwl":
        if len(n) < 2 or len(n) % 2 or any(b <= a for a, b in zip(n[::2], n[2::2], strict=False)):
            raise card.refuse("pwl needs pairs of times and values, the times rising")
        if n[0] > 0:
            n = [0.0, n[1], *n]
        if len(n) == 2:
            return (("type", "dc"), ("dc", n[1]))
        return (("type", "pwl"), ("wave", tuple(n)))
    if kind == "pulse":
        if not 2 <= len(n) <= 7:
            raise card.refuse("pulse has 2 to 7 values")
        low, high, delay, rise, fall, width, period = (*n, *[0.0] * (7 - len(n)))
        if min(delay, rise, fall, width, period) < 0:
            raise card.refuse("a time of a pulse is negative")
        step = times.step or 0.0
        edges = ("rise", rise or step), ("fall", fall or step)
        head: Assignments = (("type", "pulse"), ("val0", low), ("val1", high), ("delay", delay), *edges)
        # Without a width the pulse lasts to the end of the transient.
        return (*head, ("width", width or times.stop or 0.0), ("period", period))
    if kind == "sin":
        if not 3 <= len(n) <= 6:
            raise card.refuse("sin needs offset, amplitude and frequency, and has 6 values at most")
        offset, amplitude, frequency, delay, damping, angle = (*n, *[0.0] * (6 - len(n)))
        if delay and angle:
            raise card.refuse("delay and phase of sin together are read differently")
        names = ("sinedc", "ampl", "freq", "delay", "theta", "sinephase")
        values = (offset, amplitude, frequency, delay, damping, angle)
        return (("type", "sine"), *zip(names, values, strict=True))
    if len(n) != 6:
        raise card.refuse("exp needs all its 6 values")
    low, high, rise, rising, fall, falling = n
    if fall < rise:
        raise card.refuse("exp falls before it rises")
    names = ("val0", "val1", "delay", "tau1", "td2", "tau2")
    return (("type", "exp"), *zip(names, (low, high, rise, rising, fall - rise, falling), strict=True))

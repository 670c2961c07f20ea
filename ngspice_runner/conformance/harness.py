"""What a harness answers to a deck, and how it is asked: a function of a question, run in a child process.

A harness of your own is a function `Question -> Answer`, announced by the entry-point group `metalrom.harnesses` or
added with `HARNESSES.register`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interconnect.arrays import FloatArray
from interconnect.registry import Registry
from ngspice_runner.deck import PLOT_NAMES
from ngspice_runner.raw import Plot


@dataclass(frozen=True, slots=True)
class Question:
    """A deck in a folder of its own, what is asked of it (output, point of the sweep or None), declared end, limit
    (s)."""

    path: Path
    asked: tuple[tuple[str, float | None], ...]
    stop: float | None = None
    timeout: float = 20.0

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of what is asked."""
        return tuple(name for name, _ in self.asked)


@dataclass(frozen=True, slots=True)
class Answer:
    """accepted: the harness says that this is a result; values by output; messages: what it tells its user; notes: how
    many of them warn."""

    accepted: bool
    values: Mapping[str, float] = field(default_factory=dict)
    messages: str = ""
    notes: int = 0


Harness = Callable[[Question], Answer]
Values = FloatArray | NDArray[np.complex128]

HARNESSES: Registry[Harness] = Registry(
    "harness",
    group="metalrom.harnesses",
    built_in={
        "metalrom-process": "ngspice_runner.conformance.own:by_process",
        "metalrom-batch": "ngspice_runner.conformance.own:by_batch",
        "metalrom-shared": "ngspice_runner.conformance.own:by_shared",
        "ngspice": "ngspice_runner.conformance.bare:run_bare",
        "spiceguard": "ngspice_runner.conformance.with_spiceguard:run_spiceguard",
        "spicelib": "ngspice_runner.conformance.with_spicelib:run_spicelib",
        "pyspice": "ngspice_runner.conformance.with_pyspice:run_pyspice",
        "inspice": "ngspice_runner.conformance.with_inspice:run_inspice",
    },
)
"""Harnesses by name."""

TAKES_END = frozenset({"metalrom-process", "metalrom-batch", "metalrom-shared"})
"""Those that compare a declared end with the deck's."""


def count_warnings(log: str) -> int:
    """Lines of an engine's log that warn of something."""
    return sum("warning" in line.lower() for line in log.splitlines())


def values_of_plots(
    plots: Sequence[Plot], measures: Mapping[str, float], asked: Sequence[tuple[str, float | None]]
) -> dict[str, float]:
    """What is asked, from plots in the order in which a harness hands them out: `v(o)` from the first plot that has it,
    the longest analysis first, `dc2.v(o)` from the second of its kind."""
    found: dict[str, float] = {}
    for output, at in asked:
        if output.lower() in measures:
            found[output] = measures[output.lower()]
            continue
        prefix, _, name = output.lower().rpartition(".") if output.lower()[:2] not in ("v(", "i(") else ("", "", output)
        kind = prefix.rstrip("0123456789")
        number = int(prefix[len(kind) :] or 1)
        group = [plot for plot in plots if plot.name.lower().startswith(PLOT_NAMES.get(kind, ""))]
        group = group[number - 1 : number] if kind else sorted(group, key=lambda plot: plot.points == 1)
        for plot in group:
            value = _value(plot, name.lower(), at)
            if value is not None:
                found[output] = value
                break
    return found


def _value(plot: Plot, name: str, at: float | None) -> float | None:
    vectors = {signal.name: signal.values for signal in plot.signals}
    inner = name[2:-1]
    for spelled in (name, f"v({name})", inner, f"{inner}#branch", f"@{inner}[i]", f"i({name})"):
        if spelled in vectors and len(vectors[spelled]):
            return sample(vectors[spelled], plot.signals[0].values, at)
    if name.startswith("v(") and "," in inner:
        plus, minus = (_value(plot, f"v({node})", at) for node in inner.split(","))
        return None if plus is None or minus is None else plus - minus
    return None


def sample(values: Values, sweep: Values, at: float | None) -> float:
    """A vector at a point of its sweep (by a straight line) or at its end; the magnitude where it is complex."""
    last = complex(values[-1]) if at is None else complex(np.interp(at, sweep.real, values))
    return abs(last) if abs(last.imag) > 1e-9 * abs(last) or math.isnan(last.imag) else last.real

"""A second witness on the numbers: Kirchhoff's laws, from what a run saved and what the deck says of its elements.

The currents of linear elements (R, C, V, I, L, E, F, G, H) follow from saved node voltages and branch currents. At a
node that touches nothing else their sum must vanish, and across V, E and H the voltage must be the one that is stated.
In a transient each step is checked with the engine's own integration rule: the charge that the capacitances took up is
that of the trapezoidal rule or, after an edge, of the backward Euler rule, so that no truncation error enters. Signs
and companion rules: L. W. Nagel, SPICE2, UCB/ERL M520, 1975.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ngspice_runner.deck import Analysis
from ngspice_runner.flatten import ELEMENT_LIMIT, FlatElement, canonical_name
from ngspice_runner.job import Signal, Verdict
from ngspice_runner.lint_finding import LintFinding

RESIDUAL = 1e-6
"""Largest residual, relative to the largest current at the node or to the voltage. What rounding adds comes on top."""
_ROUNDING = 1e-10
_FLOOR = 1e-12
_VALUES = 5_000_000
"""Elements times points that are looked at; of a longer sweep only its beginning."""
_OTHER_RULES = re.compile(r"\b(?:rshunt|gshunt|cshunt)\b", re.IGNORECASE)
_OTHER_STEPS = re.compile(r"\b(?:gear|interp|xmu)\b", re.IGNORECASE)
_KINDS = ("op", "dc", "tran", "ac")

Array = NDArray[Any]


def check_kirchhoff(
    elements: Sequence[FlatElement], signals: Mapping[str, Signal], analysis: Analysis, options: str
) -> Iterator[LintFinding]:
    """Findings where the saved numbers and the deck disagree.

    Parameters
    ----------
    elements
        All elements of the circuit, opaque ones too.
    signals
        Vectors of this analysis by name, each of shape (points,): V, A; the first is the sweep.
    analysis
        The analysis that they belong to.
    options
        Text that holds all options (the deck will do).
    """
    if not signals or analysis.kind not in _KINDS or len(elements) >= ELEMENT_LIMIT or _OTHER_RULES.search(options):
        return
    if analysis.kind == "tran" and _OTHER_STEPS.search(options):
        return
    circuit = _Circuit(signals, analysis, max(2, _VALUES // max(1, len(elements))))
    touching: dict[str, list[tuple[float, FlatElement]]] = {}
    for element in elements:
        for sign, node in zip(() if element.opaque else (1.0, -1.0), element.nodes, strict=False):
            touching.setdefault(node, []).append((sign, element))
        for node in element.nodes if element.opaque else element.nodes[2:]:
            touching.setdefault(node, []).append((0.0, element))
        yield from circuit.branch(element)
    for node, parts in touching.items():
        if node != "0":
            yield from circuit.node(node, parts)


@dataclass(frozen=True, slots=True)
class _Part:
    """What leaves a node through an element: current (A) and charge (C), each of shape (points,), and the size of the
    terms whose difference they are."""

    current: Array
    charge: Array
    current_terms: Array
    charge_terms: Array


class _Circuit:
    def __init__(self, signals: Mapping[str, Signal], analysis: Analysis, points: int) -> None:
        self._kind, self._swept = analysis.kind, set(analysis.text.lower().split())
        self._voltages: dict[str, Array] = {}
        self._currents: dict[str, Array] = {}
        for name, signal in signals.items():
            if name.startswith("v("):
                self._voltages[name[2:-1]] = signal.values[:points]
            elif name.startswith("i("):
                self._currents[canonical_name(name[2:-1])] = signal.values[:points]
        self._axis = np.real(next(iter(signals.values())).values[:points])
        self._zero = np.zeros(len(self._axis))
        self._parts: dict[str, _Part | None] = {}

    def branch(self, element: FlatElement) -> Iterator[LintFinding]:
        """The voltage across V, E or H is what is stated."""
        kind, value = element.kind, element.value
        if element.opaque or kind not in "veh" or value is None or element.name in self._swept:
            return
        if kind == "v" and (not element.constant or self._kind == "ac"):
            return
        ends = self._difference(element.nodes)
        wanted = None
        if kind == "v":
            wanted = self._zero + value
        elif kind == "h":
            control = self._currents.get(canonical_name(element.control[0]))
            wanted = None if control is None else value * control
        else:
            control = self._difference(element.control)
            wanted = None if control is None else value * control
        if ends is None or wanted is None:
            return
        bound = RESIDUAL * np.maximum(np.abs(wanted), np.abs(ends)) + 1e3 * _FLOOR
        if kind == "e":
            bound = bound + _ROUNDING * abs(value) * self._terms(element.control)
        wrong = np.abs(ends - wanted) - bound - _ROUNDING * self._terms(element.nodes)
        at = int(np.argmax(wrong))
        if wrong[at] > 0:
            yield LintFinding(
                element.line,
                f"{element.name} states {abs(wanted[at]):.6g} V{self._where(at)}, the result has {abs(ends[at]):.6g} V "
                "across it",
                Verdict.SUSPECT,
                False,
            )

    def node(self, name: str, touching: Sequence[tuple[float, FlatElement]]) -> Iterator[LintFinding]:
        """The currents that leave a node add up to nothing."""
        if len(touching) < 2 or any(sign == 0 for sign, _ in touching):
            return
        parts = []
        for sign, element in touching:
            part = self._part(element)
            if part is None:
                return
            parts.append((sign, part))
        current = sum((sign * part.current for sign, part in parts), self._zero)
        charge = sum((sign * part.charge for sign, part in parts), self._zero)
        size = np.max([np.abs(part.current) for _, part in parts], axis=0)
        rounding = sum((part.current_terms for _, part in parts), self._zero)
        if self._kind == "tran":
            step = np.diff(self._axis)
            keep = step > 0
            if not keep.any():
                return
            step = step[keep]
            flow = np.diff(charge)[keep] / step
            before, after = current[:-1][keep], current[1:][keep]
            residual = np.minimum(np.abs(flow + after), np.abs(flow + (before + after) / 2))
            flows = np.max([np.abs(np.diff(part.charge))[keep] / step for _, part in parts], axis=0)
            terms = sum((part.charge_terms for _, part in parts), self._zero)
            size = np.maximum(np.maximum(size[:-1], size[1:])[keep], flows)
            rounding = (rounding[:-1] + rounding[1:])[keep] + (terms[:-1] + terms[1:])[keep] / step
            # The step is the difference of two rounded times.
            inexact = 4 * np.finfo(float).eps * np.abs(self._axis[1:][keep]) / step
            points = np.flatnonzero(keep) + 1
        else:
            residual, inexact, points = np.abs(current), self._zero, np.arange(len(self._axis))
        wrong = residual - (RESIDUAL + inexact) * size - _ROUNDING * rounding - _FLOOR
        at = int(np.argmax(wrong))
        if wrong[at] > 0:
            names = ", ".join(element.name for _, element in touching[:4]) + (" ..." if len(touching) > 4 else "")
            yield LintFinding(
                touching[0][1].line,
                f"the currents at node {name} ({names}) do not add up{self._where(int(points[at]))}: "
                f"{residual[at]:.3g} A are left, the largest is {size[at]:.3g} A",
                Verdict.SUSPECT,
                False,
            )

    def _part(self, element: FlatElement) -> _Part | None:
        if element.name not in self._parts:
            self._parts[element.name] = self._flow(element)
        return self._parts[element.name]

    def _flow(self, element: FlatElement) -> _Part | None:
        """What flows from the first node to the second; None where it is not known."""
        kind, value, count = element.kind, element.value, element.count
        zero = self._zero
        if kind in "vleh":
            saved = self._currents.get(canonical_name(element.name))
            return None if saved is None or count != 1.0 else _Part(saved, zero, zero, zero)
        if kind == "c" and self._kind in ("op", "dc"):
            return _Part(zero, zero, zero, zero)
        if value is None or count is None or element.name in self._swept:
            return None
        if kind == "i":
            known = element.constant and self._kind != "ac"
            return _Part(zero + count * value, zero, zero, zero) if known else None
        if kind == "f":
            control = self._currents.get(canonical_name(element.control[0]))
            return None if control is None else _Part(count * value * control, zero, zero, zero)
        nodes = element.control if kind == "g" else element.nodes
        across = self._difference(nodes)
        if across is None or kind not in "rcg" or (kind == "r" and abs(value) < 1e-3):
            return None
        factor = count / value if kind == "r" else count * value
        terms = abs(factor) * self._terms(nodes)
        if kind != "c":
            return _Part(factor * across, zero, terms, zero)
        if self._kind == "ac":
            omega = 2 * np.pi * self._axis
            return _Part(1j * omega * factor * across, zero, omega * terms, zero)
        return _Part(zero, factor * across, zero, terms)

    def _difference(self, nodes: Sequence[str]) -> Array | None:
        ends = [self._zero if node == "0" else self._voltages.get(node) for node in nodes[:2]]
        return None if ends[0] is None or ends[1] is None else ends[0] - ends[1]

    def _terms(self, nodes: Sequence[str]) -> Array:
        return sum((np.abs(self._voltages[node]) for node in nodes[:2] if node != "0"), self._zero)

    def _where(self, at: int) -> str:
        return "" if self._kind == "op" else f" at {self._axis[at]:.6g}"

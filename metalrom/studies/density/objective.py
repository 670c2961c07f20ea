"""What an optimization asks for: a quantity to push, and specifications to keep, of points that were rated fast."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from interconnect.errors import InputError
from interconnect.suggestion import suggest
from metalrom.specs.grammar import Spec, parse_spec
from metalrom.studies.density.point import DesignPoint

RATED: dict[str, Callable[[DesignPoint], float]] = {
    "code_error": lambda p: p.code_error,
    "csnr": lambda p: p.csnr,
    "lsb": lambda p: p.lsb,
    "energy_per_mac": lambda p: p.energy_per_mac,
    "energy_per_conversion": lambda p: p.energy_per_conversion,
    "latency": lambda p: p.latency,
    "tops_per_watt": lambda p: p.tops_per_watt,
    "read_time": lambda p: p.read_time,
    "density": lambda p: p.density,
    "density_macro": lambda p: p.density_macro * p.utilisation,
    "weight_density": lambda p: p.weight_density * p.utilisation,
}
"""Quantities of specifications that the fast rating gives, as a run gives them: densities of the cells in use."""


@dataclass(frozen=True)
class Objective:
    """quantity: pushed up, or down where `down`. specs: kept."""

    quantity: str
    down: bool
    specs: tuple[Spec, ...]

    def value(self, point: DesignPoint) -> float:
        """The quantity of a point, in its unit."""
        return RATED[self.quantity](point)

    def misses(self, point: DesignPoint, factors: dict[str, float] | None = None) -> tuple[float, ...]:
        """How far each specification is missed, 0 or less where it is met: the logarithm of the ratio to its limit, of
        dB the difference. factors: by which full values of quantities exceed fast ones (of dB: the difference)."""
        return tuple(_missed(spec, RATED[spec.quantity](point), factors or {}) for spec in self.specs)


def _missed(spec: Spec, value: float, factors: dict[str, float]) -> float:
    below = spec.comparison in ("<", "<=")
    if spec.unit == "dB":
        distance = value + factors.get(spec.quantity, 0.0) - spec.limit
    else:
        value = value * factors.get(spec.quantity, 1.0)
        distance = math.log(max(value, 1e-300) / spec.limit) if spec.limit > 0 else value - spec.limit
    distance = distance if below else -distance
    return distance + 1e-9 if distance == 0.0 and spec.comparison in ("<", ">") else distance


def parse_objective(maximize: str | None, minimize: str | None, subject: Sequence[str]) -> Objective:
    """The objective of a command. Raises InputError for none or two of them, or a quantity that is not rated fast."""
    if (maximize is None) == (minimize is None):
        raise InputError("give one quantity to maximize or to minimize", hint="--maximize density_macro")
    quantity = str(maximize or minimize)
    specs = tuple(parse_spec(text) for text in subject)
    for name, where in ((quantity, "--maximize/--minimize"), *((s.quantity, "--subject") for s in specs)):
        if name not in RATED:
            raise InputError(f"the fast rating gives no {name[:60]!r}", where=where, hint=suggest(name, list(RATED)))
    return Objective(quantity, maximize is None, specs)

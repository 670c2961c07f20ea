"""A full characterization of chosen design points beside the fast rating, and the error of that which follows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from characterization.procedures import with_requirements
from metalrom.design.setup import group_setup
from metalrom.run.characterize import measure_group
from metalrom.studies.density.point import DesignPoint
from metalrom.studies.density.rate import layer_use, rate_design, read_layer
from metalrom.studies.density.space import DesignSpace, Settings
from ngspice_runner import Cache, Workers

SMALLEST = 1e-12
"""Code errors below this are compared as this: they are none."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A design point, rated fast and again from levels, patterns and Monte-Carlo samples in ngspice."""

    point: DesignPoint
    full: DesignPoint
    simulations: int

    @property
    def code_error_factor(self) -> float:
        """Full code error over the fast one."""
        return max(self.full.code_error, SMALLEST) / max(self.point.code_error, SMALLEST)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"point": self.point.to_dict(), "full": self.full.to_dict(), "simulations": self.simulations}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Verified:
        """The value of `to_dict`."""
        point, full = (DesignPoint.from_dict(data[name]) for name in ("point", "full"))
        return cls(point, full, int(data["simulations"]))


@dataclass(frozen=True, slots=True)
class RatingError:
    """How far fast ratings were from full characterizations of the same points.

    points: how many. code_error: the largest factor either way; middle: the median of full over fast. lsb, energy,
    density: largest relative distances. csnr: largest distance, dB.
    """

    points: int
    code_error: float
    middle: float
    lsb: float
    energy: float
    density: float
    csnr: float

    @property
    def sentence(self) -> str:
        """In words."""
        return (
            f"the fast rating against {self.points} full characterization(s) of the same cells: code error within a "
            f"factor of {self.code_error:.2g} (full over fast {self.middle:.2g} in the middle), spacing within "
            f"{100 * self.lsb:.2g} %, energy per MAC within {100 * self.energy:.2g} %, density within "
            f"{100 * self.density:.2g} %, CSNR within {self.csnr:.1f} dB"
        )


def rating_error(verified: Sequence[Verified]) -> RatingError | None:
    """The error of the fast rating; None where nothing was characterized in full."""
    if not verified:
        return None
    logs = sorted(math.log(v.code_error_factor) for v in verified)

    def relative(name: str) -> float:
        return max(float(abs(getattr(v.full, name) / getattr(v.point, name) - 1.0)) for v in verified)

    half = len(logs) // 2
    middle = logs[half] if len(logs) % 2 else (logs[half - 1] + logs[half]) / 2
    return RatingError(
        points=len(verified),
        code_error=math.exp(max(abs(v) for v in logs)),
        middle=math.exp(middle),
        lsb=relative("lsb"),
        energy=relative("energy_per_mac"),
        density=relative("density_macro"),
        csnr=max(abs(v.full.csnr - v.point.csnr) for v in verified),
    )


def characterize_point(
    space: DesignSpace,
    settings: Settings,
    cache: Cache,
    *,
    jobs: Workers,
    announce: Callable[[str], None] = lambda text: None,
    extract: bool = False,
) -> tuple[DesignPoint, int]:
    """A point from a full characterization at the nominal condition, and its simulations; extract: cells by the method
    of a run in place of the fast rating's. Raises EngineError."""
    design = space.characterized(settings) if extract else space.at(settings)
    setup = group_setup(design, int(design.config.array.group_rows), nominal_only=True)
    done = measure_group(setup, with_requirements(("adc_margin",)), cache, jobs=jobs, announce=announce)
    reading = read_layer(done.table, layer_use(design, setup.rows))
    return rate_design(design, settings, setup, done.table, done.results, reading), done.simulated + done.cached

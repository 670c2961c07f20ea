"""Does the design space reach the reference density, with which cell, and what does reaching it cost?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from metalrom.macro.estimate import REFERENCE_DENSITY
from metalrom.studies.density.point import DesignPoint

REFERENCE = REFERENCE_DENSITY.value
"""Mb/mm2; a published line, whether of the cell or of the macro is not public."""


@dataclass(frozen=True)
class DensityAnswer:
    """What one cell with one readout reaches.

    sharpest: best CSNR of all; within: densest macro that meets the code-error target; densest: densest macro of all;
    raw, macro: best CSNR among the points whose raw cell density, or density with periphery, reaches the reference.
    None where no point qualifies. max_density_raw: largest raw density.
    """

    kind: str
    sharpest: DesignPoint
    densest: DesignPoint
    within: DesignPoint | None
    raw: DesignPoint | None
    macro: DesignPoint | None
    max_density_raw: float

    @property
    def selected_points(self) -> tuple[DesignPoint, ...]:
        """The points that the sentences are about."""
        return tuple(p for p in (self.within, self.raw, self.macro, self.densest) if p is not None)

    @property
    def sentences(self) -> tuple[str, ...]:
        """The answer in words."""
        raw = (
            f"its cells alone reach {REFERENCE:g} Mb/mm2 ({self.max_density_raw:.1f} at most)"
            if self.raw
            else f"its cells alone do not reach {REFERENCE:g} Mb/mm2 ({self.max_density_raw:.1f} at most)"
        )
        reach = "reaches" if self.macro else "does not reach"
        out = [f"{raw}; the macro with its periphery {reach} it ({self.densest.density_macro:.1f} at most)"]
        if self.within is None:
            out.append("no point keeps the code-error target")
        else:
            out.append(f"densest within the code-error target: {describe_point(self.within)}")
        goal = self.macro or self.raw or self.densest
        name = "at the reference with periphery" if self.macro else "at the reference, cells alone" if self.raw else ""
        out.append(f"{name or 'densest of all'}: {describe_point(goal)}")
        out.append(price(goal, self.sharpest))
        return tuple(f"{self.kind}: {sentence}" for sentence in out)


def answers(points: Sequence[DesignPoint]) -> tuple[DensityAnswer, ...]:
    """One answer per cell and readout, in the order of the points."""
    return tuple(_answer(kind, [p for p in points if p.kind == kind]) for kind in dict.fromkeys(p.kind for p in points))


def _answer(kind: str, points: Sequence[DesignPoint]) -> DensityAnswer:
    raw = [p for p in points if p.density >= REFERENCE]
    macro = [p for p in points if p.density_macro >= REFERENCE]

    def sharp(p: DesignPoint) -> tuple[float, float]:
        return p.csnr, p.density_macro

    return DensityAnswer(
        kind=kind,
        sharpest=max(points, key=sharp),
        densest=max(points, key=lambda p: (p.density_macro, p.csnr)),
        within=max((p for p in points if p.meets_target), key=lambda p: p.density_macro, default=None),
        raw=max(raw, key=sharp, default=None),
        macro=max(macro, key=sharp, default=None),
        max_density_raw=max(p.density for p in points),
    )


def describe_point(p: DesignPoint) -> str:
    """A point in one clause."""
    return (
        f"{p.label}: {p.density:.1f} Mb/mm2 raw, {p.density_macro:.1f} with periphery (most of its area: {p.shares}), "
        f"CSNR {p.csnr:.1f} dB, code error {p.code_error:.1e}, {p.energy_per_mac * 1e15:.0f} fJ per MAC, "
        f"{p.tops_per_mm2:.2g} TOPS/mm2"
    )


def price(dense: DesignPoint, sharp: DesignPoint) -> str:
    """What a dense point gives up against the sharpest one of its kind."""
    if dense.key == sharp.key:
        return "that point also has the best CSNR of this kind"
    return (
        f"its price against the sharpest point ({sharp.density_macro:.1f} Mb/mm2 with periphery): "
        f"{sharp.csnr - dense.csnr:.1f} dB of CSNR given up, code error {sharp.code_error:.1e} to "
        f"{dense.code_error:.1e}, energy x{dense.energy_per_mac / sharp.energy_per_mac:.2f}, TOPS/mm2 "
        f"x{dense.tops_per_mm2 / sharp.tops_per_mm2:.2g}"
    )

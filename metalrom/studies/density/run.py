"""The exploration from start to end: variants, probes, ratings, frontier, verification, answer."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache as remember

import numpy as np

from interconnect.arrays import FloatArray
from metalrom.design.design import Design
from metalrom.design.readout import with_ideal_default
from metalrom.folders import cache_folder
from metalrom.macro.cost import IDEAL_READOUT
from metalrom.run.characterize import histogram
from metalrom.studies.density.answer import DensityAnswer, answers
from metalrom.studies.density.frontier import frontier
from metalrom.studies.density.kinds import KindSummary, kind_summaries
from metalrom.studies.density.point import DesignPoint
from metalrom.studies.density.probe import probe_variant
from metalrom.studies.density.rate import rate
from metalrom.studies.density.space import ColumnVariant, column_variants
from metalrom.studies.density.verify import Verified, verify
from ngspice_runner import Cache, Workers

Announce = Callable[[str], None]
Progress = Callable[[int, int], None]

METHOD = (
    "levels, near and far places, the reset switch's mismatch: ten ngspice reads per column and group size",
    "thermal noise, cell mismatch and the neighbour's data: closed forms on the extracted cell",
    "code errors: over the layer's own (active, count) pairs; CSNR: the layer through the macro engine, one chip",
    f"area and energy: as `metalrom estimate`, mid values; {IDEAL_READOUT}",
    "one plane's cell stands for all planes; nominal condition only",
)
"""How the figures came about; printed with every result."""


@dataclass(frozen=True)
class Exploration:
    """Every design point, the undominated ones, those characterized in full, an answer per cell, and what it took."""

    name: str
    points: tuple[DesignPoint, ...]
    frontier: tuple[DesignPoint, ...]
    verified: tuple[Verified, ...]
    answers: tuple[DensityAnswer, ...]
    kinds: tuple[KindSummary, ...]
    planes: int
    target: float
    warnings: tuple[str, ...]
    simulated: int
    cached: int


def explore_designs(
    design: Design,
    *,
    jobs: Workers = None,
    announce: Announce = lambda text: None,
    progress: Progress = lambda done, total: None,
) -> Exploration:
    """Rate the whole design space of the project's `explore_designs` section.

    Raises InputError for a variant that the stack or the readout does not allow, EngineError for failed simulations.
    """
    design = with_ideal_default(design)
    variants = list(column_variants(design))

    @remember
    def used(rows: int) -> FloatArray:
        return histogram(design, rows).astype(np.float64)

    announce(f"probing {len(variants)} columns at {len(design.config.explore.group_rows)} group sizes each")
    points: list[DesignPoint] = []
    owner: dict[tuple[object, ...], ColumnVariant] = {}
    simulated = cached = 0
    with Cache(cache_folder("simulations")) as cache:
        for i, variant in enumerate(variants):
            progress(i, len(variants))
            found, ran, kept = probe_variant(variant, design.config.explore.group_rows, used, cache=cache, jobs=jobs)
            simulated, cached = simulated + ran, cached + kept
            for probed in found:
                rated = list(rate(variant, probed))
                points += rated
                owner |= {p.key: variant for p in rated}
    best = frontier(points)
    answered = answers(points)
    announce("drawing every cell kind")
    kinds = kind_summaries(design)
    chosen = _to_verify(best, answered, design.config.explore.verify)
    checked = tuple(verify(owner[p.key], p, jobs=jobs, announce=announce) for p in chosen)
    warnings, target = tuple(design.technology.warnings), design.config.readout.code_error_target
    return Exploration(
        name=design.config.name,
        points=tuple(points),
        frontier=best,
        verified=checked,
        answers=answered,
        kinds=kinds,
        planes=len(design.planes),
        target=target,
        warnings=warnings,
        simulated=simulated,
        cached=cached,
    )


def _to_verify(
    best: tuple[DesignPoint, ...], answers: tuple[DensityAnswer, ...], number: int
) -> tuple[DesignPoint, ...]:
    """What the answers speak of, the first of each kind first, then an even choice of the frontier; no column twice."""
    rounds = itertools.zip_longest(*(a.selected_points for a in answers))
    selected = [p for points in rounds for p in points if p is not None]
    spread = [best[round(i)] for i in np.linspace(0, len(best) - 1, max(number, 1))] if best else []
    chosen: dict[tuple[object, ...], DesignPoint] = {}
    for point in (*selected, *spread):
        chosen.setdefault((point.label, point.group_rows, point.adc_bits), point)
    return tuple(chosen.values())[:number]

"""The exploration from start to end: points, ratings that are kept as they come, frontier, verification, answer."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from interconnect.errors import DamagedFile, InputError
from metalrom.design.design import Design
from metalrom.folders import cache_folder
from metalrom.macro.cost import IDEAL_READOUT
from metalrom.studies.density.answer import DensityAnswer, answers
from metalrom.studies.density.fast import METHOD as FAST_METHOD
from metalrom.studies.density.fast import FastRating
from metalrom.studies.density.frontier import frontier
from metalrom.studies.density.kept import KeptResults
from metalrom.studies.density.kinds import KindSummary, kind_summaries
from metalrom.studies.density.point import DesignPoint
from metalrom.studies.density.space import DesignBlock, DesignSpace, Settings, design_blocks, settings_key
from metalrom.studies.density.verify import RatingError, Verified, characterize_point, rating_error
from metalrom.version import __version__
from ngspice_runner import Cache, Workers

T = TypeVar("T")
Announce = Callable[[str], None]
Progress = Callable[[int, int], None]

KEPT = "points.jsonl"
"""File of the output folder in which ratings are kept as they come."""
METHOD = (*FAST_METHOD, f"points of an ideal readout: {IDEAL_READOUT}")
REFUSED = "refused"


@dataclass(frozen=True)
class Exploration:
    """Every design point, the undominated ones, those characterized in full, an answer per cell and readout.

    refused: reason -> combinations that are none. error: of the fast rating, from `verified`; None without any. decks:
    that calibrated the points rated now; resumed: points that an earlier, interrupted command had kept.
    """

    name: str
    points: tuple[DesignPoint, ...]
    frontier: tuple[DesignPoint, ...]
    verified: tuple[Verified, ...]
    answers: tuple[DensityAnswer, ...]
    kinds: tuple[KindSummary, ...]
    planes: int
    target: float
    refused: tuple[tuple[str, int], ...]
    warnings: tuple[str, ...]
    decks: int
    resumed: int

    @property
    def error(self) -> RatingError | None:
        """How far fast ratings were from full characterizations."""
        return rating_error(self.verified)


def explore_designs(
    design: Design,
    out: Path,
    *,
    jobs: Workers = None,
    announce: Announce = lambda text: None,
    progress: Progress = lambda done, total: None,
) -> Exploration:
    """Rate the whole design space of the configuration's `explore` section.

    Parameters
    ----------
    design : Design
        The base; what is not varied is as it says.
    out : Path
        An existing folder; ratings are kept in its `points.jsonl` and taken up from there.
    jobs : Workers
        Where simulations run.
    announce, progress : Callable
        Called with a line of progress; with the points done and those in all.

    Returns
    -------
    Exploration
        The same whether or not it was interrupted on its way.

    Raises
    ------
    InputError
        For a block of the space of which no combination is possible.
    EngineError
        If ngspice is missing.
    """
    blocks = design_blocks(design.config.explore.vary)
    space = DesignSpace(design)
    with Cache(cache_folder("simulations")) as cache, KeptResults(out / KEPT, space_digest(design)) as kept:
        resumed = len(kept)
        rating = FastRating(space, cache, jobs=jobs, announce=announce)
        points, refused = rate_blocks(blocks, rating, kept, progress)
        best, answered = frontier(points), answers(points)
        announce("drawing every cell kind")
        kinds = kind_summaries(design)
        verified = [
            verified_point(space, p, cache, kept, jobs=jobs, announce=announce)
            for p in _to_verify(best, answered, design.config.explore.verify)
        ]
    return Exploration(
        name=design.config.name,
        points=tuple(points),
        frontier=best,
        verified=tuple(verified),
        answers=answered,
        kinds=kinds,
        planes=len(design.planes),
        target=design.config.readout.code_error_target,
        refused=tuple(refused.most_common()),
        warnings=tuple(design.technology.warnings),
        decks=rating.decks,
        resumed=resumed,
    )


def space_digest(design: Design) -> str:
    """Hash of what ratings depend on beside their settings: configuration, files, program."""
    config = design.config.model_dump_json(exclude={"specs", "explore"})
    files = sorted((k, v) for k, v in design.input_files.items() if k != "configuration")
    return hashlib.sha256(repr((__version__, config, files)).encode()).hexdigest()


def rate_blocks(
    blocks: Sequence[DesignBlock], rating: FastRating, kept: KeptResults, progress: Progress
) -> tuple[list[DesignPoint], Counter[str]]:
    """Every possible point of the blocks once, and how often combinations were refused and why.

    Raises InputError for a block of which no combination is possible.
    """
    points: dict[str, DesignPoint] = {}
    refused: Counter[str] = Counter()
    total = sum(1 for block in blocks for _ in block.points())
    done = 0
    for block in blocks:
        possible, reasons = 0, []
        for settings in block.points():
            progress(done, total)
            done += 1
            found = rated(block, settings, rating, kept)
            if isinstance(found, DesignPoint):
                points.setdefault(found.key, found)
                possible += 1
            else:
                reasons.append(found)
        if not possible:
            raise InputError(f"no combination is possible: {reasons[0]}", where="explore.vary")
        refused.update(reasons)
    progress(done, total)
    return list(points.values()), refused


def rated(block: DesignBlock, settings: Settings, rating: FastRating, kept: KeptResults) -> DesignPoint | str:
    """A point, or why there is none: as it was kept, or rated now and kept."""
    key = settings_key(settings)
    known: Any = kept.get(key)
    if known is None:
        try:
            value: Any = rating.rate(block, settings).to_dict()
        except InputError as error:
            value = {REFUSED: error.what}
        known = kept.put(key, value)
    if isinstance(known, dict) and REFUSED in known:
        return str(known[REFUSED])
    return _read_back(known, DesignPoint.from_dict, kept)


def verified_point(
    space: DesignSpace,
    point: DesignPoint,
    cache: Cache,
    kept: KeptResults,
    *,
    jobs: Workers,
    announce: Announce,
    extract: bool = False,
) -> Verified:
    """The point beside its full characterization, as it was kept or measured now; extract: with the extraction of a
    run. Raises EngineError."""
    key = f"full{' extracted' if extract else ''} {point.key}"
    known = kept.get(key)
    if known is None:
        announce(f"characterizing {point.label} in full")
        full, simulations = characterize_point(
            space, point.settings, cache, jobs=jobs, announce=announce, extract=extract
        )
        known = kept.put(key, Verified(point, full, simulations).to_dict())
    return _read_back(known, Verified.from_dict, kept)


def _read_back(known: Any, parse: Callable[[Any], T], kept: KeptResults) -> T:
    """A kept value as what it was; its line is whole, but need not be one of ours."""
    try:
        return parse(known)
    except (TypeError, LookupError, AttributeError, ValueError):
        raise DamagedFile(
            "holds a result that is damaged or of another version", where=str(kept.path), hint="remove it"
        ) from None


def _to_verify(best: Sequence[DesignPoint], found: Iterable[DensityAnswer], number: int) -> tuple[DesignPoint, ...]:
    """What the answers speak of, the first of each kind first, then an even choice of the frontier; no point twice."""
    rounds = itertools.zip_longest(*(a.selected_points for a in found))
    selected = [p for points in rounds for p in points if p is not None]
    spread = [best[round(i)] for i in np.linspace(0, len(best) - 1, max(number, 1))] if best else []
    return tuple({p.key: p for p in (*selected, *spread)}.values())[:number]

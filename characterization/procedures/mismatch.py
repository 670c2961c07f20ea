"""`mismatch`: spread of the levels from cell to cell and transistor to transistor, by Monte-Carlo simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from characterization.campaign import Task
from characterization.dataset import Dataset
from characterization.fit import LineLoad, SpreadModel, fit_spread
from characterization.patterns import ColumnPattern, pattern_of
from characterization.procedures.registry import CORRECTED, Procedure, ProcedureResults
from characterization.testbench import MIN_SAMPLES, Testbench
from interconnect.arrays import FloatArray
from netlists.case import Deviations
from netlists.condition import Condition

REFERENCE = "reference"
"""What varies of an inverter's reference rows, beside its thresholds (`Deviations.readout`)."""

Point = tuple[int, int]
"""(active, count)."""


@dataclass(frozen=True)
class Mismatch:
    """One spread model per condition."""

    models: tuple[SpreadModel, ...]


def points(rows: int, levels: int = 2) -> list[tuple[int, int]]:
    """(active, count) pairs that separate the three sources of spread: devices, counted cells, idle cells; `levels` of
    a cell.

    With more than two levels the read of no row at all gives way to one more in the middle: driven rows halve what the
    reset switch's leakage spreads, and a fit through both would take it from the cells.
    """
    half, most = max(rows // 2, 1), levels - 1
    ends = {(half, 0), (half, half * most), (rows, 0), (rows, half * most), (rows, rows * most)}
    return sorted(ends | {(0, 0) if levels == 2 else (half, half * most // 2)})


def moved(setup: Testbench, active: FloatArray, count: FloatArray) -> FloatArray:
    """Driven cells that count, each with the square of what its varying element moves relative to the largest: what the
    variance of a level grows with. Two symbols that count 0 and 1: the count itself. Others: the expectation over the
    patterns that give a count; shape of `count` (whole numbers). Both cells of a pair move with complement drive,
    whatever they store: the active rows."""
    if setup.symbol_values == (0, 1):
        return count
    if _moves_always(setup):
        return active
    counts = np.asarray(setup.symbol_values, dtype=np.float64)
    squares = (counts / np.abs(counts).max()) ** 2
    out: FloatArray = setup.law.driven[active.astype(int), count.astype(int)] @ squares
    return out


def _moves_always(setup: Testbench) -> bool:
    """Whether every cell of a driven row of a pair moves its bit line, up or down."""
    return setup.pair and setup.chain is not None and setup.chain.drive == "complement"


def spread_arguments(setup: Testbench, active: FloatArray, count: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What the spread model of a setup takes for these (active, count): whole numbers that can occur."""
    return _arguments(setup, active, count, moved(setup, active, count))


def _arguments(
    setup: Testbench, active: FloatArray, count: FloatArray, moving: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(active, moving cells); of signed levels through a chain (moving cells, those that raise the level): an untied
    cell moves nothing, so that a read is the binary one of its tied cells."""
    if setup.has_signed_levels:
        return moving, (moving + count - active) / 2.0
    return active, moving


def line_load(
    setup: Testbench, condition: Condition, active: FloatArray, count: FloatArray, level: FloatArray
) -> LineLoad | None:
    """The load of levels of one bit line of a charge cell of two symbols itself, from mean levels (V) of points; None
    where a setup is another. Arrays of shape (points,)."""
    bare = setup.unit == "V" and not setup.has_transistor_readout and len(setup.model.bit_lines) == 1
    if not (bare and setup.model.symbol_values == (0, 1)):
        return None
    driven = active > 0
    x = np.stack([np.ones(active.shape), count, active], axis=1)[driven]
    _, per_count, per_active = np.linalg.lstsq(x, level[driven] / condition.vdd, rcond=None)[0]
    return LineLoad(setup.rows, float(per_count), float(per_active))


def draw_deviations(setup: Testbench, seed: np.random.SeedSequence) -> Deviations:
    """One chip's local deviations: Gaussian cell factors, Pelgrom threshold shifts of reset switch and drivers."""
    rng = np.random.default_rng(seed)
    devices, p = setup.technology.devices, setup.periphery

    def shifts(kind: Literal["nmos", "pmos"], width: float, number: int) -> FloatArray:
        out: FloatArray = rng.standard_normal(number) * devices.sigma_vth(kind, width, p.length)
        return out

    columns = 4 if setup.pair else 3
    cell = 1.0 + setup.variation.cell_sigma * rng.standard_normal((setup.rows, columns))
    lines = len(setup.model.bit_lines)
    # a factor below 5 % of nominal is an open cell, not mismatch: keep the element positive
    return Deviations(
        cell=np.maximum(cell, 0.05),
        reset=shifts("nmos", p.reset_width, columns * lines).reshape((lines, columns) if lines > 1 else (columns,)),
        driver_nmos=shifts("nmos", p.driver_nmos_width, setup.rows),
        driver_pmos=shifts("pmos", p.driver_pmos_width, setup.rows),
        readout=(
            *(
                (d.name, float(rng.standard_normal() * devices.sigma_vth(d.kind, d.width, d.length)))
                for d in setup.readout_devices
            ),
            *(((REFERENCE, float(1.0 + reference_sigma(setup) * rng.standard_normal())),) if setup.inverter else ()),
        ),
    )


def reference_sigma(setup: Testbench) -> float:
    """Sigma of the coupling of the target's reference rows over its nominal one: the mean of their cells."""
    rows = setup.inverter.reference_rows if setup.inverter else 1
    return float(setup.variation.cell_sigma / np.sqrt(rows))


def plan_mismatch(setup: Testbench) -> list[Task]:
    """`Testbench.samples_of` draws of every point at a condition.

    A draw is the same chip at all points and conditions, so that conditions can be compared chip by chip. It holds
    local deviations alone: what all devices or all metals of a chip share is the condition's (process, metal corner).
    """
    tasks = []
    most = max(setup.samples_of(c) for c in setup.conditions)
    chips = [draw_deviations(setup, np.random.SeedSequence([setup.seed, 2, i])) for i in range(most)]
    for condition in setup.conditions:
        number = setup.samples_of(condition)
        for active, count in points(setup.rows, setup.levels):
            pattern = pattern_at(setup, active, count)
            for draw, deviations in enumerate(chips[:number]):
                case = pattern.case(setup.columns, setup.ones, deviations)
                tasks.append(Task("mismatch", condition, active, count, pattern.name, draw, case))
    return tasks


def pattern_at(setup: Testbench, active: int, count: int) -> ColumnPattern:
    """The pattern that all chips show at a point."""
    return pattern_of(setup, "random0", active, count, np.random.SeedSequence([setup.seed, 3, active, count]))


def _moved_at(setup: Testbench, active: float, count: float) -> float:
    """`moved` of the very pattern of a point."""
    if setup.symbol_values == (0, 1):
        return count
    if _moves_always(setup):
        return active
    counts = np.asarray(setup.symbol_values, dtype=np.float64)
    pattern = pattern_at(setup, int(active), int(count))
    return float(((counts / np.abs(counts).max()) ** 2)[pattern.bits[:, 1]] @ pattern.inputs)


def analyse_mismatch(setup: Testbench, data: Dataset, results: ProcedureResults) -> Mismatch:
    """Fit the spread model per condition.

    Off nominal, the variance of a point is the nominal one times the ratio of both conditions' variances over the chips
    that both have seen: the few draws then cost a ratio's error, not a variance's. A condition with at least as many
    draws as the nominal one has a variance of its own. Where the levels are those of the corrected linear
    network, its variances over all chips are taken.
    """
    nominal = _levels(data.select("mismatch", setup.conditions[0]).good())
    models = []
    for index, condition in enumerate(setup.conditions):
        own = nominal if index == 0 else _levels(data.select("mismatch", condition).good())
        rows: list[tuple[float, ...]] = []
        ratios = []  # relative variance of the ratio to the nominal condition
        drawn_here = 0  # points with a variance of their own
        for point, chips in own.items():
            reference = nominal.get(point, {})
            if index > 0 and len(chips) >= max(len(reference), MIN_SAMPLES):
                rows.append((*point, len(chips), float(np.var(list(chips.values()), ddof=1))))
                ratios.append(0.0)
                drawn_here += 1
                continue
            common = sorted(chips.keys() & reference.keys())
            if len(common) < MIN_SAMPLES:
                continue
            base = np.var([reference[i] for i in common], ddof=1)
            ratio = np.var([chips[i] for i in common], ddof=1) / base if base > 0 else 0.0
            rows.append((*point, len(common), float(ratio * np.var(list(reference.values()), ddof=1))))
            alike = _correlation([chips[i] for i in common], [reference[i] for i in common])
            ratios.append(4.0 * (1.0 - alike**2) / (len(common) - 1))
        corrected = results.get(CORRECTED)
        computed = corrected and corrected.at(condition)
        if computed:
            rows = [
                (*point, float(draws), float(v) * computed.unit**2)
                for point, draws, v in zip(
                    computed.points, computed.spread.draws, computed.spread.variance, strict=True
                )
            ]
        active, count, draws, variance = np.array(rows, dtype=np.float64).reshape(-1, 4).T
        moving = np.array([_moved_at(setup, a, c) for a, c in zip(active, count, strict=True)])
        gain = setup.level_shape == "bent"
        chosen = [(int(row[0]), int(row[1])) for row in rows]
        means = np.array([np.mean(list(own[p].values())) for p in chosen])
        if computed:
            share = computed.spread.relative_covariance
        else:
            share = _shared_draws(own if drawn_here == len(rows) else nominal, chosen) + np.diag(ratios)
        models.append(
            fit_spread(
                condition,
                *_arguments(setup, active, count, moving),
                variance,
                draws,
                gain=gain,
                dummy_row=not setup.has_signed_levels,
                load=line_load(setup, condition, active, count, means),
                relative_covariance=share,
            )
        )
        if computed:  # points of a small sigma, which few draws would tell as well, do not speak for the others
            error = computed.spread.relative_error
            models[-1] = replace(models[-1], samples=int(1.0 + 0.5 / error**2), relative_error=error)
    return Mismatch(tuple(models))


def _correlation(one: list[float], other: list[float]) -> float:
    """Correlation of two levels over the same chips; 1 where either does not vary."""
    both = np.cov(one, other)
    spread = np.sqrt(both[0, 0] * both[1, 1])
    return float(both[0, 1] / spread) if spread > 0 else 1.0


def _shared_draws(levels: Mapping[Point, Mapping[int, float]], chosen: Sequence[Point]) -> FloatArray:
    """Relative covariance of the sample variances of points that were drawn on the same chips: 2 rho^2 / (draws - 1),
    rho being the correlation of their levels (Gaussian)."""
    common = sorted(set.intersection(*(set(levels[p]) for p in chosen))) if chosen else []
    if len(common) < MIN_SAMPLES:
        return np.diag([2.0 / max(len(levels[p]) - 1, 1) for p in chosen])
    drawn = np.array([[levels[p][i] for i in common] for p in chosen])
    centred = drawn - drawn.mean(axis=1, keepdims=True)
    spread = np.sqrt((centred**2).sum(axis=1))
    spread[spread == 0] = 1.0
    rho = (centred / spread[:, None]) @ (centred / spread[:, None]).T
    np.fill_diagonal(rho, 1.0)
    return np.asarray(2.0 * rho**2 / (len(common) - 1))


def _levels(data: Dataset) -> dict[Point, dict[int, float]]:
    """Level by (active, count), then by draw."""
    out: dict[Point, dict[int, float]] = {}
    for s in data.samples:
        out.setdefault((s.active, s.count), {})[s.draw] = s.level
    return out


PROCEDURE = Procedure(
    "mismatch",
    "spread of the levels by Monte-Carlo over cells and transistors",
    (),
    plan_mismatch,
    analyse_mismatch,
    through_chain=True,
)

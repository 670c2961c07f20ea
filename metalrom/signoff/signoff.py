"""Sign-off of a layout: rules, connectivity, extraction and simulation, each by a tool of its own."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.patterns import NEAR
from interconnect.errors import InputError, UnsupportedCell
from interconnect.extraction import Extraction
from interconnect.files import atomic_write_text
from interconnect.geometry import CellGeometry
from interconnect.stack import Stack
from metalrom.design.design import Design
from metalrom.design.setup import group_setup
from metalrom.layout.audit import LayoutAudit, audit_layout, symbols_of
from metalrom.layout.check import plan_of
from metalrom.layout.files import write_layout
from metalrom.layout.plan import Plan
from metalrom.layout.read import Shapes, open_layout
from metalrom.layout.rules import RuleReport, check_rules
from metalrom.run.characterize import group_rows
from metalrom.signoff.drawn_cell import DrawnCell, drawn_cell
from metalrom.signoff.drc import DrcReport, check_with_klayout, open_in_klayout
from metalrom.signoff.drc_deck import find_program, run_deck, write_deck
from metalrom.signoff.level import DrawnLevel
from metalrom.signoff.lvs import LvsReport, compare_planes
from metalrom.signoff.netgen import MOST_DEVICES, NOT_HERE, NetgenReport, compare_with_netgen, find_netgen
from metalrom.signoff.other_extractors import ExtractorReport, compare_with_extractor, find_extractors
from metalrom.signoff.segment_signoff import SegmentSignOff, sign_off_segments

RELATIVE_BOUND = 0.02
"""Capacitances and resistances of the drawn cell may differ by as much from the configured one: the field solver's own
error on two meshes of one cell."""

LEVEL_BOUND = 0.1
"""Level of a column with the drawn cell against the configured one, in LSB."""


@dataclass(frozen=True, slots=True)
class LevelDifference(DrawnLevel):
    """One read of a column of a plane: all rows active."""

    plane: str
    rows: int


@dataclass(frozen=True)
class SignOffResult:
    """What every tool found. seconds: processor time by step; deck: violations by rule of the KLayout program, None
    where that program is missing. netgen: why it did not run, or what it found of every plane. beside: what other
    extractors find, or why they did not run. segments: transistors of the readout; None and why where they are not
    drawn."""

    layout: Path
    plan: Plan
    shapes: Shapes
    drc: DrcReport
    own: RuleReport
    deck: dict[str, int] | None
    audit: LayoutAudit
    lvs: tuple[LvsReport, ...]
    netgen: tuple[NetgenReport, ...] | str
    cells: tuple[tuple[str, DrawnCell], ...]
    beside: tuple[ExtractorReport, ...]
    levels: tuple[LevelDifference, ...]
    segments: SegmentSignOff | None
    no_segments: str
    troubles: tuple[str, ...]
    seconds: dict[str, float]

    @property
    def failures(self) -> tuple[str, ...]:
        """Every difference in a sentence; empty when the layout is signed off."""
        out = [f"DRC: {v}" for v in self.drc.violations]
        out += [f"rules: {v}" for v in self.own.violations]
        out += [f"DRC deck: {n} violations of {rule}" for rule, n in (self.deck or {}).items()]
        out += [f"audit: {f}" for f in (*self.audit.faults, *self.audit.sentences)]
        out += [f"LVS {r.plane}: {text}" for r in self.lvs for text in r.differences]
        out += [f"netgen {r.plane}: {text}" for r in self.by_netgen for text in r.differences]
        for plane, cell in self.cells:
            out += [
                f"extraction {plane}: {d.name} of symbol {d.symbol} is {d.drawn:.4g}, configured {d.configured:.4g}"
                for d in cell.differences
                if abs(d.relative) > RELATIVE_BOUND
            ]
        out += [f"{r.tool} {r.plane}: {text}" for r in self.beside for text in r.differences]
        out += [f"simulation {x.plane}: level {x.lsb:+.3f} LSB off" for x in self.levels if abs(x.lsb) > LEVEL_BOUND]
        out += self.segments.failures(LEVEL_BOUND) if self.segments else []
        return (*out, *self.troubles)

    @property
    def by_netgen(self) -> tuple[NetgenReport, ...]:
        """Its reports; empty where it did not run."""
        return () if isinstance(self.netgen, str) else self.netgen


class _Watch:
    """Processor seconds of steps."""

    def __init__(self, announce: Callable[[str], None]) -> None:
        self.announce, self.seconds = announce, dict[str, float]()

    def __call__(self, name: str, step: Callable[[], Any]) -> Any:
        self.announce(name)
        start = process_time()
        try:
            return step()
        finally:
            self.seconds[name] = process_time() - start


def sign_off_layout(
    design: Design,
    folder: Path,
    *,
    tile: int = 0,
    layout: Path | None = None,
    simulate: bool = True,
    announce: Callable[[str], None] = lambda text: None,
) -> SignOffResult:
    """Draw one tile with all of its planes (or take a file) and check it with every tool.

    Parameters
    ----------
    design : Design
        The configuration.
    folder : Path
        Where layout, DRC deck and schematics are written.
    tile : int, optional
        Which tile.
    layout : Path, optional
        A file to check instead of one drawn anew.
    simulate : bool, optional
        Whether a column with the drawn cell is simulated.
    announce : callable, optional
        Told the name of every step.

    Returns
    -------
    SignOffResult

    Raises
    ------
    InputError
        A level or cell that cannot be drawn, a file that is no layout of the design.
    MissingLibrary
        The extras `layout` and `signoff` are not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plan = plan_of(design, "array", tile=tile)
    watch = _Watch(announce)
    path = layout or watch("layout", lambda: write_layout(plan, folder / f"tile_{tile}.gds").path)
    opened = open_in_klayout(path)
    drc = watch("DRC", lambda: check_with_klayout(plan, opened))
    deck_file = write_deck(folder / f"{plan.stack.name}.drc", plan.stack, plan.layers)
    program = find_program()
    deck = watch("DRC deck", lambda: run_deck(program, deck_file, path)) if program else None
    shapes = open_layout(path, foreign=layout is not None).flatten(plan.grid)
    own = watch("rules", lambda: check_rules(plan, shapes))
    audit = watch("audit", lambda: audit_layout(plan, shapes, design.program))
    lvs = watch("LVS", lambda: compare_planes(plan, opened))
    for report in lvs:
        atomic_write_text(folder / f"{report.plane}.spice", report.schematic.spice())
    netgen = watch("netgen", lambda: _netgen(plan, opened, lvs, folder))
    cells, troubles = [], []

    def extract(geometry: CellGeometry, stack: Stack) -> Extraction:
        del stack
        return design.extract(geometry)

    extractors = find_extractors(plan.stack.name)
    beside = [ExtractorReport(name, reason=found) for name, found in extractors if isinstance(found, str)]
    for part in plan.parts:
        symbols, _ = symbols_of(plan, part, shapes)
        try:
            model = design.models[part.plane]
            name = f"extraction of plane {part.plane}"
            step = partial(drawn_cell, plan, part, shapes, symbols, design.cell, model, extract)
            cells.append((part.name, watch(name, step)))
            for tool in (found for _, found in extractors if not isinstance(found, str)):
                other = partial(compare_with_extractor, tool, plan, part, shapes, symbols, cells[-1][1].model)
                beside.append(watch(f"{tool.name} of plane {part.plane}", other))
        except InputError as error:
            troubles.append(f"extraction {part.name}: {error}")
    levels: tuple[LevelDifference, ...] = ()
    if simulate and cells:
        try:
            levels = watch("simulation", lambda: _levels(design, cells))
        except InputError as error:
            troubles.append(f"simulation: {error}")
    segments, no_segments = None, ""
    try:
        segments, no_segments = sign_off_segments(design, folder, plan, shapes, watch, simulate=simulate)
    except UnsupportedCell as error:
        no_segments = str(error)
    except InputError as error:
        no_segments = "not to the kit's rules"
        troubles.append(f"segment: {error}")
    return SignOffResult(
        path, plan, shapes, drc, own, deck, audit, lvs, netgen, tuple(cells), tuple(beside), levels, segments,
        no_segments, tuple(troubles), dict(watch.seconds),
    )  # fmt: skip


def _netgen(plan: Plan, opened: Any, lvs: tuple[LvsReport, ...], folder: Path) -> tuple[NetgenReport, ...] | str:
    """Every plane by netgen too, or why not."""
    program = find_netgen()
    if program is None:
        return NOT_HERE
    most = max(report.devices for report in lvs)
    if most > MOST_DEVICES:
        return f"not run: {most:,} devices, at most {MOST_DEVICES:,} are given to it"
    return compare_with_netgen(program, plan, opened, [report.schematic for report in lvs], folder)


def _levels(design: Design, cells: list[tuple[str, DrawnCell]]) -> tuple[LevelDifference, ...]:
    """The same read with the configured and with the drawn cell, at the nominal condition, plane by plane."""
    setup = replace(group_setup(design, group_rows(design), nominal_only=True), parallel_rows=False)
    condition, count = setup.conditions[0], setup.max_count // 2
    case = stimulus_of(setup, draw_pattern(setup, NEAR, setup.rows, count))
    less = stimulus_of(setup, draw_pattern(setup, NEAR, setup.rows, count - 1))
    out = []
    for name, cell in cells:
        configured = design.models[int(name.rsplit("_p", 1)[1])]
        drawn = cell.model
        if setup.model.lines != configured.lines:
            configured, drawn = configured.complement_driven(), drawn.complement_driven()
        found = []
        for model, stimulus in ((configured, case), (drawn, case), (configured, less)):
            bench = ColumnTestbench(replace(setup, model=model, stacked=(), plane_labels=()))
            found.append(float(bench.levels(f"sign-off {name}", [bench.deck(condition, stimulus)])[0]))
        step = float(np.abs(found[0] - found[2]))
        out.append(LevelDifference(count, found[0], found[1], step, plane=name, rows=setup.rows))
    return tuple(out)

"""Characterization of a project: extract, choose the group, simulate, fit, tabulate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from characterization.campaign import Outcome, ProgressCallback, Task, run_tasks
from characterization.dataset import Dataset
from characterization.group_size import GroupChoice, choose_group
from characterization.procedures import AdcMargin, Mismatch, Transfer, with_requirements
from characterization.setup import Setup
from characterization.table import ReadoutTable
from interconnect.errors import InputError
from metalrom.folders import cache_folder
from metalrom.macro import Macro
from metalrom.project import Project
from ngspice_runner import Cache, EngineError

Announce = Callable[[str], None]


@dataclass(frozen=True)
class Characterized:
    """What the simulations gave: the choice of the group, all samples, models and the margin with its table."""

    setup: Setup
    choice: GroupChoice | None
    data: Dataset
    outcomes: tuple[Outcome, ...]
    transfer: Transfer
    mismatch: Mismatch
    margin: AdcMargin

    @property
    def table(self) -> ReadoutTable:
        """The readout table."""
        return self.margin.table

    @property
    def simulated(self) -> int:
        """Simulations that were run now."""
        return sum(o.simulated for o in self.outcomes)

    @property
    def cached(self) -> int:
        """Simulations that the cache answered."""
        return sum(o.cached for o in self.outcomes)


def characterize(
    project: Project,
    *,
    jobs: int | None = None,
    announce: Announce = lambda text: None,
    progress: ProgressCallback | None = None,
) -> Characterized:
    """Choose the group size (if asked to), simulate the procedures and fit the models.

    Raises InputError for a bad configuration, EngineError if ngspice is missing or a whole condition failed.
    """
    config = project.config
    announce(f"reading the layer: {project.weights.values.shape[0]} inputs, {project.activations.source}")
    announce(f"extracting the cell {config.cell.kind} on {len(project.planes)} plane(s)")
    setup = project.setup(1)
    with Cache(cache_folder("simulations")) as cache:
        rows, choice = config.array.group_rows, None
        if isinstance(rows, str):
            candidates = tuple(c for c in config.array.group_candidates if c <= config.array.rows)
            if not candidates:
                raise InputError("no candidate fits the array", where=f"{project.path}: array.group_candidates")
            announce("choosing the group size")
            choice = choose_group(
                setup,
                candidates,
                lambda n: histogram(project, n).astype(np.float64),
                config.readout.code_error_target,
                cache=cache,
                workers=jobs,
            )
            rows = choice.rows
            announce(choice.reason)
        setup = project.setup(rows)
        procedures = with_requirements(config.characterization.procedures)
        tasks: list[Task] = [task for procedure in procedures for task in procedure.plan(setup)]
        announce(f"simulating {len(tasks)} reads of a group of {rows} rows at {len(setup.conditions)} conditions")
        outcome = run_tasks(setup, tasks, cache=cache, workers=jobs, progress=progress)
    data = Dataset(outcome.samples)
    _refuse_dead_conditions(data, setup)
    announce("fitting")
    findings: dict[str, object] = {}
    for procedure in procedures:
        findings[procedure.name] = procedure.analyse(setup, data, findings)
    margin, transfer, mismatch = (findings.get(name) for name in ("adc_margin", "transfer", "mismatch"))
    if not (isinstance(margin, AdcMargin) and isinstance(transfer, Transfer) and isinstance(mismatch, Mismatch)):
        raise InputError(
            "the procedures give no readout table",
            where=f"{project.path}: characterization.procedures",
            hint="include adc_margin",
        )
    outcomes = (*((choice.outcome,) if choice else ()), outcome)
    return Characterized(setup, choice, data, outcomes, transfer, mismatch, margin)


def histogram(project: Project, rows: int) -> NDArray[np.int64]:
    """How often each (active, count) occurs when the layer runs in groups of `rows`: shape (rows + 1, rows + 1)."""
    c = project.config
    macro = Macro.ideal(rows=rows, weight_bits=c.weights.bits, input_bits=c.inputs.bits)
    return macro.count_histogram(project.activations.values, project.weights.values)


def _refuse_dead_conditions(data: Dataset, setup: Setup) -> None:
    """A condition of which nothing succeeded is an engine failure, not a bad fit."""
    for condition in setup.conditions:
        samples = [s for s in data.samples if s.condition == condition]
        if samples and all(s.verdict != "ok" for s in samples):
            raise EngineError(
                f"every simulation at {condition.label} failed (verdict {samples[0].verdict}); "
                "try `metalrom netlist` and run the deck by hand"
            )

"""Characterization of a project: extract, choose the group, simulate, fit, tabulate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from characterization.bench import Bench
from characterization.campaign import Outcome, ProgressCallback, Task, run_tasks
from characterization.dataset import Dataset
from characterization.failures import ConditionError, FailedCondition, failed_condition, too_many_failures
from characterization.group_size import GroupChoice, choose_group
from characterization.procedures import AdcMargin, Mismatch, Transfer, with_requirements
from characterization.procedures.registry import Findings, Procedure
from characterization.setup import Setup
from characterization.table import ReadoutTable
from interconnect.errors import InputError
from metalrom.folders import cache_folder
from metalrom.macro import Macro
from metalrom.project import Project
from ngspice_runner import Cache, EngineError

Announce = Callable[[str], None]
Finding = TypeVar("Finding")


@dataclass(frozen=True)
class Characterized:
    """What the simulations gave: the choice of the group, all samples, and what each procedure concluded.

    setup: holds the conditions that the findings speak of; planned: all that were simulated. failed: those that are in
    `planned` and, with their reason, nowhere else. decks: of procedures that run their own, one
    readable deck per file name.
    """

    setup: Setup
    choice: GroupChoice | None
    data: Dataset
    outcomes: tuple[Outcome, ...]
    findings: Findings
    planned: Setup
    failed: tuple[FailedCondition, ...] = ()
    decks: Mapping[str, str] = field(default_factory=dict)

    @property
    def transfer(self) -> Transfer:
        """Level models. Raises InputError if the procedure was left out."""
        return self._found("transfer", Transfer)

    @property
    def mismatch(self) -> Mismatch:
        """Spread models. Raises InputError if the procedure was left out."""
        return self._found("mismatch", Mismatch)

    @property
    def margin(self) -> AdcMargin:
        """Margins and the readout table. Raises InputError if the procedure was left out."""
        return self._found("adc_margin", AdcMargin)

    @property
    def table(self) -> ReadoutTable:
        """The readout table. Raises InputError if `adc_margin` was left out."""
        return self.margin.table

    def _found(self, name: str, kind: type[Finding]) -> Finding:
        finding = self.findings.get(name)
        if not isinstance(finding, kind):
            raise InputError(
                f"the procedure {name} was not run", where="characterization.procedures", hint=f"include {name}"
            )
        return finding

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

    Raises InputError for a bad configuration, EngineError if ngspice is missing or the nominal condition failed; any
    other condition that fails is listed in the result.
    """
    project.check_characterized()
    config = project.config
    procedures = with_requirements(config.characterization.procedures)
    announce(f"reading the layer: {project.weights.values.shape[0]} inputs, {project.activations.source}")
    announce(f"extracting the cell {config.cell.kind} on {len(project.planes)} plane(s)")
    with Cache(cache_folder("simulations")) as cache:
        choice = choose_rows(project, cache, jobs=jobs, announce=announce)
        setup = project.setup(choice.rows if choice else int(config.array.group_rows))
        return measure_group(setup, procedures, cache, choice=choice, jobs=jobs, announce=announce, progress=progress)


def measure_group(
    setup: Setup,
    procedures: Sequence[Procedure],
    cache: Cache,
    *,
    choice: GroupChoice | None = None,
    jobs: int | None = None,
    announce: Announce = lambda text: None,
    progress: ProgressCallback | None = None,
) -> Characterized:
    """Simulate the procedures of one group and fit the models.

    A condition that fails (too many failed simulations, levels that do not rise) is left out of the findings and listed
    with its reason; if it is the nominal one nothing is fitted. Raises EngineError then, or if ngspice is missing, and
    InputError for a procedure that cannot measure the cell.
    """
    for procedure in procedures:
        procedure.check(setup)
    tasks: list[Task] = [task for procedure in procedures for task in procedure.plan(setup)]
    announce(f"simulating {len(tasks)} reads of a group of {setup.rows} rows at {len(setup.conditions)} conditions")
    outcome = run_tasks(setup, tasks, cache=cache, workers=jobs, progress=progress)
    data = Dataset(outcome.samples)
    failed = _failed_simulations(data, setup)
    bench = Bench(setup, cache=cache, workers=jobs, progress=progress)
    announce("fitting")
    while True:
        lost = {f.condition for f in failed}
        good = replace(setup, conditions=tuple(c for c in setup.conditions if c.label not in lost))
        try:
            findings = _analysed(good, procedures, data, bench, announce)
            break
        except ConditionError as error:  # each round loses a condition, never the nominal one: this ends
            if error.condition == setup.conditions[0] or error.condition.label in lost:
                raise
            failed.append(failed_condition(data, error.condition, error.reason))
    for condition in failed:
        announce(f"{condition.condition} failed and is left out: {condition.reason}")
    outcomes = (*((choice.outcome,) if choice else ()), outcome, *((bench.outcome,) if bench.decks else ()))
    return Characterized(good, choice, data, outcomes, findings, setup, tuple(failed), bench.decks)


def _analysed(
    setup: Setup, procedures: Sequence[Procedure], data: Dataset, bench: Bench, announce: Announce
) -> Findings:
    """What every procedure concludes at the conditions of `setup`, in their order."""
    findings: dict[str, Any] = {}
    for procedure in procedures:
        if procedure.measure is not None:
            announce(f"measuring: {procedure.description}")
            findings[procedure.name] = procedure.measure(setup, bench, findings)
        else:
            findings[procedure.name] = procedure.analyse(setup, data, findings)
    return findings


def group_rows(project: Project, *, jobs: int | None = None) -> int:
    """Rows that one conversion sums: as configured, or chosen by the margin (a few cached simulations)."""
    with Cache(cache_folder("simulations")) as cache:
        choice = choose_rows(project, cache, jobs=jobs)
    return choice.rows if choice else int(project.config.array.group_rows)


def choose_rows(
    project: Project, cache: Cache, *, jobs: int | None = None, announce: Announce = lambda text: None
) -> GroupChoice | None:
    """The group size by margin if the configuration leaves it open, else None. Raises InputError and EngineError."""
    config = project.config
    if isinstance(config.array.group_rows, int):
        return None
    candidates = tuple(c for c in config.array.group_candidates if c <= config.array.rows)
    if not candidates:
        raise InputError("no candidate fits the array", where=f"{project.path}: array.group_candidates")
    announce("choosing the group size")
    choice = choose_group(
        project.setup(1),
        candidates,
        lambda n: histogram(project, n).astype(np.float64),
        config.readout.code_error_target,
        cache=cache,
        workers=jobs,
    )
    announce(choice.reason)
    return choice


def histogram(project: Project, rows: int) -> NDArray[np.int64]:
    """How often each (active, count) occurs when the layer runs in groups of `rows`: shape (rows + 1, counts)."""
    c, counts = project.config, project.program.counts
    macro = Macro.ideal(
        rows=rows,
        weight_bits=c.weights.bits,
        input_bits=c.inputs.bits,
        mapping=c.mapping,
        levels=len(counts),
        signed_cells=-1 in counts,
    )
    return macro.count_histogram(project.activations.values, project.weights.values)


def _failed_simulations(data: Dataset, setup: Setup) -> list[FailedCondition]:
    """Conditions with too many failed simulations. Raises EngineError if the nominal one is among them."""
    failed = []
    for index, condition in enumerate(setup.conditions):
        reason = too_many_failures(data, condition)
        if reason is None:
            continue
        if index == 0:
            raise EngineError(f"{reason} at the nominal condition {condition.label}; nothing is fitted to the rest")
        failed.append(failed_condition(data, condition, reason))
    return failed

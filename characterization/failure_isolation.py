"""Runs the procedures of a campaign so that one failure costs what it must, and no more.

What the readout table needs decides whether a condition is known at all: there a failure takes the condition out of
everything. Any other procedure loses its result at that condition, as a row that says so; the rest stands.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from characterization.column_testbench import ColumnTestbench
from characterization.dataset import Dataset
from characterization.failures import (
    ConditionError,
    FailedCondition,
    FailedProcedure,
    ProcedureError,
    failed_condition,
    too_many_failures,
)
from characterization.procedure_registry import with_requirements
from characterization.procedures.registry import Procedure, ProcedureResults
from characterization.testbench import Testbench
from ngspice_runner import EngineError


def core_of(procedures: Sequence[Procedure]) -> tuple[Procedure, ...]:
    """Those of the procedures that the readout table is made of."""
    names = {p.name for p in with_requirements(("adc_margin",))}
    return tuple(p for p in procedures if p.name in names)


@dataclass(frozen=True)
class CoreFits:
    """setup: with the conditions that could be fitted. results: of the core procedures. failed: what is left."""

    setup: Testbench
    results: ProcedureResults
    failed: tuple[FailedCondition, ...]


def fit_core(
    setup: Testbench, core: Sequence[Procedure], data: Dataset, given: ProcedureResults | None = None
) -> CoreFits:
    """What the core procedures conclude; a condition that fails (too many failed simulations, levels that do not rise)
    is left out of all of them. given: results that they may read. Raises EngineError or ConditionError if it
    is the nominal one."""
    names = {p.name for p in core}
    own = Dataset(tuple(s for s in data.samples if s.procedure in names))
    failed = _failed_simulations(own, setup)
    while True:
        lost = {f.condition for f in failed}
        good = replace(setup, conditions=tuple(c for c in setup.conditions if c.label not in lost))
        results: dict[str, Any] = dict(given or {})
        try:
            for procedure in core:
                results[procedure.name] = procedure.analyse(good, data, results)
            return CoreFits(good, results, tuple(failed))
        except ConditionError as error:  # each round loses a condition, never the nominal one: this ends
            if error.condition == setup.conditions[0] or error.condition.label in lost:
                raise
            failed.append(failed_condition(own, error.condition, error.reason))


def _failed_simulations(data: Dataset, setup: Testbench) -> list[FailedCondition]:
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


def run_procedures(
    setup: Testbench,
    procedures: Sequence[Procedure],
    data: Dataset,
    bench: ColumnTestbench,
    results: ProcedureResults,
    announce: Callable[[str], None] = lambda text: None,
) -> tuple[ProcedureResults, tuple[FailedProcedure, ...]]:
    """Results of all procedures, in their order, those of the core given; and every (procedure, condition) without."""
    found = dict(results)
    failed: list[FailedProcedure] = []
    for procedure in procedures:
        if procedure.name in found:
            continue
        if procedure.measure is not None:
            announce(f"measuring: {procedure.description}")
        lost = next((name for name in procedure.requires if name not in found), None)
        if lost is not None:
            failed.append(FailedProcedure(procedure.name, "", "", f"it reads what {lost} finds, which failed"))
            continue
        result, rows = _contained(procedure, setup, data, bench, found)
        failed += rows
        if result is not None:
            found[procedure.name] = result
    return {p.name: found[p.name] for p in procedures if p.name in found}, tuple(failed)


def _contained(
    procedure: Procedure, setup: Testbench, data: Dataset, bench: ColumnTestbench, results: ProcedureResults
) -> tuple[Any, list[FailedProcedure]]:
    """(result or None, its failures), without the conditions that fail."""
    failed = _failed_rows(procedure, setup, data)
    # what other procedures found goes by the order of the conditions: nothing may be taken out of the list then
    whole = bool(procedure.requires)
    while True:
        lost = {f.condition for f in failed}
        good = tuple(c for c in setup.conditions if c.label not in lost)
        if not good or (lost and whole) or (procedure.anchored and good[0] != setup.conditions[0]):
            return None, failed
        try:
            there = replace(setup, conditions=good)
            if procedure.measure is not None:
                return procedure.measure(there, bench, results), failed
            return procedure.analyse(there, data, results), failed
        except (ProcedureError, ConditionError) as error:
            verdict = error.verdict if isinstance(error, ProcedureError) else ""
            reason = error.reason if isinstance(error, ConditionError) else str(error)
            known = error.condition is not None and error.condition in good
            label = error.condition.label if known and error.condition is not None else ""
            failed.append(FailedProcedure(procedure.name, label, verdict, reason))
            if not known:
                return None, failed


def _failed_rows(procedure: Procedure, setup: Testbench, data: Dataset) -> list[FailedProcedure]:
    """Conditions at which too many of the procedure's own planned simulations failed."""
    own = data.select(procedure.name)
    out = []
    for condition in setup.conditions:
        reason = too_many_failures(own, condition)
        if reason is not None:
            verdict = next(s.verdict for s in own.samples if s.condition == condition and s.verdict != "ok")
            out.append(FailedProcedure(procedure.name, condition.label, verdict, reason))
    return out

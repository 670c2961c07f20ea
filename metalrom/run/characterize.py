"""Characterization of a design: extract, choose the group, simulate, fit, tabulate."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TypeVar

import numpy as np

from characterization.campaign import CampaignOutcome, ProgressCallback, SimulationCounts, Task, run_tasks
from characterization.chain_group import choose_chain_group
from characterization.column_testbench import ColumnTestbench
from characterization.corrected_sampling import CorrectedSampling, can_correct, sample_corrected
from characterization.dataset import Dataset
from characterization.failure_isolation import core_of, fit_core, run_procedures
from characterization.failures import FailedCondition, FailedProcedure, ProcedureError
from characterization.group_size import GroupChoice, choose_group
from characterization.parallel_rows import RowCheck, check_parallel_rows
from characterization.procedure_result import ProcedureResult
from characterization.procedures import PROCEDURES, AdcMargin, Mismatch, Planes, Transfer, with_requirements
from characterization.procedures.registry import CORRECTED, Procedure, ProcedureResults
from characterization.procedures.transfer import check_levels, has_enough_levels
from characterization.refinement import merged, missing, refined
from characterization.sampling_check import ConditionSampling
from characterization.size import check_size
from characterization.tables.planes import PlaneTables
from characterization.tables.table import ReadoutTable
from characterization.testbench import Testbench
from characterization.waveform import ReadWaveform, read_waveform
from interconnect.arrays import FloatArray, IntArray
from interconnect.errors import InputError
from metalrom.design.design import Design
from metalrom.design.setup import group_setup
from metalrom.folders import cache_folder
from metalrom.macro import Macro
from ngspice_runner import Cache, Workers

CHAIN_PROCEDURES = ("chain_noise", "chain_energy", "chain_settling")
"""What every run of a readout chain measures: the margin and the estimate read it."""

CHAIN_CANDIDATES = (4, 8, 12, 16, 20, 24, 32)
"""Group sizes of a readout chain unless the configuration lists its own: bisection simulates three of them."""

INVERTER_PROCEDURES = ("local_inverter",)
"""The same of a readout by inverters in the segment."""

PLANES = "planes"
"""What every run of planes that are not alike compares: table and verdict are those of the worst."""

Announce = Callable[[str], None]
Result = TypeVar("Result")


@dataclass(frozen=True)
class CharacterizationRun:
    """What the simulations gave: the choice of the group, all samples, and what each procedure concluded.

    setup: holds the conditions that the results speak of; planned: all that were simulated. failed: those that are in
    `planned` and, with their reason, nowhere else. decks: of procedures that run their own, one
    readable deck per file name. failed_procedures: what a procedure beside the readout table could not conclude, where.
    waveform: of one of the nominal condition's reads. sampling: what every condition took where reads were computed by
    the corrected linear network. row_checks: reads with alike rows in parallel against every row.
    """

    setup: Testbench
    choice: GroupChoice | None
    data: Dataset
    outcomes: tuple[CampaignOutcome, ...]
    results: ProcedureResults
    planned: Testbench
    failed: tuple[FailedCondition, ...] = ()
    decks: Mapping[str, str] = field(default_factory=dict)
    failed_procedures: tuple[FailedProcedure, ...] = ()
    waveform: ReadWaveform | None = None
    sampling: tuple[ConditionSampling, ...] = ()
    row_checks: tuple[RowCheck, ...] = ()

    @property
    def transfer(self) -> Transfer:
        """Level models. Raises InputError if the procedure was left out."""
        return self._result("transfer", Transfer)

    @property
    def mismatch(self) -> Mismatch:
        """Spread models. Raises InputError if the procedure was left out."""
        return self._result("mismatch", Mismatch)

    @property
    def margin(self) -> AdcMargin:
        """Margins and the readout table. Raises InputError if the procedure was left out."""
        return self._result("adc_margin", AdcMargin)

    @cached_property
    def table(self) -> ReadoutTable:
        """The readout table, of several planes that of the worst. Raises InputError if `adc_margin` was left out."""
        return self.margin.table if self.plane_tables is None else self.plane_tables.worst()

    @cached_property
    def plane_tables(self) -> PlaneTables | None:
        """The tables of all planes of a stack; None where all planes are alike. Raises InputError if `adc_margin` was
        left out."""
        found = self.results.get("planes")
        return found.plane_tables(self.margin.table) if isinstance(found, Planes) else None

    @property
    def layer_table(self) -> ReadoutTable | PlaneTables:
        """What reads the layer: the tables of all planes; the readout table where all are alike."""
        return self.table if self.plane_tables is None else self.plane_tables

    def _result(self, name: str, kind: type[Result]) -> Result:
        result = self.results.get(name)
        if not isinstance(result, kind):
            raise InputError(
                f"the procedure {name} was not run", where="characterization.procedures", hint=f"include {name}"
            )
        return result

    @property
    def shown(self) -> dict[str, ProcedureResult]:
        """Results that outputs show: those beside the readout table, by the procedure's name."""
        return {name: r for name, r in self.results.items() if isinstance(r, ProcedureResult)}

    @property
    def simulated(self) -> int:
        """Simulations that were run now."""
        return sum(o.simulated for o in self.outcomes)

    @property
    def cached(self) -> int:
        """Simulations that the cache answered."""
        return sum(o.cached for o in self.outcomes)

    @property
    def counts(self) -> SimulationCounts:
        """How many values came from which method, the cache aside."""
        return SimulationCounts(
            ngspice=self.simulated + self.cached,
            linear=sum(o.linear for o in self.outcomes),
            closed_form=sum(o.closed_form for o in self.outcomes),
            refined=tuple(c.label for c, _ in self.planned.more_samples),
        )


def characterize(
    design: Design,
    *,
    jobs: Workers = None,
    announce: Announce = lambda text: None,
    progress: ProgressCallback | None = None,
) -> CharacterizationRun:
    """Choose the group size (if asked to), simulate the procedures and fit the models.

    Raises InputError for a bad configuration, EngineError if ngspice is missing or the nominal condition failed; any
    other condition that fails is listed in the result.
    """
    design.check_characterized()
    config = design.config
    procedures = with_requirements(config.characterization.procedures)
    announce(f"reading the layer: {design.weights.values.shape[0]} inputs, {design.activations.source}")
    if below := design.rule.drop_below:
        announce(f"partial products of less than 2^{below} are not converted")
    announce(f"extracting the cell {config.cell.kind} on {len(design.planes)} plane(s)")
    with Cache(cache_folder("simulations")) as cache:
        choice = choose_rows(design, cache, jobs=jobs, announce=announce)
        setup = group_setup(design, choice.rows if choice else int(config.array.group_rows))
        return measure_group(setup, procedures, cache, choice=choice, jobs=jobs, announce=announce, progress=progress)


def measure_group(
    setup: Testbench,
    procedures: Sequence[Procedure],
    cache: Cache,
    *,
    choice: GroupChoice | None = None,
    jobs: Workers = None,
    announce: Announce = lambda text: None,
    progress: ProgressCallback | None = None,
) -> CharacterizationRun:
    """Simulate the procedures of one group and fit the models.

    With `setup.worst_conditions` a second stage draws more samples at the conditions of the smallest margin. A
    condition that fails (too many failed simulations, levels that do not rise) is left out of the results and listed
    with its reason; if it is the nominal one nothing is fitted. A procedure beside the readout table that fails at a
    condition loses that condition alone. Raises EngineError if the nominal condition failed, or if ngspice is missing,
    InputError for a procedure that cannot measure the cell and for more than usual machines have the memory for.
    """
    for procedure in procedures:
        procedure.check(setup)
    check_size(setup)
    if any(p.name == "transfer" for p in procedures):
        check_levels(setup)
    checker = ColumnTestbench(setup, cache=cache, workers=jobs, progress=progress)
    try:
        checks = check_parallel_rows(setup, checker)
        trouble = "" if all(c.agrees for c in checks) else "do not read as every row does"
    except ProcedureError as error:
        checks, trouble = (), f"cannot be checked ({error.verdict or 'no result'})"
    if trouble:
        announce(f"alike rows in parallel {trouble}: all rows are simulated")
        setup = replace(setup, parallel_rows=False)
    tasks = _plan(setup, procedures)
    where = f"of a group of {setup.rows} rows at {len(setup.conditions)} conditions"

    def simulate(chosen: Sequence[Task]) -> CampaignOutcome:
        return run_tasks(setup, chosen, cache=cache, workers=jobs, progress=progress)

    corrected: CorrectedSampling | None = None
    if setup.sampling == "corrected" and can_correct(setup) and tasks:
        announce(f"sampling {len(tasks)} reads {where}: linear network, corrected by simulations")
        corrected = sample_corrected(setup, tasks, simulate, announce)
        outcomes = [corrected.outcome]
    else:
        announce(f"simulating {len(tasks)} reads {where}")
        outcomes = [simulate(tasks)]
    data = Dataset(outcomes[0].samples)
    core = core_of(procedures)
    if (
        len(setup.stacked) > 1
        and any(p.name == "adc_margin" for p in core)
        and PLANES not in {p.name for p in procedures}
    ):
        procedures = (*procedures, PROCEDURES[PLANES])
    bench = ColumnTestbench(setup, cache=cache, workers=jobs, progress=progress)
    # a converter whose offset is measured, and the noise of a chain, come before the margin, which reads them
    readout = CHAIN_PROCEDURES if setup.chain is not None else INVERTER_PROCEDURES if setup.inverter is not None else ()
    if core:
        given_names = {p.name for p in procedures}
        procedures = (*(PROCEDURES[n] for n in readout if n not in given_names), *procedures)
    first = [p for p in procedures if (p.name == "adc" and setup.converter.offset_sigma is None) or p.name in readout]
    known = {CORRECTED: corrected} if corrected else {}
    given, lost_first = run_procedures(setup, first, data, bench, known, announce)
    given = {**given, **known}
    if corrected is None and setup.worst_conditions and any(p.name == "adc_margin" for p in core):
        table = fit_core(setup, core, data, given).results["adc_margin"].table
        setup = refined(setup, table, lambda label: table.worst_margin(label).margin)
        tasks = _plan(setup, procedures)
        more = missing(tasks, data)
        where = ", ".join(c.label for c, _ in setup.more_samples)
        announce(f"refining: {len(more)} more reads at the smallest margins ({where})")
        outcomes.append(run_tasks(setup, more, cache=cache, workers=jobs, progress=progress))
        data = merged(tasks, data, Dataset(outcomes[1].samples))
    announce("fitting")
    fitted = fit_core(setup, core, data, given)
    if corrected is not None and fitted.failed:
        # one regression holds all conditions: what those that failed said of the others is taken back
        lost_conditions = {f.condition for f in fitted.failed}
        kept = [t for t in tasks if t.condition.label not in lost_conditions]
        corrected = sample_corrected(fitted.setup, kept, simulate, announce)
        outcomes.append(corrected.outcome)
        data, given = merged(tasks, Dataset(corrected.outcome.samples), data), {**given, CORRECTED: corrected}
        fitted = replace(fit_core(fitted.setup, core, data, given), failed=fitted.failed)
    for condition in fitted.failed:
        announce(f"{condition.condition} failed and is left out: {condition.reason}")
    rest = [p for p in procedures if p not in first or p.name in given]
    results, lost = run_procedures(fitted.setup, rest, data, bench, fitted.results, announce)
    lost = (*lost_first, *lost)
    for row in lost:
        announce(f"{row.procedure} failed at {row.condition or 'every condition'}: {row.reason}")
    if "adc_margin" in results:
        bench.count("closed_form", len(fitted.setup.conditions))  # thermal noise
    shown = read_waveform(fitted.setup, cache=cache, workers=jobs) if "transfer" in results else None
    all_outcomes = (*((choice.outcome,) if choice else ()), checker.outcome, *outcomes, bench.outcome)
    return CharacterizationRun(
        fitted.setup, choice, data, all_outcomes, results, setup, fitted.failed, bench.decks, lost, shown,
        corrected.conditions if corrected else (), checks,
    )  # fmt: skip


def _plan(setup: Testbench, procedures: Sequence[Procedure]) -> list[Task]:
    return [task for procedure in procedures for task in procedure.plan(setup)]


def group_rows(design: Design, *, jobs: Workers = None) -> int:
    """Rows that one conversion sums: as configured, or chosen by the margin (a few cached simulations)."""
    given = design.config.array.group_rows
    if isinstance(given, int):
        return given
    with Cache(cache_folder("simulations")) as cache:
        choice = choose_rows(design, cache, jobs=jobs)
    assert choice is not None  # noqa: S101 - the configuration leaves it open
    return choice.rows


def choose_rows(
    design: Design, cache: Cache, *, jobs: Workers = None, announce: Announce = lambda text: None
) -> GroupChoice | None:
    """The group size by margin if the configuration leaves it open, else None. Raises InputError and EngineError."""
    config = design.config
    if isinstance(config.array.group_rows, int):
        return None
    array = config.array
    probe = group_setup(design, min(array.group_candidates), nominal_only=True)
    is_chain = probe.chain is not None
    asked = (
        CHAIN_CANDIDATES if is_chain and "group_candidates" not in array.model_fields_set else array.group_candidates
    )
    candidates = tuple(c for c in asked if c <= array.rows)
    if not candidates:
        raise InputError("no candidate fits the array", where=f"{design.path}: array.group_candidates")
    sized = tuple(replace(probe, rows=c) for c in candidates)
    if not any(map(has_enough_levels, sized)):
        check_levels(sized[-1])
    candidates = tuple(s.rows for s in sized if has_enough_levels(s))
    announce("choosing the group size")
    target = config.readout.code_error_target

    @lru_cache
    def used(rows: int) -> FloatArray:
        return histogram(design, rows).astype(np.float64)

    if is_chain:
        choice = choose_chain_group(
            lambda n: group_setup(design, n), candidates, used, target, cache=cache, workers=jobs
        )
    else:
        choice = choose_group(group_setup(design, 1), candidates, used, target, cache=cache, workers=jobs)
    announce(choice.reason)
    return choice


def histogram(design: Design, rows: int, *, by_significance: bool = False) -> IntArray:
    """How often each (active, count) occurs when the layer runs in groups of `rows`: shape (rows + 1, counts); with
    `by_significance` a leading axis over the magnitudes of the place values, the greatest first."""
    c, values = design.config, design.read_scheme.encoding.symbol_values
    macro = Macro.ideal(
        rows=rows,
        weight_bits=c.weights.bits,
        input_bits=c.inputs.bits,
        mapping=c.mapping,
        levels=len(values),
        symbol_values=values,
        drop_below=design.rule.drop_below,
    )
    return macro.count_histogram(design.activations.values, design.weights.values, by_significance=by_significance)

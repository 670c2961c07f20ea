"""One job from start to finish: look up, claim, run, judge, try again where that is allowed, keep."""

from __future__ import annotations

import re
import signal
import threading
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ngspice_runner.backends import BACKENDS, Backend, OtherSimulator, RawOutcome, merge_outcomes
from ngspice_runner.backends.sandbox import describe_sandbox
from ngspice_runner.cache import Cache
from ngspice_runner.capability import MESH_NODES, MeshWarning, warnings_of
from ngspice_runner.engine import Engine
from ngspice_runner.engine_view import read_view
from ngspice_runner.errors import JobError
from ngspice_runner.flatten import FlatElement, flatten
from ngspice_runner.includes import IncludeSet
from ngspice_runner.job import Job, Result, RunProvenance, Verdict
from ngspice_runner.kirchhoff import check_kirchhoff
from ngspice_runner.lint_finding import LintFinding
from ngspice_runner.parts import read_measures
from ngspice_runner.prepare import Prepared, plain_key, prepare, saving_run, viewing_run
from ngspice_runner.randomness import draws_numbers, has_transient_noise
from ngspice_runner.reading import compare_reading, new_forms, remember_forms
from ngspice_runner.retry import RETRIED, RETRY_STEPS, options_of
from ngspice_runner.verdict import judge_simulation

_NOTES = re.compile(
    r"^.*(?:Warning ?:|warning,|Model issue|unrecognized parameter|No \.measure possible).*$", re.MULTILINE
)
_GOOD = (Verdict.OK, Verdict.SUSPECT)
_FINDINGS = 8
_LONGEST_VIEWED = 4096
"""Characters of a card up to which the engine is asked what it read: it pads columns to the longest waveform, which
takes seconds and gigabytes for a drawn noise of 100,000 points."""
_WITNESS_SECONDS, _WITNESS_ELEMENTS = 1.0, 1000
"""CPU time and elements up to which a deck is run once more with everything saved."""
_SENT_FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP, -signal.SIGINT)
_making = threading.Lock()
CLAIM_PAUSE = 0.02
"""Seconds between two looks at a job that another process is running."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How jobs are run. alone: the backend for what `backend` does not take or does not answer for; `engine` is its
    executable. others: backends of other simulators, made when a job asks for one. retry: climb the ladder of
    `retry.py` when a simulation does not converge. includes: files of all jobs, which are points of one deck; None:
    each job's own."""

    backend: Backend
    alone: Backend
    engine: Engine
    cache: Cache | None = None
    retry_failures: bool = False
    retry: bool = False
    includes: IncludeSet | None = None
    others: dict[str, OtherSimulator] = field(default_factory=dict)

    def by(self, simulator: str) -> Setting:
        """The same with the backend of another simulator. Raises JobError for a name that is none."""
        if self.backend.name == simulator:
            return self
        with _making:
            if simulator not in self.others:
                made = BACKENDS[simulator]() if simulator in BACKENDS else None
                if not isinstance(made, OtherSimulator):
                    raise JobError(f"{simulator!r} is not another simulator: vacask is one")
                self.others[simulator] = made
            other = self.others[simulator]
        return replace(self, backend=other, alone=other, engine=other.engine)

    def cancel(self) -> None:
        """End everything that is running."""
        for backend in (self.backend, self.alone, *self.others.values()):
            backend.cancel()


def run_one(job: Job, setting: Setting, *, wait: bool = True) -> Result | None:
    """The result of one job. None when another process is running it and `wait` is False."""
    for simulator in job.told("simulator"):
        setting = setting.by(simulator)
    note = ""
    engine = setting.backend.engine_for(setting.engine)
    key = None if setting.cache is None else plain_key(job, engine, setting.backend.name)
    kept = None if key is None else _kept(key, setting)
    if kept is not None and (kept.ok or setting.backend is setting.alone):
        return replace(kept, tag=job.tag)
    if setting.backend is not setting.alone:
        prepared = prepare(job, engine, setting.backend.name, setting.includes)
        note = setting.backend.refuses(prepared)
        if not note:
            result = _looked_up(prepared, setting, setting.backend, wait, known=key is not None and kept is None)
            if result is None or result.ok or result.verdict is Verdict.TIMEOUT or _cancelled(result):
                return result
            setting.backend.close()  # whatever went wrong there must not reach another job
            note = f"run again alone: {setting.backend.name} gave {result.verdict.value}"
        else:
            note = f"not by {setting.backend.name}: {note}"
    known = setting.backend is setting.alone and key is not None
    prepared = prepare(job, setting.engine, setting.alone.name, setting.includes)
    result = _looked_up(prepared, setting, setting.alone, wait, known=known)
    if result is not None and note and result.provenance is not None:
        result = replace(result, provenance=replace(result.provenance, notes=(*result.provenance.notes, note)))
    return result


def lookup(prepared: Prepared, setting: Setting) -> Result | None:
    """The kept result that may be served for a prepared job."""
    return _kept(prepared.key, setting) if prepared.cacheable else None


def _kept(key: str, setting: Setting) -> Result | None:
    kept = None if setting.cache is None else setting.cache.get(key)
    if kept is None or (setting.retry_failures and kept.verdict not in _GOOD):
        return None
    if setting.retry and kept.verdict in RETRIED:
        return None
    return kept


def _cancelled(result: Result) -> bool:
    return result.verdict is Verdict.KILLED and result.log.startswith("cancelled")


def _looked_up(
    prepared: Prepared, setting: Setting, backend: Backend, wait: bool, *, known: bool = False
) -> Result | None:
    """The kept result, or that of a run. known: that none was kept a moment ago."""
    if prepared.errors:
        return _refused(prepared, backend.name)
    cache = setting.cache
    if cache is None or not prepared.cacheable:
        return _with_retries(prepared, setting, backend)
    while True:
        kept = None if known else lookup(prepared, setting)
        known = False
        if kept is not None:
            return replace(kept, tag=prepared.job.tag)
        if cache.claims.take(prepared.key):
            break
        if not wait:
            return None
        time.sleep(CLAIM_PAUSE)
    try:
        # Whoever held the claim until just now may have kept a result meanwhile.
        kept = lookup(prepared, setting)
        return replace(kept, tag=prepared.job.tag) if kept else _with_retries(prepared, setting, backend)
    finally:
        cache.claims.release(prepared.key)


def _with_retries(prepared: Prepared, setting: Setting, backend: Backend) -> Result:
    """Run; when it does not converge and retries are allowed, climb the ladder. The first rung that gives an ok or
    suspect result counts, under a key of its own; else the first failure stands."""
    known = setting.cache.get(prepared.key) if setting.cache and setting.retry and not setting.retry_failures else None
    first = known or _run_and_keep(prepared, setting, backend)
    if not setting.retry or first.verdict not in RETRIED or backend is not setting.alone:
        return first
    tried = []
    for rung in RETRY_STEPS:
        options = options_of(rung, prepared.job)
        again = replace(prepared.job, options=prepared.job.options + options)
        climbed = prepare(again, prepared.engine, backend.name, prepared.includes)
        result = lookup(climbed, setting) or _run_and_keep(climbed, setting, backend)
        tried.append(rung.name)
        if result.verdict in _GOOD and result.provenance is not None:
            message = f"{rung.name}: " + " ".join(f"{name}={value}" for name, value in options)
            notes = (*result.provenance.notes, f"without retry: {first.verdict.value}")
            return replace(
                result,
                tag=prepared.job.tag,
                provenance=replace(result.provenance, retry=message, notes=notes),
            )
        if _cancelled(result):
            return result
    provenance = first.provenance
    if provenance is not None:
        provenance = replace(provenance, notes=(*provenance.notes, f"retried in vain: {', '.join(tried)}"))
    return replace(first, provenance=provenance)


def _run_and_keep(prepared: Prepared, setting: Setting, backend: Backend) -> Result:
    if len(prepared.deck.cards) > MESH_NODES:
        for warning in warnings_of(prepared.deck, setting.engine):
            warnings.warn(warning, MeshWarning, stacklevel=2)
    outcome = merge_outcomes([_survived(replace(prepared, run_text=text), backend) for text in prepared.texts])
    result = finished_result(prepared, outcome, backend.name)
    if prepared.measuring and result.verdict in _GOOD:
        result = _measured_result(prepared, result, setting)
    if result.verdict in _GOOD:
        result = _compared_result(replace(prepared, engine=setting.engine), result, setting)
    cache = setting.cache
    if cache is None:
        return result
    trouble = ""
    if not prepared.cacheable:
        trouble = "not cached: the deck reads files that the key cannot cover, or cannot be repeated"
    elif not outcome.cancelled and not cache.put(prepared.key, result):
        trouble = f"not cached: {cache.trouble}"
    if trouble and result.provenance is not None:
        result = replace(result, provenance=replace(result.provenance, notes=(*result.provenance.notes, trouble)))
    return result


def _survived(prepared: Prepared, backend: Backend) -> RawOutcome:
    """The outcome of a run; one whose engine was ended from outside is repeated once."""
    outcome = backend.run(prepared)
    if outcome.exit_code not in _SENT_FROM_OUTSIDE or outcome.timed_out or outcome.cancelled:
        return outcome
    name = signal.Signals(-outcome.exit_code).name
    return replace(backend.run(prepared), repeated=f"run again: the engine was ended from outside ({name})")


def _measured_result(prepared: Prepared, result: Result, setting: Setting) -> Result:
    """The result with what `.meas` gives; a note for each that fails."""
    measures: dict[str, float] = {}
    missing: list[str] = []
    cpu = 0.0
    for run in prepared.measuring:
        outcome = setting.alone.run(replace(prepared, run_text=run.text, raw=False))
        cpu += outcome.cpu_seconds
        found = read_measures(outcome.log, run.names, run.prefix)
        missing += [f".meas {run.prefix}{n} gives no result" for n in run.names if run.prefix + n not in found]
        measures |= found
    provenance = result.provenance
    if provenance is not None:
        notes = [note for note in provenance.notes if not note.startswith("No .measure possible")]
        provenance = replace(provenance, cpu_seconds=provenance.cpu_seconds + cpu, notes=(*notes, *missing))
    return replace(result, measures=measures, provenance=provenance)


def _compared_result(prepared: Prepared, result: Result, setting: Setting) -> Result:
    """The result, suspect where the engine read the deck otherwise than it stands there, or where its numbers and the
    deck disagree."""
    forms = set() if prepared.behaviour else new_forms(prepared.deck, prepared.engine.sha256)
    elements = flatten(prepared.deck) if forms else ()
    if not elements or max(len(card) for _, card in prepared.deck.cards) > _LONGEST_VIEWED:
        return result
    outcome = setting.alone.view(viewing_run(prepared, elements))
    if outcome is None:
        return result
    findings = list(compare_reading(elements, read_view(outcome.log), included=bool(prepared.includes.hashes)))[
        :_FINDINGS
    ]
    cpu = outcome.cpu_seconds
    if not findings and result.ok:
        spent, findings = _second_witness(prepared, result, elements, setting)
        cpu += spent
    provenance = result.provenance
    if provenance is not None:
        result = replace(result, provenance=replace(provenance, cpu_seconds=provenance.cpu_seconds + cpu))
    if not findings:
        remember_forms(forms)
        return result
    lines = [line for line in result.log.splitlines() if line] + [str(finding) for finding in findings]
    return replace(result, verdict=Verdict.SUSPECT, log="\n".join(dict.fromkeys(lines)))


def _second_witness(
    prepared: Prepared, result: Result, elements: Sequence[FlatElement], setting: Setting
) -> tuple[float, list[LintFinding]]:
    """(CPU seconds, findings) of Kirchhoff's laws, on all voltages and currents where running the deck again with all
    of them saved is cheap."""
    deck = prepared.deck
    if prepared.includes.hashes or deck.control or len(deck.analyses) != 1 or deck.main is None:
        return 0.0, []
    cpu, signals = 0.0, result.signals
    if result.provenance and result.provenance.cpu_seconds < _WITNESS_SECONDS and len(elements) < _WITNESS_ELEMENTS:
        full = saving_run(prepared)
        outcome = setting.alone.run(full)
        again = judge_simulation(outcome, full.job, deck, title=full.title)
        cpu = outcome.cpu_seconds
        signals = again.signals if again.verdict is Verdict.OK else signals
    options = prepared.job.text + " ".join(" ".join(pair) for pair in prepared.job.options)
    return cpu, list(check_kirchhoff(elements, signals, deck.main, options))[:_FINDINGS]


def finished_result(prepared: Prepared, outcome: RawOutcome, backend: str) -> Result:
    """The result of a finished run."""
    if prepared.includes.snapshot is not None:
        outcome = replace(outcome, log=prepared.includes.snapshot.restore_names(outcome.log))
    judgement = judge_simulation(outcome, prepared.job, prepared.deck, title=prepared.title, findings=prepared.findings)
    notes = _warnings(prepared.findings) + _random_notes(prepared)
    notes += [outcome.repeated] if outcome.repeated else []
    notes += list(dict.fromkeys(line.strip()[:200] for line in _NOTES.findall(outcome.log)))[:10]
    provenance = _provenance(prepared, backend, outcome.cpu_seconds, outcome.wall_seconds, notes)
    if outcome.engine:
        provenance = replace(provenance, engine=outcome.engine)
    return Result(judgement.verdict, judgement.signals, "\n".join(judgement.lines), provenance, prepared.job.tag)


def _refused(prepared: Prepared, backend: str) -> Result:
    """The result of a deck that the lint refuses; the engine was not started."""
    notes = [*_warnings(prepared.findings), "refused by the lint, not run"]
    log = "\n".join(str(finding) for finding in prepared.errors)
    provenance = _provenance(prepared, backend, 0.0, 0.0, notes)
    return Result(prepared.errors[0].verdict or Verdict.PARSE, {}, log, provenance, prepared.job.tag)


def _warnings(findings: Sequence[LintFinding]) -> list[str]:
    return [str(finding) for finding in findings if finding.verdict is None]


def _random_notes(prepared: Prepared) -> list[str]:
    job = prepared.job
    if prepared.behaviour:
        mode = f"compatibility mode {prepared.behaviour}: what the engine read is not compared with the deck"
        return [mode, *_random_notes(replace(prepared, behaviour=""))]
    if has_transient_noise(job.text):
        return ["transient noise follows no seed: the result cannot be repeated and is not kept"]
    if prepared.includes.random and not draws_numbers(job.text):
        return [f"an included file has random functions: what they draw follows seed {job.seed}"]
    return []


def _provenance(prepared: Prepared, backend: str, cpu: float, wall: float, notes: list[str]) -> RunProvenance:
    return RunProvenance(
        key=prepared.key,
        deck_sha256=prepared.deck_sha256,
        engine=prepared.engine.version,
        engine_sha256=prepared.engine.sha256,
        backend=backend,
        cached=False,
        cpu_seconds=cpu,
        wall_seconds=wall,
        notes=tuple(notes),
        seed=prepared.job.seed,
        inputs=(*prepared.includes.inputs, *prepared.start.inputs),
        variables=prepared.includes.variables,
        sandbox=describe_sandbox(prepared.engine.path, trusted=prepared.job.trust, reads_all=prepared.reads_all),
    )

"""From a job to something a backend can run: checked, linted, keyed, with one title that belongs to this job alone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path

from ngspice_runner.deck import PLOT_NAMES, ParsedDeck, read_deck
from ngspice_runner.engine import Engine
from ngspice_runner.engine_view import view_commands
from ngspice_runner.errors import JobError
from ngspice_runner.flatten import FlatElement
from ngspice_runner.includes import IncludeSet, rename_data, scan_includes, uses_code_models
from ngspice_runner.job import HARNESS_OPTIONS, PATH_OPTIONS, Job
from ngspice_runner.kit_startup import startup_text
from ngspice_runner.lint import lint
from ngspice_runner.lint_finding import LintFinding
from ngspice_runner.parts import MeasuringRun, measured_analyses, separate_analyses, without_analyses
from ngspice_runner.permissions import check_permissions, trusts_all
from ngspice_runner.randomness import DEFAULT_SEED, has_transient_noise
from ngspice_runner.startup import OWN_SCRIPTS, StartUp, start_up
from ngspice_runner.vacask.verilog import verilog_files
from ngspice_runner.waveforms import SWEEPS

SCHEMA = "ngspice_runner-5"
"""Part of every cache key: raise it when a change of the harness can change a result, or when the lint refuses more: a
kept result is served without it."""

_NAME = r"[^\s,()\"'`;=|&<>]+"
_OF_ANALYSIS = re.compile(rf"(?:{'|'.join(PLOT_NAMES)})\d*\.(?=[vi]\()", re.IGNORECASE)
_OUTPUT = re.compile(rf"(?:[vi]\({_NAME}(?:,{_NAME})?\)|@{_NAME}\[\w+\]|(?:pole|zero)\(\d+\)|{_NAME})$", re.IGNORECASE)
_OPTION_NAME = re.compile(r"[A-Za-z]\w*$")
_OPTION_VALUE = re.compile(r"[\w.+-]*$")
_PATH = re.compile(r"/[\w./+@%,=~:#()-]+$", re.ASCII)
_READS_FILES = re.compile(r"^\s*(?:source|load|loadsnap|include|wrs2p|rehash)\b", re.IGNORECASE)
_FILE_PARAMETER = re.compile(r"\bfile\s*=", re.IGNORECASE)
_OUTSIDE = (".inc", ".lib", ".control", "file", "*#", "trnoise", "trrandom")
"""What a deck contains that reads other files or has a control section (and some that do not)."""
_MEASURE = (".control", "run", "quit 0", ".endc")
_SAVED_KINDS = {"op", "tran", "ac", "dc"}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job ready to run. run_text: the deck as given to the engine; title: what its plots must carry; key: of the
    cache, `cacheable` False when the result may depend on files that the key does not cover; further: decks of the
    second, third, ... analysis of a kind; startup: lines for ngspice's start-up file; measuring: decks whose log holds
    the results of `.meas`; raw: a raw file is to be written; start: the engine's start-up file; reads_all: the engine
    may read any file, which the deck's commands or the models of a kit's start-up name."""

    job: Job
    deck: ParsedDeck
    engine: Engine
    includes: IncludeSet
    findings: tuple[LintFinding, ...]
    key: str
    deck_sha256: str
    run_text: str
    title: str
    code_models: bool
    behaviour: str
    startup: str
    cacheable: bool
    further: tuple[str, ...] = ()
    measuring: tuple[MeasuringRun, ...] = ()
    raw: bool = True
    start: StartUp = field(default_factory=lambda: StartUp(OWN_SCRIPTS))
    reads_all: bool = False

    @property
    def scripts(self) -> str:
        """Folder of the engine's start-up file, empty for that of the installation."""
        return self.start.scripts

    @property
    def texts(self) -> tuple[str, ...]:
        """The decks to run, in the order of their analyses."""
        return (self.run_text, *self.further)

    @property
    def errors(self) -> tuple[LintFinding, ...]:
        """Findings that forbid running the job."""
        return tuple(f for f in self.findings if f.verdict is not None and f.fatal)


def prepare(job: Job, engine: Engine, backend: str, includes: IncludeSet | None = None) -> Prepared:
    """Check, lint and key one job. includes: of a deck with the same files, where they are not to be read anew. Raises
    JobError when the job itself is unusable or unsafe."""
    _check(job)
    if trusts_all() and not job.trust:
        job = replace(job, trust=True)
    deck = read_deck(job.text)
    lowered = job.text.lower()
    names_files = "file" in lowered and bool(_FILE_PARAMETER.search(lowered))
    if includes is None:
        includes = scan_includes(deck, job.folder, job.includes + _brought_files(job), data_files=names_files)
    outside = check_permissions(job, deck, includes)
    if includes.random and job.seed is None:
        job = replace(job, seed=DEFAULT_SEED)
    code_models = includes.code_models or _needs_code_models(job)
    start = start_up(engine, code_models)
    deck_sha256 = hashlib.sha256(job.text.encode("utf-8", "surrogateescape")).hexdigest()
    key = _key(job, deck_sha256, engine, includes, start, backend)
    title = f"ngspice_runner {key[:24]}"
    reads_all = outside or any(_READS_FILES.match(card) for _, card in deck.control)
    named = len(_FILE_PARAMETER.findall(lowered)) if names_files else 0
    runs = separate_analyses(deck)
    startup = startup_text(job)
    return Prepared(
        job=job,
        deck=deck,
        engine=engine,
        includes=includes,
        findings=lint(job, deck, includes, engine.release),
        key=key,
        deck_sha256=deck_sha256,
        run_text=_run_text(job, deck, includes, title, runs[0]),
        title=title,
        code_models=code_models,
        behaviour=_behaviour(job),
        startup=startup,
        cacheable=not reads_all and named <= len(includes.data) and not has_transient_noise(job.text),
        start=start,
        reads_all=reads_all or bool(startup) or bool(job.told("simulator")),
        further=tuple(_run_text(job, deck, includes, title, left_out) for left_out in runs[1:]),
        measuring=tuple(
            MeasuringRun(prefix, names, _run_text(replace(job, outputs=()), deck, includes, title, left_out, _MEASURE))
            for prefix, names, left_out in measured_analyses(deck)
        ),
    )


def plain_key(job: Job, engine: Engine, backend: str) -> str | None:
    """The key that `prepare` gives a job whose deck stands for itself, without reading the deck; None for any other.

    A result is kept after the deck has passed the lint, so that a job with a kept one needs no lint. Raises JobError
    when the job is unusable.
    """
    lowered = job.text.lower()
    if job.includes or _brought_files(job) or any(word in lowered for word in _OUTSIDE):
        return None
    _check(job)
    digest = hashlib.sha256(job.text.encode("utf-8", "surrogateescape")).hexdigest()
    return _key(job, digest, engine, IncludeSet(), start_up(engine, _needs_code_models(job)), backend)


def _behaviour(job: Job) -> str:
    return next((value for name, value in job.options if name.lower() == "ngbehavior"), "")


def _needs_code_models(job: Job) -> bool:
    """True for decks that use them, and in the mode of PSpice, whose switches and sources the engine makes of them."""
    return "ps" in _behaviour(job) or uses_code_models(job.text)


def point_key(prepared: Prepared, text: str, backend: str) -> tuple[str, str]:
    """(SHA-256, cache key) of another text of the same job: the key that `prepare` would give it."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
    return digest, _key(prepared.job, digest, prepared.engine, prepared.includes, prepared.start, backend)


def viewing_run(prepared: Prepared, elements: Sequence[FlatElement] = ()) -> Prepared:
    """The job with a deck that prints what the engine read of it and runs nothing. elements: those of the deck."""
    deck = prepared.deck
    lines = list(deck.lines)
    inside = False
    for i, line in enumerate(lines[1:], start=1):
        word = line.strip().lower()
        inside |= word.startswith(".control")
        if inside or word.startswith((".meas", ".print", ".plot", ".save", ".probe")):
            lines[i] = "*"
        inside &= not word.startswith(".endc")
    text = _run_text(
        replace(prepared.job, outputs=()),
        replace(deck, lines=lines, control=[]),
        prepared.includes,
        f"ngspice_view {prepared.key[:24]}",
        {i for i, analysis in enumerate(deck.analyses) if lines[analysis.line - 1] != "*"},
        view_commands(elements),
    )
    return replace(prepared, run_text=text, raw=False)


def saving_run(prepared: Prepared) -> Prepared:
    """The job with a deck that saves all node voltages and branch currents."""
    job, title = replace(prepared.job, outputs=()), f"ngspice_witness {prepared.key[:24]}"
    text = _run_text(job, prepared.deck, prepared.includes, title, commands=(".save all",))
    return replace(prepared, run_text=text, job=job, title=title)


def _check(job: Job) -> None:
    if job.seed is not None and not 0 < job.seed < 2**31:
        raise JobError(f"seed is {job.seed}: a number from 1 to 2147483647 is needed")
    if not job.text.strip():
        raise JobError("the deck is empty: a title line, elements and an analysis are needed")
    if "\0" in job.text:
        raise JobError("the deck contains a NUL byte and is not text")
    if not job.timeout > 0:
        raise JobError(f"timeout is {job.timeout:g} s: a positive number is needed")
    for output in job.outputs:
        if not _OUTPUT.match(_OF_ANALYSIS.sub("", output.replace(" ", ""))) or "\n" in output or "\r" in output:
            raise JobError(
                f"output {output!r} is not a vector name: v(node), v(a,b), i(source), tran2.v(node), pole(1) or "
                "@device[parameter] is needed"
            )
    for name, value in job.options:
        if name in PATH_OPTIONS and _PATH.match(value):
            continue
        if not _OPTION_NAME.match(name) or not _OPTION_VALUE.match(value) or "\n" in name + value:
            raise JobError(f"option {name!r}={value!r} is not usable: a name and a number or word are needed")


def _brought_files(job: Job) -> tuple[str, ...]:
    """Files of the job's own options that its result depends on."""
    sources = [str(file) for name in job.told("verilog_a") for file in verilog_files(Path(name))]
    return (*job.told("osdi"), *job.told("startup"), *sources)


def _key(job: Job, deck_sha256: str, engine: Engine, includes: IncludeSet, start: StartUp, backend: str) -> str:
    parts = [SCHEMA, backend, engine.version, engine.sha256, deck_sha256, "outputs"]
    parts += [output.lower() for output in job.outputs]
    parts += ["options", *(part for pair in job.options for part in pair)]
    parts += ["seed", "" if job.seed is None else str(job.seed)]
    parts += ["stop", "" if job.stop is None else float(job.stop).hex()]
    parts += ["includes", *(part for pair in includes.hashes for part in pair)]
    if start.scripts != OWN_SCRIPTS:
        parts += ["start-up", *(sha256 for _, _, sha256 in start.inputs)]
    encoded = [part.encode("utf-8", "surrogateescape") for part in parts]
    return hashlib.sha256(b"".join(len(data).to_bytes(8, "little") + data for data in encoded)).hexdigest()


def _run_text(
    job: Job,
    deck: ParsedDeck,
    includes: IncludeSet,
    title: str,
    left_out: Set[int] = frozenset(),
    commands: Sequence[str] = (),
) -> str:
    """The deck with its own title, absolute includes, without some analyses, and our options, saves and commands before
    `.end`; line numbers stay as they are."""
    lines = without_analyses(deck.lines, deck, left_out)
    lines[0] = title
    if deck.title_card is not None:
        lines[deck.title_card[0] - 1] = "*"
    paths = dict(includes.paths)
    for include in deck.includes:
        path = paths.get(include.name)
        if path is not None and path != include.name:
            if '"' in path or "\n" in path:
                raise JobError(f"line {include.line}: the path {path!r} cannot be written into a deck")
            keyword = lines[include.line - 1].split()[0]
            lines[include.line - 1] = f'{keyword} "{path}"' + (f" {include.section}" if include.section else "")
    if includes.data:
        data = dict(includes.data)
        lines = [rename_data(line, data) if "file" in line.lower() else line for line in lines]
    options = "".join(
        f" {name}={value}" if value else f" {name}"
        for name, value in job.options
        if name.lower() not in HARNESS_OPTIONS
    )
    seed = "" if job.seed is None else f" seed={job.seed}"
    added = [f".option num_threads=1 noinit{seed}{options}"]
    saves = _saves(job, deck)
    if saves:
        added += [".save " + " ".join(saves[i : i + 50]) for i in range(0, len(saves), 50)]
    added += commands
    end = deck.end_line - 1 if deck.end_line is not None else len(lines)
    return "\n".join([*lines[:end], *added, *(lines[end:] or [".end"])]) + "\n"


def _saves(job: Job, deck: ParsedDeck) -> list[str]:
    """What to `.save` for the declared outputs; nothing when the deck runs an analysis with vectors of its own
    (`.noise`)."""
    if not {analysis.kind for analysis in deck.analyses} <= _SAVED_KINDS:
        return []
    elements = (
        {card.split(None, 1)[0].lower() for _, card in deck.cards if card[0] in "rRcC"}
        if any(o[:1] in "iI" for o in job.outputs)
        else set()
    )
    saves: dict[str, None] = {}
    for output in job.outputs:
        name = _OF_ANALYSIS.sub("", output.lower().replace(" ", ""))
        inner = name[2:-1]
        if name in SWEEPS:
            continue
        if name.startswith("v(") and "," in inner:
            for node in inner.split(",", 1):
                if node not in ("0", "gnd"):
                    saves[f"v({node})"] = None
        elif name.startswith("i(") and inner in elements:
            saves[f"@{inner}[i]"] = None
        elif "(" not in name and not name.startswith("@"):
            saves[f"v({name})"] = None
        else:
            saves[name] = None
    return list(saves)

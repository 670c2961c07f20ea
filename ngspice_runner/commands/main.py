"""`python -m ngspice_runner`: run, sweep, check, conformance, doctor."""

from __future__ import annotations

import csv
import functools
import importlib.util
import io
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, ParamSpec

import typer
from rich.console import Console

from interconnect.errors import one_line
from interconnect.files import atomic_file
from interconnect.jsonable import to_jsonable
from ngspice_runner.backends import BACKENDS
from ngspice_runner.capability import probe_engine
from ngspice_runner.check import check_deck
from ngspice_runner.commands import options
from ngspice_runner.commands.errors import CHECK_FAILED, ENGINE_FAILED, explain_error
from ngspice_runner.commands.simulation import check_files, read_job, simulate_job, write_files
from ngspice_runner.conformance.cases import GROUPS, load_cases
from ngspice_runner.conformance.harness import HARNESSES
from ngspice_runner.conformance.table import score_harnesses, score_table
from ngspice_runner.engine import find_engine
from ngspice_runner.errors import EngineError, JobError
from ngspice_runner.job import Verdict
from ngspice_runner.scheduling import make_setting
from ngspice_runner.spice_numbers import parse_number
from ngspice_runner.study import Study, StudyRow, run_study

P = ParamSpec("P")
app = typer.Typer(
    name="ngspice_runner",
    help="A simulation harness for ngspice: runs any deck and judges the result by evidence.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
Backend = Annotated[str, typer.Option(help="process, batch or shared")]


def _guarded(function: Callable[P, None]) -> Callable[P, None]:
    """A command whose errors are one sentence on standard error and an exit code."""

    @functools.wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except KeyboardInterrupt:
            _say("interrupted")
            raise typer.Exit(130) from None
        except Exception as error:
            known = explain_error(error)
            if known is None:
                raise
            _say(f"error: {known[0]}")
            raise typer.Exit(known[1]) from None

    return inner


def _say(message: str) -> None:
    typer.echo(one_line(message), err=True)


def _emit(document: object, as_json: bool, text: str) -> None:
    typer.echo(json.dumps(to_jsonable(document), indent=2, ensure_ascii=False) if as_json else text)


@app.command("run")
@_guarded
def run_deck(
    deck: options.Deck,
    save: options.Save,
    backend: Backend = "process",
    timeout: options.Timeout = 120.0,
    retry: options.Retry = False,
    trust: options.Trust = False,
    seed: options.Seed = None,
    accuracy: options.Accuracy = False,
    compatibility: options.Compatibility = "",
    export: options.Export = None,
    plot: options.Plot = None,
    json: options.Json = False,
) -> None:
    """Run a deck and judge it: exit code 0 only for verdict ok, 3 otherwise."""
    check_files(export or [], plot)
    job = read_job(deck, save, timeout=timeout, trust=trust, seed=seed, compatibility=compatibility)
    done = simulate_job(job, backend=backend, retry=retry, accuracy=accuracy)
    for warning in done.warnings:
        _say(f"warning: {warning}")
    _emit(done.document() if json else None, json, done.text())
    write_files(done.result, export or [], plot, save)
    if not done.result.ok:
        raise typer.Exit(ENGINE_FAILED)


@app.command("sweep")
@_guarded
def sweep_deck(
    deck: options.Deck,
    save: options.Save,
    vary: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUES", help="r1=1k,2k or r1=1k:10k:4; may be repeated")
    ] = None,
    corner: Annotated[str, typer.Option(metavar="NAMES", help="sections of the deck's library: tt,ff,ss")] = "",
    temperature: Annotated[str, typer.Option(metavar="VALUES", help="degC: -40,27,125")] = "",
    samples: Annotated[int, typer.Option(min=0, help="random draws of each variant")] = 0,
    seed: Annotated[int | None, typer.Option(min=0, help="of the samples; drawn if not given")] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="engines at a time")] = None,
    backend: Backend = "process",
    timeout: options.Timeout = 120.0,
    trust: options.Trust = False,
    compatibility: options.Compatibility = "",
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="CSV, a row per run")] = None,
    json: options.Json = False,
) -> None:
    """Corners x temperatures x parameters x samples: last values and measures, a row per run."""
    base = read_job(deck, save, timeout=timeout, trust=trust, compatibility=compatibility)
    corners = [name for name in corner.split(",") if name]
    temperatures = [_number(word) for word in temperature.split(",") if word]
    study = Study(base, corners, temperatures, dict(map(_values, vary or ())), samples, seed)
    rows = run_study(study, workers=jobs, backend=backend)
    header, table = _table(rows)
    if output is not None:
        with atomic_file(output) as file, io.TextIOWrapper(file, "utf-8", newline="") as text:
            csv.writer(text).writerows([header, *table])
    lines = ["  ".join(map(_shown, row)) for row in [header, *table]]
    _emit([dict(zip(header, row, strict=True)) for row in table], json, "\n".join(lines))
    if any(row.result.verdict is not Verdict.OK for row in rows):
        raise typer.Exit(ENGINE_FAILED)


def _table(rows: Sequence[StudyRow]) -> tuple[list[str], list[list[Any]]]:
    names = list(dict.fromkeys(name for row in rows for name in row.values()))
    settings = list(rows[0].settings) if rows else []
    header = [*settings, "verdict", *names]
    return header, [
        [*row.settings.values(), row.result.verdict.value, *(row.values().get(name) for name in names)] for row in rows
    ]


def _shown(value: object) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _number(word: str) -> float:
    value = parse_number(word.strip())
    if value is None:
        raise JobError(f"{word!r} is not a number")
    return value


def _values(text: str) -> tuple[str, list[float]]:
    """`r1=1k,2k` lists values, `r1=1k:10k:4` four of them at equal distances."""
    name, given, words = text.partition("=")
    if not given or not name.strip():
        raise JobError(f"--vary {text!r}: NAME=VALUES is needed, such as r1=1k,2k")
    parts = words.split(":")
    if len(parts) == 3 and parts[2].isdecimal() and int(parts[2]) > 1:
        first, last, count = _number(parts[0]), _number(parts[1]), int(parts[2])
        return name.strip(), [first + (last - first) * i / (count - 1) for i in range(count)]
    return name.strip(), [_number(word) for word in words.split(",")]


@app.command("check")
@_guarded
def check_file(
    deck: options.Deck,
    trust: options.Trust = False,
    compatibility: options.Compatibility = "",
    json: options.Json = False,
) -> None:
    """Look at a deck without simulating it: exit code 1 if it would not be ok."""
    findings = check_deck(read_job(deck, [], trust=trust, compatibility=compatibility))
    rows = [
        {"line": f.line, "message": f.message, "verdict": f.verdict.value if f.verdict else "note"} for f in findings
    ]
    _emit(
        rows, json, "\n".join(f"{f.verdict.value if f.verdict else 'note'}: {f}" for f in findings) or "nothing found"
    )
    if any(finding.verdict is not None for finding in findings):
        raise typer.Exit(CHECK_FAILED)


@app.command("conformance")
@_guarded
def score(
    harness: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help=f"{', '.join(HARNESSES)}; default: all")
    ] = None,
    group: Annotated[list[str] | None, typer.Option(metavar="NAME", help=f"{', '.join(GROUPS)}; default: all")] = None,
    python: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=PATH", help="interpreter that a harness is installed in; may be repeated"),
    ] = None,
    json: options.Json = False,
) -> None:
    """Run decks with known truth through harnesses: exit code 1 if one of metalrom's is wrong or refuses a good one."""
    unknown = [name for name in group or () if name not in GROUPS]
    if unknown:
        raise JobError(f"no group {unknown[0]!r}: {', '.join(GROUPS)}")
    cases = load_cases(*group or ())
    pythons = dict(text.split("=", 1) for text in python or () if "=" in text)
    found = score_harnesses(
        harness or list(HARNESSES), cases, pythons, lambda name, done, total: _count(name, done, total)
    )
    if json:
        _emit([score.document() for score in found], True, "")
    else:
        Console(soft_wrap=True).print(score_table(found, cases))
    own = [score for score in found if score.name.startswith("metalrom")]
    if any(score.document()["counts"][key] for score in own for key in ("wrong", "refused")):  # type: ignore[index]
        raise typer.Exit(CHECK_FAILED)


def _count(name: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        typer.echo(f"\r{name}: {done}/{total}{'' if done < total else chr(10)}", err=True, nl=False)


@app.command("doctor")
@_guarded
def diagnose(json: options.Json = False) -> None:
    """Which engine is found, what it was built with, which backends and adapters can be used."""
    engine = find_engine()
    found = probe_engine(engine)
    backends: dict[str, str] = {}
    for name in BACKENDS:
        try:
            setting = make_setting(name, engine, None, retry_failures=False, retry=False)
            setting.backend.close()
            backends[name] = "ready"
        except EngineError as error:
            backends[name] = str(error)
    adapters = {name: importlib.util.find_spec(name) is not None for name in ("PySpice", "spicelib", "vlsirtools")}
    document = {"engine": engine, "capability": found, "backends": backends, "libraries": adapters}
    lines = [f"{engine.version} at {engine.path}"]
    lines += [f"{name}: {'yes' if getattr(found, name) else 'no'}" for name in ("klu", "osdi", "xspice", "threads")]
    lines += [f"backend {name}: {state}" for name, state in backends.items()]
    lines += [f"library {name}: {'installed' if there else 'not installed'}" for name, there in adapters.items()]
    _emit(document, json, "\n".join(lines))


def main() -> None:
    """Run the command line."""
    app(prog_name="python -m ngspice_runner")

"""The commands of the simulation harness: `simulate` for any deck, `cache` for kept results.

The command line takes them over with `add_simulate_commands`. Each imports what it needs when it runs.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from interconnect.errors import InputError
from interconnect.files import read_bytes
from metalrom.cli import completion as known
from metalrom.cli.console import CHECK_FAILED, ENGINE_FAILED, emit, examples, guarded, say
from metalrom.cli.options import Json, one_of

if TYPE_CHECKING:
    from ngspice_runner import Cache, Result, SignalError

_SHOWN_LINES = 12


def add_simulate_commands(app: typer.Typer) -> None:
    """Register `simulate` and the commands of `cache`."""
    app.command(
        epilog=examples("simulate deck.cir --save 'v(out),i(vdd)'", "simulate deck.cir --save 'v(out)' --json")
    )(guarded(simulate))
    cache_app = typer.Typer(help="Kept simulation results.", no_args_is_help=True)
    app.add_typer(cache_app, name="cache")
    cache_app.command("stats", epilog=examples("cache stats"))(guarded(cache_stats))
    cache_app.command("verify", epilog=examples("cache verify"))(guarded(cache_verify))
    cache_app.command("prune", epilog=examples("cache prune --older-than 30 --failures"))(guarded(cache_prune))


def simulate(
    deck: Annotated[Path, typer.Argument(metavar="DECK", help="any SPICE deck")],
    save: Annotated[list[str], typer.Option("--save", metavar="VECTORS", help="v(out),i(vdd); may be repeated")],
    backend: Annotated[str, one_of(known.BACKENDS, "process, batch or shared")] = "process",
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="wall time")] = 120.0,
    retry: Annotated[bool, typer.Option("--retry", help="try other engine options when it does not converge")] = False,
    trust: Annotated[
        bool, typer.Option("--trust", help="allow programs to be started and commands in included files")
    ] = False,
    seed: Annotated[int | None, typer.Option(metavar="N", help="of random functions; drawn if not given")] = None,
    accuracy: Annotated[
        bool, typer.Option("--accuracy", help="run it more finely as well: an error bar for every signal")
    ] = False,
    json: Json = False,
) -> None:
    """Run a deck and judge it: exit code 0 only for verdict ok, 3 otherwise."""
    from ngspice_runner import Job, estimate_accuracy, run
    from ngspice_runner.capability import MeshWarning, warn_before

    text = read_bytes(deck).decode("utf-8", "surrogateescape")
    outputs = tuple(_split(save))
    job = Job(text, outputs, timeout=timeout, folder=str(deck.resolve().parent), trust=trust, seed=seed)
    for warning in warn_before(job):
        say(f"warning: {warning}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MeshWarning)  # reported above
        result = run(job, backend=backend, retry=retry)
    errors = dict(estimate_accuracy(job, result)) if accuracy and result.ok else {}
    emit(_document(result, errors), as_json=json, human=lambda: _text(result, errors))
    if not result.ok:
        raise typer.Exit(ENGINE_FAILED)


def _split(save: Sequence[str]) -> list[str]:
    """`v(a,b),i(vdd)` -> [`v(a,b)`, `i(vdd)`]: commas inside parentheses belong to the name."""
    names: list[str] = []
    for text in save:
        depth, start = 0, 0
        for place, letter in enumerate(text):
            depth += (letter == "(") - (letter == ")")
            if depth == 0 and letter in ", ":
                names.append(text[start:place])
                start = place + 1
        names.append(text[start:])
    return [name.strip() for name in names if name.strip()]


def _document(result: Result, errors: Mapping[str, SignalError]) -> dict[str, object]:
    import numpy as np

    signals: dict[str, list[object]] = {}
    for name, signal in result.signals.items():
        values = signal.values
        if np.iscomplexobj(values):
            signals[name] = np.column_stack([values.real, values.imag]).tolist()
        else:
            signals[name] = values.tolist()
    measures = {"measures": dict(result.measures)} if result.measures else {}
    return {
        "verdict": result.verdict.value,
        "signals": signals,
        **measures,
        **({"accuracy": errors} if errors else {}),
        "log": result.log,
        "provenance": result.provenance,
    }


def _text(result: Result, errors: Mapping[str, SignalError]) -> str:
    lines = [f"verdict: {result.verdict.value}"]
    lines += [f"  {line}" for line in result.log.splitlines()[:_SHOWN_LINES]]
    for name, signal in result.signals.items():
        last = signal.values[-1] if len(signal.values) else "none"
        shown = f"{name}: {len(signal.values)} points, last {last} {signal.unit}".rstrip()
        bar = errors.get(name)
        lines.append(shown + (f", +- {bar.absolute:.2g} ({100 * bar.relative:.2g} %)" if bar else ""))
    lines += [f"{name} = {value:.9g}" for name, value in result.measures.items()]
    found = result.provenance
    if found is not None:
        lines.append(f"{found.engine}, backend {found.backend}, {found.cpu_seconds:.3f} s CPU, key {found.key[:16]}")
        lines += [f"seed: {found.seed}"] if found.seed is not None else []
        lines += [f"retry: {found.retry}"] if found.retry else []
        lines += [f"note: {note}" for note in found.notes]
    return "\n".join(lines)


def _open_cache() -> Cache:
    from metalrom.folders import cache_folder
    from ngspice_runner import Cache

    return Cache(cache_folder("simulations"))


def cache_stats(json: Json = False) -> None:
    """What is kept: results by verdict, size, damage."""
    with _open_cache() as cache:
        stats = cache.stats()
        trouble = cache.trouble
    if trouble:
        raise InputError(f"the cache cannot be read: {trouble}")
    rows = ", ".join(f"{count} {verdict}" for verdict, count in sorted(stats.rows.items())) or "empty"
    damaged = f"; damaged: {stats.damaged_rows} rows, {len(stats.damaged_files)} files"
    shown = damaged if stats.damaged_rows or stats.damaged_files else ""
    emit(stats, as_json=json, human=f"{stats.path}: {stats.bytes / 1e6:.1f} MB, {rows}{shown}")


def cache_verify(json: Json = False) -> None:
    """Check every kept result; damaged ones are set aside and run again when they are asked for."""
    with _open_cache() as cache:
        before = len(cache.stats().damaged_files)
        whole, damaged = cache.verify()
        rebuilt = len(cache.stats().damaged_files) > before
        path, trouble = str(cache.path), cache.trouble
    if trouble and not whole:
        raise InputError(f"the cache cannot be read: {trouble}")
    message = f"{path}: {whole} results whole, {damaged} damaged" + (", file rebuilt" if rebuilt else "")
    emit({"path": path, "whole": whole, "damaged": damaged, "rebuilt": rebuilt}, as_json=json, human=message)
    if damaged or rebuilt:
        raise typer.Exit(CHECK_FAILED)


def cache_prune(
    older_than: Annotated[float | None, typer.Option(metavar="DAYS", min=0, help="results older than this")] = None,
    failures: Annotated[bool, typer.Option("--failures", help="failed runs as well")] = False,
    json: Json = False,
) -> None:
    """Remove damaged results and, if asked, old ones and failures; give the space back."""
    with _open_cache() as cache:
        removed = cache.prune(older_than_days=older_than, failures=failures)
        size, path = cache.stats().bytes, str(cache.path)
    emit(
        {"path": path, "removed": removed, "bytes": size},
        as_json=json,
        human=f"{path}: {removed} results removed, {size / 1e6:.1f} MB left",
    )

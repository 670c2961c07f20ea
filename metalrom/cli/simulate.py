"""The commands of the simulation harness: `simulate` for any deck, `cache` for kept results.

The command line takes them over with `add_simulate_commands`. Each imports what it needs when it runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from interconnect.errors import InputError
from metalrom.cli import completion as known
from metalrom.cli.console import CHECK_FAILED, ENGINE_FAILED, emit, examples, guarded, say
from metalrom.cli.options import Json, one_of
from ngspice_runner.commands import options

if TYPE_CHECKING:
    from ngspice_runner import Cache


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
    deck: options.Deck,
    save: options.Save,
    backend: Annotated[str, one_of(known.BACKENDS, "process, batch or shared")] = "process",
    timeout: options.Timeout = 120.0,
    retry: options.Retry = False,
    trust: options.Trust = False,
    seed: options.Seed = None,
    accuracy: options.Accuracy = False,
    compatibility: options.Compatibility = "",
    export: options.Export = None,
    plot: options.Plot = None,
    json: Json = False,
) -> None:
    """Run a deck and judge it: exit code 0 only for verdict ok, 3 otherwise."""
    from ngspice_runner.commands.simulation import check_files, read_job, simulate_job, write_files

    check_files(export or [], plot)
    job = read_job(deck, save, timeout=timeout, trust=trust, seed=seed, compatibility=compatibility)
    done = simulate_job(job, backend=backend, retry=retry, accuracy=accuracy)
    for warning in done.warnings:
        say(f"warning: {warning}")
    emit(done.document() if json else None, as_json=json, human=done.text)
    write_files(done.result, export or [], plot, save)
    if not done.result.ok:
        raise typer.Exit(ENGINE_FAILED)


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

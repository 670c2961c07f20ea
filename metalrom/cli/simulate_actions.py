"""Commands around the simulation harness: `simulate` for any deck, `cache` for kept results.

Functions only; the command line registers them. They return what decides the exit code.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from interconnect.errors import InputError
from metalrom.cli.console import emit, say

if TYPE_CHECKING:
    from ngspice_runner import Cache, Result

_SHOWN_LINES = 12


def simulate_deck(
    deck: Path,
    save: Sequence[str],
    *,
    backend: str = "process",
    timeout: float = 120.0,
    json: bool = False,
    retry: bool = False,
    cache: Path | None = None,
) -> bool:
    """Run one deck, print the judged result; True when its verdict is ok.

    save: vectors to keep, one or several to a text (`v(out),i(vdd)`). cache: folder of a result cache, None = none.
    The JSON document: {"verdict", "signals": {name: [...]}, "log", "provenance"}; complex vectors as [real, imaginary]
    pairs. Raises InputError for a deck that cannot be read, JobError and EngineError as `ngspice_runner.run`.
    """
    from ngspice_runner import Cache, Job, run
    from ngspice_runner.capability import MeshWarning, warn_before

    try:
        text = deck.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise InputError(f"{deck}: {error.strerror}; the path of a SPICE deck is needed") from None
    outputs = tuple(_split(save))
    job = Job(text, outputs, timeout=timeout, folder=str(deck.resolve().parent))
    for warning in warn_before(job):
        say(f"warning: {warning}")
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore", MeshWarning)  # told above
        kept = stack.enter_context(Cache(cache)) if cache is not None else None
        result = run(job, backend=backend, cache=kept, retry=retry)
    emit(_document(result), as_json=json, human=lambda: _text(result))
    return result.ok


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


def _document(result: Result) -> dict[str, object]:
    import numpy as np

    signals: dict[str, list[object]] = {}
    for name, signal in result.signals.items():
        values = signal.values
        if np.iscomplexobj(values):
            signals[name] = np.column_stack([values.real, values.imag]).tolist()
        else:
            signals[name] = values.tolist()
    return {
        "verdict": result.verdict.value,
        "signals": signals,
        "log": result.log,
        "provenance": result.provenance,
    }


def _text(result: Result) -> str:
    lines = [f"verdict: {result.verdict.value}"]
    lines += [f"  {line}" for line in result.log.splitlines()[:_SHOWN_LINES]]
    for name, signal in result.signals.items():
        last = signal.values[-1] if len(signal.values) else "none"
        lines.append(f"{name}: {len(signal.values)} points, last {last} {signal.unit}".rstrip())
    found = result.provenance
    if found is not None:
        lines.append(f"{found.engine}, backend {found.backend}, {found.cpu_seconds:.3f} s CPU, key {found.key[:16]}")
        lines += [f"retry: {found.retry}"] if found.retry else []
        lines += [f"note: {note}" for note in found.notes]
    return "\n".join(lines)


def _open_cache(folder: Path | None) -> Cache:
    from metalrom.folders import cache_folder
    from ngspice_runner import Cache

    return Cache(folder if folder is not None else cache_folder("simulations"))


def cache_stats(folder: Path | None = None, *, json: bool = False) -> bool:
    """Print what the cache of simulations holds (folder None: the user's); True."""
    with _open_cache(folder) as cache:
        stats = cache.stats()
        trouble = cache.trouble
    if trouble:
        raise InputError(f"the cache cannot be read: {trouble}")
    rows = ", ".join(f"{count} {verdict}" for verdict, count in sorted(stats.rows.items())) or "empty"
    damaged = f"; damaged: {stats.damaged_rows} rows, {len(stats.damaged_files)} files"
    shown = damaged if stats.damaged_rows or stats.damaged_files else ""
    emit(stats, as_json=json, human=f"{stats.path}: {stats.bytes / 1e6:.1f} MB, {rows}{shown}")
    return True


def cache_verify(folder: Path | None = None, *, json: bool = False) -> bool:
    """Check every kept result; damaged ones are set aside and will run again. True when all were whole."""
    with _open_cache(folder) as cache:
        before = len(cache.stats().damaged_files)
        whole, damaged = cache.verify()
        rebuilt = len(cache.stats().damaged_files) > before
        path, trouble = str(cache.path), cache.trouble
    if trouble and not whole:
        raise InputError(f"the cache cannot be read: {trouble}")
    told = f"{path}: {whole} results whole, {damaged} damaged" + (", file rebuilt" if rebuilt else "")
    emit({"path": path, "whole": whole, "damaged": damaged, "rebuilt": rebuilt}, as_json=json, human=told)
    return damaged == 0 and not rebuilt


def cache_prune(
    folder: Path | None = None, *, older_than_days: float | None = None, failures: bool = False, json: bool = False
) -> bool:
    """Remove damaged rows and files and, if asked, old results and failures; True."""
    with _open_cache(folder) as cache:
        removed = cache.prune(older_than_days=older_than_days, failures=failures)
        size, path = cache.stats().bytes, str(cache.path)
    emit(
        {"path": path, "removed": removed, "bytes": size},
        as_json=json,
        human=f"{path}: {removed} results removed, {size / 1e6:.1f} MB left",
    )
    return True

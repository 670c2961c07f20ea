"""A sweep in a process of its own, for tests that kill it: every start and commit goes to a journal.

    python kill_storm.py CACHE JOURNAL JOBS BACKEND

Prints one line per finished job and, at the end, a digest over all results. Not a test by itself.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from ngspice_runner import Cache, Job, Progress, Result, run_many
from ngspice_runner.backends import RawOutcome
from ngspice_runner.backends.process import ProcessBackend
from ngspice_runner.cache import CACHED_VERDICTS
from ngspice_runner.prepare import Prepared


def storm_jobs(count: int) -> list[Job]:
    """Diode-resistor-capacitor transients, each another resistance."""
    return [
        Job(
            f"storm\nV1 a 0 pulse(0 1 1e-9 1e-10 1e-10 5e-9 2e-8)\nR1 a b {1000 + 7 * index:e}\nD1 b 0 dd\n"
            "C1 b 0 1e-12\n.model dd d cjo=1e-14\n.tran 1e-11 2e-8\n.end\n",
            ("v(b)",),
        )
        for index in range(count)
    ]


def digest(results: Sequence[Result]) -> str:
    """One hash over all verdicts and vectors."""
    sha = hashlib.sha256()
    for result in results:
        sha.update(result.verdict.value.encode())
        for name, signal in result.signals.items():
            sha.update(name.encode() + signal.values.tobytes())
    return sha.hexdigest()


class Journal:
    """Lines that survive the death of the writer."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)

    def write(self, word: str, key: str) -> None:
        os.write(self._file, f"{word} {key} {os.getpid()}\n".encode())


def main() -> None:
    folder, journal_path, count, name = sys.argv[1:5]
    journal = Journal(journal_path)

    class Journalled(ProcessBackend):
        def run(self, prepared: Prepared) -> RawOutcome:
            journal.write("start", prepared.key)
            return super().run(prepared)

    class JournalledCache(Cache):
        def put_many(self, results: Sequence[tuple[str, Result]]) -> bool:
            done = super().put_many(results)
            for key, result in results if done else ():
                if result.verdict in CACHED_VERDICTS:
                    journal.write("commit", key)
            return done

    def report(progress: Progress) -> None:
        print(progress.done, progress.cached, flush=True)

    backend: object = Journalled() if name == "process" else name
    results = run_many(
        storm_jobs(int(count)),
        workers=2,
        cache=JournalledCache(folder),
        backend=backend,  # type: ignore[arg-type]
        progress=report,
    )
    print("digest", digest(results), sum(r.ok for r in results), flush=True)


if __name__ == "__main__":
    main()

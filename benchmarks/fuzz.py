"""Thousands of damaged configurations and input files through the command line: no traceback, no hang, nothing partial.

    python benchmarks/fuzz.py [--configs 2000] [--files 500] [--seed 1] [--run OUT] [--json]

Every case is one call of the command's `main` in a worker process with captured output. ngspice and the field solver
are hidden from it, so a case is cheap; --run gives a finished run's folder (without it the cases that need one are left
out). A case is a defect if it shows a traceback or `a fault of metalrom`, ends with a code other than 0 to 3, takes
longer than 20 s, kills its worker, or leaves a file after an error. Everything follows from --seed.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

# the parent, so that the cases import as a package from any working folder
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.fuzz_cases import Case, config_cases, file_cases  # noqa: E402

LIMIT, MEMORY = 20.0, 6 * 2**30
ALLOWED = {0, 1, 2, 3}


@dataclass(frozen=True)
class Ended:
    """How a case ended: exit code, standard error's end, wall seconds, files that an error left behind."""

    case: str
    command: str
    code: int
    told: str
    seconds: float
    left: tuple[str, ...] = ()

    @property
    def defect(self) -> str:
        """What is wrong, empty if nothing is."""
        if self.code not in ALLOWED:
            return f"exit code {self.code}"
        if "Traceback" in self.told or "fault of metalrom" in self.told:
            return "fault"
        if self.seconds > LIMIT:
            return "slow"
        if self.code in (2, 3) and self.left:
            return "partial output"
        return "no sentence" if self.code in (2, 3) and not self.told.strip() else ""


def run_case(case: Case) -> Ended:
    """Write the case's files, call the command line, look at what it left."""
    with tempfile.TemporaryDirectory(prefix="fuzz") as name:
        folder = Path(name)
        if case.copy is not None:
            shutil.copytree(case.copy, folder / "run")
        for path, data in case.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
        start = time.monotonic()
        code, told = call([word.replace("@", str(folder)) for word in case.words])
        seconds = time.monotonic() - start
        after = [p for p in folder.rglob("*") if p.is_file() and before.get(p) != p.stat().st_mtime_ns]
        left = tuple(str(p.relative_to(folder)) for p in after)
        return Ended(case.name, " ".join(case.words[:2]), code, told[-2000:].replace(name, "@"), seconds, left)


def call(words: list[str]) -> tuple[int, str]:
    """Exit code and standard error of one command, in this process."""
    from metalrom.cli.main import main

    out, err = io.StringIO(), io.StringIO()
    old, sys.argv = sys.argv, ["metalrom", *words]
    code = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    except BaseException as error:
        return 99, f"Traceback: {type(error).__name__}: {error}"
    finally:
        sys.argv = old
    return code, err.getvalue()


def work(pipe: Connection, cache: str) -> None:
    """A worker: cases in, endings out."""
    os.environ |= {"METALROM_CACHE": cache, "PATH": "/nonexistent", "NO_COLOR": "1"}
    os.environ.pop("METALROM_DEBUG", None)
    sys.modules["ngsolve"] = None  # type: ignore[assignment]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    while (case := pipe.recv()) is not None:
        pipe.send(run_case(case))


class Worker:
    """One process that is replaced when it hangs or dies."""

    def __init__(self, cache: str) -> None:
        self.cache = cache
        self._start()

    def _start(self) -> None:
        self.pipe, other = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("fork").Process(target=work, args=(other, self.cache), daemon=True)
        self.process.start()
        other.close()

    def ended(self, case: Case) -> Ended:
        """The case's ending, also if it never ends."""
        self.pipe.send(case)
        try:
            if self.pipe.poll(LIMIT + 5):
                found: Ended = self.pipe.recv()
                return found
            reason, code = "hang", 98
        except (EOFError, ConnectionError):
            reason, code = "the worker died", 97
        self.process.kill()
        self.process.join()
        self._start()
        return Ended(case.name, " ".join(case.words[:2]), code, reason, LIMIT)

    def stop(self) -> None:
        """End the process."""
        self.pipe.send(None)
        self.process.join(5)


def endings(cases: Iterator[Case], cache: str) -> Iterator[tuple[Case, Ended]]:
    """Every case with its ending, one after another."""
    worker = Worker(cache)
    try:
        for case in cases:
            yield case, worker.ended(case)
    finally:
        worker.stop()


def main() -> int:
    """Run the cases; 1 if a defect was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configs", type=int, default=2000)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--run", type=Path, help="folder of a finished run")
    parser.add_argument("--keep", type=Path, help="folder for the files of defects")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.run is not None and not (given.run / "results.json").exists():
        parser.error(f"{given.run} is no finished run")
    tally: dict[str, Counter[str]] = {}
    defects: list[Ended] = []
    slowest, which, start = 0.0, "", time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzzcache") as cache:
        cases = [*config_cases(given.configs, given.seed), *file_cases(given.files, given.seed, given.run)]
        for case, ended in endings(iter(cases), cache):
            tally.setdefault(case.name.split(":")[0], Counter())[ended.defect or f"exit {ended.code}"] += 1
            if ended.seconds > slowest:
                slowest, which = ended.seconds, f"{case.name} {ended.command}"
            if ended.defect:
                defects.append(ended)
                print(
                    f"{ended.defect}: {case.name}: {ended.command}: {ended.told[-300:]} {ended.left}", file=sys.stderr
                )
                if given.keep:
                    for path, data in case.files.items():
                        target = given.keep / f"{len(defects):03d}" / path
                        target.parent.mkdir(parents=True, exist_ok=True)
                        target.write_bytes(data)
    found = {
        "cases": sum(sum(c.values()) for c in tally.values()),
        "defects": [asdict(d) for d in defects],
        "by_kind": {kind: dict(counts) for kind, counts in sorted(tally.items())},
        "slowest_seconds": round(slowest, 2),
        "slowest": which,
        "seconds": round(time.monotonic() - start, 1),
    }
    if given.json:
        print(json.dumps(found, indent=1))
    else:
        for kind, counts in sorted(tally.items()):
            print(f"{kind:12} {dict(counts)}")
        print(
            f"{found['cases']} cases, {len(defects)} defects in {found['seconds']} s; slowest {slowest:.2f} s: {which}"
        )
    return 1 if defects else 0


if __name__ == "__main__":
    sys.exit(main())

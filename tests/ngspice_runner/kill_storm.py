"""Sweeps that are killed at random moments, and what became of their jobs.

    python tests/ngspice_runner/kill_storm.py [--kills 200] [--seed 5] [--jobs 400] [--processes 4]

Processes run one sweep on one cache, by the backends `process` and `persistent` in turn. Victims are the processes
themselves (parent), engines of one job (child) and engines that stay (worker); signals are KILL, TERM, HUP and INT.
Whatever is gone is started again. At the end every job must be there once, equal to an undisturbed run, none may have
been started after its commit, and two seconds after the death of a parent none of its engines may live. Prints a table;
exit code 1 if anything is wrong.

    python tests/ngspice_runner/kill_storm.py sweep CACHE JOURNAL JOBS BACKEND

is one of the processes: every start and commit goes to the journal, a line per finished job and a digest over all
results to standard output.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from ngspice_runner import Cache, Job, Progress, Result, run_many
from ngspice_runner.backends import RawOutcome
from ngspice_runner.backends.persistent import PersistentBackend
from ngspice_runner.backends.process import ProcessBackend
from ngspice_runner.cache import CACHED_VERDICTS
from ngspice_runner.prepare import Prepared

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
ORPHAN_SECONDS = 2.0
_PAUSE = (0.05, 0.5)


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
        for name, values in sorted((name, vector.values) for name, vector in result.signals.items()):
            sha.update(name.encode() + values.tobytes())
    return sha.hexdigest()


class Journal:
    """Lines that survive the death of the writer."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)

    def write(self, word: str, key: str) -> None:
        os.write(self._file, f"{word} {key} {os.getpid()}\n".encode())


def sweep(folder: str, journal_path: str, count: str, name: str) -> None:
    """Run the jobs and say what happens."""
    # A shell's background job ignores the first, one under nohup the second.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    journal = Journal(journal_path)

    class JournalledProcess(ProcessBackend):
        def run(self, prepared: Prepared) -> RawOutcome:
            if prepared.title.startswith("ngspice_runner"):  # and not the second witness
                journal.write("start", prepared.key)
            return super().run(prepared)

    class JournalledPersistent(PersistentBackend):
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

    backends = {"process": JournalledProcess, "persistent": JournalledPersistent}
    results = run_many(
        storm_jobs(int(count)),
        workers=2,
        cache=JournalledCache(folder),
        backend=backends[name]() if name in backends else name,
        progress=report,
    )
    print("digest", digest(results), sum(r.ok for r in results), flush=True)


class Sweep:
    """One process of a storm."""

    def __init__(self, folder: Path, jobs: int, backend: str) -> None:
        self.backend = backend
        self._out = (folder / f"out-{time.monotonic_ns()}.txt").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, __file__, "sweep", str(folder / "cache"), str(folder / "journal"), str(jobs), backend],
            stdout=self._out,
            stderr=subprocess.STDOUT,
        )

    def lines(self) -> list[str]:
        self._out.seek(0)
        return self._out.read().splitlines()

    def finish(self) -> tuple[str, int]:
        """(digest, results that are ok) at the end of an undisturbed pass."""
        assert self.process.wait(600) == 0, self.lines()[-20:]
        word, found, ok = self.lines()[-1].split()
        assert word == "digest"
        return found, int(ok)

    def children(self) -> list[int]:
        """Engines; the shell that guards them is no victim."""
        try:
            tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
            pids = [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
            return [pid for pid in pids if Path(f"/proc/{pid}/comm").read_text().strip() != "sh"]
        except OSError:
            return []


def alive(pid: int) -> bool:
    """True for a process that runs (one that has ended and is not reaped does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@dataclass
class Account:
    """What a storm left. kills: by (victim, signal)."""

    kills: Counter[tuple[str, str]] = field(default_factory=Counter)
    orphans: int = 0
    lost: int = 0
    wrong: int = 0
    repeated: int = 0
    holes: int = 0
    starts: int = 0

    @property
    def clean(self) -> bool:
        """Whether nothing went wrong."""
        return not (self.orphans or self.lost or self.wrong or self.repeated or self.holes)


def count_starts(journal: Path) -> tuple[Counter[str], set[str], int]:
    """Starts per key, committed keys, starts of jobs that had been committed before."""
    committed: set[str] = set()
    starts: Counter[str] = Counter()
    repeated = 0
    for line in journal.read_text().splitlines():
        word, key, _ = line.split()
        if word == "commit":
            committed.add(key)
        else:
            repeated += key in committed
            starts[key] += 1
    return starts, committed, repeated


def orphans_of(engines: Sequence[int]) -> int:
    """How many engines of a dead parent live after two seconds."""
    deadline = time.monotonic() + ORPHAN_SECONDS
    while any(map(alive, engines)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return sum(map(alive, engines))


def storm(
    folder: Path,
    jobs: int,
    kills: int,
    backends: Sequence[str],
    *,
    seed: int,
    signals: Sequence[signal.Signals] = SIGNALS,
    seconds: float = 3000.0,
) -> Account:
    """Kill parents and engines at random moments, start again what is gone, and compare with an undisturbed run.

    backends: one process each. Raises TimeoutError when it takes longer than `seconds`.
    """
    (folder / "calm").mkdir()
    calm, ok = Sweep(folder / "calm", jobs, "process").finish()
    assert ok == jobs
    rng = random.Random(seed)
    account = Account()
    rounds = 0
    place = folder / f"storm{rounds}"
    place.mkdir()
    running = [Sweep(place, jobs, backend) for backend in backends]
    deadline = time.monotonic() + seconds
    done = 0
    while done < kills:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{done} of {kills} kills after {seconds:g} s")
        time.sleep(rng.uniform(*_PAUSE))
        index = rng.randrange(len(running))
        victim = running[index]
        engines = victim.children()
        chosen = rng.choice(list(signals))
        if victim.process.poll() is None and engines:
            if rng.random() < 0.5:
                what = "worker" if victim.backend == "persistent" else "child"
                with contextlib.suppress(ProcessLookupError):
                    os.kill(engines[0], chosen)
                    account.kills[what, chosen.name] += 1
                    done += 1
            else:
                victim.process.send_signal(chosen)
                account.kills["parent", chosen.name] += 1
                done += 1
                victim.process.wait(60)
                account.orphans += orphans_of(engines)
        if all(s.process.poll() == 0 for s in running):
            _settle(place, jobs, backends, calm, account)
            rounds += 1
            place = folder / f"storm{rounds}"
            place.mkdir()
            running = [Sweep(place, jobs, backend) for backend in backends]
        for at, sweep_ in enumerate(running):
            if sweep_.process.poll() not in (None, 0):
                running[at] = Sweep(place, jobs, sweep_.backend)
    for sweep_ in running:
        sweep_.process.wait(600)
    _settle(place, jobs, backends, calm, account)
    return account


def _settle(place: Path, jobs: int, backends: Sequence[str], calm: str, account: Account) -> None:
    """Enter what became of the jobs of one round."""
    for backend in dict.fromkeys(backends):
        found, ok = Sweep(place, jobs, backend).finish()  # engines killed in the last pass are run here
        account.lost += jobs - ok
        account.wrong += found != calm
    if "shared" in backends:
        return  # it keeps no journal
    starts, committed, repeated = count_starts(place / "journal")
    account.repeated += repeated
    account.holes += len(starts) - len(committed & set(starts))
    account.starts += sum(starts.values())


def table(account: Account) -> str:
    """Kills by victim and signal, and what they did."""
    names = [s.name for s in SIGNALS]
    lines = [f"{'':8}" + "".join(f"{name[3:]:>8}" for name in names)]
    for victim in ("parent", "child", "worker"):
        lines.append(f"{victim:8}" + "".join(f"{account.kills[victim, name]:8}" for name in names))
    lines.append(
        f"{sum(account.kills.values())} kills, {account.starts} starts: orphans after {ORPHAN_SECONDS:g} s "
        f"{account.orphans}, lost {account.lost}, sweeps that differ {account.wrong}, repeated after commit "
        f"{account.repeated}, holes {account.holes}"
    )
    return "\n".join(lines)


def main() -> None:
    if sys.argv[1:2] == ["sweep"]:
        sweep(*sys.argv[2:6])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=400)
    parser.add_argument("--processes", type=int, default=4)
    asked = parser.parse_args()
    backends = [("process", "persistent")[i % 2] for i in range(asked.processes)]
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        account = storm(Path(folder), asked.jobs, asked.kills, backends, seed=asked.seed)
    print(f"seed {asked.seed}, {asked.jobs} jobs, {asked.processes} processes, {time.monotonic() - started:.0f} s")
    print(table(account))
    sys.exit(not account.clean)


if __name__ == "__main__":
    main()

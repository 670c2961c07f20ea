"""CPU and memory of whole commands, with an empty cache and again with a full one.

    python benchmarks/whole_commands.py [--before CHECKOUT] [--commands run,netlist,...] [--repeats 1] [--write]
    python benchmarks/whole_commands.py --config examples/minilm_layer.yaml --commands run --before CHECKOUT

Commands on the starter of `metalrom init` unless a configuration is given, every one a process of its own: CPU seconds
of the process and all that it started (the engine too) and the largest memory of one of them, MiB. Cold: with an empty
cache folder, which holds the fetched assets alone; cached: the same command again, the least of `--repeats`. Both
checkouts run alternately, so that other work on the machine meets both; compare the ratios. `explore` sweeps two
pitches and verifies one point, `evaluate` takes six pairs of words and is left out where its data is not fetched.
--write: also writes the table to docs/reference/whole-commands.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from metalrom.assets import asset_state
from metalrom.folders import cache_folder

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "whole-commands.md"
EXPLORE = """
explore:
  verify: 1
  vary:
    {readout.double_sampling: [true], cell.row_pitch: [1x, 1.5x], array.group_rows: [8], array.columns_per_adc: [16]}
"""
COMMANDS = {
    "run": ("run", "CONFIG", "-o", "OUT"),
    "netlist": ("netlist", "CONFIG", "--level", "macro", "-o", "NETLIST"),
    "audit": ("audit", "NETLIST", "CONFIG"),
    "estimate": ("estimate", "OUT"),
    "export": ("export", "OUT", "--format", "json", "-o", "EXPORTED"),
    "explore": ("explore", "SWEEP", "-o", "EXPLORED"),
    "evaluate": ("evaluate", "minilm", "--macro", "OUT", "--limit", "6"),
}
"""Arguments by name; words in capitals are files of the workspace. Later ones use what earlier ones wrote."""
INTRODUCTION = """# Cost of whole commands

CPU seconds of a command with everything that it starts (ngspice too) and its largest process in memory, for the starter
of `metalrom init` (64 x 64 cells, groups of up to 16 rows, three corners). Cold: with an empty cache; cached: the same
command again. Before: with decks rendered one by one, looked up in the cache after a whole lint, a relative tolerance
of 1e-5, cells meshed by several threads that wait for each other, and a field solution for each of two equal planes.

"""
REMARKS = """
Written by `python benchmarks/whole_commands.py --before CHECKOUT --write`: compare the ratios of neighbouring calls,
the seconds depend on what else the machine does.
"""
HEADING = "| command | cache | CPU before, s | CPU after, s | ratio | memory before, MiB | memory after, MiB |"


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds and MiB of one call."""

    cpu: float
    memory: float


class Workspace:
    """A checkout with a cache and files of its own."""

    def __init__(self, checkout: Path, folder: Path, config: Path | None) -> None:
        self.checkout, self.cache = checkout, folder / "cache"
        self.cache.mkdir(parents=True)
        assets = cache_folder("assets")
        if assets.is_dir():
            (self.cache / "assets").symlink_to(assets)
        names = {"OUT": "out", "NETLIST": "macro.cir", "EXPORTED": "exported", "EXPLORED": "explored"}
        self.files = {word: str(folder / name) for word, name in names.items()}
        if config is None:
            self.call("init", str(folder / "starter"))
            config = folder / "starter" / "metalrom.yaml"
            sweep = folder / "starter" / "sweep.yaml"
            sweep.write_text(config.read_text(encoding="utf-8") + EXPLORE, encoding="utf-8")
            self.files["SWEEP"] = str(sweep)
        self.files["CONFIG"] = str(config.resolve())

    def call(self, *words: str) -> Cost:
        """Run `metalrom` with these words; exit code 1, a missed specification, is an answer."""
        entry = (
            ("start", "start_program") if Path(self.checkout, "metalrom/cli/start.py").is_file() else ("main", "main")
        )
        program = f"import sys; from metalrom.cli.{entry[0]} import {entry[1]}; sys.exit({entry[1]}())"
        # -P: the checkout in PYTHONPATH is imported, not the one that this process stands in
        command = [sys.executable, "-P", "-c", program, *(self.files.get(w, w) for w in words)]
        environment = os.environ | {"PYTHONPATH": str(self.checkout), "METALROM_CACHE": str(self.cache)}
        child = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        assert child.stderr is not None
        errors = child.stderr.read().decode(errors="replace")
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode not in (0, 1):
            raise SystemExit(f"{' '.join(words)} ended with {child.returncode}: {errors[-500:]}")
        return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)

    def forget(self) -> None:
        """Empty the cache, assets aside."""
        for path in self.cache.iterdir():
            if path.name != "assets":
                shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextmanager
def workspaces(checkouts: list[Path], config: Path | None) -> Iterator[list[Workspace]]:
    """One workspace per checkout, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="whole-") as folder:
        yield [Workspace(c, Path(folder, str(i)), config) for i, c in enumerate(checkouts)]


def measure(spaces: list[Workspace], names: list[str], repeats: int) -> Iterator[str]:
    """Rows of the table as they come."""
    for name in names:
        for cache in ("cold", "cached"):
            costs: list[list[Cost]] = [[] for _ in spaces]
            for _ in range(1 if cache == "cold" else repeats):
                for space, found in zip(spaces, costs, strict=True):
                    if cache == "cold":
                        space.forget()
                    found.append(space.call(*COMMANDS[name]))
            before, after = (min(c, key=lambda x: x.cpu) for c in (costs[0], costs[-1]))
            yield (
                f"| {name} | {cache} | {before.cpu:.1f} | {after.cpu:.1f} | {before.cpu / after.cpu:.2f} "
                f"| {before.memory:.0f} | {after.memory:.0f} |"
            )


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, default=ROOT, help="checkout to compare with")
    parser.add_argument("--config", type=Path, help="default: the starter")
    parser.add_argument("--commands", default=",".join(COMMANDS))
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    names = asked.commands.split(",")
    if asked.config is not None and "explore" in names:
        print("explore is left out: its sweep is one of the starter")
        names.remove("explore")
    if "evaluate" in names and any(asset_state(a) != "fetched" for a in ("minilm", "wordsim")):
        print("evaluate is left out: run `metalrom fetch minilm wordsim`")
        names.remove("evaluate")
    rows = [HEADING, "|---|---|" + "---:|" * 5]
    print("\n".join(rows))
    with workspaces([asked.before.resolve(), ROOT], asked.config) as spaces:
        for row in measure(spaces, names, asked.repeats):
            rows.append(row)
            print(row, flush=True)
    if asked.write:
        PAGE.write_text(INTRODUCTION + "\n".join(rows) + "\n" + REMARKS, encoding="utf-8")


if __name__ == "__main__":
    main()

"""Kills at random moments: what was killed starts again, and ends as if nothing had happened.

    python benchmarks/kills.py [--kills 150] [--seed 1] [--only run,fit] [--assets FOLDER] [--journal FILE] [--json]

Every command runs to its end once, undisturbed. Then, in a folder and with a cache of its own, it is started and ended
again and again by KILL, TERM or INT at a random moment, and at last let be. A defect is: a file of the result that is
not byte for byte the undisturbed one, a temporary file or a living process of the command afterwards (after TERM and
INT also right then), an exit code other than 143, 130 or the signal's own, a traceback. Not compared are times that
a command only prints and, in a run's manifest, how many results the cache had. `evaluate` needs the assets minilm and
wordsim, from --assets (a cache's folder `assets`) or fetched before; without them it is left out, as is `signoff`
without KLayout. --journal keeps the commands that are done: the same call goes on there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)

from metalrom.assets.store import asset_path, asset_state  # noqa: E402

CONFIG = """\
name: kills
technology: {stack: open45, devices: open45}
cell:
  {kind: res_via, row_pitch: 160nm, column_pitch: 160nm, resistance: 500kohm, planes: [{row: metal2, column: metal3}]}
array: {rows: 8, columns: 16, group_rows: 4, columns_per_adc: 4}
weights: {random: [8, 8], bits: 2}
inputs: {bits: 4, source: random, vectors: 4}
periphery: {read_voltage: 0.2V}
readout: {code_error_target: 1e-2}
variation: {cell_sigma: 2.5%, source: assumed}
conditions: {corners: [tt]}
characterization: {patterns: 2, samples: 30, max_levels: 5, seed: 1, procedures: [transfer, mismatch, adc_margin]}
explore: {vary: {array.group_rows: [2, 4]}}
"""
"""A resistive cell, whose extraction takes no field solution; every pair of symbols stands side by side in the tile, as
sign-off wants it."""

COMMANDS: dict[str, tuple[str, ...]] = {
    "run": ("run", "c.yaml", "-o", "out"),
    "explore": ("explore", "c.yaml", "-o", "out"),
    "optimize": ("optimize", "c.yaml", "-o", "out", "--minimize", "energy_per_mac", "--trials", "4", "--winners", "1"),
    "fit": (
        "fit",
        "c.yaml",
        "-o",
        "out/m.json",
        "--vary",
        "conditions.vdd=0.9V:1.1V",
        "--most",
        "20",
        "--error",
        "20%",
    ),
    "evaluate": ("evaluate", "minilm", "--macro", "ideal", "--limit", "3", "--tokens", "4", "--json"),
    "export": ("export", "run", "--format", "csv", "-o", "out"),
    "layout": ("layout", "c.yaml", "-o", "out/t.gds", "--level", "macro"),
    "signoff": ("signoff", "c.yaml", "-o", "out"),
}
SIGNALS = {signal.SIGKILL: (-9,), signal.SIGTERM: (143, -15), signal.SIGINT: (130, -2)}
"""Signal -> exit codes: 143 and 130 from the sentence on, the signal itself while Python starts."""
_TEMPORARY = re.compile(r"\.(tmp|partial|previous|lock)$")
_PROGRAM = "from metalrom.cli.start import start_program; start_program()"
_CACHED = {"results.sqlite.lock", "claims.lock"}
_MEASURED = re.compile(rb'"(\w*seconds?|tokens_per_\w+)": [^,\n]+')
"""Times in a document."""
_COUNTED = re.compile(rb'"(run|cached)": \d+')
"""How many simulations a run found in the cache, in its manifest."""


@dataclass
class Storm:
    """What the kills of one command came to."""

    command: str
    undisturbed: float
    by_signal: Counter[str] = field(default_factory=Counter)
    ended_before: int = 0
    identical: bool = False
    defects: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        """Processes that a signal ended."""
        return sum(self.by_signal.values())


class Place:
    """A folder with the configuration, a cache and a scratch folder of its own."""

    def __init__(self, folder: Path, assets: Path | None, run: Path | None) -> None:
        self.folder = folder
        for name in ("out", "tmp", "cache"):
            (folder / name).mkdir(parents=True)
        (folder / "c.yaml").write_text(CONFIG, encoding="utf-8")
        if assets is not None:
            (folder / "cache" / "assets").symlink_to(assets)
        if run is not None:
            (folder / "run").symlink_to(run)
        (folder / "out").rmdir()

    def start(self, words: tuple[str, ...]) -> subprocess.Popen[str]:
        """The command; its children are found by the cache that their environment names."""
        if words[0] in ("fit", "layout"):
            (self.folder / "out").mkdir(exist_ok=True)
        environment = {**os.environ, "METALROM_CACHE": str(self.folder / "cache"), "TMPDIR": str(self.folder / "tmp"),
                       "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "COLUMNS": "200"}  # fmt: skip
        return subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *words], cwd=self.folder, env=environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def processes(self, wait: float = 5.0) -> list[int]:
        """Living processes that were started here; those that are ending get `wait` seconds."""
        marks = (f"METALROM_CACHE={self.folder / 'cache'}".encode(), f"TMPDIR={self.folder / 'tmp'}".encode())
        deadline = time.monotonic() + wait
        while True:
            found = []
            for entry in Path("/proc").iterdir():
                try:
                    if entry.name.isdigit() and set(marks) & set((entry / "environ").read_bytes().split(b"\0")):
                        found.append(int(entry.name))
                except OSError:
                    continue
            if not found or time.monotonic() > deadline:
                return found
            time.sleep(0.1)

    def temporary(self) -> list[str]:
        """Files and folders that a whole result does not hold."""
        inside = (p for p in self.folder.rglob("*") if p.name not in _CACHED)
        found = (p for p in inside if _TEMPORARY.search(p.name) or p.parent == self.folder / "tmp")
        return sorted(str(p.relative_to(self.folder)) for p in found)

    def result(self, output: str) -> dict[str, str]:
        """SHA-256 of every file of the result, or of what was printed if nothing was written."""
        out = self.folder / "out"
        found = {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}
        if "manifest.json" in found:
            found["manifest.json"] = _COUNTED.sub(b"", _MEASURED.sub(b"", found["manifest.json"]))
        found = found or {"output": _MEASURED.sub(b"", output.encode())}
        return {name: hashlib.sha256(data).hexdigest() for name, data in found.items()}


def storm(command: str, kills: int, rng: random.Random, work: Path, assets: Path | None, run: Path | None) -> Storm:
    """Kill one command `kills` times."""
    words = COMMANDS[command]
    calm = Place(work / f"{command}-calm", assets, run)
    began = time.monotonic()
    process = calm.start(words)
    output, said = process.communicate(timeout=600)
    found = Storm(command, time.monotonic() - began)
    if process.returncode not in (0, 1):
        found.defects.append(f"undisturbed: ended with {process.returncode}: {said[-300:]}")
        return found
    wanted, code, place = calm.result(output), process.returncode, Place(work / command, assets, run)
    span = found.undisturbed
    while found.kills < kills and found.ended_before < 4 * kills:
        number = rng.choice(list(SIGNALS))
        process, began = place.start(words), time.monotonic()
        try:
            output, said = process.communicate(timeout=rng.uniform(0.0, 1.0) ** 0.7 * span)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
            output, said = process.communicate(timeout=120)
            _check(found, number, process.returncode, said, place, code)
        else:
            found.ended_before += 1
            if process.returncode != code:
                found.defects.append(f"left alone: ended with {process.returncode}: {said[-300:]}")
            span = min(span, time.monotonic() - began)  # what is kept makes it quicker
    process = place.start(words)
    output, said = process.communicate(timeout=600)
    got = place.result(output)
    found.identical = process.returncode == code and got == wanted
    if not found.identical:
        other = sorted(name for name in wanted.keys() | got.keys() if wanted.get(name) != got.get(name))
        found.defects.append(f"afterwards: code {process.returncode}, other files {other}: {said[-300:]}")
    found.defects += [f"afterwards: left {name}" for name in place.temporary()]
    found.defects += [f"afterwards: process {pid} lives" for pid in place.processes()]
    return found


def _check(found: Storm, number: signal.Signals, code: int, said: str, place: Place, done: int) -> None:
    """Count a kill and what it left."""
    if code == done:  # the signal came when all was done
        found.ended_before += 1
        return
    found.by_signal[number.name] += 1
    if code not in SIGNALS[number]:
        found.defects.append(f"{number.name}: ended with {code}: {said[-300:]}")
    if "Traceback" in said or "Exception ignored" in said or "internal error" in said:
        found.defects.append(f"{number.name}: says {said[-400:]}")
    if code in (130, 143) and "run the same command again" not in said:
        found.defects.append(f"{number.name}: says {said[-300:]!r}")
    found.defects += [f"{number.name}: process {pid} lives" for pid in place.processes()]
    if number is not signal.SIGKILL and code > 0:
        found.defects += [f"{number.name}: left {name}" for name in place.temporary()]


def fetched_assets() -> Path | None:
    """The cache's folder of assets, if those that `evaluate` needs are there."""
    if {asset_state("minilm"), asset_state("wordsim")} != {"fetched"}:
        return None
    return asset_path("minilm", "vocab.txt").parent.parent


def storms(
    kills: int, seed: int, work: Path, assets: Path | None, only: set[str], journal: Path | None
) -> Iterator[Storm]:
    """Every command, its share of the kills; those that the journal holds are not run again."""
    missing = {"evaluate": assets is None, "signoff": find_spec("klayout") is None}
    names = [n for n in COMMANDS if (not only or n in only) and not missing.get(n)]
    done = _journal(journal, seed)
    run = None
    if "export" in names:
        place = Place(work / "finished", None, None)
        place.start(COMMANDS["run"]).communicate(timeout=600)
        run = place.folder / "out"
    for k, name in enumerate(names):
        share = kills // len(names) + (k < kills % len(names))
        found = done.get((name, share))
        if found is None:
            found = storm(name, share, random.Random(f"{seed} {name}"), work, assets, run)  # noqa: S311
            if journal:
                with journal.open("a", encoding="utf-8") as log:
                    print(json.dumps({"seed": seed, "share": share, **_document(found)}), file=log)
        print(f"{name}: {found.kills} kills, {found.defects}", file=sys.stderr, flush=True)
        yield found


def _journal(path: Path | None, seed: int) -> dict[tuple[str, int], Storm]:
    """What an earlier call with this seed kept, by command and share; a line that was cut off is left out."""
    kept = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path is not None and path.exists() else ():
        try:
            document = json.loads(line)
        except ValueError:
            continue
        if document.pop("seed") == seed:
            share, _ = document.pop("share"), document.pop("kills")
            kept[document["command"], share] = Storm(**{**document, "by_signal": Counter(document["by_signal"])})
    return kept


def main() -> int:
    """Run the storms; 1 if a defect was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="commands, separated by commas")
    parser.add_argument("--assets", type=Path, default=fetched_assets())
    parser.add_argument("--journal", type=Path, help="file of the commands that are done")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kills") as work:
        only = set(filter(None, given.only.split(",")))
        found = list(storms(given.kills, given.seed, Path(work), given.assets, only, given.journal))
    if given.json:
        print(json.dumps([_document(s) for s in found], indent=1))
    else:
        names = [number.name for number in SIGNALS]
        heads = "".join(f"{name:>9}" for name in names)
        print(f"{'command':10} {'s':>6} {'kills':>6} {heads}  identical  defects")
        for s in found:
            counts = "".join(f"{s.by_signal[name]:9d}" for name in names)
            print(f"{s.command:10} {s.undisturbed:6.1f} {s.kills:6d} {counts}  {s.identical!s:9}  {len(s.defects)}")
        print(f"{sum(s.kills for s in found)} kills, {sum(len(s.defects) for s in found)} defects")
    return 1 if any(s.defects for s in found) else 0


def _document(s: Storm) -> dict[str, Any]:
    return {**asdict(replace(s, by_signal=Counter())), "by_signal": dict(s.by_signal), "kills": s.kills}


if __name__ == "__main__":
    sys.exit(main())

"""Thousands of damaged inputs of every kind through every command and reader: each ends in one sentence or a result.

    python benchmarks/fuzz.py [--cases 10000] [--jobs 2] [--seed 1] [--seeds FOLDER] [--journal FILE] [--json]

Every case is one call of the command's `main` in a worker process with captured output; the field solver is hidden
from it, ngspice from all but some decks. A case is a defect if it shows a traceback or an internal error, ends with a
code other than 0 to 3, takes more than 20 s, more than 1 GiB of memory, kills its worker, leaves a file after an error
or a temporary one ever, or prints anything beside one JSON document where that was asked for. Case k follows from
--seed and k alone. The cases of `fuzz_corpus/`, which were defects once, come first. --journal keeps what has ended:
the same command goes on there. --seeds keeps the whole files that are damaged, which take a minute to make.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

# the parent, so that the cases import as a package from any working folder
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.fuzz_cases import Case, config_case  # noqa: E402
from benchmarks.fuzz_commands import COMMAND_KINDS  # noqa: E402
from benchmarks.fuzz_files import FILE_KINDS  # noqa: E402
from benchmarks.fuzz_folders import FOLDER_KINDS  # noqa: E402
from benchmarks.fuzz_seeds import Seeds, make_seeds  # noqa: E402
from benchmarks.fuzz_worker import Ended, endings  # noqa: E402

CORPUS = Path(__file__).with_name("fuzz_corpus")
CONFIG_KINDS = ((9, lambda rng, _: config_case(rng)),)


def corpus(seeds: Seeds) -> list[Case]:
    """The kept cases. Those that need a finished run are left out where there is none."""
    found = []
    for path in sorted(CORPUS.glob("*.json")):
        document = json.loads(path.read_bytes())
        if document.pop("run", False):
            if seeds.run is None:
                continue
            document["copy"] = seeds.run
        files = {name: base64.b64decode(data) for name, data in document.pop("files").items()}
        words = tuple(str(seeds.run) if word == "@/whole" else word for word in document.pop("words"))
        allowed = tuple(document.pop("allowed", ()))
        found.append(Case(f"corpus: {path.stem}", words, files, allowed=allowed, **document))
    return found


def kept(case: Case, seeds: Seeds) -> dict[str, Any]:
    """A case as a file of the corpus."""
    words = ["@/whole" if word == str(seeds.run) else word for word in case.words]
    files = {name: base64.b64encode(data).decode() for name, data in case.files.items()}
    flags = {name: True for name in ("apart", "own_cache", "own_files") if getattr(case, name)}
    return {"words": words, "files": files, "run": case.copy is not None, "allowed": list(case.allowed), **flags}


def cases(count: int, seed: int, seeds: Seeds) -> Iterator[tuple[int, Case]]:
    """The corpus under negative numbers, then case 0 to count - 1."""
    for number, case in enumerate(corpus(seeds)):
        yield -1 - number, case
    kinds = [*CONFIG_KINDS, *FILE_KINDS, *COMMAND_KINDS, *(FOLDER_KINDS if seeds.run is not None else ())]
    weights, makers = [weight for weight, _ in kinds], [make for _, make in kinds]
    for k in range(count):
        rng = random.Random(f"{seed} {k}")  # noqa: S311
        yield k, rng.choices(makers, weights)[0](rng, seeds)


def main() -> int:
    """Run the cases; 1 if a defect was found."""
    given = _arguments()
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzzcache") as work:
        seeds = make_seeds(given.seeds or Path(work) / "seeds", engine=not given.without_engine)
        ended = _journal(given.journal, f"{given.seed}")
        todo = ((k, c) for k, c in cases(given.cases, given.seed, seeds) if k not in ended and _wanted(c, given.only))
        log = given.journal.open("a", encoding="utf-8") if given.journal else None
        for number, case, end in endings(todo, str(Path(work) / "cache"), given.jobs):
            ended[number] = end
            if log:
                print(json.dumps({"seed": f"{given.seed}", "number": number, **asdict(end)}), file=log, flush=True)
            if end.defect:
                print(
                    f"{end.defect}: {number}: {end.case}: {' '.join(case.words)}: {end.said[-300:]} {end.left}",
                    file=sys.stderr,
                )
                if given.keep:
                    given.keep.mkdir(parents=True, exist_ok=True)
                    (given.keep / f"{number}.json").write_text(json.dumps(kept(case, seeds), indent=1) + "\n")
    found = summary(list(ended.values()), time.monotonic() - start)
    print(json.dumps(found, indent=1) if given.json else table(found))
    return 1 if found["defects"] else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000, help="beside those of the corpus")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="kinds that begin with this")
    parser.add_argument("--seeds", type=Path, help="folder of the whole files; made where it is missing")
    parser.add_argument("--without-engine", action="store_true", help="nothing that takes simulations to make")
    parser.add_argument("--journal", type=Path, help="file of what has ended")
    parser.add_argument("--keep", type=Path, help="folder for defects, in the form of the corpus")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _wanted(case: Case, only: str) -> bool:
    return case.kind.startswith(only)


def _journal(path: Path | None, seed: str) -> dict[int, Ended]:
    """Endings of an earlier call with this seed; a line that was cut off is left out."""
    ended = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path is not None and path.exists() else ():
        try:
            document = json.loads(line)
        except ValueError:
            continue
        if document.pop("seed") == seed:
            number = document.pop("number")
            ended[number] = Ended(
                **{**document, "left": tuple(document["left"]), "allowed": tuple(document["allowed"])}
            )
    return ended


def summary(ended: list[Ended], seconds: float) -> dict[str, Any]:
    """Counts by kind and by command, the defects, the largest memory and time."""
    by_kind: dict[str, Counter[str]] = {}
    by_command: dict[str, Counter[str]] = {}
    for end in ended:
        result = end.defect or f"exit {end.code}"
        by_kind.setdefault(end.case, Counter())[result] += 1
        by_command.setdefault(end.command, Counter())[result] += 1
    slowest, largest = max(ended, key=lambda e: e.cpu), max(ended, key=lambda e: e.memory)
    return {
        "cases": len(ended),
        "by_kind": {kind: dict(counts) for kind, counts in sorted(by_kind.items())},
        "by_command": {command: dict(counts) for command, counts in sorted(by_command.items())},
        "defects": [asdict(end) for end in ended if end.defect],
        "peak_megabytes": round(largest.memory / 2**20, 1),
        "peak_case": f"{largest.case}, {largest.command}",
        "slowest_cpu_seconds": round(slowest.cpu, 2),
        "slowest_case": f"{slowest.case}, {slowest.command}",
        "cpu_seconds": round(sum(end.cpu for end in ended), 1),
        "seconds": round(seconds, 1),
    }


_EXITS = ("exit 0", "exit 1", "exit 2", "exit 3", "exit 130")


def table(found: dict[str, Any]) -> str:
    """Both counts as text."""
    lines = []
    for title in ("by_kind", "by_command"):
        lines.append(f"{title[3:]:32}" + "".join(f"{name:>10}" for name in (*_EXITS, "defects")))
        for name, counts in found[title].items():
            values = [
                *(counts.get(exit_, 0) for exit_ in _EXITS),
                sum(n for key, n in counts.items() if key not in _EXITS),
            ]
            lines.append(f"{name:32}" + "".join(f"{value:10d}" for value in values))
        lines.append("")
    kinds = Counter(Ended(**d).defect for d in found["defects"])
    lines.append(
        f"{found['cases']} cases, defects: {dict(kinds) or 0}; {found['cpu_seconds']} CPU s, {found['seconds']} s"
    )
    lines.append(f"peak memory {found['peak_megabytes']} MB ({found['peak_case']})")
    lines.append(f"slowest {found['slowest_cpu_seconds']} CPU s ({found['slowest_case']})")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

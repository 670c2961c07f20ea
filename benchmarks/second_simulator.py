"""The emitted column decks in VACASK against ngspice: every cell and technology, with and without transistors.

    python benchmarks/second_simulator.py [--technologies open45,freepdk45,sky130,ihp_sg13g2] [--rows 16] [--json]

Two programs, two time integrations, two revisions of BSIM4. `level`: at the end of the read; `step`: its rise since the
inputs (what a conversion with double sampling sees). Each simulator runs the deck as it is emitted and once more with
finer steps, since the charge that the reset switch leaves depends on the steps of its edge: `refined` compares the two
at their finest. ihp_sg13g2 needs OSDI, so that only VACASK runs it: it is compared with itself refined and, without
transistors, with ngspice. Differences are relative to the level (of two, to the larger). Needs the extra `vacask`, the
kits of `metalrom fetch freepdk45 sky130`, and $PDK_ROOT for ihp_sg13g2.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.column_technologies import COLUMNS, PLANES, SEED, timing_of
from interconnect.cachefolder import cache_folder
from interconnect.errors import InputError
from interconnect.extraction import extract
from netlists.cells import CELLS, make_cell
from netlists.column import ColumnDeck, ColumnStimulus, column_deck
from netlists.condition import Condition
from netlists.periphery import default_periphery
from netlists.technology import Technology, load_technology
from ngspice_runner import Job, run

STACKS = {"ihp_sg13g2": "sky130"}
"""Metals of another process, where there is no stack of that name."""
FINER = {"process": (("reltol", "1e-6"), ("vntol", "1e-8"), ("chgtol", "1e-21")),
         "vacask": (("reltol", "1e-5"), ("vntol", "1e-7"), ("chgtol", "1e-21"))}  # fmt: skip
STEPS = {"process": 40, "vacask": 10}
"""Divisors of the largest step; finer ones end in `timestep too small` in both, at the edges of the reset."""
PAIRS = {
    "emitted": ("process", "vacask"),
    "refined": ("process refined", "vacask refined"),
    "ngspice itself": ("process", "process refined"),
    "VACASK itself": ("vacask", "vacask refined"),
}
"""What is compared with what."""


@dataclass(frozen=True)
class Read:
    """Level before the inputs, at the end of the read, V or A; CPU time, s."""

    before: float
    level: float
    cpu: float

    @property
    def step(self) -> float:
        """Rise since the inputs."""
        return self.level - self.before


def read(deck: ColumnDeck, technology: Technology, backend: str, *, refined: bool) -> Read | str:
    """The target column, or why there is none."""
    text, options = deck.text, technology.devices.job_options if backend == "vacask" else ()
    if refined:
        options += FINER[backend]
        text = re.sub(
            r"^(\.tran \S+ \S+ \S+ )(\S+)",
            lambda m: f"{m[1]}{float(m[2]) / STEPS[backend]!r}",
            text,
            flags=re.MULTILINE,
        )
    result = run(Job(text, deck.outputs, stop=deck.stop, timeout=300.0, options=options), backend=backend)
    if not result.ok or result.provenance is None:
        return result.verdict.value
    signals = {name: np.asarray(s.values).real for name, s in result.signals.items()}
    lines = deck.levels({name: signals[name.lower()] for name in (*deck.columns, *deck.columns_minus)})
    line = lines[deck.columns.index(deck.target)]
    cpu = result.provenance.cpu_seconds
    if deck.read_at is None or deck.input_at is None:
        return Read(0.0, float(line[-1]), cpu)
    before, level = (float(np.interp(at, signals["time"], line)) for at in (deck.input_at, deck.read_at))
    return Read(before, level, cpu)


def compared(technology: Technology, kind: str, periphery_kind: str, rows: int) -> dict[str, object]:
    """One row of the table."""
    devices = technology.devices
    plane = PLANES[technology.stack.name]
    model = make_cell(kind).model(technology.stack, plane, partial(extract, cache_dir=cache_folder("extraction")))
    bits = np.random.default_rng(np.random.SeedSequence(SEED)).integers(0, model.symbols, (rows, COLUMNS))
    case = ColumnStimulus(bits=bits[:, 1:2], inputs=np.arange(rows) % 2, symbol_values=model.symbol_values)
    periphery = replace(default_periphery(devices, sense_capacitance=1e-16), kind=periphery_kind)
    condition = Condition("tt", devices.vdd, 27.0)
    deck = column_deck(technology, model, periphery, timing_of(technology), condition, case)
    by_ngspice = periphery_kind == "ideal" or "osdi" not in devices.needs.features
    reads: dict[str, Read | str] = {}
    for backend in ("process", "vacask") if by_ngspice else ("vacask",):
        for refined in (False, True):
            reads[f"{backend}{' refined' if refined else ''}"] = read(deck, technology, backend, refined=refined)
    row: dict[str, object] = {"technology": devices.name, "cell": kind, "periphery": periphery_kind}
    row["unit"] = "V" if model.mode == "charge" else "A"
    failed = {name: found for name, found in reads.items() if isinstance(found, str)}
    row["failed"] = failed
    good = {name: found for name, found in reads.items() if isinstance(found, Read)}
    for name, found in good.items():
        row[name] = found.level
        row[f"CPU {name}"] = found.cpu
    for name, (one, other) in PAIRS.items():
        if one in good and other in good:
            row[name] = _difference(good[one].level, good[other].level)
            row[f"{name}, step"] = _difference(good[one].step, good[other].step)
    return row


def _difference(one: float, other: float) -> float:
    return abs(one - other) / max(abs(one), abs(other), 1e-30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--technologies", default="open45,freepdk45,sky130,ihp_sg13g2")
    parser.add_argument("--cells", default=",".join(CELLS))
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = []
    if not arguments.json:
        print(f"{arguments.rows} rows; relative differences, level / step")
        print(f"{'technology':11}{'cell':13}{'periphery':11}{'VACASK level':>14}" + "".join(f"{c:>20}" for c in PAIRS))
    for name in arguments.technologies.split(","):
        try:
            technology = load_technology(STACKS.get(name, name), name)
            for kind in arguments.cells.split(","):
                for periphery in ("ideal", "transistor"):
                    rows.append(compared(technology, kind, periphery, arguments.rows))
                    if not arguments.json:
                        print(_line(rows[-1]), flush=True)
        except InputError as error:
            print(f"{name}: left out: {error}", file=sys.stderr)
    if arguments.json:
        print(json.dumps(rows, indent=1))


def _line(row: Mapping[str, object]) -> str:
    level = row.get("vacask")
    text = f"{level:12.6g} {row['unit']}" if isinstance(level, float) else "-"
    cells = [f"{row[c]:.1e} / {row[f'{c}, step']:.1e}" if c in row else "-" for c in PAIRS]
    head = f"{row['technology']!s:11}{row['cell']!s:13}{row['periphery']!s:11}{text:>14}"
    return head + "".join(f"{c:>20}" for c in cells) + (f" {row['failed']}" if row["failed"] else "")


if __name__ == "__main__":
    main()

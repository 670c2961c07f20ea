"""One column read in several technologies: every cell kind, transistor periphery, ngspice; one table.

    python benchmarks/column_technologies.py [--rows 16] [--technologies open45,freepdk45,sky130] [--json]

A technology is a metal stack and a device set of one name. The cell is drawn with the smallest lengths that its stack
allows on two neighbouring thin metals, the periphery has the device set's own sizes, the supply is the set's. Times are
those of a 45 nm process times the gate length over 50 nm. Errors are relative to the closed form (ideal drivers and
switches): `level` as it is read, `step` less the level just before the inputs rise, which takes out what the reset
switch injects. energy: drawn by the row drivers. t90: from the start of the input edge to 90 % of the step. Cards and
trimmed libraries come from `metalrom fetch freepdk45 sky130`.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from characterization.campaign import measure
from characterization.device_probe import check_devices
from interconnect.errors import InputError
from interconnect.extraction import extract
from interconnect.files import cache_folder
from netlists.cells import cell_kinds, make_cell
from netlists.cells.base import Plane
from netlists.column import ColumnCase, Timing, column_deck
from netlists.condition import Condition
from netlists.periphery import default_periphery
from netlists.reference import reference_column
from netlists.technology import Technology, load_technology
from ngspice_runner import Job, run

PLANES = {"sky130": Plane("met1", "met2"), "freepdk45": Plane("metal2", "metal3"), "open45": Plane("metal2", "metal3")}
COLUMNS = 3
SEED = 7


def timing_of(technology: Technology) -> Timing:
    """The default read, slower by the gate length."""
    slower = technology.devices.default_length / 50e-9
    base = Timing()
    names = ("reset_end", "reset_edge", "input_start", "input_edge", "read_after")
    return replace(base, **{name: float(f"{getattr(base, name) * slower:.6g}") for name in names})


def read(technology: Technology, kind: str, rows: int) -> dict[str, object]:
    """One read of a random column of a cell kind, half of the rows driven."""
    model = make_cell(kind).model(
        technology.stack, PLANES[technology.devices.name], partial(extract, cache_dir=cache_folder("extraction"))
    )
    rng = np.random.default_rng(np.random.SeedSequence(SEED))
    case = ColumnCase(bits=rng.integers(0, model.symbols, (rows, COLUMNS)), inputs=np.arange(rows) % 2)
    devices = technology.devices
    periphery = default_periphery(devices, sense_capacitance=1e-16)
    timing, condition = timing_of(technology), Condition("tt", devices.vdd, 27.0)
    deck = column_deck(technology, model, periphery, timing, condition, case)
    job = Job(deck.text, deck.outputs, stop=deck.stop, timeout=300.0, options=devices.job_options)
    result = run(job)
    row: dict[str, object] = {"technology": devices.name, "cell": kind, "verdict": str(result.verdict)}
    if not result.ok or deck.read_at is None or deck.input_at is None:
        return row | {"log": result.log[:200]}
    exact = reference_column(model, replace(periphery, kind="ideal"), condition, case)
    level, energy = measure(deck, result)
    time, line = (np.asarray(result.signals[name].values).real for name in ("time", deck.target.lower()))
    before = float(np.interp(deck.input_at, time, line))
    risen = (time > deck.input_at) & (line - before >= 0.9 * (level - before))
    return row | {
        "unit": deck.unit,
        "closed_form": exact.closed_form,
        "level": level,
        "level_error": level / exact.closed_form - 1,
        "step_error": (level - before) / exact.closed_form - 1,
        "before": before,
        "energy_J": energy,
        "t90_s": float(time[risen][0] - deck.input_at) if risen.any() else float("nan"),
        "area_m2": model.area,
        "cpu_s": result.provenance.cpu_seconds if result.provenance else float("nan"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--technologies", default="open45,freepdk45,sky130")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = []
    for name in arguments.technologies.split(","):
        try:
            technology = load_technology(name, name)
            check_devices(technology.devices)
        except InputError as error:
            print(f"{name}: left out: {error}", file=sys.stderr)
            continue
        for kind in cell_kinds():
            try:
                rows.append(read(technology, kind, arguments.rows))
            except InputError as error:
                print(f"{name}, {kind}: left out: {error}", file=sys.stderr)
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{arguments.rows} rows, half driven; closed form, level: mV or nA; errors in % of the closed form")
    print(f"{'technology':11}{'cell':14}{'closed form':>12}{'level':>10}{'error':>8}{'step err':>9}", end="")
    print(f"{'energy fJ':>11}{'t90 ps':>8}{'cell um2':>10}{'verdict':>9}{'CPU s':>7}")
    for r in rows:
        if "level" not in r:
            print(f"{r['technology']:11}{r['cell']:14}{r['verdict']}: {r.get('log', '')}")
            continue
        scale = 1e3 if r["unit"] == "V" else 1e9
        print(
            f"{r['technology']:11}{r['cell']:14}{r['closed_form'] * scale:12.3f}{r['level'] * scale:10.3f}"
            f"{100 * r['level_error']:8.2f}{100 * r['step_error']:9.2f}{r['energy_J'] * 1e15:11.3f}"
            f"{r['t90_s'] * 1e12:8.1f}{r['area_m2'] * 1e12:10.4f}{r['verdict']:>9}{r['cpu_s']:7.2f}"
        )


if __name__ == "__main__":
    main()

"""One column read in several technologies: every cell kind, transistor periphery, ngspice; one table.

    python benchmarks/column_technologies.py [--rows 16] [--technologies open45,freepdk45,sky130] [--json]

A technology is a metal stack and a device set of one name. The cell is drawn with the smallest lengths that its stack
allows on two neighbouring thin metals, the periphery has the device set's own sizes, the supply is the set's. Times are
those of a 45 nm process times the gate length over 50 nm. The level is that of the closed form (metal alone), plus what
the reset switch does: `injected` is the level just before the inputs rise, `load` what the switch's capacitance takes
from the step, both from a deck with the same switch on lumped capacitors (`netlists.reset_effect`). `error` is what the
column's step, with transistors, differs from closed form plus switch; `alone` the same of the metal without any
transistor. The closed form's neighbours are quiet, so one column is read; `beside` is the step of the middle one of
three random columns, metal alone. energy: drawn by the row drivers. t90: from the input edge to 90 % of the step. Cards
and trimmed libraries come from `metalrom fetch freepdk45 sky130`.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from characterization.campaign import run_decks
from characterization.device_probe import check_devices
from interconnect.cachefolder import cache_folder
from interconnect.errors import InputError
from interconnect.extraction import extract
from netlists.cells import CELLS, make_cell
from netlists.cells.base import Plane
from netlists.column import ColumnDeck, ColumnStimulus, Timing, column_deck
from netlists.condition import Condition
from netlists.devices.device_set import DeviceSet
from netlists.periphery import default_periphery
from netlists.reference import reference_column
from netlists.reset_effect import reset_effect_deck
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
    bits = rng.integers(0, model.symbols, (rows, COLUMNS))
    if model.symbols == 3:  # more plus than minus, so that the difference does not vanish
        bits[rng.random(bits.shape) < 0.5] = 1
    three = ColumnStimulus(bits=bits, inputs=np.arange(rows) % 2, symbol_values=model.symbol_values)
    case = replace(three, bits=bits[:, 1:2])
    devices = technology.devices
    periphery = default_periphery(devices, sense_capacitance=1e-16)
    ideal = replace(periphery, kind="ideal")
    timing, condition = timing_of(technology), Condition("tt", devices.vdd, 27.0)
    exact = reference_column(model, ideal, condition, case)
    row: dict[str, object] = {"technology": devices.name, "cell": kind, "count": case.count, "area_m2": model.area}
    column = step_of(column_deck(technology, model, periphery, timing, condition, case), devices)
    metal = step_of(column_deck(technology, model, ideal, timing, condition, case), devices)
    beside = step_of(column_deck(technology, model, ideal, timing, condition, three), devices)
    switch = None
    if model.mode == "charge":
        switch = step_of(reset_effect_deck(technology, model, periphery, timing, condition, case), devices)
    used = [x for x in (column, metal, beside, switch) if x is not None]
    row["verdict"] = next((x.verdict for x in used if x.verdict != "ok"), "ok")
    row["cpu_s"] = column.cpu
    if row["verdict"] != "ok":
        return row
    predicted = switch.step if switch else exact.closed_form
    return row | {
        "unit": "V" if model.mode == "charge" else "A",
        "closed_form": exact.closed_form,
        "level": column.before + column.step,
        "metal_error": metal.step / exact.closed_form - 1,
        "neighbours": beside.step / exact.closed_form - 1,
        "injected": column.before,
        "injected_lumped": switch.before if switch else 0.0,
        "switch_load": switch.step / exact.closed_form - 1 if switch else 0.0,
        "error": column.step / predicted - 1,
        "energy_J": column.energy,
        "t90_s": column.t90,
    }


@dataclass(frozen=True)
class Step:
    """A simulated read: level just before the inputs rise and its rise, V or A; row energy, J; time to 90 %, s."""

    verdict: str
    before: float
    step: float
    energy: float
    t90: float
    cpu: float


def step_of(deck: ColumnDeck, devices: DeviceSet) -> Step:
    """Run a deck and take its target column apart."""
    result = run(Job(deck.text, deck.outputs, stop=deck.stop, timeout=300.0, options=devices.job_options))
    cpu = result.provenance.cpu_seconds if result.provenance else float("nan")
    nan = float("nan")
    if not result.ok:
        return Step(result.verdict.value, nan, nan, nan, nan, cpu)
    signals = {name: np.asarray(s.values).real for name, s in result.signals.items()}
    line = deck.levels({name: signals[name.lower()] for name in (*deck.columns, *deck.columns_minus)})
    line = line[deck.columns.index(deck.target)]
    if deck.read_at is None or deck.input_at is None:
        return Step("ok", 0.0, float(line[-1]), nan, nan, cpu)
    time = signals["time"]
    before, level = (float(np.interp(at, time, line)) for at in (deck.input_at, deck.read_at))
    risen = (time > deck.input_at) & ((line - before) / (level - before) >= 0.9)
    t90 = float(time[risen][0] - deck.input_at) if risen.any() else nan
    energy = run_decks(deck, result)[1] if "i(v_rows)" in signals else nan
    return Step("ok", before, level - before, energy, t90, cpu)


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
        for kind in CELLS:
            try:
                rows.append(read(technology, kind, arguments.rows))
            except InputError as error:
                print(f"{name}, {kind}: left out: {error}", file=sys.stderr)
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{arguments.rows} rows, half driven; closed form, level, injected: mV or nA; errors in %, see --help")
    print(f"{'technology':11}{'cell':13}{'closed':>9}{'level':>9}{'injected':>9}{'load %':>7}{'alone %':>9}", end="")
    print(f"{'error %':>8}{'beside %':>9}{'energy fJ':>10}{'t90 ps':>8}{'cell um2':>10}{'verdict':>9}{'CPU s':>7}")
    for r in rows:
        if "level" not in r:
            print(f"{r['technology']:11}{r['cell']:13}{r['verdict']}")
            continue
        scale = 1e3 if r["unit"] == "V" else 1e9
        print(
            f"{r['technology']:11}{r['cell']:13}{r['closed_form'] * scale:9.3f}{r['level'] * scale:9.3f}"
            f"{r['injected'] * scale:9.3f}{100 * r['switch_load']:7.2f}{100 * r['metal_error']:9.4f}"
            f"{100 * r['error']:8.3f}{100 * r['neighbours']:9.2f}"
            f"{r['energy_J'] * 1e15:10.3f}{r['t90_s'] * 1e12:8.1f}{r['area_m2'] * 1e12:10.4f}"
            f"{r['verdict']:>9}{r['cpu_s']:7.2f}"
        )


if __name__ == "__main__":
    main()

"""Table of the transistor baselines: level against the closed form, energy, time and area of each kind.

    python benchmarks/baselines.py [--technologies open45,freepdk45,sky130] [--kinds rom_1t,sram_6t] [--cases 8]
                                   [--locals 16] [--rows 16] [--mismatch] [--charges auto|card|measured]
    python benchmarks/baselines.py --decks FOLDER      writes one small example deck per kind and runs it

All errors are in percent of full scale (the level of the highest product in every local array less that of none).
offset: the simulated level with no product. gain: the simulated span against capacitors alone. residual: what is left
of the simulated level against the line through these two. error: simulated against the charge balance with the
switches' charges, nothing fitted to a column: taken from the model cards, or measured on one switch of each type where
the models are in a kit's library (`baselines.switch_bench`; --charges measured does so everywhere). needs: read
and share times until everything stays within 1 % of full scale of its final value. Sizes and times are the defaults of
each technology, at its typical corner and supply; cards and libraries come from `metalrom fetch freepdk45 sky130`.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from interconnect.errors import InputError
from interconnect.files import atomic_file
from netlists.baselines import (
    BASELINE_CELLS,
    BaselineComputing,
    BaselineDeck,
    BaselineDeviations,
    BaselineStimulus,
    BaselineTiming,
    Operation,
    baseline_column_deck,
    default_cell,
    default_computing,
    default_timing,
    draw_baseline_deviations,
    make_baseline_cell,
    measure_operation,
    measured_charges,
    settling,
    shared_level,
    switch_charge_deck,
)
from netlists.baselines.base import BaselineCell
from netlists.baselines.switches import Charges
from netlists.condition import Condition
from netlists.devices.device_set import DeviceSet
from netlists.technology import Technology, load_technology
from ngspice_runner import Job, run

NODES = {"open45": 45e-9, "freepdk45": 45e-9, "sky130": 130e-9}
"""Feature size that areas are scaled to, m."""
SHARES = ("word", "precharge", "lcc", "control", "cell")


@dataclass(frozen=True)
class Bench:
    """A technology in its own default sizes and times, and where its switches' charges come from (None: the cards)."""

    technology: Technology
    condition: Condition
    lcc: BaselineComputing
    timing: BaselineTiming
    charges: Charges | None

    @property
    def devices(self) -> DeviceSet:
        return self.technology.devices


def bench_of(name: str, charges: str) -> Bench:
    """A technology ready to be measured. Raises InputError where it is not there."""
    technology = load_technology(name, name)
    devices = technology.devices
    condition, lcc = Condition("tt", devices.vdd, 27.0), default_computing(devices)
    measured = None
    if charges == "measured" or (charges == "auto" and devices.from_library):
        deck = switch_charge_deck(technology, lcc, condition)
        result = run(Job(text=deck.text, outputs=deck.outputs, stop=deck.stop, options=devices.job_options))
        if not result.ok:
            raise SystemExit(f"{deck.title}: {result.verdict}\n{result.log}")
        measured = measured_charges(deck, result.signals)
    return Bench(technology, condition, lcc, default_timing(devices), measured)


def simulate(deck: BaselineDeck, devices: DeviceSet, tolerance: float = 0.0) -> tuple[Operation, tuple[float, float]]:
    """Run a deck that must come out ok: what it says, and the read and share times that it needs (`settling`)."""
    result = run(Job(deck.text, deck.outputs, stop=deck.stop, timeout=300.0, options=devices.job_options))
    if not result.ok:
        raise SystemExit(f"{deck.title}: {result.verdict}\n{result.log}")
    return measure_operation(deck, result.signals), settling(deck, result.signals, tolerance)


def random_case(
    rng: np.random.Generator, cell: BaselineCell, locals_: int, rows: int, deviations: BaselineDeviations | None = None
) -> BaselineStimulus:
    """Stored symbols, selected rows and inputs, all drawn evenly."""
    return BaselineStimulus(
        symbols=rng.integers(0, cell.symbols, (locals_, rows)),
        selected=rng.integers(0, rows, locals_),
        inputs=rng.integers(0, 2, locals_),
        deviations=deviations or BaselineDeviations(),
    )


def uniform_case(symbol: int, active: int, locals_: int, rows: int) -> BaselineStimulus:
    """One symbol and one input everywhere."""
    return BaselineStimulus(
        symbols=np.full((locals_, rows), symbol),
        selected=np.zeros(locals_, dtype=int),
        inputs=np.full(locals_, active),
    )


def row(b: Bench, kind: str, options: argparse.Namespace) -> None:
    """Simulate one kind and print its line."""
    cell = default_cell(b.devices, kind)
    size = (options.locals, options.rows)

    times = []

    def level(case: BaselineStimulus) -> tuple[Operation, float, float]:
        deck = baseline_column_deck(b.technology, cell, b.lcc, b.timing, b.condition, case)
        form = shared_level(b.technology, cell, b.lcc, b.condition, case, b.charges)
        got, needed = simulate(deck, b.devices, 0.01 * form.full_scale)
        times.append(needed)
        return got, form.level, form.ideal

    zero = level(uniform_case(0, 0, *size))[0].level
    top, _, ideal_span = level(uniform_case(cell.symbols - 1, 1, *size))
    span = top.level - zero
    rng = np.random.default_rng(16)
    error, residual, energy = [], [], []
    for number in range(options.cases):
        seed = np.random.SeedSequence([16, number])
        shifts = draw_baseline_deviations(b.devices, cell, b.lcc, options.locals, seed) if options.mismatch else None
        got, expected, ideal = level(random_case(rng, cell, *size, shifts))
        error.append(100 * abs(got.level - expected) / span)
        residual.append(100 * abs(got.level - zero - ideal * span / ideal_span) / span)
        energy.append([1e15 * got.energy.get(share, 0.0) / got.macs for share in SHARES])
    read, share = 1e9 * np.max(times, axis=0)
    area = cell.area(NODES[b.devices.name])
    parts = np.mean(energy, axis=0)
    print(
        f"{kind:11}{max(error):8.2f}{100 * zero / span:8.2f}{100 * (span / ideal_span - 1):8.2f}{max(residual):10.2f}"
        f"{parts.sum():8.2f} ={''.join(f'{round(p, 2) + 0.0:7.2f}' for p in parts)}{read:7.2f}{share:6.2f}"
        f"{area.scaled.value * 1e12:8.3f}{area.per_bit * 1e12:8.3f}{area.squares:6.0f}  {area.scaled.provenance.status}"
    )


def write_decks(b: Bench, folder: Path) -> None:
    """One small deck per kind, every cell drawn: two local arrays of four rows, product 1 (or the top level) + 0."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in BASELINE_CELLS:
        cell = default_cell(b.devices, kind)
        symbols = np.arange(8).reshape(2, 4) % cell.symbols
        case = BaselineStimulus(symbols=symbols, selected=np.array([3, 1]), inputs=np.array([1, 0]))
        deck = baseline_column_deck(b.technology, cell, b.lcc, b.timing, b.condition, case, idle="full")
        (got, _), form = (
            simulate(deck, b.devices),
            shared_level(b.technology, cell, b.lcc, b.condition, case, b.charges),
        )
        with atomic_file(folder / f"{kind}.cir") as file:
            file.write(deck.text.encode("ascii"))
        print(f"{folder / f'{kind}.cir'}: {1e3 * got.level:.2f} mV, closed form {1e3 * form.level:.2f} mV")


def table(b: Bench, kinds: list[str], options: argparse.Namespace) -> None:
    """Print the lines of a technology."""
    source = "model cards" if b.charges is None else "one measured switch of each type"
    print(
        f"{b.technology.name}, {b.condition.label}, {options.locals} local arrays of {options.rows} rows, "
        f"{b.lcc.capacitance * 1e15:g} fF unit capacitors, switch charges from {source}"
    )
    print(f"{'':11}{'level, % of full scale':>34}{'energy, fJ per MAC':>32}{'needs, ns':>24}{'cell':>7}{'bit':>8}")
    heads = ("error", "offset", "gain", "residual", "sum", "", "word", "prec", "lcc", "ctrl", "cell", "read", "share")
    widths = (8, 8, 8, 10, 8, 2, 7, 7, 7, 7, 7, 7, 6)
    print("kind       " + "".join(f"{h:>{w}}" for h, w in zip(heads, widths, strict=True)) + "     um2     um2   F^2")
    for kind in kinds:
        row(b, kind, options)
    print(f"An operation takes {b.timing.duration * 1e9:.2f} ns here, with room in every phase.", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--technologies", default="open45")
    parser.add_argument("--kinds", default=",".join(BASELINE_CELLS))
    parser.add_argument("--cases", type=int, default=8, help="random cases per kind")
    parser.add_argument("--locals", type=int, default=16, help="local arrays on the compute line")
    parser.add_argument("--rows", type=int, default=16, help="rows of a local array")
    parser.add_argument("--mismatch", action="store_true", help="draw thresholds of selected and computing cells")
    parser.add_argument("--charges", choices=("auto", "card", "measured"), default="auto", help="of the switches")
    parser.add_argument("--decks", type=Path, metavar="FOLDER", help="write example decks there instead")
    options = parser.parse_args()
    names, kinds = options.technologies.split(","), options.kinds.split(",")
    for number, name in enumerate(names):
        try:
            bench = bench_of(name, options.charges)
        except InputError as error:
            print(f"{name}: left out: {error}", file=sys.stderr)
            continue
        if options.decks:
            write_decks(bench, options.decks / name if number else options.decks)
            continue
        table(bench, kinds, options)
    if options.decks:
        return
    print("Areas are of the cell alone, at the technology's feature size; computing cell, drivers and converters add.")
    for kind in kinds:
        area = make_baseline_cell(kind).area(45e-9)
        if area.macro is not None and area.macro_node is not None:
            print(f"{kind}: macro {area.macro.value / 1e12:.3f} Mb/mm2 ({area.macro.provenance.source})")


if __name__ == "__main__":
    main()

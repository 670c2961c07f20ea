"""Code errors by brute force against the model: a column and its comparator by transistors, every device drawn.

    python benchmarks/code_error.py [--point fitted|held-out|both] [--samples 1200] [--workers 2]
    python benchmarks/code_error.py --predict           predictions alone, nothing is counted

A decision between two neighbouring counts is simulated whole: row drivers, reset switch, sampling switch and StrongARM
comparator by transistors, cells drawn by line-edge roughness, the threshold of every transistor by Pelgrom's law.
Thermal noise is drawn as series voltages with the model's own sigmas, since a transient has none. The prediction is
made first, from the readout table of the same column (transfer, mismatch, adc_margin) and drawn comparators.
`held-out`: level spacing and static spread come from a surrogate model over row pitch and rows that was trained at
other geometries.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from characterization.campaign import Task, run_tasks
from characterization.dataset import Dataset
from characterization.models.box import Domain, DomainInput
from characterization.models.column_bench import COLUMN_BOX, ColumnBench
from characterization.models.form import Form, fit_form
from characterization.models.surrogate import fit_surrogate
from characterization.patterns import build_pattern
from characterization.procedure_registry import with_requirements
from characterization.readout.code_error import (
    KnownFigure,
    PredictedFigure,
    clopper_pearson,
    predict_code_error,
    predict_figures,
)
from characterization.readout.comparator import OffsetSpread, offset_spread
from characterization.readout.decision import (
    ConverterCalibration,
    calibrate_reference,
    count_errors,
    decision_deck_of,
    input_load,
    read_decisions,
    switch_spread,
)
from characterization.readout.testbench import ReadoutTestbench
from characterization.testbench import Converter, Testbench, Variation
from interconnect.extraction import extract
from interconnect.variation import cell_sigma_from_ler
from metalrom.folders import cache_folder
from netlists.cells import make_cell
from netlists.cells.base import Plane
from netlists.condition import Condition
from netlists.periphery import Timing, default_periphery
from netlists.readout.decision import Decider, DeciderInput
from netlists.readout.strongarm import StrongArm
from netlists.technology import load_technology
from ngspice_runner import Cache

TECHNOLOGY = load_technology("generic28", "open45")
PLANE = Plane("M2", "M3")
CONDITION = Condition("tt", TECHNOLOGY.devices.vdd, 27.0)
TIMING = Timing(reset_end=0.1e-9, input_start=0.2e-9, read_after=0.2e-9)
EXTRACT = partial(extract, cache_dir=cache_folder("extraction"))
COLUMNS, ONES, NOISE_LSB = 256, 0.3, 0.02
LEVEL = 0.12
"""Where the input load is taken, and the comparators of the held-out point, V."""


@dataclass(frozen=True)
class Point:
    """A geometry and a pair of counts: rows on the bit line, driven ones, the lower count."""

    name: str
    row_pitch: float
    rows: int
    active: int
    count: int


POINTS = {
    "fitted": Point("fitted", 2.4e-6, 20, 16, 8),
    "held-out": Point("held-out", 2.65e-6, 18, 18, 9),
}
PATTERNS = 16
TRAIN_PITCH, TRAIN_ROWS = (2.0e-6, 2.4e-6, 2.9e-6, 3.4e-6), (12, 16, 20, 24)
BOX = Domain(
    (DomainInput("rows", 12, 24, log=True, integer=True), DomainInput("row_pitch", 2.0e-6, 3.4e-6, "m", log=True))
)
"""Where the surrogate models are trained; neither 18 rows nor a pitch of 2.65 um is among them."""
DECIDER = Decider(comparator=StrongArm(input_width=4e-6))


def setup_of(point: Point, load: float, samples: int) -> Testbench:
    """The point's column as the project's own path characterizes it, the readout as a load (F)."""
    cell = make_cell("cap_balanced", {"row_pitch": point.row_pitch})
    model = cell.model(TECHNOLOGY.stack, PLANE, EXTRACT)
    spread, lengths = TECHNOLOGY.stack.spread, cell.lengths(TECHNOLOGY.stack, PLANE)
    gap = lengths.columns.pitch / 3 - lengths.columns.width
    sigma = cell_sigma_from_ler(lengths.tab_length, gap, spread.edge_sigma, spread.edge_correlation)
    return Testbench(
        technology=TECHNOLOGY,
        model=model,
        periphery=default_periphery(TECHNOLOGY.devices, sense_capacitance=load),
        timing=TIMING,
        rows=point.rows,
        columns=COLUMNS,
        conditions=(CONDITION,),
        variation=Variation(sigma, f"line-edge roughness of {TECHNOLOGY.stack.name}"),
        converter=Converter(0.0, NOISE_LSB, 5e-9),
        ones=ONES,
        samples=samples,
        max_levels=7,
        seed=1,
    )


def column_bench(bench: ReadoutTestbench) -> ColumnBench:
    """Simulates spacing and static spread of a column at any geometry, as the surrogate model is trained."""
    return ColumnBench(
        TECHNOLOGY, EXTRACT, PLANE, CONDITION.corner, COLUMNS, TIMING, workers=bench.workers, cache=bench.cache
    )


def comparators(bench: ReadoutTestbench, level: float, options: argparse.Namespace) -> OffsetSpread:
    """Drawn comparators at a level (V) of the bit line."""
    return offset_spread(bench, samples=options.comparators, seed=5, sizes=DECIDER.comparator, common_mode=level)


def fitted(
    point: Point, bench: ReadoutTestbench, load: float, options: argparse.Namespace
) -> tuple[Testbench, ConverterCalibration, PredictedFigure]:
    """The project's own path: transfer, mismatch and adc_margin of the very column."""
    setup = setup_of(point, load, options.chips)
    tasks = [t for p in with_requirements(("adc_margin",)) for t in p.plan(setup)]
    data = Dataset(run_tasks(setup, tasks, cache=bench.cache, workers=bench.workers).samples)
    known = calibrate_reference(setup, bench, DECIDER, point.active, point.count)
    offsets = comparators(bench, round(known.level, 3), options).offsets
    return setup, known, predict_code_error(setup, data, load, known, offsets, active=point.active, count=point.count)


def opening_gain(setup: Testbench, bench: ReadoutTestbench) -> float:
    """Change of the open sample per change of the bit line, around half of all rows counting, by ngspice."""
    n = setup.rows
    decks = []
    for count in (n // 2 - 2, n // 2 + 2):
        pattern = build_pattern("drawn", n, n, count, COLUMNS, np.random.SeedSequence([7, n]), ONES)
        decks.append(decision_deck_of(setup, DeciderInput(decider=DECIDER, reference=LEVEL), pattern))
    low, high = read_decisions(setup, bench, DECIDER, decks)
    return (high.sampled - low.sampled) / (high.line - low.line)


def pattern_spread(setup: Testbench, bench: ReadoutTestbench) -> float:
    """Spread (V) of the bit line over drawn patterns with all rows active and half of them counting, by ngspice."""
    # Every geometry draws its own, so that the scatter of few patterns shows as noise of the model.
    n, pitch = setup.rows, round(setup.model.pitch[0] * 1e12)
    patterns = [
        build_pattern("drawn", n, n, n // 2, COLUMNS, np.random.SeedSequence([8, n, pitch, i]), ONES)
        for i in range(PATTERNS)
    ]
    tasks = [Task("pattern", CONDITION, n, n // 2, p.name, -1, p.case(COLUMNS, ONES)) for p in patterns]
    return float(
        np.std([s.level for s in run_tasks(setup, tasks, cache=bench.cache, workers=bench.workers).samples], ddof=1)
    )


def held_out(
    point: Point, bench: ReadoutTestbench, load: float, options: argparse.Namespace
) -> tuple[Testbench, PredictedFigure]:
    """Surrogate models of spacing, static spread and gain over row pitch and rows, asked at a geometry not in them."""
    grid = [(float(rows), pitch) for pitch in TRAIN_PITCH for rows in TRAIN_ROWS]
    fixed = {"vdd": CONDITION.vdd, "temperature": CONDITION.temperature, "sense_capacitance": load}
    base = default_periphery(TECHNOLOGY.devices)
    full = np.array(
        [
            [{**fixed, "rows": r, "row_pitch": p, "reset_width": base.reset_width}[name] for name in COLUMN_BOX.names]
            for r, p in grid
        ]
    )
    figures = column_bench(bench).run(COLUMN_BOX, full)
    setups = [setup_of(Point("", p, int(r), int(r), 0), load, 30) for r, p in grid]
    trained = {
        "spacing": figures.lsb,
        "static": figures.static,
        "gain": np.array([opening_gain(s, bench) for s in setups]),
        "pattern": np.array([pattern_spread(s, bench) for s in setups]),
        "switches": np.array([switch_spread(s, bench, DECIDER, s.rows, s.rows // 2, LEVEL) for s in setups]),
    }
    where = np.array([[point.rows, point.row_pitch]])
    found = {}
    for name, values in trained.items():
        form = fit_form(
            Form("constant", {"value": float(np.mean(values))}), BOX.named(np.array(grid)), values, ["value"]
        )
        model = fit_surrogate(name, "V", BOX, grid, values, form=form, folds=8, smooth=False, seed=1)
        p = model.predict(where)
        error = float(np.hypot(p.sigma[0], p.noise[0]))
        found[name] = KnownFigure(float(p.mean[0]), error)
        print(f"  {name}: {p.mean[0]:.5g} +- {error:.2g}, cross-validated rms {100 * model.quality.relative_rms:.2f} %")
    setup = setup_of(point, load, 30)
    return setup, predict_figures(setup, load, **found, offsets=comparators(bench, LEVEL, options).offsets)


def show(p: PredictedFigure) -> None:
    """A prediction and what it is made of."""
    m = p.model
    print(f"  distances {' '.join(f'{v * 1e3:.3f}' for v in m.distance)} mV, spread of levels ", end="")
    print(f"{' '.join(f'{v * 1e3:.3f}' for v in m.level)} mV, switches {m.switches * 1e3:.3f} mV, ", end="")
    print(f"offset {m.offset * 1e3:.3f} mV, noise ", end="")
    print(", ".join(f"{k} {v * 1e3:.3f}" for k, v in asdict(m.noise).items()), "mV")
    print(f"  predicted {p.value:.4f} ({p.low:.4f} to {p.high:.4f})", flush=True)


def run(point: Point, bench: ReadoutTestbench, options: argparse.Namespace) -> None:
    """Predict, then count."""
    began = time.monotonic()
    print(f"{point.name}: row pitch {point.row_pitch * 1e6:g} um, {point.active} of {point.rows} rows active, ", end="")
    print(f"count {point.count} or {point.count + 1}")
    load = input_load(bench, DECIDER, LEVEL)
    if point.name == "fitted":
        setup, known, p = fitted(point, bench, load, options)
        show(p)
    else:
        setup, p = held_out(point, bench, load, options)
        show(p)
        known = calibrate_reference(setup, bench, DECIDER, point.active, point.count)
    print(f"  input load {load * 1e15:.3f} fF; nominal decks: level {known.level * 1e3:.1f} mV, ", end="")
    print(
        f"spacing {known.spacing * 1e3:.3f} mV, gain {known.gain:.4f}, reference {known.reference * 1e3:.2f} mV ",
        end="",
    )
    print(f"[{time.monotonic() - began:.0f} s]", flush=True)
    if options.predict:
        return
    b = count_errors(
        setup, bench, DECIDER, known.reference, p.model.noise,
        active=point.active, count=point.count, samples=options.samples, seed=options.seed,
    )  # fmt: skip
    wrong, kept = int(b.wrong.sum()), len(b.wrong)
    low, high = clopper_pearson(wrong, kept)
    upper = b.counts == point.count
    print("  counted samples: distances ", end="")
    print(", ".join(f"{s * np.mean(b.difference[u]) * 1e3:.3f}" for s, u in ((-1, upper), (1, ~upper))), end="")
    print(" mV, spread of levels and switches ", end="")
    print(", ".join(f"{np.std(b.difference[u]) * 1e3:.3f}" for u in (upper, ~upper)), "mV")
    print(f"  counted {wrong} of {kept}: {wrong / kept:.4f} ({low:.4f} to {high:.4f}); ", end="")
    print(f"count {point.count}: {np.mean(b.wrong[upper]):.4f}, next: {np.mean(b.wrong[~upper]):.4f}; ", end="")
    print(f"{b.undecided} undecided, {b.failed} failed; {b.cpu_seconds:.0f} s CPU for {b.fresh} decks ", end="")
    print(f"[{time.monotonic() - began:.0f} s]", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--point", choices=[*POINTS, "both"], default="both")
    parser.add_argument("--samples", type=int, default=1200)
    parser.add_argument("--chips", type=int, default=100, help="Monte-Carlo chips of the readout table")
    parser.add_argument("--comparators", type=int, default=400, help="drawn comparators of the offset sigma")
    parser.add_argument("--seed", type=int, default=2027, help="of the brute force")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--predict", action="store_true")
    options = parser.parse_args()
    with Cache() as cache:
        bench = ReadoutTestbench(TECHNOLOGY, CONDITION, workers=options.workers, cache=cache)
        for name in POINTS if options.point == "both" else [options.point]:
            run(POINTS[name], bench, options)


if __name__ == "__main__":
    main()

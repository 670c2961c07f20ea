"""Code errors of the whole readout path by brute force against the model, row to code, under transient noise.

    python benchmarks/chain_conversions.py [--point usual|tall|wide|all] [--samples 1000] [--workers 2] [--seed 1]
    python benchmarks/chain_conversions.py --check noise|twin      what the counted reads rest on, each shown first

A conversion is one transient of a column and its readout chain up to the comparator's input: rows, drivers, reset,
follower, select, line, clamp and multiplexer by transistors, all drawn, with noise currents beside every channel. The
converter is its twin: thresholds by bisection on its transistors, noise by its sensitivity. `--check twin` shows that
twin and transistors are one: thresholds at codes that the twin has not seen, codes of reads, codes of whole columns,
noise of decisions in place; `--check noise` that noise in time is that of the noise analysis.

`tall` and `wide` have cells and readouts of other sizes than the product's defaults; nothing is fitted to any point.
Every prediction is printed before its conversions are counted. A round of 1,000 conversions takes about 7 minutes of
CPU time.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from characterization.column_testbench import ColumnTestbench
from characterization.noise import BOLTZMANN
from characterization.readout.chain_conversions import (
    ConversionPoint,
    column_read_deck,
    count_conversions,
    drawn_case,
    predict_conversions,
    search_chain,
)
from characterization.readout.chain_noise import measure_chain_noise
from characterization.readout.chain_transient import channel_conductances, drawn_currents
from characterization.readout.code_error import clopper_pearson
from characterization.readout.comparator_noise import point_of, sensitivity_of
from characterization.readout.converter_twin import (
    ConverterTwin,
    conversion_codes,
    count_decision_noise,
    fit_twin,
    search_thresholds,
)
from characterization.testbench import Converter, Testbench, Variation, setup_chain
from interconnect.extraction import extract
from interconnect.variation import cell_sigma_from_ler
from metalrom.folders import cache_folder
from netlists.cells import make_cell
from netlists.cells.base import Plane
from netlists.condition import Condition
from netlists.periphery import Timing, default_periphery
from netlists.readout.chain import DoubleSampler, ReadoutChain, SegmentCircuit, SharedLine
from netlists.readout.chain_noise import SPECTRUM, chain_noise_deck
from netlists.readout.conversion import Conversion, array_of, conversions_deck
from netlists.readout.strongarm import StrongArm
from netlists.technology import load_technology
from ngspice_runner import Cache

TECHNOLOGY = load_technology("generic28", "open45")
PLANE = Plane("M2", "M3")
CONDITION = Condition("tt", TECHNOLOGY.devices.vdd, 27.0)
EXTRACT = partial(extract, cache_dir=cache_folder("extraction"))
COLUMNS, ONES = 256, 0.3
CODES = tuple(range(40, 209, 24))
"""Codes at which the twin is searched; `HELD` are those that test it."""
HELD = (76, 100, 124, 132, 148, 172)
LEVELS = (0.30, 0.40, 0.50)
"""Levels of the bus at which the comparator's noise is measured, V."""


@dataclass(frozen=True)
class Point:
    """A cell, the rows of its group, and a readout; 8 rows are driven, 4 of them count."""

    name: str
    cell: dict[str, float]
    rows: int
    chain: ReadoutChain = field(default_factory=ReadoutChain)
    point: ConversionPoint = field(default_factory=lambda: ConversionPoint(8, 4))


POINTS = {
    "usual": Point("usual", {"row_pitch": 200e-9, "tab_length": 150e-9}, 84),
    "tall": Point(
        "tall", {"row_pitch": 240e-9, "tab_length": 190e-9}, 88,
        ReadoutChain(
            segment=SegmentCircuit(follower_width=0.36e-6, select_width=0.3e-6),
            line=SharedLine(segments=8, capacitance=25e-15, resistance=350.0, bias_current=7e-6),
            sampler=DoubleSampler(capacitance=45e-15, clamp_width=0.3e-6),
        ),
    ),
    "wide": Point(
        "wide", {"row_pitch": 280e-9, "column_pitch": 330e-9, "tab_length": 200e-9}, 64,
        ReadoutChain(
            segment=SegmentCircuit(follower_width=0.2e-6),
            line=SharedLine(segments=16, planes=2, capacitance=11e-15, resistance=150.0),
            sampler=DoubleSampler(capacitance=22e-15),
            comparator=StrongArm(input_width=1.4e-6, tail_width=0.45e-6, same_width=2.1e-6, other_width=1.1e-6),
        ),
    ),
}  # fmt: skip


def setup_of(point: Point, seed: int) -> Testbench:
    """The point's column and chain as the product characterizes them."""
    cell = make_cell("cap_balanced", point.cell)
    spread, lengths = TECHNOLOGY.stack.spread, cell.lengths(TECHNOLOGY.stack, PLANE)
    gap = lengths.columns.pitch / 3 - lengths.columns.width
    sigma = cell_sigma_from_ler(lengths.tab_length, gap, spread.edge_sigma, spread.edge_correlation)
    return Testbench(
        technology=TECHNOLOGY,
        model=cell.model(TECHNOLOGY.stack, PLANE, EXTRACT).complement_driven(),
        periphery=default_periphery(TECHNOLOGY.devices),
        timing=Timing(),
        rows=point.rows,
        columns=COLUMNS,
        conditions=(CONDITION,),
        variation=Variation(sigma, f"line-edge roughness of {TECHNOLOGY.stack.name}"),
        converter=Converter(0.0, 0.0, 5e-9),
        ones=ONES,
        seed=seed,
        timeout=600.0,
        chain=point.chain,
    )


def offset_sigma(sizes: StrongArm) -> float:
    """Sigma of a comparator's offset, V: that of its input pair (Pelgrom)."""
    return float(np.sqrt(2) * TECHNOLOGY.devices.sigma_vth("pmos", sizes.input_width, sizes.input_length))


def twin_of(bench: ColumnTestbench, chain: ReadoutChain) -> ConverterTwin:
    """The converter's twin, from its transistors."""
    points = [(v, point_of(TECHNOLOGY, CONDITION, chain.comparator, v, bench.run)) for v in LEVELS]
    return fit_twin(TECHNOLOGY, CONDITION, chain, CODES, points, bench.run)


def conductances(bench: ColumnTestbench) -> dict[str, float]:
    """Noise conductances of the chain's channels at the reset level."""
    s, chain = bench.setup, setup_chain(bench.setup)
    return channel_conductances(
        TECHNOLOGY, chain, CONDITION, capacitance=s.rows * s.model.bl_total, bit_line=chain.segment.reset_level,
        run=bench.run,
    )  # fmt: skip


def compare(point: Point, cache: Cache, options: argparse.Namespace) -> None:
    """Predict, print, then count."""
    began = time.monotonic()
    setup = setup_of(point, 1)
    bench = ColumnTestbench(setup, cache=cache, workers=options.workers)
    print(
        f"{point.name}: {point.cell}, {point.point.active} of {point.rows} rows driven, count {point.point.count}, ",
        end="",
    )
    print(f"cells {100 * setup.variation.cell_sigma:.2g} %", flush=True)
    twin = twin_of(bench, point.chain)
    (noise,) = measure_chain_noise(setup, bench).points
    offset = offset_sigma(point.chain.comparator)
    p = predict_conversions(setup, twin, noise, bench.run, point.point, offset_sigma=offset)
    print(
        f"  mean level {p.distances[0] * 1e3:.2f} above and {p.distances[1] * 1e3:.2f} "
        "mV below its thresholds; sigma in mV: ",
        end="",
    )
    print(
        f"devices and cells {p.static * 1e3:.3f}, place and neighbours "
        f"{p.pattern * 1e3:.3f}, chain {p.chain * 1e3:.3f}, ",
        end="",
    )
    print(f"comparator {p.comparator * 1e3:.3f}, thresholds of the converter {p.converter * 1e3:.3f}")
    print(
        f"  predicted {p.value:.4f}, 95 % interval {p.low:.4f} to {p.high:.4f} [{time.monotonic() - began:.0f} s]",
        flush=True,
    )
    if options.predict:
        return
    found = count_conversions(
        setup, twin, p, conductances(bench), bench.run, point.point,
        offset_sigma=offset, samples=options.samples, seed=options.seed,
    )  # fmt: skip
    low, high = clopper_pearson(found.wrong, found.codes.size)
    rate = found.wrong / found.codes.size
    inside = "inside" if p.low <= rate <= p.high else "OUTSIDE"
    print(
        f"  counted {found.wrong} of {found.codes.size}: {rate:.4f} ({low:.4f} to "
        f"{high:.4f}), {inside} the prediction; ",
        end="",
    )
    print(f"below {np.sum(found.codes < found.count)}, above {np.sum(found.codes > found.count)}; ", end="")
    still = float(np.sqrt(p.static**2 + p.pattern**2 + p.chain**2 - twin.array_noise**2))
    print(
        f"spread of the bus {np.std(found.bus, ddof=1) * 1e3:.3f} mV, predicted "
        f"{still * 1e3:.3f} through the aperture; ",
        end="",
    )
    print(f"{found.cpu_seconds:.0f} s CPU [{time.monotonic() - began:.0f} s]", flush=True)


def check_noise(point: Point, cache: Cache, options: argparse.Namespace) -> None:
    """One block: the first sample, kept by the series capacitor. And the bus before its column joins: k T / C."""
    setup = setup_of(point, 1)
    bench = ColumnTestbench(setup, cache=cache, workers=options.workers)
    chain, kelvin = point.chain, CONDITION.kelvin
    deck = chain_noise_deck(
        TECHNOLOGY, chain, CONDITION, sample="first", capacitance=setup.rows * setup.model.bl_total,
        bit_line=chain.segment.reset_level, bus_level=chain.sampler.common_mode,
    )  # fmt: skip
    (spectrum,) = bench.run("chain_noise", (deck,))
    f, out = (np.real(spectrum.signals[n].values) for n in ("frequency", SPECTRUM))
    expected = float(np.sqrt(np.trapezoid(np.where(f > 1e6, out, 0.0) ** 2, f)))
    print(f"{point.name}: first sample by the noise analysis {expected * 1e6:.0f} uV (from 1 MHz on)", flush=True)
    held, g = search_chain(chain, point.point.active), conductances(bench)
    case = drawn_case(setup, point.point.active, point.point.count, np.random.SeedSequence([options.seed]))
    decks = [
        column_read_deck(setup, held, case, currents=drawn_currents(
            held, g, kelvin, np.random.default_rng([options.seed, i]), decisions=[chain.timing.decides]))
        for i in range(options.samples)
    ]  # fmt: skip
    results = bench.run("chain_transient", decks)
    t = chain.timing

    def at(name: str, when: float) -> np.ndarray:
        return np.array(
            [np.interp(when, np.real(r.signals["time"].values), np.real(r.signals[name].values)) for r in results]
        )

    after, joins = t.clamp_opens + 0.1e-9, t.bus_joins
    kept = float(np.std(at("v(sampled)", after) - at("v(line)", after), ddof=1))
    bus = float(np.std(at("v(bus)", joins), ddof=1))
    error = 100 / np.sqrt(2 * (len(results) - 1))
    print(
        f"  in time, {len(results)} reads: {kept * 1e6:.0f} uV "
        f"({100 * (kept / expected - 1):+.1f} %, standard error {error:.1f} %)"
    )
    load = BOLTZMANN * kelvin / bus**2
    print(f"  bus before it joins: {bus * 1e6:.0f} uV, k T / C of {load * 1e15:.2f} fF", flush=True)


def check_twin(point: Point, cache: Cache, options: argparse.Namespace) -> None:
    """Thresholds, codes and decision noise of the transistors against the twin."""
    setup = setup_of(point, 1)
    bench = ColumnTestbench(setup, cache=cache, workers=options.workers)
    chain = point.chain
    twin = twin_of(bench, chain)
    step = float(np.diff(twin.threshold(np.array([127, 128])))[0])
    print(
        f"{point.name}: step of the array {step * 1e3:.2f} mV, offsets "
        f"{np.round(twin.offsets * 1e3, 2).tolist()} mV at {CODES}"
    )
    found = search_thresholds(TECHNOLOGY, CONDITION, chain, HELD, bench.run)
    errors = found - twin.threshold(np.array(HELD))
    print(f"  thresholds at {HELD}: twin off by {np.round(errors * 1e3, 3).tolist()} mV", flush=True)
    table = tuple(range(50, 203, 8))
    rng = np.random.default_rng(options.seed)
    levels = [float(v) for v in rng.uniform(0.05, 0.55, 48)]
    deck = conversions_deck(TECHNOLOGY, CONDITION, chain, Conversion(codes=table), levels)
    (result,) = bench.run("conversions", (deck,))
    got = conversion_codes(deck, result, array_of(chain).decisions(len(table) + 1))
    t, v = (np.real(result.signals[n].values) for n in ("time", "v(bus)"))
    bus = np.interp([r[0] for r in deck.reads], t, v)
    want = np.array([twin.convert(np.full(8, b), np.array(table)) for b in bus])
    near = np.abs(twin.threshold(np.array(table))[None, :] - bus[:, None]).min(axis=1)[got != want]
    print(f"  {len(levels)} conversions of drawn levels: {np.sum(got == want)} codes equal; the others are ", end="")
    print(f"{np.round(near * 1e3, 2).tolist()} mV from a threshold", flush=True)
    whole(setup, twin, bench, point, options)
    sense = sensitivity_of(TECHNOLOGY, CONDITION, chain.comparator, LEVELS[1], bench.run)
    print(f"  decision noise of the twin {sense.point.noise * 1e3:.3f} mV", flush=True)
    seen = count_decision_noise(
        TECHNOLOGY, CONDITION, chain, array_of(chain).middle, sense, bench.run, decisions=options.decisions
    )
    print(
        f"  of the transistors in place {seen.value * 1e3:.3f} +- {seen.error * 1e3:.3f} "
        f"mV, {options.decisions} decisions",
        flush=True,
    )


def whole(
    setup: Testbench, twin: ConverterTwin, bench: ColumnTestbench, point: Point, options: argparse.Namespace
) -> None:
    """Whole columns to their codes in transistors, noise of the chain on, against the twin on the same reads."""
    chain, a = point.chain, point.point.active
    g = conductances(bench)
    levels = np.linspace(-1, 1, a + 1)[:-1] + 1 / a
    codes = tuple(int(c) for c in twin.code_at(LEVELS[1] + levels * a * 2.6e-3))
    conversion = Conversion(codes=codes)
    held = search_chain(chain, a)
    edges = [float(chain.timing.decides + array_of(chain).cycle * i) for i in range(1, 5)]
    decks = []
    for i in range(options.whole):
        case = drawn_case(setup, a, 2 + i % 5, np.random.SeedSequence([options.seed, i]))
        currents = drawn_currents(held, g, CONDITION.kelvin, np.random.default_rng([options.seed, i]), decisions=edges)
        decks.append(column_read_deck(setup, chain, case, currents=currents, conversion=conversion))
    results = bench.run("whole_path", decks)
    equal, far = 0, []
    for result in results:
        t, v = (np.real(result.signals[n].values) for n in ("time", "v(bus)"))
        end = conversion.read_at(held)
        got = sum(int(np.interp(end, t, np.real(result.signals[f"v(q_{k})"].values)) > 0.5) << k for k in range(4))
        bus = float(np.interp(chain.timing.decides, t, v))
        want = twin.convert(np.full(4, bus), np.array(codes))
        equal += got == want
        if got != want:
            far.append(round(1e3 * float(np.abs(twin.threshold(np.array(codes)) - bus).min()), 2))
    seconds = np.mean([r.provenance.cpu_seconds for r in results if r.provenance])
    print(
        f"  {len(decks)} whole columns, noise of the chain on: {equal} codes equal; the "
        f"others {far} mV from a threshold; ",
        end="",
    )
    print(f"{seconds:.1f} s CPU each", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--point", choices=[*POINTS, "all"], default="all")
    parser.add_argument("--check", choices=["noise", "twin"])
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--decisions", type=int, default=800, help="of --check twin")
    parser.add_argument("--whole", type=int, default=20, help="whole columns of --check twin")
    parser.add_argument("--seed", type=int, default=1, help="of the drawn reads")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--predict", action="store_true", help="predictions alone")
    options = parser.parse_args()
    action = {"noise": check_noise, "twin": check_twin, None: compare}[options.check]
    with Cache() as cache:
        for name in POINTS if options.point == "all" else [options.point]:
            action(POINTS[name], cache, options)


if __name__ == "__main__":
    main()

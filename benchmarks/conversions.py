"""Conversions and energy per multiply-accumulate by scheme, with what each costs in accuracy.

    python benchmarks/conversions.py RUN [--pair RUN2] [--words 20] [--write]
    python benchmarks/conversions.py RUN --check decisions

RUN: output folder of `metalrom run examples/minilm_chain.yaml`, or of a variant; RUN2: of one whose converter takes
differences (`readout.converter: {kind: pair}`). Every scheme is read through the table of one of both, on the run's
own layer: conversions per MAC as the engine makes them, energy and time as `metalrom estimate` bills them, CSNR of the
layer without and with the chip's errors, and MiniLM with every linear layer in it (`metalrom evaluate`, 8-bit
activations, one chip). What dropped partial products should cost is printed first, from place values and two moments of
the data. --check decisions: simulates conversions among fewer counts, whose energy the bill takes in proportion to the
comparator's clocks. --write: writes the tables of
docs/explanation/conversions.md anew.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.accuracy import words_only
from characterization.column_testbench import ColumnTestbench
from characterization.procedures.chain_energy import LEVELS, converter_energies
from interconnect.files import atomic_write_text
from metalrom.api import Project
from metalrom.config.schema import Config
from metalrom.design.setup import group_setup
from metalrom.folders import cache_folder
from metalrom.macro import Macro, Mitigation, csnr, estimate_layer
from metalrom.macro.conversions import ConversionRule, largest_drop, product_with_drops
from metalrom.macro.estimate import LayerEstimate
from metalrom.run.folder import Run, open_run
from metalrom.studies.accuracy import ActivationRule, QuantizedOperator, WeightRule, chips_of
from metalrom.studies.accuracy.macro_product import SIGNED_VALUES, MacroProduct, reads_signs
from metalrom.studies.accuracy.quantized import ExactProduct
from metalrom.workloads.networks.linear import float_operator
from netlists.mapping import Scheme, scheme_of
from ngspice_runner import Cache

PAGE = Path(__file__).resolve().parent.parent / "docs" / "explanation" / "conversions.md"
TARGET = 40.0
"""CSNR that dropped partial products keep on the layer, dB."""

GOALS = {"8 bits": 0.6, "ternary": 0.15}
"""pJ per MAC: 8-bit weights within a cosine of .99, ternary ones."""


@dataclass(frozen=True)
class Layer:
    """Activations and float weights of the run's layer in integers of `bits`, and its product."""

    x: np.ndarray
    w: np.ndarray

    @cached_property
    def y(self) -> np.ndarray:
        return self.x @ self.w


@dataclass(frozen=True)
class Way:
    """A way to convert: mapping, bits of a weight, rule, mitigations. drop: as many products as keep `TARGET`, of every
    layer by itself. network: whether MiniLM is run through it."""

    title: str
    mapping: str
    bits: int = 8
    pair: bool = False
    drop: bool = False
    rule: Mapping[str, bool] = field(default_factory=dict)
    mitigations: tuple[Mitigation, ...] = ()
    network: bool = False


ECONOMY = {"skip_idle": True, "popcount_range": True}
CHECKED = (Mitigation(residue=6, retries=2),)
WAYS = (
    Way("differential", "differential", network=True),
    Way("differential, short", "differential", rule=ECONOMY),
    Way("differential, dropped", "differential", drop=True, rule=ECONOMY),
    Way("signed digits, dropped", "signed_digits", drop=True, rule=ECONOMY),
    Way("two's complement", "twos_complement", network=True),
    Way("two's complement, short", "twos_complement", rule=ECONOMY),
    Way("two's complement, dropped", "twos_complement", drop=True, rule=ECONOMY, network=True),
    Way("two's complement, checked", "twos_complement", rule=ECONOMY, mitigations=CHECKED, network=True),
    Way("the same, dropped", "twos_complement", drop=True, rule=ECONOMY, mitigations=CHECKED, network=True),
    Way("pair", "differential", pair=True, network=True),
    Way("pair, signed digits, dropped", "signed_digits", pair=True, drop=True, rule=ECONOMY),
    Way("4 bits, differential", "differential", bits=4, rule=ECONOMY),
    Way("4 bits, two's complement", "twos_complement", bits=4, rule=ECONOMY),
    Way("the same, checked", "twos_complement", bits=4, rule=ECONOMY, mitigations=CHECKED, network=True),
    Way("ternary", "ternary", bits=2, rule=ECONOMY),
    Way("ternary, pair", "ternary", bits=2, pair=True, rule=ECONOMY),
)


def scheme_of_way(way: Way, run: Run) -> Scheme:
    return scheme_of(way.mapping, way.bits, SIGNED_VALUES if reads_signs(run.table) else (0, 1))


def layer_of(way: Way, run: Run) -> Layer:
    """The run's layer; of fewer bits its 8-bit weights rounded again, ternary ones as they are distilled: zero below
    0.7 of the mean magnitude."""
    x, w = np.asarray(run.layer.activations, np.int64), np.asarray(run.layer.weights, np.int64)
    if way.bits == 2:
        w = np.sign(w) * (np.abs(w) > 0.7 * np.abs(w).mean(axis=0))
    elif way.bits < 8:
        w = np.rint(w * ((2 ** (way.bits - 1) - 1) / 127)).astype(np.int64)
    return Layer(x, w)


def predicted(scheme: Scheme, layer: Layer, below: int) -> float:
    """CSNR of dropping from place values and moments: bits of low planes and remainders of weights at random.

    Each dropped plane i adds rows x 4^i / 4 (a bit about its mean) x the mean square of the remainders of the weights
    modulo 2^(below - i): (4^k - 1) / 12 of two's complement about their mean, (2^k - 1)(2^(k+1) - 1) / 6 of magnitudes
    with a sign, (4^k + 2) / 12 of the nearest multiple.
    """
    square = {
        "twos_complement": lambda k: (4**k - 1) / 12,
        "differential": lambda k: (2**k - 1) * (2 ** (k + 1) - 1) / 6,
        "signed_digits": lambda k: (4**k + 2) / 12,
    }[scheme.encoding.mapping]
    noise = sum(len(layer.w) * 4**i / 4 * square(below - i) for i in range(below))
    return float(10 * np.log10(layer.y.var() / noise)) if noise else float("inf")


def curve(run: Run) -> list[tuple[str, int, int, float, float]]:
    """(mapping, drop_below, conversions of 112 or 64, CSNR predicted, measured)."""
    rows = []
    for mapping in ("differential", "signed_digits", "twos_complement"):
        way = Way("", mapping)
        scheme, layer = scheme_of(mapping, 8), layer_of(way, run)
        expected = [predicted(scheme, layer, t) for t in range(1, 8)]
        print(f"{mapping:16} predicted, dropped below 2^1 to 2^7: {' '.join(f'{v:.1f}' for v in expected)} dB")
        for t in range(1, 8):
            got = csnr(layer.y, product_with_drops(layer.x, layer.w, scheme, t, input_bits=8)).raw
            kept = Macro.ideal(mapping=mapping, drop_below=t).partial_products
            rows.append((mapping, t, kept, expected[t - 1], got))
        print(f"{mapping:16} measured                           {' '.join(f'{r[4]:.1f}' for r in rows[-7:])} dB")
    return rows


@dataclass(frozen=True)
class Found:
    """Figures of a way. energy, soon: pJ per MAC in fixed and in variable time; latency of the layer's tile, us."""

    way: Way
    below: int
    conversions: float
    energy: float
    soon: float
    latency: tuple[float, float]
    drops: float
    layer: float
    network: Network | None


@dataclass(frozen=True)
class Network:
    """MiniLM in a way: conversions per MAC, code errors, cosine and rho."""

    conversions: float
    errors: float
    cosine: float
    rho: float


def bill(way: Way, run: Run, rule: ConversionRule, layer: Layer, cost: float, time_cost: float) -> LayerEstimate:
    """The layer's estimate on its own data; costs: conversions and time of the mitigations over those without."""
    results, scheme = run.results, scheme_of_way(way, run)
    geometry = replace(results.macro_geometry, mapping=way.mapping, weight_bits=way.bits, rule=rule)
    values = scheme.encoding.symbol_values
    ideal = Macro.ideal(
        rows=run.table.rows, levels=len(values), mapping=way.mapping, weight_bits=way.bits, symbol_values=values,
        drop_below=rule.drop_below,
    )  # fmt: skip
    found = estimate_layer(
        geometry, run.table, results.condition, inputs=len(layer.w), outputs=layer.w.shape[1],
        histogram=ideal.count_histogram(layer.x, layer.w),
    )  # fmt: skip
    return replace(
        found,
        conversions=round(found.conversions * cost),
        energy=found.energy * cost,
        latency=found.latency * time_cost,
    )


def measure(way: Way, folder: Path, run: Run, words: int) -> Found:
    layer, scheme = layer_of(way, run), scheme_of_way(way, run)
    below, drops = largest_drop(layer.x, layer.w, scheme, TARGET, input_bits=8) if way.drop else (0, np.inf)
    rule = ConversionRule(**way.rule, drop_below=below)
    options: dict[str, Any] = {"mapping": way.mapping, "mitigations": way.mitigations, **rule.options}
    chip = chips_of(str(folder))[0]
    own = options | ({"symbol_values": SIGNED_VALUES} if reads_signs(run.table) else {})
    macro = chip.macro(weight_bits=way.bits, seed=1, **own)
    made = macro.run(layer.x, layer.w)
    groups = -(-len(layer.w) // run.table.rows)
    planned = len(layer.x) * groups * macro.partial_products * layer.w.shape[1]
    cost = (made.conversions + made.skipped) / planned  # of repeats and check columns alone
    time_cost = cost / macro.mitigation_cost(*layer.w.shape).bit_columns  # check columns bring converters with them
    fixed = bill(way, run, rule, layer, cost, time_cost)
    soon = bill(way, run, replace(rule, variable_time=bool(way.rule)), layer, cost, time_cost)
    network = through_network(way, folder, rule, words) if way.network else None
    return Found(
        way, below, made.conversions / (len(layer.x) * layer.w.size), 1e12 * fixed.energy.mid / fixed.macs,
        1e12 * soon.energy.mid / soon.macs, (1e6 * fixed.latency.mid, 1e6 * soon.latency.mid), drops,
        csnr(layer.y, made.y).raw, network,
    )  # fmt: skip


def through_network(way: Way, folder: Path, rule: ConversionRule, words: int) -> Network:
    work = words_only(words)
    options = {"mapping": way.mapping, "mitigations": way.mitigations, **rule.options}
    if way.drop:
        options = {name: v for name, v in options.items() if name != "drop_below"} | {"drop_csnr": TARGET}
    product = MacroProduct(chips_of(str(folder))[0], weight_bits=way.bits, input_bits=8, seed=1, options=options)
    operator = QuantizedOperator(product, WeightRule(way.bits).within(product.scheme), ActivationRule(8))
    figures = work.figures(work.run(operator), work.run(float_operator))
    macs = work.tokens * sum(layer.inputs * layer.outputs for layer in work.layers)
    return Network(
        product.conversions / macs, product.code_error_rate, figures["wordsim_cosine"], figures["wordsim_spearman"]
    )


def energy_of(f: Found) -> float:
    """pJ per MAC in variable time: of the network, which drops less than the run's layer, where it was run."""
    return f.soon * (f.network.conversions / f.conversions if f.network else 1.0)


def shown(f: Found) -> tuple[str, ...]:
    dropped = "" if not f.below else f"below 2^{f.below}, {f.drops:.1f}"
    n = f.network
    network = ("",) * 4 if n is None else (
        f"{n.conversions:.2f}", f"{n.errors:.1e}", f"{n.cosine:.4f}", f"{n.rho:.3f}")  # fmt: skip
    return (
        f.way.title, f"{f.conversions:.2f}", f"{f.energy:.2f}, {f.soon:.2f}",
        f"{f.latency[0]:.0f}, {f.latency[1]:.0f}", dropped, f"{f.layer:.1f}", *network,
    )  # fmt: skip


HEAD = (
    "scheme", "conversions per MAC", "pJ per MAC: fixed, variable time", "us per vector", "dropped, dB",
    "layer, dB", "network: conversions per MAC", "code errors", "cosine", "rho",
)  # fmt: skip


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def check_decisions(run: Run) -> None:
    """Energy of conversions among fewer counts over that among all, simulated and in proportion to the clocks."""
    design = Project(config=Config.model_validate(run.results.config), path=PAGE)
    setup = group_setup(design, run.table.rows)
    chain, condition = setup.chain, setup.conditions[0]
    assert chain is not None
    every, number = chain.converter.duration(setup.max_count + 1), setup.max_count + 1
    counts = [2, 3, 5, 9, number]
    print("expected: in proportion to the clocks", {n: round(chain.converter.duration(n) / every, 3) for n in counts})
    energy = {}
    with Cache(cache_folder("simulations")) as cache:
        bench = ColumnTestbench(setup, cache=cache)
        for n in counts:
            swing = setup.line_swing(condition.vdd) / chain.converter.columns * (n - 1) / setup.max_count
            levels = [max(chain.segment.reset_level + part * swing, 0.0) for part in LEVELS]
            found = converter_energies(
                setup.technology, condition, chain, n, levels, lambda name, decks: bench.run(name, decks, timeout=600)
            )
            energy[n] = sum(found.values())
    for n in counts:
        ratio, clocks = energy[n] / energy[number], chain.converter.duration(n) / every
        print(f"{n:3} counts: {energy[n] * 1e15:.0f} fJ, {ratio:.3f} of all; over the clocks' {ratio / clocks:.3f}")


def read_as(run: Run) -> str:
    """What a run's tables are of, in words."""
    c, q = run.results.config, run.results.quality[0]
    line = c["readout"]["line"].get("bias_switch_width")
    return (
        f"`{run.results.name}`: {run.table.rows} rows per conversion, {c['array']['columns_per_adc']} columns per "
        f"converter, {'bias switched' if line else 'bias always on'}, {run.results.condition}, code error "
        f"{q.code_error_expected:.1e}"
    )


def write_page(
    run: Run, pair: Run | None, points: list[tuple[str, int, int, float, float]], rows: list[Found],
    goals: list[str],
) -> None:  # fmt: skip
    """The tables of the page of the documentation anew."""
    of = {"differential": 112, "signed_digits": 112, "twos_complement": 64}
    cells = {(m, t): f"{kept} of {of[m]}, {expected:.1f}, {got:.1f}" for m, t, kept, expected, got in points}
    drops = table(("dropped below", *of), [(f"2^{t}", *(cells[m, t] for m in of)) for t in range(1, 8)])
    read = "\n".join(f"- {read_as(r)}" for r in (run, pair) if r)
    found = table(HEAD, [shown(r) for r in rows])
    tables = {"drops": drops, "schemes": "\n\n".join([read, found, "\n".join(f"- {goal}" for goal in goals)])}
    text = PAGE.read_text(encoding="utf-8")
    for name, new in tables.items():
        start = text.index(f"<!-- {name} -->") + len(f"<!-- {name} -->")
        text = f"{text[:start]}\n\n{new}\n\n{text[text.index('<!-- end -->', start) :]}"
    atomic_write_text(PAGE, text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--pair", type=Path)
    parser.add_argument("--words", type=int, default=20)
    parser.add_argument("--check", choices=["decisions"])
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    run = open_run(args.run)
    if args.check:
        check_decisions(run)
        return
    points = curve(run)
    print(" | ".join(HEAD))
    rows = []
    for way in WAYS:
        folder = args.pair if way.pair else args.run
        if folder is None:
            continue
        start = time.perf_counter()
        rows.append(measure(way, folder, open_run(folder) if way.pair else run, args.words))
        print(" | ".join(shown(rows[-1])), f"| {time.perf_counter() - start:.0f} s", flush=True)
    goals: list[str] = []
    work = words_only(args.words)
    exact = work.run(QuantizedOperator(ExactProduct(), WeightRule(8), ActivationRule(8)))
    cosine = work.figures(exact, work.run(float_operator))["wordsim_cosine"]
    goals.append(f"{args.words} words; exact integers of 8 bits: cosine {cosine:.4f}")
    for name, goal in GOALS.items():
        bits = 2 if name == "ternary" else 8
        fit = [r for r in rows if r.way.bits == bits and (bits == 2 or (r.network and r.network.cosine >= 0.99))]
        best = min(fit, key=energy_of, default=None)
        text = "no scheme" if best is None else f"{energy_of(best):.1f} pJ per MAC ({best.way.title})"
        goals.append(f"{name} in variable time: goal {goal} pJ per MAC, found {text}")
        print(goals[-1])
    if args.write:
        write_page(run, open_run(args.pair) if args.pair else None, points, rows, goals)


if __name__ == "__main__":
    main()

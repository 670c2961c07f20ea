"""What stacking pays: 1, 2, 4 and 8 planes over shared circuits, and four planes in one deck against their table.

    python benchmarks/stacking.py [--planes 1,2,4,8] [--run OUT] [--write]

Default configuration: examples/minilm_chain.yaml (fetch minilm first) on `generic28_tall`, whose metals hold ten
planes, 20 rows per conversion, typical corner. Every number of planes is probed as group sizes are (49 decks: levels
with one device after the other one sigma off, noise); supplies and settling are measured, areas are drawn. The code
error is that of these probes: what stored data and partly driven rows add is left out. Rows of the estimate are driven
as the layer's data drive them.

`--run`: a finished run of the example (any sharing, several planes). Levels of its planes by a flat deck (cells, resets
and followers of all planes and of the columns on a line, rows of all planes driven, another plane read just before) are
compared with its tables; bound 0.05 LSB. `--write` puts the tables into docs/explanation/stacking.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import metalrom
from characterization.chain_group import rate_chain_group
from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.procedures.chain_energy import ChainEnergy, measure_chain_energy
from characterization.procedures.chain_settling import measure_chain_settling
from characterization.tables.table import ReadoutTable
from characterization.testbench import Testbench
from metalrom.design.design import Design
from metalrom.folders import cache_folder
from metalrom.macro import synthetic_table
from metalrom.macro.chain_cost import ChainCost
from metalrom.macro.estimate import MacroEstimate, estimate_macro
from metalrom.macro.scaling import stacked_at_node
from metalrom.run.characterize import histogram
from metalrom.run.evaluate import macro_geometry
from metalrom.run.folder import open_run
from metalrom.run.readout_cost import chain_cost, chain_geometry
from netlists.readout.stacked_segment import StackedPlane, stacked_deck
from ngspice_runner import Cache

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "minilm_chain.yaml"
PAGE = ROOT / "docs" / "explanation" / "stacking.md"
TARGET = 1e-4
GOAL = 2.5
"""Bits per area of four planes over those of one."""
BOUND = 0.05
"""LSB between the flat deck and the table."""

SHARING: Mapping[str, dict[str, Any]] = {
    "as the example": {},
    "two columns a line, memory rules, rows held": {
        "technology": {"periphery_rules": "memory"},
        "array": {"columns_per_adc": 32},
        "readout": {"schedule": "held", "line": {"columns": 2}},
    },
}
"""Circuits that are compared, as changes of the example."""

PROTOTYPE = {1: 1.0, 2: 1.8, 4: 2.9, 8: 4.4}
"""Density of so many planes over that of one in the first prototype of this readout."""


@dataclass(frozen=True)
class Stacked:
    """A number of planes with one way of sharing. error: of the probes; cost: of the readout; apart: every plane with
    the circuits of a single one; nodes: of metals and transistors, m."""

    planes: int
    error: float
    cost: ChainCost
    estimate: MacroEstimate
    apart: MacroEstimate | None
    nodes: tuple[float, float]

    @property
    def density(self) -> float:
        """Bits over area with the periphery, Mb/mm2."""
        return self.estimate.footprint.density_stacked.mid

    @property
    def density_at_node(self) -> float:
        """The same with transistors shrunk to the node of the metals."""
        metals, devices = self.nodes
        area = stacked_at_node(self.estimate, metals=metals, devices=devices, node=metals).mid
        return self.density * self.estimate.footprint.stacked.mid / area


def changed(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with further values, section by section."""
    out = dict(base)
    for key, value in changes.items():
        out[key] = changed(dict(out.get(key) or {}), value) if isinstance(value, Mapping) else value
    return out


def design_of(planes: int, changes: Mapping[str, Any], folder: Path) -> Design:
    """The example with so many planes."""
    text = changed(yaml.safe_load(EXAMPLE.read_text()), {"technology": {"stack": "generic28_tall"}})
    text["cell"]["planes"] = [{"row": f"M{2 * k + 2}", "column": f"M{2 * k + 3}"} for k in range(planes)]
    path = folder / f"stacked_{planes}.yaml"
    path.write_text(yaml.safe_dump(changed(text, changes)))
    return metalrom.load(path)


def row_table(setup: Testbench, energy: ChainEnergy) -> ReadoutTable:
    """A table that carries the measured energy of the rows; its levels are ideal."""
    point = energy.points[0]
    active = np.arange(setup.rows + 1.0)
    table = synthetic_table(setup.rows, sigma_noise=0.1)
    rows = point.rows / point.active * active / setup.columns
    return table.replace(conditions=setup.conditions[:1], row_energy=rows[None], read_time=1e-9)


def measured(planes: int, changes: Mapping[str, Any], cache: Cache, folder: Path, single: ChainCost | None) -> Stacked:
    """Probes, supplies, drawn parts of so many planes. single: readout of one plane, for planes that share nothing."""
    design = design_of(planes, changes, folder)
    rows = design.config.array.group_rows
    assert isinstance(rows, int)
    setup, used = design.setup(rows), histogram(design, rows)
    rated, _ = rate_chain_group(setup, used, TARGET, cache=cache, workers=1)
    bench = ColumnTestbench(setup, cache=cache, workers=1)
    energy, settling = measure_chain_energy(setup, bench, {}), measure_chain_settling(setup, bench, {})
    cost = chain_cost(design, setup, energy, settling)
    table = row_table(setup, energy)

    def estimate(shared: ChainCost) -> MacroEstimate:
        shape = chain_geometry(macro_geometry(design, rows), shared)
        return estimate_macro(shape, table, setup.conditions[0], histogram=used)

    single = cost if planes == 1 else single
    apart = None if single is None else estimate(replace(single, planes_per_line=1, density=cost.density))
    metals, devices = design.stack.node, design.technology.devices.node
    assert metals is not None
    assert devices is not None
    return Stacked(planes, rated.code_error, cost, estimate(cost), apart, (metals, devices))


def rows_of(found: list[Stacked]) -> Iterator[tuple[str, ...]]:
    """One line per figure, one column per number of planes."""
    first = found[0]
    yield ("planes", *(str(s.planes) for s in found))
    yield ("code error of the probes", *(f"{s.error:.1e}" for s in found))
    yield ("bits with periphery, Mb/mm2", *(f"{s.density:.2f}" for s in found))
    yield ("  over that of one plane", *(f"{s.density / first.density:.2f}" for s in found))
    yield (
        "  its range",
        *(f"{d.low:.1f} to {d.high:.1f}" for d in (s.estimate.footprint.density_stacked for s in found)),
    )
    yield ("weight bits, Mb/mm2", *(f"{s.estimate.footprint.weight_density_stacked.mid:.2f}" for s in found))
    yield ("bits, transistors at the metals' node", *(f"{s.density_at_node:.2f}" for s in found))
    yield ("energy per conversion, fJ", *(f"{s.estimate.energy_per_conversion.mid * 1e15:.0f}" for s in found))
    yield ("energy per MAC, pJ", *(f"{s.estimate.energy_per_mac.mid * 1e12:.2f}" for s in found))
    yield ("product of a tile, us", *(f"{s.estimate.latency.mid * 1e6:.1f}" for s in found))
    yield ("10^9 MAC per s and mm2", *(f"{s.estimate.footprint.tops_per_mm2_stacked.mid * 500:.2f}" for s in found))
    yield ("not settled", *("; ".join(s.estimate.flags) or "nothing" for s in found))
    yield ("tile, um2", *(f"{s.estimate.footprint.stacked.mid * 1e12:.0f}" for s in found))
    for name in found[-1].estimate.area:
        parts = (s.estimate.area.get(name) for s in found)
        yield (f"  {name}", *("-" if p is None else f"{p.value.mid * 1e12:.0f}" for p in parts))
    alone = ("-" if s.apart is None else f"{s.apart.footprint.density_stacked.mid:.2f}" for s in found)
    yield ("nothing shared: bits, Mb/mm2", *alone)


def markdown(rows: list[tuple[str, ...]]) -> str:
    """Rows as a table, the first as its head."""
    lines = ["| " + " | ".join(cell.replace("  ", "&nbsp;&nbsp;") for cell in row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines)


def prediction(design: Design) -> str:
    """What is expected before anything is simulated."""
    rows, columns = design.config.array.rows, design.config.array.columns
    ratios = ", ".join(f"{p}: {r:g}" for p, r in PROTOTYPE.items())
    return (
        f"prediction: density by planes {ratios} (the prototype's); a plane adds two transistors for each of\n"
        f"{columns * -(-rows // 20)} segments and no line, capacitor, converter or driver; its rows are driven with "
        "those of all others,\nso that their energy grows with the planes and the rest does not; planes take turns, so "
        "that a product of\nthe tile takes in proportion to them; off followers load the line a little: code errors "
        "within a factor of 2"
    )


def flat_check(folder: Path, cache: Cache) -> tuple[list[tuple[str, ...]], bool]:
    """Levels of a run's planes in the flat deck against its tables."""
    run = open_run(folder)
    source = yaml.safe_load(yaml.safe_dump(run.results.config))
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "run.yaml"
        path.write_text(yaml.safe_dump(source))
        design = metalrom.load(path)
        setup = design.setup(run.table.rows)
        used = histogram(design, run.table.rows)
    chain = setup.chain
    assert chain is not None
    models = {label: p.model for p in setup.stacked for label in p.planes}
    tables = dict.fromkeys(setup.plane_labels, run.table)
    if run.planes is not None:
        tables = {label: run.planes.table(label) for label in setup.plane_labels}
    n, labels, condition = setup.rows, setup.plane_labels, setup.conditions[0]
    bench = ColumnTestbench(setup, cache=cache, workers=1)
    places = [(0, n, c) for c in range(n + 1)] + [(0, n // 2, c) for c in range(0, n // 2 + 1, 2)]
    places += [(p, n, c) for p in range(1, len(labels)) for c in range(0, n + 1, 5)]
    decks = []
    for plane, active, count in places:
        rng = np.random.default_rng([plane, active, count])
        case = setup.stimulus(stimulus_of(setup, draw_pattern(setup, "random0", active, count)))
        drawn = [replace(case, bits=rng.integers(0, 2, case.bits.shape).astype(np.uint8)) for _ in labels]
        drawn[plane] = case
        stack = [StackedPlane(models[label], c) for label, c in zip(labels, drawn, strict=True)]
        fresh = (plane + 1) % len(labels) if len(labels) > 1 else None
        decks.append(stacked_deck(setup.technology, setup.periphery, condition, chain, stack, plane, fresh=fresh))
    levels = bench.levels("stacked", decks)
    off = []
    for (plane, active, count), level in zip(places, levels, strict=True):
        table = tables[labels[plane]]
        off.append((level - table.level[0, active, count]) / table.lsb(condition))
    table, here = tables[labels[0]], [(a, c, v) for (p, a, c), v in zip(places, levels, strict=True) if p == 0]
    level = np.array(table.level)
    for active, count, v in here:
        level[0, active, count] = v
    weight = np.array([used[a, c] for a, c, _ in here], dtype=float)
    errors = [
        np.array([t.code_errors(condition)[a, c] for a, c, _ in here]) for t in (table, table.replace(level=level))
    ]
    by_table, by_flat = (float(np.sum(weight * e) / weight.sum()) for e in errors)
    head = run.results.headline
    assert head is not None
    assert head.code_error_interval is not None
    low, high = (by_table * end / head.code_error for end in head.code_error_interval)
    worst = int(np.argmax(np.abs(off)))
    rows: list[tuple[str, ...]] = [("flat deck against the table", "figure")]
    rows.append(("reads", str(len(places))))
    for p, label in enumerate(labels):
        mine = [o for (q, _, _), o in zip(places, off, strict=True) if q == p]
        rows.append((f"plane {label}: largest, rms distance, LSB", f"{max(map(abs, mine)):.3f}, {np.std(mine):.3f}"))
    plane, active, count = places[worst]
    rows.append(("farthest read", f"{off[worst]:+.3f} LSB: {labels[plane]}, count {count} of {active}"))
    rows.append(("code error of these levels: table, flat", f"{by_table:.1e}, {by_flat:.1e}"))
    inside = low <= by_flat <= high
    rows.append(("  95 % interval of the table", f"{low:.1e} to {high:.1e}: {'inside' if inside else 'OUTSIDE'}"))
    good = max(map(abs, off)) <= BOUND and inside
    rows.append((f"bound {BOUND:g} LSB and interval", "met" if good else "MISSED"))
    return rows, good


def write(tables: Mapping[str, str]) -> None:
    """Put every table between its marks on the page."""
    text = PAGE.read_text()
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, rest = text.split(begin, 1)
        text = f"{before}{begin}\n{table}\n\n{end}{rest.split(end, 1)[1]}"
    PAGE.write_text(text)


def main() -> int:
    """Prediction, then tables; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--planes", default="1,2,4,8")
    parser.add_argument("--run", type=Path, help="a finished run of the example, for the flat deck")
    parser.add_argument("--write", action="store_true", help=f"write the tables into {PAGE.relative_to(ROOT)}")
    args = parser.parse_args()
    numbers, good, tables = [int(p) for p in args.planes.split(",")], True, {}
    print(prediction(metalrom.load(EXAMPLE)), flush=True)
    with Cache(cache_folder("simulations")) as cache, tempfile.TemporaryDirectory() as place:
        for name, changes in SHARING.items():
            found: list[Stacked] = []
            for planes in numbers:
                single = next((s.cost for s in found if s.planes == 1), None)
                found.append(measured(planes, changes, cache, Path(place), single))
                print(f"{name}: {planes} planes measured", file=sys.stderr, flush=True)
            rows = list(rows_of(found))
            tables[name] = markdown(rows)
            print(f"\n{name}")
            for head, *cells in rows:
                print(f"{head:38}" + "".join(f"{cell:>16}" for cell in cells), flush=True)
            by = {s.planes: s for s in found}
            if 1 in by and 4 in by:
                ratio = by[4].density / by[1].density
                print(f"goal: four planes hold {GOAL:g} times the bits of one per area: {ratio:.2f}")
                good = good and ratio >= GOAL
            good = good and all(s.error <= TARGET for s in found)
        if args.run:
            rows, met = flat_check(args.run, cache)
            tables["flat deck"] = markdown(rows)
            good = good and met
            print()
            for head, *cells in rows:
                print(f"{head:44}" + "".join(cells))
    if args.write:
        write(tables)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

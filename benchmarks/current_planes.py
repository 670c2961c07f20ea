"""Planes of a resistive cell that share a sense circuit: density before and after, four planes in one deck.

    python benchmarks/current_planes.py [--write]

Cells of examples/res_via_column.yaml (160 nm, 500 kohm) on `generic28`, whose metals hold four planes at that pitch.
The flat deck holds four planes of 24 columns with one driver for the rows of all of them; the planes that are not read
store drawn bits. Its levels are compared with those of the deck of one plane behind its select; bound 0.05 LSB with the
select of the defaults. `--write` puts the tables into docs/explanation/stacking.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import metalrom
from benchmarks.stacking import BOUND, changed, markdown, write
from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.testbench import Testbench
from metalrom.design.design import Design
from metalrom.folders import cache_folder
from metalrom.macro import synthetic_table
from metalrom.macro.estimate import MacroEstimate, estimate_macro
from metalrom.run.evaluate import macro_geometry
from netlists.case import ColumnStimulus
from netlists.condition import Condition
from netlists.plane_select import PlaneSelect
from netlists.readout.stacked_current import stacked_current_deck
from netlists.readout.stacked_segment import StackedPlane
from ngspice_runner import Cache

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "res_via_column.yaml"
ARRAYS: Mapping[str, dict[str, Any]] = {
    "128 x 64, 8 columns a converter": {"rows": 128, "columns": 64, "columns_per_adc": 8, "group_rows": 32},
    "1024 x 256, 256 columns a converter": {"rows": 1024, "columns": 256, "columns_per_adc": 256, "group_rows": 32},
}
"""The example's array, and one large enough that the cells are the larger part."""

SELECTS: Mapping[str, PlaneSelect] = {
    "defaults": PlaneSelect(planes=4, segments=4),
    "clamped, 1 um": PlaneSelect(planes=4, segments=4, clamp_width=1e-6),
    "transmission gate": PlaneSelect(planes=4, segments=4, kind="transmission"),
    "virtual ground at ground, gate 1 V": PlaneSelect(planes=4, segments=4, level=0.0, gate=1.0),
}
CONDITIONS = (Condition("tt", 1.0, 27.0), Condition("ff", 1.0, 85.0))
PREDICTION = (
    "prediction: by hand four planes that share reach 85 Mb/mm2 where 53 were billed, 1.6 times; via towers and sense\n"
    "circuits, which that figure left out, take from it. Floating bit lines pass currents between driven and resting\n"
    "rows: levels within 0.05 LSB of the deck of one plane, which holds them as one node; clamped ones take\n"
    "three times the row current more."
)


def design_of(planes: int, array: Mapping[str, Any], shared: int, folder: Path) -> Design:
    """The example's cell on so many planes."""
    text = yaml.safe_load(EXAMPLE.read_text())
    text["cell"]["planes"] = [{"row": f"M{2 * k + 2}", "column": f"M{2 * k + 3}"} for k in range(planes)]
    changes = {"technology": {"stack": "generic28"}, "array": array}
    text = changed(text, {**changes, "readout": {"plane_select": {"planes_shared": shared}}})
    path = folder / "planes.yaml"
    path.write_text(yaml.safe_dump(text))
    return replace(metalrom.load(path), extraction="formula")


def estimates(array: Mapping[str, Any], folder: Path) -> list[tuple[str, ...]]:
    """Density and areas of 1, 2 and 4 planes, nothing shared and all."""
    rows = array["group_rows"]
    table = synthetic_table(rows, sigma_noise=0.1)

    def estimate(planes: int, shared: int, *, sense: bool = True) -> MacroEstimate:
        shape = macro_geometry(design_of(planes, array, shared, folder), rows)
        return estimate_macro(shape if sense else replace(shape, sense_area=0.0), table, table.conditions[0])

    numbers = (1, 2, 4)
    apart, together = [estimate(n, 1) for n in numbers], [estimate(n, n) for n in numbers]
    sense = together[-1].geometry.sense_area
    billed = [estimate_macro(replace(e.geometry, sense_area=sense), table, table.conditions[0]) for e in apart]
    bare = [estimate(n, n, sense=False) for n in numbers]

    def densities(found: list[MacroEstimate]) -> list[str]:
        return [f"{e.footprint.density_stacked.mid:.2f}" for e in found]

    out: list[tuple[str, ...]] = [("planes", *map(str, numbers))]
    out.append(("nothing shared: bits, Mb/mm2", *densities(apart)))
    out.append(("  with sense circuits", *densities(billed)))
    out.append(("shared: bits, Mb/mm2", *densities(together)))
    out.append(
        (
            "  its range",
            *(f"{d.low:.1f} to {d.high:.1f}" for d in (e.footprint.density_stacked for e in together)),
        )
    )
    out.append(("  without the sense circuits", *densities(bare)))
    names = dict.fromkeys(name for e in together for name in e.area)
    for name in names:
        cells = []
        for a, b in zip(apart, together, strict=True):
            cells.append(", ".join(f"{e.area[name].value.mid * 1e12:.0f}" if name in e.area else "-" for e in (a, b)))
        out.append((f"  {name}, um2: apart, shared", *cells))
    out.append(
        (
            "product of a tile, us: apart, shared",
            *(f"{a.latency.mid * 1e6:.2f}, {b.latency.mid * 1e6:.2f}" for a, b in zip(apart, together, strict=True)),
        )
    )
    return out


def levels(setup: Testbench, condition: Condition, cache: Cache, planes: int) -> tuple[list[float], float, list[float]]:
    """(flat deck less deck of one plane in LSB, LSB in A, row energies of the flat deck, J)."""
    n, bench = setup.rows, ColumnTestbench(setup, cache=cache, workers=1)
    places = [(a, c) for a in (n, n // 2) for c in range(0, a + 1, a // 2)]
    cases = [setup.stimulus(stimulus_of(setup, draw_pattern(setup, "random0", *place))) for place in places]
    one = [bench.deck(condition, case) for case in cases]
    flat = []
    for i, case in enumerate(cases):
        rng = np.random.default_rng(i)
        stored = [
            (rng.random((n, setup.columns - 1 + setup.columns % 2)) < setup.ones).astype(np.uint8)
            for _ in range(planes - 1)
        ]
        others = [
            ColumnStimulus(bits=b, inputs=case.inputs, columns_total=setup.columns, ones_fraction=setup.ones)
            for b in stored
        ]
        stack = [StackedPlane(setup.model, c) for c in (case, *others)]
        flat.append(stacked_current_deck(setup.technology, setup.periphery, setup.timing, condition, stack, 0))
    read = [bench.read(d, r) for d, r in zip([*one, *flat], bench.run("planes", [*one, *flat]), strict=True)]
    near, far = read[: len(one)], read[len(one) :]
    lsb = (near[2][0] - near[0][0]) / n
    return (
        [(f[0] - o[0]) / lsb for o, f in zip(near, far, strict=True)],
        lsb,
        [f[1] for f in far],
    )


def flat_check(cache: Cache, folder: Path) -> tuple[list[tuple[str, ...]], bool]:
    """Every select against the deck of one plane, and what it costs a level."""
    array = {"rows": 32, "columns": 24, "columns_per_adc": 8, "group_rows": 8}
    setup = design_of(4, array, 1, folder).setup(8, nominal_only=True)
    head = (
        "LSB without: nA; change by the select, %",
        "at count 0, LSB",
        "flat less one plane: largest, LSB",
        "row energy over defaults",
    )
    out: list[tuple[str, ...]] = [("select, condition", *head)]
    good = True
    for condition in CONDITIONS:
        bench = ColumnTestbench(setup, cache=cache, workers=1)
        cases = [setup.stimulus(stimulus_of(setup, draw_pattern(setup, "random0", 8, c))) for c in (0, 8)]
        low, high = bench.levels("bare", [bench.deck(condition, c) for c in cases])
        bare, usual = (high - low) / 8, 0.0
        for name, select in SELECTS.items():
            there = replace(setup, periphery=replace(setup.periphery, plane_select=select))
            off, lsb, energy = levels(there, condition, cache, 4)
            (rest,) = ColumnTestbench(there, cache=cache, workers=1).levels(
                "rest", [ColumnTestbench(there).deck(condition, cases[0])]
            )
            worst, usual = max(map(abs, off)), usual or float(np.sum(energy))
            good = good and (name != "defaults" or worst <= BOUND)
            out.append(
                (
                    f"{name}, {condition.label}",
                    f"{bare * 1e9:.1f}; {100 * (lsb / bare - 1):+.1f}",
                    f"{rest / lsb:+.4f}",
                    f"{worst:.3f}",
                    f"{np.sum(energy) / usual:.1f}",
                )
            )
            print(out[-1], file=sys.stderr, flush=True)
    return out, good


def shown(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Rows for the terminal."""
    for head, *cells in rows:
        yield f"{head:48}" + "".join(f"{cell:>22}" for cell in cells)


def main() -> int:
    """Prediction, then tables; 1 where the bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the tables into docs/explanation/stacking.md")
    args = parser.parse_args()
    print(PREDICTION, flush=True)
    tables = {}
    with Cache(cache_folder("simulations")) as cache, tempfile.TemporaryDirectory() as place:
        for name, array in ARRAYS.items():
            rows = estimates(array, Path(place))
            tables[f"current planes, {name}"] = markdown(rows)
            print(f"\n{name}", *shown(rows), sep="\n", flush=True)
        rows, good = flat_check(cache, Path(place))
        tables["flat current deck"] = markdown(rows)
        print("", *shown(rows), sep="\n")
        print(f"bound {BOUND:g} LSB with the defaults: {'met' if good else 'MISSED'}")
    if args.write:
        write(tables)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

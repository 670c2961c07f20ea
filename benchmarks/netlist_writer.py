"""Writing and reading back a large programmed macro, and equivalent loads for idle rows in ngspice.

    python benchmarks/netlist_writer.py [--rows 1024] [--columns 256] [--planes 4] [--out DIR] [--part PART]

`write`: random integer weights fill every cell of one tile; elements (cell instances) per CPU second of the writer, of
the audit, faults found (0) and the largest resident memory. Twice: a cell with two symbols and one with four. A third
line writes a tile of a tenth of the rows, whose memory should be the same but for the program itself. `chain`: a tile
of 384 x 256 x 4 with reset switches alone and with a readout chain: size, and processor time of writer and audit, the
least of three. `equivalent`: 10 random columns, whole and with their idle rows as blocks, in ngspice with ideal
drivers: error of the read level against the whole column as measured and as `equivalent_deck` reports it, and the
processor time of both.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from netlists.audit import audit_netlist
from netlists.case import ColumnStimulus
from netlists.cells import cap_balanced
from netlists.cells.base import GROUND_LINE, SIGNAL, CellModel, Element, Plane, RowLine, Variant
from netlists.column import Periphery, Timing, column_deck
from netlists.condition import Condition
from netlists.equivalent import equivalent_deck
from netlists.mapping import Encoding, MacroShape, ViaProgram, tile, via_program
from netlists.readout.chain import ComparatorBus, ReadoutChain, SharedLine
from netlists.readout.tile_chain import TileChain
from netlists.technology import load_technology
from netlists.writer import write_netlist
from ngspice_runner import Job, run

AT = Condition("tt", 1.0, 27.0)


def two_symbols() -> CellModel:
    """A balanced cell with values of the size that field solution gives at 100 nm line pitch (round numbers)."""
    parts = {
        "bl_s": 2.3e-18,
        "bl_g": 2.3e-18,
        "bl_tab": 11.5e-18,
        "tab_bl": 0.12e-18,
        "bl_bl": 0.003e-18,
        "bl_gnd": 16.9e-18,
        "s_g": 38.0e-18,
        "s_gnd": 10.0e-18,
        "g_gnd": 10.0e-18,
        "tab_gnd": 16.4e-18,
    }
    return cap_balanced.build_balanced_model(
        cap_balanced.build_elements(parts, r_row=1.6, r_gnd=1.6, r_bl=1.1),
        plane=Plane("M2", "M3"),
        pitch=(200e-9, 300e-9),
        reference_temperature=27.0,
        relative_error=3e-3,
        fit_residual=1e-4,
        method="round numbers",
    )


def four_symbols() -> CellModel:
    """The same with a tab that is tied to one of four lines, as cap_select is."""
    base = two_symbols()
    lines = (SIGNAL, RowLine("two", "t", 2 / 3), RowLine("one", "o", 1 / 3), GROUND_LINE)
    pins = (*(f"{x.prefix}_{end}" for x in lines for end in ("in", "out")), "bl_in", "bl_out", "bl_next", "tab")
    elements = base.variants[0].elements
    for line in lines[1:3]:
        elements += (Element(f"C_{line.letter}", "bl_in", f"{line.prefix}_out", 2e-18, "to the bit line"),)
        elements += (Element(f"R_{line.prefix}", f"{line.prefix}_in", f"{line.prefix}_out", 1.6, "one segment"),)
    ties = ("gnd_out", "one_out", "two_out", "row_out")
    variants = tuple(Variant("cap_select", elements, {"tab": to}) for to in ties)
    return replace(base, kind="cap_select", pins=pins, variants=variants, lines=lines, symbol_values=(0, 1, 2, 3))


def write(rows: int, columns: int, planes: int, model: CellModel, path: Path) -> dict[str, Any]:
    """Write and audit one full tile; the figures."""
    technology = load_technology("generic28", "open45")
    shape = MacroShape(rows=rows, columns=columns, planes=planes)
    # Two's complement of 8 bits takes 8 bit columns of two symbols, 5 of four.
    width = {2: 8, 4: 5}[model.symbols]
    weights = np.random.default_rng(1).integers(-128, 128, (rows, -(-columns * planes // width)), dtype=np.int16)
    program = via_program(weights, 8, mapping="twos_complement", symbol_values=model.symbol_values)
    bits = program.bits[:, : columns * planes]
    cut = [getattr(program, name)[: columns * planes] for name in ("weight_column", "sign", "significance")]
    program = replace(program, bits=bits, **dict(zip(("weight_column", "sign", "significance"), cut, strict=True)))
    manifest = tile(program, shape)
    place: dict[str, Any] = {"group_rows": min(64, rows), "periphery": Periphery(), "condition": AT}
    before = peak()
    done = write_netlist(path, "macro", program, manifest, model, technology, **place)
    after = peak()
    start = time.process_time()
    report = audit_netlist(path, program, manifest, model, technology=technology, **place)
    audit = time.process_time() - start
    return {
        "cells": done.cells,
        "MB": done.size / 1e6,
        "rate": done.cells / done.cpu_seconds,
        "before": before,
        "writer": after,
        "audit": audit,
        "faults": report.wrong_bits + report.missing + report.duplicate + report.unknown,
        "peak": peak(),
    }


def peak() -> float:
    """Largest resident memory of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def alone(work: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """Run in a process of its own, so that its memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def show_write(options: argparse.Namespace, folder: Path) -> None:
    """The table of writing and auditing."""
    print("memory: before writing, after it, after the audit, MB")
    print(
        f"{'symbols':>8} {'rows':>6} {'cells':>10} {'MB':>7} {'per CPU s':>12} {'memory':>12} {'audit CPU s':>12} wrong"
    )
    for model, rows in (
        (two_symbols(), options.rows),
        (four_symbols(), options.rows),
        (two_symbols(), max(1, options.rows // 10)),
    ):
        f = alone(write, rows, options.columns, options.planes, model, folder / "macro.cir")
        memory = f"{f['before']:.0f} {f['writer']:.0f} {f['peak']:.0f}"
        figures = f"{model.symbols:>8} {rows:>6} {f['cells']:>10,} {f['MB']:>7.1f} {f['rate']:>12,.0f}"
        print(f"{figures} {memory:>12} {f['audit']:>12.2f} {f['faults']:>6}")


def show_chain(path: Path) -> None:
    """The table of a tile without and with its readout chain; groups of 64 rows, converters for 16 columns."""
    technology, model, rows, group = load_technology("generic28", "open45"), two_symbols(), 384, 64
    bits = np.random.default_rng(1).integers(0, 2, (rows, 1024)).astype(np.uint8)
    ones = np.ones(1024, dtype=np.int64)
    program = ViaProgram(bits, np.arange(1024), ones, 0 * ones, Encoding("stored", (0, 1)))
    manifest = tile(program, MacroShape(rows=rows, columns=256, planes=4))
    print(f"{'readout':>24} {'MB':>8} {'writer s':>9} {'audit s':>8}  wrong")
    for columns in (0, 1, 2):
        line = SharedLine(segments=rows // group, planes=4, columns=max(1, columns))
        chain = ReadoutChain(line=line, bus=ComparatorBus(columns=16 // max(1, columns)))
        found = TileChain(chain=chain, levels=group + 1) if columns else None
        place: dict[str, Any] = {
            "group_rows": group, "periphery": Periphery(), "condition": AT, "tile_chain": found,
        }  # fmt: skip
        times = []
        for _ in range(3):
            done = write_netlist(path, "macro", program, manifest, model, technology, **place)
            start = time.process_time()
            report = audit_netlist(path, program, manifest, model, technology=technology, **place)
            times.append((done.cpu_seconds, time.process_time() - start))
        writer, audit = np.min(times, axis=0)
        name = f"chain, {columns} column(s) a line" if columns else "reset switches"
        print(f"{name:>24} {done.size / 1e6:>8.2f} {writer:>9.3f} {audit:>8.2f}  {report.wrong_bits + report.unknown}")


def show_equivalent(rows: int) -> None:
    """The table of equivalent loads: 10 random columns between neighbours, an eighth to a half of the rows driven."""
    technology, model = load_technology("generic28", "open45"), two_symbols()
    ideal, timing = Periphery(kind="ideal"), Timing()
    print(
        "change of the level by the equivalent loads: at the read in ngspice and as reported, largest at any time, uV"
    )
    print("rows driven  blocks modelled level mV   ngspice  reported   largest CPU ms whole, short ratio")
    ratios = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        active = rng.uniform(1 / 8, 1 / 2)
        case = ColumnStimulus(
            bits=rng.integers(0, 2, (rows, 3)),
            inputs=(rng.random(rows) < active).astype(int),
            position=100,
            columns_total=256,
        )
        whole = column_deck(technology, model, ideal, timing, AT, case)
        level, before = measured(whole)
        for where in ("kept", "merged"):
            deck, error = equivalent_deck(technology, model, ideal, timing, AT, case, where=where)
            found, after = measured(deck)
            ratios.append((where, before / after))
            change = (found - level, error.read or 0.0, error.waveform or 0.0)
            figures = f"{rows:>4} {case.active:>6} {where:>7} {error.modelled_rows:>8} {level * 1e3:>8.3f}"
            changes = " ".join(f"{x * 1e6:>9.4f}" for x in change)
            print(f"{figures} {changes} {before * 1e3:>12.1f} {after * 1e3:>6.1f} {before / after:>5.2f}")
    for where in ("kept", "merged"):
        print(f"{where}: median ratio {np.median([r for w, r in ratios if w == where]):.2f}")


def measured(deck: Any) -> tuple[float, float]:
    """(level at the read, the least processor time of three runs, s)."""
    runs = [run(Job(text=deck.text, outputs=deck.outputs, stop=deck.stop)) for _ in range(3)]
    assert all(r.ok for r in runs), runs[0].log
    return float(runs[0].signals[deck.target].values[-1]), min(r.provenance.cpu_seconds for r in runs)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("rows", 1024), ("columns", 256), ("planes", 4), ("column_rows", 128)):
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default)
    parser.add_argument("--part", choices=("write", "chain", "equivalent"))
    parser.add_argument("--out", type=Path, help="folder for the netlists; default: a temporary one")
    options = parser.parse_args()
    print(f"{os.cpu_count()} processors, Python {sys.version.split()[0]}, numpy {np.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        if options.part in (None, "write"):
            show_write(options, options.out or Path(folder))
        if options.part in (None, "chain"):
            show_chain((options.out or Path(folder)) / "tile.cir")
        if options.part in (None, "equivalent"):
            show_equivalent(options.column_rows)


if __name__ == "__main__":
    main()

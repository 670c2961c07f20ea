"""Every passive cell kind side by side: area, capacitances, signal and simulation time of a column; example decks.

    python benchmarks/charge_cells.py                 table, about a minute with the field solver
    python benchmarks/charge_cells.py --decks docs/examples/netlists      write a small column deck of each kind

The decks are extracted too; `--method formula` is quick and rough.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from interconnect.extraction import extract
from interconnect.files import atomic_write_files
from metalrom.folders import cache_folder
from netlists.cells import make_cell
from netlists.cells.base import CellModel, Plane
from netlists.column import ColumnStimulus, Periphery, Timing, column_deck
from netlists.condition import Condition
from netlists.reference import closed_form_level
from netlists.technology import Technology, load_technology
from ngspice_runner import Job, run

KINDS: dict[str, dict[str, object]] = {
    "cap_present": {},
    "cap_balanced": {},
    "res_via": {},
    "cap_select": {"levels": 4},
    "cap_ternary": {},
}
PLANE = Plane("M2", "M3")
CONDITION = Condition("tt", 1.0, 27.0)
ROWS = 32
SENSE = 1.0e-16  # F


def cell_models(technology: Technology, method: str) -> dict[str, CellModel]:
    """The default cell of each kind."""
    stack = technology.stack
    folder = cache_folder("extraction")
    return {
        kind: make_cell(kind, given).model(stack, PLANE, lambda g, s: extract(g, s, method=method, cache_dir=folder))
        for kind, given in KINDS.items()
    }


def spacing(technology: Technology, model: CellModel) -> tuple[float, float, float]:
    """(level per count with transistors, V or A; the same by the closed form of the metal alone; CPU s per deck).

    Half of the column stores the symbol of the highest count, half that of the lowest; either half is driven. Stored
    data and number of driven rows stay, so neither load nor offset differ.
    """
    top, low = int(np.argmax(model.symbol_values)), int(np.argmin(model.symbol_values))
    symbols = np.full((ROWS, 3), low)
    symbols[: ROWS // 2] = top
    levels, alone, cpu = [], [], []
    bare = Periphery(sense_capacitance=0.0)
    for first in (1, 0):
        inputs = np.where(np.arange(ROWS) < ROWS // 2, first, 1 - first)
        case = ColumnStimulus(bits=symbols, inputs=inputs, symbol_values=model.symbol_values)
        deck = column_deck(technology, model, Periphery(sense_capacitance=SENSE), Timing(), CONDITION, case)
        result = run(Job(text=deck.text, outputs=deck.outputs, stop=deck.stop))
        if not result.ok or result.provenance is None:
            raise SystemExit(f"{model.kind}: {result.verdict}\n{result.log}")
        line = deck.levels({name: signal.values for name, signal in result.signals.items()})[case.target]
        levels.append(float(line[-1] - np.interp(deck.input_at or 0.0, result.signals["time"].values, line)))
        alone.append(closed_form_level(model, bare, CONDITION, case))
        cpu.append(result.provenance.cpu_seconds)
    counts = (model.symbol_values[top] - model.symbol_values[low]) * (ROWS // 2)
    return (levels[0] - levels[1]) / counts, (alone[0] - alone[1]) / counts, float(np.mean(cpu))


def table(technology: Technology, models: dict[str, CellModel]) -> None:
    """Print one line per kind."""
    print(f"{technology.name} {PLANE.label}, {ROWS} rows, {CONDITION.label}, readout {SENSE:g} F per bit line")
    print(
        "kind          area um2  bits/cell  C/count aF  C_BL aF  misfit   per count: metal alone      ngspice   CPU s"
    )
    for kind, m in models.items():
        step, alone, cpu = spacing(technology, m)
        scale, unit = (1e3, "mV") if m.mode == "charge" else (1e6, "uA")
        print(
            f"{kind:13} {m.area * 1e12:8.4f}  {np.log2(m.symbols):9.2f}  {m.switched * 1e18:10.2f}  "
            f"{m.bl_total * 1e18:7.1f}  {m.fit_residual:7.1e}  {scale * alone:18.3f} {unit}  {scale * step:8.3f} {unit}"
            f"  {cpu:6.3f}"
        )
        loads = ", ".join(f"{m.load(s) * 1e18:.1f}" for s in range(m.symbols))
        drives = ", ".join(f"{m.drive(s) * 1e18:.2f}" for s in range(m.symbols))
        print(f"              by symbol: drive {drives} aF; load of the first bit line {loads} aF")


def write_decks(technology: Technology, models: dict[str, CellModel], folder: Path) -> None:
    """One deck of 4 rows and 3 columns per kind; the middle column stores every symbol, rows 0, 1 and 3 are driven."""
    files = {}
    for kind, m in models.items():
        symbols = np.array([[(r + c + 1) % m.symbols for c in range(3)] for r in range(4)])
        case = ColumnStimulus(bits=symbols, inputs=[1, 1, 0, 1], symbol_values=m.symbol_values)
        deck = column_deck(technology, m, Periphery(), Timing(), CONDITION, case)
        files[f"{kind}.cir"] = deck.text.encode("ascii")
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write_files(folder, files)


def main() -> None:
    """Read the options and do one or the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decks", type=Path, help="folder for example decks, instead of the table")
    parser.add_argument("--method", default="auto", help="extraction: auto, fieldsolver, formula")
    options = parser.parse_args()
    technology = load_technology("generic28", "open45")
    models = cell_models(technology, options.method)
    if options.decks:
        write_decks(technology, models, options.decks)
    else:
        table(technology, models)


if __name__ == "__main__":
    main()

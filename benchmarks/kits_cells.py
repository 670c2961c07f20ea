"""Kits x cells x layers through the whole chain: every run ends in its report; one table.

    metalrom fetch freepdk45 sky130 gf180
    python benchmarks/kits_cells.py OUT [--kits open45,own] [--cells cap_balanced,wide_cell] [--layers matrix]

A tile of 16 x 16 cells on one plane, 4 rows per conversion, ideal readout, the typical corner at the kit's own supply.
Cells are drawn with the smallest lengths that the stack allows; `wide_cell` is the plugin of examples/plugins, `own`
the kit of examples/own_kit, whose descriptor has no area rules. A matrix is 27 x 4, a convolution 4 kernels of
3 x 3 x 3. Finished runs in OUT are read again, so that an interrupted table goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from interconnect.errors import InputError
from interconnect.formatting import amount
from interconnect.stackfile import load_stack
from metalrom.api import load
from metalrom.formatting import probability
from metalrom.pipeline import run_pipeline
from metalrom.plugins import load_named
from metalrom.run.estimate import run_layer
from metalrom.run.folder import Run, open_run
from ngspice_runner import EngineError

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
OWN = EXAMPLES / "own_kit"
PLUGIN = EXAMPLES / "plugins" / "wide_cell.py"
KITS = {
    "open45": ("open45", "open45", "metal2", "metal3"),
    "freepdk45": ("freepdk45", "freepdk45", "metal2", "metal3"),
    "sky130": ("sky130", "sky130", "met1", "met2"),
    "gf180": ("gf180", "gf180", "Metal2", "Metal3"),
    "own": (str(OWN / "stack.yaml"), str(OWN / "devices.yaml"), "M2", "M3"),
}
"""Stack, devices, metals of rows and of columns."""
CELLS = ("cap_present", "cap_balanced", "res_via", "cap_select", "cap_ternary", "wide_cell")
LAYERS = ("matrix", "convolution")
CURRENT = ("res_via", "wide_cell")
SHAPES = {"matrix": (27, 4), "convolution": (4, 3, 3, 3)}


@dataclass(frozen=True)
class Row:
    """A run of the table. error: why there is no report; empty otherwise."""

    kit: str
    cell: str
    layer: str
    cells: tuple[str, ...]
    error: str = ""


def configuration(kit: str, cell: str, layer: str) -> dict[str, object]:
    """The configuration of a run as plain values."""
    stack, devices, row, column = KITS[kit]
    lawless = cell in CURRENT or load_stack(stack).spread is None
    return {
        "name": f"{kit}_{cell}_{layer}",
        "technology": {"stack": stack, "devices": devices},
        "cell": {"kind": cell, "planes": [{"row": row, "column": column}]},
        "array": {"rows": 16, "columns": 16, "group_rows": 4},
        "weights": {"file": f"{layer}.npy", "bits": 4, "transpose": layer == "convolution"},
        "inputs": {"bits": 4, "source": "random", "vectors": 8},
        "conditions": {"corners": ["tt"]},
        "readout": {"kind": "ideal", "double_sampling": cell not in CURRENT},
        "characterization": {"patterns": 2, "samples": 30, "max_levels": 5},
        **({"variation": {"cell_sigma": "2.5%", "source": "assumed in this table"}} if lawless else {}),
    }


def finished(kit: str, cell: str, layer: str, out: Path) -> Run:
    """The run of a kit, a cell and a layer, from OUT or made now. Raises InputError and EngineError."""
    config, folder = out / f"{kit}_{cell}_{layer}.yaml", out / f"{kit}_{cell}_{layer}"
    text = yaml.safe_dump(configuration(kit, cell, layer), sort_keys=False)
    known = config.is_file() and config.read_text(encoding="utf-8") == text
    config.write_text(text, encoding="utf-8")
    if not (known and folder.is_dir()):
        run_pipeline(load(config), folder, jobs=1)
    return open_run(folder)


def cells_of(run: Run) -> tuple[str, ...]:
    """Verdict, LSB, code error, margin, area of a run."""
    results, table = run.results, run.table
    assert results.headline is not None
    footprint = run_layer(results, table).macro.known_footprint
    area = "not available" if footprint is None else f"{footprint.stacked.mid * 1e12:.0f} um2 (estimate)"
    assert run.holds("report.html")
    return (
        results.headline.verdict,
        amount(table.lsb(table.conditions[0]), table.unit),
        probability(results.headline.code_error),
        "-" if results.headline.margin_sigma is None else f"{results.headline.margin_sigma:.2f}",
        area,
    )


def rows(kits: list[str], cells: list[str], layers: list[str], out: Path) -> Iterator[Row]:
    """All runs, layer after layer of one kit and cell, which share their simulations."""
    for kit in kits:
        for cell in cells:
            for layer in layers:
                started = time.process_time()
                try:
                    row = Row(kit, cell, layer, cells_of(finished(kit, cell, layer, out)))
                except (InputError, EngineError) as error:
                    row = Row(kit, cell, layer, (), str(error))
                print(f"{kit} {cell} {layer}: {time.process_time() - started:.0f} s CPU", file=sys.stderr, flush=True)
                yield row


def markdown(found: list[Row]) -> str:
    """The table."""
    head = "| kit | cell | layer | verdict | LSB | code error | margin, sigma | area |\n" + "|---" * 8 + "|\n"
    lines = (
        f"| {r.kit} | {r.cell} | {r.layer} | "
        + (" | ".join(r.cells) if not r.error else f"no report: {r.error}")
        + " |"
        for r in found
    )
    return head + "\n".join(lines) + "\n"


def main() -> int:
    """The table on standard output and in OUT; 1 if a run has no report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    for name, every in (("kits", KITS), ("cells", CELLS), ("layers", LAYERS)):
        parser.add_argument(f"--{name}", default=",".join(every))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    load_named([str(PLUGIN)])
    random = np.random.default_rng(1)
    for layer, shape in SHAPES.items():
        np.save(given.out / f"{layer}.npy", random.standard_normal(shape))
    found = list(rows(given.kits.split(","), given.cells.split(","), given.layers.split(","), given.out))
    text = markdown(found)
    (given.out / "table.md").write_text(text, encoding="utf-8")
    print(text)
    return 1 if any(r.error for r in found) else 0


if __name__ == "__main__":
    sys.exit(main())

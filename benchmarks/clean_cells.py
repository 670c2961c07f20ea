"""Cells drawn to a kit's enclosure rules beside the same cells without them: density, R, C, and code error.

    metalrom fetch freepdk45 sky130
    python benchmarks/clean_cells.py OUT [--kits sky130,freepdk45] [--cells cap_balanced,res_via] [--readouts ideal]

`old`: a copy of the kit's stack that states neither enclosures nor areas nor a grid, as before the kits' rules were
data; a cut is then covered and no more. `clean`: the stack itself. Each cell on the kit's first plane at the smallest
lengths that its stack allows, and a run of it: 16 rows per conversion, one plane of 16 x 16 cells, the typical corner.
`switched`: what a driven row couples to the bit line with a stored 1 more than with a 0; `bit line`: the load that a
cell adds to it; `via`, `column`: resistances of a plug and of the bit line per row. Finished runs in OUT are kept.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import interconnect
from interconnect.errors import InputError
from interconnect.formatting import amount
from interconnect.stackfile import load_stack
from metalrom.api import load
from metalrom.formatting import probability
from metalrom.pipeline import run_pipeline
from metalrom.run.folder import open_run
from netlists.cells.base import CellModel
from ngspice_runner import EngineError

KITS = {"sky130": ("met1", "met2"), "freepdk45": ("metal2", "metal3")}
CELLS = ("cap_balanced", "cap_present", "cap_ternary", "res_via")
RULES = ("enclosure_below", "enclosure_above", "end_enclosure_below", "end_enclosure_above", "min_area")
HEAD = (
    "kit", "cell", "rules", "um2 per cell", "Mbit/mm2", "switched", "bit line", "via", "column", "readout", "LSB",
    "code error", "margin, sigma", "verdict",
)  # fmt: skip


def stack_without_rules(kit: str, folder: Path) -> str:
    """A copy of a kit's stack without the rules that came as data; returns its path."""
    source = Path(interconnect.__file__).parent / "stacks" / f"{kit}.yaml"
    data: dict[str, Any] = yaml.safe_load(source.read_text(encoding="utf-8"))
    data.pop("grid")
    for layer in (*data["metals"], *data["vias"]):
        for key in RULES:
            layer.pop(key, None)
    path = folder / f"{kit}_old.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return str(path)


def configuration(kit: str, stack: str, cell: str, readout: str) -> dict[str, object]:
    """The configuration of a run as plain values."""
    row, column = KITS[kit]
    current = cell == "res_via"
    assumed = current or load_stack(stack).spread is None
    return {
        "name": f"{kit}_{cell}",
        "technology": {"stack": stack, "devices": kit},
        "cell": {"kind": cell, "planes": [{"row": row, "column": column}]},
        "array": {"rows": 16, "columns": 16, "group_rows": 16},
        "weights": {"file": "weights.npy", "bits": 4},
        "inputs": {"bits": 4, "source": "random", "vectors": 8},
        "conditions": {"corners": ["tt"]},
        "readout": {"kind": readout, **({"double_sampling": not current} if readout == "ideal" else {})},
        "characterization": {"patterns": 2, "samples": 30, "max_levels": 5},
        **({"variation": {"cell_sigma": "2.5%", "source": "assumed in this table"}} if assumed else {}),
    }


def electrical(model: CellModel) -> tuple[str, ...]:
    """Switched and bit-line capacitance, resistances of a via and of a column, per cell."""
    line, names = model.bit_lines[0], {e.name for e in model.variants[1].elements}
    return (
        amount(model.drive(1) - model.drive(0), "F") if model.mode == "charge" else "-",
        amount(model.load(1), "F"),
        amount(model.value("R_plug"), "ohm") if "R_plug" in names else "-",
        amount(model.value(f"R_{line.prefix}"), "ohm"),
    )


def row(kit: str, cell: str, rules: str, readout: str, out: Path) -> tuple[str, ...]:
    """One line of the table. Raises InputError and EngineError."""
    stack = kit if rules == "clean" else stack_without_rules(kit, out)
    folder = out / f"{kit}_{cell}_{rules}_{readout}"
    config = folder.with_suffix(".yaml")
    text = yaml.safe_dump(configuration(kit, stack, cell, readout), sort_keys=False)
    known = config.is_file() and config.read_text(encoding="utf-8") == text
    config.write_text(text, encoding="utf-8")
    design = load(config)
    if not (known and folder.is_dir()):
        run_pipeline(design, folder, jobs=1)
    run = open_run(folder)
    headline, table, model = run.results.headline, run.table, design.models[0]
    assert headline is not None
    area = model.area * 1e12
    return (
        kit, cell, rules, f"{area:.3f}", f"{np.log2(model.symbols) / area:.2f}", *electrical(model), readout,
        amount(table.lsb(table.conditions[0]), table.unit), probability(headline.code_error),
        "-" if headline.margin_sigma is None else f"{headline.margin_sigma:.2f}", headline.verdict,
    )  # fmt: skip


def rows(kits: list[str], cells: list[str], readouts: list[str], out: Path) -> Iterator[tuple[str, ...]]:
    """All lines, the clean cell below the old one."""
    for kit in kits:
        for cell in cells:
            for readout in readouts:
                for rules in ("old", "clean"):
                    try:
                        yield row(kit, cell, rules, readout, out)
                    except (InputError, EngineError) as error:
                        yield (kit, cell, rules, *["-"] * 6, readout, *["-"] * 3, str(error))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--kits", default=",".join(KITS))
    parser.add_argument("--cells", default=",".join(CELLS))
    parser.add_argument("--readouts", default="ideal")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    np.save(given.out / "weights.npy", np.random.default_rng(1).standard_normal((16, 2)))
    print("| " + " | ".join(HEAD) + " |\n" + "|---" * len(HEAD) + "|", flush=True)
    for cells in rows(given.kits.split(","), given.cells.split(","), given.readouts.split(","), given.out):
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()

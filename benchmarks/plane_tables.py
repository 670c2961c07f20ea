"""Planes of a stack against each other by transistors: what the charge balance predicts, then what reads say.

    python benchmarks/plane_tables.py [CONFIG ...] [--json]

For every class of planes that is drawn alike (`lut/planes.nc` has a table for each): the difference of its levels from
those of the simulated plane, in counts, by the charge balance of both extractions, printed before anything is
simulated; then by reads of both planes under equal stimuli at the nominal condition, and by the steps that are fitted
to three of these reads. The fourth is held out. The last read of a plane with rows above lets these rest: the worst
pattern of the next plane. By default the two examples, single drive with an ideal readout and complement drive through
the chain; some fifteen reads each.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.plane_levels import PlaneCheck, calibrated_steps, plane_read_deck, plane_steps
from characterization.tables.table import AdcModel, ReadoutTable
from characterization.testbench import Testbench
from metalrom.api import load
from metalrom.folders import cache_folder
from ngspice_runner import Cache

EXAMPLES = ("examples/minilm_layer.yaml", "examples/minilm_chain.yaml")
ROWS = 32
"""Of a configuration that leaves the group open."""


def curve(setup: Testbench, bench: ColumnTestbench) -> ReadoutTable:
    """Levels of the simulated plane from five reads with all rows active: a polynomial of what the level follows."""
    n, top, condition = setup.rows, setup.max_count, setup.conditions[0]
    counts = np.linspace(0, top, 5).astype(int)
    cases = [stimulus_of(setup, draw_pattern(setup, "random0", n, int(c))) for c in counts]
    found = bench.levels("curve", [plane_read_deck(setup, setup.model, condition, case) for case in cases])
    active, count = np.arange(n + 1.0)[:, None], np.arange(top + 1.0)
    bent = setup.level_shape == "bent"
    level = np.polynomial.Polynomial.fit(2 * counts - n if bent else counts, found, 4)
    levels = level(2 * count - active if bent else count + 0 * active)[None]
    none = np.zeros_like(levels)
    adc = AdcModel(top + 1, 0.0, 0.0)
    return ReadoutTable.from_arrays(
        setup.model.kind, "V", n, (condition,), levels, none, none, none, none[:, :, 0], 1e-9, adc, levels=setup.levels
    )


def measured(config: str) -> tuple[PlaneCheck, ...]:
    """Every read of a configuration's planes; predictions are printed first."""
    design = load(Path(config))
    rows = design.config.array.group_rows
    setup = design.setup(ROWS if rows == "auto" else rows)
    for s in plane_steps(setup):
        print(
            f"{config}: predicted, {s.label}: {s.active:+.4f} per active row, {s.count:+.4f} per count, "
            f"rows above {s.next_plane:+.6f} per active row",
            file=sys.stderr,
            flush=True,
        )
    with Cache(cache_folder("simulations")) as cache:
        bench = ColumnTestbench(setup, cache=cache, workers=1)
        return calibrated_steps(setup, bench, curve(setup, bench))[1]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("configs", nargs="*", default=EXAMPLES)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = {config: measured(config) for config in asked.configs}
    if asked.json:
        print(json.dumps({config: [asdict(c) for c in checks] for config, checks in found.items()}, indent=1))
        return
    for config, checks in found.items():
        print(f"{config}\n  plane    active count rows above  predicted  simulated  by its table")
        for c in checks:
            print(
                f"  {c.plane:8s} {c.active:6d} {c.count:5d} {c.rows_above:10s} {c.linear:+10.4f} {c.simulated:+10.4f} "
                f"{c.calibrated:+10.4f}{'' if c.fitted else '  (held out)'}"
            )


if __name__ == "__main__":
    main()

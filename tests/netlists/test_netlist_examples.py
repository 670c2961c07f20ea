"""The example netlists of the documentation hold the weights beside them and run."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from netlists.array_options import ArrayOptions
from netlists.audit import audit_netlist
from netlists.cells.base import CellModel
from netlists.mapping import MacroShape, tile, via_program
from netlists.readout.chain import ComparatorBus, ReadoutChain, SharedLine
from netlists.readout.tile_chain import TileChain
from netlists.weights import integer_weights, load_weights
from ngspice_runner import Job, run

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "examples" / "netlists"
LCC = ArrayOptions(dummy_columns=1, reference_columns=("zeros", "ones"), ground_return=5.0, lcc=True, columns_per_adc=4)

CHAIN = TileChain(chain=ReadoutChain(line=SharedLine(segments=2, planes=2), bus=ComparatorBus(columns=8)), levels=5)
READ = ("adc", "bl", "bus_b", "q")
"""First letters of the ports that nothing drives."""
ANALOG = {
    "bias": 0.6,
    "clk": 0.0,
    "common": 0.4,
    "join": 0.0,
    "level": 0.75,
    "reference": 0.45,
    "select": 0.0,
    "trial": 0.0,
}
"""Levels of the ports of a readout chain that are not at the supply, V."""


@pytest.mark.parametrize(
    ("name", "level", "subckt", "options", "tile_chain"),
    [("array_lcc", "array", "planes_t0", LCC, None), ("macro", "macro", "tile_0", ArrayOptions(), CHAIN)],
)
def test_the_examples_hold_their_weights_and_run(
    name: str, level: str, subckt: str, options: ArrayOptions, tile_chain: TileChain | None, cap_model: CellModel
) -> None:
    path = FOLDER / f"{name}.cir"
    weights = integer_weights(load_weights(FOLDER / "weights.csv"), 4).values
    program = via_program(weights, 4)
    manifest = tile(program, MacroShape(rows=8, columns=6, planes=2))
    report = audit_netlist(
        path, program, manifest, (cap_model, cap_model), level=level, group_rows=4, options=options,
        tile_chain=tile_chain,
    )  # fmt: skip
    # The cells' values depend on the extraction: only those may differ from this test's cell.
    assert (report.wrong_bits, report.missing, report.duplicate) == (0, 0, 0)
    assert all("has another value" in str(f) for f in report.cell_faults)
    np.testing.assert_array_equal(report.weights, weights)

    text = path.read_text()
    found = re.search(rf"^\.subckt {subckt} (.*)$", text.replace("\n+", ""), re.MULTILINE)
    assert found
    ports = found[1].split()
    outputs = tuple(f"v({p})" for p in ports if p.startswith(READ))
    driven = [p for p in ports if not p.startswith(READ)]
    extra = [f"X_dut {' '.join(ports)} {subckt}", ".option num_threads=1 noinit", ".tran 1.0e-11 1.0e-09 0 1.0e-11"]
    extra += [
        f"V_{p} {p} 0 PWL(0 0 2.0e-10 0 2.2e-10 1.0)"
        if p.startswith("s_")
        else f"V_{p} {p} 0 {ANALOG.get(re.split('[0-9_]', p)[0], 1.0) if tile_chain else 1.0}"
        for p in driven
    ]
    deck = text.replace("\n.end\n", "\n" + "\n".join([*extra, f".save {' '.join(outputs)}", ".end", ""]))
    result = run(Job(text=deck, outputs=outputs, stop=1e-9))
    assert result.ok, (result.verdict, result.log)
    assert "warning" not in result.log.lower()

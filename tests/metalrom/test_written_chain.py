"""Netlists of a configuration whose readout is a chain: written, audited, and compared with the estimate's areas."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from interconnect import extraction
from metalrom.api import load
from metalrom.cli.main import app
from metalrom.design.design import Design
from metalrom.design.readout import written_chain
from metalrom.macro.chain_bill import chain_area, dummy_rows
from metalrom.macro.chain_cost import ChainCost
from metalrom.run.evaluate import macro_geometry
from metalrom.run.readout_cost import chain_cost, chain_geometry
from tests.builders import write_config
from tests.metalrom.test_chain_bill import cost, table  # noqa: F401 - fixtures

KINDS: dict[str, dict[str, Any]] = {
    "sar": {"line": {"columns": 2}},
    "pair": {"line": {"columns": 2}, "converter": {"kind": "pair"}},
    "ramp": {"line": {"planes_shared": 1}, "converter": {"kind": "ramp"}},
}
PLANES = [{"row": "M2", "column": "M3"}, {"row": "M4", "column": "M5"}]


@pytest.fixture(autouse=True)
def formulas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed formulas instead of the field solver: what is measured does not matter here."""
    monkeypatch.setattr(Design, "extract", lambda d, g, method="auto": extraction.extract(g, d.stack, "formula"))


def config(folder: Path, kind: str) -> Path:
    """Weights that fill one tile of two planes."""
    return write_config(
        folder / "c.yaml",
        cell={"row_pitch": "200nm", "column_pitch": "300nm", "row_width": "50nm", "column_width": "50nm",
              "tab_length": "150nm", "planes": PLANES},
        array={"columns": 24, "columns_per_adc": 8},
        weights={"random": [16, 8], "bits": 4},  # six columns of a weight
        mapping="differential",
        readout={"kind": "chain", **KINDS[kind]},
    )  # fmt: skip


def command(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words))
    return done.exit_code, done.output


@pytest.mark.parametrize("kind", KINDS)
def test_commands_write_and_audit_it(tmp_path: Path, kind: str) -> None:
    path, file = config(tmp_path, kind), tmp_path / "tile.cir"
    for level in ("array", "macro"):
        assert command("netlist", str(path), "--level", level, "-o", str(file))[0] == 0
        status, said = command("audit", str(file), str(path))
        assert status == 0, said
        assert re.search(r"readout chain: [\d,]+ transistors \(.*lcc_reset.* as billed; not written: .*replica", said)
    text = file.read_text()
    file.write_text(re.sub(r"^M_follower_0 .*\n", "", text, flags=re.MULTILINE))
    status, said = command("audit", str(file), str(path))
    assert status == 1
    assert re.search(r"tile 0: lcc_reset has \d+ transistors, \d+ are billed", said)


def test_other_readouts_are_written_as_before(tmp_path: Path) -> None:
    for sections in ({"readout": {"kind": "ideal"}}, {"readout": {"kind": "auto"}, "array": {"lcc": True}}):
        design = load(write_config(tmp_path / "other.yaml", **sections))
        assert written_chain(design, 4) is None


@pytest.mark.parametrize("kind", KINDS)
def test_the_estimate_bills_what_the_netlist_holds(tmp_path: Path, kind: str, cost: ChainCost) -> None:  # noqa: F811
    """Transistors counted in the file, times the area of one, are the areas of the estimate for a tile that the
    program fills; the estimate has the drivers of dummy rows besides, and its capacitors those of replica columns."""
    design = load(config(tmp_path, kind))
    columns = design.config.array.columns
    assert design.program.bit_columns == 2 * columns
    setup = design.setup(4, nominal_only=True)
    tile_chain = written_chain(design, 4)
    assert tile_chain is not None
    assert tile_chain.levels == setup.max_count + 1
    design.netlist("macro", tmp_path / "tile.cir")
    report = design.audit(tmp_path / "tile.cir", "macro")
    assert report.ok
    bill = chain_cost(design, setup, cost.energy, cost.settling)
    geometry = chain_geometry(macro_geometry(design, 4), bill)
    area = chain_area(bill, geometry)
    for count in report.readout.parts:
        part = bill.part(count.name)
        units = count.transistors / part.transistors
        if count.name == "row_drivers":
            units *= 1 + dummy_rows(geometry) / geometry.rows
        assert area[count.name].value.mid == pytest.approx(units * part.area)
    banks = len(tile_chain.banks(2))
    lines = banks * -(-bill.replica_columns // tile_chain.chain.line.columns)
    drawn = sum(c.capacitance for c in report.readout.parts) + lines * tile_chain.chain.sampler.capacitance
    assert area["capacitors"].value.mid == pytest.approx(drawn / bill.density.value)

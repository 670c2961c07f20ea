"""One level as a standalone file: ngspice alone prints by `.meas` what the table's own reading of the deck gives."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from characterization.campaign import Task, deck_of, run_tasks
from characterization.column_testbench import draw_pattern, stimulus_of
from characterization.level_testbench import DRAWS, level_testbench, setup_of_plane, typical_column
from characterization.linear_read import LinearReads
from characterization.testbench import StackedPlane, Testbench
from interconnect.errors import InputError
from interconnect.extraction import extract
from interconnect.stackfile import load_stack
from netlists.cells.base import Plane
from netlists.cells.cap_balanced import CapBalanced
from netlists.condition import Condition
from netlists.measured_deck import measured_deck
from netlists.periphery import Periphery
from netlists.readout.chain import ReadoutChain, SharedLine
from netlists.readout.column_pair import ColumnPair
from netlists.readout.local_inverter import LocalInverter, reference_rows_of
from ngspice_runner import find_engine
from tests.builders import TT, make_testbench

IDEAL = Periphery(kind="ideal", sense_capacitance=1e-16)
CHAIN = ReadoutChain(line=SharedLine(segments=4, planes=1))


def complement(setup: Testbench) -> Testbench:
    return replace(setup, model=setup.model.complement_driven())


def inverters() -> Testbench:
    setup = complement(make_testbench())
    inverter = LocalInverter(segments=4, planes=2, reference_rows=reference_rows_of(setup.model, setup.rows))
    return replace(setup, inverter=inverter)


def twice() -> Testbench:
    setup = make_testbench()
    return replace(setup, converter=replace(setup.converter, sample_capacitance=20e-15))


SETUPS = {
    "sampled once": make_testbench,
    "ideal periphery": partial(make_testbench, periphery=IDEAL),
    "sampled twice": twice,
    "two bit lines": partial(make_testbench, "cap_ternary"),
    "current": partial(make_testbench, "res_via"),
    "operating point": partial(make_testbench, "res_via", periphery=IDEAL),
    "alike rows in parallel": partial(make_testbench, parallel_rows=True),
    "chain": lambda: complement(make_testbench(chain=CHAIN)),
    "pair": lambda: complement(make_testbench(chain=replace(CHAIN, converter=ColumnPair()), shares=(0.25, 0.5, 0.25))),
    "inverters": inverters,
}


def level_by_ngspice(text: str, folder: Path) -> float:
    """What `ngspice -b` prints in an empty folder; it crashes without HOME, so that is all of its environment."""
    folder.mkdir()
    (folder / "read.cir").write_text(text)
    done = subprocess.run(
        [find_engine().path, "-b", "read.cir"],
        cwd=folder, env={"HOME": str(folder)}, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert [path.name for path in folder.iterdir()] == ["read.cir"]
    found = re.search(r"^level += +(\S+)$", done.stdout, re.MULTILINE)
    assert found, done.stdout + done.stderr
    return float(found[1])


@pytest.mark.ngspice
@pytest.mark.parametrize("name", SETUPS)
def test_ngspice_alone_prints_what_a_campaign_reads(name: str, tmp_path: Path) -> None:
    setup = SETUPS[name]()
    case = typical_column(setup, TT, 3, 2)
    (sample,) = run_tasks(setup, [Task("testbench", TT, 3, 2, "typical", -1, case)], workers=1, accuracy=0).samples
    deck = level_testbench(setup, TT, 3, 2)
    # six digits are printed of samples up to 1 V; joined rows differ from single ones by less
    absolute = 2e-6 if setup.unit == "V" else 0.0
    assert level_by_ngspice(deck.text, tmp_path / "alone") == pytest.approx(sample.level, rel=2e-5, abs=absolute)
    assert abs(sample.level) > (1e-7 if setup.unit == "A" else 1e-3)


def test_the_file_says_what_it_holds() -> None:
    deck = level_testbench(complement(make_testbench(chain=CHAIN)), TT, 3, 2)
    head = [line for line in deck.text.split("\n") if line.startswith("*")]
    assert any("tt_1.00V_27C, plane M2-M3, 3 of 4 rows active, count 2" in line for line in head)
    inputs, target = (next(line.split()[-1] for line in head if word in line) for word in ("  inputs", "  target"))
    assert len(inputs) == 5  # with the dummy row, driven for an odd number of active rows
    assert sum(int(a) * int(b) for a, b in zip(inputs, target, strict=True)) == 3
    assert not re.search(r"^\.(inc|lib)", deck.text, re.MULTILINE | re.IGNORECASE)


def test_the_typical_column_is_the_nearest_to_the_mean_of_the_drawn_ones() -> None:
    setup = make_testbench(rows=8)
    reads = LinearReads(setup)
    cases = [stimulus_of(setup, draw_pattern(setup, "random0", 5, 2, i)) for i in range(DRAWS)]
    levels = np.array([reads.read(TT, case).level[0] for case in cases])
    chosen = reads.read(TT, typical_column(setup, TT, 5, 2)).level[0]
    assert levels.std() > 0
    assert abs(chosen - levels.mean()) == np.abs(levels - levels.mean()).min()


def stacked() -> Testbench:
    stack, formula = load_stack("generic28"), partial(extract, method="formula")
    cell = CapBalanced(row_pitch=200e-9, column_pitch=300e-9, row_width=50e-9, column_width=50e-9, tab_length=150e-9)
    low, high = Plane("M2", "M3"), Plane("M4", "M5")
    model = cell.model(stack, low, formula, high)
    planes = (
        StackedPlane(low.label, high.label, model, "bottom", (low.label,)),
        StackedPlane(high.label, "", cell.model(stack, high, formula), "top", (high.label, "M6-M7")),
    )
    return make_testbench(model=model, stacked=planes)


def test_planes_by_label() -> None:
    setup = stacked()
    assert setup_of_plane(setup, TT, None) is setup
    assert setup_of_plane(setup, TT, "M2-M3") is setup
    other = setup_of_plane(setup, TT, "M6-M7")
    assert other.model == setup.stacked[1].model
    assert "plane M4-M5," in level_testbench(setup, TT, 4, 4, plane="M6-M7").text
    with pytest.raises(InputError, match="no table is characterized of a plane 'M6/M7'; did you mean 'M6-M7'"):
        setup_of_plane(setup, TT, "M6/M7")
    with pytest.raises(InputError, match="plane M4-M5 is characterized at nominal metals alone"):
        setup_of_plane(setup, Condition("tt", 1.0, 27.0, "Cmax"), "M4-M5")


@pytest.mark.parametrize(
    ("active", "count", "message"),
    [
        (5, 1, "5 active rows: a group has 0 to 4"),
        (-1, 0, "-1 active rows"),
        (3, 4, "count 4: 3 active rows give counts from 0 to 3"),
        (3, -1, "count -1"),
    ],
)
def test_levels_that_a_group_does_not_have(active: int, count: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        level_testbench(make_testbench(), TT, active, count)


def test_notes_cannot_bring_lines_in() -> None:
    setup = make_testbench()
    deck = deck_of(setup, Task("testbench", TT, 3, 2, "typical", -1, typical_column(setup, TT, 3, 2)))
    with pytest.raises(InputError, match="line break"):
        measured_deck(deck, double_sampling=False, notes=["a\n.include b"])

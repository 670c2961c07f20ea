"""The waveform of one read: a driven row's line beside the bit line, and nothing else of the read changed by it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from characterization.campaign import Task, deck_of
from characterization.column_testbench import draw_pattern, stimulus_of
from characterization.testbench import Testbench
from characterization.waveform import read_waveform
from netlists.readout.chain import ReadoutChain, SharedLine
from tests.builders import TT, make_testbench


def chain() -> Testbench:
    setup = make_testbench(chain=ReadoutChain(line=SharedLine(segments=4, planes=1)))
    return replace(setup, model=setup.model.complement_driven())


def task(setup: Testbench, active: int, count: int) -> Task:
    return Task(
        "transfer", TT, active, count, "random0", 0, stimulus_of(setup, draw_pattern(setup, "random0", active, count))
    )


@pytest.mark.parametrize("build", [make_testbench, chain])
def test_a_deck_with_the_rows_line_differs_by_what_it_saves_alone(build) -> None:
    setup = build()
    plain, more = (deck_of(setup, task(setup, 3, 2), save_row=save) for save in (False, True))
    assert plain.row is None
    assert more.outputs == (*plain.outputs, more.row)
    pairs = zip(plain.text.split("\n"), more.text.split("\n"), strict=True)
    ((before, after),) = [pair for pair in pairs if pair[0] != pair[1]]
    assert before.startswith(".save ")
    assert after == f"{before} {more.row}"


def test_the_row_is_one_that_is_driven() -> None:
    setup = make_testbench()
    case = task(setup, 1, 1).case
    (driven,) = np.flatnonzero(case.inputs)
    for row in range(case.rows):
        moved = replace(case, inputs=np.roll(case.inputs, row - driven), bits=np.roll(case.bits, row - driven, axis=0))
        deck = deck_of(setup, replace(task(setup, 1, 1), case=moved), save_row=True)
        assert deck.row == f"v(s{row}_{'d' if case.position else '0'})"
    assert deck_of(setup, task(setup, 0, 0), save_row=True).row is None


@pytest.mark.ngspice
@pytest.mark.parametrize(
    ("build", "rises", "reads", "high"),
    [
        (make_testbench, "inputs rise", "sample", 1.0),
        (chain, "rows toggle", "decision", 1.0),
        (lambda: make_testbench("res_via"), "inputs rise", "integration begins", None),
    ],
    ids=["charge", "chain", "current"],
)
def test_the_row_is_low_until_the_inputs_rise_and_at_its_voltage_when_read(build, rises, reads, high) -> None:
    setup = build()
    found = read_waveform(setup, workers=1)
    assert found is not None
    row = found.traces[0]
    assert (row.name, row.unit) == ("row line at its driver", "V")
    at = {instant.name: instant.time for instant in found.instants}
    drive = setup.periphery.read_voltage if high is None else high
    early, late = (np.interp(at[name], found.time, row.values) for name in (rises, reads))
    assert early == pytest.approx(0.0, abs=0.02 * drive)
    assert late == pytest.approx(drive, rel=0.02)
    assert len(found.traces) > 1

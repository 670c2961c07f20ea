"""The ternary tie: tied tabs are the binary cell's, an untied one is the star that it hangs in, levels are signed."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from interconnect.errors import InputError
from interconnect.extraction import Extraction, extract
from interconnect.stackfile import load_stack
from netlists.audit import audit_netlist
from netlists.case import ColumnStimulus
from netlists.cells import make_cell
from netlists.cells.base import CellModel, ColumnRead, Plane
from netlists.column import column_deck
from netlists.condition import Condition
from netlists.mapping import MacroShape, tile, via_program, weights_of
from netlists.periphery import Periphery, Timing
from netlists.reference import closed_form_level, reference_column
from netlists.technology import Technology
from netlists.writer import write_netlist
from ngspice_runner import Job, run
from tests.builders import make_model

PLANE, NOMINAL = Plane("M2", "M3"), Condition("tt", 1.0, 27.0)
NONE, SIGNAL, GROUND = 0, 1, 2


@pytest.fixture(scope="module")
def tie() -> CellModel:
    return make_model("cap_tie")


@pytest.fixture(scope="module")
def binary() -> CellModel:
    return make_model("cap_balanced").complement_driven()


def _coupled(extraction: Extraction, net: str) -> dict[str, float]:
    return {other: extraction.coupling(net, other) for other in extraction.nets if other != net}


def test_tied_tabs_are_those_of_the_binary_cell(tie: CellModel, binary: CellModel) -> None:
    # The same boxes: the binary cell stores 1 on the signal line and 0 on the ground line.
    for symbol, bit in ((SIGNAL, 1), (GROUND, 0)):
        assert tie.drive(symbol) == pytest.approx(binary.drive(bit), rel=1e-6)
        assert tie.load(symbol) == pytest.approx(binary.load(bit), rel=1e-6)
    assert tie.pitch == binary.pitch
    assert tie.switched == pytest.approx(binary.switched / 2, rel=1e-6), "a binary count is worth two steps"


def test_an_untied_tab_is_the_star_that_it_hangs_in(tie: CellModel) -> None:
    """Y-delta: through a floating node of couplings c_i, nets i and j see c_i c_j / sum(c)."""
    cell = make_cell("cap_tie")
    e = extract(cell.geometry(load_stack("generic28"), PLANE, (NONE, NONE)), load_stack("generic28"), method="formula")
    tab, line = _coupled(e, "T0"), _coupled(e, "BL0")
    total = sum(tab.values())
    to_signal = line["S"] + tab["BL0"] * tab["S"] / total
    load = sum(line.values()) - tab["BL0"] + tab["BL0"] * (total - tab["BL0"]) / total
    assert tie.capacitance("bl_in", NONE, "row_out") == pytest.approx(to_signal, rel=1e-5)
    assert tie.load(NONE) == pytest.approx(load, rel=1e-5)
    assert tie.drive(NONE) == pytest.approx(0.0, abs=1e-6 * tie.switched), "both lines alike: their steps cancel"
    assert tie.load(NONE) < tie.load(SIGNAL) == pytest.approx(tie.load(GROUND))


def test_closed_form_by_hand(tie: CellModel) -> None:
    """Five driven rows of +1 +1 0 -1 0, one idle row of +1: V = V_DD C_tab (2 - 1) / sum of loads."""
    symbols = np.array([SIGNAL, SIGNAL, NONE, GROUND, NONE, SIGNAL], dtype=np.uint8)
    read = ColumnRead(tie, 0.9, symbols, np.array([1, 1, 1, 1, 1, 0]), 2e-16, (1.0, 0.0, 0.0))
    tied = tie.load(SIGNAL)
    loads = 4 * tied + 2 * tie.load(NONE) + 6 * tie.next_load(NONE) + 2e-16
    assert read.count == 1
    assert make_cell("cap_tie").closed_form(tie, read) == pytest.approx(
        0.9 * tie.value("C_bl_tab", SIGNAL) / loads, rel=1e-9
    )


@pytest.mark.ngspice
def test_every_column_of_two_rows_in_ngspice(tie: CellModel, technology: Technology) -> None:
    """All nine columns of two cells with both rows active: ngspice, the linear network and the closed form agree."""
    ideal = Periphery(kind="ideal")
    for symbols in product((NONE, SIGNAL, GROUND), repeat=2):
        case = ColumnStimulus(bits=np.array(symbols)[:, None], inputs=[1, 1], symbol_values=tie.symbol_values)
        deck = column_deck(technology, tie, ideal, Timing(), NOMINAL, case)
        result = run(Job(text=deck.text, outputs=deck.outputs, stop=deck.stop))
        assert result.ok, result.log
        level = float(result.signals[deck.target].values[-1])
        assert level == pytest.approx(reference_column(tie, ideal, NOMINAL, case).value, abs=1e-6)
        assert level == pytest.approx(closed_form_level(tie, ideal, NOMINAL, case), abs=1e-6)
        assert np.sign(round(level, 6)) == np.sign(case.count)


def test_levels_of_equal_counts_differ_by_the_untied_tabs_alone(tie: CellModel) -> None:
    """+1 as (+1, 0) and as (+1, +1, -1): in twelve rows each, the ratio of levels is that of the loads, inverted."""
    rows = 12
    few, many = np.zeros(rows, np.uint8), np.zeros(rows, np.uint8)
    few[0], many[:3] = SIGNAL, (SIGNAL, SIGNAL, GROUND)
    level, load = {}, {}
    for name, symbols in (("few", few), ("many", many)):
        read = ColumnRead(tie, 1.0, symbols, np.ones(rows, np.int64), 0.0, (1.0, 0.0, 0.0))
        level[name], load[name] = make_cell("cap_tie").closed_form(tie, read), sum(tie.load(int(s)) for s in symbols)
    assert level["few"] / level["many"] == pytest.approx(load["many"] / load["few"], rel=1e-9)


def test_a_macro_of_trits_comes_back_from_its_netlist(tie: CellModel, tmp_path: Path, technology: Technology) -> None:
    """All weights of 8 bits through the audit, with transistors around them; a cut tie and a swapped line are found."""
    weights = np.arange(-121, 122).reshape(81, 3)
    program = via_program(weights, 8, mapping="trits", symbol_values=tie.symbol_values)
    manifest = tile(program, MacroShape(rows=32, columns=8, planes=2))
    path = tmp_path / "m.cir"
    place = {"condition": NOMINAL, "group_rows": 8}
    write_netlist(path, "macro", program, manifest, tie, technology, periphery=Periphery(), **place)
    audit = audit_netlist(path, program, manifest, tie, technology=technology, periphery=Periphery(), **place)
    assert audit.ok, audit.text()
    np.testing.assert_array_equal(weights_of(program), weights)
    text = path.read_text()
    assert "X_drive_g_p1_0 in_0 g_p1_0 vdd_rows 0 row_complement_driver" in text
    for old, new in (  # the last one in the file, an instance
        (" cap_tie_signal\n", " cap_tie_none\n"),
        (" cap_tie_none\n", " cap_tie_ground\n"),
        ("X_drive_g_p1_0 in_0 g_p1_0 ", "X_drive_g_p1_0 in_0 s_p1_0 "),
        ("0 row_complement_driver\n", "0 row_driver\n"),
    ):
        path.write_text(new.join(text.rsplit(old, 1)))
        assert not audit_netlist(path, program, manifest, tie, **place).ok, (old, new)


@pytest.mark.ngspice
def test_a_written_macro_reads_plus_none_and_minus(tie: CellModel, tmp_path: Path, technology: Technology) -> None:
    """Sixteen weights of +1, 0 and -1 a column with row and complement drivers, one of which is active."""
    program = via_program(np.tile([1, 0, -1], (16, 1)), 2, mapping="trits", symbol_values=tie.symbol_values)
    path = tmp_path / "m.cir"
    manifest = tile(program, MacroShape(rows=16, columns=3))
    write_netlist(path, "macro", program, manifest, tie, technology, periphery=Periphery(), condition=NOMINAL)
    ends = [f"bl0_p0_{c}" for c in range(3)]
    deck = path.read_text() + (
        f"X_tile {' '.join(['in_0', *['idle'] * 15, *ends])} reset_b vdd_rows vdd_reset tile_0\n"
        "V_r vdd_rows 0 1\nV_v vdd_reset 0 1\nV_b reset_b 0 PWL(0 0 3.0e-10 0 3.2e-10 1)\n"
        "V_0 in_0 0 PWL(0 1 5.0e-10 1 5.2e-10 0)\nV_idle idle 0 1\n"
        ".tran 1.0e-11 1.0e-09 0 1.0e-11\n.option num_threads=1 noinit\n"
        f".save {' '.join(f'v({e})' for e in ends)}\n.end\n"
    )
    result = run(Job(text=deck, outputs=tuple(f"v({e})" for e in ends), stop=1e-9))
    assert result.ok, result.log
    time = result.signals["time"].values
    before, after = (
        np.array([np.interp(at, time, result.signals[f"v({e})"].values) for e in ends]) for at in (4.9e-10, 1e-9)
    )
    moved = after - before
    assert moved[0] > 10e-3
    assert moved[2] < -10e-3
    assert abs(moved[1]) < 0.05 * moved[0]


def test_a_symbol_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="symbols 0 to 2"):
        make_cell("cap_tie").geometry(load_stack("generic28"), PLANE, (3,))


@pytest.mark.slow
def test_field_solution_of_the_untied_tab() -> None:
    """Both lines alike through a floating tab, and a program that the decomposition has not seen."""
    pytest.importorskip("ngsolve")
    stack, cell = load_stack("generic28"), make_cell("cap_tie")
    model = cell.model(stack, PLANE, lambda g, s: extract(g, s, order=3))
    assert model.fit_residual < 5e-3
    assert model.drive(NONE) == pytest.approx(0.0, abs=1e-3 * model.switched)
    binary = make_cell("cap_balanced").model(stack, PLANE, lambda g, s: extract(g, s, order=3)).complement_driven()
    assert model.switched == pytest.approx(binary.switched / 2, rel=0.01)
    assert model.load(SIGNAL) + model.next_load(SIGNAL) == pytest.approx(binary.bl_total, rel=0.01)

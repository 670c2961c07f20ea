"""The charge cells besides the balanced one: geometry, floating metal, decomposition, correction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from interconnect.errors import InputError
from interconnect.extraction import Extraction, extract
from interconnect.geometry import Box, CellGeometry
from interconnect.stackfile import load_stack
from netlists.case import ColumnStimulus
from netlists.cells import make_cell
from netlists.cells.base import GROUND_LINE, SIGNAL, CellModel, ColumnRead, Element, Plane, Variant
from netlists.cells.cap_present import CapPresent, column_correction
from netlists.cells.cap_select import CapSelect
from netlists.cells.cap_ternary import CapTernary, load_imbalance
from netlists.cells.closed_form import bit_line_voltages, charge_share
from netlists.cells.decompose import Observation, Pair, pair_capacitances, without_floating

NM = 1e-9
PLANE = Plane("M2", "M3")


def extraction(nets: tuple[str, ...], couplings: dict[tuple[str, str], float]) -> Extraction:
    """An extraction with these couplings (F)."""
    c = np.zeros((len(nets), len(nets)))
    for (a, b), value in couplings.items():
        i, j = nets.index(a), nets.index(b)
        c[i, j] = c[j, i] = -value
    c[np.diag_indices(len(nets))] = -c.sum(axis=1)
    base = extract(CapPresent().geometry(load_stack("generic28"), PLANE, (1,)), load_stack("generic28"), "formula")
    return replace(base, nets=nets, capacitance=c)


@pytest.mark.parametrize(
    ("kind", "change", "key"),
    [
        ("cap_present", {"finger_length": 60 * NM}, "cell.finger_length"),  # 45 nm fit beside the post
        ("cap_present", {"finger_length": 40 * NM}, "cell.finger_length"),  # no cut fits
        ("cap_present", {"row_pitch": 170 * NM}, "cell.row_pitch"),
        ("cap_present", {"column_width": 60 * NM, "row_pitch": 180 * NM}, "cell.column_pitch"),
        ("cap_present", {"column_width": 80 * NM, "row_pitch": 180 * NM, "column_pitch": 500 * NM}, "cell.row_pitch"),
        ("cap_select", {"levels": 1}, "cell.levels"),
        ("cap_select", {"levels": 9}, "cell.levels"),
        ("cap_select", {"levels": 3.0}, "cell.levels"),
        ("cap_select", {"levels": 4, "row_pitch": 300 * NM}, "cell.row_pitch"),
        ("cap_select", {"levels": 4, "tab_length": 200 * NM}, "cell.tab_length"),
        ("cap_ternary", {"plate_length": 130 * NM}, "cell.plate_length"),
        ("cap_ternary", {"plate_length": 150 * NM}, "cell.plate_length"),
        ("cap_ternary", {"row_pitch": 200 * NM}, "cell.row_pitch"),
        ("cap_ternary", {"row_width": 20 * NM}, "cell.row_width"),
        ("cap_ternary", {"column_pitch": 250 * NM}, "cell.column_pitch"),
    ],
)
def test_refusals_name_the_key(kind: str, change: dict[str, float], key: str) -> None:
    if "column_width" in change:
        change = {"column_pitch": 270 * NM} | change
    with pytest.raises(InputError) as caught:
        make_cell(kind, change).geometry(load_stack("generic28"), PLANE, (1, 1))
    assert caught.value.where == key, str(caught.value)


def test_a_row_too_short_for_the_finger_says_so() -> None:
    with pytest.raises(InputError, match="cannot hold the finger it asks for"):
        CapPresent(column_width=80 * NM, row_pitch=180 * NM, column_pitch=500 * NM).geometry(
            load_stack("generic28"), PLANE, (1,)
        )


@pytest.mark.parametrize("program", [(0, 3), (-1, 0), ()])
def test_symbols_out_of_range_are_refused(program: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="symbols 0 to 2"):
        CapTernary().geometry(load_stack("generic28"), PLANE, program)


def test_two_levels_are_the_balanced_cell(charge_models: dict[str, CellModel]) -> None:
    stack = load_stack("generic28")
    two, balanced = CapSelect(levels=2), make_cell("cap_balanced")
    for program in ((0, 0), (0, 1), (1, 1)):
        assert two.geometry(stack, PLANE, program).boxes == balanced.geometry(stack, PLANE, program).boxes
    ours, theirs = charge_models["cap_select2"], charge_models["cap_balanced"]
    assert [v.ties for v in ours.variants] == [v.ties for v in theirs.variants]
    values = {e.name: e.value for e in theirs.variants[0].elements}
    assert {e.name: e.value for e in ours.variants[0].elements} == pytest.approx(values, rel=1e-6)
    assert ours.switched == pytest.approx(theirs.switched)


def test_levels_and_letters_of_the_selecting_cell() -> None:
    lines = CapSelect(levels=8).lines
    assert [x.level for x in lines] == pytest.approx([j / 7 for j in range(7, -1, -1)])
    assert (lines[0], lines[-1]) == (SIGNAL, GROUND_LINE)
    letters = [x.letter for x in lines]
    assert len(set(letters)) == 8
    assert not set(letters) & {"b", "x"}


def test_a_floating_net_is_two_capacitors_in_series() -> None:
    e = extraction(("A", "B", "F", "GND"), {("A", "F"): 6e-18, ("B", "F"): 3e-18, ("A", "GND"): 1e-18})
    kept = without_floating(e, ["F"])
    assert kept.nets == ("A", "B", "GND")
    assert kept.coupling("A", "B") == pytest.approx(2e-18)  # 6 and 3 aF in series
    assert kept.total("A") == pytest.approx(3e-18)
    grounded = extraction(("A", "B", "F", "GND"), {("A", "F"): 6e-18, ("B", "F"): 3e-18, ("F", "GND"): 9e-18})
    kept = without_floating(grounded, ["F"])
    # A star of 6, 3 and 9 aF becomes a triangle: products over the sum of 18 aF.
    assert kept.coupling("A", "B") == pytest.approx(1e-18)
    assert kept.coupling("A", "GND") == pytest.approx(3e-18)
    assert kept.coupling("B", "GND") == pytest.approx(1.5e-18)


def test_decomposition_tells_merged_pairs_apart_and_reports_the_misfit() -> None:
    nets = ("A", "B", "GND")
    pairs = (Pair("x", "A", "B"), Pair("y", "A", "GND"))
    merged = (Pair("x", "A", "GND"), Pair("y", "A", "GND"))
    first = Observation(extraction(nets, {("A", "B"): 2e-18, ("A", "GND"): 5e-18}), pairs)
    second = Observation(extraction(nets, {("A", "GND"): 7e-18}), merged)
    values, misfit = pair_capacitances([first, second], ("x", "y"))
    assert values == pytest.approx({"x": 2e-18, "y": 5e-18})
    assert misfit < 1e-12
    wrong = Observation(extraction(nets, {("A", "GND"): 7e-18, ("B", "GND"): 0.7e-18}), merged)
    _, misfit = pair_capacitances([first, wrong], ("x", "y"))
    assert misfit == pytest.approx(0.1, rel=1e-3)  # 0.7 aF that no pair explains, of 7 aF


@pytest.mark.parametrize("residue", [0.0, 1e-35, 3e-34])
def test_a_pair_of_rounding_size_is_zero(residue: float) -> None:
    # what is left of a screened pair depends on the kernel of the linear algebra; the sensitivities take its logarithm
    nets = ("A", "B", "GND")
    pairs = (Pair("x", "A", "B"), Pair("y", "A", "GND"), Pair("z", "B", "GND"))
    e = extraction(nets, {("A", "B"): residue, ("A", "GND"): 5e-18, ("B", "GND"): 4e-18})
    values, _ = pair_capacitances([Observation(e, pairs)], ("x", "y"))
    assert values["x"] == 0.0
    assert values == pytest.approx({"x": 0.0, "y": 5e-18, "z": 4e-18})


def test_a_small_pair_of_a_small_net_is_kept() -> None:
    # 1e-10 of A's total, but half of B's
    nets = ("A", "B", "GND")
    pairs = (Pair("x", "A", "B"), Pair("y", "A", "GND"), Pair("z", "B", "GND"))
    e = extraction(nets, {("A", "B"): 1e-27, ("A", "GND"): 1e-17, ("B", "GND"): 1e-27})
    values, _ = pair_capacitances([Observation(e, pairs)], ("x", "y"))
    assert values["x"] == pytest.approx(1e-27, rel=1e-3)


def test_a_net_left_floating_leaves_no_coupling_of_rounding_size() -> None:
    e = extraction(("A", "B", "F", "GND"), {("A", "GND"): 1e-18, ("B", "GND"): 1e-18, ("A", "F"): 1e-18,
                                            ("F", "GND"): 1.0, ("B", "F"): 1e-18})  # fmt: skip
    assert without_floating(e, ["F"]).coupling("A", "B") == 0.0  # 1e-36 F through the heavy net


def test_helpers_mean_the_same_for_every_kind(charge_models: dict[str, CellModel]) -> None:
    for name, m in charge_models.items():
        # Equal steps of the count are equal steps of the driven capacitance.
        steps = [m.signal(s) - m.symbol_values[s] * m.switched for s in range(m.symbols)]
        assert steps == pytest.approx([steps[0]] * m.symbols, abs=2e-3 * m.switched), name
        assert 0.05 < m.switched * max(m.symbol_values) / m.bl_total < 0.5, name
    ternary = charge_models["cap_ternary"]
    assert ternary.signal(0) == pytest.approx(0.0, abs=1e-21)
    assert ternary.signal(1) == pytest.approx(-ternary.signal(2), rel=1e-6)
    assert load_imbalance(ternary) > 2 * ternary.switched  # the plate's load is more than its signal
    present = charge_models["cap_present"]
    assert present.drive(1) / present.drive(0) > 2.5


@pytest.mark.parametrize("kind", ["cap_balanced", "cap_select4", "cap_present", "cap_ternary"])
def test_closed_form_by_hand(kind: str, charge_models: dict[str, CellModel]) -> None:
    """Two rows, one of them driven: the divider written out with the cell's own elements."""
    m = charge_models[kind]
    symbols = np.array([m.symbols - 1, 0], dtype=np.uint8)
    read = ColumnRead(m, 0.8, symbols, np.array([1, 0]), 1e-16, (1.0,) + (0.0,) * (m.symbols - 1))
    v0, v1 = (lambda e: m.value(e, 0)), (lambda e: m.value(e, m.symbols - 1))
    if kind == "cap_ternary":
        p = [v("C_p_s") + v("C_p_g") + v("C_p_gnd") + v("C_p_n") for v in (v0, v1)]
        n = [v("C_n_s") + v("C_n_g") + v("C_n_gnd") + v("C_n_next") + v("C_p_n") for v in (v0, v1)]
        between = v0("C_p_n") + v1("C_p_n")
        left = 2 * v0("C_n_next")  # the column before stores zeros
        matrix = [[sum(p) + left + 1e-16, -between], [-between, sum(n) + 1e-16]]
        plus, minus = np.linalg.solve(matrix, [0.8 * v1("C_p_s"), 0.8 * v1("C_n_s")])
        assert bit_line_voltages(m, read) == pytest.approx([plus, minus], rel=1e-9)
        assert charge_share(m, read) == pytest.approx(plus - minus, rel=1e-9)
        return
    if kind == "cap_present":
        driven = v1("C_bl_s")
        total = sum(v("C_bl_s") + v("C_bl_g") + v("C_bl_gnd") + 2 * v0("C_bl_bl") for v in (v0, v1))
    else:
        lines = m.lines
        driven = v0("C_bl_tab") + sum(x.level * v0(f"C_bl_{x.letter}") for x in lines)
        own = v0("C_bl_tab") + sum(v0(f"C_bl_{x.letter}") for x in lines) + v0("C_bl_gnd") + 2 * v0("C_bl_bl")
        total = 2 * (own + v0("C_tab_bl"))
    assert charge_share(m, read) == pytest.approx(0.8 * driven / (total + 1e-16), rel=1e-9)


def synthetic_present(on: float, off: float) -> CellModel:
    """A cell of two couplings and nothing else."""
    variants = tuple(
        Variant(f"c{bit}", (Element("C_bl_s", "bl_in", "row_out", value, "coupling", varies=True),))
        for bit, value in enumerate((off, on))
    )
    pins = ("row_in", "row_out", "gnd_in", "gnd_out", "bl_in", "bl_out", "bl_next")
    return CellModel("cap_present", "charge", PLANE, pins, variants, (1e-7, 1e-7), 1e-14, 27.0, 0.0, 0.0, "formula",
                     lines=(SIGNAL, GROUND_LINE))  # fmt: skip


def test_correction_per_column_makes_counts_exact() -> None:
    """128 rows, C_on/C_off = 50/10 aF: one gain for all columns leaves counts of error, one per column leaves none."""
    m = synthetic_present(50e-18, 10e-18)
    rng = np.random.default_rng(1)
    bits, inputs = rng.integers(0, 2, (128, 64)), rng.integers(0, 2, (40, 128))
    truth = inputs @ bits
    levels = np.array([
        [charge_share(m, ColumnRead(m, 0.9, column.astype(np.uint8), x, 1e-15, (0.5, 0.5))) for column in bits.T]
        for x in inputs
    ])  # fmt: skip
    active = inputs.sum(axis=1)
    corrected = column_correction(m, bits, 0.9, 1e-15).counts(levels, active)
    assert np.abs(corrected - truth).max() < 1e-9
    # The best that one gain, one offset per driven row and one constant for all columns can do (least squares).
    design = np.stack([levels.ravel(), np.repeat(active, 64), np.ones(levels.size)], axis=1)
    fit, *_ = np.linalg.lstsq(design, truth.ravel(), rcond=None)
    rms = float(np.sqrt(np.mean((design @ fit - truth.ravel()) ** 2)))
    assert 1.0 < rms < 5.0


def test_correction_refuses_nonsense() -> None:
    with pytest.raises(InputError, match="0 and 1"):
        column_correction(synthetic_present(5e-17, 1e-17), [[0, 2]], 0.9, 0.0)
    with pytest.raises(InputError, match="no gain"):
        column_correction(synthetic_present(1e-17, 1e-17), [[0, 1]], 0.9, 0.0)


def test_counts_of_a_case_follow_the_symbols() -> None:
    symbols = np.array([[0, 1, 2], [0, 2, 1], [0, 2, 2]])
    ternary = ColumnStimulus(bits=symbols, inputs=[1, 1, 1], symbol_values=(0, 1, -1))
    assert ternary.count == -1
    assert ColumnStimulus(bits=symbols, inputs=[0, 1, 1], symbol_values=(0, 1, 2)).count == 4
    assert ternary.load_shares == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert ColumnStimulus(bits=symbols % 2, inputs=[1, 0, 0], ones_fraction=0.25).load_shares == (0.75, 0.25)
    with pytest.raises(InputError, match="shares"):
        ColumnStimulus(bits=symbols, inputs=[1, 1, 1], symbol_values=(0, 1, 2), shares=(0.5, 0.5))
    with pytest.raises(InputError, match="0 to 2 only"):
        ColumnStimulus(bits=symbols + 1, inputs=[1, 1, 1], symbol_values=(0, 1, 2))


def two_rows(cell: CapPresent, bits: tuple[int, int]) -> CellGeometry:
    """Two rows of one column as one period, their signal lines and fingers apart."""
    stack = load_stack("generic28")
    parts = [cell.geometry(stack, PLANE, (bit,)) for bit in bits]
    depth = parts[0].period[1]
    boxes = []
    for r, g in enumerate(parts):
        for b in g.boxes:
            along = b.kind in ("line", "shield") and b.size[1] > b.size[0]
            if along and r:
                continue  # drawn once, over both rows
            net = f"{b.net}{r}" if b.net in ("S", "F0") else b.net
            upper = 2 * depth if along else b.upper[1] + r * depth
            low = (b.lower[0], b.lower[1] + r * depth, b.lower[2])
            boxes.append(Box(net, b.layer, b.kind, low, (b.upper[0], upper, b.upper[2])))
    g = parts[0]
    return replace(g, boxes=tuple(boxes), period=(g.period[0], 2 * depth), rows=2)


@pytest.mark.slow
def test_a_row_does_not_see_its_neighbours_bits() -> None:
    """The post keeps fingers of neighbouring rows apart: C_on moves by less than 1 % of the signal with their bits."""
    pytest.importorskip("ngsolve")
    found = {}
    for bits in ((1, 1), (1, 0), (0, 0)):
        e = extract(two_rows(CapPresent(), bits), load_stack("generic28"), order=3)
        e = without_floating(e, [n for n in e.nets if n.startswith("F")])
        found[bits] = [e.coupling("BL0", f"S{r}") for r in (0, 1)]
    on, off = found[1, 1][0], found[0, 0][0]
    assert on / off > 3
    assert found[1, 0][0] == pytest.approx(on, abs=0.01 * (on - off))
    assert found[1, 0][1] == pytest.approx(off, abs=0.01 * (on - off))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "unseen", "switched", "total"),
    [
        # aF per count and per bit line and row; order 5 of the field solver, 45 nm lines and spaces.
        ("cap_present", (0, 1), 5.42, 30.4),
        ("cap_select", (2, 1), 8.62, 47.1),
        ("cap_ternary", (2, 0), 11.56, 59.7),
    ],
)
def test_extracted_values(kind: str, unseen: tuple[int, int], switched: float, total: float) -> None:
    """Values by the field solver, and couplings of a program that the decomposition has not seen."""
    pytest.importorskip("ngsolve")
    stack = load_stack("generic28")
    cell = make_cell(kind, {"levels": 3} if kind == "cap_select" else {})
    model = cell.model(stack, PLANE, lambda g, s: extract(g, s, order=3))
    assert model.fit_residual < 5e-3
    assert model.switched * 1e18 == pytest.approx(switched, rel=0.02)
    assert model.bl_total * 1e18 == pytest.approx(total, rel=0.02)
    e = extract(cell.geometry(stack, PLANE, unseen), stack, order=3)
    e = without_floating(e, [n for n in e.nets if n[0] in "FT" and n[1:].isdigit()])
    for k, symbol in enumerate(unseen):
        for line in model.bit_lines:
            net = {"bl": "BL", "blp": "P", "bln": "N"}[line.prefix] + str(k)
            other = unseen[1 - k]
            near = model.load(symbol, line) + model.next_load(other, line)
            assert e.total(net) == pytest.approx(near, rel=5e-3)

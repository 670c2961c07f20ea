"""Column decks in ngspice against exact solutions, the exact solutions against a second derivation."""

from __future__ import annotations

import re

import numpy as np
import pytest

from interconnect.errors import InputError
from netlists.cells.base import CellModel
from netlists.column import ColumnDeck, ColumnStimulus, Deviations, Periphery, Timing, column_deck
from netlists.condition import Condition
from netlists.reference import reference_column
from netlists.technology import Technology
from ngspice_runner import Job, Result, run

NOMINAL = Condition("tt", 0.9, 27.0)


def simulate(deck: ColumnDeck) -> Result:
    result = run(Job(text=deck.text, outputs=deck.outputs, stop=deck.stop))
    assert result.ok, (result.verdict, result.log)
    return result


def last(deck: ColumnDeck, result: Result) -> np.ndarray:
    return np.array([result.signals[name].values[-1] for name in deck.columns])


def random_case(rng: np.random.Generator, *, deviations: bool = True) -> ColumnStimulus:
    rows = int(rng.integers(1, 33))
    cell = np.exp(0.05 * rng.standard_normal((rows, 3))) if deviations else None
    return ColumnStimulus(
        bits=rng.integers(0, 2, (rows, 3)),
        inputs=rng.integers(0, 2, rows),
        position=int(rng.integers(0, 100)),
        columns_total=int(rng.integers(103, 300)),
        ones_fraction=float(rng.random()),
        deviations=Deviations(cell=cell, row_wire=float(rng.uniform(0.5, 2)), bl_wire=float(rng.uniform(0.5, 2))),
    )


@pytest.mark.parametrize("which", ["cap_model", "res_model"])
def test_ideal_deck_is_exact_on_20_random_patterns(
    which: str, technology: Technology, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(which)
    rng = np.random.default_rng(20)
    periphery = Periphery(kind="ideal")
    condition = Condition("tt", 0.9, 77.0)
    driven = 0
    for number in range(20):
        case = random_case(rng)
        extra = number % 3 * 5
        deck = column_deck(technology, model, periphery, Timing(), condition, case, extra_rows=extra)
        exact = reference_column(model, periphery, condition, case, extra_rows=extra)
        assert exact.residual < 1e-9
        if not case.inputs.any():
            continue
        driven += 1
        np.testing.assert_allclose(
            last(deck, simulate(deck)), exact.columns, rtol=1e-6, atol=1e-9 * exact.columns.max()
        )
    assert driven >= 15


def test_charge_reference_equals_a_dense_charge_balance(cap_model: CellModel) -> None:
    """Second derivation: one unknown per bit line, charges by hand for three coupled columns without lumped loads."""
    rng = np.random.default_rng(4)
    n, k = 24, 3
    bits, x = rng.integers(0, 2, (n, k)), rng.integers(0, 2, n)
    factor = np.exp(0.1 * rng.standard_normal((n, k)))
    v = cap_model.value
    vdd, sense = 0.8, 0.3e-15
    matrix, right = np.zeros((k, k)), np.zeros(k)
    for c in range(k):
        own = v("C_bl_tab") * factor[:, c]
        left = v("C_tab_bl") * np.ones(n)
        total = own + v("C_bl_s") + v("C_bl_g") + v("C_bl_gnd") + 2 * v("C_bl_bl") + left
        matrix[c, c] = total.sum() + sense
        pull = x * (v("C_bl_s") + own * bits[:, c])
        if c > 0:
            pull = pull + x * left * bits[:, c - 1]  # the tab of the column before follows its row
            matrix[c, c - 1] = matrix[c - 1, c] = -n * v("C_bl_bl")
        right[c] = vdd * pull.sum()
    expected = np.linalg.solve(matrix, right)
    case = ColumnStimulus(bits=bits, inputs=x, deviations=Deviations(cell=factor))
    got = reference_column(
        cap_model, Periphery(kind="ideal", sense_capacitance=sense), Condition("tt", vdd, 27.0), case
    )
    np.testing.assert_allclose(got.columns, expected, rtol=1e-10)


def test_current_reference_equals_a_dense_nodal_solution(res_model: CellModel) -> None:
    """Second derivation: dense nodal matrix of a crossbar with the segments where the conventions put them."""
    rng = np.random.default_rng(5)
    n, k = 12, 3
    bits, x = rng.integers(0, 2, (n, k)), rng.integers(0, 2, n)
    r_row, r_bl, r_plug = (res_model.value(e) for e in ("R_row", "R_bl", "R_plug"))
    r_drive, r_sense, volts = 700.0, 150.0, 0.2
    size = 2 * n * k
    w = np.arange(n * k).reshape(n, k)
    b = w + n * k
    g, source = np.zeros((size, size)), np.zeros(size)

    def tie(i: int, j: int | None, ohm: float) -> None:
        g[i, i] += 1 / ohm
        if j is not None:
            g[j, j] += 1 / ohm
            g[i, j] -= 1 / ohm
            g[j, i] -= 1 / ohm

    for r in range(n):
        tie(w[r, 0], None, r_drive + r_row)
        source[w[r, 0]] += x[r] * volts / (r_drive + r_row)
        for c in range(k):
            if c:
                tie(w[r, c - 1], w[r, c], r_row)
            if bits[r, c]:
                tie(w[r, c], b[r, c], r_plug)
            tie(b[r, c], b[r + 1, c] if r + 1 < n else None, r_bl if r + 1 < n else r_bl + r_sense)
    solution = np.linalg.solve(g, source)
    expected = solution[b[n - 1]] / (r_bl + r_sense)
    got = reference_column(
        res_model,
        Periphery(kind="ideal", driver_resistance=r_drive, sense_resistance=r_sense, read_voltage=volts),
        NOMINAL,
        ColumnStimulus(bits=bits, inputs=x),
    )
    np.testing.assert_allclose(got.columns, expected, rtol=1e-9)


def test_closed_forms_agree_where_they_apply(cap_model: CellModel, res_model: CellModel) -> None:
    """One column alone: the divider is exact; with negligible wire the resistive sum is, too."""
    rng = np.random.default_rng(6)
    case = ColumnStimulus(bits=rng.integers(0, 2, (16, 1)), inputs=np.ones(16, dtype=int))
    got = reference_column(cap_model, Periphery(kind="ideal"), NOMINAL, case)
    assert got.value == pytest.approx(got.closed_form, rel=1e-12)
    small = Periphery(kind="ideal", driver_resistance=1e-3, sense_resistance=1e-3)
    case = ColumnStimulus(bits=case.bits, inputs=case.inputs, deviations=Deviations(row_wire=1e-6, bl_wire=1e-6))
    got = reference_column(res_model, small, NOMINAL, case)
    assert got.value == pytest.approx(got.closed_form, rel=1e-6)


@pytest.mark.parametrize("which", ["cap_model", "res_model"])
@pytest.mark.parametrize("stages", [1, 2])
def test_transistor_deck_runs_and_moves_like_the_ideal_one(
    which: str, stages: int, technology: Technology, request: pytest.FixtureRequest
) -> None:
    """Levels of two counts: the reset's charge injection shifts both, their difference is that of the network."""
    model = request.getfixturevalue(which)
    n, levels, exact = 16, [], []
    periphery = Periphery(driver_stages=stages)
    for ones in (4, 12):
        bits = np.zeros((n, 3), dtype=int)
        bits[:ones] = 1
        case = ColumnStimulus(bits=bits, inputs=np.ones(n), position=10, columns_total=32)
        deck = column_deck(technology, model, periphery, Timing(), NOMINAL, case)
        result = simulate(deck)
        levels.append(last(deck, result)[1])
        exact.append(reference_column(model, periphery, NOMINAL, case).value)
        supply = result.signals[deck.row_supply].values
        assert supply.min() < 0  # the supply delivers
    # Transistor capacitances on the bit line (tenths of a fF against 1 fF) and driver resistance change the gain.
    assert levels[1] - levels[0] == pytest.approx(exact[1] - exact[0], rel=0.25)


def test_level_does_not_depend_on_the_time_step(technology: Technology, cap_model: CellModel) -> None:
    case = random_case(np.random.default_rng(7), deviations=False)
    levels = []
    for step in (10e-12, 1e-12):
        deck = column_deck(technology, cap_model, Periphery(), Timing(max_step=step), NOMINAL, case)
        levels.append(last(deck, simulate(deck))[1])
    assert levels[0] == pytest.approx(levels[1], abs=5e-6)  # one count is several mV


def test_threshold_shifts_reach_their_transistor(technology: Technology, cap_model: CellModel) -> None:
    bits, inputs = np.ones((4, 3), dtype=int), np.ones(4, dtype=int)
    plain = column_deck(technology, cap_model, Periphery(), Timing(), NOMINAL, ColumnStimulus(bits=bits, inputs=inputs))
    shifted = column_deck(
        technology,
        cap_model,
        Periphery(),
        Timing(),
        NOMINAL,
        ColumnStimulus(bits=bits, inputs=inputs, deviations=Deviations(reset=np.array([0.0, 0.05, 0.0]))),
    )
    before, after = (last(d, simulate(d)) for d in (plain, shifted))
    # The middle switch lets go earlier while its gate falls, so more of the gate's swing couples over: about
    # -overlap x shift / C(BL) = -0.12 um x 0.25 fF/um x 50 mV / 0.8 fF = -1.9 mV if all of it did. The others stay.
    assert -2.5e-3 < after[1] - before[1] < -0.3e-3
    assert abs(after[0] - before[0]) < 0.1 * abs(after[1] - before[1])


def test_extra_rows_equal_rows_with_input_zero(cap_model: CellModel) -> None:
    rng = np.random.default_rng(8)
    bits, inputs = rng.integers(0, 2, (8, 3)), rng.integers(0, 2, 8)
    more = ColumnStimulus(
        bits=np.vstack([np.zeros((6, 3), dtype=int), bits]), inputs=np.concatenate([np.zeros(6, dtype=int), inputs])
    )
    p = Periphery(kind="ideal")
    lumped = reference_column(cap_model, p, NOMINAL, ColumnStimulus(bits=bits, inputs=inputs), extra_rows=6)
    np.testing.assert_allclose(lumped.columns, reference_column(cap_model, p, NOMINAL, more).columns, rtol=1e-9)


def test_deck_prints_plain_numbers_and_every_warning(technology: Technology, cap_model: CellModel) -> None:
    case = ColumnStimulus(bits=np.ones((2, 3)), inputs=[1, 0])
    text = column_deck(technology, cap_model, Periphery(), Timing(), NOMINAL, case).text
    assert text.startswith("* cap_balanced column: 2 rows")
    assert "generic28: every value is an estimate" in text
    assert "devices as open45" in text
    body = "\n".join(line for line in text.splitlines() if not line.startswith(("*", "+", ".model")))
    assert not re.search(r"(?<![\w.])[0-9][0-9.]*(?:e[+-]?[0-9]+)?[a-df-zA-DF-Z]\w*", body), "a number with a suffix"
    assert column_deck(technology, cap_model, Periphery(), Timing(), NOMINAL, case).text == text


@pytest.mark.parametrize(
    "change",
    [
        {"bits": np.zeros((4, 2))},
        {"bits": np.full((4, 3), 2)},
        {"inputs": np.ones(5)},
        {"position": -1},
        {"position": 3, "columns_total": 5},
        {"ones_fraction": 1.5},
        {"deviations": Deviations(cell=np.ones((3, 3)))},
        {"deviations": Deviations(cell=-np.ones((4, 3)))},
        {"deviations": Deviations(reset=np.array([0.0, np.nan, 0.0]))},
        {"deviations": Deviations(bl_wire=0.0)},
    ],
)
def test_impossible_cases_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        ColumnStimulus(**({"bits": np.zeros((4, 3)), "inputs": np.zeros(4)} | change))  # type: ignore[arg-type]


def test_impossible_periphery_and_timing_are_refused(technology: Technology, cap_model: CellModel) -> None:
    with pytest.raises(InputError, match=r"periphery\.driver_stages"):
        Periphery(driver_stages=0)
    with pytest.raises(InputError, match=r"periphery\.sense_capacitance"):
        Periphery(sense_capacitance=-1e-15)
    with pytest.raises(InputError, match=r"timing\.input_start"):
        Timing(input_start=0.1e-9)
    with pytest.raises(InputError, match=r"periphery.*outside"):
        column_deck(
            technology,
            cap_model,
            Periphery(reset_width=1e-9),
            Timing(),
            NOMINAL,
            ColumnStimulus(bits=np.ones((2, 3)), inputs=[1, 1]),
        )

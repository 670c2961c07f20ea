"""Crossbar currents against sparse LU, ngspice, closed forms and limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interconnect.crossbar import _Crossbar, effective_conductance, solve_crossbar
from interconnect.crossbar_kernels import solve_vectors
from interconnect.errors import InputError, SolverError
from interconnect.network import LinearNetwork

Spice = Callable[..., dict[str, np.ndarray]]


def random_bar(seed: int, rows: int, cols: int, *, open_cells: float = 0.2, uneven: bool = True) -> dict[str, Any]:
    """A crossbar with open cells and, if `uneven`, its own resistance in every segment."""
    rng = np.random.default_rng(seed)
    cells = np.where(rng.random((rows, cols)) < 0.5, 1e-4, 1e-6) * rng.uniform(0.8, 1.2, (rows, cols))
    cells[rng.random((rows, cols)) < open_cells] = 0.0
    bar: dict[str, Any] = {"conductance": cells, "r_row": 1.0, "r_col": 2.0}
    if uneven:
        bar["r_row"] = rng.uniform(0.2, 5.0, (rows, cols))
        bar["r_col"] = rng.uniform(0.2, 5.0, (rows, cols))
        bar["r_driver"] = rng.uniform(10.0, 500.0, rows)
        bar["r_sense"] = rng.uniform(1.0, 100.0, cols)
    return bar


def segment(bar: dict[str, Any], name: str) -> np.ndarray:
    return np.broadcast_to(bar[name], bar["conductance"].shape)


def as_network(bar: dict[str, Any]) -> tuple[LinearNetwork, list[str], list[str]]:
    """The same circuit as a general network; drivers and sense ends are nodes of their own."""
    rows, cols = bar["conductance"].shape
    names = [f"w{i}_{j}" for i in range(rows) for j in range(cols)] + [
        f"b{i}_{j}" for i in range(rows) for j in range(cols)
    ]
    drivers, senses = [f"d{i}" for i in range(rows)], [f"s{j}" for j in range(cols)]
    net = LinearNetwork(names + drivers + senses)
    word = np.arange(rows * cols).reshape(rows, cols)
    bit = word + rows * cols
    driver, sense = 2 * rows * cols + np.arange(rows), 2 * rows * cols + rows + np.arange(cols)
    net.add_conductances(word.ravel(), bit.ravel(), bar["conductance"].ravel())
    row, column = segment(bar, "r_row"), segment(bar, "r_col")
    net.add_resistors(word[:, :-1].ravel(), word[:, 1:].ravel(), row[:, 1:].ravel())
    net.add_resistors(driver, word[:, 0], row[:, 0] + bar.get("r_driver", 0.0))
    net.add_resistors(bit[:-1].ravel(), bit[1:].ravel(), column[:-1].ravel())
    net.add_resistors(bit[-1], sense, column[-1] + bar.get("r_sense", 0.0))
    return net, drivers, senses


def by_lu(bar: dict[str, Any], drive: np.ndarray) -> np.ndarray:
    """Column currents by sparse LU of the whole circuit."""
    net, drivers, senses = as_network(bar)
    volts = np.concatenate([drive, np.zeros((len(senses), *drive.shape[1:]))])
    return -net.dc(drivers + senses, volts).current[len(drivers) :]


def spice_deck(bar: dict[str, Any], drive: np.ndarray) -> list[str]:
    rows, cols = bar["conductance"].shape
    row, column = segment(bar, "r_row"), segment(bar, "r_col")
    driver = np.broadcast_to(bar.get("r_driver", 0.0), rows)
    sense = np.broadcast_to(bar.get("r_sense", 0.0), cols)
    deck = ["crossbar"]
    for i in range(rows):
        deck.append(f"vd{i} d{i} 0 {float(drive[i])!r}")
        for j in range(cols):
            before = f"d{i}" if j == 0 else f"w{i}_{j - 1}"
            ohm = row[i, j] + (driver[i] if j == 0 else 0.0)
            deck.append(f"rw{i}_{j} {before} w{i}_{j} {float(ohm)!r}")
            after = f"s{j}" if i == rows - 1 else f"b{i + 1}_{j}"
            ohm = column[i, j] + (sense[j] if i == rows - 1 else 0.0)
            deck.append(f"rb{i}_{j} b{i}_{j} {after} {float(ohm)!r}")
            if bar["conductance"][i, j] > 0:
                deck.append(f"rc{i}_{j} w{i}_{j} b{i}_{j} {float(1 / bar['conductance'][i, j])!r}")
    deck += [f"vs{j} s{j} 0 0" for j in range(cols)]
    return [*deck, ".op"]


@pytest.mark.parametrize(("rows", "cols"), [(8, 8), (16, 16), (32, 32), (24, 9), (5, 30)])
def test_meets_ngspice(ngspice: Spice, rows: int, cols: int) -> None:
    bar = random_bar(rows * 100 + cols, rows, cols)
    drive = np.random.default_rng(1).uniform(0.0, 0.5, rows)
    values = ngspice(spice_deck(bar, drive))
    theirs = np.array([values[f"i(vs{j})"][-1] for j in range(cols)])
    ours = solve_crossbar(drive=drive, **bar)
    assert np.abs(ours.current - theirs).max() <= 1e-9 * np.abs(theirs).max()


@pytest.mark.parametrize(
    ("rows", "cols"),
    [(1, 1), (1, 7), (7, 1), (64, 64), (96, 40), (256, 256)],
)
def test_meets_sparse_lu_for_many_vectors(rows: int, cols: int) -> None:
    bar = random_bar(rows + cols, rows, cols, open_cells=0.0 if rows * cols < 10 else 0.2)
    drive = np.random.default_rng(2).normal(0.0, 0.3, (rows, 3))
    solution = solve_crossbar(drive=drive, **bar)
    assert solution.current.shape == (cols, 3)
    expected = by_lu(bar, drive)
    assert np.abs(solution.current - expected).max() <= 1e-10 * np.abs(expected).max()
    assert solution.residual < 1e-11


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 12), st.floats(-3, 4), st.floats(0, 0.9))
def test_any_small_crossbar_meets_lu(seed: int, rows: int, cols: int, decades: float, opened: float) -> None:
    bar = random_bar(seed, rows, cols, open_cells=opened)
    bar["r_row"] = bar["r_row"] * 10**decades
    drive = np.random.default_rng(seed).normal(size=rows)
    expected = by_lu(bar, drive)
    # 1e-8: what LU itself loses when wires conduct 1e7 times better than cells.
    scale = np.abs(expected).max() + 1e-12
    assert np.abs(solve_crossbar(drive=drive, **bar).current - expected).max() <= 1e-8 * scale


def test_hard_case_of_plain_vias() -> None:
    # 10 ohm cells on 0.8 ohm segments: rows and columns all but shorted together.
    rng = np.random.default_rng(5)
    bar = {"conductance": np.where(rng.random((128, 128)) < 0.5, 0.1, 0.0), "r_row": 0.8, "r_col": 0.8}
    drive = rng.uniform(0.0, 0.1, 128)
    solution = solve_crossbar(drive=drive, **bar)
    expected = by_lu(bar, drive)
    assert np.abs(solution.current - expected).max() <= 1e-9 * np.abs(expected).max()


def test_ideal_wires_give_the_matrix_product() -> None:
    rng = np.random.default_rng(3)
    cells, drive = rng.uniform(0, 1e-4, (40, 30)), rng.normal(size=(40, 4))
    solution = solve_crossbar(cells, drive, r_row=0.0, r_col=0.0)
    np.testing.assert_allclose(solution.current, cells.T @ drive, rtol=1e-12, atol=1e-18)


@pytest.mark.parametrize("zero", ["r_row", "r_col"])
def test_zero_resistance_is_the_limit_of_a_small_one(zero: str) -> None:
    bar = random_bar(9, 20, 15)
    drive = np.linspace(0.1, 0.5, 20)
    exact = solve_crossbar(drive=drive, **(bar | {zero: 0.0})).current
    near = [by_lu(bar | {zero: tiny}, drive) for tiny in (1e-3, 5e-4)]
    # The error of a small resistance is linear in it: extrapolate to zero.
    np.testing.assert_allclose(exact, 2 * near[1] - near[0], rtol=1e-7)


def test_single_cell_and_single_column_closed_forms() -> None:
    one = solve_crossbar([[1e-3]], [1.0], r_row=100.0, r_col=50.0, r_driver=300.0, r_sense=550.0)
    # 1 V over 100 + 50 + 300 + 550 + 1000 ohm.
    assert one.current == pytest.approx([0.5e-3], rel=1e-14)
    # Two rows, one column, cells and column segments 1 kohm, row 1 driven: 1 V/1k / (1/1k + 1/2k + 1/1k) at its node.
    two = solve_crossbar([[1e-3], [1e-3]], [0.0, 1.0], r_row=0.0, r_col=1e3)
    assert two.current == pytest.approx([1e-3 / (1 + 0.5 + 1)], rel=1e-14)


def test_sneak_path_with_floating_rows() -> None:
    # 64 x 64, 10 kohm cells, one row read at 0.1 V, others undriven, columns at 0 V: undriven rows carry sneak current
    # into the open cell's column; grounded rows all but stop it.
    cells = np.full((64, 64), 1e-4)
    cells[0, 1] = 0.0
    drive = np.zeros(64)
    drive[0] = 0.1
    floating = np.full(64, np.inf)
    floating[0] = 0.0
    bar = {"conductance": cells, "r_row": 0.8, "r_col": 0.8}
    sneak = solve_crossbar(drive=drive, r_driver=floating, **bar)
    net, drivers, senses = as_network(bar | {"r_driver": floating})
    expected = -net.dc([drivers[0], *drivers[1:], *senses], np.append(drive, np.zeros(64))).current[64:]
    np.testing.assert_allclose(sneak.current, expected, rtol=1e-9, atol=1e-16)
    grounded = solve_crossbar(drive=drive, **bar)
    assert 0 < grounded.current[1] < 0.01 * sneak.current[1]


def test_dead_rows_and_columns() -> None:
    bar = random_bar(4, 12, 10)
    bar["conductance"][3] = 0.0
    bar["conductance"][:, 6] = 0.0
    bar["r_driver"][3] = np.inf
    solution = solve_crossbar(drive=np.full(12, 0.2), **bar)
    assert solution.current[6] == 0.0
    assert (solution.current[np.arange(10) != 6] > 0).all()


def test_precomputed_matrix_multiplies_to_the_same() -> None:
    bar = random_bar(8, 48, 32)
    matrix = effective_conductance(**bar)
    drive = np.random.default_rng(0).normal(size=(48, 5))
    np.testing.assert_allclose(matrix.T @ drive, solve_crossbar(drive=drive, **bar).current, rtol=1e-9, atol=1e-14)


def test_reciprocity_and_superposition() -> None:
    bar = random_bar(12, 30, 20, uneven=False)
    matrix = effective_conductance(**bar)
    # Exchanging drivers and sense nodes transposes a resistive network's transfer matrix (rows and columns mirrored).
    mirrored = {"conductance": bar["conductance"].T[::-1, ::-1], "r_row": bar["r_col"], "r_col": bar["r_row"]}
    np.testing.assert_allclose(effective_conductance(**mirrored), matrix.T[::-1, ::-1], rtol=1e-9, atol=1e-16)


def test_vectors_do_not_see_one_another() -> None:
    bar = random_bar(13, 17, 16)
    drive = np.random.default_rng(0).normal(size=(17, 7))
    drive[:, 3] = 0.0
    whole = solve_crossbar(drive=drive, **bar).current
    for i in range(7):
        np.testing.assert_array_equal(solve_crossbar(drive=drive[:, i], **bar).current, whole[:, i])
    # A vector of zeros among others stays zero.
    assert (whole[:, 3] == 0).all()


@pytest.mark.parametrize("shape", [(30, 11), (11, 30)])
@pytest.mark.parametrize("undriven", [False, True])
def test_the_shorter_side_may_be_solved_for(shape: tuple[int, int], undriven: bool) -> None:
    bar = random_bar(21, *shape)
    if undriven:
        bar["r_driver"][4] = np.inf
    matrix = effective_conductance(**bar)
    direct = solve_crossbar(drive=np.eye(shape[0]), **bar).current.T
    np.testing.assert_allclose(matrix, direct, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize(("shape", "vectors"), [((5, 3), 3), ((3, 5), 3), ((4, 4), 4)])
def test_a_matrix_takes_as_many_vectors_as_its_shorter_side(
    shape: tuple[int, int], vectors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    solved = []

    def counting(drives: np.ndarray, *rest: Any) -> tuple[float, int]:
        solved.append(len(drives))
        return solve_vectors(drives, *rest)

    monkeypatch.setattr("interconnect.crossbar.solve_vectors", counting)
    assert effective_conductance(**random_bar(3, *shape)).shape == shape
    assert solved == [vectors]


def test_what_does_not_converge_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interconnect.crossbar.MAX_ITERATIONS", 3)
    with pytest.raises(SolverError, match=r"did not converge: residual \S+ after 3 iterations"):
        solve_crossbar(np.full((64, 64), 1e-2), np.ones(64), r_row=5.0, r_col=5.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conductance": [1.0, 2.0]}, r"conductance must have shape \(rows, cols\)"),
        ({"conductance": [[-1.0, 1.0]]}, "conductance must be finite and not negative"),
        ({"conductance": [[np.nan, 1.0]]}, "conductance must be finite"),
        ({"drive": [1.0, 2.0]}, r"drive has shape \(2,\), expected \(1,\)"),
        ({"drive": [np.inf]}, "a drive voltage is not finite"),
        ({"r_row": -1.0}, "r_row must be finite and not negative"),
        ({"r_col": [1.0]}, r"r_col has shape \(1,\), expected a scalar or \(1, 2\)"),
        ({"r_sense": np.inf}, "r_sense must be finite"),
        ({"r_driver": [1.0, 2.0]}, "r_driver has shape"),
    ],
)
def test_bad_input_is_refused(change: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"conductance": [[1.0, 1.0]], "drive": [1.0], "r_row": 1.0, "r_col": 1.0}
    with pytest.raises(InputError, match=message):
        solve_crossbar(**(good | change))


@pytest.mark.parametrize("cells", [[1.0, 2.0], np.ones((2, 2, 2))])
def test_only_a_matrix_of_cells_has_an_effective_one(cells: Any) -> None:
    with pytest.raises(InputError, match=r"conductance must have shape \(rows, cols\)"):
        effective_conductance(cells, r_row=1.0, r_col=1.0)


@pytest.mark.parametrize(
    ("row", "column", "driver"), [(1e4, 1e4, 0.0), (10.0, 1e6, 0.0), (1e6, 10.0, 1e3), (300, 300, np.inf)]
)
def test_wires_that_resist_as_much_as_cells(row: float, column: float, driver: float) -> None:
    rng = np.random.default_rng(17)
    shape = (61, 48)
    bar = {
        "conductance": 1 / rng.uniform(1e3, 1e4, shape) * (rng.random(shape) < 0.9),
        "r_row": row * rng.uniform(0.5, 2.0, shape),
        "r_col": column * rng.uniform(0.5, 2.0, shape),
        "r_driver": np.where(np.arange(61) % 3 == 1, driver, 10.0),
    }
    drive = rng.uniform(0.05, 0.2, 61)
    solution = solve_crossbar(drive=drive, **bar)
    net, drivers, senses = as_network(bar)
    live = np.isfinite(bar["r_driver"])
    held = [name for name, on in zip(drivers, live, strict=True) if on]
    loose = [name for name, on in zip(drivers, live, strict=True) if not on]
    net.add_conductances(loose, "GND", 1e-30)  # an undriven node of its own has to have some voltage
    expected = -net.dc([*held, *senses], np.append(drive[live], np.zeros(48))).current[len(held) :]
    assert np.abs(solution.current - expected).max() <= 1e-9 * np.abs(expected).max()
    # Without coarse grids 100 x sqrt(resistance ratio) iterations and more.
    assert solution.iterations <= 40


def test_predicted_iterations_of_even_arrays() -> None:
    # 64 x 64, 1 kohm cells: a quarter around what conjugate gradients without coarse grids take.
    cells = np.full((64, 64), 1e-3)
    for ohm in (10.0, 100.0, 1000.0):
        bar = _Crossbar(cells, ohm, ohm, 0.0, 0.0)
        bar.grids = None
        _, residual, iterations = bar.solve(np.random.default_rng(0).uniform(0.05, 0.2, (1, 64)))
        assert residual < 1e-10
        assert bar.iterations == pytest.approx(iterations, rel=0.25)


def test_rounding_is_no_error() -> None:
    # 1 Mohm per segment, 1 kohm cells: their currents are differences of all but equal voltages.
    cells = np.full((200, 40), 1e-3)
    solution = solve_crossbar(cells, np.ones(200), r_row=1.0, r_col=1e6)
    # One column of a uniform array far from its ends is as any other; the last cells decide: a lossy line's entry,
    # I = V / (r / 2 + sqrt(r R + r^2 / 4)) r R for lumped segments, less what the row wires take (below 1e-4).
    entry = 0.5e6 + np.sqrt(1e6 * 1e3 + 0.25e12)
    assert solution.current[0] == pytest.approx(1.0 / entry, rel=1e-3)


@pytest.mark.parametrize(("row", "column"), [(1.0, 1e6), (100.0, 1e8), (1e-2, 1e8), (1.0, 1e8)])
def test_residual_does_not_grow_with_the_wires(row: float, column: float) -> None:
    # Ohm's law along so resistive a column multiplies the rounding of 64 cells' currents by 1e6 and more.
    cells = 1 / np.random.default_rng(64).uniform(1e3, 1e4, (64, 64))
    solution = solve_crossbar(cells, np.linspace(0.05, 0.2, 64), r_row=row, r_col=column)
    assert solution.residual < 1e-11


@pytest.mark.parametrize("ohm", [1.0, 100.0, 1e5])
def test_residual_is_free_of_units(ohm: float) -> None:
    cells = 1 / np.random.default_rng(0).uniform(1e3, 1e4, (72, 64))
    drive = np.linspace(0.05, 0.2, 72)
    one = solve_crossbar(cells, drive, r_row=ohm, r_col=ohm)
    # Powers of two change no digit: the same iterations, residual and currents in other units.
    other = solve_crossbar(2.0**30 * cells, 2.0**-20 * drive, r_row=2.0**-30 * ohm, r_col=2.0**-30 * ohm)
    assert (other.residual, other.iterations) == (one.residual, one.iterations)
    np.testing.assert_array_equal(other.current, 2.0**10 * one.current)

"""Elimination of a crossbar's nodes against sparse LU, iterations, closed forms; when it is chosen and refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from interconnect import crossbar, crossbar_elimination
from interconnect.arrays import FloatArray
from interconnect.crossbar import _Crossbar, effective_conductance, solve_crossbar
from interconnect.crossbar_elimination import eliminated
from interconnect.errors import SolverError
from tests.interconnect.test_crossbar import by_lu, random_bar, segment


def by_elimination(bar: dict[str, Any]) -> FloatArray:
    row, column = np.array(segment(bar, "r_row")), np.array(segment(bar, "r_col"))
    row[:, 0] += bar.get("r_driver", 0.0)
    column[-1] += bar.get("r_sense", 0.0)
    return eliminated(bar["conductance"], row, column)


# Tiles have 8 x 8 cells: one tile, parts of tiles, halves of different size, lines of one cell.
@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (7, 19), (17, 9), (33, 40), (1, 41), (41, 1), (70, 24)])
@pytest.mark.parametrize("ohm", [1e-2, 1.0, 1e4])
def test_meets_sparse_lu(shape: tuple[int, int], ohm: float) -> None:
    bar = random_bar(shape[0], *shape)
    bar = bar | {"r_row": ohm * bar["r_row"], "r_col": ohm * bar["r_col"]}
    expected = by_lu(bar, np.eye(shape[0])).T
    # 1e-9: what LU loses when wires conduct 1e6 times better than cells.
    np.testing.assert_allclose(by_elimination(bar), expected, rtol=1e-9, atol=1e-9 * expected.max())


def test_small_conductances_beside_large_ones_keep_their_digits() -> None:
    # Wires of 1 nohm: the cells' own conductances but for what 2 lines of 40 segments of 1 nohm drop at 40 cells of at
    # most 0.1 mS, and sneak paths of three such cells over two lines, 1600 of them.
    cells = 10.0 ** np.random.default_rng(2).uniform(-16.0, -4.0, (40, 40))
    wires = np.full(cells.shape, 1e-9)
    drop, sneak = 2 * 40 * 40 * 1e-4 * 1e-9, 1600 * 1e-4**3 * (40 * 1e-9) ** 2
    np.testing.assert_allclose(eliminated(cells, wires, wires), cells, rtol=drop, atol=sneak)


def test_far_cells_of_resistive_wires() -> None:
    # One row, one column: cells off the crossing are open, so 3 + 4 segments and the cell are in series.
    cells = np.zeros((20, 12))
    cells[16, 2] = 1e-3
    matrix = eliminated(cells, np.full(cells.shape, 1e6), np.full(cells.shape, 1e6))
    assert matrix[16, 2] == pytest.approx(1.0 / (7e6 + 1e3), rel=1e-13)
    matrix[16, 2] = 0.0
    assert not matrix.any()


@pytest.mark.parametrize(("row", "column"), [(1.0, 1.0), (1.0, 1e6), (1e4, 10.0), (1e6, 1e8)])
def test_meets_iterations(row: float, column: float) -> None:
    rng = np.random.default_rng(5)
    cells, drive = 1.0 / rng.uniform(1e3, 1e4, (100, 90)), rng.uniform(0.05, 0.2, 100)
    current = solve_crossbar(cells, drive, r_row=row, r_col=column).current
    matrix = eliminated(cells, np.full(cells.shape, row), np.full(cells.shape, column))
    np.testing.assert_allclose(drive @ matrix, current, rtol=1e-9, atol=1e-11 * current.max())


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Vectors of every call of the iterations from now on."""
    solved: list[int] = []
    solve = crossbar.solve_vectors

    def counting(drives: FloatArray, *rest: Any) -> Any:
        solved.append(len(drives))
        return solve(drives, *rest)

    monkeypatch.setattr(crossbar, "solve_vectors", counting)
    return solved


def test_many_vectors_go_through_the_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    bar = random_bar(6, 64, 48)
    drives = np.random.default_rng(3).normal(size=(64, 100))
    solved = counted(monkeypatch)
    many = solve_crossbar(drive=drives, **bar)
    few = solve_crossbar(drive=drives[:, :3], **bar)
    assert solved == [1, 3]  # the drive that checks the matrix, then the three themselves
    assert many.residual < 1e-10
    np.testing.assert_allclose(many.current[:, :3], few.current, rtol=1e-9, atol=1e-9 * np.abs(few.current).max())


def test_the_choice_follows_the_iterations() -> None:
    cells = np.full((64, 64), 1e-3)
    easy, hard = (_Crossbar(cells, ohm, ohm, 0.0, 0.0) for ohm in (1.0, 1000.0))
    fewest = [next(n for n in range(1, 1000) if bar.eliminates(n)) for bar in (easy, hard)]
    # An elimination takes as long as 300 iterations, a vector 60 with coarse grids, else 4 + 4.25 / sqrt(1 - 1 / c),
    # c = (1 + a)^2, 1 / a = 64 x 1 mS (4 / pi^2 x 63 ohm + 1 ohm); one more vector is the check.
    a = 1.0 / (64e-3 * (4.0 / np.pi**2 * 63.0 + 1.0))
    assert fewest == [int(300.0 / (4.0 + 4.25 / np.sqrt(1.0 - 1.0 / (1.0 + a) ** 2))) + 2, 7]


@pytest.mark.parametrize("change", [{"r_driver": np.inf}, {"r_row": 0.0}, {"r_col": 0.0}])
def test_what_has_no_resistance_or_no_driver_is_iterated(
    change: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    bar = random_bar(7, 40, 50, open_cells=0.0)
    for name, value in change.items():
        bar[name] = np.array(np.broadcast_to(bar[name], (40, 50) if name != "r_driver" else 40))
        bar[name][3] = value
    solved = counted(monkeypatch)
    effective_conductance(**bar)
    assert solved == [40]


def test_a_wrong_matrix_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crossbar, "eliminated", lambda *parts: eliminated(*parts) * (1.0 + 1e-8))
    with pytest.raises(SolverError, match=r"residual 1\.0e-08"):
        effective_conductance(**random_bar(8, 48, 48))


def test_blas_threads_do_not_compete(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    part = crossbar_elimination._part

    def looking(*arguments: Any) -> Any:
        seen.extend(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")
        return part(*arguments)

    monkeypatch.setattr(crossbar_elimination, "_part", looking)
    with threadpool_limits(limits=2, user_api="blas"):
        eliminated(np.full((4, 4), 1e-3), np.ones((4, 4)), np.ones((4, 4)))
        # The process has its threads back.
        after = {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}
    assert set(seen) == {1}
    assert after == {2}


def test_short_circuits_in_hard_wires() -> None:
    # Lines with a segment without resistance have no coarse grids: 450 iterations, a condition of 900.
    rng = np.random.default_rng(64)
    cells, drive = 1.0 / rng.uniform(1e3, 1e4, (64, 64)), rng.uniform(0.05, 0.2, 64)
    row, column = np.full(cells.shape, 1e5), np.full(cells.shape, 1e5)
    row[5, 5] = column[7, 7] = 0.0
    solution = solve_crossbar(cells, drive, r_row=row, r_col=column)
    # Iterations go on until the last correction times the condition is below 100 times the tolerance of 1e-13.
    assert solution.residual < 2e-11
    row[5, 5] = column[7, 7] = 1e-4  # 1e-9 of the others
    np.testing.assert_allclose(
        drive @ eliminated(cells, row, column), solution.current, rtol=0, atol=1e-9 * solution.current.max()
    )

"""Crossbars whose wires resist as much as their cells: CPU seconds of ours, CHOLMOD, PARDISO, algebraic multigrid.

    python benchmarks/hard_crossbar.py [--sizes 256 512 1024] [--ohm 1 10 100 10000] [--transient 256] [--write PAGE]
    python benchmarks/hard_crossbar.py --matrix [--sizes 256 512] [--ohm 1 10 100 10000] [--write PAGE]

Cells of 1 to 10 kohm, one resistance per wire segment, one solution each; every solver in a process per row with one
thread, imports, compilation and a small solution done before. A process that has used `--limit` seconds of CPU ends
without a figure. Peers get the assembled matrix for free: their time is
analysis, factorisation (or set-up) and solution to 1e-12. They are measured where they are installed: CHOLMOD through
scikit-sparse, PARDISO through pypardiso, AMG (smoothed aggregation under conjugate gradients) through pyamg.
`--matrix`: instead, the effective conductances of the whole array, that is, a solution per row: ours (elimination),
our iterations, CHOLMOD (one factorisation, 64 rows at a time).
`--transient N`: also the transient of `benchmarks/transient.py` for an N x N array with adaptive steps, CPU seconds and
growth of resident memory. Prints the rows, the ratios and how cost grows with the number of cells; `--write` replaces
the table in PAGE between its markers.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.crossbar import assembled, cpu, memory
from interconnect.arrays import FloatArray

MARKERS = {
    False: ("<!-- hard crossbars -->", "<!-- end of hard crossbars -->"),
    True: ("<!-- hard matrices -->", "<!-- end of hard matrices -->"),
}
"""Around the tables in the page, by `--matrix`."""

COLUMNS = {False: ("ours", "cholmod", "pardiso", "amg"), True: ("elimination", "iterations", "cholmod, all rows")}
NEEDS = {"cholmod": "sksparse", "pardiso": "pypardiso", "amg": "pyamg", "cholmod, all rows": "sksparse"}
BLOCK = 64
"""Right-hand sides that CHOLMOD gets at once."""

Timed = tuple[float, FloatArray]


def array(size: int) -> tuple[FloatArray, FloatArray]:
    """Cell conductances (S) and row voltages (V)."""
    rng = np.random.default_rng(size)
    return 1 / rng.uniform(1e3, 1e4, (size, size)), rng.uniform(0.05, 0.2, size)


def ours(cells: FloatArray, drive: FloatArray, ohm: float) -> Timed:
    from interconnect.crossbar import solve_crossbar

    start = cpu()
    current = solve_crossbar(cells, drive, r_row=ohm, r_col=ohm).current
    return cpu() - start, current


def peer(solve: Callable[[Any, FloatArray], FloatArray]) -> Callable[[FloatArray, FloatArray, float], Timed]:
    def timed(cells: FloatArray, drive: FloatArray, ohm: float) -> Timed:
        matrix, right = assembled(cells, drive, ohm)
        start = cpu()
        volts = solve(matrix, right)
        return cpu() - start, volts[-cells.shape[1] :] / ohm

    return timed


def cholmod(matrix: Any, right: FloatArray) -> FloatArray:
    from sksparse.cholmod import cholesky

    return np.asarray(cholesky(matrix)(right))


def pardiso(matrix: Any, right: FloatArray) -> FloatArray:
    from pypardiso import PyPardisoSolver

    solver = PyPardisoSolver(mtype=2)
    answer = np.asarray(solver.solve(sp.csr_matrix(sp.triu(matrix)), right))
    solver.free_memory(everything=True)
    return answer


def amg(matrix: Any, right: FloatArray) -> FloatArray:
    import pyamg

    levels = pyamg.smoothed_aggregation_solver(sp.csr_matrix(matrix))
    return np.asarray(levels.solve(right, tol=1e-12, accel="cg", maxiter=500))


def elimination(cells: FloatArray, drive: FloatArray, ohm: float) -> Timed:
    from interconnect.crossbar import effective_conductance

    start = cpu()
    matrix = effective_conductance(cells, r_row=ohm, r_col=ohm)
    return cpu() - start, drive @ matrix


def iterations(cells: FloatArray, drive: FloatArray, ohm: float) -> Timed:
    from interconnect.crossbar import _Crossbar

    start = cpu()
    matrix, _, _ = _Crossbar(cells, ohm, ohm, 0.0, 0.0).iterate(np.eye(len(cells)))
    return cpu() - start, drive @ matrix


def cholmod_rows(cells: FloatArray, drive: FloatArray, ohm: float) -> Timed:
    from sksparse.cholmod import cholesky

    rows, cols = cells.shape
    ends = np.arange(rows) * cols  # of the word lines, next to the drivers
    matrix, _ = assembled(cells, drive, ohm)
    start = cpu()
    factor = cholesky(matrix)
    effective = np.empty((rows, cols))
    for first in range(0, rows, BLOCK):
        these = ends[first : first + BLOCK]
        right = np.zeros((2 * rows * cols, len(these)))
        right[these, np.arange(len(these))] = 1 / ohm
        effective[first : first + BLOCK] = factor(right)[-cols:].T / ohm
    return cpu() - start, drive @ effective


SOLVERS = {
    "ours": ours,
    "cholmod": peer(cholmod),
    "pardiso": peer(pardiso),
    "amg": peer(amg),
    "elimination": elimination,
    "iterations": iterations,
    "cholmod, all rows": cholmod_rows,
}


def one(solver: str, size: int, ohm: float, limit: int) -> None:
    """Measure one solver at one size and resistance within `limit` CPU seconds; prints a line of JSON."""
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    solve = SOLVERS[solver]
    solve(*array(24), ohm)
    if solver in ("ours", "elimination", "iterations"):
        solve(*array(100), 1e4)  # the coarse grids
    cells, drive = array(size)
    times: list[float] = []
    while len(times) < (3 if not times or times[0] < 2 else 1):
        seconds, current = solve(cells, drive, ohm)
        times.append(seconds)
    print(json.dumps({"cpu_s": min(times), "current": current.tolist()}), flush=True)


def measured(solver: str, size: int, ohm: float, limit: int) -> tuple[float, FloatArray] | None:
    """CPU seconds and currents; None if the solver does not end within `limit` CPU seconds or fails."""
    command = [sys.executable, __file__, "--one", solver, str(size), repr(ohm), str(limit)]
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=os.environ | single)
    if done.returncode:
        return None
    row = json.loads(done.stdout.splitlines()[-1])
    return row["cpu_s"], np.array(row["current"])


def transient(size: int) -> str:
    """CPU seconds and memory of one transient, in this process."""
    from benchmarks.transient import ours as march

    march(66, 66, None)
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    start = time.process_time()
    wave = march(size, size, None)
    seconds = time.process_time() - start
    return (
        f"{size} x {size} transient, adaptive ({wave.steps} steps): {seconds:.2f} s CPU, "
        f"{(memory('VmHWM') - before) / 1e6:.0f} MB"
    )


def table(
    columns: tuple[str, ...], sizes: list[int], ohms: list[float], limit: int
) -> tuple[list[str], dict[float, list[float]]]:
    """Lines of the table, printed as they come, and CPU seconds of the first solver per resistance and size."""
    names = [name for name in columns if name not in NEEDS or importlib.util.find_spec(NEEDS[name])]
    lines = [
        "| cells | ohm per segment | " + " | ".join(f"{name}, CPU s" for name in names) + " | largest difference |",
        "|---" * (len(names) + 3) + "|",
    ]
    print("\n".join(lines), flush=True)
    spent: dict[float, list[float]] = {ohm: [] for ohm in ohms}
    for size in sizes:
        for ohm in ohms:
            found = measured(names[0], size, ohm, limit)
            if found is None:
                raise SystemExit(f"no solution at {size} x {size} and {ohm:g} ohm within {limit} s")
            base, current = found
            spent[ohm].append(base)
            cells, worst = [f"{base:.3g}"], []
            for name in names[1:]:
                found = measured(name, size, ohm, limit)
                cells.append(f"{found[0]:.3g} (x {found[0] / base:.1f})" if found else f"over {limit}")
                if found:
                    worst.append(float(np.abs(current - found[1]).max() / np.abs(current).max()))
            difference = f"{max(worst):.0e}" if worst else "-"
            lines.append(f"| {size} x {size} | {ohm:g} | " + " | ".join([*cells, difference]) + " |")
            print(lines[-1], flush=True)
    return lines, spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--ohm", type=float, nargs="+", default=[1.0, 10.0, 100.0, 1e4])
    parser.add_argument("--matrix", action="store_true", help="effective conductances instead of one solution")
    parser.add_argument("--transient", type=int, default=0)
    parser.add_argument("--limit", type=int, default=300, help="CPU seconds per row; who needs longer stops")
    parser.add_argument("--write", type=Path)
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        one(args.one[0], int(args.one[1]), float(args.one[2]), int(args.one[3]))
        return
    lines, spent = table(COLUMNS[args.matrix], args.sizes, args.ohm, args.limit)
    if len(args.sizes) > 1 and all(len(times) == len(args.sizes) for times in spent.values()):
        grown = [
            f"{np.polyfit(np.log([s * s for s in args.sizes]), np.log(times), 1)[0]:.2f} at {ohm:g} ohm"
            for ohm, times in spent.items()
        ]
        lines += [
            "",
            "The first solver's time grows with the number of cells to the power of " + ", ".join(grown) + ".",
        ]
        print(lines[-1])
    if args.transient:
        lines += ["", transient(args.transient) + "."]
        print(lines[-1])
    if args.write:
        text = args.write.read_text(encoding="utf-8")
        begin, end = MARKERS[args.matrix]
        head, rest = text.split(begin)
        tail = rest.split(end)[1]
        args.write.write_text(f"{head}{begin}\n\n" + "\n".join(lines) + f"\n\n{end}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()

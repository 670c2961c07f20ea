"""Crossbars whose wires resist as much as their cells: CPU seconds of ours, CHOLMOD, PARDISO, algebraic multigrid.

    python benchmarks/hard_crossbar.py [--sizes 256 512 1024] [--ohm 1 10 100 10000] [--transient 256] [--write PAGE]

Cells of 1 to 10 kohm, one resistance per wire segment, one solution each; every solver in a process per size with one
thread, imports, compilation and a small solution done before. Peers get the assembled matrix for free: their time is
analysis, factorisation (or set-up) and solution to 1e-12. They are measured where they are installed: CHOLMOD through
scikit-sparse, PARDISO through pypardiso, AMG (smoothed aggregation under conjugate gradients) through pyamg.
`--transient N`: also the transient of `benchmarks/transient.py` for an N x N array with adaptive steps, CPU seconds and
growth of resident memory. Prints the rows, the ratios and how cost grows with the number of cells; `--write` replaces
the table in PAGE between its markers.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
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

BEGIN, END = "<!-- hard crossbars -->", "<!-- end of hard crossbars -->"
PEERS = {"cholmod": "sksparse", "pardiso": "pypardiso", "amg": "pyamg"}
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


SOLVERS = {"ours": ours, "cholmod": peer(cholmod), "pardiso": peer(pardiso), "amg": peer(amg)}


def one(solver: str, size: int, ohms: list[float]) -> None:
    """Measure one solver at one size; a line of JSON per resistance."""
    solve = SOLVERS[solver]
    for ohm in ohms if solver == "ours" else ohms[:1]:
        solve(*array(24), ohm)
        if solver == "ours":
            solve(*array(100), 1e4)
    cells, drive = array(size)
    for ohm in ohms:
        times = []
        while len(times) < (3 if not times or times[0] < 2 else 1):
            seconds, current = solve(cells, drive, ohm)
            times.append(seconds)
        print(json.dumps({"ohm": ohm, "cpu_s": min(times), "current": current.tolist()}), flush=True)


def measured(solver: str, size: int, ohms: list[float], limit: float) -> dict[float, tuple[float, FloatArray]]:
    """CPU seconds and currents per resistance, as far as the solver came within `limit` seconds."""
    command = [sys.executable, __file__, "--one", solver, str(size), *map(repr, ohms)]
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | single) as process:
        try:
            output, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
    rows = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return {row["ohm"]: (row["cpu_s"], np.array(row["current"])) for row in rows}


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--ohm", type=float, nargs="+", default=[1.0, 10.0, 100.0, 1e4])
    parser.add_argument("--transient", type=int, default=0)
    parser.add_argument(
        "--limit", type=float, default=600.0, help="seconds per solver and size; who needs longer stops"
    )
    parser.add_argument("--write", type=Path)
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        one(args.one[0], int(args.one[1]), [float(x) for x in args.one[2:]])
        return
    names = ["ours", *(name for name, module in PEERS.items() if importlib.util.find_spec(module))]
    lines = [
        "| cells | ohm per segment | " + " | ".join(f"{name}, CPU s" for name in names) + " | largest difference |"
    ]
    lines.append("|---" * (len(names) + 3) + "|")
    print("\n".join(lines), flush=True)
    spent: dict[float, list[float]] = {ohm: [] for ohm in args.ohm}
    late: set[str] = set()
    for size in args.sizes:
        results = {name: measured(name, size, args.ohm, args.limit) if name not in late else {} for name in names}
        late |= {name for name, rows in results.items() if len(rows) < len(args.ohm)}
        for ohm in [ohm for ohm in args.ohm if ohm in results["ours"]]:
            base, current = results["ours"][ohm]
            spent[ohm].append(base)
            cells, worst = [f"{base:.3g}"], 0.0
            for name in names[1:]:
                if ohm not in results[name]:
                    cells.append("-")
                    continue
                seconds, other = results[name][ohm]
                cells.append(f"{seconds:.3g} (x {seconds / base:.1f})")
                worst = max(worst, float(np.abs(current - other).max() / np.abs(current).max()))
            lines.append(f"| {size} x {size} | {ohm:g} | " + " | ".join(cells) + f" | {worst:.0e} |")
            print(lines[-1], flush=True)
    if len(args.sizes) > 1 and all(len(times) == len(args.sizes) for times in spent.values()):
        grown = [
            f"{np.polyfit(np.log([s * s for s in args.sizes]), np.log(times), 1)[0]:.2f} at {ohm:g} ohm"
            for ohm, times in spent.items()
        ]
        lines += ["", "Ours grows with the number of cells to the power of " + ", ".join(grown) + "."]
        print(lines[-1])
    if args.transient:
        lines += ["", transient(args.transient) + "."]
        print(lines[-1])
    if args.write:
        text = args.write.read_text(encoding="utf-8")
        head, rest = text.split(BEGIN)
        tail = rest.split(END)[1]
        args.write.write_text(f"{head}{BEGIN}\n\n" + "\n".join(lines) + f"\n\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()

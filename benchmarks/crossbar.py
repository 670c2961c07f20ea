"""Crossbar DC: CPU seconds and memory of our solver, scipy's sparse LU, badcrossbar (if installed) and ngspice.

    python benchmarks/crossbar.py [--sizes 64 128 256 512 1024] [--segment 1.0] [--limit 60] [--json]

Every figure is one solution of the same random array (half the cells 10 kohm, half 1 Mohm, one resistance per wire
segment) in a process of its own: CPU time of the solution without start-up and imports, growth of the resident
memory's peak during it. `--limit` bounds the seconds of each; a solver that exceeds it is not tried on larger arrays.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def array(size: int) -> tuple[Array, Array]:
    """Cell conductances (S) and row voltages (V)."""
    rng = np.random.default_rng(size)
    return np.where(rng.random((size, size)) < 0.5, 1e-4, 1e-6), rng.uniform(0.05, 0.2, size)


def ours(cells: Array, drive: Array, ohm: float) -> Array:
    from interconnect.crossbar import solve_crossbar

    return solve_crossbar(cells, drive, r_row=ohm, r_col=ohm).current


def scipy_lu(cells: Array, drive: Array, ohm: float) -> Array:
    """All nodes in one sparse matrix, `spsolve`."""
    import scipy.sparse as sp
    from scipy.sparse.linalg import spsolve

    rows, cols = cells.shape
    word = np.arange(rows * cols).reshape(rows, cols)
    bit = word + rows * cols
    pairs = [(word, bit, cells), (word[:, :-1], word[:, 1:], 1 / ohm), (bit[:-1], bit[1:], 1 / ohm)]
    a = np.concatenate([p[0].ravel() for p in pairs])
    b = np.concatenate([p[1].ravel() for p in pairs])
    g = np.concatenate([np.broadcast_to(p[2], p[0].shape).ravel() for p in pairs])
    ends = np.concatenate([word[:, 0], bit[-1]])
    index = (np.concatenate([a, b, a, b, ends]), np.concatenate([a, b, b, a, ends]))
    data = np.concatenate([g, g, -g, -g, np.full(len(ends), 1 / ohm)])
    matrix = sp.csc_array((data, index), shape=(2 * rows * cols,) * 2)
    right = np.zeros(2 * rows * cols)
    right[word[:, 0]] = drive / ohm
    return np.asarray(spsolve(matrix, right)[bit[-1]] / ohm)


def badcrossbar(cells: Array, drive: Array, ohm: float) -> Array:
    import badcrossbar as bad

    solution = bad.compute(drive[:, None], 1 / cells, ohm)
    return np.asarray(solution.currents.output, dtype=float).ravel()


def ngspice(cells: Array, drive: Array, ohm: float) -> Array:
    """`.op` of the flat array in ngspice; its CPU time counts as a child's."""
    rows, cols = cells.shape
    deck = ["crossbar", ".option num_threads=1 noinit"]
    for i in range(rows):
        deck.append(f"v{i} d{i} 0 {float(drive[i])!r}")
        for j in range(cols):
            deck.append(f"rw{i}_{j} {f'd{i}' if j == 0 else f'w{i}_{j - 1}'} w{i}_{j} {ohm!r}")
            deck.append(f"rb{i}_{j} b{i}_{j} {f's{j}' if i == rows - 1 else f'b{i + 1}_{j}'} {ohm!r}")
            deck.append(f"rc{i}_{j} w{i}_{j} b{i}_{j} {float(1 / cells[i, j])!r}")
    deck += [f"vs{j} s{j} 0 0" for j in range(cols)]
    deck += [".save " + " ".join(f"i(vs{j})" for j in range(cols)), ".op", ".end", ""]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "deck.cir").write_text("\n".join(deck))
        command = ["ngspice", "-b", "-r", "o.raw", "deck.cir"]
        subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=True)
        head, _, body = (Path(folder) / "o.raw").read_bytes().partition(b"Binary:\n")
    names = [line.split()[1] for line in head.decode().partition("Variables:\n")[2].splitlines()]
    values = dict(zip(names, np.frombuffer(body, dtype="<f8"), strict=False))
    return np.array([values[f"i(vs{j})"] for j in range(cols)])


SOLVERS: dict[str, Callable[[Array, Array, float], Array]] = {
    "ours": ours,
    "scipy": scipy_lu,
    "badcrossbar": badcrossbar,
    "ngspice": ngspice,
}


def cpu() -> float:
    own, child = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + child.ru_utime + child.ru_stime


def peak() -> int:
    """Peak resident bytes of this process and of its largest child."""
    return 1024 * sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def one(solver: str, size: int, ohm: float) -> dict[str, object]:
    """Measure one solution in this process."""
    solve = SOLVERS[solver]
    solve(*array(2), ohm)  # imports
    cells, drive = array(size)
    before, start = peak(), cpu()
    current = solve(cells, drive, ohm)
    return {"cpu_s": cpu() - start, "bytes": peak() - before, "current": current.tolist()}


def measure(solver: str, size: int, ohm: float, limit: float) -> dict[str, object] | None:
    """Measure in a new process; None if it does not end within `limit` seconds or fails."""
    command = [sys.executable, __file__, "--one", solver, str(size), repr(ohm)]
    # Its own session, so that a solver's children end with it.
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            output, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return None
    if process.returncode:
        return None
    result: dict[str, object] = json.loads(output.splitlines()[-1])
    return result


def main() -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256, 512, 1024])
    parser.add_argument("--segment", type=float, default=1.0, help="ohm per wire segment")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds per solution")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", nargs=3, metavar=("SOLVER", "SIZE", "OHM"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(one(args.one[0], int(args.one[1]), float(args.one[2]))))
        return
    present = {"badcrossbar": importlib.util.find_spec("badcrossbar"), "ngspice": shutil.which("ngspice")}
    alive = [name for name in SOLVERS if present.get(name, True)]
    rows = []
    for size in args.sizes:
        reference: Array | None = None
        for name in list(alive):
            result = measure(name, size, args.segment, args.limit)
            if result is None:
                alive.remove(name)
                continue
            current = np.array(result.pop("current"))
            reference = current if reference is None else reference
            difference = float(np.abs(current - reference).max() / np.abs(reference).max())
            rows.append({"size": size, "solver": name, **result, "difference": difference})
            if not args.json:
                per_cell = float(str(result["bytes"])) / size**2
                print(
                    f"{size:5d} {name:12s} {result['cpu_s']:9.3f} s CPU {per_cell:8.0f} B/cell "
                    f"difference to ours {difference:.1e}",
                    flush=True,
                )
    if args.json:
        print(json.dumps({"segment_ohm": args.segment, "time": time.strftime("%Y-%m-%d"), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()

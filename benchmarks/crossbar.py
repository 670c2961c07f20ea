"""Crossbar DC: CPU seconds and memory of our solver, scipy's sparse LU, badcrossbar (if installed) and ngspice.

    python benchmarks/crossbar.py [--sizes 64 128 256 512 1024 2048] [--segment 1.0] [--limit 60] [--plot FILE] [--json]

Every figure is one solution of the same random array (half the cells 10 kohm, half 1 Mohm, one resistance per wire
segment) in a process of its own: CPU time of the solution without start-up, imports and compilation (the best of three
where it takes less than 2 s, for every solver), growth of resident memory during it. `--limit` bounds the seconds of
each; a solver that exceeds it is not tried on larger arrays, and at 2048 and above ours runs alone. Then: the
precomputed matrix of a 256 x 256 array and 10,000 products with it, and how cost grows with size (slopes of time and
memory against cells, least squares in logarithms). badcrossbar's plotting wants pycairo, which is not used here: an
empty module stands in where it is missing.
"""

from __future__ import annotations

import argparse
import contextlib
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
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from interconnect.arrays import FloatArray

ALONE = 2048
"""From this size on only ours runs."""


def array(size: int) -> tuple[FloatArray, FloatArray]:
    """Cell conductances (S) and row voltages (V)."""
    rng = np.random.default_rng(size)
    return np.where(rng.random((size, size)) < 0.5, 1e-4, 1e-6), rng.uniform(0.05, 0.2, size)


def ours(cells: FloatArray, drive: FloatArray, ohm: float) -> FloatArray:
    from interconnect.crossbar import solve_crossbar

    return solve_crossbar(cells, drive, r_row=ohm, r_col=ohm).current


def assembled(cells: FloatArray, drive: FloatArray, ohm: float) -> tuple[Any, FloatArray]:
    """Nodal matrix (compressed columns) and right-hand side; the bit lines' last nodes come last."""
    import scipy.sparse as sp

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
    right = np.zeros(2 * rows * cols)
    right[word[:, 0]] = drive / ohm
    return sp.csc_matrix((data, index), shape=(2 * rows * cols,) * 2), right


def scipy_lu(cells: FloatArray, drive: FloatArray, ohm: float) -> FloatArray:
    """All nodes in one sparse matrix, `spsolve`."""
    from scipy.sparse.linalg import spsolve

    matrix, right = assembled(cells, drive, ohm)
    return np.asarray(spsolve(matrix, right)[-cells.shape[1] :] / ohm)


def badcrossbar(cells: FloatArray, drive: FloatArray, ohm: float) -> FloatArray:
    if "cairo" not in sys.modules and importlib.util.find_spec("cairo") is None:
        cairo = types.ModuleType("cairo")
        cairo.Context = cairo.Surface = object  # type: ignore[attr-defined]  # named in badcrossbar's annotations
        sys.modules["cairo"] = cairo
    import badcrossbar as bad

    solution = bad.compute(drive[:, None], 1 / cells, ohm)
    return np.asarray(solution.currents.output, dtype=float).ravel()


def ngspice(cells: FloatArray, drive: FloatArray, ohm: float) -> FloatArray:
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


SOLVERS: dict[str, Callable[[FloatArray, FloatArray, float], FloatArray]] = {
    "ours": ours,
    "scipy": scipy_lu,
    "badcrossbar": badcrossbar,
    "ngspice": ngspice,
}


def cpu() -> float:
    own, child = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + child.ru_utime + child.ru_stime


def memory(field: str) -> int:
    """`VmRSS` or `VmHWM` (peak) of this process, bytes; 0 where the system does not tell."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return 1024 * int(status.split(f"{field}:")[1].split()[0])


def one(solver: str, size: int, ohm: float) -> dict[str, object]:
    """Measure one solution in this process."""
    solve = SOLVERS[solver]
    solve(*array(2), ohm)  # imports, compilation
    cells, drive = array(size)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before, times = memory("VmRSS"), []
    while not times or (len(times) < 3 and times[0] < 2.0):
        start = cpu()
        current = solve(cells, drive, ohm)
        times.append(cpu() - start)
    child = 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {"cpu_s": min(times), "bytes": memory("VmHWM") - before + child, "current": current.tolist()}


def products(size: int, ohm: float) -> dict[str, float]:
    """CPU seconds of the precomputed matrix, of 10,000 products with it, and of as large a plain dense product."""
    from interconnect.crossbar import effective_conductance, solve_crossbar

    cells, drive = array(size)
    effective_conductance(array(2)[0], r_row=ohm, r_col=ohm)
    start = cpu()
    matrix = effective_conductance(cells, r_row=ohm, r_col=ohm)
    precompute = cpu() - start
    drives, plain = np.random.default_rng(1).random((10_000, size)), np.random.default_rng(2).random((size, size))
    times = {"mvm_s": np.inf, "dense_s": np.inf}
    for _ in range(5):
        for key, operand in (("mvm_s", matrix), ("dense_s", plain)):
            start = cpu()
            _ = drives @ operand
            times[key] = min(times[key], cpu() - start)
    exact = solve_crossbar(cells, drive, r_row=ohm, r_col=ohm).current
    error = float(np.abs(drive @ matrix - exact).max() / np.abs(exact).max())
    return {"size": size, "precompute_s": precompute, **times, "difference": error}


def slopes(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Per solver with at least three sizes: exponents of CPU time and of memory in the number of cells."""
    result = {}
    for name in SOLVERS:
        mine = [row for row in rows if row["solver"] == name]
        if len(mine) >= 3:
            # Below a megabyte the system's bookkeeping is what one sees.
            mine = [row for row in mine if row["bytes"] > 1e6] if mine[-3]["bytes"] > 1e6 else mine
            cells = np.log([row["size"] ** 2 for row in mine])
            result[name] = {
                key: float(np.polyfit(cells, np.log([max(row[key], 1e-9) for row in mine]), 1)[0])
                for key in ("cpu_s", "bytes")
            }
    return result


def plot(rows: list[dict[str, Any]], growth: dict[str, dict[str, float]], path: Path) -> None:
    """Time and memory against size, both axes logarithmic, slopes in the legend."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    for axes, key, label in zip(figure.subplots(1, 2), ("cpu_s", "bytes"), ("CPU, s", "memory, bytes"), strict=True):
        for name in dict.fromkeys(row["solver"] for row in rows):
            mine = [row for row in rows if row["solver"] == name]
            slope = f" (cells^{growth[name][key]:.2f})" if name in growth else ""
            axes.loglog([row["size"] for row in mine], [row[key] for row in mine], "o-", label=name + slope)
        axes.set_xlabel("rows = columns")
        axes.set_ylabel(label)
        axes.legend()
    figure.savefig(path)


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
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256, 512, 1024, 2048])
    parser.add_argument("--segment", type=float, default=1.0, help="ohm per wire segment")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds per solution")
    parser.add_argument("--plot", type=Path, help="write a figure of cost against size")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", nargs=3, metavar=("SOLVER", "SIZE", "OHM"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(one(args.one[0], int(args.one[1]), float(args.one[2]))))
        return
    say = (lambda text: None) if args.json else (lambda text: print(text, flush=True))
    present = {"badcrossbar": importlib.util.find_spec("badcrossbar"), "ngspice": shutil.which("ngspice")}
    alive = [name for name in SOLVERS if present.get(name, True)]
    rows: list[dict[str, Any]] = []
    for size in args.sizes:
        reference: dict[str, Any] = {}
        for name in [name for name in alive if size < ALONE or name == "ours"]:
            result = measure(name, size, args.segment, args.limit)
            if result is None:
                alive.remove(name)
                say(f"{size:5d} {name:12s} failed, or not done within {args.limit:g} s")
                continue
            current = np.array(result.pop("current"))
            reference = reference or {"current": current, "cpu_s": result["cpu_s"]}
            difference = float(np.abs(current - reference["current"]).max() / np.abs(reference["current"]).max())
            ratio = float(str(result["cpu_s"])) / float(reference["cpu_s"])
            rows.append({"size": size, "solver": name, **result, "ratio": ratio, "difference": difference})
            per_cell = float(str(result["bytes"])) / size**2
            say(
                f"{size:5d} {name:12s} {result['cpu_s']:9.4f} s CPU {ratio:8.1f} x ours {per_cell:8.0f} B/cell "
                f"difference to ours {difference:.1e}"
            )
    growth, mvm = slopes(rows), products(256, args.segment)
    say(
        f"256 x 256 precomputed in {mvm['precompute_s']:.3f} s, then 10,000 products in {mvm['mvm_s']:.4f} s "
        f"(plain dense product {mvm['dense_s']:.4f} s), difference to the solver {mvm['difference']:.1e}"
    )
    for name, slope in growth.items():
        say(f"{name:12s} time ~ cells^{slope['cpu_s']:.2f}, memory ~ cells^{slope['bytes']:.2f}")
    if args.plot:
        plot(rows, growth, args.plot)
    if args.json:
        document = {"segment_ohm": args.segment, "time": time.strftime("%Y-%m-%d"), "rows": rows, "slopes": growth}
        print(json.dumps({**document, "products": mvm}, indent=1))


if __name__ == "__main__":
    main()

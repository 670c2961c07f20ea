"""Linear transient: our solver against ngspice, same elements, same largest step; CPU seconds and difference.

    python benchmarks/transient.py [--column 512] [--array 64] [--step 1e-12] [--limit 300] [--json]

A column (drivers of 1 kohm at every row, 4 ohm per bit-line segment) and a square array (wire resistance on both
lines, neighbour coupling). Half of the rows rise within 50 ps at 20 ps; bit lines float and start at 0 V; 1 ns of the
column, 0.2 ns of the array. Our CPU time
is that of the whole call, network included, in this process, imports and compilation done before; ngspice's is that
of its process. Its own step noise is the difference between its run and one at half the step (column only: the array
takes too long); error is the largest difference of any bit-line end at any of ngspice's time points, as a part of the
largest bit-line voltage.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from interconnect.arrays import FloatArray
from interconnect.network import LinearNetwork
from interconnect.transient import Transient, solve_transient
from interconnect.waveform import VoltageSources, ramp
from interconnect.wire_array import WireArray, wire_array
from ngspice_runner import Job, run

START, RISE, LEVEL, OHM = 20e-12, 50e-12, 0.9, 1e3


def stop(cols: int) -> float:
    """A whole read for a column, its first part for an array, which takes ngspice long enough."""
    return 1e-9 if cols == 1 else 0.2e-9


def build(rows: int, cols: int) -> tuple[WireArray, NDArray[np.bool_]]:
    """FloatArray with random cells, and which rows are active."""
    rng = np.random.default_rng(rows)
    cells = np.where(rng.random((rows, cols)) < 0.5, 14.0e-18, 2.3e-18)
    array = wire_array(
        cells, r_row=4.0 if cols > 1 else 0.0, r_col=4.0, c_row=30e-18, c_col=17e-18, coupling=2e-18, load=0.5e-15
    )
    return array, rng.random(rows) < 0.5


def ours(rows: int, cols: int, step: float | None) -> Transient:
    array, active = build(rows, cols)
    drivers = VoltageSources(array.row_end, ramp(START, RISE, LEVEL), level=active.astype(float), ohm=OHM)
    return solve_transient(array.network, [drivers], stop=stop(cols), save=array.bit_end, step=step, initial=0.0)


def elements(network: LinearNetwork) -> list[str]:
    """Every element of the network as a line of a deck; node k is n<k>."""

    def node(k: int) -> str:
        return f"n{k}" if k >= 0 else "0"

    lines = []
    for letter, (a, b, value) in (("R", network.conductors()), ("C", network.capacitors())):
        for k, (i, j, x) in enumerate(zip(a.tolist(), b.tolist(), value.tolist(), strict=True)):
            if i != j and x > 0:
                lines.append(f"{letter}{k} {node(i)} {node(j)} {1 / x if letter == 'R' else x!r}")
    return lines


def ngspice(rows: int, cols: int, step: float, limit: float) -> tuple[FloatArray, FloatArray, float] | None:
    """Times (points,), bit-line ends (points, cols) and CPU seconds; None if it does not end in time."""
    array, active = build(rows, cols)
    deck = ["column or array", ".option num_threads=1 noinit"]
    deck.append(f"Vrows act 0 PWL(0 0 {START!r} 0 {START + RISE!r} {LEVEL!r})")
    for node, on in zip(array.row_end.tolist(), active.tolist(), strict=True):
        deck.append(f"Rdrive{node} {'act' if on else '0'} n{node} {OHM!r}")
    deck += elements(array.network)
    outputs = tuple(f"v(n{k})" for k in array.bit_end.tolist())
    deck += [".save " + " ".join(outputs), f".tran {step!r} {stop(cols)!r} 0 {step!r} uic", ".end", ""]
    result = run(Job(text="\n".join(deck), outputs=outputs, stop=stop(cols), timeout=limit))
    if not result.ok or result.provenance is None:
        print(f"ngspice: {result.verdict}", file=sys.stderr)
        return None
    values = np.stack([np.asarray(result.signals[o].values, dtype=float) for o in outputs], axis=1)
    return np.asarray(result.signals["time"].values, dtype=float), values, result.provenance.cpu_seconds


def compare(rows: int, cols: int, step: float, limit: float, noise: bool) -> list[dict[str, Any]]:
    theirs = ngspice(rows, cols, step, limit)
    table: list[dict[str, Any]] = []
    for label, size in (("fixed", step), ("adaptive", None)):
        spent = []
        for _ in range(3):
            begin = time.process_time()
            wave = ours(rows, cols, size)
            spent.append(time.process_time() - begin)
        row: dict[str, Any] = {
            "network": f"{rows} x {cols}", "steps": label, "taken": wave.steps, "factorisations": wave.factorisations,
            "ours_s": min(spent),
        }  # fmt: skip
        if theirs:
            times, values, cpu = theirs
            peak = np.abs(values).max()
            row |= {"ngspice_s": cpu, "ngspice_points": len(times), "ratio": cpu / row["ours_s"]}
            row["error"] = float(np.abs(wave.at(np.minimum(times, stop(cols))) - values).max() / peak)
            if noise and (finer := ngspice(rows, cols, step / 2, limit)):
                held = np.stack([np.interp(times, finer[0], column) for column in finer[1].T], axis=1)
                row["ngspice_noise"] = float(np.abs(held - values).max() / peak)
        table.append(row)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--column", type=int, default=512, help="rows of the column, 0: none")
    parser.add_argument("--array", type=int, default=64, help="rows and columns of the array, 0: none")
    parser.add_argument("--step", type=float, default=1e-12, help="largest step, s")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds per ngspice run")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    ours(4, 1, args.step)
    ours(4, 4, None)  # compilation
    table = []
    if args.column:
        table += compare(args.column, 1, args.step, args.limit, True)
    if args.array:
        table += compare(args.array, args.array, args.step, args.limit, False)
    if args.json:
        print(json.dumps({"step_s": args.step, "rows": table}, indent=1))
        return
    for row in table:
        print(
            f"{row['network']}, {row['steps']} ({row['taken']} steps, {row['factorisations']} factorisations): ", end=""
        )
        print(f"ours {row['ours_s']:.4f} s CPU", end="")
        if "error" in row:
            print(
                f", ngspice {row['ngspice_s']:.3f} s ({row['ngspice_points']} points), ratio {row['ratio']:.1f}", end=""
            )
            print(f", error {100 * row['error']:.4f} % of peak", end="")
        if "ngspice_noise" in row:
            print(f" (ngspice against itself at half the step {100 * row['ngspice_noise']:.4f} %)", end="")
        print()


if __name__ == "__main__":
    main()

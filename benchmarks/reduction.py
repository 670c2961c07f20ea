"""Columns with transistor periphery in ngspice: flat against reduced, CPU seconds and error.

    python benchmarks/reduction.py [--rows 512] [--columns 16] [--step 1e-12] [--error E] [--wires] [--json]

Active rows hang on one transistor driver, idle rows on another; every bit line has a reset transistor and a readout
capacitance. Reset ends at 50 ps, the input of the drivers switches from 100 to 120 ps. `--wires` adds what couples
everything: word-line resistance in every row and capacitance between neighbouring bit lines. The reduced time is that
of the reduction (network as built -> checked subcircuit text, in this process) and of ngspice; that of ngspice with the
periphery alone, one capacitor in place of every column, is beside it. Errors are the largest
difference of any bit line at any time, as a part of the largest bit-line voltage, at the same largest step; the step
noise beside it is that of the flat circuit against itself at half the step.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # small matrices: waiting threads would count as CPU time

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from interconnect.arrays import FloatArray
from interconnect.network import LinearNetwork
from interconnect.reduction import reduce_network
from interconnect.wire_array import wire_array
from netlists.devices.device_set import load_devices
from ngspice_runner import Job, run

VDD, LENGTH, STOP, RISE = 1.0, 50e-9, 1e-9, 20e-12


def group(rows: int, columns: int, wires: bool) -> tuple[LinearNetwork, list[int]]:
    """The columns with all active rows on one node and all idle ones on another; the ports: these two, bit lines."""
    rng = np.random.default_rng(rows)
    cells = np.where(rng.random((rows, columns)) < 0.5, 14.0e-18, 2.3e-18)
    array = wire_array(
        cells, r_row=4.0 if wires else 0.0, r_col=4.0, c_row=30e-18, c_col=17e-18, coupling=2e-18 if wires else 0.0
    )
    active = rng.random(rows) < 0.5
    size = array.network.size
    kept = np.setdiff1d(np.arange(size), array.row_end)
    place = np.full(size + 1, -1)
    place[kept] = np.arange(len(kept))
    place[array.row_end] = len(kept) + np.where(active, 0, 1)
    network = LinearNetwork(len(kept) + 2)
    for elements, add in (
        (array.network.conductors(), network.add_conductances),
        (array.network.capacitors(), network.add_capacitors),
    ):
        a, b, value = elements
        add(place[a], place[b], value)
    return network, [len(kept), len(kept) + 1, *place[array.bit_end].tolist()]


def flat(network: LinearNetwork, ports: list[int], pins: list[str]) -> list[str]:
    names = {-1: "0"} | dict(zip(ports, pins, strict=True))
    lines = []
    for letter, (a, b, value) in (("R", network.conductors()), ("C", network.capacitors())):
        for k, (i, j, x) in enumerate(zip(a.tolist(), b.tolist(), value.tolist(), strict=True)):
            if i != j and x > 0:
                first, second = names.get(i, f"n{i}"), names.get(j, f"n{j}")
                lines.append(f"{letter}{k} {first} {second} {1 / x if letter == 'R' else x!r}")
    return lines


def deck(body: list[str], columns: int, step: float) -> str:
    devices = load_devices("open45")

    def transistor(name: str, nodes: str, kind: str, width: float, m: int = 1) -> str:
        d = devices.diffusion(width)
        return (
            f"M{name} {nodes} {kind} w={width!r} l={LENGTH!r} ad={d.area!r} as={d.area!r} pd={d.perimeter!r} "
            f"ps={d.perimeter!r} m={m}"
        )

    lines = ["columns with transistor periphery", ".option num_threads=1 noinit", devices.cards("tt")]
    lines += [
        f"Vdd vdd 0 {VDD!r}",
        f"Vin in 0 PWL(0 {VDD!r} 1.0e-10 {VDD!r} {1e-10 + RISE!r} 0)",
        f"Vidle low 0 {VDD!r}",
    ]
    lines.append(f"Vreset gate 0 PWL(0 {VDD!r} 5.0e-11 {VDD!r} 7.0e-11 0)")
    for name, gate in (("active", "in"), ("idle", "low")):
        lines.append(transistor(f"p_{name}", f"{name} {gate} vdd vdd", devices.pmos, 1.5e-6, 40))
        lines.append(transistor(f"n_{name}", f"{name} {gate} 0 0", devices.nmos, 1.0e-6, 40))
    for k in range(columns):
        lines.append(transistor(f"r{k}", f"bl_{k} gate 0 0", devices.nmos, 1.2e-7))
        lines.append(f"Csense{k} bl_{k} 0 5.0e-16")
    lines += body
    lines += [
        ".save " + " ".join(f"v(bl_{k})" for k in range(columns)),
        f".tran {step!r} {STOP!r} 0 {step!r}",
        ".end",
        "",
    ]
    return "\n".join(lines)


def simulate(text: str, columns: int, limit: float) -> tuple[FloatArray, FloatArray, float]:
    outputs = tuple(f"v(bl_{k})" for k in range(columns))
    result = run(Job(text=text, outputs=outputs, stop=STOP, timeout=limit))
    if not result.ok or result.provenance is None:
        sys.exit(f"ngspice: {result.verdict}\n{result.log}")
    values = np.stack([np.asarray(result.signals[o].values, dtype=float) for o in outputs], axis=1)
    return np.asarray(result.signals["time"].values, dtype=float), values, result.provenance.cpu_seconds


def difference(one: tuple[FloatArray, FloatArray, float], other: tuple[FloatArray, FloatArray, float]) -> float:
    """Largest difference of any bit line at the first one's times, relative to its peak."""
    held = np.stack([np.interp(one[0], other[0], column) for column in other[1].T], axis=1)
    return float(np.abs(held - one[1]).max() / np.abs(one[1]).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=512)
    parser.add_argument("--columns", type=int, default=16)
    parser.add_argument("--step", type=float, default=1e-12, help="largest step, s")
    parser.add_argument("--error", type=float, help="requested error of the admittance (1e-2, with wires 5e-4)")
    parser.add_argument("--band", type=float, default=50e9, help="Hz up to which it holds")
    parser.add_argument("--wires", action="store_true", help="with word-line resistance and bit-line coupling")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds per ngspice run")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    # What keeps the error of the bit lines below 0.05 % of their peak.
    args.error = args.error or (5e-4 if args.wires else 1e-2)
    pins = ["active", "idle", *(f"bl_{k}" for k in range(args.columns))]
    small = group(8, 2, args.wires)
    reduce_network(*small, band=args.band, error=args.error)  # compilation
    network, ports = group(args.rows, args.columns, args.wires)
    spent = []
    for _ in range(3):
        begin = time.process_time()
        reduced = reduce_network(network, ports, band=args.band, error=args.error)
        text = reduced.subcircuit("columns", tuple(pins))
        spent.append(time.process_time() - begin)
    call = [text, "Xcolumns " + " ".join(pins[:2]), *(f"+ {pin}" for pin in pins[2:]), "+ columns"]
    short = [simulate(deck(call, args.columns, args.step), args.columns, args.limit) for _ in range(5)]
    lumps = [f"Clump{k} {pin} active 3.0e-15" for k, pin in enumerate(pins[2:])]
    bare = [simulate(deck(lumps, args.columns, args.step), args.columns, args.limit) for _ in range(5)]
    body = flat(network, ports, pins)
    full = simulate(deck(body, args.columns, args.step), args.columns, args.limit)
    other = simulate(deck(body, args.columns, args.step / 2), args.columns, args.limit)
    cpu = min(run[2] for run in short)
    report: dict[str, Any] = {
        "rows": args.rows, "columns": args.columns, "wires": args.wires, "step_s": args.step, "points": len(full[0]),
        "modes": reduced.modes, "elements": len(reduced.elements), "admittance_error": reduced.error,
        "dc_error": reduced.dc_error, "reduction_s": min(spent), "reduced_ngspice_s": cpu,
        "periphery_s": min(run[2] for run in bare), "flat_ngspice_s": full[2],
        "ratio": full[2] / (cpu + min(spent)), "error": difference(full, short[0]),
        "step_noise": difference(full, other),
    }  # fmt: skip
    if args.json:
        print(json.dumps(report, indent=1))
        return
    print(
        f"{args.rows} rows x {args.columns} columns{', word-line resistance and coupling' if args.wires else ''}:",
        end=" ",
    )
    print(
        f"{report['modes']} modes, {report['elements']} elements, "
        f"admittance error {reduced.error:.1e}, DC {reduced.dc_error:.1e}"
    )
    print(f"  flat {full[2]:.3f} s CPU ({len(full[0])} points at {args.step:g} s); reduced {cpu:.4f} s", end=" ")
    print(f"+ reduction {min(spent):.4f} s: ratio {report['ratio']:.1f}", end=" ")
    print(f"(periphery alone {report['periphery_s']:.4f} s)")
    print(f"  error {100 * report['error']:.4f} % of peak; flat against flat {100 * report['step_noise']:.4f} %")


if __name__ == "__main__":
    main()

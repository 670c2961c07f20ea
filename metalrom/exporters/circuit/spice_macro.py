"""SPICE macro model: one conversion as behavioral sources, a subcircuit per condition, for ngspice.

Every curve is a `pwl` over the count; the curves of neighbouring numbers of driven rows are mixed by distance, so
whole numbers return the table's values and everything between lies on straight lines.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from interconnect.files import atomic_write_files
from metalrom.exporters.checksum import add_digest, symbols
from metalrom.exporters.circuit.curves import (
    FEMTO,
    PRECISION,
    TOLERANCE,
    Agreement,
    ConditionCurves,
    Swept,
    agreement,
    agreement_problem,
    common,
    curve_values,
    held_of,
    texts_of,
)
from metalrom.exporters.exporter import Exporter, ToolMissing, ToolReading
from metalrom.exporters.probes import ProbePoints, ProbeQuantity
from metalrom.exporters.run_data import RunData
from netlists.render import cards, number, render
from ngspice_runner import EngineError, Job, find_engine, run

MARK = "*"


def _pwl(node: str, values: FloatArray) -> Any:
    """`pwl(V(node), 0, ...)` of values at 0, 1, 2...; the last one stays for one more step."""
    held = [*values.tolist(), float(values[-1])]
    pairs = [f"{number(float(k))}, {number(v)}" for k, v in enumerate(held)]
    rows = [", ".join(pairs[k : k + 3]) for k in range(0, len(pairs), 3)]
    return cards(f"pwl(V({node}), " + ",\n+ ".join(rows) + ")")


def write_spice_macro(source: RunData, folder: Path) -> list[Path]:
    """Write `column_<condition>.sub` for every condition."""
    files = {}
    for name, condition in zip(symbols(source), source.table.conditions, strict=True):
        held = held_of(source, condition)
        curves = [
            {"mean": _pwl("n", held.mean[a, : a + 1]), "spread": _pwl("n", held.spread[a, : a + 1])}
            for a in range(source.table.rows + 1)
        ]
        values = {
            **common(source, condition, MARK),
            "curves": curves,
            "zero": _pwl("a", held.zero),
            "energy": _pwl("a", held.energy * FEMTO),
        }
        files[f"column_{name}.sub"] = add_digest(render("exports/column_macro.cir.j2", values), MARK)
    return atomic_write_files(folder, files)


def read_spice_macro(folder: Path) -> dict[str, ConditionCurves]:
    """Every condition's curves by file name, in the table's order. Raises InputError for damaged files."""
    return {name: _held(text, folder / name) for name, text in texts_of(folder, ".sub", MARK).items()}


def _held(text: str, path: Path) -> ConditionCurves:
    lines = re.sub(r"\n\+", "", text).splitlines()
    curves: dict[str, FloatArray] = {}
    plain: dict[str, float] = {}
    unit = "V"
    for line in lines:
        name, _, rest = line.partition(" ")
        points = re.search(r"pwl\(V\(\w\),([^)]*)\)", rest)
        if points:
            numbers = np.array(points.group(1).split(","), dtype=np.float64)
            curves[name] = numbers[1:-2:2]  # the last pair only repeats the one before
        elif name in ("E_level", "G_level"):
            plain["lsb"], unit = float(rest.split()[-1]), "V" if name[0] == "E" else "A"
        elif name == "B_code":
            plain["codes"] = float(rest.rsplit(",", 1)[1].rstrip(") ")) + 1
    try:
        energy = curves["B_energy"]
        full = np.full((2, len(energy), len(energy)), np.nan)
        for a in range(len(energy)):
            full[0, a, : a + 1], full[1, a, : a + 1] = curves[f"B_mean_{a}"], curves[f"B_spread_{a}"]
        return ConditionCurves(
            full[0], full[1], curves["B_zero"], energy / FEMTO, plain["lsb"], int(plain["codes"]), unit
        )
    except (KeyError, ValueError):
        raise InputError("is not a macro model written by metalrom", where=str(path)) from None


def read_back_spice_macro(folder: Path, quantity: ProbeQuantity, points: ProbePoints) -> FloatArray | None:
    """Level, sigma, code and row energy from the curves."""
    return curve_values(tuple(read_spice_macro(folder).values()), quantity, points) if quantity in TOLERANCE else None


def sweep_deck(held: ConditionCurves, file: str) -> str:
    """A deck that sweeps the subcircuit of `file` over every pair of whole numbers."""
    rows = number(float(len(held.energy) - 1))
    load = "V_sense level 0 0.0\n" if held.unit == "A" else ""
    saved = " ".join(outputs(held))
    return (
        f"* {file}: every count at every number of driven rows\n"
        ".option num_threads=1 noinit reltol=1.0e-09 vntol=1.0e-12 abstol=1.0e-15\n"
        f'.include "{file}"\n'
        "V_driven driven 0 0.0\nV_count count 0 0.0\n"
        f"X_column driven count level sigma code energy metalrom_{file.removesuffix('.sub')}\n"
        f"{load}.dc V_count 0.0 {rows} 1.0 V_driven 0.0 {rows} 1.0\n.save {saved}\n.end\n"
    )


def outputs(held: ConditionCurves) -> tuple[str, ...]:
    """What the deck saves."""
    return ("i(v_sense)" if held.unit == "A" else "v(level)", "v(sigma)", "v(code)", "v(energy)")


def validate_spice_macro(source: RunData, folder: Path) -> ToolReading:
    """ngspice sweeps every subcircuit over all whole numbers; every value against the run's table."""
    try:
        tool = find_engine().version
    except EngineError as error:
        raise ToolMissing("ngspice is not installed", hint=str(error)) from None
    side = source.table.rows + 1
    found: dict[str, Agreement] = {}
    for condition, (file, held) in zip(source.table.conditions, read_spice_macro(folder).items(), strict=True):
        result = run(Job(sweep_deck(held, file), outputs(held), folder=str(folder.resolve())))
        if not result.ok:
            return ToolReading(tool, f"{file}: {result.verdict} ({result.log[:200]})")
        got = [np.asarray(result.signals[name].values, dtype=np.float64) for name in outputs(held)]
        if any(g.shape != (side * side,) for g in got):
            return ToolReading(tool, f"{file}: {got[0].size} points, expected {side * side}")
        found[file] = agreement(source, condition, Swept(*(g.reshape(side, side) for g in got)))
    problem, observations = agreement_problem(found)
    return ToolReading(tool, problem, (observations,))


EXPORTER = Exporter(
    "spice_macro",
    "SPICE subcircuits of one conversion from behavioral sources, one per condition, no transistor",
    PRECISION,
    TOLERANCE,
    write_spice_macro,
    read_back_spice_macro,
    validate_spice_macro,
)

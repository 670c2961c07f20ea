"""SPICE macro model: one conversion as behavioral sources, a subcircuit per condition, for ngspice.

Every curve is a `pwl` over the count; the curves of neighbouring numbers of driven rows are mixed by distance, so
whole numbers return the table's values and everything between lies on straight lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interconnect.errors import InputError
from interconnect.files import atomic_write_files
from metalrom.exports.queries import Points, Quantity
from metalrom.exports.seal import condition_lines, conditions_in, header, sealed, symbol, symbols, unsealed_files
from metalrom.exports.source import Source
from metalrom.exports.views import ConsumerMissing, ConsumerReading, View
from netlists.render import cards, number, render

FloatArray = NDArray[np.float64]

MARK = "*"
FEMTO = 1e15
SIMULATION = 1e-9
"""Relative difference that ngspice's own arithmetic and matrix may add to a level."""


def told(source: Source, label: str) -> tuple[str, ...]:
    """What a macro model says of itself."""
    unit = source.table.unit
    level = "V, held by a source" if unit == "V" else "A, pushed out of the pin into a virtual ground"
    return (
        *condition_lines(source),
        f"this subcircuit: {label}",
        f"pins: driven, count in volts (1 V = 1 row); level ({level}); sigma: standard deviation of the level, all",
        f"spreads, 1 V = 1 {unit}; code in volts; energy of the row drivers per conversion and column, 1 V = 1 fJ",
        f"quasi-static: the level holds from {source.table.read_time:.4g} s after the rows are driven; count is taken as",
        "at most driven; between whole numbers level, sigma and energy are straight",
    )


def _pwl(node: str, values: FloatArray) -> Any:
    """`pwl(V(node), 0, ...)` of values at 0, 1, 2...; the last one stays for one more step."""
    held = [*values.tolist(), float(values[-1])]
    pairs = [f"{number(float(k))}, {number(v)}" for k, v in enumerate(held)]
    rows = [", ".join(pairs[k : k + 3]) for k in range(0, len(pairs), 3)]
    return cards(f"pwl(V({node}), " + ",\n+ ".join(rows) + ")")


def write(source: Source, folder: Path) -> list[Path]:
    """Write `column_<condition>.sub` for every condition."""
    table = source.table
    files = {}
    for i, (name, condition) in enumerate(zip(symbols(source), table.conditions, strict=True)):
        lsb, sigma = table.lsb(condition), table.total_sigma(condition)
        mean, zero = table.mean[i] / lsb, table.thresholds(condition)[:, 0] / lsb - 0.5
        curves = [
            {"mean": _pwl("n", mean[a, : a + 1]), "spread": _pwl("n", sigma[a, : a + 1] / lsb)}
            for a in range(table.rows + 1)
        ]
        values = {
            "header": cards(header(source, MARK, *told(source, condition.label))),
            "symbol": name,
            "rows": table.rows,
            "codes": table.adc.codes,
            "unit": table.unit,
            "lsb": lsb,
            "curves": curves,
            "zero": _pwl("a", zero),
            "energy": _pwl("a", table.row_energy[i] * FEMTO),
        }
        files[f"column_{name}.sub"] = sealed(render("exports/column_macro.cir.j2", values), MARK)
    return atomic_write_files(folder, files)


@dataclass(frozen=True)
class Held:
    """One subcircuit. mean, spread: (N + 1 driven, N + 1 count) in LSB, NaN where there is none; zero: (N + 1,) LSB;
    energy: (N + 1,) J; lsb: unit; codes: number; unit: V or A."""

    mean: FloatArray
    spread: FloatArray
    zero: FloatArray
    energy: FloatArray
    lsb: float
    codes: int
    unit: str


def read(folder: Path) -> tuple[list[Held], list[str]]:
    """Every condition's curves in the table's order, and the file names. Raises InputError for damaged files."""
    names = sorted(path.name for path in folder.glob("column_*.sub"))
    if not names:
        raise InputError("holds no macro model", where=str(folder))
    texts = unsealed_files(folder, names, MARK)
    labels, _ = conditions_in(texts[names[0]], str(folder / names[0]))
    wanted = [f"column_{symbol(label)}.sub" for label in labels]
    if sorted(wanted) != names:
        raise InputError("does not hold the model of every condition", where=str(folder), hint="export again")
    return [_held(texts[name], folder / name) for name in wanted], wanted


def _held(text: str, path: Path) -> Held:
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
        return Held(full[0], full[1], curves["B_zero"], energy / FEMTO, plain["lsb"], int(plain["codes"]), unit)
    except (KeyError, ValueError):
        raise InputError("is no macro model of ours", where=str(path)) from None


def answer(folder: Path, quantity: Quantity, points: Points) -> FloatArray | None:
    """Level, sigma, code and row energy from the curves."""
    if quantity not in TOLERANCE:
        return None
    held, _ = read(folder)
    i, a, c = points.condition, points.active, points.count
    lsb = np.array([h.lsb for h in held])[i]
    match quantity:
        case "level":
            return np.stack([h.mean for h in held])[i, a, c] * lsb
        case "sigma":
            return np.stack([h.spread for h in held])[i, a, c] * lsb
        case "row_energy":
            return np.stack([h.energy for h in held])[i, a]
    return np.stack([codes_of(h) for h in held])[i, a, c]


def codes_of(held: Held) -> FloatArray:
    """Code of every (driven, count) as the subcircuit works it out: thresholds below the level."""
    out: FloatArray = np.clip(np.ceil(held.mean - held.zero[:, None] - 0.5), 0, held.codes - 1)
    return out


TOLERANCE: dict[str, float] = {"level": 1e-15, "sigma": 1e-15, "code": 0.0, "row_energy": 1e-15}


def deck(held: Held, file: str) -> str:
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


def outputs(held: Held) -> tuple[str, ...]:
    """What the deck saves."""
    return ("i(v_sense)" if held.unit == "A" else "v(level)", "v(sigma)", "v(code)", "v(energy)")


def consume(source: Source, folder: Path) -> ConsumerReading:
    """ngspice sweeps every subcircuit over all whole numbers; every value against the run's table."""
    from ngspice_runner import EngineError, Job, find_engine, run

    try:
        tool = f"ngspice {find_engine().version}"
    except EngineError as error:
        raise ConsumerMissing("ngspice is not installed", hint=str(error)) from None
    table = source.table
    held, files = read(folder)
    worst, values = 0.0, 0
    for i, (one, file) in enumerate(zip(held, files, strict=True)):
        result = run(Job(deck(one, file), outputs(one), folder=str(folder)))
        if not result.ok:
            return ConsumerReading(tool, f"{file}: {result.verdict} ({result.log[:200]})")
        n = table.rows + 1
        got = [np.asarray(result.signals[name].values, dtype=np.float64) for name in outputs(one)]
        if any(g.shape != (n * n,) for g in got):
            return ConsumerReading(tool, f"{file}: {got[0].size} points, expected {n * n}")
        level, sigma, code, energy = (g.reshape(n, n) for g in got)
        condition = table.conditions[i]
        lsb = table.lsb(condition)
        ours = (table.mean[i], table.total_sigma(condition), np.broadcast_to(table.row_energy[i][:, None], (n, n)))
        for mine, theirs, scale in zip(ours, (level, sigma, energy / FEMTO), (lsb, lsb, ours[2].max()), strict=True):
            off = np.abs(theirs - mine)[table.valid]
            worst = max(worst, float(off.max()) / (scale or 1.0))
            values += off.size
        nominal = codes_of(one)
        if (code != nominal)[table.valid].any():
            return ConsumerReading(tool, f"{file}: {int((code != nominal)[table.valid].sum())} codes differ")
        values += int(table.valid.sum())
    if worst > SIMULATION:
        return ConsumerReading(tool, f"values differ by {worst:.1e} of an LSB (of the largest energy)")
    return ConsumerReading(tool, None, (f"{len(files)} subcircuits, {values} values, worst {worst:.1e} LSB",))


VIEW = View(
    "spice_macro",
    "SPICE subcircuits of one conversion from behavioral sources, one per condition, no transistor",
    "17 digits in LSB and fJ",
    TOLERANCE,
    write,
    answer,
    consume,
)

"""A measured readout table from one CSV file: the columns of `readout.csv`, checked before anything is made of them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from characterization.tables.columns import KEY, columns_of
from characterization.tables.content import places_of
from characterization.tables.table import LEVEL_VARIABLES, Assumption, ReadoutTable
from interconnect.arrays import FloatArray
from interconnect.errors import InputError, shortened
from interconnect.files import decode, parse_csv, read_bytes
from interconnect.suggestion import suggest
from netlists.condition import NOMINAL_METALS, Condition

MEASURED = "readout table"
"""Name of the assumption that says that, and by whom, a table was measured."""

DERIVED = ("condition", "code_error_probability", "margin_sigma")
"""Columns of `readout.csv` that follow from the others; they may stand in a file and are not read."""

OPTIONAL = ("metals", "row_energy_J")
"""Columns that may be missing: no metal corner; row energy as in the table that is replaced."""

LARGEST_LEVEL = 2.0
"""A level in V may be this many supplies at most; more is another unit under the wrong heading."""


@dataclass(frozen=True)
class _Lines:
    """Lines of a file by (corner, metals, vdd, temperature), then by (active, count): values by column."""

    where: str
    conditions: dict[tuple[str, str, float, float], dict[tuple[int, int], dict[str, float]]]
    numbers: dict[tuple[str, str, float, float], int]


def read_measured(path: Path, like: ReadoutTable, source: str) -> ReadoutTable:
    """The table of a measured CSV.

    Parameters
    ----------
    path : Path
        File with the columns of `readout.csv`; those of `OPTIONAL` and `DERIVED` may be missing. Lines in any order.
    like : ReadoutTable
        A characterized table of the same macro: unit, rows, levels, number of codes and read time are its.
    source : str
        Who measured what, in words; it stands in everything that is made of the table.

    Returns
    -------
    ReadoutTable
        Thresholds lie midway between the levels, as a converter that is calibrated has them.

    Raises
    ------
    InputError
        In one sentence: a column that is missing, unknown or in another unit, a value that is no number or negative
        where it cannot be, a line given twice or not at all, levels that do not rise (or fall) with the count, or a
        converter's sigma that differs between lines.
    """
    if not source.strip():
        raise InputError("a measured table needs a source", hint="say in words who measured what, and how")
    content = read_bytes(path)
    names, *rows = parse_csv(decode(content, where=str(path)), where=str(path)) or [[]]
    wanted = [column.name for column in columns_of(like)]
    _check_names(names, wanted, like.unit, str(path))
    lines = _parse(names, rows, wanted, str(path))
    arrays, energy = _arrays(lines, like)
    conditions = tuple(Condition(corner, vdd, t, metals) for corner, metals, vdd, t in lines.conditions)
    adc = {name: _single(lines, f"adc_{name}_{like.unit}") for name in ("offset_sigma", "noise_sigma")}
    digest = hashlib.sha256(content).hexdigest()
    known = "" if energy is not None else "; row energy simulated, not measured"
    said = f"levels and spreads measured, not simulated{known}; thresholds midway between the levels"
    kept = tuple(a for a in like.assumptions if a.name != MEASURED)
    return like.replace(
        conditions=conditions,
        **arrays,
        row_energy=_energy(conditions, like) if energy is None else energy,
        adc=like.with_adc(**adc).adc,
        assumptions=(Assumption(MEASURED, said, "measured", " ".join(source.split())), *kept),
        provenance={**like.provenance, "measured": f"{path.name}, sha256 {digest}; {' '.join(source.split())}"},
        plane=None,
        threshold=None,
    )


def _check_names(names: list[str], wanted: list[str], unit: str, where: str) -> None:
    """Every column known, in the table's unit, once; none of the needed ones missing."""
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"column {shortened(name)} is there twice", where=where)
        if name in wanted or name in DERIVED:
            continue
        stem = name.rpartition("_")[0]
        right = next((w for w in wanted if stem and w.rpartition("_")[0] == stem), None)
        if right is not None:
            raise InputError(f"column {name} is in the wrong unit, expected {right}", where=where,
                             hint=f"convert its values to {right.rpartition('_')[2]}")  # fmt: skip
        raise InputError(f"there is no column {shortened(name)}", where=where, hint=suggest(name, wanted))
    for name in wanted:
        if name not in (*names, *OPTIONAL, *DERIVED):
            hint = f"{name} may be 0 in every line, but that has to be stated" if "sigma" in name else None
            raise InputError(f"column {name} is missing", where=where, hint=hint)


def _parse(names: list[str], rows: list[list[str]], wanted: list[str], where: str) -> _Lines:
    """Every line with its numbers."""
    out = _Lines(where, {}, {})
    text = ("corner", "metals")
    for number, row in enumerate(rows, start=2):
        at = f"{where}: line {number}"
        if len(row) != len(names):
            raise InputError(f"has {len(row)} values, expected {len(names)}", where=at)
        line = dict(zip(names, row, strict=True))
        values = {
            name: _number(line[name], name, at) for name in wanted if name in line and name not in (*text, *KEY[:1])
        }
        if not line["corner"]:
            raise InputError("corner is empty", where=at)
        key = (line["corner"], line.get("metals") or NOMINAL_METALS, values["vdd_V"], values["temperature_degC"])
        active, count = (_whole(values[name], name, at) for name in KEY[1:])
        places = out.conditions.setdefault(key, {})
        out.numbers.setdefault(key, number)
        if (active, count) in places:
            raise InputError(f"{Condition(key[0], *key[2:], key[1]).label}, active {active}, count {count} is given "
                             "twice", where=at)  # fmt: skip
        places[active, count] = values
    if not out.conditions:
        raise InputError("holds no line", where=where)
    return out


def _number(text: str, name: str, at: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{name} is {shortened(text)!r}, expected a number", where=at)
    if value < 0 and ("sigma" in name or name in ("row_energy_J", "active", "count")):
        raise InputError(f"{name} is {value:g}, expected 0 or more", where=at)
    return value


def _whole(value: float, name: str, at: str) -> int:
    if value != int(value):
        raise InputError(f"{name} is {value:g}, expected a whole number", where=at)
    return int(value)


def _arrays(lines: _Lines, like: ReadoutTable) -> tuple[dict[str, FloatArray], FloatArray | None]:
    """Levels and spreads by name, shape (condition, active, count), and the row energies if the file has them."""
    active, count = places_of(like.rows, like.levels)
    expected = list(zip(active.tolist(), count.tolist(), strict=True))
    shape = (len(lines.conditions), like.rows + 1, like.max_count + 1)
    arrays = {name: np.full(shape, np.nan) for name in LEVEL_VARIABLES}
    energy = np.zeros(shape[:2])
    has_energy = True
    for i, ((corner, metals, vdd, temperature), places) in enumerate(lines.conditions.items()):
        label = Condition(corner, vdd, temperature, metals).label
        missing = next((place for place in expected if place not in places), None)
        if missing is not None:
            raise InputError(f"{label}, active {missing[0]}, count {missing[1]} is missing", where=lines.where,
                             hint=f"a table of {like.rows} rows has {len(expected)} lines per condition")  # fmt: skip
        if len(places) > len(expected):
            beyond = next(place for place in places if place not in set(expected))
            raise InputError(f"{label}, active {beyond[0]}, count {beyond[1]} cannot be in a table of {like.rows} rows",
                             where=lines.where)  # fmt: skip
        for name in LEVEL_VARIABLES:
            arrays[name][i, active, count] = [places[place][f"{name}_{like.unit}"] for place in expected]
        _check_levels(arrays["level"][i], label, vdd, like, lines.where)
        for (a, _), values in places.items():
            has_energy &= "row_energy_J" in values
            energy[i, a] = values.get("row_energy_J", 0.0)
    return arrays, energy if has_energy else None


def _check_levels(level: FloatArray, label: str, vdd: float, like: ReadoutTable, where: str) -> None:
    """Levels within reach of the supply, and monotone in the count."""
    largest = float(np.nanmax(np.abs(level)))
    if like.unit == "V" and largest > LARGEST_LEVEL * vdd:
        raise InputError(
            f"level_V reaches {largest:g} at {label}, which no supply of {vdd:g} V gives", where=where,
            hint="are the values in mV?",
        )  # fmt: skip
    rising = float(np.sign(level[-1, -1] - level[-1, 0])) or 1.0
    steps = rising * np.diff(level, axis=1)
    wrong = np.argwhere(np.nan_to_num(steps, nan=1.0) <= 0)
    if wrong.size:
        a, c = wrong[0].tolist()
        raise InputError(
            f"levels are not monotone: at {label}, active {a}, count {c + 1} does not lie beyond count {c}", where=where
        )


def _single(lines: _Lines, name: str) -> float:
    """A value that every line repeats."""
    found = {values[name] for places in lines.conditions.values() for values in places.values()}
    if len(found) > 1:
        raise InputError(f"{name} differs between lines; one converter has one", where=lines.where)
    return found.pop()


def _energy(conditions: tuple[Condition, ...], like: ReadoutTable) -> FloatArray:
    """Row energies of the replaced table. Raises InputError for a condition that it does not have."""
    known: Mapping[str, int] = {c.label: i for i, c in enumerate(like.conditions)}
    for condition in conditions:
        if condition.label not in known:
            raise InputError(
                f"row_energy_J is missing, and {condition.label} was not simulated either",
                hint=f"measure it, or take a condition of {', '.join(known)}",
            )
    return np.stack([like.row_energy[known[c.label]] for c in conditions])


def measured_source(table: ReadoutTable) -> str:
    """Who measured a table, empty for one that was not."""
    return next((a.source for a in table.assumptions if a.name == MEASURED and a.status == "measured"), "")

"""A readout table as plain content (a JSON header and named arrays), its fingerprint, and the way back.

Every format stores this content exactly (binary64), so all of them carry the same `content_sha256`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from characterization.tables.table import LEVEL_VARIABLES, THRESHOLD, AdcModel, Assumption, ReadoutTable
from interconnect.arrays import FloatArray, IntArray
from interconnect.errors import InputError
from netlists.condition import NOMINAL_METALS, Condition

SCHEMA = "metalrom-readout-1"
"""Name and version of the content; readers refuse any other."""

STORED_NAMES = {name: "mean" if name == "level" else name for name in LEVEL_VARIABLES}
"""Variable of the dataset -> its name in CSV, JSON and Parquet files and in the fingerprint, fixed by `SCHEMA`."""

LEVEL_ARRAYS = {STORED_NAMES[name]: text for name, text in LEVEL_VARIABLES.items()}
"""Stored arrays of shape (condition, active, count) in the table's unit, with their meaning."""

MAX_ROWS = 4096
"""Refuse headers that would make a reader allocate without bound."""

MAX_LEVELS = 16
"""Levels of a cell, likewise."""


def header_of(table: ReadoutTable) -> dict[str, Any]:
    """Everything of a table but its arrays, as plain JSON values."""
    return {
        "schema": SCHEMA,
        "cell": table.cell,
        "unit": table.unit,
        "rows": int(table.rows),
        **({"levels": int(table.levels)} if table.levels != 2 else {}),
        **({"plane": table.plane} if table.plane is not None else {}),
        **({"thresholds": "fixed"} if table.threshold is not None else {}),
        "conditions": [_condition(c) for c in table.conditions],
        "read_time_s": float(table.read_time),
        "adc": {
            "codes": int(table.adc.codes),
            "offset_sigma": float(table.adc.offset_sigma),
            "noise_sigma": float(table.adc.noise_sigma),
            "tracks_active": bool(table.adc.tracks_active),
        },
        "assumptions": [asdict(a) for a in table.assumptions],
        "provenance": {str(k): str(v) for k, v in sorted(table.provenance.items())},
    }


def _condition(c: Condition) -> dict[str, Any]:
    """A condition as plain values; the corner of the metals only where there is one, so that other headers stay."""
    plain: dict[str, Any] = {"corner": c.corner, "vdd_V": float(c.vdd), "temperature_C": float(c.temperature)}
    return plain if c.beol == NOMINAL_METALS else {**plain, "beol": c.beol}


def validity_of(table: ReadoutTable) -> dict[str, Any]:
    """The box in which the table holds; nothing is known outside of it or between its conditions."""
    vdd = [c.vdd for c in table.conditions]
    temperature = [c.temperature for c in table.conditions]
    metals = sorted({c.beol for c in table.conditions})
    return {
        "corners": sorted({c.corner for c in table.conditions}),
        **({} if metals == [NOMINAL_METALS] else {"beol": metals}),
        "vdd_V": [min(vdd), max(vdd)],
        "temperature_C": [min(temperature), max(temperature)],
        "active": [0, table.rows],
        "count": count_range(table),
        "conditions": "characterized at the listed conditions only; no value is implied between or beyond them",
    }


def count_range(table: ReadoutTable) -> str:
    """The counts of a conversion in words."""
    return "0..active" if table.levels == 2 else f"0..{table.levels - 1} active"


def levels_of(header: Mapping[str, Any]) -> int:
    """Levels of a cell that a header tells; 2 if it tells none that could be."""
    levels = header.get("levels", 2)
    return levels if type(levels) is int and 2 <= levels <= MAX_LEVELS else 2


def places_of(rows: int, levels: int) -> tuple[IntArray, IntArray]:
    """(active, count) of every entry of a table that can be, active rows first."""
    active, count = np.nonzero(
        np.arange(rows * (levels - 1) + 1)[None, :] <= np.arange(rows + 1)[:, None] * (levels - 1)
    )
    return active, count


def arrays_of(table: ReadoutTable) -> dict[str, FloatArray]:
    """The table's arrays by stored name; counts that the driven rows cannot give are one canonical NaN."""
    arrays: dict[str, FloatArray] = {stored: getattr(table, name) for name, stored in STORED_NAMES.items()}
    fixed = {} if table.threshold is None else {THRESHOLD: table.threshold}
    return {**arrays, "row_energy": table.row_energy, **fixed}


def table_from(header: Any, arrays: Mapping[str, FloatArray], where: str) -> ReadoutTable:
    """The table of a header and its arrays. Raises InputError (naming `where`) for anything missing or odd."""
    head = _Fields(header, where)
    schema = head.take("schema", str)
    if schema != SCHEMA:
        raise InputError(f"content is {schema!r}", where=where, hint=f"this reader knows {SCHEMA}")
    conditions = []
    for item in head.take("conditions", list):
        c = _Fields(item, where)
        metals = c.take("beol", str) if isinstance(item, dict) and "beol" in item else NOMINAL_METALS
        conditions.append(Condition(c.take("corner", str), c.number("vdd_V"), c.number("temperature_C"), metals))
        c.done()
    adc = _Fields(head.take("adc", dict), where)
    model = AdcModel(
        adc.take("codes", int), adc.number("offset_sigma"), adc.number("noise_sigma"), adc.take("tracks_active", bool)
    )
    adc.done()
    assumptions = []
    for item in head.take("assumptions", list):
        a = _Fields(item, where)
        assumptions.append(Assumption(*(a.take(key, str) for key in ("name", "value", "status", "source"))))
        a.done()
    cell, unit, rows = head.take("cell", str), head.take("unit", str), head.take("rows", int)
    levels = head.take("levels", int) if "levels" in header else 2
    plane = head.take("plane", str) if "plane" in header else None
    fixed = "thresholds" in header and head.take("thresholds", str) == "fixed"
    if not 2 <= levels <= MAX_LEVELS:
        raise InputError(f"levels is {levels}, expected 2 to {MAX_LEVELS}", where=where)
    read_time, provenance = head.number("read_time_s"), head.take("provenance", dict)
    head.done()
    try:
        return ReadoutTable.from_arrays(
            cell=cell,
            unit=unit,
            rows=rows,
            conditions=tuple(conditions),
            **{name: arrays[stored] for name, stored in STORED_NAMES.items()},
            row_energy=arrays["row_energy"],
            read_time=read_time,
            adc=model,
            assumptions=tuple(assumptions),
            provenance=provenance,
            levels=levels,
            plane=plane,
            threshold=arrays[THRESHOLD] if fixed else None,
        )
    except KeyError as missing:
        raise InputError(f"array {missing} is missing", where=where) from None
    except InputError as error:
        raise InputError(error.what, where=where) from None


def content_sha256(table: ReadoutTable) -> str:
    """SHA-256 (hex) of the content: equal tables have equal fingerprints in every format."""
    digest = hashlib.sha256(canonical_json(header_of(table)).encode())
    for name, values in sorted(arrays_of(table).items()):
        digest.update(f"{name}{values.shape}".encode())
        digest.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
    return digest.hexdigest()


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no blanks: one text per value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def json_sha256(value: Any) -> str:
    """SHA-256 (hex) of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def parse_json(text: str, where: str) -> dict[str, Any]:
    """A JSON object; InputError for broken JSON, NaN or Infinity, or a key given twice."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        if len(set(keys)) != len(keys):
            raise ValueError("a key is given twice")
        return dict(pairs)

    def refuse(word: str) -> float:
        raise ValueError(f"{word} is not JSON")

    try:
        value = json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not readable as JSON ({error})", where=where, hint="truncated or edited") from None
    if not isinstance(value, dict):
        raise InputError("expected a JSON object", where=where)
    return value


class _Fields:
    """Typed access to a parsed object; what is missing, of the wrong type or left over is an InputError."""

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise InputError(f"expected an object, found {type(value).__name__}", where=where)
        self._left = dict(value)
        self._where = where

    def take(self, key: str, kind: Callable[..., Any]) -> Any:
        value = self._left.pop(key, None)
        if type(value) is not kind:
            raise InputError(f"key {key!r} is missing or of the wrong type", where=self._where)
        if key == "rows" and not 1 <= value <= MAX_ROWS:
            raise InputError(f"rows is {value}, expected 1 to {MAX_ROWS}", where=self._where)
        return value

    def number(self, key: str) -> float:
        value = self._left.pop(key, None)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(f"key {key!r} is missing or not a number", where=self._where)
        return float(value)

    def done(self) -> None:
        if self._left:
            raise InputError(f"unknown key {sorted(self._left)[0]!r}", where=self._where)

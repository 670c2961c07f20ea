"""The numbers of a run that `metalrom diff` compares, by section, name and condition."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from interconnect.errors import InputError
from metalrom.run.readers import read_quantity
from metalrom.run.view import RunView
from metalrom.specs.quantities import QUANTITIES
from metalrom.studies.diff.causes import attribute
from metalrom.studies.diff.changes import Cause, FigureChange

SECTIONS = ("group", "code error", "CSNR", "margin", "level", "sigma", "energy", "time", "density", "other", "cell")
"""Most important first."""

_SECTION = {
    "code_error": "code error",
    "code_error_worst": "code error",
    "csnr": "CSNR",
    "csnr_fitted": "CSNR",
    "margin": "margin",
    "lsb": "level",
    "inl": "level",
    "dnl": "level",
    "enob": "margin",
    "energy_per_mac": "energy",
    "energy_per_conversion": "energy",
    "tops_per_watt": "energy",
    "tops_per_mm2": "density",
    "latency": "time",
    "read_time": "time",
    "density": "density",
    "density_macro": "density",
    "weight_density": "density",
}


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Which number: section, name, label of the condition (empty where it does not matter)."""

    section: str
    name: str
    condition: str


def run_figures(run: RunView) -> dict[Key, tuple[float, str]]:
    """Every number of a run with its unit; what this run cannot tell is left out."""
    return {Key(section, name, condition): (value, unit) for section, name, condition, value, unit in _all(run)}


def changes(old: RunView, new: RunView, found: tuple[Cause, ...]) -> tuple[FigureChange, ...]:
    """Numbers that differ or that one run lacks; by section, then the largest relative change first."""
    a, b = run_figures(old), run_figures(new)
    out = [
        _change(key, a.get(key), b.get(key), found)
        for key in dict.fromkeys([*a, *b])
        if not _equal(a.get(key), b.get(key))
    ]
    return tuple(sorted(out, key=_importance))


def _importance(change: FigureChange) -> tuple[int, float]:
    size = change.absolute if change.unit == "dB" else change.relative  # a change from zero is infinitely large
    return SECTIONS.index(change.section), -math.inf if size is None else -abs(size)


def _equal(a: tuple[float, str] | None, b: tuple[float, str] | None) -> bool:
    if a is None or b is None:
        return a is b
    return a[1] == b[1] and (a[0] == b[0] or (math.isnan(a[0]) and math.isnan(b[0])))


def _change(
    key: Key, old: tuple[float, str] | None, new: tuple[float, str] | None, found: tuple[Cause, ...]
) -> FigureChange:
    a, b = (None if side is None else side[0] for side in (old, new))
    units = {side[1] for side in (old, new) if side is not None}
    absolute = relative = None
    if a is not None and b is not None and len(units) == 1 and math.isfinite(a) and math.isfinite(b):
        absolute = b - a
        relative = absolute / abs(a) if a and "dB" not in units else None
    return FigureChange(
        section=key.section,
        name=key.name,
        condition=key.condition,
        unit=" to ".join(dict.fromkeys(side[1] for side in (old, new) if side is not None)),
        old=a,
        new=b,
        absolute=absolute,
        relative=relative,
        attribution=attribute(found, cell=key.section == "cell" or key.name == "density"),
    )


def _all(run: RunView) -> Iterator[tuple[str, str, str, float, str]]:
    """(section, name, condition, value, unit) of everything that is compared."""
    results, table = run.results, run.table
    labels = [c.label for c in table.conditions]
    yield "group", "rows per conversion", "", float(results.group_rows), ""
    for q in QUANTITIES.values():
        unit = q.units[0] if len(q.units) == 1 else table.unit
        for label in labels if q.per_condition else [results.condition]:
            try:
                value = read_quantity(q.name, run, label).value
            except InputError:  # its procedure was left out, or failed
                continue
            yield _SECTION.get(q.name, "other"), q.name, label if q.per_condition else "", value, unit
    for quality in results.quality:
        yield "code error", "code_error simulated", quality.condition, quality.code_error_rate, ""
    n = table.rows
    for i, label in enumerate(labels):
        yield "level", "level of count 0, all rows active", label, float(table.level[i, n, 0]), table.unit
        yield "level", f"level of count {n}, all rows active", label, float(table.level[i, n, n]), table.unit
        for name in ("static", "noise", "pattern"):
            spread = getattr(table, f"sigma_{name}")[i, n]
            yield "sigma", f"sigma_{name}, rms over counts", label, float(np.sqrt(np.mean(spread**2))), table.unit
    cell = results.cell
    for element in cell.elements:
        yield "cell", element.name, "", element.value, element.unit
    yield "cell", "bit line per row", "", cell.bl_total, "F"
    yield "cell", "switched by a via", "", cell.switched, "F"
    yield "cell", "area", "", cell.area, "m2"

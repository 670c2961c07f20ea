"""From geometry to electrical values: the capacitance matrix between nets and the resistances of lines and vias."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from interconnect import extraction_cache, extraction_table, fieldsolver, formula
from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from interconnect.geometry import GROUND, Box, CellGeometry
from interconnect.invariance import crosses_side
from interconnect.negligible import without_negligible
from interconnect.provenance import Provenance
from interconnect.stack import Stack

Method = Literal["fieldsolver", "table", "formula"]
MethodChoice = Literal["auto", "fieldsolver", "table", "formula"]

HEIGHT_TOLERANCE = 1e-12
"""Heights of a geometry and of its stack must agree to this (m)."""


@dataclass(frozen=True)
class Extraction:
    """Electrical values of one period of a cell geometry.

    `capacitance` is the Maxwell matrix, shape (nets, nets), farad per period: symmetric, rows sum to zero, `GND` last.
    `resistance` (ohm, at the stack's reference temperature) holds, per line net, the resistance of one period along
    the line and, per via layer, that of one cut; `tcr` (1/K) has the same keys. `relative_error` is the estimated
    error of the capacitances (couplings below 2 % of their nets' totals are counted against those 2 %).
    """

    nets: tuple[str, ...]
    capacitance: FloatArray
    resistance: Mapping[str, float]
    tcr: Mapping[str, float]
    method: Method
    relative_error: float
    domain: Mapping[str, str]
    provenance: Provenance
    warnings: tuple[str, ...] = field(default=())

    def coupling(self, a: str, b: str) -> float:
        """Capacitance (F, >= 0) between two different nets, per period."""
        i, j = self._index(a), self._index(b)
        if i == j:
            raise InputError(f"the coupling of net {a!r} to itself is not defined", hint="use total()")
        return float(-self.capacitance[i, j])

    def total(self, net: str) -> float:
        """Capacitance (F) of `net` to everything else, per period."""
        i = self._index(net)
        return float(self.capacitance[i, i])

    def _index(self, net: str) -> int:
        try:
            return self.nets.index(net)
        except ValueError:
            raise InputError(f"there is no net {net!r}", hint=f"the nets are {', '.join(self.nets)}") from None

    def to_json(self) -> dict[str, Any]:
        """Return a JSON document: nets, capacitance_F, resistance_ohm, tcr_1_per_K, method, relative_error, ..."""
        return {
            "nets": list(self.nets),
            "capacitance_F": self.capacitance.tolist(),
            "resistance_ohm": dict(self.resistance),
            "tcr_1_per_K": dict(self.tcr),
            "method": self.method,
            "relative_error": self.relative_error,
            "domain": dict(self.domain),
            "provenance": {"status": self.provenance.status, "source": self.provenance.source},
            "warnings": list(self.warnings),
        }


def extract(
    geometry: CellGeometry,
    stack: Stack,
    method: str = "auto",
    *,
    cache_dir: Path | None = None,
    order: int | None = None,
) -> Extraction:
    """Extract capacitances and resistances of one period of `geometry` on `stack`.

    Parameters
    ----------
    geometry
        Boxes of one period, with net names; lengths in m.
    stack
        Metal stack on which the boxes lie, see `load_stack`.
    method
        `fieldsolver`: periodic finite elements (NGSolve). `table`: shipped solutions of the built-in cells.
        `formula`: closed formulas with a large stated error. `auto`: the first of these that is available for this
        cell.
    cache_dir
        Folder for capacitances, kept in JSON files with checksums; None keeps nothing.
    order
        Highest polynomial order of the field solver, 3 to 8.

    Returns
    -------
    Extraction
        Maxwell capacitance matrix, shape (nets, nets), F per period; resistances (ohm) by net and via layer; method,
        relative error and provenance.

    Raises
    ------
    InputError
        Unknown method, a layer that the stack lacks, heights that contradict the stack, shorted nets, `fieldsolver`
        without NGSolve, or `table` for a cell that it does not hold.
    SolverError
        The field solver failed.

    References
    ----------
    I. Babuska and M. Suri, "The p and h-p versions of the finite element method", SIAM Review 36 (1994) 578.
    T. Sakurai and K. Tamaru, "Simple formulas for two- and three-dimensional capacitances", IEEE Trans. Electron
    Devices 30 (1983) 183.

    Examples
    --------
    >>> from interconnect import Box, CellGeometry, extract, load_stack  # doctest: +SKIP
    >>> found = extract(geometry, load_stack("generic28"), method="formula")  # doctest: +SKIP
    >>> found.coupling("bl", "row")  # F per period  # doctest: +SKIP
    """
    if method not in get_args(MethodChoice):
        raise InputError(
            f"unknown extraction method {method!r}", hint=f"choose one of {', '.join(get_args(MethodChoice))}"
        )
    if stack.width_factor != 1.0:
        geometry = geometry.widened(stack.width_factor)
    _check(geometry, stack)
    resistance, tcr = _resistances(geometry, stack)
    capacitance: FloatArray
    chosen: Method
    if method == "fieldsolver" and not fieldsolver.available():
        raise InputError("the field solver NGSolve is not installed", hint="pip install ngsolve, or use method formula")
    solved = extraction_table.look_up(geometry) if method in ("auto", "table") else None
    if method == "table" and solved is None:
        raise InputError(
            f"geometry {geometry.name} is not in the shipped table", hint="use method fieldsolver, or formula"
        )
    if method in ("auto", "fieldsolver") and fieldsolver.available():
        chosen = "fieldsolver"
        capacitance, error, source = _by_field(geometry, cache_dir, order or fieldsolver.DEFAULT_ORDER)
    elif solved is not None:
        chosen = "table"
        capacitance, error, source = solved.capacitance, solved.relative_error, solved.source
    else:
        chosen = "formula"
        capacitance, error = formula.capacitance(geometry), formula.RELATIVE_ERROR
        source = formula.SOURCE
    warnings = stack.warnings
    if chosen == "formula":
        warnings = (*warnings, f"capacitances are by closed formula, error up to {formula.RELATIVE_ERROR:.0%}")
    return Extraction(
        nets=geometry.nets,
        capacitance=_with_ground(capacitance),
        resistance=resistance,
        tcr=tcr,
        method=chosen,
        relative_error=error,
        domain=_domain(geometry, stack),
        provenance=Provenance(
            "estimate" if chosen == "formula" else stack.status,
            f"{source}; stack {stack.name} (sha256 {stack.sha256[:12]})",
        ),
        warnings=warnings,
    )


def _by_field(geometry: CellGeometry, cache_dir: Path | None, order: int) -> tuple[FloatArray, float, str]:
    version = fieldsolver.version()
    geometry = geometry.normalized()
    # Cells whose boxes cross the period's sides are solved with their period begun elsewhere.
    cut = {"cut": "clear"} if crosses_side(geometry) else {}
    key = extraction_cache.cache_key(geometry.key(), "fieldsolver", version=version, order=order, **cut)
    stored = extraction_cache.load_extraction(cache_dir, key) if cache_dir else None
    if stored is None:
        solution = fieldsolver.solve_cell(geometry, order=order)
        stored = {
            "capacitance": solution.capacitance.tolist(),
            "relative_error": solution.relative_error,
            "certificate": solution.certificate,
            "invariance": solution.invariance,
            "elements": solution.elements,
            "unknowns": solution.unknowns,
        }
        if cache_dir:
            with contextlib.suppress(InputError):  # a cache that cannot be written, or not be believed, is only slower
                extraction_cache.store_extraction(cache_dir, key, stored)
    source = (
        f"periodic finite elements, NGSolve {version}, orders {order - 2} to {order} extrapolated, "
        f"{stored['elements']} elements, {stored['unknowns']} unknowns"
    )
    if "certificate" in stored:
        source += f", certified by {stored['invariance']} to {100 * float(stored['certificate']):.2g} %"
    n = len(geometry.nets) - 1
    return np.array(stored["capacitance"], dtype=float).reshape(n, n), float(stored["relative_error"]), source


def _with_ground(inner: FloatArray) -> FloatArray:
    """Complete the matrix by `GND`, so that rows sum to zero and no coupling is negative.

    A pair that is screened from each other comes out as a coupling of rounding size and either sign: it is set to 0
    (`negligible.NEGLIGIBLE_SHARE`).
    """
    n = len(inner)
    full = np.zeros((n + 1, n + 1))
    off = np.minimum(inner - np.diag(np.diag(inner)), 0.0)
    to_ground = np.minimum(-(np.diag(inner) + off.sum(axis=1)), 0.0)
    full[:n, :n] = off
    full[:n, n] = full[n, :n] = to_ground
    full[np.diag_indices(n + 1)] = -full.sum(axis=1)
    return without_negligible(full)


def _check(geometry: CellGeometry, stack: Stack) -> None:
    for box in geometry.boxes:
        where = f"geometry {geometry.name}: box {box.net}/{box.layer}"
        if box.kind in ("via", "resistor"):
            via = stack.via(box.layer)
            expected = (stack.metal(via.below).top, stack.metal(via.above).bottom)
        else:
            metal = stack.metal(box.layer)
            expected = (metal.bottom, metal.top)
        if max(abs(box.lower[2] - expected[0]), abs(box.upper[2] - expected[1])) > HEIGHT_TOLERANCE:
            raise InputError(
                f"lies at {box.lower[2]:g} to {box.upper[2]:g} m, but stack {stack.name} has {box.layer} at "
                f"{expected[0]:g} to {expected[1]:g} m",
                where=where,
            )
        if box.kind != "resistor" and box.net != GROUND:
            reach = min(box.lower[2] - geometry.floor, geometry.ceiling - box.upper[2])
            if reach <= HEIGHT_TOLERANCE:
                raise InputError("touches a neighbouring plane and would be shorted to ground", where=where)
    _check_slabs(geometry)
    _check_shorts(geometry)


def _check_slabs(geometry: CellGeometry) -> None:
    height = geometry.floor
    for slab in sorted(geometry.slabs, key=lambda s: s.bottom):
        if slab.bottom > height + HEIGHT_TOLERANCE:
            break
        height = max(height, slab.top)
    if height < geometry.ceiling - HEIGHT_TOLERANCE:
        raise InputError(f"geometry {geometry.name}: there is no dielectric at or above {height:g} m")


def _check_shorts(geometry: CellGeometry) -> None:
    """Boxes of different nets may not meet across the period's sides either."""
    boxes = fieldsolver.wrapped_boxes(geometry)
    lower = np.array([box.lower for box in boxes])
    upper = np.array([box.upper for box in boxes])
    nets = np.array([box.net for box in boxes])
    if len(boxes) == 0:
        raise InputError(f"geometry {geometry.name} has no conductor")
    gap = np.maximum(lower[:, None], lower[None]) - np.minimum(upper[:, None], upper[None])
    touching = (gap.max(axis=2) < HEIGHT_TOLERANCE) & ((np.abs(gap) < HEIGHT_TOLERANCE).sum(axis=2) < 2)
    shorted = np.argwhere(touching & (nets[:, None] != nets[None]))
    if len(shorted):
        a, b = boxes[shorted[0][0]], boxes[shorted[0][1]]
        raise InputError(
            f"geometry {geometry.name}: {a.net} ({a.layer}) and {b.net} ({b.layer}) meet in the next period: "
            "they would be shorted"
        )


def _resistances(geometry: CellGeometry, stack: Stack) -> tuple[dict[str, float], dict[str, float]]:
    """Line nets: parallel lines of the net along its direction, one period long. Via layers: one cut."""
    conductance: dict[str, float] = {}
    tcr: dict[str, float] = {}
    for box in geometry.boxes:
        if box.kind == "via":
            via = stack.via(box.layer)
            conductance[box.layer] = 1.0 / via.resistance
            tcr[box.layer] = via.tcr
        elif box.kind == "line":
            metal = stack.metal(box.layer)
            axis = _direction(box, geometry)
            value = metal.resistance(geometry.period[axis], box.size[1 - axis])
            conductance[box.net] = conductance.get(box.net, 0.0) + 1.0 / value
            tcr[box.net] = metal.tcr
    return {key: 1.0 / value for key, value in conductance.items()}, tcr


def _direction(box: Box, geometry: CellGeometry) -> int:
    """0 if the line runs through the whole period along x, 1 if along y."""
    through = [abs(box.size[axis] - geometry.period[axis]) < 1e-6 * geometry.period[axis] for axis in (0, 1)]
    if through[0] == through[1]:
        raise InputError(
            f"geometry {geometry.name}: line {box.net}/{box.layer} must run through the whole period in x or in y"
        )
    return 0 if through[0] else 1


def _domain(geometry: CellGeometry, stack: Stack) -> dict[str, str]:
    """Describe what the numbers hold for, in words."""
    layers = dict.fromkeys(box.layer for box in geometry.boxes)
    permittivities = sorted({slab.k for slab in geometry.slabs})
    return {
        "geometry": geometry.name,
        "geometry_sha256": geometry.key(),
        "stack": stack.name,
        "layers": ", ".join(layers),
        "period": f"{geometry.period[0] * 1e9:g} nm x {geometry.period[1] * 1e9:g} nm",
        "cells_per_period": f"{geometry.rows} rows x {geometry.columns} columns",
        "permittivity": ", ".join(f"{k:g}" for k in permittivities),
        "temperature": f"resistances at {stack.reference_temperature:g} degC",
        "neighbours": "periodic in x and y; grounded sheets below and above stand for the neighbouring planes",
    }

"""Cell B, `cap_balanced`: the bit line couples to a tab that a via ties to the row's signal or ground line.

Per row two lines run side by side, signal S and ground G. Per column there is a bit line, a tab beside it and a
grounded shield. The load of the bit line does not depend on the stored bits; only the share that follows the row
does. (The idea of a balancing line is that of the IBM System/360 balanced capacitor read-only store.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from interconnect.geometry import GROUND, Box, CellGeometry
from interconnect.stack import Metal, Stack, ViaLayer
from netlists.cells.base import (
    GROUND_LINE,
    SIGNAL,
    CellModel,
    Element,
    Extract,
    Plane,
    Variant,
    check_program,
)
from netlists.parameters import parameter, require, require_positive

if TYPE_CHECKING:
    from interconnect.extraction import Extraction

PINS = ("row_in", "row_out", "gnd_in", "gnd_out", "bl_in", "bl_out", "bl_next", "tab")
PROGRAMS = ((1, 1), (0, 0), (1, 0))
"""Supercell programs that separate the tab's and the neighbour's couplings."""

_SLACK = 1e-12  # m: rounding of user-given lengths


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """Resolved drawn lengths, metres."""

    row_pitch: float
    column_pitch: float
    row_width: float
    column_width: float
    tab_length: float
    via_size: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CapBalanced:
    """Drawn lengths of the balanced capacitive cell; None takes the smallest value the stack allows."""

    kind: ClassVar[str] = "cap_balanced"
    mode: ClassVar[Literal["charge", "current"]] = "charge"
    title: ClassVar[str] = "capacitive cell, via ties the tab to the signal or the ground line"

    row_pitch: float | None = parameter(None, "m", "height of a row: signal line and ground line")
    column_pitch: float | None = parameter(None, "m", "width of a column: bit line, tab and shield")
    row_width: float | None = parameter(None, "m", "drawn width of the signal and ground lines")
    column_width: float | None = parameter(None, "m", "drawn width of bit line, tab and shield")
    tab_length: float | None = parameter(None, "m", "length of the tab along the bit line")

    def lengths(self, stack: Stack, plane: Plane) -> Lengths:
        """Resolve the defaults on this plane and check the drawing rules.

        Raises:
            InputError: a missing layer, or a length that violates the stack's rules; it names the key.
        """
        row, column = stack.metal(plane.row), stack.metal(plane.column)
        via = stack.via_between(plane.row, plane.column)
        row_width = _given(self.row_width, max(row.min_width, via.size), "row_width")
        column_width = _given(self.column_width, max(column.min_width, via.size), "column_width")
        row_pitch = _given(
            self.row_pitch,
            2 * max(row_width + row.min_space, via.size + via.space, via.size + column.min_space),
            "row_pitch",
        )
        column_pitch = _given(self.column_pitch, 3 * (column_width + column.min_space), "column_pitch")
        tab_length = _given(self.tab_length, row_pitch - column.min_space, "tab_length")
        out = Lengths(
            row_pitch=row_pitch,
            column_pitch=column_pitch,
            row_width=row_width,
            column_width=column_width,
            tab_length=tab_length,
            via_size=via.size,
        )
        _check(out, row, column, via)
        return out

    def geometry(self, stack: Stack, plane: Plane, program: Sequence[int]) -> CellGeometry:
        """One row of `len(program)` columns. Nets: S, G, BL0, BL1, ..., GND (shields and neighbouring planes).

        A tab belongs to net S (bit 1) or G (bit 0) because its via ties it there.
        """
        bits = check_program(program, self.kind)
        d = self.lengths(stack, plane)
        row, column = stack.metal(plane.row), stack.metal(plane.column)
        via = stack.via_between(plane.row, plane.column)
        width = len(bits) * d.column_pitch
        y_line = {"S": d.row_pitch / 4, "G": 3 * d.row_pitch / 4}
        half_row, half_col, half_via, half_tab = d.row_width / 2, d.column_width / 2, via.size / 2, d.tab_length / 2
        boxes = [
            Box(net, row.name, "line", (0.0, y - half_row, row.bottom), (width, y + half_row, row.top))
            for net, y in y_line.items()
        ]
        for k, bit in enumerate(bits):
            net = "S" if bit else "G"
            x_bl, x_tab, x_shield = ((6 * k + i) * d.column_pitch / 6 for i in (1, 3, 5))
            y_mid, y_via = d.row_pitch / 2, y_line[net]
            z = (column.bottom, column.top)
            boxes += [
                Box(f"BL{k}", column.name, "line", (x_bl - half_col, 0.0, z[0]), (x_bl + half_col, d.row_pitch, z[1])),
                Box(
                    net,
                    column.name,
                    "tab",
                    (x_tab - half_col, y_mid - half_tab, z[0]),
                    (x_tab + half_col, y_mid + half_tab, z[1]),
                ),
                Box(
                    net,
                    via.name,
                    "via",
                    (x_tab - half_via, y_via - half_via, row.top),
                    (x_tab + half_via, y_via + half_via, column.bottom),
                ),
                Box(
                    GROUND,
                    column.name,
                    "shield",
                    (x_shield - half_col, 0.0, z[0]),
                    (x_shield + half_col, d.row_pitch, z[1]),
                ),
            ]
        floor, ceiling = stack.plane_floor(plane.row), stack.plane_ceiling(plane.column)
        return CellGeometry(
            name=f"{self.kind} {plane.label} {''.join(map(str, bits))}",
            boxes=tuple(boxes),
            period=(width, d.row_pitch),
            floor=floor,
            ceiling=ceiling,
            slabs=stack.slabs(floor, ceiling),
            rows=1,
            columns=len(bits),
        )

    def model(self, stack: Stack, plane: Plane, extract: Extract) -> CellModel:
        """Extract the programs 11, 00 and 10 of two columns and decompose them into pair capacitances."""
        geometries = [self.geometry(stack, plane, p) for p in PROGRAMS]
        extractions = [extract(g, stack) for g in geometries]
        parts, residual = decompose(extractions)
        r_row, r_bl = extractions[0].resistance["S"] / 2, extractions[0].resistance["BL0"]
        elements = build_elements(
            parts,
            r_row=r_row,
            r_gnd=extractions[0].resistance["G"] / 2,
            r_bl=r_bl,
            tcr_row=stack.metal(plane.row).tcr,
            tcr_bl=stack.metal(plane.column).tcr,
        )
        d = self.lengths(stack, plane)
        return build_model(
            elements,
            plane=plane,
            pitch=(d.row_pitch, d.column_pitch),
            reference_temperature=stack.reference_temperature,
            relative_error=max(e.relative_error for e in extractions),
            fit_residual=residual,
            method=extractions[0].method,
            geometry_keys=tuple(g.key() for g in geometries),
        ).rounded()


def _given(value: float | None, default: float, key: str) -> float:
    if value is None:
        return default
    require_positive(value, where=f"cell.{key}", unit="m")
    return value


def _check(d: Lengths, row: Metal, column: Metal, via: ViaLayer) -> None:
    """Drawing rules of the pattern; every message names the key and the limit."""

    def nm(x: float) -> str:
        return f"{x * 1e9:.4g} nm"

    def at_least(value: float, limit: float, key: str, what: str) -> None:
        require(value >= limit - _SLACK, f"{what} is {nm(value)}, the stack asks for {nm(limit)}", where=f"cell.{key}")

    require(
        d.row_width < d.row_pitch / 2,
        f"the line width {nm(d.row_width)} leaves no space: signal and ground line share a row of {nm(d.row_pitch)}",
        where="cell.row_width",
        hint=f"width must stay below half the row pitch, {nm(d.row_pitch / 2)}",
    )
    require(
        d.column_width < d.column_pitch / 3,
        f"the line width {nm(d.column_width)} leaves no space: bit line, tab and shield share {nm(d.column_pitch)}",
        where="cell.column_width",
        hint=f"width must stay below a third of the column pitch, {nm(d.column_pitch / 3)}",
    )
    at_least(d.row_width, row.min_width, "row_width", f"line width on {row.name}")
    at_least(d.column_width, column.min_width, "column_width", f"line width on {column.name}")
    at_least(d.row_width, via.size, "row_width", f"line width under a {via.name} cut")
    at_least(d.column_width, via.size, "column_width", f"tab width over a {via.name} cut")
    at_least(d.row_pitch / 2 - d.row_width, row.min_space, "row_pitch", f"space between lines on {row.name}")
    at_least(
        d.column_pitch / 3 - d.column_width, column.min_space, "column_pitch", f"space between lines on {column.name}"
    )
    at_least(d.row_pitch / 2 - via.size, via.space, "row_pitch", f"space between {via.name} cuts of two rows")
    at_least(d.column_pitch - via.size, via.space, "column_pitch", f"space between {via.name} cuts of two columns")
    at_least(d.row_pitch - d.tab_length, column.min_space, "tab_length", f"space between tabs on {column.name}")
    reach = d.row_pitch / 2 + via.size
    require(
        d.tab_length >= reach - _SLACK,
        f"the tab of {nm(d.tab_length)} does not reach over both lines with a {via.name} cut",
        where="cell.tab_length",
        hint=f"it must be at least {nm(reach)} long",
    )


_UNKNOWNS = ("bl_s", "bl_g", "bl_tab", "tab_bl", "bl_bl", "bl_gnd", "s_g", "s_gnd", "g_gnd", "tab_gnd", "tab_tab")


def decompose(extractions: Sequence[Extraction]) -> tuple[dict[str, float], float]:
    """Pair capacitances per cell (F) that explain the extractions of `PROGRAMS`, and the fit's largest misfit.

    In a supercell of two columns each bit line sees its own tab on one side and its neighbour's tab beyond the
    shield; tabs belong to S or G, so each observed coupling is a sum of pair terms. The tab's coupling to the line
    it is not tied to is part of `s_g`. The misfit is relative to the bit line's total capacitance. Non-negative
    least squares (Lawson and Hanson).
    """
    from scipy.optimize import nnls

    index = {name: i for i, name in enumerate(_UNKNOWNS)}
    rows: list[NDArray[np.float64]] = []
    observed: list[float] = []

    def equation(value: float, terms: dict[str, float]) -> None:
        line = np.zeros(len(_UNKNOWNS))
        for name, factor in terms.items():
            line[index[name]] += factor
        rows.append(line)
        observed.append(value)

    for (left, right), e in zip(PROGRAMS, extractions, strict=True):
        for bl, own, other in (("BL0", left, right), ("BL1", right, left)):
            equation(e.coupling(bl, "S"), {"bl_s": 1, "bl_tab": own, "tab_bl": other})
            equation(e.coupling(bl, "G"), {"bl_g": 1, "bl_tab": 1 - own, "tab_bl": 1 - other})
            equation(e.coupling(bl, GROUND), {"bl_gnd": 1})
        ones = left + right
        equation(e.coupling("BL0", "BL1"), {"bl_bl": 2})
        equation(e.coupling("S", "G"), {"s_g": 2, "tab_tab": 2 * (left != right)})
        equation(e.coupling("S", GROUND), {"s_gnd": 2, "tab_gnd": ones})
        equation(e.coupling("G", GROUND), {"g_gnd": 2, "tab_gnd": 2 - ones})
    matrix, target = np.array(rows), np.array(observed)
    scale = float(target.max())
    solution, _ = nnls(matrix, target / scale)
    parts = {name: float(solution[i]) * scale for name, i in index.items()}
    total = sum(parts[k] for k in ("bl_s", "bl_g", "bl_tab", "tab_bl", "bl_gnd")) + 2 * parts["bl_bl"]
    misfit = float(np.abs(matrix @ solution * scale - target).max())
    return parts, misfit / total


def build_elements(
    parts: dict[str, float],
    *,
    r_row: float,
    r_gnd: float,
    r_bl: float,
    tcr_row: float = 0.0,
    tcr_bl: float = 0.0,
) -> tuple[Element, ...]:
    """Elements of the subcircuit from pair capacitances (F, keys as `decompose` returns) and resistances (ohm)."""
    return (
        Element("C_bl_tab", "bl_in", "tab", parts["bl_tab"], "bit line to its tab: the switched share", varies=True),
        Element("C_bl_s", "bl_in", "row_out", parts["bl_s"], "bit line to the signal line"),
        Element("C_bl_g", "bl_in", "gnd_out", parts["bl_g"], "bit line to the ground line"),
        Element("C_bl_gnd", "bl_in", "0", parts["bl_gnd"], "bit line to shield and neighbouring planes"),
        Element("C_bl_bl", "bl_in", "bl_next", parts["bl_bl"], "bit line to the next bit line"),
        Element("C_tab_bl", "tab", "bl_next", parts["tab_bl"], "tab to the next bit line"),
        Element("C_tab_gnd", "tab", "0", parts["tab_gnd"], "tab to shield and neighbouring planes"),
        Element("C_s_g", "row_out", "gnd_out", parts["s_g"], "signal line to ground line"),
        Element("C_s_gnd", "row_out", "0", parts["s_gnd"], "signal line to neighbouring planes"),
        Element("C_g_gnd", "gnd_out", "0", parts["g_gnd"], "ground line to neighbouring planes"),
        Element("R_row", "row_in", "row_out", r_row, "one segment of the signal line", tcr=tcr_row),
        Element("R_gnd", "gnd_in", "gnd_out", r_gnd, "one segment of the ground line", tcr=tcr_row),
        Element("R_bl", "bl_in", "bl_out", r_bl, "one segment of the bit line", tcr=tcr_bl),
    )


def build_model(
    elements: tuple[Element, ...],
    *,
    plane: Plane,
    pitch: tuple[float, float],
    reference_temperature: float,
    relative_error: float,
    fit_residual: float,
    method: str,
    geometry_keys: tuple[str, ...] = (),
) -> CellModel:
    """A `cap_balanced` model from its elements; pitch (row, column) in m."""
    return CellModel(
        kind=CapBalanced.kind,
        mode="charge",
        plane=plane,
        pins=PINS,
        variants=(
            Variant(CapBalanced.kind, elements, {"tab": "gnd_out"}),
            Variant(CapBalanced.kind, elements, {"tab": "row_out"}),
        ),
        pitch=pitch,
        area=pitch[0] * pitch[1],
        reference_temperature=reference_temperature,
        relative_error=relative_error,
        fit_residual=fit_residual,
        method=method,
        geometry_keys=geometry_keys,
        lines=(SIGNAL, GROUND_LINE),
        notes=(f"pair capacitances from the programs 11, 00, 10 of two columns; misfit {fit_residual:.1e} of C(BL)",),
    )


def settled_voltage(
    vdd: float, c_on: float, c_off: float, c_bl: float, c_extra: float, n: int, active: int, count: int
) -> float:
    """Closed-form bit-line voltage (V) of one column with quiet neighbours.

    V = vdd (active c_off + count (c_on - c_off)) / (n c_bl + c_extra): capacitive divider of `n` rows of which
    `active` are driven and `count` of those hold bit 1; c_on, c_off: C(BL, row) with bit 1 and 0, c_bl: total per row,
    c_extra: sense input, switch and further load (all F).
    """
    if not 0 <= count <= active <= n or math.isclose(n * c_bl + c_extra, 0.0, abs_tol=0.0):
        raise ValueError("need 0 <= count <= active <= n and a bit line with capacitance")
    return vdd * (active * c_off + count * (c_on - c_off)) / (n * c_bl + c_extra)

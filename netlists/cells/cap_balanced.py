"""Cell B, `cap_balanced`: the bit line couples to a tab that a via ties to the row's signal or ground line.

Per row two lines run side by side, signal S and ground G. Per column there is a bit line, a tab beside it and a
grounded shield. The load of the bit line does not depend on the stored bits; only the share that follows the row
does. (The idea of a balancing line is that of the IBM System/360 balanced capacitor read-only store.)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from interconnect.geometry import CellGeometry
from interconnect.stack import Stack
from netlists.cells.base import (
    GROUND_LINE,
    NEXT_GROUND,
    NEXT_SIGNAL,
    SIGNAL,
    CellModel,
    ColumnRead,
    Element,
    Extract,
    Plane,
    Variant,
    check_program,
)
from netlists.cells.tabbed import (
    LINE_WORDS,
    NEXT_NETS,
    TwoLineCell,
    decompose_tabs,
    next_plane_elements,
    tab_elements,
)

PINS = ("row_in", "row_out", "gnd_in", "gnd_out", "bl_in", "bl_out", "bl_next", "tab")
PROGRAMS = ((1, 1), (0, 0), (1, 0))
"""Supercell programs that separate the tab's and the neighbour's couplings."""

NEXT_LINES = (NEXT_SIGNAL, NEXT_GROUND)
_NETS = ("S", "G")


@dataclass(frozen=True, slots=True, kw_only=True)
class CapBalanced(TwoLineCell):
    """Drawn lengths of the balanced capacitive cell; None takes the smallest value the stack allows."""

    kind: ClassVar[str] = "cap_balanced"
    title: ClassVar[str] = "capacitive cell, via ties the tab to the signal or the ground line"
    text: ClassVar[str] = (
        "Each row has a signal line and a ground line; beside the bit line of every column stands a tab. A via "
        "ties the tab to the signal line (1) or to the ground line (0), so the load of the bit line does not "
        "depend on the stored data."
    )
    stackable: ClassVar[bool] = True
    symbol_values: ClassVar[tuple[int, ...]] = (0, 1)

    def geometry(self, stack: Stack, plane: Plane, program: Sequence[int], above: Plane | None = None) -> CellGeometry:
        """One row of `len(program)` columns. Nets: S, G, BL0, BL1, ..., GND (shields and neighbouring planes).

        A tab belongs to net S (bit 1) or G (bit 0) because its via ties it there. above: the next plane, whose row is
        drawn too: nets U (signal line) and V (ground line), see `TabbedCell.geometry`.
        """
        bits = check_program(program, self.kind)
        tied = [_NETS.index("S" if bit else "G") for bit in bits]
        next_plane = self.lengths(stack, above) if above else None
        return self.lengths(stack, plane).geometry(self.kind, stack, plane, bits, _NETS, tied, next_plane)

    def model(self, stack: Stack, plane: Plane, extract: Extract, above: Plane | None = None) -> CellModel:
        """Extract the programs 11, 00 and 10 of two columns and decompose them into pair capacitances.

        above: the next plane; the model then holds the lines of its row, which netlists can drive.
        """
        geometries = [self.geometry(stack, plane, p, above) for p in PROGRAMS]
        extractions = [extract(g, stack) for g in geometries]
        tied = [(1 - left, 1 - right) for left, right in PROGRAMS]  # bit 1: line 0, the signal line
        parts, residual = decompose_tabs(tied, extractions, _NETS, ("s", "g"))
        elements = build_elements(
            parts,
            r_row=extractions[0].resistance["S"] / 2,
            r_gnd=extractions[0].resistance["G"] / 2,
            r_bl=extractions[0].resistance["BL0"],
            tcr_row=stack.metal(plane.row).tcr,
            tcr_bl=stack.metal(plane.column).tcr,
        )
        if above is not None:
            tcr = stack.metal(above.row).tcr
            elements += next_plane_elements(parts, (SIGNAL, GROUND_LINE), LINE_WORDS)
            elements += tuple(
                Element(
                    f"R_{line.prefix}",
                    f"{line.prefix}_in",
                    f"{line.prefix}_out",
                    extractions[0].resistance[net] / 2,
                    "one segment of a line of the next plane's row",
                    tcr=tcr,
                )
                for line, net in zip(NEXT_LINES, NEXT_NETS, strict=True)
            )
        return build_balanced_model(
            elements,
            plane=plane,
            pitch=self.lengths(stack, plane).pitch,
            reference_temperature=stack.reference_temperature,
            relative_error=max(e.relative_error for e in extractions),
            fit_residual=residual,
            method=extractions[0].method,
            geometry_keys=tuple(g.key() for g in geometries),
            next_plane=above is not None,
        ).rounded()

    @staticmethod
    def closed_form(model: CellModel, read: ColumnRead) -> float:
        """`settled_voltage` of the column; the load does not depend on the bits."""
        off, on = model.drive_with_next_plane(0), model.drive_with_next_plane(1)
        beyond = read.c_extra + read.extra_rows * model.bl_total
        return settled_voltage(read.drive, on, off, model.bl_total, beyond, read.rows, read.active, read.count)


def build_elements(
    parts: dict[str, float],
    *,
    r_row: float,
    r_gnd: float,
    r_bl: float,
    tcr_row: float = 0.0,
    tcr_bl: float = 0.0,
) -> tuple[Element, ...]:
    """Elements of the subcircuit from pair capacitances (F, keys as `decompose_tabs` returns) and resistances (ohm)."""
    return (
        *tab_elements(parts, (SIGNAL, GROUND_LINE), LINE_WORDS),
        Element("R_row", "row_in", "row_out", r_row, "one segment of the signal line", tcr=tcr_row),
        Element("R_gnd", "gnd_in", "gnd_out", r_gnd, "one segment of the ground line", tcr=tcr_row),
        Element("R_bl", "bl_in", "bl_out", r_bl, "one segment of the bit line", tcr=tcr_bl),
    )


def build_balanced_model(
    elements: tuple[Element, ...],
    *,
    plane: Plane,
    pitch: tuple[float, float],
    reference_temperature: float,
    relative_error: float,
    fit_residual: float,
    method: str,
    geometry_keys: tuple[str, ...] = (),
    next_plane: bool = False,
) -> CellModel:
    """A `cap_balanced` model from its elements; pitch (row, column) in m. next_plane: they hold that plane's lines."""
    further = NEXT_LINES if next_plane else ()
    return CellModel(
        kind=CapBalanced.kind,
        mode="charge",
        plane=plane,
        pins=(*PINS, *(f"{line.prefix}_{end}" for line in further for end in ("in", "out"))),
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
        lines=(SIGNAL, GROUND_LINE, *further),
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

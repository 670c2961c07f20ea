"""Cell C, `res_via`: a deliberate resistor between row and bit line at the crossing; the current is read.

Present = bit 1, absent = bit 0. The bit line ends in a virtual ground. A plain via cannot do this job: at a few ohms
it ties every row that stores a 1 in a column to every other such row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

from interconnect.errors import InputError
from interconnect.geometry import GROUND, Box, CellGeometry
from interconnect.stack import Stack
from netlists.cells.base import CellModel, ColumnRead, Element, Extract, Plane, Variant, check_program
from netlists.cells.pattern import PlaneMetals
from netlists.parameters import parameter, require, require_positive

PINS = ("row_in", "row_out", "bl_in", "bl_out", "bl_next")
MIN_RESISTANCE = 100e3
"""Smallest cell resistance (ohm) that keeps rows apart; IR drop grows as rows^2 x wire resistance / this."""

_SLACK = 1e-12


class LineLengths(NamedTuple):
    """Pitches and line widths of a cell without a coupling capacitor, m."""

    row_pitch: float
    column_pitch: float
    row_width: float
    column_width: float

    @property
    def coupling(self) -> None:
        """A resistor plug does not depend on the roughness of its lines."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResVia:
    """Drawn lengths and the resistor of the resistive cell; a length of None takes the stack's smallest."""

    kind: ClassVar[str] = "res_via"
    mode: ClassVar[Literal["charge", "current"]] = "current"
    title: ClassVar[str] = "resistive cell, a resistor plug at the crossing or none"
    text: ClassVar[str] = (
        "A resistor plug where a row crosses the bit line stores a 1, its absence a 0. The bit line is held at a "
        "virtual ground, and the sum of the currents is read."
    )
    measurable: ClassVar[bool] = True
    symbol_values: ClassVar[tuple[int, ...]] = (0, 1)

    resistance: float = parameter(1.0e6, "ohm", "resistor plug at a crossing that stores 1")
    resistance_tcr: float = parameter(0.0, "1/K", "temperature coefficient of the plug")
    row_pitch: float | None = parameter(None, "m", "distance of two rows")
    column_pitch: float | None = parameter(None, "m", "distance of two columns")
    row_width: float | None = parameter(None, "m", "drawn width of a row line")
    column_width: float | None = parameter(None, "m", "drawn width of a bit line")

    def __post_init__(self) -> None:
        require_positive(self.resistance, where="cell.resistance", unit="ohm")
        if self.resistance < MIN_RESISTANCE:
            raise InputError(
                f"{self.resistance:g} ohm is too little: two 1 bits in a column would tie their rows "
                "together and sneak currents through them would exceed the sum",
                where="cell.resistance",
                hint=f"use a resistor plug of at least {MIN_RESISTANCE:g} ohm",
            )

    def lengths(self, stack: Stack, plane: Plane) -> LineLengths:
        """Pitches and widths in m, defaults resolved and drawing rules checked."""
        metals = PlaneMetals.of(stack, plane)
        via = metals.via
        out = []
        axes: tuple[tuple[Literal["row", "column"], float | None, float | None], ...] = (
            ("row", self.row_pitch, self.row_width),
            ("column", self.column_pitch, self.column_width),
        )
        for axis, pitch, width in axes:
            layer, least_width = metals.layer(axis), metals.least_width(axis)
            w = least_width if width is None else width
            least = max(w + layer.min_space, via.size + via.space)
            if axis == "row":  # a bit line can be cut between the plugs of two rows
                least = max(least, metals.end_length("column") + metals.column.min_space)
            p = least if pitch is None else pitch
            require_positive(w, where=f"cell.{axis}_width", unit="m")
            require_positive(p, where=f"cell.{axis}_pitch", unit="m")
            require(
                w < p,
                f"the line width {w * 1e9:.4g} nm leaves no space in the pitch of {p * 1e9:.4g} nm",
                where=f"cell.{axis}_width",
                hint="width must stay below the pitch",
            )
            require(
                w >= least_width - _SLACK,
                f"line width on {layer.name} is {w * 1e9:.4g} nm, the stack asks for {least_width * 1e9:.4g} nm",
                where=f"cell.{axis}_width",
            )
            for space, limit, what in ((p - w, layer.min_space, "lines"), (p - via.size, via.space, "plugs")):
                require(
                    space >= limit - _SLACK,
                    f"space between {what} on {layer.name} is {space * 1e9:.4g} nm, the stack asks for "
                    f"{limit * 1e9:.4g} nm",
                    where=f"cell.{axis}_pitch",
                )
            out.append((p, w))
        return LineLengths(out[0][0], out[1][0], out[0][1], out[1][1])

    def geometry(self, stack: Stack, plane: Plane, program: Sequence[int]) -> CellGeometry:
        """One row of `len(program)` columns. Nets: S, BL0, BL1, ..., GND (neighbouring planes)."""
        bits = check_program(program, self.kind)
        row_pitch, column_pitch, row_width, column_width = self.lengths(stack, plane)
        row, column = stack.metal(plane.row), stack.metal(plane.column)
        via = stack.via_between(plane.row, plane.column)
        width, y, half = len(bits) * column_pitch, row_pitch / 2, via.size / 2
        boxes = [Box("S", row.name, "line", (0.0, y - row_width / 2, row.bottom), (width, y + row_width / 2, row.top))]
        for k, bit in enumerate(bits):
            x = (k + 0.5) * column_pitch
            boxes.append(
                Box(
                    f"BL{k}",
                    column.name,
                    "line",
                    (x - column_width / 2, 0.0, column.bottom),
                    (x + column_width / 2, row_pitch, column.top),
                )
            )
            if bit:
                boxes.append(
                    Box(
                        f"PLUG{k}",
                        via.name,
                        "resistor",
                        (x - half, y - half, row.top),
                        (x + half, y + half, column.bottom),
                    )
                )
        floor, ceiling = stack.plane_floor(plane.row), stack.plane_ceiling(plane.column)
        return CellGeometry(
            name=f"{self.kind} {plane.label} {''.join(map(str, bits))}",
            boxes=tuple(boxes),
            period=(width, row_pitch),
            floor=floor,
            ceiling=ceiling,
            slabs=stack.slabs(floor, ceiling),
            rows=1,
            columns=len(bits),
        )

    def model(self, stack: Stack, plane: Plane, extract: Extract) -> CellModel:
        """One extraction of two columns: the plug is a resistor, so the capacitances do not depend on the bits."""
        geometry = self.geometry(stack, plane, (1, 1))
        e = extract(geometry, stack)
        row_pitch, column_pitch, _, _ = self.lengths(stack, plane)
        tcr_row, tcr_bl = stack.metal(plane.row).tcr, stack.metal(plane.column).tcr
        wires = (
            Element("C_bl_s", "bl_in", "row_out", e.coupling("BL0", "S"), "bit line to row line"),
            Element("C_bl_gnd", "bl_in", "0", e.coupling("BL0", GROUND), "bit line to neighbouring planes"),
            Element("C_bl_bl", "bl_in", "bl_next", e.coupling("BL0", "BL1") / 2, "bit line to the next bit line"),
            Element("C_s_gnd", "row_out", "0", e.coupling("S", GROUND) / 2, "row line to neighbouring planes"),
            Element("R_row", "row_in", "row_out", e.resistance["S"] / 2, "one segment of the row line", tcr=tcr_row),
            Element("R_bl", "bl_in", "bl_out", e.resistance["BL0"], "one segment of the bit line", tcr=tcr_bl),
        )
        plug = Element(
            "R_plug", "row_out", "bl_in", self.resistance, "resistor plug", varies=True, tcr=self.resistance_tcr
        )
        return build_res_via_model(
            wires,
            plug,
            plane=plane,
            pitch=(row_pitch, column_pitch),
            reference_temperature=stack.reference_temperature,
            relative_error=e.relative_error,
            method=e.method,
            geometry_keys=(geometry.key(),),
        ).rounded()

    @staticmethod
    def closed_form(model: CellModel, read: ColumnRead) -> float:
        """`ideal_current` of the column."""
        return ideal_current(read.drive, model.value("R_plug"), read.count)


def build_res_via_model(
    wires: tuple[Element, ...],
    plug: Element,
    *,
    plane: Plane,
    pitch: tuple[float, float],
    reference_temperature: float,
    relative_error: float,
    method: str,
    geometry_keys: tuple[str, ...] = (),
) -> CellModel:
    """A `res_via` model from its wire elements and its plug; pitch (row, column) in m."""
    return CellModel(
        kind=ResVia.kind,
        mode="current",
        plane=plane,
        pins=PINS,
        variants=(Variant("res_via_open", wires), Variant("res_via_plug", (plug, *wires))),
        pitch=pitch,
        area=pitch[0] * pitch[1],
        reference_temperature=reference_temperature,
        relative_error=relative_error,
        fit_residual=0.0,
        method=method,
        geometry_keys=geometry_keys,
        notes=("the plug's own capacitance is left out",),
    )


def ideal_current(voltage: float, resistance: float, count: int) -> float:
    """Closed-form bit-line current (A) without wire, driver and sense resistance: I = count V / R."""
    return count * voltage / resistance

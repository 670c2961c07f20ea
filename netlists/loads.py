"""What stands for the parts of the array that are not modelled cell by cell: row lines, edges, further rows."""

from __future__ import annotations

from dataclasses import dataclass

from interconnect.errors import InputError
from netlists.case import ColumnCase
from netlists.cells.base import CellModel


@dataclass(frozen=True, slots=True)
class Part:
    """A capacitor (name `C...`, F) or resistor (`R...`, ohm) between two nodes."""

    name: str
    a: str
    b: str
    value: float


@dataclass(frozen=True, slots=True)
class Section:
    """The load of `cells` columns on every row line: a pi of the signal (and ground) line as one subcircuit.

    calls: (instance name, nodes in pin order), one per row.
    """

    name: str
    cells: int
    pins: tuple[str, ...]
    parts: tuple[Part, ...]
    calls: tuple[tuple[str, tuple[str, ...]], ...]


def row_sections(model: CellModel, case: ColumnCase) -> list[Section]:
    """Pi sections for the columns before and after the modelled ones.

    Bit lines of those columns count as quiet. Half of a section's capacitance (and of the conductance of present
    resistors into virtual grounds) stands at each of its ends.
    """
    has_ground = "gnd_in" in model.pins
    last, sections = case.columns, []
    for name, cells, near, far in (
        ("columns_before", case.position, "d", "0"),
        ("columns_after", case.beyond, str(last), "f"),
    ):
        if cells == 0:
            continue
        calls = []
        for r in range(case.rows):
            nodes = [f"s{r}_{near}", f"s{r}_{far}"]
            if has_ground:
                # The driver end of every ground line is grounded.
                nodes += ["0" if near == "d" else f"g{r}_{near}", f"g{r}_{far}"]
            calls.append((f"X_{name}_r{r}", tuple(nodes)))
        pins = ("s_in", "s_out", "g_in", "g_out") if has_ground else ("s_in", "s_out")
        sections.append(Section(name, cells, pins, _pi(model, cells, case.ones_fraction), tuple(calls)))
    return sections


def _pi(model: CellModel, cells: int, ones: float) -> tuple[Part, ...]:
    has_ground = "gnd_in" in model.pins
    half = cells / 2
    between = _mean(model, "row_out", "gnd_out", ones) if has_ground else 0.0
    parts = [Part("R_s", "s_in", "s_out", cells * model.value("R_row"))]
    if has_ground:
        parts.append(Part("R_g", "g_in", "g_out", cells * model.value("R_gnd")))
    plug = _conductance(model, ones)
    for end in ("in", "out"):
        parts.append(Part(f"C_s_{end}", f"s_{end}", "0", half * (_mean(model, "row_out", None, ones) - between)))
        if has_ground:
            parts.append(Part(f"C_sg_{end}", f"s_{end}", f"g_{end}", half * between))
            parts.append(Part(f"C_g_{end}", f"g_{end}", "0", half * (_mean(model, "gnd_out", None, ones) - between)))
        if plug > 0:
            parts.append(Part(f"R_cells_{end}", f"s_{end}", "0", 1.0 / (half * plug)))
    return tuple(parts)


def edge_parts(model: CellModel, case: ColumnCase) -> list[Part]:
    """The first bit line's coupling to the (quiet) column before it, which is not modelled."""
    load = _mean(model, "bl_next", None, case.ones_fraction)
    return [Part(f"C_edge_r{r}", f"b{r}_0", "0", load) for r in range(case.rows)] if load > 0 else []


def extra_row_parts(model: CellModel, case: ColumnCase, extra_rows: int) -> list[Part]:
    """Load of further rows with input 0 on the same bit lines, lumped at the end far from the sense node.

    Exact for the settled level of a cell whose bit-line load does not depend on its bit; otherwise the mean bit.
    """
    if extra_rows < 0:
        raise InputError(f"extra_rows is {extra_rows}, it must be zero or more")
    if extra_rows == 0:
        return []
    ones = case.ones_fraction
    neighbour = _mean(model, "bl_in", "bl_next", ones)
    own = _mean(model, "bl_in", None, ones) - neighbour
    left = _mean(model, "bl_next", None, ones)
    plug = _conductance(model, ones)
    parts: list[Part] = []
    for c in range(case.columns):
        first, last = c == 0, c + 1 == case.columns
        quiet = own + (left if first else left - neighbour) + (neighbour if last else 0.0)
        parts.append(Part(f"C_extra_{c}", f"b0_{c}", "0", extra_rows * quiet))
        if not last:
            parts.append(Part(f"C_extra_next_{c}", f"b0_{c}", f"b0_{c + 1}", extra_rows * neighbour))
        if plug > 0:
            parts.append(Part(f"R_extra_{c}", f"b0_{c}", "0", 1.0 / (extra_rows * plug)))
    return [p for p in parts if p.value > 0]


def _mean(model: CellModel, pin: str, other: str | None, ones: float) -> float:
    """Capacitance of a pin averaged over the via bit with `ones` share of 1, F."""
    on, off = (model.capacitance(pin, bit, other) for bit in (1, 0))
    return ones * on + (1.0 - ones) * off


def _conductance(model: CellModel, ones: float) -> float:
    """Mean conductance between row and bit line of a cell, S; 0 for a capacitive cell."""
    total = 0.0
    for bit, share in ((1, ones), (0, 1.0 - ones)):
        for e in model.variants[bit].elements:
            if not e.is_capacitor and {e.a, e.b} == {"row_out", "bl_in"}:
                total += share / e.value
    return total

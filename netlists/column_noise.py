"""Thermal noise of a column as a small-signal deck: what its resistors leave on the bit line or push into the sense."""

from dataclasses import replace
from typing import Literal

from interconnect.errors import InputError
from netlists.case import ColumnStimulus
from netlists.cells.base import CellModel
from netlists.column import ColumnDeck
from netlists.column_cards import DriverStyle, column_cards
from netlists.column_elements import bit_line_ends, check_case
from netlists.condition import Condition
from netlists.parameters import require, require_positive
from netlists.periphery import Periphery
from netlists.render import render
from netlists.skeleton import Same
from netlists.subckt import wired_subckts
from netlists.technology import Technology
from netlists.transistors import deck_values, transistor_values

DENSITY = "onoise_spectrum"
"""Saved vector: density of the target's noise, V/sqrt(Hz) (charge) or A/sqrt(Hz) (current)."""

TOTAL = "onoise_total"
"""Saved vector: the engine's own integral over the frequencies, rms, V or A."""

SHORT = 1e-6
"""Factor on the wires of a charge column: their noise lies at frequencies where no sampler follows, and their part of
an integral without end would depend on where it is cut."""


def noise_deck(
    technology: Technology,
    model: CellModel,
    periphery: Periphery,
    condition: Condition,
    case: ColumnStimulus,
    *,
    first: float,
    last: float,
    points: int = 40,
    switch: Literal["ideal", "transistor"] = "ideal",
) -> ColumnDeck:
    """Noise from `first` to `last` Hz with `points` per decade, all inputs at 0 V.

    Charge cell: voltage noise of the target bit line (of the difference of its two lines, if there are two) while the
    reset is on, through the on-resistance of the reset switch (`ideal`) or a conducting NMOS (`transistor`); the wires
    count as short. Current cell: noise current into the target's virtual ground. Row drivers are resistors.

    Raises:
        InputError: an impossible case, frequencies out of order, or a transistor switch for a current cell.
    """
    check_case(model, case)
    require_positive(first, where="noise.first", unit="Hz")
    require(last > first, f"is {last!r} Hz, below the first frequency", where="noise.last")
    charge = model.mode == "charge"
    if switch == "transistor" and not charge:
        raise InputError(f"cell {model.kind}: a noise deck takes a reset switch only of charge cells")
    if charge:
        case = replace(case, deviations=replace(case.deviations, row_wire=SHORT, bl_wire=SHORT))
    d = case.deviations
    cards = column_cards(Same(model), condition.temperature, case.rows, case.columns, joined=False)
    warm = cards.warm
    ends = bit_line_ends(warm, case)
    lines = len(model.bit_lines)
    end, *other = ends[case.target * lines : (case.target + 1) * lines]
    target = end.node if charge else f"sense_{end.name}"
    title = (
        f"{model.kind} column, noise: {case.rows} rows, count {case.count} of {case.active} active, {condition.label}, "
        f"{switch} reset"
    )
    outputs = (DENSITY, TOTAL)
    values = {
        **deck_values(technology, condition, periphery.length, title),
        **transistor_values(technology, periphery),
        "charge": charge,
        "transistor": switch == "transistor",
        "target": target,
        "output": f"v({target})" if charge and not other else "v(out)",
        "minus": other[0].node if other else None,
        "first": first,
        "last": last,
        "points": points,
        "drivers": cards.drivers(case, DriverStyle.of(model.mode, replace(periphery, kind="ideal"))),
        "next_plane": warm.has_next_plane,
        "ends": ends,
        "cells": wired_subckts(warm, d.row_wire, d.bl_wire),
        "node_names": cards.node_names,
        **cards.array_values(case),
    }
    return ColumnDeck(
        text=render("testbenches/column_noise.cir.j2", values),
        title=title,
        outputs=outputs,
        target=DENSITY,
        columns=(DENSITY,),
        unit="V" if charge else "A",
        condition=condition,
    )

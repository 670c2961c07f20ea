"""Every plane of a resistive column in one deck: one driver for the rows of all planes, selects, one sense node.

The deck that characterizes a current cell holds one plane behind its select, a driver for it alone, and the bit lines
of the other planes as a source. This one holds the cells of all planes: what the shared drivers have to carry, what
passes through selects that are off, and where bit lines that are not selected really lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from interconnect.errors import InputError
from netlists.column import RELTOL, ColumnDeck
from netlists.column_cards import DriverStyle, column_cards, element_card
from netlists.column_elements import bit_line_ends, check_case, driven_node
from netlists.condition import Condition
from netlists.periphery import Periphery, Timing
from netlists.readout.stacked_segment import StackedPlane
from netlists.render import DeckText, render
from netlists.skeleton import Same
from netlists.subckt import wired_subckts
from netlists.technology import Technology
from netlists.transistors import transistor_values


def stacked_current_deck(
    technology: Technology,
    periphery: Periphery,
    timing: Timing,
    condition: Condition,
    planes: Sequence[StackedPlane],
    read: int,
    *,
    reltol: float = RELTOL,
) -> ColumnDeck:
    """One read of the target column on plane `read` of a stack of current cells.

    Parameters
    ----------
    technology, periphery, timing, condition : Technology, Periphery, Timing, Condition
        Devices, row drivers and plane select, instants and operating point.
    planes : sequence of StackedPlane
        Lowest first, all with the same inputs. Columns of different planes at the same place of the array share a sense
        node; so the planes that are not read may be modelled over more columns than the one that is, or all of them.
    read : int
        Index of the plane that is read.
    reltol : float
        Relative tolerance of the engine.

    Returns
    -------
    ColumnDeck
        Read like a deck of `column_deck` of a current cell; saves the levels of the target's bit lines on all planes.

    Raises
    ------
    InputError
        For planes that do not fit together or the select, or cells that are not read as a current.
    """
    select = periphery.plane_select
    if select is None or len(planes) != select.planes or not 0 <= read < len(planes):
        shared = "none" if select is None else str(select.planes)
        raise InputError(f"{len(planes)} planes on a sense node of {shared}, plane {read} is read")
    first = planes[read].case
    for plane in planes:
        check_case(plane.model, plane.case)
        if plane.model.mode != "current" or plane.case.pair or (plane.case.inputs != first.inputs).any():
            raise InputError("planes of a stacked current deck are current cells with the same inputs")
    bodies: list[dict[str, Any]] = []
    ends: list[dict[str, Any]] = []
    for p, plane in enumerate(planes):
        cards = column_cards(Same(plane.model), condition.temperature, plane.case.rows, plane.case.columns, joined=True)
        row_line = cards.warm.lines[0]
        bit_lines = bit_line_ends(cards.warm, plane.case)
        bodies.append(
            {
                "cells": wired_subckts(cards.warm, 1.0, 1.0),
                "node_names": cards.node_names,
                "rows": [driven_node(row_line, r, plane.case) for r in range(plane.case.rows)],
                "ends": [end.node for end in bit_lines],
                **cards.array_values(plane.case),
            }
        )
        for place in range(plane.case.position, plane.case.position + plane.case.columns):
            ends.append({"plane": p, "node": f"bl_{p}_{place}", "place": place, "read": p == read})
        bodies[-1]["nodes"] = [e["node"] for e in ends if e["plane"] == p]
    style, target = DriverStyle.of("current", periphery), first.position + first.target
    drivers = [
        element_card(
            f"X_drive_{r}",
            (*(("active", "active_b") if on else ("0", "vdd")), f"row_{r}", style.supply, "vdd", style.ground),
            style.subckt,
        )
        for r, on in enumerate(first.inputs.tolist())
    ]
    sensed = f"i(v_sense_{target})"
    watched = tuple(f"v({e['node']})" for e in ends if e["place"] == target)
    title = f"{len(planes)} planes on one sense node, plane {read}: count {first.count} of {first.active} active"
    outputs = (sensed, "i(v_rows)", *watched)
    values = {
        **transistor_values(technology, periphery),
        "title": title,
        "technology": technology.name,
        "warnings": technology.warnings,
        "cards": technology.devices.cards(condition.corner),
        "condition": condition,
        "timing": timing,
        "planes": bodies,
        "ends": ends,
        "places": sorted({e["place"] for e in ends}),
        "drivers": DeckText("\n".join(drivers)),
        "reltol": reltol,
        "outputs": outputs,
    }
    return ColumnDeck(
        text=render("testbenches/current_stack.cir.j2", values),
        title=title,
        outputs=outputs,
        stop=timing.read_at,
        read_at=timing.read_at,
        input_at=timing.input_start,
        target=sensed,
        columns=(sensed,),
        unit="A",
        row_supply="i(v_rows)",
        row_voltage=periphery.read_voltage,
        condition=condition,
    )

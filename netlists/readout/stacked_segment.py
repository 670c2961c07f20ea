"""Every plane of a segment in one deck: real bit lines behind every follower of a line, read one at a time.

The decks that characterize a readout chain hold the bit lines of one plane, and the level of parked ones as a source.
This one holds the cells of all planes with their drivers, a reset and a follower on every bit line of the line that is
read, and parks those that are not read through their own reset transistors. It shows what the others leave out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from interconnect.errors import InputError
from netlists.case import ColumnStimulus
from netlists.cells.base import CellModel
from netlists.column import ColumnDeck
from netlists.column_cards import DriverStyle, column_cards, complement_of
from netlists.column_elements import bit_line_ends, check_case
from netlists.condition import Condition
from netlists.periphery import Periphery
from netlists.readout.chain import EDGE, ReadoutChain
from netlists.render import render
from netlists.skeleton import Same
from netlists.subckt import wired_subckts
from netlists.technology import Technology
from netlists.transistors import transistor_values


@dataclass(frozen=True, slots=True)
class StackedPlane:
    """Cells of one plane: model as extracted, stored symbols of the modelled columns, their middle one the target."""

    model: CellModel
    case: ColumnStimulus


def stacked_deck(
    technology: Technology,
    periphery: Periphery,
    condition: Condition,
    chain: ReadoutChain,
    planes: Sequence[StackedPlane],
    read: int,
    *,
    fresh: int | None = None,
    reltol: float = 1e-4,
) -> ColumnDeck:
    """One read of the target column on plane `read` of a stack, the rows of all planes driven alike.

    Parameters
    ----------
    technology, periphery, condition : Technology, Periphery, Condition
        Devices, row drivers and operating point.
    chain : ReadoutChain
        The readout, of as many planes as there are.
    planes : sequence of StackedPlane
        Lowest first; all with the same inputs and number of columns.
    read : int
        Index of the plane that is read.
    fresh : int, optional
        Plane whose bit lines were read before: they begin at the reset level and are parked as this read begins.
    reltol : float
        Relative tolerance of the engine.

    Returns
    -------
    ColumnDeck
        Read like a deck of `column_deck` with a chain; saves the levels of all bit lines on the line that is read.

    Raises
    ------
    InputError
        For planes that do not fit together or the chain, or a converter of differences.
    """
    first = planes[0].case
    for plane in planes:
        check_case(plane.model, plane.case)
        if plane.case.columns != first.columns or (plane.case.inputs != first.inputs).any() or plane.case.pair:
            raise InputError("planes of a stacked deck have the same inputs and columns, read one by one")
    if len(planes) != chain.line.planes or not 0 <= read < len(planes):
        raise InputError(f"{len(planes)} planes on a line of {chain.line.planes}, plane {read} is read")
    style = DriverStyle.of("charge", periphery)
    bodies, lines = [], []
    for p, plane in enumerate(planes):
        model = complement_of(Same(plane.model)) if chain.drive == "complement" else plane.model
        cards = column_cards(Same(model), condition.temperature, plane.case.rows, plane.case.columns, joined=True)
        ends = bit_line_ends(cards.warm, plane.case)
        bodies.append(
            {
                "cells": wired_subckts(cards.warm, 1.0, 1.0),
                "drivers": cards.drivers(plane.case, style),
                "node_names": cards.node_names,
                "ends": [end.node for end in ends],
                "next_plane": cards.warm.has_next_plane,
                **cards.array_values(plane.case),
            }
        )
        for c, end in enumerate(ends):
            beside = c - plane.case.target
            lines.append(
                {
                    "name": f"{p}_{c}",
                    "plane": p,
                    "pin": end.node,
                    "together": 0 <= beside < chain.line.columns,
                    "read": p == read and beside == 0,
                    "pulsed": p == read and not chain.parks(beside),
                    "fresh": p == fresh and p != read,
                }
            )
    t = chain.timing
    node = f"bl_{read}_{first.target}"
    watched = tuple(f"v(bl_{x['name']})" for x in lines if x["together"])
    title = f"{len(planes)} planes stacked, plane {read}: count {planes[read].case.count} of {first.active} active"
    outputs = ("v(bus)", "v(line)", "v(s_line)", "i(v_rows)", *watched)
    values = {
        **transistor_values(technology, periphery),
        "title": title,
        "technology": technology.name,
        "warnings": technology.warnings,
        "cards": technology.devices.cards(condition.corner),
        "condition": condition,
        "planes": bodies,
        "lines": lines,
        "elsewhere": chain.line.bit_lines - len(watched),
        "h": chain,
        "timing": t.timing,
        "rows_return": t.rows_return,
        "decided": node,
        "edge": EDGE,
        "chain": True,
        "complement": chain.drive == "complement",
        "reltol": reltol,
        "outputs": outputs,
        "stop": t.stop,
    }
    return ColumnDeck(
        text=render("testbenches/readout_stack.cir.j2", values),
        title=title,
        outputs=outputs,
        stop=t.stop,
        read_at=t.timing.read_at,
        input_at=t.rows_toggle,
        target="v(bus)",
        columns=("v(bus)",),
        unit="V",
        row_supply="i(v_rows)",
        row_voltage=condition.vdd,
        condition=condition,
        cycle_end=t.stop,
    )

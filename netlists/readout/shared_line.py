"""A shared line with every segment on it: one read of a bit line that takes a given step, its off devices in one
transistor of many fingers or one by one along the wire."""

from __future__ import annotations

from dataclasses import dataclass, replace

from netlists.condition import Condition
from netlists.parameters import require, require_positive
from netlists.readout.chain import EDGE, ReadoutChain
from netlists.readout.deck import ReadoutDeck, build_deck
from netlists.technology import Technology

_JOINT = 1e-3
"""Resistance, ohm, that the compact line keeps where the flat wire is written out."""


@dataclass(frozen=True, slots=True)
class FlatWire:
    """Wire of a line written out: its sections, the segments along it, their bit lines; F and ohm of all sections."""

    sections: int
    segments: int
    bit_lines: int
    capacitance: float
    resistance: float


def line_deck(
    technology: Technology,
    condition: Condition,
    chain: ReadoutChain,
    *,
    capacitance: float,
    swing: float,
    flat: bool = False,
) -> ReadoutDeck:
    """One read through the chain of a bit line whose cells take a step; the selected segment is at the far end.

    Parameters
    ----------
    technology, condition : Technology, Condition
        Device set and operating point.
    chain : ReadoutChain
        The readout; its timing is the deck's.
    capacitance : float
        Metal of the bit line, F; transistors on it are in the deck.
    swing : float
        Step of the cells, V: that of an unloaded bit line.
    flat : bool
        Every off segment is written out at its place on the wire, a section of wire between every two; otherwise the
        off segments are one transistor each of select and followers, the wire one section.

    Returns
    -------
    ReadoutDeck
        Saves line, sampled node and comparator input; its read has the instants of the first sample, of the rows'
        toggling, of the joining of the bus and of the decision.

    Raises
    ------
    InputError
        The step exceeds the supply, or a flat line has one segment.
    """
    require_positive(capacitance, where="line_deck.capacitance", unit="F")
    require(abs(swing) <= condition.vdd, f"is {swing!r} V", where="line_deck.swing", hint="within the supply")
    line = chain.line
    require(not flat or line.segments > 1, "is 1", where="line_deck: segments", hint="at least 2 on a flat line")
    wire, body = None, chain
    if flat:
        wire = FlatWire(line.segments, line.segments, line.bit_lines, line.capacitance, line.resistance)
        body = replace(chain, line=replace(line, segments=1, capacitance=0.0, resistance=_JOINT))
    t = chain.timing
    return build_deck(
        "readout_line.cir.j2",
        {
            "h": body,
            "wire": wire,
            "capacitance": capacitance,
            "swing": swing,
            "edge": EDGE,
            "periodic": False,
            "conversion": None,
            "minus": None,
            "currents": (),
        },
        technology=technology,
        condition=condition,
        length=chain.length,
        level="transistor",
        title=f"shared line, {line.segments} segments {'flat' if flat else 'compact'}, step {swing * 1e3:.4g} mV, "
        f"{condition.label}",
        outputs=("v(line)", "v(sampled)", "v(bus)", "v(bl)"),
        stop=t.decides,
        max_step=0.1e-9,
        chgtol=1e-17,
        windows=[(0.0, t.decides)],
        reads=[(t.clamp_opens, t.rows_toggle, t.bus_joins, t.decides)],
        sources={
            "v_analog": "vdd_analog",
            "v_reset": "reset",
            "v_reset_level": "reset_level",
            "v_clamp": "clamp",
            "v_common": "common",
            "v_join": "join",
            "v_bus_reset": "bus_reset",
        },
    )

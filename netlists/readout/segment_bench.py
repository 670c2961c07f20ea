"""A read through a segment whose transistors and wires are given one by one: as configured, or as extracted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netlists.condition import Condition
from netlists.parameters import require_positive
from netlists.readout.chain import EDGE, ReadoutChain
from netlists.readout.deck import ReadoutDeck, build_deck
from netlists.readout.segment_devices import SegmentDevice, SegmentNetlist
from netlists.technology import Technology


@dataclass(frozen=True, slots=True)
class SegmentCircuitry:
    """A segment's transistors and wires.

    pins: as of the netlist's subcircuit. diffusions: areas (m2) and perimeters (m) by SPICE's names of each transistor,
    None for unshared ones of the device set. wires: F to ground by net.
    """

    pins: tuple[str, ...]
    devices: tuple[SegmentDevice, ...]
    diffusions: tuple[Mapping[str, float] | None, ...]
    wires: tuple[tuple[str, float], ...] = ()


def segment_deck(
    technology: Technology,
    condition: Condition,
    chain: ReadoutChain,
    circuit: SegmentCircuitry,
    *,
    capacitance: float,
    swing: float,
    title: str,
) -> ReadoutDeck:
    """One read of a segment's first bit line, the others parked.

    Parameters
    ----------
    technology, condition : Technology, Condition
        Device set and operating point.
    chain : ReadoutChain
        What the segment is part of.
    circuit : SegmentCircuitry
        The segment.
    capacitance : float
        Metal of every bit line, F.
    swing : float
        Step of the cells, V: that of an unloaded bit line.
    title : str
        Which circuit this is.

    Returns
    -------
    ReadoutDeck
        Saves bus, sampled node, line and bit line; its read has the instants of the first sample, of the rows'
        toggling, of the joining of the bus and of the decision.
    """
    require_positive(capacitance, where="segment_deck.capacitance", unit="F")
    t = chain.timing
    devices = [
        {f: getattr(d, f) for f in ("name", "drain", "gate", "source", "bulk", "kind", "width", "length")}
        | {"diffusions": sizes}
        for d, sizes in zip(circuit.devices, circuit.diffusions, strict=True)
    ]
    return build_deck(
        "readout_segment.cir.j2",
        {
            "h": chain,
            "pins": circuit.pins,
            "devices": devices,
            "wires": circuit.wires,
            "capacitance": capacitance,
            "swing": swing,
            "edge": EDGE,
        },
        technology=technology,
        condition=condition,
        length=chain.length,
        level="transistor",
        title=f"{title}, step {swing * 1e3:.4g} mV, {condition.label}",
        outputs=("v(bus)", "v(sampled)", "v(line)", "v(bl_0)"),
        stop=t.decides,
        max_step=0.1e-9,
        chgtol=1e-17,
        windows=[(0.0, t.decides)],
        sources={"v_analog": "vdd_analog", "v_step": "step"},
        reads=[(t.clamp_opens, t.rows_toggle, t.bus_joins, t.decides)],
    )


def circuitry(chain: ReadoutChain, netlist: SegmentNetlist) -> SegmentCircuitry:
    """A segment as the netlist has it: unshared diffusions, wires on its bit lines where they are configured."""
    farads = chain.segment.wire_capacitance
    wires = tuple((f"bl_{k}", farads) for k in range(chain.line.bit_lines) if farads > 0)
    return SegmentCircuitry(netlist.pins, netlist.devices, (None,) * len(netlist.devices), wires)

"""What planes of current cells share and what each adds, as it is drawn: sense circuit of a column, selects."""

from dataclasses import fields, replace
from typing import Any

from netlists.condition import Condition
from netlists.devices.area import DrawnTransistor
from netlists.plane_select import PlaneSelect
from netlists.readout.current_sense import CurrentSense, current_sense_deck
from netlists.readout.deck import transistors
from netlists.readout.drawn import drawn_area
from netlists.technology import Technology


def drawn_selects(select: PlaneSelect, length: float) -> list[DrawnTransistor]:
    """Selects of one segment, of all planes, and what holds bit lines that are not selected; length: channel, m."""
    out = []
    for k in range(select.planes):
        out.append(DrawnTransistor("nmos", select.width, length, f"bl_{k}", "line"))
        if select.is_transmission:
            out.append(DrawnTransistor("pmos", select.pmos_width, length, f"bl_{k}", "line"))
        if select.clamp_width > 0:
            out.append(DrawnTransistor("nmos", select.clamp_width, length, f"bl_{k}", "level"))
    return out


def scaled_sense(technology: Technology, length: float) -> CurrentSense:
    """The sense circuit in the sizes of a device set, as `default_periphery` scales the others; length: channel, m."""
    usual, devices = CurrentSense(), technology.devices
    scale = {"_width": devices.width_scale, "_length": length / usual.length}
    sizes: dict[str, Any] = {
        f.name: float(f"{getattr(usual, f.name) * factor:.12g}")
        for f in fields(CurrentSense)
        for ending, factor in scale.items()
        if f.name.endswith(ending)
    }
    return replace(usual, **sizes, length=length)


def sense_area(technology: Technology, length: float) -> float | None:
    """Area of the transistors of one sense circuit, m2, without its capacitor; None where the device set has no area
    rules. length: channel, m."""
    devices = technology.devices
    nominal = Condition(devices.corners[0], devices.vdd, 27.0)
    deck = current_sense_deck(technology, nominal, [0], sense=scaled_sense(technology, length)).text
    kinds = {devices.nmos: "nmos", devices.pmos: "pmos"}
    found = transistors(deck, "current_sense")
    drawn = [DrawnTransistor(kinds[t.model], t.width, t.length, t.drain, t.source, t.multiplier) for t in found]
    return drawn_area(devices.area, drawn)

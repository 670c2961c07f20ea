"""Charges of switches measured: one small deck in which every switch is ramped, off, on, and while its gate turns on.

For transistors whose model cannot be read parameter by parameter: bins that interpolate, subcircuits that may alter
what they are given. Source and drain are tied together, so no current flows along the channel. A ramp up and the same
ramp down see the same leakage and opposite displacement currents: half their difference is the charge alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from netlists.baselines.computing import BaselineComputing
from netlists.baselines.measure import SignalVector
from netlists.baselines.switches import SwitchCharges, TransistorType
from netlists.condition import Condition
from netlists.deck import Deck
from netlists.render import render
from netlists.technology import Technology
from netlists.transistors import deck_values

_BEYOND = 0.1
"""Of the supply: how far the ramps go past both rails, as the line of no product settles a little off ground."""
_POINTS = 401


@dataclass(frozen=True, slots=True)
class BenchSwitch:
    """A switch of the bench: its name in nodes and sources, type, width (m), volts of its bulk and of its gate when
    off and on."""

    name: str
    type: TransistorType
    width: float
    bulk: float
    off: float
    on: float


@dataclass(frozen=True, slots=True)
class SwitchDeck(Deck):
    """The deck of a bench, ready to run. ramps: begin of the ramp up and of the ramp down, s; ramp: length of each, s;
    low, high: ends of the terminals' ramp, V."""

    switches: tuple[BenchSwitch, ...]
    ramps: tuple[float, float]
    ramp: float
    low: float
    high: float
    stop: float


@dataclass(frozen=True, slots=True)
class MeasuredSwitch:
    """Charges of one switch at a terminal, C, over the terminal's voltage (V, rising), shape (points,) each."""

    volts: FloatArray
    off_charge: FloatArray
    on_charge: FloatArray

    def off(self, volts: FloatArray) -> FloatArray:
        """Charge on the terminal while the switch is off, C; zero at the voltage of the bulk's rail."""
        return self._at(volts, self.off_charge)

    def conducting(self, volts: FloatArray) -> FloatArray:
        """Charge on the terminal while the switch is on, with half of the channel, C, from the same zero."""
        return self._at(volts, self.on_charge)

    def _at(self, volts: FloatArray, charge: FloatArray) -> FloatArray:
        """Between the points by straight lines, beyond them along the outermost one."""
        inside = np.clip(volts, self.volts[0], self.volts[-1])
        slope = np.where(
            volts < self.volts[0],
            (charge[1] - charge[0]) / (self.volts[1] - self.volts[0]),
            (charge[-1] - charge[-2]) / (self.volts[-1] - self.volts[-2]),
        )
        return np.asarray(np.interp(inside, self.volts, charge) + slope * (volts - inside))


@dataclass(frozen=True, slots=True)
class MeasuredCharges:
    """What a bench said: the switches of one computing cell at one condition. Pass it to `closed_form`."""

    switches: Mapping[tuple[TransistorType, float], MeasuredSwitch]

    def __call__(self, type: TransistorType, width: float) -> SwitchCharges:
        """The switch of a type and width (m). InputError for one that was not on the bench."""
        if (type, width) not in self.switches:
            raise InputError(f"no {type} switch of {width:.4g} m was measured", where="local switch charges")
        return self.switches[type, width]


def switch_charge_deck(technology: Technology, lcc: BaselineComputing, condition: Condition) -> SwitchDeck:
    """The bench of a computing cell's switches: transmission gate and reset. InputError for a corner or size that the
    devices do not have."""
    vdd = condition.vdd
    widths: tuple[tuple[TransistorType, float], ...] = (
        ("n", lcc.switch_width),
        ("p", lcc.switch_width),
        ("n", lcc.reset_width),
    )
    switches = tuple(
        BenchSwitch(f"{kind}{i}", kind, width, *((0.0, 0.0, vdd) if kind == "n" else (vdd, vdd, 0.0)))
        for i, (kind, width) in enumerate(dict.fromkeys(widths))
    )
    ramp = 2e-9 * lcc.length / 50e-9
    first, pause = 0.2 * ramp, 0.2 * ramp
    times = [0.0, first, first + ramp, first + ramp + pause, first + 2 * ramp + pause]
    low, high = -_BEYOND * vdd, (1 + _BEYOND) * vdd

    def triangle(rest: float, top: float) -> list[tuple[float, float]]:
        return list(zip(times, (rest, rest, top, top, rest), strict=True))

    title = f"charges of switches of {lcc.length * 1e9:g} nm length, {condition.label}"
    outputs = tuple(f"i(v_{what}_{s.name})" for s in switches for what in ("off", "on", "turn"))
    values = {
        **deck_values(technology, condition, lcc.length, title),
        "switches": switches,
        "terminal": triangle(low, high),
        "gates": {s.name: triangle(s.off, s.on) for s in switches},
        "step": ramp / 200,
        "stop": times[-1] + first,
        "outputs": outputs,
    }
    text = render("testbenches/switch_charges.cir.j2", values)
    return SwitchDeck(text, title, outputs, switches, (times[1], times[3]), ramp, low, high, times[-1] + first)


def measured_charges(deck: SwitchDeck, signals: Mapping[str, SignalVector]) -> MeasuredCharges:
    """Charges from the vectors of an ok result (`Result.signals`)."""
    time = np.asarray(signals["time"].values, dtype=np.float64)
    grid = np.linspace(0.0, deck.ramp, _POINTS)
    volts = np.linspace(deck.low, deck.high, _POINTS)
    up, down = deck.ramps

    def charge(name: str) -> FloatArray:
        """Brought to both terminals since the begin of the ramp up, C (a source's current is counted inwards)."""
        current = -np.asarray(signals[name].values, dtype=np.float64)
        rising, falling = np.interp(up + grid, time, current), np.interp(down + deck.ramp - grid, time, current)
        steps = (rising - falling) / 2
        return np.concatenate([[0.0], np.cumsum((steps[1:] + steps[:-1]) / 2 * np.diff(grid))])

    found: dict[tuple[TransistorType, float], MeasuredSwitch] = {}
    for s in deck.switches:
        off, on = charge(f"i(v_off_{s.name})"), charge(f"i(v_on_{s.name})")
        off -= np.interp(s.bulk, volts, off)
        on += charge(f"i(v_turn_{s.name})")[-1] - np.interp(s.bulk, volts, on)
        found[s.type, s.width] = MeasuredSwitch(volts, off / 2, on / 2)
    return MeasuredCharges(found)

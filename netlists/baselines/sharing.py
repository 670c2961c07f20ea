"""Level of the compute line in closed form: ideal charge sharing, and the charge balance with the switches in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from netlists.baselines.base import BaselineCell, check_symbol_levels
from netlists.baselines.case import BaselineStimulus
from netlists.baselines.computing import BaselineComputing
from netlists.baselines.switches import Charges, SwitchCharges, Terminal, TransistorType
from netlists.condition import Condition
from netlists.technology import Technology


@dataclass(frozen=True, slots=True)
class ClosedForm:
    """V. ideal: sum(x_i v_i) C / (M C + C_par), nothing but capacitors. level: with junctions, overlaps and channels
    of the switches. zero, full: the same for no product and for the highest one in every local array."""

    ideal: float
    level: float
    zero: float
    full: float

    @property
    def full_scale(self) -> float:
        """Span of the line from no product to all, V."""
        return self.full - self.zero


def shared_level(
    technology: Technology,
    cell: BaselineCell,
    lcc: BaselineComputing,
    condition: Condition,
    case: BaselineStimulus,
    charges: Charges | None = None,
) -> ClosedForm:
    """Nominal level of an operation from capacitances alone: everything has settled, nothing leaks.

    The unit capacitor keeps the charge it has while the sampling switch still conducts at v_i (with half of that
    switch's channel); the line starts with what the reset transistor leaves on it; after the share switches close, the
    sum of all charges at one voltage V is the same, with the full channels of the share switches at V. Solved for V by
    bisection. The ideal level drops all of that. Deviations are not in it.

    charges: what the switches hold, as `measured_charges` has it; None takes it from the model cards.

    Raises:
        InputError: levels or corner that do not exist, or no charges for devices whose models are in a kit's library.
    """
    if charges is None and technology.devices.from_library:
        raise InputError(
            "the charge of the switches is unknown, because the models are in the kit's files",
            where=technology.devices.name,
            hint="run the deck of switch_charge_deck and pass the result of measured_charges",
        )
    levels = np.asarray(check_symbol_levels(cell, condition.vdd))
    vdd, m = condition.vdd, case.locals
    line = lcc.line_capacitance(m)
    values = np.asarray(levels[case.read] * case.inputs, dtype=np.float64)
    ideal = float(values.sum() * lcc.capacitance / (m * lcc.capacitance + line))

    def card(kind: TransistorType, width: float) -> SwitchCharges:
        return Terminal(technology.devices, condition.corner, kind, width, lcc.length, vdd)

    of = card if charges is None else charges
    pair = (of("n", lcc.switch_width), of("p", lcc.switch_width))
    reset = of("n", lcc.reset_width)
    idle = 2 if cell.reading == "level" else 1  # sampling gates whose terminals hang on the unit capacitor

    def unit(v: FloatArray) -> FloatArray:
        """Charge on a unit capacitor while it is driven to v."""
        sampling = sum(t.conducting(v) + idle * t.off(v) for t in pair)
        return np.asarray(lcc.capacitance * v + sampling)

    ground = np.zeros(1)
    start = float((sum(m * t.off(ground) for t in pair) + reset.conducting(ground))[0])

    def after(volts: float) -> float:
        v = np.array([volts])
        shared = sum(idle * t.off(v) + 2 * t.conducting(v) for t in pair)
        return float((m * (lcc.capacitance * v + shared) + line * v + reset.off(v))[0])

    def solve(sampled: FloatArray) -> float:
        charge = float(unit(sampled).sum()) + start
        return float(brentq(lambda v: after(v) - charge, -0.4 * vdd, 1.4 * vdd, xtol=1e-9))

    return ClosedForm(ideal, solve(values), solve(np.zeros(m)), solve(np.full(m, levels.max())))

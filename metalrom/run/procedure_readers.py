"""Quantities that the procedures beside the readout table measure: settling, energy, leakage, crosstalk and others."""

from collections.abc import Iterable
from typing import Any

from characterization.procedures import (
    Crosstalk,
    EnergyResult,
    Leakage,
    Noise,
    ReadoutCurrent,
    Settling,
    SupplyBounce,
    WorstPatterns,
)
from interconnect.errors import InputError
from metalrom.run.view import RunView
from metalrom.specs.quantities import QuantityValue


def _rows(run: RunView, procedure: str, condition: str, rows: Iterable[Any]) -> list[Any]:
    """The rows of a result at a condition. Raises InputError with the reason where the procedure failed there."""
    found = [row for row in rows if row.condition == condition]
    if not found:
        raise InputError(f"the procedure {procedure} has no result at {condition}: {_why(run, procedure, condition)}")
    return found


def _why(run: RunView, procedure: str, condition: str) -> str:
    for f in run.results.failed_procedures:
        if f.procedure == procedure and f.condition in ("", condition):
            return f.reason
    return "it was not asked to"


def _settling(run: RunView, condition: str) -> QuantityValue:
    found = run.procedure_result("settling", Settling)
    (worst,) = _rows(run, "settling", condition, found.worst)
    slowest = max(s.times[0] for s in found.patterns if s.condition == condition)
    return QuantityValue(
        slowest, f"procedure settling, {found.bands[0]:g} LSB, slowest of its patterns ({worst.active} rows)"
    )


def _settling_tenth(run: RunView, condition: str) -> QuantityValue:
    found = run.procedure_result("settling", Settling)
    (worst,) = _rows(run, "settling", condition, found.worst)
    return QuantityValue(worst.times[-1], f"procedure settling, {found.bands[-1]:g} LSB, pattern {worst.pattern}")


def _read_energy(run: RunView, condition: str) -> QuantityValue:
    (row,) = _rows(run, "energy", condition, run.procedure_result("energy", EnergyResult).conditions)
    return QuantityValue(
        row.per_conversion, "procedure energy: one bit line's share of a full read, half of the rows counting"
    )


def _leakage(run: RunView, condition: str) -> QuantityValue:
    states = _rows(run, "leakage", condition, run.procedure_result("leakage", Leakage).states)
    idle = next(s for s in states if s.state == "idle")
    return QuantityValue(idle.power, "procedure leakage: drivers and reset of the simulated group, idle")


def _crosstalk(run: RunView, condition: str) -> QuantityValue:
    shifts = _rows(run, "crosstalk", condition, run.procedure_result("crosstalk", Crosstalk).shifts)
    worst = max(shifts, key=lambda s: abs(s.shift))
    return QuantityValue(
        abs(worst.shift), f"procedure crosstalk: {worst.pattern.replace('_', ' ')}, count {worst.count}"
    )


def _supply(run: RunView, condition: str) -> QuantityValue:
    found = run.procedure_result("supply", SupplyBounce)
    worst = max(_rows(run, "supply", condition, found.levels), key=lambda b: abs(b.change))
    return QuantityValue(
        abs(worst.change), f"procedure supply: {found.resistance:g} ohm (assumed), count {worst.count}"
    )


def _pattern(run: RunView, condition: str) -> QuantityValue:
    (found,) = _rows(run, "worst_pattern", condition, run.procedure_result("worst_pattern", WorstPatterns).everywhere)
    worst = max((found.high, found.low), key=lambda w: abs(w.deviation))
    place = f"count {worst.count} of {worst.active} active"
    return QuantityValue(abs(worst.deviation), f"procedure worst_pattern: {place}, exact linear network")


def _noise(run: RunView, condition: str) -> QuantityValue:
    points = _rows(run, "noise", condition, run.procedure_result("noise", Noise).points)
    ideal = [p for p in points if p.switch == "ideal"]
    worst = max(ideal, key=lambda p: abs(p.ratio - 1.0))
    return QuantityValue(abs(worst.ratio - 1.0), "procedure noise: ngspice over the closed form, ideal reset, less 1")


def _swing(run: RunView, condition: str) -> QuantityValue:
    (curve,) = _rows(run, "readout_current", condition, run.procedure_result("readout_current", ReadoutCurrent).curves)
    return QuantityValue(float(curve.level[-1] - curve.level[0]), "procedure readout_current, all rows active")


def _place_loss(run: RunView, condition: str) -> QuantityValue:
    loss, row, column = run.procedure_result("readout_current", ReadoutCurrent).map.worst
    return QuantityValue(loss, f"procedure readout_current: row {row}, column {column}, exact linear network")


READERS = {
    "settling": _settling,
    "settling_tenth": _settling_tenth,
    "read_energy": _read_energy,
    "leakage": _leakage,
    "crosstalk": _crosstalk,
    "supply_shift": _supply,
    "pattern_shift": _pattern,
    "noise_disagreement": _noise,
    "swing": _swing,
    "place_loss": _place_loss,
}

"""The registry of quantities that a specification may name: unit, meaning, procedure behind it, and how to read it.

A procedure that measures something new calls `register` with a reader of its own finding; nothing else changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from interconnect.errors import InputError
from interconnect.suggestion import suggest

if TYPE_CHECKING:
    from metalrom.macro.quantity import Span
    from metalrom.specs.view import RunView


@dataclass(frozen=True, slots=True)
class Reading:
    """A quantity of a finished run: value in the quantity's unit (may be infinite), where it comes from, its range."""

    value: float
    source: str
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, span: Span, source: str, scale: float = 1.0) -> Reading:
        """An estimate with its range, `scale` times the span."""
        return cls(span.mid * scale, source, span.low * scale, span.high * scale)


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something that a run can be asked for.

    units: SI unit of the value, or `""` (a probability), `dB`, `sigma`, `Mb/mm2`, `TOPS/W`; more than one where the
    cell decides (a level is V or A). procedure: the characterization procedure that a run needs for it.
    read: (run, label of a condition) -> reading; raises InputError where the run cannot tell. per_condition: whether
    the operating point matters; if not, `read` gets the nominal one and a specification must not name any.
    lower_is_better: None where neither end is better; orders what `diff` says, never the verdict.
    """

    name: str
    units: tuple[str, ...]
    meaning: str
    read: Callable[[RunView, str], Reading]
    procedure: str = "adc_margin"
    per_condition: bool = True
    lower_is_better: bool | None = None


QUANTITIES: dict[str, Quantity] = {}


def register(quantity: Quantity) -> Quantity:
    """Make a quantity known by its name."""
    QUANTITIES[quantity.name] = quantity
    return quantity


def get_quantity(name: str) -> Quantity:
    """Look a quantity up. Raises InputError with a suggestion for an unknown name."""
    if name not in QUANTITIES:
        raise InputError(f"unknown quantity {name[:60]!r}", hint=suggest(name, QUANTITIES))
    return QUANTITIES[name]


def _code_error(run: RunView, condition: str) -> Reading:
    return Reading(run.quality(condition).code_error_expected, "readout table, weighed by the layer's conversions")


def _code_error_worst(run: RunView, condition: str) -> Reading:
    import numpy as np

    return Reading(float(np.nanmax(run.table.code_error(condition))), "readout table, its worst level")


def _csnr(run: RunView, condition: str) -> Reading:
    return Reading(run.quality(condition).raw, "the layer through the macro, as it comes")


def _csnr_fitted(run: RunView, condition: str) -> Reading:
    return Reading(run.quality(condition).fitted, "the layer through the macro, gain and offset removed")


def _margin(run: RunView, condition: str) -> Reading:
    from metalrom.reports.metrics import worst

    found = worst(run.table, condition)
    if found is None:
        raise InputError(f"the readout table tells no margin at {condition}")
    return Reading(found.margin, f"level to threshold at the weakest count ({found.count} of {found.active} active)")


def _lsb(run: RunView, condition: str) -> Reading:
    return Reading(run.table.lsb(condition), "readout table, spacing of counts with all rows active")


def _read_time(run: RunView, condition: str) -> Reading:
    return Reading(run.table.read_time, "timing of the simulated read")


_ESTIMATE = "macro estimate for the run's own layer"


def _energy_per_mac(run: RunView, condition: str) -> Reading:
    return Reading.of(run.estimate(condition).macro.energy_per_mac, _ESTIMATE)


def _energy_per_conversion(run: RunView, condition: str) -> Reading:
    return Reading.of(run.estimate(condition).macro.energy_per_conversion, _ESTIMATE)


def _latency(run: RunView, condition: str) -> Reading:
    return Reading.of(run.estimate(condition).latency, f"{_ESTIMATE}, one input vector")


def _tops_per_watt(run: RunView, condition: str) -> Reading:
    layer = run.estimate(condition)
    return Reading.of(layer.energy.under(2e-12 * layer.macs), f"{_ESTIMATE}, 1 MAC = 2 operations")


def _density(run: RunView, condition: str) -> Reading:
    return Reading.of(run.estimate(condition).macro.density_raw, "cells over their footprint, all planes")


def _density_macro(run: RunView, condition: str) -> Reading:
    return Reading.of(run.estimate(condition).macro.density_stacked, f"{_ESTIMATE}, periphery under the array")


def _weight_density(run: RunView, condition: str) -> Reading:
    return Reading.of(run.estimate(condition).macro.weight_density_stacked, f"{_ESTIMATE}, bits of weights, not vias")


for _quantity in (
    Quantity("code_error", ("",), "share of the layer's conversions that return a wrong code", _code_error,
             lower_is_better=True),
    Quantity("code_error_worst", ("",), "probability of a wrong code at the worst level", _code_error_worst,
             lower_is_better=True),
    Quantity("csnr", ("dB",), "compute signal-to-noise ratio of the layer, no fit", _csnr, lower_is_better=False),
    Quantity("csnr_fitted", ("dB",), "the same with one gain and one offset removed", _csnr_fitted,
             lower_is_better=False),
    Quantity("margin", ("sigma",), "distance of the weakest level to the nearest threshold", _margin,
             lower_is_better=False),
    Quantity("lsb", ("V", "A"), "spacing of neighbouring counts, all rows active", _lsb, lower_is_better=False),
    Quantity("energy_per_mac", ("J",), "energy of one multiply-accumulate", _energy_per_mac, lower_is_better=True),
    Quantity("energy_per_conversion", ("J",), "energy of one conversion", _energy_per_conversion,
             lower_is_better=True),
    Quantity("latency", ("s",), "time of one input vector through the layer", _latency, lower_is_better=True),
    Quantity("tops_per_watt", ("TOPS/W",), "operations per second and watt", _tops_per_watt, lower_is_better=False),
    Quantity("read_time", ("s",), "duration of one read, without the converter", _read_time, per_condition=False,
             lower_is_better=True),
    Quantity("density", ("Mb/mm2",), "stored bits over the footprint of the cells alone", _density,
             per_condition=False, lower_is_better=False),
    Quantity("density_macro", ("Mb/mm2",), "stored bits over the macro's area, periphery under the array",
             _density_macro, per_condition=False, lower_is_better=False),
    Quantity("weight_density", ("Mb/mm2",), "weight bits over the macro's area, periphery under the array",
             _weight_density, per_condition=False, lower_is_better=False),
):  # fmt: skip
    register(_quantity)

from metalrom.specs import procedure_quantities as _procedures  # noqa: E402, F401 - it registers with the names above

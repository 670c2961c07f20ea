"""Where each specified quantity is read from a finished run."""

from characterization.sign_off import csnr_interval
from interconnect.errors import InputError
from metalrom.macro.quantity import Span
from metalrom.run.procedure_readers import READERS as PROCEDURE_READERS
from metalrom.run.view import RunView
from metalrom.specs.quantities import QUANTITIES, QuantityReader, QuantityValue
from netlists.devices.area import missing_rules


def _code_error(run: RunView, condition: str) -> QuantityValue:
    source = "readout table, weighed by the layer's conversions"
    return _with_interval(run.quality(condition).code_error_expected, source, run, condition, "code_error_interval")


def _code_error_worst(run: RunView, condition: str) -> QuantityValue:
    return QuantityValue(run.table.worst_code_error(condition).code_error, "readout table, its worst level")


def _csnr(run: RunView, condition: str) -> QuantityValue:
    quality, source = run.quality(condition), "the layer through the macro (raw)"
    known = run.results.sign_off_at(condition)
    interval = known and csnr_interval(known, quality.csnr_raw)
    return QuantityValue(quality.raw, source, *(interval or (None, None)))


def _csnr_fitted(run: RunView, condition: str) -> QuantityValue:
    return QuantityValue(run.quality(condition).fitted, "the layer through the macro, gain and offset removed")


def _margin(run: RunView, condition: str) -> QuantityValue:
    found = run.table.worst_margin(condition)
    source = f"level to threshold at the weakest count ({found.count} of {found.active} active)"
    return _with_interval(found.margin, source, run, condition, "margin_interval_sigma")


_LEVELS = "readout table, levels with all rows active"


def _lsb(run: RunView, condition: str) -> QuantityValue:
    return QuantityValue(run.table.lsb(condition), "readout table, spacing of counts with all rows active")


def _inl(run: RunView, condition: str) -> QuantityValue:
    return QuantityValue(run.sign_off(condition).inl, f"{_LEVELS}, against the line through both ends")


def _dnl(run: RunView, condition: str) -> QuantityValue:
    return QuantityValue(run.sign_off(condition).dnl, f"{_LEVELS}, against the mean step")


def _enob(run: RunView, condition: str) -> QuantityValue:
    return QuantityValue(run.sign_off(condition).enob, f"{_LEVELS} with every spread")


def _with_interval(value: float, source: str, run: RunView, condition: str, name: str) -> QuantityValue:
    """A value with the interval `name` of the run's sign-off at the condition, where it has one."""
    known = run.results.sign_off_at(condition)
    return QuantityValue(value, source, *(getattr(known, name, None) or (None, None)))


def _read_time(run: RunView, condition: str) -> QuantityValue:
    return QuantityValue(run.table.read_time, "timing of the simulated read")


_ESTIMATE = "macro estimate for the run's own layer"


def _energy_per_mac(run: RunView, condition: str) -> QuantityValue:
    return _reading(run.estimate(condition).merit.energy_per_mac, _ESTIMATE)


def _energy_per_conversion(run: RunView, condition: str) -> QuantityValue:
    return _reading(run.estimate(condition).macro.energy_per_conversion, _ESTIMATE)


def _latency(run: RunView, condition: str) -> QuantityValue:
    return _reading(run.estimate(condition).merit.latency, f"{_ESTIMATE}, one input vector")


def _tops_per_watt(run: RunView, condition: str) -> QuantityValue:
    merit = run.estimate(condition).merit
    return _reading(merit.tops_per_watt, f"{_ESTIMATE}; {merit.operations}")


def _tops_per_mm2(run: RunView, condition: str) -> QuantityValue:
    merit = run.estimate(condition).merit
    if merit.tops_per_mm2 is None:
        raise missing_rules()
    return _reading(merit.tops_per_mm2, f"{_ESTIMATE}, periphery under the array; {merit.operations}")


def _density(run: RunView, condition: str) -> QuantityValue:
    return _reading(run.estimate(condition).macro.density_raw, "cells over their footprint, all planes")


def _density_macro(run: RunView, condition: str) -> QuantityValue:
    return _reading(run.estimate(condition).macro.footprint.density_stacked, f"{_ESTIMATE}, periphery under the array")


def _weight_density(run: RunView, condition: str) -> QuantityValue:
    density = run.estimate(condition).macro.footprint.weight_density_stacked
    return _reading(density, f"{_ESTIMATE}, bits of weights, not vias")


def _reading(span: Span, source: str, scale: float = 1.0) -> QuantityValue:
    """An estimate with its range, `scale` times the span."""
    return QuantityValue(span.mid * scale, source, span.low * scale, span.high * scale)


READERS: dict[str, QuantityReader] = {
    "code_error": _code_error,
    "code_error_worst": _code_error_worst,
    "csnr": _csnr,
    "csnr_fitted": _csnr_fitted,
    "margin": _margin,
    "lsb": _lsb,
    "inl": _inl,
    "dnl": _dnl,
    "enob": _enob,
    "energy_per_mac": _energy_per_mac,
    "energy_per_conversion": _energy_per_conversion,
    "latency": _latency,
    "tops_per_watt": _tops_per_watt,
    "tops_per_mm2": _tops_per_mm2,
    "read_time": _read_time,
    "density": _density,
    "density_macro": _density_macro,
    "weight_density": _weight_density,
    **PROCEDURE_READERS,
}


def read_quantity(name: str, run: RunView, condition: str) -> QuantityValue:
    """The value of a quantity at a condition of a finished run. Raises InputError where the run cannot tell."""
    reader = QUANTITIES[name].read or READERS.get(name)
    if reader is None:
        raise InputError(f"no reader exists for the quantity {name} from a run")
    return reader(run, condition)

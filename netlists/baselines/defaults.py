"""Default sizes and times of the baselines in a technology: those of a 50 nm process, enlarged by one factor each."""

from dataclasses import fields
from typing import Any

from interconnect.errors import InputError
from interconnect.suggestion import suggest
from netlists.baselines.base import BaselineCell
from netlists.baselines.computing import BaselineComputing
from netlists.baselines.registry import BASELINE_CELLS, make_baseline_cell
from netlists.baselines.timing import BaselineTiming
from netlists.devices.device_set import DeviceSet
from netlists.parameters import ParameterInfo, describe_parameters

BASE_LENGTH = 50e-9
"""Channel length that the default times are for, m."""


def size_factor(devices: DeviceSet, parameters: tuple[ParameterInfo, ...]) -> float:
    """Factor on all default widths of one class: the device set's `width_scale`, or more where its narrowest
    transistor needs more. One factor for all keeps their ratios, on which the read of a latch depends."""
    narrowest = min((_usual(p) for p in parameters if p.name.endswith("width")), default=float("inf"))
    return max(devices.width_scale, devices.w_min / narrowest)


def default_cell(devices: DeviceSet, kind: str, **given: Any) -> BaselineCell:
    """A baseline cell in the sizes of a technology; what is not `given` (or None) follows the device set.

    The length is the set's default length; widths and wires (whose lengths are those of the cell) grow by
    `size_factor`. InputError for an unknown kind or parameter.
    """
    return make_baseline_cell(kind, _scaled(devices, BASELINE_CELLS[kind], given))


def default_computing(devices: DeviceSet, **given: Any) -> BaselineComputing:
    """A computing cell in the sizes of a technology, by the rule of `default_cell`.

    The unit capacitor grows with the switches' widths, so that the charge that they inject stays the same share of it.
    """
    _known(BaselineComputing, given, "local computing")
    return BaselineComputing(**_scaled(devices, BaselineComputing, given))


def default_timing(devices: DeviceSet, **given: Any) -> BaselineTiming:
    """Times of an operation, those of a 50 nm process times the gate length over it; `given` ones stay."""
    _known(BaselineTiming, given, "local timing")
    slower = devices.default_length / BASE_LENGTH
    values = {name: value for name, value in given.items() if value is not None}
    for field in fields(BaselineTiming):
        usual: Any = field.default
        values.setdefault(field.name, float(f"{usual * slower:.12g}"))
    return BaselineTiming(**values)


def _scaled(devices: DeviceSet, cls: type, given: dict[str, Any]) -> dict[str, Any]:
    values = {name: value for name, value in given.items() if value is not None}
    parameters = describe_parameters(cls)
    factor = size_factor(devices, parameters)
    for p in parameters:
        if p.name == "length":
            values.setdefault("length", devices.default_length)
        elif p.unit in ("m", "F"):
            values.setdefault(p.name, float(f"{_usual(p) * factor:.12g}"))
    return values


def _usual(p: ParameterInfo) -> float:
    usual: Any = p.default
    return float(usual)


def _known(cls: type, given: dict[str, Any], where: str) -> None:
    names = [p.name for p in describe_parameters(cls)]
    for name in given:
        if name not in names:
            raise InputError(f"there is no {name!r}", where=where, hint=suggest(name, names))

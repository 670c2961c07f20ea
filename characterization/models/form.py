"""Closed forms that a model starts from: named functions of the inputs with a few parameters, some of them fitted."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from scipy.optimize import least_squares

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from interconnect.suggestion import suggest

Law = Callable[[Mapping[str, FloatArray], Mapping[str, float]], FloatArray]
"""(inputs by name, each (points,); parameters) -> value (points,)."""

Combine = Literal["multiply", "add"]

_LAWS: dict[str, Law] = {}


def register_form(name: str, law: Law) -> None:
    """Make a law known by its name. Model files hold the name and the parameters alone, never code."""
    _LAWS[name] = law


@dataclass(frozen=True)
class Form:
    """A law with its parameters (SI units).

    combine: what the residual does to it: `multiply` (value = form exp(residual), for quantities of one sign) or `add`
    (value = form + residual). Raises InputError for a law that is not registered.
    """

    name: str
    parameters: Mapping[str, float] = field(default_factory=dict)
    combine: Combine = "multiply"

    def __post_init__(self) -> None:
        if self.name not in _LAWS:
            raise InputError(
                f"unknown closed form {self.name!r};  {suggest(self.name, sorted(_LAWS))}",
                where="model",
                hint="call register_form(name, law) before loading the model",
            )
        if self.combine not in ("multiply", "add"):
            raise InputError(
                f"a residual cannot {str(self.combine)[:20]!r} a form", where="model", hint="multiply or add"
            )
        for key, value in self.parameters.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise InputError(f"parameter {key} is {value!r}", where=f"closed form {self.name}", hint="a number")

    def __call__(self, inputs: Mapping[str, FloatArray]) -> FloatArray:
        """Value (points,). Raises InputError where the law lacks an input or a parameter."""
        try:
            return np.asarray(_LAWS[self.name](inputs, self.parameters), dtype=np.float64)
        except KeyError as error:
            raise InputError(f"it lacks {error.args[0]!r}", where=f"closed form {self.name}") from None

    def residual(self, inputs: Mapping[str, FloatArray], values: FloatArray) -> FloatArray:
        """What is left of `values` (points,): log of the ratio, or the difference.

        Raises InputError when a ratio has no logarithm.
        """
        form = np.broadcast_to(self(inputs), values.shape)
        if self.combine == "add":
            return np.asarray(values - form)
        if not (values * form > 0).all():
            raise InputError(
                f"the value {values[np.argmin(values * form)]:g} and its closed form differ in sign or are 0",
                where=f"closed form {self.name}",
                hint="combine='add' for quantities that change their sign",
            )
        return np.asarray(np.log(values / form))

    def value(self, inputs: Mapping[str, FloatArray], residual: FloatArray) -> FloatArray:
        """Inverse of `residual`."""
        form = self(inputs)
        return np.asarray(form + residual if self.combine == "add" else form * np.exp(residual))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"name": self.name, "parameters": dict(self.parameters), "combine": self.combine}

    @classmethod
    def from_json(cls, data: Any) -> Form:
        """Inverse of `to_json`. Raises InputError for anything else."""
        if not (isinstance(data, dict) and set(data) == {"name", "parameters", "combine"}):
            raise InputError("it has no name, parameters and combine", where="model file: form")
        if not (isinstance(data["name"], str) and isinstance(data["parameters"], dict)):
            raise InputError("its name or its parameters are of the wrong type", where="model file: form")
        return cls(**data)


def fit_form(form: Form, inputs: Mapping[str, FloatArray], values: FloatArray, free: Sequence[str]) -> Form:
    """The form with its `free` parameters fitted by least squares of the residual (positive ones stay positive).

    Raises InputError for a parameter that it does not have.
    """
    for name in free:
        if name not in form.parameters:
            raise InputError(f"it has no parameter {name!r}", where=f"closed form {form.name}")
    start = np.array([form.parameters[name] for name in free])
    # A positive parameter is moved by its logarithm, any other by its own size.
    positive = start > 0
    size = np.where(start == 0, 1.0, np.abs(start))

    def moved(step: FloatArray) -> Form:
        value = np.where(positive, start * np.exp(np.clip(step, -20.0, 20.0)), start + size * step)
        return replace(form, parameters={**form.parameters, **dict(zip(free, value.tolist(), strict=True))})

    spread = 1.0 if form.combine == "multiply" else float(np.std(values)) or 1.0

    def misfit(step: FloatArray) -> FloatArray:
        return np.asarray(moved(step).residual(inputs, values) / spread)

    return moved(np.asarray(least_squares(misfit, np.zeros(len(free)), max_nfev=200).x))


def _constant(inputs: Mapping[str, FloatArray], p: Mapping[str, float]) -> FloatArray:
    """`value`, whatever the inputs are."""
    return np.full(np.shape(next(iter(inputs.values()))), p["value"])


def _charge_divider(inputs: Mapping[str, FloatArray], p: Mapping[str, float]) -> FloatArray:
    """Level spacing per count of a charge column, V: vdd c_s / (rows c_b + sense_capacitance + c_w reset_width).

    c_s = signal + signal_per_pitch row_pitch and c_b = line + line_per_pitch row_pitch (F, F/m); c_w = junction (F/m).
    Charge conservation on a floating node.
    """
    pitch = inputs["row_pitch"]
    load = inputs["rows"] * (p["line"] + p["line_per_pitch"] * pitch) + inputs["sense_capacitance"]
    return (
        inputs["vdd"] * (p["signal"] + p["signal_per_pitch"] * pitch) / (load + p["junction"] * inputs["reset_width"])
    )


def _injection(inputs: Mapping[str, FloatArray], p: Mapping[str, float]) -> FloatArray:
    """Level without counts of a charge column, V: (vdd rows c_o - vdd g reset_width) / total capacitance.

    Off-state coupling lifts it, the falling gate of the reset switch (g, F/m) pulls it down; total as in the divider.
    """
    pitch = inputs["row_pitch"]
    load = inputs["rows"] * (p["line"] + p["line_per_pitch"] * pitch) + inputs["sense_capacitance"]
    total = load + p["junction"] * inputs["reset_width"]
    lift = inputs["rows"] * (p["off"] + p["off_per_pitch"] * pitch)
    return inputs["vdd"] * (lift - p["gate"] * inputs["reset_width"]) / total


def _ohm(inputs: Mapping[str, FloatArray], p: Mapping[str, float]) -> FloatArray:
    """Current per count of a resistive column, A: voltage / (resistance + series), series in ohm."""
    return inputs["voltage"] / (inputs["resistance"] + p["series"])


register_form("constant", _constant)
register_form("charge_divider", _charge_divider)
register_form("charge_injection", _injection)
register_form("ohm", _ohm)

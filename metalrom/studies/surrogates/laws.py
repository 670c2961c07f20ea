"""Closed forms that a model of a design starts from; inputs and fixed values are named as the configuration's keys.

What is varied is an input of the law, all else a parameter of the same name, so that a model file says all of it.
Lengths act through powers about the middle of their range: `line cell.row_pitch` is the exponent with which the
capacitance per row grows with the row pitch.
"""

import math
from collections.abc import Mapping

import numpy as np

from characterization.models.box import Domain
from characterization.models.form import Form, register_form
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray

Inputs = Mapping[str, FloatArray]
Parameters = Mapping[str, float]

ROWS, VDD = "array.group_rows", "conditions.vdd"
SENSE, RESET = "periphery.sense_capacitance", "periphery.reset_width"
RESISTANCE, SENSE_RESISTANCE, READ_VOLTAGE = "cell.resistance", "periphery.sense_resistance", "periphery.read_voltage"

_JUNCTION = 8e-10
"""F/m, of a reset switch: where the fit begins."""
_SIZES = {"V": 1e-3, "A": 1e-8, "J": 1e-13, "s": 1e-10}
"""Where a power law begins, by unit; the fit moves it by up to eight decades."""


def _at(key: str, inputs: Inputs, p: Parameters) -> FloatArray:
    return np.asarray(inputs[key] if key in inputs else p[key])


def _power(name: str, inputs: Inputs, p: Parameters) -> FloatArray:
    """p[name] prod over the inputs of (input / middle)^exponent."""
    out = np.asarray(p[name])
    for key, value in inputs.items():
        if f"{name} {key}" in p:
            out = out * (value / p[f"middle {key}"]) ** p[f"{name} {key}"]
    return out


def _column_divider(inputs: Inputs, p: Parameters) -> FloatArray:
    """Level spacing of a charge column, V: vdd c_signal / (rows c_line + sense + junction reset_width); `all` = 1: of
    all rows together. Charge conservation on a floating node."""
    rows = _at(ROWS, inputs, p)
    load = rows * _power("line", inputs, p) + _at(SENSE, inputs, p) + p["junction"] * _at(RESET, inputs, p)
    return np.asarray(_at(VDD, inputs, p) * _power("signal", inputs, p) / load * rows ** p["all"])


def _column_current(inputs: Inputs, p: Parameters) -> FloatArray:
    """Current per count, A: read_voltage / (resistance + sense_resistance rows + series + wire rows); `all` = 1: of all
    rows together. Every row's current flows through the sense resistance and the line (Ohm's law)."""
    rows = _at(ROWS, inputs, p)
    shared = _at(SENSE_RESISTANCE, inputs, p) + _power("wire", inputs, p)
    series = _at(RESISTANCE, inputs, p) + p["series"] + rows * shared
    return np.asarray(_at(READ_VOLTAGE, inputs, p) / series * rows ** p["all"])


def _power_law(inputs: Inputs, p: Parameters) -> FloatArray:
    """`value` times powers of the positive inputs."""
    return np.broadcast_to(_power("value", inputs, p), np.shape(next(iter(inputs.values()))))


register_form("column_divider", _column_divider)
register_form("column_current", _column_current)
register_form("power_law", _power_law)


def form_of(quantity: str, unit: str, box: Domain, middle: Testbench) -> tuple[Form, tuple[str, ...]]:
    """(closed form of a quantity over a box, its parameters that are fitted); middle: the setup at the box's middle."""
    p = middle.periphery
    centre = {i.name: math.sqrt(i.low * i.high) for i in box.inputs if i.log}
    fixed = {ROWS: float(middle.rows), VDD: middle.conditions[0].vdd, SENSE: p.sense_capacitance, RESET: p.reset_width,
             SENSE_RESISTANCE: p.sense_resistance, READ_VOLTAGE: p.read_voltage}  # fmt: skip
    start: dict[str, float]
    scaled: tuple[str, ...]
    if quantity not in ("lsb", "level"):
        law, start, keys = "power_law", {"value": _SIZES[unit]}, tuple(centre)
        fixed, scaled = {}, ("value",)
    elif unit == "V":
        law, scaled = "column_divider", ("signal", "line")
        start = {"signal": middle.model.switched, "line": middle.model.bl_total, "junction": _JUNCTION}
        keys = tuple(k for k in centre if k.startswith("cell."))
    else:
        law, scaled = "column_current", ("wire",)
        start = {"wire": middle.model.value("R_bl"), "series": 1e3}
        fixed[RESISTANCE] = middle.varying
        keys = tuple(k for k in centre if k.startswith("cell.") and k != RESISTANCE)
    exponents = {f"{name} {key}": 0.0 for name in scaled for key in keys}
    middles = {f"middle {key}": centre[key] for key in keys}
    all_rows = {"all": float(quantity == "level")} if law != "power_law" else {}
    known = {k: v for k, v in fixed.items() if k not in box.names}
    free = (*start, *exponents)
    return Form(law, {**start, **exponents, **middles, **all_rows, **known}), free

"""The box of inputs in which a model is fitted, checked and allowed to speak."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import qmc

from interconnect.arrays import BoolArray, FloatArray
from interconnect.errors import InputError
from interconnect.suggestion import suggest

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,59}")
_SLACK = 1e-9
"""Of the width of an input's range: what rounding may put outside."""


@dataclass(frozen=True, slots=True)
class DomainInput:
    """One input: its range in SI units; log: the model sees its logarithm; integer: only whole values occur.

    Raises InputError for a range that is empty, not finite, or not positive although log is asked for.
    """

    name: str
    low: float
    high: float
    unit: str = ""
    log: bool = False
    integer: bool = False

    def __post_init__(self) -> None:
        where = "model input" if not _NAME.fullmatch(self.name) else f"model input {self.name}"
        if not _NAME.fullmatch(self.name):
            raise InputError(f"the name {self.name[:60]!r} must consist of letters, digits, _ and .", where=where)
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise InputError(f"its range is {self.low!r} to {self.high!r}", where=where, hint="give low < high")
        if self.log and self.low <= 0:
            raise InputError(
                f"its range begins at {self.low:g}", where=where, hint="a logarithmic input needs a positive range"
            )
        if self.integer and not (float(self.low).is_integer() and float(self.high).is_integer()):
            raise InputError(f"its range is {self.low!r} to {self.high!r}", where=where, hint="give whole numbers")


@dataclass(frozen=True)
class Domain:
    """Inputs in the order in which points list them: a point is (inputs,), many are (points, inputs), SI units."""

    inputs: tuple[DomainInput, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", tuple(self.inputs))
        names = [i.name for i in self.inputs]
        if not names or len(set(names)) != len(names):
            raise InputError(f"the inputs are named {names}", where="model", hint="give each a unique name")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the inputs, in order."""
        return tuple(i.name for i in self.inputs)

    @property
    def dims(self) -> int:
        """Number of inputs."""
        return len(self.inputs)

    def points(self, values: Mapping[str, ArrayLike]) -> FloatArray:
        """Points (points, inputs) from values by name, broadcast. Raises InputError for missing or unknown names."""
        for name in values:
            if name not in self.names:
                raise InputError(f"the model has no input {name!r}", hint=suggest(name, self.names))
        missing = [n for n in self.names if n not in values]
        if missing:
            raise InputError(f"the model's input {missing[0]} is not given", hint=f"inputs: {', '.join(self.names)}")
        columns = np.broadcast_arrays(*(np.atleast_1d(np.asarray(values[n], dtype=np.float64)) for n in self.names))
        return np.stack([c.ravel() for c in columns], axis=1)

    def named(self, points: FloatArray) -> dict[str, FloatArray]:
        """Columns of points (points, inputs) by name."""
        return {name: points[:, i] for i, name in enumerate(self.names)}

    def checked(self, points: ArrayLike) -> FloatArray:
        """Points as finite floats of shape (points, inputs). Raises InputError."""
        out = np.asarray(points, dtype=np.float64)
        out = out[None] if out.ndim == 1 else out
        if out.ndim != 2 or out.shape[1] != self.dims:
            raise InputError(f"points have shape {out.shape}, expected (points, {self.dims})", where="model")
        if not np.isfinite(out).all():
            raise InputError("a point holds a value that is not finite", where="model")
        return out

    def outside(self, points: FloatArray) -> BoolArray:
        """Which inputs of which points lie outside of the box, shape (points, inputs)."""
        low, high = self._limits()
        slack = _SLACK * (high - low)
        return (points < low - slack) | (points > high + slack)

    def refuse_outside(self, points: FloatArray) -> None:
        """Raise InputError naming the first input that lies outside, its value and its domain."""
        bad = np.argwhere(self.outside(points))
        if len(bad):
            row, column = bad[0]
            i, value = self.inputs[column], points[row, column]
            unit = f" {i.unit}" if i.unit else ""
            raise InputError(
                f"the input {i.name} is {value:g}{unit}, outside of the {i.low:g} to {i.high:g}{unit} in which the "
                "model was fitted and checked",
                hint="stay inside its domain, or pass allow=True for a labelled extrapolation",
            )

    def unit(self, points: FloatArray) -> FloatArray:
        """Points as the model sees them: logs taken where declared, the box mapped to [0, 1] in every input.

        A logged input outside of its range that is not positive becomes NaN.
        """
        low, high = self._limits()
        logs = np.array([i.log for i in self.inputs])
        with np.errstate(invalid="ignore", divide="ignore"):
            x = np.where(logs, np.log(np.where(logs, points, 1.0)), points)
        a = np.where(logs, np.log(np.where(logs, low, 1.0)), low)
        b = np.where(logs, np.log(np.where(logs, high, 1.0)), high)
        return np.asarray((x - a) / (b - a), dtype=np.float64)

    def from_unit(self, unit: FloatArray) -> FloatArray:
        """Inverse of `unit` for values in [0, 1]; integers are rounded."""
        out = np.empty_like(unit)
        for k, i in enumerate(self.inputs):
            u = unit[:, k]
            if i.log:
                out[:, k] = np.exp(math.log(i.low) + u * (math.log(i.high) - math.log(i.low)))
            else:
                out[:, k] = i.low + u * (i.high - i.low)
            out[:, k] = np.clip(np.round(out[:, k]) if i.integer else out[:, k], i.low, i.high)
        return out

    def latin_hypercube(self, count: int, seed: int) -> FloatArray:
        """`count` points (count, inputs), each input's range (in its scale) hit once per 1/count; seeded."""
        return self.from_unit(qmc.LatinHypercube(self.dims, seed=np.random.default_rng([seed, 11])).random(count))

    def uniform(self, count: int, seed: int) -> FloatArray:
        """`count` independent points (count, inputs), even over each input's scale; seeded."""
        return self.from_unit(np.random.default_rng([seed, 12]).random((count, self.dims)))

    def to_json(self) -> list[dict[str, Any]]:
        """Plain values."""
        return [{k: getattr(i, k) for k in ("name", "low", "high", "unit", "log", "integer")} for i in self.inputs]

    @classmethod
    def from_json(cls, data: Any) -> Domain:
        """Inverse of `to_json`. Raises InputError for anything else."""
        keys = {"name": str, "low": float, "high": float, "unit": str, "log": bool, "integer": bool}
        if not isinstance(data, list) or not all(isinstance(d, dict) and set(d) == set(keys) for d in data):
            raise InputError(f"its inputs are not a list of {', '.join(keys)}", where="model file: inputs")
        for d in data:
            for key, kind in keys.items():
                numeric = isinstance(d[key], (int, float)) and not isinstance(d[key], bool)
                if not (numeric if kind is float else isinstance(d[key], kind)):
                    raise InputError(f"{key} is {d[key]!r}", where="model file: inputs")
        return cls(tuple(DomainInput(**d) for d in data))

    def _limits(self) -> tuple[FloatArray, FloatArray]:
        return np.array([i.low for i in self.inputs]), np.array([i.high for i in self.inputs])

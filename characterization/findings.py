"""What a procedure's finding can do for the reader: figures of a table, plain values of a JSON file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from netlists.condition import Condition


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of a table: what it is, value in `unit` (SI, `LSB` or empty), and at which condition or pattern."""

    name: str
    value: float
    unit: str
    at: str = ""


@runtime_checkable
class Finding(Protocol):
    """A finding that outputs can show without knowing its procedure."""

    def figures(self) -> Sequence[Figure]:
        """The few numbers that a reader looks for first."""
        ...

    def to_json(self) -> Mapping[str, object]:
        """Everything, as plain values that repeat to the last byte; a missing number is None."""
        ...


def plain(value: Any) -> Any:
    """Frozen values, arrays and conditions as plain JSON values; a number that is not finite becomes None.

    Raises:
        TypeError: a value of another kind.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Condition):
        return value.label
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    raise TypeError(f"a {type(value).__name__} has no plain form")


class Plain:
    """Base of findings whose fields are their JSON."""

    def to_json(self) -> Mapping[str, object]:
        """Every field as plain values."""
        out: Mapping[str, object] = plain(self)
        return out

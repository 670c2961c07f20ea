"""What a procedure's finding can do for the reader: figures of a table, plain values of a JSON file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from interconnect.jsonable import to_jsonable


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One line of a table: what it is, value in `unit` (SI, `LSB` or empty), and at which condition or pattern."""

    name: str
    value: float
    unit: str
    at: str = ""


@runtime_checkable
class ProcedureResult(Protocol):
    """A finding that outputs can show without knowing its procedure."""

    def figures(self) -> Sequence[ResultRow]:
        """The few numbers that a reader looks for first."""
        ...

    def to_json(self) -> Mapping[str, object]:
        """Everything, as plain values that repeat to the last byte; a missing number is None."""
        ...


class Plain:
    """Base of findings whose fields are their JSON."""

    def to_json(self) -> Mapping[str, object]:
        """Every field as plain values."""
        out: Mapping[str, object] = to_jsonable(self)
        return out

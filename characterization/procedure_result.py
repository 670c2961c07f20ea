"""What outputs ask of a procedure's result: rows of a table, charts, and a JSON document that can be read back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

from characterization.charts import Chart
from interconnect.errors import DamagedFile, InputError
from interconnect.jsonable import from_jsonable, to_jsonable


@dataclass(frozen=True, slots=True)
class ResultRow:
    """A row of a table: what it is, value in `unit` (SI, `LSB` or empty), and at which condition or pattern.

    NaN: the procedure has no value.
    """

    name: str
    value: float
    unit: str
    at: str = ""


@runtime_checkable
class ProcedureResult(Protocol):
    """A result that outputs can show without knowing its procedure."""

    def figures(self) -> Sequence[ResultRow]:
        """The few numbers that a reader looks for first."""
        ...

    def charts(self) -> Sequence[Chart]:
        """Pictures of it; may be none."""
        ...

    def to_json(self) -> Mapping[str, Any]:
        """Everything, as plain values that repeat to the last byte; a missing number is None."""
        ...

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """The result that `to_json` wrote. Raises DamagedFile for a document that is none."""
        ...


class DataclassResult:
    """Base of results that are frozen dataclasses: their fields are their JSON; charts are a subclass's to add."""

    def charts(self) -> Sequence[Chart]:
        """None."""
        return ()

    def to_json(self) -> Mapping[str, Any]:
        """Every field as plain values."""
        out: Mapping[str, Any] = to_jsonable(self)
        return out

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """The result with these fields; a number that is null is NaN. Raises DamagedFile with the key at fault."""
        try:
            return from_jsonable(cls, document)
        except InputError as error:
            raise DamagedFile(error.what, where=error.where, hint=error.hint) from error

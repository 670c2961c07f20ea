"""Where a number comes from: every technology value carries its status and its source."""

from dataclasses import dataclass
from typing import Literal, get_args

Status = Literal["published", "measured", "estimate", "user"]
STATUSES: tuple[str, ...] = get_args(Status)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Status and source of a value (`source` is a citation, a file or a method, in words)."""

    status: Status
    source: str


@dataclass(frozen=True, slots=True)
class Value:
    """A number in SI units with its provenance."""

    value: float
    unit: str
    provenance: Provenance

    def __float__(self) -> float:
        return self.value

"""What every block of the configuration is made of: frozen sections, names, whole numbers, lines of text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")]
LayerName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,31}$")]
Integer = Annotated[int, Field(strict=True)]
"""A whole number as YAML writes it: neither `true` nor `3.0` nor text."""


def listed(names: Callable[[], Iterable[str]]) -> Callable[[dict[str, Any]], None]:
    """What puts the names that are known when a JSON schema is made into it, as `json_schema_extra` of a field."""

    def extend(schema: dict[str, Any]) -> None:
        schema["enum"] = list(names())

    return extend


def printable(text: str) -> str:
    """One line of printable text, or ValueError."""
    if not text.isprintable():
        raise ValueError("must be one line of printable text")
    return text


ConfigLine = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(printable)]
"""One line of free text: it reaches messages, reports and comments of netlists."""


class ConfigSection(BaseModel):
    """A block of the configuration: frozen, every key known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

"""The configuration's block of the cell: keys that many kinds share, and the parameters that a kind declares."""

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, Field, model_validator

from interconnect.errors import UnknownName, shortened
from interconnect.suggestion import suggest
from metalrom.config.base import ConfigSection, Integer, LayerName, Name, listed
from metalrom.config.parameters import si_value
from metalrom.config.units import Length, Resistance
from netlists.cells import CELLS
from netlists.parameters import describe_parameters


class PlaneSection(ConfigSection):
    """One storing plane: the metal of its rows and the metal of its columns, the next one above."""

    row: LayerName
    column: LayerName


def _add_parameters(schema: dict[str, Any]) -> None:
    """Parameters of the known cell kinds as properties of the block's JSON schema."""
    for kind in CELLS:
        for p in describe_parameters(CELLS[kind]):
            described = {"type": ["number", "string"], "description": f"{kind}: {p.description} ({p.unit or '1'})"}
            schema["properties"].setdefault(p.name, described)
    schema["additionalProperties"] = False


class CellSection(ConfigSection):
    """The cell at one crossing and the planes that are stacked; also every parameter that the kind declares."""

    model_config = ConfigDict(frozen=True, extra="allow", json_schema_extra=_add_parameters)

    kind: Name = Field(
        "cap_balanced",
        description="a cell kind, see `metalrom schema` and the list of cells",
        json_schema_extra=listed(lambda: CELLS),
    )
    levels: Integer | None = Field(
        None, ge=2, le=8, description="cap_select: driven lines of a row, symbols of a cell; default 4"
    )
    row_pitch: Length | None = Field(None, gt=0, description="height of a row; default: the smallest the stack allows")
    column_pitch: Length | None = Field(None, gt=0, description="width of a column; default likewise")
    row_width: Length | None = Field(None, gt=0, description="drawn width of the row lines")
    column_width: Length | None = Field(None, gt=0, description="drawn width of the column's lines")
    tab_length: Length | None = Field(
        None, gt=0, description="cap_balanced, cap_select: length of the tab along the bit line"
    )
    finger_length: Length | None = Field(None, gt=0, description="cap_present: length of the finger along the bit line")
    plate_length: Length | None = Field(None, gt=0, description="cap_ternary: length of the plate along the row")
    resistance: Resistance | None = Field(None, gt=0, description="res_via: the deliberate resistor, >= 100 kohm")
    planes: tuple[PlaneSection, ...] = Field(min_length=1, max_length=16)

    @model_validator(mode="before")
    @classmethod
    def _declared(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            further = {str(key): value for key, value in data.items() if key not in cls.model_fields}
            _si_values(str(data.get("kind", cls.model_fields["kind"].default)), further, tuple(cls.model_fields))
        return data

    def parameters(self) -> dict[str, Any]:
        """Parameters of the cell that are given here, in SI units."""
        shared = self.model_dump(include=set(type(self).model_fields) - {"kind", "planes"}, exclude_none=True)
        return shared | _si_values(self.kind, self.model_extra or {})


def _si_values(kind: str, given: Mapping[str, Any], shared: tuple[str, ...] = ()) -> dict[str, Any]:
    """Values of keys beyond the shared ones in SI units. Raises InputError for a key that the kind does not declare."""
    given = {name: value for name, value in given.items() if value is not None}
    if not given:
        return {}
    if kind not in CELLS:
        raise UnknownName(f"there is no cell kind {shortened(kind)!r}", where="kind", hint=suggest(kind, CELLS))
    declared = {p.name: p for p in describe_parameters(CELLS[kind])}
    for name in given:
        if name not in declared:
            raise UnknownName(
                f"unknown key {shortened(repr(name))}", where=name, hint=suggest(name, (*shared, *declared))
            )
    return {name: si_value(declared[name], value) for name, value in given.items()}

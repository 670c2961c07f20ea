"""Complaints about configs: the key path as the user wrote it, and the right key for a misspelt one."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from metalrom.units import Length
from metalrom.validation import input_error


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Cap(_Strict):
    kind: Literal["cap"]
    pitch: Length = Field(gt=0)
    width: Length


class _Res(_Strict):
    kind: Literal["res"]
    resistance: float


class _Layer(_Strict):
    name: str
    thickness: Length | None = None


class _Config(_Strict):
    rows: int = Field(gt=0)
    cell: Annotated[_Cap | _Res, Field(discriminator="kind")] | None = None
    layers: list[_Layer] = []
    loads: dict[str, _Layer] = {}


CASES = [
    ({"rosw": 3}, "x.yaml: rosw: unknown key; did you mean rows?; and 1 more error"),
    ({"rows": 1, "zzz": 3}, "x.yaml: zzz: unknown key; known: rows, cell, layers, loads"),
    ({}, "x.yaml: rows is missing"),
    ({"rows": 0}, "x.yaml: rows: should be greater than 0, got 0"),
    (
        {"rows": 1, "cell": {"kind": "cap", "pitch": "100nm", "widht": "5nm"}},
        "x.yaml: cell.widht: unknown key; did you mean width?; and 1 more error",
    ),
    (
        {"rows": 1, "cell": {"kind": "cap", "pitch": "0.9V", "width": "5nm"}},
        "x.yaml: cell.pitch: '0.9V' has the wrong unit; give a quantity in m, such as 100nm",
    ),
    ({"rows": 1, "layers": [{"name": "a"}, {"nmae": "b"}]}, "x.yaml: layers[1].nmae: unknown key; did you mean name?"),
    (
        {"rows": 1, "loads": {"far end": {"name": "a", "thicknes": 0}}},
        "x.yaml: loads.far end.thicknes: unknown key; did you mean thickness?",
    ),
]


@pytest.mark.parametrize(("data", "sentence"), CASES)
def test_sentence(data: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _Config.model_validate(data)
    assert str(input_error(caught.value, where="x.yaml", model=_Config)).startswith(sentence)


def test_without_the_model_the_path_stays() -> None:
    with pytest.raises(ValidationError) as caught:
        _Config.model_validate({"rows": 1, "layers": [{"name": 3}]})
    assert str(input_error(caught.value)) == "layers[0].name: should be a valid string, got 3"

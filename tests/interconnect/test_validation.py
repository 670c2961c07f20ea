"""Complaints about configs: the key path as the user wrote it, and the right key for a misspelt one."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from interconnect.errors import InputError
from interconnect.quantity import parse_quantity
from interconnect.validation import input_error, validate

Length = Annotated[float, BeforeValidator(lambda value: parse_quantity(value, "m"))]


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


class _Mix(_Strict):
    nmos: str
    pmos: dict[str, float] | str


class _Cards(_Strict):
    """Any key with a known type behind it, as the corners of a device set."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, str | _Mix] = Field(init=False)
    source: str


class _Config(_Strict):
    rows: int = Field(gt=0)
    cell: Annotated[_Cap | _Res, Field(discriminator="kind")] | None = None
    layers: list[_Layer] = []
    loads: dict[str, _Layer] = {}
    cards: _Cards | None = None
    group: int | Literal["auto"] = "auto"


CASES: list[tuple[object, str]] = [
    ({"rosw": 3}, "x.yaml: rosw: unknown key 'rosw'; did you mean 'rows'?; and 1 more error"),
    ({"rows": 1, "zzz": 3}, "x.yaml: zzz: unknown key 'zzz'; known: rows, cell, layers, loads, cards, group"),
    ({}, "x.yaml: rows: this key is missing"),
    ({"rows": 0}, "x.yaml: rows: should be greater than 0, got 0"),
    (
        {"rows": 1, "cell": {"kind": "cap", "pitch": "100nm", "widht": "5nm"}},
        "x.yaml: cell.widht: unknown key 'widht'; did you mean 'width'?; and 1 more error",
    ),
    (
        {"rows": 1, "cell": {"kind": "cap", "pitch": "0.9V", "width": "5nm"}},
        "x.yaml: cell.pitch: '0.9V' has the wrong unit; give a quantity in m, such as 100nm",
    ),
    (
        {"rows": 1, "layers": [{"name": "a"}, {"nmae": "b"}]},
        "x.yaml: layers[1].nmae: unknown key 'nmae'; did you mean 'name'?; and 1 more error",
    ),
    (
        {"rows": 1, "loads": {"far end": {"name": "a", "thicknes": 0}}},
        "x.yaml: loads.far end.thicknes: unknown key 'thicknes'; did you mean 'thickness'?",
    ),
]


CARDS = {"source": "kit", "ff": {"nmos": "a", "pmos": "b"}}
CASES += [
    (
        {"rows": 1, "group": "x"},
        "x.yaml: group: should be a valid integer, unable to parse string as an integer or should be 'auto', got 'x'",
    ),
    ({"rows": 1, "layers": {}}, "x.yaml: layers: should be a list, got {}"),
    ({"rows": 1, "layers": [3, 4]}, "x.yaml: layers[0]: should be a mapping of keys, got 3; and 1 more error"),
    (
        {"rows": 1, "cards": {**CARDS, "tt": 3}},
        "x.yaml: cards.tt: should be a valid string or should be a mapping of keys, got 3",
    ),
    (
        {"rows": 1, "cards": {**CARDS, "fs": {"nmos": "a", "pmox": "b"}}},
        "x.yaml: cards.fs.pmox: unknown key 'pmox'; did you mean 'pmos'?; and 2 more errors",
    ),
    (
        {"rows": 1, "cards": {**CARDS, "fs": {"nmos": "a", "pmos": {"k": "x"}}}},
        "x.yaml: cards.fs: should be a valid string",
    ),
    ({"rows": 1, "a\n.control": 1}, "x.yaml: a\\n.control: unknown key 'a\\n.control'; known: rows"),
    ({"rows": 1, "k" * 10_000: 1}, "x.yaml: " + "k" * 57 + "...: unknown key '" + "k" * 56 + "...; known: rows"),
    (
        {"rows": "v" * 10_000},
        "x.yaml: rows: should be a valid integer, unable to parse string as an integer, got '" + "v" * 56 + "...",
    ),
    ([], "x.yaml: should be a mapping of keys, got []"),
]


@pytest.mark.parametrize(("data", "sentence"), CASES)
def test_sentence(data: object, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        validate(_Config, data, where="x.yaml")
    assert str(caught.value).startswith(sentence)
    assert str(caught.value).isprintable()


def test_without_the_model_the_path_stays() -> None:
    with pytest.raises(ValidationError) as caught:
        _Config.model_validate({"rows": 1, "layers": [{"name": 3}]})
    assert str(input_error(caught.value)) == "layers[0].name: should be a valid string, got 3"

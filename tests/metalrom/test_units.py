"""Fields of configs that hold quantities: read with units, written to JSON with units, explained in the schema."""

from __future__ import annotations

import json

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from metalrom.config.units import (
    Area,
    Capacitance,
    Fraction,
    Frequency,
    Length,
    Resistance,
    SheetResistance,
    Temperature,
    Time,
    Voltage,
)


class _Example(BaseModel):
    model_config = ConfigDict(extra="forbid")
    pitch: Length = Field(gt=0)
    supply: Voltage
    load: Capacitance = 0.0
    leak: Resistance = 1e9
    metal: SheetResistance = 0.38
    footprint: Area = 6e-14
    pause: Time = 0.0
    clock: Frequency = 1e8
    ambient: Temperature = 27.0
    droop: Fraction = Field(default=0.0, le=1.0)


def test_model_reads_quantities_and_its_json_reads_back() -> None:
    model = _Example.model_validate({"pitch": "100nm", "supply": "0.9V", "load": "20aF", "droop": "2.5%"})
    assert (model.pitch, model.supply, model.load, model.droop) == (1e-7, 0.9, 2e-17, 0.025)
    assert model.model_dump()["pitch"] == 1e-7
    assert _Example.model_validate_json(model.model_dump_json()) == model


def test_model_names_the_key_of_a_bad_quantity() -> None:
    with pytest.raises(ValidationError) as caught:
        _Example.model_validate({"pitch": "-100nm", "supply": "0.9A", "droop": "250%"})
    assert {error["loc"]: error["type"] for error in caught.value.errors()} == {
        ("pitch",): "greater_than",
        ("supply",): "value_error",
        ("droop",): "less_than_equal",
    }


def test_schema_shows_how_quantities_are_written() -> None:
    schema = _Example.model_json_schema()
    assert schema["properties"]["pitch"]["examples"] == ["100nm"]
    assert schema["properties"]["droop"]["examples"] == ["0.025", "2.5%"]
    assert json.dumps(schema)

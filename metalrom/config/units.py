"""Types of configuration fields that hold a physical quantity: `100nm`, `0.9V`, `20aF` become floats in SI units."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from interconnect.quantity import EXAMPLES, parse_quantity


def _quantity_type(unit: str) -> tuple[BeforeValidator, PlainSerializer, WithJsonSchema]:
    """pydantic's view of a quantity: how it is read, how JSON shows it (it reads back the same), how a schema does."""
    bare: dict[str, Any] = {"type": "number"} if unit in ("", "degC") else {"const": 0}
    examples = EXAMPLES[unit].split(" or ")
    schema = {"anyOf": [{"type": "string"}, bare], "description": f"quantity in {unit or '1'}", "examples": examples}
    return (
        BeforeValidator(lambda value: parse_quantity(value, unit)),
        PlainSerializer(lambda value: f"{value!r}{unit}", return_type=str, when_used="json"),
        WithJsonSchema(schema),
    )


Length = Annotated[float, *_quantity_type("m")]
Area = Annotated[float, *_quantity_type("m^2")]
Voltage = Annotated[float, *_quantity_type("V")]
Current = Annotated[float, *_quantity_type("A")]
Capacitance = Annotated[float, *_quantity_type("F")]
Resistance = Annotated[float, *_quantity_type("ohm")]
SheetResistance = Annotated[float, *_quantity_type("ohm/sq")]
Time = Annotated[float, *_quantity_type("s")]
Frequency = Annotated[float, *_quantity_type("Hz")]
Energy = Annotated[float, *_quantity_type("J")]
Power = Annotated[float, *_quantity_type("W")]
Temperature = Annotated[float, *_quantity_type("degC")]
Decibel = Annotated[float, *_quantity_type("dB")]
Fraction = Annotated[float, *_quantity_type("")]


def _sigma_or_auto(value: Any) -> float | str:
    if value == "auto":
        return "auto"
    sigma = parse_quantity(value, "")
    if not sigma >= 0:
        raise ValueError("should be greater than or equal to 0")
    if not sigma < 1:
        raise ValueError("should be less than 1")
    return sigma


SigmaOrAuto = Annotated[
    float | Literal["auto"],
    BeforeValidator(_sigma_or_auto),
    PlainSerializer(lambda v: v if v == "auto" else f"{v!r}", return_type=str, when_used="json"),
    WithJsonSchema(
        {"anyOf": [{"type": ["number", "string"]}, {"const": "auto"}], "examples": ["0.025", "2.5%", "auto"]}
    ),
]
"""A relative sigma as a number or percentage, or `auto`; refused in one message, unlike a plain union."""

"""The block of the configuration that says what `metalrom explore` and `metalrom optimize` vary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StrictBool, StrictFloat, StrictInt, field_validator

from metalrom.config.base import ConfigLine, ConfigSection, Integer

Key = Annotated[str, Field(pattern=r"^[a-z_]{1,40}(\.[a-z_0-9]{1,40}){0,4}$")]
"""A key of the configuration with its block before it: `array.group_rows`."""
AxisValue = StrictBool | StrictInt | StrictFloat | ConfigLine | None


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len({(type(v), v) for v in values}) < len(values):
        raise ValueError("must hold no value twice")
    return values


Axis = Annotated[tuple[AxisValue, ...], Field(min_length=1, max_length=64), AfterValidator(_distinct)]
"""Values of a key as the configuration takes them; None: as the configuration has it."""
Axes = dict[Key, Axis]

_SIZES: Axes = {"cell.planes": (1, 2, 4), "array.columns_per_adc": (8, 16)}
DEFAULT_AXES: tuple[Axes, ...] = (
    {
        "readout.kind": ("chain",), "cell.kind": ("cap_balanced",), "mapping": ("differential", "twos_complement"),
        "readout.converter.kind": ("sar", "ramp"), "array.group_rows": (16, 24, 32), "cell.row_pitch": ("1x", "1.5x"),
        "readout.sampler.capacitance": ("20fF", "30fF"), **_SIZES,
    },
    {
        "readout.kind": ("chain",), "cell.kind": ("cap_balanced",), "mapping": ("differential",),
        "readout.converter.kind": ("pair",), "array.group_rows": (16, 24), "cell.row_pitch": ("1x",), **_SIZES,
    },
    {
        "readout.kind": ("inverter",), "cell.kind": ("cap_balanced",), "mapping": ("differential",),
        "array.group_rows": (16,), "cell.row_pitch": ("1x",), "cell.planes": (4,),
    },
    {
        "readout.kind": ("ideal",), "cell.kind": ("cap_balanced", "cap_present"),
        "mapping": ("differential", "twos_complement"), "readout.double_sampling": (True, False),
        "array.group_rows": (16, 32), "cell.row_pitch": ("1x", "1.5x"), **_SIZES,
    },
    {
        "readout.kind": ("ideal",), "cell.kind": ("cap_select", "cap_ternary"), "readout.double_sampling": (True,),
        "array.group_rows": (8, 16), "cell.row_pitch": ("1x", "1.5x"), **_SIZES,
    },
    {
        "readout.kind": ("ideal",), "cell.kind": ("cap_tie",), "mapping": ("trits",),
        "readout.double_sampling": (True,), "array.group_rows": (8, 16), "cell.row_pitch": ("1x", "1.5x"), **_SIZES,
    },
    {
        "readout.kind": ("ideal",), "readout.double_sampling": (False,), "cell.kind": ("res_via",),
        "cell.resistance": ("1Mohm", "4Mohm"),
        "variation.cell_sigma": ("2.5%",), "variation.source": ("assumed for a resistor plug",),
        "mapping": ("differential", "twos_complement"), "array.group_rows": (16, 32), "cell.row_pitch": ("1x", "1.5x"),
        **_SIZES,
    },
)  # fmt: skip
"""Planes, sharing, mapping, readout, group, sampling capacitor and pitch of all kinds of cell."""

MAX_POINTS = 20_000


class ExploreSection(ConfigSection):
    """What is varied: keys of the configuration with lists of values; every list is crossed with every other."""

    vary: tuple[Axes, ...] = Field(
        DEFAULT_AXES,
        min_length=1,
        max_length=32,
        description="keys with their blocks (`array.group_rows: [16, 24]`, `readout.converter.kind: [sar, ramp]`) and "
        "values; a list of such mappings: the points of all of them. `cell.planes` takes the number of planes, "
        "`cell.row_pitch` and `cell.column_pitch` also multiples of the smallest that the stack allows (`1.5x`); null: "
        "as configured. Default: planes, sharing, mapping, readout, group, sampling capacitor and pitch of every cell",
    )
    verify: Integer = Field(1, ge=0, le=32, description="points of the frontier that are characterized in full")

    @field_validator("vary", mode="before")
    @classmethod
    def _one_mapping(cls, value: object) -> object:
        return (value,) if isinstance(value, Mapping) else value

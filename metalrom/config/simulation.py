"""The blocks of the configuration that say what is simulated: conditions, characterization."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from characterization.procedure_registry import PROCEDURES
from metalrom.config.base import ConfigSection, Integer, Name, listed
from metalrom.config.units import Resistance, Temperature, Time, Voltage
from netlists.condition import NOMINAL_METALS

Supply = Annotated[Voltage, Field(gt=0, le=20)]
Ambient = Annotated[Temperature, Field(ge=-100, le=300)]
"""The range in which BSIM4 cards mean anything, with room to spare, degC."""


class ConditionsSection(ConfigSection):
    """Operating points; a star around the first of each list, or every combination."""

    corners: tuple[Literal["tt", "ff", "ss", "sf", "fs"], ...] = ("tt", "ff", "ss")
    beol: tuple[Name, ...] = Field(
        ("nominal",),
        description="corners of the metal stack (`Cmax`, ...), `nominal` first: its cell is drawn and netlisted",
    )
    vdd: tuple[Supply, ...] | None = Field(None, description="default: the nominal supply of the device set")
    temperature: tuple[Ambient, ...] = (27.0,)
    factorial: bool = False

    @field_validator("corners", "beol", "vdd", "temperature")
    @classmethod
    def _distinct(cls, value: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        if value is None:
            return None
        if not value or len(set(value)) != len(value):
            raise ValueError("must hold at least one value and no value twice")
        return value

    @field_validator("beol")
    @classmethod
    def _nominal_metals_first(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value[0] != NOMINAL_METALS:
            raise ValueError("must begin with nominal; `technology.beol` chooses one corner for a whole run")
        return value


class CharacterizationSection(ConfigSection):
    """How much is simulated."""

    procedures: tuple[Annotated[Name, Field(json_schema_extra=listed(lambda: PROCEDURES))], ...] = Field(
        ("transfer", "mismatch", "adc_margin"), description="what is measured, beside what these require"
    )
    supply_resistance: Resistance = Field(
        10.0, ge=0, description="procedure supply: ohm in the row drivers' supply and ground, per group (assumption)"
    )
    patterns: Integer = Field(3, ge=1, le=64, description="drawn row, column and neighbour patterns per level")
    samples: Integer = Field(
        60, ge=30, le=100_000, description="Monte-Carlo samples per point at the nominal condition"
    )
    samples_elsewhere: Integer | None = Field(
        None, ge=10, le=100_000, description="the same at every other condition; default: a third"
    )
    worst_conditions: Integer = Field(
        0, ge=0, le=1000, description="so many conditions of the smallest margin get `worst_samples` in a second stage"
    )
    worst_samples: Integer = Field(100, ge=30, le=100_000, description="Monte-Carlo samples per point there, at least")
    worst_pattern: Literal["nominal", "all"] = Field(
        "nominal", description="procedure worst_pattern: the conditions at which it searches"
    )
    spread_patterns: Integer = Field(
        100_000, ge=1000, le=10_000_000, description="procedure pattern_spread: patterns per condition and place"
    )
    max_levels: Integer = Field(7, ge=5, le=65, description="counts simulated per number of active rows")
    sampling: Literal["corrected", "full"] = Field(
        "corrected",
        description="reads in ngspice: `full`, all of them; `corrected`, as many as the correction of the exact linear "
        "network needs, which computes the others",
    )
    sampling_error: float = Field(
        0.02,
        gt=0,
        le=0.5,
        description="of corrected sampling: standard error of levels and of mismatch sigmas over the largest sigma",
    )
    seed: Integer = Field(1, ge=0, lt=2**63)
    timeout: Time = Field(120.0, gt=0, description="for one simulation")

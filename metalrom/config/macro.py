"""The configuration's block of which conversions of a product are made."""

from __future__ import annotations

from pydantic import Field, model_validator

from metalrom.config.base import ConfigSection, Integer
from metalrom.config.units import Decibel


class PartialProductsSection(ConfigSection):
    """Partial products of an input plane and a weight column that are not converted; their mean is added digitally."""

    csnr: Decibel | None = Field(
        None, gt=0, description="drop as many as keep this CSNR against the exact product on the layer's own data"
    )
    below: Integer | None = Field(None, ge=0, le=32, description="drop those that weigh less than 2^below")

    @model_validator(mode="after")
    def _one_of_both(self) -> PartialProductsSection:
        if (self.csnr is None) == (self.below is None):
            raise ValueError("needs either `csnr` or `below`")
        return self


class MacroSection(ConfigSection):
    """Which conversions of a product are made, and among how many counts."""

    skip_idle: bool = Field(False, description="no conversion of a group in which no row is driven; its counts are 0")
    popcount_range: bool = Field(
        False, description="convert among the counts that the driven rows can give, by fewer decisions"
    )
    variable_time: bool = Field(
        False, description="the next read begins as soon as the last is done; else every read takes the longest's time"
    )
    skip_empty: bool = Field(
        False, description="no conversion of a column that stores nothing but zeros in a group; its count is known"
    )
    scale_bits: Integer = Field(
        0, ge=0, le=32, description="bits of an output's scale, multiplied in the macro (0: outside, not costed)"
    )
    scale_multipliers: Integer = Field(1, ge=1, le=65536, description="multipliers of scales of a tile")
    partial_products: PartialProductsSection | None = Field(None, description="drop those of low significance")

    @model_validator(mode="after")
    def _time_that_varies(self) -> MacroSection:
        if self.variable_time and not (self.skip_idle or self.popcount_range):
            raise ValueError("`variable_time` needs skip_idle or popcount_range: all reads take the same time")
        return self

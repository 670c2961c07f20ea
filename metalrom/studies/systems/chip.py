"""A chip or macro that a buyer decides about: what its authors state of it, each value with its status and source.

Nothing is filled in: what a source does not tell is absent, and a table shows a dash for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from interconnect.errors import InputError
from interconnect.registry import Registry
from interconnect.validation import validate
from interconnect.yamlfile import read_yaml
from metalrom.studies.systems.description import Frozen, SourcedNumber, shipped

Evidence = Literal["product", "fabricated", "post-layout", "synthesis", "simulation", "estimate"]
"""What the figures rest on, from silicon down to a calculation."""

Scope = Literal["macro", "chip", "unknown"]
"""What `density` counts the area of: a macro with its periphery, or the whole chip with buffers and caches."""


class StatedModel(Frozen):
    """The network that rates and energies are stated for. active: weights that a token uses, `bits` of each."""

    name: str
    active: SourcedNumber
    bits: SourcedNumber


class ChipSystem(Frozen):
    """What is stated of a system.

    evidence: see `Evidence`. node: nm. weight_bits: bits of a weight in the unit of the densities; ternary_bits: those
    that a weight of -1, 0 or 1 takes. cell_density, density: Mb/mm2 at `node`, cells alone and with periphery. area: of
    all its silicon, mm2. efficiency: TOPS/W at `input_bits` and its own weights. rate (tokens/s), tokens_per_joule: of
    `model`. masks: that a new model changes, of each of its `chips`; mask_set: masks of a chip. nre: M$.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")
    title: str = Field(min_length=3, max_length=60)
    work: str
    evidence: Evidence
    scope: Scope
    node: SourcedNumber | None = None
    weight_bits: SourcedNumber | None = None
    ternary_bits: SourcedNumber
    cell_density: SourcedNumber | None = None
    density: SourcedNumber | None = None
    area: SourcedNumber | None = None
    efficiency: SourcedNumber | None = None
    input_bits: SourcedNumber | None = None
    model: StatedModel | None = None
    rate: SourcedNumber | None = None
    tokens_per_joule: SourcedNumber | None = None
    masks: SourcedNumber | None = None
    mask_set: SourcedNumber | None = None
    chips: SourcedNumber | None = None
    nre: SourcedNumber | None = None

    @model_validator(mode="after")
    def _complete(self) -> ChipSystem:
        for name, unit in _UNITS.items():
            fact: SourcedNumber | None = getattr(self, name)
            if fact is None:
                continue
            if fact.unit != unit:
                raise InputError(f"has the unit {fact.unit!r}", where=name, hint=f"expected {unit}")
            if not fact.low > 0 and name != "masks":
                raise InputError("has a low end of 0", where=name, hint="expected more than 0")
        if self.model is None and (self.rate or self.tokens_per_joule):
            raise InputError("is missing, though a rate or an energy is stated", where="model", hint="name the network")
        return self


_UNITS = {
    "node": "nm",
    "weight_bits": "bit",
    "ternary_bits": "bit",
    "cell_density": "Mb/mm2",
    "density": "Mb/mm2",
    "area": "mm2",
    "efficiency": "TOPS/W",
    "input_bits": "bit",
    "rate": "token/s",
    "tokens_per_joule": "token/J",
    "masks": "1",
    "mask_set": "1",
    "chips": "1",
    "nre": "M$",
}


def read_chip(path: Path) -> ChipSystem:
    """A system from a YAML file of the form of the shipped ones. Raises InputError with the key that is wrong."""
    data, _ = read_yaml(path)
    return validate(ChipSystem, data, where=str(path))


CHIPS: Registry[ChipSystem] = Registry(
    "chip",
    group="metalrom.chips",
    built_in=shipped(read_chip, "chips"),
)
"""Every `<position>_<name>.yaml` of `data/chips`, and what plugins and packages add."""

"""The schema of a metal stack's YAML file: its entries, and the unit of every number."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from interconnect.provenance import Status
from interconnect.scaling import PARAMETERS

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,31}\z")]

METAL_UNITS = {
    "bottom": "m",
    "thickness": "m",
    "min_width": "m",
    "min_space": "m",
    "sheet_resistance": "ohm/sq",
    "tcr": "1/K",
}
VIA_UNITS = {"size": "m", "space": "m", "resistance": "ohm", "tcr": "1/K"}
METAL_RULE_UNITS = {"min_area": "m^2"}
ENCLOSURE_UNITS = {f"{what}_{side}": "m" for side in ("below", "above") for what in ("enclosure", "end_enclosure")}
"""Rules that a stack may leave out."""
CORNER_UNITS = dict.fromkeys(PARAMETERS, "1")
SPREAD_UNITS = {
    **dict.fromkeys(PARAMETERS, "1"),
    "edge_sigma": "m",
    "edge_correlation": "m",
    "capacitor_area": "m",
}
DIELECTRIC_UNITS = {"bottom": "m", "top": "m", "k": "1"}
SIGNED = {"tcr"}
ZERO_ALLOWED = {"bottom", "tcr", *ENCLOSURE_UNITS}
NOMINAL = "nominal"
"""The corner that every stack has: all factors 1."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceEntry(_Strict):
    """A named source of numbers, with their status."""

    status: Status
    citation: Annotated[str, Field(min_length=1)]


class SourcedEntry(_Strict):
    """A value (checked by `parse_quantity`), with its own source (a key of `sources`) if it has one."""

    value: Any
    source: str | None = None


def _as_sourced(item: object) -> object:
    return item if isinstance(item, dict) else {"value": item}


Entry = Annotated[SourcedEntry, BeforeValidator(_as_sourced)]


class MetalEntry(_Strict):
    """A metal; a plain value takes the layer's `source`."""

    name: Name
    source: str
    bottom: Entry
    thickness: Entry
    min_width: Entry
    min_space: Entry
    sheet_resistance: Entry
    tcr: Entry
    min_area: Entry | None = None


class ViaEntry(_Strict):
    """A via layer between two metals. enclosure: by how much a metal reaches beyond a cut on every side, end_enclosure:
    on two opposite sides (the same as on every side by default).
    """

    name: Name
    source: str
    below: str
    above: str
    size: Entry
    space: Entry
    resistance: Entry
    tcr: Entry
    enclosure_below: Entry | None = None
    end_enclosure_below: Entry | None = None
    enclosure_above: Entry | None = None
    end_enclosure_above: Entry | None = None


class DielectricEntry(_Strict):
    """A horizontal dielectric layer."""

    name: Name
    source: str
    bottom: Entry
    top: Entry
    k: Entry


class StackCornerEntry(_Strict):
    """A process corner: factors on the nominal stack."""

    name: Name
    source: str
    width: Entry = SourcedEntry(value=1.0)
    thickness: Entry = SourcedEntry(value=1.0)
    ild: Entry = SourcedEntry(value=1.0)
    k: Entry = SourcedEntry(value=1.0)
    via_resistance: Entry = SourcedEntry(value=1.0)


class SpreadEntry(_Strict):
    """Statistical variation, one standard deviation each."""

    source: str
    width: Entry
    thickness: Entry
    ild: Entry
    k: Entry
    via_resistance: Entry
    edge_sigma: Entry
    edge_correlation: Entry
    capacitor_area: Entry


class StackFile(_Strict):
    """A whole stack file; `reference_temperature` (degC) is where resistances hold; `node`: process generation, m;
    `grid`: that drawn coordinates lie on, m.
    """

    name: Name
    title: Annotated[str, Field(min_length=1)]
    status: Status
    node: Any = None
    grid: Any = None
    reference_temperature: Any
    sources: dict[str, SourceEntry]
    metals: Annotated[list[MetalEntry], Field(min_length=1)]
    vias: list[ViaEntry] = []
    dielectrics: Annotated[list[DielectricEntry], Field(min_length=1)]
    corners: list[StackCornerEntry] = []
    spread: SpreadEntry | None = None
    notes: list[str] = []

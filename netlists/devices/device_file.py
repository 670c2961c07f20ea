"""The shape of a device set's YAML file, checked by pydantic; `device_set.py` turns it into a `DeviceSet`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from interconnect.provenance import Status


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Sourced(_Strict):
    status: Status
    source: str = Field(min_length=1)


class Models(_Strict):
    """Names of the two models as decks call them."""

    nmos: str
    pmos: str


class Geometry(_Sourced):
    """Allowed gate lengths and widths and the length of a contacted source or drain, m."""

    l_min: FiniteFloat = Field(gt=0)
    l_max: FiniteFloat = Field(gt=0)
    w_min: FiniteFloat = Field(gt=0)
    w_max: FiniteFloat = Field(gt=0)
    diffusion_length: FiniteFloat = Field(gt=0)


class Matching(_Sourced):
    """Pelgrom coefficients of the threshold, V m (of a pair's difference)."""

    avt_n: FiniteFloat = Field(ge=0)
    avt_p: FiniteFloat = Field(ge=0)


class Group(_Sourced):
    """Parameters that share a source; the values are checked by `ModelCard`."""

    common: dict[str, Any] = Field(default_factory=dict)
    nmos: dict[str, Any] = Field(default_factory=dict)
    pmos: dict[str, Any] = Field(default_factory=dict)


class CornerEntry(_Strict):
    """Per type: differences from the typical card, or the name of another corner whose card is taken."""

    nmos: dict[str, FiniteFloat] | str = Field(default_factory=dict)
    pmos: dict[str, FiniteFloat] | str = Field(default_factory=dict)


class Corners(_Sourced):
    """Corner name -> entry; `tt` must be there and is the typical card itself."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, CornerEntry] = Field(init=False)


class MixedCorner(_Strict):
    """A corner made of two others' cards."""

    nmos: str
    pmos: str


class CardFiles(_Sourced):
    """Corner name -> SPICE file with `.model` cards (relative to the YAML file), or a mix of two other corners."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, str | MixedCorner] = Field(init=False)


class CornerTargets(_Strict):
    """What the bench should read: ion A/m, vth V, FO4 delays s."""

    ion_n: FiniteFloat
    ion_p: FiniteFloat
    vth_n: FiniteFloat
    vth_p: FiniteFloat
    fo4_fall: FiniteFloat
    fo4_rise: FiniteFloat


class Targets(_Sourced):
    """Corner name -> targets."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, CornerTargets] = Field(init=False)


class DeviceFile(_Strict):
    """A whole device-set file: either `parameters` and `corners` (own cards) or `card_files` (cards of a kit)."""

    name: str
    title: str
    vdd: FiniteFloat = Field(gt=0, le=20)
    models: Models
    geometry: Geometry
    matching: Matching
    targets: Targets | None = None
    parameters: dict[str, Group] | None = None
    corners: Corners | None = None
    card_files: CardFiles | None = None
    notes: tuple[str, ...] = ()

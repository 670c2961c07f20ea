"""The part of a device set's YAML file that describes a kit's own library: its files, and how decks call its devices.

Nothing of it is SPICE text: names, numbers and paths only, so that no line can come into a deck from here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from interconnect.errors import InputError
from interconnect.provenance import Provenance, Status
from interconnect.suggestion import suggest
from netlists.devices.model_card import check_name

OPTIONS = ("scale", "tnom", "defad", "defas", "defl", "defw")
"""Simulator options that a library may need to be set; everything else belongs to the test bench."""
UNITS = {"m": 1.0, "um": 1e-6, "nm": 1e-9}
"""Unit of sizes on an instance -> metres."""
SIZES = ("w", "l", "ad", "as", "pd", "ps", "m")
"""What may be passed to an instance, by our names; w and l must be."""


def _name(text: str) -> str:
    return check_name(text, where="")


def _option(text: str) -> str:
    if text not in OPTIONS:
        raise InputError(f"option {text!r} may not be set by a library", hint=suggest(text, OPTIONS))
    return text


def _size(text: str) -> str:
    if text not in SIZES:
        raise InputError(f"{text!r} is not a size", hint=suggest(text, SIZES))
    return text


Name = Annotated[str, AfterValidator(_name)]
"""A letter, then letters, digits, underscores."""


FilePath = Annotated[str, Field(min_length=1, max_length=4096)]
"""Relative to the YAML file; may begin with `$VARIABLE/`."""


class Strict(BaseModel):
    """A mapping whose keys are all known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SourcedMapping(Strict):
    """A mapping that says where its values come from."""

    status: Status
    source: str = Field(min_length=1)

    @property
    def provenance(self) -> Provenance:
        """Status and source as one value."""
        return Provenance(self.status, self.source)


class FileEntry(Strict):
    """A SPICE file of the kit.

    file: relative to the YAML file, `$PDK_ROOT/...` (or another environment variable), or `asset:NAME-VERSION/FILE` in
    the user's cache. section: of a `.lib` library;
    without it the whole file is included. sha256: what the file must hash to, if given.
    """

    file: str = Field(min_length=1)
    section: Name | None = None
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")


class MismatchSwitch(Strict):
    """How the kit's random mismatch is disabled (metalrom draws mismatch in Python): a parameter's value, or a file."""

    parameter: Name | None = None
    off: FiniteFloat = 0.0
    include: FileEntry | None = None

    @model_validator(mode="after")
    def _one(self) -> MismatchSwitch:
        if (self.parameter is None) == (self.include is None):
            raise InputError(
                "the mismatch switch must be given in exactly one way",
                hint="give `parameter` (and `off`), or `include`",
            )
        return self


class Library(SourcedMapping):
    """Files per corner, and what must stand before them."""

    corners: dict[Name, tuple[FileEntry, ...]] = Field(min_length=1)
    before: tuple[FileEntry, ...] = ()
    options: dict[Annotated[str, AfterValidator(_option)], FiniteFloat] = Field(default_factory=dict)
    parameters: dict[Name, FiniteFloat] = Field(default_factory=dict)
    mismatch: MismatchSwitch | None = None


class Call(Strict):
    """How a deck calls a transistor.

    style: M (`M... model`) or X (`X... subcircuit`). unit: of w, l, pd, ps (its square for ad, as). pins: order of the
    nodes. sizes: our name of a size -> the kit's; what is not listed is not passed. fixed: further parameters with
    constant values. shift: `delvto` (or another instance parameter of that meaning), or `source`: a voltage source in
    series with the gate, for devices without such a parameter.
    """

    style: Literal["M", "X"] = "M"
    unit: Literal["m", "um", "nm"] = "m"
    pins: tuple[Literal["d", "g", "s", "b"], ...] = ("d", "g", "s", "b")
    sizes: dict[Annotated[str, AfterValidator(_size)], Name] = Field(
        default_factory=lambda: {name: name for name in SIZES}
    )
    fixed: dict[Name, FiniteFloat] = Field(default_factory=dict)
    shift: Name | None = Field(None, description="default: delvto for M, source for X")

    @property
    def shift_parameter(self) -> str | None:
        """Instance parameter that shifts the threshold; None: a voltage source at the gate does."""
        shift = self.shift or ("delvto" if self.style == "M" else "source")
        return None if shift == "source" else shift

    @model_validator(mode="after")
    def _complete(self) -> Call:
        if sorted(self.pins) != ["b", "d", "g", "s"]:
            raise InputError(f"the pins are {', '.join(self.pins)}", where="pins", hint="give d, g, s and b once each")
        if self.style == "M" and self.pins != ("d", "g", "s", "b"):
            raise InputError("an M instance has its pins in the order d, g, s, b", where="pins")
        for needed in ("w", "l"):
            if needed not in self.sizes:
                raise InputError(f"{needed} is not passed", where="sizes", hint="w and l always are")
        lower = [name.lower() for name in (*self.sizes.values(), *self.fixed)]
        twice = next((name for name in lower if lower.count(name) > 1), None)
        if twice:
            raise InputError(f"the parameter {twice!r} is passed twice", where="sizes")
        return self


class Needs(Strict):
    """What the simulator must offer.

    features: what it is built with (bsimcmg: able to load it as an OSDI model). ngspice: least major version.
    ngbehavior: compatibility mode in which the library must be read. osdi: compiled models that ngspice loads before
    the deck; startup: a start-up file of the kit for ngspice. verilog_a: sources of the models, which VACASK's compiler
    makes its own from. simulator: which of the two runs the decks.
    """

    features: tuple[Literal["osdi", "klu", "xspice", "bsim4", "bsimcmg"], ...] = ()
    ngspice: int = Field(0, ge=0, le=999)
    ngbehavior: Literal["all", "hs", "hsa", "ps", "psa", "lt", "lta", "ki", "spe", "a", "va"] | None = None
    osdi: tuple[FilePath, ...] = ()
    startup: FilePath | None = None
    verilog_a: tuple[FilePath, ...] = ()
    simulator: Literal["ngspice", "vacask"] = "ngspice"

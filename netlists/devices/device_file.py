"""The shape of a device set's YAML file, checked by pydantic; `device_set.py` turns it into a `DeviceSet`."""

from typing import Any

from pydantic import ConfigDict, Field, FiniteFloat

from netlists.devices.kit_file import Call, FileEntry, Library, Needs, SourcedMapping, Strict


class Models(Strict):
    """Names of the two models or subcircuits as decks call them; `others`: further ones by a name of their own."""

    nmos: str
    pmos: str
    others: dict[str, str] = Field(default_factory=dict)


class Bin(Strict):
    """A rectangle of allowed sizes, m."""

    l_min: FiniteFloat = Field(gt=0)
    l_max: FiniteFloat = Field(gt=0)
    w_min: FiniteFloat = Field(gt=0)
    w_max: FiniteFloat = Field(gt=0)


class Geometry(Bin, SourcedMapping):
    """Allowed gate lengths and widths and the length of a contacted source or drain, m.

    default_length: of transistors whose length nobody gave (default: l_min). width_scale: what the default widths of
    the periphery are multiplied by (they are those of a 45 nm process). bins: a size must lie in one of them too.
    """

    diffusion_length: FiniteFloat = Field(gt=0)
    default_length: FiniteFloat | None = Field(None, gt=0)
    width_scale: FiniteFloat = Field(1.0, gt=0)
    bins: tuple[Bin, ...] = ()


class Matching(SourcedMapping):
    """Pelgrom coefficients of the threshold, V m (of a pair's difference)."""

    avt_n: FiniteFloat = Field(ge=0)
    avt_p: FiniteFloat = Field(ge=0)


class CellRows(SourcedMapping):
    """Rows of standard cells: contacted gate pitch and row height, m."""

    gate_pitch: FiniteFloat = Field(gt=0)
    row_height: FiniteFloat = Field(gt=0)


class MemoryStrips(SourcedMapping):
    """Strips outside of standard cells, m: see `netlists.devices.area.MemoryRules`."""

    gate_pitch: FiniteFloat = Field(gt=0)
    strip_end: FiniteFloat = Field(gt=0)
    across: FiniteFloat = Field(gt=0)


class TransistorLayout(Strict):
    """Area rules of the transistors by name."""

    standard_cell: CellRows
    memory: MemoryStrips | None = None


class Group(SourcedMapping):
    """Parameters that share a source; the values are checked by `ModelCard`."""

    common: dict[str, Any] = Field(default_factory=dict)
    nmos: dict[str, Any] = Field(default_factory=dict)
    pmos: dict[str, Any] = Field(default_factory=dict)


class DeviceCornerEntry(Strict):
    """Per type: differences from the typical card, or the name of another corner whose card is taken."""

    nmos: dict[str, FiniteFloat] | str = Field(default_factory=dict)
    pmos: dict[str, FiniteFloat] | str = Field(default_factory=dict)


class Corners(SourcedMapping):
    """Corner name -> entry; `tt` must be there and is the typical card itself."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, DeviceCornerEntry] = Field(init=False)


class MixedCorner(Strict):
    """A corner made of two others' cards."""

    nmos: str
    pmos: str


class CardFiles(SourcedMapping):
    """Corner name -> SPICE file with `.model` cards (path, or path and hash), or a mix of two other corners."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, str | FileEntry | MixedCorner] = Field(init=False)


class CornerTargets(Strict):
    """What the bench should read: ion A/m, vth V, FO4 delays s."""

    ion_n: FiniteFloat
    ion_p: FiniteFloat
    vth_n: FiniteFloat
    vth_p: FiniteFloat
    fo4_fall: FiniteFloat
    fo4_rise: FiniteFloat


class Targets(SourcedMapping):
    """Corner name -> targets."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, CornerTargets] = Field(init=False)


class DeviceFile(Strict):
    """A whole device-set file. Models come in one of three ways: `parameters` and `corners` (own cards), `card_files`
    (cards of a kit, read and printed again), or `library` (files of a kit that decks include)."""

    name: str
    title: str
    vdd: FiniteFloat = Field(gt=0, le=20)
    node: FiniteFloat | None = Field(None, gt=0)
    models: Models
    geometry: Geometry
    matching: Matching
    layout: TransistorLayout | None = None
    targets: Targets | None = None
    parameters: dict[str, Group] | None = None
    corners: Corners | None = None
    card_files: CardFiles | None = None
    library: Library | None = None
    call: Call = Call()
    needs: Needs = Needs()
    notes: tuple[str, ...] = ()

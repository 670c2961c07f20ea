"""The YAML form of a metal stack: schema, units and consistency, turned into a `Stack`."""

import hashlib
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from interconnect.errors import InputError
from interconnect.geometry import Slab
from interconnect.provenance import Provenance, Status
from interconnect.quantity import parse_quantity
from interconnect.scaling import PARAMETERS, Corner, Scaling, Spread
from interconnect.stack import Dielectric, Enclosure, Metal, Stack, ViaLayer
from interconnect.suggestion import suggest
from interconnect.validation import validate
from interconnect.yamlfile import read_yaml

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


def parse_stack(data: Mapping[str, Any], label: str, sha256: str) -> Stack:
    """The stack of a file's content. label: its name in messages; sha256: its digest.

    Raises InputError for an unknown key, a wrong unit, an unknown source or overlapping layers, with `label` and key
    path.
    """
    file = validate(StackFile, data, where=label)
    metals = tuple(_metal(entry, file, f"{label}: metals[{i}]") for i, entry in enumerate(file.metals))
    _check_unique([m.name for m in metals] + [v.name for v in file.vias], label)
    for i, (lower, upper) in enumerate(pairwise(metals), start=1):
        if upper.bottom <= lower.top:
            raise InputError(
                f"{upper.name} begins at {upper.bottom:g} m but {lower.name} below it ends at {lower.top:g} m",
                where=f"{label}: metals[{i}].bottom",
                hint="list the metals upwards, with dielectric between them",
            )
    vias = tuple(_via(entry, metals, file, f"{label}: vias[{i}]") for i, entry in enumerate(file.vias))
    dielectrics = tuple(_dielectric(e, file, f"{label}: dielectrics[{i}]") for i, e in enumerate(file.dielectrics))
    _check_filled(metals, dielectrics, label)
    return Stack(
        name=file.name,
        title=file.title,
        status=file.status,
        metals=metals,
        vias=vias,
        dielectrics=dielectrics,
        reference_temperature=parse_quantity(
            file.reference_temperature, "degC", where=f"{label}: reference_temperature"
        ),
        notes=tuple(file.notes),
        sha256=sha256,
        corners=_corners(file, label),
        spread=_spread(file, label),
        node=_length(file.node, f"{label}: node"),
        grid=_length(file.grid, f"{label}: grid"),
    )


def _values(
    entry: MetalEntry | ViaEntry | DielectricEntry | StackCornerEntry | SpreadEntry,
    units: Mapping[str, str],
    file: StackFile,
    where: str,
) -> tuple[dict[str, float], dict[str, Provenance]]:
    """The entry's numbers in SI units, and where each comes from; those that it leaves out are missing."""
    numbers: dict[str, float] = {}
    origins: dict[str, Provenance] = {}
    for field, unit in units.items():
        item: SourcedEntry | None = getattr(entry, field)
        if item is None:
            continue
        value, source = item.value, item.source or entry.source
        if source not in file.sources:
            raise InputError(f"source {source!r} is not in the file's list of sources", where=f"{where}.{field}")
        number = parse_quantity(value, unit, where=f"{where}.{field}", plain_si=True)
        if field not in SIGNED and (number < 0 or (number == 0 and field not in ZERO_ALLOWED)):
            raise InputError(f"must be positive, got {value}", where=f"{where}.{field}")
        numbers[field] = number
        origins[field] = Provenance(file.sources[source].status, file.sources[source].citation)
    return numbers, origins


def _metal(entry: MetalEntry, file: StackFile, where: str) -> Metal:
    numbers, origins = _values(entry, METAL_UNITS | METAL_RULE_UNITS, file, where)
    return Metal(name=entry.name, provenance=origins, **numbers)


def _via(entry: ViaEntry, metals: tuple[Metal, ...], file: StackFile, where: str) -> ViaLayer:
    numbers, origins = _values(entry, VIA_UNITS, file, where)
    rules, rule_origins = _values(entry, ENCLOSURE_UNITS, file, where)
    position = {metal.name: i for i, metal in enumerate(metals)}
    for key in ("below", "above"):
        if (name := getattr(entry, key)) not in position:
            raise InputError(f"there is no metal {name!r}", where=f"{where}.{key}")
    low, high = position[entry.below], position[entry.above]
    if high != low + 1:
        raise InputError(f"{entry.below} and {entry.above} are not neighbours", where=f"{where}.above")
    return ViaLayer(
        name=entry.name,
        below=entry.below,
        above=entry.above,
        height=metals[high].bottom - metals[low].top,
        provenance=origins | rule_origins,
        enclosed_below=_enclosure(rules, "below", where),
        enclosed_above=_enclosure(rules, "above", where),
        **numbers,
    )


def _enclosure(rules: Mapping[str, float], side: str, where: str) -> Enclosure | None:
    sides = rules.get(f"enclosure_{side}")
    ends = rules.get(f"end_enclosure_{side}", sides)
    if sides is None or ends is None:
        if ends is not None:
            raise InputError("give the enclosure on every side, too", where=f"{where}.enclosure_{side}", hint="0 nm")
        return None
    if ends < sides:
        raise InputError(
            f"two opposite sides cannot ask for less than every side, {sides:g} m",
            where=f"{where}.end_enclosure_{side}",
        )
    return Enclosure(sides, ends)


def _length(value: Any, where: str) -> float | None:
    if value is None:
        return None
    length = parse_quantity(value, "m", where=where)
    if length <= 0:
        raise InputError(f"must be positive, got {value}", where=where)
    return length


def _corners(file: StackFile, label: str) -> tuple[Corner, ...]:
    corners = []
    for i, entry in enumerate(file.corners):
        where = f"{label}: corners[{i}]"
        numbers, _ = _values(entry, CORNER_UNITS, file, where)
        if entry.source not in file.sources:
            raise InputError(f"source {entry.source!r} is not in the file's list of sources", where=f"{where}.source")
        source = file.sources[entry.source]
        corners.append(Corner(entry.name, Scaling(**numbers), Provenance(source.status, source.citation)))
    _check_unique([NOMINAL, *(corner.name for corner in corners)], label)
    return tuple(corners)


def _spread(file: StackFile, label: str) -> Spread | None:
    if file.spread is None:
        return None
    numbers, origins = _values(file.spread, SPREAD_UNITS, file, f"{label}: spread")
    return Spread(provenance=origins, **numbers)


def _dielectric(entry: DielectricEntry, file: StackFile, where: str) -> Dielectric:
    numbers, origins = _values(entry, DIELECTRIC_UNITS, file, where)
    if numbers["top"] <= numbers["bottom"]:
        raise InputError("ends below its bottom", where=f"{where}.top")
    if numbers["k"] < 1:
        raise InputError(f"a relative permittivity is at least 1, got {numbers['k']:g}", where=f"{where}.k")
    return Dielectric(entry.name, Slab(numbers["bottom"], numbers["top"], numbers["k"]), origins)


def _check_unique(names: list[str], label: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"the layer name {twice[0]!r} is used twice", where=label)


def _check_filled(metals: tuple[Metal, ...], dielectrics: tuple[Dielectric, ...], label: str) -> None:
    """Dielectrics must be in order, without gaps, and enclose every metal."""
    for i, (lower, upper) in enumerate(pairwise(dielectrics), start=1):
        if abs(upper.slab.bottom - lower.slab.top) > 1e-13:
            raise InputError(
                f"{upper.name} must begin where {lower.name} ends ({lower.slab.top:g} m)",
                where=f"{label}: dielectrics[{i}].bottom",
            )
    if dielectrics[0].slab.bottom > 0 or dielectrics[-1].slab.top < metals[-1].top:
        raise InputError("the dielectrics must reach from 0 to above the top metal", where=f"{label}: dielectrics")


BUILT_IN = Path(__file__).parent / "stacks"


def built_in_stacks() -> tuple[str, ...]:
    """Names of the stacks that come with the project."""
    return tuple(sorted(path.stem for path in BUILT_IN.glob("*.yaml")))


def load_stack(name_or_path: str | Path) -> Stack:
    """Load a stack.

    Parameters
    ----------
    name_or_path : str or Path
        Name of a built-in stack, or a YAML file.

    Returns
    -------
    Stack
        The validated stack.

    Raises
    ------
    InputError
        For an unknown name, an unreadable file, an unknown key, a wrong unit or inconsistent layers, with file and key
        path.

    Examples
    --------
    >>> from interconnect import load_stack
    >>> load_stack("freepdk45").metals[0].name
    'metal1'
    """
    text = str(name_or_path)
    is_path = isinstance(name_or_path, Path) or "/" in text or text.endswith((".yaml", ".yml"))
    if not is_path and text not in built_in_stacks():
        raise InputError(
            f"there is no built-in stack {text!r}",
            hint=f"{suggest(text, built_in_stacks())} (or give the path of a .yaml file)",
        )
    path = Path(name_or_path) if is_path else BUILT_IN / f"{text}.yaml"

    data, raw = read_yaml(path)
    return parse_stack(data, str(path) if is_path else f"stack {text}", hashlib.sha256(raw).hexdigest())

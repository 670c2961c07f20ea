"""The YAML form of a metal stack: schema, units and consistency, turned into a `Stack`."""

import hashlib
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from interconnect.errors import InputError
from interconnect.geometry import Slab
from interconnect.provenance import Provenance
from interconnect.quantity import parse_quantity
from interconnect.scaling import Corner, Scaling, Spread
from interconnect.stack import Dielectric, Enclosure, Metal, Stack, ViaLayer
from interconnect.stack_schema import (
    CORNER_UNITS,
    DIELECTRIC_UNITS,
    ENCLOSURE_UNITS,
    METAL_RULE_UNITS,
    METAL_UNITS,
    NOMINAL,
    SIGNED,
    SPREAD_UNITS,
    VIA_UNITS,
    ZERO_ALLOWED,
    DielectricEntry,
    MetalEntry,
    SourcedEntry,
    SpreadEntry,
    StackCornerEntry,
    StackFile,
    ViaEntry,
)
from interconnect.suggestion import suggest
from interconnect.validation import input_errors
from interconnect.yamlfile import read_yaml


def examine_stack(data: Mapping[str, Any], label: str, sha256: str) -> tuple[Stack | None, tuple[InputError, ...]]:
    """The stack of a file's content, or None and every fault of it: unknown keys, wrong units, unknown sources,
    overlapping layers, each with its key path. label: the file's name in messages; sha256: its digest.
    """
    reader = _Reader(label)
    stack = reader.stack(data, sha256)
    return (None if reader.faults else stack), tuple(reader.faults)


_Part = TypeVar("_Part")
_LISTS = ("metals", "vias", "dielectrics", "corners")


class _Reader:
    """Reads a file to its end whatever is wrong with it; `faults`: in the order in which they were met."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.faults: list[InputError] = []
        self._places: dict[str, list[int]] = {}

    def stack(self, data: Mapping[str, Any], sha256: str) -> Stack | None:
        """The stack; not to be used where there are faults."""
        file = self._validated(data)
        if file is None:
            return None
        every = self._names(data, "metals")
        metals = self._list(file, "metals", lambda e, where: self._metal(e, file, where))
        dielectrics = self._list(file, "dielectrics", lambda e, where: self._dielectric(e, file, where))
        self._check_unique([*every, *self._names(data, "vias")])
        for (_, lower), (place, upper) in pairwise(metals):
            if upper.bottom <= lower.top:
                self._fault(
                    f"{upper.name} begins at {upper.bottom:g} m but {lower.name} below it ends at {lower.top:g} m",
                    f"metals[{place}].bottom",
                    "list the metals upwards, with dielectric between them",
                )
        known = {metal.name: metal for _, metal in metals}
        vias = self._list(file, "vias", lambda e, where: self._via(e, every, known, file, where))
        corners = self._list(file, "corners", lambda e, where: self._corner(e, file, where))
        self._check_unique([NOMINAL, *self._names(data, "corners")])
        self._check_filled(metals, dielectrics)
        temperature = self._number(file.reference_temperature, "degC", "reference_temperature")
        node, grid = self._length(file.node, "node"), self._length(file.grid, "grid")
        return Stack(
            name=file.name,
            title=file.title,
            status=file.status,
            metals=tuple(metal for _, metal in metals),
            vias=tuple(via for _, via in vias),
            dielectrics=tuple(dielectric for _, dielectric in dielectrics),
            reference_temperature=temperature or 0.0,
            notes=tuple(file.notes),
            sha256=sha256,
            corners=tuple(corner for _, corner in corners),
            spread=self._spread(file),
            node=node,
            grid=grid,
        )

    def _fault(self, what: str, place: str, hint: str | None = None) -> None:
        self.faults.append(InputError(what, where=": ".join(filter(None, (self.label, place))), hint=hint))

    def _validated(self, data: Mapping[str, Any]) -> StackFile | None:
        """The file; without the keys and layers that are wrong where it is one without them, else None."""
        try:
            return StackFile.model_validate(data)
        except ValidationError as error:
            self.faults += input_errors(error, where=self.label, model=StackFile)
            wrong = [item["loc"] for item in error.errors(include_url=False)]
        layers = {loc[:2] for loc in wrong if len(loc) > 1 and loc[0] in _LISTS}
        others = {loc[0] for loc in wrong if loc[:2] not in layers}
        rest = {key: value for key, value in data.items() if key not in others}
        for name in _LISTS:
            items = rest.get(name)
            if isinstance(items, list):
                self._places[name] = [i for i in range(len(items)) if (name, i) not in layers]
                rest[name] = [items[i] for i in self._places[name]]
        try:
            return StackFile.model_validate(rest)
        except ValidationError:
            return None

    def _names(self, data: Mapping[str, Any], name: str) -> list[str]:
        """Names of all layers of a list, those with faults too."""
        items = data.get(name)
        entries = items if isinstance(items, list) else []
        return [str(entry["name"]) for entry in entries if isinstance(entry, dict) and "name" in entry]

    def _list(self, file: StackFile, name: str, make: Callable[[Any, str], _Part | None]) -> list[tuple[int, _Part]]:
        """What is made of the entries of a list, with their places in the file; those with faults are left out."""
        entries = getattr(file, name)
        places = self._places.get(name, range(len(entries)))
        made = [(i, make(e, f"{name}[{i}]")) for i, e in zip(places, entries, strict=True)]
        return [(i, part) for i, part in made if part is not None]

    def _number(self, value: object, unit: str, place: str) -> float | None:
        try:
            return parse_quantity(value, unit, where=f"{self.label}: {place}", plain_si=unit != "degC")
        except InputError as error:
            self.faults.append(error)
            return None

    def _length(self, value: object, place: str) -> float | None:
        length = None if value is None else self._number(value, "m", place)
        if length is not None and length <= 0:
            self._fault(f"must be positive, got {value}", place)
            return None
        return length

    def _values(
        self,
        entry: MetalEntry | ViaEntry | DielectricEntry | StackCornerEntry | SpreadEntry,
        units: Mapping[str, str],
        file: StackFile,
        place: str,
    ) -> tuple[dict[str, float], dict[str, Provenance]] | None:
        """The entry's numbers in SI units, and where each comes from; None where one is wrong. Rules that it leaves out
        are missing.
        """
        numbers: dict[str, float] = {}
        origins: dict[str, Provenance] = {}
        left_out = 0
        for field, unit in units.items():
            item: SourcedEntry | None = getattr(entry, field)
            if item is None:
                left_out += 1
                continue
            value, source = item.value, item.source or entry.source
            if source not in file.sources:
                self._fault(f"source {source!r} is not in the file's list of sources", f"{place}.{field}")
            else:
                origins[field] = Provenance(file.sources[source].status, file.sources[source].citation)
            number = self._number(value, unit, f"{place}.{field}")
            if number is None:
                continue
            if field not in SIGNED and (number < 0 or (number == 0 and field not in ZERO_ALLOWED)):
                self._fault(f"must be positive, got {value}", f"{place}.{field}")
                continue
            numbers[field] = number
        return (numbers, origins) if len(numbers) == len(origins) == len(units) - left_out else None

    def _metal(self, entry: MetalEntry, file: StackFile, place: str) -> Metal | None:
        found = self._values(entry, METAL_UNITS | METAL_RULE_UNITS, file, place)
        return found and Metal(name=entry.name, provenance=found[1], **found[0])

    def _via(
        self, entry: ViaEntry, every: list[str], known: Mapping[str, Metal], file: StackFile, place: str
    ) -> ViaLayer | None:
        found = self._values(entry, VIA_UNITS, file, place)
        rules = self._values(entry, ENCLOSURE_UNITS, file, place)
        missing = [key for key in ("below", "above") if getattr(entry, key) not in every]
        for key in missing:
            self._fault(f"there is no metal {getattr(entry, key)!r}", f"{place}.{key}")
        if missing:
            return None
        if every.index(entry.above) != every.index(entry.below) + 1:
            self._fault(f"{entry.below} and {entry.above} are not neighbours", f"{place}.above")
            return None
        if found is None or rules is None or entry.below not in known or entry.above not in known:
            return None
        return ViaLayer(
            name=entry.name,
            below=entry.below,
            above=entry.above,
            height=known[entry.above].bottom - known[entry.below].top,
            provenance=found[1] | rules[1],
            enclosed_below=self._enclosure(rules[0], "below", place),
            enclosed_above=self._enclosure(rules[0], "above", place),
            **found[0],
        )

    def _enclosure(self, rules: Mapping[str, float], side: str, place: str) -> Enclosure | None:
        sides = rules.get(f"enclosure_{side}")
        ends = rules.get(f"end_enclosure_{side}", sides)
        if sides is None or ends is None:
            if ends is not None:
                self._fault("give the enclosure on every side, too", f"{place}.enclosure_{side}", "0 nm")
            return None
        if ends < sides:
            what = f"two opposite sides cannot ask for less than every side, {sides:g} m"
            self._fault(what, f"{place}.end_enclosure_{side}")
        return Enclosure(sides, ends)

    def _corner(self, entry: StackCornerEntry, file: StackFile, place: str) -> Corner | None:
        found = self._values(entry, CORNER_UNITS, file, place)
        if found is None:
            return None
        if entry.source not in file.sources:
            self._fault(f"source {entry.source!r} is not in the file's list of sources", f"{place}.source")
            return None
        source = file.sources[entry.source]
        return Corner(entry.name, Scaling(**found[0]), Provenance(source.status, source.citation))

    def _spread(self, file: StackFile) -> Spread | None:
        found = file.spread and self._values(file.spread, SPREAD_UNITS, file, "spread")
        return Spread(provenance=found[1], **found[0]) if found else None

    def _dielectric(self, entry: DielectricEntry, file: StackFile, place: str) -> Dielectric | None:
        found = self._values(entry, DIELECTRIC_UNITS, file, place)
        if found is None:
            return None
        numbers, origins = found
        if numbers["top"] <= numbers["bottom"]:
            self._fault("ends below its bottom", f"{place}.top")
            return None
        if numbers["k"] < 1:
            self._fault(f"a relative permittivity is at least 1, got {numbers['k']:g}", f"{place}.k")
            return None
        return Dielectric(entry.name, Slab(numbers["bottom"], numbers["top"], numbers["k"]), origins)

    def _check_unique(self, names: list[str]) -> None:
        for name in sorted({name for name in names if names.count(name) > 1}):
            self._fault(f"the layer name {name!r} is used twice", "")

    def _check_filled(self, metals: list[tuple[int, Metal]], dielectrics: list[tuple[int, Dielectric]]) -> None:
        """Dielectrics must be in order, without gaps, and enclose every metal."""
        for (before, lower), (place, upper) in pairwise(dielectrics):
            if place == before + 1 and abs(upper.slab.bottom - lower.slab.top) > 1e-13:
                self._fault(
                    f"{upper.name} must begin where {lower.name} ends ({lower.slab.top:g} m)",
                    f"dielectrics[{place}].bottom",
                )
        if not (metals and dielectrics):
            return
        if dielectrics[0][1].slab.bottom > 0 or dielectrics[-1][1].slab.top < max(m.top for _, m in metals):
            self._fault("the dielectrics must reach from 0 to above the top metal", "dielectrics")


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
    stack, faults = find_stack(name_or_path)
    if stack is None:
        raise faults[0]
    return stack


def find_stack(name_or_path: str | Path) -> tuple[Stack | None, tuple[InputError, ...]]:
    """As `load_stack`, but of a file with faults None and all of them. Raises InputError for one that is not there."""
    text = str(name_or_path)
    is_path = isinstance(name_or_path, Path) or "/" in text or text.endswith((".yaml", ".yml"))
    if not is_path and text not in built_in_stacks():
        raise InputError(
            f"there is no built-in stack {text!r}",
            hint=f"{suggest(text, built_in_stacks())} (or give the path of a .yaml file)",
        )
    path = Path(name_or_path) if is_path else BUILT_IN / f"{text}.yaml"

    data, raw = read_yaml(path)
    return examine_stack(data, str(path) if is_path else f"stack {text}", hashlib.sha256(raw).hexdigest())

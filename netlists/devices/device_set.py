"""A set of transistors: models per corner, allowed sizes, mismatch, and where every value comes from."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from interconnect.errors import InputError
from interconnect.files import decode, read_bytes
from interconnect.provenance import Provenance, Value
from interconnect.suggestion import suggest
from interconnect.validation import validate
from interconnect.yamlfile import read_yaml
from netlists.devices.device_file import (
    CardFiles,
    CornerEntry,
    Corners,
    DeviceFile,
    Group,
    MixedCorner,
)
from netlists.devices.model_card import Kind, ModelCard, check_name, check_value, parse_model_cards

_HERE = Path(__file__).parent
_LARGEST_FILE = 16 * 2**20
"""Of model cards, bytes."""
_UNITS = {"ion_n": "A/m", "ion_p": "A/m", "vth_n": "V", "vth_p": "V", "fo4_fall": "s", "fo4_rise": "s"}


@dataclass(frozen=True, slots=True)
class Diffusion:
    """A contacted source or drain of a transistor: area m2 (`ad`, `as`) and full perimeter m (`pd`, `ps`)."""

    area: float
    perimeter: float


@dataclass(frozen=True, slots=True)
class DeviceSet:
    """Transistors of a technology.

    vdd: nominal supply, V. nmos, pmos: model names in a deck. Sizes in m. avt_n, avt_p: Pelgrom coefficient of the
    threshold of a matched pair's difference, V m. targets: corner -> quantity -> value (ion A/m, vth V, fo4 s).
    provenance: status and source by group of values. sha256: hash of the file and of every card file it names.
    """

    name: str
    title: str
    vdd: float
    nmos: str
    pmos: str
    l_min: float
    l_max: float
    w_min: float
    w_max: float
    diffusion_length: float
    avt_n: float
    avt_p: float
    corners: tuple[str, ...]
    targets: Mapping[str, Mapping[str, Value]]
    provenance: Mapping[str, Provenance]
    notes: tuple[str, ...]
    sha256: str
    _cards: Mapping[str, tuple[ModelCard, ModelCard]] = field(repr=False)

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence for every doubt a report must repeat; empty when all values are published or measured."""
        if all(p.status != "estimate" for p in self.provenance.values()):
            return ()
        return (f"{self.name}: transistor cards are estimates, not foundry data",)

    def card(self, corner: str, kind: Kind) -> ModelCard:
        """The model card of one type at a corner; raises InputError for a corner that the set does not have."""
        if corner not in self._cards:
            raise InputError(f"unknown corner {corner!r}", where=self.name, hint=suggest(corner, self.corners))
        nmos, pmos = self._cards[corner]
        return nmos if kind == "nmos" else pmos

    def cards(self, corner: str) -> str:
        """The `.model` text of both types to put into a deck; raises InputError for an unknown corner."""
        return self.card(corner, "nmos").render() + self.card(corner, "pmos").render()

    def check_size(self, w: float, l: float, *, where: str) -> None:  # noqa: E741 - the SPICE name
        """Raise InputError if width `w` or length `l` (m) lies outside of what the cards are meant for."""
        for label, value, low, high in (("width", w, self.w_min, self.w_max), ("length", l, self.l_min, self.l_max)):
            # A hair of room: sizes come from decimal text and sums.
            if not low * (1 - 1e-9) <= value <= high * (1 + 1e-9):
                hint = f"{self.name} allows {low:.4g} to {high:.4g} m"
                raise InputError(f"transistor {label} {value:.4g} m is outside the device set", where=where, hint=hint)

    def diffusion(self, w: float) -> Diffusion:
        """Source or drain of an unshared transistor of width `w` (m): a rectangle w by `diffusion_length`."""
        return Diffusion(w * self.diffusion_length, 2 * (w + self.diffusion_length))

    def sigma_vth(self, kind: Kind, w: float, l: float) -> float:  # noqa: E741 - the SPICE name
        """Standard deviation of one transistor's own threshold, V: avt / sqrt(2 W L).

        Pelgrom, Duinmaijer, Welbers, JSSC 1989: a pair's difference has avt / sqrt(W L), twice one device's variance.
        """
        return (self.avt_n if kind == "nmos" else self.avt_p) / math.sqrt(2 * w * l)


def built_in_devices() -> tuple[str, ...]:
    """Names that `load_devices` knows without a path."""
    return tuple(sorted(path.stem for path in _HERE.glob("*.yaml")))


def load_devices(name_or_path: str | Path) -> DeviceSet:
    """Load a built-in device set by name (`open45`) or a user's one by the path of its YAML file.

    Raises InputError for an unknown name, a missing or malformed file, an unknown key or parameter, or a value that
    cannot go into a deck.
    """
    text = str(name_or_path)
    if text in built_in_devices():
        path = _HERE / f"{text}.yaml"
    elif isinstance(name_or_path, Path) or text.endswith((".yaml", ".yml")):
        path = Path(name_or_path)
    else:
        hint = suggest(text, built_in_devices()) + " (or give the path of a .yaml file)"
        raise InputError(f"unknown device set {text!r}", hint=hint)
    data, raw = read_yaml(path)
    file = validate(DeviceFile, data, where=str(path))
    digest = hashlib.sha256(raw)
    check_name(file.name, where=f"{path}: name")
    names = [check_name(name, where=f"{path}: models").lower() for name in (file.models.nmos, file.models.pmos)]
    if names[0] == names[1]:
        raise InputError(
            "nmos and pmos have the same model name", where=f"{path}: models", hint="give each its own name"
        )
    for low, high in (("l_min", "l_max"), ("w_min", "w_max")):
        if getattr(file.geometry, low) > getattr(file.geometry, high):
            raise InputError(f"{low} is larger than {high}", where=f"{path}: geometry")
    provenance = {"geometry": _provenance(file.geometry), "matching": _provenance(file.matching)}
    if file.card_files is not None and file.parameters is None and file.corners is None:
        cards = _from_files(file.card_files, names, path, digest)
        provenance["cards"] = _provenance(file.card_files)
    elif file.card_files is None and file.parameters is not None and file.corners is not None:
        cards = _from_parameters(file.parameters, file.corners, names, path)
        provenance |= {group: _provenance(values) for group, values in file.parameters.items()}
        provenance["corners"] = _provenance(file.corners)
    else:
        raise InputError(
            "cards are not given in one way", where=str(path), hint="give parameters and corners, or card_files alone"
        )
    size = file.geometry
    return DeviceSet(
        name=file.name,
        title=" ".join(file.title.split()),
        vdd=file.vdd,
        nmos=names[0],
        pmos=names[1],
        l_min=size.l_min,
        l_max=size.l_max,
        w_min=size.w_min,
        w_max=size.w_max,
        diffusion_length=size.diffusion_length,
        avt_n=file.matching.avt_n,
        avt_p=file.matching.avt_p,
        corners=tuple(cards),
        targets=_targets(file, cards, path),
        provenance=MappingProxyType(provenance),
        notes=file.notes,
        sha256=digest.hexdigest(),
        _cards=MappingProxyType(cards),
    )


_Pair = tuple[ModelCard, ModelCard]


def _from_parameters(groups: Mapping[str, Group], corners: Corners, names: list[str], path: Path) -> dict[str, _Pair]:
    """Typical cards from the groups, then every corner from its differences or from other corners."""
    typical = (_merge(groups, "nmos", names[0], path), _merge(groups, "pmos", names[1], path))
    entries = corners.__pydantic_extra__
    if "tt" not in entries or entries["tt"] != CornerEntry():
        raise InputError(
            "corner tt must be there and empty", where=f"{path}: corners", hint="write tt: {}; it is the typical card"
        )

    def shifted(corner: str, side: int, *, named_by: str | None = None) -> ModelCard:
        where = f"{path}: corners.{named_by or corner}"
        if corner not in entries:
            raise InputError(f"unknown corner {corner!r}", where=where, hint=suggest(corner, entries))
        change = entries[corner].nmos if side == 0 else entries[corner].pmos
        if isinstance(change, str):
            if named_by:
                raise InputError(
                    f"corner {corner!r} is itself taken from another one",
                    where=where,
                    hint="name a corner with numbers",
                )
            return shifted(change, side, named_by=corner)
        return typical[side].shifted(change)

    return {
        check_name(corner, where=f"{path}: corners"): (shifted(corner, 0), shifted(corner, 1)) for corner in entries
    }


def _merge(groups: Mapping[str, Group], kind: Kind, name: str, path: Path) -> ModelCard:
    merged: dict[str, int | float] = {}
    for title, group in groups.items():
        for values in (group.common, group.nmos if kind == "nmos" else group.pmos):
            for key, value in values.items():
                where = f"{path}: parameters.{title}.{key}"
                if key in merged:
                    raise InputError(
                        f"parameter {key!r} is given twice for the {kind}", where=where, hint="keep one of them"
                    )
                merged[key] = check_value(value, where=where)
    return ModelCard(name, kind, merged)


def _from_files(files: CardFiles, names: list[str], path: Path, digest: hashlib._Hash) -> dict[str, _Pair]:
    """Cards of a kit: only name, type and plain numbers are taken from the files, never their text."""
    entries = files.__pydantic_extra__
    pairs: dict[str, _Pair] = {}
    for corner, entry in entries.items():
        check_name(corner, where=f"{path}: card_files")
        if isinstance(entry, str):
            file = path.parent / entry
            raw = read_bytes(file, limit=_LARGEST_FILE)
            digest.update(raw)
            found = parse_model_cards(decode(raw, where=str(file)), where=str(file))
            for name, kind in zip(names, ("nmos", "pmos"), strict=True):
                if name not in found or found[name].kind != kind:
                    of_kind = [other for other, card in found.items() if card.kind == kind]
                    raise InputError(f"no {kind} model {name!r}", where=str(file), hint=suggest(name, of_kind))
            pairs[corner] = (found[names[0]], found[names[1]])
    for corner, entry in entries.items():
        if isinstance(entry, MixedCorner):
            for other in (entry.nmos, entry.pmos):
                if not isinstance(entries.get(other), str):
                    raise InputError(f"{other!r} names no corner with a file", where=f"{path}: card_files.{corner}")
            pairs[corner] = (pairs[entry.nmos][0], pairs[entry.pmos][1])
    if not pairs:
        raise InputError("no corner is given", where=f"{path}: card_files", hint="write tt: FILE")
    return {corner: pairs[corner] for corner in entries}


def _targets(file: DeviceFile, corners: Mapping[str, _Pair], path: Path) -> Mapping[str, Mapping[str, Value]]:
    if file.targets is None:
        return MappingProxyType({})
    known = _provenance(file.targets)
    for corner in file.targets.__pydantic_extra__:
        if corner not in corners:
            raise InputError(f"unknown corner {corner!r}", where=f"{path}: targets", hint=suggest(corner, corners))
    return MappingProxyType(
        {
            corner: MappingProxyType({key: Value(getattr(values, key), unit, known) for key, unit in _UNITS.items()})
            for corner, values in file.targets.__pydantic_extra__.items()
        }
    )


def _provenance(values: object) -> Provenance:
    return Provenance(values.status, values.source)  # type: ignore[attr-defined]

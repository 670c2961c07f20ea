"""A set of transistors: models per corner, allowed sizes, mismatch, and where every value comes from."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from interconnect.errors import InputError, UnknownName
from interconnect.files import decode, read_bytes
from interconnect.provenance import Provenance, Value
from interconnect.suggestion import suggest
from interconnect.validation import validate
from interconnect.yamlfile import read_yaml
from netlists.devices.area import NOT_AVAILABLE, AreaRules, MemoryRules
from netlists.devices.device_file import (
    Bin,
    CardFiles,
    Corners,
    DeviceCornerEntry,
    DeviceFile,
    Group,
    MixedCorner,
)
from netlists.devices.kit import library_texts, simulation_options
from netlists.devices.kit_file import Call, FileEntry, Library, Needs
from netlists.devices.model_card import Kind, ModelCard, check_name, check_value, parse_model_cards
from netlists.devices.spice_library import check_pinned, locate

STANDARD_CELL = "standard_cell"
"""Name of the area rules that hold where none are asked for."""

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

    vdd: nominal supply, V. nmos, pmos: names of the models or subcircuits in a deck; others: further ones by role.
    Sizes in m; default_length: of transistors whose length nobody gave; width_scale: on the periphery's default widths.
    avt_n, avt_p: Pelgrom coefficient of the threshold of a matched pair's difference, V m. targets: corner -> quantity
    -> value (ion A/m, vth V, fo4 s). call: how an instance is written. needs: what the simulator must offer.
    provenance: status and source by group of values. sha256: hash of the file and of every file it names. included:
    library files that decks include by their paths, and the SHA-256 of each. area: rules of their layout area, None
    for a set without; layouts: all that the set has, by name. node: name of the process generation, m; None: unknown.
    job_options: options of every `Job` with these devices (compatibility mode, models to load, another simulator).
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
    _texts: Mapping[str, str] = field(repr=False, default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)
    default_length: float = 0.0
    width_scale: float = 1.0
    bins: tuple[Bin, ...] = ()
    call: Call = field(default_factory=Call)
    needs: Needs = field(default_factory=Needs)
    area: AreaRules | None = None
    layouts: Mapping[str, AreaRules] = field(default_factory=dict)
    node: float | None = None
    included: tuple[tuple[Path, str], ...] = field(default=(), repr=False, compare=False)
    job_options: tuple[tuple[str, str], ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence for every doubt a report must repeat; empty when all values are published or measured and there
        are area rules."""
        missing = () if self.area else (f"{self.name}: no area rules of transistors, {NOT_AVAILABLE}",)
        weak = sorted(group for group, p in self.provenance.items() if p.status == "estimate")
        if not weak:
            return missing
        if set(weak) <= {"geometry", "matching", "layout"}:
            return (f"{self.name}: {' and '.join(weak)} of the transistors are estimates", *missing)
        return (f"{self.name}: transistor cards are estimates, not foundry data", *missing)

    @property
    def from_library(self) -> bool:
        """Whether decks include a kit's own files (which only a try can prove to run)."""
        return bool(self._texts)

    def with_periphery_rules(self, name: str) -> DeviceSet:
        """The set with the area rules of that name. Raises UnknownName where it has none."""
        if name == STANDARD_CELL and self.area is None:
            return self  # refused where an area is asked for
        if name not in self.layouts:
            hint = suggest(name, self.layouts) if self.layouts else "add the block `layout` to the device set"
            raise UnknownName(f"the devices {self.name} have no area rules {name!r}", hint=hint)
        rules = self.layouts[name]
        return replace(self, area=rules, provenance=MappingProxyType({**self.provenance, "layout": rules.drawing}))

    def simulated_by(self, simulator: str) -> DeviceSet:
        """The set with its decks run by another simulator, whose models it must hold itself."""
        options = tuple(option for option in self.job_options if option[0] != "simulator")
        if simulator != "ngspice":
            options += (("simulator", simulator),)
        return replace(self, job_options=options)

    def check_corner(self, corner: str) -> None:
        """Raise InputError for a corner that the set does not have."""
        if corner not in self.corners:
            raise InputError(f"unknown corner {corner!r}", where=self.name, hint=suggest(corner, self.corners))

    def card(self, corner: str, kind: Kind) -> ModelCard:
        """The model card of one type at a corner; raises InputError for an unknown corner, or if the models are in
        the kit's own files."""
        self.check_corner(corner)
        if corner not in self._cards:
            raise InputError("its models are in the kit's files and cannot be read individually", where=self.name)
        nmos, pmos = self._cards[corner]
        return nmos if kind == "nmos" else pmos

    def cards(self, corner: str) -> str:
        """The lines that define the models in a deck, as cards or as includes; InputError for an unknown corner."""
        self.check_corner(corner)
        if corner in self._texts:
            return self._texts[corner]
        return self.card(corner, "nmos").render() + self.card(corner, "pmos").render()

    def check_size(self, w: float, l: float, *, where: str) -> None:  # noqa: E741 - the SPICE name
        """Raise InputError if width `w` or length `l` (m) lies outside of what the cards are meant for."""
        for label, value, low, high in (("width", w, self.w_min, self.w_max), ("length", l, self.l_min, self.l_max)):
            if not _within(value, low, high):
                hint = f"{self.name} allows {low:.4g} to {high:.4g} m"
                raise InputError(f"transistor {label} {value:.4g} m is outside the device set", where=where, hint=hint)
        if self.bins and not any(_within(w, b.w_min, b.w_max) and _within(l, b.l_min, b.l_max) for b in self.bins):
            raise InputError(
                f"no bin of {self.name} holds a transistor of {w:.4g} by {l:.4g} m",
                where=where,
                hint=f"it has {len(self.bins)} bins within {self.l_min:.4g} to {self.l_max:.4g} m of length",
            )

    def diffusion(self, w: float) -> Diffusion:
        """Source or drain of an unshared transistor of width `w` (m): a rectangle w by `diffusion_length`."""
        return Diffusion(w * self.diffusion_length, 2 * (w + self.diffusion_length))

    def sigma_vth(self, kind: Kind, w: float, l: float) -> float:  # noqa: E741 - the SPICE name
        """Standard deviation of one transistor's own threshold, V: avt / sqrt(2 W L).

        Pelgrom, Duinmaijer, Welbers, JSSC 1989: a pair's difference has avt / sqrt(W L), twice one device's variance.
        """
        return (self.avt_n if kind == "nmos" else self.avt_p) / math.sqrt(2 * w * l)


def _within(value: float, low: float, high: float) -> bool:
    # A hair of room: sizes come from decimal text and sums.
    return low * (1 - 1e-9) <= value <= high * (1 + 1e-9)


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
    for role, name in file.models.others.items():
        check_name(role, where=f"{path}: models.others")
        check_name(name, where=f"{path}: models.others.{role}")
        if role in ("n", "p"):
            raise InputError(f"{role!r} stands for the first NMOS or PMOS", where=f"{path}: models.others")
    names = [check_name(name, where=f"{path}: models").lower() for name in (file.models.nmos, file.models.pmos)]
    if names[0] == names[1]:
        raise InputError(
            "nmos and pmos have the same model name", where=f"{path}: models", hint="give each its own name"
        )
    for low, high in (("l_min", "l_max"), ("w_min", "w_max")):
        if getattr(file.geometry, low) > getattr(file.geometry, high):
            raise InputError(f"{low} is larger than {high}", where=f"{path}: geometry")
    size = file.geometry
    default_length = size.l_min if size.default_length is None else size.default_length
    if not _within(default_length, size.l_min, size.l_max):
        raise InputError("default_length is outside l_min to l_max", where=f"{path}: geometry")
    provenance = {"geometry": size.provenance, "matching": file.matching.provenance}
    layouts: dict[str, AreaRules] = {}
    if (rules := file.layout) is not None:
        rows, strips = rules.standard_cell, rules.memory
        provenance["layout"] = rows.provenance
        layouts[STANDARD_CELL] = AreaRules(file.name, rows.gate_pitch, rows.row_height, default_length, rows.provenance)
        if strips is not None:
            memory = MemoryRules(strips.gate_pitch, strips.strip_end, strips.across, strips.provenance)
            layouts["memory"] = replace(layouts[STANDARD_CELL], memory=memory)
    cards: dict[str, _Pair] = {}
    texts: dict[str, str] = {}
    included: tuple[tuple[Path, str], ...] = ()
    match (file.parameters, file.corners, file.card_files, file.library):
        case (None, None, CardFiles() as files, None):
            cards = _from_files(files, names, path, digest)
            provenance["cards"] = files.provenance
        case (dict() as groups, Corners() as corners, None, None):
            cards = _from_parameters(groups, corners, names, path)
            provenance |= {group: values.provenance for group, values in groups.items()}
            provenance["corners"] = corners.provenance
        case (None, None, None, Library() as library):
            called = {"models.nmos": names[0], "models.pmos": names[1]}
            called |= {f"models.others.{role}": name for role, name in file.models.others.items()}
            texts, included = library_texts(library, called, file.call.style, path, digest)
            provenance["cards"] = library.provenance
        case _:
            raise InputError(
                "model cards must be given in exactly one way",
                where=str(path),
                hint="give parameters and corners, or card_files alone, or library alone",
            )
    if cards and (file.call.style, file.call.unit) != ("M", "m"):
        raise InputError(
            "built-in model cards are instantiated by M, with sizes in m",
            where=f"{path}: call",
            hint="other calls go with `library`",
        )
    if cards and file.models.others:
        raise InputError("only a library can hold further devices", where=f"{path}: models.others")
    job_options = simulation_options(file.needs, path, digest)
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
        corners=tuple(cards or texts),
        targets=_targets(file, cards or texts, path),
        provenance=MappingProxyType(provenance),
        notes=file.notes,
        sha256=digest.hexdigest(),
        _cards=MappingProxyType(cards),
        _texts=MappingProxyType(texts),
        others=MappingProxyType(dict(file.models.others)),
        default_length=default_length,
        width_scale=size.width_scale,
        bins=size.bins,
        call=file.call,
        needs=file.needs,
        area=layouts.get(STANDARD_CELL),
        layouts=MappingProxyType(layouts),
        node=file.node,
        included=included,
        job_options=job_options,
    )


_Pair = tuple[ModelCard, ModelCard]


def _from_parameters(groups: Mapping[str, Group], corners: Corners, names: list[str], path: Path) -> dict[str, _Pair]:
    """Typical cards from the groups, then every corner from its differences or from other corners."""
    typical = (_merge(groups, "nmos", names[0], path), _merge(groups, "pmos", names[1], path))
    entries = corners.__pydantic_extra__
    if "tt" not in entries or entries["tt"] != DeviceCornerEntry():
        raise InputError(
            "corner tt must be present and empty", where=f"{path}: corners", hint="write tt: {}; it is the typical card"
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
        if not isinstance(entry, MixedCorner):
            named = FileEntry(file=entry) if isinstance(entry, str) else entry
            if named.section is not None:
                raise InputError("a card file has no sections", where=f"{path}: card_files.{corner}")
            file = locate(named, path.parent, where=f"{path}: card_files.{corner}")
            raw = read_bytes(file, limit=_LARGEST_FILE)
            check_pinned(named, file, raw, where=f"{path}: card_files.{corner}")
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
                if not isinstance(entries.get(other), str | FileEntry):
                    raise InputError(f"{other!r} names no corner with a file", where=f"{path}: card_files.{corner}")
            pairs[corner] = (pairs[entry.nmos][0], pairs[entry.pmos][1])
    if not pairs:
        raise InputError("no corner is given", where=f"{path}: card_files", hint="write tt: FILE")
    return {corner: pairs[corner] for corner in entries}


def _targets(file: DeviceFile, corners: Mapping[str, object], path: Path) -> Mapping[str, Mapping[str, Value]]:
    if file.targets is None:
        return MappingProxyType({})
    known = file.targets.provenance
    for corner in file.targets.__pydantic_extra__:
        if corner not in corners:
            raise InputError(f"unknown corner {corner!r}", where=f"{path}: targets", hint=suggest(corner, corners))
    return MappingProxyType(
        {
            corner: MappingProxyType({key: Value(getattr(values, key), unit, known) for key, unit in _UNITS.items()})
            for corner, values in file.targets.__pydantic_extra__.items()
        }
    )

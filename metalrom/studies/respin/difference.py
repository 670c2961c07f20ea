"""Which masks differ between two layouts, and by how many vias: KLayout's exclusive or, layer by layer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from interconnect.errors import InputError
from interconnect.files import read_bytes
from metalrom.layout.files import check_suffix
from metalrom.signoff.drc import klayout_db, open_in_klayout

Kind = Literal["cut", "metal", "pin", "unknown"]
"""`pin`: marks of a metal's pins, which are no mask."""

MAX_DOCUMENT = 2**20
"""Bytes of a document of layers."""


@dataclass(frozen=True, slots=True)
class LayerDifference:
    """One layer. first, second: shapes in either file. removed, added: what only the first, the second covers; in a
    layer of cuts these are vias."""

    name: str
    number: tuple[int, int]
    kind: Kind
    first: int
    second: int
    removed: int
    added: int

    @property
    def changed(self) -> bool:
        """Whether the layer needs a new mask."""
        return self.removed + self.added > 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "layer": self.name,
            "number": list(self.number),
            "kind": self.kind,
            "shapes": [self.first, self.second],
            "removed": self.removed,
            "added": self.added,
            "changed": self.changed,
        }


@dataclass(frozen=True)
class LayoutDifference:
    """Two files, layer by layer, lowest number first. stack: name of the metal stack if the files' documents tell."""

    first: str
    second: str
    stack: str | None
    layers: tuple[LayerDifference, ...]

    @property
    def changed(self) -> tuple[LayerDifference, ...]:
        """Layers that need a new mask."""
        return tuple(layer for layer in self.layers if layer.changed)

    @property
    def only_cuts(self) -> bool:
        """Whether nothing but layers of vias differs."""
        return all(layer.kind == "cut" for layer in self.changed)

    @property
    def above(self) -> int:
        """Layers from the lowest changed one upwards: what a wafer still has to go through."""
        masks = [layer for layer in self.layers if layer.kind != "pin"]
        return len(masks) - next((k for k, layer in enumerate(masks) if layer.changed), len(masks))

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "layouts": [self.first, self.second],
            "stack": self.stack,
            "layers": [layer.to_dict() for layer in self.layers],
            "changed_layers": [layer.name for layer in self.changed],
            "only_via_layers": self.only_cuts,
            "vias_removed": sum(layer.removed for layer in self.changed if layer.kind == "cut"),
            "vias_added": sum(layer.added for layer in self.changed if layer.kind == "cut"),
        }


def compare_layouts(first: Path, second: Path) -> LayoutDifference:
    """Exclusive or of all layers of two GDSII or OASIS files.

    Names and kinds of layers are those of the document that metalrom writes beside a layout, where there is one.
    Raises InputError for files that cannot be read, of different database units, or with several top cells;
    MissingLibrary without KLayout.
    """
    db = klayout_db()
    names, stack = _document(first)
    other, _ = _document(second)
    names = {**other, **names}
    opened = [_opened(path) for path in (first, second)]
    if opened[0].dbu != opened[1].dbu:
        raise InputError(
            f"has a database unit of {opened[1].dbu:g} um, {first} one of {opened[0].dbu:g} um", where=str(second)
        )
    numbers = sorted({(info.layer, info.datatype) for layout in opened for info in layout.layer_infos()})
    found = []
    for number in numbers:
        one, two = (_region(db, layout, number) for layout in opened)
        if one.is_empty() and two.is_empty():
            continue  # texts alone
        name, kind = names.get(number, (f"{number[0]}/{number[1]}", "unknown"))
        same = (one ^ two).is_empty()
        differ = (0, 0) if same else ((one - two).count(), (two - one).count())
        found.append(LayerDifference(name, number, kind, one.count(), two.count(), *differ))
    return LayoutDifference(str(first), str(second), stack, tuple(found))


def _opened(path: Path) -> Any:
    check_suffix(path)
    if not path.is_file():
        raise InputError("there is no such file", where=str(path))
    try:
        layout = open_in_klayout(path)
    except RuntimeError as error:
        raise InputError(f"cannot be read as a layout ({error})", where=str(path)) from None
    tops = len(layout.top_cells())
    if tops != 1:
        raise InputError(f"holds {tops} top cells, expected one", where=str(path))
    return layout


def _region(db: Any, layout: Any, number: tuple[int, int]) -> Any:
    index = layout.find_layer(*number)
    return db.Region() if index is None else db.Region(layout.top_cell().begin_shapes_rec(index))


def _document(path: Path) -> tuple[Mapping[tuple[int, int], tuple[str, Kind]], str | None]:
    """Name and kind of every layer number, and the stack, from `<file>.layers.json`; nothing without one."""
    beside = path.with_name(path.name + ".layers.json")
    if not beside.is_file():
        return {}, None
    try:
        data = json.loads(read_bytes(beside, limit=MAX_DOCUMENT))
        found: dict[tuple[int, int], tuple[str, Kind]] = {}
        for name, layer in data["layer_map"]["layers"].items():
            metal = "pin" in layer or "label" in layer
            found[_number(layer["drawing"])] = (str(name), "metal" if metal else "cut")
            if "plug" in layer:
                found[_number(layer["plug"])] = (f"{name} plug", "cut")
            if "pin" in layer:
                found[_number(layer["pin"])] = (f"{name} pin", "pin")
        return found, str(data["stack"]["name"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError("is not a document of layers that metalrom wrote", where=str(beside)) from None


def _number(pair: Any) -> tuple[int, int]:
    layer, datatype = pair
    return int(layer), int(datatype)

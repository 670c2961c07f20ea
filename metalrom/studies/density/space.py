"""The design space of a configuration: every combination of the values that its keys take, each a design of its own."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interconnect.errors import InputError
from interconnect.extraction import Extraction, extract
from interconnect.geometry import CellGeometry
from interconnect.stack import Stack
from interconnect.validation import validate
from metalrom.config.explore import MAX_POINTS, Axes
from metalrom.config.readout import KEYS_OF_KIND
from metalrom.config.schema import Config
from metalrom.design.design import ASSET, Design
from netlists.cells.base import require_capability
from netlists.devices.area import missing_rules

Value = bool | int | float | str | None
Settings = tuple[tuple[str, Value], ...]
"""Values of keys, in the order of the axes: what identifies a point of the design space."""

KIND, PLANES, PITCHES = "cell.kind", "cell.planes", ("cell.row_pitch", "cell.column_pitch")
READOUT = "readout.kind"
_FACTOR = re.compile(r"([0-9]+(?:\.[0-9]+)?)x")
_NUMBER = re.compile(r"[0-9.]+(?:e[-+]?[0-9]+)? *[A-Za-zµ%]*")


@dataclass(frozen=True)
class DesignBlock:
    """One mapping of keys to values: its points, and the point in their middle."""

    axes: Mapping[str, tuple[Value, ...]]

    def points(self) -> Iterator[Settings]:
        """Every combination."""
        for values in itertools.product(*self.axes.values()):
            yield tuple(zip(self.axes, values, strict=True))

    def anchor(self, settings: Settings) -> Settings:
        """The point that agrees with `settings` in words (kinds, mappings, switches), in the middle of all numbers."""
        return tuple(
            (key, value if is_word(value) else _middle([v for v in self.axes[key] if not is_word(v)]))
            for key, value in settings
        )

    def base(self, settings: Settings) -> Settings:
        """The anchor of the block's first words."""
        first = tuple((key, value if not is_word(value) else self._first(key)) for key, value in settings)
        return self.anchor(first)

    def _first(self, key: str) -> Value:
        return next(v for v in self.axes[key] if is_word(v))


def _middle(values: Sequence[Value]) -> Value:
    return values[(len(values) - 1) // 2]


def is_word(value: Value) -> bool:
    """Whether a value changes what a thing is, and not how large."""
    if isinstance(value, bool):
        return True
    return isinstance(value, str) and not (_FACTOR.fullmatch(value) or _NUMBER.fullmatch(value))


def design_blocks(vary: Sequence[Axes]) -> tuple[DesignBlock, ...]:
    """The blocks of a configuration's `explore.vary`. Raises InputError for more than `MAX_POINTS` points."""
    number = sum(math.prod(len(values) for values in axes.values()) for axes in vary)
    if number > MAX_POINTS:
        raise InputError(f"spans {number} points", where="explore.vary", hint=f"at most {MAX_POINTS}")
    return tuple(DesignBlock(dict(axes)) for axes in vary)


def settings_key(settings: Settings) -> str:
    """The settings as one line of JSON, whatever their order."""
    return json.dumps(dict(sorted(settings)), ensure_ascii=False)


def settings_text(settings: Settings) -> str:
    """The settings in words, for tables and messages."""
    return ", ".join(f"{key.removeprefix('array.').removeprefix('readout.')} {value}" for key, value in settings)


@dataclass(frozen=True)
class RatedDesign(Design):
    """A design whose cells are shipped field solutions, or closed formulas where none is shipped; each once."""

    def _extract_on(self, geometry: CellGeometry, stack: Stack, method: str | None = None) -> Extraction:
        known: dict[object, Extraction] = vars(self).get("extracted", {})
        key = (geometry, stack.sha256)
        if key not in known:
            try:
                known[key] = extract(geometry, stack, method="table")
            except InputError:
                known[key] = extract(geometry, stack, method="formula")
        return known[key]


class DesignSpace:
    """Designs of a base configuration with other values of some keys.

    Technology, weights and activations, which many points share, are read once. Raises InputError for devices without
    area rules: every point is rated by its density.
    """

    def __init__(self, base: Design) -> None:
        if base.technology.devices.area is None:
            raise missing_rules()
        self.base = base
        self._data = base.config.model_dump(mode="json", exclude_unset=True, exclude={"specs", "explore"})
        self._shared: dict[str, dict[str, Any]] = {}
        self._extracted: dict[object, Extraction] = {}

    def at(self, settings: Settings) -> Design:
        """The design with these values of its keys.

        Its cells are those of shipped field solutions, or of closed formulas where none is shipped.

        Raises InputError for what the configuration, the stack or the cell does not allow.
        """
        config = validate(Config, self._document(dict(settings)), where=str(self.base.path))
        if not isinstance(config.array.group_rows, int):
            raise InputError(
                "is chosen by the margin", where="array.group_rows", hint="vary it, or give a number of rows"
            )
        new = RatedDesign(config, self.base.path)
        vars(new)["extracted"] = self._extracted
        self._share(new)
        models = self._shared.setdefault("models", {})
        drawn = repr((config.cell, config.technology))
        if drawn not in models:
            models[drawn] = new.models
        vars(new)["models"] = models[drawn]
        return new

    def characterized(self, settings: Settings) -> Design:
        """The same design with the extraction of a run."""
        new = Design(self.at(settings).config, self.base.path, self.base.extraction)
        self._share(new)
        return new

    def document(self, settings: Settings) -> dict[str, Any]:
        """The design as the keys of a configuration of its own, wherever that lies: files by their whole paths."""
        data = self._document(dict(settings))
        for block, name in (("technology", "stack"), ("technology", "devices"), ("weights", "file")):
            given = data.get(block, {}).get(name)
            if given and not given.startswith(ASSET) and (name == "file" or given.endswith((".yaml", ".yml"))):
                data[block][name] = str((self.base.folder / given).resolve())
        return data

    def _share(self, new: Design) -> None:
        config = new.config
        parts = {
            "technology": config.technology,
            "weights": (config.weights, config.mapping, config.cell.kind, config.cell.levels),
            "activations": (config.weights, config.inputs, config.mapping, config.cell.kind, config.cell.levels),
            "program": (config.weights, config.mapping, config.cell.kind, config.cell.levels),
        }
        for name, made_of in parts.items():
            known = self._shared.setdefault(name, {})
            text = repr(made_of)
            if text not in known:
                known[text] = getattr(new, name)
            vars(new)[name] = known[text]

    def _document(self, values: dict[str, Value]) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(json.dumps(self._data))
        values = {key: value for key, value in values.items() if value is not None}
        if KIND in values and values[KIND] != data["cell"].get("kind", "cap_balanced"):
            data["cell"] = {"planes": data["cell"]["planes"]}  # lengths of one kind need not suit another
        if READOUT in values:
            foreign = {key for kind, keys in KEYS_OF_KIND.items() if kind != values[READOUT] for key in keys}
            data["readout"] = {k: v for k, v in data.get("readout", {}).items() if k not in foreign}
        if PLANES in values:
            data["cell"]["planes"] = stacked_metals(data["cell"]["planes"], values.pop(PLANES), self.base.stack)
        factors = {
            key: float(found[1])
            for key in PITCHES
            if isinstance(value := values.get(key), str) and (found := _FACTOR.fullmatch(value))
        }
        for key, value in values.items():
            _put(data, key, value)
        for key, pitch in self._pitches(data, factors).items():
            _put(data, key, pitch)
        return data

    def _pitches(self, data: dict[str, Any], factors: Mapping[str, float]) -> dict[str, str]:
        """Pitches as multiples of the smallest: of the cell without lengths of its own."""
        if not factors:
            return {}
        kind = data["cell"].get("kind", "cap_balanced")
        found = self._shared.setdefault("smallest", {})
        if kind not in found:
            cell = self.base.config.cell
            bare = type(cell)(kind=kind, planes=cell.planes[:1])
            design = Design(self.base.config.model_copy(update={"cell": bare}), self.base.path)
            require_capability(design.cell, "lengths", "drawn at several pitches", where=f"{design.path}: cell.kind")
            found[kind] = design.cell.lengths(design.stack, design.planes[0])
        for name in ("row_pitch", "column_pitch", "row_width", "column_width"):
            data["cell"].pop(name, None)  # a multiple of the smallest is of the smallest widths
        return {key: f"{factor * getattr(found[kind], key.partition('.')[2])!r}m" for key, factor in factors.items()}


def _put(data: dict[str, Any], key: str, value: Value) -> None:
    *blocks, name = key.split(".")
    for block in blocks:
        data = data.setdefault(block, {})
        if not isinstance(data, dict):
            raise InputError(f"there is no key {key}", where="explore.vary")
    data[name] = value


def stacked_metals(planes: Sequence[Mapping[str, str]], number: Value, stack: Stack) -> list[Mapping[str, str]]:
    """So many planes: those that are listed, then pairs of the metals above them. Raises InputError."""
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= 16:
        raise InputError(f"is {number!r}", where="explore.vary: cell.planes", hint="a number of planes, 1 to 16")
    out = list(planes[:number])
    names = [metal.name for metal in stack.metals]
    while len(out) < number:
        above = stack.index(out[-1]["column"]) + 1
        if above + 1 >= len(names):
            raise InputError(f"stack {stack.name} has metals for {len(out)} planes", where="cell.planes")
        out.append({"row": names[above], "column": names[above + 1]})
    return out

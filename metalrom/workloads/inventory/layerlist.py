"""Networks from a list of layers, `layers.csv` or `layers.yaml`: name, rows, columns, uses, what waits for what."""

from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from interconnect.errors import InputError, shortened
from interconnect.files import parse_csv, read_text
from interconnect.validation import validate
from interconnect.yamlfile import read_yaml
from metalrom.workloads.inventory.inventory import Inventory
from metalrom.workloads.inventory.layers import MAX_EXTENT, FixedMatrix
from metalrom.workloads.inventory.schedule import steps_of_graph

MAX_LAYERS = 20_000
MAX_LIST = 4_000_000
"""Bytes; a larger file is no list of layers."""

COLUMNS = ("name", "rows", "columns", "uses", "parallel", "depends_on")
"""Columns of the table, the first three of which are needed."""


class ListedLayer(BaseModel):
    """One matrix of `rows` inputs and `columns` outputs.

    uses: input vectors for one input of the network: 1 for a token, the output pixels of a convolution (its rows are
    kernel height x kernel width x channels). parallel: layers of one such name that follow each other start together.
    depends_on: the layers it waits for; without it, what stands before it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    rows: int = Field(ge=1, le=MAX_EXTENT, strict=True)
    columns: int = Field(ge=1, le=MAX_EXTENT, strict=True)
    uses: int = Field(default=1, ge=1, le=MAX_EXTENT, strict=True)
    parallel: str = Field(default="", max_length=200)
    depends_on: tuple[str, ...] | None = None

    @field_validator("depends_on", mode="before")
    @classmethod
    def _several(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_order(self) -> Self:
        if self.parallel and self.depends_on is not None:
            raise InputError("gives both parallel and depends_on", hint="one of them")
        return self


class LayerList(BaseModel):
    """A list of layers. name: of the network; default: the file's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(default="", max_length=200)
    layers: tuple[ListedLayer, ...] = Field(min_length=1, max_length=MAX_LAYERS)


def layer_list_inventory(path: Path) -> Inventory:
    """Inventory of a list of layers, one input of the network. Raises InputError for a damaged file, a name that occurs
    twice, an unknown name under depends_on, or layers that wait for each other."""
    where = str(path)
    data = read_yaml(path)[0] if path.suffix.casefold() in (".yaml", ".yml") else _table(path)
    found = validate(LayerList, data, where=where)
    after: dict[str, tuple[str, ...]] = {}
    group, before, started = "", tuple[str, ...](), tuple[str, ...]()
    for layer in found.layers:
        if layer.name in after:
            raise InputError(f"names the layer {shortened(repr(layer.name))} twice", where=where)
        if layer.depends_on is not None:
            after[layer.name] = layer.depends_on
            before, started = (), (layer.name,)
        elif layer.parallel and layer.parallel == group:
            after[layer.name] = before
            started = (*started, layer.name)
        else:
            after[layer.name] = before = started
            started = (layer.name,)
        group = layer.parallel
    layers = tuple(FixedMatrix(layer.name, layer.rows, layer.columns, layer.uses) for layer in found.layers)
    try:
        steps = steps_of_graph(layers, after)
    except InputError as error:
        raise InputError(error.what, where=where, hint=error.hint) from None
    notes = ("a list of layers tells of no biases, tables or products of activations",)
    return Inventory(found.name or path.name, "one input", layers, where, False, notes, steps=steps)


def _table(path: Path) -> dict[str, Any]:
    """The rows of a CSV file as the mapping that a YAML file would hold."""
    where = str(path)
    rows = [row for row in parse_csv(read_text(path, limit=MAX_LIST), where=where) if any(map(str.strip, row))]
    heading = [cell.strip() for cell in rows[0]] if rows else []
    unknown = [name for name in heading if name not in COLUMNS]
    if unknown or len(set(heading)) < len(heading) or not set(COLUMNS[:3]) <= set(heading):
        what = f"has the columns {shortened(', '.join(heading)) or 'of an empty file'}"
        raise InputError(what, where=where, hint=f"expected {', '.join(COLUMNS[:3])} and of {', '.join(COLUMNS[3:])}")
    layers = []
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(heading):
            raise InputError(f"layer {number} has {len(row)} fields, expected {len(heading)}", where=where)
        cells = {name: cell.strip() for name, cell in zip(heading, row, strict=True) if cell.strip()}
        layer: dict[str, Any] = dict(cells)
        for name in ("rows", "columns", "uses"):
            if name in cells:
                layer[name] = _integer(cells[name], f"{where}: layers.{number - 1}.{name}")
        if "depends_on" in cells:
            layer["depends_on"] = [part.strip() for part in cells["depends_on"].split(";") if part.strip()]
        layers.append(layer)
    return {"layers": layers}


def _integer(text: str, where: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise InputError(f"is {shortened(repr(text))}, expected a whole number", where=where)
    return int(text)

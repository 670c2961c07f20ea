"""Networks from a list of layers, `layers.csv` or `layers.yaml`: name, rows, columns, uses, what waits for what."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from interconnect.errors import InputError, shortened
from interconnect.files import parse_csv, read_text
from interconnect.suggestion import suggest
from interconnect.yamlfile import read_yaml
from metalrom.workloads.inventory.huggingface import Keys
from metalrom.workloads.inventory.inventory import Inventory
from metalrom.workloads.inventory.layers import MAX_EXTENT, FixedMatrix
from metalrom.workloads.inventory.schedule import steps_of_graph

MAX_LAYERS = 20_000
MAX_NAME = 200
MAX_LIST = 4_000_000
"""Bytes; a larger file is no list of layers."""

COLUMNS = ("name", "rows", "columns", "uses", "parallel", "depends_on")
"""Columns of the table, the first three of which are needed."""


def layer_list_inventory(path: Path) -> Inventory:
    """Inventory of a list of layers, one input of the network. Raises InputError for a damaged file, a name that occurs
    twice, an unknown name under depends_on, or layers that wait for each other."""
    where = str(path)
    data = read_yaml(path)[0] if path.suffix.casefold() in (".yaml", ".yml") else _table(path)
    _known(data, ("name", "layers"), where)
    model, listed = _text(data, "name", where) or path.name, data.get("layers")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_LAYERS:
        raise InputError(f"should be a list of 1 to {MAX_LAYERS} layers", where=f"{where}: layers")
    layers: dict[str, FixedMatrix] = {}
    after: dict[str, tuple[str, ...]] = {}
    group, before, started = "", tuple[str, ...](), tuple[str, ...]()
    for number, entry in enumerate(listed):
        place = f"{where}: layers.{number}"
        layer, parallel, waits = _layer(entry, place)
        if layer.name in layers:
            raise InputError(f"names the layer {shortened(repr(layer.name))} twice", where=where)
        layers[layer.name] = layer
        if waits is not None:
            after[layer.name] = waits
            before, started = (), (layer.name,)
        elif parallel and parallel == group:
            after[layer.name] = before
            started = (*started, layer.name)
        else:
            after[layer.name] = before = started
            started = (layer.name,)
        group = parallel
    try:
        steps = steps_of_graph(tuple(layers.values()), after)
    except InputError as error:
        raise InputError(error.what, where=where, hint=error.hint) from None
    notes = ("a list of layers tells of no biases, tables or products of activations",)
    return Inventory(model, "one input", tuple(layers.values()), where, False, notes, steps=steps)


def _layer(entry: object, where: str) -> tuple[FixedMatrix, str, tuple[str, ...] | None]:
    """A matrix, its group, and what it waits for (None: not said).

    rows: inputs, of a convolution kernel height x kernel width x channels. uses: input vectors for one input of the
    network: 1 for a token, the output pixels of a convolution.
    """
    if not isinstance(entry, dict):
        raise InputError("should be a mapping of keys", where=where, hint=f"keys: {', '.join(COLUMNS)}")
    _known(entry, COLUMNS, where)
    keys, name, parallel = Keys(entry, where), _text(entry, "name", where), _text(entry, "parallel", where)
    if not name:
        raise InputError("this key is missing", where=f"{where}: name")
    rows, columns = keys.count("rows", most=MAX_EXTENT), keys.count("columns", most=MAX_EXTENT)
    waits = entry.get("depends_on")
    waits = [waits] if isinstance(waits, str) else waits
    if waits is not None and not (isinstance(waits, list) and all(isinstance(other, str) for other in waits)):
        raise InputError("should be a list of names", where=f"{where}: depends_on")
    if parallel and waits is not None:
        raise InputError("gives both parallel and depends_on", where=where, hint="one of them")
    layer = FixedMatrix(name, rows, columns, keys.count("uses", default=1, most=MAX_EXTENT))
    return layer, parallel, None if waits is None else tuple(waits)


def _known(data: Mapping[str, Any], names: Sequence[str], where: str) -> None:
    unknown = next((key for key in data if key not in names), None)
    if unknown is not None:
        raise InputError(f"unknown key {shortened(repr(unknown))}", where=where, hint=suggest(str(unknown), names))


def _text(data: Mapping[str, Any], key: str, where: str) -> str:
    """A name of at most `MAX_NAME` letters, empty if it is not there."""
    value = data.get(key, "")
    if not isinstance(value, str) or len(value) > MAX_NAME:
        raise InputError(f"should be a text of at most {MAX_NAME} letters", where=f"{where}: {key}")
    return value


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
                layer[name] = _integer(cells[name])
        if "depends_on" in cells:
            layer["depends_on"] = [part.strip() for part in cells["depends_on"].split(";") if part.strip()]
        layers.append(layer)
    return {"layers": layers}


def _integer(text: str) -> int | str:
    """A whole number; another text as it stands, to be refused by name."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else text

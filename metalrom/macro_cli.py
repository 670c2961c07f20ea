"""Commands around workloads and systems: `inventory` counts a network, `compare` sets systems side by side.

Functions only; the command line registers them. They return what decides the exit code.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from interconnect.errors import InputError, shortened
from metalrom.console import emit

if TYPE_CHECKING:
    from rich.table import Table

    from metalrom.macro.workloads.inventory import Inventory
    from metalrom.macro.workloads.layers import Layer
    from metalrom.macro.workloads.tiling import Tiling

_EXTENTS = re.compile(r"[1-9][0-9]{0,6}(x[1-9][0-9]{0,6})+")


def show_inventory(
    model: str,
    *,
    image: str | None = None,
    sequence: int | None = None,
    tile: str | None = None,
    columns_per_weight: int = 14,
    json: bool = False,
) -> None:
    """Print the inventory of a network; image `HxW`; tile `ROWSxCOLUMNSxPLANES` adds the macros it fills.

    The JSON document: {"parameters", "macs", "activations", "layers", ...}; null where the source does not tell.
    Raises InputError for an unknown model, a damaged file, or an input that does not fit.
    """
    from metalrom.macro.workloads import read_inventory

    size = None if image is None else _extents(image, 2, "--image", "HEIGHTxWIDTH, for example 224x224")
    found = read_inventory(model, image=(size[0], size[1]) if size else None, sequence=sequence)
    tiling = None
    if tile is not None:
        from metalrom.macro.workloads.tiling import tile_inventory
        from netlists.mapping import MacroShape

        rows, columns, planes = _extents(tile, 3, "--tile", "ROWSxCOLUMNSxPLANES, for example 384x256x4")
        shape = MacroShape(rows=rows, columns=columns, planes=planes)
        tiling = tile_inventory(found.layers, shape, columns_per_weight)
    data = found.to_dict() | ({} if tiling is None else {"tiling": tiling.to_dict()})
    emit(data, as_json=json, human=lambda: _inventory_table(found, tiling))


def _extents(text: str, count: int, option: str, hint: str) -> tuple[int, ...]:
    """`224x224` as whole numbers."""
    parts = text.casefold().split("x")
    if not _EXTENTS.fullmatch(text.casefold()) or len(parts) != count:
        raise InputError(f"{option} is {shortened(repr(text))}", hint=f"expected {hint}")
    return tuple(int(part) for part in parts)


def _inventory_table(found: Inventory, tiling: Tiling | None) -> Table:
    """Layers of one shape on one line, sums below."""
    from rich.table import Table

    from metalrom.macro.workloads.inventory import grouped

    tiles = {} if tiling is None else {layer.name: layer.tiles for layer in tiling.layers}
    notes = [*found.notes, f"source: {found.source}"]
    if tiling is not None:
        notes.append(f"{tiling.tiles:,} macros, {100 * tiling.utilisation:.1f} % of their cells used")
    table = Table(title=f"{found.model}, {found.input}", caption="\n".join(notes))
    headings = ("parameters", "weights", "MACs", "attention MACs", "act. in", "act. out")
    for heading in ("layer", "kind", "times"):
        table.add_column(heading, justify="right" if heading == "times" else "left")
    for heading in (*headings, *(["macros"] if tiling is not None else [])):
        table.add_column(heading, justify="right", no_wrap=True)

    def alike(layer: Layer) -> str:
        counts = {key: value for key, value in layer.to_dict().items() if key != "name"}
        return f"{re.sub(r'[0-9]+', '*', layer.name)} {counts}"

    for same in grouped(found.layers, alike).values():
        first = same[0]
        name = re.sub(r"[0-9]+", "*", first.name) if len(same) > 1 else first.name
        sums = [
            len(same) * value if value is not None else None
            for value in (
                first.parameters,
                first.weights,
                first.macs,
                first.attention_macs,
                first.activations_in,
                first.activations_out,
            )
        ]
        cells = [_count(value) for value in sums]
        if tiling is not None:
            cells.append(_count(sum(tiles.get(layer.name, 0) for layer in same)))
        table.add_row(name, first.kind, str(len(same)), *cells)
    table.add_section()
    whole = (
        found.parameters,
        found.weights,
        found.macs,
        found.attention_macs,
        found.activations_in,
        found.activations_out,
    )
    last = [_count(tiling.tiles)] if tiling is not None else []
    table.add_row("sum", "", str(len(found.layers)), *(_count(value) for value in whole), *last)
    return table


def _count(value: int | None) -> str:
    return "unknown" if value is None else f"{value:,}" if value else "-"

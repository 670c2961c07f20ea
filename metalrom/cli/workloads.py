"""Commands around workloads and systems: `inventory` counts a network, `compare` sets systems side by side.

The command line takes them over with `add_workload_commands`. Each imports what it needs when it runs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from metalrom.cli import completion as known
from metalrom.cli.comparison import show_comparison
from metalrom.cli.console import emit, examples, guarded
from metalrom.cli.options import ImageSize, Json, SequenceLength, extents, image_size

if TYPE_CHECKING:
    from rich.table import Table

    from metalrom.workloads.inventory.inventory import Inventory
    from metalrom.workloads.inventory.layers import WorkloadLayer
    from metalrom.workloads.inventory.tiling import NetworkTiling


def add_workload_commands(app: typer.Typer) -> None:
    """Register `inventory` and `compare`."""
    app.command(
        "inventory", epilog=examples("inventory bert-base", "inventory resnet-34 --image 224x224 --tile 384x256x4")
    )(guarded(show_inventory))
    app.command(
        "compare",
        epilog=examples(
            "compare",
            "compare --workloads alexnet,bert-base --sizes S,M --macro out -o tables",
            "compare --workloads bert-base --sizes S --place bitnet-2b --context 128,4096 --node 7",
        ),
    )(guarded(show_comparison))


def show_inventory(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="built-in name, config.json, .onnx, layer list (.csv, .yaml), .safetensors or .gguf",
            autocompletion=known.names(known.WORKLOADS),
        ),
    ],
    image: ImageSize = None,
    sequence: SequenceLength = None,
    tile: Annotated[str | None, typer.Option(metavar="RxCxP", help="macro: rows x columns x planes")] = None,
    columns_per_weight: Annotated[int, typer.Option(min=1, help="bit columns per weight, for --tile")] = 14,
    json: Json = False,
) -> None:
    """Parameters, multiply-accumulates and activations of a network, layer by layer."""
    from metalrom.workloads.inventory import read_inventory

    found = read_inventory(model, image=image_size(image), sequence=sequence)
    tiling = None
    if tile is not None:
        from metalrom.workloads.inventory.tiling import tile_inventory
        from netlists.mapping import MacroShape

        rows, columns, planes = extents(tile, 3, "--tile", "ROWSxCOLUMNSxPLANES, for example 384x256x4")
        shape = MacroShape(rows=rows, columns=columns, planes=planes)
        tiling = tile_inventory(found.layers, shape, columns_per_weight)
    data = found.to_dict() | ({} if tiling is None else {"tiling": tiling.to_dict()})
    emit(data, as_json=json, human=lambda: _inventory_table(found, tiling))


def _inventory_table(found: Inventory, tiling: NetworkTiling | None) -> Table:
    """Layers of one shape on one line, sums below."""
    from rich.table import Table

    from metalrom.workloads.inventory.inventory import group_layers

    tiles = {} if tiling is None else {layer.name: layer.tiles for layer in tiling.layers}
    notes = [*found.remarks, f"source: {found.source}"]
    if tiling is not None:
        notes.append(f"{tiling.tiles:,} macros, {100 * tiling.utilisation:.1f} % of their cells used")
    table = Table(title=f"{found.model}, {found.input}", caption="\n".join(notes))
    headings = ("parameters", "weights", "MACs", "attention MACs", "act. in", "act. out")
    for heading, width in (("layer", 14), ("kind", 5), ("times", 4)):
        table.add_column(heading, justify="right" if heading == "times" else "left", min_width=width, overflow="fold")
    for heading in (*headings, *(["macros"] if tiling is not None else [])):
        table.add_column(heading, justify="right", overflow="fold")

    def alike(layer: WorkloadLayer) -> str:
        counts = {key: value for key, value in layer.to_dict().items() if key != "name"}
        return f"{re.sub(r'[0-9]+', '*', layer.name)} {counts}"

    for same in group_layers(found.layers, alike).values():
        first = same[0]
        name = re.sub(r"[0-9]+", "*", first.name) if len(same) > 1 else first.name
        cells = [_count(None if value is None else len(same) * value) for value in _sizes(first)]
        if tiling is not None:
            cells.append(_count(sum(tiles.get(layer.name, 0) for layer in same)))
        table.add_row(name, first.kind, str(len(same)), *cells)
    table.add_section()
    last = [_count(tiling.tiles)] if tiling is not None else []
    table.add_row("sum", "", str(len(found.layers)), *map(_count, _sizes(found)), *last)
    return table


def _sizes(counted: WorkloadLayer | Inventory) -> tuple[int | None, ...]:
    from metalrom.workloads.inventory.layers import COUNTS

    return tuple(getattr(counted, name) for name in COUNTS)


def _count(value: int | None) -> str:
    return "unknown" if value is None else f"{value:,}" if value else "-"

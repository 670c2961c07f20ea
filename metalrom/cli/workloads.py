"""Commands around workloads and systems: `inventory` counts a network, `compare` sets systems side by side.

The command line takes them over with `add_workload_commands`. Each imports what it needs when it runs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from interconnect.errors import InputError, shortened
from metalrom.cli import completion as known
from metalrom.cli.console import CHECK_FAILED, emit, examples, guarded, say
from metalrom.cli.options import ImageSize, Json, SequenceLength, extents, image_size, several_of

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from metalrom.studies.systems.checks import CheckOutcome
    from metalrom.studies.systems.comparison import SystemComparison
    from metalrom.workloads.inventory.inventory import Inventory
    from metalrom.workloads.inventory.layers import WorkloadLayer
    from metalrom.workloads.inventory.tiling import NetworkTiling


def add_workload_commands(app: typer.Typer) -> None:
    """Register `inventory` and `compare`."""
    app.command(
        "inventory", epilog=examples("inventory bert-base", "inventory resnet-34 --image 224x224 --tile 384x256x4")
    )(guarded(show_inventory))
    app.command(
        "compare", epilog=examples("compare", "compare --workloads alexnet,bert-base --sizes S,M --macro out -o tables")
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


def show_comparison(
    workloads: Annotated[
        str | None, several_of(known.WORKLOADS, "built-in names or config.json files; default: four networks", "A,B")
    ] = None,
    systems: Annotated[
        str | None, several_of(known.SYSTEMS, "names or .yaml files; default: all known systems", "A,B")
    ] = None,
    sizes: Annotated[
        str | None, typer.Option(metavar="S,M,L", help="image 32x32, 512x512, 1080p; words 12, 128, 512")
    ] = None,
    macro: Annotated[
        Path | None, typer.Option(metavar="OUT", help="output folder of a run; default: the shipped example")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="DIR", help="tables and figures")] = None,
    area: Annotated[str, typer.Option(metavar="MM2|full", help="of every system; full: what metal ROM needs")] = "full",
    attention: Annotated[str, typer.Option(help="sram or logic")] = "sram",
    node: Annotated[float, typer.Option(metavar="NM", help="node that published densities are scaled to")] = 28.0,
    json: Json = False,
) -> None:
    """Published systems and metal ROM side by side, and published results recomputed."""
    from metalrom.folders import ensure_output_folder
    from metalrom.studies.systems import checks, comparison, metal
    from metalrom.studies.systems.description import SYSTEMS
    from metalrom.studies.systems.tables import files, systems_document
    from metalrom.workloads.inventory.catalogue import SIZES
    from metalrom.workloads.inventory.read import sized_inventory

    place = _choice(attention, ("sram", "logic"), "--attention")
    chosen = [SIZES[_choice(size, tuple(SIZES), "--sizes")] for size in _names(sizes, tuple(SIZES), "--sizes")]
    inventories = [
        (name, size.name, sized_inventory(name, size))
        for name in _names(workloads, comparison.WORKLOADS, "--workloads")
        for size in chosen
    ]
    expected = metal.example_macro() if macro is None else metal.macro_of_run(macro)
    found = comparison.compare_systems(
        inventories,
        _names(systems, (*SYSTEMS, comparison.METAL), "--systems"),
        expected,
        area=_area(area),
        node=node,
        attention="sram" if place == "sram" else "logic",
    )
    if output is not None:
        ensure_output_folder(output)
    outcomes = checks.run_checks()
    data = systems_document(found, outcomes)
    if output is not None:
        from interconnect.files import atomic_write_files
        from metalrom.studies.systems.figures import systems_figures

        for path in atomic_write_files(output, {**files(data), **systems_figures(found)}):
            say(f"wrote {path}")
    emit(data, as_json=json, human=lambda: _comparison_view(found, outcomes))
    failed = [outcome.check.what for outcome in outcomes if not outcome.ok]
    for what in failed:
        say(f"check failed: {what}")
    if failed:
        raise typer.Exit(CHECK_FAILED)


def _names(text: str | None, default: Sequence[str], option: str) -> list[str]:
    """Names separated by commas, each once."""
    if text is None:
        return list(default)
    names = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names:
        raise InputError(f"{option} is empty", hint=f"for example {','.join(default)}")
    return names


def _choice(text: str, known: Sequence[str], option: str) -> str:
    from interconnect.suggestion import suggest

    for name in known:
        if text.casefold() == name.casefold():
            return name
    raise InputError(f"{option} is {shortened(repr(text))}", hint=suggest(text, known))


def _area(text: str) -> float | None:
    """mm2, None for `full`."""
    if text.casefold() == "full":
        return None
    try:
        return float(text.removesuffix("mm2"))
    except ValueError:
        raise InputError(f"--area is {shortened(repr(text))}", hint="expected full or a number of mm2") from None


def _comparison_view(found: SystemComparison, outcomes: Sequence[CheckOutcome]) -> Group:
    """The published results recomputed, and one line for every case."""
    from rich.console import Group
    from rich.table import Table

    checks = Table(title="Published results, recomputed from their published inputs")
    for heading in ("no.", "check", "reference", "computed", "difference", "tolerance", "unit", "status", ""):
        checks.add_column(heading, justify="left" if heading in ("check", "unit", "status", "") else "right")
    for outcome in outcomes:
        c = outcome.check
        numbers = (c.reference, outcome.computed, outcome.difference)
        shown = [f"{value:,.0f}" if c.unit == "" else f"{value:.6g}" for value in numbers]
        checks.add_row(c.number, c.what, *shown, f"{c.tolerance:g}", c.unit, c.status, "ok" if outcome.ok else "FAILED")

    macro, names = found.macro, [name for name, _ in found.systems]
    rules = "the area at which the metal ROM holds everything" if found.area is None else f"{found.area:g} mm2"
    expected = "the shipped example; --macro OUT takes a run of yours" if macro.example else "the given run"
    caption = [
        f"Every system gets {rules}; literature's densities scaled to {found.node:g} nm; attention: "
        f"{found.attention}; {found.bits.weights}-bit weights, {found.bits.inputs}-bit inputs.",
        "Gain: energy of SRAM-CiM with DRAM reload over the system's, middle (extremes over all assumptions' ends).",
        f"Metal ROM: {expected}: {macro.origin}; {macro.density.mid:.3g} Mb/mm2, {macro.efficiency.mid:.2g} TOPS/W.",
        *(f"WARNING: {warning}" for warning in macro.warnings),
    ]
    gains = Table(title="Energy of one inference (mJ) and gain", caption="\n".join(caption))
    gains.add_column("network")
    for heading in ("size", "area mm2", "all on chip"):
        gains.add_column(heading, justify="right")
    for name in names:
        gains.add_column(name, justify="right")
    for case in found.cases:
        cells = []
        for r in case.results:
            gain = f"{r.gain.mid:.3g}x ({r.gain.low:.2g} to {r.gain.high:.3g})"
            cells.append(f"{1e3 * r.energy['mid'].total:.3g}" + ("" if r.system == "sram-cim" else f"\n{gain}"))
        whole = f"{case.full_deployment.mid:.3g}x"
        gains.add_row(case.inventory.model, case.size, f"{case.area:.3g}", whole, *cells)
    return Group(checks, gains)

"""What the command `layout` does, and `audit` for a layout file."""

from pathlib import Path
from typing import Annotated

import typer

from metalrom.cli.console import CHECK_FAILED, emit, say
from metalrom.cli.options import ConfigPath, Json


def layout_config(
    config: ConfigPath,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="GDSII (.gds) or OASIS (.oas)")],
    level: Annotated[str, typer.Option(help="cell, tile (one plane), array (all planes of a tile) or macro")] = "array",
    tile: Annotated[int, typer.Option(min=0, help="which tile, for levels tile and array")] = 0,
    plane: Annotated[int, typer.Option(min=0, help="which plane, for levels cell and tile")] = 0,
    check: Annotated[bool, typer.Option("--check", help="read back: every via, every wire, the stack's rules")] = False,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="the first plane's corner from above")
    ] = None,
    json: Json = False,
) -> None:
    """Write the mask layout of a cell, a plane, a tile or the whole macro, with the weights as vias."""
    from interconnect.files import atomic_write_text
    from metalrom.api import load
    from metalrom.layout.check import check_file, plan_of
    from metalrom.layout.draw import gdstk_module
    from metalrom.layout.files import check_suffix, layout_document, write_layout
    from metalrom.layout.read import open_layout

    check_suffix(output)
    gdstk_module()  # before anything is computed
    project = load(config)
    plan = plan_of(project, level, tile=tile, plane=plane)
    done = write_layout(plan, output)
    say(f"wrote {output}: {done.cells:,} cells, {done.size / 1e6:,.2f} MB in {done.seconds:.2f} s")
    say(f"wrote {done.layers}")
    for warning in plan.stack.warnings:
        say(f"WARNING: {warning}")
    if plan.layers.status != "published":
        say(f"status of the layer numbers: {plan.layers.status}: {plan.layers.source}")
    if plan.moved:
        say(f"WARNING: coordinates were rounded by up to {plan.moved * 1e9:.3g} nm to a grid of {plan.grid * 1e9:g} nm")
    if picture:
        from metalrom.layout.picture import plane_top_view

        atomic_write_text(picture, plane_top_view(plan, open_layout(output).flatten(plan.grid)))
        say(f"wrote {picture}")
    found = check_file(output, project, plan) if check else None
    data = {"file": str(output), "bytes": done.size, "seconds": done.seconds, **layout_document(plan)}
    data["check"] = found.to_json() if found else None
    if json or found:
        emit(data, as_json=json, human=found.text if found else None)
    if found is not None and not found.ok:
        raise typer.Exit(CHECK_FAILED)


def audit_layout_file(path: Path, config: Path, json: bool) -> bool:
    """Compare a layout with the weights, wires and rules of a configuration; true if nothing differs."""
    from metalrom.api import load
    from metalrom.layout.check import check_file

    found = check_file(path, load(config))
    emit(found.to_json(), as_json=json, human=found.text)
    return found.ok

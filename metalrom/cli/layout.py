"""What the command `layout` does, and `audit` for a layout file."""

from __future__ import annotations

from pathlib import Path

from interconnect.files import atomic_write_text
from metalrom.api import load
from metalrom.cli.console import emit, say
from metalrom.layout.check import check_file, plan_of
from metalrom.layout.draw import need_gdstk
from metalrom.layout.files import check_suffix, layout_document, write_layout
from metalrom.layout.read import open_layout


def layout_config(
    config: Path,
    level: str,
    output: Path,
    *,
    tile: int = 0,
    plane: int = 0,
    check: bool = False,
    picture: Path | None = None,
    json: bool = False,
) -> bool:
    """Write a layout and, if asked, read it back and draw its corner; false if what was read is not as it should be."""
    check_suffix(output)
    need_gdstk()  # before anything is computed
    project = load(config)
    plan = plan_of(project, level, tile=tile, plane=plane)
    done = write_layout(plan, output)
    say(f"wrote {output}: {done.cells:,} cells, {done.size / 1e6:,.2f} MB in {done.seconds:.2f} s")
    say(f"wrote {done.layers}")
    for warning in plan.stack.warnings:
        say(f"WARNING: {warning}")
    if plan.layers.status != "published":
        say(f"layer numbers are an {plan.layers.status}: {plan.layers.source}")
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
    return found is None or found.ok


def audit_layout_file(path: Path, config: Path, json: bool) -> bool:
    """Compare a layout with the weights, wires and rules of a configuration; true if nothing differs."""
    found = check_file(path, load(config))
    emit(found.to_json(), as_json=json, human=found.text)
    return found.ok

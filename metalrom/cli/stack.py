"""What the commands `stack` do: check a metal stack and draw it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metalrom.cli import completion as known
from metalrom.cli.console import BAD_INPUT, emit, examples, guarded, say
from metalrom.cli.options import Json

if TYPE_CHECKING:
    from interconnect.stack import Stack


def add_stack_commands(app: typer.Typer) -> None:
    """Add `stack check`."""
    stack_app = typer.Typer(help="Metal stacks.", no_args_is_help=True)
    app.add_typer(stack_app, name="stack")
    stack_app.command(
        "check", epilog=examples("stack check my_stack.yaml", "stack check sky130 --picture sky130.png --json")
    )(guarded(check_stack))


def check_stack(
    stack: Annotated[
        str, typer.Argument(metavar="NAME|FILE", help="stack file", autocompletion=known.names(known.STACKS))
    ],
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE.svg|.png", help="draw the cross-section, to scale")
    ] = None,
    json: Json = False,
) -> None:
    """All faults of a stack file at once (exit code 2); of one without faults its layers and what is assumed."""
    from interconnect.stackfile import find_stack

    found, faults = find_stack(stack)
    if found is None:
        say(f"{len(faults)} fault{'s' if len(faults) > 1 else ''}:")
        emit({"ok": False, "faults": [str(f) for f in faults]}, as_json=json, human="\n".join(map(str, faults)))
        raise typer.Exit(BAD_INPUT)
    if picture is not None:
        from metalrom.reports.stack_section import write_stack_section

        say(f"wrote {write_stack_section(found, picture)}")
    data = stack_summary(found)
    emit(data, as_json=json, human=lambda: _text(found, data))


def stack_summary(stack: Stack) -> dict[str, Any]:
    """Layers of a stack, the planes that it allows, and what of it is assumed or left out."""
    assumed: dict[str, list[str]] = {}
    for path, source in stack.provenances():
        if source.status == "estimate":
            assumed.setdefault(source.source, []).append(path)
    if stack.spread is not None:
        for name, source in stack.spread.provenance.items():
            if source.status == "estimate":
                assumed.setdefault(source.source, []).append(f"spread.{name}")
    names = [metal.name for metal in stack.metals]
    cuts = {(via.below, via.above) for via in stack.vias}
    left_out = [
        *(() if stack.spread else ("no `spread`: a run asks for variation.cell_sigma",)),
        *(() if stack.corners else ("no `corners`: the nominal metals alone",)),
        *(() if stack.node else ("no `node`: areas are not compared with other processes",)),
        *(
            f"no cut from {low} up to {high}: no plane there"
            for low, high in pairwise(names)
            if (low, high) not in cuts
        ),
    ]
    return {
        "ok": True,
        "name": stack.name,
        "title": stack.title,
        "status": stack.status,
        "metals": names,
        "planes": [f"{low}-{high}" for low, high in pairwise(names[:-1]) if (low, high) in cuts],
        "assumed": [{"source": source, "values": paths} for source, paths in assumed.items()],
        "left_out": left_out,
        "notes": list(stack.notes),
    }


def _text(stack: Stack, data: dict[str, Any]) -> str:
    lines = [
        f"{stack.name}: {stack.title} ({stack.status}), no faults",
        f"metals: {', '.join(data['metals'])}",
        f"planes (rows-columns, with a metal above): {', '.join(data['planes']) or 'none'}",
        *(f"assumed: {', '.join(a['values'])} ({a['source']})" for a in data["assumed"]),
        *(f"left out: {text}" for text in data["left_out"]),
        *(f"note: {text}" for text in data["notes"]),
    ]
    return "\n".join(lines)

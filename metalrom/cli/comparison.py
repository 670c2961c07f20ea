"""What the command `compare` does: published results recomputed, systems side by side, one network placed on all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from interconnect.errors import InputError, shortened
from metalrom.cli import completion as known
from metalrom.cli.console import CHECK_FAILED, emit, say
from metalrom.cli.options import Json, one_of, several_of

if TYPE_CHECKING:
    from metalrom.studies.systems.chip import ChipSystem


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
    node: Annotated[float, typer.Option(metavar="NM", help="node that all areas are scaled to")] = 28.0,
    place: Annotated[
        str, one_of(known.WORKLOADS, "language model, taken as ternary, that is placed on every system", "NAME|FILE")
    ] = "bitnet-2b",
    context: Annotated[str, typer.Option(metavar="N,N", help="tokens before the placed one")] = "512,4096",
    json: Json = False,
) -> None:
    """Published systems and metal ROM side by side, and published results recomputed."""
    from metalrom.cli.comparison_view import comparison_view
    from metalrom.folders import ensure_output_folder
    from metalrom.studies.systems import checks, comparison, metal
    from metalrom.studies.systems.chip import CHIPS
    from metalrom.studies.systems.description import SYSTEMS
    from metalrom.studies.systems.placement import place_network
    from metalrom.studies.systems.tables import files, systems_document
    from metalrom.workloads.inventory.catalogue import SIZES
    from metalrom.workloads.inventory.read import sized_inventory

    where = _choice(attention, ("sram", "logic"), "--attention")
    chosen = [SIZES[_choice(size, tuple(SIZES), "--sizes")] for size in _names(sizes, tuple(SIZES), "--sizes")]
    contexts = _contexts(context)
    inventories = [
        (name, size.name, sized_inventory(name, size))
        for name in _names(workloads, comparison.WORKLOADS, "--workloads")
        for size in chosen
    ]
    macros, chips = _split(_names(systems, (*SYSTEMS, *CHIPS, comparison.METAL), "--systems"))
    expected = metal.example_macro() if macro is None else metal.macro_of_run(macro)
    ternary = metal.ternary_example() if macro is None else expected
    placed = place_network(place, chips, ternary, node, contexts)
    found = comparison.compare_systems(
        inventories,
        macros or (comparison.BASELINE, comparison.METAL),
        expected,
        area=_area(area),
        node=node,
        attention="sram" if where == "sram" else "logic",
    )
    if output is not None:
        ensure_output_folder(output)
    outcomes = checks.run_checks()
    data = systems_document(found, outcomes, placed)
    if output is not None:
        from interconnect.files import atomic_write_files
        from metalrom.studies.systems.figures import systems_figures

        for path in atomic_write_files(output, {**files(data), **systems_figures(found)}):
            say(f"wrote {path}")
    emit(data, as_json=json, human=lambda: comparison_view(found, outcomes, placed))
    failed = [outcome.check.what for outcome in outcomes if not outcome.ok]
    for what in failed:
        say(f"check failed: {what}")
    if failed:
        raise typer.Exit(CHECK_FAILED)


def _split(names: Sequence[str]) -> tuple[list[str], list[ChipSystem]]:
    """Names of systems that are compared macro by macro, and the chips; a file of a chip says what it rests on."""
    from interconnect.yamlfile import read_yaml
    from metalrom.studies.systems.chip import CHIPS, read_chip

    macros: list[str] = []
    chips: list[ChipSystem] = []
    for name in names:
        if name in CHIPS:
            chips.append(CHIPS[name])
        elif name.endswith((".yaml", ".yml")) and "evidence" in read_yaml(Path(name))[0]:
            chips.append(read_chip(Path(name)))
        else:
            macros.append(name)
    return macros, chips


def _contexts(text: str) -> list[int]:
    """Lengths separated by commas."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and len(part) < 8 for part in parts):
        raise InputError(f"--context is {shortened(repr(text))}", hint="numbers of tokens, for example 512,4096")
    return [int(part) for part in parts]


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

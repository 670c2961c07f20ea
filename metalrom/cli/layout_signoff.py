"""What the command `signoff` does."""

from pathlib import Path
from typing import Annotated

import typer

from metalrom.cli.console import CHECK_FAILED, emit, say
from metalrom.cli.options import ConfigPath, Json, OutFolder


def sign_off_config(
    config: ConfigPath,
    output: OutFolder,
    tile: Annotated[int, typer.Option(min=0, help="which tile, with all of its planes")] = 0,
    layout: Annotated[
        Path | None, typer.Option(metavar="FILE", help="check this GDSII or OASIS file instead of drawing one")
    ] = None,
    simulate: Annotated[bool, typer.Option(help="simulate a column with the drawn cell")] = True,
    json: Json = False,
) -> None:
    """Check a tile's layout and its readout's segments: DRC and LVS by KLayout, extraction, simulation."""
    import json as json_module

    from interconnect.files import atomic_write_text
    from metalrom.api import load
    from metalrom.signoff.drc import klayout_db
    from metalrom.signoff.page import write_sign_off_page
    from metalrom.signoff.report import sign_off_document, sign_off_text
    from metalrom.signoff.signoff import sign_off_layout

    klayout_db()  # before anything is computed
    project = load(config)
    result = sign_off_layout(project, output, tile=tile, layout=layout, simulate=simulate, announce=say)
    document, text = sign_off_document(result), sign_off_text(result)
    atomic_write_text(output / "signoff.json", json_module.dumps(document, indent=1) + "\n")
    atomic_write_text(output / "signoff.txt", text + "\n")
    say(f"wrote {write_sign_off_page(result, output / 'signoff.html', project.config.name)}")
    spent = ", ".join(f"{name} {value:.2f}" for name, value in result.seconds.items())
    emit({**document, "cpu_seconds": result.seconds}, as_json=json, human=lambda: f"{text}\nCPU seconds: {spent}")
    if result.failures:
        raise typer.Exit(CHECK_FAILED)

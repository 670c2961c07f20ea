"""The command `cells`: every cell kind side by side, same stack, devices, rows, layer and converter.

The command line takes it over with `add_cells_command`; it imports what it needs when it runs.
"""

from typing import Annotated

import typer

from interconnect.errors import InputError
from metalrom.cli.console import emit, examples, guarded, say
from metalrom.cli.options import ConfigPath, Jobs, Json, OutFolder

ROWS = "16,64"
MIN_GROUP_ROWS, MAX_GROUP_ROWS = 4, 64


def add_cells_command(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command(epilog=examples("cells metalrom.yaml -o cells --rows 16,64"))(guarded(cells))


def cells(
    config: ConfigPath,
    output: OutFolder,
    rows: Annotated[str, typer.Option(help="rows per conversion, separated by commas")] = ROWS,
    jobs: Jobs = None,
    json: Json = False,
) -> None:
    """The cells A to E side by side: signal, margin, spread, accuracy, energy, time and density, with their sources."""
    from metalrom.api import load
    from metalrom.folders import ensure_output_folder

    project = load(config)
    sizes = group_sizes(rows, project.config.array.rows)
    ensure_output_folder(output)
    from metalrom.studies.cells.measure import compare_cells
    from metalrom.studies.cells.page import write_page
    from metalrom.studies.cells.show import cells_document, tables

    page = compare_cells(project, sizes, jobs=jobs, announce=say)
    written = write_page(page, output)
    for reason in page.refused:
        say(f"left out: {reason}")
    emit(cells_document(page), as_json=json, human=lambda: tables(page))
    say(f"wrote {', '.join(path.name for path in written)} into {output}")


def group_sizes(text: str, array_rows: int) -> tuple[int, ...]:
    """Group sizes of `16,64`, each once, smallest first. Raises InputError for anything else."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words or not all(
        w.isascii() and w.isdigit() and MIN_GROUP_ROWS <= int(w) <= min(MAX_GROUP_ROWS, array_rows) for w in words
    ):
        raise InputError(
            f"{text[:60]!r} are not valid group sizes", where="--rows", hint=f"whole numbers from {MIN_GROUP_ROWS} to "
            f"{min(MAX_GROUP_ROWS, array_rows)}, such as {ROWS}"
        )  # fmt: skip
    return tuple(sorted({int(w) for w in words}))

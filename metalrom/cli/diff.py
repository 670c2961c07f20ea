"""What `metalrom diff` prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interconnect.jsonable import to_jsonable
from metalrom.cli.console import emit
from metalrom.cli.options import Json


def diff_runs(
    old: Annotated[Path, typer.Argument(metavar="OUT1", help="output folder of a run")],
    new: Annotated[Path, typer.Argument(metavar="OUT2", help="output folder of another run")],
    json: Json = False,
) -> None:
    """What changed between two runs, and why where that can be proved; exit code 0 whether or not they differ."""
    from metalrom.studies.diff.compare import compare_runs
    from metalrom.studies.diff.show import shown_difference

    found = compare_runs(old, new)
    emit({"same": found.same, **to_jsonable(found)}, as_json=json, human=lambda: shown_difference(found))

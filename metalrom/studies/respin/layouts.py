"""The layout of a model: a file as it is, or drawn from the via program of a finished run."""

from __future__ import annotations

from pathlib import Path

from interconnect.errors import InputError
from metalrom.config.schema import Config
from metalrom.design.design import Design
from metalrom.layout.files import is_layout, write_layout
from metalrom.layout.plan import Plan, plan_layout
from metalrom.run.folder import open_run
from netlists.mapping import MacroShape, tile


def layout_of(path: Path, folder: Path, name: str) -> Path:
    """A layout file as it is; the macro of a run's folder is drawn as `folder`/`name`.oas.

    Raises InputError for anything else, or a run whose cell cannot be drawn.
    """
    if is_layout(path):
        return path
    if not path.is_dir():
        raise InputError(
            "is neither a layout nor the folder of a run", where=str(path), hint="expected .gds, .oas or OUT of a run"
        )
    return write_layout(plan_of_run(path), folder / f"{name}.oas").path


def plan_of_run(path: Path) -> Plan:
    """All tiles of a finished run, from the via program that it stored."""
    run = open_run(path)
    results, program = run.results, run.program
    design = Design(Config.model_validate(results.config), path / "config.yaml")
    array = design.config.array
    manifest = tile(program, MacroShape(rows=array.rows, columns=array.columns, planes=len(design.planes)))
    return plan_layout(
        design.cell,
        design.stack,
        design.planes,
        program,
        manifest,
        "macro",
        group_rows=results.group_rows,
        options=design.array_options,
    )

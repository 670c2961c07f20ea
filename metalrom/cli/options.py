"""Arguments and options that several commands take, spelled once."""

from pathlib import Path
from typing import Annotated, Any

import typer

from metalrom.cli.completion import Names, lists, names

ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="project configuration (YAML)")]
OutFolder = Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="output folder")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON document on standard output")]
Jobs = Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="parallel simulations (default: all cores)")]
ClusterAddress = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="local|ADDRESS|FILE",
        help="simulate on dask: `local` (this machine), tcp://HOST:PORT or the scheduler's file",
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="overrides characterization.seed")]


def one_of(known: Names, help: str, metavar: str | None = None) -> Any:
    """An option whose value the shell completes from `known`."""
    return typer.Option(metavar=metavar, help=help, autocompletion=names(known))


def several_of(known: Names, help: str, metavar: str | None = None) -> Any:
    """An option that takes several of `known`, with commas between them."""
    return typer.Option(metavar=metavar, help=help, autocompletion=lists(known))

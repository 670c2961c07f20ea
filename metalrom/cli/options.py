"""Arguments and options that several commands take, spelled once."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from interconnect.errors import InputError, shortened
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
ImageSize = Annotated[str | None, typer.Option("--image", metavar="HxW", help="image height and width")]
SequenceLength = Annotated[int | None, typer.Option("--sequence", metavar="N", help="length of the sequence")]

_EXTENTS = re.compile(r"[1-9][0-9]{0,6}(x[1-9][0-9]{0,6})+")


def one_of(known: Names, help: str, metavar: str | None = None) -> Any:
    """An option whose value the shell completes from `known`."""
    return typer.Option(metavar=metavar, help=help, autocompletion=names(known))


def several_of(known: Names, help: str, metavar: str | None = None) -> Any:
    """An option that takes several of `known`, with commas between them."""
    return typer.Option(metavar=metavar, help=help, autocompletion=lists(known))


def extents(text: str, count: int, option: str, hint: str) -> tuple[int, ...]:
    """`224x224` as whole numbers."""
    parts = text.casefold().split("x")
    if not _EXTENTS.fullmatch(text.casefold()) or len(parts) != count:
        raise InputError(f"{option} is {shortened(repr(text))}", hint=f"expected {hint}")
    return tuple(int(part) for part in parts)


def image_size(text: str | None) -> tuple[int, int] | None:
    """What --image says: (height, width)."""
    if text is None:
        return None
    height, width = extents(text, 2, "--image", "HEIGHTxWIDTH, for example 224x224")
    return height, width

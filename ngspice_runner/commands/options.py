"""Arguments and options of the harness's commands, spelled once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Deck = Annotated[Path, typer.Argument(metavar="DECK", help="any SPICE deck")]
Save = Annotated[list[str], typer.Option("--save", metavar="VECTORS", help="v(out),i(vdd); may be repeated")]
Timeout = Annotated[float, typer.Option(metavar="SECONDS", help="wall time")]
Retry = Annotated[bool, typer.Option("--retry", help="try other engine options when it does not converge")]
Trust = Annotated[bool, typer.Option("--trust", help="allow programs to be started and commands in included files")]
Seed = Annotated[int | None, typer.Option(metavar="N", help="of random functions; drawn if not given")]
Accuracy = Annotated[bool, typer.Option("--accuracy", help="run it more finely as well: an error bar for every signal")]
Compatibility = Annotated[
    str, typer.Option(metavar="lt|ki|ps|hs", help="read a deck of LTspice, KiCad, PSpice or HSPICE as ngspice can")
]
Export = Annotated[
    list[Path] | None, typer.Option(metavar="FILE", help="write the result as .raw, .csv or .npz; may be repeated")
]
Plot = Annotated[Path | None, typer.Option(metavar="FILE.png", help="draw the saved vectors, or all of the result")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON document on standard output")]

"""`metalrom netlist --baseline`: a transistor column with the weights of the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from interconnect.errors import InputError
from metalrom.studies.baseline import baseline_deck

if TYPE_CHECKING:
    pass


def write_baseline(config: Path, level: str, kind: str, output: Path | None, json: bool = False) -> None:
    """Write the deck of `baseline_deck` to a file or standard output; json: tell about the file in a JSON document.

    Raises InputError for another level than `column`.
    """

    from interconnect.files import atomic_file
    from metalrom.api import load
    from metalrom.cli.console import emit, result_stream, say
    from netlists.baselines.registry import BASELINE_CELLS

    BASELINE_CELLS[kind]  # an unknown kind is reported before anything is read
    if level != "column":
        raise InputError(f"no baseline exists at level {level!r}", where="--level", hint="a baseline is one column")
    if json and output is None:
        raise InputError("--json describes a written file", where="--json", hint="add -o FILE")
    deck = baseline_deck(load(config), kind)
    if output is None:
        result_stream().write(deck.text)
        return
    with atomic_file(output) as file:
        file.write(deck.text.encode("ascii"))
    say(f"wrote {output}: {deck.title}, {len(deck.text) / 1e6:,.1f} MB, sha256 {deck.sha256[:16]}")
    if json:
        emit({"path": output, "level": level, "baseline": kind, "sha256": deck.sha256}, as_json=True)

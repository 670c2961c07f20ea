"""`metalrom netlist` and `metalrom testbench`: SPICE text of a part of the macro, and of one read of a column."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interconnect.errors import InputError
from metalrom.cli import completion as known
from metalrom.cli.console import emit, result_stream, say
from metalrom.cli.options import ConfigPath, Json, one_of

Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="default: stdout")]
Active = Annotated[int | None, typer.Option(metavar="ROWS", help="driven rows (default: all of a group)")]
Count = Annotated[int | None, typer.Option(metavar="N", help="count of the driven rows (default: the largest)")]
At = Annotated[str | None, typer.Option("--at", metavar="CONDITION", help="such as tt_1.00V_85C (default: nominal)")]
PlaneName = Annotated[str | None, typer.Option("--plane", metavar="PLANE", help="label or number from 0")]


def write_testbench(
    config: ConfigPath,
    active: Active = None,
    count: Count = None,
    at: At = None,
    plane: PlaneName = None,
    output: Output = None,
    json: Json = False,
) -> None:
    """Write one level of the readout table as a standalone SPICE file: `ngspice -b FILE` prints it by `.meas`."""
    from interconnect.files import atomic_write_text
    from metalrom.api import load

    _check_json(json, output)
    number = int(plane) if plane is not None and plane.isdecimal() else plane
    deck = load(config).testbench(active, count, condition=at, plane=number)
    if output is None:
        result_stream().write(deck.text)
        return
    atomic_write_text(output, deck.text)
    say(f"wrote {output}: {deck.title}, {len(deck.text) / 1e3:,.1f} kB, sha256 {deck.sha256[:16]}")
    if json:
        emit({"path": output, "title": deck.title, "unit": deck.unit, "sha256": deck.sha256}, as_json=True)


def write_macro_netlist(
    config: ConfigPath,
    level: Annotated[str, one_of(known.LEVELS, "cell, column, array or macro")] = "column",
    output: Output = None,
    baseline: Annotated[
        str | None,
        one_of(known.BASELINES, "rom_1t, rom_1t_mlc, sram_8t or sram_6t with the same weights, as a column", "KIND"),
    ] = None,
    testbench: Annotated[bool, typer.Option("--testbench", help="the read of a column, see `testbench`")] = False,
    active: Active = None,
    count: Count = None,
    at: At = None,
    plane: PlaneName = None,
    json: Json = False,
) -> None:
    """Write the SPICE netlist of one cell, one column, one tile or the whole macro."""
    if testbench:
        if baseline is not None or level != "column":
            raise InputError("a testbench is of one column of the macro", where="--testbench", hint="--level column")
        write_testbench(config, active, count, at, plane, output, json)
        return
    read = {"--active": active, "--count": count, "--at": at, "--plane": plane}
    if given := [name for name, value in read.items() if value is not None]:
        raise InputError("describes a read of a column", where=given[0], hint="add --testbench")
    if baseline is not None:
        from metalrom.cli.baseline import write_baseline

        write_baseline(config, level, baseline, output, json)
        return
    from metalrom.api import load

    _check_json(json, output)
    project = load(config)
    if output is None:
        result_stream().write(str(project.netlist(level)))
        return
    done = project.netlist(level, output)
    if not isinstance(done, str):
        rate = f", {done.cells / done.cpu_seconds:,.0f} cells per CPU second" if done.cells else ""
        say(f"wrote {output}: {done.cells:,} cells, {done.size / 1e6:,.1f} MB{rate}, sha256 {done.sha256[:16]}")
        if json:
            data = {"path": output, "level": level, "cells": done.cells, "bytes": done.size, "sha256": done.sha256}
            emit(data, as_json=True)


def _check_json(json: bool, output: Path | None) -> None:
    if json and output is None:
        raise InputError("--json describes a written file", where="--json", hint="add -o FILE")

"""The commands `fit` and `predict`: a fitted model of a figure over keys of the configuration, and its answers.

The command line takes them over with `add_surrogate_commands`; they import what they need when they run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from metalrom.cli import completion as known
from metalrom.cli.console import CHECK_FAILED, examples, guarded
from metalrom.cli.options import ClusterPlace, ConfigPath, Jobs, Json, Seed


def add_surrogate_commands(app: typer.Typer) -> None:
    """Register the commands of this file."""
    fit_examples = examples(
        "fit metalrom.yaml -o lsb.json --vary cell.row_pitch=200nm:400nm --vary array.group_rows=8:32",
        "fit metalrom.yaml -o energy.json --vary conditions.vdd=0.8V:1.1V --quantity energy --error 2% --most 60",
    )
    predict_examples = examples(
        "predict lsb.json --at cell.row_pitch=250nm,array.group_rows=16",
        "predict lsb.json --points places.csv -o answers.csv",
    )
    app.command(epilog=fit_examples)(guarded(fit))
    app.command(epilog=predict_examples)(guarded(predict))


def fit(
    config: ConfigPath,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="MODEL.json", help="model file to write")],
    vary: Annotated[
        list[str], typer.Option(metavar="KEY=LOW:HIGH", help="key of the configuration and its range; may be repeated")
    ],
    quantity: Annotated[
        str,
        typer.Option(help="lsb, level, sigma_static, energy or settling", autocompletion=known.names(known.QUANTITIES)),
    ] = "lsb",
    error: Annotated[str, typer.Option(help="relative error to reach at 95 % of the domain")] = "1%",
    most: Annotated[int, typer.Option(min=1, help="places to simulate, at most")] = 200,
    check: Annotated[int, typer.Option(min=0, help="further places at which the finished model is judged")] = 0,
    extraction: Annotated[
        str,
        typer.Option(
            help="auto, fieldsolver, table or formula; a field solution per geometry takes seconds",
            autocompletion=known.names(known.METHODS),
        ),
    ] = "auto",
    seed: Seed = None,
    jobs: Jobs = None,
    cluster: ClusterPlace = None,
    json: Json = False,
) -> None:
    """Fit a model with error bars over keys of the configuration: simulates where it is least sure, until it is."""
    from metalrom.cli.surrogate_actions import fit_config
    from metalrom.cli.workers import simulators

    with simulators(jobs, cluster) as workers:
        reached = fit_config(
            config, output, vary, quantity, error=error, most=most, check=check, extraction=extraction, seed=seed,
            jobs=workers, json=json,
        )  # fmt: skip
    if not reached:
        raise typer.Exit(CHECK_FAILED)


def predict(
    file: Annotated[Path, typer.Argument(metavar="MODEL.json", help="file that `metalrom fit` wrote")],
    at: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE,...", help="a point, every key of the model; may be repeated")
    ] = None,
    points: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="points: keys in the first line, bare numbers in SI units")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="TABLE.csv", help="write the answers as a table, SI units")
    ] = None,
    json: Json = False,
) -> None:
    """Ask a fitted model: the mean and the 95 % interval at points of its domain; it refuses to leave it."""
    from metalrom.cli.surrogate_actions import ask_file

    ask_file(file, at or (), points, output, json=json)

"""The commands `fit` and `predict`: a fitted model of a figure over keys of the configuration, and its answers.

The command line takes them over with `add_surrogate_commands`; they import what they need when they run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interconnect.errors import InputError
from interconnect.quantity import parse_quantity
from metalrom.cli import completion as known
from metalrom.cli.console import CHECK_FAILED, emit, examples, guarded, progress_bar, say
from metalrom.cli.options import ClusterAddress, ConfigPath, Jobs, Json, Seed, one_of

if TYPE_CHECKING:
    from rich.table import Table

    from metalrom.studies.surrogates.file import ModelFile
    from metalrom.studies.surrogates.fit import FittedSurrogate
    from metalrom.studies.surrogates.predict import PredictedPoints


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
    quantity: Annotated[str, one_of(known.QUANTITIES, "lsb, level, sigma_static, energy or settling")] = "lsb",
    error: Annotated[str, typer.Option(help="relative error to reach at 95 % of the domain")] = "1%",
    most: Annotated[int, typer.Option(min=1, help="places to simulate, at most")] = 200,
    check: Annotated[int, typer.Option(min=0, help="further places at which the finished model is judged")] = 0,
    extraction: Annotated[
        str, one_of(known.METHODS, "auto, fieldsolver, table or formula; a field solution per geometry takes seconds")
    ] = "auto",
    seed: Seed = None,
    jobs: Jobs = None,
    cluster: ClusterAddress = None,
    json: Json = False,
) -> None:
    """Fit a model with error bars over keys of the configuration: simulates where it is least sure, until it is."""
    from characterization.models.group_bench import group_quantity
    from metalrom.api import Project, load
    from metalrom.cli.workers import simulators
    from metalrom.studies.surrogates.axes import parse_box

    base = load(config)
    group_quantity(quantity, where="--quantity")
    box = parse_box(vary)
    asked = parse_quantity(error, "", where="--error")
    if not 0 < asked < 1:
        raise InputError(f"is {asked:g}", where="--error", hint="above 0 and below 1, such as 1%")
    if extraction not in known.METHODS:
        raise InputError(
            f"{extraction[:40]!r} is not an extraction method",
            where="--extraction",
            hint=f"one of {', '.join(known.METHODS)}",
        )
    if output.is_dir() or not output.absolute().parent.is_dir():  # reported now, not after an hour
        raise InputError("is not a writable file path", where=str(output), hint="give a file in a folder that exists")
    from metalrom.studies.surrogates.file import write_model
    from metalrom.studies.surrogates.fit import fit_model

    project = Project(base.config, base.path, extraction, base.source)
    used = base.config.characterization.seed if seed is None else seed
    with simulators(jobs, cluster) as workers, progress_bar("places") as progress:
        found = fit_model(
            project, box, quantity,
            error=asked, most=most, seed=used, check=check, jobs=workers, announce=say, progress=progress,
        )  # fmt: skip
    write_model(found.file, output)
    emit(fitted_document(found, output), as_json=json, human=lambda: "\n".join(sentences(found, output)))
    if not found.reached:
        raise typer.Exit(CHECK_FAILED)


def fitted_document(found: FittedSurrogate, output: Path) -> dict[str, Any]:
    """What the command prints as JSON."""
    model, about = found.file.model, found.file.about
    return {
        "quantity": model.quantity,
        "meaning": found.file.meaning,
        "unit": model.unit,
        "condition": about["condition"],
        "keys": about["keys"],
        "reached": found.reached,
        "error": about["error"],
        "quality": model.quality,
        "checked": about["checked"],
        "simulations": {**about["simulations"], "run_now": found.simulated, "cached": found.cached},
        "rounds": found.result.rounds,
        "assumptions": about["assumptions"],
        "warnings": about["warnings"],
        "file": output,
    }


def sentences(found: FittedSurrogate, output: Path) -> list[str]:
    """What the command says."""
    model, about, work = found.file.model, found.file.about, found.file.about["simulations"]
    error, quality = about["error"], model.quality
    assert quality is not None  # noqa: S101 - fitted with folds
    verdict = "reached" if found.reached else f"NOT reached within {work['places']} places"
    out = [
        f"{model.quantity}, {model.unit}: {found.file.meaning}; {about['condition']}",
        f"error asked {100 * error['asked']:.3g} %, {verdict}: {100 * error['share']:g} % of the domain within "
        f"{100 * error['reached']:.2g} % by the model's own calibrated estimate",
        f"held out fold by fold ({quality.points} places): rms {100 * quality.relative_rms:.2g} %, largest "
        f"{100 * quality.relative_largest:.2g} %; {_inside(quality.coverage, quality.points)} inside the 95 % interval",
    ]
    if found.held is not None:
        h = found.held
        out.append(
            f"at {h.points} held-out points: rms {100 * h.rms:.2g} %, largest {100 * h.largest:.2g} %; "
            f"{_inside(h.coverage, h.points)} inside the 95 % interval"
        )
    extracted = ", ".join(f"{number} geometries by {method}" for method, number in work["extractions"].items())
    formula = f", {work['closed_form']} values in closed form" if work["closed_form"] else ""
    out += [
        f"{work['ngspice']} ngspice simulations at {work['places']} places{formula}; {extracted} "
        f"({found.simulated} simulations run now in {found.engine_seconds:.1f} s CPU, {found.cached} from the cache)",
        *(f"WARNING: {w}" for w in about["warnings"]),
        f"wrote {output}",
    ]
    return out


def _inside(share: float, points: int) -> str:
    return f"{round(share * points)} of {points}"


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
    import numpy as np

    from metalrom.studies.surrogates.file import read_model
    from metalrom.studies.surrogates.predict import (
        parse_point,
        predict_points,
        prediction_documents,
        read_points,
        write_predictions,
    )

    kept = read_model(file)
    if bool(at) == (points is not None):
        raise InputError(
            "give the points of the prediction exactly once",
            hint=f"--at {_example(kept)}, or --points FILE.csv with these keys",
        )
    box = kept.model.box
    x = read_points(points, box) if points is not None else np.array([parse_point(text, box) for text in at or ()])
    answers = predict_points(kept.model, x)
    if output is not None:
        write_predictions(answers, output)
        say(f"wrote {len(x)} predictions to {output}")
    document = {
        "quantity": kept.model.quantity,
        "meaning": kept.meaning,
        "unit": kept.model.unit,
        "condition": kept.about.get("condition"),
        "error": kept.about.get("error"),
        "points": prediction_documents(answers),
    }
    if json or output is None:
        emit(document, as_json=json, human=lambda: _sentence(kept, answers) if len(x) == 1 else _table(kept, answers))


def _sentence(file: ModelFile, answers: PredictedPoints) -> str:
    from metalrom.formatting import amount
    from metalrom.studies.surrogates.axes import format_input

    mean, low, high = (
        amount(float(v[0]), file.model.unit, places=4).replace("\u00a0", " ")
        for v in (answers.mean, answers.low, answers.high)
    )
    at = ", ".join(
        f"{i.name} {format_input(i, float(v))}" for i, v in zip(answers.box.inputs, answers.points[0], strict=True)
    )
    half = 50 * float((answers.high - answers.low)[0] / abs(answers.mean[0]))
    return f"{file.model.quantity} {mean}, 95 % interval {low} to {high} (+- {half:.2g} %) at {at}"


def _table(file: ModelFile, answers: PredictedPoints) -> Table:
    from rich.table import Table

    from metalrom.formatting import amount
    from metalrom.studies.surrogates.axes import format_input

    table = Table(title=f"{file.model.quantity}: {file.meaning}")
    for name in (*answers.box.names, file.model.quantity, "95 % from", "to"):
        table.add_column(name, justify="right")
    for point, *values in zip(answers.points, answers.mean, answers.low, answers.high, strict=True):
        message = [amount(float(v), file.model.unit, places=4) for v in values]
        table.add_row(*(format_input(i, float(v)) for i, v in zip(answers.box.inputs, point, strict=True)), *message)
    return table


def _example(file: ModelFile) -> str:
    from metalrom.studies.surrogates.axes import format_input

    return ",".join(f"{i.name}={format_input(i, i.low).replace(' ', '')}" for i in file.model.box.inputs)

"""The commands `model` and `predict_points`: fit, write, say what was reached; read, ask, show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interconnect.errors import InputError
from interconnect.quantity import parse_quantity
from metalrom.api import Project, load
from metalrom.cli.completion import METHODS
from metalrom.cli.console import emit, progress_bar, say

if TYPE_CHECKING:
    from rich.table import Table

    from metalrom.studies.surrogates.file import ModelFile
    from metalrom.studies.surrogates.fit import FittedSurrogate
    from metalrom.studies.surrogates.predict import Answers
    from ngspice_runner import Workers


def fit_config(
    config: Path,
    output: Path,
    vary: Sequence[str],
    name: str,
    *,
    error: str,
    most: int,
    check: int,
    extraction: str,
    seed: int | None,
    jobs: Workers,
    json: bool,
) -> bool:
    """Fit a model of a configuration into the file `output`; whether the error asked for was reached.

    Raises InputError and EngineError.
    """
    from characterization.models.group_bench import group_quantity
    from metalrom.studies.surrogates.axes import parse_box

    base = load(config)
    group_quantity(name, where="--quantity")
    box = parse_box(vary)
    asked = parse_quantity(error, "", where="--error")
    if not 0 < asked < 1:
        raise InputError(f"is {asked:g}", where="--error", hint="above 0 and below 1, such as 1%")
    if extraction not in METHODS:
        raise InputError(f"{extraction[:40]!r} is no method", where="--extraction", hint=f"one of {', '.join(METHODS)}")
    if output.is_dir() or not output.absolute().parent.is_dir():  # told now, not after an hour
        raise InputError("is no place for a file", where=str(output), hint="give a file in a folder that exists")
    from metalrom.studies.surrogates.file import write_model
    from metalrom.studies.surrogates.fit import fit_model

    project = Project(base.config, base.path, extraction)
    used = base.config.characterization.seed if seed is None else seed
    with progress_bar("places") as progress:
        found = fit_model(
            project, box, name,
            error=asked, most=most, seed=used, check=check, jobs=jobs, announce=say, progress=progress,
        )  # fmt: skip
    write_model(found.file, output)
    emit(fitted_document(found, output), as_json=json, human=lambda: "\n".join(sentences(found, output)))
    return found.reached


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
            f"at {h.points} further places: rms {100 * h.rms:.2g} %, largest {100 * h.largest:.2g} %; "
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


def ask_file(path: Path, at: Sequence[str], points: Path | None, output: Path | None, *, json: bool) -> None:
    """Ask a model file at points of the command line, or of a table. Raises InputError."""
    import numpy as np

    from metalrom.studies.surrogates.file import read_model
    from metalrom.studies.surrogates.predict import (
        parse_point,
        predict_points,
        prediction_documents,
        read_points,
        write_answers,
    )

    file = read_model(path)
    if bool(at) == (points is not None):
        raise InputError(
            "give the points to ask at, once", hint=f"--at {_example(file)}, or --points FILE.csv with these keys"
        )
    box = file.model.box
    x = read_points(points, box) if points is not None else np.array([parse_point(text, box) for text in at])
    answers = predict_points(file.model, x)
    if output is not None:
        write_answers(answers, output)
        say(f"wrote {len(x)} answers into {output}")
    document = {
        "quantity": file.model.quantity,
        "meaning": file.meaning,
        "unit": file.model.unit,
        "condition": file.about.get("condition"),
        "error": file.about.get("error"),
        "points": prediction_documents(answers),
    }
    if json or output is None:
        emit(document, as_json=json, human=lambda: _sentence(file, answers) if len(x) == 1 else _table(file, answers))


def _sentence(file: ModelFile, answers: Answers) -> str:
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


def _table(file: ModelFile, answers: Answers) -> Table:
    from rich.table import Table

    from metalrom.formatting import amount
    from metalrom.studies.surrogates.axes import format_input

    table = Table(title=f"{file.model.quantity}: {file.meaning}")
    for name in (*answers.box.names, file.model.quantity, "95 % from", "to"):
        table.add_column(name, justify="right")
    for point, *values in zip(answers.points, answers.mean, answers.low, answers.high, strict=True):
        told = [amount(float(v), file.model.unit, places=4) for v in values]
        table.add_row(*(format_input(i, float(v)) for i, v in zip(answers.box.inputs, point, strict=True)), *told)
    return table


def _example(file: ModelFile) -> str:
    from metalrom.studies.surrogates.axes import format_input

    return ",".join(f"{i.name}={format_input(i, i.low).replace(' ', '')}" for i in file.model.box.inputs)

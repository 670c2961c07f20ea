"""Asks a model file: points from the command line or a table, answers with their 95 % intervals, nothing outside."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from characterization.models.box import Domain, DomainInput
from characterization.models.surrogate import SurrogateModel
from interconnect.arrays import FloatArray
from interconnect.errors import InputError, shortened
from interconnect.files import atomic_write_text, parse_csv, read_text
from interconnect.quantity import parse_quantity
from interconnect.suggestion import suggest
from metalrom.studies.surrogates.axes import format_input

MAX_POINTS = 100_000
_PART = 5000
_LARGEST = 64_000_000


@dataclass(frozen=True)
class PredictedPoints:
    """points: (points, inputs), SI, in the box's order. mean, low, high: (points,); 95 % of simulations lie between."""

    box: Domain
    points: FloatArray
    mean: FloatArray
    low: FloatArray
    high: FloatArray


def parse_point(text: str, box: Domain) -> FloatArray:
    """`KEY=VALUE,KEY=VALUE` as a point (inputs,). Raises InputError for a missing, unknown or repeated key."""
    given: dict[str, str] = {}
    for part in filter(str.strip, text.split(",")):
        key, equals, value = (word.strip() for word in part.partition("="))
        if not equals or key in given:
            what = "is given twice" if equals else "has no value"
            raise InputError(f"{shortened(key)!r} {what}", where="--at", hint="KEY=VALUE,KEY=VALUE")
        given[key] = value
    _check_keys(list(given), box, "--at")
    return np.array([_value(i, given[i.name], f"--at {i.name}", plain=False) for i in box.inputs])


def read_points(path: Path, box: Domain) -> FloatArray:
    """Points (points, inputs) of a CSV file whose first line names the keys; bare numbers are SI units.

    Raises InputError that names the line.
    """
    rows = parse_csv(read_text(path, limit=_LARGEST).removeprefix("\ufeff"), where=str(path))
    if not rows:
        raise InputError("is empty", where=str(path), hint=f"a first line {','.join(box.names)}")
    header = [name.strip() for name in rows[0]]
    _check_keys(header, box, f"{path} line 1")
    lines = [(n, row) for n, row in enumerate(rows[1:], start=2) if any(cell.strip() for cell in row)]
    if not 1 <= len(lines) <= MAX_POINTS:
        raise InputError(f"holds {len(lines)} points", where=str(path), hint=f"1 to {MAX_POINTS}")
    out = np.empty((len(lines), box.dims))
    for k, (number, row) in enumerate(lines):
        where = f"{path} line {number}"
        if len(row) != len(header):
            raise InputError(f"has {len(row)} values for {len(header)} keys", where=where)
        named = dict(zip(header, row, strict=True))
        out[k] = [_value(i, named[i.name].strip(), f"{where}: {i.name}", plain=True) for i in box.inputs]
    return out


def predict_points(model: SurrogateModel, points: FloatArray) -> PredictedPoints:
    """Answers at points (points, inputs).

    Raises InputError naming the first key that leaves the model's domain, or if an answer is not finite.
    """
    bad = np.argwhere(model.box.outside(points))
    if len(bad):
        row, column = bad[0]
        i = model.box.inputs[column]
        which = f"point {row + 1}: " if len(points) > 1 else ""
        low, high = format_input(i, i.low), format_input(i, i.high)
        raise InputError(
            f"{which}{i.name} is {format_input(i, float(points[row, column]))}, outside of the "
            f"{low} to {high} in which the "
            f"model of {model.quantity} was fitted and checked",
            hint="stay inside, or fit a model over a wider range",
        )
    with np.errstate(all="ignore"):
        parts = [model.predict(points[k : k + _PART]) for k in range(0, len(points), _PART)]
    mean, low_, high_ = (np.concatenate([getattr(p, n) for p in parts]) for n in ("mean", "low", "high"))
    if not np.isfinite([mean, low_, high_]).all():
        raise InputError(f"the model of {model.quantity} gives no finite answer", hint="fit it again with metalrom fit")
    return PredictedPoints(model.box, points, mean, low_, high_)


def write_predictions(answers: PredictedPoints, path: Path) -> Path:
    """A CSV table of the answers, all at once; SI units."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*answers.box.names, "mean", "low", "high"])
    table = np.column_stack([answers.points, answers.mean, answers.low, answers.high])
    writer.writerows([[repr(float(v)) for v in row] for row in table])
    return atomic_write_text(path, out.getvalue())


def prediction_documents(answers: PredictedPoints) -> list[Mapping[str, object]]:
    """Plain values, one mapping per point; SI units."""
    columns = zip(answers.points, answers.mean, answers.low, answers.high, strict=True)
    return [
        {
            "at": dict(zip(answers.box.names, map(float, point), strict=True)),
            "mean": float(mean),
            "low": float(low),
            "high": float(high),
        }
        for point, mean, low, high in columns
    ]


def _check_keys(keys: Sequence[str], box: Domain, where: str) -> None:
    for key in keys:
        if key not in box.names:
            raise InputError(f"the model has no key {shortened(key)!r}", where=where, hint=suggest(key, box.names))
        if list(keys).count(key) > 1:
            raise InputError(f"{key} is given twice", where=where)
    missing = [name for name in box.names if name not in keys]
    if missing:
        raise InputError(f"{missing[0]} is not given", where=where, hint=f"the model needs {', '.join(box.names)}")


def _value(axis: DomainInput, text: str, where: str, *, plain: bool) -> float:
    value = parse_quantity(text, axis.unit, where=where, plain_si=plain)
    if axis.integer and not value.is_integer():
        raise InputError(f"is {value:g}", where=where, hint="a whole number")
    return value

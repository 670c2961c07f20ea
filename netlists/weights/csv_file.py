"""Matrices of numbers separated by commas: one row per line, comment lines with `#`, perhaps a line of headings."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interconnect.errors import InputError, shortened
from interconnect.files import read_text

LIMIT = 2**30
"""Bytes of a text file."""


def read_csv_weights(path: Path, name: str | None) -> tuple[NDArray[Any], str]:
    """(the matrix as float64, what to call it in a sentence).

    Raises:
        InputError: a field that is no number, lines of different length, no numbers at all; reported by line.
    """
    where = str(path)
    if name is not None:
        raise InputError("a .csv file holds a single unnamed matrix", where=where, hint="omit the tensor name")
    lines = [
        (n, line)
        for n, line in enumerate(read_text(path, limit=LIMIT).removeprefix("\ufeff").split("\n"), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    headings = _headings(lines[0][1]) if lines else None
    rows = lines[1:] if headings else lines
    if not rows:
        raise InputError("holds no numbers", where=where)
    width = len(headings) if headings else rows[0][1].count(",") + 1
    for n, line in rows:
        if line.count(",") + 1 != width:
            raise InputError(f"line {n} has {line.count(',') + 1} fields, expected {width}", where=where)
    try:
        matrix = np.loadtxt([line for _, line in rows], delimiter=",", comments=None, ndmin=2, dtype=np.float64)
    except ValueError:
        fields = ((n, f) for n, line in rows for f in line.split(",") if _number(f) is None)
        n, field = next(fields, rows[0])
        raise InputError(
            f"line {n}: {shortened(field.strip()) or 'an empty field'!r} is not a number", where=where
        ) from None
    return matrix, "the matrix"


def _headings(line: str) -> list[str] | None:
    """The fields of a first line in which none is a number (not even `nan`), else None."""
    fields = line.split(",")
    return fields if all(f.strip() and _number(f) is None for f in fields) else None


def _number(field: str) -> float | None:
    # Python would read 1_0, digits of other scripts, and 1 with a stray end of line.
    if "_" in field or not field.isascii() or "\r" in field.rstrip():
        return None
    try:
        return float(field)
    except ValueError:
        return None

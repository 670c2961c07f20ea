"""Reader of ngspice's raw files: binary ones, and the ASCII ones that a deck may ask for; several plots to a file.

Format: a text header per plot (Title, Date, Plotname, Flags, No. Variables, No. Points, Variables), a line `Binary:`,
then points x variables values of float64 (complex: pairs), point by point. ngspice writes `No. Points: 0` first and
corrects it at the end, so a header of 0 points above data is the mark of a run that was killed.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interconnect.arrays import FloatArray
from ngspice_runner.job import Signal

_MARK, _ASCII_MARK = b"Binary:\n", b"\nValues:\n"
_UNITS = {"voltage": "V", "current": "A", "time": "s", "frequency": "Hz", "temp-sweep": "degC", "res-sweep": "ohm"}
_COUNTS = re.compile(rb"^(Title|Plotname|Flags|No\. Variables|No\. Points):[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_HEADER_LIMIT = 64 * 1024 * 1024


class RawError(ValueError):
    """A raw file that cannot be taken at its word; `reason` is killed, truncated or malformed, `plots` what was read
    before."""

    def __init__(self, message: str, reason: str, plots: tuple[Plot, ...] = ()) -> None:
        super().__init__(message)
        self.reason = reason
        self.plots = plots


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot of a raw file: vectors in file order (the first is the sweep of a swept analysis), each of shape
    (points,)."""

    title: str
    name: str
    signals: tuple[Signal, ...]
    points: int


def read_raw(path: str | os.PathLike[str]) -> tuple[Plot, ...]:
    """All plots of a binary raw file, in file order.

    Raises RawError when the file is killed (0 points announced above data), truncated or malformed; the error carries
    the plots that could be read, the last of them perhaps in part. OSError when the file cannot be read.
    """
    return parse_raw(Path(path).read_bytes())


def parse_raw(data: bytes) -> tuple[Plot, ...]:
    """The same as `read_raw` for bytes in memory."""
    plots: list[Plot] = []
    position = 0
    while position < len(data):
        mark = data.find(_MARK, position, position + _HEADER_LIMIT)
        values = data.find(_ASCII_MARK, position, mark if mark >= 0 else position + _HEADER_LIMIT)
        if values >= 0:
            position = _read_ascii_plot(data, position, values, plots)
            continue
        if mark < 0:
            if not data[position:].strip():
                break
            where = f"header of plot {len(plots) + 1}"
            cut = data.startswith(b"Title:", position)
            raise RawError(
                f"{where} is cut off" if cut else f"{where} is not of a raw file",
                "truncated" if cut else "malformed",
                tuple(plots),
            )
        position = _read_plot(data, position, mark, plots)
    return tuple(plots)


def next_plot(data: bytes, position: int) -> tuple[Plot, int]:
    """The plot that begins at `position` and where the next one begins. Raises RawError unless it is whole."""
    mark = data.find(_MARK, position, position + _HEADER_LIMIT)
    if mark < 0:
        raise RawError("incomplete header of a plot", "truncated")
    plots: list[Plot] = []
    end = _read_plot(data, position, mark, plots)
    return plots[0], end


def _read_plot(data: bytes, position: int, mark: int, plots: list[Plot]) -> int:
    """Append the plot whose header lies between `position` and `mark`; the position after it."""
    header = _read_header(data[position:mark], plots)
    start = mark + len(_MARK)
    width = len(header.names) * (16 if header.is_complex else 8)
    available = len(data) - start
    needed = width * header.points
    if header.points == 0 and available and not data.startswith(b"Title:", start):
        plots.append(_plot(header, data, start, available // width))
        raise RawError("the header announces 0 points but data follow: the run was killed", "killed", tuple(plots))
    if needed > available:
        plots.append(_plot(header, data, start, available // width))
        raise RawError(f"plot {header.name!r} is cut off: {available} of {needed} bytes", "truncated", tuple(plots))
    plots.append(_plot(header, data, start, header.points))
    return start + needed


def _read_ascii_plot(data: bytes, position: int, mark: int, plots: list[Plot]) -> int:
    """The same for a plot in ASCII: per point its number and one value a line, complex ones as `re,im`."""
    header = _read_header(data[position : mark + 1], plots)
    start = mark + len(_ASCII_MARK)
    following = data.find(b"\nTitle:", start)
    end = following + 1 if following >= 0 else len(data)
    words = data[start:end].split()
    width = len(header.names) + 1
    points = min(header.points or len(words), len(words) // width)
    try:
        rows = [[_ascii_value(word) for word in words[i * width + 1 : (i + 1) * width]] for i in range(points)]
    except ValueError as error:
        raise RawError(f"plot {header.name!r}: {error}", "malformed", tuple(plots)) from None
    table = np.array(rows, np.complex128).reshape(points, width - 1)
    plots.append(_plot(header, (table if header.is_complex else table.real.copy()).tobytes(), 0, points))
    if points < header.points or len(words) != points * width:
        raise RawError(
            f"plot {header.name!r} is cut off: {points} of {header.points} points", "truncated", tuple(plots)
        )
    return end


def _ascii_value(word: bytes) -> complex:
    real, _, imaginary = word.partition(b",")
    return complex(float(real), float(imaginary or b"0"))


@dataclass(frozen=True, slots=True)
class _Header:
    title: str
    name: str
    is_complex: bool
    points: int
    names: list[tuple[str, str]]


def _read_header(block: bytes, plots: list[Plot]) -> _Header:
    head, marker, table = (
        block.partition(b"Variables:\n") if b"\nVariables:\n" not in block else block.partition(b"\nVariables:\n")
    )
    fields = {key.decode(): value for key, value in _COUNTS.findall(head)}
    where = f"header of plot {len(plots) + 1}"
    try:
        variables, points = int(fields["No. Variables"]), int(fields["No. Points"])
        flags = fields["Flags"].split()
    except (KeyError, ValueError) as error:
        raise RawError(f"{where}: {error} is missing or not a number", "malformed", tuple(plots)) from None
    names: list[tuple[str, str]] = []
    for row in table.decode("utf-8", "replace").split("\n"):
        cells = row.split()
        if len(cells) >= 3:
            names.append((cells[1], cells[2]))
    if not marker or len(names) != variables or variables < 1 or points < 0:
        raise RawError(f"{where}: {variables} variables announced, {len(names)} listed", "malformed", tuple(plots))
    title = fields.get("Title", b"").decode("utf-8", "replace")
    return _Header(title, fields.get("Plotname", b"").decode("utf-8", "replace"), b"complex" in flags, points, names)


def _plot(header: _Header, data: bytes, start: int, points: int) -> Plot:
    dtype = np.complex128 if header.is_complex else np.float64
    table = np.frombuffer(data, dtype=dtype, count=points * len(header.names), offset=start)
    columns = np.ascontiguousarray(table.reshape(points, len(header.names)).T)
    columns.flags.writeable = False
    signals = []
    for index, (name, kind) in enumerate(header.names):
        values: FloatArray | NDArray[np.complex128] = columns[index]
        if header.is_complex and kind == "frequency":
            # ngspice leaves the imaginary part of the frequency uninitialised.
            values = np.ascontiguousarray(values.real)
            values.flags.writeable = False
        signals.append(Signal(_tidy(name), _UNITS.get(kind, ""), values))
    return Plot(header.title, header.name, tuple(signals), points)


def _tidy(name: str) -> str:
    """Lower case; `v(v-sweep)` -> `v-sweep`, `i(@r1[i])` -> `@r1[i]`: the names a user writes in `.save`."""
    name = name.lower()
    if name.endswith("-sweep)") or name.startswith(("v(@", "i(@")):
        return name[2:-1]
    return name

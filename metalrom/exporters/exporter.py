"""Views: exports for other tools. They keep a part of a run and are read back by that tool where it can be had."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from metalrom.exporters.probes import QUANTITIES, ProbePoints, ProbeQuantity, points_of, reference
from metalrom.exporters.run_data import RunData

NOT_VERIFIED = "not verified with its tool"
"""Written into files and documentation of a format whose consumer cannot be installed here."""


@dataclass(frozen=True, slots=True)
class ToolReading:
    """What the real consumer made of the files. consumer: name and version; problem: None if it took them, else one
    sentence; observations: what it read, in words; worst: largest relative difference of its figures from those of
    metalrom, None where it gives none.
    """

    consumer: str
    problem: str | None = None
    observations: tuple[str, ...] = ()
    worst: float | None = None


@dataclass(frozen=True)
class Exporter:
    """One format for another tool.

    Attributes
    ----------
    name, description : str
        Name for `--format`, and one sentence.
    precision : str
        Rounding of the format, in words.
    tolerance : dict[str, float]
        Largest relative difference that this rounding allows, by quantity.
    write : Callable
        (source, folder) -> files.
    read_back : Callable
        (folder, quantity, points) -> values (points,) read from the files alone; NaN where the export does not contain
        that point, None for a quantity that it does not contain.
    validate_with_tool : Callable, optional
        (source, folder) -> result of the tool that reads the format; raises `ToolMissing` where the tool could be
        installed but is not. None: the tool cannot be installed (files and docs say `NOT_VERIFIED`).
    measure : Callable, optional
        (source, folder) -> relative differences, by name, of what only this format contains (bounded likewise).
    """

    name: str
    description: str
    precision: str
    tolerance: dict[str, float]
    write: Callable[[RunData, Path], list[Path]]
    read_back: Callable[[Path, ProbeQuantity, ProbePoints], FloatArray | None]
    validate_with_tool: Callable[[RunData, Path], ToolReading] | None
    measure: Callable[[RunData, Path], dict[str, float]] | None = None


def compare_readings(
    consumer: str, wanted: Mapping[str, tuple[float, float]], tolerance: float, *, digits: int = 6
) -> ToolReading:
    """A reading whose problem is the first figure that differs by more than `tolerance`, relative to that of metalrom.

    wanted: (the tool's value, the value of metalrom) by the figure's name.
    """
    observations, problem, worst = [], None, 0.0
    for what, (reported, expected) in wanted.items():
        worst = max(worst, abs(reported - expected) / (abs(expected) or 1.0))
        observations.append(f"{what}: {reported:.{digits}g}, metalrom {expected:.{digits}g}")
        if not abs(reported - expected) <= tolerance * abs(expected):
            problem = problem or f"its {what} is {reported!r}, that of metalrom {expected!r}"
    return ToolReading(consumer, problem, tuple(observations), worst)


class ToolMissing(InputError):
    """The tool that reads a format is not installed; the hint says how to get it."""


@dataclass(frozen=True)
class ExportReport:
    """Outcome of a check. worst: relative difference by quantity, over `points` points; reading: None if the consumer
    was not there (`unverified` says why).
    """

    format: str
    files: tuple[Path, ...]
    points: int
    worst: dict[str, float]
    reading: ToolReading | None
    unverified: str | None


def check_export(view: Exporter, source: RunData, folder: Path, *, require_consumer: bool = False) -> ExportReport:
    """Compare a written export with the run and validate it with its tool.

    Parameters
    ----------
    view : Exporter
        The format.
    source : RunData
        The run.
    folder : Path
        Folder of the written files.
    require_consumer : bool
        Raise an error if the tool is missing.

    Returns
    -------
    ExportReport
        Largest differences, and the result of the tool.

    Raises
    ------
    InputError
        When a value differs by more than the format's rounding, when nothing can be compared, or when the tool refuses
        the files.
    ToolMissing
        With `require_consumer`, when the tool is not installed.
    """
    points = points_of(source)
    worst: dict[str, float] = {}
    for quantity in QUANTITIES:
        got = view.read_back(folder, quantity, points)
        if got is None:
            continue
        held = ~np.isnan(got)
        if not held.any():
            raise InputError(f"the {view.name} export holds no {quantity} at any point", where=str(folder))
        expected = reference(source, quantity, points)
        worst[quantity] = float(relative(got[held], expected[held]).max())
    if view.measure is not None:
        worst.update(view.measure(source, folder))
    for name, difference in worst.items():
        allowed = view.tolerance.get(name, 0.0)
        if not difference <= allowed:
            raise InputError(
                f"the {view.name} export differs from the run in {name} by {difference:.2g} (relative), "
                f"its rounding allows {allowed:.2g}",
                where=str(folder),
            )
    if not worst:
        raise InputError(f"the {view.name} export contains none of the compared quantities", where=str(folder))
    files = tuple(sorted(p for p in folder.rglob("*") if p.is_file()))
    reading, unverified = None, NOT_VERIFIED if view.validate_with_tool is None else None
    if view.validate_with_tool is not None:
        try:
            reading = view.validate_with_tool(source, folder)
        except ToolMissing as missing:
            if require_consumer:
                raise
            unverified = str(missing)
        if reading is not None and reading.problem is not None:
            raise InputError(f"{reading.consumer} refuses the {view.name} export: {reading.problem}", where=str(folder))
    return ExportReport(view.name, files, len(points), worst, reading, unverified)


def relative(got: FloatArray, expected: FloatArray) -> FloatArray:
    """|got - expected| relative to |expected|, absolute where expected is 0; values of both signs are a difference
    from a reference, as levels of a double-sampling chain are, and relative to the largest of them.
    """
    signed = expected.size > 0 and expected.min() < 0.0 < expected.max()
    size = np.full(expected.shape, np.abs(expected).max()) if signed else np.abs(expected)
    scale = np.where(size == 0.0, 1.0, size)
    out: FloatArray = np.abs(got - expected) / scale
    return out


def commented(lines: Iterable[str], mark: str) -> str:
    """Lines of text as comments of a format; nothing but printable ASCII goes in."""
    clean = ("".join(c if " " <= c <= "~" else "?" for c in line) for line in lines)
    return "".join(f"{mark} {line}\n" for line in clean)

"""Results as files: ngspice's raw format (binary or ASCII), CSV and npz. Every number is read back exactly.

A result with several analyses becomes several plots of one raw file, several CSV files beside each other
(`out.csv`, `out.op.csv`), or names with prefixes in one npz file.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interconnect.files import atomic_file
from ngspice_runner.deck import PLOT_NAMES
from ngspice_runner.errors import JobError
from ngspice_runner.job import Result, Signal
from ngspice_runner.waveforms import is_sweep

PLOT_TITLES = {
    "op": "Operating Point",
    "tran": "Transient Analysis",
    "ac": "AC Analysis",
    "dc": "DC transfer characteristic",
    "noise": "Noise Spectral Density Curves",
    "integrated": "Integrated Noise",
    "tf": "Transfer Function",
    "sens": "Sensitivity Analysis",
    "pz": "Pole-Zero Analysis",
    "disto": "DISTORTION - 2nd harmonic",
    "sp": "SP Analysis",
}
"""Analysis -> how ngspice names its plot."""

_PREFIX = re.compile(rf"((?:{'|'.join(PLOT_NAMES)}|integrated|plot)\d*)\.(?=\S)")
_TYPES = {"V": "voltage", "A": "current", "s": "time", "Hz": "frequency", "degC": "temp-sweep", "ohm": "res-sweep"}


@dataclass(frozen=True, slots=True)
class AnalysisSignals:
    """The signals of one analysis under their plain names, the sweep first; `prefix` is empty for the main one."""

    prefix: str
    signals: tuple[Signal, ...]

    @property
    def kind(self) -> str:
        """The analysis, by prefix or else by the sweep."""
        if self.prefix:
            return self.prefix.rstrip("0123456789")
        names = {signal.name for signal in self.signals}
        first = self.signals[0].name
        if first == "frequency":
            return "noise" if "onoise_spectrum" in names else "ac"
        if "transfer_function" in names:
            return "tf"
        return "tran" if first == "time" else "dc" if is_sweep(first) else "op"


def analyses_of(result: Result) -> list[AnalysisSignals]:
    """The signals of a result by analysis, vectors of different lengths apart."""
    groups: dict[tuple[str, int], list[Signal]] = {}
    for name, signal in result.signals.items():
        match = _PREFIX.match(name)
        plain = name[match.end() :] if match else name
        key = (match[1] if match else "", len(signal.values))
        groups.setdefault(key, []).append(Signal(plain, signal.unit, signal.values))
    return [
        AnalysisSignals(prefix, tuple(sorted(signals, key=lambda signal: not is_sweep(signal.name))))
        for (prefix, _), signals in groups.items()
    ]


def export_result(result: Result, path: Path, *, ascii: bool = False) -> list[Path]:
    """Write a result in the format that the file's name ends with.

    Parameters
    ----------
    result
        A result with signals.
    path
        `*.raw`, `*.csv` or `*.npz`.
    ascii
        A raw file in ASCII.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    JobError
        There is nothing to write, or no such format.
    InputError
        The file cannot be written; nothing of it stays.
    """
    check_format(path)
    write = _WRITERS[path.suffix.lower()]
    if not result.signals:
        raise JobError(f"{path.name}: the result has no signals to write")
    return write(result, path, ascii)


def check_format(path: Path) -> None:
    """Raise JobError where no format belongs to the file's name."""
    if path.suffix.lower() not in _WRITERS:
        raise JobError(f"{path.name}: no such format; the name must end with {', '.join(_WRITERS)}")


def _write_raw(result: Result, path: Path, ascii: bool) -> list[Path]:
    key = result.provenance.key[:24] if result.provenance else "result"
    with atomic_file(path) as file:
        for group in analyses_of(result):
            file.writelines(_plot(group, f"ngspice_runner {key}", ascii))
    return [path]


def _plot(group: AnalysisSignals, title: str, ascii: bool) -> Iterator[bytes]:
    signals = group.signals
    points = len(signals[0].values)
    is_complex = any(np.iscomplexobj(signal.values) for signal in signals)
    head = [
        f"Title: {title}",
        "Date: Thu Jan  1 00:00:00  1970",  # readers want one; equal results give equal files
        f"Plotname: {PLOT_TITLES.get(group.kind, 'Unknown')}",
        f"Flags: {'complex' if is_complex else 'real'}",
        f"No. Variables: {len(signals)}",
        f"No. Points: {points}",
        "Variables:",
    ]
    head += [f"\t{i}\t{signal.name}\t{_TYPES.get(signal.unit, 'notype')}" for i, signal in enumerate(signals)]
    table = np.array([signal.values for signal in signals], np.complex128 if is_complex else np.float64).T
    if not ascii:
        yield ("\n".join([*head, "Binary:"]) + "\n").encode()
        yield np.ascontiguousarray(table).tobytes()
        return
    yield ("\n".join([*head, "Values:"]) + "\n").encode()
    for i, row in enumerate(table):
        cells = [f"{value.real!r},{value.imag!r}" if is_complex else repr(value) for value in row.tolist()]
        yield (f" {i}\t" + "\n\t".join(cells) + "\n\n").encode()


def _write_csv(result: Result, path: Path, ascii: bool) -> list[Path]:
    written: list[Path] = []
    for group in analyses_of(result):
        target = path.with_suffix(f".{group.prefix}.csv") if group.prefix else path
        target = target if target not in written else target.with_suffix(f".{len(written)}.csv")
        columns: dict[str, Sequence[float]] = {}
        for signal in group.signals:
            if np.iscomplexobj(signal.values):
                columns[f"{signal.name}.real"] = signal.values.real.tolist()
                columns[f"{signal.name}.imag"] = signal.values.imag.tolist()
            else:
                columns[signal.name] = signal.values.tolist()
        with atomic_file(target) as file, io.TextIOWrapper(file, "utf-8", newline="") as text:
            writer = csv.writer(text)
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))
        written.append(target)
    return written


def _write_npz(result: Result, path: Path, ascii: bool) -> list[Path]:
    arrays: Mapping[str, object] = {name: signal.values for name, signal in result.signals.items()}
    measures = {f"measure.{name}": np.float64(value) for name, value in result.measures.items()}
    with atomic_file(path) as file:
        np.savez_compressed(file, **{**arrays, **measures})  # type: ignore[arg-type]
    return [path]


_WRITERS: dict[str, Callable[[Result, Path, bool], list[Path]]] = {
    ".raw": _write_raw,
    ".csv": _write_csv,
    ".npz": _write_npz,
}

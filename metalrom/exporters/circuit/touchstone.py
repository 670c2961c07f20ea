"""Touchstone: scattering parameters of one bit line of a group and of one word line of a plane."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import skrf
from numpy.typing import NDArray

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from interconnect.files import atomic_write_files
from interconnect.network_parameters import line_parameters
from metalrom.exporters.checksum import add_digest, header, verify_digests
from metalrom.exporters.circuit.lines import SURROUNDINGS, Ladder, ladders
from metalrom.exporters.exporter import Exporter, ToolReading
from metalrom.exporters.probes import ProbePoints, ProbeQuantity
from metalrom.exporters.run_data import RunData

MARK = "!"
FILES = ("bit_line.s2p", "word_line.s2p")
Z0 = 50.0
HERTZ = np.geomspace(1e6, 1e11, 101)
AGREEMENT = 1e-11
"""|dS| between the exact admittance of the ladder and its chain matrix: the rounding of either."""


def write_touchstone_files(source: RunData, folder: Path) -> list[Path]:
    """Write `bit_line.s2p` and `word_line.s2p` (real and imaginary parts, 18 digits, 1 MHz to 100 GHz, 50 ohm)."""
    files = {}
    for name, ladder in zip(FILES, ladders(source), strict=True):
        line = line_parameters(ladder.network(), [0, ladder.cells], HERTZ, z0=Z0, name=ladder.name)
        text = line.write_touchstone(return_string=True, form="ri", format_spec_A="{:.17e}", format_spec_B="{:.17e}")
        body = "".join(f"{row}\n" for row in text.splitlines() if row and not row.startswith(MARK))
        message = (
            f"{ladder.name} on plane {source.results.cell.plane}, port 1 near end, port 2 far end; {SURROUNDINGS}",
            f"ladder: {ladder.cells} cells of {ladder.resistance!r} ohm, {ladder.capacitance!r} F, "
            f"{ladder.conductance!r} S",
        )
        files[name] = add_digest(header(source, MARK, *message) + body, MARK)
    return atomic_write_files(folder, files)


def read_touchstone_files(folder: Path) -> dict[str, tuple[Ladder, FloatArray, NDArray[np.complex128]]]:
    """Ladder, frequencies (Hz) and S of both files, from the files alone. Raises InputError if one is damaged."""
    out = {}
    for name, text in verify_digests(folder, FILES, MARK).items():
        found = re.search(r"^! ladder: (\d+) cells of (\S+) ohm, (\S+) F, (\S+) S$", text, re.MULTILINE)
        option = re.search(r"^# (\S+) S RI R (\S+)", text, re.MULTILINE | re.IGNORECASE)
        rows = [line.split() for line in text.splitlines() if line and line[0] not in "!#"]
        if not found or not option or option.group(1).lower() != "hz" or float(option.group(2)) != Z0:
            raise InputError("has no description in its header", where=str(folder / name))
        try:
            data = np.array(rows, dtype=np.float64)
            s = (data[:, 1::2] + 1j * data[:, 2::2]).reshape(-1, 2, 2).swapaxes(1, 2)  # columns first: S11 S21 S12 S22
        except (ValueError, IndexError):
            raise InputError("a line does not describe a two-port", where=str(folder / name)) from None
        r, c, g = (float(found.group(k)) for k in (2, 3, 4))
        out[name] = (Ladder(name.removesuffix(".s2p"), int(found.group(1)), r, c, g), data[:, 0], s)
    return out


def compare_touchstone(source: RunData, folder: Path) -> dict[str, float]:
    """Largest |dS| of either file against the chain matrix of the run's ladder."""
    expected = {ladder.name: ladder for ladder in ladders(source)}
    worst = {}
    for ladder, hertz, s in read_touchstone_files(folder).values():
        if ladder != expected[ladder.name]:
            raise InputError(f"{ladder.name} is not that of the run", where=str(folder))
        worst[f"s_{ladder.name}"] = float(np.abs(s - ladder.scattering(hertz, Z0)).max())
    return worst


def read_back_touchstone(folder: Path, quantity: ProbeQuantity, points: ProbePoints) -> FloatArray | None:
    """Nothing: the format holds lines, not readings."""
    return None


def validate_touchstone(source: RunData, folder: Path) -> ToolReading:
    """scikit-rf reads both files: two ports, reciprocal, passive, and the same numbers as the small reader."""
    tool = f"scikit-rf {skrf.__version__}"
    observations = []
    for name, (ladder, hertz, s) in read_touchstone_files(folder).items():
        line: Any = skrf.Network(str(folder / name))
        if line.nports != 2 or line.s.shape != s.shape or not np.allclose(line.f, hertz, rtol=1e-12):
            return ToolReading(tool, f"{name} has another size or other frequencies")
        if np.abs(line.s - s).max() > 0 or (line.z0 != Z0).any():
            return ToolReading(tool, f"{name} holds other numbers")
        if not (line.is_reciprocal(tol=1e-9) and line.is_passive(tol=1e-9)):
            return ToolReading(tool, f"{name} is not reciprocal and passive")
        low = ladder.cells * ladder.resistance
        observations.append(f"{name}: {ladder.cells} cells, {low:.3g} ohm, {ladder.cells * ladder.capacitance:.3g} F")
    return ToolReading(tool, None, tuple(observations))


EXPORTER = Exporter(
    "touchstone",
    "Touchstone two-ports of one bit line of a group and of one word line of a plane",
    "18 digits; the ladder's two calculations agree to 1e-11",
    dict.fromkeys(("s_bit_line", "s_word_line"), AGREEMENT),
    write_touchstone_files,
    read_back_touchstone,
    validate_touchstone,
    compare_touchstone,
)

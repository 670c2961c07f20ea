"""A digital count through the real tools: yosys onto a Liberty library, iverilog against numpy, OpenSTA for energy.

Area is the sum of the library's cells, energy what OpenSTA reports for random inputs: switching and internal energy of
an evaluation without the wires between cells and without hazards that its propagation of activities does not see.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interconnect.arrays import IntArray
from interconnect.errors import InputError
from interconnect.files import read_text
from metalrom.exporters.circuit.liberty_check import OPENSTA
from metalrom.exporters.circuit.verilog_check import IVERILOG
from metalrom.exporters.executables import program, run_program
from metalrom.studies.popcount.row import (
    ADDER_CELLS,
    MODULE,
    AdderCell,
    bench_verilog,
    counts,
    popcount_verilog,
    vectors_text,
)
from ngspice_runner.workspace import scratch_folder

YOSYS = "apt-get install yosys (Debian), brew install yosys (macOS)"
SYNTHESIS_TIME = 600.0
MAX_LIBERTY = 2**26
"""Bytes of a library."""

PERIOD = 10.0
"""ns between two evaluations, for which OpenSTA reports power; the energy of one does not depend on it."""

_AREA = re.compile(r"Chip area for module '\\?([^']+)':\s*([0-9.eE+-]+)")
_CELLS = re.compile(r"Number of cells:\s*(\d+)")
_POWER = re.compile(r"^Total\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class CellLibrary:
    """A Liberty file: its node, m, and supply, V, as the file says; source: where it comes from."""

    path: Path
    node: float
    vdd: float
    source: str

    @property
    def adder(self) -> AdderCell | None:
        """Its full adder, if it is a known one."""
        text = read_text(self.path, limit=MAX_LIBERTY)
        return next((cell for cell in ADDER_CELLS if re.search(rf"\bcell\s*\(\s*{cell.name}\s*\)", text)), None)


def cell_library(path: Path, node: float, source: str) -> CellLibrary:
    """A Liberty file. node: m. Raises InputError for a file without a supply."""
    found = re.search(r"\bnom_voltage\s*:\s*([0-9.]+)", read_text(path, limit=MAX_LIBERTY))
    if found is None:
        raise InputError("tells no nominal supply (nom_voltage)", where=str(path))
    return CellLibrary(path, node, float(found[1]), source)


@dataclass(frozen=True, slots=True)
class Synthesis:
    """A count of `rows` rows in cells. area: um2. energy: J of one evaluation, all inputs anew; leakage: W. wrong: of
    `vectors` random inputs, of the source and of the cells together."""

    rows: int
    cells: int
    area: float
    energy: float
    leakage: float
    vectors: int
    wrong: int


def synthesize(rows: int, library: CellLibrary, *, share: float = 0.5, vectors: int = 1000, seed: int = 0) -> Synthesis:
    """Map a count onto a library and judge it. share: of the digits that are not 0, half of them plus.

    Rows are driven half of the time; row bits and digits are independent from one evaluation to the next.

    Raises InputError for a tool that fails, ToolMissing for one that is not installed.
    """
    yosys = program("yosys", YOSYS)
    with scratch_folder() as folder:
        (folder / "row.v").write_text(popcount_verilog(rows), encoding="ascii")
        (folder / "mapped.v").write_text(popcount_verilog(rows, library.adder), encoding="ascii")
        liberty = library.path.resolve()
        script = [
            f"read_liberty -lib {liberty}",
            "read_verilog mapped.v",
            f"synth -flatten -top {MODULE}",
            f"abc -liberty {liberty}",
            "opt_clean -purge",
            f"tee -q -o area.txt stat -liberty {liberty}",
            "write_verilog -noattr netlist.v",
            "design -reset",
            f"read_liberty -ignore_miss_func -ignore_miss_dir -ignore_miss_data_latch {liberty}",
            "write_verilog -noattr cells.v",
        ]
        _checked(folder, [yosys, "-q", "-p", "; ".join(script)])
        report = read_text(folder / "area.txt", limit=MAX_LIBERTY)
        area, cells = _AREA.search(report), _CELLS.search(report)
        if area is None or cells is None or "unknown" in report.lower():
            raise InputError("yosys reports no area", where=str(library.path))
        row, plus, minus = random_inputs(rows, vectors, share, seed)
        want = counts(row, plus, minus)
        wrong = 0
        for files in (["row.v"], ["netlist.v", "cells.v"]):
            got = simulated(folder, files, rows, (row, plus, minus))
            wrong += vectors if got.shape != want.shape else int((got != want).sum())
        energy, leakage = _power(folder, liberty, share)
    return Synthesis(rows, int(cells[1]), float(area[2]), energy, leakage, vectors, wrong)


def random_inputs(rows: int, vectors: int, share: float, seed: int) -> tuple[IntArray, IntArray, IntArray]:
    """Driven rows, plus and minus digits, bits of shape (vectors, rows); the first two vectors are the extremes."""
    generator = np.random.default_rng(seed)
    digit = generator.choice([-1, 0, 1], (vectors, rows), p=[share / 2, 1 - share, share / 2])
    row = generator.integers(0, 2, (vectors, rows))
    row[:2], digit[:1], digit[1:2] = 1, 1, -1
    return row, (digit > 0).astype(np.int64), (digit < 0).astype(np.int64)


def simulated(folder: Path, files: list[str], rows: int, inputs: tuple[IntArray, IntArray, IntArray]) -> IntArray:
    """Counts of a circuit in iverilog, one for each vector; unknown values are left out."""
    compiler, runner = program("iverilog", IVERILOG), program("vvp", IVERILOG)
    (folder / "bench.v").write_text(bench_verilog(rows), encoding="ascii")
    (folder / "vectors.memh").write_text(vectors_text(*inputs), encoding="ascii")
    _checked(folder, [compiler, "-g2012", "-s", "bench", "-o", "bench.vvp", "bench.v", *files])
    text = _checked(folder, [runner, "-n", "bench.vvp", f"+vectors={len(inputs[0])}"])
    return np.array([int(v) for v in re.findall(r"^count (-?\d+)$", text, re.MULTILINE)], dtype=np.int64)


def _power(folder: Path, liberty: Path, share: float) -> tuple[float, float]:
    """(energy of an evaluation, J; leakage, W) by OpenSTA, inputs toggling as independent random bits."""
    timer = program("sta", OPENSTA)
    half = share / 2
    lines = [f"read_liberty {liberty}", "read_verilog netlist.v", f"link_design {MODULE}"]
    lines += [f"create_clock -name evaluation -period {PERIOD:g}", "set_input_delay 0 -clock evaluation [all_inputs]"]
    for name, duty in (("row", 0.5), ("plus", half), ("minus", half)):
        activity = 2 * duty * (1 - duty)
        lines.append(f"set_power_activity -input_ports [get_ports {name}*] -activity {activity:.6g} -duty {duty:.6g}")
    lines += ["set_cmd_units -power W", "report_power -digits 8"]
    (folder / "power.tcl").write_text("\n".join(lines) + "\n", encoding="ascii")
    text = _checked(folder, [timer, "-no_splash", "-exit", "power.tcl"])
    found = _POWER.search(text)
    if found is None:
        raise InputError(f"OpenSTA reports no power ({text.strip()[:200]})", where=str(liberty))
    internal, switching, leakage = (float(found[k]) for k in (1, 2, 3))
    if not internal + switching > 0:
        hint = "OpenSTA takes the supply of default_operating_conditions"
        raise InputError("gives no energy of a switching cell", where=str(liberty), hint=hint)
    return (internal + switching) * PERIOD * 1e-9, leakage


def _checked(folder: Path, command: list[str | Path]) -> str:
    done = run_program(command, folder, SYNTHESIS_TIME)
    if done.code:
        raise InputError(f"{Path(command[0]).name}: {done.complaint}")
    return done.text

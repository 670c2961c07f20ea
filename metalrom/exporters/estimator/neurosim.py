"""NeuroSim: values for `Param.cpp` of V1.4, and the two CSV files of V1.5 (memory states, statistics of the output).

V1.5 models one conversion as (count) -> Gaussian code with mean and sigma, whatever the number of driven rows: what it
is given are our levels with all rows driven. Its network simulation is bound to CUDA; its array class alone runs on the
CPU and is compared (`neurosim_check`). V1.4 takes its values by editing source code and is not verified.
"""

import math
import re
from pathlib import Path

import numpy as np

from characterization.tables.content import json_sha256
from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from interconnect.files import atomic_write_files, parse_csv, read_text
from metalrom.exporters.checksum import add_digest, header, verify_digest
from metalrom.exporters.estimator.digits import PRECISION, TOLERANCE, shown_digits
from metalrom.exporters.estimator.headline import MEANING, NO_WRITE, cell_resistance, figure_values, headline
from metalrom.exporters.estimator.neurosim_check import adc_precision, validate_neurosim
from metalrom.exporters.exporter import NOT_VERIFIED, Exporter
from metalrom.exporters.probes import ProbePoints, ProbeQuantity
from metalrom.exporters.run_data import RunData
from metalrom.exporters.templates import fill, read_checked_json, with_json_digest

PARAM = "param_values.cpp"
STATES = "mem_states.csv"
OUTPUT = "output_noise.csv"
ABOUT_FILE = "neurosim_about.json"


def write_neurosim(source: RunData, folder: Path) -> list[Path]:
    """Write the value list, both CSV files, and the file that says what they are and guards them."""
    h, table = headline(source), source.table
    g = source.estimate.macro.geometry
    i = table.index(source.results.condition)
    n = table.rows
    levels, lsb = table.level[i, n], table.lsb(source.results.condition)
    sigma = table.total_sigma(source.results.condition)[n]
    value, unit, spread = _states(source)
    param = fill(
        "neurosim_param.cpp.j2",
        notes=header(source, "//", MEANING, NOT_VERIFIED, f"write pulses: {NO_WRITE}"),
        node=round(h.node),
        temperature=shown_digits(table.conditions[i].temperature + 273.15),
        rows=g.rows,
        columns=g.columns,
        group_rows=n,
        share=g.columns_per_adc,
        levels=2**g.adc_bits,
        weight_bits=g.weight_bits,
        input_bits=g.input_bits,
        height=shown_digits(_side(source, 1) / (h.node * 1e-9)),
        width=shown_digits(_side(source, 0) / (h.node * 1e-9)),
        vdd=shown_digits(h.vdd),
        read_time=shown_digits(h.read_time),
        charge=table.unit == "V",
        on=shown_digits(1 / value if table.unit == "A" else 0.0),
    )
    content = {
        PARAM: add_digest(param, "//"),
        # the tool refuses or misreads comment lines in these two
        STATES: _csv(("states", "mean", "std"), [(0, 0.0, 0.0), (1, value, spread)]),
        OUTPUT: _csv(
            ("output", "mean", "std"),
            [(k, (levels[k] - levels[0]) / lsb, sigma[k] / lsb) for k in range(n + 1)],
        ),
    }
    about = {
        "stamp": list(source.stamp),
        "verified": "the CSV files by the array class of V1.5 on the CPU; its network simulation was not run",
        "adc_precision": adc_precision(table),
        "assumptions": list(source.assumptions),
        "condition": source.results.condition,
        "condition_index": i,
        "unit": table.unit,
        "zero_level": float(levels[0]),
        "count": float(lsb),
        "mem_states": f"mean and frozen sigma of a cell, {unit}; state 0: nothing beside the wires",
        "output_noise": f"mean and sigma of the code before rounding, in counts, with all {n} rows driven",
        "files": {name: json_sha256(content[name].decode()) for name in (STATES, OUTPUT)},
    }
    return atomic_write_files(folder, {**content, ABOUT_FILE: with_json_digest(about)})


def read_back_neurosim(folder: Path, quantity: ProbeQuantity, points: ProbePoints) -> FloatArray | None:
    """Level, sigma and read time, with all rows driven at one condition."""
    param = verify_digest(folder / PARAM, "//")
    about, path = read_checked_json(folder / ABOUT_FILE), folder / OUTPUT
    for name, digest in about.get("files", {}).items():
        if json_sha256(read_text(folder / Path(name).name)) != digest:
            where = str(folder / name)
            raise InputError(f"does not match the checksum in {ABOUT_FILE}", where=where, hint="export it again")
    try:
        header, *lines = parse_csv(read_text(path), where=str(path))
        rows = [dict(zip(header, line, strict=True)) for line in lines]
        mean, std = (np.array([float(row[key]) for row in rows]) for key in ("mean", "std"))
        condition, zero, lsb = int(about["condition_index"]), float(about["zero_level"]), float(about["count"])
        read = re.search(r"^\s*readPulseWidth = (\S+);", param, re.MULTILINE)
        figures: dict[ProbeQuantity, float] = {"read_time": float(read.group(1))} if read else {}
    except (KeyError, ValueError, TypeError):
        raise InputError("a column is missing or a value is not a number", where=str(path)) from None
    if quantity not in ("level", "sigma"):
        return figure_values(figures, quantity, points)
    values = zero + mean * lsb if quantity == "level" else std * lsb
    held = (points.condition == condition) & (points.active == len(mean) - 1)
    out: FloatArray = np.where(held, values[points.count], np.nan)
    return out


def _states(source: RunData) -> tuple[float, str, float]:
    """What a programmed cell adds, its unit, and the frozen sigma of one cell."""
    table, results = source.table, source.results
    i, n = table.index(results.condition), table.rows
    relative = float(table.sigma_static[i, n, n]) / math.sqrt(n) / table.lsb(results.condition)
    if table.unit == "V":
        return results.cell.switched, "F", relative * results.cell.switched
    conductance = 1 / cell_resistance(results)
    return conductance, "S", relative * conductance


def _side(source: RunData, axis: int) -> float:
    return float(source.results.cell.geometries[0].period[axis])


def _csv(head: tuple[str, ...], rows: list[tuple[int, float, float]]) -> bytes:
    lines = [",".join(head), *(f"{k},{shown_digits(mean)},{shown_digits(std)}" for k, mean, std in rows)]
    return ("\n".join(lines) + "\n").encode()


EXPORTER = Exporter(
    name="neurosim",
    description=f"NeuroSim V1.4 Param.cpp values, V1.5 mem_states and output_noise CSV (V1.4: {NOT_VERIFIED})",
    precision=PRECISION,
    tolerance={"level": TOLERANCE, "sigma": TOLERANCE, "read_time": TOLERANCE},
    write=write_neurosim,
    read_back=read_back_neurosim,
    validate_with_tool=validate_neurosim,
)

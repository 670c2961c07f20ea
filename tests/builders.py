"""One builder each for a testbench, a readout table and a small configuration; arguments are what a test relies on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import ArrayLike

from characterization.tables.table import AdcModel, ReadoutTable
from characterization.testbench import Converter, Testbench, Variation
from interconnect.extraction import extract
from interconnect.stack import Stack
from interconnect.stackfile import load_stack
from metalrom.macro.geometry import MacroGeometry
from netlists.cells import make_cell
from netlists.cells.base import CellModel, Plane
from netlists.condition import Condition
from netlists.devices.device_set import load_devices
from netlists.periphery import Periphery, Timing
from netlists.technology import load_technology

TT = Condition("tt", 1.0, 27.0)


def make_model(kind: str = "cap_balanced", stack: Stack | None = None, **parameters: object) -> CellModel:
    """A cell on M2 and M3 of generic28 or another stack; values by closed formulas, near those of field solution."""
    stack = stack or load_stack("generic28")
    return make_cell(kind, parameters).model(stack, Plane("M2", "M3"), lambda g, s: extract(g, s, method="formula"))


def make_testbench(kind: str = "cap_balanced", **changes: Any) -> Testbench:
    """Four rows of a cell in an array of 16 columns at one condition; keyword arguments replace fields."""
    technology = load_technology("generic28", "open45")
    testbench = Testbench(
        technology=technology,
        model=make_model(kind, technology.stack),
        periphery=Periphery(sense_capacitance=1e-16),
        timing=Timing(),
        rows=4,
        columns=16,
        conditions=(TT,),
        variation=Variation(0.03, "test"),
        converter=Converter(0.05, 0.02, 5e-9),
    )
    return replace(testbench, **changes)


def make_geometry() -> MacroGeometry:
    """128 x 448 cells of 0.06 um2 (field-solver cell at 100 nm pitch) in two planes, in two segments of 64 rows: 64
    weights of 8 bits per row, of 14 cells each."""
    return MacroGeometry(
        cell_area=0.06e-12,
        rows=128,
        columns=448,
        planes=2,
        group_rows=64,
        columns_per_adc=16,
        adc_bits=6,
        driver_area=2e-12,
        reset_area=1e-12,
        rules=load_devices("open45").area,
    )


def make_readout_table(
    rows: int = 4,
    conditions: tuple[Condition, ...] = (TT,),
    *,
    step: float = 20e-3,
    levels: int = 2,
    row_energy: ArrayLike = 0.0,
    **fields: Any,
) -> ReadoutTable:
    """Straight levels of `step` per count without a spread; keyword arguments are fields of the table.

    `level` and the three `sigma_...` may have any shape that fits (condition, driven rows, count), `row_energy` one
    that fits (condition, driven rows); counts that cannot occur are left out.
    """
    count = np.arange(rows * (levels - 1) + 1.0)
    shape = (len(conditions), rows + 1, len(count))
    arrays = {"level": step * count, "sigma_static": 0.0, "sigma_noise": 0.0, "sigma_pattern": 0.0}
    values = {"cell": "cap_balanced", "unit": "V", "read_time": 1e-9, "adc": AdcModel(len(count), 0.0, 0.0), **fields}
    values |= {name: np.broadcast_to(values.get(name, default), shape) for name, default in arrays.items()}
    energy = np.broadcast_to(row_energy, shape[:2])
    return ReadoutTable.from_arrays(rows=rows, conditions=conditions, row_energy=energy, levels=levels, **values)


def make_config(**sections: Any) -> dict[str, Any]:
    """A small configuration of one plane and an ideal readout; mappings are merged into its sections, None leaves out a
    section or a key."""
    return _merged(
        {
            "name": "small",
            "cell": {"kind": "cap_balanced", "planes": [{"row": "M2", "column": "M3"}]},
            "array": {"rows": 16, "columns": 16, "group_rows": 4},
            "weights": {"random": [16, 4], "bits": 4},
            "readout": {"kind": "ideal"},
        },
        sections,
    )


def config_text(**sections: Any) -> str:
    """The configuration of `make_config` as YAML; a resistor's mismatch, which no stack has a law for, is stated."""
    config = make_config(**sections)
    if config["cell"]["kind"] == "res_via" and "variation" not in sections:
        config["variation"] = {"cell_sigma": 0.025}
    return yaml.safe_dump(config, sort_keys=False)


def write_config(path: Path, **sections: Any) -> Path:
    """Write the configuration of `make_config`; returns the path."""
    path.write_text(config_text(**sections), encoding="utf-8")
    return path


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in changes.items():
        mappings = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = _merged(result[key], value) if mappings else value
    return {key: value for key, value in result.items() if value is not None}

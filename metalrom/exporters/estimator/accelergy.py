"""Accelergy, Timeloop and CiMLoop: library CSVs (pJ, um2) of the macro and of its components, a cell file with NVSim
keys, an architecture that asks for them, and a product for Timeloop.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from interconnect.files import atomic_write_files
from metalrom.exporters.checksum import add_digest, verify_digest
from metalrom.exporters.estimator.accelergy_check import validate_accelergy
from metalrom.exporters.estimator.digits import PRECISION, TOLERANCE, shown_digits
from metalrom.exporters.estimator.headline import (
    MEANING,
    NO_LEAK,
    NO_WRITE,
    MacroHeadline,
    cell_resistance,
    figure_values,
    headline,
)
from metalrom.exporters.estimator.macro_actions import (
    COMPONENT_ACTIONS,
    WHAT,
    MacroLoops,
    component_figures,
    energy_per_mac,
)
from metalrom.exporters.exporter import Exporter, commented
from metalrom.exporters.probes import ProbePoints, ProbeQuantity
from metalrom.exporters.run_data import RunData
from metalrom.exporters.templates import fill

COMPONENT = "metalrom_macro"
CSV = f"{COMPONENT}.csv"
CELL = "metalrom.cell.yaml"
ARCHITECTURE = "architecture.yaml"
PRODUCT = "timeloop.yaml"
_STORAGE = ("read", "write", "update", "leak")
_FREE = {"outside": _STORAGE, "compute": ("compute", *_STORAGE)}
"""Components that cost nothing, and their actions; the plug-in insists on those of a storage."""


def write_accelergy(source: RunData, folder: Path) -> list[Path]:
    """Write the files."""
    h, g = headline(source), source.estimate.macro.geometry
    notes = [*source.stamp, MEANING, *source.assumptions]
    attributes = {
        "technology": h.node,
        "voltage": h.vdd,
        "global_cycle_seconds": h.read_time + h.adc_time,
        "resolution": g.adc_bits,
        "rows": g.rows,
        "columns": g.columns,
        "planes": g.planes,
        "group_rows": g.group_rows,
        "weight_bits": g.weight_bits,
        "input_bits": g.input_bits,
    }
    names = {key: shown_digits(value) for key, value in attributes.items()}
    content = {
        CSV: _csv(h, names, notes),
        **_component_csvs(source, names, notes),
        PRODUCT: _product(source, names, notes),
        CELL: fill(
            "accelergy_cell.yaml.j2",
            notes=commented(notes, "#"),
            node=shown_digits(h.node),
            area=shown_digits(h.cell_area / (h.node * 1e-9) ** 2),
            aspect=shown_digits(_aspect(source)),
            capacitance=shown_digits(source.results.cell.bl_total),
            vdd=shown_digits(h.vdd),
            read_ns=shown_digits(h.read_time * 1e9),
            read_pj=shown_digits(_cell_energy(source) * 1e12),
            charge=source.table.unit == "V",
            resistance=shown_digits(cell_resistance(source.results)) if source.table.unit == "A" else "",
        ),
        ARCHITECTURE: fill(
            "accelergy_architecture.yaml.j2",
            notes=commented(notes, "#"),
            component=COMPONENT,
            technology=names["technology"],
            cycle=names["global_cycle_seconds"],
            voltage=names["voltage"],
            attributes="\n".join(f"        {key}: {value}" for key, value in names.items()),
            parts="\n".join(_asked(name) for name in COMPONENT_ACTIONS),
        ),
    }
    return atomic_write_files(folder, {name: add_digest(text, "#") for name, text in content.items()})


def _csv(h: MacroHeadline, attributes: dict[str, str], notes: list[str]) -> str:
    units = "energy in pJ, area in um^2 (of one whole macro, whatever the action)"
    rows = [
        (h.energy_conversion, "read|compute|convert"),
        (h.energy_mac, "mac"),
        (h.energy_mvm, "mvm"),
        (0.0, "leak"),
        (0.0, "write|update"),
    ]
    return _library((*notes, units, f"write, update: {NO_WRITE}", f"leak: {NO_LEAK}"), attributes, rows, h.area)


def _library(
    notes: Iterable[str], attributes: Mapping[str, str], rows: Iterable[tuple[float, str]], area: float
) -> str:
    """A class of the library plug-in. rows: energy, J, and action; area: m2."""
    out = io.StringIO()
    # the reader splits at commas and takes the text before `#`, so comments stand on lines of their own
    out.write(commented(notes, "#"))
    line = csv.writer(out, lineterminator="\n")
    line.writerow([*attributes, "energy", "area", "action"])
    shown = shown_digits(area * 1e12)
    line.writerows([*attributes.values(), shown_digits(energy * 1e12), shown, action] for energy, action in rows)
    return out.getvalue()


def _component_csvs(source: RunData, names: Mapping[str, str], notes: list[str]) -> dict[str, str]:
    """The components of the product, a class each."""
    attributes = {key: names[key] for key in ("technology", "voltage")}
    loops, out = MacroLoops.of(source.estimate.macro.geometry), {}
    for name, figures in component_figures(source).items():
        action = COMPONENT_ACTIONS[name]
        instances = loops.instances.get(name, 1)
        said = (
            f"{action}: {WHAT[name]}; {figures.calls} per product of a full macro",
            f"parts of the estimate counted here: {' '.join(figures.parts)}",
            f"energy in pJ per call, area in um^2 of each instance ({instances} in the macro)",
            f"other actions cost nothing; write: {NO_WRITE}; leak: {NO_LEAK}",
        )
        rows = [(figures.energy, action), (0.0, "|".join(other for other in _STORAGE if other != action))]
        out[f"metalrom_{name}.csv"] = _library((*notes, *said), attributes, rows, figures.area / instances)
    for name, actions in _FREE.items():
        free = "costs nothing: stands for what is not this macro, or is counted by its other components"
        out[f"metalrom_{name}.csv"] = _library((*notes, free), attributes, [(0.0, "|".join(actions))], 0.0)
    return out


def _product(source: RunData, names: Mapping[str, str], notes: list[str]) -> str:
    """Architecture, problem and loops of one product that fills the macro."""
    g = source.estimate.macro.geometry
    loops, figures = MacroLoops.of(g), component_figures(source)
    calls = (f"{name}.{COMPONENT_ACTIONS[name]} {f.calls}: {WHAT[name]}" for name, f in figures.items())
    return fill(
        "accelergy_timeloop.yaml.j2",
        notes=commented(notes, "#"),
        bits=loops.input_bits * loops.weight_columns,
        computes=loops.computes,
        calls=commented(calls, "#").rstrip(),
        energy_mac=shown_digits(energy_per_mac(figures, g.macs) * 1e12),
        technology=names["technology"],
        voltage=names["voltage"],
        cycle=names["global_cycle_seconds"],
        groups=loops.groups,
        rows=loops.rows,
        all_rows=loops.groups * loops.rows,
        outputs=loops.outputs,
        columns=loops.outputs * loops.weight_columns,
        input_bits=loops.input_bits,
        weight_columns=loops.weight_columns,
    )


def _asked(name: str) -> str:
    """A component of the architecture that asks for its actions."""
    return f"    - {{name: {name}, class: metalrom_{name}, required_actions: [{', '.join(_STORAGE)}]}}"


def read_back_accelergy(folder: Path, quantity: ProbeQuantity, points: ProbePoints) -> FloatArray | None:
    """Energy per conversion and MAC, and area, from the CSV."""
    others = [f"metalrom_{name}.csv" for name in (*COMPONENT_ACTIONS, *_FREE)]
    for name in (CELL, ARCHITECTURE, PRODUCT, *others):
        verify_digest(folder / name, "#")
    text = verify_digest(folder / CSV, "#")
    try:
        rows = _rows(text)
        figures: dict[ProbeQuantity, float] = {
            "energy_conversion": float(rows["read|compute|convert"]["energy"]) * 1e-12,
            "energy_mac": float(rows["mac"]["energy"]) * 1e-12,
            "area": float(rows["mac"]["area"]) * 1e-12,
        }
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"a row is missing or not a number ({error})", where=str(folder / CSV)) from None
    return figure_values(figures, quantity, points)


def _rows(text: str) -> dict[str, dict[str, str]]:
    """Lines of a library file by action."""
    return {
        row["action"]: row for row in csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    }


def measure_components(source: RunData, folder: Path) -> dict[str, float]:
    """Relative difference of energy and area of the components' files, summed, from those of the estimate."""
    g, h = source.estimate.macro.geometry, headline(source)
    loops = MacroLoops.of(g)
    energy = area = 0.0
    for name, action in COMPONENT_ACTIONS.items():
        path = folder / f"metalrom_{name}.csv"
        try:
            row = _rows(verify_digest(path, "#"))[action]
            energy += float(row["energy"]) * 1e-12 * loops.calls[name]
            area += float(row["area"]) * 1e-12 * loops.instances.get(name, 1)
        except (KeyError, ValueError, TypeError) as error:
            raise InputError(f"a row is missing or not a number ({error})", where=str(path)) from None
    parts = sum(part.value.mid for part in source.estimate.macro.area.values()) / g.tiles
    return {
        "energy of the components per MAC": abs(energy / g.macs - h.energy_mac) / h.energy_mac,
        "area of the components": abs(area - parts) / parts,
    }


def _cell_energy(source: RunData) -> float:
    """Row energy of one driven cell, J: all rows driven, nominal condition, shared evenly."""
    table = source.table
    return float(table.row_energy[table.index(source.results.condition), table.rows]) / table.rows


def _aspect(source: RunData) -> float:
    """Width (along the row) over height (along the column) of a cell."""
    width, height = source.results.cell.geometries[0].period
    return float(width / height)


EXPORTER = Exporter(
    name="accelergy",
    description="Accelergy / CiMLoop component library (CSV), NVSim cell file and a small architecture",
    precision=PRECISION,
    tolerance={
        **dict.fromkeys(("energy_conversion", "energy_mac", "area"), TOLERANCE),
        **dict.fromkeys(("energy of the components per MAC", "area of the components"), TOLERANCE),
    },
    write=write_accelergy,
    read_back=read_back_accelergy,
    validate_with_tool=validate_accelergy,
    measure=measure_components,
)

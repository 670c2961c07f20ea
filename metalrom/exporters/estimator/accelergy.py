"""Accelergy and CiMLoop: a library CSV (pJ, um2), a cell file with NVSim keys, and an architecture that asks for it."""

import csv
import io
from pathlib import Path

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from interconnect.files import atomic_write_files
from metalrom.exporters.checksum import add_digest, verify_digest
from metalrom.exporters.estimator.digits import DIGITS, PRECISION, TOLERANCE, shown_digits
from metalrom.exporters.estimator.headline import (
    MEANING,
    NO_LEAK,
    NO_WRITE,
    MacroHeadline,
    cell_resistance,
    figure_values,
    headline,
)
from metalrom.exporters.exporter import Exporter, ToolReading, commented, compare_readings
from metalrom.exporters.probes import ProbePoints, ProbeQuantity
from metalrom.exporters.python_tools import run_probe
from metalrom.exporters.run_data import RunData
from metalrom.exporters.templates import fill

COMPONENT = "metalrom_macro"
CSV = f"{COMPONENT}.csv"
CELL = "metalrom.cell.yaml"
ARCHITECTURE = "architecture.yaml"
_ACTIONS = {"convert": "energy_conversion", "mac": "energy_mac", "mvm": "energy_mvm"}
"""Action -> figure. `read` and `compute` are other names of `convert`."""


def write_accelergy(source: RunData, folder: Path) -> list[Path]:
    """Write the three files."""
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
            attributes="\n".join(f"        {key}: {value}" for key, value in names.items()),
        ),
    }
    return atomic_write_files(folder, {name: add_digest(text, "#") for name, text in content.items()})


def _csv(h: MacroHeadline, attributes: dict[str, str], notes: list[str]) -> str:
    out = io.StringIO()
    # the reader splits at commas and takes the text before `#`, so comments stand on lines of their own
    out.write(commented((*notes, "energy in pJ, area in um^2 (of one whole macro, whatever the action)"), "#"))
    out.write(commented((f"write, update: {NO_WRITE}", f"leak: {NO_LEAK}"), "#"))
    line = csv.writer(out, lineterminator="\n")
    line.writerow([*attributes, "energy", "area", "action"])
    area = shown_digits(h.area * 1e12)
    rows = [
        (h.energy_conversion, "read|compute|convert"),
        (h.energy_mac, "mac"),
        (h.energy_mvm, "mvm"),
        (0.0, "leak"),
        (0.0, "write|update"),
    ]
    line.writerows([*attributes.values(), shown_digits(energy * 1e12), area, action] for energy, action in rows)
    return out.getvalue()


def read_back_accelergy(folder: Path, quantity: ProbeQuantity, points: ProbePoints) -> FloatArray | None:
    """Energy per conversion and MAC, and area, from the CSV."""
    for name in (CELL, ARCHITECTURE):
        verify_digest(folder / name, "#")
    text = verify_digest(folder / CSV, "#")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    try:
        rows = {row["action"]: row for row in csv.DictReader(lines)}
        figures: dict[ProbeQuantity, float] = {
            "energy_conversion": float(rows["read|compute|convert"]["energy"]) * 1e-12,
            "energy_mac": float(rows["mac"]["energy"]) * 1e-12,
            "area": float(rows["mac"]["area"]) * 1e-12,
        }
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"a row is missing or not a number ({error})", where=str(folder / CSV)) from None
    return figure_values(figures, quantity, points)


def validate_accelergy(source: RunData, folder: Path) -> ToolReading:
    """Accelergy with its library plug-in: energy of every action and area of the component, checked."""
    remedy = "install Accelergy 0.4 and its library plug-in from their repositories"
    got = run_probe("Accelergy", "accelergy", remedy, _SCRIPT, folder)
    if isinstance(got, ToolReading):
        return got
    h, name = headline(source), f"Accelergy {got['version']} with its library plug-in"
    wanted = {action: getattr(h, field) * 1e12 for action, field in _ACTIONS.items()}
    wanted |= {"read": wanted["convert"], "compute": wanted["convert"], "leak": 0.0}
    figures = {
        f"{action}, pJ": (float(got["values"].get(action, "nan")), expected) for action, expected in wanted.items()
    }
    figures["area, um2"] = (float(got["values"].get("area", "nan")), h.area * 1e12)
    return compare_readings(name, figures, TOLERANCE, digits=DIGITS)


_SCRIPT = """
import importlib.metadata, json, os, sys, yaml
folder = sys.argv[1]
os.environ["ACCELERGY_COMPONENT_LIBRARIES"] = folder
from accelergy.accelergy_console import run
sys.argv = ["accelergy", os.path.join(folder, "architecture.yaml"), "-o", "out/", "-p", "12"]
run()
with open("out/ERT.yaml") as file:
    ert = yaml.safe_load(file)["ERT"]["tables"][0]
with open("out/ART.yaml") as file:
    art = yaml.safe_load(file)["ART"]["tables"][0]
values = {a["name"]: a["energy"] for a in ert["actions"]}
values["area"] = art["area"]
print(json.dumps({"version": importlib.metadata.version("accelergy"), "values": values}))
"""


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
    tolerance={"energy_conversion": TOLERANCE, "energy_mac": TOLERANCE, "area": TOLERANCE},
    write=write_accelergy,
    read_back=read_back_accelergy,
    validate_with_tool=validate_accelergy,
)

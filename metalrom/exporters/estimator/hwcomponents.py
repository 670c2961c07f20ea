"""hwcomponents: the macro as a component class (Python >= 3.12), SI units, one action per question."""

import ast
from pathlib import Path

from numpy import float64
from numpy.typing import NDArray

from interconnect.errors import InputError
from interconnect.files import atomic_write_files
from metalrom.exporters.checksum import add_digest, header, verify_digest
from metalrom.exporters.estimator.headline import MEANING, NO_LEAK, NO_WRITE, figure_values, headline
from metalrom.exporters.exporter import Exporter, ToolReading, compare_readings
from metalrom.exporters.probes import ProbePoints, ProbeQuantity
from metalrom.exporters.python_tools import run_probe
from metalrom.exporters.run_data import RunData
from metalrom.exporters.templates import fill

FILE = "metalrom_hwcomponents.py"
_NAMES: dict[ProbeQuantity, str] = {
    "energy_conversion": "ENERGY_CONVERSION",
    "energy_mac": "ENERGY_MAC",
    "area": "AREA",
    "read_time": "READ_TIME",
}


def write_hwcomponents(source: RunData, folder: Path) -> list[Path]:
    """Write the module."""
    h, g = headline(source), source.estimate.macro.geometry
    figures = {
        "energy_conversion": h.energy_conversion,
        "energy_mac": h.energy_mac,
        "energy_mvm": h.energy_mvm,
        "area": h.area,
        "read_time": h.read_time,
        "conversion_time": h.read_time + h.adc_time,
        "latency": h.latency,
        "voltage": h.vdd,
    }
    text = fill(
        "hwcomponents_module.py.j2",
        notes=header(source, "#", MEANING, f"no write action: {NO_WRITE}", f"leak_power: {NO_LEAK}"),
        technology=repr(h.node * 1e-9),
        rows=g.rows,
        macs=g.macs,
        adcs=g.adcs,
        **{name: repr(float(value)) for name, value in figures.items()},
    )
    return atomic_write_files(folder, {FILE: add_digest(text, "#")})


def read_back_hwcomponents(folder: Path, quantity: ProbeQuantity, points: ProbePoints) -> NDArray[float64] | None:
    """Energies, area and read time, from the constants of the module (parsed, never run)."""
    path = folder / FILE
    text = verify_digest(path, "#")
    try:
        tree = ast.parse(text)
        found = {
            node.targets[0].id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        }
        figures: dict[ProbeQuantity, float] = {what: float(str(found[name])) for what, name in _NAMES.items()}
    except (SyntaxError, KeyError, ValueError):
        raise InputError("a constant is missing or not a number", where=str(path)) from None
    return figure_values(figures, quantity, points)


def validate_hwcomponents(source: RunData, folder: Path) -> ToolReading:
    """hwcomponents finds the class and gives area, energy and latency of its actions."""
    got = run_probe("hwcomponents", "hwcomponents", "pip install hwcomponents in a Python >= 3.12", _SCRIPT, folder)
    if isinstance(got, ToolReading):
        return got
    h = headline(source)
    wanted = {
        "area": h.area,
        "read": h.energy_conversion,
        "compute": h.energy_conversion,
        "mac": h.energy_mac,
        "mvm": h.energy_mvm,
        "mvm_latency": h.latency,
        "leak_power": 0.0,
    }
    reported = {what: float(got["values"].get(what, "nan")) for what in wanted}
    return compare_readings(
        f"hwcomponents {got['version']}", {what: (reported[what], expected) for what, expected in wanted.items()}, 0.0
    )


_SCRIPT = """
import importlib.metadata, json, os, sys
from hwcomponents import get_models
found = get_models(os.path.join(sys.argv[1], "metalrom_hwcomponents.py"))
wrapped = [m for m in found if "metalrom_macro" in (m.component_name or ())]
sys.path.insert(0, sys.argv[1])
from metalrom_hwcomponents import MetalromMacro
macro = MetalromMacro()
values = {"area": macro.area, "leak_power": macro.leak_power, "read": macro.read().energy,
          "compute": macro.compute().energy, "mac": macro.mac().energy, "mvm": macro.mvm().energy,
          "mvm_latency": macro.mvm().latency}
if not wrapped:
    sys.exit("the class was not found as a model")
print(json.dumps({"version": importlib.metadata.version("hwcomponents"), "values": values}))
"""

EXPORTER = Exporter(
    name="hwcomponents",
    description="hwcomponents class file (Python >= 3.12, SI units)",
    precision="exact: shortest decimal text",
    tolerance={},
    write=write_hwcomponents,
    read_back=read_back_hwcomponents,
    validate_with_tool=validate_hwcomponents,
)

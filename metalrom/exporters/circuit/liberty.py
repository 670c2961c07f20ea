"""Liberty: one library per condition with the timing and energy of a tile's boundary, and its area."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from interconnect.files import atomic_write_files, read_text
from interconnect.optional import optional_library
from metalrom.exporters.checksum import (
    add_digest,
    condition_lines,
    conditions_in,
    header,
    symbol,
    symbols,
    verify_digests,
)
from metalrom.exporters.circuit.boundary import BOUNDARY, MACRO, pins_of
from metalrom.exporters.executables import package_version
from metalrom.exporters.exporter import Exporter, ToolReading
from metalrom.exporters.probes import ProbePoints, ProbeQuantity
from metalrom.exporters.run_data import RunData
from metalrom.macro.estimate import MacroEstimate
from metalrom.run.estimate import run_layer
from netlists.render import cards, render

OPEN, CLOSE = "/*", " */"
PARSER = "pip install liberty-parser (GPL; used for checks only)"
VALIDATION = (
    "units: ns, fJ (internal power: energy per event), um2 (area: one tile, periphery under the array)",
    "read to settled: the characterized read time. convert to code: time of the converter.",
    "internal power of convert: one conversion in every converter: row drivers (characterized), converter, shift-add",
    "not known and left out: leakage, transitions, input capacitances, set-up and hold",
)
FEMTO, NANO, MICRO2 = 1e15, 1e9, 1e12


def estimate_at(source: RunData, label: str) -> MacroEstimate:
    """Cost of the run's layer at a condition."""
    return run_layer(replace(source.results, condition=label), source.table).macro


def write_liberty(source: RunData, folder: Path) -> list[Path]:
    """Write `metalrom_<condition>.lib` for every condition."""
    files = {}
    geometry = source.results.macro_geometry
    buses = [{"name": p.name, "direction": p.direction, "width": p.width} for p in pins_of(geometry) if p.width]
    for name, condition in zip(symbols(source), source.table.conditions, strict=True):
        m = estimate_at(source, condition.label)
        message = (*condition_lines(source), f"this library: {condition.label}", *VALIDATION, BOUNDARY)
        values = {
            "header": cards(header(source, OPEN, *message, end=CLOSE)),
            "symbol": name,
            "macro": MACRO,
            "vdd": condition.vdd,
            "temperature": condition.temperature,
            "buses": buses,
            "area_um2": m.footprint.stacked.mid / m.geometry.tiles * MICRO2,
            "converters": geometry.adcs,
            "energy_per_mac_fj": m.energy_per_mac.mid * FEMTO,
            "energy_step_fj": m.energy_per_conversion.mid * FEMTO * geometry.adcs,
            "read_time_ns": source.table.read_time * NANO,
            "converter_time_ns": m.step["adc"].value.mid * NANO,
        }
        files[f"metalrom_{name}.lib"] = add_digest(render("exports/tile.lib.j2", values), OPEN, CLOSE)
    return atomic_write_files(folder, files)


def read_liberty(folder: Path) -> tuple[list[dict[str, float]], int]:
    """Figures of every condition's library (SI) in the table's order, and the nominal condition.

    Raises InputError if a library is missing, damaged or of another run.
    """
    names = sorted(path.name for path in folder.glob("metalrom_*.lib"))
    if not names:
        raise InputError("holds no Liberty file", where=str(folder))
    texts = verify_digests(folder, names, OPEN, CLOSE)
    labels, nominal = conditions_in(texts[names[0]], str(folder / names[0]))
    wanted = [f"metalrom_{symbol(label)}.lib" for label in labels]
    if sorted(wanted) != names:
        raise InputError("does not hold the library of every condition", where=str(folder), hint="export again")
    return [_figures(texts[name], folder / name) for name in wanted], nominal


def _figures(text: str, path: Path) -> dict[str, float]:
    patterns = {
        "area": r"\barea : (\S+);",
        "converters": r"\bconverters : (\d+);",
        "energy_mac": r"\benergy_per_mac : (\S+);",
        "energy_step": r'rise_power \(scalar\) \{ values \("(\S+)"\)',
        "read_time": r'related_pin : "read";\s+timing_type : rising_edge;\s+cell_rise \(scalar\) \{ values \("(\S+)"\)',
    }
    out = {}
    for name, pattern in patterns.items():
        match = re.search(pattern, text)
        if not match:
            raise InputError(f"holds no {name}", where=str(path))
        out[name] = float(match.group(1))
    return {
        "area": out["area"] / MICRO2,
        "energy_mac": out["energy_mac"] / FEMTO,
        "energy_conversion": out["energy_step"] / FEMTO / out["converters"],
        "read_time": out["read_time"] / NANO,
    }


def read_back_liberty(folder: Path, quantity: ProbeQuantity, points: ProbePoints) -> FloatArray | None:
    """Area and read time everywhere; energies at the nominal condition, where the common question is asked."""
    if quantity not in TOLERANCE:
        return None
    figures, nominal = read_liberty(folder)
    values = np.array([f[quantity] for f in figures])[points.condition]
    if quantity in ("area", "read_time"):
        return values
    return np.where(points.condition == nominal, values, np.nan)


TOLERANCE = dict.fromkeys(("area", "read_time", "energy_conversion", "energy_mac"), 1e-15)


def validate_liberty(source: RunData, folder: Path) -> ToolReading:
    """liberty-parser reads every library and writes it again without loss; a truncated one it refuses."""
    tool = f"liberty-parser {package_version('liberty-parser', PARSER)}"
    parser = optional_library("liberty.parser", extra="check", purpose="Checks of Liberty files")
    figures, _ = read_liberty(folder)
    buses = {p.name: p.width for p in pins_of(source.results.macro_geometry) if p.width}
    for name, expected in zip(symbols(source), figures, strict=True):
        path = folder / f"metalrom_{name}.lib"
        text = read_text(path)
        try:
            library = parser.parse_liberty(text)
            again = parser.parse_liberty(str(library))
        except Exception as error:  # its parser has no common error class
            return ToolReading(tool, f"{path.name}: {error}")
        if str(again) != str(library):
            return ToolReading(tool, f"{path.name} does not survive being written again")
        cell = library.get_group("cell", MACRO)
        if abs(float(cell["area"]) / MICRO2 - expected["area"]) > 1e-15 * expected["area"]:
            return ToolReading(tool, f"{path.name}: area {cell['area']}")
        found = {str(bus.args[0]): bus["bus_type"] for bus in cell.get_groups("bus")}
        widths = {str(t.args[0]): int(t["bit_width"]) for t in library.get_groups("type")}
        if {bus: widths.get(str(kind).strip('"')) for bus, kind in found.items()} != buses:
            return ToolReading(tool, f"{path.name}: other buses")
        settled = next(p for p in cell.get_groups("pin") if str(p.args[0]) == "settled")
        rise = settled.get_group("timing").get_group("cell_rise").get_array("values")
        if abs(float(np.ravel(rise)[0]) / NANO - expected["read_time"]) > 1e-15 * expected["read_time"]:
            return ToolReading(tool, f"{path.name}: read time {rise}")
        if _takes(parser.parse_liberty, text[: text.rindex("}")]):
            return ToolReading(tool, f"{path.name} is taken without its end")
    return ToolReading(tool, None, (f"{len(figures)} libraries parsed, written again and parsed", "truncated: refused"))


def _takes(parse: object, text: str) -> bool:
    try:
        parse(text)  # type: ignore[operator]
    except Exception:  # any refusal will do
        return False
    return True


EXPORTER = Exporter(
    "liberty",
    "Liberty libraries of a tile, one per condition: read time, converter time, energy per event, area",
    "17 digits in ns, fJ and um2",
    TOLERANCE,
    write_liberty,
    read_back_liberty,
    validate_liberty,
)

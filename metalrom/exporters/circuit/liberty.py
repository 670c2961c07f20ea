"""Liberty: one library per condition with the timing and energy of a tile's boundary, and its area."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

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
from metalrom.exporters.circuit.boundary import BOUNDARY, MACRO, Pin, boundary_of
from metalrom.exporters.circuit.boundary_timing import THRESHOLDS, BoundaryTiming, boundary_timing
from metalrom.exporters.circuit.liberty_check import read_with_flow
from metalrom.exporters.executables import package_version
from metalrom.exporters.exporter import Exporter, ToolMissing, ToolReading
from metalrom.exporters.probes import ProbePoints, ProbeQuantity
from metalrom.exporters.run_data import RunData
from metalrom.macro.estimate import MacroEstimate
from metalrom.run.estimate import run_layer
from netlists.render import cards, render

OPEN, CLOSE = "/*", " */"
PARSER = "pip install liberty-parser (GPL; used for checks only)"
VALIDATION = (
    "units: ns, fJ (internal power: energy per event), fF, nW, um2 (area: one tile, periphery under the array)",
    "internal power of convert: one conversion in every converter: row drivers (characterized), converter, and the "
    "shift-add behind it (estimated), which lies outside of the tile's pins",
    "min_period of convert: one conversion and what follows it; of read: the read time with one conversion",
)
FEMTO, NANO, MICRO2 = 1e15, 1e9, 1e12
"""Libraries state fJ, fF, ns, nW and um2."""


def estimate_at(source: RunData, label: str) -> MacroEstimate:
    """Cost of the run's layer at a condition."""
    return run_layer(replace(source.results, condition=label), source.table).macro


def write_liberty(source: RunData, folder: Path) -> list[Path]:
    """Write `metalrom_<condition>.lib` for every condition."""
    files = {}
    geometry = source.results.macro_geometry
    boundary = boundary_of(geometry)
    for name, condition in zip(symbols(source), source.table.conditions, strict=True):
        m = estimate_at(source, condition.label)
        timing = boundary_timing(source, m)
        about = (*VALIDATION, *timing.notes, BOUNDARY, boundary.addressing)
        message = (*condition_lines(source), f"this library: {condition.label}", *about)
        values = {
            "header": cards(header(source, OPEN, *message, end=CLOSE)),
            "symbol": name,
            "macro": MACRO,
            "vdd": condition.vdd,
            "temperature": condition.temperature,
            "pins": [_entry(pin, timing) for pin in boundary.signals],
            "delay_pct": THRESHOLDS["delay"],
            "low_pct": THRESHOLDS["low"],
            "high_pct": THRESHOLDS["high"],
            "leakage_nw": None if timing.leakage is None else timing.leakage * NANO,
            "area_um2": m.footprint.stacked.mid / m.geometry.tiles * MICRO2,
            "converters": geometry.adcs,
            "energy_per_mac_fj": m.energy_per_mac.mid * FEMTO,
            "energy_step_fj": m.energy_per_conversion.mid * FEMTO * geometry.adcs,
        }
        files[f"metalrom_{name}.lib"] = add_digest(render("exports/tile.lib.j2", values), OPEN, CLOSE)
    return atomic_write_files(folder, files)


def _entry(pin: Pin, times: BoundaryTiming) -> dict[str, Any]:
    """What a library says of a pin: arcs of outputs, constraints of inputs."""

    def arc(clock: str, rise: float, fall: float) -> dict[str, Any]:
        edge = (("rise_transition", times.transition * NANO), ("fall_transition", times.transition * NANO))
        return _group(clock, "rising_edge", (("cell_rise", rise * NANO), ("cell_fall", fall * NANO), *edge))

    def constraint(clock: str, kind: str, time: float) -> dict[str, Any]:
        return _group(clock, kind, tuple((f"{edge}_constraint", time * NANO) for edge in ("rise", "fall")))

    timing: list[dict[str, Any]] = []
    if pin.name == "settled":
        timing = [arc("read", times.read, times.fall)]
    elif pin.direction == "output":
        timing = [arc("convert", times.convert, times.convert)]
    elif pin.name == "x":
        timing = [constraint("read", "setup_rising", times.setup_x)]
    elif pin.name == "select":
        timing = [constraint("convert", "setup_rising", times.setup_select)]
    if pin.name in ("x", "select"):
        timing.append(constraint("convert", "hold_rising", times.convert))
    return {
        "name": pin.name,
        "direction": pin.direction,
        "width": pin.width,
        "period_ns": {"read": times.cycle, "convert": times.turn}.get(pin.name, 0.0) * NANO,
        "load_ff": (times.row_load if pin.name == "x" else times.load) * FEMTO,
        "timing": timing,
    }


def _group(clock: str, kind: str, tables: tuple[tuple[str, float], ...]) -> dict[str, Any]:
    return {"clock": clock, "kind": kind, "tables": tables}


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
    """liberty-parser reads every library and writes it again without loss; a truncated one it refuses. yosys and
    OpenSTA, where they are installed, link a top with every library, and OpenSTA times the tile as the run does."""
    tool = f"liberty-parser {package_version('liberty-parser', PARSER)}"
    parser = optional_library("liberty.parser", extra="check", purpose="Checks of Liberty files")
    figures, _ = read_liberty(folder)
    boundary = boundary_of(source.results.macro_geometry)
    buses = {p.name: p.width for p in boundary.pins if p.width}
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
    names, conditions = symbols(source), source.table.conditions
    observations = [f"{len(figures)} libraries parsed, written again and parsed", "truncated: refused"]
    try:
        times = {
            name: boundary_timing(source, estimate_at(source, c.label))
            for name, c in zip(names, conditions, strict=True)
        }
        timer = read_with_flow(source, folder, times)
    except ToolMissing as missing:
        return ToolReading(tool, None, (*observations, f"no design flow: {missing}"))
    return replace(timer, consumer=f"{tool} and {timer.consumer}", observations=(*observations, *timer.observations))


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

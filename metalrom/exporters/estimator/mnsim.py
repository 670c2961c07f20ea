"""MNSIM 2.0: a whole `SimConfig.ini` whose device, crossbar and interface sections describe this macro.

MNSIM thinks of resistive cells and of ADCs with a sample rate and a power. Rate and power are set so that its formulas
(latency = (bits + 2) / rate, energy = latency x power) give back our conversion. Everything beyond the macro is written
as in MNSIM's own default file and labelled so. What MNSIM has no key for stands in a section of its own, `[metalrom]`.
"""

import configparser
import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from interconnect.files import atomic_write_files
from metalrom.exporters.checksum import add_digest, verify_digest
from metalrom.exporters.estimator.digits import PRECISION, TOLERANCE, shown_digits
from metalrom.exporters.estimator.headline import MEANING, NO_WRITE, cell_resistance, figure_values, headline
from metalrom.exporters.exporter import Exporter, ToolReading, commented, compare_readings
from metalrom.exporters.probes import ProbePoints, ProbeQuantity
from metalrom.exporters.python_tools import run_probe
from metalrom.exporters.run_data import RunData
from metalrom.exporters.templates import fill, literal

FILE = "SimConfig.ini"
OPEN_RESISTANCE = 1e12
"""Resistance that stands for an unprogrammed cell, ohm."""
ROW_AREA_UM2 = 1150.0
"""MNSIM's own driver area per row (`Area_Calculation = 0`)."""


def write_mnsim(source: RunData, folder: Path) -> list[Path]:
    """Write `SimConfig.ini`."""
    h, g, table = headline(source), source.estimate.macro.geometry, source.table
    i = table.index(source.results.condition)
    levels = table.level[i, table.rows]
    spread = table.sigma_static[i, table.rows, table.rows] / math.sqrt(table.rows) / table.lsb(source.results.condition)
    subarray = table.rows
    text = fill(
        "mnsim_config.ini.j2",
        notes=commented((*source.stamp, MEANING, f"write: {NO_WRITE}", *source.assumptions), "#"),
        node=round(h.node),
        cell_area=shown_digits(h.cell_area * 1e12),
        vdd=shown_digits(h.vdd),
        read_ns=shown_digits(h.read_time * 1e9),
        low=shown_digits(_resistance(source, h.vdd, h.read_time)),
        open=shown_digits(OPEN_RESISTANCE),
        charge=table.unit == "V",
        variation=shown_digits(100 * spread),
        # its crossbar is cut into subarrays of equal size, so the rows are those of whole groups
        rows=subarray * g.groups,
        columns=g.columns,
        subarray=subarray,
        adc_area=shown_digits(h.adc_area * 1e12),
        adc_bits=g.adc_bits,
        adc_power=shown_digits(h.adc_energy / h.adc_time),
        adc_rate=shown_digits((g.adc_bits + 2) / (h.adc_time * 1e9)),
        adcs=-(-g.columns // g.columns_per_adc),
        unit=table.unit,
        condition=literal(source.results.condition),
        levels=", ".join(shown_digits(v) for v in levels),
        thresholds=", ".join(shown_digits(v) for v in table.thresholds(source.results.condition)[table.rows]),
        energy=shown_digits(h.energy_conversion),
        energy_mac=shown_digits(h.energy_mac),
        area=shown_digits(h.area),
        condition_index=i,
    )
    return atomic_write_files(folder, {FILE: add_digest(text, "#")})


def read_back_mnsim(folder: Path, quantity: ProbeQuantity, points: ProbePoints) -> FloatArray | None:
    """Level and code with all rows driven at one condition; read time, energies and area."""
    path = folder / FILE
    text = verify_digest(path, "#")
    ini = configparser.ConfigParser()
    try:
        ini.read_string(text)
        own = ini["metalrom"]
        levels, thresholds = (
            np.array([float(v) for v in own[key].split(",")]) for key in ("levels_all_rows_driven", "adc_thresholds")
        )
        condition = own.getint("condition_index")
        figures: dict[ProbeQuantity, float] = {
            "read_time": ini.getfloat("Device level", "Read_Latency") * 1e-9,
            "energy_conversion": float(own["energy_per_conversion_J"]),
            "energy_mac": float(own["energy_per_MAC_J"]),
            "area": float(own["area_m2"]),
        }
    except (configparser.Error, KeyError, ValueError, TypeError):
        raise InputError("a key is missing or not a number", where=str(path)) from None
    if quantity not in ("level", "code"):
        return figure_values(figures, quantity, points)
    held = (points.condition == condition) & (points.active == len(levels) - 1)
    values = levels if quantity == "level" else np.searchsorted(thresholds, levels).astype(np.float64)
    out: FloatArray = np.where(held, values[points.count], np.nan)
    return out


def validate_mnsim(source: RunData, folder: Path) -> ToolReading:
    """MNSIM's own device, crossbar, ADC and processing-element models read the file and compute area and energy."""
    remedy = "put the repository of MNSIM 2.0 on the path of a Python with numpy, pandas and torch"
    got = run_probe("MNSIM 2.0", "MNSIM", remedy, _SCRIPT, folder)
    if isinstance(got, ToolReading):
        return got
    h, g = headline(source), source.estimate.macro.geometry
    rows = source.table.rows * g.groups
    wanted = {
        "ADC energy, J": (got["adc_energy_nJ"] * 1e-9, h.adc_energy),
        "ADC latency, s": (got["adc_latency_ns"] * 1e-9, h.adc_time),
        "ADC area, m2": (got["adc_area_um2"] * 1e-12, h.adc_area),
        "cells of the array, m2": (
            (got["array_area_um2"] - ROW_AREA_UM2 * rows) * 1e-12,
            h.cell_area * rows * g.columns,
        ),
    }
    reading = compare_readings("MNSIM 2.0", wanted, 1e-7)
    observations = [f"it adds {ROW_AREA_UM2:g} um2 per row for drivers, whatever the file says", *reading.observations]
    if "pe_area_um2" in got:
        observations.append(f"processing element of its own composition: {got['pe_area_um2']:.6g} um2")
    return replace(reading, observations=tuple(observations))


_SCRIPT = """
import contextlib, io, json, os, sys
path = os.path.join(sys.argv[1], "SimConfig.ini")
from MNSIM.Hardware_Model.ADC import ADC
from MNSIM.Hardware_Model.Crossbar import crossbar
silent = io.StringIO()
with contextlib.redirect_stdout(silent):
    adc = ADC(path)
    adc.calculate_ADC_area()
    adc.calculate_ADC_power()
    adc.calculate_ADC_latency()
    adc.calculate_ADC_energy()
    array = crossbar(path)
    array.calculate_xbar_area()
    got = {"adc_energy_nJ": adc.ADC_energy, "adc_latency_ns": adc.ADC_latency, "adc_area_um2": adc.ADC_area,
           "array_area_um2": array.xbar_area}
    try:
        from MNSIM.Hardware_Model.PE import ProcessElement
        pe = ProcessElement(path)
        pe.calculate_PE_area(path)
        got["pe_area_um2"] = pe.PE_area
    except ImportError:
        pass
print(json.dumps(got))
"""


def _resistance(source: RunData, vdd: float, read_time: float) -> float:
    """Resistance of a programmed cell, ohm; of a charge cell the one that takes the cell's row energy in one read."""
    if source.table.unit == "A":
        return cell_resistance(source.results)
    table = source.table
    energy = table.row_energy[table.index(source.results.condition), table.rows] / table.rows
    return float(vdd**2 * read_time / energy) if energy > 0 else OPEN_RESISTANCE


EXPORTER = Exporter(
    name="mnsim",
    description="MNSIM 2.0 SimConfig.ini",
    precision=PRECISION,
    tolerance=dict.fromkeys(("level", "read_time", "energy_conversion", "energy_mac", "area"), TOLERANCE),
    write=write_mnsim,
    read_back=read_back_mnsim,
    validate_with_tool=validate_mnsim,
)

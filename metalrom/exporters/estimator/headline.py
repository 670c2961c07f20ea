"""The figures of one macro that cost models take: a handful of numbers, from the run's estimate."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from metalrom.exporters.probes import ProbePoints, ProbeQuantity
from metalrom.exporters.run_data import RunData
from metalrom.macro.quantity import Component
from metalrom.run.results import RunResults

NO_WRITE = (
    "a ROM: its bits are vias, they cannot be written after manufacture; writing is free only in that it never happens"
)
NO_LEAK = "leakage was not characterized: 0 says `not included`, not `none`"
MEANING = (
    "energy, area and time: middle of the run's estimate (see its report for the ranges); periphery under the array; "
    "not included: clock, control, buffers, global wiring, leakage"
)

INVERTER_ENERGY = ("inverters", "ramp", "column_line", "counter")
INVERTER_AREA = ("column_line", "adc_logic", "thresholds")
"""Parts of an estimate that are the converter where inverters in the segment convert and no part is called so; the
inverters' area is that of their segments."""


@dataclass(frozen=True)
class MacroHeadline:
    """One macro (tile), SI units. energy: J per conversion (one bit column, one input bit, one row group), per MAC and
    per matrix-vector product of a full tile. node: transistor technology, nm. latency: s per product."""

    node: float
    vdd: float
    energy_conversion: float
    energy_mac: float
    energy_mvm: float
    row_energy: float
    adc_energy: float
    adc_time: float
    adc_area: float
    area: float
    cell_area: float
    read_time: float
    latency: float


def headline(source: RunData) -> MacroHeadline:
    """The figures of `source` at its nominal condition."""
    macro, table = source.estimate.macro, source.table
    g = macro.geometry
    i = table.index(source.results.condition)
    return MacroHeadline(
        node=technology_node(g.known_rules.name),
        vdd=table.conditions[i].vdd,
        energy_conversion=macro.energy_per_conversion.mid,
        energy_mac=macro.energy_per_mac.mid,
        energy_mvm=macro.energy_per_mac.mid * g.macs,
        row_energy=macro.conversion["row_drivers"].value.mid,
        adc_energy=_converter(macro.conversion, INVERTER_ENERGY),
        adc_time=macro.step["adc"].value.mid,
        adc_area=_converter(macro.area, INVERTER_AREA) / (g.tiles * g.adcs),
        area=macro.footprint.stacked.mid / g.tiles,
        cell_area=g.cell_area,
        read_time=table.read_time,
        latency=macro.latency.mid,
    )


def _converter(parts: Mapping[str, Component], of_inverters: tuple[str, ...]) -> float:
    """Middle of what the converters take; of_inverters: names of their parts where none is `adc`."""
    return sum(parts[name].value.mid for name in (("adc",) if "adc" in parts else of_inverters))


def technology_node(name: str) -> float:
    """The number of a technology's name in nm: 45 of `open45`. Raises InputError if it has none."""
    found = re.search(r"\d+", name)
    if found is None:
        raise InputError(f"technology {name!r} has no node number in its name, which this format needs")
    return float(found.group())


def same_everywhere(value: float, points: ProbePoints) -> FloatArray:
    """The same answer at every point."""
    return np.full(len(points), value)


def figure_values(
    figures: dict[ProbeQuantity, float], quantity: ProbeQuantity, points: ProbePoints
) -> FloatArray | None:
    """Answer of a format that holds one figure per quantity."""
    return same_everywhere(figures[quantity], points) if quantity in figures else None


def cell_resistance(results: RunResults) -> float:
    """Resistance of a current cell, ohm: the largest of its elements (the others are wires)."""
    return max(e.value for e in results.cell.elements if e.unit == "ohm")

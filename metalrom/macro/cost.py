"""Area, energy and time of a macro, part by part, each with a range and a source."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from characterization.procedures.chain_energy import ChainEnergyPoint
from characterization.tables.table import ReadoutTable
from interconnect.errors import InputError
from interconnect.provenance import Provenance
from metalrom.macro.adc_cost import CAVEAT, MAX_VDD, REGRESSION, AdcCost, adc_cost
from metalrom.macro.chain_bill import chain_area, chain_energy, chain_times
from metalrom.macro.chain_cost import ChainCost
from metalrom.macro.conversion_bill import ConversionMix, mean_additions, rule_gates, scaled_parts
from metalrom.macro.geometry import MacroGeometry
from metalrom.macro.inverter_bill import inverter_area, inverter_energy, inverter_times
from metalrom.macro.quantity import Component, Span, total
from metalrom.macro.scale_bill import scale_switching
from netlists.condition import Condition
from netlists.readout.column_converter import ADDER

IDEAL_READOUT = "ideal readout: regression"
"""Label of an estimate whose converter is a published regression and whose readout nothing has simulated."""

REGRESSION_FACTOR = 2.0
DEVICE_FACTOR = 1.5
DIGITAL_FACTOR = 2.0
EDGE_FACTOR = 2.0
TOWER_FACTOR = 1.5

GATES_PER_BIT = 12.0
GATE_CAPACITANCE = 1.5e-15
SWITCHING_ACTIVITY = 0.25

_ADC = Provenance(
    "published", f"{IDEAL_READOUT}; {REGRESSION.source}; range x/: {REGRESSION_FACTOR:g} assumed; {CAVEAT}"
)


def _adc_cost(geometry: MacroGeometry, vdd: float) -> tuple[AdcCost, Provenance]:
    """The regression for the macro's converter; beyond the supplies of its domain its own law of the energy, the square
    of the supply, is extrapolated and labelled."""
    inside = adc_cost(geometry.adc_bits, vdd=min(vdd, MAX_VDD), rows=geometry.group_rows)
    if vdd <= MAX_VDD:
        return inside, _ADC
    label = f"energy EXTRAPOLATED to {vdd:g} V by the square of the supply, the regression ends at {MAX_VDD:g} V"
    return replace(inside, energy=inside.energy * (vdd / MAX_VDD) ** 2), Provenance(
        "estimate", f"{label}; {_ADC.source}"
    )


def _gates_per_bit(geometry: MacroGeometry) -> float:
    """NAND2 equivalents per accumulator bit; columns of base 3 take an adder more, for 3 x = 2 x + x."""
    return GATES_PER_BIT + (ADDER if geometry.adds_for_radix else 0.0)


def _digital(geometry: MacroGeometry) -> Provenance:
    parts = "two adders, flip-flop, shift" if geometry.adds_for_radix else "adder, flip-flop, shift"
    return Provenance(
        "estimate",
        f"shift-add: {_gates_per_bit(geometry):g} NAND2 equivalents per accumulator bit ({parts}), "
        f"{GATE_CAPACITANCE * 1e15:g} fF each, activity {SWITCHING_ACTIVITY:g}; range x/: {DIGITAL_FACTOR:g}",
    )


@dataclass(frozen=True, slots=True)
class RelativeErrors:
    """Relative errors of what came from characterization: model fit, Monte-Carlo sampling, extraction (0.05 = 5 %)."""

    fit: float = 0.0
    monte_carlo: float = 0.0
    extraction: float = 0.0

    @property
    def together(self) -> float:
        """Root sum of squares."""
        return math.sqrt(self.fit**2 + self.monte_carlo**2 + self.extraction**2)


def readout_label(geometry: MacroGeometry) -> str:
    """What is billed between bit line and code, in words."""
    if geometry.inverter is not None:
        return geometry.inverter.label
    chain = geometry.readout
    return (
        IDEAL_READOUT if chain is None else f"chain of transistors, {chain.drive} drive: drawn parts, supply currents"
    )


def area_components(geometry: MacroGeometry) -> dict[str, Component]:
    """Areas of one tile, m^2: array (one plane), via towers, row drivers, LCC/reset, ADC, shift-add; of a chain its
    drawn parts. Without area rules the array and its towers alone."""
    g = geometry
    array = Component(
        Span.exact(g.rows * g.columns * g.cell_area), Provenance("user", "cell footprint x cells of one plane")
    )
    metal = {"array": array}
    if g.towers * g.tower_pitch > 0:
        metal["via_towers"] = _via_towers(g)
    if g.rules is None:
        return metal
    logic = g.rules.logic_area(_gates_per_bit(g) * g.accumulator_bits)
    shift_add = Component(Span.factor(g.adcs * logic, DIGITAL_FACTOR), _digital(g))
    rule = {
        name: _rule_part(g.rules.logic_area(gates), source)
        for name, (gates, source) in rule_gates(g, _gates_per_bit(g)).items()
    }
    if g.readout is not None:
        return {**metal, **chain_area(g.readout, g), "shift_add": shift_add, **rule}
    if g.inverter is not None:
        return {**metal, **inverter_area(g.inverter, g), "shift_add": shift_add, **rule}
    device = Provenance(
        g.device_provenance.status,
        f"{g.device_provenance.source} ({g.rules.name}: {g.rules.provenance.source}); range x/: {DEVICE_FACTOR:g}",
    )
    drivers = g.rows * -(-g.planes // g.planes_per_driver)
    segments = g.columns * g.groups * -(-g.planes // g.planes_per_reset)
    adc = adc_cost(g.adc_bits, vdd=1.0, rows=g.group_rows)
    sense = g.columns * -(-g.planes // g.planes_per_adc) * g.sense_area
    return {
        **metal,
        "row_drivers": Component(Span.factor(drivers * g.driver_area, DEVICE_FACTOR), device),
        "lcc_reset": Component(Span.factor(segments * g.reset_area, DEVICE_FACTOR), device),
        **({"current_sense": Component(Span.factor(sense, DEVICE_FACTOR), device)} if sense else {}),
        "adc": Component(Span.factor(g.adcs * adc.area, REGRESSION_FACTOR), _ADC),
        "shift_add": shift_add,
        **rule,
    }


def _via_towers(g: MacroGeometry) -> Component:
    """Area of the towers that bring the bit lines of upper planes down through the planes below them, m2."""
    side = f"{g.tower_pitch * 1e9:.3g} nm"
    source = (
        f"{g.towers} via towers of {side} x {side}, one per bit line, segment and plane beyond the first: cut, space "
        f"and a grounded line beside it; range x/: {TOWER_FACTOR:g}"
    )
    return Component(Span.factor(g.towers * g.tower_pitch**2, TOWER_FACTOR), Provenance("estimate", source))


def edge_area(area: Span, width: float) -> Span:
    """Ring of `width` around a square of `area`: 4 * side * width + 4 * width^2, within a factor of 2."""
    ring = Span.factor(width, EDGE_FACTOR)
    ends = [4 * math.sqrt(a) * w + 4 * w * w for a, w in zip(_ends(area), _ends(ring), strict=True)]
    return Span(*ends)


def conversion_energy(
    geometry: MacroGeometry,
    table: ReadoutTable,
    condition: Condition | str,
    mix: ConversionMix,
    errors: RelativeErrors,
) -> dict[str, Component]:
    """Energies of one conversion that is made, J: row drivers (from the table), ADC, shift-add, what the rule takes.

    Unless the rows are held, the drivers charge all columns of a plane for each of the columns that share a
    converter: the table's energy per column is paid `columns_per_adc` times per conversion.
    """
    g, i = geometry, table.index(condition)
    vdd = table.conditions[i].vdd
    gate = SWITCHING_ACTIVITY * GATE_CAPACITANCE * vdd**2
    logic = _gates_per_bit(g) * g.accumulator_bits * gate
    shift_add = Component(Span.factor(logic, DIGITAL_FACTOR), _digital(g))
    parts = {**_read_energy(g, table, i, mix, errors), "shift_add": shift_add}
    out = scaled_parts(parts, mix)
    gates = rule_gates(g, _gates_per_bit(g))
    if found := gates.get("popcount"):
        out["popcount"] = _rule_part(found[0] * gate / g.adcs * mix.reads, found[1])
    if found := gates.get("dropped_means"):
        out["dropped_means"] = _rule_part(logic * mean_additions(g), found[1])
    if found := gates.get("scales"):
        out["scales"] = _rule_part(scale_switching(g) * gate / mix.share, f"a multiplication per output: {found[1]}")
    return out


def _rule_part(value: float, source: str) -> Component:
    return Component(
        Span.factor(value, DIGITAL_FACTOR), Provenance("estimate", f"{source}; range x/: {DIGITAL_FACTOR:g}")
    )


def _read_energy(
    geometry: MacroGeometry, table: ReadoutTable, i: int, mix: ConversionMix, errors: RelativeErrors
) -> dict[str, Component]:
    """Energies of a read and a conversion among all counts at condition number i, J, without the digital side."""
    vdd, label = table.conditions[i].vdd, table.conditions[i].label
    driven = float(mix.driven @ np.arange(table.rows + 1.0))
    rows_of_plane = Span.relative(float(mix.driven @ table.row_energy[i]), errors.together)
    if geometry.readout is not None:
        point = _point_of(geometry.readout, geometry, label, mix)
        return chain_energy(geometry.readout, geometry, point, vdd, driven, rows_of_plane)
    if geometry.inverter is not None:
        return inverter_energy(geometry.inverter, geometry, label, vdd, driven, rows_of_plane)
    drives = 1 if geometry.rows_held else geometry.columns_per_adc
    rows = float(mix.driven @ table.row_energy[i]) * drives
    adc, source = _adc_cost(geometry, vdd)
    return {
        "row_drivers": Component(
            Span.relative(rows, errors.together),
            Provenance("measured", f"readout table (simulated), {mix.source}, {drives} drive(s) per conversion"),
        ),
        "adc": Component(Span.factor(adc.energy, REGRESSION_FACTOR), source),
    }


def _point_of(cost: ChainCost, geometry: MacroGeometry, label: str, mix: ConversionMix) -> ChainEnergyPoint:
    """Measured supplies of a chain; in variable time a conversion of fewer decisions ends earlier."""
    point = cost.energy.at(label)
    return replace(point, conversion=point.conversion * mix.decisions) if geometry.rule.variable_time else point


def step_times(
    geometry: MacroGeometry, table: ReadoutTable, condition: Condition | str, mix: ConversionMix
) -> dict[str, Component]:
    """Times of one conversion, s: settling of the bit line (from the table) and ADC; of a chain also its recovery. In
    variable time that of the mean conversion."""
    label = table.conditions[table.index(condition)].label
    if geometry.readout is not None:
        return chain_times(geometry.readout, _point_of(geometry.readout, geometry, label, mix))
    if geometry.inverter is not None:
        return inverter_times(geometry.inverter, label)
    vdd = table.conditions[table.index(condition)].vdd
    adc, source = _adc_cost(geometry, vdd)
    shorter = mix.decisions if geometry.rule.variable_time else 1.0
    return {
        "read": Component(Span.exact(table.read_time), Provenance("measured", "read time of the readout table")),
        "adc": Component(Span.factor(adc.time * shorter, REGRESSION_FACTOR), source),
    }


def mvm_time(geometry: MacroGeometry, steps: Mapping[str, Component], groups: int, mix: ConversionMix) -> Span:
    """Time of one matrix-vector product, s: input bits x (columns, planes and `groups` segments that share a
    converter). Reads that are dropped as a whole take none; in variable time skipped ones neither (their mean: tiles of
    several rows of tiles wait for the slowest)."""
    shares = groups * geometry.columns_per_adc * geometry.planes_per_adc // geometry.columns_per_conversion
    reads = 1 if geometry.rows_held else -(-shares // geometry.conversions_per_read)
    each = total(step for name, step in steps.items() if name != "read")
    kept = geometry.kept_share if geometry.drops_whole_reads else 1.0
    made = mix.made if geometry.rule.variable_time else 1.0
    held = 1.0 if geometry.rows_held else kept
    bits = geometry.input_bits * made
    return steps["read"].value * (bits * reads * held) + each * (bits * shares * kept)


def check_readout(geometry: MacroGeometry, table: ReadoutTable) -> None:
    """Refuse a table that was characterized for another group size, or whose codes the ADC cannot deliver."""
    if table.rows != geometry.group_rows:
        raise InputError(
            f"estimate: the macro sums {geometry.group_rows} rows per conversion, the table was made for {table.rows}"
        )
    if table.adc.codes > 2**geometry.adc_bits:
        raise InputError(f"estimate: {geometry.adc_bits} bits cannot deliver the table's {table.adc.codes} codes")


def _ends(span: Span) -> tuple[float, float, float]:
    return span.low, span.mid, span.high

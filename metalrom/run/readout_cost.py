"""The readout of a run as the estimate bills it: a chain, or inverters in the segment."""

from __future__ import annotations

from dataclasses import replace

from characterization.procedures.chain_energy import ChainEnergy
from characterization.procedures.chain_settling import ChainSettling
from characterization.procedures.local_inverter import InverterFigures
from characterization.testbench import Testbench, setup_chain
from interconnect.errors import InputError
from metalrom.design.capacitor import capacitor_density
from metalrom.design.design import Design
from metalrom.design.readout import line_wire
from metalrom.macro.chain_cost import ChainCost
from metalrom.macro.geometry import MacroGeometry
from metalrom.macro.inverter_cost import InverterCost
from netlists.readout.column_sar import ColumnSar
from netlists.readout.drawn import control_lines, drawn_parts
from netlists.readout.inverter_parts import inverter_lines, inverter_parts


def chain_cost(design: Design, setup: Testbench, energy: object, settling: object) -> ChainCost:
    """Drawn parts, capacitor density and measured supplies of a setup's chain. Raises InputError without them."""
    chain = setup.chain
    if chain is None or not isinstance(energy, ChainEnergy) or not isinstance(settling, ChainSettling):
        raise InputError(
            "energy and settling of the readout chain were not measured",
            where="characterization.procedures",
            hint="include chain_energy and chain_settling",
        )
    columns = chain.converter.columns
    return ChainCost(
        drive=chain.drive,
        converter=chain.converter.describe(setup.max_count + 1),
        columns=chain.bus_columns,
        buses=chain.converter.shared_by,
        biased=chain.biased_lines * columns,
        parts=drawn_parts(setup.technology, chain, setup.periphery, setup.max_count + 1),
        density=capacitor_density(design),
        lines=control_lines(chain),
        lines_per_row=2 if chain.drive == "complement" else 1,
        line_capacitance=chain.bus.wire_capacitance / chain.bus_columns,
        counter_capacitance=chain.converter.switched_capacitance(chain.bus.wire_capacitance),
        reset_gate=chain.segment.reset_gate,
        replica_columns=2 * chain.converter.replicas * columns,
        update_share=chain.converter.update_share,
        timing=chain.timing,
        energy=energy,
        settling=settling,
        columns_per_line=chain.line.columns,
        planes_per_line=chain.line.planes,
        conversions_per_read=chain.conversions_per_read,
        slot=chain.slot(setup.max_count + 1),
        decision_shares=decision_shares(setup),
    )


def decision_shares(setup: Testbench) -> tuple[float, ...]:
    """Length of a conversion among the counts that 0, 1, ... driven rows can give over one among all; empty for
    converters other than successive approximation."""
    converter, levels = setup_chain(setup).converter, setup.levels - 1
    if not isinstance(converter, ColumnSar):
        return ()
    every = converter.duration(setup.max_count + 1)
    return tuple(converter.duration(k * levels + 1) / every for k in range(setup.rows + 1))


def chain_geometry(geometry: MacroGeometry, cost: ChainCost) -> MacroGeometry:
    """The macro with this readout: drivers, line and converter serve the planes of a line, by default all."""
    shared = min(cost.planes_per_line, geometry.planes) if cost.planes_per_line else geometry.planes
    return replace(
        geometry,
        columns_per_adc=cost.columns,
        planes_per_adc=shared,
        planes_per_driver=shared,
        planes_per_reset=shared,
        conversions_per_read=cost.conversions_per_read,
        readout=cost,
    )


def inverter_geometry(design: Design, geometry: MacroGeometry, setup: Testbench, figures: object) -> MacroGeometry:
    """The macro read by inverters in its segments: a line and latches per column, for all of its planes. Raises
    InputError without their figures, or without a metal for the lines across the columns."""
    inverter = setup.inverter
    if inverter is None or not isinstance(figures, InverterFigures):
        raise InputError(
            "noise and supplies of the inverters were not measured",
            where="characterization.procedures",
            hint="include local_inverter",
        )
    pitch, _ = design.geometry(design.worst_plane, (1,)).period
    cost = InverterCost(
        inverter=inverter,
        parts=inverter_parts(setup.technology, inverter, setup.periphery, setup.max_count + 1),
        lines=inverter_lines(inverter),
        wire=line_wire(design).capacitance * pitch,
        figures=figures,
    )
    return replace(
        geometry,
        columns_per_adc=1,
        planes_per_adc=geometry.planes,
        planes_per_driver=geometry.planes,
        planes_per_reset=geometry.planes,
        inverter=cost,
    )

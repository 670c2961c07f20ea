"""The macro estimate: area, density, energy, latency and throughput of a macro and of a layer that runs on it.

Definitions: TOPS and TOPS/W as in `metalrom.macro.merit`; density = stored bits / area, 1 Mb = 10^6 bits; a 1-bit x
1-bit normalised figure multiplies by input bits x weight bits.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from characterization.tables.table import ReadoutTable
from interconnect.arrays import IntArray
from interconnect.errors import InputError
from interconnect.provenance import Provenance, Value
from metalrom.macro.conversion_bill import ConversionMix, code_error_of, conversion_mix
from metalrom.macro.cost import (
    RelativeErrors,
    area_components,
    check_readout,
    conversion_energy,
    mvm_time,
    readout_label,
    step_times,
)
from metalrom.macro.domain import characterized
from metalrom.macro.footprint import MEGABIT_PER_MM2, MM2, MacroFootprint, footprint_of
from metalrom.macro.geometry import MacroGeometry
from metalrom.macro.merit import Merit, counted_as, efficiency, throughput, throughput_density
from metalrom.macro.mitigation import table_for
from metalrom.macro.quantity import Component, Span, total
from netlists.condition import Condition
from netlists.devices.area import NOT_AVAILABLE

REFERENCE_DENSITY = Value(
    165.6,
    "Mb/mm2",
    Provenance(
        "published",
        "3D-METRO, ASP-DAC 2025, doi 10.1145/3658617.3697570: evaluated, not fabricated; "
        "whether of the cell or of the macro is not public",
    ),
)
"""A reference line for plots and tables, never a claim of equality."""

CHAIN_NOT_INCLUDED = (
    "sequencer and clock tree",
    "input registers and buffers",
    "global wiring and supply grid",
    "adders that join row tiles",
    "own current of the references' regulators",
    "stray capacitance from the capacitors' plates to ground",
)
"""What the estimate of a readout chain leaves out."""

NOT_INCLUDED = (
    "clock and control",
    "input registers and buffers",
    "global wiring and supply grid",
    "adders that join row tiles",
    "reset of the bit lines",
    "buffers and capacitors of double sampling",
    "leakage",
    "converter calibration",
)


@dataclass(frozen=True)
class MacroEstimate:
    """Cost of `geometry` at one condition. Areas of all tiles m^2, energies J, times s, densities Mb/mm^2.

    area: of all parts that are known. known_footprint: None where the device set has no area rules.
    conversion, step: parts of one conversion that is made. mix: what share is, and how long one takes.
    density_raw counts all cells over the array's footprint.
    error_budget: figure -> relative half range by cause (fit, monte_carlo, extraction, technology_assumption).
    outside_domain: what was extrapolated beyond the characterized table; empty if nothing was.
    """

    geometry: MacroGeometry
    condition: Condition
    area: Mapping[str, Component]
    known_footprint: MacroFootprint | None
    density_raw: Span
    conversion: Mapping[str, Component]
    energy_per_conversion: Span
    energy_per_mac: Span
    energy_per_mvm: Span
    step: Mapping[str, Component]
    latency: Span
    tops: Span
    tops_per_watt: Span
    mix: ConversionMix
    code_error: float
    error_budget: Mapping[str, Mapping[str, float]]
    outside_domain: tuple[str, ...] = ()

    @property
    def footprint(self) -> MacroFootprint:
        """Areas and densities with the periphery. Raises InputError where the device set has no area rules."""
        self.geometry.known_rules  # noqa: B018 - says what is missing
        assert self.known_footprint is not None  # noqa: S101 - there are rules
        return self.known_footprint

    @property
    def not_included(self) -> tuple[str, ...]:
        """What this estimate leaves out."""
        scales = () if self.geometry.scale_bits else ("multiplication by the outputs' scales",)
        if self.geometry.inverter is not None:
            return (*CHAIN_NOT_INCLUDED[:4], "generator of the ramp", *scales)
        if self.geometry.sense_area > 0:
            sense = ("current and capacitor of the current sense", "supply of the select gates")
            return (*NOT_INCLUDED, *sense, *scales)
        return (*(NOT_INCLUDED if self.geometry.readout is None else CHAIN_NOT_INCLUDED), *scales)

    @property
    def conversions_per_mac(self) -> float:
        """Conversions that are made per multiply-accumulate of a full tile."""
        g = self.geometry
        return g.groups * g.weights_per_row * g.partial_products * self.mix.share / g.macs

    @property
    def readout_label(self) -> str:
        """What is billed between bit line and code, in words."""
        return readout_label(self.geometry)

    @property
    def flags(self) -> tuple[str, ...]:
        """What of the readout's timing is shorter than its settling; empty for an ideal readout."""
        cost = self.geometry.readout or self.geometry.inverter
        return () if cost is None else cost.flags

    def to_dict(self) -> dict[str, Any]:
        """Plain values with the unit in each key (mm2, Mb/mm2, fJ, pJ, ns), for JSON and reports."""
        g, f = self.geometry, self.known_footprint
        cost = g.readout or g.inverter
        return {
            "condition": self.condition.label,
            "readout": {
                "label": self.readout_label,
                **({"kind": "ideal"} if cost is None else cost.to_dict()),
            },
            "bits": g.bits * g.tiles,
            "tiles": g.tiles,
            "utilisation": g.utilisation,
            "area_mm2": {name: part.to_dict(MM2) for name, part in self.area.items()},
            "area_status": NOT_AVAILABLE if f is None else "area: estimate",
            "area_stacked_mm2": f and f.stacked.to_dict(MM2),
            "area_side_by_side_mm2": f and f.side_by_side.to_dict(MM2),
            "density_raw_Mb_per_mm2": self.density_raw.to_dict(),
            "density_stacked_Mb_per_mm2": f and f.density_stacked.to_dict(),
            "density_side_by_side_Mb_per_mm2": f and f.density_side_by_side.to_dict(),
            "weight_density_stacked_Mb_per_mm2": f and f.weight_density_stacked.to_dict(),
            "reference_density_Mb_per_mm2": {
                "value": REFERENCE_DENSITY.value,
                "status": REFERENCE_DENSITY.provenance.status,
                "source": REFERENCE_DENSITY.provenance.source,
            },
            "energy_conversion_fJ": {name: part.to_dict(1e15) for name, part in self.conversion.items()},
            "energy_per_conversion_fJ": self.energy_per_conversion.to_dict(1e15),
            "conversions_made_share": self.mix.share,
            "empty_groups_share": g.empty_share,
            "conversion_length_share": self.mix.decisions,
            "conversions_per_mac": self.conversions_per_mac,
            "energy_per_mac_fJ": self.energy_per_mac.to_dict(1e15),
            "energy_per_mvm_pJ": self.energy_per_mvm.to_dict(1e12),
            "step_ns": {name: part.to_dict(1e9) for name, part in self.step.items()},
            "latency_ns": self.latency.to_dict(1e9),
            "tops": self.tops.to_dict(),
            "tops_per_watt": self.tops_per_watt.to_dict(),
            "tops_per_watt_1b": self.tops_per_watt.to_dict(g.input_bits * g.weight_bits),
            "tops_per_mm2_stacked": f and f.tops_per_mm2_stacked.to_dict(),
            "tops_per_mm2_side_by_side": f and f.tops_per_mm2_side_by_side.to_dict(),
            "code_error_probability": self.code_error,
            "error_budget": {name: dict(parts) for name, parts in self.error_budget.items()},
            "not_included": list(self.not_included),
            "outside_domain": list(self.outside_domain),
        }


@dataclass(frozen=True)
class LayerEstimate:
    """A linear layer of `inputs` x `outputs` on as many tiles as it needs, for `tokens` input vectors.

    macro: the estimate of all its tiles. energy (J) and latency (s) of all tokens; tiles work in parallel, tokens one
    after the other. conversions (that are made), skipped ones (of groups without a driven row) and macs count the whole
    layer.
    """

    inputs: int
    outputs: int
    tokens: int
    macro: MacroEstimate
    conversions: int
    skipped: int
    macs: int
    energy: Span
    latency: Span

    @property
    def conversions_per_mac(self) -> float:
        """Conversions that are made per multiply-accumulate."""
        return self.conversions / self.macs

    @property
    def merit(self) -> Merit:
        """Throughput and efficiency of the layer on its tiles."""
        g, area = self.macro.geometry, self.macro.known_footprint
        tops = throughput(self.macs, self.latency)
        return Merit(
            condition=self.macro.condition.label,
            latency=self.latency * (1 / self.tokens),
            energy_per_mac=self.energy * (1 / self.macs),
            tops=tops,
            tops_per_watt=efficiency(self.macs, self.energy),
            tops_per_mm2=None if area is None else throughput_density(tops, area.stacked),
            operations=counted_as(g.input_bits, g.weight_bits),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values with units in the keys."""
        return {
            "shape": [self.inputs, self.outputs],
            "tokens": self.tokens,
            "tiles": self.macro.geometry.tiles,
            "utilisation": self.macro.geometry.utilisation,
            "conversions": self.conversions,
            "skipped_conversions": self.skipped,
            "conversions_per_mac": self.conversions_per_mac,
            "macs": self.macs,
            "energy_nJ": self.energy.to_dict(1e9),
            "latency_us": self.latency.to_dict(1e6),
            "macro": self.macro.to_dict(),
        }


def estimate_macro(
    geometry: MacroGeometry,
    table: ReadoutTable,
    condition: Condition | str,
    *,
    histogram: IntArray | None = None,
    errors: RelativeErrors | None = None,
    outside_domain: bool = False,
) -> MacroEstimate:
    """Cost of a macro whose conversions behave as the table says.

    Parameters
    ----------
    geometry : MacroGeometry
        Array and periphery.
    table : ReadoutTable
        The characterized readout.
    condition : Condition or str
        Condition of the table, or its label.
    histogram : IntArray, optional
        Counts of (active, count) in the data (`Macro.count_histogram`), which weigh row energy and code errors; without
        it every row is driven half of the time, and code errors are the mean over all counts with all rows driven.
    errors : RelativeErrors, optional
        Relative errors of the characterized quantities.
    outside_domain : bool
        Permit a group size or condition that the table does not cover; extrapolations are labelled.

    Returns
    -------
    MacroEstimate
        Area, energy, time and code errors, each with its range.

    Raises
    ------
    InputError
        If table and geometry do not match, or outside the domain of a regression.
    """
    condition, other = characterized(table, condition, outside_domain)
    rows = None
    if outside_domain and geometry.group_rows < table.rows:
        table, rows = table_for(geometry.group_rows, table, {}, outside_domain)
    check_readout(geometry, table)
    errors = errors or RelativeErrors()
    area = {name: _scaled(part, geometry.tiles) for name, part in area_components(geometry).items()}
    array = area["array"].value
    stored = geometry.bits * geometry.tiles * geometry.bits_per_cell
    mix = conversion_mix(geometry, table, histogram)
    conversion = conversion_energy(geometry, table, condition, mix, errors)
    per_conversion = total(conversion)
    macs = geometry.macs * geometry.tiles * geometry.utilisation
    conversions = geometry.groups * geometry.weights_per_row * geometry.partial_products * mix.share
    per_mvm = per_conversion * (conversions * geometry.tiles * geometry.utilisation)
    step = step_times(geometry, table, condition, mix)
    latency = mvm_time(geometry, step, geometry.groups, mix)
    tops = throughput(macs, latency)
    simulated = total(part for part in conversion.values() if part.provenance.status == "measured")
    rows_part = simulated.mid / per_conversion.mid
    footprint = None if geometry.rules is None else footprint_of(geometry, area, tops)
    assumed = total(part for part in conversion.values() if part.provenance.status != "measured")
    return MacroEstimate(
        geometry=geometry,
        condition=table.conditions[table.index(condition)],
        area=area,
        known_footprint=footprint,
        density_raw=array.under(stored * MEGABIT_PER_MM2),
        conversion=conversion,
        energy_per_conversion=per_conversion,
        energy_per_mac=per_mvm * (1 / macs),
        energy_per_mvm=per_mvm,
        step=step,
        latency=latency,
        tops=tops,
        tops_per_watt=efficiency(macs, per_mvm),
        mix=mix,
        code_error=code_error_of(geometry.rule, table, condition, histogram),
        error_budget={
            "energy": _budget(errors, rows_part, assumed.half_range * (1 - rows_part)),
            **(
                {}
                if footprint is None
                else {
                    "area_stacked": _budget(None, 0.0, footprint.stacked.half_range),
                    "area_side_by_side": _budget(None, 0.0, footprint.side_by_side.half_range),
                }
            ),
            "latency": _budget(None, 0.0, latency.half_range),
        },
        outside_domain=tuple(label for label in (other, rows) if label),
    )


def estimate_layer(
    geometry: MacroGeometry,
    table: ReadoutTable,
    condition: Condition | str,
    *,
    inputs: int,
    outputs: int,
    tokens: int = 1,
    histogram: IntArray | None = None,
    errors: RelativeErrors | None = None,
    outside_domain: bool = False,
) -> LayerEstimate:
    """Cost of a linear layer on tiles of `geometry`.

    Rows are cut into tiles of `geometry.rows`, outputs into tiles of whole weights; segments without weights are not
    converted. `geometry.tiles` and `utilisation` are replaced by what the layer needs.

    Parameters
    ----------
    geometry : MacroGeometry
        Array and periphery of one tile.
    table : ReadoutTable
        The characterized readout.
    condition : Condition or str
        Condition of the table, or its label.
    inputs : int
        Shape of the layer's weights.
    outputs : int
        See `inputs`.
    tokens : int
        Number of input vectors.
    histogram : IntArray, optional
        As of `estimate_macro`.
    errors : RelativeErrors, optional
        As of `estimate_macro`.
    outside_domain : bool
        As of `estimate_macro`.

    Returns
    -------
    LayerEstimate
        Tiles, conversions, energy and latency.

    Raises
    ------
    InputError
        For empty shapes and as `estimate_macro`.
    """
    for name, number in (("inputs", inputs), ("outputs", outputs), ("tokens", tokens)):
        if number < 1:
            raise InputError(f"layer estimate: {name} is {number}, expected at least 1")
    row_tiles = -(-inputs // geometry.rows)
    tiles = row_tiles * -(-outputs // geometry.weights_per_row)
    cells = inputs * outputs * geometry.bit_columns_per_weight
    fitted = replace(geometry, tiles=tiles, utilisation=cells / (tiles * geometry.bits))
    macro = estimate_macro(fitted, table, condition, histogram=histogram, errors=errors, outside_domain=outside_domain)
    last = inputs - (row_tiles - 1) * geometry.rows
    segments = (row_tiles - 1) * geometry.groups + -(-last // geometry.group_rows)
    planned = tokens * segments * outputs * geometry.partial_products
    made = planned * macro.mix.share
    busiest = geometry.groups if row_tiles > 1 else -(-last // geometry.group_rows)
    return LayerEstimate(
        inputs=inputs,
        outputs=outputs,
        tokens=tokens,
        macro=macro,
        conversions=round(made),
        skipped=planned - round(made),
        macs=tokens * inputs * outputs,
        energy=macro.energy_per_conversion * made,
        latency=mvm_time(fitted, macro.step, busiest, macro.mix) * tokens,
    )


def _scaled(part: Component, tiles: int) -> Component:
    return Component(part.value * tiles, part.provenance)


def _budget(errors: RelativeErrors | None, measured_part: float, technology: float) -> dict[str, float]:
    """Relative half ranges by cause; the characterized errors act on `measured_part` of the figure only."""
    errors = errors or RelativeErrors()
    return {
        "fit": errors.fit * measured_part,
        "monte_carlo": errors.monte_carlo * measured_part,
        "extraction": errors.extraction * measured_part,
        "technology_assumption": technology,
    }

"""From a design to what characterization measures: one group of rows on a bit line."""

from dataclasses import replace

from characterization.testbench import AdcRequest, Converter, Testbench
from metalrom.design.design import Design
from metalrom.design.error_context import config_context
from metalrom.design.planes import plane_classes, stacked_planes
from metalrom.design.readout import configured_chain, configured_inverter
from metalrom.design.variation import configured_variation
from netlists.periphery import Periphery


def group_setup(design: Design, rows: int, *, nominal_only: bool = False) -> Testbench:
    """See `Design.setup`."""
    design.check_characterized()
    c = design.config
    chain, line_source = configured_chain(design, rows)
    inverter, inverter_source = configured_inverter(design, rows)
    metal_corners = () if nominal_only else design.metal_corners
    model = design.models[design.worst_plane]
    stacked = () if nominal_only or len(design.planes) == 1 else plane_classes(design)
    if stacked:
        if "planes" in c.characterization.procedures:
            stacked_planes(design)  # refuses planes that cannot be drawn with their neighbours
        label = design.planes[design.worst_plane].label
        model = next(p.model for p in stacked if label in p.planes)
    with config_context(design.path, "readout"):
        if inverter is not None or (chain is not None and chain.drive == "complement"):
            model = model.complement_driven()
            stacked = tuple(replace(p, model=p.model.complement_driven()) for p in stacked)
            metal_corners = tuple((n, replace(m, model=m.model.complement_driven())) for n, m in metal_corners)
        return Testbench(
            technology=design.technology,
            model=model,
            periphery=_with_segments(design, rows),
            timing=design.timing,
            rows=rows,
            columns=c.array.columns,
            conditions=design.conditions[:1] if nominal_only else design.conditions,
            variation=configured_variation(design),
            converter=Converter(
                None if c.readout.offset_sigma == "characterized" else c.readout.offset_sigma,
                c.readout.noise_sigma,
                c.readout.integration_time,
                c.readout.sample_capacitance if c.readout.double_sampling else None,
                c.readout.follow_columns,
            ),
            ones=float(design.program.bits.mean()) if design.is_binary else 0.5,
            patterns=c.characterization.patterns,
            samples=c.characterization.samples,
            max_levels=c.characterization.max_levels,
            seed=c.characterization.seed,
            timeout=c.characterization.timeout,
            supply_resistance=c.characterization.supply_resistance,
            shares=None if design.read_scheme.encoding.symbol_values == (0, 1) else design.symbol_shares,
            metal_corners=metal_corners,
            samples_elsewhere=c.characterization.samples_elsewhere,
            worst_conditions=c.characterization.worst_conditions,
            worst_samples=c.characterization.worst_samples,
            worst_everywhere=c.characterization.worst_pattern == "all",
            spread_patterns=c.characterization.spread_patterns,
            sampling=c.characterization.sampling,
            sampling_error=c.characterization.sampling_error,
            parallel_rows=c.characterization.sampling == "corrected" and model.mode == "charge" and inverter is None,
            adc=AdcRequest(**c.readout.adc.model_dump()) if c.readout.adc else None,
            chain=chain,
            inverter=inverter,
            line_source=line_source or inverter_source,
            stacked=stacked,
            plane_labels=tuple(p.label for p in design.planes) if stacked else (),
        )


def _with_segments(design: Design, rows: int) -> Periphery:
    """The periphery of a group of `rows` rows: a plane select knows how many segments are on its sense node."""
    found = design.periphery
    if found.plane_select is None:
        return found
    segments = -(-design.config.array.rows // rows)
    return replace(found, plane_select=replace(found.plane_select, segments=segments))

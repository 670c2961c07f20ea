"""From a project to what characterization measures: one group of rows on a bit line."""

from __future__ import annotations

from characterization.setup import AdcRequest, Converter, Setup
from metalrom.cell_variation import cell_variation
from metalrom.project import BINARY, Project
from metalrom.told import told_by


def group_setup(project: Project, rows: int, *, nominal_only: bool) -> Setup:
    """See `Project.setup`."""
    project.check_characterized()
    c = project.config
    with told_by(project.path, "readout"):
        return Setup(
            technology=project.technology,
            model=project.models[project.worst_plane],
            periphery=project.periphery,
            timing=project.timing,
            rows=rows,
            columns=c.array.columns,
            conditions=project.conditions[:1] if nominal_only else project.conditions,
            variation=cell_variation(project),
            converter=Converter(
                None if c.readout.offset_sigma == "characterized" else c.readout.offset_sigma,
                c.readout.noise_sigma,
                c.readout.integration_time,
                c.readout.sample_capacitance if c.readout.double_sampling else None,
                c.readout.follow_columns,
            ),
            ones=float(project.program.bits.mean()) if project.cell.kind in BINARY else 0.5,
            patterns=c.characterization.patterns,
            samples=c.characterization.samples,
            max_levels=c.characterization.max_levels,
            seed=c.characterization.seed,
            timeout=c.characterization.timeout,
            supply_resistance=c.characterization.supply_resistance,
            shares=None if project.cell.kind in BINARY else project.symbol_shares,
            metals=() if nominal_only else project.metals,
            samples_elsewhere=c.characterization.samples_elsewhere,
            worst_conditions=c.characterization.worst_conditions,
            worst_samples=c.characterization.worst_samples,
            worst_everywhere=c.characterization.worst_pattern == "all",
            spread_patterns=c.characterization.spread_patterns,
            adc=AdcRequest(**c.readout.adc.model_dump()) if c.readout.adc else None,
        )

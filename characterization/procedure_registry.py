"""Procedures by name; light, so that names can be listed without what the procedures import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interconnect.registry import Registry

if TYPE_CHECKING:
    from characterization.procedures.registry import Procedure

PROCEDURES: Registry[Procedure] = Registry(
    "procedure",
    group="metalrom.procedures",
    built_in={
        "transfer": "characterization.procedures.transfer:PROCEDURE",
        "mismatch": "characterization.procedures.mismatch:PROCEDURE",
        "adc_margin": "characterization.procedures.adc_margin:PROCEDURE",
        "readout_current": "characterization.procedures.readout_current:PROCEDURE",
        "settling": "characterization.procedures.settling:PROCEDURE",
        "noise": "characterization.procedures.noise:PROCEDURE",
        "crosstalk": "characterization.procedures.crosstalk:PROCEDURE",
        "worst_pattern": "characterization.procedures.worst_pattern:PROCEDURE",
        "planes": "characterization.procedures.planes:PROCEDURE",
        "pattern_spread": "characterization.procedures.pattern_spread:PROCEDURE",
        "energy": "characterization.procedures.energy:PROCEDURE",
        "leakage": "characterization.procedures.leakage:PROCEDURE",
        "supply": "characterization.procedures.supply:PROCEDURE",
        "adc": "characterization.procedures.adc:PROCEDURE",
        "chain_noise": "characterization.procedures.chain_noise:PROCEDURE",
        "chain_energy": "characterization.procedures.chain_energy:PROCEDURE",
        "chain_settling": "characterization.procedures.chain_settling:PROCEDURE",
        "local_inverter": "characterization.procedures.local_inverter:PROCEDURE",
        "comparator_noise": "characterization.procedures.comparator_noise:PROCEDURE",
    },
    where="characterization.procedures",
)
"""Characterization recipes; a procedure of a plugin is one frozen `Procedure`, registered by its name."""


def with_requirements(names: tuple[str, ...]) -> tuple[Procedure, ...]:
    """The named procedures and all they require, required ones first, each once."""
    ordered: dict[str, Procedure] = {}

    def visit(name: str) -> None:
        procedure = PROCEDURES[name]
        for required in procedure.requires:
            visit(required)
        ordered.setdefault(name, procedure)

    for name in names:
        visit(name)
    return tuple(ordered.values())

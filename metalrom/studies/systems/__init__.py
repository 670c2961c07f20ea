"""Published systems and metal ROM under the same rules: energy of an inference, capacity, published figures checked
by arithmetic (loaded on first use)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interconnect.lazy import lazy_names

if TYPE_CHECKING:
    from metalrom.studies.systems.checks import CHECKS, run_checks
    from metalrom.studies.systems.chip import CHIPS, ChipSystem, read_chip
    from metalrom.studies.systems.comparison import SystemComparison, compare_systems
    from metalrom.studies.systems.description import SYSTEMS, CimSystem, read_system, register_system
    from metalrom.studies.systems.energy import InferenceEnergy, Scenario, inference_energy
    from metalrom.studies.systems.metal import MetalMacro, example_macro, macro_of_run
    from metalrom.studies.systems.placement import PlacedNetwork, place_network
    from metalrom.studies.systems.published_check import PublishedCheck

_HOME = {
    "CHECKS": "checks",
    "PublishedCheck": "published_check",
    "run_checks": "checks",
    "CHIPS": "chip",
    "ChipSystem": "chip",
    "read_chip": "chip",
    "PlacedNetwork": "placement",
    "place_network": "placement",
    "SystemComparison": "comparison",
    "compare_systems": "comparison",
    "CimSystem": "description",
    "read_system": "description",
    "SYSTEMS": "description",
    "register_system": "description",
    "InferenceEnergy": "energy",
    "Scenario": "energy",
    "inference_energy": "energy",
    "MetalMacro": "metal",
    "example_macro": "metal",
    "macro_of_run": "metal",
}

__all__ = [
    "CHECKS",
    "CHIPS",
    "SYSTEMS",
    "ChipSystem",
    "CimSystem",
    "InferenceEnergy",
    "MetalMacro",
    "PlacedNetwork",
    "PublishedCheck",
    "Scenario",
    "SystemComparison",
    "compare_systems",
    "example_macro",
    "inference_energy",
    "macro_of_run",
    "place_network",
    "read_chip",
    "read_system",
    "register_system",
    "run_checks",
]

__getattr__ = lazy_names(__name__, _HOME)

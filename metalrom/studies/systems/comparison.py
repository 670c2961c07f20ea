"""Systems side by side: the same network, input, area and rules for each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from pathlib import Path
from typing import Any

from interconnect.errors import InputError, UnknownName
from interconnect.suggestion import suggest
from metalrom.macro.quantity import Span
from metalrom.studies.systems.description import SYSTEMS, Assumptions, CimSystem, read_system, shared_assumptions
from metalrom.studies.systems.energy import (
    AttentionPlace,
    Bits,
    Demand,
    InferenceEnergy,
    Level,
    Platform,
    Scenario,
    cost,
    inference_energy,
    platform_of,
)
from metalrom.studies.systems.metal import MetalMacro
from metalrom.workloads.inventory.inventory import Inventory
from metalrom.workloads.inventory.tiling import NetworkTiling, tile_inventory

METAL = "metal-rom"
BASELINE = "sram-cim"
WORKLOADS = ("alexnet", "resnet-34", "bert-base", "minigpt-4")
LEVELS: tuple[Level, ...] = ("low", "mid", "high")
ENDS: tuple[Level, Level] = ("low", "high")


@dataclass(frozen=True, slots=True)
class SystemResult:
    """One system in one case.

    energy: all assumptions at their cheap end, in the middle, at their dear end. capacity: weight bits on the chip.
    resident: share of the weights that stay there. reload: s to load the others. gain: energy of the baseline over
    this system's, the middle and the extremes over all combinations of ends (the same ends for both). swing: gain at
    the two ends of one group of assumptions, the others in the middle.
    """

    system: str
    energy: Mapping[Level, InferenceEnergy]
    capacity: float
    resident: float
    reload: float
    gain: Span
    swing: Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Case:
    """A network at a size. area: mm2 for each system. metal_area: mm2 at which the metal ROM holds the whole network.
    full_deployment: gain of the baseline if no weight is loaded over loading every weight each time."""

    workload: str
    size: str
    inventory: Inventory
    demand: Demand
    tiling: NetworkTiling
    area: float
    metal_area: Span
    full_deployment: Span
    results: tuple[SystemResult, ...]


@dataclass(frozen=True, slots=True)
class SystemComparison:
    """Everything that was compared and under which rules. area: mm2, None for what the metal ROM needs."""

    systems: tuple[tuple[str, CimSystem | MetalMacro], ...]
    macro: MetalMacro
    shared: Assumptions
    node: float
    attention: AttentionPlace
    area: float | None
    bits: Bits
    cases: tuple[Case, ...]


def chosen_systems(names: Sequence[str], macro: MetalMacro) -> list[tuple[str, CimSystem | MetalMacro]]:
    """Systems by name, in that order; a path of a .yaml file brings one along. Raises InputError for others."""
    found: dict[str, CimSystem | MetalMacro] = {}
    for name in names:
        if name == METAL:
            found[name] = macro
        elif name in SYSTEMS:
            found[name] = SYSTEMS[name]
        elif name.endswith((".yaml", ".yml")):
            system = read_system(Path(name))
            if system.name in (*SYSTEMS, METAL):
                raise InputError(f"has the name {system.name!r} of an existing system", where=name, hint="rename it")
            found[system.name] = system
        else:
            hint = f"{suggest(name, (*SYSTEMS, METAL))}, or give a .yaml file"
            raise UnknownName(f"there is no system {name!r}", hint=hint)
    return list(found.items())


def compare_systems(
    inventories: Sequence[tuple[str, str, Inventory]],
    systems: Sequence[str],
    macro: MetalMacro,
    *,
    area: float | None = None,
    node: float = 28.0,
    attention: AttentionPlace = "sram",
) -> SystemComparison:
    """Energies and gains of `systems` for (workload, size, inventory).

    area: mm2 for each system; None gives each network the area at which the metal ROM holds all of it. node: nm to
    which densities are scaled, the literature's and the macro's alike. All run at the macro's input and weight bits.
    Raises InputError: unknown system, an area or node that is none.
    """
    for name, value, top in (("area", area, 1e9), ("node", node, 1000.0)):
        if value is not None and not 0 < value <= top:
            raise InputError(f"{name} is {value:g}", hint=f"expected more than 0 and at most {top:g}")
    macro = macro.at_node(node)
    chosen = tuple(chosen_systems(systems, macro))
    shared, bits = shared_assumptions(), Bits(macro.input_bits, macro.weight_bits)
    cases = []
    for workload, size, inventory in inventories:
        tiling = tile_inventory(inventory.layers, macro.shape, macro.columns_per_weight)
        if not tiling.tiles:
            raise InputError(f"{workload} has no fixed weights to compare")
        rule = _Rule(Demand.of(inventory), tiling, macro, shared, node, attention, area, bits)
        results = tuple(rule.result(name, system) for name, system in chosen)
        whole = rule.full_deployment()
        cases.append(Case(workload, size, inventory, rule.demand, tiling, rule.area, rule.metal_area, whole, results))
    return SystemComparison(chosen, macro, shared, node, attention, area, bits, tuple(cases))


@dataclass(frozen=True)
class _Rule:
    """The common rules, applied to one network."""

    demand: Demand
    tiling: NetworkTiling
    macro: MetalMacro
    shared: Assumptions
    node: float
    attention: AttentionPlace
    fixed_area: float | None
    bits: Bits

    @property
    def area(self) -> float:
        """mm2 for every system."""
        return self.metal_area.mid if self.fixed_area is None else self.fixed_area

    @property
    def metal_area(self) -> Span:
        """mm2 of the metal ROM with the whole network and its SRAM part."""
        tile, share = self.macro.tile_area, self.shared.dynamic_share
        low, mid, high = (self.tiling.tiles * cost(tile, level) / (1 - cost(share, level)) for level in LEVELS)
        return Span(low, mid, high)

    def platform(self, system: CimSystem | MetalMacro, scenario: Scenario) -> Platform:
        """The system at a scenario."""
        return platform_of(system, SYSTEMS[BASELINE], self.shared, scenario, self.node, self.bits)

    def capacity(self, system: CimSystem | MetalMacro, platform: Platform) -> float:
        """Weight bits that the system holds; the metal ROM without a given area holds all by definition."""
        if isinstance(system, MetalMacro):
            if self.fixed_area is None:
                return float(self.stored)
            return platform.capacity(self.area) * self.tiling.utilisation
        return platform.capacity(self.area)

    def energy(
        self, system: CimSystem | MetalMacro, scenario: Scenario, capacity: float | None = None
    ) -> InferenceEnergy:
        """Energy of one inference."""
        platform = self.platform(system, scenario)
        held = self.capacity(system, platform) if capacity is None else capacity
        return inference_energy(
            self.demand, platform, held, self.shared, scenario, bits=self.bits, attention=self.attention
        )

    @property
    def stored(self) -> int:
        """Weight bits of the network."""
        return self.demand.weights * self.bits.weights

    def gain(self, system: CimSystem | MetalMacro, scenario: Scenario) -> float:
        """Energy of the baseline over the system's."""
        return self.energy(SYSTEMS[BASELINE], scenario).total / self.energy(system, scenario).total

    def result(self, name: str, system: CimSystem | MetalMacro) -> SystemResult:
        """Everything about one system."""
        middle = Scenario()
        capacity = self.capacity(system, self.platform(system, middle))
        gains = [self.gain(system, scenario) for scenario in corners()]
        mid = self.gain(system, middle)
        swing = {}
        for field in fields(Scenario):
            low, high = (self.gain(system, _at(field.name, level)) for level in ENDS)
            swing[field.name] = (low, high)
        energy = {level: self.energy(system, Scenario.all(level)) for level in LEVELS}
        resident = min(1.0, capacity / self.stored)
        reload = (1 - resident) * self.stored / (self.shared.dram_bandwidth.mid * 8e9)
        span = Span(min([*gains, mid]), mid, max([*gains, mid]))
        return SystemResult(name, energy, capacity, resident, reload, span, swing)

    def full_deployment(self) -> Span:
        """Baseline: energy with every weight loaded over energy with none loaded."""
        sram = SYSTEMS[BASELINE]

        def ratio(scenario: Scenario) -> float:
            return self.energy(sram, scenario, 0.0).total / self.energy(sram, scenario, float("inf")).total

        ratios = [ratio(scenario) for scenario in corners()]
        mid = ratio(Scenario())
        return Span(min([*ratios, mid]), mid, max([*ratios, mid]))


def corners() -> Iterator[Scenario]:
    """Every combination of ends."""
    return (Scenario(*choice) for choice in product(ENDS, repeat=len(fields(Scenario))))


def _at(group: str, level: Level) -> Scenario:
    """The middle of everything but one group of assumptions."""
    levels: dict[str, Level] = {group: level}
    return replace(Scenario(), **levels)


def comparison_dict(found: SystemComparison) -> dict[str, Any]:
    """Plain values with units in the keys, for JSON."""
    return {
        "rules": {
            "input_bits": found.bits.inputs,
            "weight_bits": found.bits.weights,
            "node_nm": found.node,
            "attention": found.attention,
            "area_mm2": "what the metal ROM needs for the whole network" if found.area is None else found.area,
            "energy": "2 MAC / efficiency + max(0, weight bits - capacity) x (DRAM + write) + activation bits x buffer",
            "reload": "max(0, weight bits - capacity) / DRAM bandwidth",
            "batch": 1,
        },
        "assumptions": {
            name: getattr(found.shared, name).model_dump()
            for name in ("dram", "dram_bandwidth", "array_write", "buffer", "logic_mac", "dynamic_share", "sram_rate")
        },
        "systems": {
            name: system.to_dict() if isinstance(system, MetalMacro) else system.model_dump()
            for name, system in found.systems
        },
        "cases": [_case_dict(case) for case in found.cases],
    }


def _case_dict(case: Case) -> dict[str, Any]:
    inventory = case.inventory
    return {
        "workload": case.workload,
        "size": case.size,
        "model": inventory.model,
        "input": inventory.input,
        "parameters": inventory.parameters,
        "weights": inventory.weights,
        "macs": inventory.macs,
        "attention_macs": inventory.attention_macs,
        "activations": inventory.activations,
        "area_mm2": case.area,
        "metal_area_mm2": case.metal_area.to_dict(),
        "metal_tiles": case.tiling.tiles,
        "metal_utilisation": case.tiling.utilisation,
        "full_deployment_gain": case.full_deployment.to_dict(),
        "systems": {
            r.system: {
                "energy": {level: energy.to_dict() for level, energy in r.energy.items()},
                "capacity_Mb": r.capacity * 1e-6,
                "resident_share": r.resident,
                "reload_s": r.reload,
                "gain": r.gain.to_dict(),
                "gain_by_assumption": {group: {"low": a, "high": b} for group, (a, b) in r.swing.items()},
            }
            for r in case.results
        },
    }

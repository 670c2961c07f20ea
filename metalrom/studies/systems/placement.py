"""One network with ternary weights placed on every system, by the same rules for the literature and for our macro.

- Area: weights x bits of a ternary weight / density, each area shrunk ideally from its node to the comparison's,
  (target / node)^2, without and with periphery. A macro leaves a share of its chip to SRAM for attention and cache; a
  density of a whole chip has that in it. Where no node is told, nothing is scaled.
- Energy of a decoded token: 2 MAC / efficiency where an efficiency is stated, attention, cache and activations as in
  `energy`; else the stated energy per token, in proportion to the weight bits that a token uses.
- Rate: as stated for this very network; else in proportion to the weight bits that a token uses; for our macro and for
  weights from DRAM by the times of their parts, one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

from interconnect.errors import InputError
from metalrom.macro.quantity import Span
from metalrom.studies.systems.chip import ChipSystem
from metalrom.studies.systems.comparison import BASELINE, LEVELS, METAL
from metalrom.studies.systems.description import SYSTEMS, Assumptions, CimSystem, SourcedNumber, shared_assumptions
from metalrom.studies.systems.energy import (
    Bits,
    Level,
    Platform,
    Scenario,
    benefit,
    cost,
    inference_energy,
    scaled_density,
)
from metalrom.studies.systems.merit import energy_per_mac
from metalrom.studies.systems.metal import MetalMacro
from metalrom.studies.systems.phases import Phase, PhaseDemand, phase_demand
from metalrom.workloads.inventory.layers import WorkloadLayer
from metalrom.workloads.inventory.schedule import longest_chain
from metalrom.workloads.inventory.tiling import tile_inventory
from netlists.devices.area import area_at_node
from netlists.mapping import MacroShape

NPU = "dram-npu"
"""Weights in DRAM, digital logic: what a buyer has today."""

TERNARY_BITS = 2
"""Bits of a ternary weight in SRAM and DRAM."""

Rule = Literal["stated", "efficiency", "scaled", "timed"]
"""Where a figure comes from, see above."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A network on one system. cells, area: mm2 at the comparison's node; None: not stated. rate: tokens/s of decode.
    energy: J per decoded token. scaled_area: whether a node is known."""

    system: str
    cells: Span | None
    area: Span | None
    scaled_area: bool
    rate: Span | None
    rate_rule: Rule | None
    energy: Span | None
    energy_rule: Rule | None
    masks: SourcedNumber | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values with units in the keys."""

        def ends(span: Span | None) -> dict[str, float] | None:
            return None if span is None else span.to_dict()

        return {
            "system": self.system,
            "cells_mm2": ends(self.cells),
            "area_mm2": ends(self.area),
            "area_scaled_to_node": self.scaled_area,
            "tokens_per_second": ends(self.rate),
            "rate_rule": self.rate_rule,
            "energy_per_token_J": ends(self.energy),
            "energy_rule": self.energy_rule,
            "masks": None if self.masks is None else self.masks.model_dump(),
        }


@dataclass(frozen=True, slots=True)
class PhaseCost:
    """One phase on one system: J and s of one token, middle of all assumptions, and the parts of the time."""

    system: str
    phase: str
    context: int
    energy: float
    attention_share: float
    time: float
    reload_time: float
    cache_on_chip: bool

    def to_dict(self) -> dict[str, Any]:
        """Plain values with units in the keys."""
        return {
            "system": self.system,
            "phase": self.phase,
            "context": self.context,
            "energy_per_token_J": self.energy,
            "attention_and_cache_share": self.attention_share,
            "time_per_token_s": self.time,
            "reload_time_s": self.reload_time,
            "cache_on_chip": self.cache_on_chip,
        }


@dataclass(frozen=True)
class Placer:
    """The rules, for one network. macro: our own; node: nm that areas are scaled to."""

    macro: MetalMacro
    node: float
    shared: Assumptions

    @classmethod
    def of(cls, macro: MetalMacro, node: float) -> Placer:
        """With the shipped assumptions."""
        return cls(macro.at_node(node), node, shared_assumptions())

    def chip(self, system: ChipSystem, work: PhaseDemand) -> Placement:
        """A system of the literature; `work`: decode."""
        cells, area = (self._stated_area(system, fact, work) for fact in (system.cell_density, system.density))
        if area is not None and system.scope != "chip":
            area = _span(lambda level: _end(area, level) / (1 - cost(self.shared.dynamic_share, level)))
        rate, rate_rule = _stated_rate(system, work)
        energy, rule = self._stated_energy(system, work, area)
        return Placement(system.name, cells, area, system.node is not None, rate, rate_rule, energy, rule, system.masks)

    def metal(self, work: PhaseDemand, masks: SourcedNumber | None = None) -> Placement:
        """Our macro."""
        area = self.metal_area(work)
        cells = work.demand.weights * self.macro.ternary_columns / self.macro.shape.cells
        bare = _span(lambda level: cells * cost(self.macro.metal_area, level))
        return Placement(
            METAL,
            bare,
            area,
            self.macro.metal_node is not None,
            _span(lambda level: 1 / self._metal_time(work, _OPPOSITE[level])),
            "timed",
            _span(lambda level: self._energy(METAL, work, level)[0]),
            "efficiency",
            masks,
        )

    def streamed(self, name: str, work: PhaseDemand) -> Placement:
        """SRAM-CiM (on the metal ROM's area) or digital logic, with the weights that do not fit in DRAM."""
        area = self.metal_area(work) if name == BASELINE else None
        return Placement(
            name,
            None,
            area,
            True,
            _span(lambda level: 1 / self._streamed_time(name, work, _OPPOSITE[level])[0]),
            "timed",
            _span(lambda level: self._energy(name, work, level)[0]),
            "efficiency",
            None,
        )

    def phase_cost(self, name: str, work: PhaseDemand) -> PhaseCost:
        """Energy and time of one token of a phase on our macro, on SRAM-CiM or on digital logic with DRAM."""
        energy, attention = self._energy(name, work, "mid")
        time, reload = (self._metal_time(work, "mid"), 0.0) if name == METAL else self._streamed_time(name, work, "mid")
        return PhaseCost(
            name, work.phase, work.context, energy, attention / energy, time, reload, self._holds_cache(name, work)
        )

    def metal_area(self, work: PhaseDemand) -> Span:
        """mm2 of our chip: whole tiles for every matrix, and the share of SRAM."""
        tiles = _tiles(work.inventory.layers, self.macro.shape, self.macro.ternary_columns)
        if not tiles:
            raise InputError(f"{work.model} has no fixed weights to place")
        tile, share = self.macro.tile_area, self.shared.dynamic_share
        return _span(lambda level: tiles * cost(tile, level) / (1 - cost(share, level)))

    def _stated_area(self, system: ChipSystem, density: SourcedNumber | None, work: PhaseDemand) -> Span | None:
        if density is None:
            return None
        shrink = 1.0 if system.node is None else area_at_node(1.0, system.node.mid, self.node)
        bits = work.demand.weights * 1e-6
        return _span(lambda level: bits * cost(system.ternary_bits, level) / benefit(density, level) * shrink)

    def _stated_energy(
        self, system: ChipSystem, work: PhaseDemand, area: Span | None
    ) -> tuple[Span | None, Rule | None]:
        if (efficiency := system.efficiency) is not None:
            held = None if area is None else area.mid * self.shared.dynamic_share.mid
            return (
                _span(
                    lambda level: sum(
                        self._parts(energy_per_mac(benefit(efficiency, level)), work, level, float("inf"), held)
                    )
                ),
                "efficiency",
            )
        if (stated := system.tokens_per_joule) is None or system.model is None:
            return None, None
        model = system.model
        used = work.demand.macs / work.tokens
        return (
            _span(
                lambda level: used * cost(system.ternary_bits, level)
                / (model.active.mid * benefit(model.bits, level) * benefit(stated, level))
            ),
            "stated" if model.name == _key(work.model) else "scaled",
        )  # fmt: skip

    def _energy(self, name: str, work: PhaseDemand, level: Level) -> tuple[float, float]:
        """Energy of one token on our macro or with streamed weights, J, and the part of attention and cache."""
        if name == METAL:
            columns = self.macro.ternary_columns / self.macro.columns_per_weight
            mac, capacity = cost(self.macro.energy_per_mac, level) * 1e-15 * columns, float("inf")
        elif name == BASELINE:
            mac, capacity = self._sram_mac(level), self._sram_bits(work, level)
        else:
            mac, capacity = cost(self.shared.logic_mac, level) * 1e-12, 0.0
        held = None if name == NPU else self.metal_area(work).mid * self.shared.dynamic_share.mid
        fixed, attention = self._parts(mac, work, level, capacity, held, logic=name == NPU)
        return fixed + attention, attention

    def _parts(
        self,
        mac: float,
        work: PhaseDemand,
        level: Level,
        capacity: float,
        sram_area: float | None,
        *,
        logic: bool = False,
    ) -> tuple[float, float]:
        """Energy of one token of fixed matrices with their activations, and of attention and cache, J.

        mac: J of a product with a fixed weight. capacity: weight bits on the chip. sram_area: mm2 for the cache."""
        scenario = Scenario.all(level)
        sram = self._sram_mac(level)
        eight = sram / Bits(8, TERNARY_BITS).work
        gate = cost(self.shared.logic_mac, level) * 1e-12
        platform = Platform(1.0, mac, gate if logic else sram, gate, 0.0, 1.0)
        bits = Bits(8, TERNARY_BITS)
        alone = replace(work.demand, attention_macs=0, operands=0, moved=0)
        fixed = inference_energy(alone, platform, capacity, self.shared, scenario, bits=bits).total
        products = replace(work.demand, weights=0, macs=0, activations=0)
        place: Literal["sram", "logic"] = "logic" if logic else "sram"
        platform = replace(platform, sram_mac=eight)
        found = inference_energy(products, platform, 0.0, self.shared, scenario, bits=bits, attention=place)
        attention = found.attention + found.activation_access
        if not self._fits(work, sram_area):
            attention += work.cache * 8 * cost(self.shared.dram, level) * 1e-12
        return fixed / work.tokens, attention / work.tokens

    def _sram_mac(self, level: Level) -> float:
        """J of an 8-bit input times a ternary weight in SRAM-CiM."""
        return energy_per_mac(benefit(SYSTEMS[BASELINE].efficiency, level)) * Bits(8, TERNARY_BITS).work

    def _sram_bits(self, work: PhaseDemand, level: Level) -> float:
        return self.metal_area(work).mid * 1e6 * self._sram_density(level)

    def _sram_density(self, level: Level) -> float:
        sram: CimSystem = SYSTEMS[BASELINE]
        return scaled_density(sram, benefit(sram.density, level), self.node)

    def _fits(self, work: PhaseDemand, sram_area: float | None) -> bool:
        """Whether keys and values of the whole context, 8 bits each, fit the SRAM of `sram_area` mm2."""
        return sram_area is not None and work.cache * 8 <= sram_area * 1e6 * self._sram_density("mid")

    def _holds_cache(self, name: str, work: PhaseDemand) -> bool:
        return name != NPU and self._fits(work, self.metal_area(work).mid * self.shared.dynamic_share.mid)

    def _bandwidth(self, level: Level) -> float:
        """Bits per second from DRAM."""
        return benefit(self.shared.dram_bandwidth, level) * 8e9

    def _attention_time(self, work: PhaseDemand, level: Level, *, npu: bool = False) -> float:
        """s of all tokens: products in the SRAM part (8 bits), and the cache from DRAM where it does not fit."""
        area = self.metal_area(work).mid * self.shared.dynamic_share.mid
        products = 2 * work.demand.attention_macs / (benefit(self.shared.sram_rate, level) * 1e12 * area)
        cache = 0.0 if not npu and self._fits(work, area) else work.cache * 8 / self._bandwidth(level)
        return products + cache

    def _metal_time(self, work: PhaseDemand, level: Level) -> float:
        """s of one token: the chain of matrices; in a prefill consecutive tokens are in consecutive matrices."""
        tile = cost(self.macro.tile_time, level) * 1e-9
        steps = work.inventory.schedule
        chain = longest_chain(steps, [tile] * len(steps))[0]
        matrices = chain + (work.tokens - 1) * tile
        return (matrices + self._attention_time(work, level)) / work.tokens

    def _streamed_time(self, name: str, work: PhaseDemand, level: Level) -> tuple[float, float]:
        """s of one token with weights from DRAM, and of them the reload, which a prefill does once for all."""
        stored = work.demand.weights * TERNARY_BITS
        held = self._sram_bits(work, level) if name == BASELINE else 0.0
        reload = max(0.0, stored - held) / self._bandwidth(level)
        area, rate = self.metal_area(work).mid, benefit(self.shared.sram_rate, level) * 1e12
        products = 2 * work.demand.macs / (rate / Bits(8, TERNARY_BITS).work * area)
        total = reload + products + self._attention_time(work, level, npu=name == NPU)
        return total / work.tokens, reload / work.tokens


def place(systems: Sequence[ChipSystem], placer: Placer, work: PhaseDemand) -> list[Placement]:
    """Every system, then SRAM-CiM and digital logic with DRAM, then our macro, for decode."""
    if work.phase != "decode":
        raise InputError(f"a placement needs the phase decode, got {work.phase}")
    rows = [placer.chip(system, work) for system in systems]
    return [*rows, *(placer.streamed(name, work) for name in (NPU, BASELINE)), placer.metal(work, _own_masks(placer))]


@dataclass(frozen=True)
class PlacedNetwork:
    """A network on all systems. systems: of the literature, as stated; work: decode at the first context; phases: our
    macro, SRAM-CiM and digital logic with DRAM by phase and context."""

    systems: tuple[ChipSystem, ...]
    placer: Placer
    work: PhaseDemand
    rows: tuple[Placement, ...]
    phases: tuple[PhaseCost, ...]

    @property
    def output_table(self) -> tuple[float, float]:
        """Energy (J) and time (s) of a token for a shared output table that is read from DRAM at 8 bits; 0 if none."""
        bits, shared = self.work.shared_table * 8, self.placer.shared
        return bits * shared.dram.mid * 1e-12, bits / (shared.dram_bandwidth.mid * 8e9)

    def to_dict(self) -> dict[str, Any]:
        """Plain values with units in the keys."""
        energy, time = self.output_table
        return {
            "model": self.work.model,
            "ternary_weights": self.work.demand.weights,
            "matrices": self.work.matrices,
            "context": self.work.context,
            "node_nm": self.placer.node,
            "output_table": {"numbers": self.work.shared_table, "energy_J": energy, "time_s": time},
            "rules": list(RULES),
            "metal_rom": self.placer.macro.to_dict(),
            "stated": {chip.name: chip.model_dump(exclude_none=True) for chip in self.systems},
            "placed": [row.to_dict() for row in self.rows],
            "phases": [row.to_dict() for row in self.phases],
        }


RULES = (
    "area: weights x bits of a ternary weight / density, shrunk ideally from its node; unscaled without one",
    "a macro leaves a share of its chip to SRAM for attention and cache; the density of a chip has that in it",
    "energy: 2 MAC / efficiency, attention, cache and activations; else the stated energy by weight bits per token",
    "rate: as stated for this network; else by weight bits per token; ours and DRAM's by the times of their parts",
)


def place_network(
    model: str, systems: Sequence[ChipSystem], macro: MetalMacro, node: float, contexts: Sequence[int]
) -> PlacedNetwork:
    """`model`, all weights ternary, on `systems` and on `macro`, at `node` nm; the first context is that of the rows.

    Raises InputError as `phase_demand`, and for a network without fixed weights.
    """
    placer = Placer.of(macro, node)
    work = phase_demand(model, "decode", contexts[0])
    phases: tuple[Phase, ...] = ("prefill", "decode")
    costs = tuple(
        placer.phase_cost(name, demand)
        for context in contexts
        for phase in phases
        for demand in (phase_demand(model, phase, context),)
        for name in (NPU, BASELINE, METAL)
    )
    return PlacedNetwork(tuple(systems), placer, work, tuple(place(systems, placer, work)), costs)


def _own_masks(placer: Placer) -> SourcedNumber:
    """One via layer per plane holds the weights."""
    source = "one via layer per plane; `metalrom respin` compares two layouts"
    planes = float(placer.macro.planes)
    return SourcedNumber(low=planes, mid=planes, high=planes, unit="1", status="measured", source=source)


def _stated_rate(system: ChipSystem, work: PhaseDemand) -> tuple[Span | None, Rule | None]:
    if (rate := system.rate) is None or (model := system.model) is None:
        return None, None
    if model.name == _key(work.model):
        return Span(rate.low, rate.mid, rate.high), "stated"
    used = work.demand.macs / work.tokens
    return (
        _span(
            lambda level: cost(rate, level) * model.active.mid * cost(model.bits, level)
            / (used * benefit(system.ternary_bits, level))
        ),
        "scaled",
    )  # fmt: skip


@cache
def _tiles(layers: tuple[WorkloadLayer, ...], shape: MacroShape, columns: int) -> int:
    """Tiles of all matrices."""
    return tile_inventory(layers, shape, columns).tiles


def _key(model: str) -> str:
    return model.casefold().replace(" ", "-")


_OPPOSITE: dict[Level, Level] = {"low": "high", "mid": "mid", "high": "low"}


def _end(span: Span, level: Level) -> float:
    return float(getattr(span, level))


def _span(value: Any) -> Span:
    low, mid, high = (float(value(level)) for level in LEVELS)
    return Span(low, mid, high)

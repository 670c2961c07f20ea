"""Energy of one inference on a system: computing, weight loading, activation access.

E = 2 MAC / efficiency + max(0, weight bits - capacity) (E_DRAM + E_write) + activation bits E_buffer. What does not fit
is streamed from DRAM into SRAM-CiM, written into its array and computed there. Products of activations (attention)
cannot live in ROM: they run in SRAM-CiM, whose operands are written first, or in digital logic. Efficiencies of the
literature hold at 8 bits; at other bits they are scaled by input bits x weight bits, as the literature's own
normalisation does.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from interconnect.errors import InputError
from metalrom.studies.systems.description import Assumptions, CimSystem, SourcedNumber
from metalrom.studies.systems.merit import density_at_node, energy_per_mac, normalised_to_one_bit
from metalrom.studies.systems.metal import MetalMacro
from metalrom.workloads.inventory.inventory import Inventory

AttentionPlace = Literal["sram", "logic"]
Level = Literal["low", "mid", "high"]

REFERENCE_BITS = 8
"""Input and weight bits at which the efficiencies of the descriptions hold."""

_OPPOSITE: dict[Level, Level] = {"low": "high", "mid": "mid", "high": "low"}


@dataclass(frozen=True, slots=True)
class Scenario:
    """Where in its range each group of assumptions lies; `high` is always the end that costs more.

    dram, buffer, logic: shared energies. share: area left to SRAM. sram: density and efficiency of SRAM-CiM, the
    baseline and everyone's SRAM part. own: the facts of a ROM system itself.
    """

    dram: Level = "mid"
    buffer: Level = "mid"
    logic: Level = "mid"
    share: Level = "mid"
    sram: Level = "mid"
    own: Level = "mid"

    @classmethod
    def all(cls, level: Level) -> Scenario:
        """Everything at one end."""
        return cls(*([level] * len(fields(cls))))


@dataclass(frozen=True, slots=True)
class Bits:
    """Bits of activations and of weights."""

    inputs: int = REFERENCE_BITS
    weights: int = REFERENCE_BITS

    @property
    def work(self) -> float:
        """One MAC in 8-bit x 8-bit MACs."""
        return normalised_to_one_bit(1, self.inputs, self.weights) / REFERENCE_BITS**2


@dataclass(frozen=True, slots=True)
class Demand:
    """What one inference asks for: the sums of an inventory.

    weights, macs: of the fixed matrices. activations: numbers in and out of them. attention_macs: products of
    activations; operands: keys and values that such products hold still; moved: numbers they read and write.
    """

    weights: int
    macs: int
    activations: int
    attention_macs: int
    operands: int
    moved: int

    @classmethod
    def of(cls, inventory: Inventory) -> Demand:
        """Sums of an inventory. Raises InputError if its source does not tell MACs or attention."""
        macs, activations = inventory.complete()
        attention = inventory.attention
        if inventory.attention_macs is None:
            raise InputError(
                f"{inventory.model}: its source does not tell the products of activations (attention)",
                hint="give the config.json",
            )
        return cls(
            inventory.weights,
            macs,
            activations,
            inventory.attention_macs,
            sum(layer.operands for layer in attention),
            sum(layer.moved for layer in attention),
        )


@dataclass(frozen=True, slots=True)
class InferenceEnergy:
    """Parts of one inference, J."""

    matrices: float
    attention: float
    weight_loading: float
    activation_access: float

    @property
    def computing(self) -> float:
        """Fixed matrices and attention."""
        return self.matrices + self.attention

    @property
    def total(self) -> float:
        """All parts."""
        return self.computing + self.weight_loading + self.activation_access

    def to_dict(self) -> dict[str, float]:
        """Parts in J."""
        return {
            "computing_J": self.computing,
            "of_which_attention_J": self.attention,
            "weight_loading_J": self.weight_loading,
            "activation_access_J": self.activation_access,
            "total_J": self.total,
        }


@dataclass(frozen=True, slots=True)
class Platform:
    """A system at a scenario: area of a weight bit (mm2/Mb), energies of a MAC in it, in SRAM-CiM and in logic (J),
    MACs of a branch to each MAC, area share for its weights."""

    area_per_megabit: float
    mac: float
    sram_mac: float
    logic_mac: float
    extra_macs: float
    weight_share: float

    def capacity(self, area: float) -> float:
        """Weight bits on `area` mm2."""
        return area * self.weight_share / self.area_per_megabit * 1e6


def cost(fact: SourcedNumber, level: Level) -> float:
    """A number of which more costs more."""
    return float(getattr(fact, level))


def benefit(fact: SourcedNumber, level: Level) -> float:
    """A number of which more costs less."""
    return float(getattr(fact, _OPPOSITE[level]))


def platform_of(
    system: CimSystem | MetalMacro,
    sram: CimSystem,
    shared: Assumptions,
    scenario: Scenario,
    node: float,
    bits: Bits,
) -> Platform:
    """The system at `scenario`, the literature's densities scaled to `node` (nm), its efficiencies to `bits`; a metal
    macro is that of the node already, see `MetalMacro.at_node`."""
    share = 1 - cost(shared.dynamic_share, scenario.share)
    sram_mac = energy_per_mac(benefit(sram.efficiency, scenario.sram)) * bits.work
    logic_mac = cost(shared.logic_mac, scenario.logic) * 1e-12 * bits.work
    if isinstance(system, MetalMacro):
        own = scenario.own
        mac = cost(system.energy_per_mac, own) * 1e-15
        return Platform(1 / benefit(system.density, own), mac, sram_mac, logic_mac, 0.0, share)
    sram_density = scaled_density(sram, benefit(sram.density, scenario.sram), node)
    if system.memory == "sram":
        own = scenario.sram if system.name == sram.name else scenario.own
        bit = cost(system.cells_per_bit, own) / scaled_density(system, benefit(system.density, own), node)
        mac = energy_per_mac(benefit(system.efficiency, own)) * bits.work
        return Platform(bit, mac, sram_mac, logic_mac, 0.0, 1.0)
    own = scenario.own
    cells = cost(system.cells_per_bit, own) / scaled_density(system, benefit(system.density, own), node)
    beside = cost(system.sram_per_bit, own) / sram_density
    efficiency = benefit(system.efficiency, own) * (1 - cost(system.efficiency_loss, own))
    extra = cost(system.sram_macs, own)
    return Platform(cells + beside, energy_per_mac(efficiency) * bits.work, sram_mac, logic_mac, extra, share)


def scaled_density(system: CimSystem, density: float, node: float) -> float:
    """Mb/mm2 at `node` nm, by ideal shrinking."""
    return density_at_node(density, system.node.mid, node)


def inference_energy(
    demand: Demand,
    platform: Platform,
    capacity: float,
    shared: Assumptions,
    scenario: Scenario,
    *,
    bits: Bits = Bits(),
    attention: AttentionPlace = "sram",
) -> InferenceEnergy:
    """Energy of one inference with `capacity` weight bits on the chip (they stay there between inferences)."""
    stored = demand.weights * bits.weights
    resident = min(1.0, capacity / stored) if stored else 1.0
    dram, buffer = cost(shared.dram, scenario.dram) * 1e-12, cost(shared.buffer, scenario.buffer) * 1e-12
    load = dram + cost(shared.array_write, scenario.buffer) * 1e-12
    per_mac = resident * platform.mac + (1 - resident + platform.extra_macs) * platform.sram_mac
    if attention == "sram":
        # The operand that stays still is written into the SRAM array first.
        products = demand.attention_macs * platform.sram_mac + demand.operands * bits.inputs * buffer
    else:
        products = demand.attention_macs * platform.logic_mac
    access = (demand.activations + demand.moved) * bits.inputs * buffer
    return InferenceEnergy(demand.macs * per_mac, products, stored * (1 - resident) * load, access)

"""When a chip with its model in the masks pays against DRAM and a processor, and how often its model may change.

dies per wafer d  = pi r^2 / A - pi 2 r / sqrt(2 A), r without the edge
chip              = wafer / (d Y) + package, Y = yield of silicon x yield of the weights
fixed             = first masks + engineering
saving per device = (processor + DRAM - chip) + tokens x days x (energy there - energy here) x price of energy
break-even        : volume V with V saving = fixed
n updates in a life cost n (masks + engineering of a respin + V chip): the most that still pay give the interval
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from interconnect.errors import InputError
from interconnect.validation import validate
from interconnect.yamlfile import read_yaml
from metalrom.macro.quantity import Span
from metalrom.studies.respin.masks import DATA, NODE_RATIO, MaskBill
from metalrom.studies.systems.description import Frozen, SourcedNumber

WAFER_RADIUS, WAFER_EDGE = 150.0, 3.0
"""mm."""

DAYS = 365.25
JOULES_PER_KWH = 3.6e6


class WaferPrice(Frozen):
    """Price of a processed 300 mm wafer at a node, nm."""

    node: float
    price: SourcedNumber


class EconomicInputs(Frozen):
    """Everything but masks that money and time follow from; see data/economics.yaml."""

    wafers: tuple[WaferPrice, ...]
    defects: SourcedNumber
    package: SourcedNumber
    engineering: SourcedNumber
    engineering_respin: SourcedNumber
    mask_days: SourcedNumber
    layer_days: SourcedNumber
    test_days: SourcedNumber
    npu: SourcedNumber
    dram: SourcedNumber
    dram_capacity: SourcedNumber
    electricity: SourcedNumber
    tokens: SourcedNumber
    lifetime: SourcedNumber

    def wafer(self, node: float) -> WaferPrice:
        """Of the node that is nearest by ratio. Raises InputError if none is near."""
        nearest = min(self.wafers, key=lambda known: abs(math.log(known.node / node)))
        if max(nearest.node / node, node / nearest.node) > NODE_RATIO:
            known = ", ".join(f"{w.node:g}" for w in self.wafers)
            raise InputError(f"no wafer price near {node:g} nm is known", hint=f"nodes with prices: {known}")
        return nearest


@cache
def economic_inputs() -> EconomicInputs:
    """As shipped."""
    path = DATA / "economics.yaml"
    data, _ = read_yaml(path)
    return validate(EconomicInputs, data, where=str(path))


@dataclass(frozen=True, slots=True)
class Use:
    """A chip at work: area mm2, its energy per token J and that of DRAM with a processor, yield of its weights."""

    area: float
    energy: float
    energy_there: float
    weight_yield: float = 1.0

    def __post_init__(self) -> None:
        for name in ("area", "energy", "energy_there", "weight_yield"):
            if not (value := getattr(self, name)) > 0 or not math.isfinite(value):
                raise InputError(f"{name.replace('_', ' ')} is {value:g}", hint="expected more than 0")
        if self.weight_yield > 1:
            raise InputError(f"yield of the weights is {self.weight_yield:g}", hint="expected at most 1")


@dataclass(frozen=True, slots=True)
class BreakEven:
    """Money in $, middle of all inputs.

    chip, other: price of a device's chip with the model, of processor and DRAM. saving: of a device over its life.
    volume: devices at which the first chip pays; None: it never does. interval: years between updates that still pay
    at `devices`; None: not even one does. days: from a new checkpoint to tested chips.
    """

    chip: float
    other: float
    dies: int
    silicon_yield: float
    energy_saving: float
    saving: float
    fixed: float
    respin: float
    volume: float | None
    devices: float
    interval: float | None
    days: Span

    def to_dict(self) -> dict[str, Any]:
        """Plain values with units in the keys."""
        return {
            "chip_usd": self.chip,
            "processor_and_dram_usd": self.other,
            "dies_per_wafer": self.dies,
            "silicon_yield": self.silicon_yield,
            "energy_saving_usd_per_device": self.energy_saving,
            "saving_usd_per_device": self.saving,
            "fixed_usd": self.fixed,
            "respin_usd": self.respin,
            "break_even_devices": self.volume,
            "devices": self.devices,
            "shortest_update_interval_years": self.interval,
            "days_to_chips": self.days.to_dict(),
        }


def dies_per_wafer(area: float) -> int:
    """Whole dies of `area` mm2 on a 300 mm wafer. Raises InputError if there is none."""
    radius = WAFER_RADIUS - WAFER_EDGE
    dies = math.floor(math.pi * radius**2 / area - math.pi * 2 * radius / math.sqrt(2 * area))
    if dies < 1:
        raise InputError(f"a die of {area:g} mm2 does not fit on a wafer")
    return dies


def break_even(
    bill: MaskBill, use: Use, layers: int, *, devices: float, inputs: EconomicInputs | None = None
) -> BreakEven:
    """Against DRAM and a processor, with `devices` in the field. layers: masks that a wafer still goes through.

    Raises InputError for a node without prices, a die that does not fit, or no devices.
    """
    known = inputs or economic_inputs()
    if not devices >= 1:
        raise InputError(f"{devices:g} devices", hint="expected at least 1")
    dies = dies_per_wafer(use.area)
    silicon = math.exp(-use.area / 100 * known.defects.mid)
    chip = known.wafer(bill.node).price.mid / (dies * silicon * use.weight_yield) + known.package.mid
    other = known.npu.mid + known.dram.mid * known.dram_capacity.mid
    tokens = known.tokens.mid * known.lifetime.mid * DAYS
    energy = tokens * (use.energy_there - use.energy) / JOULES_PER_KWH * known.electricity.mid
    saving = other - chip + energy
    fixed = 1e6 * (bill.whole.mid + known.engineering.mid)
    respin = 1e6 * (bill.respin.mid + known.engineering_respin.mid)
    updates = (devices * saving - fixed) / (respin + devices * chip)
    return BreakEven(
        chip=chip,
        other=other,
        dies=dies,
        silicon_yield=silicon,
        energy_saving=energy,
        saving=saving,
        fixed=fixed,
        respin=respin,
        volume=fixed / saving if saving > 0 else None,
        devices=devices,
        interval=known.lifetime.mid / updates if updates > 0 else None,
        days=respin_days(layers, known),
    )


def respin_days(layers: int, inputs: EconomicInputs | None = None) -> Span:
    """Days from a checkpoint to tested chips, wafers waiting below the first layer that changes."""
    known = inputs or economic_inputs()
    ends = [
        getattr(known.mask_days, end) + layers * getattr(known.layer_days, end) + getattr(known.test_days, end)
        for end in ("low", "mid", "high")
    ]
    return Span(*ends)


def inputs_dict(inputs: EconomicInputs) -> Mapping[str, Any]:
    """Every input with status and source."""
    return inputs.model_dump(mode="json")

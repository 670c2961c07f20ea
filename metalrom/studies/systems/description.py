"""What a system of the literature is made of: a few numbers, each with a range, a status and a source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from interconnect.errors import InputError
from interconnect.registry import Registry
from interconnect.validation import validate
from interconnect.yamlfile import read_yaml

SourceStatus = Literal["published", "derived", "measured", "estimate", "user"]
"""`derived`: follows from published numbers by the arithmetic that its source tells."""

DATA = Path(__file__).parent / "data"
T = TypeVar("T")

Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SourcedNumber(Frozen):
    """A number with its range, in `unit`. `value` alone stands for a number without range."""

    low: Number
    mid: Number
    high: Number
    unit: str
    status: SourceStatus
    source: str = Field(min_length=3)

    @model_validator(mode="before")
    @classmethod
    def _single(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "value" in data:
            ranged = [key for key in ("low", "mid", "high") if key in data]
            if ranged:
                raise InputError(f"has both value and {ranged[0]}", hint="give value alone, or low, mid and high")
            rest = {key: item for key, item in data.items() if key != "value"}
            return {**rest, "low": data["value"], "mid": data["value"], "high": data["value"]}
        return data

    @model_validator(mode="after")
    def _ordered(self) -> SourcedNumber:
        if not self.low <= self.mid <= self.high:
            raise InputError(f"{self.low:g} <= {self.mid:g} <= {self.high:g} does not hold", hint="low, mid, high")
        return self


def absent(unit: str) -> SourcedNumber:
    """What a system does without."""
    return SourcedNumber(low=0, mid=0, high=0, unit=unit, status="derived", source="the system has none")


class CimSystem(Frozen):
    """A compute-in-memory system.

    memory: whether the weights can be loaded again (sram) or are fixed (rom). node: nm. density: stored bits of the
    whole macro at that node, Mb/mm2. efficiency: at 8-bit inputs and weights, TOPS/W. cells_per_bit: stored cells to
    one bit of the network's weights. sram_per_bit: SRAM bits beside each of them (branch or mask). sram_macs: MACs in
    that SRAM to each MAC of the network. efficiency_loss: share of the efficiency lost to expansion.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")
    title: str = Field(min_length=3, max_length=60)
    work: str
    memory: Literal["sram", "rom"]
    node: SourcedNumber
    density: SourcedNumber
    efficiency: SourcedNumber
    cells_per_bit: SourcedNumber = SourcedNumber(
        low=1, mid=1, high=1, unit="1", status="derived", source="one stored bit each"
    )
    sram_per_bit: SourcedNumber = absent("1")
    sram_macs: SourcedNumber = absent("1")
    efficiency_loss: SourcedNumber = absent("1")

    @model_validator(mode="after")
    def _units(self) -> CimSystem:
        for name, unit in _UNITS.items():
            fact: SourcedNumber = getattr(self, name)
            if fact.unit != unit:
                raise InputError(f"has the unit {fact.unit!r}", where=name, hint=f"expected {unit}")
            if name in ("node", "density", "efficiency", "cells_per_bit") and not fact.low > 0:
                raise InputError("has a low end of 0", where=name, hint="expected more than 0")
        if not self.efficiency_loss.high < 1:
            raise InputError("reaches 1", where="efficiency_loss", hint="expected less than 1")
        return self


_UNITS = {
    "node": "nm",
    "density": "Mb/mm2",
    "efficiency": "TOPS/W",
    "cells_per_bit": "1",
    "sram_per_bit": "1",
    "sram_macs": "1",
    "efficiency_loss": "1",
}


class BufferRow(Frozen):
    """Read energy of an SRAM buffer of `kilobytes`, pJ/bit: 22 nm low-power and high-performance, 32 nm low-power."""

    kilobytes: Positive
    low_power_22: Positive
    high_performance_22: Positive
    low_power_32: Positive


class Assumptions(Frozen):
    """What all systems share: energies pJ/bit and pJ/MAC, the share of area that ROM systems leave to SRAM-CiM.

    dram_bandwidth: GB/s. array_write: of a bit that is loaded into an SRAM-CiM array. sram_rate: of SRAM-CiM at 8 bits,
    TOPS/mm2.
    """

    dram: SourcedNumber
    dram_bandwidth: SourcedNumber
    array_write: SourcedNumber
    sram_rate: SourcedNumber
    logic_mac: SourcedNumber
    dynamic_share: SourcedNumber
    buffer_kilobytes: Positive
    buffer_source: str
    buffers: tuple[BufferRow, ...]

    @property
    def buffer(self) -> SourcedNumber:
        """Energy of one bit in the buffer that is used, pJ: between the 22 nm and the 32 nm low-power values."""
        row = next((b for b in self.buffers if b.kilobytes == self.buffer_kilobytes), None)
        if row is None:
            sizes = ", ".join(f"{b.kilobytes:g}" for b in self.buffers)
            raise InputError(f"no buffer of {self.buffer_kilobytes:g} KB in the table", hint=f"one of {sizes}")
        return SourcedNumber(
            low=row.low_power_22,
            mid=(row.low_power_22 * row.low_power_32) ** 0.5,
            high=max(row.high_performance_22, row.low_power_32),
            unit="pJ/bit",
            status="measured",
            source=f"{self.buffer_kilobytes:g} KB buffer: {self.buffer_source}",
        )


def read_system(path: Path) -> CimSystem:
    """A system from a YAML file of the form of the shipped ones. Raises InputError with the key that is wrong."""
    data, _ = read_yaml(path)
    return validate(CimSystem, data, where=str(path))


def shipped(read: Callable[[Path], T], folder: str) -> dict[str, Callable[[], T]]:
    """What reads every `<position>_<name>.yaml` of a folder of `data`, by name, in the order of the positions."""
    return {path.stem.partition("_")[2]: partial(read, path) for path in sorted((DATA / folder).glob("*.yaml"))}


SYSTEMS: Registry[CimSystem] = Registry(
    "system",
    group="metalrom.systems",
    built_in=shipped(read_system, "literature"),
)
"""Systems of the literature: every `<position>_<name>.yaml` of `data/literature`, and what plugins and packages add."""


def register_system(path: Path) -> CimSystem:
    """Make the system of a YAML file known by its name. Raises InputError for a wrong key or a name that is taken."""
    system = read_system(path)
    return SYSTEMS.register(system.name, system)


@cache
def shared_assumptions() -> Assumptions:
    """What all systems share, as shipped."""
    path = DATA / "assumptions.yaml"
    data, _ = read_yaml(path)
    return validate(Assumptions, data, where=str(path))

"""What a converter behind a readout chain's bus declares: its decks, its drawn parts, its supplies, its time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, TypeVar

from interconnect.errors import InputError
from interconnect.registry import Registry
from netlists.parameters import parameter, require_whole
from netlists.readout.strongarm import StrongArm

C = TypeVar("C")

Unit = Literal["row", "segment", "column", "bus", "group", "line", "tile"]
"""What a part exists once for: a row of all planes, a segment of a column, a column, a bus with its comparator, a group
of buses that share a part of their converters, a line across all columns, a tile."""

FLIP_FLOP, ADDER, LATCH, SELECTOR = 6.0, 7.0, 4.0, 0.5
"""NAND2 equivalents of one bit of each (estimate: static CMOS gates counted by hand; a selector is a transmission
gate)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConverterPart:
    """A part of a converter: transistors of a subcircuit of its deck, or logic of so many NAND2 equivalents;
    capacitors, F."""

    name: str
    unit: Unit
    source: str
    subckt: str | None = None
    gates: float = 0.0
    capacitance: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConverterSupply:
    """A voltage source `v_<source>` of a converter's deck. returned: it takes charge back (a supply; references and
    phases do not); share: of its charge that one conversion pays."""

    name: str
    source: str
    returned: bool = False
    share: float = 1.0


@dataclass(frozen=True, kw_only=True)
class ReplicaTable:
    """How a converter's table of thresholds is kept: by reads of replica columns, averaged, at every update."""

    replicas: int = parameter(4, "", "replica columns at each end of the range, read in turn")
    replica_reads: int = parameter(64, "", "reads that are averaged for an end or the middle of the range")
    update_interval: int = parameter(10_000, "", "conversions between two updates of the table")

    def __post_init__(self) -> None:
        for name in ("replicas", "replica_reads", "update_interval"):
            require_whole(getattr(self, name), 1, 1_000_000, where=f"readout.converter.{name}")

    @property
    def update_share(self) -> float:
        """Conversions of an update (both ends and the middle) over those between two updates."""
        return 3 * self.replica_reads / self.update_interval


class ColumnConverter(Protocol):
    """A converter behind a chain's bus: a frozen parameter class.

    title: one line for lists. columns: that a conversion takes, two for a difference. clocked: whether the chain's
    clocked comparator decides; otherwise the converter has a comparator of its own. settle_bus: s from the joining of
    the bus to the first decision unless the chain's timing gives another. twin_basis, noise_basis: how its
    behavioural twin and its noise are known, in words.

    Its conversion is that of `netlists.readout.conversion.nominal_conversion`, its noise that of
    `characterization.readout.converter_noise`, its spread `converter_spread`: functions that dispatch on its class.
    """

    title: ClassVar[str]
    columns: ClassVar[int]
    clocked: ClassVar[bool]
    settle_bus: ClassVar[float]
    twin_basis: ClassVar[str]
    noise_basis: ClassVar[str]

    @property
    def bits(self) -> int:
        """Of its array or counter."""
        ...

    @property
    def replicas(self) -> int:
        """Replica columns at each end of the range."""
        ...

    @property
    def replica_reads(self) -> int:
        """Reads that are averaged for an end or the middle of the range."""
        ...

    @property
    def update_share(self) -> float:
        """Conversions of an update of the thresholds over those between two."""
        ...

    @property
    def shared_by(self) -> int:
        """Buses that share the parts of unit `group`."""
        ...

    @property
    def bus_load(self) -> float:
        """Capacitance on every bus beside the comparator's gate, F."""
        ...

    @property
    def wait(self) -> float:
        """From the settled bus to a decision in the middle of the range, s."""
        ...

    def within(self, buses: int) -> ColumnConverter:
        """The converter in a tile of so many buses: no more of them share a part than there are."""
        ...

    def reach(self, common_mode: float, load: float = 0.0) -> tuple[float, float]:
        """Lowest and highest threshold (V at the bus) that it can make; common_mode: of the chain's clamp, V; load: on
        its array's top plate beside it, F."""
        ...

    def duration(self, levels: int) -> float:
        """One conversion among so many levels, s."""
        ...

    def input_gate(self, comparator: StrongArm) -> tuple[float, float]:
        """Width and length (m) of the PMOS gate that loads the bus; comparator: the chain's clocked one."""
        ...

    def parts(self, levels: int) -> tuple[ConverterPart, ...]:
        """What the converter of so many levels is drawn of."""
        ...

    @property
    def supplies(self) -> tuple[ConverterSupply, ...]:
        """Sources whose charge a conversion takes."""
        ...

    def switched_capacitance(self, wire: float) -> float:
        """Capacitance (F) that logic lines across the columns charge in a conversion, per bus; wire: of such a line
        across the columns of a bus, F. Zero where none is counted."""
        ...

    def describe(self, levels: int) -> str:
        """The converter in words."""
        ...


def converter_as(converter: ColumnConverter, kind: type[C], needed: str, name: str) -> C:
    """The converter as one of a class. needed, name: the class in words and in the configuration.

    Raises InputError for another converter.
    """
    if not isinstance(converter, kind):
        raise InputError(
            f"needs {needed}, the converter is a {converter.title}",
            where="readout.converter.kind",
            hint=f"kind: {name}",
        )
    return converter


COLUMN_CONVERTERS: Registry[type[ColumnConverter]] = Registry(
    "column converter",
    group="metalrom.column_converters",
    built_in={
        "sar": "netlists.readout.column_sar:ColumnSar",
        "ramp": "netlists.readout.column_ramp:ColumnRamp",
        "pair": "netlists.readout.column_pair:ColumnPair",
    },
    where="readout.converter.kind",
)
"""Converters behind a chain's bus: an item is the frozen class of its sizes, see `ColumnConverter`."""

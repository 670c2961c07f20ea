"""The readout chain of a charge column: what stands between a bit line and the code, as one typed value.

Every bit line of a segment has its own reset transistor and PMOS source follower: one per plane, and per column where
neighbouring columns meet on a line. The followers of a segment meet at one row-select transistor, the segments of a
column share one line with one bias current. All bit lines but the one that is read are parked: their reset transistor
stays on and holds them at a level that turns their followers off. The line is sampled twice onto a series capacitor:
before the rows toggle (the clamp is on) and after. A multiplexer joins one of several lines to the input of their
comparator, which decides for the converter (`column_sar`). From this value follow the transistor deck, the noise, the
area, the energy and the time of a read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from netlists.parameters import parameter, require, require_positive, tidy
from netlists.periphery import Timing
from netlists.readout.column_converter import ColumnConverter
from netlists.readout.column_sar import ColumnSar
from netlists.readout.strongarm import StrongArm

EDGE = 20e-12
"""Edges of every control signal, s."""

MINUS = "_minus"
"""Ending of nodes, devices and instances of the minus column's chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentCircuit:
    """Transistors of one segment: a reset and a follower per bit line, one row select. SI units."""

    reset_width: float = parameter(0.12e-6, "m", "width of the reset NMOS of a bit line")
    reset_level: float = parameter(0.34, "V", "level to which the bit lines that are read are reset")
    parking_level: float = parameter(0.75, "V", "level that turns the followers of all other bit lines off")
    reset_gate: float = parameter(1.1, "V", "gate voltage of a reset transistor while it is on")
    follower_width: float = parameter(0.24e-6, "m", "width of the PMOS source follower")
    follower_length: float = parameter(50e-9, "m", "channel length of the follower")
    select_width: float = parameter(0.24e-6, "m", "width of the PMOS row select")
    wire_capacitance: float = parameter(
        0.0, "F", "wires of a segment on each of its bit lines beyond the array, as `metalrom signoff` extracts them"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedLine:
    """The line that the segments of a column share. capacitance, resistance: of its wire alone, from one end to the
    other; the transistors on it are in the deck. SI units."""

    segments: int = parameter(12, "", "segments of a column on one line")
    planes: int = parameter(4, "", "planes per segment")
    columns: int = parameter(1, "", "neighbouring columns of the array that meet on one line; one is read at a time")
    capacitance: float = parameter(15e-15, "F", "wire of the line")
    resistance: float = parameter(200.0, "ohm", "wire of the line")
    bias_current: float = parameter(5e-6, "A", "current of the followers")
    bias_width: float = parameter(0.5e-6, "m", "width of the PMOS current source")
    bias_length: float = parameter(0.2e-6, "m", "channel length of the current source")
    bias_switch_width: float = parameter(
        0.0, "m", "width of the two PMOS that switch a line's bias off while other lines are read; 0: always on"
    )

    @property
    def bit_lines(self) -> int:
        """Bit lines of a segment, of all planes and columns on the line."""
        return self.planes * self.columns


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubleSampler:
    """Series capacitor and clamp of correlated double sampling. SI units."""

    capacitance: float = parameter(30e-15, "F", "series capacitor between line and comparator")
    clamp_width: float = parameter(0.24e-6, "m", "width of the NMOS that clamps its far side during the first sample")
    common_mode: float = parameter(0.40, "V", "level of the clamp")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparatorBus:
    """Multiplexer of the lines that share a comparator. SI units."""

    columns: int = parameter(16, "", "lines that share the comparator")
    gate_width: float = parameter(0.24e-6, "m", "width of the NMOS that joins a line to the bus")
    wire_capacitance: float = parameter(1.0e-15, "F", "wire of the bus")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainTiming:
    """One read, s: the reset ends, the line settles, the clamp opens (first sample), the rows toggle, the line settles,
    the column joins the comparator (second sample), which decides."""

    reset: float = parameter(1.0e-9, "s", "reset of the bit lines")
    settle_reset: float = parameter(3.2e-9, "s", "from the end of the reset to the opening of the clamp")
    guard: float = parameter(0.2e-9, "s", "from the opening of the clamp to the toggling of the rows")
    settle_rows: float = parameter(2.1e-9, "s", "from the toggling of the rows to the joining of the bus")
    settle_bus: float = parameter(2.0e-9, "s", "from the joining of the bus to the first decision; of a pair 3 ns")
    recover: float = parameter(0.5e-9, "s", "from the last sample to the next reset; the rows return")
    hold: float = parameter(0.0, "s", "from the first decision on; the rows stay driven, as a whole conversion needs")
    queue: float = parameter(0.0, "s", "from the settling of the lines to the joining of the bus: lines before it")

    @property
    def clamp_opens(self) -> float:
        """First sample, s."""
        return tidy(self.reset + self.settle_reset)

    @property
    def rows_toggle(self) -> float:
        """Start of the input edge, s."""
        return tidy(self.clamp_opens + self.guard)

    @property
    def bus_joins(self) -> float:
        """The column is connected to the comparator, s."""
        return tidy(self.rows_toggle + self.settle_rows + self.queue)

    @property
    def decides(self) -> float:
        """The comparator may decide, s."""
        return tidy(self.bus_joins + self.settle_bus)

    @property
    def rows_return(self) -> float:
        """The rows go back to idle, s."""
        return tidy(self.decides + self.hold + 2 * EDGE)

    @property
    def stop(self) -> float:
        """End of the read, the rows idle again, s."""
        return tidy(self.decides + self.hold + self.recover)

    @property
    def timing(self) -> Timing:
        """The same read as the column deck's instants."""
        return Timing(
            reset_end=self.reset,
            reset_edge=EDGE,
            input_start=self.rows_toggle,
            input_edge=EDGE,
            read_after=tidy(self.decides - self.rows_toggle - EDGE),
            max_step=0.1e-9,
        )


@dataclass(frozen=True, slots=True)
class ChainDevice:
    """A transistor of the chain that varies: name, type, width and length in m."""

    name: str
    kind: Literal["nmos", "pmos"]
    width: float
    length: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadoutChain:
    """Everything between a bit line and the code. `length`: channel length of every switch, m."""

    drive: Literal["single", "complement"] = parameter(
        "complement", "", "single: only the signal lines rise; complement: the ground lines fall"
    )
    schedule: Literal["redrive", "held"] = parameter(
        "redrive", "", "redrive: a read for every conversion; held: a read for all lines of a bus, in turn"
    )
    length: float = parameter(50e-9, "m", "channel length of every switch")
    segment: SegmentCircuit = field(default_factory=SegmentCircuit)
    line: SharedLine = field(default_factory=SharedLine)
    sampler: DoubleSampler = field(default_factory=DoubleSampler)
    bus: ComparatorBus = field(default_factory=ComparatorBus)
    comparator: StrongArm = field(default_factory=StrongArm)
    converter: ColumnConverter = field(default_factory=ColumnSar)
    timing: ChainTiming = field(default_factory=ChainTiming)

    def __post_init__(self) -> None:
        require(
            self.drive in ("single", "complement"),
            f"is {self.drive!r}",
            where="readout.drive",
            hint="single or complement",
        )
        require(
            self.schedule in ("redrive", "held"),
            f"is {self.schedule!r}",
            where="readout.schedule",
            hint="redrive or held",
        )
        require(
            self.schedule == "redrive" or (self.bus.columns > 1 and self.line.bias_switch_width == 0),
            "is held",
            where="readout.schedule",
            hint="several lines on a bus, whose bias is not switched: they are converted in turn",
        )
        require_positive(self.length, where="readout.length", unit="m")
        wires = self.segment.wire_capacitance
        require_positive(wires, where="readout.segment.wire_capacitance", unit="F", zero=True)
        for name in ("segments", "planes", "columns"):
            value = getattr(self.line, name)
            require(
                isinstance(value, int) and 1 <= value <= 1024,
                f"is {value!r}",
                where=f"readout.line.{name}",
                hint="1 to 1024",
            )
        require(1 <= self.bus.columns <= 256, f"is {self.bus.columns!r}", where="readout.bus.columns", hint="1 to 256")
        require_positive(self.sampler.capacitance, where="readout.sampler.capacitance", unit="F")
        require_positive(self.line.bias_current, where="readout.line.bias_current", unit="A")
        require_positive(self.line.bias_switch_width, where="readout.line.bias_switch_width", unit="m", zero=True)

    @property
    def input_gate(self) -> tuple[float, float]:
        """Width and length (m) of the PMOS gate of the comparator that loads the bus."""
        return self.converter.input_gate(self.comparator)

    @property
    def one_column(self) -> ReadoutChain:
        """The chain of one column up to its bus, what a converter of differences puts there as a capacitor."""
        if self.converter.bus_load == 0.0:
            return self
        return replace(
            self, bus=replace(self.bus, wire_capacitance=self.bus.wire_capacitance + self.converter.bus_load)
        )

    @property
    def array_load(self) -> float:
        """Capacitance on the top plate of the converter's array beside it, F: the series capacitor, where the array is
        on the bus."""
        return self.sampler.capacitance if self.converter.bus_load > 0 else 0.0

    def held(self, levels: int) -> ReadoutChain:
        """The chain whose rows stay driven until the end of a conversion among so many levels."""
        return replace(self, timing=replace(self.timing, hold=self.converter.duration(levels)))

    @property
    def conversions_per_read(self) -> int:
        """Conversions of a bus that one driving of the rows serves."""
        return self.bus.columns if self.schedule == "held" else 1

    def slot(self, levels: int) -> float:
        """From one line's turn at the converter to the next one's, s: the bus is reset, settles and is converted."""
        return tidy(self.timing.recover + self.timing.settle_bus + self.converter.duration(levels))

    def midway(self, levels: int) -> ReadoutChain:
        """The chain as a line in the middle of its bus sees it: with rows held it waits for half of the others."""
        if self.schedule == "redrive":
            return self
        queue = tidy((self.bus.columns - 1) / 2 * self.slot(levels))
        return replace(self, timing=replace(self.timing, queue=queue))

    @property
    def bus_columns(self) -> int:
        """Columns of the array that share the converter of a bus, of a converter of differences those on both buses."""
        return self.bus.columns * self.line.columns * self.converter.columns

    def parks(self, offset: int) -> bool:
        """Whether the bit line so many columns beside one that is read is parked: it shares a line with others, and one
        column in so many is read at a time (pairs of columns, where a converter takes their difference)."""
        return offset // self.converter.columns % self.line.columns != 0

    @property
    def biased_lines(self) -> int:
        """Lines of a bus whose bias is on at a time: all, or with switches the one that is read and the next one, which
        rises meanwhile."""
        return self.bus.columns if self.line.bias_switch_width == 0 else min(2, self.bus.columns)

    @property
    def devices(self) -> tuple[ChainDevice, ...]:
        """Transistors whose thresholds are drawn, by the name of the deck's parameter `dvt_<name>`."""
        s, x = self.segment, self.length
        one = (
            ChainDevice("follower", "pmos", s.follower_width, s.follower_length),
            ChainDevice("select", "pmos", s.select_width, x),
            ChainDevice("bias", "pmos", self.line.bias_width, self.line.bias_length),
            ChainDevice("clamp", "nmos", self.sampler.clamp_width, x),
            ChainDevice("mux", "nmos", self.bus.gate_width, x),
        )
        minus = (replace(d, name=f"{d.name}{MINUS}") for d in one)
        return one if self.converter.columns == 1 else (*one, *minus)

    def off_devices(self) -> Iterator[tuple[str, int]]:
        """(kind, number) of the transistors that only load the line or the bus."""
        yield "follower", self.line.bit_lines - 1
        yield "segment", self.line.segments - 1
        yield "mux", self.bus.columns - 1

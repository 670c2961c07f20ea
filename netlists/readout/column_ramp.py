"""One ramp for many columns, as in image sensors: a comparator per bus, the generator shared.

Behind a readout chain every bus has a continuous-time comparator; a group of buses shares generator, counter and table.
A bus latches the counter as the ramp passes its level; the counts are then looked up one after the other in a table of
instants, one per threshold, so that thresholds may be as unequal as the levels are, within half a step of the counter.
The table follows replica columns, a comparator's own offset and delay the level of an idle read through it, as in
`column_sar`. Counter, latches and table are logic: ideal here, costed as gates and as charge of the counter's lines.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from netlists.condition import Condition
from netlists.parameters import parameter, require_whole
from netlists.readout.column_converter import (
    ADDER,
    FLIP_FLOP,
    LATCH,
    SELECTOR,
    ConverterPart,
    ConverterSupply,
    ReplicaTable,
)
from netlists.readout.converter import check_inputs
from netlists.readout.deck import POWER_UP, ReadoutDeck, build_deck, tidy
from netlists.readout.ramp import Ramp
from netlists.readout.strongarm import StrongArm
from netlists.technology import Technology

_EDGE = 50e-12
_SETTLE = 100e-9
"""s, for the bias of a generator that starts from no supply; a running one needs none of it."""

HALF_ADDER, COMPARISON = 3.5, 4.0
"""NAND2 equivalents of one bit of a counter's adder and of a comparison of two numbers (estimate, as those of
`column_converter`)."""

GATE_CAPACITANCE = 1.5e-15
"""F, of a gate's input and its wire (estimate)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnRamp(Ramp, ReplicaTable):
    """Ramp, comparators and counter behind the buses of readout chains; SI units."""

    title: ClassVar[str] = "single-slope ramp shared by the buses of a group, over a table of thresholds"
    where: ClassVar[str] = "readout.converter"
    columns: ClassVar[int] = 1
    clocked: ClassVar[bool] = False
    settle_bus: ClassVar[float] = 2.0e-9
    twin_basis: ClassVar[str] = (
        "instants of the comparator's answers on generator, comparator and load of the line in transistors; twin and "
        "transistors within a tenth of a step at levels that it has not seen (tests/characterization/test_ramp_twin.py)"
    )
    noise_basis: ClassVar[str] = (
        "noise analysis of the comparator at balance, at three levels of the bus, in the band of its first stage"
    )

    bits: int = parameter(7, "", "of the counter; thresholds lie on its steps")
    ref_low: float = parameter(0.20, "V", "level of the bus at which count 0 begins")
    ref_high: float = parameter(0.60, "V", "level at which the last count ends")
    ref_start: float = parameter(0.15, "V", "level at which the ramp starts, below ref_low")
    count: float = parameter(0.5e-9, "s", "period of the counter's clock")
    pair_width: float = parameter(0.5e-6, "m", "width of each input transistor")
    tail_width: float = parameter(1.0e-6, "m", "width of the comparator's tail source")
    ramp_capacitance: float = parameter(2.0e-12, "F", "charged by the ramp current, with the line's load")
    mirror_width: float = parameter(4.0e-6, "m", "width of the mirror transistors")
    cascode_width: float = parameter(8.0e-6, "m", "width of the cascodes")
    hold_width: float = parameter(4.0e-6, "m", "width of the transistor that holds the ramp at its start")
    load_width: float = parameter(0.5e-6, "m", "width of the load transistors")
    shared_by: int = parameter(64, "", "buses that share generator, counter and table")
    gate_load: float = parameter(0.5e-15, "F", "of a comparator on the ramp, for which its current is set")

    def __post_init__(self) -> None:
        Ramp.__post_init__(self)
        ReplicaTable.__post_init__(self)
        require_whole(self.shared_by, 1, 1_000_000, where=f"{self.where}.shared_by")

    def line_current(self, wire: float) -> float:
        """Current (A) that raises the ramp by a step per count; wire: of the ramp's line at a bus, F."""
        line = self.ramp_capacitance + self.shared_by * (self.gate_load + wire)
        return line * self.step / self.count

    def duration(self, levels: int) -> float:
        """One ramp, whatever the number of levels, s."""
        return self.ramp_time

    @property
    def bus_load(self) -> float:
        """None: the ramp is on the comparator's other input."""
        return 0.0

    @property
    def wait(self) -> float:
        """Until the ramp is in the middle of its range, s."""
        return ((self.ref_low + self.ref_high) / 2 - self.ref_start) / self.step * self.count

    def within(self, buses: int) -> ColumnRamp:
        """The ramp for at most so many buses."""
        return replace(self, shared_by=min(self.shared_by, buses))

    def reach(self, common_mode: float, load: float = 0.0) -> tuple[float, float]:
        """Levels at which the first count begins and the last one ends, V."""
        return self.ref_low, self.ref_high

    def input_gate(self, comparator: StrongArm) -> tuple[float, float]:
        """Width and length of the pair's transistor, m."""
        return self.pair_width, self.pair_length

    @property
    def averaging(self) -> int:
        """Bits of a sum of averaged reads."""
        return self.bits + math.ceil(math.log2(self.replica_reads))

    def parts(self, levels: int) -> tuple[ConverterPart, ...]:
        """Comparator of a bus and its latches; generator, counter and table of a group."""
        bus = self.bits * (LATCH + SELECTOR) + self.averaging * (LATCH + SELECTOR)
        group = group_gates(self.bits, self.averaging, levels)
        return (
            ConverterPart(
                name="adc", unit="bus", source="comparator, every transistor of the deck", subckt="ramp_comparator"
            ),
            ConverterPart(
                name="adc_logic",
                unit="bus",
                source=f"{bus:g} NAND2 equivalents: latched count of {self.bits} bits, own middle of "
                f"{self.averaging} bits, their selection",
                gates=bus,
            ),
            ConverterPart(
                name="ramp",
                unit="group",
                source=f"generator for {self.shared_by} buses, every transistor of the deck",
                subckt="ramp_generator",
                capacitance=self.ramp_capacitance,
            ),
            ConverterPart(
                name="thresholds",
                unit="group",
                source=f"{group:g} NAND2 equivalents: counter, {levels - 1} thresholds of {self.bits} bits, look-up, "
                "averaging",
                gates=group,
            ),
        )

    @property
    def supplies(self) -> tuple[ConverterSupply, ...]:
        """Supply of the comparator; of the generator, its start and its phase a share."""
        share = 1.0 / self.shared_by
        return (
            ConverterSupply(name="comparator", source="converter", returned=True),
            ConverterSupply(name="generator", source="generator", returned=True, share=share),
            ConverterSupply(name="start", source="ref_start", share=share),
            ConverterSupply(name="phase", source="hold", share=share),
        )

    def switched_capacitance(self, wire: float) -> float:
        """A Gray counter changes one line a count: half of the counts charge one, at every bus of the group."""
        return 2.0 ** (self.bits - 1) * (wire + GATE_CAPACITANCE)

    def describe(self, levels: int) -> str:
        """Ramp and counter in words."""
        return (
            f"ramp of {self.step / self.count * 1e-6:.3g} mV/ns for {self.shared_by} buses, {self.bits} bits in "
            f"{self.ramp_time * 1e9:.3g} ns; its counter, latches and table are logic without error"
        )


def group_gates(bits: int, averaging: int, levels: int) -> float:
    """NAND2 equivalents of a counter of `bits`, `averaging` bits of a sum of averaged reads, a table of the thresholds
    between so many levels and its look-up."""
    look_up = math.ceil(math.log2(levels)) * bits * COMPARISON + (levels - 1) * bits * SELECTOR
    return bits * (FLIP_FLOP + HALF_ADDER) + averaging * (FLIP_FLOP + 2 * ADDER) + (levels - 1) * bits * LATCH + look_up


def column_ramp_deck(
    technology: Technology, condition: Condition, ramp: Ramp, levels: Sequence[float], *, noise: bool = False
) -> ReadoutDeck:
    """All columns convert their level (V, one per column) at the same time; v(out_K) rises at column K's code.

    The supplies of generator (v_dd) and comparators (v_comparators) are apart. noise: the comparator at balance on the
    first level; the saved vectors are the noise densities of its first stage and, referred to its input, of that.
    """
    check_inputs(levels, condition)
    start = tidy(POWER_UP + _SETTLE)
    stop = tidy(start + ramp.ramp_time)
    return build_deck(
        "readout_column_ramp.cir.j2",
        {
            "a": ramp,
            "logic": ramp.logic,
            "levels": [float(v) for v in levels],
            "noise": noise,
            "edge": _EDGE,
            "ramp_start": start,
        },
        technology=technology,
        condition=condition,
        length=ramp.length,
        level="transistor",
        title=f"ramp of {ramp.bits} bits for {len(levels)} columns, {'noise, ' if noise else ''}{condition.label}",
        outputs=(
            ("onoise_spectrum", "inoise_spectrum")
            if noise
            else ("v(ramp)", *(f"v(out_{k})" for k in range(len(levels))))
        ),
        stop=stop,
        max_step=ramp.count / 20,
        windows=[(start, stop)],
        reads=[(start, stop)],
        sources={} if noise else {"v_dd": "vdd", "v_comparators": "vdd_comparators", "v_hold": "hold"},
    )

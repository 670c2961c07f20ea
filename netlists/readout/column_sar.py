"""The converter behind a readout chain's bus: successive approximation over a table of thresholds.

The comparator's other input is the top plate of a capacitor array whose bottom plates are switched between ground and
one reference. Before a conversion bus and top plate are both reset to the common mode, the array at its middle code;
then the register halves the interval of counts in every decision, and a table of digital codes, one per threshold,
says which code the array takes. So thresholds may be as unequal as the levels are, within half a step of the array.

The table follows the chain: the middle level is that of an idle read (no row driven) through the converter itself, both
ends are those of replica columns (all cells counting, none counting, every row driven). The converter reads them with
its own comparator, many times on average, at every update; offset, gain and slow drift of everything before the code
are in what it reads. Register, table and averaging are logic: ideal here, costed as gates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from netlists.parameters import parameter, require_all_positive, require_whole, tidy
from netlists.readout.column_converter import (
    ADDER,
    FLIP_FLOP,
    LATCH,
    SELECTOR,
    ConverterPart,
    ConverterSupply,
    ReplicaTable,
)
from netlists.readout.strongarm import StrongArm

FEMTOFARAD = 1e-15

UNIT_MISMATCH = 0.0098
"""Relative sigma of a fringe capacitor of 1 fF."""

UNIT_MISMATCH_SOURCE = (
    "SkyWater sky130 (130 nm, Apache-2.0), model of cap_vpp_01p8x01p8_m1m2_noshield: 0.605 x 1.83 % at 0.783 fF, the "
    "smallest fringe capacitor of the kit; extrapolated by the root of the size"
)
"""Where it is from. Larger ones of the kit scatter more for their size: cap_vpp_02p4x04p6 0.58 % at 4.37 fF,
cap_vpp_08p6x07p8 0.24 % at 35 fF; an array is made of many small units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSar(ReplicaTable):
    """Capacitor array, its switches, its timing and its replicas; SI units."""

    title: ClassVar[str] = "successive approximation of a column's bus over a table of thresholds"
    columns: ClassVar[int] = 1
    clocked: ClassVar[bool] = True
    settle_bus: ClassVar[float] = 2.0e-9
    twin_basis: ClassVar[str] = (
        "thresholds by bisection on comparator, array and switches of transistors: twin and transistors within "
        "0.35 mV at codes that it has not seen (benchmarks/chain_conversions.py --check twin)"
    )
    noise_basis: ClassVar[str] = (
        "every transistor's white noise times the comparator's measured sensitivity, at three levels of the bus"
    )

    bits: int = parameter(8, "", "of the capacitor array; thresholds lie on its steps")
    unit_capacitance: float = parameter(0.25e-15, "F", "unit capacitor of the array")
    unit_mismatch: float = parameter(
        UNIT_MISMATCH, "", "sigma of a capacitor of 1 fF; it falls with the root of the size"
    )
    top_capacitance: float = parameter(1.0e-15, "F", "wire of the top plate to ground")
    reference: float = parameter(0.45, "V", "level to which bottom plates are switched, against ground")
    reset_width: float = parameter(0.24e-6, "m", "width of the NMOS that resets the top plate to the common mode")
    switch_width: float = parameter(1.0e-6, "m", "width of the two NMOS of the largest capacitor; others in proportion")
    smallest_switch: float = parameter(0.12e-6, "m", "width below which no switch falls")
    cycle: float = parameter(1.4e-9, "s", "one decision: the array settles, the comparator decides")
    clock_delay: float = parameter(0.6e-9, "s", "from the start of a cycle to the comparator's clock")

    def __post_init__(self) -> None:
        require_whole(self.bits, 4, 12, where="readout.converter.bits")
        ReplicaTable.__post_init__(self)
        require_all_positive(self, where="readout.converter")

    @property
    def units(self) -> int:
        """Unit capacitors of the array."""
        return 1 << self.bits

    @property
    def middle(self) -> int:
        """Code of the array during the reset: the top plate is then at the common mode."""
        return self.units // 2

    @property
    def capacitance(self) -> float:
        """All unit capacitors together, the one that ends at ground included, F."""
        return self.units * self.unit_capacitance

    @property
    def top_plate(self) -> float:
        """Capacitance of the top plate that its reset charges, F: units and wire; the gate of the comparator comes on
        top."""
        return self.capacitance + self.top_capacitance

    @property
    def unit_sigma(self) -> float:
        """Relative sigma of one unit capacitor: area law."""
        return self.unit_mismatch / math.sqrt(self.unit_capacitance / FEMTOFARAD)

    @property
    def switch_widths(self) -> tuple[float, ...]:
        """Width of the switches of every bit, least significant first, m."""
        return tuple(
            tidy(max(self.smallest_switch, self.switch_width * 2.0 ** (k + 1 - self.bits))) for k in range(self.bits)
        )

    @property
    def shared_by(self) -> int:
        """One: every bus has an array."""
        return 1

    def decisions(self, levels: int) -> int:
        """Decisions of a conversion among so many levels."""
        return max(1, math.ceil(math.log2(levels)))

    def clocks(self, levels: int) -> int:
        """Times that the comparator is clocked in a conversion: once more than it decides. What its kick leaves on the
        line does not decay within a cycle, so a first clock that decides nothing makes all decisions alike."""
        return self.decisions(levels) + 1

    def logic_gates(self, levels: int) -> float:
        """NAND2 equivalents of one converter's logic: a flip-flop and a latch per decision, the selection of a code
        from the tile's table, the accumulator of averaged reads, and the adder that moves a code by its top bits, which
        are the converter's own middle."""
        averaging = self.bits + math.ceil(math.log2(self.replica_reads))
        return (
            self.decisions(levels) * (FLIP_FLOP + LATCH)
            + (levels - 1) * self.bits * SELECTOR
            + averaging * (FLIP_FLOP + ADDER)
            + self.bits * ADDER
        )

    def table_gates(self, levels: int) -> float:
        """NAND2 equivalents of a tile's table: a latch for every bit of every threshold."""
        return (levels - 1) * self.bits * LATCH

    def duration(self, levels: int) -> float:
        """One conversion among so many levels, from the start of the first cycle to the end of the last, s."""
        return tidy(self.clocks(levels) * self.cycle)

    def reach(self, common_mode: float, load: float = 0.0) -> tuple[float, float]:
        """Levels of the top plate at the first and the last code, V."""
        step = self.reference * self.unit_capacitance / (self.top_plate + load)
        return common_mode - self.middle * step, common_mode + (self.units - 1 - self.middle) * step

    @property
    def bus_load(self) -> float:
        """None: the array is on the comparator's other input."""
        return 0.0

    @property
    def wait(self) -> float:
        """None: the first decision falls as the bus has settled."""
        return 0.0

    def within(self, buses: int) -> ColumnSar:
        """Itself: no bus shares anything with another."""
        return self

    def input_gate(self, comparator: StrongArm) -> tuple[float, float]:
        """Width and length of the comparator's input transistor, m."""
        return comparator.input_width, comparator.input_length

    def parts(self, levels: int) -> tuple[ConverterPart, ...]:
        """Comparator and array of a bus, its logic, the tile's table."""
        logic, table = self.logic_gates(levels), self.table_gates(levels)
        return (
            ConverterPart(
                name="adc",
                unit="bus",
                source=f"comparator and capacitor array of {self.bits} bits, every transistor of the deck",
                subckt="column_sar",
                capacitance=self.capacitance,
            ),
            ConverterPart(
                name="adc_logic",
                unit="bus",
                source=f"{logic:g} NAND2 equivalents: register, selection of a threshold, own middle, averaging",
                gates=logic,
            ),
            ConverterPart(
                name="thresholds",
                unit="tile",
                source=f"{table:g} NAND2 equivalents: latches of {levels - 1} thresholds of {self.bits} bits",
                gates=table,
            ),
        )

    @property
    def supplies(self) -> tuple[ConverterSupply, ...]:
        """Supply of comparator and switches, reference of the array, clock."""
        return (
            ConverterSupply(name="supply", source="converter", returned=True),
            ConverterSupply(name="reference", source="reference"),
            ConverterSupply(name="clock", source="clk"),
        )

    def switched_capacitance(self, wire: float) -> float:
        """None: its register is within the bus."""
        return 0.0

    def describe(self, levels: int) -> str:
        """Array and decisions in words."""
        return (
            f"array of {self.bits} bits, {self.unit_capacitance * 1e15:g} fF a unit, "
            f"{self.decisions(levels)} decisions; its register and table are logic without error"
        )

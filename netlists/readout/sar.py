"""Successive-approximation converter: sizes and the deck of one conversion per input level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from netlists.condition import Condition
from netlists.parameters import parameter, require_all_positive, require_positive, require_whole
from netlists.readout.converter import check_inputs, check_range
from netlists.readout.deck import POWER_UP, Level, ReadoutDeck, ReadoutRole, build_deck, staircase, tidy
from netlists.readout.logic import Logic
from netlists.readout.strongarm import StrongArm
from netlists.technology import Technology

_EDGE = 20e-12
_SAMPLE_CYCLES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sar:
    """Sizes, references and timing of a successive-approximation converter; SI units.

    An input of `ref_low` + x (`ref_high` - `ref_low`) gives the code floor(2^bits x), within 0 and 2^bits - 1.
    """

    title: ClassVar[str] = "successive-approximation converter"
    role: ClassVar[ReadoutRole] = "converter"
    not_included: ClassVar[str] = "the phases' sources, references and input driver are ideal"
    gate_subcircuits: ClassVar[tuple[str, ...]] = ("sar",)

    bits: int = parameter(6, "", "resolution, 3 to 8")
    ref_low: float = parameter(0.05, "V", "input at which code 0 begins")
    ref_high: float = parameter(0.45, "V", "input at which the last code ends")
    unit_capacitance: float = parameter(1.0e-15, "F", "of the least significant bit")
    stray_capacitance: float = parameter(3.0e-15, "F", "of the top plate to ground, on top of the transistors'")
    switch_width: float = parameter(
        2.0e-6, "m", "NMOS width of a switch of the largest capacitor; others in proportion"
    )
    clamp_width: float = parameter(0.5e-6, "m", "width of both transistors that hold the top plate")
    smallest_switch: float = parameter(0.12e-6, "m", "least NMOS width of a switch")
    cycle: float = parameter(1.0e-9, "s", "one decision; a conversion takes bits + 2 cycles")
    twin_offset: float = parameter(0.0, "V", "offset of the behavioral twin, positive: larger inputs are needed")
    twin_gain: float = parameter(1.0, "", "width of the twin's codes over the ideal width")
    comparator: StrongArm = field(default_factory=StrongArm)
    logic: Logic = field(default_factory=Logic)

    def __post_init__(self) -> None:
        require_whole(self.bits, 3, 8, where="sar.bits")
        check_range(self.ref_low, self.ref_high, where="sar")
        require_all_positive(
            self, where="sar", besides=("bits", "ref_low", "ref_high", "stray_capacitance", "twin_offset")
        )
        require_positive(self.stray_capacitance, where="sar.stray_capacitance", unit="F", zero=True)

    @property
    def capacitance(self) -> float:
        """All units together: what the input has to charge, F."""
        return self.unit_capacitance * (1 << self.bits)

    @property
    def common_mode(self) -> float:
        """Level of the top plate while the input is sampled, V: the middle of the range."""
        return (self.ref_low + self.ref_high) / 2

    @property
    def conversion(self) -> float:
        """Time of one conversion, s."""
        return tidy((self.bits + _SAMPLE_CYCLES) * self.cycle)

    @property
    def switch_widths(self) -> tuple[float, ...]:
        """NMOS width of the switches of every bit, least significant first, m."""
        return tuple(
            max(self.smallest_switch, self.switch_width * 2.0 ** (k + 1 - self.bits)) for k in range(self.bits)
        )

    @classmethod
    def sized(cls, bits: int, low: float, high: float, length: float) -> Sar:
        """The converter of so many bits between two references (V), its transistors of this channel length (m)."""
        return cls(bits=bits, ref_low=low, ref_high=high, comparator=StrongArm(length=length))

    @property
    def capacitors(self) -> float:
        """All drawn capacitors of one converter, F."""
        return 2 * (self.capacitance + self.stray_capacitance)

    def deck(
        self, technology: Technology, condition: Condition, levels: Sequence[float], level: Level = "transistor"
    ) -> ReadoutDeck:
        """One conversion of each of `levels` (V) in one transient.

        In the deck's `reads` every conversion has the times at which its bits are decided, most significant first.
        """
        check_inputs(levels, condition)
        t, n = self.cycle, self.bits
        starts = [tidy(POWER_UP + i * self.conversion) for i in range(len(levels))]
        first = POWER_UP + _SAMPLE_CYCLES * t  # end of the first sampling phase
        phases = [
            ("clamp", POWER_UP + 0.1 * t, 1.6 * t),
            ("sample", POWER_UP + 0.1 * t, 1.75 * t),
            ("run", first, n * t),
        ]
        for k in reversed(range(n)):
            # The first trial begins as the input is let go, so that the top plate stays between the references.
            early = 0.15 * t if k == n - 1 else 0.0
            phases.append((f"trial_{k}", first + (n - 1 - k) * t - early, t + early - 2 * _EDGE))
        sources = {"v_dd": "vdd", "v_ref_high": "ref_high", "v_ref_low": "ref_low", "v_cm": "vcm", "v_clk": "clk"}
        sources |= {"v_in": "in", "v_clamp": "clamp", "v_sample": "sample"}
        sources |= {f"v_trial_{k}": f"trial_{k}" for k in range(n)}
        return build_deck(
            "readout_sar.cir.j2",
            {
                "a": self,
                "c": self.comparator,
                "logic": self.logic,
                "edge": _EDGE,
                "conversion": self.conversion,
                "clock_start": tidy(POWER_UP + 0.55 * t),
                "clock_width": tidy(0.38 * t),
                "phases": [(name, tidy(start), tidy(width)) for name, start, width in phases],
                "input": staircase(levels, starts, _EDGE),
            },
            technology=technology,
            condition=condition,
            length=self.comparator.length,
            level=level,
            title=f"SAR converter, {n} bits, {len(levels)} conversions, {condition.label}, {level}",
            outputs=("v(out_p)", "v(out_n)", *(f"v(q_{k})" for k in range(n))),
            stop=POWER_UP + len(levels) * self.conversion + 0.05 * t,
            max_step=t / 5,
            windows=[(start, tidy(start + self.conversion)) for start in starts],
            reads=[tuple(tidy(s + (_SAMPLE_CYCLES + j + 0.92) * t) for j in range(n)) for s in starts],
            sources=sources,
        )

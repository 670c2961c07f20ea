"""Flash converter: sizes and the deck of one conversion per input level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from netlists.condition import Condition
from netlists.parameters import parameter, require_all_positive, require_whole
from netlists.readout.converter import check_inputs, check_range
from netlists.readout.deck import POWER_UP, Level, ReadoutDeck, ReadoutRole, build_deck, staircase, tidy
from netlists.readout.strongarm import StrongArm
from netlists.technology import Technology

_EDGE = 20e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Flash:
    """Sizes, references and timing of a flash converter; SI units. Codes as in `Sar`.

    Input and ladder are sampled at every comparator, and held while it decides.
    """

    title: ClassVar[str] = "flash converter"
    role: ClassVar[ReadoutRole] = "converter"
    not_included: ClassVar[str] = (
        "the phases' sources and references are ideal, the counting of the thermometer code is not there"
    )
    gate_subcircuits: ClassVar[tuple[str, ...]] = ("flash",)

    bits: int = parameter(6, "", "resolution, 2 to 6")
    ref_low: float = parameter(0.05, "V", "input at which code 0 begins")
    ref_high: float = parameter(0.45, "V", "input at which the last code ends")
    tap_resistance: float = parameter(10.0, "ohm", "ladder resistance between two taps")
    hold_capacitance: float = parameter(80e-15, "F", "at both inputs of every comparator")
    track_width: float = parameter(0.2e-6, "m", "width of the sampling transistors")
    source_resistance: float = parameter(10.0, "ohm", "of the source that drives the input")
    cycle: float = parameter(4.0e-9, "s", "one conversion")
    twin_offset: float = parameter(0.0, "V", "offset of the behavioral twin, positive: larger inputs are needed")
    comparator: StrongArm = field(default_factory=StrongArm)

    def __post_init__(self) -> None:
        require_whole(self.bits, 2, 6, where="flash.bits")
        check_range(self.ref_low, self.ref_high, where="flash")
        require_all_positive(self, where="flash", besides=("bits", "ref_low", "ref_high", "twin_offset"))

    @property
    def conversion(self) -> float:
        """Time of one conversion, s."""
        return self.cycle

    @classmethod
    def sized(cls, bits: int, low: float, high: float, length: float) -> Flash:
        """The converter of so many bits between two references (V), its transistors of this channel length (m)."""
        return cls(bits=bits, ref_low=low, ref_high=high, comparator=StrongArm(length=length))

    @property
    def capacitors(self) -> float:
        """All drawn capacitors of one converter, F."""
        return 2 * self.hold_capacitance * ((1 << self.bits) - 1)

    def deck(
        self, technology: Technology, condition: Condition, levels: Sequence[float], level: Level = "transistor"
    ) -> ReadoutDeck:
        """One conversion of each of `levels` (V) in one transient; each is read once, before the clock falls."""
        check_inputs(levels, condition)
        t = self.cycle
        # The first level is converted twice; the first time, from all nodes at zero, is not read.
        starts = [tidy(POWER_UP + i * t) for i in range(len(levels) + 1)]
        taps = range(1, 2**self.bits)
        return build_deck(
            "readout_flash.cir.j2",
            {
                "a": self,
                "c": self.comparator,
                "edge": _EDGE,
                "track_start": tidy(POWER_UP + 0.02 * t),
                "track_width": tidy(0.6 * t),
                "first_edge": tidy(POWER_UP + 0.66 * t),
                "clock_width": tidy(0.28 * t),
                "input": staircase([levels[0], *levels], starts, _EDGE),
            },
            technology=technology,
            condition=condition,
            length=self.comparator.length,
            level=level,
            title=f"Flash converter, {self.bits} bits, {len(levels)} conversions, {condition.label}, {level}",
            outputs=tuple(f"v({side}_{k})" for k in taps for side in "tn"),
            stop=POWER_UP + len(starts) * t,
            max_step=t / 10,
            windows=[(start, tidy(start + t)) for start in starts[1:]],
            reads=[(tidy(start + 0.92 * t),) for start in starts[1:]],
            sources={
                "v_dd": "vdd",
                "v_ref_high": "ref_high",
                "v_ref_low": "ref_low",
                "v_clk": "clk",
                "v_track": "track",
                "v_track_b": "track_b",
                "v_in": "source",
            },
        )

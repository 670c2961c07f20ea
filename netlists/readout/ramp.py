"""Single-slope (ramp) converter: sizes and the deck of one conversion per input level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from netlists.condition import Condition
from netlists.parameters import parameter, require, require_all_positive, require_whole
from netlists.readout.converter import check_inputs, check_range
from netlists.readout.deck import POWER_UP, Level, ReadoutDeck, ReadoutRole, build_deck, staircase, tidy
from netlists.readout.logic import Logic
from netlists.technology import Technology

_EDGE = 50e-12
_HOLD_COUNTS = 10
_SPARE_COUNTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """Sizes, references and timing of a single-slope converter; SI units. Codes as in `Sar`.

    The ramp rises by one code per `count`: bias_current / ramp_capacitance = (ref_high - ref_low) / (2^bits count).
    """

    title: ClassVar[str] = "single-slope converter"
    role: ClassVar[ReadoutRole] = "converter"
    where: ClassVar[str] = "ramp"
    not_included: ClassVar[str] = "the phases' sources, references and bias current are ideal, the counter is not there"
    gate_subcircuits: ClassVar[tuple[str, ...]] = ("ramp_generator", "ramp_comparator")

    bits: int = parameter(6, "", "resolution, 3 to 8")
    ref_low: float = parameter(0.05, "V", "input at which code 0 begins")
    ref_high: float = parameter(0.45, "V", "input at which the last code ends")
    ref_start: float = parameter(0.0, "V", "level at which the ramp starts, below ref_low")
    count: float = parameter(1.0e-9, "s", "period of the counter's clock")
    ramp_capacitance: float = parameter(400e-15, "F", "charged by the ramp current")
    mirror_width: float = parameter(2.0e-6, "m", "width of the mirror transistors")
    mirror_length: float = parameter(0.5e-6, "m", "length of current sources")
    cascode_width: float = parameter(4.0e-6, "m", "width of the cascodes")
    cascode_length: float = parameter(0.2e-6, "m", "length of the cascodes")
    level_width: float = parameter(0.2e-6, "m", "width of the diode that biases the cascodes")
    level_resistance: float = parameter(250e3, "ohm", "its load")
    hold_width: float = parameter(1.0e-6, "m", "width of the transistor that holds the ramp at its start")
    tail_width: float = parameter(4.0e-6, "m", "width of the comparator's tail source")
    pair_width: float = parameter(4.0e-6, "m", "width of each input transistor")
    pair_length: float = parameter(0.1e-6, "m", "length of input and load transistors")
    load_width: float = parameter(1.0e-6, "m", "width of the load transistors")
    length: float = parameter(50e-9, "m", "channel length of all other transistors")
    twin_offset: float = parameter(0.0, "V", "offset of the behavioral twin's comparator")
    logic: Logic = field(default_factory=Logic)

    def __post_init__(self) -> None:
        require_whole(self.bits, 3, 8, where=f"{self.where}.bits")
        check_range(self.ref_low, self.ref_high, where=self.where)
        require(
            0 <= self.ref_start < self.ref_low,
            f"is {self.ref_start!r} V",
            where=f"{self.where}.ref_start",
            hint="from 0 V to below ref_low",
        )
        require_all_positive(
            self, where=self.where, besides=("bits", "ref_low", "ref_high", "ref_start", "twin_offset")
        )

    @property
    def step(self) -> float:
        """Ideal width of a code, V."""
        return (self.ref_high - self.ref_low) / (1 << self.bits)

    @property
    def bias_current(self) -> float:
        """Current that makes the ramp rise by one code per count, A."""
        return self.ramp_capacitance * self.step / self.count

    @property
    def ramp_time(self) -> float:
        """From the start of the ramp to its reset, s."""
        return tidy(self.count * (2**self.bits + (self.ref_low - self.ref_start) / self.step + _SPARE_COUNTS))

    @property
    def conversion(self) -> float:
        """Time of one conversion, s."""
        return tidy(self.ramp_time + _HOLD_COUNTS * self.count)

    @classmethod
    def sized(cls, bits: int, low: float, high: float, length: float) -> Ramp:
        """The converter of so many bits between two references (V), its transistors of this channel length (m)."""
        return cls(bits=bits, ref_low=low, ref_high=high, length=length)

    @property
    def capacitors(self) -> float:
        """All drawn capacitors of one converter, F."""
        return self.ramp_capacitance

    def deck(
        self, technology: Technology, condition: Condition, levels: Sequence[float], level: Level = "transistor"
    ) -> ReadoutDeck:
        """One conversion of each of `levels` (V) in one transient; v(out) rises where the ramp passes the input.

        The deck's `reads` hold, per conversion, the start and the end of the ramp.
        """
        check_inputs(levels, condition)
        # The first ramp of the deck serves to settle the bias and is not read.
        starts = [tidy(POWER_UP + (i + 1) * self.conversion) for i in range(len(levels))]
        begin = _HOLD_COUNTS * self.count
        return build_deck(
            "readout_ramp.cir.j2",
            {
                "a": self,
                "logic": self.logic,
                "edge": _EDGE,
                "ramp_start": tidy(POWER_UP + begin),
                "ramp_time": self.ramp_time,
                "input": staircase(levels, starts, _EDGE),
            },
            technology=technology,
            condition=condition,
            length=self.length,
            level=level,
            title=f"Ramp converter, {self.bits} bits, {len(levels)} conversions, {condition.label}, {level}",
            outputs=("v(out)", "v(ramp)"),
            stop=POWER_UP + (len(levels) + 1) * self.conversion,
            max_step=self.count / 20,
            windows=[(start, tidy(start + self.conversion)) for start in starts],
            reads=[(tidy(s + begin), tidy(s + begin + self.ramp_time)) for s in starts],
            sources={"v_dd": "vdd", "v_ref_start": "ref_start", "v_hold": "hold", "v_in": "in"},
        )

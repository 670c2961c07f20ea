"""One decision at the end of a column: sampling switch, its replica on a reference, and a StrongARM comparator."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from interconnect.errors import InputError
from netlists.condition import Condition
from netlists.parameters import parameter, require, require_all_positive
from netlists.periphery import Timing
from netlists.readout.cds import Sampler
from netlists.readout.deck import POWER_UP, ReadoutDeck, build_deck, tidy
from netlists.readout.strongarm import StrongArm
from netlists.technology import Technology
from netlists.transistors import mos_printer

EDGE = 20e-12
"""Edges of the sampling phase and of the clock, s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionNoise:
    """Noise of one sample as series voltages before the comparator's inputs, V: a transient has no noise of its own.

    reset: what opening the reset switch froze on the line; sample, replica: what opening the two sampling switches
    froze on their capacitors; comparator: its own input noise.
    """

    reset: float = 0.0
    sample: float = 0.0
    replica: float = 0.0
    comparator: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """The circuit, SI units: the column's bit line is sampled and compared with a reference behind an equal switch.

    The replica takes the comparator's kickback as the column's own capacitor does. `sampler`: of both switches.
    """

    sampler: Sampler = field(default_factory=lambda: Sampler(sample_capacitance=0.5e-15))
    comparator: StrongArm = field(default_factory=StrongArm)
    clock_delay: float = parameter(80e-12, "s", "from the start of the sampling phase's end to the clock's rise")
    decision_time: float = parameter(0.6e-9, "s", "from the clock's rise to the reading of the outputs")

    def __post_init__(self) -> None:
        require_all_positive(self, where="decider")
        require(self.clock_delay > EDGE, "ends before the switch is open", where="decider.clock_delay", hint="> 20 ps")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeciderInput:
    """One decision of a `Decider`: reference, V; noise; threshold shifts, V.

    comparator_shifts: by transistor (`StrongArm.shifts`). sampler_shifts, replica_shifts: (NMOS, PMOS) of the switches.
    """

    decider: Decider
    reference: float
    noise: DecisionNoise = field(default_factory=DecisionNoise)
    comparator_shifts: Mapping[str, float] = field(default_factory=dict)
    sampler_shifts: tuple[float, float] = (0.0, 0.0)
    replica_shifts: tuple[float, float] = (0.0, 0.0)

    OUTPUTS = ("v(sampled)", "v(replica)", "v(out_p)", "v(out_n)")
    """Vectors that a deck with a decision saves: both samples, the comparator's outputs."""

    def values(self, technology: Technology, timing: Timing, vdd: float) -> dict[str, Any]:
        """What the template `periphery/column_decision.cir.j2` needs. Raises InputError for a value out of range."""
        c = self.decider.comparator
        require(
            0 <= self.reference <= vdd, f"is {self.reference!r} V", where="decision.reference", hint=f"0 to {vdd} V"
        )
        for name in self.comparator_shifts:
            if name not in c.shifts:
                raise InputError(f"no transistor {name!r} to shift in this comparator", where="decision")
        opens = timing.read_at
        rises = tidy(opens + self.decider.clock_delay)
        return {
            "d": self,
            "c": c,
            "s": self.decider.sampler,
            "mos_column": mos_printer(technology, c.length),
            "opens": opens,
            "opened": tidy(opens + EDGE),
            "rises": rises,
            "risen": tidy(rises + EDGE),
            "shifts": sorted(self.comparator_shifts.items()),
        }

    def stop(self, timing: Timing) -> float:
        """When the outputs are read, s."""
        return tidy(timing.read_at + self.decider.clock_delay + self.decider.decision_time)


def input_load_deck(
    technology: Technology, condition: Condition, decider: Decider, *, top: float, reference: float
) -> ReadoutDeck:
    """A ramp of `top` V in 4 ns into the decider's input while it samples; i(v_in) over the slope is minus its load.

    A read of the deck has two times: start and end of the ramp.
    """
    require(0 < top <= condition.vdd, f"is {top!r} V", where="input_load_deck.top", hint=f"0 to {condition.vdd:g} V")
    start = 2 * POWER_UP
    stop = tidy(start + 4e-9)
    return build_deck(
        "readout_input_load.cir.j2",
        {"c": decider.comparator, "s": decider.sampler, "start": start, "top": top, "reference": reference},
        technology=technology,
        condition=condition,
        length=decider.comparator.length,
        level="transistor",
        title=f"Input load of a sampled comparator, {condition.label}",
        outputs=("v(in)", "i(v_in)"),
        stop=stop,
        max_step=20e-12,
        chgtol=1e-18,
        windows=[(start, stop)],
        reads=[(start, stop)],
        sources={"v_in": "in"},
    )

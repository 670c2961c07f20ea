"""Sampling a bit line, plainly or with correlated double sampling."""

from dataclasses import dataclass
from typing import ClassVar

from netlists.condition import Condition
from netlists.parameters import parameter, require, require_all_positive
from netlists.periphery import Periphery
from netlists.readout.deck import POWER_UP, Level, ReadoutDeck, ReadoutRole, build_deck
from netlists.technology import Technology

_EDGE = 20e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampler:
    """Sizes of sampling switch, double-sampling clamp and capacitors; the bit line that they load. SI units."""

    title: ClassVar[str] = "sampling capacitors, plain or with correlated double sampling"
    role: ClassVar[ReadoutRole] = "sampler"

    switch_width: float = parameter(0.12e-6, "m", "width of both transistors of the sampling switch")
    sample_capacitance: float = parameter(2.0e-15, "F", "keeps the sample (capacitor of the local computing cell)")
    double_capacitance: float = parameter(6.0e-15, "F", "between bit line and clamp (double sampling)")
    clamp_width: float = parameter(0.12e-6, "m", "width of both transistors of the clamp")
    ref: float = parameter(0.2, "V", "level to which the clamp holds the output during the first sample")
    line_capacitance: float = parameter(6.0e-15, "F", "of the bit line in the testbench, the sampler not counted")

    def __post_init__(self) -> None:
        require_all_positive(self, where="sampler")

    @property
    def gain(self) -> float:
        """Change of the double-sampled output per change of the bit line, stray capacitance left out."""
        return self.double_capacitance / (self.double_capacitance + self.sample_capacitance)


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerTiming:
    """When the phases end, s; every edge takes 20 ps."""

    reset_end: float = parameter(0.6e-9, "s", "the bit line is let go")
    offset_start: float = parameter(0.75e-9, "s", "an offset is put on the bit line, if one is asked for")
    clamp_end: float = parameter(1.2e-9, "s", "first sample")
    input_start: float = parameter(1.4e-9, "s", "the row rises")
    sample_end: float = parameter(2.0e-9, "s", "second sample")
    stop: float = parameter(2.4e-9, "s", "the output is read")


def sampler_deck(
    technology: Technology,
    condition: Condition,
    *,
    step: float,
    offset: float = 0.0,
    correlated: bool = True,
    sampler: Sampler | None = None,
    timing: SamplerTiming | None = None,
    periphery: Periphery | None = None,
    level: Level = "transistor",
) -> ReadoutDeck:
    """One read of a bit line with or without double sampling; v(out) is read at the end.

    step: share of the line's capacitance (0 to 0.5) that the row couples to; unloaded, the line moves by step * vdd.
    offset: what the reset leaves on the unloaded line, V: a charge of offset * line_capacitance arrives after the reset
    and before the first sample, as kT/C noise would.
    """
    s, t = sampler or Sampler(), timing or SamplerTiming()
    require(0 <= step <= 0.5, f"is {step!r}", where="sampler_deck.step", hint="0 to 0.5")
    require(abs(offset) <= 0.5, f"is {offset!r} V", where="sampler_deck.offset", hint="-0.5 to 0.5 V")
    p = periphery or Periphery()
    kind = "double" if correlated else "plain"
    return build_deck(
        "readout_cds.cir.j2",
        {
            "s": s,
            "t": t,
            "edge": _EDGE,
            "periphery": p,
            "coupled": step * s.line_capacitance,
            "offset_charge": offset * s.line_capacitance,
            "correlated": correlated,
        },
        technology=technology,
        condition=condition,
        length=p.length,
        level=level,
        title=f"Bit-line sampler, {kind} sampling, step {step:g}, offset {offset:g} V, {condition.label}, {level}",
        outputs=("v(bl)", "v(out)"),
        stop=t.stop,
        max_step=5e-12,
        chgtol=1e-19,
        windows=[(POWER_UP, t.stop)],
        reads=[(t.stop,)],
        sources={"v_dd": "vdd", "v_ref": "ref"},
    )

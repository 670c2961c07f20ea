"""Comparator in the segment: an inverter on the bit line, tied to its threshold while the line is reset; a ramp on
reference rows then moves the line back through the threshold, and the time until then is the code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netlists.condition import Condition
from netlists.parameters import parameter, require_all_positive, require_positive, tidy
from netlists.readout.chain import EDGE
from netlists.readout.deck import ReadoutDeck, ReadoutRole, build_deck
from netlists.technology import Technology


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalInverter:
    """Sizes and timing of the comparator of one bit line; SI units."""

    title: ClassVar[str] = "self-zeroed inverter in the segment, with a ramp on reference rows"
    role: ClassVar[ReadoutRole] = "comparator"

    nmos_width: float = parameter(0.12e-6, "m", "width of the NMOS of both inverters")
    pmos_width: float = parameter(0.24e-6, "m", "width of the PMOS of both inverters")
    channel: float = parameter(0.1e-6, "m", "channel length of the first inverter")
    reset_width: float = parameter(0.12e-6, "m", "width of the NMOS that ties input to output")
    reset_gate: float = parameter(1.1, "V", "its gate voltage while it is on")
    reference_capacitance: float = parameter(660e-18, "F", "of the reference rows that carry the ramp")
    length: float = parameter(50e-9, "m", "channel length of all other transistors")
    zero_time: float = parameter(1.0e-9, "s", "reset")
    guard: float = parameter(0.2e-9, "s", "from the end of the reset to the toggling of the rows")
    settle: float = parameter(0.5e-9, "s", "from the toggling of the rows to the start of the ramp")
    ramp_time: float = parameter(32e-9, "s", "of the ramp, from ground to the supply")

    def __post_init__(self) -> None:
        require_all_positive(self, where="local_inverter")

    @property
    def rows_toggle(self) -> float:
        """Start of the input edge, s."""
        return tidy(self.zero_time + self.guard)

    @property
    def ramp_start(self) -> float:
        """s."""
        return tidy(self.rows_toggle + self.settle)

    @property
    def stop(self) -> float:
        """End of the read, s."""
        return tidy(self.ramp_start + self.ramp_time)


def local_inverter_deck(
    technology: Technology,
    condition: Condition,
    inverter: LocalInverter,
    *,
    capacitance: float,
    swing: float = 0.0,
    noise: bool = False,
) -> ReadoutDeck:
    """One conversion of a step `swing` (V) of the cells of a bit line of `capacitance` (F, its metal), or its noise.

    v(out) rises where the ramp passes the threshold. noise: the first inverter at its threshold, the saved vectors are
    the noise densities of its output and, referred to a step of the cells, of its input.
    """
    require_positive(capacitance, where="local_inverter.capacitance", unit="F")
    return build_deck(
        "readout_local_inverter.cir.j2",
        {"a": inverter, "capacitance": capacitance, "swing": swing, "noise": noise, "edge": EDGE},
        technology=technology,
        condition=condition,
        length=inverter.length,
        level="transistor",
        title=f"local inverter, {'noise' if noise else f'step {swing * 1e3:.4g} mV'}, {condition.label}",
        outputs=("onoise_spectrum", "inoise_spectrum") if noise else ("v(out)", "v(bl)", "v(ramp)"),
        stop=inverter.stop,
        max_step=50e-12,
        chgtol=1e-17,
        windows=[(0.0, inverter.stop)],
        reads=[(inverter.rows_toggle, inverter.ramp_start, inverter.stop)],
        sources={} if noise else {"v_dd": "vdd", "v_ramp": "ramp", "v_reset": "reset"},
    )

"""Multiplexer that lets several columns or planes share one readout."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from netlists.condition import Condition
from netlists.parameters import parameter, require, require_all_positive
from netlists.readout.deck import POWER_UP, Level, ReadoutDeck, ReadoutRole, build_deck, tidy
from netlists.readout.logic import Logic
from netlists.technology import Technology

PROBE_CURRENT = 1e-6
"""A, taken from the output in the second half of every slot."""
_EDGE = 20e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnMux:
    """Inputs and sizes of the multiplexer; SI units."""

    title: ClassVar[str] = "multiplexer of several columns or planes into one readout"
    role: ClassVar[ReadoutRole] = "multiplexer"

    inputs: int = parameter(4, "", "columns or planes that share the output: 2, 4, 8 or 16")
    gate_width: float = parameter(0.5e-6, "m", "NMOS width of a transmission gate")
    load_capacitance: float = parameter(2.0e-15, "F", "at the output, in the testbench")
    slot: float = parameter(1.0e-9, "s", "time that an address stays, in the testbench")
    length: float = parameter(50e-9, "m", "channel length")
    logic: Logic = field(default_factory=Logic)

    def __post_init__(self) -> None:
        require(self.inputs in (2, 4, 8, 16), f"is {self.inputs!r}", where="column_mux.inputs", hint="2, 4, 8 or 16")
        require_all_positive(self, where="column_mux", besides=("inputs",))

    @property
    def address_bits(self) -> int:
        """Number of address lines."""
        return self.inputs.bit_length() - 1

    def select_lines(self, index: int) -> list[str]:
        """The address lines, true or inverted, that are all high when input `index` is selected."""
        return [f"a_{k}" if index >> k & 1 else f"a_b_{k}" for k in range(self.address_bits)]


def mux_deck(
    technology: Technology,
    condition: Condition,
    levels: Sequence[float],
    *,
    mux: ColumnMux | None = None,
    level: Level = "transistor",
) -> ReadoutDeck:
    """Select the inputs, held at `levels` (V), one after the other.

    A read of the deck has two times per input: before and after `PROBE_CURRENT` loads the output.
    """
    m = mux or ColumnMux()
    require(
        len(levels) == m.inputs,
        f"has {len(levels)} values",
        where="mux_deck.levels",
        hint=f"one per input ({m.inputs}) is needed",
    )
    starts = [tidy(POWER_UP + i * m.slot) for i in range(m.inputs)]
    return build_deck(
        "readout_column_mux.cir.j2",
        {
            "m": m,
            "logic": m.logic,
            "levels": [float(v) for v in levels],
            "edge": _EDGE,
            "first": POWER_UP,
            "probe": PROBE_CURRENT,
        },
        technology=technology,
        condition=condition,
        length=m.length,
        level=level,
        title=f"Column multiplexer, {m.inputs} inputs, {condition.label}, {level}",
        outputs=("v(out)",),
        stop=POWER_UP + m.inputs * m.slot,
        max_step=m.slot / 20,
        windows=[(start, tidy(start + m.slot)) for start in starts],
        reads=[(tidy(start + 0.49 * m.slot), tidy(start + 0.95 * m.slot)) for start in starts],
        sources={"v_dd": "vdd"},
    )

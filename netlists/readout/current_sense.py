"""Current sense of a resistive column: a regulated virtual ground whose current charges a capacitor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from netlists.condition import Condition
from netlists.parameters import parameter, require, require_all_positive, require_whole
from netlists.readout.deck import POWER_UP, Level, ReadoutDeck, ReadoutRole, build_deck, staircase, tidy
from netlists.technology import Technology

_EDGE = 20e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentSense:
    """Sizes, bias and timing of the sense circuit, and the column in its testbench; SI units.

    The virtual ground lies at `ref` above ground, since one supply must carry the current on: idle rows rest at `ref`,
    active ones at `ref` + `read_voltage`.
    """

    title: ClassVar[str] = "virtual ground whose current charges a capacitor"
    role: ClassVar[ReadoutRole] = "sense"

    ref: float = parameter(0.5, "V", "level of the virtual ground")
    bias_current: float = parameter(2.0e-6, "A", "input of the bias mirror")
    bias_width: float = parameter(1.0e-6, "m", "width of the bias diode; currents of the others in proportion")
    pedestal_width: float = parameter(1.0e-6, "m", "width of the source that keeps the loop alive at zero input")
    tail_width: float = parameter(4.0e-6, "m", "width of the amplifier's tail source")
    mirror_length: float = parameter(0.5e-6, "m", "length of the current sources")
    pair_width: float = parameter(4.0e-6, "m", "width of the amplifier's input transistors")
    load_width: float = parameter(1.0e-6, "m", "width of the amplifier's load transistors")
    amplifier_length: float = parameter(0.2e-6, "m", "length of the amplifier's input and load transistors")
    cascode_width: float = parameter(8.0e-6, "m", "width of the cascode that carries the column current")
    cascode_length: float = parameter(0.1e-6, "m", "its length")
    reset_width: float = parameter(1.0e-6, "m", "width of the transistor that empties the capacitor")
    length: float = parameter(50e-9, "m", "channel length of all other transistors")
    integration_capacitance: float = parameter(150e-15, "F", "charged by the column current")
    reset_time: float = parameter(3.0e-9, "s", "reset of a cycle; the loop settles meanwhile")
    integration_time: float = parameter(5.0e-9, "s", "charging of a cycle")
    rows: int = parameter(32, "", "rows of the testbench's column")
    cell_resistance: float = parameter(1.0e6, "ohm", "of a cell")
    read_voltage: float = parameter(0.2, "V", "of an active row above ref")
    line_capacitance: float = parameter(5.0e-15, "F", "of the bit line")
    twin_resistance: float = parameter(500.0, "ohm", "input resistance of the behavioral twin")

    def __post_init__(self) -> None:
        require_whole(self.rows, 1, 4096, where="current_sense.rows")
        require_all_positive(self, where="current_sense", besides=("rows",))

    @property
    def cycle(self) -> float:
        """Time of one read, s."""
        return tidy(self.reset_time + self.integration_time)

    @property
    def pedestal_current(self) -> float:
        """Nominal current at zero input, A."""
        return self.bias_current * self.pedestal_width / self.bias_width

    @property
    def count_current(self) -> float:
        """Current of one active row into an ideal virtual ground, A."""
        return self.read_voltage / self.cell_resistance


def current_sense_deck(
    technology: Technology,
    condition: Condition,
    counts: Sequence[int],
    *,
    sense: CurrentSense | None = None,
    static: bool = False,
    level: Level = "transistor",
) -> ReadoutDeck:
    """One read per number of active rows; v(int) at a read is the integrated current, i(v_sense) the column current."""
    s = sense or CurrentSense()
    require(
        len(counts) > 0 and all(0 <= k <= s.rows for k in counts),
        f"is {list(counts)!r}",
        where="current_sense_deck.counts",
        hint=f"numbers of active rows from 0 to {s.rows}",
    )
    kind = "static reads" if static else "reads"
    # A cycle more at the start lets the bias settle.
    starts = [tidy(POWER_UP + i * s.cycle) for i in range(len(counts) + 1)]
    volts = [s.ref + s.read_voltage * k / s.rows for k in (counts[0], *counts)]
    return build_deck(
        "readout_current_sense.cir.j2",
        {
            "s": s,
            "edge": _EDGE,
            "input": staircase(volts, starts, _EDGE),
            "static": static,
            "reset_start": POWER_UP,
            "reset_width": tidy(s.reset_time - _EDGE),
        },
        technology=technology,
        condition=condition,
        length=s.length,
        level=level,
        title=f"Current sense, {s.rows} rows, {len(counts)} {kind}, {condition.label}, {level}",
        outputs=("v(int)", "v(in)", "i(v_sense)"),
        stop=starts[-1] + s.cycle,
        max_step=50e-12,
        windows=[(start, tidy(start + s.cycle)) for start in starts[1:]],
        reads=[(tidy(start + s.cycle - 0.1e-9),) for start in starts[1:]],
        sources={"v_dd": "vdd", "v_ref": "ref", "v_rows": "rows", "v_reset": "reset"},
    )


def sense_noise_deck(technology: Technology, condition: Condition, *, sense: CurrentSense | None = None) -> ReadoutDeck:
    """Noise at half of the rows while the capacitor is charged; saved are the densities of the capacitor's voltage and,
    referred to the voltage of the rows, of the input.
    """
    s = sense or CurrentSense()
    return build_deck(
        "readout_current_sense_noise.cir.j2",
        {"s": s},
        technology=technology,
        condition=condition,
        length=s.length,
        level="transistor",
        title=f"Current sense, noise, {s.rows} rows, {condition.label}",
        outputs=("onoise_spectrum", "inoise_spectrum"),
        stop=s.cycle,
        max_step=50e-12,
        windows=[],
        sources={},
    )


def amplifier_deck(
    technology: Technology,
    condition: Condition,
    *,
    sense: CurrentSense | None = None,
) -> ReadoutDeck:
    """The amplifier alone with an open loop: v(out) over its inverting input, 20 mV about the reference."""
    s = sense or CurrentSense()
    span = 20e-3
    return build_deck(
        "readout_amplifier.cir.j2",
        {"s": s, "span": span, "step": span / 200},
        technology=technology,
        condition=condition,
        length=s.length,
        level="transistor",
        title=f"Amplifier of the current sense, {condition.label}",
        outputs=("v(out)", "v(minus)"),
        stop=s.ref + span,
        max_step=span,
        windows=[],
        sources={},
    )


def cascode_deck(
    technology: Technology,
    condition: Condition,
    *,
    sense: CurrentSense | None = None,
) -> ReadoutDeck:
    """The cascode alone, source at the virtual ground, drain at ground: i(v_drain) over the gate voltage."""
    s = sense or CurrentSense()
    return build_deck(
        "readout_cascode.cir.j2",
        {"s": s, "step": s.ref / 500},
        technology=technology,
        condition=condition,
        length=s.length,
        level="transistor",
        title=f"Cascode of the current sense, {condition.label}",
        outputs=("i(v_drain)", "v(gate)"),
        stop=s.ref,
        max_step=s.ref,
        windows=[],
        sources={},
    )

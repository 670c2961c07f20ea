"""Comparator in the segment: an inverter on the bit line, tied to its threshold while the line is reset; a ramp on
reference rows then moves the line back through the threshold, and the time until then is the code.

Every plane of a segment has its own inverter, behind a switch of its supply that is on for the plane and segment that
are read. A second inverter pulls the line that all of a column share down, through a select; the falling edge latches
the counter of the column's group. From this value follow the transistor deck, the noise, the area, the energy and the
time of a read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from interconnect.arrays import FloatArray
from netlists.cells.base import CellModel
from netlists.condition import Condition
from netlists.parameters import parameter, require_all_positive, require_positive, require_whole, tidy
from netlists.periphery import Timing
from netlists.readout.chain import EDGE, ChainDevice
from netlists.readout.column_converter import LATCH, SELECTOR, ConverterPart
from netlists.readout.column_ramp import GATE_CAPACITANCE, group_gates
from netlists.readout.deck import ReadoutDeck, ReadoutRole, build_deck
from netlists.technology import Technology

SPARE_COUNTS = 8
"""Counts that the ramp covers beyond those of the rows, for injection, mismatch and delay."""

WAKE = 50e-12
"""The selected inverters' supply is switched on, s."""


@dataclass(frozen=True, slots=True)
class RampEdge:
    """The output edge of a deck whose code is a time: `line` falls through `level` (V) between `start` and `stop` (s),
    while the ramp rises by `swing` (V). `out` is low at the start unless the ramp begins beyond the threshold."""

    line: str
    out: str
    level: float
    start: float
    stop: float
    swing: float

    def fall(self, time: FloatArray, line: FloatArray, out: FloatArray) -> float:
        """Time of the edge, s; NaN where there is none in the ramp.

        Parameters
        ----------
        time, line, out : FloatArray
            Instants (s) and voltages (V) of the deck, shape (points,).

        Returns
        -------
        float
            By linear interpolation between the two points around the level.
        """
        if np.interp(self.start, time, out) > self.level:
            return float("nan")
        below = np.flatnonzero((time > self.start) & (line < self.level))
        if below.size == 0 or time[below[0]] > self.stop:
            return float("nan")
        i = int(below[0])
        part = (self.level - line[i - 1]) / (line[i] - line[i - 1])
        return float(time[i - 1] + part * (time[i] - time[i - 1]))

    def left(self, time: FloatArray, line: FloatArray, out: FloatArray) -> float:
        """Part of the ramp that is left at the edge, V: it rises with the level of the bit line. See `fall`."""
        return self.swing * (self.stop - self.fall(time, line, out)) / (self.stop - self.start)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalInverter:
    """Sizes and timing of the comparators of a column; SI units."""

    title: ClassVar[str] = "self-zeroed inverter in the segment, with a ramp on reference rows"
    role: ClassVar[ReadoutRole] = "comparator"
    OUTPUTS: ClassVar[tuple[str, ...]] = (
        "v(line)", "v(ramp)", "i(v_local)", "i(v_line)", "i(v_idle_local)", "i(v_power)", "i(v_precharge)",
        "i(v_select)", "i(v_ramp)", "i(v_active)", "i(v_falling)", "i(v_reset_b)",
    )  # fmt: skip
    """Vectors that a column's deck saves beside the bit lines: the line, the ramp, every supply and control."""

    nmos_width: float = parameter(0.12e-6, "m", "width of the NMOS of both inverters")
    pmos_width: float = parameter(0.24e-6, "m", "width of the PMOS of both inverters")
    channel: float = parameter(0.1e-6, "m", "channel length of both inverters")
    reset_width: float = parameter(0.12e-6, "m", "width of the NMOS that ties input to output")
    reset_gate: float = parameter(1.1, "V", "its gate voltage while it is on")
    power_width: float = parameter(0.48e-6, "m", "width of the PMOS that switches the supply of both inverters")
    pull_width: float = parameter(0.24e-6, "m", "width of the two NMOS that pull the column's line down")
    precharge_width: float = parameter(0.24e-6, "m", "width of the PMOS that charges the column's line")
    keeper_width: float = parameter(0.12e-6, "m", "width of the PMOS that holds the line until it is pulled down")
    keeper_length: float = parameter(0.2e-6, "m", "channel length of the keeper")
    length: float = parameter(50e-9, "m", "channel length of all other transistors")
    segments: int = parameter(12, "", "segments of a column on one line")
    planes: int = parameter(4, "", "planes per segment")
    line_capacitance: float = parameter(15e-15, "F", "wire of the column's line")
    reference_rows: int = parameter(54, "", "rows of a segment that carry the ramp; by default as its group needs")
    ramp_rest: float = parameter(0.42, "", "level of the ramp during the reset, in parts of the supply")
    zero_time: float = parameter(1.0e-9, "s", "reset")
    guard: float = parameter(0.2e-9, "s", "from the end of the reset to the toggling of the rows")
    settle: float = parameter(0.5e-9, "s", "from the toggling of the rows to the start of the ramp")
    ramp_time: float = parameter(32e-9, "s", "of the ramp, from ground to the supply")
    recover: float = parameter(1.0e-9, "s", "from the end of the ramp to the next read")
    bits: int = parameter(8, "", "of the counter that the edge latches; thresholds lie on its steps")
    shared_by: int = parameter(64, "", "columns that share counter and table of thresholds")
    replicas: int = parameter(4, "", "replica columns at each end of the range, read in turn")
    replica_reads: int = parameter(64, "", "reads that are averaged for an end of the range")
    update_interval: int = parameter(10_000, "", "conversions between two updates of the table")

    def __post_init__(self) -> None:
        require_all_positive(self, where="readout.inverter")
        require_whole(self.reference_rows, 1, 4096, where="readout.inverter.reference_rows")
        require_whole(self.bits, 3, 16, where="readout.inverter.bits")
        for name in ("segments", "planes", "shared_by", "replicas", "replica_reads", "update_interval"):
            require_whole(getattr(self, name), 1, 1_000_000, where=f"readout.inverter.{name}")

    @property
    def rows_toggle(self) -> float:
        """Start of the input edge, s."""
        return tidy(self.zero_time + self.guard)

    @property
    def ramp_start(self) -> float:
        """s."""
        return tidy(self.rows_toggle + self.settle)

    @property
    def ramp_end(self) -> float:
        """s."""
        return tidy(self.ramp_start + self.ramp_time)

    @property
    def rows_return(self) -> float:
        """Rows and ramp go back, s."""
        return tidy(self.ramp_end + 2 * EDGE)

    @property
    def stop(self) -> float:
        """End of the read, s."""
        return tidy(self.ramp_end + self.recover)

    @property
    def timing(self) -> Timing:
        """The same read as the column deck's instants."""
        return Timing(
            reset_end=self.zero_time,
            reset_edge=EDGE,
            input_start=self.rows_toggle,
            input_edge=EDGE,
            read_after=tidy(self.ramp_end - self.rows_toggle - EDGE),
            max_step=0.1e-9,
        )

    @property
    def devices(self) -> tuple[ChainDevice, ...]:
        """Transistors whose thresholds are drawn, by the name of the deck's parameter `dvt_<name>`."""
        x, p, n = self.length, self.pmos_width, self.nmos_width
        return (
            ChainDevice("first_p", "pmos", p, self.channel),
            ChainDevice("first_n", "nmos", n, self.channel),
            ChainDevice("zero", "nmos", self.reset_width, x),
            ChainDevice("out_p", "pmos", p, self.channel),
            ChainDevice("out_n", "nmos", n, self.channel),
        )

    @property
    def update_share(self) -> float:
        """Conversions of an update of both ends over those between two updates."""
        return 2 * self.replica_reads / self.update_interval

    def edge(self, target: str, vdd: float) -> RampEdge:
        """The output edge of the column whose second inverter drives the node `target`; vdd: supply, V."""
        return RampEdge("v(line)", f"v({target})", vdd / 2, self.ramp_start, self.ramp_end, vdd)

    def values(self, model: CellModel) -> dict[str, Any]:
        """What the template of a column needs; model: of the cell, whose reference rows store a tab on the signal
        line."""
        number = self.reference_rows
        return {
            "inverter": True,
            "a": self,
            "wake": WAKE,
            "references": number,
            "reference": number * reference_coupling(model),
            "reference_load": number * reference_load(model),
            "reference_wire": number * reference_wire(model),
        }

    def logic(self, levels: int) -> tuple[ConverterPart, ...]:
        """Latches of a column; counter and table of thresholds of a group of columns."""
        averaging = self.bits + math.ceil(math.log2(self.replica_reads))
        latches, group = self.bits * (LATCH + SELECTOR), group_gates(self.bits, averaging, levels)
        return (
            ConverterPart(
                name="adc_logic",
                unit="bus",
                source=f"{latches:g} NAND2 equivalents: latched count of {self.bits} bits, its selection",
                gates=latches,
            ),
            ConverterPart(
                name="thresholds",
                unit="group",
                source=f"{group:g} NAND2 equivalents: counter, {levels - 1} thresholds of {self.bits} bits, look-up, "
                "averaging",
                gates=group,
            ),
        )

    def switched_capacitance(self, wire: float) -> float:
        """Capacitance (F) that a Gray counter's lines charge in a conversion, per column; wire: of a line across a
        column, F."""
        return 2.0 ** (self.bits - 1) * (wire + GATE_CAPACITANCE)

    def describe(self) -> str:
        """Ramp and counter in words."""
        return (
            f"ramp of the supply in {self.ramp_time * 1e9:.3g} ns on {self.reference_rows} reference rows, {self.bits} "
            "bits; its counter, latches and table are logic without error"
        )


def reference_rows_of(model: CellModel, rows: int) -> int:
    """Rows that carry the ramp of a group of `rows`, with `SPARE_COUNTS`; model: of the complement-driven cell."""
    return math.ceil((rows + SPARE_COUNTS) * model.switched / reference_coupling(model))


def reference_coupling(model: CellModel) -> float:
    """Capacitance (F) from a reference row's signal lines, which the ramp drives, to its bit line: of a stored one."""
    pin = f"{model.bit_lines[0].prefix}_in"
    return sum(model.capacitance(pin, 1, f"{x.prefix}_out") for x in model.lines if x.level > 0)


def reference_load(model: CellModel) -> float:
    """Capacitance (F) that a reference row puts on its bit line beside `reference_coupling`."""
    return model.load(1) + model.next_load(1) - reference_coupling(model)


def reference_wire(model: CellModel) -> float:
    """Capacitance (F) of a reference row's signal lines in a column beside `reference_coupling`."""
    lines = sum(model.capacitance(f"{x.prefix}_out", 1) for x in model.lines if x.level > 0)
    return lines - reference_coupling(model)


def local_inverter_deck(
    technology: Technology,
    condition: Condition,
    inverter: LocalInverter,
    *,
    capacitance: float,
    reference: float,
    swing: float,
) -> ReadoutDeck:
    """One conversion of a step of the cells of a bit line; v(out) rises where the ramp passes the threshold.

    Parameters
    ----------
    technology, condition : Technology, Condition
        What is simulated.
    inverter : LocalInverter
        The comparator.
    capacitance : float
        The bit line's metal without the part that carries the ramp, F.
    reference : float
        Capacitance from the ramp to the bit line, F.
    swing : float
        Step of the cells, V, full on `capacitance`.

    Returns
    -------
    ReadoutDeck
        The deck.
    """
    require_positive(capacitance, where="local_inverter.capacitance", unit="F")
    require_positive(reference, where="local_inverter.reference", unit="F")
    return build_deck(
        "readout_local_inverter.cir.j2",
        {
            "a": inverter,
            "capacitance": capacitance,
            "reference": reference,
            "swing": swing,
            "noise": False,
            "edge": EDGE,
        },
        technology=technology,
        condition=condition,
        length=inverter.length,
        level="transistor",
        title=f"local inverter, step {swing * 1e3:.4g} mV, {condition.label}",
        outputs=("v(out)", "v(bl)", "v(ramp)"),
        stop=inverter.ramp_end,
        max_step=50e-12,
        chgtol=1e-17,
        windows=[(0.0, inverter.ramp_end)],
        reads=[(inverter.rows_toggle, inverter.ramp_start, inverter.ramp_end)],
        sources={"v_dd": "vdd", "v_ramp": "ramp", "v_reset": "reset"},
    )

"""What a readout chain is drawn of: transistors and capacitors of its decks, part by part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from interconnect.errors import InputError
from netlists.condition import Condition
from netlists.devices.area import NOT_AVAILABLE, AreaRules, DrawnTransistor
from netlists.periphery import Periphery
from netlists.readout.chain import ReadoutChain, SharedLine
from netlists.readout.column_converter import ConverterPart, Unit
from netlists.readout.conversion import conversions_deck, nominal_conversion
from netlists.readout.deck import Transistor, transistors
from netlists.render import render
from netlists.technology import Technology
from netlists.transistors import mos_printer

GATES_PER_ADDRESS = 1.5
"""NAND2 equivalents that decode one control line: a NAND and its inverter."""


@dataclass(frozen=True, slots=True)
class DrawnPart:
    """A part of the readout: transistors and their layout area (m2), capacitors (F), once per `unit`. area: None where
    the device set has no area rules. drawn: transistor by transistor, not counted in gates of standard cells."""

    name: str
    unit: Unit
    transistors: int
    area: float | None
    capacitance: float
    source: str
    drawn: bool = True

    @property
    def known_area(self) -> float:
        """Layout area, m2. Raises InputError where none is known."""
        if self.area is None:
            raise InputError(f"{NOT_AVAILABLE} (of the part {self.name})")
        return self.area

    @property
    def square_microns(self) -> float | None:
        """Layout area, um2."""
        return None if self.area is None else self.area * 1e12


def control_lines(chain: ReadoutChain) -> int:
    """Lines across all columns of a tile: resets by segment, plane and column of a line, row selects, levels of the
    resets by plane and column of a line (that of a read, or that of parked ones), clamp, bus reset, joins."""
    line = chain.line
    return line.segments * (line.bit_lines + 1) + line.bit_lines + 2 + chain.bus.columns


def drawn_parts(
    technology: Technology, chain: ReadoutChain, periphery: Periphery, levels: int
) -> tuple[DrawnPart, ...]:
    """Every part of the chain, its drivers and its converter, from the text of the decks that are simulated.

    Parameters
    ----------
    technology : Technology
        Without area rules of its device set the parts have no area.
    chain : ReadoutChain
        The chain.
    periphery : Periphery
        Row drivers and the inverters that drive control lines.
    levels : int
        Levels that the converter tells apart.

    Returns
    -------
    tuple of DrawnPart
        Rows, segments, columns, buses with their converter, control lines.
    """
    devices = technology.devices
    rules = devices.area
    mos = mos_printer(technology, chain.length)
    text = str(render("readout/chain.cir.j2", {"h": chain, "mos": mos}))
    kinds = {devices.nmos: "nmos", devices.pmos: "pmos"}

    def drawn(found: Iterable[Transistor]) -> list[DrawnTransistor]:
        return [DrawnTransistor(kinds[t.model], t.width, t.length, t.drain, t.source, t.multiplier) for t in found]

    s, line, x = chain.segment, chain.line, chain.length
    resets = [DrawnTransistor("nmos", s.reset_width, x, f"bl_{k}", "reset_level") for k in range(line.bit_lines)]
    mirror = DrawnTransistor("pmos", line.bias_width, line.bias_length, "bias", "vdd")
    driver = row_driver(periphery, x, 2 if chain.drive == "complement" else 1)
    nominal = Condition(devices.corners[0], devices.vdd, 27.0)
    one = nominal_conversion(chain.converter, levels)
    deck = conversions_deck(technology, nominal, chain, one, [s.reset_level]).text

    def part(name: str, unit: Unit, found: list[DrawnTransistor], source: str, capacitance: float = 0.0) -> DrawnPart:
        number = sum(t.multiplier for t in found)
        return DrawnPart(name, unit, number, drawn_area(rules, found), capacitance, source)

    def converter(p: ConverterPart) -> DrawnPart:
        if p.subckt is not None:
            return part(p.name, p.unit, drawn(transistors(deck, p.subckt)), p.source, p.capacitance)
        area = logic_area(rules, p.gates)
        return DrawnPart(p.name, p.unit, round(4 * p.gates), area, p.capacitance, p.source, drawn=False)

    double = "two drivers, of signal and ground line" if chain.drive == "complement" else "one driver"
    return (
        part("row_drivers", "row", driver, f"{double}, shared by all planes"),
        part(
            "lcc_reset",
            "segment",
            [*drawn(transistors(text, "segment")), *resets],
            f"reset and follower of {_bit_lines(line)}, one row select",
        ),
        part(
            "column_line",
            "column",
            drawn(transistors(text, "column_line")),
            "bias and clamp, series capacitor",
            chain.sampler.capacitance,
        ),
        part(
            "column_mux",
            "bus",
            [*(drawn(transistors(text, "comparator_bus")) * chain.converter.columns), mirror],
            f"a switch for each of {chain.bus.columns} lines, reset, diode of the bias",
        ),
        *(converter(p) for p in chain.converter.parts(levels)),
        control_part(rules, periphery, x, control_lines(chain)),
    )


def _bit_lines(line: SharedLine) -> str:
    columns = f" of {line.columns} columns" if line.columns > 1 else ""
    return f"{line.planes} planes{columns}"


def drawn_area(rules: AreaRules | None, transistors: Iterable[DrawnTransistor]) -> float | None:
    """Area of a circuit's transistors, m2; None without rules."""
    return None if rules is None else rules.drawn_area(transistors)


def logic_area(rules: AreaRules | None, gates: float) -> float | None:
    """Area of NAND2 equivalents, m2; None without rules."""
    return None if rules is None else rules.logic_area(gates)


def row_driver(periphery: Periphery, length: float, lines: int) -> list[DrawnTransistor]:
    """Drivers of so many lines of a row; length: channel, m."""
    return [
        t
        for k in range(lines)
        for i, (n, p) in enumerate(periphery.stage_widths())
        for t in _inverter(n, p, length, f"{k}_{i}")
    ]


def control_part(rules: AreaRules | None, periphery: Periphery, length: float, lines: int) -> DrawnPart:
    """What drives one of `lines` control lines across all columns; length: channel, m."""
    inverter = _inverter(periphery.reset_driver_width, 1.5 * periphery.reset_driver_width, length)
    return DrawnPart(
        "control_lines",
        "line",
        2,
        None if rules is None else rules.drawn_area(inverter) + rules.logic_area(GATES_PER_ADDRESS),
        0.0,
        f"an inverter and {GATES_PER_ADDRESS:g} NAND2 equivalents of address for each of {lines} lines across all "
        "columns",
    )


def _inverter(n: float, p: float, length: float, name: str = "") -> list[DrawnTransistor]:
    return [
        DrawnTransistor(kind, width, length, f"out_{name}", rail + name)
        for kind, width, rail in (("nmos", n, "vss"), ("pmos", p, "vdd"))
    ]

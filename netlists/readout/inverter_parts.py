"""What a readout by inverters in the segment is drawn of, part by part."""

from __future__ import annotations

from netlists.devices.area import DrawnTransistor
from netlists.periphery import Periphery
from netlists.readout.deck import Transistor, transistors
from netlists.readout.drawn import DrawnPart, control_part, drawn_area, logic_area, row_driver
from netlists.readout.local_inverter import LocalInverter
from netlists.render import render
from netlists.technology import Technology
from netlists.transistors import mos_printer


def inverter_lines(inverter: LocalInverter) -> int:
    """Lines across all columns of a tile: reset, supply switch and select by plane and segment, a switch of the ramp by
    segment, the precharge."""
    return inverter.segments * (3 * inverter.planes + 1) + 1


def inverter_parts(
    technology: Technology, inverter: LocalInverter, periphery: Periphery, levels: int
) -> tuple[DrawnPart, ...]:
    """Every part of the readout, from the text of the decks that are simulated.

    Parameters
    ----------
    technology : Technology
        Without area rules of its device set the parts have no area.
    inverter : LocalInverter
        The readout.
    periphery : Periphery
        Row drivers and the inverters that drive control lines.
    levels : int
        Levels that the table of thresholds tells apart.

    Returns
    -------
    tuple of DrawnPart
        Rows, segments, columns with their latches, groups of columns, control lines.
    """
    devices, a = technology.devices, inverter
    rules, kinds = devices.area, {devices.nmos: "nmos", devices.pmos: "pmos"}
    text = str(render("periphery/local_inverter.cir.j2", {"a": a, "mos": mos_printer(technology, a.length)}))

    def drawn(found: list[Transistor]) -> list[DrawnTransistor]:
        return [DrawnTransistor(kinds[t.model], t.width, t.length, t.drain, t.source, t.multiplier) for t in found]

    driver = row_driver(periphery, a.length, 2)
    one = drawn([*transistors(text, "local_inverter"), *transistors(text, "inverter_output")])
    end = drawn(transistors(text, "inverter_line"))
    return (
        DrawnPart(
            "row_drivers",
            "row",
            len(driver),
            drawn_area(rules, driver),
            0.0,
            "two drivers, of signal and ground line, shared by all planes",
        ),
        DrawnPart(
            "lcc_reset",
            "segment",
            a.planes * len(one),
            None if rules is None else a.planes * rules.drawn_area(one),
            0.0,
            f"zeroed inverter with reset, supply switch, second inverter and select of {a.planes} planes",
        ),
        DrawnPart(
            "column_line", "column", len(end), drawn_area(rules, end), 0.0, "precharge, keeper and inverter of the line"
        ),
        *(
            DrawnPart(p.name, p.unit, round(4 * p.gates), logic_area(rules, p.gates), 0.0, p.source, drawn=False)
            for p in a.logic(levels)
        ),
        control_part(rules, periphery, a.length, inverter_lines(a)),
    )

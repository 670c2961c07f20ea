"""Sign-off of a readout's segments: drawn above the rows of their groups, checked, extracted, simulated, measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from interconnect.files import atomic_write_text
from metalrom.design.design import Design
from metalrom.design.error_context import config_context
from metalrom.design.planes import tower_pitch
from metalrom.design.readout import configured_chain, line_wire
from metalrom.design.setup import group_setup
from metalrom.layout.front_end import FrontEnd, front_end_of
from metalrom.layout.plan import Plan
from metalrom.layout.read import Shapes, open_layout
from metalrom.layout.rules import RuleReport, check_rules
from metalrom.layout.segment import draw_segment
from metalrom.layout.segment_drawing import SegmentDrawing
from metalrom.layout.segment_rows import write_segments
from metalrom.layout.segment_tile import segment_places, segment_site, tile_with_segments
from metalrom.run.characterize import group_rows
from metalrom.signoff.drc import DrcReport, check_with_klayout, open_in_klayout
from metalrom.signoff.drc_deck import find_program, run_deck, write_deck
from metalrom.signoff.level import DrawnLevel
from metalrom.signoff.segment_extract import extract_circuit
from metalrom.signoff.segment_level import segment_level
from metalrom.signoff.segment_lvs import SegmentLvsReport, compare_segments, extract_segments
from metalrom.signoff.segment_schematic import rows_schematic
from netlists.devices.area import DrawnTransistor
from netlists.readout.segment_bench import SegmentCircuitry
from netlists.readout.segment_devices import SegmentNetlist, segment_netlist

Step = Callable[[str, Callable[[], Any]], Any]
"""Runs a named step and keeps its time."""


@dataclass(frozen=True, slots=True)
class PartArea:
    """A part of one segment, m2. estimated: by the rules that the estimate uses; None: it has none for this part."""

    part: str
    drawn: float
    estimated: float | None


@dataclass(frozen=True)
class SegmentSignOff:
    """What was found on a tile with its segments.

    segments: their number. deck: None without the KLayout program. circuit: one column as extracted. level: None where
    it was not simulated. estimated: one segment with its towers by the estimate's rules, m2; None without rules.
    """

    layout: Path
    segments: int
    drawing: SegmentDrawing
    drc: DrcReport
    own: RuleReport
    deck: dict[str, int] | None
    lvs: SegmentLvsReport
    circuit: SegmentCircuitry
    level: DrawnLevel | None
    parts: tuple[PartArea, ...]
    estimated: float | None
    front: FrontEnd

    def failures(self, level_bound: float) -> list[str]:
        """Every difference in a sentence. level_bound: of the simulated level, LSB."""
        out = [f"segment DRC: {v}" for v in self.drc.violations]
        out += [f"segment rules: {v}" for v in self.own.violations]
        out += [f"segment DRC deck: {n} violations of {rule}" for rule, n in (self.deck or {}).items()]
        out += [f"segment LVS: {text}" for text in self.lvs.differences]
        if self.level is not None and abs(self.level.lsb) > level_bound:
            wires = max(farads for net, farads in self.circuit.wires if net.startswith("bl_"))
            out.append(
                f"segment simulation: level {self.level.lsb:+.3f} LSB off at count {self.level.count}; the drawn "
                f"segment has {wires * 1e15:.3g} fF of wires on a bit line (readout.segment.wire_capacitance)"
            )
        return out


def sign_off_segments(
    design: Design, folder: Path, plan: Plan, shapes: Shapes, step: Step, *, simulate: bool
) -> tuple[SegmentSignOff | None, str]:
    """Draw a tile with the segments of its readout and check both together.

    Parameters
    ----------
    design : Design
        The configuration.
    folder : Path
        Where layout, deck and schematic are written.
    plan : Plan
        The tile's planes.
    shapes : Shapes
        The tile as it was drawn.
    step : callable
        Runs a step and keeps its time.
    simulate : bool
        Whether the drawn segment is simulated.

    Returns
    -------
    tuple
        What was found and an empty text, or None and why nothing is drawn.

    Raises
    ------
    InputError
        Transistors that the kit does not allow, columns too narrow for them.
    """
    front = front_end_of(design.stack.name)
    if front is None or front.devices != design.technology.devices.name:
        return None, f"no rules below the metals for {design.technology.name}"
    rows = group_rows(design)
    chain, _ = configured_chain(design, rows)
    if chain is None:
        return None, "the readout has no segment of transistors (readout.kind: chain has)"
    if chain.line.columns > 1 or len(plan.parts) != chain.line.planes:
        return None, "segments of several columns, or of some planes, on a line are not drawn"
    netlist = segment_netlist(chain)
    with config_context(design.path, ""):
        for device in netlist.devices:
            design.technology.devices.check_size(device.width, device.length, where=f"readout.segment: {device.name}")
        line = line_wire(design)
        drawing = draw_segment(front, design.stack, netlist, segment_site(plan, line.metal))
        canvas = step("segments", lambda: tile_with_segments(plan, shapes, drawing))
    path = folder / "segments.gds"
    write_segments(path, canvas, front, plan.layers, plan.grid)
    places = segment_places(plan, drawing)
    columns = len(plan.parts[0].cut_columns)
    alone = replace(plan, level="segments", top="segments", parts=())
    opened = open_in_klayout(path)
    deck_file = write_deck(folder / f"{plan.stack.name}_segments.drc", plan.stack, plan.layers, front)
    program = find_program()
    drc = step("segment DRC", lambda: check_with_klayout(alone, opened, front))
    deck = step("segment DRC deck", lambda: run_deck(program, deck_file, path)) if program else None
    own = step("segment rules", lambda: check_rules(alone, open_layout(path).flatten(plan.grid)))
    schematic = rows_schematic(netlist, columns, len(places), "segments")
    devices = design.technology.devices
    atomic_write_text(folder / "segments.spice", schematic.spice({"n": devices.nmos, "p": devices.pmos}))
    extracted = step("segment extraction", lambda: extract_segments(front, plan.stack, plan.layers, opened))
    lvs = step("segment LVS", lambda: compare_segments(extracted, schematic))
    window = (places[0], places[0] + drawing.height)
    circuit = extract_circuit(front, extracted, netlist, columns // 2, window)
    level = None
    if simulate and lvs.ok:
        setup = group_setup(design, rows, nominal_only=True)
        level = step("segment simulation", lambda: segment_level(setup, netlist, circuit))
    parts, estimated = _areas(design, drawing, netlist)
    return (
        SegmentSignOff(
            path, columns * len(places), drawing, drc, own, deck, lvs, circuit, level, parts, estimated, front
        ),
        "",
    )


def _areas(
    design: Design, drawing: SegmentDrawing, netlist: SegmentNetlist
) -> tuple[tuple[PartArea, ...], float | None]:
    """Parts of one segment as drawn and by the estimate's rules; those for the whole segment."""
    rules = design.technology.devices.area
    kinds = {"n": "nmos", "p": "pmos"}
    of_role: dict[str, list[DrawnTransistor]] = {}
    for device in netlist.devices:
        role = device.name.removeprefix("M_").split("_")[0]
        made = DrawnTransistor(kinds[device.kind], device.width, device.length, device.drain, device.source)
        of_role.setdefault(role, []).append(made)
    parts = []
    for part, area in drawing.part_areas().items():
        estimated = None
        if rules is not None and part in of_role:
            estimated = rules.drawn_area(of_role[part])
        elif part == "via towers":
            estimated = (len(drawing.bit_lines) - 1) * tower_pitch(design) ** 2
        parts.append(PartArea(part, area, estimated))
    transistors = None if rules is None else rules.drawn_area(t for of in of_role.values() for t in of)
    towers = sum(p.estimated or 0.0 for p in parts if p.part == "via towers")
    return tuple(parts), None if transistors is None else transistors + towers

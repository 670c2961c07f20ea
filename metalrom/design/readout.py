"""The readout chain that a configuration describes: its circuit, and the wire of its shared line from the stack."""

from __future__ import annotations

from dataclasses import dataclass, replace

from interconnect.errors import InputError
from interconnect.extraction import extract
from interconnect.geometry import Box, CellGeometry
from metalrom.design.design import Design
from metalrom.design.error_context import config_context
from netlists.cells.base import COMPLEMENT_LINE, GROUND_LINE, CellModel
from netlists.readout.chain import (
    ChainTiming,
    ComparatorBus,
    DoubleSampler,
    ReadoutChain,
    SegmentCircuit,
    SharedLine,
)
from netlists.readout.local_inverter import LocalInverter, reference_rows_of
from netlists.readout.strongarm import StrongArm
from netlists.readout.tile_chain import TileChain


def configured_chain(design: Design, rows: int) -> tuple[ReadoutChain | None, str]:
    """The chain of a group of `rows` rows and where the wire of its line comes from; (None, "") for an ideal readout.

    A column of the array has one segment per group and a bit line per plane and segment, on one line with those of the
    columns and planes that share it.

    Raises InputError for a circuit that cannot be, or a stack without a metal for the line.
    """
    section, array = design.config.readout, design.config.array
    if not section.is_chain(possible=array.group_rows != "auto" and takes_chain(design.models[design.worst_plane])):
        return None, ""
    columns = design.columns_per_conversion
    counts = _levels(design, rows)
    with config_context(design.path, "readout"):
        line, bus = section.line.parameters(), section.bus.parameters()
        together = columns * max(1, line.get("columns", SharedLine().columns))
        planes = _planes_shared(design)
        for name in ("columns", "columns_per_adc") if together > columns else ():
            if getattr(array, name) % together:
                raise InputError(
                    f"{together} columns are on one line or pair of lines, {getattr(array, name)} is no multiple",
                    where=f"array.{name}",
                    hint=f"a multiple of {together}, or another readout.line.columns",
                )
        bus = {"columns": array.columns_per_adc // together} | bus
        source = "configuration, readout.line and readout.bus"
        if not ({"capacitance", "resistance"} <= line.keys() and "wire_capacitance" in bus):
            wire = line_wire(design)
            pitch, row = design.geometry(design.worst_plane, (1,)).period
            along, across = array.rows * row, bus["columns"] * together * pitch
            bus = {"wire_capacitance": wire.capacitance * across} | bus
            if not {"capacitance", "resistance"} <= line.keys():
                wire = line_wire(design, columns=together // columns, lines=len(design.planes) // planes)
                line = {"capacitance": wire.capacitance * along, "resistance": wire.resistance * along} | line
            source = f"{along * 1e6:.3g} um along the column, {across * 1e6:.3g} um across: {wire.source}"
        length, converter = design.periphery.length, section.converter.build()
        if counts > 1 << converter.bits:
            raise InputError(
                f"{converter.bits} bits cannot tell apart the {counts} counts of {rows} rows",
                where="converter.bits",
                hint=f"{(counts - 1).bit_length()} bits or more, or fewer rows in array.group_rows",
            )
        chain = ReadoutChain(
            drive=section.drive,
            schedule=section.schedule,
            length=length,
            segment=SegmentCircuit(**section.segment.parameters()),
            line=SharedLine(segments=-(-array.rows // rows), planes=planes, **line),
            sampler=DoubleSampler(**section.sampler.parameters()),
            bus=ComparatorBus(**bus),
            comparator=StrongArm(**{"length": length, **section.comparator.parameters()}),
            converter=converter.within(-(-array.columns // (bus["columns"] * together))),
            timing=ChainTiming(**{"settle_bus": converter.settle_bus} | section.timing.parameters()),
        ).midway(counts)
    return chain, source


def written_chain(design: Design, rows: int) -> TileChain | None:
    """The readout chain that netlists of the design hold, of groups of `rows` rows; None for another readout, column
    circuits (`array.lcc`), or a periphery of ideal sources. Raises InputError as `configured_chain`."""
    if design.config.array.lcc or design.periphery.kind == "ideal":
        return None
    chain, _ = configured_chain(design, rows)
    return None if chain is None else TileChain(chain=chain, levels=_levels(design, rows))


def _levels(design: Design, rows: int) -> int:
    """Counts of a group of so many rows, as a conversion reads it."""
    symbols = design.read_scheme.encoding.symbol_values
    return rows * (max(symbols) - min(symbols)) + 1


def _planes_shared(design: Design) -> int:
    """Planes on one line. Raises InputError for a number that does not divide theirs."""
    planes = len(design.planes)
    shared = design.config.readout.line.planes_shared or planes
    if planes % shared:
        raise InputError(
            f"{shared} does not divide {planes} planes", where="line.planes_shared", hint="1, all, or another divisor"
        )
    return shared


def configured_inverter(design: Design, rows: int) -> tuple[LocalInverter | None, str]:
    """The inverters in the segment of a group of `rows` rows and where the wire of their line comes from; (None, "")
    for another readout.

    Raises InputError for a cell or a group size that they cannot read, or a stack without a metal for the line.
    """
    section, array = design.config.readout, design.config.array
    if not section.is_inverter:
        return None, ""
    model = design.models[design.worst_plane]
    if not takes_chain(model) or model.symbol_values != (0, 1):
        raise InputError(
            "the readout `inverter` reads balanced binary charge cells whose ground line can be driven, "
            f"{model.kind} is none",
            where=f"{design.path}: readout.kind",
            hint="cell.kind: cap_balanced, or another readout",
        )
    if array.group_rows == "auto":
        raise InputError(
            "the readout `inverter` is of one group size",
            where=f"{design.path}: array.group_rows",
            hint="give a number of rows, such as 16",
        )
    with config_context(design.path, "readout"):
        given, source = section.inverter.parameters(), "configuration, readout.inverter"
        if "line_capacitance" not in given:
            wire, (_, row) = line_wire(design), design.geometry(design.worst_plane, (1,)).period
            along = array.rows * row
            given["line_capacitance"] = wire.capacitance * along
            source = f"{along * 1e6:.3g} um along the column: {wire.source}"
        by_default = {
            "length": design.periphery.length,
            "reference_rows": reference_rows_of(model.complement_driven(), rows),
        }
        segments = -(-array.rows // rows)
        inverter = LocalInverter(**by_default | given, segments=segments, planes=len(design.planes))
    return inverter, source


def with_ideal_default(design: Design) -> Design:
    """The design, read ideally unless its configuration asks for a chain: of studies that rate many columns."""
    section = design.config.readout
    if section.is_chain(possible=False) or section.is_inverter or section.kind == "ideal":
        return design
    readout = section.model_copy(update={"kind": "ideal"})
    return replace(design, config=design.config.model_copy(update={"readout": readout}))


def takes_chain(model: CellModel) -> bool:
    """Whether a cell is read by the chain unless another readout is asked for: it couples one bit line either to a
    ground line that can be driven with the complement, its symbols counting 0 and 1 and loading the line alike, or to
    one that always is, its symbols counting -1, 0 and 1."""
    if model.mode != "charge" or len(model.bit_lines) != 1:
        return False
    if COMPLEMENT_LINE in model.lines:
        return sorted(model.symbol_values) == [-1, 0, 1]
    return GROUND_LINE in model.lines and model.symbol_values == (0, 1) and model.balanced


@dataclass(frozen=True, slots=True)
class LineWire:
    """A wire per length: F/m, ohm/m, and where both come from in words; metal: that it is drawn on."""

    capacitance: float
    resistance: float
    source: str
    metal: str


def line_wire(design: Design, *, columns: int = 1, lines: int = 1) -> LineWire:
    """The wire of a shared line: `lines` of them in the pitch of `columns`, their neighbours held, as narrow as the
    metal allows, on the metal above the planes (below them where there is none).

    Closed formulas between grounded sheets, see `interconnect.formula`. Raises InputError where no metal is left.
    """
    stack, planes = design.stack, design.planes
    period, row = design.geometry(design.worst_plane, (1,)).period
    pitch = period * columns / lines
    above, below = stack.index(planes[-1].column) + 1, stack.index(planes[0].row) - 1
    found = next(
        (
            i
            for i in (above, below)
            if 0 <= i < len(stack.metals) - 1 and stack.metals[i].min_width + stack.metals[i].min_space <= pitch + 1e-12
        ),
        None,
    )
    if found is None:
        each = f"{lines} lines" if lines > 1 else "a line"
        raise InputError(
            f"stack {stack.name} has no metal beside the planes for {each} per column of {period * columns * 1e9:g} nm",
            where="line.capacitance",
            hint="give capacitance and resistance of the line",
        )
    metal = stack.metals[found]
    floor, ceiling = stack.plane_floor(metal.name), stack.plane_ceiling(metal.name)
    middle, half = pitch / 2, metal.min_width / 2
    boxes = tuple(  # two lines: that of the next column is another net
        Box(net, metal.name, "line", (x - half, 0.0, metal.bottom), (x + half, row, metal.top))
        for net, x in (("line", middle), ("beside", middle + pitch))
    )
    slabs = stack.slabs(floor, ceiling)
    geometry = CellGeometry(f"shared line on {metal.name}", boxes, (2 * pitch, row), floor, ceiling, slabs, columns=2)
    extraction = extract(geometry, stack, "formula")
    source = (
        f"{metal.name}, {metal.min_width * 1e9:g} nm wide, one per {pitch * 1e9:g} nm: {extraction.provenance.source}"
    )
    capacitance, resistance = float(extraction.capacitance[0, 0]), float(extraction.resistance["line"])
    return LineWire(capacitance / row, resistance / row, source, metal.name)

"""The readout chain of a whole tile: how often its parts exist, which column is on which line, its pins and circuits.

Planes that share lines are a bank. In a bank every `line.columns` neighbouring columns of the array meet on a line (of
a converter of differences: every second column, a line for the plus and one for the minus columns), `bus.columns` lines
are on a bus, and every bus, or pair of buses, has a converter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from pathlib import Path

from interconnect.errors import InputError
from netlists.condition import Condition
from netlists.readout.chain import ReadoutChain
from netlists.readout.column_pair import ColumnPair
from netlists.readout.column_ramp import ColumnRamp
from netlists.readout.column_sar import ColumnSar
from netlists.readout.conversion import nominal_conversion
from netlists.readout.drawn import control_lines
from netlists.render import render
from netlists.technology import Technology
from netlists.transistors import mos_printer


def units_of_tile(
    *,
    rows: int,
    columns: int,
    planes: int,
    segments: int,
    planes_per_line: int,
    columns_per_line: int,
    columns_per_conversion: int,
    columns_per_bus: int,
    buses_per_group: int,
    control_lines: int,
) -> dict[str, int]:
    """How often every unit of a readout chain is in a tile.

    Parameters
    ----------
    rows, columns, planes, segments : int
        Of the tile: driven rows, columns of a plane, planes, segments of a column.
    planes_per_line, columns_per_line, columns_per_conversion, columns_per_bus, buses_per_group, control_lines : int
        Of the chain; control_lines: of one bank.

    Returns
    -------
    dict
        Number by unit.

    Examples
    --------
    >>> units_of_tile(rows=40, columns=8, planes=2, segments=2, planes_per_line=2, columns_per_line=2,
    ...               columns_per_conversion=1, columns_per_bus=4, buses_per_group=1, control_lines=18)["segment"]
    8
    """
    banks = -(-planes // planes_per_line)
    lines = banks * columns_per_conversion * -(-columns // (columns_per_line * columns_per_conversion))
    buses = -(-columns // columns_per_bus)
    return {
        "row": rows * banks,
        "segment": lines * segments,
        "column": lines,
        "bus": banks * buses,
        "group": banks * -(-buses // buses_per_group),
        "line": banks * control_lines,
        "tile": 1,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class TileChain:
    """The readout chain of written tiles. levels: that its converters tell apart."""

    chain: ReadoutChain
    levels: int

    def banks(self, planes: int) -> range:
        """Banks of so many planes."""
        return range(-(-planes // self.chain.line.planes))

    def planes(self, bank: int) -> range:
        """Planes of a bank, those that a tile lacks included."""
        size = self.chain.line.planes
        return range(bank * size, (bank + 1) * size)

    def lines(self, columns: int) -> int:
        """Lines of a bank of so many columns."""
        m = self.chain.converter.columns
        return m * -(-columns // (m * self.chain.line.columns))

    def buses(self, columns: int) -> int:
        """Buses with a converter (pairs of buses, of a converter of differences) of a bank of so many columns."""
        return -(-columns // self.chain.bus_columns)

    def columns_of(self, line: int) -> list[int]:
        """Columns that meet on a line, from the first one that is read of a plane on."""
        m, c = self.chain.converter.columns, self.chain.line.columns
        return [(line // m * c + k) * m + line % m for k in range(c)]

    def units(self, rows: int, columns: int, planes: int, segments: int) -> dict[str, int]:
        """How often every unit is in a tile of this size."""
        chain = self.chain
        return units_of_tile(
            rows=rows,
            columns=columns,
            planes=planes,
            segments=segments,
            planes_per_line=chain.line.planes,
            columns_per_line=chain.line.columns,
            columns_per_conversion=chain.converter.columns,
            columns_per_bus=chain.bus_columns,
            buses_per_group=chain.converter.shared_by,
            control_lines=control_lines(chain),
        )

    def control_pins(self, planes: int, segments: int) -> list[str]:
        """Pins of the control lines across all columns of a tile."""
        return [name for b in self.banks(planes) for name in self._bank_pins(b, segments)]

    def _bank_pins(self, bank: int, segments: int) -> list[str]:
        spots = [f"p{p}_{k}" for p in self.planes(bank) for k in range(self.chain.line.columns)]
        return [
            *(f"reset{g}_{spot}" for g in range(segments) for spot in spots),
            *(f"select{g}_b{bank}" for g in range(segments)),
            *(f"level_{spot}" for spot in spots),
            f"clamp_b{bank}",
            f"bus_reset_b{bank}",
            *(f"join_b{bank}_{i}" for i in range(self.chain.bus.columns)),
        ]

    def pins(self, columns: int, planes: int, segments: int) -> list[str]:
        """All pins of a tile's chain but rows and bit lines: control lines, levels and currents, buses, converters'
        own, supplies."""
        each = [f"b{b}_{j}" for b in self.banks(planes) for j in range(self.buses(columns))]
        sides = bus_sides(self.chain)
        return [
            *self.control_pins(planes, segments),
            "common",
            *(f"bias_{bus}" for bus in each),
            *(f"bus_{bus}{side}" for bus in each for side in sides),
            *converter_pins(self.chain.converter, self, each),
            "vdd_analog",
        ]

    def circuits(self, technology: Technology, condition: Condition | None, folder: Path | None = None) -> str:
        """Subcircuits of chain and converter, each once. Raises InputError for an error in a user's template."""
        devices, chain = technology.devices, self.chain
        conversion = nominal_conversion(chain.converter, self.levels)
        values = {
            "h": chain,
            "whole": True,
            "circuits": conversion.circuits,
            "condition": condition or Condition(devices.corners[0], devices.vdd, 27.0),
            "mos": mos_printer(technology, chain.length),
            **conversion.values(chain),
        }
        return render("readout/tile_circuits.cir.j2", values, folder=folder)


def bus_sides(chain: ReadoutChain) -> tuple[str, ...]:
    """Endings of the buses of a converter."""
    return ("",) if chain.converter.columns == 1 else ("_plus", "_minus")


@singledispatch
def converter_pins(converter: object, tile: TileChain, buses: list[str]) -> list[str]:
    """Pins of the converters behind these buses (`b<bank>_<number>`); dispatches on the converter's class."""
    raise InputError(
        f"a tile with converters of the class {type(converter).__name__} cannot be written",
        where="readout.converter.kind",
        hint="register its pins and instances: netlists.readout.tile_chain",
    )


@singledispatch
def converter_instances(converter: object, tile: TileChain, bank: int, buses: list[str]) -> list[str]:
    """Instances of the converters behind the buses of a bank; dispatches on the converter's class."""
    raise InputError(
        f"a tile with converters of the class {type(converter).__name__} cannot be written",
        where="readout.converter.kind",
    )


def _register(converter: ColumnSar, tile: TileChain) -> range:
    return range(converter.decisions(tile.levels))


@converter_pins.register
def _(converter: ColumnSar, tile: TileChain, buses: list[str]) -> list[str]:
    bits = _register(converter, tile)
    inputs = ["reference", "clk", *(f"trial_{k}" for k in bits)]
    return [*inputs, *(f"q{k}_{bus}" for bus in buses for k in bits), "vdd_converter"]


@converter_pins.register
def _(converter: ColumnRamp, tile: TileChain, buses: list[str]) -> list[str]:
    groups = dict.fromkeys(_group(converter, bus) for bus in buses)
    bias = [f"ramp_bias_{group}" for group in groups]
    return ["ref_start", "hold", *bias, *(f"out_{bus}" for bus in buses), "vdd_converter", "vdd_generator"]


@converter_instances.register
def _(converter: ColumnSar, tile: TileChain, bank: int, buses: list[str]) -> list[str]:
    bits = _register(converter, tile)
    trials = " ".join(f"trial_{k}" for k in bits)
    out = []
    for bus in buses:
        codes = " ".join(f"q{k}_{bus}" for k in bits)
        ends = f"out_p_{bus} out_n_{bus} vdd_converter 0"
        phases = f"reference bus_reset_b{bank} clk {trials}"
        if isinstance(converter, ColumnPair):
            out.append(f"X_converter_{bus} bus_{bus}_plus bus_{bus}_minus {phases} {codes} {ends} column_pair")
        else:
            out.append(f"X_converter_{bus} bus_{bus} common {phases} {codes} top_{bus} {ends} column_sar")
    return out


@converter_instances.register
def _(converter: ColumnRamp, tile: TileChain, bank: int, buses: list[str]) -> list[str]:
    groups = dict.fromkeys(_group(converter, bus) for bus in buses)
    out = [
        f"X_generator_{group} ramp_bias_{group} ref_start hold ramp_{group} vdd_generator 0 ramp_generator"
        for group in groups
    ]
    for bus in buses:
        group = _group(converter, bus)
        out.append(
            f"X_converter_{bus} bus_{bus} ramp_{group} ramp_bias_{group} out_{bus} vdd_converter 0 ramp_comparator"
        )
    return out


def _group(converter: ColumnRamp, bus: str) -> str:
    bank, number = bus.split("_")
    return f"{bank}_{int(number) // converter.shared_by}"

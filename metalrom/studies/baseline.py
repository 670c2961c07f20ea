"""A column of transistor cells that holds the same layer as the metal ROM: `metalrom netlist --baseline KIND`."""

import numpy as np

from interconnect.errors import InputError
from metalrom.design.design import Design
from metalrom.design.error_context import config_context
from metalrom.run.characterize import group_rows
from netlists.baselines import (
    BaselineCell,
    BaselineDeck,
    BaselineStimulus,
    baseline_column_deck,
    default_cell,
    default_computing,
    default_timing,
)
from netlists.mapping import ViaProgram, via_program

MAX_LOCALS = 1024
"""Local arrays on one compute line; a deck of more would not run in any reasonable time."""


def baseline_deck(design: Design, kind: str) -> BaselineDeck:
    """The deck of one column of a baseline that stores the first column of the project's layer, every cell drawn.

    A cell of two symbols stores the first bit column of the layer's program, one of K symbols the first column of a
    program in base K, by the mapping of the configuration; of both the rows of the first tile. Row r lies in local
    array r // group, at row r % group; rows that fill up the last one store symbol 0. Inputs are 1, row 0 of each local
    array is selected. Devices, corner and supply are the project's, sizes and times the defaults for these devices.

    Raises:
        InputError: an unknown kind, weights that its cells cannot hold, or too many local arrays.
    """
    devices = design.technology.devices
    cell = default_cell(devices, kind)
    program = _program(design, cell)
    rows, group = min(design.config.array.rows, program.rows), group_rows(design)
    locals_ = -(-rows // group)
    if locals_ > MAX_LOCALS:
        raise InputError(
            f"{rows} rows in local arrays of {group} make {locals_} local arrays, at most {MAX_LOCALS} are written",
            where=f"{design.path}: array.rows",
            hint=f"at most {MAX_LOCALS * group} rows, or a larger group_rows",
        )
    symbols = np.zeros(locals_ * group, dtype=np.int64)
    symbols[:rows] = program.bits[:rows, 0]
    case = BaselineStimulus(
        symbols=symbols.reshape(locals_, group),
        selected=np.zeros(locals_, dtype=np.int64),
        inputs=np.ones(locals_, dtype=np.int64),
    )
    return baseline_column_deck(
        design.technology,
        cell,
        default_computing(devices),
        default_timing(devices),
        design.conditions[0],
        case,
        idle="full",
        notes=_stored(design, program, rows, group, locals_ * group - rows),
    )


def _program(design: Design, cell: BaselineCell) -> ViaProgram:
    with config_context(design.path, "mapping"):
        return via_program(
            design.weights.values,
            design.config.weights.bits,
            mapping=design.config.mapping,
            symbol_values=tuple(range(cell.symbols)),
        )


def _stored(design: Design, program: ViaProgram, rows: int, group: int, filled: int) -> tuple[str, ...]:
    """What the deck holds, in the words of its header."""
    first = (
        f"Stored: rows 0 to {rows - 1} of column 0 of {program.bit_columns} of the layer's program "
        f"({program.encoding.mapping} mapping, base {program.encoding.radix}); symbol s of a cell counts s times "
        f"{program.place_value[0]} in weight column {program.weight_column[0]}."
    )
    empty = f" The last {filled} rows fill up the last local array and store 0." if filled else ""
    second = f"Row r is row r % {group} of local array r // {group}.{empty} Inputs are 1, row 0 of each is selected."
    return first, second, f"Configuration {design.config.name}, sha256 {design.sha256}"

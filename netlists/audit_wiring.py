"""Whether the tiles of a macro netlist join the right lines: inputs to drivers, drivers to rows, bit lines to pins."""

from __future__ import annotations

import re
from collections.abc import Mapping

from netlists.writer import Scope

_DRIVER = re.compile(r"x_drive_p(\d+)_(\d+) in_(\d+) s_p(\d+)_(\d+) vdd_rows 0 row_driver\Z")
_RESET = re.compile(r"x_reset_p(\d+)_(\d+) bl_p(\d+)_(\d+) reset 0 reset_switch\Z")


def array_pin_fault(scope: Scope, pins: tuple[str, ...]) -> str | None:
    """What is wrong with the pins of an array subcircuit: rows in order, then bit lines in order."""
    expected = [f"s{r}_{scope.start}" for r in range(scope.placement.rows)]
    expected += [f"bl_{c}" for c in range(scope.start, scope.stop)]
    if list(pins) == expected:
        return None
    if len(pins) != len(expected):
        return f"{scope.name} has {len(pins)} pins instead of {len(expected)}"
    wrong = next(i for i, (a, b) in enumerate(zip(pins, expected, strict=True)) if a != b)
    return f"{scope.name} has pin {pins[wrong]} where {expected[wrong]} should be"


def tile_faults(tile: int, body: str, scopes: Mapping[str, Scope]) -> list[str]:
    """What is wrong in the subcircuit of a tile; empty when every array is there once, on its own lines."""
    mine = {s.placement.plane: s for s in scopes.values() if s.placement.tile == tile}
    rows = {p: s.placement.rows for p, s in mine.items()}
    columns = {p: s.placement.columns for p, s in mine.items()}
    drivers: set[tuple[int, int]] = set()
    resets: set[tuple[int, int]] = set()
    arrays: dict[int, list[str]] = {}
    faults: list[str] = []
    for line in (raw.strip().lower() for raw in body.splitlines()):
        if not line or line.startswith("*"):
            continue
        words = line.split()
        plane_row, plane_column = _same(_DRIVER.match(line)), _same(_RESET.match(line))
        if plane_row and plane_row not in drivers and plane_row[1] < rows.get(plane_row[0], 0):
            drivers.add(plane_row)
        elif plane_column and plane_column not in resets and plane_column[1] < columns.get(plane_column[0], 0):
            resets.add(plane_column)
        elif words[0].startswith("x_array_p") and words[0][9:].isdigit() and int(words[0][9:]) not in arrays:
            arrays[int(words[0][9:])] = words[1:]
        elif words != ["x_reset_driver", "reset_b", "reset", "vdd_reset", "0", "reset_driver"]:
            faults.append(f"{words[0]} in tile_{tile}")
    for p, scope in mine.items():
        driven = sum(1 for plane, _ in drivers if plane == p)
        cleared = sum(1 for plane, _ in resets if plane == p)
        line_name = f"s_p{p}_" if driven else "in_"
        wanted = [f"{line_name}{r}" for r in range(rows[p])] + [f"bl_p{p}_{c}" for c in range(columns[p])]
        if arrays.pop(p, None) != [*wanted, scope.name]:
            faults.append(f"{scope.name}, which tile_{tile} does not hold on its own inputs and bit lines")
        if (driven, cleared) not in ((0, 0), (rows[p], columns[p])):
            faults.append(f"tile_{tile}, plane {p}: {driven} row drivers, {cleared} reset switches")
    faults += [f"x_array_p{p} in tile_{tile}" for p in arrays]
    return faults


def _same(match: re.Match[str] | None) -> tuple[int, int] | None:
    """(plane, index) when a driver or reset line names the same ones throughout."""
    if match is None:
        return None
    numbers = [int(n) for n in match.groups()]
    planes, rest = (numbers[0], numbers[-2]), (numbers[1], *numbers[2:-2], numbers[-1])
    return (numbers[0], numbers[1]) if len(set(planes)) == 1 and len(set(rest)) == 1 else None

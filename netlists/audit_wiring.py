"""Whether the tiles of a macro netlist join the right lines: inputs to drivers, drivers to rows, the end of every
segment of a bit line to its pin and its reset switch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from netlists.writer import Scope


def array_pin_fault(scope: Scope, pins: tuple[str, ...]) -> str | None:
    """What is wrong with the pins of an array subcircuit: rows in order, then segments, in each its columns."""
    expected = [f"s{r}_{scope.start}" for r in range(scope.placement.rows)]
    expected += [f"bl{g}_{c}" for g in range(scope.segments) for c in range(scope.start, scope.stop)]
    return _pin_fault(scope.name, pins, expected)


def _pin_fault(name: str, pins: tuple[str, ...], expected: list[str]) -> str | None:
    if list(pins) == expected:
        return None
    if len(pins) != len(expected):
        return f"{name} has {len(pins)} pins instead of {len(expected)}"
    wrong = next(i for i, (a, b) in enumerate(zip(pins, expected, strict=True)) if a != b)
    return f"{name} has pin {pins[wrong]} where {expected[wrong]} should be"


def tile_faults(tile: int, pins: tuple[str, ...], body: str, scopes: Mapping[str, Scope]) -> list[str]:
    """What is wrong in the subcircuit of a tile; empty when every array is there once, on its own lines, which are
    the tile's ports, and every row has its driver and every segment its reset switch (or none has)."""
    name = f"tile_{tile}"
    mine = {s.placement.plane: s for s in scopes.values() if s.placement.tile == tile}
    rows = {p: s.placement.rows for p, s in mine.items()}
    ends = {
        p: [f"{g}_p{p}_{c}" for g in range(s.segments) for c in range(s.placement.columns)] for p, s in mine.items()
    }
    switches = {
        f"x_drive_p{p}_{r} in_{r} s_p{p}_{r} vdd_rows 0 row_driver": ("driver", p) for p in mine for r in range(rows[p])
    } | {f"x_reset{end} bl{end} reset 0 reset_switch": ("reset", p) for p in mine for end in ends[p]}
    count: Counter[tuple[str, int]] = Counter()
    arrays: dict[int, list[str]] = {}
    faults: list[str] = []
    for line in (raw.strip() for raw in body.lower().splitlines()):
        if found := switches.pop(line, None):
            count[found] += 1
            continue
        if not line or line.startswith("*"):
            continue
        words = line.split()
        if words[0].startswith("x_array_p") and words[0][9:].isdigit() and int(words[0][9:]) not in arrays:
            arrays[int(words[0][9:])] = words[1:]
        elif words != ["x_reset_driver", "reset_b", "reset", "vdd_reset", "0", "reset_driver"]:
            faults.append(f"{words[0]} in {name} is there twice or on lines of another place")
    for p, scope in mine.items():
        driven, cleared = count["driver", p], count["reset", p]
        line_name = f"s_p{p}_" if driven else "in_"
        wanted = [f"{line_name}{r}" for r in range(rows[p])] + [f"bl{end}" for end in ends[p]]
        if arrays.pop(p, None) != [*wanted, scope.name]:
            faults.append(f"{name} does not hold {scope.name} on its own inputs and bit lines")
        if (driven, cleared) not in ((0, 0), (rows[p], len(ends[p]))):
            faults.append(
                f"{name} has {driven} row drivers and {cleared} reset switches for the {rows[p]} rows and "
                f"{len(ends[p])} bit-line segments of plane {p}"
            )
    faults += [f"x_array_p{p} in {name} is of no plane of this tile" for p in arrays]
    ports = [f"in_{r}" for r in range(max(rows.values(), default=0))]
    ports += [f"bl{end}" for p in sorted(ends) for end in ends[p]]
    ports += ["reset_b", "vdd_rows", "vdd_reset"] if any(kind == "driver" for kind, _ in count) else []
    fault = _pin_fault(name, pins, ports)
    return [fault, *faults] if fault else faults

"""A segment to be drawn and as it is drawn: where, sizes of its transistors, shapes, parts."""

from __future__ import annotations

from dataclasses import dataclass

from interconnect.errors import InputError, UnsupportedCell
from metalrom.layout.canvas import GRID, Canvas
from metalrom.layout.front_end import FrontEnd
from metalrom.layout.tower import nm
from netlists.readout.segment_devices import SegmentDevice, SegmentNetlist

Interval = tuple[int, int]

WIRING = "met1"
"""Metal of the lines through all columns."""


@dataclass(frozen=True, slots=True)
class BitLine:
    """A bit line of the column where it reaches the strip, nm. through: lines of its metal that pass the strip."""

    metal: str
    low: int
    high: int
    through: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class SegmentSite:
    """Where a segment is drawn: bit lines of the planes, lowest first, pitch of the columns (nm), metal of the line."""

    bit_lines: tuple[BitLine, ...]
    pitch: int
    line_metal: str


@dataclass(frozen=True, slots=True)
class Band:
    """A part of the strip between two heights, nm."""

    part: str
    bottom: int
    top: int


@dataclass(frozen=True)
class SegmentDrawing:
    """A drawn segment, nm.

    column: the shapes of one, repeated every `pitch`. across: (layer, bottom, top, beyond) of shapes through all
    columns and beyond whatever the outer ones hold. lines: (net, bottom, top) on met1. bands: parts, from the bottom.
    bit_lines: net, metal, left and right side of each; line: its metal and a point of it.
    """

    column: Canvas
    across: tuple[tuple[str, int, int, int], ...]
    lines: tuple[tuple[str, int, int], ...]
    bands: tuple[Band, ...]
    pitch: int
    height: int
    bit_lines: tuple[tuple[str, str, tuple[int, int]], ...]
    line: tuple[str, tuple[int, int]]

    @property
    def area(self) -> float:
        """Of one column, m2."""
        return self.pitch * self.height * 1e-18

    def part_areas(self) -> dict[str, float]:
        """Area of every part of one column, m2."""
        out: dict[str, float] = {}
        for band in self.bands:
            out[band.part] = out.get(band.part, 0.0) + (band.top - band.bottom) * self.pitch * 1e-18
        return out


@dataclass(frozen=True, slots=True)
class ChannelSizes:
    """Channels, nm: (width, length)."""

    reset: tuple[int, int]
    follower: tuple[int, int]
    select: tuple[int, int]


def channel_sizes(front: FrontEnd, netlist: SegmentNetlist, planes: int) -> ChannelSizes:
    """Sizes of a segment's transistors. Raises as `draw_segment`."""
    if not 1 <= planes <= 2:
        raise UnsupportedCell(f"segments of {planes} planes cannot be drawn, 1 or 2 can", where="cell.planes")
    roles: dict[str, list[SegmentDevice]] = {"reset": [], "follower": [], "select": []}
    for device in netlist.devices:
        roles[_role(device)].append(device)
    if [len(roles[r]) for r in roles] != [planes, planes, 1]:
        raise UnsupportedCell(
            f"a segment of {len(netlist.devices)} transistors on {planes} planes cannot be drawn",
            where="readout.line",
            hint="one column per line: a reset and a follower per plane, one select",
        )
    least = front.nm("difftap.2"), front.nm("poly.1a")
    out = {}
    for role, of in roles.items():
        size = nm(of[0].width), nm(of[0].length)
        for word, value, rule, name in zip(("width", "length"), size, least, ("difftap.2", "poly.1a"), strict=True):
            if value < rule:
                raise InputError(
                    f"{role} {word} of {value} nm is below the kit's least of {rule} nm (rule {name})",
                    where=f"readout.segment.{role}_{word}",
                )
            if value % (2 * GRID):
                raise InputError(
                    f"{role} {word} of {value} nm is no multiple of {2 * GRID} nm, twice the kit's grid",
                    where=f"readout.segment.{role}_{word}",
                )
        out[role] = size
    return ChannelSizes(**out)


def _role(device: SegmentDevice) -> str:
    if device.kind == "n":
        return "reset"
    return "select" if device.gate == "select" else "follower"

"""The transistors of a segment of a readout chain as they are drawn: one column wide, abutting those beside it.

The strip stands at the upper end of a segment's rows. From its lower side upwards: via towers from the bit lines down
to li1, substrate tap, resets (NMOS, one per plane), the follower of every plane (PMOS, the sources joined), the row
select, well tap. Channels lie across the column, so that a wide transistor makes the strip taller. Control lines,
levels and supplies run on met1 through all columns; the line that the segments share runs along the column.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from interconnect.errors import InputError, UnsupportedCell
from interconnect.stack import Stack
from metalrom.layout.canvas import GRID, Canvas, half
from metalrom.layout.front_end import FrontEnd
from metalrom.layout.segment_drawing import WIRING, Band, ChannelSizes, SegmentDrawing, SegmentSite, channel_sizes
from metalrom.layout.tower import draw_end, draw_tower, nm, pad_around, vias_between
from metalrom.layout.transistor_row import ContactRules, DrawnStrip, draw_gate_contact, draw_strip
from netlists.readout.segment_devices import SegmentNetlist


def draw_segment(front: FrontEnd, stack: Stack, netlist: SegmentNetlist, site: SegmentSite) -> SegmentDrawing:
    """Draw the segment of a netlist for one column.

    Parameters
    ----------
    front : FrontEnd
        Rules below the metals.
    stack : Stack
        Rules of the metals.
    netlist : SegmentNetlist
        The transistors.
    site : SegmentSite
        Bit lines and pitch.

    Returns
    -------
    SegmentDrawing

    Raises
    ------
    UnsupportedCell
        Another circuit than a reset and a follower per plane and one select, or more than two planes.
    InputError
        A size that the kit does not allow, or columns too narrow for the transistors.
    """
    return _Floor(front, stack, site, channel_sizes(front, netlist, len(site.bit_lines))).draw()


class _Floor:
    """Places everything of one column from its lower side upwards; `y` is where the next part may begin."""

    def __init__(self, front: FrontEnd, stack: Stack, site: SegmentSite, sizes: ChannelSizes) -> None:
        self.front, self.stack, self.site, self.sizes = front, stack, site, sizes
        self.rules = ContactRules.of(front, stack)
        self.canvas = Canvas()
        self.across: list[tuple[str, int, int, int]] = []
        self.lines: list[tuple[str, int]] = []
        self.bands: list[Band] = []
        mcon = stack.via("mcon")
        self.wire = pad_around(stack, WIRING, mcon).across  # height of a line with a cut on it
        self.above = stack.metals[stack.index(WIRING) + 1].name
        self.pad = pad_around(stack, WIRING, mcon, stack.via_between(WIRING, self.above))
        self.space = nm(stack.metal(WIRING).min_space)
        self.li_step = self.rules.li_width + self.rules.li_space  # middles of neighbouring li1 wires

    def draw(self) -> SegmentDrawing:
        """Everything."""
        towers, top = self._towers()
        verticals = [towers[-1][0]]  # middles of the bit lines' li1: that of the upper plane stands under its tower
        source = verticals[0] + self._offset(self.sizes.follower[1])
        if len(towers) == 2:
            verticals.insert(0, 2 * source - verticals[0])
        self.reach = verticals[0] - verticals[-1]
        free = verticals[0] + half(self.site.pitch - self.reach)  # far from the bit lines' li1
        tap = self._tap("ptap", top + self.space + half(self.wire), free)
        self._band("via towers", top + half(self.space))
        gate = tap + half(self.wire) + half(self.space)
        self._band("taps and wells", gate)
        resets = self._resets(tap, verticals)
        self._band("reset", resets + self.rules.endcap)
        follower = self._followers(resets, source, verticals)
        for plane, (x, y) in enumerate(towers):
            self._bit_line(plane, x, y, verticals[plane])
        select = self._select(follower, source, towers)
        self._well_and_top(follower, select, source)
        return SegmentDrawing(
            self.canvas,
            tuple(self.across),
            tuple((net, y - half(self.wire), y - half(self.wire) + self.wire) for net, y in self.lines),
            tuple(self.bands),
            self.site.pitch,
            self.height,
            tuple((f"bl_{p}", b.metal, (b.low, b.high)) for p, b in enumerate(self.site.bit_lines)),
            self.line,
        )

    def _band(self, part: str, top: int) -> None:
        self.bands.append(Band(part, self.bands[-1].top if self.bands else 0, top))

    def _offset(self, length: int) -> int:
        """From a contact with li1 passing it to the contact of the gate beside it."""
        return max(self.rules.step(length), self.li_step)

    # ---- bit lines -------------------------------------------------------------------------------------------------

    def _towers(self) -> tuple[list[tuple[int, int]], int]:
        """Middles of the towers, lowest plane first, and the top of the last one's met1."""
        out: list[tuple[int, int]] = []
        y = 0
        for bit_line in self.site.bit_lines:
            vias = vias_between(self.stack, "li1", bit_line.metal)
            end = pad_around(self.stack, bit_line.metal, vias[-1])
            reach = {bit_line.metal: half(end.along)}
            for below, above in pairwise(vias):
                reach[below.above] = half(pad_around(self.stack, below.above, below, above).across)
            y = max(y, max(nm(self.stack.metal(m).min_space) + r for m, r in reach.items() if m != bit_line.metal))
            if out:  # the lower plane's bit line ends below, on a metal that this tower passes
                metal, (_, low) = self.site.bit_lines[0].metal, out[-1]
                top = low + half(pad_around(self.stack, metal, vias_between(self.stack, "li1", metal)[-1]).along)
                y = max(y, top + nm(self.stack.metal(metal).min_space) + reach[metal])
            out.append((bit_line.low + half(end.across), y))
        return out, y + half(self.pad.across)

    def _bit_line(self, plane: int, x: int, y: int, vertical: int) -> None:
        """A bit line from the rows to its tower, the tower, and li1 from there to reset and follower."""
        bit_line = self.site.bit_lines[plane]
        via = vias_between(self.stack, "li1", bit_line.metal)[-1]
        self.canvas.box(bit_line.metal, bit_line.low, 0, bit_line.high, y)
        draw_end(self.canvas, self.stack, bit_line.metal, via, (x, y), upright=True)
        draw_tower(self.canvas, self.stack, "li1", bit_line.metal, (x, y))
        h = half(self.rules.li_width)
        self.canvas.box("li1", min(x, vertical) - h, y - h, max(x, vertical) + h, y + h)
        self.canvas.box("li1", vertical - h, y - h, vertical + h, self.gates_at)

    # ---- transistors -----------------------------------------------------------------------------------------------

    def _tap(self, kind: str, y: int, x: int) -> int:
        """A tap through all columns under its supply, with a contact in every column; returns the middle."""
        r = self.rules
        tall = r.licon
        self.across.append(("tap", y - half(tall), y - half(tall) + tall, 0))
        implant = self.front.nm("nsd.5b")
        self.across.append(
            ("psdm" if kind == "ptap" else "nsdm", y - half(tall) - implant, y + half(tall) + implant, implant)
        )
        for layer in ("licon", "mcon"):
            self.canvas.centred(layer, (x, y), r.licon, r.licon)
        self.canvas.centred("li1", (x, y), r.li_pad, r.li_width)
        self.lines.append(("0" if kind == "ptap" else "vdd", y))
        return y

    def _on_line(self, net: str, y: int, *points: int) -> None:
        """A line through all columns, and cuts from it to the li1 below."""
        self.lines.append((net, y))
        size = nm(self.stack.via("mcon").size)
        for x in points:
            self.canvas.centred("mcon", (x, y), size, size)

    def _resets(self, tap: int, verticals: Sequence[int]) -> int:
        """Reset transistors above each other, as each has lines of its own; returns the top of their diffusion."""
        r, (width, length) = self.rules, self.sizes.reset
        side_to_gate = self.front.nm("licon.14")
        gate = tap + max(
            self.wire + self.space,
            r.licon + side_to_gate,
            r.licon + self.front.nm("psd.5b") + self.front.nm("licon.9"),
            half(r.li_width) + r.li_space + half(r.li_pad),
        )
        self._fits("reset", 2 * (r.step(length) + r.beyond))
        first, top = 0, 0
        for i, plane in enumerate(reversed(range(len(verticals)))):  # the leftmost first
            x, outward = verticals[plane], -1 if i == 0 else 1
            if i:
                gate = max(top + side_to_gate + half(r.licon), self.lines[-1][1] + self.wire + self.space)
            bottom = self._above_contact(gate, width, side_to_gate)
            left = x - 2 * r.step(length) if outward < 0 else x
            strip = draw_strip(self.canvas, r, left, bottom, width, (length,))
            at = x + outward * self._offset(length), gate
            draw_gate_contact(self.canvas, r, strip.gates[0], length, strip.bottom, at)
            self._on_line(f"reset_{plane}", gate, at[0])
            self._on_line(f"level_{plane}", strip.middle, strip.contacts[0 if outward < 0 else 1])
            first, top = first or bottom, strip.top
        implant = self.front.nm("nsd.5a")
        self.across.append(("nsdm", first - implant, top + implant, implant))
        return top

    def _fits(self, role: str, wide: int) -> None:
        """Refuse a strip of diffusion that does not keep its space to that of the next column."""
        least = wide + self.front.nm("difftap.3")
        if least > self.site.pitch:
            raise InputError(
                f"columns of {self.site.pitch} nm are too narrow for the {role}, which takes {least} nm",
                where="cell.column_pitch",
            )

    def _above_contact(self, contact: int, width: int, apart: int) -> int:
        """Lower side of a diffusion above a gate's contact, its own contacts' li1 clear of that of the gate."""
        r = self.rules
        number = max(1, (width - 2 * r.diff_end + r.licon_space) // (r.licon + r.licon_space))
        inside = half(width - (number * (r.licon + r.licon_space) - r.licon_space)) - r.li_end
        return max(contact + half(r.licon) + apart, contact + half(r.li_pad) + r.li_space - inside)

    def _followers(self, resets: int, source: int, verticals: Sequence[int]) -> DrawnStrip:
        """The followers of all planes in one strip, their sources joined in its middle."""
        r, (width, length) = self.rules, self.sizes.follower
        apart = self.front.nm("licon.9") + self.front.nm("psd.5a")
        self.gates = max(
            resets + r.endcap + self.front.nm("poly.2") + half(r.pad[1]),
            resets + self.front.nm("licon.14") + half(r.licon),
        )
        self.gates_at = self.gates + half(r.li_pad)
        bottom = max(
            self._above_contact(self.gates, width, apart),
            resets + self.front.nm("difftap.9") + self.front.nm("difftap.8"),
        )
        lengths = (length,) * len(verticals)
        self._fits("follower", 2 * (len(lengths) * r.step(length) + r.beyond))
        strip = draw_strip(self.canvas, r, source - 2 * r.step(length), bottom, width, lengths)
        for gate, x in zip(strip.gates, reversed(verticals), strict=True):
            draw_gate_contact(self.canvas, r, gate, length, strip.bottom, (x, self.gates))
        self._on_line("0", strip.middle, *strip.contacts[::2])
        self._band("taps and wells", bottom - self.front.nm("difftap.8"))
        return strip

    def _select(self, follower: DrawnStrip, source: int, towers: Sequence[tuple[int, int]]) -> DrawnStrip:
        """The select above the followers, and the way from it to the line."""
        r, (width, length) = self.rules, self.sizes.select
        above = self.front.nm("difftap.3")
        if len(towers) == 2:  # a follower's gate ends below the select's
            above = max(above, 2 * r.endcap + self.front.nm("poly.2"))
        self._fits("select", 2 * (r.step(length) + r.beyond))
        strip = draw_strip(self.canvas, r, source, follower.top + above, width, (length,))
        h = half(r.li_width)
        self.canvas.box("li1", source - h, follower.li_bottom, source + h, strip.li_top)
        self._band("follower", half(follower.top + strip.bottom))
        apart = self.front.nm("licon.9") + self.front.nm("psd.5a")
        contact = max(
            strip.top + apart + half(r.licon),
            strip.li_top + r.li_space + half(r.li_pad),
            strip.middle + half(self.pad.across) + self.space + half(self.wire),
        )
        draw_gate_contact(self.canvas, r, strip.gates[0], length, strip.top, (strip.gates[0], contact))
        self._on_line("select", contact, strip.gates[0])
        self._band("select", contact + half(self.wire) + half(self.space))
        self.line_at = (strip.contacts[1], strip.middle)
        self.line_li = strip.li_bottom, strip.li_top
        self.first_tower = towers[0][1]
        self.select_contact = (strip.gates[0], contact)
        return strip

    def _well_and_top(self, follower: DrawnStrip, select: DrawnStrip, source: int) -> None:
        """Well tap, well and implants of the PMOS, and everything that runs up to the upper side."""
        r, f = self.rules, self.front
        x, contact = self.select_contact
        y = contact + max(
            self.wire + self.space, r.licon + f.nm("licon.14"), half(r.li_width) + r.li_space + half(r.li_pad)
        )
        self._tap("ntap", y, x)
        inside = f.nm("difftap.10")
        self.height = -(-max(y + half(self.wire) + self.space, y + half(r.licon) + inside) // GRID) * GRID
        self._band("taps and wells", self.height)
        implant = f.nm("psd.5a")
        self.across.append(("psdm", follower.bottom - implant, select.top + implant, implant))
        self.across.append(("nwell", follower.bottom - f.nm("difftap.8"), y + half(r.licon) + inside, inside))
        for bit_line in self.site.bit_lines:
            for low, high in bit_line.through:
                self.canvas.box(bit_line.metal, low, 0, high, self.height)
        self.line = self._line()

    # ---- the line of the column ------------------------------------------------------------------------------------

    def _line(self) -> tuple[str, tuple[int, int]]:
        """From the select to the line and along the strip; returns its metal and a point of it at the lower side."""
        stack, c = self.stack, self.canvas
        x, y = self.line_at
        metal = self.site.line_metal
        above = self.above
        mcon, via = stack.via("mcon"), stack.via_between(WIRING, above)
        way = self._clear_of(above, x)
        c.centred("mcon", (x, y), nm(mcon.size), nm(mcon.size))
        self._jog(x, way, y)
        c.centred(via.name, (way, y), nm(via.size), nm(via.size))
        least = half(nm(stack.metal(metal).min_width))
        if metal in (WIRING, "li1"):
            return self._line_below(metal, x, way, y)
        if metal == above:
            draw_end(c, stack, above, via, (way, y), upright=True)
        else:
            upper = vias_between(stack, above, metal)
            for cut in upper:
                c.centred(cut.name, (way, y), nm(cut.size), nm(cut.size))
            for below, over in zip((via, *upper), upper, strict=False):
                pad = pad_around(stack, below.above, below, over)
                c.centred(below.above, (way, y), pad.across, pad.along)
            draw_end(c, stack, metal, upper[-1], (way, y), upright=True)
        c.box(metal, way - least, 0, way + least, self.height)
        return metal, (way, least)

    def _line_below(self, metal: str, x: int, way: int, y: int) -> tuple[str, tuple[int, int]]:
        """A line on li1, under the rows: it passes the transistors on the metal above met1."""
        stack, c, r = self.stack, self.canvas, self.rules
        if metal != "li1":
            raise UnsupportedCell(f"the line of a drawn segment cannot run on {metal}", where="cell.planes")
        above = self.above
        via, mcon = stack.via_between(WIRING, above), stack.via("mcon")
        h, wide = half(r.li_width), half(nm(stack.metal(above).min_width))
        low = self.first_tower
        # Beside the li1 of the lower plane's bit line, which begins at the height of its tower.
        side = max(x, max(b[2] for b in c.rects["li1"] if b[1] < low + h and b[3] > low - h) + r.li_space + h)
        draw_end(c, stack, above, via, (way, y), upright=True)
        draw_end(c, stack, above, via, (way, low), upright=True)
        c.box(above, way - wide, low, way + wide, y)
        c.centred(via.name, (way, low), nm(via.size), nm(via.size))
        self._jog(side, way, low)
        c.centred("mcon", (side, low), nm(mcon.size), nm(mcon.size))
        c.box("li1", side - h, 0, side + h, low + h)
        c.box("li1", x - h, self.line_li[0], side + h, self.line_li[1])
        c.box("li1", side - h, y, side + h, self.height)
        return metal, (side, h)

    def _jog(self, a: int, b: int, y: int) -> None:
        """met1 from a cut of one kind to a cut of the other."""
        reach = half(self.pad.along)
        self.canvas.box(
            WIRING, min(a, b) - reach, y - half(self.pad.across), max(a, b) + reach, y + half(self.pad.across)
        )

    def _clear_of(self, metal: str, x: int) -> int:
        """The place nearest to x where a piece of metal around its cuts keeps clear of the lines that pass by."""
        stack = self.stack
        lines = [i for b in self.site.bit_lines if b.metal == metal for i in b.through]
        vias = [stack.via_between(WIRING, metal)]
        if stack.index(self.site.line_metal) > stack.index(metal):
            vias += vias_between(stack, metal, self.site.line_metal)[:1]
        reach = half(pad_around(stack, metal, *vias).across) + nm(stack.metal(metal).min_space)

        def clear(place: int) -> bool:
            return all(
                place + reach <= low + k or place - reach >= high + k
                for low, high in lines
                for k in range(-3 * self.site.pitch, 4 * self.site.pitch, self.site.pitch)
            )

        for shift in range(0, self.site.pitch + 1, GRID):
            for place in (x + shift, x - shift):
                if clear(place):
                    return place
        raise InputError(f"no place for the line between the columns' lines on {metal}", where="cell.column_pitch")

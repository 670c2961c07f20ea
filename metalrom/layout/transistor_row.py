"""Transistors side by side in one strip of diffusion, their gates across it, and contacts of gates, in plain geometry.

Current flows along x, so that a channel's width lies along y: a wide transistor makes its strip taller, never wider.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from interconnect.stack import Stack
from metalrom.layout.canvas import Canvas, half
from metalrom.layout.front_end import FrontEnd


@dataclass(frozen=True, slots=True)
class ContactRules:
    """Lengths that transistors and their contacts follow from, nm; from the rules of a front end and its stack.

    licon, licon_space: contact; to_gate: contact to gate; diff_side, diff_end: diffusion around a contact, on two
    opposite sides more; poly_side, poly_end: the same of poly; li_end: li1 on two opposite sides; li_width, li_space.
    """

    licon: int
    licon_space: int
    to_gate: int
    diff_side: int
    diff_end: int
    least_diff: int
    endcap: int
    poly_side: int
    poly_end: int
    npc: int
    li_end: int
    li_width: int
    li_space: int

    @classmethod
    def of(cls, front: FrontEnd, stack: Stack) -> ContactRules:
        """The rules of sky130's kind. Raises InputError for a front end that lacks one of them."""
        li = stack.metal("li1")
        return cls(
            licon=front.nm("licon.1"),
            licon_space=front.nm("licon.2"),
            to_gate=front.nm("licon.11"),
            diff_side=front.nm("licon.5a"),
            diff_end=front.nm("licon.5c"),
            least_diff=front.nm("poly.7"),
            endcap=front.nm("poly.8"),
            poly_side=front.nm("licon.8"),
            poly_end=front.nm("licon.8a"),
            npc=front.nm("licon.15"),
            li_end=front.nm("li.5"),
            li_width=round(li.min_width * 1e9),
            li_space=round(li.min_space * 1e9),
        )

    def step(self, length: int) -> int:
        """From the middle of a contact to that of the gate beside it; length: of the channel."""
        return half(self.licon) + self.to_gate + half(length)

    @property
    def beyond(self) -> int:
        """From the middle of the outermost contact to the end of its diffusion."""
        least = self.least_diff - self.to_gate - half(self.licon)  # poly.7 where it asks for more than the contact
        return max(half(self.licon) + self.diff_side, least)

    @property
    def pad(self) -> tuple[int, int]:
        """Width and height of the poly around a gate's contact."""
        return self.licon + 2 * self.poly_side, self.licon + 2 * self.poly_end

    @property
    def li_pad(self) -> int:
        """Height of the li1 on a contact, its width being that of the contact."""
        return self.licon + 2 * self.li_end


@dataclass(frozen=True, slots=True)
class DrawnStrip:
    """Where a strip lies, nm. contacts, gates: middles along x, from left to right; bottom, top: of the diffusion;
    li_bottom, li_top: of the li1 on every contact."""

    contacts: tuple[int, ...]
    gates: tuple[int, ...]
    bottom: int
    top: int
    li_bottom: int
    li_top: int

    @property
    def middle(self) -> int:
        """Middle along y."""
        return (self.bottom + self.top) // 2


def draw_strip(
    canvas: Canvas, rules: ContactRules, contact: int, bottom: int, width: int, lengths: Sequence[int]
) -> DrawnStrip:
    """Transistors in series, a contact before, between and after them.

    Parameters
    ----------
    canvas : Canvas
        Is drawn on.
    rules : ContactRules
        Of the process.
    contact : int
        Middle of the first, leftmost contact, nm.
    bottom : int
        Lower side of the diffusion, nm.
    width : int
        Width of all channels, nm.
    lengths : sequence of int
        Length of each channel from left to right, nm.

    Returns
    -------
    DrawnStrip
    """
    contacts, gates = [contact], []
    for length in lengths:
        gates.append(contacts[-1] + rules.step(length))
        contacts.append(gates[-1] + rules.step(length))
    top = bottom + width
    canvas.box("diff", contacts[0] - rules.beyond, bottom, contacts[-1] + rules.beyond, top)
    for x, length in zip(gates, lengths, strict=True):
        canvas.box("poly", x - half(length), bottom - rules.endcap, x - half(length) + length, top + rules.endcap)
    pitch = rules.licon + rules.licon_space
    number = max(1, (width - 2 * rules.diff_end + rules.licon_space) // pitch)
    tall = number * pitch - rules.licon_space
    low = bottom + half(width - tall)
    for x in contacts:
        for i in range(number):
            y = low + i * pitch
            canvas.box("licon", x - half(rules.licon), y, x - half(rules.licon) + rules.licon, y + rules.licon)
        canvas.box(
            "li1",
            x - half(rules.li_width),
            low - rules.li_end,
            x - half(rules.li_width) + rules.li_width,
            low + tall + rules.li_end,
        )
    return DrawnStrip(tuple(contacts), tuple(gates), bottom, top, low - rules.li_end, low + tall + rules.li_end)


def draw_gate_contact(
    canvas: Canvas, rules: ContactRules, gate: int, length: int, edge: int, at: tuple[int, int]
) -> None:
    """Poly from a gate to a contact beside its end, with the contact, its opening and its li1.

    gate: middle of the gate along x; edge: a height inside of the gate's poly that the stub begins at; at: middle of
    the contact, nm.
    """
    y = at[1]
    wide, tall = rules.pad
    canvas.centred("poly", at, wide, tall)
    low, high = min(edge, y - half(tall)), max(edge, y - half(tall) + tall)
    canvas.box("poly", gate - half(length), low, gate - half(length) + length, high)
    canvas.centred("npc", at, rules.licon + 2 * rules.npc, rules.licon + 2 * rules.npc)
    canvas.centred("licon", at, rules.licon, rules.licon)
    canvas.centred("li1", at, rules.li_width, rules.li_pad)

"""Transistors of a segment of a readout chain, read from the subcircuit that netlists of tiles hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from netlists.readout.chain import ReadoutChain
from netlists.render import DeckText, render

_SEGMENT = re.compile(r"^\.subckt segment (.*?)\n(.*?)^\.ends segment", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class SegmentDevice:
    """A transistor by its nets; kind `n` or `p`; width and length in m."""

    name: str
    drain: str
    gate: str
    source: str
    bulk: str
    kind: Literal["n", "p"]
    width: float
    length: float


@dataclass(frozen=True, slots=True)
class SegmentNetlist:
    """A segment with every bit line of its planes. pins: in the order of the subcircuit."""

    pins: tuple[str, ...]
    devices: tuple[SegmentDevice, ...]


def segment_netlist(chain: ReadoutChain) -> SegmentNetlist:
    """The segment of a chain from its template, whatever the device set calls its transistors."""
    found: list[SegmentDevice] = []

    def record(
        name: str,
        drain: str,
        gate: str,
        source: str,
        bulk: str,
        type: Literal["n", "p"],
        width: float,
        length: float | None = None,
        **others: object,
    ) -> DeckText:
        del others
        found.append(
            SegmentDevice(name, drain, gate, source, bulk, type, width, chain.length if length is None else length)
        )
        return DeckText(f"{name} is number {len(found) - 1}")

    text = str(render("readout/chain.cir.j2", {"h": chain, "mos": record, "whole": True}))
    match = _SEGMENT.search(text)
    if match is None:
        raise AssertionError("the template of the chain has no segment")
    numbers = re.findall(r"is number (\d+)", match[2])
    return SegmentNetlist(tuple(match[1].split()), tuple(found[int(n)] for n in numbers))

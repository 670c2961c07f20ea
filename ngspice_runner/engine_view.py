"""What the engine says that it read: its own list of a deck's elements, with nodes and values.

A deck is loaded once more, without any analysis, and the engine lists the expanded circuit and shows its devices.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

VIEW_FILE = "ngspice_view.txt"
"""Where the engine writes it: in its log, warnings would break into the lines."""
_PRINTING = ("listing expand", "show r", "show c", "show l", "show v", "show i")
VIEW_COMMANDS = (
    ".control", "set width=1000000", *(f"{command} >> {VIEW_FILE}" for command in _PRINTING), "quit 0", ".endc",
)  # fmt: skip
"""Commands that write the view."""

_LISTED = re.compile(r"^ *\d+ : ([a-z]\S*) +(.*)$", re.MULTILINE)
_SEPARATORS = re.compile(r"[,()]+")
_ROWS = {"resistance": "r", "capacitance": "c", "inductance": "l", "dc": "vi"}
_LABEL = 11
_COLUMN = 22
"""Longer names are cut off by the engine, so that they are not told apart: their values are left out."""


@dataclass(frozen=True, slots=True)
class EngineView:
    """nodes: words behind the name of every listed element; values: ohm, F, H, V or A by element name."""

    nodes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)


def read_view(text: str) -> EngineView:
    """The view as the engine wrote it; empty where the deck could not be loaded."""
    nodes = {name: tuple(_SEPARATORS.sub(" ", rest).split()) for name, rest in _LISTED.findall(text)}
    return EngineView(nodes, dict(_values(text)))


def _values(text: str) -> Iterator[tuple[str, float]]:
    devices: list[str] = []
    for line in text.splitlines():
        label = line[:_LABEL].strip()
        if label == "device":
            devices = line[_LABEL:].split()
        elif label in _ROWS:
            cells = [line[i : i + _COLUMN].strip() for i in range(_LABEL, len(line), _COLUMN)]
            for device, cell in zip(devices, cells, strict=False):
                if device[0] in _ROWS[label] and len(device) < _COLUMN - 1:
                    try:
                        yield device, float(cell)
                    except ValueError:
                        continue

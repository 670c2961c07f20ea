"""What the engine says that it read: its own list of a deck's elements, with nodes and values.

A deck is loaded once more, without any analysis, and the engine lists the expanded circuit and shows its devices. A
device with a long name, and a controlled source, is asked for by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ngspice_runner.flatten import FlatElement

VIEW_FILE = "ngspice_view.txt"
"""Where the engine writes it: in its log, warnings would break into the lines."""
_PRINTING = ("listing expand", "show r", "show c", "show l", "show v", "show i")
_END = "ngspice_view_end"
_PARAMETERS = {
    "r": "resistance", "c": "capacitance", "l": "inductance", "v": "dc", "i": "dc", "e": "gain", "f": "gain",
    "g": "gain", "h": "gain",
}  # fmt: skip
_CONTROLLED = frozenset("efgh")
_PLAIN = re.compile(r"[a-z][a-z0-9_.]*")
_ASKED_LIMIT = 1000
"""Devices that are asked for one by one."""
_ANSWER = re.compile(r"^@(\S+)\[\w+\] = (\S+)$", re.MULTILINE)

_LISTED = re.compile(r"^ *\d+ : ([a-z]\S*) +(.*)$", re.MULTILINE)
_SEPARATORS = re.compile(r"[,()]+")
_ROWS = {"resistance": "r", "capacitance": "c", "inductance": "l", "dc": "vi"}
_LABEL = 11
_CUT = "\n...\n"
_COLUMN = 22
"""Longer names are cut off by the engine, so that they are not told apart."""


@dataclass(frozen=True, slots=True)
class EngineView:
    """nodes: words behind the name of every listed element; values: ohm, F, H, V, A or gain by element name; complete:
    nothing of the list is missing."""

    nodes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    complete: bool = True


def view_commands(elements: Sequence[FlatElement]) -> tuple[str, ...]:
    """Commands that write the view; elements: those of the deck."""
    asked = [
        f"print @{e.engine_name}[{_PARAMETERS[e.kind]}]"
        for e in elements
        if e.value is not None and (e.kind in _CONTROLLED or len(e.engine_name) >= _COLUMN - 1)
        if _PLAIN.fullmatch(e.engine_name)
    ]
    commands = ("listing expand", "show r", "show c", "show l", "show v", "show i", *asked[:_ASKED_LIMIT])
    written = (f"{command} >> {VIEW_FILE}" for command in (*commands, f"echo {_END}"))
    return (".control", "set width=1000000", "set numdgt=7", *written, "quit 0", ".endc")


def read_view(text: str) -> EngineView:
    """The view as the engine wrote it; empty where the deck could not be loaded."""
    nodes = {name: tuple(_SEPARATORS.sub(" ", rest).split()) for name, rest in _LISTED.findall(text)}
    values = dict(_values(text))
    for name, answer in _ANSWER.findall(text):
        try:
            values[name] = float(answer)
        except ValueError:
            continue
    return EngineView(nodes, values, _END in text and _CUT not in text)


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

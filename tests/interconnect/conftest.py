"""Cell geometries and an ngspice bench used by several tests."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from interconnect.geometry import Box, CellGeometry
from interconnect.stack import Stack
from interconnect.stackfile import load_stack

CellMaker = Callable[..., CellGeometry]


@pytest.fixture(scope="session")
def generic28() -> Stack:
    return load_stack("generic28")


def tab_cell(
    stack: Stack,
    tabs: str = "S",
    *,
    width: float = 50e-9,
    space: float = 50e-9,
    layers: tuple[str, str] = ("M2", "M3"),
    shield: bool = True,
) -> CellGeometry:
    """Rows S and G on the lower metal; per column a bit line, a tab via-tied to the line named in `tabs` (`-`: none)
    and, if wanted, a grounded shield on the upper metal. One letter of `tabs` per column."""
    low, high = (stack.metal(name) for name in layers)
    via = stack.via_between(*layers)
    pitch = width + space
    column = (3 if shield else 2) * pitch
    period = (column * len(tabs), 2 * pitch)
    edge = space / 2
    boxes = [
        Box(net, layers[0], "line", (0.0, y, low.bottom), (period[0], y + width, low.top))
        for net, y in (("S", edge), ("G", edge + pitch))
    ]
    for i, tie in enumerate(tabs):
        x = i * column + edge
        name = f"BL{i}" if len(tabs) > 1 else "BL"
        boxes.append(Box(name, layers[1], "line", (x, 0.0, high.bottom), (x + width, period[1], high.top)))
        if tie != "-":
            tab = (x + pitch, x + pitch + width)
            boxes.append(
                Box(tie, layers[1], "tab", (tab[0], edge, high.bottom), (tab[1], edge + pitch + width, high.top))
            )
            y = edge if tie == "S" else edge + pitch
            boxes.append(Box(tie, via.name, "via", (tab[0], y, low.top), (tab[1], y + width, high.bottom)))
        if shield:
            at = x + 2 * pitch
            boxes.append(Box("GND", layers[1], "shield", (at, 0.0, high.bottom), (at + width, period[1], high.top)))
    floor, ceiling = stack.plane_floor(layers[0]), stack.plane_ceiling(layers[1])
    return CellGeometry(f"tab_{tabs}", tuple(boxes), period, floor, ceiling, stack.slabs(floor, ceiling), 1, len(tabs))


@pytest.fixture(scope="session")
def make_cell() -> CellMaker:
    return tab_cell


def ngspice_waves(lines: Sequence[str], timeout: float = 60.0) -> dict[str, np.ndarray]:
    """Run a deck in ngspice; all vectors of its analysis by lower-case name, full precision."""
    deck = "\n".join([lines[0], ".option num_threads=1 noinit", *lines[1:], ".end", ""])
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "o.raw"
        (Path(folder) / "deck.cir").write_text(deck)
        done = subprocess.run(
            ["ngspice", "-b", "-r", str(raw), "deck.cir"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        log = done.stdout + done.stderr
        assert raw.exists(), log
        for sign in ("singular", "simulation(s) aborted", "resistance to low", "Error"):
            assert sign not in log, log
        content = raw.read_bytes()
    head, _, body = content.partition(b"Binary:\n")
    text = head.decode().splitlines()
    count = int(next(line for line in text if line.startswith("No. Variables:")).split(":")[1])
    points = int(next(line for line in text if line.startswith("No. Points:")).split(":")[1])
    start = text.index("Variables:") + 1
    names = [line.split()[1].lower() for line in text[start : start + count]]
    assert points > 0, log
    kind = np.dtype("<c16" if "Flags: complex" in text else "<f8")
    data = np.frombuffer(body[: kind.itemsize * count * points], dtype=kind).reshape(points, count)
    return dict(zip(names, data.T, strict=True))


@pytest.fixture(scope="session")
def ngspice() -> Callable[..., dict[str, np.ndarray]]:
    return ngspice_waves

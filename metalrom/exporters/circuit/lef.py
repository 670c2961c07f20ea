"""LEF 5.8 abstract of one tile: size, pins on the metals in use, obstruction over the array."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from interconnect.files import atomic_write_files
from interconnect.optional import optional_library
from metalrom.exporters.checksum import add_digest, header, verify_digest
from metalrom.exporters.circuit.boundary import BOUNDARY, MACRO, Pin, pins_of
from metalrom.exporters.executables import package_version
from metalrom.exporters.exporter import Exporter, ToolReading
from metalrom.exporters.probes import ProbePoints, ProbeQuantity
from metalrom.exporters.run_data import RunData
from netlists.render import cards, render

FILE = "metalrom_tile.lef"
MARK = "#"
PARSER = "pip install lefdef"
GRID = 1e-9
MIN_SIDE = 5e-6
"""m; the grid then changes the area by less than the tolerance."""
VALIDATION = (
    "SIZE: area of one tile with its periphery under the array (mid of the estimate) in the proportions of the array, "
    "rounded to 1 nm; no floor plan was made",
    "layers: names of the run's metal stack; a technology LEF must define them or they must be renamed",
    "OBS: every metal in use but a rim that the pins may be reached through",
)


@dataclass(frozen=True, slots=True)
class Placed:
    """A pin where it lies: rectangle in whole nm (left, bottom, right, top)."""

    name: str
    direction: str
    use: str
    layer: str
    box: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Abstract:
    """A tile's outline. width, height, rim: nm; layers: metals in use, lowest first."""

    width: int
    height: int
    rim: int
    layers: tuple[str, ...]
    pins: tuple[Placed, ...]


def abstract(source: RunData) -> Abstract:
    """Outline and pins of a tile. Raises InputError if the pins of an edge do not fit on it."""
    g, geometry = source.results.macro_geometry, source.results.cell.geometries[0]
    m = source.estimate.macro
    area = m.footprint.stacked.mid / m.geometry.tiles
    array_width, array_height = g.columns * geometry.period[0], g.rows * geometry.period[1]
    if area < MIN_SIDE**2:
        raise InputError(f"a tile of {area * 1e12:.3g} um2 is too small for an abstract on a grid of 1 nm")
    width = round(math.sqrt(area * array_width / array_height) / GRID)
    height = round(area / (width * GRID) / GRID)  # the height takes up the rounding of the width
    planes = [plane.split("-") for plane in source.results.layer.planes]
    rows, columns = [p[0] for p in planes], [p[1] for p in planes]
    lines = [b for b in geometry.boxes if b.kind == "line"]
    breadth = max(round(min(min(b.upper[0] - b.lower[0], b.upper[1] - b.lower[1]) for b in lines) / GRID), 1)
    rim = max(round(g.edge_width / GRID), 8 * breadth)
    if 4 * rim > min(width, height):
        raise InputError("a tile is too narrow for the rim that its pins need")
    pins: list[Placed] = []
    left: list[Pin] = []
    right: list[Pin] = []
    for pin in pins_of(g):
        if pin.name.startswith("code"):
            layer = columns[pin.plane]
            for name, at in _spread(pin, width, rim, breadth):
                pins.append(Placed(name, "OUTPUT", "SIGNAL", layer, (at, 0, at + breadth, rim // 2)))
        elif pin.use in ("power", "ground"):
            low = height - (rim // 4 if pin.use == "power" else rim // 2 + breadth)
            box = (rim, low, width - rim, low + rim // 4)
            pins.append(Placed(pin.name, "INOUT", pin.use.upper(), rows[-1], box))
        else:
            (left if pin.name == "x" else right).append(pin)
    side = ((left, 0, rim // 2), (right, width - rim // 2, width))
    for chosen, start, stop in side:
        bits = [(bit, p) for p in chosen for bit in p.bits]
        whole = Pin("left" if start == 0 else "right", "input", len(bits))
        for (name, pin), (_, at) in zip(bits, _spread(whole, height, rim, breadth), strict=True):
            use = "CLOCK" if pin.use == "clock" else "SIGNAL"
            pins.append(Placed(name, pin.direction.upper(), use, rows[0], (start, at, stop, at + breadth)))
    layers = tuple(dict.fromkeys([*rows, *columns]))
    return Abstract(width, height, rim, layers, tuple(pins))


def _spread(bus: Pin, length: int, rim: int, breadth: int) -> list[tuple[str, int]]:
    """Where the pins of a bus start, nm: evenly between the rims. Raises InputError if they would touch."""
    names = list(bus.bits)
    step = (length - 2 * rim) / len(names)
    if step < 2 * breadth:
        raise InputError(
            f"{len(names)} pins do not fit on an edge of {length * 1e-3:.4g} um",
            hint="let more columns share a converter",
        )
    return [(name, rim + int((k + 0.5) * step) - breadth // 2) for k, name in enumerate(names)]


def write_lef(source: RunData, folder: Path) -> list[Path]:
    """Write `metalrom_tile.lef`."""
    a = abstract(source)
    pins = [
        {"name": cards(p.name), "direction": p.direction, "use": p.use, "layer": p.layer, "rect": _rect(*p.box)}
        for p in a.pins
    ]
    values = {
        "header": cards(header(source, MARK, *VALIDATION, BOUNDARY)),
        "macro": MACRO,
        "width": _micron(a.width),
        "height": _micron(a.height),
        "pins": pins,
        "layers": a.layers,
        "obstruction": _rect(a.rim, a.rim, a.width - a.rim, a.height - a.rim),
    }
    return atomic_write_files(folder, {FILE: add_digest(render("exports/tile.lef.j2", values), MARK)})


def _micron(nanometres: int) -> str:
    return f"{nanometres // 1000}.{nanometres % 1000:03d}"


def _rect(*corners: int) -> Any:
    return cards(" ".join(_micron(c) for c in corners))


def read_lef(folder: Path) -> tuple[float, float, dict[str, tuple[str, ...]]]:
    """Width and height (um), and (direction, layer, rectangle) of every pin. Raises InputError for a damaged file."""
    path = folder / FILE
    text = verify_digest(path, MARK)
    size = re.search(r"^  SIZE (\S+) BY (\S+) ;$", text, re.MULTILINE)
    if not size:
        raise InputError("holds no SIZE", where=str(path))
    pattern = r"^  PIN (\S+)\n    DIRECTION (\S+) ;\n.*\n    PORT\n      LAYER (\S+) ;\n        RECT ([\d. ]+) ;$"
    pins: dict[str, tuple[str, ...]] = {m[1]: (m[2], m[3], m[4]) for m in re.finditer(pattern, text, re.MULTILINE)}
    return float(size.group(1)), float(size.group(2)), pins


def read_back_lef(folder: Path, quantity: ProbeQuantity, points: ProbePoints) -> FloatArray | None:
    """Area of a tile."""
    if quantity != "area":
        return None
    width, height, _ = read_lef(folder)
    return np.full(len(points), width * height * 1e-12)


def compare_lef(source: RunData, folder: Path) -> dict[str, float]:
    """Largest distance between a pin of the file and of the run's outline, relative to the width (0: all equal)."""
    width, _, pins = read_lef(folder)
    expected = abstract(source)
    if set(pins) != {p.name for p in expected.pins}:
        raise InputError("has other pins than the tile", where=str(folder / FILE))
    boxes = np.array([[float(v) for v in pins[p.name][2].split()] for p in expected.pins])
    return {"pins": float(np.abs(boxes - np.array([p.box for p in expected.pins]) / 1000).max()) / width}


def validate_lef(source: RunData, folder: Path) -> ToolReading:
    """lefdef (the reference LEF parser behind ctypes) reads the macro: size, pins, layers, obstructions."""
    tool = f"lefdef {package_version('lefdef', PARSER)}"
    width, height, pins = read_lef(folder)
    reader = optional_library("lefdef", extra="check", purpose="Checks of LEF files").C_LefReader()
    lef = reader.read(str(folder / FILE))
    if lef.c_num_macros != 1:
        return ToolReading(tool, f"{lef.c_num_macros} macros, expected 1")
    macro = lef.c_macros[0]
    name = macro.c_name.decode()
    if name != MACRO:
        return ToolReading(tool, f"the macro is called {name}")
    size = (macro.c_size_x, macro.c_size_y)
    if size != (width, height):
        return ToolReading(tool, f"size {size}, expected {(width, height)}")
    got = {}
    for k in range(macro.c_num_pins):
        pin = macro.c_pins[k]
        rect = pin.c_ports[0].c_rects[0]
        box = (rect.c_xl, rect.c_yl, rect.c_xh, rect.c_yh)
        got[pin.c_name.decode()] = (pin.c_direction.decode(), rect.c_layer.decode(), box)
    want = {n: (d, layer, tuple(float(v) for v in rect.split())) for n, (d, layer, rect) in pins.items()}
    if got != want:
        return ToolReading(tool, "other pins than written")
    blocked = {macro.c_obs.c_rects[k].c_layer.decode() for k in range(macro.c_obs.c_num_rects)}
    if blocked != set(abstract(source).layers):
        return ToolReading(tool, f"obstructions on {sorted(blocked)}")
    return ToolReading(
        tool, None, (f"{name} {width:g} x {height:g} um, {len(got)} pins, OBS on {len(blocked)} layers",)
    )


TOLERANCE = {"area": 1e-4, "pins": 0.0}

EXPORTER = Exporter(
    "lef",
    "LEF 5.8 abstract of a tile: size, pins, obstructions",
    "outline rounded to 1 nm: area within 1e-4",
    TOLERANCE,
    write_lef,
    read_back_lef,
    validate_lef,
    compare_lef,
)

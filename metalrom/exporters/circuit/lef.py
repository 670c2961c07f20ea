"""LEF 5.8 abstract of one tile (size, pins on the metals in use, obstruction over the array) and its technology LEF."""

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from interconnect.arrays import FloatArray
from interconnect.errors import InputError, MissingLibrary
from interconnect.files import atomic_write_files
from interconnect.optional import optional_library
from interconnect.stack import Metal
from metalrom.exporters.checksum import add_digest, header, verify_digests
from metalrom.exporters.circuit.boundary import BOUNDARY, MACRO, Pin, boundary_of
from metalrom.exporters.circuit.lef_check import read_with_klayout
from metalrom.exporters.circuit.lef_technology import (
    MARK,
    TECHNOLOGY_FILE,
    default_vias,
    grid_of,
    micron,
    nanometres,
    rect,
    technology_lef,
)
from metalrom.exporters.executables import package_version
from metalrom.exporters.exporter import Exporter, ToolReading
from metalrom.exporters.probes import ProbePoints, ProbeQuantity
from metalrom.exporters.run_data import RunData
from netlists.render import cards, render

FILE = "metalrom_tile.lef"
PARSER = "pip install lefdef"
MIN_STEPS = 5000
"""Steps of the grid on a side; the grid then changes the area by less than the tolerance."""
VALIDATION = (
    "SIZE: area of one tile with its periphery under the array (mid of the estimate) in the proportions of the array, "
    "rounded to the stack's grid; no floor plan was made",
    f"layers: names of the run's metal stack, defined in {TECHNOLOGY_FILE}",
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
    """Outline and pins of a tile, on the stack's grid. Raises InputError if the pins of an edge do not fit on it."""
    g, geometry, stack = source.results.macro_geometry, source.results.cell.geometries[0], source.stack
    m, grid = source.estimate.macro, grid_of(source.stack)
    area = m.footprint.stacked.mid / m.geometry.tiles
    array_width, array_height = g.columns * geometry.period[0], g.rows * geometry.period[1]
    if area < (MIN_STEPS * grid * 1e-9) ** 2:
        raise InputError(f"a tile of {area * 1e12:.3g} um2 is too small for an abstract on a grid of {grid} nm")

    def on(length: float) -> int:
        return round(length * 1e9 / grid) * grid

    width = on(math.sqrt(area * array_width / array_height))
    height = on(area / (width * 1e-9))  # the height takes up the rounding of the width
    rows, columns = _plane_metals(source)
    lines = [b for b in geometry.boxes if b.kind == "line"]
    drawn = min(min(b.upper[0] - b.lower[0], b.upper[1] - b.lower[1]) for b in lines)
    breadth = {
        name: -(-nanometres(max(drawn, stack.metal(name).min_width)) // grid) * grid for name in (*rows, *columns)
    }
    rim = max(on(g.edge_width), 8 * max(breadth.values()))
    rim = -(-rim // (4 * grid)) * 4 * grid
    if 4 * rim > min(width, height):
        raise InputError("a tile is too narrow for the rim that its pins need")
    pins: list[Placed] = []
    left: list[Pin] = []
    right: list[Pin] = []
    for pin in boundary_of(g).pins:
        if pin.name.startswith("code"):
            layer = columns[pin.plane]
            across = breadth[layer]
            for name, at in _spread(pin, width, rim, across, stack.metal(layer), grid):
                pins.append(Placed(name, "OUTPUT", "SIGNAL", layer, (at, 0, at + across, rim // 2)))
        elif pin.supply:
            low = height - (rim // 4 if pin.use == "power" else rim // 2 + breadth[rows[-1]])
            box = (rim, low, width - rim, low + rim // 4)
            pins.append(Placed(pin.name, "INOUT", pin.use.upper(), rows[-1], box))
        else:
            (left if pin.name == "x" else right).append(pin)
    layer, across = rows[0], breadth[rows[0]]
    side = ((left, 0, rim // 2), (right, width - rim // 2, width))
    for chosen, start, stop in side:
        bits = [(bit, p) for p in chosen for bit in p.bits]
        whole = Pin("left" if start == 0 else "right", "input", len(bits))
        spread = _spread(whole, height, rim, across, stack.metal(layer), grid)
        for (name, pin), (_, at) in zip(bits, spread, strict=True):
            use = "CLOCK" if pin.use == "clock" else "SIGNAL"
            pins.append(Placed(name, pin.direction.upper(), use, layer, (start, at, stop, at + across)))
    layers = tuple(dict.fromkeys([*rows, *columns]))
    return Abstract(width, height, rim, layers, tuple(pins))


def _plane_metals(source: RunData) -> tuple[list[str], list[str]]:
    """Metals of the rows and of the bit lines of every plane."""
    planes = [plane.split("-") for plane in source.results.layer.planes]
    return [p[0] for p in planes], [p[1] for p in planes]


def _spread(bus: Pin, length: int, rim: int, breadth: int, metal: Metal, grid: int) -> list[tuple[str, int]]:
    """Where the pins of a bus start, nm: evenly between the rims. Raises InputError if they are too near each other."""
    names = list(bus.bits)
    step = (length - 2 * rim) / len(names)
    if step < breadth + nanometres(metal.min_space) + grid:
        raise InputError(
            f"{len(names)} pins do not fit on an edge of {length * 1e-3:.4g} um",
            hint="let more columns share a converter",
        )
    return [(name, rim + int(((k + 0.5) * step - breadth / 2) / grid) * grid) for k, name in enumerate(names)]


def write_lef(source: RunData, folder: Path) -> list[Path]:
    """Write `metalrom_tile.lef` and the technology that it needs, `metalrom_tech.lef`."""
    a = abstract(source)
    pins = [
        {"name": cards(p.name), "direction": p.direction, "use": p.use, "layer": p.layer, "rect": rect(*p.box)}
        for p in a.pins
    ]
    values = {
        "header": cards(header(source, MARK, *VALIDATION, BOUNDARY)),
        "macro": MACRO,
        "width": cards(micron(a.width)),
        "height": cards(micron(a.height)),
        "grid": cards(micron(grid_of(source.stack))),
        "pins": pins,
        "layers": a.layers,
        "obstruction": rect(a.rim, a.rim, a.width - a.rim, a.height - a.rim),
    }
    texts = {
        FILE: render("exports/tile.lef.j2", values),
        TECHNOLOGY_FILE: technology_lef(source, *_plane_metals(source)),
    }
    return atomic_write_files(folder, {name: add_digest(text, MARK) for name, text in texts.items()})


def read_lef(folder: Path) -> tuple[float, float, dict[str, tuple[str, ...]]]:
    """Width and height (um), and (direction, layer, rectangle) of every pin. Raises InputError for a damaged file."""
    path = folder / FILE
    text = verify_digests(folder, (FILE, TECHNOLOGY_FILE), MARK)[FILE]
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
    read = f"{name} {width:g} x {height:g} um, {len(got)} pins, OBS on {len(blocked)} layers"
    reader.read(str(folder / TECHNOLOGY_FILE))
    try:
        drawn = read_with_klayout(default_vias(source.stack, *_plane_metals(source)), folder, pins)
    except MissingLibrary as missing:
        return ToolReading(tool, None, (read, f"technology not read: {missing}"))
    return replace(drawn, consumer=f"{tool} and {drawn.consumer}", observations=(read, *drawn.observations))


TOLERANCE = {"area": 1e-4, "pins": 0.0}

EXPORTER = Exporter(
    "lef",
    "LEF 5.8 abstract of a tile (size, pins, obstructions) and technology LEF of its metal stack",
    "outline rounded to the stack's grid: area within 1e-4",
    TOLERANCE,
    write_lef,
    read_back_lef,
    validate_lef,
    compare_lef,
)

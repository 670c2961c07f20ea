"""Technology LEF of a metal stack: layers, cuts, default vias and the grid that a tile's abstract needs."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from interconnect.stack import Enclosure, Metal, Stack, ViaLayer
from metalrom.exporters.checksum import header
from metalrom.exporters.run_data import RunData
from netlists.render import DeckText, cards, render

TECHNOLOGY_FILE = "metalrom_tech.lef"
MARK = "#"
DATABASE = 1e-9
"""m; the grid that holds where a stack states none."""
NO_ENCLOSURE = Enclosure(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class LefVia:
    """The default via of a cut layer: whole nm, (left, bottom, right, top) around its middle, by layer."""

    name: str
    rects: tuple[tuple[str, tuple[int, int, int, int]], ...]


def grid_of(stack: Stack) -> int:
    """Grid that drawn coordinates must lie on, nm."""
    return nanometres(stack.grid or DATABASE)


def nanometres(length: float) -> int:
    """A length (m) in whole nm."""
    return round(length / DATABASE)


def directions(stack: Stack, rows: Collection[str], columns: Collection[str]) -> dict[str, str]:
    """Preferred direction of every metal: rows run along x, bit lines along y, the others in turn from these."""
    found = {
        m.name: "HORIZONTAL" if m.name in rows else "VERTICAL" for m in stack.metals if m.name in (*rows, *columns)
    }
    names = [m.name for m in stack.metals]
    used = [i for i, name in enumerate(names) if name in found]
    for i, name in enumerate(names):
        if name not in found:
            near = min(used, key=lambda j: abs(i - j))
            turned = {"HORIZONTAL": "VERTICAL", "VERTICAL": "HORIZONTAL"}[found[names[near]]]
            found[name] = turned if abs(i - near) % 2 else found[names[near]]
    return found


def default_vias(stack: Stack, rows: Collection[str], columns: Collection[str]) -> list[LefVia]:
    """The default via of every cut layer. rows, columns: as `directions` takes them."""
    ways = directions(stack, rows, columns)
    return [_default_via(via, grid_of(stack), ways) for via in stack.vias]


def _default_via(via: ViaLayer, grid: int, directions: dict[str, str]) -> LefVia:
    """One cut with as much metal as the stack asks for; the longer ends lie along the metal's direction."""
    half = _up(nanometres(via.size), 2 * grid) // 2
    cut = (-half, -half, half, half)
    rects = [(via.name, cut)]
    for metal, rule in ((via.below, via.enclosed_below), (via.above, via.enclosed_above)):
        sides, ends = (_up(nanometres(v), grid) for v in ((rule or NO_ENCLOSURE).sides, (rule or NO_ENCLOSURE).ends))
        x, y = (ends, sides) if directions[metal] == "HORIZONTAL" else (sides, ends)
        rects.append((metal, (-half - x, -half - y, half + x, half + y)))
    return LefVia(f"{via.name}_default", tuple(rects))


def _up(length: int, grid: int) -> int:
    return -(-length // grid) * grid


def pitch(metal: Metal, stack: Stack, vias: Collection[LefVia]) -> int:
    """Distance of tracks, nm: a wire of least width, or a default via's metal, beside another at the least space."""
    grid = grid_of(stack)
    widths = [nanometres(metal.min_width)]
    for via in vias:
        widths += [min(right - left, top - low) for layer, (left, low, right, top) in via.rects if layer == metal.name]
    return _up((min(widths) + max(widths)) // 2 + nanometres(metal.min_space), grid)


def unstated(stack: Stack) -> Iterator[str]:
    """What the stack states no rule for, in words: a reader of the technology must not take it for one."""
    if stack.grid is None:
        yield "ASSUMED: MANUFACTURINGGRID of 1 nm, the stack states none"
    bare = [v.name for v in stack.vias if v.enclosed_below is None or v.enclosed_above is None]
    if bare:
        yield f"ASSUMED: no enclosure around cuts of {', '.join(bare)}, the stack states none"
    flat = [m.name for m in stack.metals if m.min_area is None]
    if flat:
        yield f"left out: least areas of {', '.join(flat)}, the stack states none"
    yield "ASSUMED: preferred directions (rows along x, bit lines along y, the others in turn)"
    yield "left out: capacitances of routing, antenna rules, spaces that depend on width or length, cut classes"


def technology_lef(source: RunData, rows: Collection[str], columns: Collection[str]) -> str:
    """Text of the technology LEF of the run's stack. rows, columns: metals of the rows and of the bit lines."""
    stack = source.stack
    ways, grid = directions(stack, rows, columns), grid_of(stack)
    vias = default_vias(stack, rows, columns)
    layers = []
    for metal in stack.metals:
        layers.append(_routing(metal, stack, ways[metal.name], pitch(metal, stack, vias)))
        layers += [_cut(via) for via in stack.vias if via.below == metal.name]
    about = (f"technology of the metal stack {stack.name}: {stack.title} ({stack.status})", *stack.warnings)
    sources = sorted({(p.status, p.source) for _, p in stack.provenances()})
    lines = (*about, *unstated(stack), *(f"source ({status}): {text}" for status, text in sources))
    values = {
        "header": cards(header(source, MARK, *lines)),
        "grid": cards(micron(grid)),
        "layers": layers,
        "vias": [{"name": v.name, "rects": [(layer, rect(*box)) for layer, box in v.rects]} for v in vias],
    }
    return render("exports/tech.lef.j2", values)


def _routing(metal: Metal, stack: Stack, direction: str, tracks: int) -> dict[str, Any]:
    return {
        "name": metal.name,
        "cut": False,
        "direction": direction,
        "pitch": cards(micron(tracks)),
        "width": cards(micron(nanometres(metal.min_width))),
        "space": cards(micron(nanometres(metal.min_space))),
        "area": None if metal.min_area is None else _decimal(metal.min_area * 1e12),
        "resistance": _decimal(metal.sheet_resistance),
        "bottom": _decimal(metal.bottom * 1e6),
        "thickness": _decimal(metal.thickness * 1e6),
    }


def _cut(via: ViaLayer) -> dict[str, Any]:
    around = (("BELOW", via.enclosed_below), ("ABOVE", via.enclosed_above))
    stated = [(side, *(cards(micron(nanometres(v))) for v in (e.ends, e.sides))) for side, e in around if e]
    return {
        "name": via.name,
        "cut": True,
        "width": cards(micron(nanometres(via.size))),
        "space": cards(micron(nanometres(via.space))),
        "enclosures": stated,
        "resistance": _decimal(via.resistance),
    }


def micron(length: int) -> str:
    """Whole nm as um."""
    return f"{'-' if length < 0 else ''}{abs(length) // 1000}.{abs(length) % 1000:03d}"


def _decimal(value: float) -> DeckText:
    return cards(f"{value:.6f}".rstrip("0").rstrip("."))


def rect(*corners: int) -> DeckText:
    """Corners of a rectangle, nm, as LEF has them."""
    return cards(" ".join(micron(c) for c in corners))

"""A metal stack in cross-section, to scale: its metals at their smallest width and space, cuts, dielectrics."""

from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from characterization.charts import INK, SERIES, SOFT
from interconnect.errors import InputError
from interconnect.files import atomic_write_bytes
from interconnect.stack import Stack
from metalrom.reports.plots import chart, svg

NM = 1e9
SUFFIXES = (".svg", ".png")
_LINES = 3
"""Lines of the widest metal in the picture."""
_FILMS = ("#f6f3ea", "#ece6d4")


def check_picture(path: Path) -> None:
    """Refuse a file name that no picture can have. Raises InputError."""
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"no picture can be written as {path.suffix or 'a nameless format'}", hint=".svg or .png")


def write_stack_section(stack: Stack, path: Path) -> Path:
    """Draw the stack into an SVG or PNG file; returns its path. Raises InputError for another suffix."""
    check_picture(path)
    with chart(8.5, 1.2 + max(3.4, 0.5 * (len(stack.metals) + len(stack.vias)))) as figure:
        _draw(stack, figure)
        if path.suffix.lower() == ".svg":
            text = svg(figure, "stack", f"Cross-section of the stack {stack.name}")
            return atomic_write_bytes(path, ('<?xml version="1.0" encoding="UTF-8"?>\n' + text).encode("utf-8"))
        buffer = BytesIO()
        canvas: Any = FigureCanvasAgg(figure)
        canvas.print_png(buffer, metadata={"Software": None})
        return atomic_write_bytes(path, buffer.getvalue())


def _draw(stack: Stack, figure: Figure) -> None:
    axes = figure.subplots()
    wide = _LINES * max(m.min_width + m.min_space for m in stack.metals) * NM
    top = stack.dielectrics[-1].slab.top * NM
    for k, film in enumerate(stack.dielectrics):
        low, high = film.slab.bottom * NM, film.slab.top * NM
        axes.add_patch(Rectangle((0, low), wide, high - low, color=_FILMS[k % 2], linewidth=0))
        axes.text(
            0.01 * wide, low + 0.01 * top, f"{film.name}, k {film.slab.k:g}", va="bottom", fontsize=8.5, color=SOFT
        )
    middles = {}
    for metal in stack.metals:
        pitch, width, bottom = (v * NM for v in (metal.min_width + metal.min_space, metal.min_width, metal.bottom))
        count = max(1, int(wide / pitch + 1e-9))
        start = (wide - (count - 1) * pitch) / 2
        for k in range(count):
            left = start + k * pitch - width / 2
            axes.add_patch(Rectangle((left, bottom), width, metal.thickness * NM, color=SERIES[0], linewidth=0))
        middles[metal.name] = start + (count // 2) * pitch
        words = (
            f"{metal.name}: {bottom:.5g} to {bottom + metal.thickness * NM:.5g} nm, width/space {width:.4g}/"
            f"{metal.min_space * NM:.4g} nm, {metal.sheet_resistance:.3g} ohm/sq"
        )
        axes.text(1.02 * wide, bottom + metal.thickness * NM / 2, words, va="center", fontsize=8.5, color=INK)
    for via in stack.vias:
        size, bottom = via.size * NM, stack.metal(via.below).top * NM
        axes.add_patch(
            Rectangle((middles[via.below] - size / 2, bottom), size, via.height * NM, color=SERIES[1], linewidth=0)
        )
    axes.set(xlim=(0, wide), ylim=(0, top), xlabel="nm", ylabel="height above the substrate, nm")
    axes.grid(visible=False)
    axes.set_title(f"{stack.name}: {stack.title}")

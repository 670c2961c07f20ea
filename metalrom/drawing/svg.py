"""A small canvas that writes SVG text: escaped, with fixed number formatting, so equal input gives equal bytes."""

import re
from collections.abc import Iterable
from html import escape

from characterization.charts import INK as INK
from characterization.charts import SOFT as SOFT

Xy = tuple[float, float]
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")

CHAR_WIDTH = 0.58
"""Mean advance of a character in ems (sans serif), to decide whether a text fits."""


def clean(text: str) -> str:
    """`text` without characters that XML forbids, escaped for element text and attributes."""
    return escape(_CONTROL.sub("�", text), quote=True)


def svg_number(value: float) -> str:
    """Two decimals without trailing zeros."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def text_width(text: str, size: float) -> float:
    """Estimated width of a text, pixels."""
    return len(text) * size * CHAR_WIDTH


class Canvas:
    """Collects shapes (pixel coordinates, y down) and writes one `<svg>` element without ids or external references."""

    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self.height = height
        self._parts: list[str] = []

    def _shape(self, tag: str, attributes: dict[str, str | float | None]) -> str:
        words = [
            f'{key.replace("_", "-")}="{svg_number(value) if isinstance(value, (int, float)) else clean(value)}"'
            for key, value in attributes.items()
            if value is not None
        ]
        return f"<{tag} {' '.join(words)}"

    def rect(self, x: float, y: float, width: float, height: float, **style: str | float | None) -> None:
        """Rectangle with its upper left corner at (x, y)."""
        self._parts.append(self._shape("rect", {"x": x, "y": y, "width": width, "height": height, **style}) + "/>")

    def line(self, start: Xy, end: Xy, **style: str | float | None) -> None:
        """Straight line."""
        ends: dict[str, str | float | None] = {"x1": start[0], "y1": start[1], "x2": end[0], "y2": end[1]}
        self._parts.append(self._shape("line", {**ends, "stroke": INK, **style}) + "/>")

    def polygon(self, points: Iterable[Xy], **style: str | float | None) -> None:
        """Closed polygon."""
        path = " ".join(f"{svg_number(x)},{svg_number(y)}" for x, y in points)
        self._parts.append(self._shape("polygon", {"points": path, **style}) + "/>")

    def polyline(self, points: Iterable[Xy], **style: str | float | None) -> None:
        """Open line through points."""
        path = " ".join(f"{svg_number(x)},{svg_number(y)}" for x, y in points)
        self._parts.append(self._shape("polyline", {"points": path, "fill": "none", "stroke": INK, **style}) + "/>")

    def path(self, steps: str, **style: str | float | None) -> None:
        """Path of ready-made steps (`M0 0h1v1z`): many shapes of one colour in little text."""
        self._parts.append(self._shape("path", {"d": steps, **style}) + "/>")

    def circle(self, centre: Xy, radius: float, **style: str | float | None) -> None:
        """Circle."""
        self._parts.append(self._shape("circle", {"cx": centre[0], "cy": centre[1], "r": radius, **style}) + "/>")

    def text(self, at: Xy, text: str, *, size: float = 12, anchor: str = "start", **style: str | float | None) -> None:
        """Text with its baseline at `at`; `anchor` is start, middle or end."""
        base: dict[str, str | float | None] = {"x": at[0], "y": at[1], "font-size": size, "fill": INK}
        if anchor != "start":
            base["text-anchor"] = anchor
        style = {key.replace("_", "-"): value for key, value in style.items()}
        self._parts.append(f"{self._shape('text', {**base, **style})}>{clean(text)}</text>")

    def turned(self, at: Xy, text: str, *, size: float = 12, **style: str | float | None) -> None:
        """Text centred on `at`, reading upwards."""
        turn = f"rotate(-90 {svg_number(at[0])} {svg_number(at[1])})"
        self.text((at[0], at[1] + size * 0.35), text, size=size, anchor="middle", transform=turn, **style)

    def dimension(self, start: Xy, end: Xy, text: str, *, size: float = 11, shift: float = 0.0) -> None:
        """Horizontal or vertical dimension line with ticks; the text beside it, moved outwards by `shift` pixels."""
        self.line(start, end, stroke=SOFT, stroke_width=0.9)
        across = (0.0, 4.0) if start[1] == end[1] else (4.0, 0.0)
        for x, y in (start, end):
            tick = (x - across[0], y - across[1]), (x + across[0], y + across[1])
            self.line(*tick, stroke=SOFT, stroke_width=0.9)
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        if start[1] == end[1]:
            self.text((middle[0], middle[1] + size + 3 + shift), text, size=size, anchor="middle", fill=SOFT)
        else:
            self.text((middle[0] + 7 + shift, middle[1] + size * 0.35), text, size=size, fill=SOFT)

    def render(self, label: str, description: str = "") -> str:
        """The SVG element; `label` is its accessible name, `description` a sentence for readers who cannot see it."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {svg_number(self.width)} '
            f'{svg_number(self.height)}" width="{svg_number(self.width)}" height="{svg_number(self.height)}" '
            f'font-family="system-ui, \'DejaVu Sans\', Arial, sans-serif" aria-label="{clean(label)}">'
        )
        title = f"<title>{clean(label)}</title>" + (f"<desc>{clean(description)}</desc>" if description else "")
        return "\n".join([head + title, *self._parts, "</svg>"]) + "\n"

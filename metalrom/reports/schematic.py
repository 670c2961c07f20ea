"""Two small drawings without simulated content: how one column is read, and a density bar against a reference."""

from typing import Literal

from metalrom.drawing.palette import PAINT
from metalrom.drawing.svg import INK, SOFT, Canvas, text_width
from metalrom.formatting import amount, known
from metalrom.reports.content import Reference, ReportHeadline

_ROWS = (("1", "1"), ("1", "0"), ("0", "1"))  # (driven input bit, stored weight bit) of the drawn cells
_SIGNED_ROWS = (("1", "+1"), ("1", "0"), ("1", "-1"))  # the same of ternary cells


_PAIRS = {"+1": ("1", "0"), "0": ("0", "0"), "-1": ("0", "1")}  # what the plus and the minus column store
_MINUS = 164.0
"""Distance of the minus column's bit line from that of the plus column."""


def read_schematic(unit: Literal["V", "A"], rows: int, *, signed: bool = False, pair: bool = False) -> str:
    """One column as a circuit: row drivers, cells, reset switch or virtual ground, ADC; three of `rows` rows drawn.

    unit V: capacitive cells on a floating bit line; unit A: resistive cells into a virtual ground. signed: cells that
    add +1, 0 or -1. pair: a plus and a minus column of binary cells, whose difference is converted.
    """
    canvas = Canvas(640, 346)
    row, line = PAINT["signal"].fill, PAINT["bitline"].fill
    x, ys = 372.0, (106.0, 166.0, 246.0)
    canvas.line((x, 62), (x, 292), stroke=line, stroke_width=4)
    canvas.text((x + 10, 86), "plus bit line" if pair else "bit line", size=13, fill=line, font_weight="600")
    if pair:
        canvas.line((x + _MINUS, 62), (x + _MINUS, 318), stroke=line, stroke_width=4)
        canvas.line((x + _MINUS, 318), (x + 52, 318), stroke=line, stroke_width=2)
        canvas.text((x + _MINUS + 10, 86), "minus", size=13, fill=line, font_weight="600")
    for (driven, stored), y in zip(_SIGNED_ROWS if signed or pair else _ROWS, ys, strict=True):
        high = driven == "1"
        canvas.text((26, y + 5), driven, size=15, anchor="middle", font_weight="700", fill=row if high else SOFT)
        canvas.line((38, y), (64, y), stroke_width=1.5)
        canvas.polygon(((64, y - 15), (64, y + 15), (92, y)), fill="#fff4e2", stroke=INK, stroke_width=1.4)
        canvas.line((92, y), (x - 60, y), stroke=row if high else "#c9a877", stroke_width=4)
        if not pair:
            _cell(canvas, unit, x, y, stored, signed=signed)
            continue
        paint = row if high else "#c9a877"
        canvas.polyline([(x - 60, y), (x - 60, y + 22), (x + _MINUS - 60, y + 22), (x + _MINUS - 60, y)],
                        stroke=paint, stroke_width=2)  # fmt: skip
        for place, bit in zip((x, x + _MINUS), _PAIRS[stored], strict=True):
            _cell(canvas, unit, place, y, bit, signed=False, described=False)
        canvas.text((x + _MINUS + 14, y + 4), f"weight {stored}", size=12.5)
    canvas.text((4, 62), "input bits", size=13, fill=SOFT)
    canvas.line((26, 68), (26, 86), stroke=SOFT, stroke_width=0.8)
    canvas.text((78, 40), "row drivers", size=13, fill=SOFT, anchor="middle")
    canvas.line((78, 46), (78, 88), stroke=SOFT, stroke_width=0.8)
    canvas.text((200, ys[0] - 12), "row (word line)", size=13, fill=PAINT["signal"].side, anchor="middle")
    canvas.text((200, 212), f"… {rows} rows in one group …", size=13, fill=SOFT, anchor="middle")
    if unit == "V":
        for place in (x, x + _MINUS) if pair else (x,):
            canvas.line((place, 62), (place, 52), stroke_width=1.5)
            canvas.line((place, 52), (place + 15, 30), stroke_width=1.8)
            canvas.circle((place, 52), 2.6, fill=INK)
            canvas.circle((place, 28), 2.6, fill=INK)
            canvas.line((place, 28), (place, 14), stroke_width=1.5)
        canvas.text((x - 16, 44), "reset switch", size=13, anchor="end")
        canvas.text((x + 10, 18), "reset level", size=13, fill=SOFT)
    else:
        canvas.text((x + 10, 290), "held at a virtual ground", size=13, fill=SOFT)
    _converter(canvas, x, "difference" if pair else "code = count")
    sense = "sampled voltage" if unit == "V" else "summed current"
    what = "a pair of columns" if pair else "one column"
    return canvas.render(f"How {what} is read", f"Row drivers, cells, bit line, {sense}, ADC and shift-add.")


_SIGNED_WORDS = {
    "+1": "weight +1: raises the level",
    "0": "weight 0: no via, adds nothing",
    "-1": "weight -1: lowers the level",
}


def _cell(canvas: Canvas, unit: str, x: float, y: float, stored: str, *, signed: bool, described: bool = True) -> None:
    """One cell between its row (at x - 60) and the bit line (at x): a capacitor pair or a resistor with its via."""
    on = stored != "0"
    via = PAINT["via" if on else "via0"].fill
    canvas.circle((x - 60, y), 5.5, fill=via if on or unit == "V" else "#ffffff", stroke=via, stroke_width=2)
    if unit == "V":
        faint = None if on else "3 3"
        canvas.line((x - 54, y), (x - 34, y), stroke_width=1.5, stroke_dasharray=faint)
        for plate in (x - 34, x - 26):
            canvas.line((plate, y - 12), (plate, y + 12), stroke_width=2.4, stroke=INK if on else SOFT)
        canvas.line((x - 26, y), (x, y), stroke_width=1.5, stroke_dasharray=faint)
        words = "weight 1: couples fully" if on else "weight 0: couples little"
        words = _SIGNED_WORDS.get(stored, words) if signed else words
    else:
        zigzag = [(x - 48 + 4 * i, y + (0, -7, 7)[(i % 2 + 1) if 0 < i < 8 else 0]) for i in range(9)]
        canvas.line((x - 55, y), (x - 48, y), stroke_width=1.5)
        if on:
            canvas.polyline(zigzag, stroke_width=1.6)
            canvas.line((x - 16, y), (x, y), stroke_width=1.5)
        words = "weight 1: resistor connected" if on else "weight 0: open"
    canvas.circle((x, y), 3.2, fill=PAINT["bitline"].fill)
    if described:
        canvas.text((x + 14, y + 4), words, size=12.5, fill=INK if on else SOFT)


def _converter(canvas: Canvas, x: float, text: str) -> None:
    """ADC and digital shift-add under the bit line. text: what a code is."""
    canvas.rect(x - 52, 296, 104, 44, fill="#e8f0fa", stroke=PAINT["bitline"].side, stroke_width=1.4, rx=5)
    canvas.text((x, 316), "ADC", size=14, anchor="middle", font_weight="700")
    canvas.text((x, 332), text, size=11.5, anchor="middle", fill=SOFT)
    canvas.line((x - 52, 318), (x - 92, 318), stroke_width=1.5)
    canvas.polygon(((x - 92, 313), (x - 102, 318), (x - 92, 323)), fill=INK)
    canvas.rect(x - 262, 296, 160, 44, fill="#f2f4f6", stroke=SOFT, stroke_width=1.2, rx=5)
    canvas.text((x - 182, 314), "digital shift-add", size=13.5, anchor="middle", font_weight="600")
    canvas.text((x - 182, 331), "over groups, planes, bits", size=11.5, anchor="middle", fill=SOFT)


def density_bar(headline: ReportHeadline, reference: Reference | None) -> str:
    """Bars of the density of the cells alone, of stored bits and of weight bits with the periphery, against the
    reference line; Mb/mm2."""
    figures = [("cells alone", headline.density_raw), ("with periphery", headline.density_macro)]
    if headline.weight_density is not None and known(headline.weight_density.mid):
        figures.append(("weight bits of it", headline.weight_density))
    values = [f.mid for _, f in figures if known(f.mid)]
    scale = max([*values, reference.value if reference else 0.0, 1e-12]) * 1.12
    left, width, right = 118.0, 330.0, 60.0
    bottom = 6.0 + 28 * len(figures)
    canvas = Canvas(left + width + right, bottom + (22 if reference else 2))
    for k, (label, figure) in enumerate(figures):
        y = 4.0 + 28 * k
        weight = "700" if k == 1 else "400"
        canvas.text((left - 8, y + 16), label, size=13, anchor="end", font_weight=weight)
        length = 0.0
        if known(figure.mid):
            length = figure.mid / scale * width
            canvas.rect(left, y, length, 22, fill=PAINT["bitline"].top if k == 0 else PAINT["bitline"].fill)
        text = amount(figure.mid, figure.unit)
        need = text_width(text, 13) + 12
        if reference and length < reference.value / scale * width < length + need:
            length = reference.value / scale * width
        canvas.text((left + length + 6, y + 16), text, size=13, font_weight=weight)
    if reference:
        at = left + reference.value / scale * width
        canvas.line((at, 0), (at, bottom), stroke=PAINT["via"].fill, stroke_width=1.8, stroke_dasharray="5 3")
        anchor = "end" if at > left + width / 2 else "start"
        canvas.text((min(at + 62, left + width + right), bottom + 15), f"{reference.value:g}: {reference.label}",
                    size=12, anchor=anchor, fill=PAINT["via"].side)  # fmt: skip
    return canvas.render("Density against the published reference", reference.source if reference else "")

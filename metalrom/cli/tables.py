"""Tables on a terminal of any width: a number stays in one piece, a word is broken only where it alone is too wide."""

from __future__ import annotations

import textwrap

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

INDENT = "  "


def fitted(shown: RenderableType, console: Console) -> RenderableType:
    """`shown` with its tables laid out for the console's width.

    Right-aligned columns, which hold numbers, keep their width; the others share the rest and wrap between words. What
    still is too wide becomes a list: a row's first texts, below them every number with its heading.
    """
    if isinstance(shown, Group):
        return Group(*(fitted(part, console) for part in shown.renderables))
    if not isinstance(shown, Table) or not shown.columns:
        return shown
    cells = [[_plain(c, console) for c in (column.header, *column.cells)] for column in shown.columns]
    natural = [max((_longest(text, "\n") for text in column), default=0) for column in cells]
    least = [
        width if _holds_numbers(column) else max((_longest(text, None) for text in texts), default=0)
        for column, width, texts in zip(shown.columns, natural, cells, strict=True)
    ]
    room = console.width - _frame(shown)
    if sum(least) > room:
        return _listed(shown, cells, console.width)
    for column, width in zip(shown.columns, _shared(least, natural, room), strict=True):
        column.width, column.no_wrap, column.overflow = width, False, "fold"
    return shown


def _plain(cell: RenderableType, console: Console) -> str:
    if isinstance(cell, Text):
        return cell.plain
    return console.render_str(cell).plain if isinstance(cell, str) else str(cell)


def _longest(text: str, separator: str | None) -> int:
    return max((len(part) for part in text.split(separator)), default=0)


def _holds_numbers(column: Column) -> bool:
    return column.justify == "right"


def _frame(table: Table) -> int:
    """Width of everything but the text: borders, and blanks beside every column."""
    columns = len(table.columns)
    _, right, _, left = Padding.unpack(table.padding)
    borders = columns - 1 + 2 * table.show_edge if table.box else 0
    return borders + columns * (left + right)


def _shared(least: list[int], natural: list[int], room: int) -> list[int]:
    """Widths from `least` up to `natural`, the narrowest that still want more served first; their sum is at most
    `room`."""
    widths, left = list(least), room - sum(least)
    while left > 0 and (wanting := [k for k, width in enumerate(widths) if width < natural[k]]):
        widths[min(wanting, key=widths.__getitem__)] += 1
        left -= 1
    return widths


def _listed(table: Table, cells: list[list[str]], width: int) -> Group:
    """The table as a list, one entry per row."""
    headings = [texts[0] for texts in cells]
    texts = [k for k, column in enumerate(table.columns) if not _holds_numbers(column)]
    first = texts[0] if texts else 0
    lines: list[RenderableType] = []
    if table.title:
        lines.append(Text.from_markup(table.title) if isinstance(table.title, str) else table.title)
    for row in zip(*(column[1:] for column in cells), strict=True):
        values = [
            f"{headings[k]} {', '.join(row[k].splitlines())}".strip()
            for k in range(len(row))
            if k != first and row[k].strip() not in ("", "-")
        ]
        lines.append(Text(" ".join(row[first].split()) or "-", style="bold", no_wrap=False))
        kept = "; ".join(value.replace(" ", "\u00a0") for value in values)  # a value and its heading stay on one line
        below = textwrap.wrap(kept, width, initial_indent=INDENT, subsequent_indent=INDENT, break_on_hyphens=False)
        lines += [Text(line.replace("\u00a0", " ")) for line in below]
    if table.caption:
        lines.append(Text.from_markup(table.caption) if isinstance(table.caption, str) else table.caption)
    return Group(*lines)

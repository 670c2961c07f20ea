"""The output folder of a comparison: cells.json, cells.html (one self-contained page) and its pictures."""

import json
from pathlib import Path

from markupsafe import Markup

from interconnect.files import atomic_write_text
from interconnect.jsonable import to_jsonable
from metalrom.folders import ensure_output_folder
from metalrom.formatting import amount
from metalrom.reports.html import page_environment
from metalrom.studies.cells.comparison import SOURCES, CellsPage
from metalrom.studies.cells.figures import colour, level_figure, summary_figure
from metalrom.studies.cells.show import LINES, cells_document

TEMPLATE = "cells.html.j2"


def write_page(page: CellsPage, out: Path) -> list[Path]:
    """Write the folder; each file appears whole or not at all. Raises InputError if it cannot be written."""
    folder = ensure_output_folder(out)
    pictures = cells_figures(page)
    written = [atomic_write_text(folder / "cells.json", json.dumps(to_jsonable(cells_document(page)), indent=1) + "\n")]
    for stem, text in pictures.items():
        written.append(atomic_write_text(folder / f"{stem}.svg", '<?xml version="1.0" encoding="UTF-8"?>\n' + text))
    written.append(atomic_write_text(folder / "cells.html", render_cells_page(page, pictures)))
    return written


def cells_figures(page: CellsPage) -> dict[str, str]:
    """Every picture as SVG text, by file stem."""
    out = {f"levels_{rows}": level_figure(page.at(rows), f"levels{rows}") for rows in page.rows}
    return {**out, "summary": summary_figure(page, "summary")}


def render_cells_page(page: CellsPage, pictures: dict[str, str]) -> str:
    """The page as text: inline SVG and CSS, no script, no network."""
    environment = page_environment(TEMPLATE)
    environment.filters["amount"] = amount
    groups = list(dict.fromkeys(line.group for line in LINES))
    cells = {r.fact.letter: r for r in page.readings}
    return environment.get_template(TEMPLATE).render(
        page=page,
        svg={stem: Markup(text) for stem, text in pictures.items()},  # noqa: S704 - written by this package, escaped
        groups=[(name, [line for line in LINES if line.group == name]) for name in groups],
        sources=SOURCES,
        cells=list(cells.values()),
        colour=colour,
    )

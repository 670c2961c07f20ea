"""A difference on the terminal: what flipped, what went in, what came out, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from interconnect.errors import shortened
from metalrom import formatting as words
from metalrom.specs.result import format_value
from metalrom.studies.diff.changes import Attribution, Difference, FigureChange

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

NO_DIFFERENCE = "no difference"
_WIDEST = 44


def difference_tables(d: Difference) -> Group | str:
    """Tables, most important first; one line where nothing differs."""
    if d.same:
        return NO_DIFFERENCE
    parts: list[Table | Text] = [Text(f"{d.old} -> {d.new}", "bold"), Text(why(d))]
    parts += [Text(f"proved: {line}") for line in d.evidence]
    if d.specs:
        rows = [
            (s.spec, f"{s.old} {s.old_value}".strip(), f"{s.new} {s.new_value}".strip(), _because(s.attribution))
            for s in d.specs
        ]
        parts.append(_table("Specifications", ("specification", "old", "new", "because of"), rows))
    if d.conditions:
        parts.append(
            _table("Conditions", ("condition", "old", "new"), [(c.condition, c.old, c.new) for c in d.conditions])
        )
    if d.causes:
        inputs = [(str(c.kind), c.name, _short(c.old), _short(c.new), _reach(c.effect)) for c in d.causes]
        parts.append(_table("What went in", ("", "input", "old", "new", "can change"), inputs))
    if d.figures:
        heads = ("", "figure", "condition", "old", "new", "difference", "relative", "because of")
        parts.append(_table("What came out", heads, [_figure(f) for f in d.figures], right=(3, 4, 5, 6)))
    if d.files and not (d.figures or d.specs or d.conditions or d.causes):
        parts.append(Text(f"no figure differs, but these files do: {', '.join(d.files)}"))
    return Group(*parts)


def why(d: Difference) -> str:
    """One sentence: which input the changed figures come from, as far as it can be proved."""
    a = d.attribution
    if a.verdict == "nothing changed":
        return "no figure and no verdict changed"
    if a.verdict == "proved":
        return f"figures changed because of {a.causes[0]}: no other recorded input that can change them differs"
    if a.verdict == "candidates":
        return f"figures changed; candidates, not distinguished by these two runs: {', '.join(a.causes)}"
    return "figures changed, but no recorded input that can change them did (a changed working copy is not recorded)"


def _figure(f: FigureChange) -> tuple[str, ...]:
    return (
        f.section,
        f.name,
        f.condition or "any",
        "-" if f.old is None else format_value(f.old, f.unit),
        "-" if f.new is None else format_value(f.new, f.unit),
        "-" if f.absolute is None else _signed(f.absolute, f.unit),
        "-" if f.relative is None else f"{100 * f.relative:+.3g} %",
        _because(f.attribution),
    )


def _signed(value: float, unit: str) -> str:
    return ("+" if value >= 0 else "") + (
        f"{value:.2g}" if unit == "" else words.amount(value, unit, places=3).replace("\u00a0", " ")
    )


def _because(a: Attribution) -> str:
    if a.verdict == "proved":
        return a.causes[0]
    if a.verdict == "candidates":
        return f"one of {len(a.causes)}: {shortened(', '.join(a.causes), _WIDEST)}"
    return "nothing recorded" if a.verdict == "unexplained" else ""


def _reach(effect: str) -> str:
    return {"figures": "figures", "specs": "verdicts only", "nothing": "no figure"}[effect]


def _short(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 13]}...{text[-10:]}"


def _table(
    title: str, headings: tuple[str, ...], rows: Sequence[tuple[str, ...]], right: tuple[int, ...] = ()
) -> Table:
    table = Table(title=f"\n{title}", title_justify="left", title_style="bold", box=None, pad_edge=False)
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="right" if index in right else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    return table

"""The tables of `compare`, none of them wider than 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from metalrom.macro.quantity import Span
from metalrom.studies.systems.comparison import BASELINE, SystemComparison
from metalrom.studies.systems.description import SourcedNumber
from metalrom.studies.systems.placement import PlacedNetwork, Rule
from metalrom.studies.systems.published_check import CheckOutcome

WIDTH = 80
"""Columns of the narrowest terminal that the tables are laid out for."""


def comparison_view(found: SystemComparison, outcomes: Sequence[CheckOutcome], placed: PlacedNetwork) -> Group:
    """The published results recomputed, one line for every case and system, and the placed network."""
    return Group(
        _checks(outcomes),
        _cases(found),
        _lines(_case_rules(found)),
        _stated(placed),
        _placed(placed),
        _lines(_placed_rules(placed)),
        _phases(placed),
    )


def _lines(sentences: Sequence[str]) -> Text:
    """Sentences, each on lines of its own, narrow enough for every terminal."""
    return Text("\n".join(line for sentence in sentences for line in textwrap.wrap(sentence, WIDTH)))


def _table(title: str, text: Sequence[str], numbers: Sequence[str], last: Sequence[str] = ()) -> Table:
    table = Table(title=title, title_justify="left", padding=0)
    for heading in text:
        table.add_column(heading)
    for heading in numbers:
        table.add_column(heading, justify="right")
    for heading in last:
        table.add_column(heading)
    return table


def _checks(outcomes: Sequence[CheckOutcome]) -> Table:
    table = _table(
        "Published results, recomputed from their published inputs",
        ("no.", "check"),
        ("reference", "computed", "tolerance"),
        ("unit", ""),
    )
    for outcome in outcomes:
        c = outcome.check
        shown = [f"{value:,.0f}" if c.unit == "" else f"{value:.6g}" for value in (c.reference, outcome.computed)]
        table.add_row(c.number, c.what, *shown, f"{c.tolerance:g}", c.unit, "ok" if outcome.ok else "FAILED")
    return table


def _cases(found: SystemComparison) -> Table:
    table = _table(
        "Energy of one inference and gain", ("network", "system"), ("mJ", "reload ms", "gain", "least", "most")
    )
    for case in found.cases:
        head = f"{case.inventory.model} {case.size}, {case.area:.3g} mm2"
        for r in case.results:
            gain = [f"{value:.3g}x" for value in (r.gain.mid, r.gain.low, r.gain.high)]
            shown = ["", "", ""] if r.system == BASELINE else gain
            table.add_row(head, r.system, f"{1e3 * r.energy['mid'].total:.3g}", f"{1e3 * r.reload:.3g}", *shown)
            head = ""
        span = case.full_deployment
        table.add_row("", "all on chip", "", "", f"{span.mid:.3g}x", f"{span.low:.3g}x", f"{span.high:.3g}x")
        table.add_section()
    return table


def _case_rules(found: SystemComparison) -> list[str]:
    macro = found.macro
    rules = "the area at which the metal ROM holds everything" if found.area is None else f"{found.area:g} mm2"
    expected = "the shipped example; --macro OUT takes a run of yours" if macro.example else "the given run"
    return [
        f"Every system gets {rules}.",
        f"All areas are scaled to {found.node:g} nm; {found.bits.weights}-bit weights, {found.bits.inputs}-bit inputs; "
        f"attention: {found.attention}.",
        "Gain: energy of SRAM-CiM with DRAM reload over the system's, middle, and extremes over all assumptions' ends. "
        "All on chip: SRAM-CiM without any reload.",
        f"Metal ROM: {expected}: {macro.origin}; {macro.density.mid:.3g} Mb/mm2 ({macro.cell_density.mid:.3g} without "
        f"periphery), {macro.efficiency.mid:.2g} TOPS/W.",
        *(f"WARNING: {warning}" for warning in macro.warnings),
    ]


def _stated(placed: PlacedNetwork) -> Table:
    table = _table(
        "What the systems state of themselves",
        ("system",),
        ("nm", "bits", "Mb/mm2", "tokens/s", "tok/J", "masks", "NRE M$"),
        ("rests on",),
    )
    for chip in placed.systems:
        facts = (chip.node, chip.weight_bits, chip.density, chip.rate, chip.tokens_per_joule, chip.masks, chip.nre)
        table.add_row(chip.name, *map(_fact, facts), chip.evidence)
    return table


def _placed(placed: PlacedNetwork) -> Table:
    work = placed.work
    size = f"{work.demand.weights:,} ternary weights"
    title = f"{work.model}, {size}, at {placed.placer.node:g} nm, {work.context} tokens"
    table = _table(title, ("system",), ("cells mm2", "chip mm2", "tokens/s", "mJ/token", "masks"), ("rules",))
    for row in placed.rows:
        energy = None if row.energy is None else row.energy * 1e3
        mark = "" if row.scaled_area or row.area is None else "*"
        words = ", ".join(
            f"{what}: {_WORDS[rule]}" for what, rule in (("rate", row.rate_rule), ("energy", row.energy_rule)) if rule
        )
        cells, area = (f"{_span(span)}{mark if span else ''}" for span in (row.cells, row.area))
        table.add_row(row.system, cells, area, _span(row.rate), _span(energy), _fact(row.masks), words)
    return table


_WORDS: dict[Rule, str] = {
    "stated": "stated",
    "efficiency": "efficiency",
    "scaled": "by weight bits",
    "timed": "timed",
}


def _placed_rules(placed: PlacedNetwork) -> list[str]:
    energy, time = placed.output_table
    macro = placed.placer.macro
    lines = [
        f"Metal ROM: {macro.origin}; {macro.ternary_columns} column(s) to a weight, code error {macro.code_error:.2g}.",
        *(f"WARNING: {warning}" for warning in macro.warnings),
        "Middle of all ranges, which --json holds with their sources. *: no node is stated, nothing is scaled.",
        "Without efficiency, rate or density of its own a system has a dash. Chip: with periphery and SRAM share.",
    ]
    if placed.work.shared_table:
        lines.append(
            f"Not in it: the output layer, {placed.work.shared_table:,} numbers shared with the word table; from DRAM "
            f"at 8 bits it takes {1e3 * energy:.3g} mJ and {1e3 * time:.3g} ms of every token, on every system alike."
        )
    return lines


def _phases(placed: PlacedNetwork) -> Table:
    table = _table(
        "By phase and context",
        ("phase",),
        ("context",),
        ("system",),
    )
    for heading in ("mJ/token", "attention %", "us/token", "reload %"):
        table.add_column(heading, justify="right")
    table.add_column("cache")
    for p in placed.phases:
        table.add_row(
            p.phase,
            str(p.context),
            p.system,
            _number(1e3 * p.energy),
            f"{100 * p.attention_share:.3g}",
            _number(1e6 * p.time),
            f"{100 * p.reload_time / p.time:.3g}",
            "on chip" if p.cache_on_chip else "DRAM",
        )
    return table


def _fact(fact: SourcedNumber | None) -> str:
    return "-" if fact is None else _number(fact.mid)


def _span(span: Span | None) -> str:
    return "-" if span is None else _number(span.mid)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"

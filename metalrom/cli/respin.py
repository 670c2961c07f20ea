"""What the command `respin` does: masks, vias, money, yield and time between two models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metalrom.cli import completion as known
from metalrom.cli.console import emit, say
from metalrom.cli.options import Json, one_of

if TYPE_CHECKING:
    from rich.console import Group

    from metalrom.studies.respin.report import RespinReport


def compare_models(
    first: Annotated[Path, typer.Argument(metavar="A", help="layout (.gds, .oas) or output folder of a run")],
    second: Annotated[Path, typer.Argument(metavar="B", help="the same of another model")],
    node: Annotated[float | None, typer.Option(metavar="NM", help="default: that of the layouts' metal stack")] = None,
    chips: Annotated[int, typer.Option(min=1, help="different chips that hold a model")] = 1,
    exposures: Annotated[int, typer.Option("--masks-per-layer", min=1, help="masks of a layer that changes")] = 1,
    devices: Annotated[float, typer.Option(metavar="N", help="devices in the field")] = 1e6,
    place: Annotated[
        str, one_of(known.WORKLOADS, "network, taken as ternary, that area, yield and energy are for", "NAME|FILE")
    ] = "bitnet-2b",
    json: Json = False,
) -> None:
    """Masks and vias that a new model changes, their cost, yield of the vias, break-even against DRAM."""
    from metalrom.studies.respin.report import respin_report

    found = respin_report(first, second, node=node, chips=chips, exposures=exposures, devices=devices, model=place)
    emit(found.to_dict(), as_json=json, human=lambda: _view(found))
    if not found.difference.only_cuts:
        say("WARNING: more than layers of vias differ: these are not two models on one design")


def _view(found: RespinReport) -> Group:
    import textwrap

    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from metalrom.macro.quantity import Span
    from metalrom.macro.via_yield import NOT_REPAIRED, STOCK_RATES

    def table(title: str, text: str, *numbers: str) -> Table:
        made = Table(title=title, title_justify="left", padding=0)
        made.add_column(text)
        for heading in numbers:
            made.add_column(heading, justify="right")
        return made

    def money(span: Span, scale: float = 1.0) -> str:
        return f"{span.mid * scale:,.3g} M$ ({span.low * scale:.3g} to {span.high * scale:.3g})"

    layers = table("Layers of the two layouts", "layer", "shapes in A", "in B", "removed", "added", "new mask")
    for layer in found.difference.layers:
        counts = (layer.first, layer.second, layer.removed, layer.added)
        layers.add_row(layer.name, *(f"{n:,}" for n in counts), "yes" if layer.changed else "")
    yields = table(
        f"Yield of {found.work.demand.weights:,} weights", "repair", "missing vias", "bit lines", "rows", "all"
    )
    names = ("none", "check columns", "check and spare columns")
    for name, part in zip(names, found.yields, strict=True):
        shares = (part.missing_vias, part.bit_lines, part.rows, part.total)
        yields.add_row(name, *(f"{100 * share:.4g} %" for share in shares))
    bill, e = found.bill, found.economics
    volume = "never" if e.volume is None else f"{e.volume:,.0f} devices"
    interval = "no update pays" if e.interval is None else f"{e.interval:.2g} years"
    last = found.yields[-1]
    lines = [
        f"Masks: {len(bill.changed)} layers, {bill.masks} masks for {bill.chips} chip(s) at {bill.node:g} nm "
        f"(prices of {bill.priced.node:g} nm, {bill.priced.masks} masks in a set).",
        f"Masks of the first model {money(bill.whole)}; of a new one {money(bill.respin)}.",
        f"From a checkpoint to chips: {e.days.mid:.0f} days ({e.days.low:.0f} to {e.days.high:.0f}), wafers waiting "
        f"below the lowest layer that changes.",
        f"Yield: {100 * last.protection.overhead:.3g} % more columns for checks, {last.protection.spares} writable "
        f"spare column per plane and tile; rates: {STOCK_RATES.source}.",
        *(f"Not repaired: {words}." for words in NOT_REPAIRED),
        f"{found.work.model} on {found.use.area:.3g} mm2: a chip {e.chip:.3g} $, processor and DRAM {e.other:.3g} $; "
        f"energy {1e3 * found.use.energy:.3g} and {1e3 * found.use.energy_there:.3g} mJ per token.",
        f"Saving over a life: {e.saving:.3g} $ per device, of which energy {e.energy_saving:.3g} $.",
        f"Break-even: {volume}. Shortest update interval that pays at {e.devices:,.0f} devices: {interval}.",
        "Middle of all inputs; --json holds every input with range, status and source, most of them estimates.",
    ]
    text = Text("\n".join(line for sentence in lines for line in textwrap.wrap(sentence, 80)))
    return Group(layers, yields, text)

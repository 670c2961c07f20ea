"""Cell subcircuits from their templates, checked for the pins that every caller relies on."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from interconnect.errors import InputError
from netlists.cells.base import CellModel
from netlists.render import Slot, has_template, render, user_templates
from netlists.skeleton import Same, Skeleton

PLAIN = "cells/plain.cir.j2"
"""Template of a kind that brings none."""


def cell_subckts(model: CellModel, *, folder: Path | None = None) -> str:
    """The subcircuit definitions of a cell model: template `cells/<kind>.cir.j2`; the model's elements alone where the
    kind has none.

    Raises:
        InputError: the template (a user's, perhaps) does not define a subcircuit of the model with its pins.
    """
    own = f"cells/{model.kind}.cir.j2"
    template = own if has_template(own, folder=folder) else PLAIN
    elements = {v.subckt: {e.name: e for e in v.elements} for v in model.variants}
    text = render(template, {"model": model, "elements": elements}, folder=folder)
    found = subckt_pins(text)
    for variant in model.variants:
        pins = found.get(variant.subckt.lower())
        if pins is None:
            raise InputError(f"it does not define .subckt {variant.subckt}", where=f"template {template}")
        if pins != tuple(p.lower() for p in model.pins):
            raise InputError(
                f".subckt {variant.subckt} has the pins {' '.join(pins)}",
                where=f"template {template}",
                hint=f"it must have {' '.join(model.pins)}, in this order",
            )
    return text.rstrip("\n")


def wired_subckts(model: CellModel, row_wire: float, bl_wire: float, *, folder: Path | None = None) -> str:
    """`cell_subckts` of the model with its row and bit-line wire resistances scaled by two factors.

    model: at its temperature. Raises InputError as `cell_subckts`.
    """

    def whole() -> str:
        wired = model.at(model.reference_temperature, row_wire=row_wire, bl_wire=bl_wire)
        return cell_subckts(wired, folder=folder)

    skeleton = _kept_subckts(Same(model), folder, user_templates(folder))
    if skeleton is None:
        return whole()
    factors = model.wire_factors(row_wire, bl_wire)
    values = {
        f"{v.subckt} {e.name}": e.value * factors[e.name]
        for v in model.variants
        for e in v.elements
        if e.name in factors
    }
    return skeleton.checked(values, whole)


@lru_cache(maxsize=64)
def _kept_subckts(
    model: Same[CellModel], folder: Path | None, _state: tuple[tuple[str, int, int], ...]
) -> Skeleton | None:
    """The subcircuits, open at the wires' resistances; None where the template does more with them than print them."""
    m = model.value
    wires = m.wire_factors(1.0, 1.0)
    variants = tuple(
        replace(
            v,
            elements=tuple(
                replace(e, value=Slot(f"{v.subckt} {e.name}")) if e.name in wires else e  # type: ignore[arg-type]
                for e in v.elements
            ),
        )
        for v in m.variants
    )
    try:
        return Skeleton(cell_subckts(replace(m, variants=variants), folder=folder))
    except InputError:
        return None


def subckt_pins(text: str) -> dict[str, tuple[str, ...]]:
    """Pins of every `.subckt` in a text, lower case (parameters and `params:` left out)."""
    out: dict[str, tuple[str, ...]] = {}
    joined = text.replace("\n+", " ")
    for line in joined.splitlines():
        words = line.lower().split()
        if len(words) >= 2 and words[0] == ".subckt":
            pins: list[str] = []
            for word in words[2:]:
                if "=" in word or word == "params:":
                    break
                pins.append(word)
            out[words[1]] = tuple(pins)
    return out

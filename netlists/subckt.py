"""Cell subcircuits from their templates, checked for the pins that every caller relies on."""

from pathlib import Path

from interconnect.errors import InputError
from netlists.cells.base import CellModel
from netlists.render import render


def cell_subckts(model: CellModel, *, folder: Path | None = None) -> str:
    """The subcircuit definitions of a cell model (template `cells/<kind>.cir.j2`).

    Raises:
        InputError: the template (a user's, perhaps) does not define a subcircuit of the model with its pins.
    """
    template = f"cells/{model.kind}.cir.j2"
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

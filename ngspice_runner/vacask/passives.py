"""R, C, L, controlled sources and coupled inductors."""

from __future__ import annotations

from ngspice_runner.vacask.cards import Card, split_card
from ngspice_runner.vacask.device import Device
from ngspice_runner.vacask.expand import Site

_PASSIVE = {
    "r": ("resistor", "resistor.osdi", "r", ("r", "resistance")),
    "c": ("capacitor", "capacitor.osdi", "c", ("c", "capacitance")),
    "l": ("inductor", "inductor.osdi", "l", ("l", "inductance")),
}
_GAIN = {"e": "vcvs", "g": "vccs", "f": "cccs", "h": "ccvs"}


def passive(card: Card, site: Site, heating: float) -> Device:
    """An R, C or L card by its value. heating: temperature over that of the values (`tnom`), K."""
    module, file, parameter, keys = _PASSIVE[card.text[0]]
    words, given = split_card(card.text)
    assigned = next((given.pop(key) for key in keys if key in given), None)
    if len(words) != (4 if assigned is None else 3):
        raise card.refuse("two nodes and a value are needed (one of a model is not known)")
    value = site.value(words[3] if assigned is None else assigned, card)
    # In parallel: conductances and capacitances add.
    parallel = site.parallel * site.value(given.pop("m", "1"), card)
    first, second = (site.value(given.pop(key, "0"), card) for key in ("tc1", "tc2"))
    value *= 1 + first * heating + second * heating**2
    given.pop("noisy", None)
    if given:
        raise card.refuse(f"parameter {next(iter(given))} is not known")
    value = value * parallel if card.text[0] == "c" else value / parallel
    if value == 0 and card.text[0] != "c":
        raise card.refuse("a value of 0 is replaced by another one in ngspice")
    return Device(site.element(words[0]), _ends(words[1:3], site), module, file, values=((parameter, value),))


def controlled(card: Card, site: Site) -> Device:
    """A linear E, G, F or H card."""
    letter = card.text[0]
    words, given = split_card(card.text)
    parallel = site.value(given.pop("m", "1"), card) * site.parallel
    if given or any(word in words for word in ("poly", "table", "value", "laplace", "vol", "cur")):
        raise card.refuse("only a linear controlled source with a gain is known")
    by_voltage = letter in "eg"
    if len(words) != (6 if by_voltage else 5):
        raise card.refuse("two nodes, what controls it and a gain are needed")
    gain = site.value(words[-1], card) * (parallel if letter in "gf" else 1.0)
    ends = _ends(words[1:5] if by_voltage else words[1:3], site)
    control = "" if by_voltage else site.element(words[3])
    return Device(site.element(words[0]), ends, _GAIN[letter], values=(("gain", gain),), control=control)


def coupling(card: Card, site: Site) -> Device:
    """A K card of two inductors."""
    words, given = split_card(card.text)
    if given or len(words) != 4:
        raise card.refuse("two inductors and a coefficient are needed")
    values = (("k", site.value(words[3], card)),)
    pair = (site.element(words[1]), site.element(words[2]))
    return Device(site.element(words[0]), (), "mutual", values=values, coupled=pair)


def _ends(names: list[str], site: Site) -> tuple[str, ...]:
    return tuple(site.node(name) for name in names)

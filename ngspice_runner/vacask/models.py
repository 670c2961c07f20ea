"""Which compiled module computes a `.model`, and with which parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ngspice_runner.vacask.cards import Card, split_card
from ngspice_runner.vacask.device import Assignments, Device, Library, ModuleParameters
from ngspice_runner.vacask.expand import Site
from ngspice_runner.vacask.expressions import ExpressionError, Scope, evaluate

_MODULES: Mapping[tuple[str, int], tuple[str, str]] = {
    **{("mos", level): (f"spice/mos{level}.osdi", f"sp_mos{level}") for level in (1, 2, 3, 6, 9)},
    **{("mos", level): ("spice/bsim3v3.osdi", "sp_bsim3v3") for level in (8, 49)},
    **{("mos", level): ("spice/bsim4v8.osdi", "sp_bsim4v8") for level in (14, 54)},
    **{("d", level): ("spice/diode.osdi", "sp_diode") for level in (0, 1, 3)},
}
_NAMED = {"psp103va": "psp103v4.osdi"}
"""Modules of the wheel that a model names itself."""
_BINNED = ("lmin", "lmax", "wmin", "wmax")
_SCALED = {"w": 1, "l": 1, "pd": 1, "ps": 1, "sa": 1, "sb": 1, "sd": 1, "ad": 2, "as": 2}
_BSIM3_VERSIONS = {"3.3", "3.30", "3.3.0"}

SWITCH_WIDTH = 1e-3
"""V; over a few of this the switch changes, where ngspice's has a step."""


class ModelTable:
    """Makes devices out of cards that name a model. notes: what was left out, in the words of ngspice's log.

    scale: of lengths on instances.
    """

    def __init__(self, library: Library, scale: float = 1.0) -> None:
        self._library, self._scale = library, scale
        self.notes: dict[str, None] = {}

    def device(self, card: Card, site: Site, pins: int) -> Device:
        """A card of the form `name nodes model parameters`. Raises JobError where it cannot be translated."""
        words, given = split_card(card.text)
        if len(words) > pins + 2 and words[-1] == "off":
            words = words[:-1]
        if len(words) != pins + 2:
            raise card.refuse(f"{pins} nodes and a model are needed")
        name, nodes, called = words[0], words[1:-1], words[-1]
        values = {key: site.value(text, card) for key, text in given.items()}
        parallel = values.pop("m", 1.0) * site.parallel
        if card.text[0] == "m":
            values = {k: v * self._scale ** _SCALED.get(k, 0) for k, v in values.items()}
        model, scope = self._chosen(card, site, called, values)
        file, module, fixed = self._module(model, card)
        known = self._described(file, module, card)
        parameters = list(fixed)
        for key, text in split_card(_without_parentheses(model.text))[1].items():
            if module.startswith("sp_") and key in ("level", "version", *_BINNED):
                continue
            if key not in known.model:
                self.notes[f"Model issue: unrecognized parameter ({key}) - ignored by {module}"] = None
                continue
            try:
                parameters.append((known.model[key], evaluate(text, scope)))
            except ExpressionError as error:
                raise model.refuse(f"{key}: {error}") from None
        instance = []
        for key, value in values.items():
            if key not in known.instance:
                raise card.refuse(f"{module} has no instance parameter {key}")
            instance.append((known.instance[key], value))
        if parallel != 1.0:
            instance.append(("$mfactor", parallel))
        ends = tuple(site.node(node) for node in nodes)
        found: Assignments = tuple(parameters)
        return Device(site.element(name), ends, module, file, found, tuple(instance), factor=parallel)

    def switch(self, card: Card, site: Site) -> Device:
        """An S card of a model without hysteresis."""
        words, given = split_card(card.text)
        if words[-1] in ("on", "off"):
            words = words[:-1]
        if len(words) != 6 or given or words[5] not in site.models or site.parallel != 1.0:
            raise card.refuse("four nodes and a model of type sw are needed")
        model, scope = site.models[words[5]]
        kind = split_card(_without_parentheses(model.text))
        try:
            values = {key: evaluate(text, scope) for key, text in kind[1].items()}
        except ExpressionError as error:
            raise model.refuse(str(error)) from None
        if kind[0][2] != "sw" or values.pop("vh", 0.0) or not values.keys() <= {"vt", "ron", "roff"}:
            raise model.refuse("only a switch of type sw with vt, ron and roff, without hysteresis, is known")
        self.notes[f"Warning: a switch changes over some {SWITCH_WIDTH:g} V around its threshold, not in a step"] = None
        known = {"ron": 1.0, "roff": 1e12, "vt": 0.0} | values | {"width": SWITCH_WIDTH}
        ends = tuple(site.node(node) for node in words[1:5])
        return Device(site.element(words[0]), ends, "metalrom_switch", self._library.switch(), tuple(known.items()))

    def _chosen(self, card: Card, site: Site, called: str, values: Mapping[str, float]) -> tuple[Card, Scope]:
        """The model of that name, or the bin of it that the size lies in."""
        if called in site.models:
            return site.models[called]
        bins = [entry for key, entry in site.models.items() if re.fullmatch(re.escape(called) + r"\.\d+", key)]
        if not bins:
            raise card.refuse(f"model {called} is not defined")
        fingers = values.get("nf", 1.0)
        width, length = values.get("w", 0.0) / fingers, values.get("l", 0.0)
        for entry, scope in bins:
            limits = {k: t for k, t in split_card(_without_parentheses(entry.text))[1].items() if k in _BINNED}
            try:
                l0, l1, w0, w1 = (evaluate(limits[key], scope) for key in _BINNED)
            except (KeyError, ExpressionError):
                raise entry.refuse("a bin needs lmin, lmax, wmin and wmax") from None
            if l0 <= length * (1 + 1e-9) and length < l1 and w0 <= width * (1 + 1e-9) and width < w1:
                return entry, scope
        raise card.refuse(f"no bin of {called} holds w={width:.4g} l={length:.4g}")

    def _module(self, model: Card, card: Card) -> tuple[str, str, Assignments]:
        """(file, module, parameters that follow from the type) of a model card."""
        words, given = split_card(_without_parentheses(model.text))
        kind = words[2]
        if kind in self._library.own:
            return self._library.own[kind], kind, ()
        if kind in _NAMED:
            return _NAMED[kind], kind, ()
        level = int(float(given.get("level", "0") or 0)) if _is_number(given.get("level", "0")) else -1
        family = {"nmos": "mos", "pmos": "mos", "d": "d"}.get(kind, "")
        found = _MODULES.get((family, level or 1 if family == "mos" else level))
        if found is None:
            raise model.refuse(f"no module of VACASK for type {kind}" + (f" at level {level}" if family else ""))
        version = given.get("version", "").strip("'\"{}")
        if level in (8, 49) and version and version not in _BSIM3_VERSIONS:
            raise model.refuse(f"BSIM3 is there in version 3.3 alone, not {version}")
        if level in (14, 54) and version and not version.startswith("4.8"):
            self.notes[f"Warning: BSIM4 cards of version {version} are computed by the code of 4.8"] = None
        if family != "mos":
            return *found, ()
        return *found, (("type", 1.0 if kind == "nmos" else -1.0),)

    def _described(self, file: str, module: str, card: Card) -> ModuleParameters:
        found = self._library.describe(file).get(module)
        if found is None:
            raise card.refuse(f"VACASK's {file} has no module {module}")
        return found


def _without_parentheses(text: str) -> str:
    return text.replace("(", " ", 1).rstrip().removesuffix(")") if re.match(r"\.model\s+\S+\s+\w+\s*\(", text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

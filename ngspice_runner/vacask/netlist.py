"""A SPICE deck as files of VACASK's language, one for each analysis, and the way back to the deck's names.

Nodes and elements get names of our own (`n12`, `d7`) and every value is a number, so that nothing of the deck's text
gets into the files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ngspice_runner.deck import Analysis, read_deck
from ngspice_runner.errors import JobError
from ngspice_runner.flatten import canonical_name
from ngspice_runner.vacask.cards import Card, read_cards, split_card
from ngspice_runner.vacask.device import Device, Library, Value
from ngspice_runner.vacask.expand import GROUND, Site, expand_circuit, read_circuit
from ngspice_runner.vacask.models import ModelTable
from ngspice_runner.vacask.passives import controlled, coupling, passive
from ngspice_runner.vacask.sources import Times, independent_source

REVISION = "1"
"""Part of every cache key: raise it when a change of the translation can change a result."""

_CURRENT_FACTOR = 1e3
"""On `abstol`: VACASK holds the currents of sources and of every node to it at each step, ngspice only those of devices
between two iterations. At 1 pA the steps of fF circuits shrink until VACASK gives up (open45 columns, 0.3.4.dev3); from
1 nA to 10 nA their settled levels move by less than 2e-4."""
_ITERATIONS = 100
"""Per time point: limiting in BSIM4 needs more than VACASK's 10."""
_FIRST_STEP = 0.01
"""Of the time to the next corner of a source: the step behind a corner is of first order and not controlled. At
VACASK's 0.25 an RC step of 1 ns behind a ramp is 4.5e-4 off, now less than 1e-5."""
_PINS = {"m": 4, "n": 4, "d": 2}
_OPTIONS = {"reltol", "abstol", "vntol", "chgtol", "gmin", "temp", "tnom"}
_METHODS = {"trap": "trap", "trapezoidal": "trap", "gear": "gear2"}
_WITHOUT_EFFECT = frozenset((
    "num_threads", "noinit", "klu", "sparse", "list", "node", "opts", "acct", "nopage", "nomod", "post", "warn",
    "maxwarns", "savecurrents", "seed", "itl1", "itl2", "itl3", "itl4", "itl5", "itl6", "gminsteps", "srcsteps",
    "noopiter", "trtol", "method", "scale", "maxord", "ingold", "numdgt", "keepopinfo",
))  # fmt: skip
_SAVED = re.compile(r"([vi])\(([^()]+)\)|@([^\[\]\s]+)\[(\w+)\]|(all)", re.IGNORECASE)
_SET = re.compile(r"v\(\s*([^\s()]+)\s*\)\s*=\s*(\{[^}]*\}|'[^']*'|[^\s,]+)")
_SWEPT = {"v": "v-sweep", "i": "i-sweep"}
_SKIPPED = (".save", ".print", ".plot", ".probe", ".title", ".width", ".options", ".option", ".opt", ".temp", ".ic",
            ".nodeset", ".end", *(f".{kind}" for kind in ("tran", "op", "ac", "dc")))  # fmt: skip


@dataclass(frozen=True, slots=True)
class SimFile:
    """One run of VACASK: its text, the kind of analysis, what its vectors are called (VACASK's name -> the deck's, its
    unit, a factor), the name of the sweep, and how many outer sweeps its raw file begins with."""

    kind: str
    text: str
    vectors: Mapping[str, tuple[str, str, float]]
    sweep: str = ""
    outer: int = 0


@dataclass(frozen=True, slots=True)
class Translated:
    """files: in the order of the analyses. notes: what a reader must know, in the words of a log. names: our names of
    nodes and elements -> the deck's."""

    files: tuple[SimFile, ...]
    notes: tuple[str, ...]
    names: Mapping[str, str]


def translate_deck(text: str, folder: Path, library: Library) -> Translated:
    """Translate a deck whose relative includes start from `folder`.

    Raises JobError, with file and line, for anything that has no counterpart.
    """
    deck = read_deck(text)
    _check_control(deck.control)
    top = read_circuit(read_cards(text, folder))
    site, elements, dotted = expand_circuit(top)
    options = _options(dotted, site)
    analyses = [a for a in deck.analyses if a.line not in {line for line, _ in deck.control}]
    if not analyses:
        raise JobError("the deck has no analysis that can be translated to VACASK: .op, .tran, .ac or .dc is needed")
    for analysis in analyses:
        if analysis.kind not in ("op", "tran", "ac", "dc"):
            raise Card("", analysis.line, analysis.text).refuse("only .op, .tran, .ac and .dc are known")
    table = ModelTable(library, options.scale)
    cards = list(elements)
    names = _Names()
    files = []
    for analysis in analyses:
        transient = analysis.kind == "tran"
        times = Times(analysis.step, analysis.stop) if transient else Times(None, None)
        devices = [_device(card, place, table, times, options.heating) for card, place in cards]
        files.append(_file(devices, names, analysis, options, site, dotted))
    return Translated(tuple(files), tuple(table.notes), names.back())


def _device(card: Card, site: Site, table: ModelTable, times: Times, heating: float) -> Device:
    letter = card.text[0]
    if letter in "rcl":
        return passive(card, site, heating)
    if letter in "vi":
        return independent_source(card, site, times)
    if letter in "egfh":
        return controlled(card, site)
    if letter == "k":
        return coupling(card, site)
    if letter == "s":
        return table.switch(card, site)
    if letter in _PINS:
        return table.device(card, site, _PINS[letter])
    raise card.refuse(f"elements {letter.upper()} have no counterpart there")


def _check_control(control: list[tuple[int, str]]) -> None:
    for line, text in control:
        if not re.match(r"pre_osdi\b", text, re.IGNORECASE):
            raise Card("", line, text).refuse("a control section is ngspice's own language")


@dataclass(frozen=True, slots=True)
class _Options:
    words: str
    scale: float
    heating: float


def _options(dotted: list[Card], site: Site) -> _Options:
    """Options as VACASK's; the last of a name holds."""
    values: dict[str, float] = {}
    method = ""
    for card in dotted:
        if card.keyword == ".temp":
            values["temp"] = site.value(card.text.split()[1], card)
        elif card.keyword in (".option", ".options", ".opt"):
            words, given = split_card(card.text)
            for name in (*words[1:], *given):
                if name not in _OPTIONS and name not in _WITHOUT_EFFECT:
                    raise card.refuse(f"option {name} has no counterpart")
            if "method" in given:
                if given["method"] not in _METHODS:
                    raise card.refuse(f"integration method {given['method']} has no counterpart")
                method = _METHODS[given["method"]]
            values |= {name: site.value(given[name], card) for name in given if name in (*_OPTIONS, "scale")}
        elif card.keyword not in _SKIPPED:
            raise card.refuse("the card has no counterpart there")
    scale = values.pop("scale", 1.0)
    values = {"temp": 27.0, "tnom": 27.0} | values
    values["abstol"] = _CURRENT_FACTOR * values.get("abstol", 1e-12)
    words = [f"{name}={value!r}" for name, value in values.items()]
    words += [f'tran_method="{method}"'] if method else []
    words.append(f"tran_itl={_ITERATIONS} tran_fbr={_FIRST_STEP}")
    return _Options(" ".join(words), scale, values["temp"] - values["tnom"])


class _Names:
    """Our names of the deck's nodes and elements."""

    def __init__(self) -> None:
        self._nodes: dict[str, str] = {"0": "0"}
        self._elements: dict[str, str] = {}

    def node(self, name: str) -> str:
        return self._nodes.setdefault(name, f"n{len(self._nodes)}")

    def element(self, name: str) -> str:
        return self._elements.setdefault(name, f"d{len(self._elements)}")

    def known_node(self, name: str) -> str | None:
        return "0" if name in GROUND else self._nodes.get(name)

    def known_element(self, name: str) -> str | None:
        return self._elements.get(canonical_name(name)) or self._elements.get(name)

    def back(self) -> dict[str, str]:
        return {ours: name for name, ours in (*self._nodes.items(), *self._elements.items())}


def _file(
    devices: list[Device], names: _Names, analysis: Analysis, options: _Options, site: Site, dotted: list[Card]
) -> SimFile:
    models: dict[tuple[str, object], str] = {}
    head = ["translated from a SPICE deck", "ground 0"]
    body: list[str] = []
    by_name: dict[str, Device] = {}
    for device in devices:
        if device.name in by_name:
            raise JobError(f"element {device.name} is there twice, so that the deck cannot be translated to VACASK")
        by_name[device.name] = device
        key = (device.module, device.model)
        if key not in models:
            models[key] = f"m{len(models)}"
            body.append(f"model {models[key]} {device.module}{_assignments(device.model)}")
        ends = " ".join(names.node(node) for node in device.nodes)
        body.append(f"{names.element(device.name)} ({ends}) {models[key]}{_assignments(_linked(device, names))}")
    head += [f'load "{file}"' for file in dict.fromkeys(d.file for d in devices if d.file)]
    vectors = {}
    saves = []
    for save, raw, meaning in _saves(dotted, devices, by_name, names):
        saves.append(save)
        vectors[raw] = meaning
    command, sweep, outer = _command(analysis, names, by_name, dotted, site)
    control = ["control", "  abort always", f'  options rawfile="binary" {options.words}']
    control += [f"  save {' '.join(saves[i : i + 50])}" for i in range(0, len(saves), 50)]
    text = "\n".join([*head, *body, *control, *command, "endc"]) + "\n"
    return SimFile(analysis.kind, text, vectors, sweep, outer)


def _linked(device: Device, names: _Names) -> tuple[tuple[str, Value], ...]:
    values = device.values
    if device.control:
        values += (("ctlinst", names.element(device.control)),)
    if device.coupled:
        values += tuple(zip(("ind1", "ind2"), map(names.element, device.coupled), strict=True))
    return values


def _assignments(values: tuple[tuple[str, Value], ...]) -> str:
    return "".join(f" {name}={_printed(value)}" for name, value in values)


def _printed(value: Value) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return repr(value) if isinstance(value, float) else "[" + ", ".join(map(repr, value)) + "]"


def _saves(
    dotted: list[Card], devices: list[Device], by_name: Mapping[str, Device], names: _Names
) -> Iterator[tuple[str, str, tuple[str, str, float]]]:
    """(what to save, VACASK's name of it, (name, unit, factor) in the deck's terms) for `.save`; without one, all nodes
    and the currents of all voltage sources."""
    wanted = [match for card in dotted if card.keyword == ".save" for match in _SAVED.finditer(card.text)]
    everything = not wanted or any(match[5] for match in wanted)
    nodes: dict[str, None] = {}
    currents: dict[str, None] = {}
    if everything:
        nodes |= {node: None for device in devices for node in device.nodes if node != "0"}
        currents |= {device.name: None for device in devices if device.module == "vsource"}
    for match in wanted:
        inner = (match[2] or "").replace(" ", "")
        if match[1] == "v":
            nodes |= dict.fromkeys(inner.split(","))
        elif match[1] == "i":
            currents[inner] = None
    for node in nodes:
        ours = names.known_node(node)
        if ours not in (None, "0"):
            yield f"v({ours})", str(ours), (f"v({node})", "V", 1.0)
    for name in currents:
        ours = names.known_element(name)
        if ours is not None:
            yield f"i({ours})", f"{ours}:flow(br)", (f"i({name})", "A", 1.0)
    for match in wanted:
        ours = names.known_element(match[3]) if match[3] else None
        if ours is not None:
            device = next(d for n, d in by_name.items() if names.known_element(n) == ours)
            factor = device.factor if match[4].startswith(("i", "g")) else 1.0
            unit = "A" if match[4].startswith("i") else ""
            yield f"p({ours},{match[4]})", f"{ours}.{match[4]}", (match[0].lower(), unit, factor)


def _command(
    analysis: Analysis, names: _Names, by_name: Mapping[str, Device], dotted: list[Card], site: Site
) -> tuple[list[str], str, int]:
    """(lines of the control block, name of the sweep's vector, outer sweeps)."""
    card = Card("", analysis.line, analysis.text.lower())
    conditions = _forced(dotted, ".ic", names, site)
    if analysis.kind == "tran":
        words = split_card(card.text)[0]
        if analysis.step is None or analysis.stop is None:
            raise card.refuse("its step or its end is no number")
        numbers = [word for word in words[1:] if word != "uic"]
        start = analysis.start or 0.0
        longest = site.value(numbers[3], card) if len(numbers) > 3 else (analysis.stop - start) / 50
        longest = longest if len(numbers) > 3 else min(longest, analysis.step)
        line = f"step={analysis.step!r} stop={analysis.stop!r} start={start!r} maxstep={longest!r}"
        line += ' icmode="uic"' if analysis.uic else ""
        line += f" ic={conditions}" if conditions else ""
        return [f"  analysis result tran {line}"], "time", 0
    guess = _forced(dotted, ".nodeset", names, site)
    extra = f" nodeset={guess}" if guess else ""
    if analysis.kind == "op":
        return [f"  analysis result op{extra}"], "", 0
    if analysis.kind == "ac":
        if analysis.step is None or analysis.start is None or analysis.stop is None or analysis.start <= 0:
            raise card.refuse("points and frequencies above 0 are needed")
        points, lowest, highest = analysis.step, analysis.start, analysis.stop
        count = int(points)
        if analysis.spacing == "lin":
            step = (highest - lowest) / max(count - 1, 1)
            spread = f"values=[{', '.join(repr(lowest + i * step) for i in range(count))}]"
        else:
            spacing = "oct" if analysis.spacing == "oct" else "dec"
            spread = f'from={lowest!r} to={highest!r} mode="{spacing}" points={count}'
        return [f"  analysis result ac {spread}{extra}"], "frequency", 0
    return _direct_sweep(card, names, by_name, site, extra)


def _direct_sweep(
    card: Card, names: _Names, by_name: Mapping[str, Device], site: Site, extra: str
) -> tuple[list[str], str, int]:
    words = split_card(card.text)[0][1:]
    if len(words) not in (4, 8):
        raise card.refuse("one or two sources with start, end and step are needed")
    lines: list[str] = []
    for i in range(0, len(words), 4):
        source = by_name.get(words[i])
        if source is None or source.module not in ("vsource", "isource"):
            raise card.refuse(f"{words[i]} is no voltage or current source of the deck")
        first, last, step = (site.value(word, card) for word in words[i + 1 : i + 4])
        if not step or (last - first) / step < 0:
            raise card.refuse("its step does not lead to its end")
        count = int((last - first) / step * (1 + 1e-12) + 1e-9) + 1
        values = ", ".join(repr(first + k * step) for k in range(count))
        ours = names.element(source.name)
        lines.insert(0, f'  sweep s{i} instance="{ours}" parameter="dc" values=[{values}]')
    return [*lines, f"  analysis result op{extra}"], _SWEPT[words[0][0]], len(words) // 4 - 1


def _forced(dotted: list[Card], keyword: str, names: _Names, site: Site) -> str:
    """`.ic` or `.nodeset` as a list of VACASK; empty without one."""
    parts = []
    for card in dotted:
        if card.keyword == keyword:
            found = _SET.findall(card.text)
            if not found or len(found) != card.text.count("v("):
                raise card.refuse("it is no list of v(node)=value")
            for node, text in found:
                ours = names.known_node(node)
                if ours in (None, "0"):
                    raise card.refuse(f"node {node} is not in the circuit")
                parts.append(f'"{ours}", {site.value(text, card)!r}')
    return "{" + ", ".join(parts) + "}" if parts else ""

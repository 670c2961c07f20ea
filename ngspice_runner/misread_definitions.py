"""Names that ngspice passes over: second definitions, arguments and options that nothing takes, measures without an
analysis.

Refused: a model defined twice with other contents (the first counts). Suspect: an argument that a subcircuit of the
deck does not declare. Noted: an option whose name is close to a known one and unknown itself, a `.meas` of an analysis
that the deck does not have.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterator

from ngspice_runner.deck import ParsedDeck
from ngspice_runner.includes import IncludeSet
from ngspice_runner.job import Verdict
from ngspice_runner.lint_finding import LintFinding

_ASSIGNED = re.compile(r"([a-z_]\w*)\s*=")
_QUOTED = re.compile(r"\{[^}]*\}|'[^']*'|\"[^\"]*\"")
_OPTIONS = frozenset(
    re.findall(
        r"\w+",
        "abstol acct acout appendwrite autostop badmos3 brief bypass chgtol cptime cshunt defad defas defl defpd "
        "defps defw delmin enable_noisy_r filetype gmin gminsteps gshunt indverbosity ingold interp itl1 itl2 itl3 "
        "itl4 itl5 itl6 keepopinfo klu limpts limtim list lteabstol ltereltol maxord maxwarns method minbreak "
        "ngbehavior no_auto_gnd noacct noinit node nomod noopac noopiter nopage nosqrnoise nostepsizelimit "
        "num_threads numdgt opts oldlimit parhier pivrel pivtol post probe ramptime rawfile reltol rshunt "
        "savecurrents scale scalm seed seedinfo sim_status sparse sqrnoise srcsteps temp tnom trtol trytocompact "
        "vntol warn width wnflag xmu xtrtol ",
    )
)
"""Options of ngspice, and of other simulators that it reads without harm."""


def misread_definitions(deck: ParsedDeck, includes: IncludeSet) -> Iterator[LintFinding]:
    """Findings on the cards of a deck."""
    dotted = [(line, card.lower()) for line, card in deck.cards if card[0] == "."]
    if not any(card.startswith(".if") for _, card in dotted):
        yield from _models(dotted)
    yield from _arguments(deck, dotted)
    yield from _options(dotted)
    kinds = {analysis.kind for analysis in deck.analyses}
    if not deck.control and not includes.analysis:
        for line, card in dotted:
            words = card.split()
            if card.startswith(".meas") and len(words) > 2 and words[1] not in kinds | {"sp"}:
                yield LintFinding(
                    line, f".meas {words[2]} takes a .{words[1]}, which the deck does not have", None, False
                )


def _models(dotted: list[tuple[int, str]]) -> Iterator[LintFinding]:
    known: dict[tuple[str, str], str] = {}
    scope: list[str] = []
    for line, card in dotted:
        words = card.split(None, 2)
        if words[0] == ".subckt" and len(words) > 1:
            scope.append(words[1])
        elif words[0].startswith(".ends") and scope:
            scope.pop()
        elif words[0] == ".model" and len(words) > 2:
            contents = " ".join(words[2].split())
            if known.setdefault((".".join(scope), words[1]), contents) != contents:
                yield LintFinding(line, f"model {words[1]} is defined twice, ngspice ignores the second", Verdict.PARSE)


def _arguments(deck: ParsedDeck, dotted: list[tuple[int, str]]) -> Iterator[LintFinding]:
    declared: dict[str, set[str]] = {}
    for _, card in dotted:
        words = card.split(None, 2)
        if words[0] == ".subckt" and len(words) > 2:
            declared.setdefault(words[1], {"m"}).update(_ASSIGNED.findall(words[2]))
    if not declared:
        return
    for line, card in deck.cards:
        if card[0] in "xX" and "=" in card:
            subcircuit, given = _call(card)
            known = declared.get(subcircuit)
            for name in given if known is not None else ():
                if known is not None and name not in known:
                    yield LintFinding(
                        line,
                        f"ngspice ignores {name}=, which subcircuit {subcircuit} does not declare",
                        Verdict.SUSPECT,
                        False,
                    )


@functools.lru_cache(maxsize=20_000)
def _call(card: str) -> tuple[str, tuple[str, ...]]:
    """(subcircuit, names of the arguments) of a call."""
    plain = _QUOTED.sub("?", card.lower())
    words = re.sub(r"\s*=\s*", "=", plain.partition("params:")[0]).split()
    return [word for word in words if "=" not in word][-1], tuple(_ASSIGNED.findall(plain))


def _options(dotted: list[tuple[int, str]]) -> Iterator[LintFinding]:
    for line, card in dotted:
        if card.startswith(".option"):
            text = re.sub(r"\s*=\s*\S+", " ", card.partition(" ")[2])
            for name in text.replace(",", " ").split():
                close = difflib.get_close_matches(name, _OPTIONS, n=1, cutoff=0.8) if name not in _OPTIONS else []
                if close:
                    yield LintFinding(line, f"option {name} is unknown, {close[0]} is known", None, False)

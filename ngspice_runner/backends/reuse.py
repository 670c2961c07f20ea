"""Which jobs an engine may take that has run others before: nothing of one may reach the next."""

from __future__ import annotations

from ngspice_runner.prepare import Prepared

_KINDS = {"op", "tran", "ac", "dc"}


def needs_fresh_engine(prepared: Prepared) -> str:
    """Why a job must be run by an engine that starts anew (a clause); empty when it need not."""
    deck = prepared.deck
    if deck.control:
        return "the deck has a control section"
    if prepared.measuring or prepared.job.seed is not None:
        return "the deck has .meas or random numbers"
    if prepared.code_models or prepared.behaviour or prepared.startup:
        return "code models and compatibility modes need an engine that starts anew"
    if not {analysis.kind for analysis in deck.analyses} <= _KINDS or prepared.includes.analysis:
        return "only .op, .tran, .ac and .dc of the deck's own text are taken"
    if prepared.job.trust:
        return "a trusted job has no sandbox"
    if deck.end_line is not None and any(line.strip() for line in deck.lines[deck.end_line :]):
        return "there is text after .end"
    return ""

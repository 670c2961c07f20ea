"""Decks of one form: what the lint may take from an earlier deck, and what it may not."""

import pytest

from ngspice_runner.deck import read_deck
from ngspice_runner.deck_form import deck_form
from ngspice_runner.includes import IncludeSet
from ngspice_runner.job import Job
from ngspice_runner.lint import lint

DECK = """\
title
V1 a 0 pulse(0.0 1.0 1e-9 1e-10 1e-10 1.0 2.0)
R1 a b 1.5e3
C1 b 0 2e-15 ic=0
M1 b a 0 0 nch w=1e-6 l=5e-8 delvto=-1.2e-2
.model nch nmos level=54
X1 b cell c=1.1e-15
.subckt cell p c=1e-15
Cx p 0 {c}
.ends
.tran 1e-12 1e-9
.end
"""


def form_of(text: str, **more: object) -> str:
    return deck_form(Job(text, ("v(b)",), **more), read_deck(text), IncludeSet(), 39)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1.5e3", "220"),
        ("2e-15", "3.25e-15"),
        ("w=1e-6", "w=2.5e-6"),
        ("delvto=-1.2e-2", "delvto=3e-3"),
        ("c=1.1e-15", "c=7e-16"),
    ],
)
def test_values_of_elements_leave_the_form(old: str, new: str) -> None:
    assert form_of(DECK.replace(old, new)) == form_of(DECK) != ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1.5e3", "0.0"),
        ("1.5e3", "-1.5e3"),
        ("1.5e3", "4k7"),
        ("1.5e3", "1.5e3 2.0"),
        ("R1 a b", "R1 a 2"),
        ("R1 a b", "R2 a b"),
        ("ic=0", "ic=0.5"),
        ("w=1e-6", "w=1M"),
        ("1e-9 1e-10", "1e-9 0"),
        ("level=54", "level=14"),
        (".tran 1e-12 1e-9", ".tran 1e-12 2e-9"),
        ("Cx p 0 {c}\n.ends\n", ".ends\nCx p 0 {c}\n"),
    ],
)
def test_what_a_rule_looks_at_changes_the_form(old: str, new: str) -> None:
    changed = DECK.replace(old, new, 1)
    assert changed != DECK
    assert form_of(changed) != form_of(DECK)


def test_the_job_is_part_of_the_form_and_control_sections_have_none() -> None:
    assert form_of(DECK, stop=1e-9) != form_of(DECK)
    assert form_of(DECK, options=(("rshunt", "1e12"),)) != form_of(DECK)
    assert form_of(DECK.replace(".end\n", ".control\nrun\n.endc\n.end\n")) == ""
    assert form_of(DECK + "R9 a 0 1.0\n") == ""


def test_a_clean_deck_lends_its_verdict_to_its_form_alone() -> None:
    clean = "t\nV1 a 0 1\nR1 a b 1.5e3\nR2 b 0 1e3\n.op\n.end\n"
    for text, count in ((clean, 0), (clean.replace("1.5e3", "2e3"), 0), (clean.replace("1.5e3", "0.0"), 1)):
        for _ in range(2):
            assert len(lint(Job(text, ("v(b)",)), read_deck(text), IncludeSet())) == count
    doubled = clean.replace("R2 b", "R1 b")
    assert lint(Job(doubled, ("v(b)",)), read_deck(doubled), IncludeSet())

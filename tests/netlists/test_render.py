"""Nothing unsafe or inexact gets into a deck."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interconnect.errors import InputError
from netlists.cells.base import CellModel
from netlists.column import ColumnStimulus, Periphery, Timing, column_deck
from netlists.condition import Condition
from netlists.render import comment, identifier, number, render, vector
from netlists.subckt import cell_subckts, subckt_pins
from netlists.technology import Technology

HOSTILE = ["a\n.control", "a b", "$(x)", "a;b", "a'b", 'a"b', "../x", "", "a$b", "a{1}", "a\r", "é", "-a", "a=b", "a,b"]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_read_back_exactly_and_carry_no_suffix(value: float) -> None:
    text = number(value)
    assert float(text) == value
    mantissa, exponent = text.split("e")
    assert set(mantissa) <= set("-0123456789.")
    assert exponent[0] in "+-"
    assert exponent[1:].isdigit()


def test_attofarads_are_never_a_suffix() -> None:
    assert number(50e-18) == "5.0e-17"  # `50a` would be 50 F to ngspice


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "1", True])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(InputError):
        number(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_refused(name: str) -> None:
    with pytest.raises(InputError):
        identifier(name)
    with pytest.raises(InputError):
        vector(f"v({name})")


@given(st.text())
def test_a_comment_stays_one_line_or_is_refused(text: str) -> None:
    try:
        out = comment(text)
    except InputError:
        return
    assert len(out.splitlines()) <= 1
    assert out.isascii()


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return folder


def test_a_value_without_filter_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, "x.j2", "R1 a b {{ value }}\n")
    for value in (1.5, "a\n.control\nshell date\n.endc", None, True):
        with pytest.raises(InputError, match="without a filter"):
            render("x.j2", {"value": value}, folder=folder)


@pytest.mark.parametrize(
    "text",
    [
        "{{ missing | num }}",
        "{% if %}",
        "{{ value | nosuchfilter }}",
        "{% include 'nosuch.j2' %}",
        "{{ ''.__class__.__mro__ }}",
        "{{ value.__class__ | ident }}",
        "{% include '../../etc/passwd' %}",
        "{{ 1 / 0 }}",
    ],
)
def test_faulty_or_hostile_templates_give_one_sentence(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        render("x.j2", {"value": 1.0}, folder=write(tmp_path, "x.j2", text))
    assert "\n" not in str(caught.value)


def test_missing_template_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no template folder"):
        render("cells/cap_balanced.cir.j2", {}, folder=tmp_path / "nosuch")


def test_a_users_template_takes_precedence_and_must_keep_the_pins(tmp_path: Path, cap_model: CellModel) -> None:
    ours = cell_subckts(cap_model)
    assert subckt_pins(ours)["cap_balanced"] == cap_model.pins
    good = "* mine\n.subckt cap_balanced " + " ".join(cap_model.pins) + " k=1\nC1 bl_in tab 1.0e-17\n.ends\n"
    assert cell_subckts(cap_model, folder=write(tmp_path, "cells/cap_balanced.cir.j2", good)).startswith("* mine")
    bad = good.replace(" bl_next", "")
    with pytest.raises(InputError, match=r"cells/cap_balanced.*it must have row_in"):
        cell_subckts(cap_model, folder=write(tmp_path / "b", "cells/cap_balanced.cir.j2", bad))
    with pytest.raises(InputError, match="does not define"):
        cell_subckts(cap_model, folder=write(tmp_path / "c", "cells/cap_balanced.cir.j2", "* nothing\n"))


def test_a_hostile_technology_name_cannot_add_a_line(technology: Technology, cap_model: CellModel) -> None:
    from dataclasses import replace

    stack = replace(technology.stack, name="x\n.control\nshell date\n.endc")
    case = ColumnStimulus(bits=[[1, 0, 1]], inputs=[1])
    with pytest.raises(InputError, match="line break"):
        column_deck(
            Technology(stack, technology.devices),
            cap_model,
            Periphery(kind="ideal"),
            Timing(),
            Condition("tt", 0.9, 27.0),
            case,
        )

"""Hints for unknown names: the closest one, those that contain it, or the list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interconnect.errors import InputError, one_line
from interconnect.suggestion import suggest

TENSORS = [f"encoder.layer.{i}.attention.self.query.weight" for i in range(30)]


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("thicknes", ["thickness", "width"], "did you mean 'thickness'?"),
        ("M2", ["m1", "m2"], "did you mean 'm2'?"),
        ("lmin", ["l_min", "l_max", "w_min"], "did you mean 'l_min'?"),
        ("tf", ["tt", "ff", "ss"], "known: tt, ff, ss"),  # half of the letters may be any of them
        ("query", TENSORS, f"did you mean {TENSORS[0]!r} or {TENSORS[1]!r} or {TENSORS[2]!r}?"),
        ("zz", TENSORS[:21], f"known: {', '.join(TENSORS[:20])}, ..."),
        ("x", [], "there is none"),
        ("", ["a"], "known: a"),
        ("k" * 10_000, ["k" * 10_000, "b"], f"did you mean {'k' * 77 + '...'!r}?"),
    ],
)
def test_hint(name: str, known: list[str], hint: str) -> None:
    assert suggest(name, known) == hint


@given(st.text(max_size=20), st.lists(st.text(max_size=20), max_size=30), st.text(max_size=20))
def test_a_message_is_one_printable_line(name: str, known: list[str], where: str) -> None:
    message = str(InputError(f"unknown {name}", where=where, hint=suggest(name, known)))
    assert message.isprintable()
    assert one_line(message) == message

"""The one registry of extensible kinds: lazy, suggesting, refusing taken names, reading entry points."""

from __future__ import annotations

import fractions
from importlib.metadata import EntryPoint

import pytest

from interconnect.errors import InputError, MissingLibrary, UnknownName
from interconnect.optional import has_library, optional_library
from interconnect.registry import Entry, Registry


def numbers() -> Registry[type]:
    return Registry(
        "number", group="metalrom.numbers", built_in={"ratio": "fractions:Fraction", "bad": "no.such:X"}, where="key"
    )


def test_items_load_when_they_are_asked_for() -> None:
    known = numbers()
    assert list(known) == ["ratio", "bad"]
    assert known["ratio"] is fractions.Fraction
    with pytest.raises(ModuleNotFoundError):
        known["bad"]


def test_registered_items_follow_and_a_taken_name_is_refused() -> None:
    known = numbers()
    assert known.register("whole", int) is int
    assert list(known)[-1] == "whole"
    for name in ("whole", "ratio"):
        with pytest.raises(InputError, match=f"there is already a number '{name}'"):
            known.register(name, float)
    known.unregister("whole")
    assert "whole" not in known


def test_an_unknown_name_suggests_the_closest() -> None:
    with pytest.raises(UnknownName, match=r"key: there is no number 'ratoi'; did you mean 'ratio'\?"):
        numbers()["ratoi"]


def test_entry_points_of_installed_packages_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        EntryPoint("money", "decimal:Decimal", "metalrom.numbers"),
        EntryPoint("broken", "no.such:thing", "metalrom.numbers"),
    ]
    monkeypatch.setattr(
        "interconnect.registry.entry_points", lambda group: found if group == "metalrom.numbers" else []
    )
    known = numbers()
    assert known["money"].__name__ == "Decimal"
    with pytest.raises(InputError, match="the number broken of an installed package cannot be loaded"):
        known["broken"]
    with pytest.raises(InputError, match="already"):
        known.register("money", int)


def test_descriptions_carry_title_and_origin() -> None:
    known: Registry[type] = Registry("number", group="metalrom.numbers", built_in={"ratio": "fractions:Fraction"})
    known.register("titled", type("T", (), {"title": "a title"}))
    first, second = known.describe()
    assert first.name == "ratio"
    assert first.origin == "built in"
    assert second == Entry("titled", "a title", "registered")


def test_a_missing_library_names_its_extra() -> None:
    assert has_library("numpy")
    assert optional_library("json", extra="x", purpose="files") is not None
    with pytest.raises(MissingLibrary, match=r"masks need the package nolib; pip install 'metalrom\[layout\]'"):
        optional_library("nolib.sub", extra="layout", purpose="masks")

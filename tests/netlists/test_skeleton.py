"""A deck from a kept skeleton is the fully rendered deck to the last byte, whatever came before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interconnect.errors import InputError
from interconnect.extraction import extract
from interconnect.stackfile import load_stack
from netlists import column, column_cards, skeleton, subckt
from netlists.case import ColumnStimulus, Deviations
from netlists.cells.base import CellModel, Plane
from netlists.cells.cap_balanced import CapBalanced
from netlists.column import column_deck
from netlists.condition import Condition
from netlists.periphery import Periphery, Timing
from netlists.readout.chain import ReadoutChain
from netlists.render import render
from netlists.skeleton import render_filled
from netlists.technology import Technology
from tests.builders import make_model

IDEAL, REAL = Periphery(kind="ideal"), Periphery(kind="transistor", sense_capacitance=1e-16)
CONDITIONS = (Condition("tt", 1.0, 27.0), Condition("ff", 0.9, 85.0))
LENGTHS = {"row_pitch": 200e-9, "column_pitch": 300e-9, "row_width": 50e-9, "column_width": 50e-9, "tab_length": 150e-9}

KINDS: dict[str, tuple[str, Periphery, dict[str, Any]]] = {
    "charge, ideal": ("cap_balanced", IDEAL, {}),
    "charge": ("cap_balanced", REAL, {}),
    "charge, further rows": ("cap_balanced", REAL, {"extra_rows": 5}),
    "charge, supply": ("cap_balanced", REAL, {"supply_resistance": 10.0}),
    "charge, static": ("cap_balanced", REAL, {"static": "active"}),
    "charge, next plane": ("stacked", REAL, {}),
    "charge, next plane, ideal": ("stacked", IDEAL, {}),
    "levels": ("cap_select", REAL, {}),
    "differential": ("cap_ternary", REAL, {}),
    "current, ideal": ("res_via", IDEAL, {}),
    "current": ("res_via", REAL, {}),
    "chain": ("stacked", REAL, {"chain": ReadoutChain()}),
    "chain, cycle": ("cap_balanced", REAL, {"chain": ReadoutChain(), "periodic": True}),
}


def forget() -> None:
    skeleton._kept.clear()
    column_cards.column_cards.cache_clear()
    subckt._kept_subckts.cache_clear()


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    forget()
    yield
    forget()


def model_of(kind: str) -> CellModel:
    if kind != "stacked":
        return make_model(kind)
    cell = CapBalanced(**LENGTHS)
    return cell.model(load_stack("generic28"), Plane("M2", "M3"), partial(extract, method="formula"), Plane("M4", "M5"))


def stimuli(model: CellModel, chain: bool, number: int = 6) -> list[ColumnStimulus]:
    """Drawn cases: symbols, inputs, place, deviations of every kind, some of them nominal."""
    rng, out = np.random.default_rng(7), []
    for i in range(number):
        position, drawn = int(rng.integers(0, 4)), i % 3
        out.append(
            ColumnStimulus(
                bits=rng.integers(0, model.symbols, (5, 3)),
                inputs=rng.integers(0, 2, 5) if i else np.zeros(5),
                position=position,
                columns_total=(None, 12)[i % 2],
                symbol_values=model.symbol_values,
                next_plane=rng.integers(0, 2, 5) if model.has_next_plane and i % 2 else None,
                deviations=Deviations(
                    cell=1 + 0.1 * rng.standard_normal((5, 3)) if drawn else None,
                    driver_nmos=np.where(rng.random(5) < 0.5, 0.0, 0.01) if drawn else None,
                    driver_pmos=0.01 * rng.standard_normal(5) if drawn == 2 else None,
                    reset=0.01 * rng.standard_normal(3) if drawn else None,
                    row_wire=(1.0, 1.3, 0.8)[drawn],
                    bl_wire=(1.0, 0.7, 1.1)[drawn],
                    readout=(("clamp", 0.01), ("follower", -2e-3))[: drawn + 1] if chain and drawn else (),
                ),
            )
        )
    return out


@pytest.mark.parametrize("kind", KINDS)
def test_decks_are_the_fully_rendered_ones(kind: str, technology: Technology, monkeypatch: pytest.MonkeyPatch) -> None:
    name, periphery, further = KINDS[kind]
    model = model_of(name)
    cases = [(c, s) for s in stimuli(model, "chain" in further) for c in CONDITIONS]
    monkeypatch.setattr(skeleton, "CHECKED", 10**9)  # this test compares, not the code under test

    def text(condition: Condition, case: ColumnStimulus) -> str:
        return column_deck(technology, model, periphery, Timing(), condition, case, **further).text

    kept = [text(*given) for given in cases]
    used = list(skeleton._kept.values())
    assert used
    assert None not in used
    assert len(used) < len(cases)

    def whole(template: str, fixed: Any, varying: Any, *, folder: Path | None = None) -> str:
        return render(template, {**fixed, **varying}, folder=folder)

    def cells(model: CellModel, row_wire: float, bl_wire: float, *, folder: Path | None = None) -> str:
        wired = model.at(model.reference_temperature, row_wire=row_wire, bl_wire=bl_wire)
        return subckt.cell_subckts(wired, folder=folder)

    monkeypatch.setattr(column, "render_filled", whole)
    monkeypatch.setattr(column, "wired_subckts", cells)
    for given, found in zip(cases, kept, strict=True):
        forget()
        assert found == text(*given)


def put(folder: Path, text: str) -> Path:
    (folder / "x.j2").write_text(text)
    return folder


VALUES = {"a": 1.5, "group": {"k": 2e-15}, "title": "one"}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ title | comment }} {{ a | num }} {{ group['k'] | num }} {{ n }}\n", "one 1.5e+00 2.0e-15 3\n"),
        ("{% if a > 1 %}more{% endif %} {{ a | num }}\n", "more 1.5e+00\n"),
        ("{% if a %}some{% endif %} value\n", "some value\n"),
        ("{{ (2 * a) | num }}\n", "3.0e+00\n"),
        ("{{ 'same' | comment if a == 1.5 else 'other' | comment }}\n", "same\n"),
        ("{{ 'in' | comment if title in ('one', 'two') else 'out' | comment }}\n", "in\n"),
    ],
)
def test_a_template_that_does_more_than_print_a_value_is_rendered_in_full(
    template: str, expected: str, tmp_path: Path
) -> None:
    for _ in range(2):
        assert render_filled("x.j2", {"n": 3}, VALUES, folder=put(tmp_path, template)) == expected


@pytest.mark.parametrize("values", [{"a": float("nan")}, {"a": "1\n.control"}, {"title": "two\n.control"}])
def test_what_a_filter_refuses_is_refused_in_a_skeleton(values: dict[str, Any], tmp_path: Path) -> None:
    folder = put(tmp_path, "{{ title | comment }} {{ a | num }}\n")
    render_filled("x.j2", {}, VALUES, folder=folder)
    with pytest.raises(InputError):
        render_filled("x.j2", {}, VALUES | values, folder=folder)


def test_another_text_of_a_users_template_is_read(tmp_path: Path) -> None:
    texts = ["{{ a | num }}\n", "R1 a b {{ a | num }}\n"]
    found = [render_filled("x.j2", {}, VALUES, folder=put(tmp_path, text)) for text in texts]
    assert found == ["1.5e+00\n", "R1 a b 1.5e+00\n"]


def test_a_skeleton_that_differs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = put(tmp_path, "{{ a | num }}\n")
    asked: Callable[[], str] = lambda: render_filled("x.j2", {}, VALUES, folder=folder)  # noqa: E731
    asked()
    (kept,) = skeleton._kept.values()
    assert kept is not None
    kept._texts[-1] = " damaged\n"
    monkeypatch.setattr(skeleton, "CHECKED", 1)
    assert asked() == "1.5e+00\n"
    monkeypatch.setattr(skeleton, "CHECKED", 10**9)
    assert asked() == "1.5e+00\n"

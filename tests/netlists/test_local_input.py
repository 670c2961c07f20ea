"""Bad input to the transistor baselines is one clear sentence; good input goes through unchanged."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interconnect.errors import InputError
from netlists.baselines import (
    BaselineComputing,
    BaselineDeviations,
    BaselineStimulus,
    BaselineTiming,
    baseline_column_deck,
    make_baseline_cell,
)
from netlists.condition import Condition
from netlists.technology import Technology, load_technology

NOMINAL = Condition("tt", 1.0, 27.0)
GOOD: dict[str, Any] = {"symbols": np.eye(3, 8, dtype=int), "selected": [0, 1, 7], "inputs": [1, 0, 1]}


@pytest.fixture(scope="module")
def open45() -> Technology:
    return load_technology("open45", "open45")


@given(st.data())
def test_a_valid_case_says_what_it_holds(data: st.DataObject) -> None:
    locals_, rows = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 64))
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    symbols = rng.integers(0, 8, (locals_, rows))
    selected, inputs = rng.integers(0, rows, locals_), rng.integers(0, 2, locals_)
    case = BaselineStimulus(symbols=symbols, selected=selected, inputs=inputs)
    assert (case.locals, case.rows) == (locals_, rows)
    assert case.count == sum(int(symbols[i, selected[i]]) * int(inputs[i]) for i in range(locals_))


@given(
    st.sampled_from(["symbols", "selected", "inputs"]),
    st.one_of(
        st.floats(allow_nan=True),
        st.text(max_size=3),
        st.lists(st.integers(-5, -1), min_size=3, max_size=3),
        st.lists(st.integers(0, 1), min_size=4, max_size=9),
        st.lists(st.integers(8, 2**62), min_size=3, max_size=3),
        st.none(),
    ),
)
def test_an_invalid_case_is_one_sentence(name: str, value: object) -> None:
    with pytest.raises(InputError, match=r"^baseline stimulus: [^\n]+$"):
        BaselineStimulus(**{**GOOD, name: value})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"symbols": np.zeros((0, 4), dtype=int)}, r"symbols have shape (0, 4), expected (locals, rows"),
        ({"symbols": np.zeros((3, 65), dtype=int)}, "65 rows per local array exceed the limit of 64"),
        ({"selected": [0, 1, 8]}, "selected must lie in 0 to 7"),
        ({"inputs": [0, 1, 2]}, "inputs must lie in 0 to 1"),
        ({"inputs": [0.5, 1, 1]}, "inputs must be whole numbers"),
        (
            {"deviations": BaselineDeviations(cell=np.zeros(3))},
            "deviations.cell must be finite with shape (3, devices)",
        ),
        ({"deviations": BaselineDeviations(lcc=np.full((3, 8), np.nan))}, "deviations.lcc must be finite"),
    ],
)
def test_faults_of_a_case_are_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)):
        BaselineStimulus(**GOOD | change)


@pytest.mark.parametrize(
    ("kind", "parameters", "words"),
    [
        ("rom_2t", {}, "there is no local cell kind 'rom_2t'; did you mean"),
        ("rom_1t", {"widht": 1e-7}, "local cell rom_1t.widht: local cell kind rom_1t has no parameter 'widht'"),
        ("rom_1t", {"width": -1e-7}, "local cell rom_1t.width: is -1e-07 m, it must be finite and positive"),
        ("rom_1t", {"bl_wire": float("nan")}, "local cell rom_1t.bl_wire: is nan F"),
        ("rom_1t_mlc", {"states": 9}, "local cell rom_1t_mlc.states: is 9; a whole number from 2 to 8"),
        ("rom_1t_mlc", {"states": 2.0}, "a whole number from 2 to 8"),
        ("rom_1t_mlc", {"top_level": 0.8}, "local cell rom_1t_mlc.top_level: is 0.8; above 0 and up to 0.5"),
        ("sram_6t", {"access_width": 3e-7}, "sram_6t.pull_down_width: is 2e-07 m, less than the access width 3e-07 m"),
    ],
)
def test_faults_of_a_cell_are_named(kind: str, parameters: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)):
        make_baseline_cell(kind, parameters)


def test_faults_of_the_computing_cell_and_timing_are_named() -> None:
    with pytest.raises(InputError, match=r"local computing\.capacitance: is 0\.0 F"):
        BaselineComputing(capacitance=0.0)
    with pytest.raises(InputError, match=r"local computing\.columns: is 0; a whole number from 1 to 4096"):
        BaselineComputing(columns=0)
    with pytest.raises(InputError, match=r"local timing\.gap: is -1e-10 s"):
        BaselineTiming(gap=-1e-10)


def test_a_deck_refuses_what_does_not_fit(open45: Technology) -> None:
    def deck(kind: str = "rom_1t", *, condition: Condition = NOMINAL, lcc: Any = None, **change: Any) -> None:
        idle = change.pop("idle", "lumped")
        baseline_column_deck(
            open45,
            make_baseline_cell(kind),
            lcc or BaselineComputing(),
            BaselineTiming(),
            condition,
            BaselineStimulus(**GOOD | change),
            idle=idle,
        )

    for words, arguments in (
        ("symbol 5 is stored, rom_1t has the symbols 0 to 1", {"symbols": np.full((3, 8), 5)}),
        (
            "deviations.cell have shape (3, 2), expected (3, 1)",
            {"deviations": BaselineDeviations(cell=np.zeros((3, 2)))},
        ),
        ("one column per transistor: nor_p_x", {"deviations": BaselineDeviations(lcc=np.zeros((3, 2)))}),
        ("unknown corner 'xx'", {"condition": Condition("xx", 1.0, 27.0)}),
        ("transistor width 5e-08 m is outside the device set", {"lcc": BaselineComputing(switch_width=5e-8)}),
        ("local column.idle: is 'none'; lumped or full", {"idle": "none"}),
    ):
        with pytest.raises(InputError, match=re.escape(words)):
            deck(**arguments)  # type: ignore[arg-type]


def test_decks_are_plain_numbers_and_repeat(open45: Technology) -> None:
    for kind in ("rom_1t", "rom_1t_mlc", "sram_8t", "sram_6t"):
        decks = [
            baseline_column_deck(
                open45,
                make_baseline_cell(kind),
                BaselineComputing(),
                BaselineTiming(),
                NOMINAL,
                BaselineStimulus(**GOOD),
            )
            for _ in range(2)
        ]
        assert decks[0].text == decks[1].text
        body = [x for x in decks[0].text.splitlines() if x and x[0] not in "*.+"]
        values = [word for x in body for word in re.findall(r"(?<=[ =(])-?\d[\w.+-]*", x)]
        assert all(re.fullmatch(r"-?\d\.\d+e[+-]\d\d|0|\d+", v) for v in values), kind
        assert ".option num_threads=1 noinit temp=" in decks[0].text


def test_areas_are_those_of_their_sources() -> None:
    # JSSC 2024: 0.096 um2 per bit at 65 nm, 2 bits; IEDM 2007: 0.346 um2 at 45 nm.
    multi = make_baseline_cell("rom_1t_mlc").area(65e-9)
    assert (multi.per_bit, multi.scaled.provenance.status) == (pytest.approx(0.096e-12), "published")
    scaled = make_baseline_cell("rom_1t_mlc").area(45e-9)
    assert scaled.per_bit == pytest.approx(0.096e-12 * (45 / 65) ** 2)
    assert scaled.scaled.provenance.status == "estimate"
    six = make_baseline_cell("sram_6t").area(45e-9)
    assert (six.scaled.value, six.scaled.provenance.status) == (0.346e-12, "published")
    assert make_baseline_cell("sram_8t").area(45e-9).scaled.provenance.status == "estimate"
    with pytest.raises(InputError, match="feature size 45 m"):
        make_baseline_cell("rom_1t").area(45)

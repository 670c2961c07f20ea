"""Readout decks: the same text every time, the same pins at both levels, clean runs, and refusals."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from interconnect.errors import InputError
from netlists.condition import Condition
from netlists.readout.cds import sampler_deck
from netlists.readout.column_mux import ColumnMux, mux_deck
from netlists.readout.current_sense import current_sense_deck
from netlists.readout.deck import Level, ReadoutDeck, gate_area, staircase, transistors
from netlists.readout.examples import example_decks
from netlists.readout.flash import Flash
from netlists.readout.ramp import Ramp
from netlists.readout.sar import Sar
from netlists.readout.strongarm import StrongArm, decision_deck, offset_deck
from netlists.technology import Technology, load_technology
from ngspice_runner import Job, run

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "examples" / "netlists"
CONDITION = Condition("tt", 1.0, 27.0)


@pytest.fixture(scope="module")
def open45() -> Technology:
    return load_technology("open45", "open45")


def both(technology: Technology, level: Level) -> dict[str, ReadoutDeck]:
    return {
        "strongarm sr_latch": decision_deck(technology, CONDITION, [5e-3], level=level),
        "sampler cds": sampler_deck(technology, CONDITION, step=0.2, level=level),
        "column_mux": mux_deck(technology, CONDITION, [0.1] * 8, mux=ColumnMux(inputs=8), level=level),
        "current_sense": current_sense_deck(technology, CONDITION, [4], level=level),
        "sar strongarm": Sar(bits=5).deck(technology, CONDITION, [0.1], level=level),
        "flash": Flash(bits=4).deck(technology, CONDITION, [0.1], level=level),
        "ramp_generator ramp_comparator": Ramp(bits=4).deck(technology, CONDITION, [0.1], level=level),
    }


def pins(text: str, name: str) -> list[str]:
    line = re.search(rf"^\.subckt {name} (.*)$", text, re.MULTILINE)
    assert line, name
    return [word for word in line[1].split() if "=" not in word]


def test_twins_have_the_same_pins(open45: Technology) -> None:
    twins = both(open45, "behavioral")
    for names, deck in both(open45, "transistor").items():
        for name in names.split():
            assert pins(deck.text, name) == pins(twins[names].text, name)
        assert "\nM_" in deck.text
        assert not re.search(r"^(M_|\.model open45)", twins[names].text.split("* ---- circuits")[1], re.MULTILINE)


def test_twins_run_without_a_complaint(open45: Technology) -> None:
    for deck in both(open45, "behavioral").values():
        result = run(Job(deck.text, deck.outputs, stop=deck.stop))
        assert result.ok, (deck.title, result.log)


def test_example_files_are_what_the_builders_write_and_run_clean(open45: Technology) -> None:
    """Every deck also at transistor level: verdict ok, no warning line of the engine, no note of the lint."""
    decks = example_decks(open45)
    assert {p.stem for p in FOLDER.glob("readout_*.cir")} == set(decks)
    for stem, deck in decks.items():
        assert (FOLDER / f"{stem}.cir").read_text(encoding="ascii") == deck.text, stem
        result = run(Job(deck.text, deck.outputs, stop=deck.stop))
        assert result.ok, (stem, result.log)
        assert result.log == ""
        assert result.provenance is not None
        assert result.provenance.notes == (), stem


def test_every_corner_and_a_hot_low_supply_start_without_help(open45: Technology) -> None:
    for condition in (Condition("ss", 0.9, -40.0), Condition("ff", 1.1, 125.0)):
        deck = Sar(bits=3).deck(open45, condition, [0.21])
        result = run(Job(deck.text, deck.outputs, stop=deck.stop))
        assert result.ok, (condition, result.log)


def test_transistors_are_listed_with_their_sizes(open45: Technology) -> None:
    deck = decision_deck(open45, CONDITION, [5e-3])
    sizes = StrongArm()
    found = {t.name: t for t in transistors(deck.text, "strongarm")}
    # tail, four pairs of branches (input, two cross-coupled, two precharged nodes): 11; clock inverter 2; buffers 8
    assert len(found) == 21
    assert {n.removeprefix("M_") for n in found} == set(sizes.shifts)
    assert (found["M_in_a"].width, found["M_in_a"].length) == (sizes.input_width, sizes.input_length)
    assert found["M_in_a"].model == "open45_p"
    assert found["M_other_b"].model == "open45_n"
    # NOR latch: two gates of two PMOS of 0.6 um and two NMOS of 0.2 um, 50 nm long
    assert gate_area(deck.text, "sr_latch") == pytest.approx(2 * (2 * 0.6e-6 + 2 * 0.2e-6) * 50e-9)
    with pytest.raises(InputError, match="no subcircuit"):
        gate_area(deck.text, "opamp")


def test_nmos_comparator_has_no_clock_inverter(open45: Technology) -> None:
    deck = decision_deck(open45, CONDITION, [5e-3], sizes=StrongArm(input_type="n"), common_mode=0.7)
    found = transistors(deck.text, "strongarm")
    assert len(found) == 15
    assert next(t for t in found if t.name == "M_in_a").model == "open45_n"


def test_shifts_reach_their_transistor_alone(open45: Technology) -> None:
    plain = offset_deck(open45, CONDITION).text
    shifted = offset_deck(open45, CONDITION, shifts={"in_a": 4.5e-3}).text
    assert shifted.replace(" dvt_in_a=4.5e-03", "") == plain
    assert shifted.count("dvt_in_a=4.5e-03") == 1


def test_staircase_moves_at_the_starts() -> None:
    assert staircase([0.1, 0.2], [1e-9, 2e-9], 2e-11) == [
        (1e-9, 0.0), (1.02e-9, 0.1), (2e-9, 0.1), (2.02e-9, 0.2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda t: Sar(bits=9), "sar.bits"),
        (lambda t: Sar(ref_low=0.4, ref_high=0.3), "ref_low"),
        (lambda t: Flash(bits=7), "flash.bits"),
        (lambda t: Ramp(ref_start=0.1), "ramp.ref_start"),
        (lambda t: StrongArm(input_type="x"), "strongarm.input_type"),  # type: ignore[arg-type]
        (lambda t: ColumnMux(inputs=3), "column_mux.inputs"),
        (lambda t: Sar().deck(t, CONDITION, []), "input levels"),
        (lambda t: Sar().deck(t, CONDITION, [0.1, 1.2]), "input level 1"),
        (lambda t: Sar().deck(t, CONDITION, [float("nan")]), "input level 0"),
        (lambda t: Sar().deck(t, CONDITION, [0.1], level="ideal"), "level"),  # type: ignore[arg-type]
        (lambda t: Sar().deck(t, Condition("typ", 1.0, 27.0), [0.1]), "corner"),
        (lambda t: Sar(switch_width=4e-5).deck(t, CONDITION, [0.1]), "outside the device set"),
        (lambda t: offset_deck(t, CONDITION, shifts={"in_c": 1e-3}), "in_c"),
        (lambda t: mux_deck(t, CONDITION, [0.1]), "levels"),
        (lambda t: current_sense_deck(t, CONDITION, [33]), "counts"),
        (lambda t: sampler_deck(t, CONDITION, step=0.7), "step"),
    ],
)
def test_impossible_wishes_are_refused(build: object, says: str, open45: Technology) -> None:
    with pytest.raises(InputError, match=says):
        build(open45)  # type: ignore[operator]

"""What the engine says that it read against the independent reading of a deck."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ngspice_runner import Job, Verdict, run
from ngspice_runner import reading as reading_module
from ngspice_runner.backends.process import ProcessBackend
from ngspice_runner.deck import read_deck
from ngspice_runner.engine import find_engine
from ngspice_runner.engine_view import EngineView, read_view
from ngspice_runner.flatten import canonical_name, flatten
from ngspice_runner.prepare import prepare, viewing_run
from ngspice_runner.reading import compare_reading, new_forms, remember_forms
from ngspice_runner.spice_numbers import intended_number

TREE = """tree
.param top=2k k=3
.global rail
V1 a 0 dc 2 ac 1 pulse(0 1 0 1n 1n 5u 10u)
I1 0 a 1m
V2 rail 0 'k/2'
X1 a m gate rv={top*2}
Xpair m 0 gate
.subckt gate in out rv=1k
.param half={rv/2}
R1 in out {half}
R2 rail mid r=5k
C3 mid 0 10p ic=0
Xs in out part
.subckt part p q
Rx p q 1meg
L1 q deep 10n
R9 deep gnd 7 m=2
.ends
.ends
Rload m 0 1k
.op
.end
"""


def view_of(text: str, folder: Path | None = None) -> EngineView:
    """What the engine shows of a deck, the lint left out."""
    prepared = prepare(Job(text, (), folder=None if folder is None else str(folder)), find_engine(), "process")
    return read_view(ProcessBackend().view(viewing_run(prepared, flatten(prepared.deck))).log)


def differences(text: str, folder: Path | None = None) -> list[str]:
    """Findings of a deck without its lint."""
    found = compare_reading(flatten(read_deck(text)), view_of(text, folder), included=folder is not None)
    return [str(finding) for finding in found]


@pytest.mark.parametrize(
    ("token", "value"),
    [  # SI prefixes (case counts: M is mega) and IEC 60062 letter codes
        ("4k7", 4700.0), ("2R2", 2.2), ("1M", 1e6), ("10MHz", 1e7), ("1F", 1.0), ("50a", 50e-18), ("2A", 2.0),
        ("1meg", 1e6), ("10pF", 1e-11), ("3u", 3e-6), ("1.5", 1.5), ("-2e3", -2e3), ("x", None), ("1zz", None),
    ],
)  # fmt: skip
def test_what_an_author_means(token: str, value: float | None) -> None:
    found = intended_number(token)
    assert found == (None if value is None else pytest.approx(value, rel=1e-12))


def test_a_tree_of_subcircuits_is_expanded() -> None:
    found = {canonical_name(e.name): (e.nodes, e.value) for e in flatten(read_deck(TREE))}
    assert found["x1.r1"] == (("a", "m"), 2000.0)  # rv = 2 x 2k, half of it
    assert found["xpair.r1"] == (("m", "0"), 500.0)  # default 1k
    assert found["x1.r2"] == (("rail", "x1.mid"), 5000.0)
    assert found["x1.xs.rx"] == (("a", "m"), 1e6)
    assert found["x1.xs.l1"] == (("m", "x1.xs.deep"), 1e-8)
    assert found["xpair.xs.r9"] == (("xpair.xs.deep", "0"), 7.0)
    assert found["v1"] == (("a", "0"), 2.0)
    assert found["v2"] == (("rail", "0"), 1.5)


def test_both_readings_of_a_tree_agree() -> None:
    view = view_of(TREE)
    assert len(view.values) == 16  # 3 sources, load, 2 x (3 R, 1 C, 1 R, 1 L)
    assert len(view.nodes) >= 16
    assert differences(TREE) == []


@pytest.mark.parametrize(
    ("card", "meant", "read"),
    [
        ("R1 a 0 4k7", "4700", "4000"),
        ("R1 a 0 1M", "1e+06", "0.001"),
        ("R1 a 0 1,5", "1.5", "5"),  # the engine takes the comma for a blank and the last number for the value
        ("R1 a 0 {2^3^2}", "512", "64"),  # powers associate to the right in mathematics, to the left in the engine
        ("R1 a 0 {1mil}", "2.54e-05", "0.001"),  # `mil` is 25.4e-6 outside of expressions
    ],
)
def test_a_value_that_is_read_otherwise(card: str, meant: str, read: str) -> None:
    (finding,) = differences(f"t\nV1 a 0 1\n{card}\n.op\n.end\n")
    assert f"{meant} ohm" in finding
    assert finding.endswith(f"the engine read {read} ohm")
    assert finding.startswith("line 3: r1 ")


def test_nodes_and_missing_elements_are_found() -> None:
    elements = flatten(read_deck("t\nR1 a b 1k\nR2 b 0 1k\nR3 a 0 1\n.op\n.end\n"))
    view = EngineView({"r1": ("a", "c", "1k"), "r2": ("b", "0", "1k")}, {"r1": 1e3, "r2": 1e3})
    assert [str(f) for f in compare_reading(elements, view)] == [
        "line 2: r1 connects a b, the engine read a c",
        "line 4: r3 is not in the engine's circuit",
    ]


def test_a_misread_value_makes_a_result_suspect() -> None:
    """The lint knows nothing of powers: 1 V over 64 ohm instead of 512."""
    result = run(Job("t\nV1 a 0 1\nR1 a 0 {2^3^2}\n.op\n.end\n", ("i(v1)",)))
    assert result.verdict is Verdict.SUSPECT
    assert "512 ohm; the engine read 64 ohm" in result.log
    assert float(result.signals["i(v1)"].values[0]) == pytest.approx(-1 / 64)


def test_a_form_is_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_module, "_seen", set())
    starts: list[str] = []
    view = ProcessBackend.view
    monkeypatch.setattr(
        ProcessBackend, "view", lambda self, p: (starts.append(p.run_text.split(" ", 1)[0]), view(self, p))[1]
    )
    for ohms in (1000, 2000, 3000):
        assert run(Job(f"t\nV1 a 0 1\nR{ohms} a 0 {ohms}\n.op\n.end\n", ("v(a)",))).ok
    assert starts.count("ngspice_view") == 1
    assert run(Job("t\nV1 a 0 1\nR1 a 0 1k\n.op\n.end\n", ("v(a)",))).ok  # another form: a suffix
    assert starts.count("ngspice_view") == 2


def test_forms_belong_to_an_engine_and_leave_out_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_module, "_seen", set())
    deck = read_deck("t\nR1 a 0 1k\nR2 b 0 2k\n.op\n.end\n")
    forms = new_forms(deck, "one")
    assert forms == {("one", "R9 a 9 9k"), ("one", "R9 b 9 9k"), ("one", ".op")}
    remember_forms(forms)
    assert new_forms(deck, "one") == set()
    assert len(new_forms(deck, "other")) == 3


def test_a_control_section_is_not_executed_twice() -> None:
    prepared = prepare(Job("t\nV1 a 0 1\nR1 a 0 1k\n.control\nop\nwrite a.raw\n.endc\n.end\n", ()), find_engine(), "x")
    text = viewing_run(replace(prepared)).run_text
    assert "write" not in text
    assert text.count(".control") == 1


LONG = (
    "t\nV1 a 0 1\nXabcdefghijklmnopq a 0 part\n.subckt part p q\nRnumber1 p q 1k\nRnumber2 p q {value}\n"
    ".ends\n.op\n.end\n"
)


def test_names_that_the_engine_cuts_off() -> None:
    """The engine shows 21 characters of a name, so that two resistors look alike: each is asked for by itself."""
    view = view_of(LONG.format(value="2k"))
    assert view.values == {
        "v1": 1.0, "r.xabcdefghijklmnopq.rnumber1": 1e3, "r.xabcdefghijklmnopq.rnumber2": 2e3,
    }  # fmt: skip
    assert differences(LONG.format(value="2k")) == []
    (finding,) = differences(LONG.format(value="{2^3^2}"))
    assert "xabcdefghijklmnopq.rnumber2 is {2^3^2}, 512 ohm; the engine read 64 ohm" in finding


@pytest.mark.parametrize(
    ("card", "meant", "read"),
    [
        ("E1 b 0 a 0 {2^3^2}", "512", "64"),
        ("G1 b 0 a 0 {2^3^2}", "512", "64"),
        ("F1 b 0 V1 {2^3^2}", "512", "64"),
        ("H1 b 0 V1 {1mil}", "2.54e-05", "0.001"),
    ],
)
def test_controlled_sources(card: str, meant: str, read: str) -> None:
    text = "t\nV1 a 0 1\nR1 a 0 1k\n{}\nR2 b 0 1k\n.op\n.end\n"
    (finding,) = differences(text.format(card))
    assert f", {meant}; the engine read {read}" in finding
    assert differences(text.format(card.rpartition(" ")[0] + " 2.5")) == []


def test_nodes_and_values_beside_an_included_file(tmp_path: Path) -> None:
    """Elements of the deck are compared, also with nodes inside of its subcircuits; those of the file are left alone,
    and what it declares global is not taken for a node of a subcircuit."""
    (tmp_path / "part.inc").write_text(".global rail\n.subckt part p q\nR1 p q 4k7\n.ends\n")
    text = (
        "t\n.include part.inc\nV1 a 0 1\nVr rail 0 1\nX1 a 0 part\nX2 a own\n.subckt own p\nR1 p m 1k\nR2 m rail {v}\n"
        ".ends\n.op\n.end\n"
    )
    view = view_of(text.format(v="2k"), tmp_path)
    assert view.complete
    assert view.nodes["r.x2.r1"][:2] == ("a", "x2.m")
    assert differences(text.format(v="2k"), tmp_path) == []
    (finding,) = differences(text.format(v="{2^3^2}"), tmp_path)
    assert "x2.r2 is {2^3^2}, 512 ohm; the engine read 64 ohm" in finding
    elements = flatten(read_deck(text.format(v="2k")))
    moved = EngineView({**view.nodes, "r.x2.r1": ("a", "x2.n", "1k")}, view.values)
    assert [str(f) for f in compare_reading(elements, moved, included=True)] == [
        "line 8: x2.r1 connects a x2.m, the engine read a x2.n"
    ]


def test_instances_in_parallel() -> None:
    """Of two in parallel the engine shows each resistance and the sum of the capacitances."""
    text = "t\nV1 a 0 1\nX1 a part m=2\n.subckt part p\nR1 p 0 1k\nC1 p 0 1p\n.ends\n.op\n.end\n"
    assert view_of(text).values == {"v1": 1.0, "r.x1.r1": 1e3, "c.x1.c1": 2e-12}
    assert [e.value for e in flatten(read_deck(text))] == [1.0, 1e3, None]
    assert differences(text) == []


def test_what_is_not_plain_has_no_value() -> None:
    text = "t\nR1 a 0 rmod 100\nR2 a 0 {v(a)*2}\nR3 a 0 1k tc1=1e-3\nV1 a 0 sin(0 1 1k)\nR4 a 0 unknown\n.op\n.end\n"
    assert [e.value for e in flatten(read_deck(text))] == [None] * 5
    assert flatten(read_deck("t\n.if (1)\nR1 a 0 1k\n.endif\n.op\n.end\n")) == ()

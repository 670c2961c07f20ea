"""Decks that ngspice reads in another way than their authors meant: right, not ok, or a note that names it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ngspice_runner import Job, Verdict, run
from ngspice_runner.deck import read_deck
from ngspice_runner.includes import IncludeSet
from ngspice_runner.lint import lint
from ngspice_runner.misread import value_trap

pytestmark = pytest.mark.ngspice
DIVIDER = "t\nV1 a 0 1\nR1 a b 1k\nR2 b 0 {}\n.op\n.end\n"
BLOCK = (
    "t\nV1 a 0 2\nV2 s 0 {}\nX1 a s b blk\n.subckt blk in gnd out\nR1 in out 1k\nR2 out gnd 1k\n.ends\nR9 b 0 1meg\n"
    ".op\n.end\n"
)
RC = "t\nV1 a 0 0\nR1 a b 1meg\nC1 b 0 1n {}\n{}\n.end\n"
TWICE = (
    "t\nV1 a 0 1\nX1 a b rr\nR2 b 0 1k\n"
    ".subckt rr p q\nR1 p q 1k\n.ends\n.subckt rr p q\nR1 p q {}k\n.ends\n.op\n.end\n"
)

# deck, verdict, and a piece of the deciding line or of a note
MISREAD = {
    "resistor notation": (DIVIDER.format("4k7"), Verdict.PARSE, "4k7: ngspice drops what follows"),
    "capacitor notation": (RC.format("", ".tran 1u 4n7"), Verdict.PARSE, "4n7: ngspice drops"),
    "pin called gnd": (
        BLOCK.format(1),
        Verdict.PARSE,
        "pin gnd of subcircuit blk is the global ground",
    ),
    "subcircuit twice": (TWICE.format(3), Verdict.PARSE, "subcircuit rr is defined twice"),
    "suffix in a function": (DIVIDER.format("{f(1)}\n.func f(x) {x*1M}"), Verdict.PARSE, "line 5: 1M: ngspice reads"),
    "suffix in alter": (
        "t\nV1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n.control\nalter r1 = 1M\nop\nwrite x.raw\n.endc\n.end\n",
        Verdict.PARSE,
        "line 6: 1M",
    ),
    "ic without uic": (RC.format("ic=1", ".tran 1u 10u"), Verdict.SUSPECT, "ngspice ignores ic=1 without uic"),
    "ic of a node that is not there": (
        RC.format("", ".ic v(bb)=1\n.tran 1u 10u"),
        Verdict.SUSPECT,
        "IC on non-",
    ),
    "model parameter": (
        DIVIDER.format("1k\nD1 b 0 dd\n.model dd d(is=1e-14 nn=2)"),
        Verdict.SUSPECT,
        "unrecognized parameter (nn)",
    ),
    "edges of 0": (
        "t\nV1 b 0 pulse(0 1 0 0 0 5u 10u)\nR1 b 0 1k\n.tran 1u 10u\n.end\n",
        Verdict.OK,
        "line 2: ngspice makes the step of .tran, 1e-06 s, of rise and fall times of 0",
    ),
    "no AC source": (RC.format("", ".ac dec 2 1 100"), Verdict.SUSPECT, "no source has an AC magnitude"),
    "open wire": (DIVIDER.format("1k\nR3 bb 0 1k"), Verdict.OK, "node bb has one connection only, r3"),
}


@pytest.mark.parametrize("name", MISREAD)
def test_what_is_read_otherwise_is_named(name: str) -> None:
    deck, verdict, words = MISREAD[name]
    result = run(Job(deck, ("v(b)",)))
    assert result.provenance is not None
    assert result.verdict is verdict, result.log
    assert words in "\n".join([result.log, *result.provenance.notes])


# deck, v(b) in closed form
LEGAL = {
    "value that is a parameter": (DIVIDER.format("rv\n.param rv=3k"), 0.75),
    "pin gnd at ground": (BLOCK.format(1).replace("a s b", "a 0 b"), 2 / (2 + 1e-3)),
    "pin gnd tied to ground": (BLOCK.format(0), 2 / (2 + 1e-3)),
    "the same subcircuit twice": (TWICE.format(1), 0.5),
    "ic with uic": (RC.format("ic=1", ".tran 1u 10u uic"), np.exp(-0.01)),
    "ic of 0": (RC.format("ic=0", ".tran 1u 10u"), 0.0),
    "amperes": ("t\nI1 0 b 2A\nR1 b 0 1\n.op\n.end\n", 2.0),
    "names with digits": ("t\nV1 4k7 0 1\nR1k2 4k7 b 1k\nR2 b 0 1k\n.op\n.end\n", 0.5),
}


@pytest.mark.parametrize("name", LEGAL)
def test_what_is_read_as_written_is_ok(name: str) -> None:
    deck, value = LEGAL[name]
    result = run(Job(deck, ("v(b)",)))
    assert result.ok, result.log
    assert result.signals["v(b)"].values[-1] == pytest.approx(value, rel=1e-4, abs=1e-9)


def test_values_of_included_files(tmp_path: Path) -> None:
    """An element's value makes the result suspect, a parameter's is noted; usual numbers are neither."""
    deck = DIVIDER.format("1k\n.include part.inc")

    def judged(text: str) -> tuple[Verdict, str]:
        (tmp_path / "part.inc").write_text(text)
        result = run(Job(deck, ("v(b)",), folder=str(tmp_path)))
        assert result.provenance is not None
        return result.verdict, "\n".join([result.log, *result.provenance.notes])

    verdict, said = judged("* part\nR9 b 0 1M\n")
    assert (verdict, "part.inc, line 2: 1M: ngspice reads the suffix M as milli" in said) == (Verdict.SUSPECT, True)
    verdict, said = judged(".param big=1M\n")
    assert (verdict, "part.inc, line 1: 1M" in said) == (Verdict.OK, True)
    library = (
        "* 1M cells in 4k7 rows\n.param w=0.15u l=1.5e-7 m_1=1m n_4k7=2\n.subckt n d g s b w=1u\nR1M d g 10k\n"
        "C1 d s 1f M=2\n.ends\n.model rmod r (rsh=1 tnom=27)\nR4 b 0 1e6\n"
    )
    assert judged(library) == (Verdict.OK, "")


def test_the_suffix_a_depends_on_the_version() -> None:
    """ngspice has the scale factor atto from 42 on: 50a becomes right, 2A wrong."""

    def findings(card: str, version: float) -> list[str]:
        job = Job(f"t\n{card}\nR1 a 0 1\n.op\n.end\n", ())
        return [str(f) for f in lint(job, read_deck(job.text), IncludeSet(), version) if f.verdict]

    assert findings("I1 0 a 2A", 39.3) == []
    assert "as atto from version 42" in findings("I1 0 a 2A", 42)[0]
    assert "ignores the suffix a" in findings("C1 a 0 50a", 41)[0]
    assert findings("C1 a 0 50a", 43.2) == []
    assert value_trap("2k2", 39)
    assert value_trap("2.2k", 39) is None

"""Broken decks that must never be called right, and odd decks that are right, each run through the real engine.

The broken ones reproduce every signature of ngspice's failures: wrong exit codes, raw files that look valid, silence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from ngspice_runner import Job, Verdict, run

RC = "V1 a 0 dc 1 ac 1\nR1 a b 1e3\nC1 b 0 1e-12\n"


@dataclass(frozen=True)
class Broken:
    deck: str
    verdict: Verdict
    log: str  # a piece of the deciding line
    outputs: tuple[str, ...] = ("v(b)",)
    stop: float | None = None
    timeout: float = 20.0


BROKEN = {
    "value missing": Broken("t\n" + RC + "R4 a b\n.op\n.end\n", Verdict.PARSE, "r4 has no value"),
    "value missing, only a parameter": Broken(
        "t\n" + RC + "C4 a b ic=0\n.op\n.end\n", Verdict.PARSE, "c4 has no value"
    ),
    "unknown dot card": Broken("t\n" + RC + ".foo 1\n.op\n.end\n", Verdict.PARSE, ".foo 1"),
    "missing transistor model": Broken(
        "t\n" + RC + "M1 b a 0 0 nmos1 w=1e-6 l=1e-6\n.op\n.end\n", Verdict.MODEL, "can't find model 'nmos1'"
    ),
    "missing diode model": Broken("t\n" + RC + "D1 b 0 dd\n.op\n.end\n", Verdict.MODEL, "can't find model 'dd'"),
    "level that the engine does not have": Broken(
        "t\n" + RC + ".model nn nmos (level=99)\nM1 b a 0 0 nn\n.op\n.end\n", Verdict.MODEL, "Only MOS device levels"
    ),
    "duplicate element": Broken("t\n" + RC + "R1 b 0 1e3\n.op\n.end\n", Verdict.PARSE, "r1 is defined twice"),
    "transient without length": Broken("t\n" + RC + ".tran 0 0\n.end\n", Verdict.PARSE, ".tran 0 0"),
    "undefined parameter": Broken("t\n" + RC + "R2 b 0 {rr}\n.op\n.end\n", Verdict.PARSE, "Undefined parameter"),
    "undefined subcircuit": Broken("t\n" + RC + "X1 b 0 foo\n.op\n.end\n", Verdict.PARSE, "unknown subckt"),
    "too few pins": Broken(
        "t\n.subckt foo p q\nR1 p q 1e3\n.ends\n" + RC + "X1 b foo\n.op\n.end\n", Verdict.PARSE, "Too few parameters"
    ),
    "too many pins": Broken(
        "t\n.subckt foo p q\nR1 p q 1e3\n.ends\n" + RC + "X1 b 0 a foo\n.op\n.end\n",
        Verdict.PARSE,
        "Too many parameters",
    ),
    "subcircuit without end": Broken(
        "t\n.subckt foo p q\nR9 p q 1e3\n" + RC + "X1 b 0 foo\n.op\n.end\n", Verdict.PARSE, "Mismatch of .subckt"
    ),
    "missing include": Broken("t\n.include nofile.inc\n" + RC + ".op\n.end\n", Verdict.PARSE, "'nofile.inc'"),
    "missing library": Broken("t\n.lib nofile.lib tt\n" + RC + ".op\n.end\n", Verdict.PARSE, "'nofile.lib'"),
    "floating node": Broken(
        "t\n" + RC + "I1 0 z 1e-6\nC2 z 0 1e-12\n.op\n.end\n", Verdict.SUSPECT, "singular matrix", ("v(b)", "v(z)")
    ),
    "floating capacitive divider": Broken(
        "t\n" + RC + "C3 a z 1e-12\nC2 z 0 1e-12\n.tran 1e-9 1e-8\n.end\n", Verdict.SUSPECT, "singular matrix"
    ),
    "voltage loop": Broken("t\n" + RC + "V2 a 0 2\n.op\n.end\n", Verdict.CONVERGENCE, "DC solution failed"),
    "voltage loop in a transient": Broken(
        "t\n" + RC + "V2 a 0 2\n.tran 1e-9 1e-8\n.end\n", Verdict.CONVERGENCE, "initial timepoint"
    ),
    "source across nothing": Broken("t\n" + RC + "V4 a a 1\n.op\n.end\n", Verdict.PARSE, "shorted VSRC"),
    "no operating point": Broken(
        "t\nB1 0 b i=v(b)>0.5?-1:1\nR1 b 0 1e6\n.op\n.end\n", Verdict.CONVERGENCE, "DC solution failed"
    ),
    "root of a negative number": Broken(
        "t\n" + RC + "B1 c 0 v=sqrt(-1-v(a))\nR3 c 0 1e3\n.op\n.end\n", Verdict.CONVERGENCE, "out of range for sqrt"
    ),
    "timestep too small": Broken(
        "t\nV1 a 0 pulse(0 1 2e-9 1e-12 1e-12 5e-9 2e-8)\nR1 a b 1\nC1 b 0 1e-12\n"
        "B1 b 0 i=v(b)>0.5 ? 1e12*v(b)*v(b) : (v(b)>0.4 ? -1e12 : 0)\n.tran 1e-9 1e-7\n.end\n",
        Verdict.TIMESTEP,
        "TRAN:  Timestep too small",
    ),
    "no analysis": Broken("t\n" + RC + ".end\n", Verdict.NO_OUTPUT, "no analysis"),
    "element as title": Broken(RC + ".tran 1e-9 1e-8\n.end\n", Verdict.PARSE, "first line is the title"),
    "card as title": Broken(".tran 1e-9 1e-8\n" + RC + ".op\n.end\n", Verdict.PARSE, "first line is the title"),
    "mega as M": Broken("t\n" + RC + "R2 b 0 1M\n.op\n.end\n", Verdict.PARSE, "reads the suffix M as milli"),
    "mega hertz as MHz": Broken("t\n" + RC + ".ac dec 5 1 5MHz\n.end\n", Verdict.PARSE, "reads the suffix M as milli"),
    "farad as F": Broken("t\n" + RC + "C2 b 0 1F\n.op\n.end\n", Verdict.PARSE, "reads the suffix F as femto"),
    "atto": Broken("t\n" + RC + "C2 b 0 50a\n.op\n.end\n", Verdict.PARSE, "ignores the suffix a"),
    "atto in a parameter": Broken(
        "t\n.param cc={2*50a}\n" + RC + "C2 b 0 {cc}\n.op\n.end\n", Verdict.PARSE, "ignores the suffix a"
    ),
    "unknown suffix": Broken("t\n" + RC + "R2 b 0 10x\n.op\n.end\n", Verdict.PARSE, "ignores the suffix x"),
    "saved node missing": Broken("t\n" + RC + ".op\n.end\n", Verdict.NO_OUTPUT, "no data saved for", ("v(zz)",)),
    "one of two outputs missing": Broken(
        "t\n" + RC + ".op\n.end\n", Verdict.NO_OUTPUT, "not in the result: v(zz)", ("v(b)", "v(zz)")
    ),
    "device current in an ac analysis": Broken(
        "t\n" + RC + ".ac dec 5 1 1e6\n.end\n", Verdict.NO_OUTPUT, "unrecognized variable - @r1[i]", ("v(b)", "@r1[i]")
    ),
    "unknown control command": Broken(
        "t\n" + RC + ".control\nop\nfoo 1\nwrite x.raw v(b)\nquit 0\n.endc\n.end\n",
        Verdict.PARSE,
        "foo: no such command",
    ),
    "unknown control vector": Broken(
        "t\n" + RC + ".control\nop\nprint v(zz)\nwrite x.raw v(b)\nquit 0\n.endc\n.end\n",
        Verdict.PARSE,
        "vector zz is not",
    ),
    "unknown control device": Broken(
        "t\n" + RC + ".control\nalter R9=3\nop\nwrite x.raw v(b)\nquit 0\n.endc\n.end\n",
        Verdict.PARSE,
        "no such device",
    ),
    "failing run behind quit 0": Broken(
        "t\n" + RC + "V2 a 0 2\n.control\nop\nquit 0\n.endc\n.end\n", Verdict.CONVERGENCE, "DC solution failed"
    ),
    "control section that keeps nothing": Broken(
        "t\n" + RC + ".control\nop\nprint v(b)\nquit\n.endc\n.end\n", Verdict.NO_OUTPUT, "no raw file"
    ),
    "control section that reports failure": Broken(
        "t\n" + RC + ".control\nop\nwrite x.raw v(b)\nquit 7\n.endc\n.end\n", Verdict.SUSPECT, "exit code 7"
    ),
    "line that starts oddly": Broken(
        "t\n" + RC + "?R9 b 0 1e3\n.op\n.end\n", Verdict.SUSPECT, "Unusual leading characters"
    ),
    "infinite": Broken("t\nV1 b 0 1e308\nR3 b 0 1e-12\n.op\n.end\n", Verdict.NONFINITE, "i(v1)", ("v(b)", "i(v1)")),
    "division by zero": Broken(
        "t\n" + RC + "B1 c 0 v=1/(v(a)-v(a))\nR3 c 0 1e3\n.op\n.end\n",
        Verdict.SUSPECT,
        "stands for infinity",
        ("v(c)",),
    ),
    "endless": Broken(
        "t\nV1 b 0 sin(0 1 1e9)\nR1 b 0 1\n.tran 1e-12 1 0 1e-12\n.end\n", Verdict.TIMEOUT, "not finished", timeout=0.5
    ),
    "declared end is not the deck's": Broken(
        "t\n" + RC + ".tran 1e-9 1e-8\n.end\n", Verdict.PARSE, "declares the end 2e-08", stop=2e-8
    ),
    "end that cannot be read": Broken(
        "t\n.param n=agauss(1e-8,0,1)\n" + RC + ".tran 1e-9 {n}\n.end\n", Verdict.SUSPECT, "declare the job's stop"
    ),
    "second analysis fails": Broken(
        "t\n" + RC + "B1 d 0 v=time>5e-9 ? sqrt(-1) : 0\nR9 d 0 1\n.op\n.tran 1e-9 1e-8\n.end\n",
        Verdict.CONVERGENCE,
        "out of range for sqrt",
    ),
}


@dataclass(frozen=True)
class Odd:
    deck: str
    output: str
    last: float  # closed form
    rtol: float = 1e-6
    stop: float | None = None


TAU = 1e-9  # 1 kohm x 1 pF
STEP = "V1 a 0 pulse(0 1 0 1e-15 1e-15 1 2)\nR1 a b 1e3\nC1 b 0 1e-12\n"
ODD = {
    "no .end": Odd("t\n" + RC + ".op\n", "v(b)", 1.0),
    "empty title": Odd("\n" + RC + ".op\n.end\n", "v(b)", 1.0),
    "carriage returns": Odd(("t\n" + RC + ".op\n.end\n").replace("\n", "\r\n"), "v(b)", 1.0),
    "title in capitals, blanks": Odd("  A Title IN Capitals \t\n" + RC + ".op\n.end\n", "v(b)", 1.0),
    "title with accents": Odd("été µ\n" + RC + ".op\n.end\n", "v(b)", 1.0),
    "title of 700 characters": Odd("x" * 700 + "\n" + RC + ".op\n.end\n", "v(b)", 1.0),
    "title that reads like an element": Odd("Cell 4 by 4\n" + RC + ".op\n.end\n", "v(b)", 1.0),
    "title that begins with a letter of an element": Odd("Resistor a divider\n" + RC + ".op\n.end\n", "v(b)", 1.0),
    "second title": Odd("t\n.title Another One\n" + RC + ".op\n.end\n", "v(b)", 1.0),
    "capitals and units": Odd("T\nV1 A 0 2V\nR1 A B 1KOhm\nR2 B 0 1kohm\n.OP\n.END\n", "V(B)", 1.0),
    "mega as meg": Odd("t\nV1 a 0 2\nR1 a b 1Meg\nR2 b 0 1MEG\n.op\n.end\n", "v(b)", 1.0),
    "micro, nano, pico, femto": Odd("t\nI1 0 b 2uA\nR1 b 0 500k\nC1 b 0 1pF\nC2 b 0 10fF\n.op\n.end\n", "v(b)", 1.0),
    "nodes and models that look like numbers": Odd(
        "t\nV1 1M 0 1\nR1 1M 50a 1e3\nR2 50a 0 1e3\nD1 0 50a 1N4148\n.model 1N4148 D\n.op\n.end\n", "v(50a)", 0.5
    ),
    "continuations and comments": Odd(
        "t\nV1 a 0\n* in between\n+ dc\n+ 2 $ two volts\nR1 a b 1e3 ; upper\nR2 b 0\n+ 1e3\n.op\n.end\n", "v(b)", 1.0
    ),
    "dangling resistor": Odd("t\n" + RC + "R4 b c 1e3\n.op\n.end\n", "v(c)", 1.0),
    "source without value": Odd("t\n" + RC + "V9 b c\nR9 c 0 1e3\n.op\n.end\n", "v(c)", 0.5),
    "value by name": Odd("t\nV1 a 0 2\nR1 a b r = 1e3\nR2 b 0 R={2*500}\n.op\n.end\n", "v(b)", 1.0),
    "same name in two subcircuits": Odd(
        "t\n.subckt h p q\nR1 p q 1e3\n.ends\n.subckt g p q\nR1 p q 1e3\n.ends\n"
        "V1 a 0 2\nX1 a b h\nX2 b 0 g\n.op\n.end\n",
        "v(b)",
        1.0,
    ),
    "code model": Odd("t\n" + RC + "A1 a c g1\nR2 c 0 1\n.model g1 gain(gain=2)\n.op\n.end\n", "v(c)", 2.0),
    "poly source": Odd("t\n" + RC + "E1 c 0 POLY(1) a 0 0 3\nR2 c 0 1\n.op\n.end\n", "v(c)", 3.0),
    "measure beside a raw file": Odd(
        "t\n" + STEP + ".tran 1e-11 1e-9 0 1e-12\n.meas tran x when v(b)=5\n.end\n",
        "v(b)",
        1 - np.exp(-1e-9 / TAU),
        1e-4,
    ),
    "floating node with initial conditions": Odd(
        "t\nV1 a 0 pulse(0 1 0 1e-12 1e-12 1 2)\nC1 a b 1e-12\nC2 b 0 1e-12\n.tran 1e-12 1e-11 uic\n.end\n",
        "v(b)",
        0.5,
        1e-4,
    ),
    "node held by .ic": Odd(
        "t\nV1 a 0 0\nC1 a b 1e-12\nC2 b 0 1e-12\n.ic v(b)=0.3\n.tran 1e-12 1e-11\n.end\n", "v(b)", 0.3, 1e-4
    ),
    "late start": Odd("t\n" + STEP + ".tran 1e-11 2e-9 1e-9 1e-12\n.end\n", "v(b)", 1 - np.exp(-2.0), 1e-4),
    "end by parameters": Odd(
        "t\n.param tau=1n n='3'\n" + STEP + ".tran 10p {n*tau} 0 1p\n.end\n", "v(b)", 1 - np.exp(-3.0), 1e-4
    ),
    "declared end": Odd("t\n" + STEP + ".tran 1e-11 1e-9 0 1e-12\n.end\n", "v(b)", 1 - np.exp(-1.0), 1e-4, stop=1e-9),
    "dc sweep that misses its end": Odd("t\n" + RC + ".dc v1 0 1 0.3\n.end\n", "v(b)", 0.9),
    "dc sweep downward": Odd("t\n" + RC + ".dc v1 1 0 -0.3\n.end\n", "v(b)", 0.1),
    "nested dc sweep": Odd("t\n" + RC + "V2 c 0 1\nR2 c 0 1\n.dc v1 0 1 0.25 v2 0 1 0.5\n.end\n", "v(b)", 1.0),
    "temperature sweep": Odd("t\nV1 a 0 2\nR1 a b 1e3\nR2 b 0 1e3\n.dc temp 0 100 30\n.end\n", "v(b)", 1.0),
    "ac by octaves": Odd("t\n" + RC + ".ac oct 3 1 7.3e3\n.end\n", "v(b)", 1.0),
    "operating point and transient": Odd(
        "t\n" + STEP + ".op\n.tran 1e-11 1e-9 0 1e-12\n.end\n", "v(b)", 1 - np.exp(-1.0), 1e-4
    ),
    "control section without quit": Odd("t\n" + RC + ".op\n.control\nrun\n.endc\n.end\n", "v(b)", 1.0),
    "control section that writes its result": Odd(
        "t\n" + STEP + ".control\ntran 1e-11 1e-9 0 1e-12\nwrite mine.raw v(b)\nquit 0\n.endc\n.end\n",
        "v(b)",
        1 - np.exp(-1.0),
        1e-4,
    ),
    "voltage difference": Odd("t\nV1 a 0 2\nR1 a b 1e3\nR2 b 0 1e3\n.op\n.end\n", "v(a,b)", 1.0),
    "current of a resistor": Odd("t\nV1 a 0 2\nR1 a 0 1e3\n.op\n.end\n", "i(r1)", 2e-3),
    "node without v()": Odd("t\n" + RC + ".op\n.end\n", "b", 1.0),
    "hierarchical node": Odd(
        "t\n.subckt h p q\nR1 p m 1e3\nR2 m q 1e3\n.ends\nV1 a 0 2\nX1 a 0 h\n.op\n.end\n", "v(x1.m)", 1.0
    ),
}


def test_corpus_is_large_enough() -> None:
    """At least 25 broken decks over the verdicts that decks can cause, at least 12 odd but right ones."""
    assert len(BROKEN) >= 25
    assert len(ODD) >= 12
    reachable = set(Verdict) - {Verdict.OK, Verdict.STALE, Verdict.KILLED}  # those two need a broken engine, not a deck
    assert {broken.verdict for broken in BROKEN.values()} == reachable


@pytest.mark.parametrize("name", BROKEN)
def test_broken_deck(name: str) -> None:
    broken = BROKEN[name]
    result = run(Job(broken.deck, broken.outputs, broken.stop, broken.timeout))
    assert not result.ok
    assert (result.verdict, broken.log.lower() in result.log.lower()) == (broken.verdict, True), result.log


@pytest.mark.parametrize("name", ODD)
def test_odd_but_right_deck(name: str) -> None:
    odd = ODD[name]
    result = run(Job(odd.deck, (odd.output,), odd.stop, 20.0))
    assert result.ok, result.log
    assert np.real(result.signals[odd.output.lower()].values[-1]) == pytest.approx(odd.last, rel=odd.rtol)

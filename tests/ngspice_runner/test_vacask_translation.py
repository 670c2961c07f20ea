"""Decks in VACASK's language: what is read, what is refused. Nothing of VACASK is needed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from ngspice_runner import JobError
from ngspice_runner.vacask.device import ModuleParameters
from ngspice_runner.vacask.expressions import ExpressionError, Scope, evaluate
from ngspice_runner.vacask.netlist import SimFile, translate_deck

_MOS = dict.fromkeys(("vth0", "toxe"), "")
_SIZE = {name: name for name in ("w", "l", "ad", "as", "pd", "ps", "delvto", "nf")}


class Known:
    """Modules with the few parameters that the decks here use."""

    own: Mapping[str, str] = MappingProxyType({})

    def describe(self, file: str) -> dict[str, ModuleParameters]:
        return {
            "sp_bsim4v8": ModuleParameters({name: name for name in _MOS}, _SIZE),
            "psp103va": ModuleParameters({"toxo": "TOXO", "type": "TYPE"}, {"w": "W", "l": "L", "mult": "MULT"}),
        }

    def switch(self) -> str:
        return "switch.osdi"


def translated(cards: str, folder: Path = Path()) -> SimFile:
    return translate_deck(f"title\n{cards}\n.end\n", folder, Known()).files[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{2*(3+4k)}", 8006.0),  # 4k = 4000
        ("'a>1 ? 10u : 20u'", 1e-5),
        ("max(w/ng, 0.15u)*(1+((ng-1)/2)*2)", 0.5e-6),
        ("floor(floor(ng/2+0.501)*2+0.001) != ng", 1.0),  # 2 is not 1: an odd number of fingers
        ("-3+2**3", 5.0),
        ("!(a==3) || 0", 0.0),
        ("sqrt(9)*ln(1)+pi", math.pi),
        ("1e-50", 1e-50),
        ("twice(a)", 6.0),
    ],
)
def test_expressions(text: str, value: float) -> None:
    scope = Scope(functions={"twice": (("x",), "{x*2}")})
    scope.define("a", "b+1")
    scope.define("b", "2")
    scope.define("w", "0.5u")
    scope.define("ng", "1")
    assert evaluate(text, scope) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2^3^2", "two ways"),  # 64 in ngspice 39, 512 elsewhere
        ("-2^2", "two ways"),
        ("agauss(0,1,1)", "random"),
        ("c", "defined by itself"),
        ("nothing", "not defined"),
        ("1/0", "no value"),
        ("__import__('os')", "not an expression"),
        ("f(1)", "not known"),
        ("(1", "not an expression"),
        ("exp(1000)", "no value"),
    ],
)
def test_expressions_that_have_no_value(text: str, why: str) -> None:
    scope = Scope()
    scope.define("c", "c+1")
    with pytest.raises(ExpressionError, match=why):
        evaluate(text, scope)


def test_subcircuits_parameters_and_names() -> None:
    """R = 2 k, from the default of the inner circuit times the argument of the outer; three in parallel: C = 3 pF."""
    deck = translated(
        ".param base=1k\n.subckt outer a b r=1\nX1 a b inner r={r*2}\n.ends\n"
        ".subckt inner a b r=5 c=1p\nR1 a mid {r*base}\nC1 mid b c\n.ends\n"
        "V1 in 0 PWL(0 0 1n 1)\nXo in 0 outer m=3\n.save v(xo.x1.mid) i(v1)\n.tran 10p 2n"
    )
    assert "resistor r=" not in deck.text
    lines = deck.text.splitlines()
    assert any(line.endswith(f"r={2000.0 / 3!r}") for line in lines)
    assert any(line.endswith(f"c={3e-12!r}") for line in lines)
    assert 'type="pwl" wave=[0.0, 0.0, 1e-09, 1.0]' in deck.text
    assert "step=1e-11 stop=2e-09 start=0.0 maxstep=1e-11" in deck.text
    assert sorted(name for name, _, _ in deck.vectors.values()) == ["i(v1)", "v(xo.x1.mid)"]
    for word in ("xo", "inner", "mid", "base"):
        assert word not in deck.text  # nothing of the deck's own text


def test_conditions_sections_and_models(tmp_path: Path) -> None:
    """A kit as IHP's: a section of a library, nested includes, conditions and a model inside the subcircuit."""
    (tmp_path / "corner.lib").write_text(
        "* corners $ a comment\n.lib tt\n.param tox=1.1 $ scale\n.include mos.lib\n.endl\n"
        ".lib ss\n.param tox=9\n.endl\n"
    )
    (tmp_path / "mos.lib").write_text(
        ".subckt nch d g s b w=1u l=0.13u ng=1 as=0\n.include card.lib\n"
        ".if (as <= 1e-50)\n Nm d g s b core w='w/ng' l='l' mult='ng'\n"
        ".else\n Nm d g s b core w='9*w' l='l'\n.endif\n.ends\n"
    )
    (tmp_path / "card.lib").write_text(".model core psp103va type=-1 toxo='2n*tox*(1+1u/l)'\n+ level=103.6 (\n+ )\n")
    deck = translated('.lib "corner.lib" tt\nV1 d 0 1\nX1 d d 0 0 nch ng=2\n.op', tmp_path)
    toxo = 2e-9 * 1.1 * (1 + 1e-6 / 0.13e-6)  # by hand from the card and the section
    assert f"psp103va TYPE=-1.0 TOXO={toxo!r}" in deck.text
    assert "W=5e-07 L=1.3e-07 MULT=2.0" in deck.text
    assert 'load "psp103v4.osdi"' in deck.text


def test_bins_scale_and_multiplier() -> None:
    models = "".join(
        f".model nch.{k} nmos level=54 lmin={low} lmax={high} wmin=0.1u wmax=1 vth0=0.{k}\n"
        for k, low, high in ((1, "0.1u", "0.2u"), (2, "0.2u", "1u"))
    )
    deck = translated(f"{models}.option scale=1u\nV1 d 0 1\nM1 d d 0 0 nch w=1 l=0.2 ad=0.5 m=2\n.op")
    assert "sp_bsim4v8 type=1.0 vth0=0.2" in deck.text
    assert "w=1e-06 l=2e-07 ad=5e-13 $mfactor=2.0" in deck.text


def test_sweeps_initial_conditions_and_sources() -> None:
    deck = translated("V1 a 0 DC 1 AC 2 45\nR1 a b 1k\nC1 b 0 1p\n.ac lin 3 1k 3k")
    assert 'type="dc" dc=1.0 mag=2.0 phase=45.0' in deck.text
    assert "values=[1000.0, 2000.0, 3000.0]" in deck.text
    deck = translated("V1 a 0 0\nI1 0 b 1m\nR1 a b 1k\n.dc V1 0 1 0.5 I1 0 1m 1m")
    assert deck.sweep == "v-sweep"
    assert deck.outer == 1
    assert deck.text.index("values=[0.0, 0.001]") < deck.text.index("values=[0.0, 0.5, 1.0]")
    deck = translated("V1 a 0 pulse(0 1 1n 0 0 5n)\nR1 a b 1k\nC1 b 0 1p\n.ic v(b)={0.5*1}\n.tran 10p 9n uic")
    assert "val0=0.0 val1=1.0 delay=1e-09 rise=1e-11 fall=1e-11 width=5e-09 period=0.0" in deck.text
    assert 'icmode="uic" ic={"n2", 0.5}' in deck.text


@pytest.mark.parametrize(
    ("card", "line", "why"),
    [
        ("B1 a 0 V=v(a)", 2, "elements B"),
        ("Q1 a a 0 bjt", 2, "elements Q"),
        ("E1 a 0 poly(1) b 0 1", 2, "linear"),
        ("R1 a 0 {nothing}", 2, "nothing is not defined"),
        ("R1 a 0 rmod l=1u", 2, "rmod is not defined"),
        ("M1 a a 0 0 nch w=1u l=1u", 2, "model nch is not defined"),
        (".model nch nmos level=70\nM1 a a 0 0 nch", 2, "no module"),
        (".model nch nmos level=54\nM1 a a 0 0 nch nrg=1", 3, "no instance parameter nrg"),
        ("X1 a 0 part", 2, "part is not defined"),
        (".option rshunt=1e12", 2, "option rshunt"),
        (".include missing.lib", 2, "no file missing.lib"),
        (".noise v(a) v1 dec 1 1 10", 2, "no counterpart"),
        (".meas tran x max v(a)", 2, "no counterpart"),
        (".control\nrun\n.endc", 3, "control section"),
        ("A1 a 0 model", 2, "elements A"),
    ],
)
def test_what_has_no_counterpart_is_refused_with_its_line(card: str, line: int, why: str) -> None:
    with pytest.raises(JobError, match=rf"^line {line}: .*{why}"):
        translated(f"{card}\nV1 a 0 1\n.op")

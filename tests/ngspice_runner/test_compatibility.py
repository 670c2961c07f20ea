"""Decks of other simulators in ngspice's compatibility modes: the mode changes the result, and is recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from ngspice_runner import run
from ngspice_runner.commands.simulation import read_job
from ngspice_runner.errors import JobError

pytestmark = pytest.mark.ngspice
CUBIC = "t\nV1 x 0 -2\nR1 x 0 1\nB1 o 0 V=V(x)^3\nR2 o 0 1\n.op\n.end\n"
PSPICE = (
    "t\nV1 a 0 5\nVc c 0 1\nE1 e 0 VALUE {IF(V(a)>3,1,2)}\nRe e 0 1\nS1 a o c 0 sw\nR1 o 0 999\n"
    ".model sw vswitch(ron=1 roff=1e9 von=0.6 voff=0.4)\n.op\n.end\n"
)
LIMITER = "t\nV1 x 0 5\nR1 x 0 1\nB1 o 0 V=limit(V(x),0,2)\nR2 o 0 1\n.op\n.end\n"
KICAD = ".title KiCad schematic\nV1 /in 0 DC 2\nR1 /in Net-_R1-Pad2_ 1k\nR2 Net-_R1-Pad2_ GND 1k\n.op\n.end\n"


@pytest.mark.parametrize(
    ("mode", "deck", "output", "value"),
    [
        ("lt", CUBIC, "v(o)", -8.0),  # LTspice and HSPICE keep the sign of the base
        ("hs", CUBIC, "v(o)", -8.0),
        ("", CUBIC, "v(o)", 8.0),
        ("ps", PSPICE, "v(e)", 1.0),
        ("ps", PSPICE, "v(o)", 5 * 999 / 1000),
        ("ps", LIMITER, "v(o)", 2.0),
        ("ki", KICAD, "v(net-_r1-pad2_)", 1.0),
    ],
)
def test_modes(mode: str, deck: str, output: str, value: float, tmp_path: Path) -> None:
    path = tmp_path / "deck.cir"
    path.write_text(deck)
    result = run(read_job(path, [output], compatibility=mode))
    assert result.ok, result.log
    assert result.signals[output].values[0] == pytest.approx(value, rel=1e-6)
    assert result.provenance is not None
    assert any("compatibility mode" in note for note in result.provenance.notes) == bool(mode)


def test_modes_have_keys_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "deck.cir"
    path.write_text(KICAD)
    keys = {
        found.provenance.key
        for found in (run(read_job(path, [], compatibility=mode)) for mode in ("", "lt", "ki", "ps", "hs"))
        if found.provenance is not None
    }
    assert len(keys) == 5
    with pytest.raises(JobError, match="lt, ki, ps, hs"):
        read_job(path, [], compatibility="spectre")


def test_limiter_is_refused_where_it_is_none(tmp_path: Path) -> None:
    """In its mode for LTspice ngspice 39 gives 0 for limit(5,0,2)."""
    path = tmp_path / "deck.cir"
    path.write_text(LIMITER)
    for mode in ("", "lt", "hs"):
        assert run(read_job(path, ["v(o)"], compatibility=mode)).verdict == "parse"

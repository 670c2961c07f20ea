"""Noise analyses: spectrum under plain names, totals of the second plot found by name."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ngspice_runner import Job, Verdict, run

KT = 1.380649e-23 * 300.15

DECK = """thermal noise of one resistor on one capacitor
.option num_threads=1 noinit
V_in in 0 dc 0.0e+00 ac 1.0e+00
R_1 in out 1.0e+03
C_1 out 0 1.0e-15
.noise v(out) V_in dec 20 1.0e+06 1.0e+16
.end
"""


def test_density_and_total_of_an_rc() -> None:
    result = run(Job(DECK, outputs=("onoise_spectrum", "inoise_spectrum", "onoise_total")))
    assert result.verdict is Verdict.OK, result.log
    # sqrt(4 k T R) well below the pole at 159 GHz; input referred it is the same there
    for name in ("onoise_spectrum", "inoise_spectrum"):
        assert result.signals[name].values[0] == pytest.approx(math.sqrt(4.0 * KT * 1e3), rel=1e-4)
    # sqrt(k T / C), whatever the resistor; the engine's integral and ours
    total = math.sqrt(KT / 1e-15)
    assert result.signals["onoise_total"].values.tolist() == pytest.approx([total], rel=1e-3)
    assert result.signals["integrated.v(onoise_total)"].unit == "V"
    frequency, density = (result.signals[x].values.real for x in ("frequency", "onoise_spectrum"))
    assert math.sqrt(np.trapezoid(density**2, frequency)) == pytest.approx(total, rel=2e-3)


def test_a_total_that_is_not_there_is_told() -> None:
    result = run(Job(DECK, outputs=("onoise_r_1_total",)))
    assert result.verdict is Verdict.NO_OUTPUT
    assert "not in the result: onoise_r_1_total" in result.log

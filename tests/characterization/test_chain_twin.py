"""The behavioural twin of a readout chain: closed forms of its fit, and the flat line that it must meet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from characterization.readout.testbench import ReadoutTestbench
from characterization.readout.twin import TAIL, LineReading, fit_chain_twin, read_line
from interconnect.errors import InputError
from netlists.condition import Condition
from netlists.readout.chain import ChainTiming, ReadoutChain, SharedLine
from netlists.readout.shared_line import line_deck
from netlists.technology import Technology, load_technology

TT = Condition("tt", 1.0, 27.0)
METAL = 24 * 33e-18
COUNT = 2 * 9.2e-18 / 33e-18 / 24  # V per count at the metal: a tab of 9.2 aF changes sides, 33 aF per row
FITTED = 12 * COUNT * np.array([-1.0, -0.8, -0.55, -0.25, 0.25, 0.55, 0.8, 1.0])


@pytest.fixture(scope="module")
def technology() -> Technology:
    return load_technology("generic28", "open45")


def test_a_cubic_level_and_one_pole_are_fitted_exactly() -> None:
    """level = 1 mV + 0.4 s - 0.2 s^3; a pole of 1 ns after 0.1 ns: t = 0.1 ns + 1 ns ln(1 / share)."""
    swing = np.linspace(-0.3, 0.3, 9)
    level = 1e-3 + 0.4 * swing - 0.2 * swing**3
    times = tuple(0.1e-9 + 1e-9 * float(np.log(1 / share)) for share in TAIL)
    twin = fit_chain_twin("tt", [LineReading(float(s), float(v), times) for s, v in zip(swing, level, strict=True)])
    assert twin.gain == pytest.approx(0.4, rel=1e-9)
    assert twin.offset == pytest.approx(1e-3, rel=1e-9)
    assert twin.levels(np.array([0.2])) == pytest.approx([1e-3 + 0.08 - 0.0016], abs=1e-12)
    assert twin.settling(np.array([0.0, 0.1]), np.exp(-3.0)) == pytest.approx([3.1e-9, 3.1e-9], rel=1e-9)
    assert twin.residual < 1e-12
    assert twin.settling_residual < 1e-9
    with pytest.raises(InputError, match="beyond"):
        twin.levels(np.array([0.31]))


def test_too_few_steps_are_refused() -> None:
    with pytest.raises(InputError, match="6 steps"):
        fit_chain_twin("tt", [LineReading(0.1 * i, 0.1, (1e-9, 2e-9)) for i in range(6)])


def test_the_flat_line_has_every_off_device(technology: Technology) -> None:
    chain = ReadoutChain(line=SharedLine(segments=5, planes=3, capacitance=10e-15, resistance=100.0))
    text = line_deck(technology, TT, chain, capacitance=METAL, swing=0.1, flat=True).text.splitlines()
    assert sum(row.startswith("X_off_") for row in text) == 4
    assert sum(row.startswith("M_parked_") for row in text) == 3
    wire = [float(row.split()[3]) for row in text if row.startswith("C_wire_") and row.split()[0][7].isdigit()]
    assert sum(wire) == pytest.approx(10e-15)
    assert sum(float(row.split()[3]) for row in text if row.startswith("R_wire_")) == pytest.approx(100.0, rel=1e-4)


@pytest.mark.ngspice
@pytest.mark.parametrize("segments", [8, pytest.param(64, marks=pytest.mark.long)])
def test_the_twin_of_the_compact_line_meets_the_flat_line(technology: Technology, segments: int) -> None:
    """Level within 0.1 count, settling within 10 %, at steps and a share of settling that were not fitted."""
    scale = max(1.0, segments / 12)
    chain = ReadoutChain(
        line=replace(
            SharedLine(), segments=segments, capacitance=1.25e-15 * segments, resistance=200.0 / 12 * segments
        ),
        timing=ChainTiming(settle_reset=5e-9 * scale, settle_rows=4e-9 * scale, settle_bus=3e-9 * scale),
    )
    bench = ReadoutTestbench(technology, TT, workers=1)
    twin = fit_chain_twin(TT.label, read_line(bench, chain, capacitance=METAL, swings=FITTED))
    assert twin.residual < 0.01 * twin.gain * COUNT
    swings = 12 * COUNT * np.array([-0.9, 0.4])
    flat = read_line(bench, chain, capacitance=METAL, swings=swings, flat=True, shares=[0.02])
    assert [r.level for r in flat] == pytest.approx(twin.levels(swings).tolist(), abs=0.1 * twin.gain * COUNT)
    assert [r.settling[0] for r in flat] == pytest.approx(twin.settling(swings, 0.02).tolist(), rel=0.1)

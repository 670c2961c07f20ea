"""Lines as scattering parameters: Touchstone read back, fits against the ladder in ngspice, bad fits refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skrf

from interconnect.errors import InputError, SolverError
from interconnect.network import LinearNetwork
from interconnect.network_parameters import fit_line, line_parameters, write_touchstone
from interconnect.wire_array import wire_array

Spice = Callable[..., dict[str, np.ndarray]]

BAND = np.append(0.0, np.geomspace(1e6, 1e11, 120))
CELLS, OHM, FARAD = 256, 8.0, 80e-18


def word_line() -> LinearNetwork:
    """Word line over 256 columns: 8 ohm and 80 aF per cell."""
    net = LinearNetwork(CELLS + 1)
    net.add_resistors(np.arange(CELLS), np.arange(1, CELLS + 1), OHM)
    net.add_capacitors(np.arange(1, CELLS + 1), -1, FARAD)
    return net


@pytest.fixture(scope="module")
def line() -> Any:
    return line_parameters(word_line(), [0, CELLS], BAND, name="wl")


def test_parameters_are_those_of_the_chain(line: Any) -> None:
    # ABCD matrix of one cell, series ohm then shunt farad, to the power of the cells.
    s = 2j * np.pi * 1e9
    k = int(np.abs(line.f - 1e9).argmin())
    s = 2j * np.pi * line.f[k]
    cell = np.array([[1.0, OHM], [0.0, 1.0]]) @ np.array([[1.0, 0.0], [s * FARAD, 1.0]])
    expected = skrf.network.a2s(np.linalg.matrix_power(cell, CELLS)[None], z0=50.0)[0]
    np.testing.assert_allclose(line.s[k], expected, rtol=1e-9, atol=1e-11)
    # At DC 2048 ohm between 50 ohm references: S21 = 100/2148.
    assert line.s[0, 1, 0].real == pytest.approx(100 / 2148, rel=1e-12)


def test_touchstone_comes_back(line: Any, tmp_path: Path) -> None:
    path = write_touchstone(line, tmp_path / "wl.s2p")
    back = skrf.Network(str(path))
    np.testing.assert_allclose(back.s, line.s, rtol=0, atol=1e-14)
    np.testing.assert_allclose(back.f, line.f, rtol=1e-14)
    assert back.z0[0, 0] == 50.0
    # Four ports: two coupled bit lines with both ends.
    array = wire_array(np.full((30, 2), 1e-17), r_col=40.0, c_col=2e-17, coupling=1e-17)
    net = array.network
    net.add_conductances(array.word[:, 0], -1, 1.0)
    ports = [*array.bit[0].tolist(), *array.bit_end.tolist()]
    four = line_parameters(net, ports, [1e9, 1e10], z0=200.0)
    back = skrf.Network(str(write_touchstone(four, tmp_path / "bl.s4p")))
    np.testing.assert_allclose(back.s, four.s, rtol=0, atol=1e-14)
    np.testing.assert_allclose(back.s, back.s.transpose(0, 2, 1), rtol=0, atol=1e-13)
    with pytest.raises(InputError, match=r"4 ports ends in \.s4p"):
        write_touchstone(four, tmp_path / "bl.s2p")
    with pytest.raises(InputError, match="cannot write there"):
        write_touchstone(four, tmp_path / "missing" / "bl.s4p")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bl.s4p", "wl.s2p"]


def test_fit_meets_the_ladder_in_ngspice(line: Any, tmp_path: Path, ngspice: Spice) -> None:
    fit = fit_line(line, error=1e-4)
    assert 4 <= fit.poles <= 6
    assert fit.error <= 1e-4
    text = fit.write_subcircuit(tmp_path / "wl.sp", "wl_fit").read_text().splitlines()
    deck = ["fit against ladder", *text, "vin in 0 dc 0 ac 1 pwl(0 0 1e-11 0 3e-11 1)"]
    for k in range(CELLS):
        deck += [f"r{k} n{k} n{k + 1} {OHM!r}", f"c{k} n{k + 1} 0 {FARAD!r}"]
    deck += ["rd1 in n0 500", "rd2 in p0 500", f"cl1 n{CELLS} 0 5e-15", "cl2 p1 0 5e-15", "x1 p0 p1 wl_fit"]
    deck += [f".save v(n{CELLS}) v(p1)"]
    # The same step for both, since both are in one run.
    values = ngspice([*deck, ".tran 2e-13 3e-10 0 2e-13"])
    ladder, ours = values[f"v(n{CELLS})"], values["v(p1)"]
    assert ladder.max() > 0.9
    assert np.abs(ladder - ours).max() < 1e-3 * ladder.max()
    # AC up to 20 GHz, relative to the drive of 1 V.
    values = ngspice([*deck, ".ac dec 20 1e6 2e10"])
    assert np.abs(values[f"v(n{CELLS})"] - values["v(p1)"]).max() < 1e-3
    assert np.abs(values["v(p1)"][-1]) < 0.5


def test_bad_fits_are_refused(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SolverError, match=r"no fit of wl is accurate enough .*2 poles: error"):
        fit_line(line, error=1e-6, poles=(2,))
    # A high reference impedance makes fits of this line that amplify outside of the band.
    high = line_parameters(word_line(), [0, CELLS], BAND, z0=2000.0)
    with pytest.raises(SolverError, match=r"8 poles: (not passive, )?singular value .* > 1"):
        fit_line(high, poles=(8,))
    import interconnect.network_parameters as module

    real = module._vector_fit

    def active(network: Any, poles: int) -> Any:
        fit = real(network, poles)
        fit.constant_coeff = np.array([1.01, 0.0, 0.0, 1.01])
        return fit

    monkeypatch.setattr(module, "_vector_fit", active)
    with pytest.raises(SolverError, match=r"singular value 1\.01 > 1 of the constant term"):
        fit_line(line, poles=(5,))


def test_bad_input_is_refused(line: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="frequencies must be finite and increase"):
        line_parameters(word_line(), [0, CELLS], [1e9, 1e9])
    with pytest.raises(InputError, match="reference impedance must be positive"):
        line_parameters(word_line(), [0, CELLS], [1e9], z0=0.0)
    with pytest.raises(InputError, match="poles must be positive"):
        fit_line(line, poles=())
    with pytest.raises(InputError, match="is not a valid subcircuit name"):
        fit_line(line).write_subcircuit(tmp_path / "x.sp", "x\n.include /etc/passwd")
    assert list(tmp_path.iterdir()) == []

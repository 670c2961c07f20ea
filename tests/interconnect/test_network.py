"""Linear networks against closed forms and against ngspice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interconnect.errors import InputError
from interconnect.network import LinearNetwork

Spice = Callable[..., dict[str, np.ndarray]]


def test_divider_and_source_current() -> None:
    net = LinearNetwork(["in", "mid"])
    net.add_resistors("in", "mid", 1e3)
    net.add_resistors("mid", "GND", 3e3)
    state = net.dc(["in"], [2.0])
    # 2 V over 1k + 3k: 1.5 V in the middle, 0.5 mA from the source.
    assert state.voltage == pytest.approx([2.0, 1.5])
    assert state.current == pytest.approx([0.5e-3])
    assert state.residual < 1e-15


def test_ladder_has_its_golden_ratio() -> None:
    # An infinite ladder of 1 ohm series and 1 ohm shunt has input resistance (1 + sqrt 5)/2 (exact at 60 sections).
    n = 60
    net = LinearNetwork(n + 1)
    net.add_resistors(np.arange(n), np.arange(1, n + 1), 1.0)
    net.add_resistors(np.arange(1, n + 1), -1, 1.0)
    assert 1.0 / net.dc([0], [1.0]).current[0] == pytest.approx((1 + 5**0.5) / 2, rel=1e-14)


def test_vectors_and_injected_currents_superpose() -> None:
    net = LinearNetwork(["a", "b", "c"])
    net.add_conductances(["a", "b"], ["b", "c"], [1e-3, 2e-3])
    net.add_conductances("c", "0", 3e-3)
    both = net.dc(["a"], [[1.0, 0.0, 1.0]], injected=(["b"], [[0.0, 1e-3, 1e-3]]))
    assert both.voltage.shape == (3, 3)
    np.testing.assert_allclose(both.voltage[:, 2], both.voltage[:, 0] + both.voltage[:, 1], rtol=1e-14)
    # 1 mA into b beside 1 mS to a (0 V) and 1.2 mS to ground: 1/2.2 V.
    assert both.voltage[1, 1] == pytest.approx(1 / 2.2)


def test_charge_sharing_of_two_capacitors() -> None:
    # A column of C_i to rows and C_par to ground: V = sum(V_i C_i) / (sum C_i + C_par).
    farad = np.array([14.0, 14.0, 2.3, 14.0]) * 1e-18
    net = LinearNetwork(["r0", "r1", "r2", "r3", "bl"])
    net.add_capacitors(["r0", "r1", "r2", "r3"], "bl", farad)
    net.add_capacitors("bl", "GND", 60e-18)
    rows = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 1.0]])
    state = net.settled(["r0", "r1", "r2", "r3"], rows)
    expected = farad @ rows / (farad.sum() + 60e-18)
    np.testing.assert_allclose(state.voltage[4], expected, rtol=1e-14)
    # The sources' charge: C_i (V_i - V_bl); none on the floating bit line.
    np.testing.assert_allclose(state.charge[0], farad[0] * (rows[0] - expected), rtol=1e-13)
    assert np.abs(state.charge[4]).max() < 1e-30


def test_initial_voltages_and_injected_charge() -> None:
    net = LinearNetwork(["d", "x"])
    net.add_capacitors("d", "x", 1e-15)
    net.add_capacitors("x", "GND", 3e-15)
    # x starts at 0.8 V; d steps 0.2 -> 1.2 V: x rises by 1/4; 4e-16 C more add 0.1 V.
    state = net.settled(["d"], [1.2], initial=[0.2, 0.8], injected=(["x"], [4e-16]))
    assert state.voltage == pytest.approx([1.2, 0.8 + 0.25 + 0.1])


def test_resistors_tie_floating_nodes_together() -> None:
    net = LinearNetwork(["d", "x", "y", "z"])
    net.add_capacitors(["d", "y"], ["x", "GND"], [1e-15, 1e-15])
    net.add_resistors("x", "y", 1e6)
    net.add_resistors("z", "d", 1e3)
    state = net.settled(["d"], [1.0], initial=[0.0, 0.0, 0.4, 0.0])
    # x and y share: 1 fF x 0.4 V stays and half of the 1 V step couples in: 0.2 + 0.5 V; z follows d.
    assert state.voltage == pytest.approx([1.0, 0.7, 0.7, 1.0])


def test_undetermined_nodes_are_named() -> None:
    net = LinearNetwork(["in", "lone", "pair1", "pair2"])
    net.add_resistors("in", "GND", 1.0)
    net.add_capacitors("pair1", "pair2", 1e-15)
    with pytest.raises(InputError, match=r"node lone has no resistive path .* \(nor have 2 others\)"):
        net.dc(["in"], [1.0])
    with pytest.raises(InputError, match="node lone floats without capacitance"):
        net.settled(["in"], [1.0])
    net.add_capacitors("lone", "in", 1e-15)
    with pytest.raises(InputError, match="node pair1 floats without capacitance"):
        net.settled(["in"], [1.0])


def test_bad_input_is_refused() -> None:
    net = LinearNetwork(["a", "b"])
    with pytest.raises(InputError, match="no node 'q'"):
        net.add_resistors("q", "a", 1.0)
    with pytest.raises(InputError, match="resistance must be positive"):
        net.add_resistors("a", "b", [0.0])
    with pytest.raises(InputError, match="finite and not negative"):
        net.add_capacitors("a", "b", -1e-15)
    with pytest.raises(InputError, match="the number of values differ"):
        net.add_capacitors(["a", "b"], ["b"] * 2, [1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="-1 \\(ground\\) to 1"):
        net.add_resistors(0, 2, 1.0)
    net.add_resistors("a", "b", 1.0)
    with pytest.raises(InputError, match="node a is driven twice"):
        net.dc(["a", "a"], [1.0, 2.0])
    with pytest.raises(InputError, match="not finite"):
        net.dc(["a"], [float("nan")])
    with pytest.raises(InputError, match="same name"):
        LinearNetwork(["a", "a"])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 40))
def test_random_networks_meet_a_dense_solution(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(-1, n, size=(2, 4 * n))
    value = rng.lognormal(0, 3, 4 * n)
    net = LinearNetwork(n)
    net.add_conductances(a, b, value)
    net.add_conductances(np.arange(n - 1), np.arange(1, n), 1.0)
    dense = np.zeros((n + 1, n + 1))
    for i, j, g in [*zip(a, b, value, strict=True), *((k, k + 1, 1.0) for k in range(n - 1))]:
        if i != j:
            dense[[i, j, i, j], [i, j, j, i]] += [g, g, -g, -g]
    drive = rng.normal(size=2)
    state = net.dc([0, 1], drive)
    expected = np.linalg.solve(dense[2:n, 2:n], -dense[2:n, :2] @ drive)
    np.testing.assert_allclose(state.voltage[2:], expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(state.current, dense[:2, :n] @ state.voltage, rtol=1e-9, atol=1e-9)


def test_dc_meets_ngspice(ngspice: Spice) -> None:
    rng = np.random.default_rng(7)
    n = 60
    a, b = rng.integers(0, n, size=(2, 3 * n))
    a, b = np.append(a, np.arange(n)), np.append(b, (np.arange(n) + 1) % n)
    keep = a != b
    a, b = a[keep], b[keep]
    ohm = rng.uniform(10, 1e5, len(a))
    net = LinearNetwork(n)
    net.add_resistors(a, b, ohm)
    state = net.dc([0, 1, 2], [1.0, 0.3, 0.0])
    deck = ["random resistors", "v0 n0 0 1.0", "v1 n1 0 0.3", "v2 n2 0 0"]
    deck += [f"r{k} n{i} n{j} {r!r}" for k, (i, j, r) in enumerate(zip(a, b, ohm.tolist(), strict=True))]
    values = ngspice([*deck, ".op"])
    ours = np.array([values[f"v(n{k})"][-1] for k in range(n)])
    np.testing.assert_allclose(state.voltage, ours, rtol=0, atol=1e-10)
    assert state.current[0] == pytest.approx(-values["i(v0)"][-1], rel=1e-9)


def test_charge_sharing_meets_ngspice(ngspice: Spice) -> None:
    """8 x 6 capacitive array with neighbour coupling; rows step, bit lines float."""
    rng = np.random.default_rng(11)
    rows, columns = 8, 6
    cell = np.where(rng.random((rows, columns)) < 0.5, 14.0e-18, 2.3e-18)
    load, neighbour, level = 133e-18, 13e-18, rng.choice([0.0, 0.9], rows)
    start = rng.uniform(0.1, 0.3, columns)
    names = [f"r{i}" for i in range(rows)] + [f"b{j}" for j in range(columns)]
    net = LinearNetwork(names)
    i, j = np.indices(cell.shape)
    net.add_capacitors(i.ravel(), rows + j.ravel(), cell.ravel())
    net.add_capacitors(rows + np.arange(columns), -1, load)
    net.add_capacitors(rows + np.arange(columns - 1), rows + np.arange(1, columns), neighbour)
    state = net.settled(names[:rows], level, initial=np.append(np.zeros(rows), start))
    deck = ["capacitive array"]
    deck += [f"vr{k} r{k} 0 pwl(0 0 1e-10 0 2e-10 {v!r})" for k, v in enumerate(level.tolist())]
    deck += [f"cc{a}_{b} r{a} b{b} {float(cell[a, b])!r}" for a in range(rows) for b in range(columns)]
    deck += [f"cl{b} b{b} 0 {load!r} ic={v!r}" for b, v in enumerate(start.tolist())]
    deck += [f"cn{b} b{b} b{b + 1} {neighbour!r}" for b in range(columns - 1)]
    deck += [".ic " + " ".join(f"v(b{b})={v!r}" for b, v in enumerate(start.tolist())), ".tran 1e-11 4e-10 uic"]
    values = ngspice(deck)
    theirs = np.array([values[f"v(b{b})"][-1] for b in range(columns)])
    np.testing.assert_allclose(state.voltage[rows:], theirs, rtol=0, atol=1e-6 * 0.9)

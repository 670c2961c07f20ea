"""Reduced networks against exact admittances, and in ngspice against the networks they stand for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interconnect.admittance import admittance
from interconnect.errors import InputError, SolverError
from interconnect.network import LinearNetwork
from interconnect.reduction import reduce_network
from interconnect.wire_array import WireArray, wire_array

Spice = Callable[..., dict[str, np.ndarray]]


def dense(network: LinearNetwork, ports: list[int], hertz: float) -> np.ndarray:
    """Port admittance by dense elimination."""
    y = network.conductance_matrix().toarray() + 2j * np.pi * hertz * network.capacitance_matrix().toarray()
    inner = np.setdiff1d(np.arange(network.size), ports)
    block = y[np.ix_(inner, ports)]
    return y[np.ix_(ports, ports)] - block.T @ np.linalg.solve(y[np.ix_(inner, inner)], block)


def read_subcircuit(text: str) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Pins and nodal matrices (G, C) of a subcircuit's text, pins first; an independent reader."""
    lines = text.replace("\n+ ", " ").splitlines()
    assert lines[0].startswith(".subckt ")
    assert lines[-1].startswith(".ends ")
    pins = lines[0].split()[2:]
    rows = [line.split() for line in lines[1:-1]]
    nodes = pins + sorted({n for row in rows for n in row[1:3]} - {*pins, "0"})
    place = {n: k for k, n in enumerate(nodes)}
    g, c = np.zeros((2, len(nodes), len(nodes)))
    for name, a, b, value in rows:
        matrix, x = (g, 1 / float(value)) if name[0] == "R" else (c, float(value))
        for i, j in ((a, b), (b, a)):
            if i != "0":
                matrix[place[i], place[i]] += x
                if j != "0":
                    matrix[place[i], place[j]] -= x
    return pins, g, c


def to_ports(g: np.ndarray, c: np.ndarray, ports: int, hertz: float) -> np.ndarray:
    y = g + 2j * np.pi * hertz * c
    return y[:ports, :ports] - y[:ports, ports:] @ np.linalg.solve(y[ports:, ports:], y[ports:, :ports])


def relative(found: np.ndarray, exact: np.ndarray) -> float:
    own = np.abs(np.diag(exact))
    return float((np.abs(found - exact) / np.minimum.outer(own, own)).max())


def columns(rows: int, cols: int, *, wires: bool) -> tuple[WireArray, list[int]]:
    rng = np.random.default_rng(rows + cols)
    cells = np.where(rng.random((rows, cols)) < 0.5, 14e-18, 2.3e-18)
    array = wire_array(
        cells, r_row=40.0 if wires else 0.0, r_col=60.0, c_row=3e-17, c_col=2e-17, coupling=3e-18 if wires else 0.0
    )
    return array, [*array.row_end.tolist(), *array.bit_end.tolist()]


@pytest.mark.parametrize("wires", [False, True])
def test_admittance_is_that_of_dense_elimination(wires: bool) -> None:
    array, ports = columns(6, 4, wires=wires)
    for hertz in (1e8, 3e10):
        exact = dense(array.network, ports, hertz)
        found = admittance(array.network, ports, hertz)[0]
        # Both subtract the 17 mS of a wire segment: nine digits of a capacitor's admittance are left.
        assert np.abs(found - exact).max() < 1e-9 * np.abs(exact).max()


@pytest.mark.parametrize(("wires", "error"), [(False, 1e-3), (True, 1e-3), (True, 1e-5)])
def test_written_subcircuit_has_the_requested_admittance(wires: bool, error: float) -> None:
    array, ports = columns(40, 4, wires=wires)
    reduced = reduce_network(array.network, ports, band=5e10, error=error)
    names = tuple(f"p{k}" for k in range(len(ports)))
    pins, g, c = read_subcircuit(reduced.subcircuit("part", names))
    assert pins == list(names)
    assert reduced.modes < 0.5 * (array.network.size - len(ports))
    for hertz in np.geomspace(1e8, 5e10, 9):
        assert relative(to_ports(g, c, len(ports), hertz), dense(array.network, ports, hertz)) <= error
    # DC: no port of these columns carries current, and exactly none.
    low = to_ports(g, c, len(ports), 0.0)
    assert np.abs(low).max() == 0.0
    assert reduced.dc_error <= 1e-9
    # At once all capacitance is there, and both matrices are positive semidefinite.
    slow = dense(array.network, ports, 1.0).imag
    np.testing.assert_allclose(to_ports(g, c, len(ports), 1.0).imag, slow, rtol=0, atol=1e-11 * np.abs(slow).max())
    for matrix in (g, c):
        scale = np.sqrt(np.maximum(np.diag(matrix), 1e-40))
        assert np.linalg.eigvalsh(matrix / np.outer(scale, scale)).min() > -1e-9


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(6, 60), st.integers(1, 4))
def test_random_networks_keep_dc_and_admittance(seed: int, n: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    net = LinearNetwork(n)
    net.add_conductances(np.arange(n - 1), np.arange(1, n), rng.lognormal(-3, 1, n - 1))
    net.add_conductances(*rng.integers(-1, n, (2, 5)), rng.lognormal(-6, 1, 5))
    net.add_capacitors(*rng.integers(-1, n, (2, 2 * n)), rng.lognormal(-37, 1, 2 * n))
    net.add_capacitors(np.arange(n), -1, 1e-17)
    ports = rng.choice(n, count, replace=False).tolist()
    reduced = reduce_network(net, ports, band=2e10, error=1e-4)
    _, g, c = read_subcircuit(reduced.subcircuit("part", tuple(f"p{k}" for k in range(count))))
    for hertz in (0.0, 1e9, 2e10):
        exact, found = dense(net, ports, hertz), to_ports(g, c, count, hertz)
        scale = np.abs(net.conductance_matrix().diagonal()[ports]).max()
        assert np.abs(found - exact).max() <= (1e-9 * scale if hertz == 0.0 else np.inf)
        assert hertz == 0.0 or relative(found, exact) <= 1.01e-4


def test_reduced_column_meets_the_flat_one_in_ngspice(ngspice: Spice) -> None:
    """2 coupled columns of 64 rows with word-line resistance, rows behind two drivers, both circuits in one deck."""
    array, _ = columns(64, 2, wires=True)
    network = array.network
    active = np.arange(64) % 3 == 0
    drivers = [network.size, network.size + 1]
    joined = network.extended(["", ""])
    joined.add_resistors(array.row_end, np.where(active, *drivers), 1.0)
    ports = [*drivers, *array.bit_end.tolist()]
    reduced = reduce_network(joined, ports, band=1e11, error=1e-4)
    assert reduced.modes <= 24
    deck = ["flat against reduced", *reduced.subcircuit("small", ("a", "i", "b0", "b1")).splitlines()]
    deck += ["vin in 0 pwl(0 0 10e-12 0 30e-12 0.9)", "xs af if b0 b1 small"]
    names = {-1: "0"} | dict(zip(ports, ("ad", "id", "f0", "f1"), strict=True))
    for tail in ("f", "d"):
        deck += [f"ra{tail} in a{tail} 500", f"ri{tail} 0 i{tail} 500"]
    for line in ("f0", "f1", "b0", "b1"):
        deck += [f"rload{line} {line} 0 2e5", f"cload{line} {line} 0 5e-16"]
    for letter, (a, b, value) in (("r", joined.conductors()), ("c", joined.capacitors())):
        deck += [
            f"{letter}{k} {names.get(i, f'n{i}')} {names.get(j, f'n{j}')} {1 / x if letter == 'r' else x!r}"
            for k, (i, j, x) in enumerate(zip(a.tolist(), b.tolist(), value.tolist(), strict=True))
            if x > 0
        ]
    values = ngspice([*deck, ".save v(f0) v(f1) v(b0) v(b1)", ".tran 2e-13 2e-10 0 2e-13"])
    peak = np.abs(values["v(f0)"]).max()
    assert peak > 0.02
    for flat, short in (("v(f0)", "v(b0)"), ("v(f1)", "v(b1)")):
        # 0.05 % of peak; both are in one run, so the steps are the same.
        assert np.abs(values[flat] - values[short]).max() < 5e-4 * peak


def test_bad_input_is_refused() -> None:
    net = LinearNetwork(["p", "x", "lone"])
    net.add_resistors("p", "x", 1e3)
    net.add_capacitors(["x", "lone"], [-1, 1], 1e-15)
    with pytest.raises(InputError, match="node lone has no resistive path to a port or ground"):
        reduce_network(net, ["p"], band=1e10)
    with pytest.raises(InputError, match="appears twice among the ports"):
        reduce_network(net, ["p", "p"], band=1e10)
    with pytest.raises(InputError, match="band must be positive"):
        reduce_network(net, ["p", "lone"], band=0.0)
    with pytest.raises(InputError, match="error must lie between"):
        reduce_network(net, ["p", "lone"], band=1e10, error=0.0)
    reduced = reduce_network(net, ["p", "lone"], band=1e10)
    for name, pins, message in (
        ("bad name", ("a", "b"), "is not a valid name"),
        ("good", ("a\n.include x", "b"), "is not a valid name"),
        ("good", ("a",), "needs 2 different pins"),
        ("good", ("a", "A"), "needs 2 different pins"),
        ("good", ("m_0", "b"), "would collide with the inner nodes"),
    ):
        with pytest.raises(InputError, match=message):
            reduced.subcircuit(name, pins)


def test_elements_that_miss_the_admittance_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import interconnect.reduction as module

    array, ports = columns(20, 2, wires=False)
    real = module._elements

    def spoiled(kind: str, matrix: np.ndarray) -> list[tuple[str, int, int, float]]:
        return [(k, a, b, x * (1.01 if k == "C" else 1.0)) for k, a, b, x in real(kind, matrix)]

    monkeypatch.setattr(module, "_elements", spoiled)
    with pytest.raises(SolverError, match="miss the exact admittance"):
        reduce_network(array.network, ports, band=1e10, error=1e-3)

    def negative(kind: str, matrix: np.ndarray) -> list[tuple[str, int, int, float]]:
        return [(k, a, b, -x if k == "C" and b < 0 else x) for k, a, b, x in real(kind, matrix)]

    monkeypatch.setattr(module, "_elements", negative)
    with pytest.raises(SolverError, match="would not be passive"):
        reduce_network(array.network, ports, band=1e10, error=1e-3)

"""Linear transients against closed forms, the matrix exponential and ngspice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from interconnect.errors import InputError
from interconnect.network import LinearNetwork
from interconnect.transient import solve_transient
from interconnect.waveform import Switch, VoltageSources, Waveform, constant_waveform, ramp
from interconnect.wire_array import wire_array
from interconnect.wire_lines import number_lines

Spice = Callable[..., dict[str, np.ndarray]]


def low_pass() -> LinearNetwork:
    net = LinearNetwork(["in", "out"])
    net.add_resistors("in", "out", 1e3)
    net.add_capacitors("out", -1, 1e-15)
    return net


def ramp_response(t: np.ndarray, tau: float, rise: float) -> np.ndarray:
    """1 V within `rise` through R C = tau: t - tau (1 - exp(-t/tau)) over rise, less the same from `rise` on."""

    def f(x: np.ndarray) -> np.ndarray:
        x = np.maximum(x, 0.0)
        return (x - tau * (1 - np.exp(-x / tau))) / rise

    return f(t) - f(t - rise)


def test_ramp_through_one_pole_is_second_order() -> None:
    tau, rise = 1e-12, 2e-12
    errors = []
    for step in (1e-13, 5e-14):
        wave = solve_transient(
            low_pass(), [VoltageSources("in", ramp(1e-12, rise))], stop=8e-12, save=["out"], step=step
        )
        errors.append(np.abs(wave.voltage[:, 0] - ramp_response(wave.time - 1e-12, tau, rise)).max())
        assert wave.time[-1] == 8e-12
        assert np.diff(wave.time).max() <= step * (1 + 1e-9)
        # Between the steps the parabola is as good as the steps.
        at = np.linspace(0, 8e-12, 333)
        assert np.abs(wave.at(at)[:, 0] - ramp_response(at - 1e-12, tau, rise)).max() < 3 * errors[-1]
    # Half the step, a quarter of the error.
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.1)
    assert errors[0] < 1e-3


def test_adaptive_steps_keep_the_tolerance_and_rest_when_nothing_happens() -> None:
    wave = solve_transient(
        low_pass(), [VoltageSources("in", ramp(1e-12, 2e-12))], stop=4e-10, save=["out"], tolerance=1e-6
    )
    expected = ramp_response(wave.time - 1e-12, 1e-12, 2e-12)
    # The error of a step is that of 1 V x 1e-6; a few tens add up while the pole forgets them.
    assert np.abs(wave.voltage[:, 0] - expected).max() < 2e-5
    assert np.diff(wave.time).max() > 1e-11
    assert wave.steps < 600
    assert wave.factorisations < 40


def test_currents_carry_the_charge() -> None:
    for ohm, name in ((0.0, "ideal"), (500.0, "thevenin")):
        net = LinearNetwork(["d", "x"])
        net.add_resistors("d", "x", 1e3)
        net.add_capacitors(["d", "x"], [-1, -1], [2e-15, 1e-15])
        net.add_conductances("x", -1, 1e-4)
        source = VoltageSources("d", ramp(1e-12, 2e-12, 0.8), ohm=ohm, name=name)
        wave = solve_transient(net, [source], stop=6e-11, save=["d", "x"], step=2e-14, currents=[name])
        current = wave.current[name][:, 0]
        # Charge: what stays on the capacitors and what left through 10 kohm (trapezoidal rule over 20 fs steps).
        stays = 2e-15 * wave.voltage[-1, 0] + 1e-15 * wave.voltage[-1, 1]
        left = np.trapezoid(wave.voltage[:, 1], wave.time) * 1e-4
        assert np.trapezoid(current, wave.time) == pytest.approx(stays + left, rel=2e-4)
        # At the end: 0.8 V over the resistors in series.
        assert current[-1] == pytest.approx(0.8 / (1e4 + 1e3 + ohm), rel=1e-6)
    # On the ramp an ideal source pays 2 fF x 0.8 V / 2 ps for its own capacitor, besides the 1 kohm.
    source = VoltageSources("d", ramp(1e-12, 2e-12, 0.8), name="v")
    wave = solve_transient(net, [source], stop=3e-12, save=["d", "x"], step=1e-14, currents=["v"])
    k = int(np.searchsorted(wave.time, 2e-12))
    resistive = (wave.voltage[k, 0] - wave.voltage[k, 1]) / 1e3
    assert wave.current["v"][k, 0] == pytest.approx(2e-15 * 0.4e12 + resistive, rel=1e-3)


def test_switch_closes_and_opens() -> None:
    net = LinearNetwork(["vdd", "top", "middle"])
    net.add_capacitors("top", -1, 1e-15)
    net.add_resistors("top", "middle", 1e3)  # `middle` has no capacitance: it jumps when the switch does
    switch = Switch("middle", -1, [10e-12, 12e-12], [0.0, 1e-3, 0.0])
    wave = solve_transient(
        net, [VoltageSources("vdd", constant_waveform(1.0))], stop=20e-12, save=["top", "middle"], switches=[switch],
        initial=[1.0, 1.0, 0.5], step=1e-14,
    )  # fmt: skip
    top, middle = wave.voltage.T
    # 1 fF discharges through 2 kohm for 2 ps: 1/e; then it holds. The middle is at half of it, then joins it.
    expected = np.exp(-np.clip(wave.time - 10e-12, 0.0, 2e-12) / 2e-12)
    assert np.abs(top - expected).max() < 1e-5
    on = (wave.time > 10.01e-12) & (wave.time < 11.99e-12)
    assert np.abs(middle[on] - top[on] / 2).max() < 1e-6
    assert middle[-1] == pytest.approx(np.exp(-1.0), abs=1e-5)


def test_vectors_are_independent_and_linear() -> None:
    rng = np.random.default_rng(3)
    array = wire_array(
        rng.uniform(2e-18, 14e-18, (12, 5)), r_row=50.0, r_col=80.0, c_row=3e-17, c_col=2e-17, coupling=4e-18
    )
    level = rng.uniform(0, 1, (12, 3))
    shared = {"stop": 4e-11, "save": array.bit_end, "step": 2e-13, "initial": 0.0}
    wave = ramp(2e-12, 5e-12)
    together = solve_transient(array.network, [VoltageSources(array.row_end, wave, level=level, ohm=1e3)], **shared)
    assert together.voltage.shape[1:] == (5, 3)
    for k in range(3):
        alone = solve_transient(
            array.network, [VoltageSources(array.row_end, wave, level=level[:, k], ohm=1e3)], **shared
        )
        np.testing.assert_allclose(together.voltage[:, :, k], alone.voltage, rtol=0, atol=1e-13)
    # One source per row with its own waveform: the same as one source with levels.
    rows = [
        VoltageSources(int(n), Waveform(wave.times, v * wave.values), ohm=1e3)
        for n, v in zip(array.row_end, level[:, 0], strict=True)
    ]
    np.testing.assert_allclose(
        solve_transient(array.network, rows, **shared).voltage, together.voltage[:, :, 0], atol=1e-13
    )


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 25), st.booleans())
def test_random_networks_meet_the_matrix_exponential(seed: int, n: int, ideal: bool) -> None:
    rng = np.random.default_rng(seed)
    net = LinearNetwork(n + 1)
    a, b = rng.integers(-1, n + 1, (2, 3 * n))
    net.add_conductances(a, b, rng.lognormal(-7, 1, 3 * n))
    net.add_conductances(np.arange(n), np.arange(1, n + 1), 1e-3)
    net.add_capacitors(a[::-1], b, rng.lognormal(-34.5, 1, 3 * n))
    net.add_capacitors(np.arange(n + 1), -1, 1e-15)
    wave = solve_transient(
        net,
        [VoltageSources(0, ramp(0.0, 5e-12), ohm=0.0 if ideal else 700.0)],
        stop=5e-12,
        save=range(n + 1),
        tolerance=1e-7,
    )
    g, c = net.conductance_matrix().toarray(), net.capacitance_matrix().toarray()
    # x' = A x + b t + d on the ramp, as one exponential with the states t and 1 added.
    first = 1 if ideal else 0
    free = slice(first, n + 1)
    slope = 1.0 / 5e-12
    push, jump = (
        (-g[free, 0] * slope, -c[free, 0] * slope) if ideal else (np.eye(n + 1)[0] * slope / 700.0, np.zeros(n + 1))
    )
    if not ideal:
        g[0, 0] += 1 / 700.0
    size = n + 1 - first
    inverse = np.linalg.inv(c[free, free])
    full = np.zeros((size + 2, size + 2))
    full[:size, :size] = -inverse @ g[free, free]
    full[:size, size] = inverse @ push
    full[:size, size + 1] = inverse @ jump
    full[size, size + 1] = 1.0
    final = scipy.linalg.expm(full * 5e-12)[:, -1]
    np.testing.assert_allclose(wave.voltage[-1, first:], final[:size], rtol=0, atol=5e-6)


def test_column_meets_ngspice(ngspice: Spice) -> None:
    """64-row column, drivers behind 1 kohm, reset switch that opens before the rows rise."""
    rng = np.random.default_rng(5)
    rows = 64
    cell = np.where(rng.random((rows, 1)) < 0.5, 14e-18, 2.3e-18)
    active = rng.random(rows) < 0.5
    array = wire_array(cell, r_col=40.0, c_row=30e-18, c_col=17e-18, load=0.5e-15)
    end = int(array.bit_end[0])
    wave = solve_transient(
        array.network, [VoltageSources(array.row_end, ramp(20e-12, 20e-12, 0.9), level=active.astype(float), ohm=1e3)],
        stop=100e-12, save=[end], switches=[Switch(end, -1, [10e-12], [1e-3, 0.0])], step=2.5e-13,
    )  # fmt: skip
    deck = ["column", ".model ideal sw vt=0.5 vh=0 ron=1000 roff=1e15", "vr gate 0 pwl(0 1 9.995e-12 1 1.0005e-11 0)"]
    deck += [f"s1 n{end} 0 gate 0 ideal on", "va act 0 pwl(0 0 20e-12 0 40e-12 0.9)"]
    deck += [f"rd{k} {'act' if on else '0'} n{k} 1000" for k, on in enumerate(active)]
    for letter, (a, b, value) in (("r", array.network.conductors()), ("c", array.network.capacitors())):
        deck += [
            f"{letter}{k} n{i} {'0' if j < 0 else f'n{j}'} {1 / x if letter == 'r' else x!r}"
            for k, (i, j, x) in enumerate(zip(a.tolist(), b.tolist(), value.tolist(), strict=True)) if x > 0
        ]  # fmt: skip
    values = ngspice([*deck, f".save v(n{end})", ".tran 2.5e-13 1e-10 0 2.5e-13"])
    theirs, times = values[f"v(n{end})"], np.minimum(values["time"], 1e-10)
    assert np.abs(theirs).max() > 0.05
    # 0.1 % of peak.
    assert np.abs(wave.at(times)[:, 0] - theirs).max() < 1e-3 * np.abs(theirs).max()


def test_array_meets_ngspice(ngspice: Spice) -> None:
    """8 x 8 array with wire resistance and coupling, different levels in every row, ideal drivers; source current."""
    rng = np.random.default_rng(6)
    array = wire_array(
        rng.uniform(2e-18, 2e-17, (8, 8)), r_row=200.0, r_col=300.0, c_row=3e-17, c_col=2e-17, coupling=1e-17,
        cell_conductance=1e-6,
    )  # fmt: skip
    level = rng.uniform(0.1, 0.9, 8)
    source = VoltageSources(array.row_end, ramp(5e-12, 10e-12), level=level, name="rows")
    wave = solve_transient(array.network, [source], stop=5e-11, save=array.bit_end, currents=["rows"], tolerance=1e-5)
    deck = ["array"]
    deck += [
        f"v{k} n{n} 0 pwl(0 0 5e-12 0 15e-12 {v!r})"
        for k, (n, v) in enumerate(zip(array.row_end.tolist(), level.tolist(), strict=True))
    ]
    for letter, (a, b, value) in (("r", array.network.conductors()), ("c", array.network.capacitors())):
        deck += [
            f"{letter}{k} n{i} {'0' if j < 0 else f'n{j}'} {1 / x if letter == 'r' else x!r}"
            for k, (i, j, x) in enumerate(zip(a.tolist(), b.tolist(), value.tolist(), strict=True)) if x > 0
        ]  # fmt: skip
    values = ngspice([*deck, ".tran 1e-13 5e-11 0 1e-13"])
    times = np.minimum(values["time"], 5e-11)
    theirs = np.stack([values[f"v(n{n})"] for n in array.bit_end], axis=1)
    assert np.abs(wave.at(times) - theirs).max() < 1e-3 * np.abs(theirs).max()
    flow = -np.stack([values[f"i(v{k})"] for k in range(8)], axis=1)
    ours = np.stack([np.interp(times, wave.time, one) for one in wave.current["rows"].T], axis=1)
    # Currents step at the corners of the ramp (capacitance at the source): compare away from them.
    away = (np.abs(times - 5e-12) > 1e-12) & (np.abs(times - 15e-12) > 1e-12)
    assert np.abs(ours - flow)[away].max() < 5e-3 * np.abs(flow).max()


def test_bad_input_is_refused() -> None:
    net = low_pass()
    drive = VoltageSources("in", constant_waveform(1.0), name="v")

    def go(**change: object) -> None:
        arguments: dict[str, object] = {"stop": 1e-12, "save": ["out"], "step": 1e-13} | change
        sources = arguments.pop("sources", [drive])
        solve_transient(net, sources, **arguments)  # type: ignore[arg-type]

    for change, message in (
        ({"stop": -1.0}, "stop time must be positive"),
        ({"step": 0.0}, "time step must be positive"),
        ({"step": None, "tolerance": 1.0}, "tolerance must lie between"),
        ({"save": [-1]}, "ground cannot be saved"),
        ({"save": ["nowhere"]}, "no node 'nowhere'"),
        ({"sources": []}, "at least one source"),
        ({"sources": [drive, drive]}, "node in is driven by two ideal sources"),
        ({"sources": [VoltageSources("in", constant_waveform(1.0), ohm=-1.0)]}, "resistances not negative"),
        ({"sources": [VoltageSources("in", constant_waveform(1.0), level=[1.0, 2.0])]}, "does not fit 1 nodes"),
        ({"sources": [VoltageSources("0", constant_waveform(1.0))]}, "is at ground"),
        ({"currents": ["w"]}, "no source 'w'"),
        ({"initial": [0.0, 0.0, 0.0]}, r"initial voltages must be finite: a number, \(2,\)"),
    ):
        with pytest.raises(InputError, match=message):
            go(**change)
    with pytest.raises(InputError, match="times of a waveform must increase, 1e-12 s does not"):
        Waveform([0, 1e-12, 1e-12], [0, 0, 1])
    with pytest.raises(InputError, match="2 times and 2 values; one value more"):
        Switch("a", "b", [1.0, 2.0], [0.0, 1.0])
    lone = LinearNetwork(["in", "float"])
    lone.add_capacitors("in", "float", 1e-15)
    lone.add_capacitors("float", -1, 1e-15)
    with pytest.raises(InputError, match="node float has no resistive path"):
        solve_transient(lone, [drive], stop=1e-12, save=["float"])
    # With a given start its charge decides: half of the step.
    wave = solve_transient(lone, [VoltageSources("in", ramp(0.0, 1e-12))], stop=2e-12, save=["float"], initial=0.0)
    assert wave.voltage[-1, 0] == pytest.approx(0.5, abs=1e-9)
    empty = LinearNetwork(["in", "none"])
    empty.add_resistors("in", -1, 1.0)
    with pytest.raises(InputError, match="node none has no resistor and no capacitor"):
        solve_transient(empty, [drive], stop=1e-12, save=["in"], initial=0.0)


def test_wire_array_is_the_crossbar_of_the_direct_solver() -> None:
    from interconnect.crossbar import solve_crossbar

    rng = np.random.default_rng(8)
    cells = rng.uniform(1e-6, 1e-4, (5, 4))
    drive = rng.uniform(0, 1, 5)
    array = wire_array(np.full((5, 4), 1e-17), r_row=3.0, r_col=7.0, cell_conductance=cells)
    sense = 1e-6
    array.network.add_resistors(array.bit_end, -1, sense)
    state = array.network.dc(array.row_end, drive)
    currents = state.voltage[array.bit_end] / sense
    expected = solve_crossbar(cells, drive, r_row=3.0, r_col=7.0, r_sense=sense).current
    np.testing.assert_allclose(currents, expected, rtol=1e-6)
    with pytest.raises(InputError, match="c_row has shape"):
        wire_array(np.ones((2, 2)), c_row=[1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="r_col must be finite"):
        wire_array(np.ones((2, 2)), r_col=-1.0)


def test_lines_in_iterations_are_the_factored_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(9)
    array = wire_array(
        rng.uniform(2e-18, 14e-18, (30, 24)), r_row=50.0, r_col=80.0, c_row=3e-17, c_col=2e-17, coupling=4e-18
    )
    end = int(array.bit_end[3])
    drive = VoltageSources(array.row_end, ramp(2e-12, 5e-12), level=rng.uniform(0, 1, (30, 2)), ohm=1e3, name="rows")
    switch = Switch(end, -1, [5e-12], [1e-4, 0.0])
    systems = []
    for fewest in (10**6, 0):
        monkeypatch.setattr("interconnect.transient_system.MIN_NODES", fewest)
        wave = solve_transient(
            array.network, [drive], stop=3e-11, save=array.bit_end, step=2e-13, initial=0.0, switches=[switch],
            currents=["rows"],
        )  # fmt: skip
        systems.append(wave)
    factored, iterated = systems
    # Stages are iterated to 1e-11 of the drive; 150 steps of two.
    assert 0 < np.abs(iterated.voltage - factored.voltage).max() < 1e-9
    scale = np.abs(factored.current["rows"]).max()
    assert np.abs(iterated.current["rows"] - factored.current["rows"]).max() < 1e-7 * scale


def test_what_is_a_line() -> None:
    # Nodes 0-1-2-3 in a row, 4 alone, then a ring and a star.
    line, place = number_lines(5, np.array([2, 0, 1, 1]), np.array([3, 1, 2, 0])) or pytest.fail("lines not found")
    assert line.tolist() == [0, 0, 0, 0, 1]
    assert place.tolist() in ([0, 1, 2, 3, 0], [3, 2, 1, 0, 0])
    assert number_lines(3, np.array([0, 1, 0]), np.array([1, 2, 2])) is None
    assert number_lines(4, np.array([0, 0, 0]), np.array([1, 2, 3])) is None

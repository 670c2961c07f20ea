"""Capacitive arrays against ngspice, the general network solver and closed forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interconnect.chargearray import FloatingTabs, settle_array
from interconnect.errors import InputError
from interconnect.network import LinearNetwork

Spice = Callable[..., dict[str, np.ndarray]]


def test_one_column_is_the_capacitive_divider() -> None:
    # V = sum(V_i C_i) / (sum C_i + C_load + C_adc), from rest.
    cell = np.array([[10e-18], [20e-18], [30e-18]])
    result = settle_array(cell, [1.0, 0.0, 0.5], load=25e-18, adc_load=15e-18)
    assert result.voltage == pytest.approx([25.0 / 100.0], rel=1e-14)
    assert result.residual < 1e-15
    # A converter input precharged to 0.4 V and 2e-18 C of injected charge: 0.25 + (15 x 0.4 + 2) / 100.
    result = settle_array(cell, [1.0, 0.0, 0.5], load=25e-18, adc_load=15e-18, adc_initial=0.4, injected=2e-18)
    assert result.voltage == pytest.approx([0.25 + 0.08], rel=1e-14)
    # A steady array stays where it is.
    result = settle_array(cell, [0.7, 0.7, 0.7], load=25e-18, initial=0.3, row_initial=0.7)
    assert result.voltage == pytest.approx([0.3], rel=1e-15)


def test_published_column_of_eight() -> None:
    # 8 x 2 array, all rows driven, neighbours quiet: V = VDD sum(x C) / (sum C + C_par), column by column.
    rng = np.random.default_rng(8)
    cell = np.where(rng.random((8, 2)) < 0.5, 50e-18, 10e-18)
    x = rng.integers(0, 2, 8)
    expected = 0.9 * (x @ cell) / (cell.sum(axis=0) + 1.6e-16)
    np.testing.assert_allclose(settle_array(cell, 0.9 * x, load=1.6e-16).voltage, expected, rtol=1e-14)


def test_64_by_32_with_ten_percent_coupling_meets_ngspice(ngspice: Spice) -> None:
    rng = np.random.default_rng(1)
    rows, cols = 64, 32
    cell = np.where(rng.random((rows, cols)) < 0.5, 14e-18, 2.3e-18)
    total = cell.sum(axis=0) + 64 * 8e-18
    load, adc = np.full(cols, 64 * 8e-18), rng.uniform(0.5e-15, 1.5e-15, cols)
    beside = 0.1 * 0.5 * (total[:-1] + total[1:])
    level, start = rng.choice([0.0, 0.9], rows), rng.uniform(0.1, 0.3, cols)
    held, put = rng.uniform(0.2, 0.6, cols), rng.uniform(-5e-17, 5e-17, cols)
    ours = settle_array(
        cell, level, load=load, neighbour=beside, initial=start, adc_load=adc, adc_initial=held, injected=put
    )
    deck = ["capacitive array", ".options reltol=1e-5 chgtol=1e-21 abstol=1e-15 vntol=1e-9"]
    deck += [f"vr{i} r{i} 0 pwl(0 0 1e-10 0 2e-10 {v!r})" for i, v in enumerate(level.tolist())]
    deck += [f"cc{i}_{j} r{i} b{j} {float(cell[i, j])!r}" for i in range(rows) for j in range(cols)]
    for j in range(cols):
        deck.append(f"cl{j} b{j} 0 {float(load[j])!r} ic={float(start[j])!r}")
        # The converter's input joins through a resistor; a triangle of current carries the injected charge.
        deck.append(f"ra{j} b{j} a{j} 1e3")
        deck.append(f"ca{j} a{j} 0 {float(adc[j])!r} ic={float(held[j])!r}")
        deck.append(f"ij{j} 0 b{j} pwl(0 0 1e-10 0 1.5e-10 {float(put[j] / 5e-11)!r} 2e-10 0)")
    deck += [f"cn{j} b{j} b{j + 1} {float(beside[j])!r}" for j in range(cols - 1)]
    start_text = [f"v(b{j})={float(start[j])!r} v(a{j})={float(held[j])!r}" for j in range(cols)]
    deck += [".ic " + " ".join(start_text), ".tran 1e-11 4e-10 0 5e-12 uic"]
    values = ngspice(deck)
    theirs = np.array([values[f"v(b{j})"][-1] for j in range(cols)])
    error = np.abs(ours.voltage - theirs).max() / 0.9
    print(f"\n64 x 32 array against ngspice: {error:.1e} of the supply")
    assert error <= 1e-6
    # Coupling must matter, else this shows nothing.
    alone = settle_array(cell, level, load=load, initial=start, adc_load=adc, adc_initial=held, injected=put)
    assert np.abs(alone.voltage - ours.voltage).max() > 1e-3


def random_case(seed: int, rows: int, cols: int, loose: float, with_tabs: bool) -> tuple[dict[str, Any], LinearNetwork]:
    """A random array and the same circuit as a general network with every tab a node."""
    rng = np.random.default_rng(seed)
    case: dict[str, Any] = {
        "cell": rng.uniform(0, 20, (rows, cols)) * (rng.random((rows, cols)) < 0.8),
        "load": rng.uniform(5, 50, cols),
        "neighbour": rng.uniform(0, 30, cols - 1),
        "row_load": rng.uniform(1, 10, rows),
        "floating_rows": rng.random(rows) < loose,
    }
    net = LinearNetwork(rows + cols + rows * cols)
    column = rows + np.arange(cols)
    i, j = np.indices((rows, cols))
    net.add_capacitors(i.ravel(), column[j].ravel(), case["cell"].ravel())
    net.add_capacitors(column, -1, case["load"])
    if cols > 1:
        net.add_capacitors(column[:-1], column[1:], case["neighbour"])
    net.add_capacitors(np.arange(rows), -1, case["row_load"])
    tab = rows + cols + np.arange(rows * cols)
    if with_tabs:
        parts = {name: rng.uniform(0.1, 10, (rows, cols)) for name in ("column", "next_column", "row", "ground")}
        case["tabs"] = FloatingTabs(**parts)
        net.add_capacitors(tab, column[j].ravel(), parts["column"].ravel())
        beyond = np.where(j + 1 < cols, rows + j + 1, -1)
        net.add_capacitors(tab, beyond.ravel(), parts["next_column"].ravel())
        net.add_capacitors(tab, i.ravel(), parts["row"].ravel())
        net.add_capacitors(tab, -1, parts["ground"].ravel())
    else:
        net.add_capacitors(tab, -1, 1.0)
    return case, net


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(1, 8), st.sampled_from([0.0, 0.3, 0.95]), st.booleans()
)
def test_random_arrays_meet_the_general_network(seed: int, rows: int, cols: int, loose: float, tabs: bool) -> None:
    case, net = random_case(seed, rows, cols, loose, tabs)
    rng = np.random.default_rng(seed + 1)
    volts, before = rng.uniform(0, 1, (rows, 3)), rng.uniform(0, 1, (rows, 3))
    start, put = rng.uniform(0, 1, (cols, 3)), rng.uniform(-5, 5, (cols, 3))
    ours = settle_array(volts=volts, initial=start, row_initial=before, injected=put, **case)
    driven = np.flatnonzero(~case["floating_rows"])
    # The general solver starts uncharged tabs from the voltage that leaves them without charge.
    first = np.zeros((net.size, 3))
    first[:rows], first[rows : rows + cols] = before, start
    if tabs:
        first = net.settled(np.arange(rows + cols), first[: rows + cols]).voltage
    columns = rows + np.arange(cols)
    theirs = net.settled(driven, volts[driven], initial=first, injected=(columns, put))
    np.testing.assert_allclose(ours.voltage, theirs.voltage[columns], rtol=0, atol=1e-11)
    np.testing.assert_allclose(ours.row_voltage, theirs.voltage[:rows], rtol=0, atol=1e-11)
    assert ours.residual < 1e-11


def test_all_rows_floating_and_one_vector() -> None:
    case, _ = random_case(3, 6, 2, 0.0, False)
    case["floating_rows"] = np.ones(6, dtype=bool)
    ours = settle_array(volts=np.full(6, 9.0), initial=0.5, row_initial=0.5, **case)
    # Nothing is driven, nothing injected: nothing moves.
    assert ours.voltage == pytest.approx([0.5, 0.5], rel=1e-14)
    assert ours.row_voltage == pytest.approx(np.full(6, 0.5), rel=1e-14)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cell": [1.0]}, r"cell must have shape \(rows, cols\)"),
        ({"cell": [[-1.0, 1.0]]}, "cell must be finite and not negative"),
        ({"volts": [1.0, 2.0]}, r"volts has shape \(2,\), expected \(1,\)"),
        ({"volts": [np.nan]}, "volts must be finite"),
        ({"load": [1.0]}, r"load has shape \(1,\), expected a scalar or \(2,\)"),
        ({"neighbour": [1.0, 1.0]}, r"neighbour has shape \(2,\)"),
        ({"adc_load": -1.0}, "adc_load must be finite and not negative"),
        ({"initial": [[1.0, 2.0]]}, "initial must be finite, a scalar or of shape"),
        ({"floating_rows": [1]}, "floating_rows must be booleans"),
        ({"cell": [[0.0, 0.0]], "load": 0.0}, "has no capacitance"),
        ({"cell": [[0.0, 1.0]], "load": 0.0}, "voltages are not determined"),
        ({"tabs": FloatingTabs(-1.0)}, "tabs.column must be finite and not negative"),
    ],
)
def test_bad_input_is_refused(change: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"cell": [[1.0, 1.0]], "volts": [1.0], "load": 1.0}
    with pytest.raises(InputError, match=message):
        settle_array(**(good | change))

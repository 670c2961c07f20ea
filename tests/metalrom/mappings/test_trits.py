"""Balanced trits from the configuration to the product: coding, quantization, netlist, layout, engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interconnect.errors import InputError
from metalrom.api import Project, load
from metalrom.layout.audit import audit_layout
from metalrom.layout.files import write_layout
from metalrom.layout.plan import plan_layout
from metalrom.layout.read import open_layout
from metalrom.macro import Macro, MacroGeometry, estimate_macro, synthetic_table
from metalrom.macro.estimate import LayerEstimate
from metalrom.macro.quantity import Span
from metalrom.run.estimate import _figures
from metalrom.run.network_estimate import estimate_network
from metalrom.workloads.inventory import Inventory
from metalrom.workloads.inventory.layers import FixedMatrix
from netlists.devices.device_set import load_devices
from netlists.mapping import scheme_of, via_program, weights_of
from netlists.weights import quantize
from tests.builders import write_config

TIE = (0, 1, -1)
pytestmark = pytest.mark.usefixtures("quick_extraction")  # nothing here depends on the values


def project(tmp_path: Path, bits: int | str = 8, **sections: Any) -> Project:
    weights = sections.pop("weights", {"random": [24, 6], "bits": bits})
    cell = {"kind": "cap_tie", "planes": [{"row": "M2", "column": "M3"}, {"row": "M4", "column": "M5"}]}
    array = {"rows": 16, "columns": 15, "group_rows": 4, "columns_per_adc": 4}
    return load(write_config(tmp_path / "t.yaml", cell=cell, mapping="trits", weights=weights, array=array, **sections))


def trits_of(weight: int) -> list[int]:
    """Balanced ternary by repeated division, lowest first: Knuth, The Art of Computer Programming 2, 4.1."""
    out = []
    while weight:
        digit = (weight + 1) % 3 - 1
        out.append(digit)
        weight = (weight - digit) // 3
    return out + [0] * (5 - len(out))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(-121, 121), min_size=1, max_size=30))
def test_trits_are_those_of_repeated_division(weights: list[int]) -> None:
    program = via_program(np.array(weights)[None], 8, mapping="trits", symbol_values=TIE)
    digits = np.array(TIE)[program.bits].reshape(len(weights), 5)
    assert digits.tolist() == [trits_of(w) for w in weights]
    assert weights_of(program).ravel().tolist() == weights
    assert (-np.array(TIE)[via_program(-np.array(weights)[None], 8, mapping="trits", symbol_values=TIE).bits]
            == np.array(TIE)[program.bits]).all()  # fmt: skip


@pytest.mark.parametrize("weight", [-128, -122, 122, 127])
def test_integers_beyond_five_trits_are_refused(weight: int) -> None:
    with pytest.raises(InputError, match=rf"a weight of {weight} does not fit 8 bits \(trits mapping: -121 to 121\)"):
        via_program(np.array([[weight]]), 8, mapping="trits", symbol_values=TIE)


def test_real_weights_get_a_step_that_is_127_121_as_large(tmp_path: Path) -> None:
    design = project(tmp_path)
    words = load(write_config(tmp_path / "w.yaml", cell={"kind": "cap_tie"}, mapping="ternary",
                              weights={"random": [24, 6], "bits": 8})).weights  # fmt: skip
    trits = design.weights
    assert np.abs(trits.values).max(axis=0).tolist() == [121] * 6
    assert np.abs(words.values).max(axis=0).tolist() == [127] * 6
    assert trits.scale == pytest.approx(words.scale * 127 / 121)


def test_the_error_of_trits_is_that_of_their_step() -> None:
    """A uniform error of a step has an rms of step / sqrt(12): 127/121 of that of whole words."""
    w = np.random.default_rng(5).standard_normal((4000, 4))
    error = {top: quantize(w, 8, top=top).dequantized() - w for top in (127, 121)}
    rms = {top: float(np.sqrt(np.mean(e**2))) for top, e in error.items()}
    assert rms[121] / rms[127] == pytest.approx(127 / 121, rel=0.02)
    step = float(np.sqrt(np.mean(quantize(w, 8, top=121).scale ** 2)))
    assert rms[121] == pytest.approx(step / np.sqrt(12), rel=0.02)


def test_one_scheme_from_the_weights_to_the_product(tmp_path: Path) -> None:
    p = project(tmp_path)
    w, x = p.weights.values, p.activations.values
    scheme = scheme_of("trits", 8, TIE)
    assert (scheme.columns, p.program.bit_columns) == (5, 5 * w.shape[1])
    assert scheme == p.scheme
    np.testing.assert_array_equal(weights_of(p.program), w)
    macro = Macro.ideal(rows=4, levels=3, mapping="trits", input_bits=p.config.inputs.bits, symbol_values=TIE)
    result = macro.run(x, w)
    np.testing.assert_array_equal(result.y, x.astype(np.int64) @ w)
    assert result.code_errors == 0
    # input bits x groups of 4 rows x outputs x trits x vectors
    assert result.conversions == p.config.inputs.bits * 6 * 6 * 5 * len(x)


def test_netlist_and_layout_hold_every_trit(tmp_path: Path) -> None:
    pytest.importorskip("gdstk")
    p = project(tmp_path)
    p.netlist("macro", tmp_path / "m.cir")
    audit = p.audit(tmp_path / "m.cir", "macro")
    assert (audit.ok, audit.cells) == (True, p.program.bits.size)
    d = p
    plan = plan_layout(d.cell, d.stack, d.planes, d.program, d.manifest, "macro", group_rows=4)
    write_layout(plan, tmp_path / "m.gds")
    drawn = audit_layout(plan, open_layout(tmp_path / "m.gds").flatten(plan.grid), d.program)
    assert (drawn.ok, drawn.cells) == (True, d.program.bits.size)


def test_native_ternary_weights_are_one_cell_each(tmp_path: Path) -> None:
    """`bits: ternary` is the same as two bits; one trit per weight, one column."""
    p, same = project(tmp_path, "ternary"), project(tmp_path, 2)
    assert p.program.bit_columns == 6
    np.testing.assert_array_equal(p.weights.values, same.weights.values)
    assert set(np.unique(p.weights.values)) == {-1, 0, 1}
    macro = Macro.ideal(rows=4, levels=3, mapping="trits", weight_bits=2, input_bits=4, symbol_values=TIE)
    x = np.random.default_rng(0).integers(-8, 8, (3, 24))
    np.testing.assert_array_equal(macro.matmul(x, p.weights.values), x @ p.weights.values.astype(int))


def test_every_density_of_weight_bits_counts_what_a_weight_holds() -> None:
    """Five trits tell 243 values apart, log2 of that in bits: by the macro's estimate and by the sum over layers."""
    table = synthetic_table(4, levels=3)
    geometry = MacroGeometry(
        cell_area=0.06e-12, rows=16, columns=15, planes=2, group_rows=4, columns_per_adc=4, adc_bits=4,
        driver_area=2e-12, reset_area=1e-12, rules=load_devices("open45").area, mapping="trits", symbol_values=TIE,
    )  # fmt: skip
    macro = estimate_macro(geometry, table, table.conditions[0])
    one = Span.exact(1.0)
    layer = LayerEstimate(16, 6, 1, macro, conversions=1, skipped=0, macs=1, energy=one, latency=one)
    matrix = Inventory("one", "one input vector", (FixedMatrix("one", 16, 6),), "one")
    network = estimate_network(matrix, lambda inputs, outputs: layer)
    rows = {row[0]: row for row in _figures(network, None)}
    expected = 16 * 30 / 5 * np.log2(243) / macro.footprint.stacked.mid * 1e-12
    assert rows["density of weight bits, periphery under the array"][2] == pytest.approx(expected)
    assert macro.footprint.weight_density_stacked.mid == pytest.approx(expected)


def test_an_estimate_counts_five_columns_a_weight() -> None:
    geometry = MacroGeometry(
        cell_area=0.06e-12, rows=16, columns=15, planes=2, group_rows=4, columns_per_adc=4, adc_bits=4,
        driver_area=2e-12, reset_area=1e-12, rules=load_devices("open45").area, mapping="trits", symbol_values=TIE,
    )  # fmt: skip
    assert geometry.bit_columns_per_weight == 5
    assert geometry.bits_per_cell == pytest.approx(np.log2(3))
    assert geometry.weights_per_row == 2 * 15 // 5

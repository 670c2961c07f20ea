"""`macro` of the configuration, and group sizes that are no power of two, from the file to netlist, engine and bill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interconnect.errors import InputError
from metalrom.api import Project, load
from metalrom.design.readout import configured_chain
from metalrom.macro import csnr, estimate_layer, synthetic_table
from metalrom.macro.conversions import ConversionRule, largest_drop, product_with_drops
from metalrom.run.characterize import histogram
from metalrom.run.evaluate import macro_geometry, macro_of
from metalrom.run.readout_cost import decision_shares
from metalrom.studies.accuracy import Chip
from metalrom.studies.accuracy.macro_product import MacroProduct
from netlists.readout.column_ramp import ColumnRamp
from netlists.readout.column_sar import ColumnSar
from tests.builders import make_testbench, write_config


def project(path: Path, **sections: Any) -> Project:
    return load(write_config(path / "c.yaml", **{"weights": {"random": [16, 4], "bits": 8}, **sections}))


def test_the_rule_reaches_engine_histogram_and_geometry(tmp_path: Path) -> None:
    keys = {"skip_idle": True, "popcount_range": True, "variable_time": True, "partial_products": {"below": 4}}
    design = project(tmp_path, macro=keys, inputs={"bits": 8, "vectors": 6})
    rule = ConversionRule(skip_idle=True, popcount_range=True, drop_below=4, variable_time=True)
    assert design.rule == macro_geometry(design, 4).rule == rule
    table = synthetic_table(4)
    macro = macro_of(design, table, table.conditions[0])
    x, w = design.activations.values, design.weights.values.astype(np.int64)
    got = macro.run(x, w)
    assert (got.y == product_with_drops(x, w, design.scheme, 4, input_bits=8)).all()
    used = histogram(design, 4)
    assert used.sum() == got.conversions + got.skipped == len(x) * 4 * 92 * 4  # 4 groups, 92 of 112 products, 4 columns
    layer = estimate_layer(
        macro_geometry(design, 4), table, table.conditions[0], inputs=16, outputs=4, tokens=len(x), histogram=used
    )
    assert (layer.conversions, layer.skipped) == (got.conversions, got.skipped)
    assert project(tmp_path).rule == ConversionRule()


@pytest.mark.parametrize("mapping", ["differential", "signed_digits", "twos_complement"])
def test_a_target_drops_as_many_products_as_keep_it_on_the_layer(tmp_path: Path, mapping: str) -> None:
    design = project(
        tmp_path, macro={"partial_products": {"csnr": "40dB"}}, mapping=mapping, inputs={"bits": 8, "vectors": 20}
    )
    x, w = design.activations.values, design.weights.values.astype(np.int64)
    below = design.rule.drop_below
    kept, more = (csnr(x @ w, product_with_drops(x, w, design.scheme, t, input_bits=8)).raw for t in (below, below + 1))
    assert below > 0
    assert kept >= 40 > more


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    for macro, message in [
        ({"partial_products": {}}, "needs either `csnr` or `below`"),
        ({"partial_products": {"csnr": "40dB", "below": 3}}, "needs either `csnr` or `below`"),
        ({"partial_products": {"csnr": "40V"}}, "has the wrong unit"),
        ({"variable_time": True}, "needs skip_idle or popcount_range"),
    ]:
        with pytest.raises(InputError, match=message):
            project(tmp_path, macro=macro)
    with pytest.raises(InputError, match="drops every partial product; 13 or less"):
        _ = project(tmp_path, macro={"partial_products": {"below": 14}}).rule
    for readout in ({"kind": "inverter"}, {"kind": "chain", "converter": {"kind": "ramp"}}):
        design = project(tmp_path, macro={"popcount_range": True}, readout=readout)
        with pytest.raises(InputError, match=r"macro\.popcount_range: takes fewer decisions"):
            _ = design.rule
        assert project(tmp_path, macro={"skip_idle": True}, readout=readout).rule.skip_idle


@pytest.mark.parametrize(("rows", "bits"), [(24, 5), (31, 5), (48, 6), (128, 8)])
def test_group_sizes_of_any_kind(tmp_path: Path, rows: int, bits: int) -> None:
    """Two whole groups and a rest of five rows: netlist and audit, product, bits of the converter, bill."""
    inputs, outputs = 2 * rows + 5, 3
    design = project(
        tmp_path,
        array={"rows": inputs, "columns": 18, "group_rows": rows, "columns_per_adc": 6},
        weights={"random": [inputs, outputs], "bits": 4},
        inputs={"bits": 4, "vectors": 5},
    )
    path = tmp_path / "macro.cir"
    design.netlist("macro", path)
    report = design.audit(path, "macro")
    assert report.ok
    assert report.cells == inputs * outputs * 6
    table = synthetic_table(rows)
    x, w = design.activations.values, design.weights.values.astype(np.int64)
    got = macro_of(design, table, table.conditions[0]).run(x, w)
    assert (got.y == x @ w).all()
    assert got.conversions == 5 * 4 * 3 * outputs * 6  # vectors, input bits, groups, outputs, columns
    geometry = macro_geometry(design, rows)
    assert (geometry.groups, geometry.adc_bits) == (3, bits)
    layer = estimate_layer(geometry, table, table.conditions[0], inputs=inputs, outputs=outputs, tokens=5)
    assert layer.conversions == got.conversions
    chain, _ = configured_chain(project(tmp_path, array={"rows": inputs, "group_rows": rows}, readout=None), rows)
    assert chain is not None
    assert isinstance(chain.converter, ColumnSar)
    assert chain.converter.decisions(rows + 1) == bits


def test_more_counts_than_the_converter_s_codes_are_refused(tmp_path: Path) -> None:
    array = {"rows": 128, "group_rows": 128}
    for kind, message in [("ramp", "7 bits cannot tell apart the 129 counts"), ("pair", "the 257 counts of 128 rows")]:
        design = project(tmp_path, array=array, readout={"kind": "chain", "converter": {"kind": kind}})
        with pytest.raises(InputError, match=message):
            configured_chain(design, 128)


def test_decisions_by_driven_rows(tmp_path: Path) -> None:
    """Clocks of `ColumnSar`: one more than its decisions; 21 counts take 5, 9 take 4, 5 take 3, 3 take 2, others 1."""
    setup = make_testbench(rows=20, chain=configured_chain(project(tmp_path, readout=None), 4)[0])
    decisions = [1, 1, 2, 2, 3, 3, 3, 3] + [4] * 8 + [5] * 5
    assert decision_shares(setup) == pytest.approx([(n + 1) / 6 for n in decisions])
    ramp = configured_chain(project(tmp_path, readout={"kind": "chain", "converter": {"kind": "ramp"}}), 4)[0]
    assert ramp is not None
    assert isinstance(ramp.converter, ColumnRamp)
    assert decision_shares(make_testbench(rows=20, chain=ramp)) == ()


def test_a_network_takes_the_rule_of_its_run_unless_an_option_differs() -> None:
    table = synthetic_table(16)
    chip = Chip("a run's", table, table.conditions[0], rule=ConversionRule(skip_idle=True, drop_below=4))
    assert chip.macro().rule == ConversionRule(skip_idle=True, drop_below=4)
    assert chip.macro(drop_below=0).rule == ConversionRule(skip_idle=True)
    product = MacroProduct(chip, weight_bits=8, input_bits=8, options={"drop_below": 5})
    x, w = np.zeros((3, 32), np.int64), np.ones((32, 2), np.int16)
    x[:, 0] = 64  # one of two groups in one of eight planes
    product.multiply(x, product.store(w, 0))
    assert product.conversions == 3 * 2 * 14
    assert product.conversions + product.skipped == 3 * 2 * 2 * 82


def test_every_layer_of_a_network_drops_what_its_own_inputs_permit() -> None:
    table, rng = synthetic_table(16), np.random.default_rng(0)
    chip = Chip("a run's", table, table.conditions[0], rule=ConversionRule(drop_below=9, drop_csnr=40.0))
    product = MacroProduct(chip, weight_bits=8, input_bits=8)
    w = rng.integers(-127, 128, (64, 4)).astype(np.int16)
    for index, size in enumerate((127, 20, 3)):
        x = rng.integers(-size, size + 1, (9, 64))
        stored = product.store(w, index)
        got = product.multiply(x, stored)
        below, quality = largest_drop(x, w.astype(np.int64), product.scheme, 40.0, input_bits=8)
        assert (got == product_with_drops(x, w.astype(np.int64), product.scheme, below, input_bits=8)).all()
        assert csnr(x @ w.astype(np.int64), got).raw == quality >= 40
        other = rng.integers(-size, size + 1, (2, 64))  # the choice is made once
        expected = product_with_drops(other, w.astype(np.int64), product.scheme, below, input_bits=8)
        assert (product.multiply(other, stored) == expected).all()
    given = MacroProduct(chip, weight_bits=8, input_bits=8, options={"drop_below": 2})
    assert (given.multiply(x, given.store(w, 0)) == product_with_drops(x, w, given.scheme, 2, input_bits=8)).all()


def test_random_input_vectors_are_bounded(tmp_path: Path) -> None:
    given = {"bits": 8, "vectors": 1024}
    with pytest.raises(
        InputError, match=r"inputs\.vectors: 1024 random vectors of 16385 inputs are more than 16777216"
    ):
        _ = project(tmp_path, weights={"random": [16_385, 1]}, inputs=given).activations

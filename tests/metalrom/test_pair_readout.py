"""`readout.converter.kind: pair` from the configuration to the engine and the bill: one conversion per two columns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interconnect.errors import InputError
from metalrom.api import Project, load
from metalrom.design.readout import configured_chain
from metalrom.macro import MacroGeometry, estimate_macro, synthetic_table
from metalrom.macro.chain_cost import ChainCost
from metalrom.run.characterize import histogram
from metalrom.run.evaluate import macro_geometry, macro_of
from metalrom.run.readout_cost import chain_geometry
from netlists.mapping import scheme_of
from netlists.readout.column_pair import ColumnPair
from tests.builders import write_config
from tests.metalrom.test_chain_bill import cost, geometry, table  # noqa: F401 - fixtures

PAIR: dict[str, Any] = {"kind": "chain", "converter": {"kind": "pair"}}


def project(path: Path, **sections: Any) -> Project:
    return load(write_config(path / "c.yaml", **{"readout": PAIR, "inputs": {"bits": 4, "vectors": 6}, **sections}))


@pytest.mark.parametrize(("mapping", "bits"), [("differential", 4), ("trits", 8), ("ternary", 2)])
def test_the_product_is_the_integer_product_in_half_of_the_conversions(tmp_path: Path, mapping: str, bits: int) -> None:
    """Every conversion of the stored program by hand: ones of the plus less ones of the minus column in driven rows."""
    weights = {"random": [10, 4], "bits": bits}
    design = project(tmp_path, mapping=mapping, weights=weights)
    x, w = design.activations.values, design.weights.values.astype(np.int64)
    macro = macro_of(design, synthetic_table(4, levels=3), "ideal_1.00V_27C")
    got = macro.run(x, w)
    assert np.array_equal(got.y, x @ w)
    columns = project(tmp_path, mapping=mapping, weights=weights, readout=None)
    apart = macro_of(columns, synthetic_table(4), "ideal_1.00V_27C")
    assert 2 * got.conversions == apart.run(x, w).conversions
    planes = (x[:, None, :] >> np.arange(4)[:, None]) & 1
    bits_of, counts = design.program.bits.astype(np.int64), np.zeros((5, 9), dtype=np.int64)
    for start in range(0, 10, 4):
        driven = planes[:, :, start : start + 4]
        found = driven @ (bits_of[start : start + 4, ::2] - bits_of[start : start + 4, 1::2])
        active = np.broadcast_to(driven.sum(axis=2)[..., None], found.shape)
        np.add.at(counts, (active, found + active), 1)
    assert np.array_equal(histogram(design, 4), counts)


def test_shares_are_those_of_differences(tmp_path: Path) -> None:
    design = project(tmp_path)
    plus, minus = design.program.bits[:, ::2], design.program.bits[:, 1::2]
    assert design.symbol_shares == pytest.approx(
        (float(minus.mean()), 1 - float(minus.mean() + plus.mean()), float(plus.mean()))
    )


def test_a_bus_has_half_of_the_columns(tmp_path: Path) -> None:
    """16 columns that share a converter: 8 on either bus, which reaches across all 16."""
    design = project(tmp_path, array={"columns_per_adc": 16})
    chain, _ = configured_chain(design, 4)
    single, _ = configured_chain(project(tmp_path, array={"columns_per_adc": 16}, readout={"kind": "chain"}), 4)
    assert chain is not None
    assert single is not None
    assert chain.converter == ColumnPair()
    # the array on either bus is charged too, in 2.9 ns with eight columns a bus (docs/explanation/readout-cost.md)
    assert (chain.timing.settle_bus, single.timing.settle_bus) == (3e-9, 2e-9)
    given = configured_chain(project(tmp_path, readout=PAIR | {"timing": {"settle_bus": "4ns"}}), 4)[0]
    assert given is not None
    assert given.timing.settle_bus == 4e-9
    assert chain.bus.columns == 8
    assert chain.bus.wire_capacitance == pytest.approx(single.bus.wire_capacitance)
    found = macro_geometry(design, 4)
    assert (found.columns_per_conversion, found.conversions_per_weight, found.bit_columns_per_weight) == (2, 3, 6)
    assert found.adc_bits == 4  # 9 levels of four rows
    assert (found.columns, found.shape.columns) == (16, 8)  # the engine counts columns that are converted


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        (
            {"mapping": "twos_complement"},
            "difference of a plus and a minus column, in which the mapping twos_complement",
        ),
        ({"mapping": "offset"}, "the mapping offset does not store"),
        ({"mapping": "unsigned", "weights": {"random": None, "file": "w.npy"}}, "the mapping unsigned does not store"),
        ({"cell": {"kind": "cap_tie"}}, "cells of values"),
        ({"array": {"columns": 15}}, "array.columns: is odd, and the converter `pair` takes two columns at a time"),
        ({"array": {"columns_per_adc": 1}}, "array.columns_per_adc: is odd"),
    ],
)
def test_what_cannot_be_paired_is_refused(tmp_path: Path, sections: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        configured_chain(project(tmp_path, **sections), 4)


def test_the_scheme_of_a_pair_is_that_of_signed_cells() -> None:
    assert scheme_of("differential", 8).paired() == scheme_of("differential", 8, (-1, 0, 1))
    with pytest.raises(InputError, match="does not store weights in cells of values"):
        scheme_of("differential", 8, (0, 1, 2, 3)).paired()


def test_half_of_the_conversions_are_billed(geometry: MacroGeometry, table: Any, cost: ChainCost) -> None:  # noqa: F811
    """A converter of two buses of four columns each in place of one of eight: what a conversion costs does not depend
    on what it takes, and half as many are made. Single drive: with complement drive one column has dummy rows."""
    single = chain_geometry(geometry, replace(cost, drive="single"))
    two = replace(single, columns_per_conversion=2)
    one, pair = (estimate_macro(g, table, table.conditions[0]) for g in (single, two))
    assert pair.energy_per_conversion == one.energy_per_conversion
    assert pair.energy_per_mac.mid == pytest.approx(one.energy_per_mac.mid / 2)
    assert pair.latency.mid == pytest.approx(one.latency.mid / 2)
    assert pair.footprint.density_stacked == one.footprint.density_stacked

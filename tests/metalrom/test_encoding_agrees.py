"""The macro engine and the netlist see the same weights: equal columns, worth and stored symbols for every mapping."""

from __future__ import annotations

import numpy as np
import pytest

from metalrom.macro.encoding import MAPPINGS, encoding
from netlists.mapping import mapping_names, via_program

BITS = {"ternary": (2,), "unsigned": (2, 4, 8)}


def test_both_know_the_same_mappings() -> None:
    assert set(MAPPINGS) == set(mapping_names())


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("levels", [2, 4])
def test_columns_worth_and_symbols_agree(mapping: str, levels: int) -> None:
    if mapping == "ternary" and levels != 2:
        pytest.skip("cells of four levels hold no ternary weight in the engine")
    for bits in BITS.get(mapping, (2, 4, 6, 8)):
        engine = encoding(mapping, bits, levels)
        rng = np.random.default_rng(bits)
        weights = rng.integers(engine.low, engine.high + 1, (20, 3))
        program = via_program(weights, bits, mapping=mapping, counts=tuple(range(levels)))
        units = program.bit_columns // program.weight_columns
        assert units == engine.units
        assert program.worth[:units].tolist() == list(engine.factor)
        assert program.encoding.constant == engine.bias
        stored = program.bits.reshape(20, 3, units)
        for unit in range(units):
            assert np.array_equal(stored[:, :, unit], engine.level(weights, unit))


def test_a_cell_that_subtracts_stores_the_same_ternary_weight() -> None:
    # The engine writes -1, 0, 1 as 0, 1, 2 with a constant of -1; the netlist's symbols count 0, 1, -1 themselves.
    weights = np.array([[-1, 0, 1], [1, -1, 0]])
    engine = encoding("ternary", 2, 3)
    program = via_program(weights, 2, mapping="ternary", counts=(0, 1, -1))
    counted = np.array(program.counts)[program.bits]
    assert np.array_equal(counted, engine.level(weights, 0).astype(int) * engine.factor[0] + engine.bias)

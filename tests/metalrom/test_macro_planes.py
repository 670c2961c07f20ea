"""Every bit column is read by the readout table of its plane."""

from __future__ import annotations

import numpy as np
import pytest

from characterization.tables.planes import PlaneClass, PlaneTables
from characterization.tables.table import AdcModel, ReadoutTable
from interconnect.errors import InputError
from metalrom.macro import Macro, Mitigation
from metalrom.studies.accuracy.chips import Chip
from metalrom.studies.accuracy.macro_product import MacroProduct
from netlists.mapping import MacroShape, tile, via_program
from tests.builders import TT, make_readout_table

ROWS, BITS, OUTPUTS = 4, 4, 9
PLANES = ("M2-M3", "M4-M5", "M6-M7")
LOW, TOP = PlaneClass("M2-M3", PLANES[:2], "bottom and inner"), PlaneClass("M6-M7", PLANES[2:], "top")
UNITS = 2 * (BITS - 1)
"""Bit columns of a differential weight."""


def stack(low: ReadoutTable, top: ReadoutTable) -> PlaneTables:
    return PlaneTables.from_tables((low, top), (LOW, TOP), PLANES)


def layer() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return rng.integers(-128, 128, (5, 10)), rng.integers(-7, 8, (10, OUTPUTS))


def spread(step: float) -> ReadoutTable:
    """A readout of every effect: noise, frozen spread and the converter's offset, all in volts."""
    adc = AdcModel(ROWS + 1, 2e-3, 2e-3)
    return make_readout_table(ROWS, step=step, sigma_noise=3e-3, sigma_static=2e-3, adc=adc)


def test_the_engine_and_the_program_agree_on_the_plane_of_a_bit_column() -> None:
    shape = MacroShape(rows=4, columns=7, planes=3)
    manifest = tile(via_program(layer()[1], BITS), shape)
    located = [manifest.locate(9, column)[1] for column in range(manifest.bit_columns)]
    assert shape.plane_of(np.arange(manifest.bit_columns)).tolist() == located
    assert set(located) == {0, 1, 2}


@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_thresholds_one_count_low_on_the_top_plane_move_its_columns_alone(noise: float) -> None:
    adc = AdcModel(ROWS + 2, 0.0, 0.0)  # a code above the largest count
    edges = np.broadcast_to(np.arange(ROWS + 1) + 0.5, (1, ROWS + 1, ROWS + 1))
    low, top = (
        make_readout_table(ROWS, step=1.0, adc=adc, sigma_noise=noise, threshold=edges - shift) for shift in (0, 1)
    )
    x, w = layer()
    shape = MacroShape(rows=8, columns=5, planes=3)  # a plane ends within a weight
    macro = Macro(stack(low, top), TT, array=shape, weight_bits=BITS)
    got = macro.run(x, w)
    # Every code of the top plane is one too high, in three groups of rows and all input bits: the place values of two's
    # complement inputs add up to -1, those of the weight's columns are +-2^k.
    column = np.arange(OUTPUTS * UNITS).reshape(OUTPUTS, UNITS)
    on_top = column // 5 % 3 == 2
    place = np.tile(np.repeat(2 ** np.arange(BITS - 1), 2) * np.tile([1, -1], BITS - 1), (OUTPUTS, 1))
    assert macro.scheme.place_value == tuple(place[0])
    np.testing.assert_array_equal(got.y, x @ w - 3 * (place * on_top).sum(axis=1))
    assert got.code_errors == 5 * 8 * 3 * on_top.sum()
    # The counts that occur are those of the ideal macro.
    ideal = Macro.ideal(rows=ROWS, weight_bits=BITS)
    np.testing.assert_array_equal(macro.count_histogram(x, w), ideal.count_histogram(x, w))


CHECKED = Mitigation(residue=4, retries=1)  # sets of three columns
PLANS = [(), (Mitigation(reads=3),), (CHECKED,), (Mitigation(top=1, reads=3, combine="mean"),)]


@pytest.mark.parametrize("mitigations", PLANS)
def test_a_column_gives_what_a_macro_of_its_own_plane_gives(mitigations: tuple[Mitigation, ...]) -> None:
    low, top = spread(20e-3), spread(12e-3)
    x, w = layer()
    # three whole weights on every plane: equal draws, hence equal outputs, bit by bit
    shape = MacroShape(rows=16, columns=3 * UNITS, planes=3)

    def run(table: ReadoutTable | PlaneTables) -> np.ndarray:
        macro = Macro(table, TT, array=shape, weight_bits=BITS, seed=7, mitigations=mitigations, thin=False)
        return macro.run(x, macro.store(w), call=0).y

    on_top = np.arange(OUTPUTS) >= 6
    alone = run(low), run(top)
    assert (alone[0][:, on_top] != alone[1][:, on_top]).any()
    np.testing.assert_array_equal(run(stack(low, top)), np.where(on_top, alone[1], alone[0]))
    # Equal tables are one table.
    np.testing.assert_array_equal(run(stack(low, low)), alone[0])


def test_a_network_is_evaluated_plane_by_plane() -> None:
    tables, shape = stack(spread(20e-3), spread(12e-3)), MacroShape(rows=16, columns=5, planes=3)
    chip = Chip("two classes of planes", tables.worst(), TT, planes=tables, array=shape)
    x, w = layer()
    product = MacroProduct(chip, weight_bits=BITS, input_bits=8, seed=7)
    macro = Macro(tables, TT, array=shape, weight_bits=BITS, seed=7)
    found = product.multiply(x, product.store(w.astype(np.int16), 2))
    np.testing.assert_array_equal(found, macro.matmul(x, macro.store(w, layer=2), call=0))
    of_worst = Macro(tables.worst(), TT, weight_bits=BITS, seed=7)
    assert (found != of_worst.matmul(x, of_worst.store(w, layer=2), call=0)).any()


def test_tables_of_several_planes_need_the_size_of_an_array() -> None:
    tables = stack(spread(20e-3), spread(12e-3))
    with pytest.raises(InputError, match="several planes need the array's size"):
        Macro(tables, TT)
    with pytest.raises(InputError, match="array of 2 planes, readout tables of 3"):
        Macro(tables, TT, array=MacroShape(planes=2))
    one, other = (Macro(tables, TT, array=MacroShape(columns=n, planes=3)) for n in (64, 32))
    with pytest.raises(InputError, match="stored on other planes"):
        other.matmul(*(layer()[0], one.store(layer()[1])))

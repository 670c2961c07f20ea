"""Via programs and tiles: nothing is lost, every bit has one place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from interconnect.errors import InputError
from netlists.mapping import MacroShape, tile, via_program, weights_of


@st.composite
def integer_weights(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    bits = draw(st.integers(2, 9))
    top = 2 ** (bits - 1) - 1
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 7)))
    return draw(arrays(np.int16, shape, elements=st.integers(-top, top))), bits


@settings(deadline=None)
@given(integer_weights())
def test_weights_come_back_exactly(case: tuple[np.ndarray, int]) -> None:
    w, bits = case
    program = via_program(w, bits)
    assert program.bits.shape == (w.shape[0], w.shape[1] * 2 * (bits - 1))
    np.testing.assert_array_equal(weights_of(program), w)
    # Independent of the layout: sum of bit columns by weight, sign and significance.
    again = np.zeros_like(w, dtype=int)
    for k in range(program.bit_columns):
        again[:, program.weight_column[k]] += (
            program.sign[k] * 2 ** program.significance[k] * program.bits[:, k].astype(int)
        )
    np.testing.assert_array_equal(again, w)
    # Differential: no weight uses a positive and a negative column.
    positive = program.bits[:, program.sign > 0].reshape(w.shape[0], w.shape[1], -1).any(axis=2)
    negative = program.bits[:, program.sign < 0].reshape(w.shape[0], w.shape[1], -1).any(axis=2)
    assert not (positive & negative).any()


def test_the_sizes_of_a_real_projection() -> None:
    # 384 x 384 weights of 8 bits: 7 magnitude bits, two signs -> 5376 bit columns, 2.06 M cells
    program = via_program(np.zeros((384, 384), dtype=np.int16), 8)
    assert program.bits.shape == (384, 5376)
    manifest = tile(program, MacroShape(rows=128, columns=256, planes=4))
    assert manifest.tiles == 3 * 6  # ceil(5376 / 1024) = 6
    assert manifest.utilisation == pytest.approx(384 * 5376 / (18 * 128 * 1024))


@settings(deadline=None)
@given(
    shape=st.tuples(st.integers(1, 7), st.integers(1, 9), st.integers(1, 3)),
    size=st.tuples(st.integers(1, 20), st.integers(1, 12)),
)
def test_every_bit_has_exactly_one_place(shape: tuple[int, int, int], size: tuple[int, int]) -> None:
    program = via_program(np.ones(size, dtype=np.int16), 3)
    manifest = tile(program, MacroShape(rows=shape[0], columns=shape[1], planes=shape[2]))
    seen = np.zeros(program.bits.shape, dtype=int)
    for p in manifest.placements():
        assert 1 <= p.rows <= shape[0]
        assert 1 <= p.columns <= shape[1]
        assert p.plane < shape[2]
        seen[p.row_start : p.row_stop, p.column_start : p.column_stop] += 1
        where = manifest.locate(p.row_stop - 1, p.column_start)
        assert where == (p.tile, p.plane, p.rows - 1, 0)
    assert (seen == 1).all()
    assert {p.tile for p in manifest.placements()} == set(range(manifest.tiles))
    document = manifest.to_json()
    assert len(document["placements"]) == len(list(manifest.placements()))


def test_bad_weights_and_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="does not fit 4 bits"):
        via_program(np.array([[8]], dtype=np.int16), 4)
    with pytest.raises(InputError, match="not an integer matrix"):
        via_program(np.array([[0.5]]), 4)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"macro\.rows"):
        MacroShape(rows=0)
    program = via_program(np.array([[1]], dtype=np.int16), 4)
    with pytest.raises(InputError, match="outside the program"):
        tile(program, MacroShape()).locate(1, 0)

"""Every mapping in every kind of cell: the weights come back, the digits are allowed, products are exact."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from interconnect.errors import InputError
from netlists.mapping import (
    MAPPINGS,
    MacroShape,
    ViaProgram,
    register_mapping,
    scheme_of,
    tile,
    via_program,
    weights_of,
)

CELLS = {
    "bit": (0, 1),
    "ternary": (-1, 0, 1),
    "ternary, other order": (0, 1, -1),
    "two bits": (0, 1, 2, 3),
    "two bits, other order": (3, 1, 0, 2),
    "three levels": (0, 1, 2),
    "three bits": tuple(range(8)),
}


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, int, tuple[int, ...], np.ndarray]:
    name, counts = draw(st.sampled_from(list(MAPPINGS))), CELLS[draw(st.sampled_from(sorted(CELLS)))]
    bits = draw(st.integers(2, 11))
    scheme = scheme_of(name, bits, counts)
    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 5)))
    return name, bits, counts, draw(arrays(np.int16, shape, elements=st.integers(scheme.low, scheme.high)))


@settings(deadline=None, max_examples=300)
@given(cases())
def test_weights_come_back_from_every_mapping_and_cell(case: tuple[str, int, tuple[int, ...], np.ndarray]) -> None:
    name, bits, counts, w = case
    program = via_program(w, bits, mapping=name, symbol_values=counts)
    scheme = scheme_of(name, bits, counts)
    assert program.bits.shape == (w.shape[0], w.shape[1] * scheme.columns)
    np.testing.assert_array_equal(weights_of(program), w)
    # What the hardware does: counts of every bit column, weighted and added, and the digital correction.
    x = np.random.default_rng(w.shape[0]).integers(-8, 8, (3, w.shape[0]))
    sums = x @ np.array(counts)[program.bits]
    y = np.zeros((3, w.shape[1]), dtype=np.int64)
    for k in range(program.bit_columns):
        y[:, program.weight_column[k]] += (
            sums[:, k] * program.sign[k] * program.encoding.radix ** int(program.significance[k])
        )
    y += program.encoding.constant * x.sum(axis=1)[:, None]
    np.testing.assert_array_equal(y, x @ w.astype(np.int64))


def test_low_signed_digits_are_the_nearest_remainder() -> None:
    """For weights that leave room in the top digit the k lowest digits add up to the remainder modulo 2^k nearest to
    zero (2^(k-1) of either sign): what rounding to a multiple of 2^k takes away. Columns and range: `differential`."""
    scheme, plain = scheme_of("signed_digits", 8), scheme_of("differential", 8)
    assert (scheme.place_value, scheme.low, scheme.high) == (plain.place_value, plain.low, plain.high)
    weights = np.arange(scheme.low, scheme.high + 1)
    inner = np.abs(weights) < 64
    for k in range(1, 7):
        low = scheme.digit_table[:, : 2 * k] @ np.array(scheme.place_value[: 2 * k])
        nearest = np.abs((weights + 2 ** (k - 1)) % 2**k - 2 ** (k - 1))
        np.testing.assert_array_equal(np.abs(low[inner]), nearest[inner])
        assert (np.abs(low) <= 2**k - 1).all()
    # 127 is all seven digits, 96 = 64 + 32, 63 = 64 - 1
    assert scheme.digit_table[[127 + 127, 127 + 96, 127 + 63], ::2].tolist() == [
        [1, 1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 0, 1]
    ]  # fmt: skip
    pair = scheme.paired()
    np.testing.assert_array_equal(pair.digit_table, scheme.digit_table[:, ::2] - scheme.digit_table[:, 1::2])


def test_the_columns_of_known_schemes() -> None:
    # 8 bits: 7 magnitude bits x 2 signs; 8 columns of two's complement with -2^7; 8 of offset; half as many digits of
    # base 4 (magnitude 127 = 1333 in base 4: 4 digits); 127 <= (3^6 - 1) / 2 = 364: 6 balanced digits.
    assert scheme_of("differential", 8).columns == 14
    assert scheme_of("differential", 8, (-1, 0, 1)).columns == 7
    assert scheme_of("differential", 8, (0, 1, 2, 3)).columns == 8
    assert scheme_of("twos_complement", 8).place_value == (1, 2, 4, 8, 16, 32, 64, -128)
    assert scheme_of("twos_complement", 9, (0, 1, 2, 3)).place_value == (1, 4, 16, 64, -256)
    assert scheme_of("twos_complement", 8, (0, 1, 2, 3)).place_value == (1, 4, 16, 64, -128)
    assert scheme_of("twos_complement", 4, (0, 1, 2)).place_value == (1, 3, -9)
    assert scheme_of("unsigned", 8, (0, 1, 2, 3)).place_value == (1, 4, 16, 64)
    assert scheme_of("offset", 8, (0, 1, 2, 3)).place_value == (1, 4, 16, 64)
    assert scheme_of("ternary", 8, (-1, 0, 1)).place_value == (1, 3, 9, 27, 81, 243)
    assert scheme_of("trits", 8, (-1, 0, 1)).place_value == (1, 3, 9, 27, 81)  # 3^5 = 243 of 256 words: +-121
    assert (scheme_of("trits", 8).low, scheme_of("trits", 8).high) == (-121, 121)
    assert scheme_of("trits", 2, (-1, 0, 1)).place_value == (1,)
    assert scheme_of("ternary", 2).place_value == (1, -1)
    assert scheme_of("ternary", 2, (-1, 0, 1)).place_value == (1,)


def test_two_s_complement_is_numpy_s() -> None:
    w = np.arange(-128, 128, dtype=np.int16)[:, None]
    program = via_program(w, 8, mapping="twos_complement")
    expected = np.unpackbits(w.astype(np.int8).view(np.uint8), axis=1, bitorder="little")
    np.testing.assert_array_equal(program.bits, expected)


def test_the_manifest_records_the_correction() -> None:
    program = via_program(np.array([[-8, 7]], dtype=np.int16), 4, mapping="offset")
    document = tile(program, MacroShape(rows=4, columns=8)).to_json()
    assert document["encoding"] == {"mapping": "offset", "counts": [0, 1], "radix": 2, "add_per_input": -8}
    described = scheme_of("offset", 4).describe()
    assert (described["range"], len(described["columns"])) == ([-8, 7], 4)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match=r"-8 does not fit 4 bits \(differential mapping: -7 to 7\)"):
        via_program(np.array([[-8]]), 4)
    with pytest.raises(InputError, match="8 does not fit 4 bits"):
        via_program(np.array([[8]]), 4, mapping="twos_complement")
    with pytest.raises(InputError, match="-2 does not fit 2 bits"):
        via_program(np.array([[-2]]), 2, mapping="ternary")
    with pytest.raises(InputError, match="did you mean 'offset'"):
        via_program(np.array([[1]]), 4, mapping="ofset")
    with pytest.raises(InputError, match="bits per weight must be between 2 and 16, got 17"):
        scheme_of("offset", 17)
    for counts in ((0,), (1, 2), (0, 1, 1)):
        with pytest.raises(InputError, match="cannot store weights"):
            scheme_of("offset", 4, counts)
    with pytest.raises(InputError, match="already a mapping"):
        register_mapping(MAPPINGS["ternary"])
    ones = np.ones(1, dtype=np.int64)
    with pytest.raises(InputError, match="symbols 0 to 1"):
        ViaProgram(np.array([[2]], dtype=np.uint8), 0 * ones, ones, 0 * ones)

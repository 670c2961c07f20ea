"""Block-scaled weights (GGUF Q4_0, Q4_1, Q8_0) against the product with dequantized weights."""

from __future__ import annotations

import numpy as np
import pytest

from interconnect.errors import InputError
from metalrom.macro import Macro, synthetic_table

FORMATS = {  # integers as the format stores them, whether it has an offset per block, macro options
    "Q4_0": (-8, 8, False, {"mapping": "twos_complement", "weight_bits": 4}),
    "Q4_1": (0, 16, True, {"mapping": "unsigned", "weight_bits": 4}),
    "Q8_0": (-127, 128, False, {"mapping": "differential", "weight_bits": 8}),
    "Q4_0, offset": (-8, 8, False, {"mapping": "offset", "weight_bits": 4}),
}


def blocks(rng, name, rows, columns, block=32):
    low, high, offset, options = FORMATS[name]
    q = rng.integers(low, high, (rows, columns))
    scale = rng.uniform(1e-3, 0.2, (rows // block, columns)).astype(np.float16)
    minimum = rng.uniform(-1, 0, scale.shape).astype(np.float16) if offset else None
    real = q * np.repeat(scale.astype(float), block, 0)
    return q, scale, minimum, real + (0 if minimum is None else np.repeat(minimum.astype(float), block, 0)), options


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("rows", "levels"), [(32, 2), (16, 2), (8, 4)])
def test_ideal_product_equals_dequantized_product(name, rows, levels):
    rng = np.random.default_rng(0)
    q, scale, minimum, real, options = blocks(rng, name, 576, 50)
    macro = Macro.ideal(rows=rows, levels=levels, **options)
    x = rng.integers(-128, 128, (7, 576))
    y = macro.matmul(x, macro.store_blocks(q, scale, minimum))
    assert y.dtype == np.float64
    np.testing.assert_allclose(y, x @ real, rtol=1e-12, atol=1e-12 * np.abs(x @ real).max())


def test_blocks_are_added_in_slices_with_one_noise_draw(monkeypatch):
    """Bounding the memory of the partial sums changes nothing, noise included."""
    rng = np.random.default_rng(1)
    table = synthetic_table(32, sigma_noise=0.2, sigma_static=0.1)
    q, scale, minimum, real, options = blocks(rng, "Q4_1", 96, 20)
    x = rng.integers(-128, 128, (23, 96))
    macro = Macro(table, table.conditions[0], **options)
    stored = macro.store_blocks(q, scale, minimum)
    whole = macro.matmul(x, stored, call=0)
    monkeypatch.setattr("metalrom.macro.blocks.PARTIAL_SUMS", 5 * 3 * 20)
    assert (macro.matmul(x, stored, call=0) == whole).all()
    assert (whole != macro.matmul(x, stored, call=1)).any()
    assert np.corrcoef(whole.ravel(), (x @ real).ravel())[0, 1] > 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"block": 24}, "do not divide the block of 24"),
        ({"block": 64}, "not a multiple of the block size 64"),
        ({"scale": np.ones((2, 4))}, "scales have shape"),
        ({"offset": np.full((3, 4), np.nan)}, "offset is not finite"),
        ({"integers": np.full((96, 4), 9)}, "expected -8..7"),
    ],
)
def test_blocks_that_do_not_fit_are_refused(change, message):
    arguments = {"integers": np.ones((96, 4), int), "scale": np.ones((3, 4)), "offset": None, "block": 32, **change}
    macro = Macro.ideal(rows=32, mapping="twos_complement", weight_bits=4)
    with pytest.raises(InputError, match=message):
        macro.store_blocks(arguments.pop("integers"), arguments.pop("scale"), arguments.pop("offset"), **arguments)


def test_block_smaller_than_the_group_is_refused():
    with pytest.raises(InputError, match="64 rows per conversion do not divide"):
        Macro.ideal(rows=64).store_blocks(np.ones((64, 2), int), np.ones((2, 2)))

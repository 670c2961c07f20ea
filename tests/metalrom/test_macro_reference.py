"""The engine against a slow reference written independently: random shapes, mappings, tables and converter ranges."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from interconnect.errors import InputError
from metalrom.macro import Macro, synthetic_table
from metalrom.macro.adc_ranges import RangeCalibration
from metalrom.macro.mitigation import Mitigation
from metalrom.macro.planes import PlaneReadouts
from metalrom.macro.readout import AdcRange
from metalrom.macro.section import MacroSection
from netlists.mapping import scheme_of

MAPPINGS = ("differential", "twos_complement", "offset", "unsigned", "ternary")


def columns_of(w, mapping, bits, levels):
    """[(worth, cell levels)] of all columns and the worth of sum(x), from the definitions of the encodings."""
    half, out = 2 ** (bits - 1), []

    def digits(values, top, sign=1):
        place = 1
        while place <= top:
            out.append((sign * place, values // place % levels))
            place *= levels

    if mapping == "ternary" and levels == 3:
        return [(1, w + 1)], -1
    if mapping in ("differential", "ternary"):
        digits(np.where(w > 0, w, 0), half - 1)
        digits(np.where(w < 0, -w, 0), half - 1, -1)
        return out, 0
    if mapping == "twos_complement":
        # the sign's column counts half, or the place after the digits where the base is no power of two
        place = half
        if levels == 3:
            place = 3
            while place <= half - 1:
                place *= 3
        digits(w + place * (w < 0), place - 1)
        return [*out, (-place, (w < 0).astype(int))], 0
    shift = half if mapping == "offset" else 0
    digits(w + shift, 2 * half - 1)
    return out, -shift


def slow_product(x, w, macro, digital):
    """One conversion array at a time; digital(active, count, |worth|) -> what the macro makes of it, in counts."""
    y = np.zeros((x.shape[0], w.shape[1]))
    columns, bias = columns_of(w, macro.mapping, macro.weight_bits, macro.table.levels)
    for start in range(0, x.shape[1], macro.rows):
        xs = x[:, start : start + macro.rows]
        for p in range(macro.input_bits):
            bits = np.floor_divide(xs, 2**p) % 2
            place = -(2**p) if macro.input_signed and p == macro.input_bits - 1 else 2**p
            for worth, level in columns:
                count = bits @ level[start : start + macro.rows]
                y += place * worth * digital(bits.sum(1), count, abs(worth))
    return y + bias * x.sum(axis=1)[:, None]


def random_case(seed):
    """A macro of random options with a bent table, and operands."""
    rng = np.random.default_rng(seed)
    mapping = MAPPINGS[seed % 5]
    levels = int(rng.choice([2, 2, 3, 4]))
    rows = int(rng.choice([3, 8, 17, 32, 33, 64, 70]))
    weight_bits = 2 if mapping == "ternary" else int(rng.integers(2, 9))
    input_signed = bool(rng.integers(2))
    input_bits = int(rng.integers(2 if input_signed else 1, 9))
    table = synthetic_table(rows, codes=int(rng.integers(3, rows * (levels - 1) + 3)), levels=levels)
    bend = rng.uniform(-0.9, 0.9, table.level.shape)
    bend[:, :, 0] = bend[:, rows, -1] = 0.0
    shift = 0.13 * np.arange(rows + 1)[None, :, None]
    adc = dataclasses.replace(table.adc, tracks_active=bool(rng.integers(2)))
    table = table.replace(level=1e-3 * (table.level + bend + shift), adc=adc)
    options = {"mapping": mapping, "weight_bits": weight_bits, "input_bits": input_bits, "input_signed": input_signed}
    if mapping == "ternary" and levels == 3:
        options["symbol_values"] = (-1, 0, 1)
    macro = Macro(table, table.conditions[0], **options)
    calibration = None
    if rng.integers(2):
        ranges = tuple(
            AdcRange(rng.integers(4, 80) / 16, rng.integers(0, 30) / 8, int(rng.integers(2, adc.codes + 1)))
            for _ in macro.scheme.magnitudes
        )
        none = (0.0,) * len(ranges)
        calibration = RangeCalibration(
            mapping, weight_bits, macro.scheme.encoding.symbol_values, rows, ranges, none, none, none
        )
        macro = Macro(table, table.conditions[0], calibration=calibration, **options)
    low = -(2 ** (input_bits - 1)) if input_signed else 0
    x = rng.integers(low, low + 2**input_bits, (int(rng.integers(1, 6)), int(rng.integers(1, 150))))
    w = rng.integers(macro.scheme.low, macro.scheme.high + 1, (x.shape[1], int(rng.integers(1, 20))))
    return macro, calibration, x, w


@pytest.mark.parametrize("first", range(0, 200, 20))
def test_engine_equals_slow_reference(first):
    """200 random shapes, encodings, cell levels, tables and ranges; every number equal, every code error counted."""
    wrong_somewhere = 0
    for seed in range(first, first + 20):
        macro, calibration, x, w = random_case(seed)
        table, condition = macro.table, macro.table.conditions[0]
        lsb = (table.level[0, -1, -1] - table.level[0, -1, 0]) / (macro.rows * (table.levels - 1))
        zero = table.level[0, :, 0]
        if not table.adc.tracks_active:
            zero = np.full_like(zero, zero[macro.rows // 2])
        errors = 0

        def digital(active, count, worth):
            nonlocal errors
            level = np.take_along_axis(table.level[0][active], count, axis=1)  # noqa: B023
            if calibration is None:  # noqa: B023
                edges, values = table.thresholds(condition)[active], np.arange(table.adc.codes)[None, :]  # noqa: B023
            else:
                r = calibration.ranges[macro.scheme.magnitudes.index(worth)]  # noqa: B023
                values = np.clip(
                    r.origin + r.counts_per_code * np.arange(r.codes),
                    0,
                    active[:, None] * (table.levels - 1),  # noqa: B023
                )
                marks = r.origin + r.counts_per_code * (np.arange(r.codes - 1) + 0.5)
                edges = zero[active][:, None] + lsb * marks  # noqa: B023
            code = (level[:, :, None] > edges[:, None, :]).sum(2)
            value = np.take_along_axis(np.broadcast_to(values, (len(active), values.shape[1])), code, axis=1)
            errors += int((value != count).sum())
            return value

        expected = slow_product(x, w, macro, digital)
        result = macro.run(x, w)
        assert (result.y == expected).all(), seed
        assert result.code_errors == errors, seed
        wrong_somewhere += errors > 0
    assert wrong_somewhere > 5


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("levels", [2, 3, 4])
def test_every_encoding_is_exact_with_an_ideal_readout(mapping, levels):
    rng = np.random.default_rng(levels)
    for rows, bits in ((5, 2), (32, 5), (64, 8), (100, 16)):
        macro = Macro.ideal(rows=rows, levels=levels, mapping=mapping, weight_bits=2 if mapping == "ternary" else bits)
        e = macro.scheme
        x, w = rng.integers(-128, 128, (4, 130)), rng.integers(e.low, e.high + 1, (130, 25))
        w[0, :2] = e.low, e.high
        result = macro.run(x, w)
        assert result.y.dtype == np.int64
        assert (result.y == x @ w).all()
        assert result.code_errors == 0


def test_cells_that_subtract_hold_one_magnitude_bit_each():
    """Levels 0, 1, 2 as -1, 0, 1: 7 columns for 8 bits, as many as the magnitude has bits."""
    rng = np.random.default_rng(0)
    macro = Macro.ideal(rows=20, levels=3, symbol_values=(-1, 0, 1))
    assert macro.scheme.columns == 7
    x, w = rng.integers(-128, 128, (4, 130)), rng.integers(-127, 128, (130, 25))
    assert (macro.matmul(x, w) == x @ w).all()


def test_columns_per_weight():
    """8 bits: 14 differential, 8 two's complement or offset; with 2 bits per cell 8, 5 and 4; ternary 2."""
    units = {
        (mapping, levels): Macro.ideal(levels=levels, mapping=mapping).scheme.columns
        for mapping in MAPPINGS
        for levels in (2, 4)
    }
    assert units == {
        ("differential", 2): 14, ("differential", 4): 8, ("twos_complement", 2): 8, ("twos_complement", 4): 5,
        ("offset", 2): 8, ("offset", 4): 4, ("unsigned", 2): 8, ("unsigned", 4): 4, ("ternary", 2): 2,
        ("ternary", 4): 2, }  # fmt: skip


def test_unsigned_inputs():
    rng = np.random.default_rng(0)
    x, w = rng.integers(0, 256, (5, 90)), rng.integers(-127, 128, (90, 11))
    assert (Macro.ideal(input_signed=False).matmul(x, w) == x @ w).all()
    ones = rng.integers(0, 2, (5, 90))
    assert (Macro.ideal(input_signed=False, input_bits=1).matmul(ones, w) == ones @ w).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mapping": "unsigned", "weight_bits": 17}, "bits per weight must be between 2 and 16, got 17"),
        ({"levels": 17}, "cannot store weights"),
        ({"levels": 1}, "1 levels"),
        ({"input_signed": False, "input_bits": 0}, "input_bits is 0"),
    ],
)
def test_bad_encodings_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        Macro.ideal(**options)


def test_sums_beyond_the_adder_are_refused():
    """Digital values of 40,000 times 16-bit weights (65,534 in both signs together) exceed 2^31."""
    (ideal,) = Macro.ideal(rows=4).readout.readouts
    readout = PlaneReadouts((dataclasses.replace(ideal, values=np.full((5, 5), 40_000, np.int32)),))
    with pytest.raises(InputError, match="32-bit adder"):
        MacroSection(scheme_of("differential", 16), tuple(range(30)), readout, Mitigation(), 0)

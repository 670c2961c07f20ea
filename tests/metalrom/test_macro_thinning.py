"""Thinning against the look-up of every conversion: equal codes where nothing is random, else equal distributions."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2

from characterization.tables.planes import PlaneClass, PlaneTables
from characterization.tables.table import ReadoutTable
from metalrom.macro import Macro, Mitigation, section, synthetic_table
from metalrom.macro.exact_product import ExactWeights
from netlists.mapping import MacroShape
from tests.metalrom.test_macro_reference import random_case

ONE_BIT = {"weight_bits": 1, "mapping": "unsigned", "input_bits": 1, "input_signed": False}
"""One unit and one plane: an output of one group of rows is one conversion."""

FALSE_ALARM = 1e-6
"""Probability that a comparison of equal distributions fails (of each case; the seeds are fixed)."""


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thinning whatever the share of wrong conversions."""
    monkeypatch.setattr(section, "LOOKUP_SHARE", 2.0)


def bent(rows: int, codes: int, **spreads: float) -> ReadoutTable:
    """Levels off the straight line, off-state slope, thresholds of the converter that are not midway."""
    table, rng = synthetic_table(rows, codes=codes, **spreads), np.random.default_rng(5)
    bend = rng.uniform(-0.2, 0.2, table.level.shape)
    bend[:, :, 0] = bend[:, rows, -1] = 0.0
    edges = np.arange(codes - 1) + 0.5 + rng.uniform(-0.1, 0.1, (1, rows + 1, codes - 1))
    return table.replace(level=table.level + bend, threshold=edges)


def growing(rows: int) -> ReadoutTable:
    """Spreads that differ from level to level."""
    table = synthetic_table(rows, offset_sigma=0.06)
    share = np.where(table.valid, np.arange(rows + 1) / rows, np.nan)[None]
    return table.replace(sigma_noise=0.1 + 0.1 * share, sigma_static=0.12 * share, sigma_pattern=0.05 * share)


def macro_pair(table: Any, **options: Any) -> tuple[Macro, Macro]:
    """The same chip by thinning and by look-up."""
    known = table.tables[0] if isinstance(table, PlaneTables) else table
    return tuple(Macro(table, known.conditions[0], thin=thin, **options) for thin in (True, False))  # type: ignore[return-value]


def survival(counts: np.ndarray, got: tuple[np.ndarray, np.ndarray]) -> float:
    """Probability of a larger chi-square if both samples of errors, by class of equal counts, are alike."""
    statistic, freedom = 0.0, 0
    first = [g - counts[1] for g in got]
    low, top = min(f.min() for f in first), max(f.max() for f in first)
    kinds = (counts[0] * 1000 + counts[1]).ravel()
    for kind in np.unique(kinds):
        a, b = (np.bincount((f.ravel()[kinds == kind] - low).astype(int), minlength=int(top - low) + 1) for f in first)
        many = a + b >= 20
        a, b = (np.append(n[many], n[~many].sum()) for n in (a, b))
        seen = a + b > 0
        statistic += float(((a - b)[seen] ** 2 / (a + b)[seen]).sum())
        freedom += int(seen.sum()) - 1
    assert freedom > 20  # many kinds of wrong codes occurred
    return float(chi2.sf(statistic, freedom))


CASES = {
    "noise": (synthetic_table(16, sigma_noise=0.2), {}),
    "frozen": (synthetic_table(16, sigma_noise=0.1, sigma_static=0.15, offset_sigma=0.1), {"columns_per_adc": 4}),
    "levels": (growing(16), {}),
    "thresholds and clipping": (bent(16, 12, sigma_noise=0.15, sigma_static=0.05), {}),
    "median": (synthetic_table(16, sigma_noise=0.35), {"mitigations": (Mitigation(reads=3),)}),
    "far codes": (synthetic_table(16, sigma_noise=0.8), {}),
}


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("case", CASES)
def test_codes_of_every_count_are_distributed_as_by_look_up(case: str) -> None:
    table, options = CASES[case]
    rng = np.random.default_rng(11)
    x, w = rng.integers(0, 2, (600, 16)), rng.integers(0, 2, (16, 500))
    macros = macro_pair(table, **ONE_BIT, **options)
    counts = np.stack(np.broadcast_arrays(x.sum(axis=1)[:, None], x @ w))
    runs = [m.run(x, w) for m in macros]
    assert survival(counts, (runs[0].y, runs[1].y)) > FALSE_ALARM
    # every wrong value is counted
    assert [r.code_errors for r in runs] == [int((r.y != x @ w).sum()) for r in runs]
    assert runs[0].conversions == runs[1].conversions


@pytest.mark.usefixtures("always")
def test_signed_levels_and_planes_are_distributed_as_by_look_up() -> None:
    rng = np.random.default_rng(12)
    tables = [synthetic_table(12, sigma_noise=s, sigma_static=0.05, levels=3) for s in (0.12, 0.22)]
    names = ("M2-M3", "M4-M5")
    stack = PlaneTables.from_tables(tuple(tables), tuple(PlaneClass(n, (n,), "") for n in names), names)
    options = {
        "mapping": "ternary", "symbol_values": (-1, 0, 1), "input_bits": 1, "input_signed": False,
        "array": MacroShape(rows=12, columns=100, planes=2),
    }  # fmt: skip
    x, w = rng.integers(0, 2, (600, 12)), rng.integers(-1, 2, (12, 400))
    plane = np.broadcast_to(np.arange(400) // 100 % 2, (600, 400))
    counts = np.stack([x.sum(axis=1)[:, None] * 2 + plane, x @ w])
    runs = [m.run(x, w) for m in macro_pair(stack, **options)]
    assert survival(counts, (runs[0].y, runs[1].y)) > FALSE_ALARM
    wrong = np.array([[(r.y != x @ w)[plane == p].mean() for p in (0, 1)] for r in runs])
    assert (wrong[:, 1] > 10 * wrong[:, 0]).all()


@pytest.mark.usefixtures("always")
def test_outputs_have_the_moments_of_the_look_up() -> None:
    """Place values, signs and independence: mean and variance of the error of 8-bit products, and errors per row."""
    rng = np.random.default_rng(13)
    x, w = rng.integers(-128, 128, (400, 40)), rng.integers(-127, 128, (40, 60))
    table = synthetic_table(16, sigma_noise=0.16, sigma_static=0.04)
    errors = [m.run(x, w).y - x @ w for m in macro_pair(table)]
    variances = [e.var() for e in errors]
    spread = np.sqrt(sum(((e - e.mean()) ** 2).var() / e.size for e in errors))
    assert abs(variances[0] - variances[1]) < 5 * spread
    assert abs(errors[0].mean() - errors[1].mean()) < 5 * np.sqrt(sum(variances) / errors[0].size)
    per_row = [np.abs(e).astype(bool).sum(axis=1) for e in errors]
    assert per_row[0].mean() == pytest.approx(per_row[1].mean(), abs=5 * np.sqrt(2 * per_row[1].var() / 400))
    assert per_row[0].var() == pytest.approx(per_row[1].var(), rel=5 * np.sqrt(4 / 400))


@pytest.mark.usefixtures("always")
def test_deterministic_tables_give_the_same_numbers() -> None:
    """Random mappings, bent levels, coarse and clipping converters: bit by bit, errors counted alike."""
    for seed in range(20):
        macro, calibration, x, w = random_case(seed)
        options = {
            "mapping": macro.mapping, "weight_bits": macro.weight_bits, "input_bits": macro.input_bits,
            "input_signed": macro.input_signed, "symbol_values": macro.scheme.encoding.symbol_values,
            "calibration": calibration,
        }  # fmt: skip
        a, b = (m.run(x, w) for m in macro_pair(macro.table, **options))
        assert (a.y == b.y).all(), seed
        assert dataclasses.replace(a, y=None) == dataclasses.replace(b, y=None), seed
        assert a.y.dtype == b.y.dtype


@pytest.mark.usefixtures("always")
def test_frozen_deviations_alone_give_the_same_numbers() -> None:
    table = bent(16, 14, sigma_static=0.15, offset_sigma=0.1)
    rng = np.random.default_rng(3)
    x, w = rng.integers(-128, 128, (9, 60)), rng.integers(-127, 128, (60, 40))
    a, b = (m.run(x, w) for m in macro_pair(table, columns_per_adc=3, groups_per_adc=2))
    assert (a.y == b.y).all()
    assert a.code_errors == b.code_errors > 1000


def test_rows_of_the_batch_and_threads_are_independent() -> None:
    table = synthetic_table(16, sigma_noise=0.14, sigma_static=0.05, offset_sigma=0.03)
    rng = np.random.default_rng(4)
    x, w = rng.integers(-128, 128, (50, 64)), rng.integers(-127, 128, (64, 90))
    one, three = (Macro(table, table.conditions[0], threads=n) for n in (1, 3))
    whole = one.matmul(x, w, call=4)
    assert (whole != x @ w).any()
    assert (three.matmul(x, w, call=4) == whole).all()
    assert (one.matmul(x[:20], w, call=4) == whole[:20]).all()
    other = x.copy()
    other[:7] = 0
    assert (one.matmul(other, w, call=4)[7:] == whole[7:]).all()
    scale = rng.uniform(1, 2, (4, 90))
    blocks = one.store_blocks(w, scale, block=16)
    split = three.run(x, blocks, call=4)
    assert (split.y == one.matmul(x, blocks, call=4)).all()
    # the draws of a block's conversions are those of the whole column's
    assert split.code_errors == one.run(x, w, call=4).code_errors


def test_the_look_up_is_chosen_where_many_conversions_are_wrong() -> None:
    """The share of wrong conversions is 2Q(1 / (2 sigma)), and noise alone has no other candidates."""
    w = np.random.default_rng(0).integers(-127, 128, (64, 50))
    shares = {}
    for sigma in (0.0, 0.1, 0.2, 0.3):
        table = synthetic_table(32, sigma_noise=sigma)
        macro = Macro(table, table.conditions[0])
        found = macro._sections[0].thinning(macro.store(w).sections[0], 8)
        shares[sigma] = None if found is None else found[0].share
    assert shares[0.0] < 1e-11
    assert shares[0.1] == pytest.approx(5.7e-7, rel=0.2)  # 2Q(5)
    assert shares[0.2] == pytest.approx(1.24e-2, rel=0.2)  # 2Q(2.5)
    assert shares[0.3] is None


@pytest.mark.parametrize("bits", [(8, 8), (8, 16), (16, 16)])
@pytest.mark.parametrize("block", [None, 32])
def test_exact_products(bits: tuple[int, int], block: int | None) -> None:
    """Sums up to and beyond 2^24, in one piece, in slices and in double precision, against integer arithmetic."""
    for rows in (32, 1024, 1600):
        rng = np.random.default_rng(rows)
        x = rng.integers(-(2 ** (bits[0] - 1)), 2 ** (bits[0] - 1), (5, rows))
        w = rng.integers(-(2 ** (bits[1] - 1)), 2 ** (bits[1] - 1), (rows, 7))
        x[0], w[:, 0] = -(2 ** (bits[0] - 1)), -(2 ** (bits[1] - 1))
        got = ExactWeights.of(w).product(x, 2 ** (bits[0] - 1), block)
        size = block or rows
        expected = np.einsum("bkr,krc->bkc", x.reshape(5, -1, size), w.reshape(-1, size, 7))
        assert got.dtype == (np.int64 if block is None else np.float64)
        assert (got == expected).all()

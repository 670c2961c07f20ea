"""The macro as a calculator: bit-serial inputs x weight bit planes x row groups, every conversion through the table.

Scheme. Activations are two's complement; each bit plane drives the rows with 0 or 1, the most significant plane
counts negative. Weights are sign-magnitude; each magnitude bit of the positive weights is one bit column, of the
negative weights another. `table.rows` rows share one conversion; its count goes through the readout table, the
codes (one count per code) are shifted, added and subtracted digitally.

Randomness. Frozen per chip: every bit-column segment has one standard normal number, scaled by the table's static
sigma at the level being read (mismatch of one segment is thus taken as fully correlated between its levels: an
offset and gain error that never averages out), and every converter one offset. New in every conversion: thermal
noise, converter noise and the pattern spread (the table gives its size over data patterns, not its value for one).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from characterization.table import ReadoutTable
from interconnect.errors import InputError
from interconnect.suggestion import suggest
from metalrom.macro import kernels
from metalrom.macro.readout import EFFECTS, TEMPORAL_FLOOR, Readout, readout_of, synthetic_table
from netlists.condition import Condition

IntArray = NDArray[np.int64]

MAX_BITS = 16
MAPPINGS = ("differential",)


@dataclass(frozen=True)
class MvmResult:
    """Output of one layer: y (batch, columns) int64; number of conversions; codes that differ from their count."""

    y: IntArray
    conversions: int
    code_errors: int

    @property
    def code_error_rate(self) -> float:
        """Fraction of the simulated conversions whose code is not the ideal count."""
        return self.code_errors / self.conversions if self.conversions else 0.0


@dataclass(frozen=True)
class StoredWeights:
    """Weights as the macro holds them: packed bit columns and, if the readout has any, their frozen deviations.

    words (groups, weight planes, 2 signs, words, columns); static, offset (groups, planes, 2, columns) or None.
    """

    rows: int
    columns: int
    words: NDArray[Any]
    static: NDArray[np.float32] | None
    offset: NDArray[np.float32] | None


class Macro:
    """A metal-ROM macro described by a readout table at one condition.

    table, condition: the characterized readout. weight_bits: sign and magnitude together, |w| <= 2^(bits-1) - 1.
    input_bits: two's complement. mapping: `differential` (separate columns for either sign). seed: the chip and its
    noise. effects: the non-idealities at work (default all, see `EFFECTS`). columns_per_adc, groups_per_adc: bit
    columns and row groups that share one converter, hence one offset. threads: default all processors; the result
    does not depend on it.

    Raises InputError for options out of range, or a table without rising levels.
    """

    def __init__(
        self,
        table: ReadoutTable,
        condition: Condition | str,
        *,
        weight_bits: int = 8,
        input_bits: int = 8,
        mapping: str = "differential",
        seed: int = 0,
        effects: Collection[str] = EFFECTS,
        columns_per_adc: int = 1,
        groups_per_adc: int = 1,
        threads: int | None = None,
    ) -> None:
        for name, bits in (("weight_bits", weight_bits), ("input_bits", input_bits)):
            if not 2 <= bits <= MAX_BITS:
                raise InputError(f"macro: {name} is {bits}, expected 2 to {MAX_BITS}")
        if mapping not in MAPPINGS:
            raise InputError(f"macro: mapping {mapping!r} is not known", hint=suggest(mapping, MAPPINGS))
        for name, share in (("columns_per_adc", columns_per_adc), ("groups_per_adc", groups_per_adc)):
            if share < 1:
                raise InputError(f"macro: {name} is {share}, expected at least 1")
        if seed < 0:
            raise InputError(f"macro: seed is {seed}, expected 0 or more")
        self.table = table
        self.rows = table.rows
        self.weight_bits = weight_bits
        self.input_bits = input_bits
        self.mapping = mapping
        self.seed = seed
        self.columns_per_adc = columns_per_adc
        self.groups_per_adc = groups_per_adc
        self.threads = max(1, threads if threads is not None else (os.cpu_count() or 1))
        self.readout: Readout = readout_of(table, condition, effects)
        self._tables = None if self.readout.deterministic else _noisy_tables(self.readout)
        self._calls = 0

    @classmethod
    def ideal(
        cls,
        *,
        rows: int = 64,
        codes: int | None = None,
        weight_bits: int = 8,
        input_bits: int = 8,
        threads: int | None = None,
    ) -> Macro:
        """A macro without any error: `matmul` equals the integer product (unless `codes` clips the range)."""
        table = synthetic_table(rows, codes=codes)
        return cls(table, table.conditions[0], weight_bits=weight_bits, input_bits=input_bits, threads=threads)

    @property
    def weight_planes(self) -> int:
        """Magnitude bit planes of a weight."""
        return self.weight_bits - 1

    def store(self, w: NDArray[Any], *, layer: int = 0) -> StoredWeights:
        """Program integer weights (rows, columns) into the macro; `layer` names the place on the chip.

        The same seed and layer give the same frozen deviations. Raises InputError for weights out of range.
        """
        w = _integers("weights", w, -(2**self.weight_planes - 1), 2**self.weight_planes - 1)
        rows, columns = w.shape
        groups = -(-rows // self.rows)
        words = np.zeros((groups, self.weight_planes, 2, self._words, columns), self._word_type)
        kernels.pack_weights(w, self.rows, self._word_bits, words)
        static = offset = None
        if not self.readout.deterministic:
            rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(0, layer)))
            shape = (groups, self.weight_planes, 2, columns)
            static = rng.standard_normal(shape, np.float32)
            offset = self._offsets(rng, shape)
        return StoredWeights(rows, columns, words, static, offset)

    def matmul(self, x: NDArray[Any], w: NDArray[Any] | StoredWeights, *, call: int | None = None) -> IntArray:
        """What the macro returns for x (batch, rows) times w (rows, columns): int64, shape (batch, columns).

        x: integers in two's complement range; w: integer weights or what `store` returned. call: number of the noise
        draw; by default every call takes the next one, so that a repeated product sees fresh noise while a program
        run twice gives the same numbers. Raises InputError for wrong shapes, types or ranges.
        """
        return self._product(x, w, call, count_errors=False).y

    def run(self, x: NDArray[Any], w: NDArray[Any] | StoredWeights, *, call: int | None = None) -> MvmResult:
        """As `matmul`, with the number of conversions and of code errors that occurred."""
        return self._product(x, w, call, count_errors=True)

    def _product(
        self, x: NDArray[Any], w: NDArray[Any] | StoredWeights, call: int | None, *, count_errors: bool
    ) -> MvmResult:
        stored = w if isinstance(w, StoredWeights) else self.store(w)
        x_words, active = self._drive(x, stored)
        batch = x_words.shape[0]
        out = np.zeros((batch, stored.columns), np.int64)
        conversions = batch * self.input_bits * int(np.prod(stored.words.shape[:3])) * stored.columns
        if call is None:
            call, self._calls = self._calls, self._calls + 1
        readout = self.readout
        if self._tables is None:
            self._split(
                batch, lambda i: kernels.mvm_lookup(x_words[i], active[i], stored.words, readout.nominal, out[i])
            )
            errors = self._lookup_errors(x_words, active, stored) if count_errors else 0
            return MvmResult(out, conversions, errors)
        if stored.static is None or stored.offset is None:
            raise InputError("macro: these weights were stored by an ideal macro; store them with this one")
        tables = self._tables
        static, offset = stored.static, stored.offset
        seed = np.random.SeedSequence(self.seed, spawn_key=(1, call))
        key = seed.generate_state(1, np.uint64)[0]
        parts = self._split(
            batch,
            lambda i: kernels.mvm_noisy(
                x_words[i], active[i], stored.words, readout.nominal, readout.level, readout.steps, tables,
                static, offset, _guard(), key, i.start, out[i],
            ),
        )  # fmt: skip
        return MvmResult(out, conversions, int(sum(parts)))

    def count_histogram(self, x: NDArray[Any], w: NDArray[Any] | StoredWeights) -> IntArray:
        """How often each (active, count) occurs among the conversions of this product: shape (N + 1, N + 1).

        Independent of the readout's errors; weighs tables of code-error probability and row energy.
        """
        stored = w if isinstance(w, StoredWeights) else self.store(w)
        x_words, active = self._drive(x, stored)
        return self._histogram(x_words, active, stored)

    @property
    def _word_bits(self) -> int:
        return 32 if self.rows <= 32 else 64

    @property
    def _word_type(self) -> type[np.uint32] | type[np.uint64]:
        return np.uint32 if self.rows <= 32 else np.uint64

    @property
    def _words(self) -> int:
        return -(-self.rows // self._word_bits)

    def _drive(self, x: NDArray[Any], stored: StoredWeights) -> tuple[NDArray[Any], NDArray[np.int32]]:
        """Packed input planes and the number of driven rows of every group and plane."""
        half = 2 ** (self.input_bits - 1)
        x = _integers("activations", x, -half, half - 1)
        if x.shape[1] != stored.rows:
            raise InputError(f"macro: activations have {x.shape[1]} rows, the weights {stored.rows}")
        groups, words = stored.words.shape[0], stored.words.shape[3]
        if stored.words.dtype != self._word_type or words != self._words or groups != -(-stored.rows // self.rows):
            raise InputError("macro: these weights were stored for another group size; store them with this macro")
        if stored.words.shape[1] != self.weight_planes:
            raise InputError("macro: these weights were stored with another weight_bits; store them with this macro")
        packed = np.zeros((x.shape[0], groups, self.input_bits, words), self._word_type)
        active = np.zeros(packed.shape[:3], np.int32)
        kernels.pack_inputs(x, self.rows, self._word_bits, packed, active)
        return packed, active

    def _offsets(self, rng: np.random.Generator, shape: tuple[int, int, int, int]) -> NDArray[np.float32]:
        """Converter offset of every bit-column segment, LSB; the bit columns of one weight are neighbours."""
        groups, planes, signs, columns = shape
        bit_column = np.arange(columns)[None, None, :] * (planes * signs)
        bit_column = bit_column + np.arange(planes * signs).reshape(planes, signs, 1)
        converter = bit_column // self.columns_per_adc
        bank = np.arange(groups) // self.groups_per_adc
        draws = rng.standard_normal((bank[-1] + 1, int(converter.max()) + 1), np.float32)
        return draws[bank[:, None, None, None], converter[None]] * np.float32(self.readout.offset_sigma)

    def _histogram(self, x_words: NDArray[Any], active: NDArray[np.int32], stored: StoredWeights) -> IntArray:
        shape = (self.rows + 1, self.rows + 1)

        def part(i: slice) -> IntArray:
            histogram = np.zeros(shape, np.int64)
            kernels.count_pairs(x_words[i], active[i], stored.words, histogram)
            return histogram

        total: IntArray = np.sum(self._split(len(x_words), part), axis=0, dtype=np.int64)
        return total

    def _lookup_errors(self, x_words: NDArray[Any], active: NDArray[np.int32], stored: StoredWeights) -> int:
        """Wrong codes of a deterministic readout; counted only where the table has any wrong code."""
        wrong = (self.readout.nominal != np.arange(self.rows + 1)[None, :]) & self.table.valid
        if not wrong.any():
            return 0
        return int(self._histogram(x_words, active, stored)[wrong].sum())

    def _split(self, batch: int, work: Callable[[slice], Any]) -> list[Any]:
        """Run `work` on consecutive slices of the batch, one per thread."""
        parts = max(1, min(self.threads, batch))
        edges = np.linspace(0, batch, parts + 1).astype(int)
        slices = [slice(int(a), int(b)) for a, b in pairwise(edges)]
        if parts == 1:
            return [work(slices[0])]
        with ThreadPoolExecutor(parts) as pool:
            return list(pool.map(work, slices))


def _integers(what: str, values: NDArray[Any], low: int, high: int) -> IntArray:
    """`values` as a contiguous int64 matrix within [low, high], or InputError."""
    values = np.asarray(values)
    if values.ndim != 2 or 0 in values.shape:
        raise InputError(f"macro: {what} have shape {values.shape}, expected a matrix (two dimensions, none empty)")
    if values.dtype.kind not in "iu":
        raise InputError(f"macro: {what} are {values.dtype}, expected integers")
    lowest, highest = int(values.min()), int(values.max())
    if lowest < low or highest > high:
        raise InputError(f"macro: {what} span {lowest}..{highest}, expected {low}..{high}")
    return np.ascontiguousarray(values, dtype=np.int64)


def _noisy_tables(readout: Readout) -> kernels.ScaledTables:
    """The readout's distances and spreads as the random path wants them."""
    temporal = np.maximum(readout.temporal, TEMPORAL_FLOOR)
    far = np.full((readout.rows + 1, 1), np.inf)
    edges = np.concatenate([-far, readout.steps, far], axis=1)
    below = readout.level - np.take_along_axis(edges, readout.nominal.astype(np.int64), axis=1)
    above = np.take_along_axis(edges, readout.nominal.astype(np.int64) + 1, axis=1) - readout.level
    tables = (below / temporal, above / temporal, readout.static / temporal, 1.0 / temporal)
    return kernels.ScaledTables(*(np.ascontiguousarray(np.minimum(t, 1e30), dtype=np.float32) for t in tables))


def _guard() -> NDArray[np.uint32]:
    """Upper bound of the Gaussian tail beyond k / 16 sigma, in units of 2^-32, for every k.

    1e-3 sigma and one unit of slack cover the rounding of the single-precision margin.
    """
    tail = ndtr(1e-3 - np.arange(kernels.GUARD_BINS) / kernels.GUARD_STEPS)
    bound = np.minimum(np.ceil(tail * 2.0**32) + 1, 2.0**31)
    return np.asarray(bound, dtype=np.uint32)

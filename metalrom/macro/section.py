"""A section of the macro: columns of every weight that are read in one way, as stored words and compiled products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from interconnect.arrays import FloatArray, IntArray
from interconnect.errors import InputError
from metalrom.macro import kernels, noise
from metalrom.macro.conversions import ConversionRule, count_driven, empty_groups
from metalrom.macro.exact_product import ExactWeights
from metalrom.macro.mitigation import Mitigation, MitigationCost
from metalrom.macro.planes import PlanePlacement, PlaneReadouts, side_by_side
from metalrom.macro.readout import TEMPORAL_FLOOR, Readout, median_probability
from metalrom.macro.residue import ResidueCode, residue_code
from metalrom.macro.thinning import LOOKUP_SHARE, Classes, Thinning, add_wrong, classes_of, thinning_of
from netlists.mapping import Scheme

EVERY = ConversionRule()
_NOTHING = noise.Frozen(False, np.zeros((1, 1, 1), np.float32), np.zeros((1, 1, 1), np.float32))


@dataclass(frozen=True, eq=False)
class StoredSection:
    """A section's part of a weight matrix: words (groups, units, words, columns) of `rows` rows per conversion, those
    of the check columns, and the frozen deviations of both. placement: of bit columns on planes; first_entry (units,
    columns): see `PlaneReadouts`. exact: what the units' cells stand for. empty (groups, units, columns): columns that
    are not converted, as they store nothing but zeros; of size 0 where all are."""

    scheme: Scheme
    rows: int
    placement: PlanePlacement
    exact: ExactWeights
    words: NDArray[Any]
    first_entry: NDArray[np.uint32]
    frozen: noise.Frozen
    checks: noise.Checks | None
    empty: NDArray[np.bool_]


@dataclass(frozen=True)
class Pass:
    """One run over a section: input planes start..stop, `median` reads joined per conversion, `mean` runs averaged."""

    start: int
    stop: int
    median: int
    mean: int


@dataclass(frozen=True)
class Counters:
    """What happened in a product: conversions, digital values taken from them, values that are not their count,
    the same before any check, sets corrected, read again, given up, conversions that no driven row made needless."""

    conversions: int = 0
    values: int = 0
    errors: int = 0
    before_checks: int = 0
    corrected: int = 0
    read_again: int = 0
    given_up: int = 0
    skipped: int = 0

    def __add__(self, other: Counters) -> Counters:
        return Counters(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


class MacroSection:
    """Bit columns `units` of every weight of a scheme, read by the readouts of their planes with one mitigation, from
    the input plane `first` on; rule: which groups and columns are not converted."""

    def __init__(
        self, scheme: Scheme, units: tuple[int, ...], readout: PlaneReadouts, plan: Mitigation, index: int,
        thin: bool = True, first: int = 0, rule: ConversionRule = EVERY,
    ) -> None:  # fmt: skip
        self.scheme, self.units, self.readout, self.plan, self.index = scheme, units, readout, plan, index
        self.thin, self.first, self.skip_idle, self.skip_empty = thin, first, rule.skip_idle, rule.skip_empty
        self.rows = readout.rows
        self.code: ResidueCode | None = residue_code(plan.residue, readout.levels) if plan.residue else None
        if self.code and readout.one != 1:
            raise InputError("macro: check columns take whole counts, the calibrated range has fractions of a count")
        if self.code and self.skip_empty:
            raise InputError("macro: check columns need the counts of all columns", hint="leave skip_empty out")
        self.place_value = np.array([scheme.place_value[u] for u in units], np.int32)
        worst = int(np.abs(self.place_value.astype(np.int64)).sum()) * int(readout.values.max(initial=0))
        if worst >= 2**31:
            raise InputError(f"macro: sums up to {worst} do not fit the 32-bit adder", hint="fewer bits or rows")
        self.words = -(-self.rows // kernels.WORD)
        self.level_bits = (readout.levels - 1).bit_length()
        self._lut = readout.nominal
        self._tables: dict[int, noise.NoiseTables] = {}
        self._classes: dict[int, Classes] = {}
        self._thinnings: WeakKeyDictionary[StoredSection, dict[int, Thinning | None]] = WeakKeyDictionary()

    def groups(self, rows: int) -> int:
        """Conversions that a column of `rows` rows takes."""
        return -(-rows // self.rows)

    def columns(self, columns: int) -> int:
        """Bit columns for `columns` weights, check columns included."""
        return len(self.units) * (columns + (self.code.sets(columns) * self.code.checks if self.code else 0))

    def passes(self, planes: int) -> tuple[Pass, ...]:
        """How the input planes are run through this section."""
        median, mean = (self.plan.reads, 1) if self.plan.combine == "median" else (1, self.plan.reads)
        top = planes if self.plan.input_top is None else min(planes, self.plan.input_top)
        middle = max(planes - top, self.first)
        runs = (Pass(self.first, middle, 1, 1), Pass(middle, planes, median, mean))
        return tuple(run for run in runs if run.start < run.stop)

    def store(
        self, w: NDArray[np.integer[Any]], seed: int, layer: int, columns_per_adc: int, groups_per_adc: int
    ) -> StoredSection:
        """Pack the section's units of w (rows, columns) and draw their deviations."""
        rows, columns = w.shape
        index: IntArray = np.asarray(w, np.int64) - self.scheme.low
        groups = self.groups(rows)
        words = self._empty(groups, columns)
        check_words = self._empty(groups, self.code.sets(columns) * self.code.checks) if self.code else None
        self._pack(index, words)
        if self.code and check_words is not None:
            for i, unit in enumerate(self.units):
                level = np.take(self.scheme.level_table[unit], index)
                kernels.pack_levels(self.code.check_levels(level), self.rows, self.words, check_words[:, i])
        key = (0, layer) if self.index == 0 else (0, layer, self.index)
        # bit columns as the program numbers them; check columns lie on the plane of the first one of their set
        at = np.arange(columns) * self.scheme.columns + np.array(self.units)[:, None]

        def frozen(at: IntArray, *more: int) -> noise.Frozen:
            if not self.readout.frozen:
                return _NOTHING
            rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(*key, *more)))
            shape = (groups, *at.shape)
            static = rng.standard_normal(shape, np.float32)
            sigmas = self.readout.offset_sigmas(at)
            if not sigmas.any():
                return noise.Frozen(True, static, np.zeros(shape, np.float32))
            draws = _offset_draws(rng, shape, columns_per_adc, groups_per_adc)
            return noise.Frozen(True, static, draws * sigmas)

        checks = None
        if self.code and check_words is not None:
            c = self.code
            check_at = np.repeat(at[:, :: c.size], c.checks, axis=1)
            checks = noise.Checks(
                check_words, self.readout.first_entries(check_at), frozen(check_at, self.index, 1), c.size, c.weight,
                c.check_weight, c.modulus, c.place, c.step, self.readout.levels - 1, self.plan.retries,
            )  # fmt: skip
        first_entry = self.readout.first_entries(at)
        exact = ExactWeights.of(np.take(self.place_value @ self.scheme.level_table[list(self.units)], index))
        return StoredSection(
            self.scheme, self.rows, self.readout.placement, exact, words, first_entry, frozen(at), checks,
            self._empty_columns(index),
        )  # fmt: skip

    def _empty_columns(self, index: IntArray) -> NDArray[np.bool_]:
        """Columns that store nothing but zeros in a group, (groups, units, columns); nothing if they are converted."""
        if not self.skip_empty:
            return np.empty((0, 0, 0), np.bool_)
        zero = self.zero_level
        found = [empty_groups(np.take(self.scheme.level_table[u].astype(np.int64), index) - zero, self.rows)
                 for u in self.units]  # fmt: skip
        return np.ascontiguousarray(np.stack(found, axis=1))

    @property
    def zero_level(self) -> int:
        """Level of a cell that adds nothing to the count of a signed digit."""
        return -min(self.scheme.encoding.symbol_values)

    def fits(self, stored: StoredSection, rows: int) -> None:
        """Raise InputError if `stored` was not stored by a section like this one."""
        if stored.rows != self.rows or stored.words.shape[0] != self.groups(rows):
            raise InputError("macro: these weights were stored for another group size; store them with this macro")
        if stored.scheme != self.scheme or stored.words.shape[1] != len(self.units):
            raise InputError("macro: these weights were stored with another weight_bits or mapping; store them with it")
        if (self.code is None) != (stored.checks is None):
            raise InputError("macro: these weights were stored with other check columns; store them with this macro")
        if stored.placement != self.readout.placement:
            raise InputError("macro: these weights were stored on other planes; store them with this macro")
        if bool(stored.empty.size) != self.skip_empty:
            raise InputError("macro: these weights were stored by another rule for empty columns; store them with it")
        if stored.frozen.any != self.readout.frozen:
            raise InputError("macro: these weights were stored by an ideal macro; store them with this one")

    def drive(self, x: IntArray, planes: int) -> tuple[NDArray[Any], NDArray[np.int32]]:
        """Packed input planes (batch, groups, planes, words) and the driven rows of every group and plane."""
        packed = np.zeros((x.shape[0], self.groups(x.shape[1]), planes, self.words), np.uint64)
        active = np.zeros(packed.shape[:3], np.int32)
        kernels.pack_inputs(x, self.rows, packed, active)
        return packed, active

    def thinning(self, stored: StoredSection, planes: int) -> tuple[Thinning, ...] | None:
        """For every pass, how its wrong conversions are found; None where a look-up of every conversion is expected to
        take less time, or check columns need all values."""
        if stored.checks is not None or not self.thin:
            return None
        kept = self._thinnings.setdefault(stored, {})
        for run in self.passes(planes):
            if run.median not in kept:
                if run.median not in self._classes:
                    self._classes[run.median] = classes_of(self.readout.readouts, run.median)
                planes_of = (stored.first_entry // self.readout.counts).astype(np.int32)[None]
                found = thinning_of(
                    self._classes[run.median], stored.words, self.words, stored.frozen, planes_of, stored.empty
                )
                kept[run.median] = found if found.share < LOOKUP_SHARE else None
        chosen = tuple(t for t in (kept[run.median] for run in self.passes(planes)) if t is not None)
        return chosen if len(chosen) == len(self.passes(planes)) else None

    def conversions(self, driven: IntArray, stored: StoredSection, run: Pass) -> tuple[int, int]:
        """Conversions of one run that are made and that are skipped, without check columns, repeats not counted;
        driven (batch, groups): see `driven_planes`."""
        _, units, _, columns = stored.words.shape
        every = driven.size * (run.stop - run.start) * units * columns
        full = np.full(driven.shape[1], units * columns)
        if stored.empty.size:
            full -= stored.empty.sum(axis=(1, 2))
        if self.skip_idle:
            made = (
                sum(count_driven(driven[:, g], run.start, run.stop) * int(n) for g, n in enumerate(full))
                if stored.empty.size
                else count_driven(driven, run.start, run.stop) * units * columns
            )
        else:
            made = len(driven) * (run.stop - run.start) * int(full.sum())
        return made, every - made

    def add(
        self, x_words: NDArray[Any], active: NDArray[np.int32], stored: StoredSection, run: Pass, place: IntArray,
        per_block: int, keys: NDArray[np.uint64], first: int, out: IntArray, thinning: Thinning | None,
        driven: IntArray,
    ) -> Counters:  # fmt: skip
        """Add one run's digital sums to out (batch, blocks, columns), in units of 1 / readout.one; with `thinning` only
        what they differ by from the exact ones."""
        random = not self.readout.deterministic
        conversions, skipped = self.conversions(driven, stored, run)
        if thinning is not None:
            wrong: int = add_wrong(
                x_words, active, stored.words, thinning.tables, thinning.candidates, stored.frozen, self.place_value,
                place, per_block, keys[0], first, out,
            )  # fmt: skip
            return Counters(conversions * run.median, conversions, wrong, wrong, skipped=skipped * run.median)
        if stored.checks is not None:
            stats = np.zeros(5, np.int64)
            kernel_place = np.ascontiguousarray(place)
            noise.mvm_checked(
                x_words, active, stored.words, stored.first_entry, random, self.tables(run.median), stored.frozen,
                stored.checks, self.place_value, kernel_place, per_block, keys, first, out, stats,
            )  # fmt: skip
            before, after, corrected, again, given_up = (int(n) for n in stats)
            per_column = stored.checks.words.shape[3] / stored.words.shape[3]
            checks, skipped_checks = round(conversions * per_column), round(skipped * per_column)
            width = stored.checks.size + len(stored.checks.check_weight)
            made = (conversions + checks + again * width) * run.median
            needless = (skipped + skipped_checks) * run.median
            return Counters(made, conversions, after, before, corrected, again, given_up, needless)
        if not random:
            kernels.mvm_lookup(
                x_words, active, stored.words, stored.first_entry, self._lut, self.place_value, place, per_block, out
            )
            if stored.empty.size:
                kernels.restore_empty(
                    active, np.argwhere(stored.empty), stored.first_entry, self._lut, self.readout.one,
                    self.zero_level, self.place_value, place, per_block, out,
                )  # fmt: skip
            return Counters(conversions * run.median, conversions, skipped=skipped * run.median)
        wrong = noise.mvm_noisy(
            x_words, active, stored.words, stored.first_entry, self.tables(run.median), stored.frozen,
            self.place_value, place, per_block, keys[0], first, out, stored.empty,
        )  # fmt: skip
        return Counters(conversions * run.median, conversions, wrong, wrong, skipped=skipped * run.median)

    def histogram(
        self, x_words: NDArray[Any], active: NDArray[np.int32], stored: StoredSection, rank: IntArray,
        out: IntArray,
    ) -> None:  # fmt: skip
        """Add every data conversion to out[rank of its unit, active, entry]."""
        kernels.count_pairs(x_words, active, stored.words, stored.first_entry, rank, out)

    def keys(self, seed: int, call: int, part: int, read: int) -> NDArray[np.uint64]:
        """Random keys of one run; the very first is that of the call itself."""
        where = (self.index, part, read)
        key = (1, call) if not any(where) else (1, call, *where)
        state = np.random.SeedSequence(seed, spawn_key=key).generate_state(2 + 2 * self.plan.retries, np.uint64)
        return np.asarray(state, np.uint64)

    def tables(self, reads: int) -> noise.NoiseTables:
        """The readout as the random path wants it, for the median of `reads` conversions."""
        if reads not in self._tables:
            self._tables[reads] = _noise_tables(self.readout, reads)
        return self._tables[reads]

    def _empty(self, groups: int, columns: int) -> NDArray[Any]:
        return np.zeros((groups, len(self.units), self.words * self.level_bits, columns), np.uint64)

    def _pack(self, index: IntArray, out: NDArray[Any]) -> None:
        """Cell levels of the weights number `index` (rows, columns) of the scheme."""
        step = kernels.WORD // self.level_bits
        for i in range(0, len(self.units), step):
            levels = self.scheme.level_table[list(self.units[i : i + step])].astype(np.uint64)
            place = np.arange(len(levels), dtype=np.uint64)[:, None] * np.uint64(self.level_bits)
            bits = np.bitwise_or.reduce(levels << place, axis=0)
            kernels.pack_weights(index, bits, self.level_bits, self.rows, self.words, out[:, i : i + step])


def _offset_draws(
    rng: np.random.Generator, shape: tuple[int, ...], columns_per_adc: int, groups_per_adc: int
) -> NDArray[np.float32]:
    """Standard normal of the converter of every bit-column segment (groups, units, columns); the bit columns of one
    weight are neighbours."""
    groups, units, columns = shape
    converter = (np.arange(columns) * units + np.arange(units)[:, None]) // columns_per_adc
    bank = np.arange(groups) // groups_per_adc
    draws = rng.standard_normal((bank[-1] + 1, int(converter.max()) + 1), np.float32)
    return np.asarray(draws[bank[:, None, None], converter[None]], np.float32)


def sections_of(
    scheme: Scheme, plans: tuple[Mitigation, ...], readouts: tuple[PlaneReadouts, ...], first: tuple[int, ...],
    thin: bool, rule: ConversionRule,
) -> tuple[MacroSection, ...]:  # fmt: skip
    """One section for all magnitudes of the same plan, readout and first input plane.

    plans, readouts, first: by rank of the magnitude.
    """
    kinds: dict[tuple[Mitigation, int, int], list[int]] = {}
    for unit, rank in enumerate(scheme.rank):
        kinds.setdefault((plans[rank], id(readouts[rank]), first[rank]), []).append(unit)
    return tuple(
        MacroSection(scheme, tuple(units), readouts[scheme.rank[units[0]]], plan, i, thin, start, rule)
        for i, ((plan, _, start), units) in enumerate(kinds.items())
    )


def _noise_tables(planes: PlaneReadouts, reads: int) -> noise.NoiseTables:
    parts = [_by_count(readout, reads) for readout in planes.readouts]
    near, slope, inverse, bound, cross = (side_by_side(arrays) for arrays in zip(*parts, strict=True))
    # 1e-3 sigma and one unit of slack cover the rounding of the single-precision margin.
    guard = _bound(np.arange(noise.GUARD_BINS) / noise.GUARD_STEPS, reads)
    code, level = side_by_side([r.code for r in planes.readouts]), side_by_side([r.level for r in planes.readouts])
    steps = np.stack([r.steps for r in planes.readouts])
    return noise.NoiseTables(
        planes.nominal, planes.values, code, level, steps, near, slope, inverse, bound, guard, cross, planes.one,
        reads, planes.counts,
    )  # fmt: skip


def _by_count(readout: Readout, reads: int) -> tuple[NDArray[Any], ...]:
    """near, slope, inverse, bound and cross of `NoiseTables` of one class of planes."""
    temporal = np.maximum(readout.temporal, TEMPORAL_FLOOR)
    far = np.full((readout.rows + 1, 1), np.inf)
    edges = np.concatenate([-far, readout.steps, far], axis=1)
    below = readout.level - np.take_along_axis(edges, readout.code.astype(np.int64), axis=1)
    above = np.take_along_axis(edges, readout.code.astype(np.int64) + 1, axis=1) - readout.level
    near = np.maximum(np.minimum(below, above), 0.0) / temporal
    far = np.full((readout.rows + 1, 2), np.inf)
    edges = np.concatenate([-far, readout.steps, far], axis=1)
    at = readout.code.astype(np.int64)[:, :, None] + np.array([0, 1, 2, 3])
    distance = np.abs(np.take_along_axis(edges[:, None, :], at, axis=2) - readout.level[:, :, None])
    cross = median_probability(ndtr(-distance / temporal[:, :, None]), reads)
    single = (np.asarray(np.minimum(t, 1e30), np.float32) for t in (near, readout.static / temporal, 1 / temporal))
    return (*single, _bound(near, reads), cross)


def _bound(distance: FloatArray, reads: int) -> NDArray[np.uint32]:
    """Bound of the probability, in 2^-32, that noise passes a threshold this many sigma away."""
    tail = median_probability(ndtr(1e-3 - distance), reads)
    return np.asarray(np.minimum(np.ceil(tail * 2.0**32) + 1, 2.0**31), np.uint32)


def relative_cost(
    sections: Sequence[MacroSection], rows: int, columns: int, group_rows: int, units: int, input_bits: int
) -> MitigationCost:
    """Ratios of conversions, area, time and energy to the same macro without mitigations.

    rows, columns: shape of the layer's weights. units: columns of one weight.
    """
    plain = -(-rows // group_rows) * units * columns
    segments = sum(s.groups(rows) * s.columns(columns) for s in sections)
    bit_columns = sum(s.columns(columns) for s in sections) / (units * columns)
    conversions = sum(
        s.groups(rows) * s.columns(columns) * (p.stop - p.start) * p.median * p.mean
        for s in sections
        for p in s.passes(input_bits)
    ) / (plain * input_bits)
    return MitigationCost(
        conversions=conversions,
        bit_columns=bit_columns,
        segments=segments / plain,
        time=conversions / bit_columns,
        energy=conversions,
    )

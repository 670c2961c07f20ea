"""The macro as a calculator: bit-serial inputs x weight columns x row groups, every conversion through the table.

Scheme. Activations are two's complement (or unsigned); each bit plane drives the rows with 0 or 1. Weights are cell
levels in several columns (`netlists.mapping.Scheme`). `rows` rows share one conversion; its count goes through the
readout table, the codes are shifted, added and subtracted digitally.

Randomness. Frozen per chip: every bit-column segment has one standard normal number, scaled by the table's static
sigma at the level being read (mismatch of one segment is thus taken as fully correlated between its levels: an
offset and gain error that never averages out), and every converter one offset. New in every conversion: thermal
noise, converter noise and the pattern spread (the table gives its size over data patterns, not its value for one).
A result depends on the seed, the number of the call and the row of the batch, not on the threads or the other rows.
Where few conversions are expected to be wrong only those are looked at (`thinning`).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from characterization.symbols import symbol_levels
from characterization.tables.planes import PlaneTables
from characterization.tables.table import ReadoutTable
from interconnect.arrays import IntArray
from interconnect.errors import InputError
from metalrom.macro.adc_ranges import RangeCalibration
from metalrom.macro.batches import input_matrix, integers, plane_values, split_batch
from metalrom.macro.blocks import StoredBlocks, batch_slices, block_scales, block_sums, check_block
from metalrom.macro.conversions import ConversionRule, driven_planes, dropped_means, low_part, partial_products
from metalrom.macro.domain import characterized
from metalrom.macro.mitigation import Mitigation, MitigationCost, resolve
from metalrom.macro.planes import PlaneReadouts, placement_of, tables_for, tables_of
from metalrom.macro.readout import EFFECTS, AdcRange, readout_of, synthetic_table
from metalrom.macro.section import Counters, MacroSection, StoredSection, relative_cost, sections_of
from metalrom.macro.seen_conversions import seen_conversions, uncounted_errors
from metalrom.macro.stored import MvmResult, StoredWeights
from netlists.condition import Condition
from netlists.mapping import MAX_BITS, MacroShape, Scheme, scheme_of


class Macro:
    """A metal-ROM macro described by a readout table at one condition.

    Parameters
    ----------
    table : ReadoutTable or PlaneTables
        The characterized readout; with tables of several planes every bit column is read by that of its plane.
    condition : Condition or str
        Condition of the table, or its label.
    array : MacroShape, optional
        Size of an array, which decides the plane of a bit column; needed with tables of several planes.
    weight_bits : int, optional
        Bits of a weight; 8, or 2 for ternary weights, by default.
    input_bits : int
        Bits of an activation.
    mapping : str
        Any registered mapping, see `netlists.mapping.MAPPINGS`.
    seed : int
        Selects the chip and its noise.
    effects : Collection[str]
        Active non-idealities, see `EFFECTS`.
    columns_per_adc : int
        Bit columns and row groups that share one converter, hence one offset.
    groups_per_adc : int
        See `columns_per_adc`.
    threads : int, optional
        All processors by default; the result does not depend on it.
    input_signed : bool
        Two's complement, or 0..2^bits - 1.
    rows : int, optional
        Rows per conversion; those of the table by default.
    tables : Mapping[int, ReadoutTable or PlaneTables], optional
        Readout tables of other group sizes, of the same planes.
    mitigations : Sequence[Mitigation]
        Planes that are read with mitigations.
    calibration : RangeCalibration, optional
        Converter ranges, see `calibrate_ranges`; planes with other rows per conversion keep one count per code.
    outside_domain : bool
        Permit a group size or condition that was not characterized; extrapolations are labelled in macro and results.
    symbol_values : Sequence[int], optional
        Consecutive symbol values of the cell, as many as the table's levels; from 0 on by default.
    thin : bool
        Add only the wrong conversions to the exact product where few are expected (see `thinning`). Otherwise every
        conversion is looked up, whose noise draws are the same whatever the table.
    skip_idle : bool
        Do not convert groups in which no row is driven: their counts are 0.
    popcount_range : bool
        Convert among the counts that the driven rows can give: codes beyond read as the greatest of these.
    drop_below : int
        Do not convert products of an input plane and a column that weigh less than 2^drop_below; their mean is added.
    skip_empty : bool
        Do not convert a column in a group of rows in which it stores nothing but zeros: its count is known.

    Raises
    ------
    InputError
        For options out of range, or a table whose levels do not rise.

    Examples
    --------
    >>> import numpy as np
    >>> from metalrom.macro import Macro
    >>> x, w = np.array([[3, -2]]), np.array([[5], [7]])
    >>> Macro.ideal(rows=4).matmul(x, w)
    array([[1]])
    """

    def __init__(
        self,
        table: ReadoutTable | PlaneTables,
        condition: Condition | str,
        *,
        array: MacroShape | None = None,
        weight_bits: int | None = None,
        input_bits: int = 8,
        mapping: str = "differential",
        seed: int = 0,
        effects: Collection[str] = EFFECTS,
        columns_per_adc: int = 1,
        groups_per_adc: int = 1,
        threads: int | None = None,
        input_signed: bool = True,
        rows: int | None = None,
        tables: Mapping[int, ReadoutTable | PlaneTables] | None = None,
        mitigations: Sequence[Mitigation] = (),
        calibration: RangeCalibration | None = None,
        outside_domain: bool = False,
        symbol_values: Sequence[int] | None = None,
        thin: bool = True,
        skip_idle: bool = False,
        popcount_range: bool = False,
        drop_below: int = 0,
        skip_empty: bool = False,
    ) -> None:
        if not 1 + input_signed <= input_bits <= MAX_BITS:
            raise InputError(f"macro: input_bits is {input_bits}, expected {1 + input_signed} to {MAX_BITS}")
        for name, share in (("columns_per_adc", columns_per_adc), ("groups_per_adc", groups_per_adc)):
            if share < 1:
                raise InputError(f"macro: {name} is {share}, expected at least 1")
        if seed < 0:
            raise InputError(f"macro: seed is {seed}, expected 0 or more")
        default_bits = 2 if mapping == "ternary" else 8
        known = table.worst() if isinstance(table, PlaneTables) else table
        values = tuple(range(known.levels)) if symbol_values is None else tuple(symbol_values)
        if len(symbol_levels(values)) != known.levels:
            raise InputError(f"macro: a cell has {known.levels} levels, symbol_values are {values}")
        self.scheme: Scheme = scheme_of(mapping, default_bits if weight_bits is None else weight_bits, values)
        self.rule = rule = ConversionRule(skip_idle, popcount_range, drop_below, skip_empty=skip_empty)
        condition, label = characterized(known, condition, outside_domain)
        labels: list[str | None] = [label]
        placement = placement_of(table, array)

        def readouts_of(classes: tuple[ReadoutTable, ...], adc_range: AdcRange | None = None) -> PlaneReadouts:
            return PlaneReadouts(tuple(readout_of(t, condition, effects, adc_range, rule) for t in classes), placement)

        self.rows = known.rows if rows is None else rows
        classes, label = tables_for(self.rows, tables_of(table), tables or {}, outside_domain)
        labels.append(label)
        self.table = known if self.rows == known.rows else classes[0]
        self.condition, self.effects = condition, tuple(effects)
        self.readout = readouts_of(classes)
        self.weight_bits, self.mapping, self.seed = self.scheme.bits, mapping, seed
        self.input_bits, self.input_signed = input_bits, input_signed
        self.columns_per_adc, self.groups_per_adc = columns_per_adc, groups_per_adc
        self.threads = max(1, threads if threads is not None else (os.cpu_count() or 1))
        ranks = len(self.scheme.magnitudes)
        plans = resolve(mitigations, ranks)
        ranges = (None,) * ranks if calibration is None else calibration.ranges_for(self.scheme, self.rows)
        readouts: dict[Any, PlaneReadouts] = {(self.rows, None): self.readout}
        keys = []
        for plan, adc_range in zip(plans, ranges, strict=True):
            own_rows = self.rows if plan.rows is None else plan.rows
            key = (own_rows, adc_range if own_rows == self.rows else None)  # the ranges were found for self.rows
            if key not in readouts:
                own, label = tables_for(key[0], classes, tables or {}, outside_domain)
                labels.append(label)
                readouts[key] = readouts_of(own, key[1])
            keys.append(key)
        self.outside_domain: tuple[str, ...] = tuple(dict.fromkeys(label for label in labels if label))
        first = rule.first_planes(self.scheme, input_bits)
        self._sections = sections_of(self.scheme, plans, tuple(readouts[k] for k in keys), first, thin, rule)
        self._calls = 0

    @classmethod
    def ideal(
        cls,
        *,
        rows: int = 64,
        codes: int | None = None,
        weight_bits: int | None = None,
        input_bits: int = 8,
        threads: int | None = None,
        levels: int = 2,
        **options: Any,
    ) -> Macro:
        """A macro without errors: `matmul` equals the integer product (unless `codes` clips the range).

        Parameters
        ----------
        rows : int
            Rows per conversion.
        codes : int, optional
            Output codes of the converter; one per count by default.
        weight_bits : int, optional
            Bits of a weight; 8, or 2 for ternary weights, by default.
        input_bits : int
            Bits of an activation.
        threads : int, optional
            All processors by default.
        levels : int
            Levels of a cell.
        **options : Any
            Further options of the constructor.

        Returns
        -------
        Macro
            With a synthetic readout table.
        """
        table = synthetic_table(rows, codes=codes, levels=levels)
        return cls(
            table, table.conditions[0], weight_bits=weight_bits, input_bits=input_bits, threads=threads, **options
        )

    def store(self, w: NDArray[Any], *, layer: int = 0) -> StoredWeights:
        """Program integer weights into the macro; the same seed and layer give the same frozen deviations.

        Parameters
        ----------
        w : NDArray
            Integer weights, shape (rows, columns).
        layer : int
            Number of the layer on the chip.

        Returns
        -------
        StoredWeights
            Weights for `matmul` and `run`.

        Raises
        ------
        InputError
            For weights out of range.
        """
        w = integers("weights", w, self.scheme.low, self.scheme.high)
        place = (self.seed, layer, self.columns_per_adc, self.groups_per_adc)
        rows, columns = w.shape
        return StoredWeights(rows, columns, tuple(section.store(w, *place) for section in self._sections))

    def matmul(
        self, x: NDArray[Any], w: NDArray[Any] | StoredWeights | StoredBlocks, *, call: int | None = None
    ) -> NDArray[Any]:
        """Product x w as the macro computes it.

        With block-scaled weights: sum over blocks of scale * (product of the block) + offset * sum(x in block).

        Parameters
        ----------
        x : NDArray
            Integers within the input range, shape (batch, rows).
        w : NDArray or StoredWeights or StoredBlocks
            Integer weights, shape (rows, columns), or the result of `store` or `store_blocks`.
        call : int, optional
            Number of the noise draw; by default every call takes the next one, so that a repeated product sees fresh
            noise while a program that runs twice gives the same numbers.

        Returns
        -------
        NDArray
            Shape (batch, columns); int64, or float64 where ranges were calibrated, reads averaged, columns corrected or
            blocks scaled (then in the unit of the scales).

        Raises
        ------
        InputError
            For a wrong shape, type or range.
        """
        return self._run(x, w, call, count_errors=False).y

    def run(
        self, x: NDArray[Any], w: NDArray[Any] | StoredWeights | StoredBlocks, *, call: int | None = None
    ) -> MvmResult:
        """`matmul` with the number of conversions and of code errors.

        Parameters
        ----------
        x : NDArray
            See `matmul`.
        w : NDArray or StoredWeights or StoredBlocks
            See `matmul`.
        call : int, optional
            See `matmul`.

        Returns
        -------
        MvmResult
            Outputs and counters.
        """
        return self._run(x, w, call, count_errors=True)

    def store_blocks(
        self,
        integers: NDArray[Any],
        scale: NDArray[Any],
        offset: NDArray[Any] | None = None,
        *,
        block: int = 32,
        layer: int = 0,
    ) -> StoredBlocks:
        """Program block-scaled weights: w = scale * integer + offset, one scale and offset per block and column.

        Parameters
        ----------
        integers : NDArray
            Shape (rows, columns).
        scale : NDArray
            Shape (rows / block, columns), any unit.
        offset : NDArray, optional
            Shape (rows / block, columns), the unit of `scale`.
        block : int
            Rows of a block; the rows of a conversion must equal or divide it, because scale and offset are applied
            digitally. A block that is the whole column takes any: its last conversion is a shorter one.
        layer : int
            Number of the layer on the chip.

        Returns
        -------
        StoredBlocks
            Weights for `matmul` and `run`.

        Raises
        ------
        InputError
            For shapes that do not match.
        """
        for section in self._sections:
            check_block(block, section.rows, len(integers))
        stored = self.store(integers, layer=layer)
        return StoredBlocks(stored, *block_scales(stored.rows, stored.columns, scale, offset, block), block)

    def count_histogram(
        self, x: NDArray[Any], w: NDArray[Any] | StoredWeights, *, by_significance: bool = False
    ) -> IntArray:
        """How often each (active, count) occurs among the conversions of a product.

        Independent of the readout's errors, without repeats and check columns.

        Parameters
        ----------
        x : NDArray
            Integers within the input range, shape (batch, rows).
        w : NDArray or StoredWeights
            Integer weights, shape (rows, columns), or the result of `store`.
        by_significance : bool
            One table per magnitude of the place values, the greatest first.

        Returns
        -------
        IntArray
            Shape (N + 1, M + 1) for N rows and a largest count of M; with `by_significance` a leading axis of
            magnitudes.

        Raises
        ------
        InputError
            If planes are read with different rows per conversion.
        """
        stored = w if isinstance(w, StoredWeights) else self.store(w)
        x = input_matrix(x, self.input_bits, self.input_signed, stored.rows)
        if any(section.rows != self.rows for section in self._sections):
            raise InputError(
                "macro: the planes have different group sizes; take the histogram from a macro without mitigations"
            )
        parts = [seen_conversions(s, p, x, self.input_bits, self.threads) for s, p in self._parts(stored)]
        entries = np.sum(parts, axis=0, dtype=np.int64)
        total = entries.reshape(*entries.shape[:2], -1, self.readout.counts).sum(axis=2)
        return np.asarray(total if by_significance else total.sum(axis=0))

    @property
    def partial_products(self) -> int:
        """Conversions of a weight per group of rows, over all input bits, without mitigations."""
        return partial_products(self.scheme, self.rule.first_planes(self.scheme, self.input_bits), self.input_bits)

    def mitigation_cost(self, rows: int, columns: int) -> MitigationCost:
        """Cost of the mitigations for a layer, relative to the same macro without them.

        Parameters
        ----------
        rows : int
            Inputs of the layer.
        columns : int
            Outputs of the layer.

        Returns
        -------
        MitigationCost
            Ratios of conversions, area, time and energy.
        """
        return relative_cost(self._sections, rows, columns, self.rows, self.scheme.columns, self.input_bits)

    def _run(
        self, x: NDArray[Any], w: NDArray[Any] | StoredWeights | StoredBlocks, call: int | None, *, count_errors: bool
    ) -> MvmResult:
        if isinstance(w, StoredBlocks):
            return self._run_blocks(x, w, call, count_errors)
        stored = w if isinstance(w, StoredWeights) else self.store(w)
        x = input_matrix(x, self.input_bits, self.input_signed, stored.rows)
        sums, n = self._product(x, stored, self._next(call), 0, None)
        y = sums[:, 0] if stored.correction is None else stored.correction.apply(sums[:, 0])
        return self._result(y, x, stored, n, count_errors)

    def _run_blocks(self, x: NDArray[Any], stored: StoredBlocks, call: int | None, count_errors: bool) -> MvmResult:
        x = input_matrix(x, self.input_bits, self.input_signed, stored.weights.rows)
        call, n = self._next(call), Counters()
        out = np.empty((len(x), stored.weights.columns))
        for rows in batch_slices(len(x), stored):  # bounds the memory of the partial sums
            sums, counters = self._product(x[rows], stored.weights, call, rows.start, stored.rows_per_sum)
            out[rows] = stored.combine(sums, block_sums(x[rows], stored.rows_per_sum))
            n = n + counters
        return self._result(out, x, stored.weights, n, count_errors)

    def _result(
        self, y: NDArray[Any], x: IntArray, stored: StoredWeights, n: Counters, count_errors: bool
    ) -> MvmResult:
        more = uncounted_errors(self._parts(stored), x, self.input_bits, self.threads) if count_errors else 0
        return MvmResult(
            y, n.conversions, n.errors + more, n.values, n.before_checks + more, n.corrected, n.read_again,
            n.given_up, n.skipped, self.outside_domain,
        )  # fmt: skip

    def _product(
        self, x: IntArray, stored: StoredWeights, call: int, first: int, block: int | None
    ) -> tuple[NDArray[Any], Counters]:
        """Digital sums (batch, blocks, columns), int64 or float64, and what happened; block None: all rows."""
        blocks = 1 if block is None else stored.rows // block
        top = 2 ** (self.input_bits - self.input_signed)
        counters = Counters()
        total: NDArray[Any] | None = None
        packed: dict[int, Any] = {}
        driven: dict[int, IntArray] = {}
        dropped: list[tuple[IntArray, NDArray[Any]]] = []
        for section, part in self._parts(stored):
            section.fits(part, stored.rows)
            thinning = section.thinning(part, self.input_bits)
            low = low_part(x, section.first, self.input_bits)
            exact = None if thinning is None else part.exact.product(x - low, top, block)
            if section.first:
                dropped.append((low, part.exact.values))
            if section.rows not in driven:
                driven[section.rows] = driven_planes(x, section.rows)
            lit_planes = driven[section.rows]
            per_block = section.groups(stored.rows) if block is None else block // section.rows
            if exact is not None:
                total = exact if total is None else total + exact
            for i, run in enumerate(section.passes(self.input_bits)):
                way = None if thinning is None else thinning[i]
                one = section.readout.one
                if way is not None and way.nothing_wrong and one == 1:
                    made, skipped = section.conversions(lit_planes, part, run)
                    counters = counters + Counters(made * run.median, made, skipped=skipped * run.median)
                    continue
                if section.rows not in packed:
                    packed[section.rows] = section.drive(x, self.input_bits)
                planes = np.s_[:, :, run.start : run.stop]
                x_words, lit = (np.ascontiguousarray(a[planes]) for a in packed[section.rows])
                place = plane_values(self.input_bits, self.input_signed)[run.start : run.stop]
                reads = 1 if section.readout.deterministic else run.mean
                kept = exact if total is exact and reads * one == 1 else None  # corrected in place
                sums: Any = np.zeros((len(x), blocks, stored.columns), np.int64) if kept is None else kept
                for read in range(reads):
                    keys = section.keys(self.seed, call, i, read)

                    def work(rows: slice, s: MacroSection = section, keys: NDArray[np.uint64] = keys, run: Any = run,
                             part: StoredSection = part, x_words: Any = x_words, lit: Any = lit, place: Any = place,
                             per_block: int = per_block, sums: Any = sums, way: Any = way,
                             lit_planes: IntArray = lit_planes) -> Counters:  # fmt: skip
                        return s.add(x_words[rows], lit[rows], part, run, place, per_block, keys, first + rows.start,
                                     sums[rows], way, lit_planes[rows])  # fmt: skip

                    counters = sum(split_batch(self.threads, len(x), work), counters)
                if reads * one > 1:
                    sums = sums / (reads * one)
                total = total if sums is exact else sums if total is None else total + sums
        assert total is not None  # noqa: S101 - the greatest magnitude is always converted
        total = total + dropped_means(dropped, block) if dropped else total
        if self.scheme.level_constant:
            total = total + self.scheme.level_constant * block_sums(x, block)[:, :, None]
        return total, counters

    def _parts(self, stored: StoredWeights) -> list[tuple[MacroSection, StoredSection]]:
        if len(stored.sections) != len(self._sections):
            raise InputError("macro: these weights were stored with other mitigations; store them with this macro")
        return list(zip(self._sections, stored.sections, strict=True))

    def _next(self, call: int | None) -> int:
        self._calls += call is None
        return self._calls - 1 if call is None else call

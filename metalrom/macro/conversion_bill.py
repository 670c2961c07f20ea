"""What skipped, shortened and dropped conversions change in energy, time and area, by the data's driven rows.

A read drives the rows of a group in all columns of a tile, a conversion is what one converter makes of it. Where no row
is driven the read is left out, and with it every conversion of the tile. A dropped partial product saves its
conversion; the read as well where all converters come to columns of one significance at a time. In fixed time both
leave their slot of the schedule empty, in which the array leaks on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from characterization.margins import weighted_mean, wrong_code_probability
from characterization.tables.table import ReadoutTable
from interconnect.arrays import FloatArray, IntArray
from interconnect.errors import InputError
from interconnect.provenance import Provenance
from metalrom.macro.conversions import ConversionRule
from metalrom.macro.geometry import MacroGeometry
from metalrom.macro.quantity import Component, Span, total
from metalrom.macro.scale_bill import scale_gates
from netlists.condition import Condition
from netlists.readout.column_converter import ADDER, SELECTOR

DECISION_FACTOR = 1.25
"""Range x/: of a conversion of fewer decisions whose energy is taken in proportion to them: simulated ones of 1 to 4
decisions take 0.84 to 1.07 of it (`python benchmarks/conversions.py RUN --check decisions`)."""

CONVERSION_PARTS = ("adc", "column_mux", "counter", "shift_add")
"""Parts that a conversion pays by itself; others are paid by reads."""

SLOT_PARTS = ("leakage", "line_bias")
"""Parts that are paid for as long as the schedule lasts."""


@dataclass(frozen=True, slots=True)
class ConversionMix:
    """The conversions that are made, of those that no rule drops.

    driven (N + 1,): distribution of the driven rows among them, and in words where that is from. made: their share;
    the others belong to groups without a driven row. decisions: mean length of one over that among all counts. reads:
    of rows, per conversion and converter. slots: of the schedule, likewise. stored: share of the conversions whose
    column stores anything; the others may be left out as well (`skip_empty`), their reads and slots stay.
    """

    driven: FloatArray
    source: str
    made: float
    decisions: float
    reads: float
    slots: float
    stored: float = 1.0

    @property
    def share(self) -> float:
        """Of all conversions, those that are made."""
        return self.made * self.stored


def conversion_mix(geometry: MacroGeometry, table: ReadoutTable, histogram: IntArray | None) -> ConversionMix:
    """Conversions of data with this (active, count) histogram; without one every row is driven half of the time.

    Raises InputError for another histogram, data that drive no row, or a converter that cannot be shortened.
    """
    rule, n = geometry.rule, table.rows
    driven, source = _driven(table, histogram)
    made = 1.0
    if rule.skip_idle:
        made = 1.0 - float(driven[0])
        if not made > 0:
            raise InputError("estimate: the data drive no row, no conversion is made")
        driven = np.where(np.arange(n + 1) > 0, driven, 0.0) / made
    decisions = float(driven @ _lengths(geometry, table)) if rule.popcount_range else 1.0
    stored = 1.0 - geometry.empty_share
    reads = (1.0 if geometry.drops_whole_reads else 1.0 / geometry.kept_share) / stored
    slots = reads if rule.variable_time else reads / made
    return ConversionMix(driven, source, made, decisions, reads, slots, stored)


def code_error_of(
    rule: ConversionRule, table: ReadoutTable, condition: Condition | str, histogram: IntArray | None
) -> float:
    """Expected fraction of the conversions that are made whose digital value is not the count: of skipped ones none,
    with `popcount_range` none beyond the driven rows. See `ReadoutTable.mean_code_error`."""
    lower, upper = table.at(condition).tails()
    active, count = np.indices(upper.shape)
    if rule.popcount_range:
        upper = np.where(count == active * (table.levels - 1), np.inf, upper)
    weight = table.occurrence(histogram).copy()
    if rule.skip_idle:
        weight[0] = 0
    return weighted_mean(wrong_code_probability(lower, upper), weight)


def decision_share(levels: int, every: int) -> float:
    """Decisions of a conversion among so many levels over those among every level, at least one."""
    return max(1, math.ceil(math.log2(levels))) / max(1, math.ceil(math.log2(every)))


def scaled_parts(parts: Mapping[str, Component], mix: ConversionMix) -> dict[str, Component]:
    """Energies per conversion that is made, from those of a conversion among all counts with a read of its own."""
    out = {}
    for name, part in parts.items():
        if name == "threshold_updates":
            continue
        factor = 1.0 if name in CONVERSION_PARTS else mix.slots if name in SLOT_PARTS else mix.reads
        value, origin = part.value * factor, part.provenance
        if name == "adc" and mix.decisions < 1:
            value = Span(value.low / DECISION_FACTOR, value.mid, value.high * DECISION_FACTOR) * mix.decisions
            note = f"{mix.decisions:.3g} of the decisions by the popcount, energy in proportion x/: {DECISION_FACTOR:g}"
            origin = Provenance("estimate", f"{origin.source}; {note}")
        elif factor != 1:
            origin = Provenance(origin.status, f"{origin.source}; {factor:.3g} reads per conversion")
        out[name] = Component(value, origin)
    if updates := parts.get("threshold_updates"):
        known = [n for n in parts if n not in ("threshold_updates", "shift_add")]
        before, after = total(parts[n] for n in known).mid, total(out[n] for n in known).mid
        out["threshold_updates"] = Component(updates.value * (after / before if before else 1.0), updates.provenance)
    return out


def rule_gates(geometry: MacroGeometry, accumulator: float) -> dict[str, tuple[float, str]]:
    """NAND2 equivalents of a tile that a rule takes, and what they are; accumulator: of one bit of a shift-add."""
    g, out = geometry, {}
    if g.rule.skip_idle or g.rule.popcount_range:
        out["popcount"] = (ADDER * g.group_rows, f"popcount of {g.group_rows} rows: a full adder per row")
    if g.rule.skip_empty:
        number = g.columns * g.planes * g.groups // g.columns_per_conversion
        out["empty_groups"] = (
            number * SELECTOR, f"{number:,} mask-programmed bits that say which groups of columns are empty"
        )  # fmt: skip
    if g.scale_bits:
        out["scales"] = scale_gates(g)
    if g.rule.drop_below:
        bits = _constant_bits(g)
        sums = g.input_bits + math.ceil(math.log2(g.rows))
        out["dropped_means"] = (
            g.weights_per_row * bits * SELECTOR + sums * accumulator,
            f"means of dropped products: {bits} bits of mask-programmed constants per output, a selector each; "
            f"an accumulator of {sums} bits",
        )
    return out


def mean_additions(geometry: MacroGeometry) -> float:
    """Shift-adds of the dropped products' means per conversion: one for every bit of an output's constants."""
    return _constant_bits(geometry) / (geometry.partial_products * geometry.groups)


def _constant_bits(g: MacroGeometry) -> int:
    """Bits of an output's constants: sums over the rows of what the columns below a significance store."""
    return sum(first + math.ceil(math.log2(g.rows)) for first in _dropping(g))


def _dropping(g: MacroGeometry) -> tuple[int, ...]:
    """First planes that drop something; columns of equal first plane share a constant."""
    return tuple(sorted({first for first in g.rule.first_planes(g.read_scheme, g.input_bits) if first}))


def _lengths(geometry: MacroGeometry, table: ReadoutTable) -> FloatArray:
    """Length of a conversion among the counts of so many driven rows over that among all: shape (N + 1,)."""
    if geometry.readout is not None:
        if len(geometry.readout.decision_shares) != table.rows + 1:
            raise InputError(
                "estimate: popcount_range shortens no conversion of this readout: a ramp, or a run of an older version",
                hint="leave popcount_range out, or run it again with readout.converter: {kind: sar}",
            )
        return np.array(geometry.readout.decision_shares)
    every = 2**geometry.adc_bits
    return np.array([decision_share(k * (table.levels - 1) + 1, every) for k in range(table.rows + 1)])


def _driven(table: ReadoutTable, histogram: IntArray | None) -> tuple[FloatArray, str]:
    """Distribution of the number of driven rows, shape (N + 1,), and its description."""
    n = table.rows
    if histogram is None:
        weight = np.array([math.comb(n, k) * 0.5**n for k in range(n + 1)])
        return weight, "assumed: every row driven half of the time"
    if histogram.shape != table.valid.shape or not histogram.sum() > 0:
        wanted = table.valid.shape
        raise InputError(f"estimate: the histogram has shape {histogram.shape}, expected {wanted}, not empty")
    rows = histogram.sum(axis=1, dtype=np.float64)
    return rows / rows.sum(), "weighted with the data's driven rows"

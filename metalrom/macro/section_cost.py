"""What the mitigations of a macro cost, counted over its sections."""

from __future__ import annotations

from collections.abc import Sequence

from metalrom.macro.mitigation import MitigationCost
from metalrom.macro.section import MacroSection


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

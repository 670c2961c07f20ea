"""Checks that all converters share."""

from __future__ import annotations

import math
from collections.abc import Sequence

from interconnect.errors import InputError
from netlists.condition import Condition
from netlists.parameters import require

_MOST_LEVELS = 4096


def check_range(low: float, high: float, *, where: str) -> None:
    """Refuse references that are not finite, negative, or not in order (V)."""
    require(
        math.isfinite(low) and math.isfinite(high) and 0 <= low < high,
        f"is {low!r} to {high!r} V",
        where=f"{where}.ref_low and ref_high",
        hint="0 <= ref_low < ref_high",
    )


def check_inputs(levels: Sequence[float], condition: Condition) -> None:
    """Refuse an empty list, too long a one, or an input (V) outside of the supply."""
    if not 1 <= len(levels) <= _MOST_LEVELS:
        raise InputError(
            f"{len(levels)} input levels", where="readout.levels", hint=f"1 to {_MOST_LEVELS} per deck are possible"
        )
    for index, value in enumerate(levels):
        if not (math.isfinite(value) and 0 <= value <= condition.vdd):
            raise InputError(
                f"input level {index} is {float(value)!r} V", where="readout.levels", hint=f"0 to {condition.vdd:g} V"
            )

"""One ramp for many columns, as in image sensors: a comparator per column, the generator shared."""

from __future__ import annotations

from collections.abc import Sequence

from netlists.condition import Condition
from netlists.readout.converter import check_inputs
from netlists.readout.deck import POWER_UP, ReadoutDeck, build_deck, tidy
from netlists.readout.ramp import Ramp
from netlists.technology import Technology

_EDGE = 50e-12
_SETTLE = 100e-9
"""s, for the bias of a generator that starts from no supply; a running one needs none of it."""


def column_ramp_deck(
    technology: Technology, condition: Condition, ramp: Ramp, levels: Sequence[float], *, noise: bool = False
) -> ReadoutDeck:
    """All columns convert their level (V, one per column) at the same time; v(out_K) rises at column K's code.

    The supplies of generator (v_dd) and comparators (v_comparators) are apart. noise: the comparator at balance on the
    first level; the saved vectors are the noise densities of its first stage and, referred to its input, of that.
    """
    check_inputs(levels, condition)
    start = tidy(POWER_UP + _SETTLE)
    stop = tidy(start + ramp.ramp_time)
    return build_deck(
        "readout_column_ramp.cir.j2",
        {
            "a": ramp,
            "logic": ramp.logic,
            "levels": [float(v) for v in levels],
            "noise": noise,
            "edge": _EDGE,
            "ramp_start": start,
        },
        technology=technology,
        condition=condition,
        length=ramp.length,
        level="transistor",
        title=f"ramp of {ramp.bits} bits for {len(levels)} columns, {'noise, ' if noise else ''}{condition.label}",
        outputs=(
            ("onoise_spectrum", "inoise_spectrum")
            if noise
            else ("v(ramp)", *(f"v(out_{k})" for k in range(len(levels))))
        ),
        stop=stop,
        max_step=ramp.count / 20,
        windows=[(start, stop)],
        reads=[(start, stop)],
        sources={} if noise else {"v_dd": "vdd", "v_comparators": "vdd_comparators", "v_hold": "hold"},
    )

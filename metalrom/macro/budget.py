"""Where a layer's output error comes from, and how sure that is: every effect switched off in turn, every cause
varied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from characterization.tables.table import ReadoutTable
from interconnect.errors import InputError
from metalrom.macro.cost import RelativeErrors
from metalrom.macro.engine import Macro
from metalrom.macro.readout import EFFECTS
from netlists.condition import Condition

ASSUMED_FACTOR = 1.5
"""Range within which an assumed spread (converter noise and offset, cell mismatch) is varied: x/: this factor."""

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class EffectShare:
    """Mean square output error with this effect `alone` and `without` it (all others acting)."""

    effect: str
    alone: float
    without: float


@dataclass(frozen=True, slots=True)
class CauseRange:
    """Mean square output error over the range of one cause; None where its size is not known. source: why this
    range.
    """

    cause: str
    low: float | None
    high: float | None
    source: str


@dataclass(frozen=True)
class ErrorBudget:
    """Error of one product. All errors are mean squares over the outputs, without any fit.

    signal: variance of the ideal output. total: all effects. converter: none of them, only clipping and calibrated
    ranges. effects: one by one; they need not add up. causes: fit, monte_carlo, extraction, technology_assumption.
    outside_domain: what was extrapolated.
    """

    condition: str
    signal: float
    total: float
    converter: float
    effects: tuple[EffectShare, ...]
    causes: tuple[CauseRange, ...]
    outside_domain: tuple[str, ...]

    def csnr(self, mean_square: float) -> float:
        """CSNR of an error of this size, dB, nothing removed by a fit."""
        return float(10 * np.log10(self.signal / mean_square)) if mean_square > 0 else float("inf")

    def to_dict(self) -> dict[str, Any]:
        """Plain values; CSNR in dB (None: no error at all), errors in squared output units."""

        def decibel(mean_square: float | None) -> float | None:
            return None if mean_square is None or mean_square <= 0 else self.csnr(mean_square)

        return {
            "condition": self.condition,
            "signal_variance": self.signal,
            "csnr_dB": decibel(self.total),
            "csnr_converter_alone_dB": decibel(self.converter),
            "effects": {
                e.effect: {"alone_csnr_dB": decibel(e.alone), "without_csnr_dB": decibel(e.without)}
                for e in self.effects
            },
            "causes": {
                c.cause: {
                    "csnr_dB": UNKNOWN if c.low is None else [decibel(c.high), decibel(c.low)],
                    "source": c.source,
                }
                for c in self.causes
            },
            "outside_domain": list(self.outside_domain),
        }


def error_budget(
    table: ReadoutTable,
    condition: Condition | str,
    x: NDArray[Any],
    w: NDArray[Any],
    *,
    errors: RelativeErrors | None = None,
    **options: Any,
) -> ErrorBudget:
    """Error budget of x times integer weights w.

    Fit error widens every level by a Gaussian of that share of the full swing; Monte-Carlo error scales the static
    spread, extraction error the noise in counts, a technology assumption the spreads that the table lists as assumed.
    Every variant sees the same chip and the same noise draws.

    Parameters
    ----------
    table : ReadoutTable
        The characterized readout.
    condition : Condition or str
        Condition of the table, or its label.
    x : NDArray
        Integer activations, shape (batch, rows).
    w : NDArray
        Integer weights, shape (rows, columns).
    errors : RelativeErrors, optional
        Relative errors of the characterized quantities; a cause of size 0 or without `errors` is unknown.
    **options : Any
        Options of `Macro` (mapping, weight_bits, mitigations, calibration...).

    Returns
    -------
    ErrorBudget
        Contribution of every effect and cause.

    Raises
    ------
    InputError
        As `Macro`, and for a constant ideal output.
    """
    if "effects" in options:
        raise InputError("error budget: the effects are switched off one by one and cannot be an option")
    ideal = np.asarray(x, np.float64) @ np.asarray(w, np.float64)
    signal = float(ideal.var())
    if signal == 0:
        raise InputError("error budget: the ideal output is constant")

    def mean_square(variant: ReadoutTable, effects: tuple[str, ...]) -> float:
        macro = Macro(variant, condition, effects=effects, **options)
        return float(np.mean((macro.matmul(x, macro.store(w), call=0) - ideal) ** 2))

    total = mean_square(table, EFFECTS)
    shares = tuple(
        EffectShare(e, mean_square(table, (e,)), mean_square(table, tuple(o for o in EFFECTS if o != e)))
        for e in EFFECTS
    )
    causes = []
    for cause, low, high, source in _variants(table, errors):
        if low is None or high is None:
            causes.append(CauseRange(cause, None, None, source))
        else:
            ends = sorted(mean_square(v, EFFECTS) for v in (low, high))
            causes.append(CauseRange(cause, ends[0], ends[1], source))
    macro = Macro(table, condition, **options)
    return ErrorBudget(
        macro.condition.label, signal, total, mean_square(table, ()), shares, tuple(causes), macro.outside_domain
    )


def _variants(
    table: ReadoutTable, errors: RelativeErrors | None
) -> list[tuple[str, ReadoutTable | None, ReadoutTable | None, str]]:
    """(cause, table at the low end, at the high end, source) of every cause; None where its size is not known."""
    e = errors or RelativeErrors()
    swing = table.level[:, table.rows, -1] - table.level[:, table.rows, 0]
    fit = np.sqrt(table.sigma_static**2 + (e.fit * swing[:, None, None]) ** 2)
    low, high = max(0.0, 1 - e.monte_carlo), 1 + e.monte_carlo
    assumed: Mapping[str, str] = {a.name: a.source for a in table.assumptions if a.status in ("estimate", "assumption")}
    causes = [
        ("fit", e.fit, table, table.replace(sigma_static=fit), "share of the swing, held out"),
        (
            "monte_carlo",
            e.monte_carlo,
            table.replace(sigma_static=table.sigma_static * low),
            table.replace(sigma_static=table.sigma_static * high),
            "relative error of the static spread",
        ),
        (
            "extraction",
            e.extraction,
            table.replace(sigma_noise=table.sigma_noise * max(0.0, 1 - e.extraction)),
            table.replace(sigma_noise=table.sigma_noise * (1 + e.extraction)),
            "relative error of the signal per count, hence of the noise in counts",
        ),
    ]
    out: list[tuple[str, ReadoutTable | None, ReadoutTable | None, str]] = [
        (name, a, b, f"{size:.3g}, {source}") if size else (name, None, None, UNKNOWN)
        for name, size, a, b, source in causes
    ]
    if not assumed:
        return [*out, ("technology_assumption", None, None, UNKNOWN)]
    source = f"x/: {ASSUMED_FACTOR:g} on converter and mismatch; assumed: {', '.join(assumed)}"
    less, more = (_assumed(table, f, "cell mismatch" in assumed) for f in (1 / ASSUMED_FACTOR, ASSUMED_FACTOR))
    return [*out, ("technology_assumption", less, more, source)]


def _assumed(table: ReadoutTable, factor: float, mismatch: bool) -> ReadoutTable:
    adc = replace(table.adc, offset_sigma=table.adc.offset_sigma * factor, noise_sigma=table.adc.noise_sigma * factor)
    return table.replace(adc=adc, sigma_static=table.sigma_static * (factor if mismatch else 1.0))

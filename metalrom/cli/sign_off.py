"""The figures that a run is signed off with, for the terminal: label and text of every row."""

from characterization.readout_levels import COMPARATOR, NOISE, OFFSET, PATTERN, STATIC
from characterization.sign_off import SignOff
from metalrom.formatting import Figure, amount, span
from metalrom.macro.quantity import Span
from metalrom.run.results import ChipDistribution, Headline, RunResults

_PARTS = {STATIC: "mismatch", PATTERN: "data", NOISE: "noise", COMPARATOR: "comparator", OFFSET: "offset"}
"""Spreads of the sigma budget, in a word."""


def sign_off_rows(results: RunResults) -> list[tuple[str, str]]:
    """Verdict, margin, code error and CSNR with their intervals, what they consist of, and the drawn chips; empty for a
    run without a headline."""
    headline = results.headline
    if headline is None:
        return []
    signed = results.sign_off_at(headline.margin_at.condition)
    return [
        *_headline_rows(headline),
        *(_detail_rows(signed, headline.margin_at.count) if signed else []),
        *_condition_rows(results.sign_off),
        *_chip_rows(results.chips),
    ]


def merit_rows(results: RunResults) -> list[tuple[str, str]]:
    """Latency, energy and efficiency at the nominal condition, and what is counted."""
    m = next((m for m in results.merits if m.condition == results.condition), None)
    if m is None:
        return []
    area = "area: not available" if m.tops_per_mm2 is None else _span(m.tops_per_mm2, "TOPS/mm2")
    return [
        ("latency", f"{_span(m.latency, 's')} for one input vector, {m.condition}"),
        ("energy", f"{_span(m.energy_per_mac, 'J')} per MAC"),
        ("efficiency", f"{_span(m.tops_per_watt, 'TOPS/W')}; {area}; {m.operations}"),
    ]


def _span(value: Span, unit: str) -> str:
    ends = span(Figure("", value.mid, unit, value.low, value.high))
    return f"{amount(value.mid, unit)} ({ends})".replace("\u00a0", " ")


def _headline_rows(headline: Headline) -> list[tuple[str, str]]:
    """Margin and code error at the worst condition, and the verdict."""
    h, at = headline, headline.margin_at
    margin = "unbounded (nothing spreads)" if h.margin_sigma is None else f"{h.margin_sigma:.2f} sigma"
    place = f"worst level: count {at.count} of {at.active} active, {at.condition}, plane {at.plane}"
    if h.margin_interval_sigma is not None:
        place += "; 95 %: {:.2f} to {:.2f} sigma".format(*h.margin_interval_sigma)
    worst = f"{h.code_error:.1e}"
    if h.code_error_interval is not None:
        worst += " (95 %: {:.1e} to {:.1e})".format(*h.code_error_interval)
    worst += f", CSNR {decibels(h.csnr_dB)}"
    if h.csnr_interval_dB is not None:
        worst += " (95 %: {:.1f} to {:.1f})".format(*h.csnr_interval_dB)
    return [
        ("verdict", f"{h.verdict} (every specification at every condition unless it names one)"),
        ("margin", f"{margin} ({place})"),
        ("worst condition", f"{at.condition}: code error {worst}"),
    ]


def _detail_rows(figures: SignOff, count: int) -> list[tuple[str, str]]:
    """Linearity, the sigma budget of the weakest count, and what one per cent more changes."""
    text = f"INL {figures.inl:.3f} LSB, DNL {figures.dnl:.3f} LSB, {figures.inl_from_thresholds:.3f} LSB from the "
    rows = [("linearity", f"{text}middle of the thresholds; ENOB {figures.enob:.2f} bit")]
    for part in figures.budget:
        if part.count == count:
            parts = (f"{_PARTS[name]} {sigma:.3f}" for name, sigma in part.sigmas.items() if sigma)
            rows.append(("sigma budget", f"count {count} of {part.active} active, LSB: {', '.join(parts)}"))
    changes = (f"{s.cause}: x{s.code_error_factor:.3g}, {s.margin_change:+.3f} sigma" for s in figures.sensitivities)
    if figures.sensitivities:
        rows.append(("sensitivity", "; ".join(changes)))
    return rows


def _condition_rows(figures: tuple[SignOff, ...]) -> list[tuple[str, str]]:
    """Smallest and largest margin and code error of all conditions."""
    known = sorted((s for s in figures if s.margin_sigma is not None), key=lambda s: s.margin_sigma or 0.0)
    if len(known) < 2:
        return []
    ends = [f"{s.margin_sigma:.2f} sigma, {s.code_error:.1e} at {s.condition}" for s in (known[0], known[-1])]
    return [("conditions", f"{len(figures)}: {' to '.join(ends)}")]


def _chip_rows(found: ChipDistribution | None) -> list[tuple[str, str]]:
    """Median and worst of the drawn chips, and how many meet the target."""
    if found is None:
        return []
    good, number = round(found.yield_share * len(found.chips)), len(found.chips)
    text = f"{good} of {number} within {found.target:.0e} (yield, 95 %: "
    text += "{:.0f} to {:.0f} %); ".format(*(100 * end for end in found.yield_interval))
    text += f"code error {shown_share(found.code_error_median)} median, {shown_share(found.code_error_worst)} worst; "
    text += f"CSNR {decibels(found.csnr_median_dB)} median, {decibels(found.csnr_worst_dB)} worst"
    return [("chips", f"{text} ({found.condition})")]


def decibels(value: float | None) -> str:
    """A CSNR in words; None: unbounded."""
    return "unbounded (no error seen)" if value is None else f"{value:.1f} dB"


def shown_share(value: float) -> str:
    """A share of wrong codes, which may be none at all."""
    return f"{value:.1e}" if value else "0"

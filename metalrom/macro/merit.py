"""Throughput and efficiency as every table, file and report of a run states them.

One multiply-accumulate is two operations (a multiplication and an addition) of the operands' full precision; nothing is
counted in operations of one bit.
"""

from __future__ import annotations

from dataclasses import dataclass

from metalrom.macro.quantity import Span

OPERATIONS_PER_MAC = 2

TERA, MM2 = 1e-12, 1e6


def throughput(macs: float, time: Span) -> Span:
    """TOPS of `macs` done in `time` (s)."""
    return time.under(OPERATIONS_PER_MAC * macs * TERA)


def efficiency(macs: float, energy: Span) -> Span:
    """TOPS/W, which is operations per picojoule, of `macs` for `energy` (J)."""
    return energy.under(OPERATIONS_PER_MAC * macs * TERA)


def throughput_density(tops: Span, area: Span) -> Span:
    """TOPS/mm2 of a throughput in TOPS over an area in m^2, ends combined for the widest range."""
    return Span(
        tops.low / (area.high * MM2),
        tops.mid / (area.mid * MM2),
        tops.high / (area.low * MM2),
    )


def counted_as(input_bits: int, weight_bits: int) -> str:
    """What an operation is, in words."""
    return f"1 MAC = {OPERATIONS_PER_MAC} operations, {input_bits}-bit inputs x {weight_bits}-bit weights"


@dataclass(frozen=True, slots=True)
class Merit:
    """A layer's cost at one condition, for one input vector.

    latency: s. energy_per_mac: J. tops, tops_per_watt, tops_per_mm2: as above; the last with the periphery under the
    array, None without area rules. operations: what is counted, in words.
    """

    condition: str
    latency: Span
    energy_per_mac: Span
    tops: Span
    tops_per_watt: Span
    tops_per_mm2: Span | None
    operations: str

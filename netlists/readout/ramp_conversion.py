"""A conversion by a ramp behind a readout chain's bus, as a deck holds it: one comparator of the group in full, the
others as the load of their input pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from netlists.parameters import tidy
from netlists.readout.chain import EDGE, ReadoutChain
from netlists.readout.column_converter import converter_as
from netlists.readout.column_ramp import ColumnRamp


@dataclass(frozen=True, slots=True, kw_only=True)
class RampConversion:
    """One ramp, which begins as the bus has settled. levels: codes that may come out; others: level
    of the buses of all other comparators, V (the common mode if not given); shifts: (transistor, threshold
    shift in V) of the comparator's input pair."""

    template: ClassVar[str] = "readout/ramp_conversion.cir.j2"
    circuits: ClassVar[str] = "readout/ramp_circuits.cir.j2"

    levels: int
    others: float | None = None
    shifts: tuple[tuple[str, float], ...] = ()

    def values(self, chain: ReadoutChain, number: int = 1, period: float = 0.0) -> dict[str, Any]:
        """What the template needs for so many conversions, `period` (s) apart."""
        a = ramp_of(chain)
        return {
            "a": a,
            "logic": a.logic,
            "ramp_start": chain.timing.decides,
            "ramp_wire": chain.bus.wire_capacitance,
            "line_current": a.line_current(chain.bus.wire_capacitance),
            "others": chain.sampler.common_mode if self.others is None else self.others,
            "comparator_shifts": dict(self.shifts),
            "repeat": period or 1.0,
        }

    def outputs(self, chain: ReadoutChain) -> tuple[str, ...]:
        """Vectors of a deck with a conversion."""
        return ("v(converted)", "v(ramp)")

    def summary(self, chain: ReadoutChain) -> str:
        """Time of the ramp."""
        return f"a ramp of {ramp_of(chain).ramp_time * 1e9:g} ns"

    def read_at(self, chain: ReadoutChain) -> float:
        """End of the ramp, s."""
        return tidy(chain.timing.decides + ramp_of(chain).ramp_time - 2 * EDGE)


def ramp_of(chain: ReadoutChain) -> ColumnRamp:
    """The ramp behind the chain's bus. Raises InputError for another converter."""
    return converter_as(chain.converter, ColumnRamp, "a ramp", "ramp")

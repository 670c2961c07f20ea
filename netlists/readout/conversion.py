"""A conversion behind a readout chain: what its decks hold, and a bench of many conversions of given levels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import singledispatch
from typing import Any, ClassVar, Protocol

from interconnect.errors import InputError
from netlists.condition import Condition
from netlists.parameters import require, tidy
from netlists.readout.chain import EDGE, ReadoutChain
from netlists.readout.column_converter import converter_as
from netlists.readout.column_pair import ColumnPair
from netlists.readout.column_ramp import ColumnRamp
from netlists.readout.column_sar import ColumnSar
from netlists.readout.comparator_probe import BranchCurrent
from netlists.readout.deck import ReadoutDeck
from netlists.readout.ramp_conversion import RampConversion
from netlists.render import render
from netlists.technology import Technology
from netlists.transistors import mos_printer

GRID = 1e-12
"""s: periods are multiples of it, so that instants which sources reach in different ways are equal."""

UPDATE = 0.4e-9
"""s after a conversion in which a searched level moves."""


class BusConversion(Protocol):
    """One conversion behind the bus, as a deck holds it. template: of its subcircuits, sources and instance; circuits:
    of its subcircuits alone."""

    template: ClassVar[str]
    circuits: ClassVar[str]

    @property
    def levels(self) -> int:
        """Codes that may come out."""
        ...

    def values(self, chain: ReadoutChain, number: int = 1, period: float = 0.0) -> dict[str, Any]:
        """What the template needs for so many conversions, `period` (s) apart."""
        ...

    def outputs(self, chain: ReadoutChain) -> tuple[str, ...]:
        """Vectors that a deck saves."""
        ...

    def summary(self, chain: ReadoutChain) -> str:
        """How it converts, in a few words."""
        ...

    def read_at(self, chain: ReadoutChain) -> float:
        """When the code may be read, s from the start of the read."""
        ...


def array_of(chain: ReadoutChain) -> ColumnSar:
    """The capacitor array behind the chain's bus. Raises InputError for another converter."""
    return converter_as(chain.converter, ColumnSar, "a capacitor array", "sar")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """One conversion: codes of the array, one per threshold, in ascending order; deviations of the converter.

    capacitors: factor on the capacitor of every bit of the array, least significant first; empty where nominal.
    shifts: (transistor, threshold shift in V) of the comparator. sources: currents inside the comparator.
    """

    template: ClassVar[str] = "readout/conversion.cir.j2"
    circuits: ClassVar[str] = "readout/sar_circuits.cir.j2"

    codes: tuple[int, ...]
    capacitors: tuple[float, ...] = ()
    shifts: tuple[tuple[str, float], ...] = ()
    sources: tuple[BranchCurrent, ...] = field(default=())

    @classmethod
    def nominal(cls, converter: ColumnSar, levels: int) -> Conversion:
        """The conversion among so many levels whose thresholds take the middle half of the array's codes."""
        codes = (round(converter.units * (0.25 + 0.5 * (k + 0.5) / (levels - 1))) for k in range(levels - 1))
        return cls(codes=tuple(codes))

    @property
    def levels(self) -> int:
        """Codes that may come out."""
        return len(self.codes) + 1

    def register_table(self, converter: ColumnSar) -> tuple[int, ...]:
        """Code of the array for every state of the register: the middle while it is cleared, then the thresholds, and
        the top of the range for states that no level reaches. Raises InputError for a code beyond the array."""
        if not self.codes or not 0 <= min(self.codes) <= max(self.codes) < converter.units:
            raise InputError(
                f"codes of {min(self.codes, default=0)} to {max(self.codes, default=0)} for an array of "
                f"{converter.bits} bits",
                where="readout.converter",
                hint="more bits, a larger reference or smaller steps of the levels",
            )
        states = 1 << converter.decisions(self.levels)
        beyond = states - 1 - len(self.codes)
        return (converter.middle, *self.codes, *(converter.units - 1,) * beyond)

    def values(self, chain: ReadoutChain, number: int = 1, period: float = 0.0) -> dict[str, Any]:
        """What the template `readout/conversion.cir.j2` needs for so many conversions, `period` (s) apart."""
        a = array_of(chain)
        cycles = a.decisions(self.levels)
        start = tidy(chain.timing.decides - a.clock_delay)
        require(
            len(self.capacitors) in (0, a.bits),
            f"has {len(self.capacitors)} factors",
            where="conversion.capacitors",
            hint=f"one per bit of the array ({a.bits})",
        )
        return {
            "a": a,
            "c": chain.comparator,
            "cycles": cycles,
            "table": self.register_table(a),
            "factors": self.capacitors or (1.0,) * a.bits,
            "comparator_shifts": self.shifts,
            "trials": [(k, tidy(start + (cycles - k) * a.cycle)) for k in range(cycles)],
            "trial": tidy(a.cycle - 3 * EDGE),  # ends before the next one begins: the engine trips over equal instants
            "repeat": period or 1.0,
            "clock_edges": [
                tidy(k * period + start + i * a.cycle + a.clock_delay) for k in range(number) for i in range(cycles + 1)
            ],
            "clock": tidy(a.cycle - a.clock_delay - 4 * EDGE),
            **({"sources": self.sources} if self.sources else {}),
        }

    def outputs(self, chain: ReadoutChain) -> tuple[str, ...]:
        """Vectors of a deck with a conversion."""
        bits = tuple(f"v(q_{k})" for k in range(array_of(chain).decisions(self.levels)))
        return (*bits, "v(top)", "i(v_converter)", "i(v_reference)")

    def summary(self, chain: ReadoutChain) -> str:
        """Number of decisions."""
        return f"{array_of(chain).decisions(self.levels)} decisions"

    def read_at(self, chain: ReadoutChain) -> float:
        """When the code may be read, s."""
        a = array_of(chain)
        return tidy(chain.timing.decides - a.clock_delay + a.duration(self.levels) - 2 * EDGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairConversion(Conversion):
    """One conversion of the difference of two columns. minus: node of the minus column's bit line."""

    template: ClassVar[str] = "readout/pair_conversion.cir.j2"
    circuits: ClassVar[str] = "readout/pair_circuits.cir.j2"

    minus: str = "bl_minus"

    def values(self, chain: ReadoutChain, number: int = 1, period: float = 0.0) -> dict[str, Any]:
        """What the template needs for so many conversions, `period` (s) apart."""
        return Conversion.values(self, chain, number, period) | {"minus": self.minus}

    def outputs(self, chain: ReadoutChain) -> tuple[str, ...]:
        """Vectors of a deck with a conversion."""
        bits = tuple(f"v(q_{k})" for k in range(array_of(chain).decisions(self.levels)))
        return (*bits, "v(bus_minus)", "i(v_converter)", "i(v_reference)")


@singledispatch
def nominal_conversion(converter: object, levels: int) -> BusConversion:
    """The conversion of a converter among so many evenly spread levels; dispatches on its class."""
    raise InputError(f"no conversion is defined for {type(converter).__name__}", where="readout.converter.kind")


@nominal_conversion.register
def _(converter: ColumnSar, levels: int) -> BusConversion:
    return Conversion.nominal(converter, levels)


@nominal_conversion.register
def _(converter: ColumnPair, levels: int) -> BusConversion:
    return PairConversion.nominal(converter, levels)


@nominal_conversion.register
def _(converter: ColumnRamp, levels: int) -> BusConversion:
    return RampConversion(levels=levels)


def conversions_deck(
    technology: Technology,
    condition: Condition,
    chain: ReadoutChain,
    conversion: BusConversion,
    levels: Sequence[float],
    *,
    minus: Sequence[float] = (),
    search: float | None = None,
    further: Sequence[str] = (),
    reltol: float = 1e-3,
) -> ReadoutDeck:
    """Conversions one after the other, the bit line held by a source: a bench of chain and converter.

    Parameters
    ----------
    technology, condition, chain, conversion
        What is simulated.
    levels : sequence of float
        Of the bit line after the rows have toggled, V; it is at the reset level before.
    minus : sequence of float
        Of the minus column's bit line, V, where the converter takes a difference; the reset level if not given.
    search : float, optional
        Bisection: after every conversion of one decision all later levels move against it, first by half of `search`
        (V), then by half of that; at the end the level is known within `search` / 2^n.
    further : sequence of str
        Vectors to save besides bits, bus and top plate.
    reltol : float
        Relative tolerance of the engine.

    Returns
    -------
    ReadoutDeck
        Its `reads` have two times per conversion: before its first decision, and when its code may be read.
    """
    chain = replace(chain, timing=replace(chain.timing, queue=0.0))  # the bit line is a source: nothing to wait for
    held = chain.held(conversion.levels)
    t = held.timing
    period = tidy(math.ceil((t.stop + UPDATE + 2 * EDGE) / GRID) * GRID)
    starts = [tidy(i * period) for i in range(len(levels))]
    pair = chain.converter.columns == 2
    require(pair or not minus, "is given", where="conversions_deck.minus", hint="only for a converter of differences")
    below = minus or [chain.segment.reset_level] * len(levels)
    if search is not None and array_of(chain).decisions(conversion.levels) != 1:
        raise InputError("a search takes conversions of one decision", where="conversions_deck.search")
    title = f"Readout chain, {len(levels)} conversions of {conversion.summary(chain)}, {condition.label}"
    outputs = tuple(dict.fromkeys([*conversion.outputs(chain), "v(bus)", "v(level)", *further]))
    moves = [] if search is None else [search / 2 ** (i + 1) for i in range(len(levels))]
    values = {
        "title": title,
        "technology": technology.name,
        "warnings": technology.warnings,
        "cards": technology.devices.cards(condition.corner),
        "condition": condition,
        "mos": mos_printer(technology, chain.length),
        "h": held,
        "shifts": {},
        "edge": EDGE,
        "period": period,
        "levels": [(start, float(v)) for start, v in zip(starts, levels, strict=True)],
        "minus_levels": [(start, float(v)) for start, v in zip(starts, below, strict=True)] if pair else [],
        "moves": [(tidy(s + t.stop + EDGE), v) for s, v in zip(starts, moves, strict=False)],
        "update": UPDATE,
        "stop": tidy(len(levels) * period),
        "max_step": 0.1e-9,
        "reltol": reltol,
        "outputs": outputs,
        "conversion_template": conversion.template,
        **conversion.values(held, len(levels), period),
    }
    before = chain.timing.decides - 2 * EDGE
    return ReadoutDeck(
        text=render("testbenches/readout_conversions.cir.j2", values),
        title=title,
        outputs=outputs,
        stop=tidy(len(levels) * period),
        windows=tuple((s, tidy(s + period)) for s in starts),
        sources={},
        high=condition.vdd,
        reads=tuple((tidy(s + before), tidy(s + conversion.read_at(chain))) for s in starts),
    )

"""Everything a characterization needs to know, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from characterization.fit import LevelShape
from characterization.symbols import CountLaw, count_law, symbol_levels
from interconnect.errors import InputError
from netlists.case import ColumnStimulus
from netlists.cells.base import CellModel
from netlists.column import SAMPLED_TWICE
from netlists.condition import NOMINAL_METALS, Condition
from netlists.mapping.scheme import PAIR_VALUES
from netlists.periphery import Periphery, Timing
from netlists.readout.chain import ChainDevice, ReadoutChain
from netlists.readout.local_inverter import LocalInverter
from netlists.technology import Technology

MIN_SAMPLES = 10
"""Fewer common chips than this say nothing about a variance."""


@dataclass(frozen=True, slots=True)
class Variation:
    """Local mismatch: `cell_sigma` relative sigma of one cell's coupling (C) or resistor (R); `source` in words.

    band: between the roughness law and the area law of capacitors, where the stack has both; None for a stated sigma.
    Transistor thresholds follow Pelgrom's law with the device set's own coefficients (A_vt / sqrt(W L)).
    """

    cell_sigma: float
    source: str
    band: tuple[float, float] | None = None

    @property
    def text(self) -> str:
        """The sigma in words, with its band."""
        if self.band is None:
            return f"{100 * self.cell_sigma:g} % per cell"
        low, high = self.band
        ends = f"{100 * low:.3g} to {100 * high:.3g} %"
        return f"{100 * self.cell_sigma:.3g} % per cell, {ends} between the roughness law and the area law"


@dataclass(frozen=True, slots=True)
class Converter:
    """Assumed converter: static offset and noise, as fractions of one count's spacing (LSB).

    offset_sigma None: what the procedure `adc` measured, without trimming.
    integration_time: of a current sense, s (bandwidth 1 / (2 t)); unused for charge readout. sample_capacitance: F; if
    given, charge readout samples the bit line twice, before and after the inputs rise, and converts the difference
    (correlated double sampling): what the reset left behind (k T / C, charge injection) cancels. follows_columns: of
    cells whose load depends on the data: thresholds follow what each column stores; if not, they are those of the mean
    column and every column has a gain and an offset error of its own.
    """

    offset_sigma: float | None
    noise_sigma: float
    integration_time: float
    sample_capacitance: float | None = None
    follows_columns: bool = True

    @property
    def assumed_offset(self) -> float:
        """`offset_sigma`, LSB. Raises InputError where it is to be measured, so that nothing can be said before."""
        if self.offset_sigma is None:
            raise InputError(
                "the converter's offset is to be characterized, but is needed before anything is simulated",
                where="readout.offset_sigma",
                hint="give a number here, or array.group_rows as a number",
            )
        return self.offset_sigma


@dataclass(frozen=True, slots=True)
class AdcRequest:
    """A converter to be simulated by transistors (procedure `adc`).

    kind: a converter of `netlists.readout.READOUTS`.
    low, high: references, V (None: 5 and 45 % of the nominal supply). comparators: drawn for the offset's sigma.
    every_condition: measure at all conditions, not at the nominal one alone.
    """

    kind: str
    bits: int = 6
    low: float | None = None
    high: float | None = None
    comparators: int = 100
    every_condition: bool = False


@dataclass(frozen=True, slots=True)
class MetalCorner:
    """The technology and the cell at one corner of the metals."""

    technology: Technology
    model: CellModel


@dataclass(frozen=True, slots=True)
class StackedPlane:
    """A plane of a stack: its label, that of the plane whose rows lie above (or empty), and its cell, with those rows
    where there are any. position: bottom, inner, top. planes: labels of all that are drawn like it; empty: it alone."""

    label: str
    above: str
    model: CellModel
    position: str = ""
    planes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Testbench:
    """One group of `rows` cells on a bit line in an array of `columns` bit lines, and how it is to be measured.

    ones: share of ones among the stored bits, with which neighbours and idle rows are drawn. supply_resistance: ohm in
    the row drivers' supply and as much in their ground, for the procedure `supply` alone. metal_corners: (name, corner)
    of every corner of the stack that a condition names; technology and model are of its nominal one. more_samples:
    (condition, Monte-Carlo samples) where a later stage asks for more. samples_elsewhere: off the nominal condition,
    None: a third. worst_conditions, worst_samples: the second stage of a campaign, see `characterization.refinement`.
    worst_everywhere: search the worst pattern at every condition, not at the nominal one alone. adc: what
    the procedure `adc` simulates; None: the converter is an assumption. shares: of every symbol
    among the stored ones, for cells of more than two; None: by `ones` for two, else equal. chain: the readout from the
    bit line to the comparator; levels are those of the comparator's input. None: an ideal readout (studies only).
    inverter: inverters in the segment instead of a chain; levels are what the ramp has left at the output's edge.
    line_source: where the wire of the column's shared line comes from, in words. stacked: the planes of a stack, lowest
    first, one for all that are alike; `model` is of one of them, so that every deck holds its next plane's rows.
    plane_labels: of all planes, lowest first. sampling: `full` simulates every planned read, `corrected` those that the
    correction of the linear network needs for `sampling_error`, the standard error of a mismatch sigma, and of a level
    over the largest of them (`characterization.corrected_sampling`). parallel_rows: decks hold one row, so many in
    parallel, in place of rows that are driven and store alike (charge cells; `characterization.parallel_rows`).
    """

    __test__: ClassVar[bool] = False  # no class of tests, whatever its name

    technology: Technology
    model: CellModel
    periphery: Periphery
    timing: Timing
    rows: int
    columns: int
    conditions: tuple[Condition, ...]
    variation: Variation
    converter: Converter
    ones: float = 0.5
    patterns: int = 3
    samples: int = 60
    max_levels: int = 9
    seed: int = 1
    timeout: float = 120.0
    supply_resistance: float = 10.0
    shares: tuple[float, ...] | None = None
    metal_corners: tuple[tuple[str, MetalCorner], ...] = ()
    more_samples: tuple[tuple[Condition, int], ...] = ()
    samples_elsewhere: int | None = None
    worst_conditions: int = 0
    worst_samples: int = 100
    worst_everywhere: bool = False
    spread_patterns: int = 100_000
    adc: AdcRequest | None = None
    chain: ReadoutChain | None = None
    inverter: LocalInverter | None = None
    line_source: str = ""
    stacked: tuple[StackedPlane, ...] = ()
    plane_labels: tuple[str, ...] = ()
    sampling: Literal["full", "corrected"] = "full"
    sampling_error: float = 0.03
    parallel_rows: bool = False

    def __post_init__(self) -> None:
        symbol_levels(self.symbol_values)
        if self.chain is not None and self.unit == "A":
            raise InputError(
                f"the readout chain samples a voltage, the cell {self.model.kind} is read as a current",
                where="readout.kind",
            )
        if self.chain is not None and self.chain.drive == "single" and any(x.level < 0 for x in self.model.lines):
            raise InputError(
                f"the cell {self.model.kind} is read with complement drive: with single drive an untied tab adds less "
                "than half of what a tab on the signal line adds, and its levels are not evenly spaced",
                where="readout.drive",
                hint="drive: complement",
            )
        if self.parallel_rows and self.unit == "A":
            raise InputError(f"rows of {self.model.kind} cannot be joined: its bit line's wire takes part in a read")
        if self.double_sampling and self.unit == "A":
            raise InputError(
                f"double sampling needs a charge readout, the cell {self.model.kind} is read as a current",
                where="readout.double_sampling",
            )

    def at(self, condition: Condition) -> Testbench:
        """The setup with technology and cell model of the condition's metals; itself where they are nominal.

        Raises InputError for a corner of the metals that the setup does not hold.
        """
        if condition.beol == NOMINAL_METALS:
            return self
        known = dict(self.metal_corners)
        if condition.beol not in known:
            raise InputError(
                f"condition {condition.label}: the testbench has no cell at the metal corner {condition.beol}"
            )
        there = known[condition.beol]
        return replace(self, technology=there.technology, model=there.model)

    def samples_of(self, condition: Condition) -> int:
        """Monte-Carlo samples of a condition: all at the nominal (first) one, at others a third, but MIN_SAMPLES at
        least, unless `samples_elsewhere` or `more_samples` says otherwise."""
        elsewhere = self.samples // 3 if self.samples_elsewhere is None else self.samples_elsewhere
        usual = self.samples if condition == self.conditions[0] else max(MIN_SAMPLES, elsewhere)
        return max(usual, dict(self.more_samples).get(condition, 0))

    def stimulus(self, case: ColumnStimulus) -> ColumnStimulus:
        """The case as its deck holds it: with a complement-driven chain of binary cells a dummy row keeps 2 count -
        active even."""
        return case.with_dummy_row() if self.level_shape == "bent" and self.levels == 2 else case

    def simulated_case(self, case: ColumnStimulus) -> ColumnStimulus:
        """The case as its deck is simulated: `stimulus`, alike rows in parallel where `parallel_rows` says so."""
        case = self.stimulus(case)
        return case.with_parallel_rows() if self.parallel_rows else case

    @property
    def has_transistor_readout(self) -> bool:
        """Whether transistors stand between the bit line and its level: a chain, or inverters in the segment."""
        return self.chain is not None or self.inverter is not None

    @property
    def readout_devices(self) -> tuple[ChainDevice, ...]:
        """Transistors of the readout whose thresholds are drawn."""
        readout = self.chain or self.inverter
        select = self.periphery.plane_select if self.unit == "A" else None
        if select is not None:
            return (ChainDevice("plane_select", "nmos", select.width, self.periphery.length),)
        return readout.devices if readout else ()

    @property
    def double_sampling(self) -> bool:
        """Whether the level is the difference of two samples."""
        return self.chain is not None or self.converter.sample_capacitance is not None

    @property
    def reltol(self) -> float | None:
        """Relative tolerance of a read's deck; None: the deck's own."""
        return SAMPLED_TWICE if self.double_sampling and self.inverter is None else None

    @property
    def level_shape(self) -> LevelShape:
        """Form of the level model: through transistors whose rows are driven with the complement the level is a bent
        function of 2 count - active rows, that of a pair of columns one of their difference with any drive."""
        complement = self.chain is not None and self.chain.drive == "complement"
        return "bent" if complement or self.pair or self.inverter is not None else "quadratic"

    @property
    def has_signed_levels(self) -> bool:
        """Whether driven cells raise, lower or leave what the chain converts: ternary cells, or a pair of columns."""
        return self.level_shape == "bent" and self.levels > 2

    @property
    def unit(self) -> Literal["V", "A"]:
        """Unit of a level: V for charge readout, A for current readout."""
        return "V" if self.model.mode == "charge" else "A"

    @property
    def levels(self) -> int:
        """Levels of a cell, or of a pair: a driven row adds 0 to levels - 1 to the count (see
        `characterization.symbols`)."""
        return len(self.symbol_values)

    @property
    def pair(self) -> bool:
        """Whether a conversion takes the difference of a plus and a minus column, binary both."""
        return self.chain is not None and self.chain.converter.columns > 1

    @property
    def symbol_values(self) -> tuple[int, ...]:
        """What a row of a conversion adds to its count when driven: the symbol values of the cell, or the differences
        of a pair."""
        return PAIR_VALUES if self.pair else self.model.symbol_values

    def line_swing(self, vdd: float) -> float:
        """By how much (V) the metal of a bit line moves between no counting row and all of them."""
        return vdd * self.model.switched * (self.model.symbols - 1) / self.model.bl_total

    @property
    def max_count(self) -> int:
        """Largest count of a conversion: rows (levels - 1)."""
        return self.rows * (self.levels - 1)

    @property
    def symbol_shares(self) -> tuple[float, ...]:
        """Share of every symbol among the stored ones."""
        if self.shares is not None:
            return self.shares
        return (1.0 - self.ones, self.ones) if self.levels == 2 else (1.0 / self.levels,) * self.levels

    @property
    def law(self) -> CountLaw:
        """Which symbols driven rows of a known sum hold."""
        return count_law(self.rows, symbol_levels(self.symbol_values), self.symbol_shares)

    @property
    def balanced(self) -> bool:
        """Whether a bit line's load is the same for every symbol: then a level depends on (active, count) alone."""
        return self.unit == "A" or self.model.balanced

    @property
    def varying(self) -> float:
        """Value of the element that cell mismatch multiplies: F (charge) or ohm (current)."""
        return next(e.value for e in self.model.variants[1].elements if e.varies)

    @property
    def mismatch_gain(self) -> float:
        """Counts by which a counted cell's level moves per unit of relative cell deviation.

        Charge: the tab's coupling over what a via bit switches; current: 1, to first order.
        """
        return self.varying / self.model.switched if self.unit == "V" else 1.0


def setup_chain(setup: Testbench) -> ReadoutChain:
    """The setup's chain. Raises InputError for an ideal readout."""
    if setup.chain is None:
        raise InputError(
            "the ideal readout has no transistors behind the bit line", where="readout.kind", hint="kind: chain"
        )
    return setup.chain

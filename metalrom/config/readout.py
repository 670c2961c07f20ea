"""The configuration's block of the readout: the ideal one, stated in numbers, or the chain of transistors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from interconnect.errors import InputError, UnknownName
from interconnect.suggestion import suggest
from metalrom.config.base import ConfigSection, Integer, Name, listed
from metalrom.config.parameters import ParameterSection
from metalrom.config.units import Capacitance, Fraction, Time, Voltage
from netlists.plane_select import PlaneSelect
from netlists.readout import READOUTS
from netlists.readout.chain import ChainTiming, ComparatorBus, DoubleSampler, SegmentCircuit, SharedLine
from netlists.readout.column_converter import COLUMN_CONVERTERS, ColumnConverter
from netlists.readout.local_inverter import LocalInverter
from netlists.readout.strongarm import StrongArm


def converters() -> tuple[str, ...]:
    """Readouts that the procedure `adc` can measure."""
    return tuple(name for name in READOUTS if READOUTS[name].role == "converter")


class AdcSection(ConfigSection):
    """A converter that the procedure `adc` simulates by transistors."""

    kind: Name = Field(description="a converter", json_schema_extra=listed(converters))
    bits: Integer = Field(6, ge=3, le=8, description="flash: at most 6")
    low: Voltage | None = Field(None, ge=0, description="lower reference; default: 5 % of the nominal supply")
    high: Voltage | None = Field(None, gt=0, description="upper reference; default: 45 % of the nominal supply")
    comparators: Integer = Field(100, ge=10, le=10_000, description="drawn for the sigma of the comparator's offset")
    every_condition: bool = Field(False, description="measure at every condition, not at the nominal one alone")

    @field_validator("kind")
    @classmethod
    def _converts(cls, value: str) -> str:
        if value not in (known := converters()):
            raise UnknownName(f"there is no converter {value!r}", hint=suggest(value, known))
        return value


OffsetSigma = Annotated[
    Annotated[Fraction, Field(ge=0), Tag("number")] | Annotated[Literal["characterized"], Tag("word")],
    Discriminator(lambda value: "word" if value == "characterized" else "number"),
]
"""A number of LSB, or what the procedure `adc` measured."""


class SegmentSection(ParameterSection):
    """Transistors of one segment of a column."""

    declares: ClassVar[type] = SegmentCircuit


class LineSection(ParameterSection):
    """The line that segments, planes and columns share; capacitance and resistance by default those of the stack."""

    declares: ClassVar[type] = SharedLine
    hidden: ClassVar[tuple[str, ...]] = ("segments", "planes")

    planes_shared: Integer | None = Field(
        None,
        ge=1,
        description="planes that meet on one line and share it with what follows and the row drivers; a divisor of "
        "their number, 1: a line, capacitor, converter and drivers for every plane; default: all",
    )


class SamplerSection(ParameterSection):
    """Series capacitor and clamp of double sampling."""

    declares: ClassVar[type] = DoubleSampler


class BusSection(ParameterSection):
    """Multiplexer of the columns that share a comparator."""

    declares: ClassVar[type] = ComparatorBus


class ComparatorSection(ParameterSection):
    """Sizes of the comparator."""

    declares: ClassVar[type] = StrongArm
    hidden: ClassVar[tuple[str, ...]] = ("input_capacitance",)


class ConverterSection(ParameterSection):
    """Converter behind the bus: its kind, and the parameters that the kind declares."""

    hidden: ClassVar[tuple[str, ...]] = ("twin_offset",)

    @classmethod
    def declaring(cls, given: Mapping[str, Any]) -> Sequence[type]:
        """The class of the kind that is given; of every kind where nothing is."""
        if not given:
            return tuple(COLUMN_CONVERTERS.values())
        return (COLUMN_CONVERTERS[str(given.get("kind", cls.model_fields["kind"].default))],)

    kind: Name = Field(
        "sar",
        description="sar: capacitor array and clocked comparator of a bus; ramp: one ramp for the buses of a group, a "
        "comparator each; pair: plus minus minus column in one conversion, an array on either bus",
        json_schema_extra=listed(lambda: COLUMN_CONVERTERS),
    )

    def build(self) -> ColumnConverter:
        """The converter."""
        return COLUMN_CONVERTERS[self.kind](**self.parameters())


class InverterSection(ParameterSection):
    """Inverters in the segment: sizes and timing; capacitance of the column's line by default that of the stack."""

    declares: ClassVar[type] = LocalInverter
    hidden: ClassVar[tuple[str, ...]] = ("segments", "planes")


class ChainTimingSection(ParameterSection):
    """One read through the chain in time."""

    declares: ClassVar[type] = ChainTiming
    hidden: ClassVar[tuple[str, ...]] = ("queue",)


class PlaneSelectSection(ParameterSection):
    """Selects of a current cell whose planes share sense circuit, converter, logic and row drivers."""

    declares: ClassVar[type] = PlaneSelect
    hidden: ClassVar[tuple[str, ...]] = ("planes", "segments")

    planes_shared: Integer = Field(
        1,
        ge=1,
        description="res_via: planes whose bit lines meet on one sense node and share what follows and the row "
        "drivers; a divisor of their number, 1: nothing is shared",
    )


IDEAL_ONLY = (
    "offset_sigma",
    "noise_sigma",
    "integration_time",
    "double_sampling",
    "sample_capacitance",
    "follow_columns",
    "plane_select",
)
CHAIN_ONLY = ("drive", "schedule", "segment", "line", "sampler", "bus", "comparator", "converter", "timing")


KEYS_OF_KIND = {"ideal": IDEAL_ONLY, "chain": CHAIN_ONLY, "inverter": ("inverter",)}
"""Keys that belong to one kind of readout alone."""


class ReadoutSection(ConfigSection):
    """What stands between a bit line and its code, and what is asked of it."""

    kind: Literal["auto", "ideal", "chain", "inverter"] = Field(
        "auto",
        description="chain: transistors from the bit line to the code (charge cells of one bit line); inverter: a "
        "zeroed inverter in the segment and a ramp on reference rows (balanced binary charge cells); ideal: a "
        "behavioural sampler and converter, stated in numbers, for studies; auto: chain for cap_balanced "
        "and cap_tie, whose ground line can be driven, where array.group_rows is a number, unless keys of the ideal "
        "one are given",
    )
    drive: Literal["complement", "single"] = Field(
        "complement", description="chain: an active row's ground line falls as its signal line rises, or stays"
    )
    schedule: Literal["redrive", "held"] = Field(
        "redrive",
        description="chain: every conversion resets, drives the rows and settles anew, or all lines of a bus are "
        "converted in turn while the rows stay driven",
    )
    segment: SegmentSection = SegmentSection()
    line: LineSection = LineSection()
    sampler: SamplerSection = SamplerSection()
    bus: BusSection = BusSection()
    comparator: ComparatorSection = ComparatorSection()
    converter: ConverterSection = ConverterSection()
    timing: ChainTimingSection = ChainTimingSection()
    inverter: InverterSection = InverterSection()
    offset_sigma: OffsetSigma = Field(
        0.05,
        description="ideal: static offset after trimming, LSB; characterized: of procedure adc, untrimmed",
    )
    noise_sigma: Fraction = Field(0.02, ge=0, description="input noise of the converter, LSB")
    integration_time: Time = Field(5e-9, gt=0, description="res_via: integration time of the current sense")
    double_sampling: bool = Field(False, description="sample before and after the inputs rise, convert the difference")
    sample_capacitance: Capacitance = Field(20e-15, gt=0, description="each of the two sampling capacitors")
    follow_columns: bool = Field(
        True,
        description="cap_present, cap_ternary: thresholds follow a column's load; false: a static error",
    )
    plane_select: PlaneSelectSection = PlaneSelectSection()
    adc: AdcSection | None = Field(None, description="converter for the procedure `adc`; none: it stays assumed")
    supply_noise: Fraction = Field(
        0.0, ge=0, lt=1, description="rms noise of the row supply over its voltage; widens intervals, moves no table"
    )
    code_error_target: Fraction = Field(1e-4, gt=0, lt=1, description="largest probability of a wrong code")

    def differs(self, names: tuple[str, ...]) -> str | None:
        """The first of the keys that has another value than its default."""
        return next((n for n in names if getattr(self, n) != type(self).model_fields[n].get_default()), None)

    @model_validator(mode="after")
    def _keys_of_the_kind(self) -> ReadoutSection:
        given = {kind: name for kind, names in KEYS_OF_KIND.items() if (name := self.differs(names))}
        by = next(iter(given), "chain")
        kind = by if self.kind == "auto" else self.kind
        for other, name in given.items():
            if other != kind:
                raise InputError(
                    f"belongs to the readout `{other}`, the kind is `{kind}`"
                    + (f" by `{given[kind]}`" if self.kind == "auto" else ""),
                    where=name,
                    hint=f"leave it out, or set kind: {other}",
                )
        if not COLUMN_CONVERTERS[self.converter.kind].clocked and self.comparator != ComparatorSection():
            raise InputError(
                f"the converter `{self.converter.kind}` has a comparator of its own",
                where="comparator",
                hint="leave it out, and give its sizes in readout.converter",
            )
        return self

    def is_chain(self, *, possible: bool) -> bool:
        """Whether the readout is the chain of transistors; possible: whether the cell and the array allow it."""
        if self.kind == "auto":
            if self.is_inverter:
                return False
            return self.differs(CHAIN_ONLY) is not None or (possible and self.differs(IDEAL_ONLY) is None)
        return self.kind == "chain"

    @property
    def is_inverter(self) -> bool:
        """Whether the readout is inverters in the segment."""
        return self.kind == "inverter" or (self.kind == "auto" and self.differs(KEYS_OF_KIND["inverter"]) is not None)

"""The registry of quantities that a specification may name: unit, meaning, procedure behind it, and how to read it.

A plugin that measures something new registers a `SpecQuantity` with a reader of its result:
`QUANTITIES.register(quantity.name, quantity)`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from interconnect.registry import Registry


@dataclass(frozen=True, slots=True)
class QuantityValue:
    """A quantity of a finished run: value in the quantity's unit (may be infinite), where it comes from, its range."""

    value: float
    source: str
    low: float | None = None
    high: float | None = None


QuantityReader = Callable[[Any, str], QuantityValue]
"""(finished run, label of a condition) -> reading; raises InputError where the run cannot tell."""


@dataclass(frozen=True, slots=True)
class SpecQuantity:
    """Something that a run can be asked for.

    units: SI unit of the value, or `""` (a probability), `dB`, `sigma`, `Mb/mm2`, `TOPS/W`, `TOPS/mm2`; more than one
    where the cell decides (a level is V or A). procedure: the characterization procedure that a run needs for it.
    read: how a quantity of a plugin is read; those declared here by `metalrom.run.readers`. per_condition: whether
    the operating point matters; if not, `read` gets the nominal one and a specification must not name any.
    lower_is_better: None where neither end is better; orders what `diff` says, never the verdict.
    """

    name: str
    units: tuple[str, ...]
    meaning: str
    procedure: str = "adc_margin"
    per_condition: bool = True
    lower_is_better: bool | None = None
    read: QuantityReader | None = None


_DECLARED = {
    quantity.name: quantity
    for quantity in (
        SpecQuantity(
            "code_error", ("",), "share of the layer's conversions that return a wrong code", lower_is_better=True
        ),
        SpecQuantity("code_error_worst", ("",), "probability of a wrong code at the worst level", lower_is_better=True),
        SpecQuantity("csnr", ("dB",), "compute signal-to-noise ratio of the layer, no fit", lower_is_better=False),
        SpecQuantity("csnr_fitted", ("dB",), "the same with one gain and one offset removed", lower_is_better=False),
        SpecQuantity(
            "margin", ("sigma",), "distance of the weakest level to the nearest threshold", lower_is_better=False
        ),
        SpecQuantity("lsb", ("V", "A"), "spacing of neighbouring counts, all rows active", lower_is_better=False),
        SpecQuantity("inl", ("LSB",), "largest integral nonlinearity of the levels", lower_is_better=True),
        SpecQuantity("dnl", ("LSB",), "largest differential nonlinearity of the levels", lower_is_better=True),
        SpecQuantity("enob", ("bit",), "effective number of bits of a conversion", lower_is_better=False),
        SpecQuantity("energy_per_mac", ("J",), "energy of one multiply-accumulate", lower_is_better=True),
        SpecQuantity("energy_per_conversion", ("J",), "energy of one conversion", lower_is_better=True),
        SpecQuantity("latency", ("s",), "time of one input vector through the layer", lower_is_better=True),
        SpecQuantity("tops_per_watt", ("TOPS/W",), "operations per second and watt", lower_is_better=False),
        SpecQuantity(
            "tops_per_mm2",
            ("TOPS/mm2",),
            "operations per second and area, periphery under the array",
            lower_is_better=False,
        ),
        SpecQuantity(
            "read_time",
            ("s",),
            "duration of one read, without the converter",
            per_condition=False,
            lower_is_better=True,
        ),
        SpecQuantity(
            "density",
            ("Mb/mm2",),
            "stored bits over the footprint of the cells alone",
            per_condition=False,
            lower_is_better=False,
        ),
        SpecQuantity(
            "density_macro",
            ("Mb/mm2",),
            "stored bits over the macro's area, periphery under the array",
            per_condition=False,
            lower_is_better=False,
        ),
        SpecQuantity(
            "weight_density",
            ("Mb/mm2",),
            "weight bits over the macro's area, periphery under the array",
            per_condition=False,
            lower_is_better=False,
        ),
        SpecQuantity(
            "settling",
            ("s",),
            "time after the input edge until the level stays within 0.5 LSB of its end",
            procedure="settling",
            lower_is_better=True,
        ),
        SpecQuantity("settling_tenth", ("s",), "the same for 0.1 LSB", procedure="settling", lower_is_better=True),
        SpecQuantity(
            "read_energy",
            ("J",),
            "simulated energy of one conversion's read, without converter",
            procedure="energy",
            lower_is_better=True,
        ),
        SpecQuantity(
            "leakage",
            ("W",),
            "static power of the idle group: row drivers and reset",
            procedure="leakage",
            lower_is_better=True,
        ),
        SpecQuantity(
            "crosstalk",
            ("LSB",),
            "largest shift of a level by the neighbours' data",
            procedure="crosstalk",
            lower_is_better=True,
        ),
        SpecQuantity(
            "supply_shift",
            ("LSB",),
            "largest change of a level by resistance in the drivers' supply",
            procedure="supply",
            lower_is_better=True,
        ),
        SpecQuantity(
            "pattern_shift",
            ("LSB",),
            "largest distance of any pattern from the ideal line",
            procedure="worst_pattern",
            lower_is_better=True,
        ),
        SpecQuantity(
            "noise_disagreement",
            ("",),
            "relative distance of simulated thermal noise from the closed form",
            procedure="noise",
            lower_is_better=True,
        ),
        SpecQuantity(
            "swing",
            ("V", "A"),
            "level of all rows counting less that of none",
            procedure="readout_current",
            lower_is_better=False,
        ),
        SpecQuantity(
            "place_loss",
            ("",),
            "largest part of its signal that a cell loses by its place",
            procedure="readout_current",
            per_condition=False,
            lower_is_better=True,
        ),
    )
}

QUANTITIES: Registry[SpecQuantity] = Registry(
    "quantity",
    group="metalrom.quantities",
    built_in={name: partial(_DECLARED.__getitem__, name) for name in _DECLARED},
)
"""Quantities that a specification may name."""

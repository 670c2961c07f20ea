"""Readout circuits as SPICE decks, each with a twin: comparator, samplers, multiplexer, current sense, converters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interconnect.registry import Registry

if TYPE_CHECKING:
    from netlists.readout.converter import ReadoutCircuit

READOUTS: Registry[type[ReadoutCircuit]] = Registry(
    "readout",
    group="metalrom.readouts",
    built_in={
        "sar": "netlists.readout.sar:Sar",
        "flash": "netlists.readout.flash:Flash",
        "ramp": "netlists.readout.ramp:Ramp",
        "strongarm": "netlists.readout.strongarm:StrongArm",
        "current_sense": "netlists.readout.current_sense:CurrentSense",
        "local_inverter": "netlists.readout.local_inverter:LocalInverter",
        "sampler": "netlists.readout.cds:Sampler",
        "column_mux": "netlists.readout.column_mux:ColumnMux",
    },
    where="readout.adc.kind",
)
"""Readout circuits: an item is the frozen class of a circuit's sizes, see `netlists.readout.converter`."""

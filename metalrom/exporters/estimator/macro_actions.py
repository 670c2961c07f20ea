"""One macro as four components whose actions a mapper counts: row drivers, cells, converter, shift-add.

Every part of the estimate belongs to one component, so that calls times energy, summed over the components, is the
energy of the estimate. The calls are those of a product that fills the macro, as Timeloop counts them for the loops of
`timeloop.yaml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from metalrom.exporters.run_data import RunData
from metalrom.macro.geometry import MacroGeometry
from metalrom.macro.quantity import Component

REST = "converter"
"""Component of every part that none of the others names: what stands between bit line and code."""

_PARTS = {
    "row_drivers": ("row_drivers", "driver_gates", "control_lines", "popcount", "dummy_parity"),
    "cells": ("array", "via_towers", "dummy_cells", "reset", "line_bias", "leakage"),
    "shift_add": ("shift_add", "dropped_means"),
}
COMPONENTS = ("row_drivers", "cells", REST, "shift_add")
WHAT = {
    "row_drivers": "one row driven with one input bit",
    "cells": "one cell read with one input bit (one compute)",
    REST: "one conversion of a bit column, a row group and an input bit",
    "shift_add": "one code shifted and added",
}
"""One call of each component's action."""
COMPONENT_ACTIONS = {"row_drivers": "read", "cells": "read", REST: "update", "shift_add": "update"}
"""Action that costs something, of every component, by the name that Timeloop calls it with."""


@dataclass(frozen=True, slots=True)
class MacroLoops:
    """Loops of a product that fills one macro: what Timeloop's problem and mapping are made of.

    outputs: weights of a row. rows: of one group. groups: of a column; the last one is counted as whole. input_bits.
    weight_columns: conversions of a weight per input bit.
    """

    outputs: int
    rows: int
    groups: int
    input_bits: int
    weight_columns: int

    @classmethod
    def of(cls, g: MacroGeometry) -> MacroLoops:
        """Those of a macro."""
        return cls(g.weights_per_row, g.group_rows, g.groups, g.input_bits, g.conversions_per_weight)

    @property
    def computes(self) -> int:
        """Points of the iteration space: one weight column, one input bit of one multiply-accumulate each."""
        return self.outputs * self.rows * self.groups * self.input_bits * self.weight_columns

    @property
    def calls(self) -> dict[str, int]:
        """Calls of each component's action: a row driven with one input bit, a compute, a conversion, a shift-add."""
        conversions = self.outputs * self.groups * self.input_bits * self.weight_columns
        return {
            "row_drivers": self.rows * self.groups * self.input_bits,
            "cells": self.computes,
            "converter": conversions,
            "shift_add": conversions,
        }

    @property
    def instances(self) -> dict[str, int]:
        """Instances of the components that Timeloop repeats: cells stand at every crossing of a group."""
        return {"cells": self.outputs * self.weight_columns * self.rows}


@dataclass(frozen=True, slots=True)
class ComponentFigures:
    """energy: J per call of the action. calls: per product of a full macro. area: m2 in one macro. parts: of the
    estimate that are counted here.
    """

    energy: float
    calls: int
    area: float
    parts: tuple[str, ...]


def component_figures(source: RunData) -> dict[str, ComponentFigures]:
    """Figures of the four components, by name, at the nominal condition."""
    macro = source.estimate.macro
    g = macro.geometry
    calls = MacroLoops.of(g).calls
    # conversions that the estimate bills for one product: skipped and dropped ones are not made
    made = g.groups * g.weights_per_row * g.partial_products * macro.mix.share
    out = {}
    for component in COMPONENTS:
        energy, area = (_of(component, parts) for parts in (macro.conversion, macro.area))
        out[component] = ComponentFigures(
            energy=sum(part.value.mid for part in energy.values()) * made / calls[component],
            calls=calls[component],
            area=sum(part.value.mid for part in area.values()) / g.tiles,
            parts=tuple(dict.fromkeys((*energy, *area))),
        )
    return out


def energy_per_mac(figures: Mapping[str, ComponentFigures], macs: int) -> float:
    """J of one multiply-accumulate with all its bits, from the calls of every component."""
    return sum(f.energy * f.calls for f in figures.values()) / macs


def _of(component: str, parts: Mapping[str, Component]) -> dict[str, Component]:
    """The parts of a component."""
    named = {part: owner for owner, names in _PARTS.items() for part in names}
    return {name: part for name, part in parts.items() if named.get(name, REST) == component}

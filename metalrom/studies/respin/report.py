"""Everything that `respin` finds, as one document."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from interconnect.errors import InputError
from interconnect.stackfile import load_stack
from metalrom.macro.via_yield import STOCK_RATES, Protection, WeightArray, YieldEstimate, weight_yield
from metalrom.studies.respin.difference import LayoutDifference, compare_layouts
from metalrom.studies.respin.economics import BreakEven, Use, break_even, economic_inputs, inputs_dict
from metalrom.studies.respin.layouts import layout_of
from metalrom.studies.respin.masks import MaskBill, mask_bill
from metalrom.studies.systems.comparison import METAL
from metalrom.studies.systems.metal import MetalMacro, ternary_example
from metalrom.studies.systems.phases import PhaseDemand, phase_demand
from metalrom.studies.systems.placement import NPU, Placer

CHECK_COLUMNS = 4
"""Of ternary cells: they guard 35 data columns."""

ZEROS = 0.42
"""Zero weights of BitNet b1.58 2B4T, published (ankhdjet, docs/results.md): cells without a via."""

CONTEXT = 512

LINE_SHARE = 0.25
YIELD_GEOMETRY = "estimate: square cells of the macro's own area, lines and their spaces a quarter of a pitch"


@dataclass(frozen=True)
class RespinReport:
    """difference: of the two layouts. bill: its masks. work: the network that money and yield are for. yields: without
    check and spare columns, with check columns, with both."""

    difference: LayoutDifference
    bill: MaskBill
    work: PhaseDemand
    macro: MetalMacro
    use: Use
    yields: tuple[YieldEstimate, ...]
    economics: BreakEven

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "difference": self.difference.to_dict(),
            "masks": self.bill.to_dict(),
            "network": {
                "model": self.work.model,
                "ternary_weights": self.work.demand.weights,
                "area_mm2": self.use.area,
                "energy_per_token_J": self.use.energy,
                "energy_per_token_with_dram_J": self.use.energy_there,
                "metal_rom": self.macro.origin,
            },
            "yield": [found.to_dict() for found in self.yields],
            "yield_rates": STOCK_RATES.source,
            "yield_geometry": YIELD_GEOMETRY,
            "economics": self.economics.to_dict(),
            "inputs": inputs_dict(economic_inputs()),
        }


def respin_report(
    first: Path,
    second: Path,
    *,
    node: float | None = None,
    chips: int = 1,
    exposures: int = 1,
    devices: float = 1e6,
    model: str = "bitnet-2b",
) -> RespinReport:
    """What changes from the model in `first` to that in `second` (layout files or run folders), and what it costs.

    node: nm; None: that of the layouts' metal stack. chips: different chips that a model takes. exposures: masks per
    layer. devices: in the field. model: network, taken as ternary, that area, energy and yield are for. Raises
    InputError for layouts that cannot be compared, that do not differ, or a node without prices.
    """
    with TemporaryDirectory() as folder:
        files = [layout_of(path, Path(folder), name) for path, name in ((first, "first"), (second, "second"))]
        found = replace(compare_layouts(*files), first=str(first), second=str(second))
    if not found.changed:
        raise InputError(f"{first} and {second} do not differ in any layer", hint="give two models")
    if exposures < 1:
        raise InputError(f"{exposures} masks per layer", hint="expected at least 1")
    where = _node_of(found.stack) if node is None else node
    bill = mask_bill({layer.name: exposures for layer in found.changed}, where, chips=chips)
    placer = Placer.of(ternary_example(), where)
    work = phase_demand(model, "decode", CONTEXT)
    yields = tuple(weight_yield(weight_array(placer.macro, work), STOCK_RATES, p) for p in protections())
    here, there = (placer.phase_cost(name, work).energy for name in (METAL, NPU))
    area = placer.metal_area(work).mid * (1 + yields[-1].protection.overhead)
    use = Use(area / chips, here, there, yields[-1].total)
    economics = break_even(bill, use, found.above, devices=devices)
    return RespinReport(found, bill, work, placer.macro, use, yields, economics)


def protections() -> Sequence[Protection]:
    """Nothing, check columns, check columns and one writable spare column."""
    checked = Protection(CHECK_COLUMNS, levels=3)
    return Protection(), checked, replace(checked, spares=1)


def weight_array(macro: MetalMacro, work: PhaseDemand) -> WeightArray:
    """The whole network on tiles of the macro: pitches from the area of its cells, lines a quarter of the pitch."""
    cells = work.demand.weights * macro.ternary_columns
    shape = macro.shape
    pitch = math.sqrt(macro.metal_area.mid * 1e-6 / (shape.rows * shape.columns))
    return WeightArray(
        rows=shape.rows,
        columns=shape.columns,
        group_rows=macro.group_rows,
        tiles=math.ceil(cells / shape.cells),
        planes=shape.planes,
        via_share=1 - ZEROS,
        row_pitch=pitch,
        column_pitch=pitch,
        spacing=pitch * LINE_SHARE,
        width=pitch * LINE_SHARE,
        empty_places=2 if macro.ternary_columns == 1 else 0,
    )


def _node_of(stack: str | None) -> float:
    """nm of a stack by name."""
    if stack is None:
        raise InputError("the layouts do not tell their node", hint="give --node NM")
    found = load_stack(stack).node
    if found is None:
        raise InputError(f"the metal stack {stack} does not tell its node", hint="give --node NM")
    return found * 1e9

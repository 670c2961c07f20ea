"""The corner of the metals that is worst for the step per count: a ratio of couplings, so neither Cmin nor Cmax."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from interconnect.errors import UnsupportedCell
from interconnect.scaling import Scaling
from interconnect.stack import Stack
from interconnect.variation import STEP, corner_limits, scaled_stack
from netlists.cells.base import Cell, CellModel, Extract, Plane


@dataclass(frozen=True, slots=True)
class StepCorner:
    """Where the step per count is smallest.

    scaling: factors of the corner, each parameter at one of its limits. sensitivity: d ln step / d ln parameter, of
    width, thickness, ild and k. change: of the step there, relative, to first order in logarithms.
    """

    scaling: Scaling
    sensitivity: Mapping[str, float]
    change: float


def worst_step_corner(
    cell: Cell,
    stack: Stack,
    plane: Plane,
    extract: Extract,
    *,
    rows: int,
    c_extra: float = 0.0,
    step: float = STEP,
) -> StepCorner:
    """Find the corner by sensitivities, parameters taken apart within the limits of the stack's corners.

    Parameters
    ----------
    cell : Cell
        A charge cell.
    stack : Stack
        Nominal stack with corners.
    plane : Plane
        Where the cell lies.
    extract : Extract
        (geometry, stack) -> Extraction; six models are extracted, so bind a cache folder to it.
    rows : int
        Rows on the bit line.
    c_extra : float
        Capacitance on the bit line that is not the cells', F.
    step : float
        Relative step of the differences.

    Returns
    -------
    StepCorner
        The corner, the sensitivities and the change.

    Raises
    ------
    UnsupportedCell
        For a current cell, whose step follows its resistor.
    InputError
        For a stack without corners.
    """
    if cell.mode != "charge":
        raise UnsupportedCell(f"the step of the cell {cell.kind} follows its resistor, not the metals' corners")
    limits = corner_limits(stack)
    nominal = cell.model(stack, plane, extract)
    # Every coupling of the cells is proportional to k; the rest of the bit line is not.
    sensitivity = {"k": c_extra / (rows * nominal.bl_total + c_extra)}
    for name in ("width", "thickness", "ild"):
        low, high = (
            step_per_volt(cell.model(_moved(stack, name, factor), plane, extract), rows, c_extra)
            for factor in (1.0 - step, 1.0 + step)
        )
        sensitivity[name] = math.log(high / low) / math.log((1.0 + step) / (1.0 - step))
    factors = {name: limits[name][0 if slope >= 0 else 1] for name, slope in sensitivity.items()}
    change = math.exp(sum(slope * math.log(factors[name]) for name, slope in sensitivity.items())) - 1.0
    return StepCorner(replace(Scaling(), **factors), sensitivity, change)


def step_per_volt(model: CellModel, rows: int, c_extra: float = 0.0) -> float:
    """Step of one count over the row voltage: switched capacitance over all that is on the bit line."""
    return model.switched / (rows * model.bl_total + c_extra)


def _moved(stack: Stack, parameter: str, factor: float) -> Stack:
    return scaled_stack(stack, replace(Scaling(), **{parameter: factor}), f"{stack.name}, {parameter} x {factor:g}")

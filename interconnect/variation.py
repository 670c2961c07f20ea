"""Corners and statistical variation of the metal: scaled stacks, sensitivities, and local mismatch in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from interconnect.extraction import Extraction
from interconnect.geometry import Box, CellGeometry, Slab
from interconnect.provenance import Provenance
from interconnect.scaling import GLOBAL_PARAMETERS, Scaling, Spread
from interconnect.stack import Dielectric, Stack

Extract = Callable[[CellGeometry, Stack], Extraction]
"""What extracts a geometry; usually `interconnect.extract` with a method and a cache folder bound."""

STEP = 0.05
"""Relative step of the finite differences: small against curvature, large against what a new mesh changes (0.1 %)."""


def at_corner(geometry: CellGeometry, stack: Stack, corner: str) -> tuple[CellGeometry, Stack]:
    """The geometry and its stack at a corner of the stack.

    Parameters
    ----------
    geometry : CellGeometry
        Drawn in the nominal stack.
    stack : Stack
        The nominal stack.
    corner : str
        Name of a corner; `nominal` returns the stack unchanged.

    Returns
    -------
    tuple[CellGeometry, Stack]
        Both at the corner.

    Raises
    ------
    InputError
        If the stack has no such corner, or wires touch there.
    """
    if corner == "nominal":
        return geometry, stack
    chosen = stack.corner(corner)
    moved, changed = scaled(geometry, stack, chosen.scaling, origin=chosen.provenance)
    return replace(moved, name=f"{geometry.name} at {corner}"), replace(changed, name=f"{stack.name} at {corner}")


def stack_at_corner(stack: Stack, corner: str) -> Stack:
    """The stack alone at one of its corners (`nominal` is the stack itself; case does not matter), to draw cells on.

    Cells drawn on it have the corner's heights; its `width_factor` makes their lines wider when they are extracted.
    Raises InputError if the stack has no such corner.
    """
    if corner.lower() == "nominal":
        return stack
    chosen = stack.corner(corner)
    return scaled_stack(stack, chosen.scaling, f"{stack.name} at {chosen.name}", origin=chosen.provenance)


def scaled_stack(stack: Stack, scaling: Scaling, name: str, *, origin: Provenance | None = None) -> Stack:
    """The stack alone with a scaling applied, under another name, to draw cells on; see `stack_at_corner`."""
    old, new = _heights(stack, scaling)

    def lift(z: float) -> float:
        return float(np.interp(z, old, new))

    moved = _scaled_stack(stack, scaling, lift, origin)
    return replace(moved, name=name, corners=(), width_factor=scaling.width)


def corner_limits(stack: Stack) -> dict[str, tuple[float, float]]:
    """Smallest and largest factor of each global parameter over the stack's corners, nominal included.

    Raises InputError for a stack without corners: factors of another process are not taken.
    """
    if not stack.corners:
        raise InputError(f"stack {stack.name} has no corners that say how far its heights and widths go")
    factors = {name: [1.0, *(getattr(c.scaling, name) for c in stack.corners)] for name in GLOBAL_PARAMETERS}
    return {name: (min(values), max(values)) for name, values in factors.items()}


def scaled(
    geometry: CellGeometry, stack: Stack, scaling: Scaling, *, origin: Provenance | None = None
) -> tuple[CellGeometry, Stack]:
    """The geometry and its stack with a scaling applied to both.

    Parameters
    ----------
    geometry : CellGeometry
        Drawn in `stack`.
    stack : Stack
        The stack.
    scaling : Scaling
        Factors of width, thickness, ILD, permittivity and via resistance.
    origin : Provenance, optional
        Source of the factors; becomes the provenance of all values that they change.

    Returns
    -------
    tuple[CellGeometry, Stack]
        Both scaled.

    Raises
    ------
    InputError
        For a factor that is not positive, a permittivity below 1, or wires that touch.
    """
    if min(scaling.width, scaling.thickness, scaling.ild, scaling.k, scaling.via_resistance) <= 0:
        raise InputError("the factors of a scaling must be positive")
    old, new = _heights(stack, scaling)

    def lift(z: float) -> float:
        return float(np.interp(z, old, new))

    boxes = tuple(_lifted(box, lift) for box in geometry.widened(scaling.width).boxes)
    slabs = tuple(_scaled_slab(slab, scaling, lift) for slab in geometry.slabs)
    name = f"{geometry.name}, scaled"
    moved = replace(
        geometry, name=name, boxes=boxes, slabs=slabs, floor=lift(geometry.floor), ceiling=lift(geometry.ceiling)
    )
    return moved, _scaled_stack(stack, scaling, lift, origin)


def _heights(stack: Stack, scaling: Scaling) -> tuple[FloatArray, FloatArray]:
    """Heights of all metal faces, and of the substrate and the top, before and after."""
    old, new = [0.0], [0.0]
    for metal in stack.metals:
        for height, factor in ((metal.bottom, scaling.ild), (metal.top, scaling.thickness)):
            new.append(new[-1] + factor * (height - old[-1]))
            old.append(height)
    top = max(d.slab.top for d in stack.dielectrics)
    new.append(new[-1] + scaling.ild * (top - old[-1]))
    old.append(top)
    return np.array(old), np.array(new)


def _lifted(box: Box, lift: Callable[[float], float]) -> Box:
    (x0, y0, z0), (x1, y1, z1) = box.lower, box.upper
    return replace(box, lower=(x0, y0, lift(z0)), upper=(x1, y1, lift(z1)))


def _scaled_slab(slab: Slab, scaling: Scaling, lift: Callable[[float], float]) -> Slab:
    if scaling.k * slab.k < 1.0:
        raise InputError(f"a permittivity of {slab.k:g} times {scaling.k:g} is below 1")
    return Slab(lift(slab.bottom), lift(slab.top), scaling.k * slab.k)


def _scaled_stack(stack: Stack, scaling: Scaling, lift: Callable[[float], float], origin: Provenance | None) -> Stack:
    def message(provenance: Mapping[str, Provenance], *changed: str) -> Mapping[str, Provenance]:
        return provenance if origin is None else {**provenance, **dict.fromkeys(changed, origin)}

    metals = tuple(
        replace(
            metal,
            bottom=lift(metal.bottom),
            thickness=lift(metal.top) - lift(metal.bottom),
            sheet_resistance=metal.sheet_resistance / scaling.thickness,
            provenance=message(metal.provenance, "bottom", "thickness", "sheet_resistance"),
        )
        for metal in stack.metals
    )
    vias = tuple(
        replace(
            via,
            height=scaling.ild * via.height,
            resistance=scaling.via_resistance * via.resistance,
            provenance=message(via.provenance, "resistance"),
        )
        for via in stack.vias
    )
    dielectrics = tuple(
        Dielectric(d.name, _scaled_slab(d.slab, scaling, lift), message(d.provenance, "bottom", "top", "k"))
        for d in stack.dielectrics
    )
    return replace(stack, metals=metals, vias=vias, dielectrics=dielectrics)


@dataclass(frozen=True)
class Sensitivity:
    """How an extraction follows the global parameters.

    `capacitance` maps each of width, thickness, ild, k to d ln C_ij / d ln parameter, shape (nets, nets), 0 where the
    nets do not couple; `resistance` the same per key of the extraction's resistances.
    """

    nominal: Extraction
    capacitance: Mapping[str, FloatArray]
    resistance: Mapping[str, Mapping[str, float]]

    def coupling(self, a: str, b: str, parameter: str) -> float:
        """d ln C(a, b) / d ln parameter."""
        self.nominal.coupling(a, b)
        return float(self.capacitance[parameter][self.nominal.nets.index(a), self.nominal.nets.index(b)])

    def couplings(self, factors: Mapping[str, ArrayLike]) -> FloatArray:
        """Couplings (F), shape (draws, nets, nets), zero diagonal, at global factors (draws,) per parameter.

        A product of powers: exact for a lone parallel plate, first order in logarithms for everything else.
        """
        pairs = -self.nominal.capacitance
        exponent = np.zeros((1, *pairs.shape))
        for name, values in factors.items():
            if name not in self.capacitance:
                raise InputError(f"unknown parameter {name!r}", hint=f"choose from {', '.join(self.capacitance)}")
            exponent = (
                exponent
                + np.log(np.atleast_1d(np.asarray(values, dtype=float)))[:, None, None] * (self.capacitance[name])
            )
        result = np.asarray(pairs * np.exp(exponent))
        result[:, np.arange(len(pairs)), np.arange(len(pairs))] = 0.0
        return result

    def relative_sigma(self, a: str, b: str, spread: Spread) -> float:
        """Die-to-die relative standard deviation of C(a, b), parameters independent, first order."""
        terms = [self.coupling(a, b, name) * getattr(spread, name) for name in GLOBAL_PARAMETERS]
        return math.sqrt(sum(t * t for t in terms))


def sensitivity(geometry: CellGeometry, stack: Stack, extract: Extract, *, step: float = STEP) -> Sensitivity:
    """Central differences of the extraction in the logarithms of width, thickness and ILD, and of k where slabs differ.

    Six extractions (bind a cache folder to `extract` to keep them). All permittivities scale together, so that every
    capacitance is proportional to k: no solution is needed for that.

    Parameters
    ----------
    geometry : CellGeometry
        The cell.
    stack : Stack
        Its stack.
    extract : Callable
        (geometry, stack) -> Extraction.
    step : float
        Relative step of every parameter.

    Returns
    -------
    Sensitivity
        Logarithmic derivatives of all capacitances and resistances.

    Raises
    ------
    InputError
        For a step outside 0 to 0.3, or wires that touch at it.
    """
    if not 0 < step < 0.3:
        raise InputError(f"the relative step must lie between 0 and 0.3, got {step:g}")
    nominal = extract(geometry, stack)
    coupled = nominal.capacitance < 0
    capacitance: dict[str, FloatArray] = {}
    resistance: dict[str, dict[str, float]] = {}
    for name in GLOBAL_PARAMETERS:
        if name == "k":
            capacitance[name] = np.where(coupled, 1.0, 0.0)
            resistance[name] = dict.fromkeys(nominal.resistance, 0.0)
            continue
        low, high = (
            extract(*scaled(geometry, stack, replace(Scaling(), **{name: factor}))) for factor in (1 - step, 1 + step)
        )
        span = math.log((1 + step) / (1 - step))
        both = coupled & (low.capacitance < 0) & (high.capacitance < 0)
        ratio = np.divide(high.capacitance, low.capacitance, out=np.ones(both.shape), where=both)
        capacitance[name] = np.log(ratio) / span
        resistance[name] = {key: math.log(high.resistance[key] / low.resistance[key]) / span for key in low.resistance}
    return Sensitivity(nominal, capacitance, resistance)


def global_factors(spread: Spread, count: int, seed: int | np.random.SeedSequence) -> dict[str, FloatArray]:
    """`count` draws (count,) of the factor of each global parameter: independent, lognormal with median 1."""
    rng = np.random.default_rng(seed)
    return {name: np.exp(rng.normal(0.0, getattr(spread, name), count)) for name in GLOBAL_PARAMETERS}


def via_resistances(
    nominal: float, sigma: float, shape: int | tuple[int, ...], seed: int | np.random.SeedSequence
) -> FloatArray:
    """Resistances (ohm) of single cuts: lognormal with median `nominal`, `sigma` of the logarithm, independent."""
    return np.asarray(nominal * np.exp(np.random.default_rng(seed).normal(0.0, sigma, shape)))


def averaging(length: float, correlation_length: float) -> float:
    """Variance of the mean over `length` of a process with covariance exp(-|x|/correlation_length), variance 1.

    2 (l/L) (1 - (l/L) (1 - exp(-L/l))): the double integral of the covariance over the length, divided by L^2.
    """
    if not (length > 0 and correlation_length >= 0 and math.isfinite(length)):
        raise InputError("a length must be positive and a correlation length not negative")
    if correlation_length == 0:
        return 0.0
    ratio = length / correlation_length
    if ratio < 1e-3:
        return 1.0 - ratio / 3.0
    return 2.0 / ratio * (1.0 + math.expm1(-ratio) / ratio)


def cell_sigma_from_ler(length: float, gap: float, sigma_edge: float, correlation_length: float) -> float:
    """Relative standard deviation of the coupling of two facing edges from their roughness.

    The coupling per length goes as 1/gap, so that to first order dC/C = -(mean of both edges' displacements)/gap over
    the facing `length`; each edge moves with `sigma_edge` and exponential correlation along the line, the two edges
    independently: sigma_C/C = sqrt(2) sigma_edge/gap sqrt(averaging). What fringes add to the coupling follows the gap
    less than 1/gap, so this is an upper estimate.

    Parameters
    ----------
    length : float
        Facing length and distance of the edges, m.
    gap : float
        See `length`.
    sigma_edge : float
        Standard deviation of one edge, m.
    correlation_length : float
        Along the line, m.

    Returns
    -------
    float
        sigma_C/C.

    Raises
    ------
    InputError
        For a length or gap that is not positive, or a negative sigma.
    """
    if gap <= 0 or sigma_edge < 0:
        raise InputError("the gap must be positive and the edge's sigma not negative")
    return math.sqrt(2.0 * averaging(length, correlation_length)) * sigma_edge / gap


def capacitor_sigma(area: float, coefficient: float) -> float:
    """Relative standard deviation of a capacitor of `area` (m^2) by the area law, coefficient / sqrt(area) (m).

    The law was found on capacitors of square micrometres; below that it is an extrapolation.
    """
    if area <= 0 or coefficient < 0:
        raise InputError("the area must be positive and the coefficient not negative")
    return coefficient / math.sqrt(area)


def cell_sigma_from_area(stack: Stack, area: float) -> float:
    """Relative standard deviation of one cell's coupling from its facing `area` (m^2) by the stack's area law.

    Raises InputError if the stack tells no spread: a law of another process is not taken.
    """
    if stack.spread is None:
        raise InputError(
            f"stack {stack.name} has no spread, so that no mismatch follows from an area",
            hint="give the stack file a `spread`, or state the cell's sigma",
        )
    return capacitor_sigma(area, stack.spread.capacitor_area)

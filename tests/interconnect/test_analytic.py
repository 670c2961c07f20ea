"""Field solver against exact solutions of uniform lines of rectangular section, by conformal mapping."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.optimize import brentq, root
from scipy.special import ellipk, ellipkm1

from interconnect import fieldsolver
from interconnect.geometry import GROUND, Box, CellGeometry, Slab

EPSILON_0 = 8.8541878128e-12
NM = 1e-9


def side(prevertices: Sequence[float], exponents: Sequence[float], i: int) -> float:
    """Length of the image of [prevertex i, prevertex i + 1] under the Schwarz-Christoffel map of these corners.

    The derivative of the map is the product of |x - prevertex|^exponent (T. A. Driscoll and L. N. Trefethen,
    Schwarz-Christoffel Mapping, Cambridge 2002); double-exponential quadrature takes the singular ends.
    """
    t = np.linspace(-5.0, 5.0, 801)
    u = math.pi * np.sinh(t)
    length = prevertices[i + 1] - prevertices[i]
    from_low, from_high = length / (1 + np.exp(-u)), length / (1 + np.exp(u))
    value = from_low * from_high / length * math.pi * np.cosh(t) * (t[1] - t[0])
    for k, (p, e) in enumerate(zip(prevertices, exponents, strict=True)):
        distance = from_low + (prevertices[i] - p) if k <= i else from_high + (p - prevertices[i + 1])
        value *= distance**e
    return float(value.sum())


def electrodes(a: float, b: float, c: float) -> float:
    """Capacitance over permittivity between the segments [a, b] and [c, infinity) of the upper half plane's edge."""
    cross = (c - b) / (c - a)
    return float(ellipkm1(cross) / ellipk(cross))


def square_coaxial(inner: float, outer: float) -> float:
    """Capacitance per length over permittivity of a square bar in a square tube (edge lengths).

    An eighth of it is a quadrilateral: 90 degrees at the middle of the bar's face, 135 at its corner, 45 at the tube's
    corner, 90 at the middle of the tube's face. Each corner's exponent is its angle / 180 degrees - 1; the last one's
    prevertex lies at infinity.
    """
    exponents = (-0.5, -0.25, -0.75)

    def misfit(log_gap: float) -> float:
        points = (-math.exp(log_gap), 0.0, 1.0)
        face, diagonal = (side(points, exponents, i) for i in range(2))
        return diagonal / face - (outer - inner) * math.sqrt(0.5) / (0.5 * inner)

    gap = math.exp(brentq(misfit, -30.0, 250.0, xtol=1e-13))
    return 8 * electrodes(-gap, 0.0, 1.0)


def bar_over_plane(width: float, thickness: float, height: float) -> float:
    """Capacitance per length over permittivity of an isolated rectangular bar at `height` over a plane.

    Half of it: prevertices of the top's middle, the two corners, the bottom's middle, the plane under it; the quarter
    plane opens at infinity.
    """
    exponents = (-0.5, 0.5, 0.5, -0.5, -0.5)

    def points(logs: np.ndarray) -> list[float]:
        return [0.0, *np.cumsum(np.exp([*logs, 0.0])).tolist()]

    def misfit(logs: np.ndarray) -> list[float]:
        top, edge, bottom, below = (side(points(logs), exponents, i) for i in range(4))
        return [top / below - 0.5 * width / height, edge / below - thickness / height, bottom / below - top / below]

    logs = root(misfit, np.zeros(3), method="lm", options={"xtol": 1e-13, "ftol": 1e-13}).x
    assert np.abs(misfit(logs)).max() < 1e-9
    a, _, _, b, c = points(logs)
    return 2 * electrodes(a, b, c)


def test_the_references_are_sound() -> None:
    # A square tube nearly filled: four plates and four corners of 0.559 each between equal gaps (W. J. Getsinger,
    # "Coupled rectangular bars between parallel plates", IRE Trans. MTT 10 (1962) 65).
    assert square_coaxial(1.0, 1.04) == pytest.approx(4 * 1.0 / 0.02 + 4 * 0.559, rel=1e-4)
    # Published fit of field solutions, stated error below 6 % (Sakurai and Tamaru 1983).
    for width, thickness in ((1.0, 1.0), (2.0, 0.5), (3.0, 0.2)):
        fit = 1.15 * width + 2.80 * thickness**0.222
        assert bar_over_plane(width, thickness, 1.0) == pytest.approx(fit, rel=0.06)


def walled(
    name: str, width: float, depth: float, height: float, bars: Sequence[tuple[str, float, float, float, float]]
) -> CellGeometry:
    """Bars (net, x0, z0, x1, z1; nm) along y in a grounded tunnel of inner `width` and `height`, `depth` long (nm)."""
    wall = 5.0
    boxes = [Box(GROUND, "M", "shield", (-wall * NM, 0.0, 0.0), (wall * NM, depth * NM, height * NM))]
    for net, x0, z0, x1, z1 in bars:
        low, high = ((x0 + wall) * NM, 0.0, z0 * NM), ((x1 + wall) * NM, depth * NM, z1 * NM)
        boxes.append(Box(net, "M", "line", low, high))
    period = ((width + 2 * wall) * NM, depth * NM)
    return CellGeometry(name, tuple(boxes), period, 0.0, height * NM, (Slab(0.0, height * NM, 2.7),))


def solved(cell: CellGeometry) -> np.ndarray:
    """Maxwell matrix per length over permittivity."""
    return fieldsolver.solve_cell(cell).capacitance / (EPSILON_0 * 2.7 * cell.period[1])


@pytest.mark.parametrize("inner", [50.0, 100.0, 150.0])
def test_square_coaxial_line(inner: float) -> None:
    edge = 0.5 * (200.0 - inner)
    cell = walled("coaxial", 200.0, 100.0, 200.0, [("A", edge, edge, edge + inner, edge + inner)])
    assert solved(cell)[0, 0] == pytest.approx(square_coaxial(inner, 200.0), rel=5e-3)


@pytest.mark.parametrize(("width", "thickness"), [(100.0, 100.0), (200.0, 50.0)])
def test_line_over_a_plane(width: float, thickness: float) -> None:
    # The other walls are 30 heights away: a line's field falls as that of a dipole, what they add as 1/distance^2.
    far = 3000.0
    cell = walled("line", 2 * far + width, 800.0, far, [("A", far, 100.0, far + width, 100.0 + thickness)])
    assert solved(cell)[0, 0] == pytest.approx(bar_over_plane(width, thickness, 100.0), rel=5e-3)


@pytest.mark.parametrize("gap", [100.0, 200.0])
def test_two_wires(gap: float) -> None:
    # Driven with opposite voltages, the plane halfway is at 0 V: each bar sees a plane at half the gap.
    far, width, thickness = 3000.0, 100.0, 100.0
    x, z = 0.5 * (2 * far - gap) - width, far - 0.5 * thickness
    bars = [("A", x, z, x + width, z + thickness), ("B", x + width + gap, z, x + 2 * width + gap, z + thickness)]
    c = solved(walled("two wires", 2 * far, 800.0, 2 * far, bars))
    odd = 0.5 * (c[0, 0] + c[1, 1]) - c[0, 1]
    assert odd == pytest.approx(bar_over_plane(thickness, width, 0.5 * gap), rel=5e-3)

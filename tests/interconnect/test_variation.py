"""Corners and variation: closed forms, linear prediction against new solutions, Monte Carlo."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from interconnect.errors import InputError
from interconnect.extraction import Extraction, extract
from interconnect.geometry import Box, CellGeometry
from interconnect.scaling import GLOBAL_PARAMETERS, Scaling
from interconnect.stack import Stack
from interconnect.stackfile import load_stack
from interconnect.variation import (
    Extract,
    at_corner,
    averaging,
    capacitor_sigma,
    cell_sigma_from_ler,
    global_factors,
    scaled,
    sensitivity,
    via_resistances,
)

CellMaker = Callable[..., CellGeometry]


@pytest.fixture(scope="module")
def solver(tmp_path_factory: pytest.TempPathFactory) -> Extract:
    cache: Path = tmp_path_factory.mktemp("cache")
    return lambda geometry, stack: extract(geometry, stack, "fieldsolver", cache_dir=cache, order=4)


def test_scaling_moves_faces_as_a_hand_count_says(generic28: Stack, make_cell: CellMaker) -> None:
    cell = make_cell(generic28, "S")
    moved, stack = scaled(cell, generic28, Scaling(width=1.1, thickness=1.2, ild=0.9, k=1.05, via_resistance=2.0))
    # M1 begins 200 nm up: 0.9 x 200 = 180; 1.2 x 95 = 114 nm of metal; 0.9 x 90 = 81 nm of dielectric; and so on.
    assert moved.floor == pytest.approx(294e-9)
    assert (stack.metal("M2").bottom, stack.metal("M2").top) == pytest.approx((375e-9, 489e-9))
    assert (stack.metal("M3").bottom, moved.ceiling) == pytest.approx((570e-9, 765e-9))
    bl = next(box for box in moved.boxes if box.net == "BL")
    # 50 nm wide from 25 to 75 nm, now 55 nm about the same centre, still as long as the period.
    assert (bl.lower[0], bl.upper[0], bl.size[1]) == pytest.approx((22.5e-9, 77.5e-9, cell.period[1]))
    tab = next(box for box in moved.boxes if box.kind == "tab")
    assert tab.size == pytest.approx((55e-9, 155e-9, 114e-9))
    via = next(box for box in moved.boxes if box.kind == "via")
    assert via.size == pytest.approx((55e-9, 55e-9, 81e-9))
    assert [slab.k for slab in moved.slabs] == pytest.approx([2.7 * 1.05])
    result = extract(moved, stack, "formula")
    assert result.resistance["V2"] == 15.0
    # Same resistivity: 0.272 ohm/sq x 200 nm / 50 nm, less 1.1 x 1.2 of section.
    assert result.resistance["BL"] == pytest.approx(0.272 * 4 / 1.32)


def test_corners_bound_the_cell(generic28: Stack, make_cell: CellMaker, solver: Extract) -> None:
    cell = make_cell(generic28, "S")
    nominal = solver(cell, generic28)
    at = {name: solver(*at_corner(cell, generic28, name)) for name in ("Cmin", "Cmax", "Rmin", "Rmax")}
    assert at["Cmin"].total("BL") < 0.9 * nominal.total("BL")
    assert at["Cmax"].total("BL") > 1.1 * nominal.total("BL")
    assert at["Rmin"].resistance["BL"] < 0.9 * nominal.resistance["BL"] < 0.8 * at["Rmax"].resistance["BL"]
    assert at["Rmax"].resistance["V2"] == pytest.approx(1.4 * 7.5)
    assert at_corner(cell, generic28, "nominal") == (cell, generic28)
    # What a corner assumed is told, also where the stack itself is published.
    freepdk = load_stack("open45")
    assert freepdk.corner("Cmax").provenance.status == "estimate"
    small = make_cell(freepdk, "S", width=70e-9, space=70e-9, layers=("metal2", "metal3"))
    _, changed = at_corner(small, freepdk, "Cmax")
    assert changed.metal("metal2").provenance["thickness"].status == "estimate"
    assert freepdk.metal("metal2").provenance["thickness"].status == "published"
    with pytest.raises(InputError, match="has no corner 'Kmax'; it has nominal, Cmax, Cmin"):
        at_corner(cell, generic28, "Kmax")
    with pytest.raises(InputError, match="touch and would be shorted"):
        scaled(cell, generic28, Scaling(width=2.0))
    with pytest.raises(InputError, match="factors of a scaling must be positive"):
        scaled(cell, generic28, Scaling(ild=0.0))


def test_sensitivity_of_plates_is_that_of_the_formula(generic28: Stack, solver: Extract) -> None:
    # Lines of nearly the period's width over the plane below: C = k eps area / ild, on both sides.
    metal = generic28.metal("M2")
    period = (1e-6, 0.6e-6)
    line = Box("A", "M2", "line", (10e-9, 0.0, metal.bottom), (0.99e-6, period[1], metal.top))
    floor, ceiling = generic28.plane_floor("M2"), generic28.plane_ceiling("M2")
    cell = CellGeometry("plates", (line,), period, floor, ceiling, generic28.slabs(floor, ceiling))
    result = sensitivity(cell, generic28, solver, step=0.004)
    assert result.coupling("A", "GND", "ild") == pytest.approx(-1.0, abs=0.05)
    assert result.coupling("A", "GND", "thickness") == pytest.approx(0.0, abs=0.05)
    assert result.coupling("A", "GND", "k") == 1.0
    # Resistance of a line goes as 1 / (width x thickness).
    assert result.resistance["width"]["A"] == pytest.approx(-1.0, rel=1e-5)
    assert result.resistance["thickness"]["A"] == pytest.approx(-1.0, rel=1e-9)


def test_linear_prediction_meets_new_solutions(generic28: Stack, make_cell: CellMaker, solver: Extract) -> None:
    cell = make_cell(generic28, "S")
    result = sensitivity(cell, generic28, solver)
    for name in ("Cmax", "Cmin"):
        scaling = generic28.corner(name).scaling
        exact = solver(*at_corner(cell, generic28, name))
        guess = result.couplings({p: getattr(scaling, p) for p in GLOBAL_PARAMETERS})[0]
        index = {net: i for i, net in enumerate(exact.nets)}
        for a, b in (("BL", "S"), ("BL", "GND"), ("S", "GND"), ("BL", "G")):
            # A corner moves these by up to 25 %; what is left of it is second order.
            assert guess[index[a], index[b]] == pytest.approx(exact.coupling(a, b), rel=0.02)
    # Sampling the globals gives the sigma that the sensitivities add up to.
    spread = generic28.spread
    assert spread is not None
    draws = result.couplings(global_factors(spread, 4000, 3))
    bl, s = result.nominal.nets.index("BL"), result.nominal.nets.index("S")
    sigma = np.log(draws[:, bl, s]).std()
    # 4000 draws: 1.1 % standard error.
    assert sigma == pytest.approx(result.relative_sigma("BL", "S", spread), rel=0.04)
    with pytest.raises(InputError, match="unknown parameter 'colour'"):
        result.couplings({"colour": 1.0})
    with pytest.raises(InputError, match=r"between 0 and 0\.3"):
        sensitivity(cell, generic28, solver, step=0.5)


def test_same_seed_same_draws() -> None:
    spread = load_stack("generic28").spread
    assert spread is not None
    one, two, other = (global_factors(spread, 5, seed) for seed in (1, 1, 2))
    for name in GLOBAL_PARAMETERS:
        np.testing.assert_array_equal(one[name], two[name])
        assert (one[name] != other[name]).all()


def test_via_resistances_are_lognormal() -> None:
    ohm = via_resistances(7.5, 0.26, (200, 100), 1)
    logs = np.log(ohm / 7.5)
    assert ohm.min() > 0
    # 20,000 draws: mean within 4 x 0.26 / sqrt(20000), sigma within 4 x 0.26 / sqrt(40000), and no skew.
    assert abs(logs.mean()) < 4 * 0.26 / math.sqrt(2e4)
    assert abs(logs.std() - 0.26) < 4 * 0.26 / math.sqrt(4e4)
    assert abs(((logs - logs.mean()) ** 3).mean() / logs.std() ** 3) < 4 * math.sqrt(6 / 2e4)


def rough_edges(draws: int, steps: int, step: float, sigma: float, correlation: float, seed: int) -> np.ndarray:
    """Edges (draws, steps) with exactly exponential correlation, by the first-order autoregression."""
    rng = np.random.default_rng(seed)
    keep = math.exp(-step / correlation)
    edge = np.empty((draws, steps))
    edge[:, 0] = rng.normal(0.0, sigma, draws)
    for i in range(1, steps):
        edge[:, i] = keep * edge[:, i - 1] + math.sqrt(1 - keep * keep) * rng.normal(0.0, sigma, draws)
    return edge


@pytest.mark.parametrize(("length", "correlation"), [(150e-9, 25e-9), (60e-9, 60e-9), (400e-9, 10e-9)])
def test_edge_roughness_meets_monte_carlo(length: float, correlation: float) -> None:
    gap, sigma, draws, steps = 50e-9, 1.0e-9, 8000, 150
    left, right = (rough_edges(draws, steps, length / steps, sigma, correlation, seed) for seed in (1, 2))
    # Local parallel plates: C = integral of 1/gap(x).
    coupling = (1.0 / (gap + left + right)).mean(axis=1)
    measured = coupling.std() / coupling.mean()
    # 8000 draws: 0.8 % standard error; steps of up to a quarter of the correlation length: below 0.5 %.
    assert cell_sigma_from_ler(length, gap, sigma, correlation) == pytest.approx(measured, rel=0.035)


def test_limits_of_the_roughness_formula() -> None:
    # Edges that move as a whole: sqrt(2) sigma / gap; white ones: sqrt(2 l / L) of that per unit variance.
    assert cell_sigma_from_ler(1e-9, 50e-9, 1e-9, 1.0) == pytest.approx(math.sqrt(2) / 50, rel=1e-6)
    assert averaging(1.0, 1e-6) == pytest.approx(2e-6, rel=1e-5)
    assert averaging(1.0, 0.0) == 0.0
    assert averaging(1e-3, 1.0001) == pytest.approx(averaging(1e-3, 0.9999), rel=1e-6)
    # The assumption that a starter config carries: 5 nm (3 sigma), 25 nm, a 50 nm gap 150 nm long: 2.5 %.
    assert cell_sigma_from_ler(150e-9, 50e-9, 5e-9 / 3, 25e-9) == pytest.approx(0.0249, abs=1e-4)
    with pytest.raises(InputError, match="gap must be positive"):
        cell_sigma_from_ler(1e-7, 0.0, 1e-9, 1e-8)
    with pytest.raises(InputError, match="correlation length not negative"):
        cell_sigma_from_ler(1e-7, 1e-8, 1e-9, -1.0)


def test_area_law() -> None:
    # sky130 finger capacitors: 2 % um, so 0.2 % at 100 um^2.
    assert capacitor_sigma(100e-12, 20e-9) == pytest.approx(0.002)
    spread = load_stack("open45").spread
    assert spread is not None
    assert spread.capacitor_area == pytest.approx(20e-9)
    assert spread.provenance["capacitor_area"].status == "estimate"
    with pytest.raises(InputError, match="area must be positive"):
        capacitor_sigma(0.0, 1.0)


def test_a_corner_without_source_or_with_a_bad_factor_is_refused(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "interconnect" / "stacks" / "generic28.yaml").read_text()
    for old, new, message in (
        ("{name: Cmax, source: corner,", "{name: Cmax, source: rumour,", r"corners\[0\]\.\w+: source 'rumour'"),
        ("width: 1.05, thickness: 1.10", "width: -1.05, thickness: 1.10", r"corners\[0\]\.width: must be positive"),
        ("{name: Cmin,", "{name: nominal,", "name 'nominal' is used twice"),
        ("edge_sigma: {value: 1.67nm", "edge_sigma: {value: 1.67n", r"spread\.edge_sigma: .* lacks its unit"),
    ):
        path = tmp_path / "mine.yaml"
        path.write_text(text.replace(old, new, 1))
        with pytest.raises(InputError, match=message):
            load_stack(path)


def test_resistances_do_not_depend_on_capacitance_methods(generic28: Stack, make_cell: CellMaker) -> None:
    cell = make_cell(generic28, "S")

    def by_formula(geometry: CellGeometry, stack: Stack) -> Extraction:
        return replace(extract(geometry, stack, "formula"), warnings=())

    result = sensitivity(cell, generic28, by_formula)
    assert result.resistance["width"]["S"] == pytest.approx(-1.0, rel=1e-9)
    assert result.resistance["ild"]["V2"] == 0.0

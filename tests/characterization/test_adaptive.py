"""Sampling where the fit is least sure: it reaches what it promises, keeps its bounds, and can be taken up again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from characterization.models.adaptive import Round, adaptive_fit, next_batch
from characterization.models.box import Domain, DomainInput
from characterization.models.column_bench import COLUMN_BOX, ColumnBench
from characterization.models.form import Form
from characterization.models.surrogate import SurrogateModel, fit_surrogate
from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from interconnect.extraction import extract
from netlists.case import ColumnStimulus
from netlists.condition import Condition
from netlists.periphery import default_periphery
from netlists.reference import reference_column
from netlists.technology import load_technology
from ngspice_runner import Cache

BOX = Domain((DomainInput("voltage", 0.1, 1.0, "V", log=True), DomainInput("resistance", 1e3, 1e6, "ohm", log=True)))
OHM = Form("ohm", {"series": 10.0})


def leaky(x: FloatArray) -> FloatArray:
    """Ohm's law with a diode in parallel: harmless at most places, steep where the voltage is high."""
    v, r = x.T
    return np.asarray(v / r + 1e-9 * (np.exp(v / 0.12) - 1))


@pytest.fixture(scope="module")
def run():
    asked: list[FloatArray] = []

    def simulate(x: FloatArray) -> FloatArray:
        asked.append(x)
        return leaky(x)

    models: list[tuple[SurrogateModel, Round]] = []
    result = adaptive_fit(
        "current", "A", BOX, simulate, form=OHM, target=0.01, initial=10, batch=3, most=80, folds=5, seed=3,
        watch=lambda m, r: models.append((m, r)),
    )  # fmt: skip
    return result, asked, models


def test_it_stops_at_the_error_it_promises(run) -> None:
    result, asked, models = run
    assert result.stopped == "target"
    assert result.rounds[-1].estimate <= 0.01
    assert result.rounds[-2].estimate <= 0.01
    assert [r.points for r in result.rounds] == [10 + 3 * i for i in range(len(result.rounds))]
    assert len(result.points) == sum(map(len, asked)) == len(models[-1][0].process.x) <= 80
    x = BOX.uniform(2000, seed=99)
    # 95 % of the box within the target; a factor of 1.5 for what a handful of points can know about their own error
    assert np.quantile(np.abs(result.model(x) / leaky(x) - 1), 0.95) < 0.015
    assert result.model.quality is not None


def test_a_latin_hypercube_of_as_many_points_is_worse(run) -> None:
    result, _, _ = run
    x = BOX.uniform(2000, seed=98)

    def worst(model: SurrogateModel) -> float:
        return float(np.abs(model(x) / leaky(x) - 1).max())

    cubes = []
    for seed in range(3):
        points = BOX.latin_hypercube(len(result.points), seed)
        cubes.append(worst(fit_surrogate("current", "A", BOX, points, leaky(points), form=OHM, folds=0, restarts=2)))
    assert worst(result.model) < 0.6 * np.median(cubes)


def test_picks_keep_their_distance(run) -> None:
    model = run[2][3][0]
    chosen = next_batch(model, BOX.uniform(1000, seed=5), 5)
    u = BOX.unit(chosen)
    gaps = np.linalg.norm(u[:, None] - u[None], axis=2)[np.triu_indices(5, 1)]
    # neighbours in the pool are some 1 / (2 sqrt(1000)) = 0.016 apart
    assert gaps.min() > 0.05
    # the first is where sigma is largest of all, but for the weight of difficulty (at most 5 over 0.2)
    pool = BOX.uniform(1000, seed=5)
    sigma = model.process.predict(BOX.unit(pool))[1]
    assert model.process.predict(u[:1])[1] > sigma.max() / 25


def test_the_same_seed_asks_for_the_same_points_and_bounds_hold(run) -> None:
    result, _, _ = run
    short = adaptive_fit(
        "current", "A", BOX, leaky, form=OHM, target=0.01, initial=10, batch=3, most=14, folds=0, seed=3
    )
    assert short.stopped == "count"
    assert len(short.points) == 14
    # cut short, it asked for the beginning of what the whole run asked for (its last batch is smaller)
    assert (short.points[:13] == result.points[:13]).all()
    late = adaptive_fit(
        "current", "A", BOX, leaky, form=OHM, target=1e-9, initial=10, batch=3, seconds=1e-6, folds=0, seed=3
    )
    assert late.stopped == "time"
    assert len(late.points) == 10
    assert late.estimate > 1e-9


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(InputError, match="target"):
        adaptive_fit("y", "", BOX, leaky, target=0.0)
    with pytest.raises(InputError, match="below the 20 of the start"):
        adaptive_fit("y", "", BOX, leaky, target=0.1, initial=20, most=10)
    with pytest.raises(InputError, match="not finite"):
        adaptive_fit("y", "", BOX, lambda x: np.full(len(x), np.nan), target=0.1)


def test_columns_are_simulated_and_answered_by_the_cache(tmp_path: Path) -> None:
    technology = load_technology("generic28", "open45")
    cache = Cache(tmp_path)
    bench = ColumnBench(technology, lambda g, s: extract(g, s, method="formula"), workers=1, cache=cache)
    at = {"vdd": 1.0, "temperature": 27.0, "reset_width": 0.12e-6, "sense_capacitance": 2e-15, "row_pitch": 2e-7}
    points = COLUMN_BOX.points({"rows": [4, 8], **at})
    one, two = bench.run(COLUMN_BOX, points), bench.run(COLUMN_BOX, points)
    assert (one.simulations, one.fresh, two.fresh) == (6, 6, 0)
    assert (one.lsb == two.lsb).all()
    assert (one.static > 0).all()
    # The exact linear column has no junctions: it reads a few per cent more than ngspice with transistors.
    for lsb, rows in zip(one.lsb, (4, 8), strict=True):
        model = bench.model(2e-7)
        periphery = replace(default_periphery(technology.devices, kind="ideal"), sense_capacitance=2e-15)
        bits = np.zeros((rows, 3), dtype=np.uint8)
        levels = []
        for count in (0, rows):
            bits[:count, 1] = 1
            case = ColumnStimulus(bits=bits, inputs=np.ones(rows, dtype=np.uint8), columns_total=32)
            levels.append(reference_column(model, periphery, Condition("tt", 1.0, 27.0), case).value)
        ideal = (levels[1] - levels[0]) / rows
        assert 0.85 * ideal < lsb < ideal
    with pytest.raises(InputError, match="column bench"):
        bench.run(BOX, np.ones((1, 2)))

"""Surrogate models: an independent process, known functions, honest intervals, files that come back exactly."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from characterization.models.box import Domain, DomainInput
from characterization.models.form import Form, fit_form, register_form
from characterization.models.gaussian_process import GaussianProcess, Hyperparameters, fit_gaussian_process
from characterization.models.surrogate import SurrogateModel, fit_surrogate, interval_scale, load_surrogate
from interconnect.arrays import FloatArray
from interconnect.errors import InputError

BOX = Domain(
    (
        DomainInput("voltage", 0.05, 0.5, "V"),
        DomainInput("resistance", 1e5, 1e7, "ohm", log=True),
        DomainInput("temperature", -40.0, 125.0, "degC"),
    )
)
OHM = Form("ohm", {"series": 1e4})


def current(x: FloatArray) -> FloatArray:
    """A resistor with a series resistance and a temperature coefficient that the closed form does not know."""
    v, r, t = x.T
    return np.asarray(v / (r * (1 + 1e-3 * (t - 27) + 2e-6 * (t - 27) ** 2) + 1e4 * (1 + 0.3 * v)))


@pytest.fixture(scope="module")
def model() -> SurrogateModel:
    x = BOX.latin_hypercube(60, seed=1)
    return fit_surrogate("current", "A", BOX, x, current(x), form=OHM, seed=1, source="test")


def test_the_process_equals_an_independent_one() -> None:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Matern, WhiteKernel

    rng = np.random.default_rng(0)
    x, at = rng.random((30, 2)), rng.random((10, 2))
    y = np.sin(5 * x[:, 0]) + x[:, 1]
    for smooth, shape in ((True, RBF([0.3, 0.8])), (False, Matern([0.3, 0.8], nu=2.5))):
        own = GaussianProcess.conditioned(Hyperparameters(1.7, (0.3, 0.8), 1e-3, smooth), x, y, 0.0, 1.0)
        kernel = ConstantKernel(1.7) * shape + WhiteKernel(1e-3)
        other = GaussianProcessRegressor(kernel, optimizer=None, alpha=1.7e-10).fit(x, y)
        mean, std = other.predict(at, return_std=True)
        assert own.predict(at)[0] == pytest.approx(mean, abs=1e-9)
        # scikit-learn's deviation holds the noise kernel, ours tells the two apart
        assert np.hypot(own.predict(at)[1], own.noise) == pytest.approx(std, rel=1e-6)


def test_the_gradient_of_the_warped_kernel() -> None:
    from characterization.models.warped_kernel import WarpedKernel

    x = np.random.default_rng(0).random((6, 3))
    for smooth in (True, False):
        kernel = WarpedKernel(1.3, np.array([0.3, 0.7, 1.0]), np.exp([1.2, -0.8, 0.0]), smooth)
        _, gradient = kernel(x, eval_gradient=True)
        for i in range(7):
            step = 1e-5 * (np.arange(7) == i)
            low, high = (kernel.clone_with_theta(kernel.theta + s)(x) for s in (-step, step))
            assert gradient[:, :, i] == pytest.approx((high - low) / 2e-5, abs=1e-7)


def test_leaving_points_out_in_closed_form() -> None:
    rng = np.random.default_rng(2)
    x = rng.random((25, 2))
    y = np.cos(4 * x[:, 0] * x[:, 1])
    hyper = Hyperparameters(1.0, (0.4, 0.5), 1e-4)
    error, sigma = GaussianProcess.conditioned(hyper, x, y, 0.1, 2.0).left_out()
    for i in (0, 7, 24):
        keep = np.arange(25) != i
        part = GaussianProcess.conditioned(hyper, x[keep], y[keep], 0.1, 2.0)
        mean, spread = part.predict(x[[i]])
        assert error[i] == pytest.approx(y[i] - mean[0], rel=1e-5)
        assert sigma[i] == pytest.approx(np.hypot(spread[0], part.noise), rel=1e-5)


def test_noise_is_told_from_the_curve() -> None:
    rng = np.random.default_rng(3)
    x = rng.random((300, 1))
    process = fit_gaussian_process(x, np.sin(6 * x[:, 0]) + 0.1 * rng.standard_normal(300), seed=0)
    assert process.noise == pytest.approx(0.1, rel=0.15)  # what was put in
    assert process.predict(x)[1].max() < 0.06  # 300 points know the curve better than one


def test_a_law_and_its_residual(model: SurrogateModel) -> None:
    x = BOX.uniform(500, seed=9)
    predicted = model.predict(x)
    error = np.abs(predicted.mean / current(x) - 1)
    assert np.sqrt(np.mean(error**2)) < 2e-3
    assert model.quality is not None
    assert np.sqrt(np.mean((predicted.mean - current(x)) ** 2)) < 3 * model.quality.rms
    assert model(x) == pytest.approx(predicted.mean, rel=1e-12)
    # without the law the process has to learn two decades by itself
    points = BOX.latin_hypercube(60, seed=1)
    plain = fit_surrogate("current", "A", BOX, points, current(points), folds=0, seed=1)
    assert np.sqrt(np.mean((plain(x) / current(x) - 1) ** 2)) > 5 * np.sqrt(np.mean(error**2))


def test_intervals_hold_what_they_say() -> None:
    rng = np.random.default_rng(4)

    def noisy(x: FloatArray) -> FloatArray:
        return np.asarray(current(x) * np.exp(0.02 * rng.standard_normal(len(x))))

    x = BOX.latin_hypercube(200, seed=5)
    fitted = fit_surrogate("current", "A", BOX, x, noisy(x), form=OHM, folds=5, restarts=0, seed=2)
    at = BOX.uniform(2000, seed=6)
    p, y = fitted.predict(at), noisy(at)
    assert 0.93 < np.mean((p.low <= y) & (y <= p.high)) < 0.97
    assert p.noise == pytest.approx(0.02 * p.mean, rel=0.2)
    assert (p.sigma < p.noise).all()
    assert fitted.quality is not None
    assert 0.91 < fitted.quality.coverage < 0.985


def test_the_scale_is_an_order_statistic() -> None:
    # |z| = 1, 2, ..., 100 times 0.0196: rank ceil(0.95 * 101) = 96
    assert interval_scale(np.arange(1, 101) * 0.0195996) == pytest.approx(0.96, rel=1e-4)
    z = np.random.default_rng(0).standard_normal(100_000)
    assert interval_scale(z) == pytest.approx(1.0, abs=0.01)
    assert interval_scale(3 * z) == pytest.approx(3.0, abs=0.03)


def test_extrapolation_is_refused_or_labelled(model: SurrogateModel) -> None:
    at = np.array([[0.2, 1e6, 27.0], [0.2, 2e7, 27.0]])
    with pytest.raises(InputError) as caught:
        model.predict(at)
    text = str(caught.value)
    for part in ("resistance", "2e+07 ohm", "100000 to 1e+07 ohm"):
        assert part in text
    with pytest.raises(InputError, match="resistance"):
        model(at)
    told = model.predict(at, allow=True)
    assert told.extrapolated.tolist() == [False, True]
    assert "1 of 2 points extrapolated" in told.label
    assert "inside" in model.predict(at[:1]).label
    assert told.sigma[1] / told.mean[1] > told.sigma[0] / told.mean[0]
    with pytest.raises(InputError, match="must be positive"):
        model.predict([[0.2, -1.0, 27.0]], allow=True)


def test_a_file_comes_back_exactly(model: SurrogateModel, tmp_path: Path) -> None:
    back = load_surrogate(model.save(tmp_path / "m.json"))
    x = BOX.uniform(200, seed=7)
    one, two = model.predict(x), back.predict(x)
    for name in ("mean", "sigma", "low", "high"):
        assert getattr(two, name) == pytest.approx(getattr(one, name), rel=1e-12, abs=0.0)
    assert back.quality == model.quality
    assert (back.quantity, back.unit, back.box, back.source) == ("current", "A", BOX, "test")
    assert back.to_json() == model.to_json()
    points = BOX.latin_hypercube(60, seed=1)
    again = fit_surrogate("current", "A", BOX, points, current(points), form=OHM, seed=1, source="test")
    assert again.to_json() == model.to_json()  # the same seed gives the same model


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": "other"}, "not a surrogate model"),
        ({"points": [[0.1, 0.2]]}, "shape"),
        ({"kernel": {}}, "missing"),
        ({"interval_scale": -1.0}, "wrong type"),
        ({"residuals": ["x"]}, "wrong type"),
        ({"form": {"name": "os.system", "parameters": {}, "combine": "add"}}, "unknown closed form"),
        ({"inputs": [{"name": "x\ny"}]}, "not a list of"),
        ({"quality": {"points": 1}}, "unexpected keys"),
        ({"interval_scale": 10**400}, "wrong type"),
        ({"inputs": [{"name": "x", "low": 0, "high": 10**400, "unit": "", "log": False, "integer": False}]}, "wrong"),
        ({"centre": float("nan")}, "not finite"),
        ({"points": [[0.5, 0.5, "1_000"]], "residuals": [0.0]}, "outside of the domain"),
        ({"spread": 1e-300}, "do not fit centre and spread"),
        ({"points": [[0.5, 0.5, 0.5]] * 4001, "residuals": [0.0] * 4001}, "shape"),
    ],
)
def test_damaged_files_are_refused(model: SurrogateModel, change: dict[str, object], told: str, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(json.dumps({**model.to_json(), **change}))
    with pytest.raises(InputError, match=told):
        load_surrogate(path)
    path.write_text("{")
    with pytest.raises(InputError, match="not a JSON document"):
        load_surrogate(path)


def test_forms_are_fitted_and_refused() -> None:
    x = BOX.uniform(50, seed=3)
    named = BOX.named(x)
    true = replace(OHM, parameters={"series": 3.3e4})
    assert fit_form(OHM, named, true(named), ["series"]).parameters["series"] == pytest.approx(3.3e4, rel=1e-6)
    register_form("test_line", lambda inputs, p: p["slope"] * inputs["voltage"])
    line = Form("test_line", {"slope": -1.0}, "add")
    assert fit_form(line, named, -2.0 * x[:, 0], ["slope"]).parameters["slope"] == pytest.approx(-2.0, rel=1e-6)
    with pytest.raises(InputError, match="differ in sign"):
        OHM.residual(named, -true(named))
    with pytest.raises(InputError, match=r"charge_divider.*row_pitch|row_pitch"):
        Form("charge_divider", {})(named)
    with pytest.raises(InputError, match="unknown closed form"):
        Form("ohms")


def test_boxes_and_points() -> None:
    x = BOX.latin_hypercube(20, seed=0)
    assert np.sort(np.floor(BOX.unit(x) * 20), axis=0).tolist() == np.tile(np.arange(20.0)[:, None], 3).tolist()
    assert BOX.from_unit(BOX.unit(x)) == pytest.approx(x, rel=1e-12)
    whole = Domain((DomainInput("rows", 4, 32, log=True, integer=True),))
    assert set(np.unique(whole.uniform(500, 0) % 1)) == {0.0}
    assert BOX.points({"voltage": 0.1, "resistance": [1e5, 1e6], "temperature": 27}).shape == (2, 3)
    with pytest.raises(InputError, match="voltage"):
        BOX.points({"voltag": 0.1})
    with pytest.raises(InputError, match="too few"):
        fit_surrogate("y", "", BOX, x[:8], np.ones(8))
    with pytest.raises(InputError, match="positive range"):
        DomainInput("x", 0.0, 1.0, log=True)


def test_a_constant_quantity_is_no_trouble() -> None:
    x = BOX.latin_hypercube(30, seed=0)
    flat = fit_surrogate("y", "V", BOX, x, np.full(30, 0.7), folds=5)
    assert flat(x) == pytest.approx(np.full(30, 0.7), rel=1e-9)

"""A fitted model with error bars: a closed form first, then a Gaussian process on what it leaves over.

value = form * exp(g) or form + g; g is the process. Its standard deviation is calibrated on points that were held out,
and split in two: what the curve may still be (model), and what single observations scatter about it (noise).
"""

import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from characterization.models.box import Domain
from characterization.models.form import Form
from characterization.models.gaussian_process import (
    GaussianProcess,
    Hyperparameters,
    check_hyperparameters,
    fit_gaussian_process,
)
from interconnect.arrays import BoolArray, FloatArray
from interconnect.errors import InputError, SolverError
from interconnect.files import atomic_write_text, read_text

FORMAT = "metalrom surrogate 1"
TWO_SIDED_95 = 1.959963984540054
"""Standard normal quantile of 97.5 %."""
_LARGEST_FILE = 64_000_000
MAX_POINTS = 4000
"""Points of a model file: reading it factors a matrix of so many rows and columns."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """mean, sigma, noise, low, high: shape (points,), unit of the quantity.

    sigma: of the model (how well the curve is known); noise: of an observation about the curve. low, high: interval
    that holds 95 % of observations. extrapolated: points outside of the domain; what is said there was never checked.
    """

    mean: FloatArray
    sigma: FloatArray
    noise: FloatArray
    low: FloatArray
    high: FloatArray
    extrapolated: BoolArray

    @property
    def label(self) -> str:
        """What the numbers are, in words."""
        bad = int(self.extrapolated.sum())
        if not bad:
            return "inside of the validity domain"
        return f"{bad} of {len(self.mean)} points extrapolated: outside of the validity domain, error not checked"


@dataclass(frozen=True, slots=True)
class SurrogateQuality:
    """From points that were held out, fold by fold (fit, hyperparameters included, without them).

    rms, p95, largest: errors in the quantity's unit. relative_rms, relative_p95, relative_largest: of the quantity's
    own value; NaN for quantities that change their sign. raw_coverage: share of held-out points inside the
    uncalibrated 95 % interval; coverage: inside the calibrated one, the calibration taken from the other folds.
    scale: factor on the process's standard deviation that makes the interval hold 95 %.
    """

    points: int
    folds: int
    rms: float
    p95: float
    largest: float
    relative_rms: float
    relative_p95: float
    relative_largest: float
    raw_coverage: float
    coverage: float
    scale: float


@dataclass(frozen=True)
class SurrogateModel:
    """One quantity over a box of inputs. Refuses to extrapolate unless asked to; then it says so."""

    quantity: str
    unit: str
    box: Domain
    form: Form
    process: GaussianProcess
    scale: float
    quality: SurrogateQuality | None = None
    seed: int = 0
    source: str = ""

    def predict(self, points: ArrayLike, *, allow: bool = False) -> Prediction:
        """At points (points, inputs), SI units. allow: extrapolate, and label it.

        Raises InputError for a point outside of the domain (naming input, value and domain) or where the form fails.
        """
        x = self.box.checked(points)
        outside: BoolArray = np.asarray(self.box.outside(x).any(axis=1))
        if not allow:
            self.box.refuse_outside(x)
        unit = self.box.unit(x)
        if not np.isfinite(unit).all():
            raise InputError("a logarithmic input must be positive", where=f"model of {self.quantity}")
        middle, sigma = self.process.predict(unit)
        named = self.box.named(x)
        sigma = self.scale * sigma
        noise = np.full_like(sigma, self.scale * self.process.noise)
        half = TWO_SIDED_95 * np.hypot(sigma, noise)
        mean = self.form.value(named, middle)
        ends = np.sort([self.form.value(named, middle - half), self.form.value(named, middle + half)], axis=0)
        unit_of_g = np.abs(mean) if self.form.combine == "multiply" else 1.0
        return Prediction(mean, sigma * unit_of_g, noise * unit_of_g, ends[0], ends[1], outside)

    def __call__(self, points: ArrayLike) -> FloatArray:
        """Mean alone, shape (points,); refuses to extrapolate."""
        x = self.box.checked(points)
        self.box.refuse_outside(x)
        return self.form.value(self.box.named(x), self.process.mean(self.box.unit(x)))

    def to_json(self) -> dict[str, Any]:
        """Plain values; floats keep every digit. The factor is not among them: reading computes it again."""
        h = self.process.hyper
        return {
            "format": FORMAT,
            "quantity": self.quantity,
            "unit": self.unit,
            "inputs": self.box.to_json(),
            "form": self.form.to_json(),
            "kernel": {
                "amplitude": h.amplitude,
                "lengths": list(h.lengths),
                "warps": list(h.warps),
                "noise": h.noise,
                "family": "squared exponential" if h.smooth else "matern 5/2",
            },
            "centre": self.process.centre,
            "spread": self.process.scale,
            "points": self.process.x.tolist(),
            "residuals": self.process.y.tolist(),
            "interval_scale": self.scale,
            "quality": None if self.quality is None else _finite(asdict(self.quality)),
            "seed": self.seed,
            "source": self.source,
        }

    def save(self, path: str | Path) -> Path:
        """Write the model as JSON, all at once."""
        return atomic_write_text(path, json.dumps(self.to_json(), allow_nan=False))


_ROUNDING = 1e-6
"""By which a point in the unit box of its domain may leave it."""
_LARGEST_RESIDUAL = 1e6
"""In their own deviations: of n values none is farther from the mean than the root of n."""


def load_surrogate(path: str | Path) -> SurrogateModel:
    """Read a model file. Raises InputError naming the file and what is wrong in it."""
    try:
        data = json.loads(read_text(path, limit=_LARGEST_FILE))
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("is not a JSON document", where=str(path)) from None
    try:
        return surrogate_from_json(data)
    except InputError as error:
        raise InputError(error.what, where=f"{path}: {error.where or 'model'}", hint=error.hint) from None


def surrogate_from_json(data: Any) -> SurrogateModel:
    """Inverse of `SurrogateModel.to_json`. Raises InputError for anything that it did not write."""
    where = "model file"
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InputError("is not a surrogate model", where=where, hint=f"format must be {FORMAT!r}")
    try:
        kernel = data["kernel"]
        box, form = Domain.from_json(data["inputs"]), Form.from_json(data["form"])
        family = ("matern 5/2", "squared exponential").index(kernel["family"])
        lengths = tuple(float(v) for v in kernel["lengths"])
        warps = tuple(float(v) for v in kernel["warps"])
        hyper = Hyperparameters(float(kernel["amplitude"]), lengths, float(kernel["noise"]), bool(family), warps)
        x, y = np.array(data["points"], dtype=np.float64), np.array(data["residuals"], dtype=np.float64)
        centre, spread, scale = (float(data[key]) for key in ("centre", "spread", "interval_scale"))
        texts = [data[key] for key in ("quantity", "unit", "source")]
        seed, quality = data["seed"], _quality(data["quality"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"a key is missing or of the wrong type ({error})", where=where) from None
    check_hyperparameters(hyper, box.dims)
    if x.ndim != 2 or x.shape[1] != box.dims or y.shape != (len(x),) or not 1 <= len(x) <= MAX_POINTS:
        raise InputError(f"points have shape {x.shape} and residuals {y.shape}", where=where)
    if not (np.isfinite(x).all() and np.isfinite(y).all() and np.isfinite([centre, spread, scale]).all()):
        raise InputError("a number is not finite", where=where)
    if not (spread > 0 and scale > 0) or not all(isinstance(t, str) for t in texts) or not isinstance(seed, int):
        raise InputError("spread, interval_scale, seed or a text has the wrong type", where=where)
    if np.abs(x - 0.5).max() > 0.5 + _ROUNDING:
        raise InputError("a point lies outside of the domain", where=where)
    with np.errstate(over="ignore"):
        if np.abs((y - centre) / spread).max() > _LARGEST_RESIDUAL:
            raise InputError("the residuals do not fit centre and spread, their mean and deviation", where=where)
    try:
        process = GaussianProcess.conditioned(hyper, x, y, centre, spread)
    except SolverError as error:
        raise InputError(str(error), where=where) from None
    quantity, unit, source = texts
    return SurrogateModel(quantity, unit, box, form, process, scale, quality, seed, source)


def fit_surrogate(
    quantity: str,
    unit: str,
    box: Domain,
    points: ArrayLike,
    values: ArrayLike,
    *,
    form: Form | None = None,
    folds: int = 10,
    smooth: bool = True,
    restarts: int = 1,
    start: Hyperparameters | None = None,
    seed: int = 0,
    source: str = "",
) -> SurrogateModel:
    """Fit a model to values (points,) at points (points, inputs) inside of the box.

    form: closed form, by default the constant 0 to which the process adds. folds: of the cross-validation that gives
    the quality and the interval's scale; each fold fits its own hyperparameters. 0: no quality, and the scale comes
    from leaving single points out in closed form (cheap, for use inside of a loop). start: where to begin.
    Raises InputError for points outside of the box, values that are not finite, or fewer points than 4 per input.
    """
    x, y = box.checked(points), np.asarray(values, dtype=np.float64)
    where = f"model of {quantity}"
    box.refuse_outside(x)
    if y.shape != (len(x),) or not np.isfinite(y).all():
        raise InputError(f"values have shape {y.shape} for {len(x)} points, or are not finite", where=where)
    if len(x) < max(4 * box.dims, 2 * folds) or folds == 1:
        raise InputError(
            f"{len(x)} points are too few for {box.dims} inputs and {folds} folds",
            where=where,
            hint="4 per input at least",
        )
    law = form or Form("constant", {"value": 0.0}, "add")
    unit_x, residual = box.unit(x), law.residual(box.named(x), y)
    process = fit_gaussian_process(unit_x, residual, seed=seed, smooth=smooth, restarts=restarts, start=start)
    if folds == 0:
        error, sigma = process.left_out()
        return SurrogateModel(quantity, unit, box, law, process, interval_scale(error / sigma), None, seed, source)
    fold = np.random.default_rng([seed, 14]).permutation(np.arange(len(x)) % folds)
    score, mean = np.empty(len(x)), np.empty(len(x))
    for k in range(folds):
        test = fold == k
        part = fit_gaussian_process(
            unit_x[~test], residual[~test], seed=seed, smooth=smooth, restarts=0, start=process.hyper
        )
        middle, sigma = part.predict(unit_x[test])
        score[test] = (residual[test] - middle) / np.hypot(sigma, part.noise)
        mean[test] = law.value(box.named(x[test]), middle)
    inside = [np.abs(score[fold == k]) <= TWO_SIDED_95 * interval_scale(score[fold != k]) for k in range(folds)]
    error = np.abs(mean - y)
    one_sign = bool((y > 0).all() or (y < 0).all())
    relative = error / np.abs(y) if one_sign else np.full(len(y), np.nan)
    scale = interval_scale(score)
    quality = SurrogateQuality(
        points=len(x),
        folds=folds,
        rms=float(np.sqrt(np.mean(error**2))),
        p95=float(np.quantile(error, 0.95)),
        largest=float(error.max()),
        relative_rms=float(np.sqrt(np.mean(relative**2))),
        relative_p95=float(np.quantile(relative, 0.95)),
        relative_largest=float(relative.max()),
        raw_coverage=float(np.mean(np.abs(score) <= TWO_SIDED_95)),
        coverage=float(np.mean(np.concatenate(inside))),
        scale=scale,
    )
    return SurrogateModel(quantity, unit, box, law, process, scale, quality, seed, source)


def interval_scale(score: FloatArray) -> float:
    """Factor on sigma that lets 95 % of these held-out errors over sigma (points,) lie inside of 1.96 sigma.

    The (n + 1) 95 % order statistic of split-conformal prediction (Lei et al., JASA 2018); the largest one where
    there are fewer than 19 points.
    """
    ordered = np.sort(np.abs(score))
    rank = min(math.ceil(0.95 * (len(ordered) + 1)), len(ordered))
    return max(float(ordered[rank - 1]) / TWO_SIDED_95, 1e-6)


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    """NaN is no JSON: it becomes null."""
    return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in values.items()}


def _quality(data: Any) -> SurrogateQuality | None:
    if data is None:
        return None
    names = [f.name for f in fields(SurrogateQuality)]
    if set(data) != set(names):
        raise InputError("its quality has unexpected keys", where="model file")
    values: dict[str, Any] = {n: float("nan") if data[n] is None else float(data[n]) for n in names}
    return SurrogateQuality(**{**values, "points": int(data["points"]), "folds": int(data["folds"])})

"""Sampling that simulates next where the fit is least sure, until a requested relative error or a bound is reached.

Every round fits, asks a pool of candidates how unsure the model is there, and takes a batch. Within the batch each
pick shrinks the variance around it (exactly: a Gaussian process's variance needs no value), so that picks keep their
distance. A stationary process knows nothing of places that are harder than others: its sigma is weighed with how wrong
the points nearby were when they were left out.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.spatial.distance import cdist

from characterization.models.box import Domain
from characterization.models.form import Form, fit_form
from characterization.models.surrogate import TWO_SIDED_95, SurrogateModel, fit_surrogate, interval_scale
from interconnect.arrays import FloatArray
from interconnect.errors import InputError

Simulate = Callable[[FloatArray], FloatArray]
"""Points (points, inputs), SI units -> values (points,)."""

POOL = 3000
"""Candidates of a round."""
_RECENT = 60
"""Latest points whose surprise, before the fit saw them, tells how honest its sigma is."""


@dataclass(frozen=True, slots=True)
class Round:
    """State after a fit. estimate: predicted relative error, as the stop sees it; surprise: rms of the batch's errors
    over their predicted sigma, before the fit saw them (NaN at first); seconds since the start."""

    points: int
    estimate: float
    surprise: float
    seconds: float


@dataclass(frozen=True)
class AdaptiveResult:
    """The model (with cross-validated quality), its points (points, inputs) and values (points,), and the way there.

    stopped: `target` (reached), `count` or `time` (bound hit first: the estimate is above the target).
    """

    model: SurrogateModel
    points: FloatArray
    values: FloatArray
    rounds: tuple[Round, ...]
    stopped: Literal["target", "count", "time"]

    @property
    def estimate(self) -> float:
        """Predicted relative error of the last fit."""
        return self.rounds[-1].estimate


def adaptive_fit(
    quantity: str,
    unit: str,
    box: Domain,
    simulate: Simulate,
    *,
    target: float,
    form: Form | None = None,
    free: tuple[str, ...] = (),
    quantile: float = 0.95,
    initial: int | None = None,
    batch: int = 6,
    most: int = 400,
    seconds: float = 600.0,
    folds: int = 10,
    seed: int = 0,
    source: str = "",
    watch: Callable[[SurrogateModel, Round], None] | None = None,
) -> AdaptiveResult:
    """Simulate and fit until `quantile` of the box is predicted to within the relative error `target`.

    form, free: closed form and those of its parameters that each round fits. initial: points of the Latin hypercube to
    begin with, 4 per input by default. most, seconds: bounds on points and wall time, checked before every batch. The
    points follow from the seed alone, so that a run that was cut short and is started again asks for the same ones and
    goes on from the simulation cache. watch: called after every fit.
    The estimate is the quantile of |error| that the calibrated sigma predicts over the box, and needs two rounds in a
    row below the target. Raises InputError for impossible bounds.
    """
    first = initial or 4 * box.dims
    if not (0 < target < 1 and 0.5 <= quantile < 1 and batch >= 1 and seconds > 0):
        raise InputError(
            "target and quantile must lie below 1, batch and seconds above 0", where=f"model of {quantity}"
        )
    if first < 4 * box.dims or most < first:
        raise InputError(
            f"the limit of {most} points is below the {first} of the start",
            where=f"model of {quantity}",
            hint="4 per input at least",
        )
    began = time.monotonic()
    x = box.latin_hypercube(first, seed)
    y = _simulated(simulate, x)
    rounds: list[Round] = []
    surprises = np.empty(0)
    latest = np.empty(0)
    model: SurrogateModel | None = None
    below = 0
    stopped: Literal["target", "count", "time"]
    while True:
        law = fit_form(form, box.named(x), y, free) if form and free else form
        model = fit_surrogate(
            quantity, unit, box, x, y,
            form=law, folds=0, restarts=0 if model else 2, start=model.process.hyper if model else None, seed=seed,
        )  # fmt: skip
        scale = max(model.scale, interval_scale(surprises[-_RECENT:]) if len(surprises) >= 2 * batch else 0.0)
        probe = box.uniform(POOL, _round_seed(seed, len(rounds)))
        estimate = _relative_error(model, probe, scale, quantile, seed)
        surprise = float(np.sqrt(np.mean(latest**2))) if len(latest) else float("nan")
        rounds.append(Round(len(x), estimate, surprise, time.monotonic() - began))
        if watch:
            watch(model, rounds[-1])
        below = below + 1 if estimate <= target else 0
        if below >= 2:
            stopped = "target"
            break
        if len(x) >= most:
            stopped = "count"
            break
        if time.monotonic() - began > seconds:
            stopped = "time"
            break
        chosen = next_batch(model, probe, min(batch, most - len(x)))
        message = model.process.predict(box.unit(chosen))
        value = _simulated(simulate, chosen)
        residual = model.form.residual(box.named(chosen), value)
        latest = (residual - message[0]) / np.hypot(message[1], model.process.noise)
        surprises = np.concatenate([surprises, latest])
        x, y = np.concatenate([x, chosen]), np.concatenate([y, value])
    final = fit_surrogate(
        quantity, unit, box, x, y,
        form=model.form, folds=folds, restarts=0, start=model.process.hyper, seed=seed, source=source,
    )  # fmt: skip
    # Points that were chosen because the fit was unsure there tell more than the folds; the wider one counts.
    return AdaptiveResult(replace(final, scale=max(final.scale, scale)), x, y, tuple(rounds), stopped)


def next_batch(model: SurrogateModel, candidates: FloatArray, count: int, *, local: float = 1.0) -> FloatArray:
    """`count` of the candidates (points, inputs) at which the fit is least sure, distances kept; shape (count, inputs).

    The merit is variance x local difficulty^(2 local); after every pick the variances are those that they would be with
    the pick simulated: v - c^2 / (v_pick + noise).
    """
    u = model.box.unit(candidates)
    process = model.process
    sigma = process.predict(u)[1] / process.scale
    # The most promising ones alone: a full covariance of the pool would cost its square.
    weight = _difficulty(model, u) ** (2.0 * local)
    if model.form.combine == "add":
        value = np.abs(model.form.value(model.box.named(candidates), process.mean(u)))
        weight = weight / np.maximum(value, 1e-3 * np.max(value)) ** 2
    keep = np.argsort(-(sigma**2) * weight)[:400]
    u, weight = u[keep], weight[keep]
    covariance = process.covariance(u, u)
    variance = np.maximum(np.diag(covariance), 0.0).copy()
    noise = process.hyper.noise + 1e-9 * process.hyper.amplitude
    picked: list[int] = []
    for _ in range(count):
        merit = variance * weight
        merit[picked] = -1.0
        k = int(np.argmax(merit))
        picked.append(k)
        column = covariance[:, k] / np.sqrt(max(covariance[k, k], 0.0) + noise)
        covariance = covariance - np.outer(column, column)
        variance = np.maximum(np.diag(covariance), 0.0).copy()
    return np.asarray(candidates[keep[picked]])


def _difficulty(model: SurrogateModel, u: FloatArray) -> FloatArray:
    """Rms of the left-out errors over their sigma next to u (points, inputs), over that of all points; 0.2 to 5."""
    process = model.process
    error, sigma = process.left_out()
    z2 = np.minimum((error / sigma) ** 2, 25.0)
    known, asked = process.hyper.stretched(process.x), process.hyper.stretched(u)
    among = cdist(known, known, "sqeuclidean")
    np.fill_diagonal(among, np.inf)
    reach = np.median(among.min(axis=1))  # how far apart neighbours are
    d2 = cdist(asked, known, "sqeuclidean")
    near = np.exp(-0.5 * (d2 - d2.min(axis=1, keepdims=True)) / max(float(reach), 1e-12))
    local = (near @ z2) / near.sum(axis=1)
    return np.asarray(np.clip(np.sqrt(local / max(float(np.mean(z2)), 1e-12)), 0.2, 5.0))


def _relative_error(model: SurrogateModel, probe: FloatArray, scale: float, quantile: float, seed: int) -> float:
    """Quantile over the box of the relative error that the calibrated sigma predicts."""
    predicted = model.predict(probe)
    sigma = predicted.sigma * (scale / model.scale) / np.maximum(np.abs(predicted.mean), 1e-300)
    z = np.abs(np.random.default_rng([seed, 15]).standard_normal(len(sigma)))
    return float(np.quantile(z * sigma, quantile))


def _simulated(simulate: Simulate, points: FloatArray) -> FloatArray:
    y = np.asarray(simulate(points), dtype=np.float64)
    if y.shape != (len(points),) or not np.isfinite(y).all():
        raise InputError(f"the simulation gave shape {y.shape} for {len(points)} points, or values that are not finite")
    return y


def _round_seed(seed: int, index: int) -> int:
    return int(np.random.SeedSequence([seed, 16, index]).generate_state(1)[0])


__all__ = ["TWO_SIDED_95", "AdaptiveResult", "Round", "adaptive_fit", "next_batch"]

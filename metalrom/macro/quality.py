"""How good a macro's output is: CSNR with and without a fit, effective bits."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interconnect.errors import InputError


@dataclass(frozen=True, slots=True)
class Csnr:
    """Compute SNR of a layer, dB (infinite when the outputs agree exactly).

    raw: no fit, Var(y_ideal) / mean((y - y_ideal)^2). fitted: one gain and one offset of the whole layer removed,
    gain^2 Var(y_ideal) / Var(y - gain * y_ideal - offset): the error is referred to the ideal scale, so that a
    lost gain cannot shrink it. ENOB = (CSNR - 1.76) / 6.02 bits for either.
    """

    raw: float
    fitted: float
    gain: float
    offset: float

    @property
    def enob_raw(self) -> float:
        """Effective bits without fit."""
        return (self.raw - 1.76) / 6.02

    @property
    def enob_fitted(self) -> float:
        """Effective bits after the gain and offset fit."""
        return (self.fitted - 1.76) / 6.02


def csnr(y_ideal: NDArray[Any], y: NDArray[Any]) -> Csnr:
    """Compute signal-to-noise ratio of outputs, taken over all elements.

    Gain and offset are the least-squares line y = gain * y_ideal + offset: an output that only lost gain reads low in
    `raw`, high in `fitted`. An output that does not follow the ideal one at all has `fitted` = -inf.

    Parameters
    ----------
    y_ideal : NDArray
        Error-free outputs, any shape.
    y : NDArray
        Outputs, same shape.

    Returns
    -------
    Csnr
        Raw and fitted ratio in dB, gain and offset.

    Raises
    ------
    InputError
        If the shapes differ, a value is not finite, or y_ideal is constant.

    Examples
    --------
    >>> import numpy as np
    >>> from metalrom.macro import csnr
    >>> round(csnr(np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.1, 0.9, 2.1, 2.9])).raw, 2)
    20.97
    """
    ideal = np.asarray(y_ideal, dtype=np.float64).ravel()
    real = np.asarray(y, dtype=np.float64).ravel()
    if np.shape(y_ideal) != np.shape(y):
        raise InputError(f"csnr: outputs have shape {np.shape(y)}, the ideal ones {np.shape(y_ideal)}")
    if not (np.isfinite(ideal).all() and np.isfinite(real).all()):
        raise InputError("csnr: an output is not finite")
    signal = float(np.var(ideal)) if ideal.size else 0.0
    if signal == 0.0:
        raise InputError("csnr: the ideal output is constant, its signal power is zero")
    gain = float(np.mean((ideal - ideal.mean()) * (real - real.mean()))) / signal
    offset = float(real.mean() - gain * ideal.mean())
    if np.array_equal(ideal, real):
        return Csnr(raw=np.inf, fitted=np.inf, gain=1.0, offset=0.0)
    noise = float(np.mean((real - ideal) ** 2))
    residual = float(np.var(real - gain * ideal - offset))
    return Csnr(
        raw=_decibel(signal, noise),
        fitted=_decibel(gain**2 * signal, residual) if gain > 0 else -np.inf,
        gain=gain,
        offset=offset,
    )


def _decibel(signal: float, noise: float) -> float:
    return float(10.0 * np.log10(signal / noise)) if noise > 0 else float("inf")

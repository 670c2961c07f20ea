"""What a layer's conversions add to its outputs as noise: the mapping behind every tool that knows no table.

An output is y = sum over row groups, weight bits b, signs s and input bits k of s_b s_k 2^(b + k) code. A wrong code is
thus weighted with 4^(b + k) in power, and how often a code is wrong depends on the (driven rows, count) that this very
bit plane pair meets: high weight bits are sparse and their counts low, so one histogram over all planes would not do.
The error power of an output therefore has three parts, in squared integer output units:

systematic: mean code against count, the same in every conversion; added up before squaring;
frozen: what one chip repeats. A segment's deviation is one standard normal number z (see `metalrom.macro.engine`) and
    stays the same over the input bits, so its errors add in amplitude over k and in power over segments;
temporal: what every conversion draws anew; adds in power over everything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from interconnect.arrays import FloatArray
from metalrom.macro.readout import TEMPORAL_FLOOR, Readout
from metalrom.run.layer import StoredLayer

NODES = np.arange(-6.0, 6.01, 0.5)
"""Values of the frozen deviation (standard normal) at which codes are taken; the trapezoid rule over a Gaussian this
smooth and this wide is exact to better than 1e-6."""

LARGEST_SAMPLE = 32
"""Vectors and outputs of the layer that are looked at; evenly spread over them."""


@dataclass(frozen=True)
class OutputNoise:
    """Error power of one output of a layer, squared integer output units (weight LSB x activation LSB).

    signal: variance of the ideal output over the whole layer. groups: row groups that one output adds up; frozen and
    temporal grow in proportion to them. inputs: rows of the layer. mean_square_input: of the integer activations.
    """

    systematic: float
    frozen: float
    temporal: float
    signal: float
    groups: int
    inputs: int
    mean_square_input: float

    @property
    def power(self) -> float:
        """All parts together."""
        return self.systematic + self.frozen + self.temporal

    @property
    def csnr(self) -> float:
        """Var(y_ideal) / mean((y - y_ideal)^2) without a fit, dB, expected over chips and noise."""
        return float(10 * np.log10(self.signal / self.power)) if self.power > 0 else float("inf")


def code_moments(readout: Readout, places: NDArray[np.int32]) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of the code at every frozen deviation: shapes (nodes, places).

    places: indices (driven rows) * (N + 1) + (count). Converter offset and segment mismatch are taken as one frozen
    Gaussian.
    """
    level, frozen = readout.level.ravel()[places], np.hypot(readout.static, readout.offset_sigma).ravel()[places]
    temporal = np.maximum(readout.temporal.ravel()[places], TEMPORAL_FLOOR)[:, None]
    steps = readout.steps[places // (readout.rows + 1)]
    weight = 2.0 * np.arange(steps.shape[1]) + 1
    mean, square = np.empty((len(NODES), len(places))), np.empty((len(NODES), len(places)))
    for k, node in enumerate(NODES):
        above = ndtr(((level + node * frozen)[:, None] - steps) / temporal)
        # code = number of thresholds below the level, so E[code] = sum P(above k), E[code^2] = sum (2 k + 1) P(above k)
        mean[k], square[k] = above.sum(axis=1), above @ weight
    return mean, np.maximum(square - mean**2, 0.0)


def node_weights() -> FloatArray:
    """Probability of every node."""
    density = np.exp(-(NODES**2) / 2)
    out: FloatArray = density / density.sum()
    return out


@dataclass(frozen=True)
class SampledLayer:
    """What the conversions of a layer see.

    places: those indices (driven rows) * (N + 1) + (count) that occur; at: which of them, shape (groups, weight bits,
    2 signs, vectors, input bits, outputs). signal and mean_square_input as in OutputNoise.
    """

    rows: int
    places: NDArray[np.int32]
    at: NDArray[np.int32]
    inputs: int
    signal: float
    mean_square_input: float

    @classmethod
    def of(cls, layer: StoredLayer, rows: int, weight_bits: int, input_bits: int) -> SampledLayer:
        """At most LARGEST_SAMPLE vectors and outputs of `layer`, evenly spread, on groups of `rows` rows."""
        x = layer.activations[_spread(len(layer.activations))]
        w = layer.weights[:, _spread(layer.weights.shape[1])]
        groups = -(-len(w) // rows)
        pad = groups * rows - len(w)
        x_bits = np.stack([(np.pad(x, ((0, 0), (0, pad))) >> k) & 1 for k in range(input_bits)], axis=1)
        x_bits = x_bits.reshape(len(x), input_bits, groups, rows).astype(np.float32)
        padded = np.pad(w, ((0, pad), (0, 0))).reshape(groups, rows, -1)
        at = np.empty((groups, weight_bits - 1, 2, len(x), input_bits, w.shape[1]), np.int32)
        for g in range(groups):
            active = x_bits[:, :, g].sum(axis=2)[:, :, None] * (rows + 1)
            for s, part in enumerate((np.maximum(padded[g], 0), np.maximum(-padded[g], 0))):
                for b in range(weight_bits - 1):
                    at[g, b, s] = active + x_bits[:, :, g] @ ((part >> b) & 1).astype(np.float32)
        whole = layer.activations.astype(np.float64)
        places, found = np.unique(at, return_inverse=True)
        return cls(
            rows,
            places,
            found.reshape(at.shape).astype(np.int32),
            len(w),
            float(np.var(whole @ layer.weights)),
            float(np.mean(whole**2)),
        )

    def noise(self, readout: Readout) -> OutputNoise:
        """Expected error power of the outputs through conversions that behave as `readout` says."""
        groups, planes, _, vectors, bits, outputs = self.at.shape
        in_sign = 2.0 ** np.arange(bits) * np.where(np.arange(bits) == bits - 1, -1, 1)
        mean, variance = code_moments(readout, self.places)
        weight = node_weights()
        expected, noise = weight @ mean, weight @ variance
        wrong = expected - self.places % (self.rows + 1)
        deviation = mean - expected
        systematic = np.zeros((vectors, outputs))
        frozen = temporal = 0.0
        for g in range(groups):
            for b in range(planes):
                for s, sign in enumerate((1, -1)):
                    at = self.at[g, b, s]
                    systematic += sign * 2.0**b * np.einsum("k,tkc->tc", in_sign, wrong[at])
                    temporal += 4.0**b * float(np.einsum("k,tkc->", in_sign**2, noise[at])) / systematic.size
                    for share, shift in zip(weight.tolist(), deviation, strict=True):
                        repeated = np.einsum("k,tkc->tc", in_sign, shift[at])
                        frozen += share * 4.0**b * float(np.mean(repeated**2))
        return OutputNoise(
            systematic=float(np.mean(systematic**2)),
            frozen=frozen,
            temporal=temporal,
            signal=self.signal,
            groups=groups,
            inputs=self.inputs,
            mean_square_input=self.mean_square_input,
        )


def _spread(number: int) -> NDArray[np.intp]:
    """At most LARGEST_SAMPLE indices, evenly spread over `number`."""
    return np.unique(np.linspace(0, number - 1, min(number, LARGEST_SAMPLE)).astype(np.intp))

"""A network's ternary layers with the digits that a faulty chip reads: their exact product, their branch, their error.

The layer's product is the integer product of the faulty digits, exactly, times the scales of the file; the branch of
`metalrom.studies.respin.patch` gets the same integer activations, its sums are not rounded, and is added before the
scale of the token and the bias. What a macro errs beside its faults is not in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interconnect.arrays import FloatArray, IntArray
from interconnect.errors import InputError
from metalrom.macro.via_faults import Digits
from metalrom.macro.via_yield import FaultShares
from metalrom.studies.accuracy.native import ExactBlocks, native_planes_of
from metalrom.studies.respin.patch import Patch
from metalrom.workloads.networks.bert import SECOND_PLANE
from metalrom.workloads.networks.linear import LinearLayer
from netlists.weights import BlockWeights


def plane_names(layer: LinearLayer) -> tuple[str, ...]:
    """Names of the layer's matrices in its file, plane by plane."""
    stored = f"{layer.name}.weight"
    return (stored, *(stored + SECOND_PLANE for _ in layer.further))


def faulty_planes(layer: LinearLayer, digits: Mapping[str, Digits]) -> tuple[BlockWeights, ...]:
    """The layer's planes with the digits of a chip in place of those of the same name.

    Raises InputError for digits of another shape, or a layer without blocks.
    """
    found = []
    for name, plane in zip(plane_names(layer), native_planes_of(layer), strict=True):
        read = digits.get(name, plane.integers)
        if read.shape != plane.shape:
            raise InputError(f"faulty digits of {name} have shape {read.shape}, expected {plane.shape}")
        found.append(replace(plane, integers=read.astype(np.int8)))
    return tuple(found)


def real_weights(planes: tuple[BlockWeights, ...]) -> FloatArray:
    """The weights that planes hold together, in double precision: equal digits give equal weights."""
    return np.asarray(sum(plane.integers.astype(np.float64) * plane.scale for plane in planes))


class FaultyBlocks(ExactBlocks):
    """The exact product of the digits that a chip reads, and of the branches beside them.

    digits: by the name of the matrix; those of others are right. patches: by the name of the layer. Layers must have
    one scale per column (`bitnet`).
    """

    def __init__(self, digits: Mapping[str, Digits], patches: Mapping[str, Patch] | None = None) -> None:
        self._digits, self._patches = digits, patches or {}

    def store(self, layer: LinearLayer) -> list[Any]:
        """The planes as the chip reads them, and the layer's branch if it has one."""
        planes = faulty_planes(layer, self._digits)
        if any(len(plane.scale) > 1 or plane.offset.any() for plane in planes):
            raise InputError(f"layer {layer.name} has more than one scale per column", hint="a ternary network")
        patch = self._patches.get(layer.name)
        return [*planes, *([patch] if patch is not None else [])]

    def multiply(self, x: IntArray, stored: list[Any]) -> NDArray[Any]:
        """x times the faulty weights, and x A B."""
        y = super().multiply(x, [part for part in stored if not isinstance(part, Patch)])
        for part in stored:
            if isinstance(part, Patch):
                y = part.add_to(y, x.astype(np.float64))
        return y


@dataclass(frozen=True)
class LayerEnergy:
    """Expected squares that the error of faults is made of, by the covariance S of a layer's inputs.

    whole: of an output vector, tr W^T S W. vias: of its digits that are not 0 as if their inputs were independent, the
    sum of S_ii w_ij^2; empty: of its zeros, with the scale of their column for the weight.
    """

    whole: float
    vias: float
    empty: float

    def error(self, shares: FaultShares) -> float:
        """Expected squared error of an output vector relative to its own, over all chips.

        A column is lost as a whole. Else digits are zeroed independently with probability z: their mean z W is the
        first part, their variance z (1 - z) the second; zeros that became 1 or -1 with equal probability are the third.
        Rows are counted digit by digit, which gives the same mean.
        """
        z = shares.zeroed
        extra = shares.extras * (1 - shares.rows)
        kept = z * z + (z * (1 - z) * self.vias + extra * self.empty) / self.whole
        return shares.bit_lines + (1 - shares.bit_lines) * kept


def layer_energy(digits: Digits, scale: NDArray[np.floating], covariance: FloatArray) -> LayerEnergy:
    """Of one matrix. digits: (inputs, outputs); scale: (1, outputs); covariance: (inputs, inputs), not centred.

    Raises InputError for a matrix that makes no output at all.
    """
    factor = np.asarray(scale, dtype=np.float64).reshape(1, -1)
    weight, power = digits * factor, np.diag(covariance)
    whole = float(np.einsum("ij,ij->", weight, covariance @ weight))
    if not whole > 0:
        raise InputError("faulty layers: a matrix whose outputs are always 0")
    every = float(power.sum() * np.square(factor).sum())
    vias = float(power @ np.square(weight).sum(axis=1))
    return LayerEnergy(whole, vias, every - vias)


def squared_error(right: NDArray[np.floating], faulty: NDArray[np.floating], covariance: NDArray[np.floating]) -> float:
    """Expected squared error of an output vector of faulty weights (inputs, outputs): tr D^T S D of their change D."""
    delta = right - faulty
    rows = np.flatnonzero((delta != 0).any(axis=1))
    part = delta[np.ix_(rows, np.flatnonzero((delta != 0).any(axis=0)))]
    return float(np.einsum("ij,ij->", part, covariance[np.ix_(rows, rows)] @ part))

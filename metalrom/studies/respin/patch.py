"""A low-rank branch of writable SRAM beside a matrix in the masks, fitted to what its faults changed.

The chip computes x W' with faulty weights W'; the branch adds x A B, with A (inputs, rank) and B (rank, faulty outputs)
in SRAM. With activations of covariance S = E[x x^T] the expected squared error of an output vector is
|S^(1/2) (W - W' - A B)|^2, and its minimum over all A B of a rank is the truncated singular value decomposition of
S^(1/2) (W - W') (C. Eckart and G. Young, Psychometrika 1 (1936) 211). Without a covariance activations are taken as
independent and of equal size.

The SRAM holds rank x (inputs + faulty outputs) numbers. A lost row, which nothing else repairs, is of rank one over all
its outputs: there the branch is far smaller than the columns that it mends. A lost column is of rank one as well, so k
of them need rank k, for which whole columns of ternary digits in SRAM are cheaper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interconnect.arrays import FloatArray, IntArray
from interconnect.errors import InputError
from interconnect.provenance import Provenance
from metalrom.macro.quantity import Component, Span
from netlists.baselines.sram import Sram6T
from netlists.weights import BITS, quantize

CELLS_ALONE = "cells alone, without decoders, sense amplifiers and multipliers"
DIGIT_BITS = 2
"""SRAM cells of a ternary digit."""


@dataclass(frozen=True)
class CovarianceRoots:
    """Square root of a covariance of inputs and its pseudo-inverse, both (inputs, inputs): what weighs an error, worked
    out once for any number of branches."""

    root: FloatArray
    inverse: FloatArray


@dataclass(frozen=True)
class Patch:
    """The branch of one matrix. outputs: which it adds to. a: (inputs, rank), b: (rank, outputs), in the weights' unit,
    as stored in `bits` bits. before, left: expected squared error of an output vector without and with it, relative to
    the expected square of the right vector; ideal: with factors that are not rounded."""

    outputs: IntArray
    a: FloatArray
    b: FloatArray
    bits: int
    before: float
    left: float
    ideal: float

    @property
    def rank(self) -> int:
        """Columns of A."""
        return int(self.a.shape[1])

    @property
    def words(self) -> int:
        """Numbers in SRAM."""
        return int(self.a.size + self.b.size)

    def add_to(self, y: FloatArray, x: FloatArray) -> FloatArray:
        """The outputs y (batch, all outputs) of inputs x with the branch's part added."""
        out = np.array(y, dtype=np.float64)
        out[:, self.outputs] += x @ self.a @ self.b
        return out

    def apply_to(self, weights: FloatArray) -> FloatArray:
        """The faulty weights (inputs, all outputs) with the branch added: what the chip multiplies with."""
        out = np.array(weights, dtype=np.float64)
        out[:, self.outputs] += self.a @ self.b
        return out


def fit_patch(
    right: NDArray[np.floating],
    faulty: NDArray[np.floating],
    *,
    rank: int,
    covariance: FloatArray | CovarianceRoots | None = None,
    bits: int = 8,
) -> Patch:
    """The branch of a rank that leaves the least error.

    right, faulty: real weights, shape (inputs, outputs); outputs in which they are equal take no part. covariance: of
    the inputs, (inputs, inputs), not centred, or its roots. bits: of a number in SRAM, one scale per column of A and
    output of B.

    Raises InputError for shapes that do not match, a rank below 1, a covariance that is none, or bits that cannot be.
    """
    return fit_patches(right, faulty, ranks=(rank,), covariance=covariance, bits=bits)[0]


def fit_patches(
    right: NDArray[np.floating],
    faulty: NDArray[np.floating],
    *,
    ranks: Sequence[int],
    covariance: FloatArray | CovarianceRoots | None = None,
    bits: int = 8,
) -> tuple[Patch, ...]:
    """The branches of several ranks, by one decomposition. Raises as `fit_patch`."""
    right, faulty = np.asarray(right, dtype=np.float64), np.asarray(faulty, dtype=np.float64)
    if right.ndim != 2 or right.shape != faulty.shape:
        raise InputError(f"patch: weights of shapes {right.shape} and {faulty.shape}")
    for rank in ranks:
        if rank < 1:
            raise InputError(f"patch: rank is {rank}, expected at least 1")
    if bits not in BITS or bits == DIGIT_BITS:
        raise InputError(f"patch: {bits} bits per number", hint="8, 6 or 4")
    roots = covariance if isinstance(covariance, CovarianceRoots) else covariance_roots(covariance, len(right))
    delta = right - faulty
    outputs = np.flatnonzero((delta != 0).any(axis=0))
    whole = float(np.square(roots.root @ right).sum())
    scale = 1 / whole if whole > 0 else 0.0
    weighted = roots.root @ delta[:, outputs]
    u, s, v = np.linalg.svd(weighted, full_matrices=False)
    known = int(np.count_nonzero(s > s[0] * 1e-12)) if len(s) else 0
    found = []
    for rank in ranks:
        kept = min(rank, known)
        strength = np.sqrt(s[:kept])  # both factors in the same range
        a = quantize(roots.inverse @ u[:, :kept] * strength, bits).dequantized()
        b = quantize(strength[:, None] * v[:kept], bits).dequantized()
        left = float(np.square(weighted - roots.root @ a @ b).sum()) * scale
        ideal = float(np.square(s[kept:]).sum()) * scale
        found.append(Patch(outputs, a, b, bits, float(np.square(s).sum()) * scale, left, ideal))
    return tuple(found)


def patch_network(
    right: Mapping[str, FloatArray],
    faulty: Mapping[str, FloatArray],
    *,
    rank: int,
    covariances: Mapping[str, FloatArray] | None = None,
    bits: int = 8,
) -> dict[str, Patch]:
    """A branch for every matrix in which anything differs, by name. Raises as `fit_patch`."""
    known = covariances or {}
    return {
        name: fit_patch(w, faulty[name], rank=rank, covariance=known.get(name), bits=bits)
        for name, w in right.items()
        if (w != faulty[name]).any()
    }


def patch_area(words: int, bits: int, node: float) -> Component:
    """SRAM of numbers of `bits` bits at a node (m), m2: cells alone."""
    area = Sram6T().area(node)
    found = area.scaled
    source = f"{words:,} numbers of {bits} bits; {found.provenance.source}; {CELLS_ALONE}"
    return Component(Span.exact(words * bits * area.per_bit), Provenance(found.provenance.status, source))


def spare_area(inputs: int, columns: int, node: float) -> Component:
    """SRAM of whole columns of ternary digits in place of a branch, m2: cells alone."""
    return patch_area(inputs * columns, DIGIT_BITS, node)


def covariance_roots(covariance: FloatArray | None, inputs: int) -> CovarianceRoots:
    """Roots of a covariance; without one those of independent inputs of equal size.

    Raises InputError for a matrix that is no covariance of so many inputs.
    """
    if covariance is None:
        return CovarianceRoots(np.eye(inputs), np.eye(inputs))
    c = np.asarray(covariance, dtype=np.float64)
    if c.shape != (inputs, inputs) or not np.isfinite(c).all() or not np.allclose(c, c.T, rtol=1e-6, atol=1e-12):
        raise InputError(f"patch: a covariance of shape {c.shape} for {inputs} inputs, expected a symmetric matrix")
    values, vectors = np.linalg.eigh((c + c.T) / 2)
    if values[-1] <= 0 or values[0] < -1e-6 * values[-1]:
        raise InputError("patch: the covariance has negative eigenvalues, or is 0")
    kept = values > 1e-10 * values[-1]  # of inputs that are never there the branch needs to know nothing
    sizes = np.sqrt(np.where(kept, values, 0.0))
    inverse = np.divide(1.0, sizes, out=np.zeros_like(sizes), where=kept)
    return CovarianceRoots((vectors * sizes) @ vectors.T, (vectors * inverse) @ vectors.T)

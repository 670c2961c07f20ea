"""Exact admittance of a linear network between its ports, with the inner nodes eliminated."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.csgraph import connected_components

from interconnect.errors import InputError
from interconnect.ldl import LDL, elimination_order, solve
from interconnect.network import Index, LinearNetwork, NodeList
from interconnect.stamps import Stamps, pattern, stamps

Array = NDArray[np.float64]


class PortSystem:
    """A network split into ports and inner nodes.

    Inner nodes that no element joins (but through ports) fall into groups, such as the bit lines of an array without
    coupling; a group meets few of the ports, its `local` ones. `g_values`, `c_values` share the pattern of `ldl`;
    `g_ports`, `c_ports` (inner, local ports) couple inner nodes to the local ports of their group.
    """

    def __init__(self, network: LinearNetwork, ports: NodeList | int | str) -> None:
        self.network, self.ports = network, network.index(ports)
        if len(self.ports) == 0 or (self.ports < 0).any():
            raise InputError("a network needs at least one port, and ground is none")
        if len(np.unique(self.ports)) != len(self.ports):
            raise InputError("a node is named twice among the ports")
        g, c = stamps([(*network.conductors(), 0)]), stamps([(*network.capacitors(), 0)])
        is_port = np.full(network.size, -1)
        is_port[self.ports] = np.arange(len(self.ports))
        touched = np.zeros(network.size, dtype=bool)
        touched[g.row[g.value > 0]] = touched[c.row[c.value > 0]] = True
        lost = np.flatnonzero(~touched & (is_port < 0))
        if len(lost):
            raise InputError(f"node {network.name(int(lost[0]))} has no resistor and no capacitor")
        inner = np.flatnonzero(is_port < 0)
        place = np.full(network.size, -1)
        place[inner] = np.arange(len(inner))
        first = pattern((g, c), place, len(inner))
        joined = sp.csc_array((np.ones(len(first.rows)), first.rows, first.start), shape=(len(inner),) * 2)
        order = elimination_order(joined)
        self.inner = inner[order]
        place[self.inner] = np.arange(len(inner))
        shared = pattern((g, c), place, len(inner))
        self.ldl = LDL(shared.start, shared.rows)
        self.g_values, self.c_values = shared.values(0, g.value), shared.values(1, c.value)
        _, label = connected_components(joined, directed=False)
        self.group = np.asarray(label, dtype=np.int64)[order]
        self.groups = int(self.group.max(initial=-1)) + 1
        by_group = np.argsort(self.group, kind="stable")
        self.members = np.split(by_group, np.cumsum(np.bincount(self.group, minlength=self.groups))[:-1])
        self.g_pp, self.c_pp = (self._between(part, is_port) for part in (g, c))
        self._couple(g, c, place, is_port)

    def matrix(self, values: Any) -> Any:
        """Sparse (inner, inner) matrix with `values` in the shared pattern (symmetric: rows are columns)."""
        return sp.csr_array((values, self.ldl.index, self.ldl.start), shape=(len(self.inner),) * 2)

    def solve(self, values: Any, right: Any) -> Any:
        """Solution of the symmetric system with `values`; right-hand sides (inner, vectors)."""
        result = np.array(right, dtype=np.result_type(values, right), order="C")
        if result.size:
            solve(self.ldl.factor(values), result)
        return result

    def sum_groups(self, left: Any, right: Any) -> Any:
        """Sum over groups of left^T right, placed at the groups' ports: (ports, ports); both (inner, local ports)."""
        count = len(self.ports)
        total = np.zeros((count, count), dtype=np.result_type(left, right))
        alike = len({len(members) for members in self.members}) == 1
        if alike:  # one product for all groups
            at = np.concatenate(self.members)
            shape = (self.groups, -1, left.shape[1])
            products = np.matmul(left[at].reshape(shape).transpose(0, 2, 1), right[at].reshape(shape))
        for k, (members, local) in enumerate(zip(self.members, self.local, strict=True)):
            known = len(local)
            part = products[k, :known, :known] if alike else left[members, :known].T @ right[members, :known]
            total[local[:, None], local] += part
        return total

    def admittance(self, s: complex) -> Any:
        """Port admittance at the complex frequency s (1/s), (ports, ports) S; real if s is."""
        coupling = self.g_ports + s * self.c_ports
        inner = self.solve(self.g_values + s * self.c_values, coupling)
        return self.g_pp + s * self.c_pp - self.sum_groups(coupling, inner)

    def _between(self, part: Stamps, number: Index) -> Array:
        count = len(self.ports)
        row, column = number[part.row], number[part.column]
        keep = np.flatnonzero((row >= 0) & (column >= 0))
        flat = np.bincount(row[keep] * count + column[keep], weights=part.value[keep], minlength=count * count)
        return flat.reshape(count, count).astype(np.float64)

    def _couple(self, g: Stamps, c: Stamps, place: Index, is_port: Index) -> None:
        """Which ports each group meets, and the coupling to them."""
        ports = len(self.ports)
        found = []
        for part in (g, c):
            keep = np.flatnonzero((place[part.row] >= 0) & (is_port[part.column] >= 0) & (part.value != 0))
            found.append((place[part.row[keep]], is_port[part.column[keep]], part.value[keep]))
        keys = [self.group[row] * ports + port for row, port, _ in found]
        pairs, slot = np.unique(np.concatenate(keys), return_inverse=True)
        owner = pairs // ports
        rank = np.arange(len(pairs)) - np.searchsorted(owner, owner)
        self.local = [pairs[owner == k] % ports for k in range(self.groups)]
        width = max((len(one) for one in self.local), default=0)
        column = np.split(rank[slot], [len(keys[0])])
        self.g_ports, self.c_ports = (
            np.bincount(row * width + at, weights=value, minlength=len(self.inner) * width)
            .reshape(len(self.inner), width)
            .astype(np.float64)
            for (row, _, value), at in zip(found, column, strict=True)
        )


def admittance(network: LinearNetwork, ports: NodeList | int | str, frequencies: ArrayLike) -> NDArray[np.complex128]:
    """Admittance matrix between `ports` (each against ground) at `frequencies` (count,) Hz: (count, ports, ports) S.

    Raises:
        InputError: a negative frequency, a bad port, or a node without element.
        SolverError: frequency 0 with a node that has no resistive path to a port or ground.
    """
    hertz = np.atleast_1d(np.asarray(frequencies, dtype=float))
    if not (np.isfinite(hertz) & (hertz >= 0)).all():
        raise InputError("frequencies must be finite and not negative")
    system = PortSystem(network, ports)
    return np.stack([system.admittance(2j * np.pi * f if f else 0.0) for f in hertz]).astype(np.complex128)

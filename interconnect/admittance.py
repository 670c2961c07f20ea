"""Exact admittance of a linear network between its ports, with the inner nodes eliminated."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.csgraph import connected_components

from interconnect.errors import InputError
from interconnect.ldl import LDL, elimination_order, solve_factored
from interconnect.network import LinearNetwork, NodeList


class PortSystem:
    """A network split into ports and inner nodes.

    Inner nodes that no element joins (but through ports) fall into groups, such as the bit lines of an array without
    coupling; a group meets few of the ports, its `local` ones. `g_values`, `c_values` share the pattern of `ldl`;
    `g_ports`, `c_ports` (inner, local ports) couple inner nodes to the local ports of their group.
    """

    def __init__(self, network: LinearNetwork, ports: NodeList | int | str) -> None:
        self.network, self.ports = network, network.index(ports)
        if len(self.ports) == 0 or (self.ports < 0).any():
            raise InputError("a network needs at least one port other than ground")
        if len(np.unique(self.ports)) != len(self.ports):
            raise InputError("a node appears twice among the ports")
        both = self._nodal()
        is_port = np.full(network.size, -1)
        is_port[self.ports] = np.arange(len(self.ports))
        inner = np.flatnonzero(is_port < 0)
        joined = sp.csc_array(both[:, inner])[inner]
        lost = np.flatnonzero(joined.diagonal() == 0)
        if len(lost):
            raise InputError(f"node {network.name(int(inner[lost[0]]))} has no resistor and no capacitor")
        order = elimination_order(joined)
        self.inner = inner[order]
        joined = sp.csc_array(sp.csc_array(joined[:, order])[order])
        self.ldl = LDL(joined.indptr.astype(np.int64), joined.indices.astype(np.int64))
        self.g_values, self.c_values = joined.data.real.copy(), joined.data.imag.copy()
        links = sp.csc_array((np.ones(joined.nnz), joined.indices, joined.indptr), shape=joined.shape)
        _, label = connected_components(links, directed=False)
        self.group = np.asarray(label, dtype=np.int64)
        self.groups = int(self.group.max(initial=-1)) + 1
        by_group = np.argsort(self.group, kind="stable")
        self.members = np.split(by_group, np.cumsum(np.bincount(self.group, minlength=self.groups))[:-1])
        at_ports = sp.csc_array(both[:, self.ports])
        own = at_ports[self.ports].toarray()
        self.g_pp, self.c_pp = own.real.copy(), own.imag.copy()
        self._couple(sp.coo_array(at_ports[self.inner]))

    def _nodal(self) -> sp.csc_array:
        """Conductances + 1j capacitances, so that both get one pattern in one go."""
        size = self.network.size
        kinds = (self.network.conductors(), self.network.capacitors())
        a, b = (np.concatenate([kind[k] for kind in kinds]) for k in (0, 1))
        value = np.concatenate([kinds[0][2] + 0j, 1j * kinds[1][2]])
        real = (a != b) & (value != 0)
        # The diagonal is summed up apart: most elements of a line end at ground and touch nothing else.
        own = np.zeros(size + 1, dtype=complex)
        for node in (a, b):
            at = np.where(real & (node >= 0), node, size)
            own.real += np.bincount(at, weights=value.real, minlength=size + 1)
            own.imag += np.bincount(at, weights=value.imag, minlength=size + 1)
        pair = np.flatnonzero(real & (a >= 0) & (b >= 0))
        x, y, link = a[pair], b[pair], -value[pair]
        node = np.flatnonzero(own[:size])
        row, column = np.concatenate([x, y, node]), np.concatenate([y, x, node])
        return sp.csc_array((np.concatenate([link, link, own[node]]), (row, column)), shape=(size, size))

    def matrix(self, values: Any) -> Any:
        """Sparse (inner, inner) matrix with `values` in the shared pattern (symmetric: rows are columns)."""
        return sp.csr_array((values, self.ldl.index, self.ldl.start), shape=(len(self.inner),) * 2)

    def solve(self, values: Any, right: Any) -> Any:
        """Solution of the symmetric system with `values`; right-hand sides (inner, vectors)."""
        result = np.array(right, dtype=np.result_type(values, right), order="C")
        if result.size:
            solve_factored(self.ldl.factor(values), result)
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

    def _couple(self, coupling: sp.coo_array) -> None:
        """Which ports each group meets, and the coupling to them."""
        ports = len(self.ports)
        pairs, slot = np.unique(self.group[coupling.row] * ports + coupling.col, return_inverse=True)
        owner = pairs // ports
        rank = np.arange(len(pairs)) - np.searchsorted(owner, owner)
        self.local = [pairs[owner == k] % ports for k in range(self.groups)]
        dense = np.zeros((len(self.inner), max((len(one) for one in self.local), default=0)), dtype=complex)
        dense[coupling.row, rank[slot]] = coupling.data
        self.g_ports, self.c_ports = dense.real.copy(), dense.imag.copy()


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

"""Port-preserving reduction of R-C networks to few inner nodes, realised as a SPICE subcircuit of R and C.

Congruence with [[I, 0], [-Gii^-1 Gip, V]] (K. J. Kerns and A. T. Yang, PACT, IEEE Trans. CAD 16, 1997, 734; A.
Odabasioglu et al., PRIMA, IEEE Trans. CAD 17, 1998, 645): the first block keeps DC and the ports' total capacitances
exact, V spans the Krylov space of Gii^-1 Cii started from R = Cip - Cii Gii^-1 Gip. A congruence keeps both matrices
positive semidefinite, so the reduced network is passive whatever the order. Every group of inner nodes that only ports
join has a space of its own; its pair is diagonalised, and modes that do not matter within the band are left out.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from interconnect.admittance import PortSystem
from interconnect.arrays import BoolArray, FloatArray
from interconnect.errors import InputError, SolverError
from interconnect.ldl import solve_factored
from interconnect.network import Index, LinearNetwork, NodeList

MAX_BLOCKS = 12
"""Krylov blocks of a group before the requested error counts as out of reach."""

CHECKS = (1.0, 0.4, 0.1)
"""Parts of the band at which the admittance is checked."""

PROJECTION_SHARE = 0.7
"""Part of the error that the projection may use; leaving out modes takes some of the rest."""

DEFLATION = 1e-8
"""Directions of a Krylov block that add less than this to the space are left out."""

DC_LIMIT = 1e-9
"""Largest error of the DC admittance."""

PASSIVITY = 1e-9
"""Most negative eigenvalue of a realised, scaled matrix that rounding may explain."""


@dataclass(frozen=True)
class ReducedNetwork:
    """A network between `ports` with few inner nodes, its elements passive as a whole (single ones may be negative).

    conductance, capacitance: nodal matrices (ports + modes,) squared, S and F; the ports come first. error: largest
    admittance error within the band, |dY_jk| / min(|Y_jj|, |Y_kk|), of the values as written; dc_error: the same at DC
    relative to the largest conductance at a port. band: Hz. modes: inner nodes; blocks: Krylov blocks used.
    """

    ports: int
    conductance: FloatArray
    capacitance: FloatArray
    error: float
    dc_error: float
    band: float
    modes: int
    blocks: int
    elements: tuple[tuple[str, int, int, float], ...]
    """(R or C, node a, node b or -1, ohm or farad)."""

    def subcircuit(self, name: str, pins: tuple[str, ...]) -> str:
        """SPICE subcircuit of the reduced network.

        Parameters
        ----------
        name : str
            Name of the subcircuit.
        pins : tuple[str, ...]
            Names of the ports, in their order.

        Returns
        -------
        str
            The subcircuit's text.

        Raises
        ------
        InputError
            For names that are not valid in a deck, or a wrong number of them.
        """
        for word in (name, *pins):
            if not (word.isascii() and word.replace("_", "a").isalnum() and word[0].isalpha()):
                raise InputError(
                    f"{word!r} is not a valid name of a subcircuit or pin", hint="letters, digits, underscores"
                )
        if len(pins) != self.ports or len({pin.lower() for pin in pins}) != self.ports:
            raise InputError(f"the subcircuit needs {self.ports} different pins, not {len(pins)}")
        inner = [f"m_{k}" for k in range(self.modes)]
        if {pin.lower() for pin in pins} & set(inner):
            raise InputError("pins named m_<number> would collide with the inner nodes")
        node = [*pins, *inner, "0"]
        lines = [f".subckt {name} {pins[0]}", *(f"+ {pin}" for pin in pins[1:])]
        lines += [f"{kind}{k} {node[a]} {node[b]} {value!r}" for k, (kind, a, b, value) in enumerate(self.elements)]
        return "\n".join([*lines, f".ends {name}", ""])


def reduce_network(
    network: LinearNetwork, ports: NodeList | int | str, *, band: float, error: float = 1e-4
) -> ReducedNetwork:
    """Reduce a network to its ports and as few inner nodes as keep the admittance accurate.

    Parameters
    ----------
    network : LinearNetwork
        Resistors and capacitors.
    ports : NodeList or int or str
        Nodes to keep.
    band : float
        Highest frequency, Hz; for a signal that rises within t it should reach some 1/t.
    error : float
        Largest allowed |dY_jk| / min(|Y_jj|, |Y_kk|) of all port pairs up to `band`.

    Returns
    -------
    ReducedNetwork
        Passive elements, with the error that was reached.

    Raises
    ------
    InputError
        For a bad band, error or port, or an inner node without resistive path to a port or ground (named).
    SolverError
        If the error cannot be reached, or the realised elements fail their check.
    """
    if not (math.isfinite(band) and band > 0):
        raise InputError(f"the band must be positive, not {band!r} Hz")
    if not 1e-8 <= error < 1:
        raise InputError(f"the error must lie between 1e-8 and 1, not {error!r}")
    system = PortSystem(network, ports)
    points = np.array([2j * math.pi * band * part for part in CHECKS])
    exact = np.stack([system.admittance(s) for s in points])
    reducer = _Reducer(system)
    for blocks in range(1, MAX_BLOCKS + 1):
        grown = reducer.extend()
        if blocks == 1 and grown:
            continue  # hardly ever enough, and modes that are not needed are left out later
        modes = reducer.modes()
        reached = _error(reducer.admittance(modes, points), exact)
        if reached <= PROJECTION_SHARE * error:
            modes = _important(modes, points, exact, error - reached)
            return _realise(reducer, modes, points, exact, error, band, blocks)
        if not grown:
            break
    raise SolverError(f"an admittance error of {error:g} up to {band:g} Hz cannot be reached, only {reached:.1e}")


@dataclass(frozen=True)
class _Modes:
    """Inner modes of 1 S each: time constant (modes,) s, coupling to the ports (modes, ports) F/sqrt(S)."""

    tau: FloatArray
    coupling: FloatArray


class _Reducer:
    """DC and capacitance at the ports, and the growing Krylov space of every group."""

    def __init__(self, system: PortSystem) -> None:
        self.system = system
        self._g, self._c = system.matrix(system.g_values), system.matrix(system.c_values)
        tied, grounded = islands(system)
        self._factor = system.ldl.factor(system.g_values)
        follow = self._follow(tied)
        self._start = system.c_ports + np.asarray(self._c @ follow)
        c = system.c_pp + system.sum_groups(system.c_ports, follow) + system.sum_groups(follow, self._start)
        self.capacitance = (c + c.T) / 2
        self.conductance = self._dc(follow, grounded)
        self._next = self._start
        self._basis = [np.zeros((len(members), 0)) for members in system.members]

    def extend(self) -> bool:
        """Add one block to every group's space; False if none grew."""
        system = self.system
        block = np.array(self._next, order="C")
        solve_factored(self._factor, block)
        fresh = np.zeros_like(block)
        grown = False
        for k, (members, local) in enumerate(zip(system.members, system.local, strict=True)):
            basis, vectors = self._basis[k], block[members, : len(local)]
            norm = np.linalg.norm(vectors, axis=0)
            vectors = vectors[:, norm > 0] / norm[norm > 0]
            for _ in range(2):  # the second pass makes up for rounding in the first
                vectors = vectors - basis @ (basis.T @ vectors)
            left, size, _ = np.linalg.svd(vectors, full_matrices=False)
            new = left[:, size > DEFLATION]
            self._basis[k] = np.concatenate([basis, new], axis=1)
            fresh[members, : new.shape[1]] = new
            grown |= bool(new.size)
        self._next = np.asarray(self._c @ fresh)
        return grown

    def modes(self) -> _Modes:
        """The projected pair of every group in its diagonal form."""
        system = self.system
        width = max((basis.shape[1] for basis in self._basis), default=0)
        every = np.zeros((len(system.inner), width))
        for members, basis in zip(system.members, self._basis, strict=True):
            every[members, : basis.shape[1]] = basis
        g, c = np.asarray(self._g @ every), np.asarray(self._c @ every)
        tau, coupling = [np.zeros(0)], [np.zeros((0, len(system.ports)))]
        for members, local, basis in zip(system.members, system.local, self._basis, strict=True):
            used = basis.shape[1]
            projected = [(m + m.T) / 2 for m in (basis.T @ g[members, :used], basis.T @ c[members, :used])]
            value, vector = scipy.linalg.eigh(projected[1], projected[0])
            tau.append(np.maximum(value, 0.0))
            part = np.zeros((used, len(system.ports)))
            part[:, local] = vector.T @ (basis.T @ self._start[members, : len(local)])
            coupling.append(part)
        return _Modes(np.concatenate(tau), np.concatenate(coupling))

    def admittance(self, modes: _Modes, points: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """Admittance of the reduced network at complex frequencies: (points, ports, ports)."""
        weight = points[:, None] ** 2 / (1 + points[:, None] * modes.tau)
        inner = np.einsum("kj,sk,kl->sjl", modes.coupling, weight, modes.coupling, optimize=True)
        return np.asarray(self.conductance + points[:, None, None] * self.capacitance - inner)

    def _follow(self, tied: Index) -> FloatArray:
        """Inner voltages at DC per local port at 1 V, -Gii^-1 Gip: 0 or 1 where an island meets one port alone."""
        system = self.system
        follow = np.zeros_like(system.g_ports)
        if (tied < 0).any():
            follow = -np.ascontiguousarray(system.g_ports)
            solve_factored(self._factor, follow)
        for members, local in zip(system.members, system.local, strict=True):
            sure = members[tied[members] >= 0]
            follow[sure] = 0.0
            follow[sure, : len(local)] = tied[sure, None] == local
        return follow

    def _dc(self, follow: FloatArray, grounded: BoolArray) -> FloatArray:
        """Port conductances Gpp - Gpi Gii^-1 Gip, their diagonal summed up from what leads to other ports and ground:
        a port that meets no other one then carries no current at all.
        """
        system = self.system
        a, b, value = system.network.conductors()
        number = np.full(system.network.size + 1, -1)
        number[system.ports] = np.arange(len(system.ports))
        ground = np.zeros(len(system.ports))
        for x, y in ((a, b), (b, a)):
            keep = (y < 0) & (number[x] >= 0)
            np.add.at(ground, number[x[keep]], value[keep])
        lift = np.where(grounded, 1.0 - follow.sum(axis=1), 0.0)[:, None]
        for members, local in zip(system.members, system.local, strict=True):
            ground[local] -= (system.g_ports[members, : len(local)] * lift[members]).sum(axis=0)
        total = system.g_pp + system.sum_groups(system.g_ports, follow)
        total = (total + total.T) / 2
        np.fill_diagonal(total, 0.0)
        np.fill_diagonal(total, ground - total.sum(axis=1))
        return np.asarray(total)


def islands(system: PortSystem) -> tuple[Index, BoolArray]:
    """Ports and ground that the resistors of every inner node lead to.

    Parameters
    ----------
    system : PortSystem
        The network with its ports.

    Returns
    -------
    tuple[Index, BoolArray]
        Per inner node: the only port that its resistors lead to (number of ports: ground only; -1: several ends), and
        whether they lead to ground.

    Raises
    ------
    InputError
        For a node without a resistive path (named).
    """
    network, ports = system.network, len(system.ports)
    a, b, value = network.conductors()
    keep = (value > 0) & (a != b)
    # Ground is node number `size`; every end other than an inner node gets its number, ground the last one.
    a, b = (np.where(x < 0, network.size, x)[keep] for x in (a, b))
    end = np.full(network.size + 1, -1)
    end[system.ports], end[network.size] = np.arange(ports), ports
    both = (end[a] < 0) & (end[b] < 0)
    links = sp.coo_array((np.ones(int(both.sum())), (a[both], b[both])), shape=(network.size + 1,) * 2)
    count, island = connected_components(links, directed=False)
    out, back = (end[a] < 0) & (end[b] >= 0), (end[b] < 0) & (end[a] >= 0)
    inside, ends = np.concatenate([a[out], b[back]]), np.concatenate([end[b[out]], end[a[back]]])
    pairs = np.unique(island[inside].astype(np.int64) * (ports + 1) + ends)
    owner, target = pairs // (ports + 1), pairs % (ports + 1)
    meets = np.bincount(owner, minlength=count)
    lost = np.flatnonzero(meets[island[system.inner]] == 0)
    if len(lost):
        raise InputError(
            f"node {network.name(int(system.inner[lost[0]]))} has no resistive path to a port or ground",
            hint="make it a port or give it one",
        )
    tied = np.full(count, -1, dtype=np.int64)
    single = meets[owner] == 1
    tied[owner[single]] = target[single]
    grounded = np.zeros(count, dtype=bool)
    grounded[owner[target == ports]] = True
    return tied[island[system.inner]], grounded[island[system.inner]]


def _error(found: NDArray[np.complex128], exact: NDArray[np.complex128]) -> float:
    """Largest |dY_jk| / min(|Y_jj|, |Y_kk|)."""
    own = np.abs(np.einsum("sjj->sj", exact))
    own = np.where(own > 0, own, 1.0)
    return float((np.abs(found - exact) / np.minimum(own[:, :, None], own[:, None, :])).max(initial=0.0))


def _important(modes: _Modes, points: NDArray[np.complex128], exact: NDArray[np.complex128], room: float) -> _Modes:
    """The modes without those whose contributions together stay below half of the room left for errors."""
    own = np.abs(np.einsum("sjj->sj", exact))
    own = np.where(own > 0, own, np.inf)
    gain = np.abs(points[:, None] ** 2 / (1 + points[:, None] * modes.tau))
    size = np.abs(modes.coupling)
    reach = (size[None] / own[:, None, :]).max(axis=2, initial=0.0) * size.max(axis=1, initial=0.0)
    weight = (gain * reach).max(axis=0, initial=0.0)
    order = np.argsort(weight)
    # Modes of different groups meet at different ports: the bound by their plain sum is a safe one.
    dropped = order[np.cumsum(weight[order]) < 0.5 * room]
    kept = np.setdiff1d(np.arange(len(weight)), dropped)
    return _Modes(modes.tau[kept], modes.coupling[kept])


def _realise(
    reducer: _Reducer,
    modes: _Modes,
    points: NDArray[np.complex128],
    exact: NDArray[np.complex128],
    error: float,
    band: float,
    blocks: int,
) -> ReducedNetwork:
    """Elements of the reduced network, refused unless they pass every check."""
    ports, count = len(reducer.system.ports), len(modes.tau)
    size = ports + count
    # A mode's node may have any scale. With this one its capacitances to the ports add up to its own, which saves the
    # one to ground; where they nearly cancel, its voltages are brought near those of the ports instead.
    largest, total = np.abs(modes.coupling).max(axis=1, initial=0.0), modes.coupling.sum(axis=1)
    scale = np.where(np.abs(total) > 0.1 * largest, -total, largest) / np.where(modes.tau > 0, modes.tau, np.inf)
    if (scale == 0).any():
        raise SolverError("a mode of the reduced network has no time constant")
    g, c = np.zeros((size, size)), np.zeros((size, size))
    g[:ports, :ports], c[:ports, :ports] = reducer.conductance, reducer.capacitance
    g[range(ports, size), range(ports, size)] = scale**2
    c[range(ports, size), range(ports, size)] = scale**2 * modes.tau
    c[:ports, ports:] = (modes.coupling * scale[:, None]).T
    c[ports:, :ports] = c[:ports, ports:].T
    elements = (*_elements("R", g), *_elements("C", c))
    written = [_nodal(kind, elements, size) for kind in "RC"]
    for matrix, what in zip(written, ("conductance", "capacitance"), strict=True):
        own = np.sqrt(np.maximum(matrix.diagonal(), 0.0))
        used = own > 0
        lowest = np.linalg.eigvalsh(matrix[np.ix_(used, used)] / np.outer(own[used], own[used])).min(initial=0.0)
        if lowest < -PASSIVITY or np.abs(matrix[~used]).max(initial=0.0) > 0:
            raise SolverError(f"the reduced network would not be passive: {what} eigenvalue {lowest:.1e}")
    found = np.stack([_ports_only(written, ports, s) for s in points])
    reached = _error(found, exact)
    # Currents at DC in relation to those of the conductances that hang on the ports.
    hang = float(np.abs(reducer.system.g_pp).max(initial=0.0)) or 1.0
    dc = _ports_only(written, ports, 0.0).real - reducer.system.admittance(0.0)
    dc_error = float(np.abs(dc).max(initial=0.0)) / hang
    if not (reached <= error and dc_error <= DC_LIMIT):
        raise SolverError(
            f"the reduced network's elements miss the exact admittance by {reached:.1e} (allowed {error:.1e}), "
            f"at DC by {dc_error:.1e} (allowed {DC_LIMIT:g})"
        )
    return ReducedNetwork(ports, written[0], written[1], reached, dc_error, band, count, blocks, elements)


def _elements(kind: str, matrix: FloatArray) -> list[tuple[str, int, int, float]]:
    """Two-terminal elements of a symmetric nodal matrix: ohm for R, farad for C; -1 is ground."""
    a, b = np.nonzero(np.triu(matrix, 1))
    value = -matrix[a, b]
    # A row sum that is only the rounding of its terms is no element.
    ground = matrix.sum(axis=1)
    real = np.abs(ground) > 1e-13 * np.abs(matrix).sum(axis=1)
    a, b = np.append(a, np.flatnonzero(real)), np.append(b, np.full(int(real.sum()), -1))
    value = np.append(value, ground[real])
    if kind == "R":
        value = 1.0 / value
    return [(kind, i, j, x) for i, j, x in zip(a.tolist(), b.tolist(), value.tolist(), strict=True)]


def _nodal(kind: str, elements: tuple[tuple[str, int, int, float], ...], size: int) -> FloatArray:
    """Nodal matrix of the elements of one kind."""
    matrix = np.zeros((size, size))
    mine = [(a, b, 1.0 / x if kind == "R" else x) for k, a, b, x in elements if k == kind]
    if mine:
        a, b = (np.array([e[k] for e in mine]) for k in (0, 1))
        value = np.array([e[2] for e in mine])
        np.add.at(matrix, (a, a), value)
        inner = b >= 0
        np.add.at(matrix, (b[inner], b[inner]), value[inner])
        np.subtract.at(matrix, (a[inner], b[inner]), value[inner])
        np.subtract.at(matrix, (b[inner], a[inner]), value[inner])
    return matrix


def _ports_only(matrices: list[FloatArray], ports: int, s: complex) -> NDArray[np.complex128]:
    """Admittance at the ports of dense nodal matrices (G, C) at the complex frequency s."""
    y = matrices[0] + s * matrices[1]
    inner = np.linalg.solve(y[ports:, ports:], y[ports:, :ports])
    return np.asarray(y[:ports, :ports] - y[:ports, ports:] @ inner, dtype=np.complex128)

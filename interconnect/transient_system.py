"""The matrices of a linear transient: who is free, what pushes, one factorisation per step size and switch state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.linalg import SuperLU, spilu, splu

from interconnect.drives import take_apart
from interconnect.errors import InputError, SolverError
from interconnect.network import Index, LinearNetwork
from interconnect.transient_kernel import GAMMA, WEIGHT, Factor, Forcing, Sparse, supernodes
from interconnect.waveform import Source, Switch

Array = NDArray[np.float64]

KEPT_FACTORS = 8
"""Factorisations kept for steps of a size met before."""


class System:
    """A network with its sources and switches, ready to be stepped through time.

    Free nodes are numbered in the order of elimination (minimum degree: lines stay tridiagonal). `g_rows`, `forcing`,
    `tap_rows` hold the present switch state's matrices for the compiled steps. Taps are what is recorded: the saved
    nodes, then for every node of a source whose current is wanted its voltage, resistive current and charge.
    """

    def __init__(
        self,
        network: LinearNetwork,
        sources: Sequence[Source],
        switches: Sequence[Switch],
        save: Index,
        currents: Sequence[str],
        initial: ArrayLike | None,
    ) -> None:
        self.network, self.sources, self.switches, self.save = network, sources, switches, save
        if (save < 0).any():
            raise InputError("ground cannot be saved: it is 0 V")
        self.drives = take_apart(network, sources)
        self.wanted = self._wanted(currents)
        self.initial = self._initial(initial)
        self.flat = self.drives.flat and (initial is None or np.ndim(initial) < 2)
        self.vectors = self.drives.level.shape[1]
        held = self.drives.ideal
        fixed = np.zeros(network.size, dtype=bool)
        fixed[self.drives.node[held]] = True
        self.held = self.drives.node[held]
        self.held_wave, self.held_level = self.drives.wave[held], self.drives.level[held]
        self._capacitance = network.capacitance_matrix()
        lossy = np.zeros(network.size)
        np.add.at(lossy, self.drives.node[~held], self.drives.siemens[~held])
        self._conductance = sp.csc_array(network.conductance_matrix() + sp.diags_array(lossy))
        self._closed = [self._incidence(switch) for switch in switches]
        self.free = self._order(np.flatnonzero(~fixed))
        self._place = np.full(network.size, -1)
        self._place[self.free] = np.arange(len(self.free))
        self._c_free = self._restrict(self._capacitance)
        self.taps = len(save) + 3 * len(self.wanted)
        self.factorisations = 0
        self._factors: dict[float, Factor] = {}
        self._values: tuple[float, ...] | None = None
        self._settled = initial is None
        self._load(0.0)

    def corners(self, stop: float) -> Array:
        """Times from 0 to `stop` between which everything is smooth."""
        parts = [[0.0, stop], *(w.times for w in self.drives.waves), *(np.asarray(s.times, float) for s in self.switches)]
        times = np.unique(np.concatenate(parts))
        times = times[(times >= 0) & (times <= stop)]
        # Corners that differ by rounding alone would make a step without length.
        times = times[np.append(True, np.diff(times) > 1e-12 * stop)]
        times[-1] = stop
        return np.asarray(times)

    def enter(self, time: float) -> bool:
        """Put the switches in their state from `time` on; whether free nodes may jump there."""
        changed = self._load(time) or not self._settled
        self._settled = True
        return changed

    def start(self) -> Array:
        """Voltages of the free nodes at time 0, (free, vectors)."""
        if self.initial is not None:
            return np.array(self.initial[self.free])
        drives = self.drives
        level = drives.level * drives.values(np.zeros(1))[0][drives.wave][:, None]
        # A node of its own that is held at 0 V, since there may be no ideal source.
        network = self.network.extended(["_reference"])
        for switch, value in zip(self.switches, self._values or (), strict=True):
            network.add_conductances(switch.a, switch.b, value)
        held = drives.ideal
        network.add_conductances(drives.node[~held], -1, drives.siemens[~held])
        state = network.dc(
            np.append(self.held, self.network.size),
            np.concatenate([level[held], np.zeros((1, self.vectors))]),
            injected=(drives.node[~held], drives.siemens[~held, None] * level[~held]),
        )
        return np.array(state.voltage[self.free])

    def factor(self, h: float) -> Factor:
        """The factorisation for steps of `h` s, from the store if there was one."""
        for known, factor in self._factors.items():
            if abs(known / h - 1) < 1e-9:
                return factor
        factor = _ldl(self._g_free + (2.0 / (GAMMA * h)) * self._c_free)
        self.factorisations += 1
        if len(self._factors) >= KEPT_FACTORS:
            del self._factors[next(iter(self._factors))]
        self._factors[h] = factor
        return factor

    def backward_euler(self, state: Array, start: float, end: float) -> Array:
        """The state one backward Euler step later; it forgets at once what the capacitors do not hold."""
        old, new = self.drives.values(np.array([start, end]))
        rate = 1.0 / (end - start)
        change = -(self._g_free @ state)
        f = self.forcing
        np.add.at(change, f.node, new[f.wave, None] * f.conductive)
        np.add.at(change, f.node, -rate * (new - old)[f.wave, None] * f.capacitive)
        self.factorisations += 1
        if not len(self.free):
            return state
        return np.asarray(state + _superlu(self._g_free + rate * self._c_free, "NATURAL").solve(change))

    def record(self, state: Array, time: float) -> Array:
        """All taps of one state, (1, taps, vectors)."""
        taps = np.asarray(self._tap_matrix @ state)[None]
        self.add_held(taps, self.drives.values(np.array([time])))
        return taps

    def add_held(self, taps: Array, waves: Array) -> None:
        """Add to taps (steps, taps, vectors) what the held nodes contribute; waves (steps, waves)."""
        for wave, part in self._held_taps.items():
            taps += waves[:, wave, None, None] * part

    def currents(self, time: Array, ends: Array, stages: Array) -> Mapping[str, Array]:
        """Currents of the wanted sources from their taps: name -> (points, nodes, vectors) A."""
        if len(self.wanted) == 0:
            return {}
        saved, wide = len(self.save), len(self.wanted)
        drives = self.drives
        parts = [slice(saved + k * wide, saved + (k + 1) * wide) for k in range(3)]
        voltage, flow, charge = (ends[:, part] for part in parts)
        h = np.diff(time)[:, None, None]
        q0, qs, q1 = charge[:-1], stages[:, parts[2]], charge[1:]
        rate = np.empty_like(charge)
        # Derivative of the parabola through a step: at its end (which is the BDF2 stage's own) and, once, at its start.
        rate[1:] = (2.0 / GAMMA) * (q1 - (1 + WEIGHT) * qs + WEIGHT * q0) / h
        slope = -(1 + GAMMA) / GAMMA * q0[0] + qs[0] / (GAMMA * (1 - GAMMA)) - GAMMA / (1 - GAMMA) * q1[0]
        rate[0] = slope / h[0]
        ideal = drives.ideal[self.wanted]
        level = drives.values(time)[:, drives.wave[self.wanted], None] * drives.level[self.wanted]
        siemens = np.where(ideal, 0.0, drives.siemens[self.wanted])[:, None]
        total = np.where(ideal[:, None], flow + rate, siemens * (level - voltage))
        owner = drives.owner[self.wanted]
        return {self.sources[k].name: total[:, owner == k] for k in np.unique(owner)}

    def _load(self, time: float) -> bool:
        """Matrices of the switch state at `time`; False if it is the present one."""
        values = tuple(switch.at(time) for switch in self.switches)
        if values == self._values:
            return False
        self._values = values
        total = self._conductance
        for matrix, value in zip(self._closed, values, strict=True):
            total = total + value * matrix
        self._factors.clear()
        self._g_free = self._restrict(total)
        rows = sp.csr_array(self._g_free)
        self.g_rows = Sparse(rows.indptr, rows.indices, rows.data)
        self.forcing = self._pushes(total)
        self._load_taps(total)
        return True

    def _load_taps(self, conductance: sp.csc_array) -> None:
        node = self.drives.node[self.wanted]
        every = sp.csr_array(sp.eye_array(self.network.size))
        # The resistance of a lossy source at a held node is part of the matrix, but not of the ideal source's load.
        parts = [every[self.save]]
        if len(node):
            parts += [every[node], sp.csr_array(conductance)[node], sp.csr_array(self._capacitance)[node]]
        matrix = sp.csr_array(sp.vstack(parts)) if len(parts) > 1 else parts[0]
        self._tap_matrix = sp.csr_array(matrix[:, self.free])
        taps = self._tap_matrix
        self.tap_rows = Sparse(taps.indptr.astype(np.int64), taps.indices.astype(np.int64), taps.data)
        at_held = sp.csc_array(matrix[:, self.held])
        self._held_taps = {}
        if at_held.nnz:
            for wave in np.unique(self.held_wave):
                mine = np.flatnonzero(self.held_wave == wave)
                part = np.asarray(at_held[:, mine] @ self.held_level[mine])
                if part.any():
                    self._held_taps[int(wave)] = part

    def _pushes(self, conductance: sp.csc_array) -> Forcing:
        """What every source pushes into free nodes."""
        drives = self.drives
        lossy = np.flatnonzero(~drives.ideal)
        lossy = lossy[self._place[drives.node[lossy]] >= 0]
        nodes, waves = [self._place[drives.node[lossy]]], [drives.wave[lossy]]
        flow, charge = [drives.siemens[lossy, None] * drives.level[lossy]], [np.zeros((len(lossy), self.vectors))]
        if len(self.held):
            for matrix, into, other, sign in (
                (conductance, flow, charge, -1.0),
                (self._capacitance, charge, flow, 1.0),
            ):
                coupling = sp.coo_array(matrix[:, self.held])
                keep = self._place[coupling.row] >= 0
                row, column = coupling.row[keep], coupling.col[keep]
                nodes.append(self._place[row])
                waves.append(self.held_wave[column])
                into.append(sign * coupling.data[keep, None] * self.held_level[column])
                other.append(np.zeros((len(row), self.vectors)))
        node, wave, g, c = (np.concatenate(part) for part in (nodes, waves, flow, charge))
        keep = (g != 0).any(axis=1) | (c != 0).any(axis=1)
        return Forcing(node[keep], wave[keep], np.ascontiguousarray(g[keep]), np.ascontiguousarray(c[keep]))

    def _wanted(self, names: Sequence[str]) -> Index:
        known = {source.name: k for k, source in enumerate(self.sources) if source.name}
        if len(known) != sum(1 for source in self.sources if source.name):
            raise InputError("two sources have the same name")
        for name in names:
            if name not in known:
                raise InputError(f"there is no source {name!r} whose current could be returned")
        return np.flatnonzero(np.isin(self.drives.owner, [known[name] for name in names]))

    def _initial(self, initial: ArrayLike | None) -> Array | None:
        if initial is None:
            return None
        start = np.asarray(initial, dtype=float)
        if start.ndim > 2 or (start.ndim and len(start) != self.network.size) or not np.isfinite(start).all():
            raise InputError(
                f"initial voltages must be finite: a number, ({self.network.size},) or ({self.network.size}, vectors)"
            )
        start = start.reshape(-1, 1) if start.ndim < 2 else start
        vectors = {start.shape[1], self.drives.level.shape[1]} - {1}
        if len(vectors) > 1:
            raise InputError(f"levels and initial voltages are for different numbers of vectors: {sorted(vectors)}")
        count = max(vectors, default=1)
        if count != self.drives.level.shape[1]:
            from dataclasses import replace

            level = np.broadcast_to(self.drives.level, (len(self.drives.level), count))
            self.drives = replace(self.drives, level=np.ascontiguousarray(level))
        return np.array(np.broadcast_to(start, (self.network.size, count)))

    def _incidence(self, switch: Switch) -> sp.csc_array:
        unit = LinearNetwork(self.network.size)
        unit.add_conductances(self.network.index(switch.a), self.network.index(switch.b), 1.0)
        return unit.conductance_matrix()

    def _restrict(self, matrix: sp.csc_array) -> sp.csc_array:
        return sp.csc_array(matrix[self.free][:, self.free])

    def _order(self, free: Index) -> Index:
        """Free nodes in the order of elimination."""
        if not len(free):
            return free
        pattern = abs(self._conductance) + sum(self._closed, start=sp.csc_array(self._capacitance.shape))
        scale = (pattern.max() or 1.0) / (abs(self._capacitance).max() or 1.0)
        pattern = sp.csc_array((pattern + scale * abs(self._capacitance))[free][:, free])
        empty = np.flatnonzero(pattern.diagonal() == 0)
        if len(empty):
            raise InputError(f"node {self.network.name(int(free[empty[0]]))} has no resistor and no capacitor")
        pattern.data[:] = 1.0
        pattern = sp.csc_array(pattern + sp.diags_array(np.diff(pattern.indptr).astype(float)))
        # An incomplete factorisation that drops all it can is the cheapest way to SuperLU's ordering.
        ordering = spilu(
            pattern, drop_tol=1.0, fill_factor=1.0, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0,
            options={"SymmetricMode": True, "Equil": False},
        )  # fmt: skip
        order = np.empty(len(free), dtype=np.int64)
        order[ordering.perm_c] = np.arange(len(free))
        return np.asarray(free[order])


def _superlu(matrix: sp.csc_array, ordering: str) -> SuperLU:
    try:
        return splu(
            sp.csc_array(matrix), permc_spec=ordering, diag_pivot_thresh=0.0,
            options={"SymmetricMode": True, "Equil": False},
        )  # fmt: skip
    except RuntimeError:
        raise SolverError("the network's matrix is singular: a node hangs on nothing") from None


def _ldl(matrix: sp.csc_array) -> Factor:
    """L and 1/D of a symmetric positive definite matrix in its given order."""
    size = matrix.shape[0]
    if size == 0:
        return supernodes(np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0), np.zeros(0))
    lu = _superlu(matrix, "NATURAL")
    natural = np.arange(size)
    if not (np.array_equal(lu.perm_c, natural) and np.array_equal(lu.perm_r, natural)):
        raise SolverError("the network's matrix could not be factored in its order of elimination")
    pivots = lu.U.diagonal()
    if not (pivots > 0).all():
        raise SolverError("the network's matrix is not positive definite: a node hangs on nothing")
    lower = sp.csc_array(lu.L)
    lower.sort_indices()
    column = np.repeat(natural, np.diff(lower.indptr))
    below = lower.indices > column
    start = np.zeros(size + 1, dtype=np.int64)
    np.cumsum(np.bincount(column[below], minlength=size), out=start[1:])
    factor: Factor = supernodes(start, lower.indices[below], lower.data[below], 1.0 / pivots)
    return factor

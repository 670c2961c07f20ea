"""The matrices of a linear transient: who is free, what pushes, one factorisation per step size and switch state."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from interconnect.arrays import FloatArray
from interconnect.drives import resolve_drives
from interconnect.errors import InputError
from interconnect.ldl import LDL, Factor, elimination_order, solve_factored
from interconnect.network import Index, LinearNetwork
from interconnect.stamps import Stamps, pattern, stamps
from interconnect.transient_kernel import GAMMA, WEIGHT, Forcing, Sparse
from interconnect.waveform import Switch, VoltageSources
from interconnect.wire_lines import MIN_NODES, LineFactor, WireLines, number_lines, solve_lines

MAX_STORED_FACTORS = 12
"""Factorisations kept for steps of a size met before."""


class TransientSystem:
    """A network with its sources and switches, ready to be stepped through time.

    Free nodes are numbered in the order of elimination; conductance and capacitance share one pattern there. `g_rows`,
    `forcing`, `tap_rows` hold the present switch state's matrices for the compiled steps. Taps are what is recorded:
    the saved nodes, then for every node of a source whose current is wanted its voltage, resistive current and charge.
    """

    def __init__(
        self,
        network: LinearNetwork,
        sources: Sequence[VoltageSources],
        switches: Sequence[Switch],
        save: Index,
        currents: Sequence[str],
        initial: ArrayLike | None,
    ) -> None:
        self.network, self.sources, self.switches, self.save = network, sources, switches, save
        if (save < 0).any():
            raise InputError("ground cannot be saved: it is 0 V")
        self.drives = resolve_drives(network, sources)
        self.wanted = self._wanted(currents)
        self.initial = self._initial(initial)
        self.flat = self.drives.flat and (initial is None or np.ndim(initial) < 2)
        self.vectors = self.drives.level.shape[1]
        held = self.drives.ideal
        self.held, self.held_wave = self.drives.node[held], self.drives.wave[held]
        self.held_level = self.drives.level[held]
        self._g, self._c = self._all_stamps()
        self._number_nodes()
        self.work = np.zeros((9, 0 if self._lines is None else len(self.free), self.vectors))
        self.taps = len(save) + 3 * len(self.wanted)
        self.factorisations = 0
        self._factors: dict[float, Factor | LineFactor] = {}
        self._values: tuple[float, ...] | None = None
        self._settled = initial is None
        self._load(0.0)

    def corners(self, stop: float) -> FloatArray:
        """Times from 0 to `stop` between which everything is smooth."""
        parts = [np.array([0.0, stop]), *(w.times for w in self.drives.waves)]
        parts += [np.asarray(switch.times, dtype=float) for switch in self.switches]
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

    def start(self) -> FloatArray:
        """Voltages of the free nodes at time 0, (free, vectors); sets `scale`, the largest voltage to expect."""
        state = self._start()
        self.scale = max(self.drives.swing(), float(np.abs(state).max(initial=0.0))) or 1.0
        return state

    def _start(self) -> FloatArray:
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

    def factor(self, h: float) -> Factor | LineFactor:
        """The factorisation for steps of `h` s, from the store if there was one."""
        for known, factor in self._factors.items():
            if abs(known / h - 1) < 1e-9:
                return factor
        factor = self._factor(2.0 / (GAMMA * h))
        if len(self._factors) >= MAX_STORED_FACTORS:
            del self._factors[next(iter(self._factors))]
        self._factors[h] = factor
        return factor

    def exact(self, tolerance: float) -> float:
        """Error (V) of an iterated solution that no step of the tolerance (V, 0: fixed steps) notices."""
        return max(1e-4 * tolerance if tolerance > 0 else 1e-11 * self.scale, 1e-13 * self.scale)

    def _factor(self, alpha: float) -> Factor | LineFactor:
        """The factorisation for G + alpha C."""
        self.factorisations += 1
        if self._lines is not None:
            return self._lines.factor(self._g_values, alpha)
        return self._ldl.factor(self._g_values + alpha * self._c_values)

    def backward_euler(self, state: FloatArray, start: float, end: float) -> FloatArray:
        """The state one backward Euler step later; it forgets at once what the capacitors do not hold."""
        old, new = self.drives.values(np.array([start, end]))
        rate = 1.0 / (end - start)
        change = -np.asarray(self._g_free @ state)
        f = self.forcing
        np.add.at(change, f.node, new[f.wave, None] * f.conductive)
        np.add.at(change, f.node, -rate * (new - old)[f.wave, None] * f.capacitive)
        factor = self._factor(rate)
        if isinstance(factor, LineFactor):
            right, change = change, np.zeros_like(change)
            solve_lines(factor, right, change, self.exact(0.0), self.work[3:])
        else:
            change = np.ascontiguousarray(change)
            solve_factored(factor, change)
        return np.asarray(state + change)

    def record(self, state: FloatArray, time: float) -> FloatArray:
        """All taps of one state, (1, taps, vectors)."""
        taps = np.asarray(self._tap_matrix @ state)[None]
        self.add_pinned(taps, self.drives.values(np.array([time])))
        return taps

    def add_pinned(self, taps: FloatArray, waves: FloatArray) -> None:
        """Add to taps (steps, taps, vectors) what the held nodes contribute; waves (steps, waves)."""
        for wave, part in self._held_taps.items():
            taps += waves[:, wave, None, None] * part

    def currents(self, time: FloatArray, ends: FloatArray, stages: FloatArray) -> Mapping[str, FloatArray]:
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

    def _all_stamps(self) -> tuple[Stamps, Stamps]:
        """Nodal entries of all conductances, with source resistances and closed switches of 1 S, and of capacitors."""
        lossy = ~self.drives.ideal
        nodes = self.drives.node[lossy]
        parts = [(*self.network.conductors(), 0), (nodes, np.full(len(nodes), -1), self.drives.siemens[lossy], 0)]
        for k, switch in enumerate(self.switches):
            unit = LinearNetwork(self.network.size)
            unit.add_conductances(self.network.index(switch.a), self.network.index(switch.b), 1.0)
            parts.append((*unit.conductors(), k + 1))
        return stamps(parts), stamps([(*self.network.capacitors(), 0)])

    def _number_nodes(self) -> None:
        """Choose the order of the free nodes and the pattern that their matrices share."""
        g, c, network = self._g, self._c, self.network
        fixed = np.zeros(network.size, dtype=bool)
        fixed[self.held] = True
        free = np.flatnonzero(~fixed)
        touched = np.zeros(network.size, dtype=bool)
        touched[g.row[g.value > 0]] = touched[c.row[c.value > 0]] = True
        lost = free[~touched[free]]
        if len(lost):
            raise InputError(f"node {network.name(int(lost[0]))} has no resistor and no capacitor")
        place = np.full(network.size, -1)
        place[free] = np.arange(len(free))
        if not self._number_lines(free, place):
            first = pattern((g, c), place, len(free))
            ones = sp.csc_array((np.ones(len(first.rows)), first.rows, first.start), shape=(len(free),) * 2)
            self._renumber(free[elimination_order(ones)])
            self._ldl = LDL(self._pattern.start, self._pattern.rows)
        self._c_values = self._pattern.values(1, c.value)

    def _number_lines(self, free: Index, place: Index) -> bool:
        """Number the free nodes along lines of resistors, if that is how they are best solved."""
        self._lines = None
        if len(free) < MIN_NODES:
            return False
        (g_row, g_column, _), (c_row, c_column, farad) = (_between(part, place) for part in (self._g, self._c))
        found = number_lines(len(free), g_row, g_column)
        if found is None:
            return False
        lines = WireLines(*found, c_row, c_column, farad)
        if not lines.pays:
            return False
        self._renumber(free[lines.order])
        lines.use(self._pattern, self._pattern.values(1, self._c.value))
        self._lines = lines
        return True

    def _renumber(self, free: Index) -> None:
        self.free = free
        self._place = np.full(self.network.size, -1)
        self._place[free] = np.arange(len(free))
        self._pattern = pattern((self._g, self._c), self._place, len(free))

    def _load(self, time: float) -> bool:
        """Matrices of the switch state at `time`; False if it is the present one."""
        values = tuple(switch.at(time) for switch in self.switches)
        if values == self._values:
            return False
        self._values = values
        total = self._g._replace(value=np.append(1.0, values)[self._g.tag] * self._g.value)
        self._g_values = self._pattern.values(0, total.value)
        self._factors.clear()
        # Symmetric, so its columns are its rows.
        entries = self._g_values.copy(), self._pattern.rows, self._pattern.start
        self._g_free = sp.csr_array(entries, shape=(len(self.free),) * 2, copy=True)
        self._g_free.eliminate_zeros()
        self.g_rows = Sparse(
            self._g_free.indptr.astype(np.int64), self._g_free.indices.astype(np.uint32), self._g_free.data
        )
        self.forcing = self._pushes(total)
        self._load_taps(total)
        return True

    def _load_taps(self, conductance: Stamps) -> None:
        """Rows that turn a state into what is recorded."""
        node = self.drives.node[self.wanted]
        count, wide, size = len(self.save), len(node), self.network.size
        row, column = [np.arange(count + wide)], [np.append(self.save, node)]
        value = [np.ones(count + wide)]
        for k, part in enumerate((conductance, self._c) if wide else ()):
            first = np.full(size, -1)
            # A node may be wanted twice (two sources on it): its rows are found for every one.
            for offset, at in enumerate(node.tolist()):
                first[:] = -1
                first[at] = count + (k + 1) * wide + offset
                mine = np.flatnonzero(part.row == at)
                row.append(first[part.row[mine]])
                column.append(part.column[mine])
                value.append(part.value[mine])
        matrix = sp.csc_array(
            (np.concatenate(value), (np.concatenate(row), np.concatenate(column))), shape=(self.taps, size)
        )
        self._tap_matrix = sp.csr_array(matrix[:, self.free])
        taps = self._tap_matrix
        self.tap_rows = Sparse(taps.indptr.astype(np.int64), taps.indices.astype(np.uint32), taps.data)
        self._held_taps: dict[int, FloatArray] = {}
        at_held = sp.csc_array(matrix[:, self.held])
        if at_held.nnz:
            for wave in np.unique(self.held_wave):
                mine = np.flatnonzero(self.held_wave == wave)
                part_of = np.asarray(at_held[:, mine] @ self.held_level[mine])
                if part_of.any():
                    self._held_taps[int(wave)] = part_of

    def _pushes(self, conductance: Stamps) -> Forcing:
        """What every source pushes into free nodes."""
        drives = self.drives
        lossy = np.flatnonzero(~drives.ideal)
        lossy = lossy[self._place[drives.node[lossy]] >= 0]
        nodes, waves = [self._place[drives.node[lossy]]], [drives.wave[lossy]]
        flow, charge = [drives.siemens[lossy, None] * drives.level[lossy]], [np.zeros((len(lossy), self.vectors))]
        if len(self.held):
            source = np.full(self.network.size, -1)
            source[self.held] = np.arange(len(self.held))
            for part, into, other, sign in ((conductance, flow, charge, -1.0), (self._c, charge, flow, 1.0)):
                keep = np.flatnonzero((self._place[part.row] >= 0) & (source[part.column] >= 0))
                by = source[part.column[keep]]
                nodes.append(self._place[part.row[keep]])
                waves.append(self.held_wave[by])
                into.append(sign * part.value[keep, None] * self.held_level[by])
                other.append(np.zeros((len(keep), self.vectors)))
        node, wave, g, c = (np.concatenate(part) for part in (nodes, waves, flow, charge))
        keep = np.flatnonzero((g != 0).any(axis=1) | (c != 0).any(axis=1))
        return Forcing(node[keep], wave[keep], np.ascontiguousarray(g[keep]), np.ascontiguousarray(c[keep]))

    def _wanted(self, names: Sequence[str]) -> Index:
        known = {source.name: k for k, source in enumerate(self.sources) if source.name}
        if len(known) != sum(1 for source in self.sources if source.name):
            raise InputError("two sources have the same name")
        for name in names:
            if name not in known:
                raise InputError(f"there is no source {name!r} whose current could be returned")
        return np.flatnonzero(np.isin(self.drives.owner, [known[name] for name in names]))

    def _initial(self, initial: ArrayLike | None) -> FloatArray | None:
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
            level = np.broadcast_to(self.drives.level, (len(self.drives.level), count))
            self.drives = replace(self.drives, level=np.ascontiguousarray(level))
        return np.array(np.broadcast_to(start, (self.network.size, count)))


def _between(part: Stamps, place: Index) -> tuple[Index, Index, FloatArray]:
    """Rows, columns and values of the stamps between placed nodes."""
    row, column = place[part.row], place[part.column]
    keep = np.flatnonzero((row >= 0) & (column >= 0))
    return row[keep], column[keep], part.value[keep]

"""Linear networks of resistors and capacitors: exact DC and exact charge sharing, many vectors at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from interconnect.arrays import BoolArray, FloatArray, IntArray
from interconnect.errors import InputError, SolverError

Index = IntArray
NodeList = Sequence[str] | Sequence[int] | Index

GROUND_NODE = -1
"""Index of the reference node (0 V), usable wherever a node is."""

GROUND_NAMES = ("0", "GND")
"""Names of the reference node."""

RESIDUAL_LIMIT = 1e-9


@dataclass(frozen=True)
class DCSolution:
    """Exact DC state. `voltage` (nodes,) or (nodes, vectors) V; `current` that each driven node's source delivers
    into the network (driven,) or (driven, vectors) A; `residual`: largest current imbalance of a free node relative
    to the largest branch current sum of any node."""

    voltage: FloatArray
    current: FloatArray
    residual: float


@dataclass(frozen=True)
class SettledState:
    """State after all currents have died away. `voltage` (nodes,) or (nodes, vectors) V; `charge` (same shape) C is
    the change of the charge on each node's capacitors, which for a driven node is what its source delivered;
    `residual`: largest charge imbalance of a floating node relative to the largest charge moved."""

    voltage: FloatArray
    charge: FloatArray
    residual: float


class LinearNetwork:
    """A network of resistors and capacitors between numbered nodes and ground.

    `nodes` is the number of nodes or their names; elements are added by whole arrays. Elements are passive
    (values >= 0; a capacitance or conductance of 0 is an open).
    """

    def __init__(self, nodes: int | Sequence[str]) -> None:
        if isinstance(nodes, int):
            self.names: tuple[str, ...] | None = None
            self.size = nodes
        else:
            self.names = tuple(nodes)
            self.size = len(self.names)
        self._position = {name: i for i, name in enumerate(self.names or ())}
        if len(self._position) != len(self.names or ()):
            raise InputError("two nodes of the network have the same name")
        self._position |= dict.fromkeys(GROUND_NAMES, GROUND_NODE)
        self._conductors: list[tuple[Index, Index, FloatArray]] = []
        self._capacitors: list[tuple[Index, Index, FloatArray]] = []

    def add_conductances(self, a: NodeList | int | str, b: NodeList | int | str, siemens: ArrayLike) -> None:
        """Add conductances (S, >= 0) between nodes `a` and `b`; everything broadcasts."""
        self._conductors.append(self._elements(a, b, siemens, "conductance", "S"))

    def add_resistors(self, a: NodeList | int | str, b: NodeList | int | str, ohm: ArrayLike) -> None:
        """Add resistors (ohm, > 0; infinite is an open) between nodes `a` and `b`; everything broadcasts."""
        values = np.asarray(ohm, dtype=float)
        if not np.all(values > 0):
            raise InputError("a resistance must be positive")
        self._conductors.append(self._elements(a, b, 1.0 / values, "conductance", "S"))

    def add_capacitors(self, a: NodeList | int | str, b: NodeList | int | str, farad: ArrayLike) -> None:
        """Add capacitors (F, >= 0) between nodes `a` and `b`; everything broadcasts."""
        self._capacitors.append(self._elements(a, b, farad, "capacitance", "F"))

    def index(self, nodes: NodeList | int | str) -> Index:
        """Numbers of `nodes` (names or numbers), shape (count,)."""
        items: list[object] = []
        if not isinstance(nodes, np.ndarray):
            items = [nodes] if isinstance(nodes, (int, str)) else list(nodes)
        if items and all(issubclass(kind, str) for kind in {*map(type, items)}):
            try:
                return np.array([self._position[str(item)] for item in items], dtype=np.int64)
            except KeyError as error:
                raise InputError(f"the network has no node {error.args[0]!r}") from None
        array = np.asarray(nodes if isinstance(nodes, np.ndarray) else items)
        if array.size == 0:
            return np.zeros(0, dtype=np.int64)
        if array.dtype.kind not in "iu" or array.min() < GROUND_NODE or array.max() >= self.size:
            raise InputError(f"node numbers must be integers from -1 (ground) to {self.size - 1}")
        return array.astype(np.int64).ravel()

    def name(self, node: int) -> str:
        """The node's name, or its number where nodes are not named."""
        return self.names[node] if self.names else f"#{node}"

    def extended(self, names: Sequence[str]) -> LinearNetwork:
        """A copy with further nodes (`names` count only where this network's nodes are named)."""
        copy = LinearNetwork(self.size + len(names) if self.names is None else (*self.names, *names))
        copy._conductors = list(self._conductors)
        copy._capacitors = list(self._capacitors)
        return copy

    def conductors(self) -> tuple[Index, Index, FloatArray]:
        """All conductances in the order they were added: nodes a, nodes b (-1 is ground), siemens."""
        return _joined(self._conductors)

    def capacitors(self) -> tuple[Index, Index, FloatArray]:
        """All capacitors in the order they were added: nodes a, nodes b (-1 is ground), farad."""
        return _joined(self._capacitors)

    def conductance_matrix(self) -> sp.csc_array:
        """Sparse nodal conductance matrix, shape (nodes, nodes), S (ground eliminated)."""
        return self._matrix(self._conductors)

    def capacitance_matrix(self) -> sp.csc_array:
        """Sparse Maxwell capacitance matrix, shape (nodes, nodes), F (ground eliminated)."""
        return self._matrix(self._capacitors)

    def dc(
        self,
        driven: NodeList,
        volts: ArrayLike,
        *,
        injected: tuple[NodeList, ArrayLike] | None = None,
    ) -> DCSolution:
        """Exact DC state with `driven` nodes held at `volts` (driven,) or (driven, vectors).

        `injected` = (nodes, amperes) pushes currents into nodes. Capacitors are open.

        Raises:
            InputError: a node without resistive path to a driven node or ground (named), or a node driven twice.
            SolverError: the solution's residual exceeds 1e-9.
        """
        held, level, flat = self._driven(driven, volts)
        vectors = level.shape[1]
        source = self._injected(injected, vectors, "current")
        fixed = np.zeros(self.size, dtype=bool)
        fixed[held] = True
        labels = self._components(self._conductors)
        alive = self._grounded(self._conductors, labels)
        alive[labels[held]] = True
        lost = np.flatnonzero(~alive[labels])
        if len(lost):
            raise InputError(
                f"node {self.name(int(lost[0]))} has no resistive path to a driven node or ground"
                + (f" (nor have {len(lost) - 1} others)" if len(lost) > 1 else ""),
                hint="its DC voltage is not determined",
            )
        matrix = self.conductance_matrix()
        voltage = np.zeros((self.size, vectors))
        voltage[held] = level
        _solve_free(matrix, voltage, source, np.flatnonzero(~fixed), held)
        imbalance = matrix @ voltage - source
        scale = (abs(matrix) @ np.abs(voltage)).max(initial=0.0)
        residual = _ratio(np.abs(imbalance[~fixed]).max(initial=0.0), scale)
        _certify(residual)
        return DCSolution(_shape(voltage, flat), _shape(imbalance[held], flat), residual)

    def settled(
        self,
        driven: NodeList,
        volts: ArrayLike,
        *,
        initial: ArrayLike | None = None,
        injected: tuple[NodeList, ArrayLike] | None = None,
    ) -> SettledState:
        """Exact final state after `driven` nodes step to `volts` (driven,) or (driven, vectors) from `initial`.

        `initial` (nodes,) or (nodes, vectors) V, default 0, holds all nodes before the step, the driven ones too. Nodes
        that a resistor ties to a driven node or ground end at their DC voltage; every other group of nodes joined by
        resistors floats: it ends at one voltage and keeps its charge, plus what `injected` = (nodes, coulombs) adds.

        Raises:
            InputError: a floating group without capacitance to any determined node (named).
            SolverError: the solution's residual exceeds 1e-9.
        """
        held, level, flat = self._driven(driven, volts)
        start, start_flat = self._initial(initial)
        vectors = max(level.shape[1], start.shape[1])
        if min(level.shape[1], start.shape[1]) not in (1, vectors):
            raise InputError(f"{level.shape[1]} vectors of driven voltages but {start.shape[1]} of initial voltages")
        flat = flat and start_flat
        level, start = np.broadcast_to(level, (len(held), vectors)), np.broadcast_to(start, (self.size, vectors))
        added = self._injected(injected, vectors, "charge")

        labels = self._components(self._conductors)
        tied = self._grounded(self._conductors, labels)
        tied[labels[held]] = True
        conductive = tied[labels]
        voltage = np.zeros((self.size, vectors))
        voltage[held] = level
        fixed = np.zeros(self.size, dtype=bool)
        fixed[held] = True
        _solve_free(
            self.conductance_matrix(), voltage, np.zeros_like(voltage), np.flatnonzero(conductive & ~fixed), held
        )
        # Every floating group is one unknown: fold its nodes' charges together.
        floating = np.flatnonzero(~conductive)
        groups, member = np.unique(labels[floating], return_inverse=True)
        fold = sp.csc_array((np.ones(len(floating)), (floating, member)), shape=(self.size, len(groups)))
        matrix = self.capacitance_matrix()
        folded = sp.csc_array(fold.T @ matrix @ fold)
        self._check_charge(floating, member)
        charge = np.asarray(fold.T @ (matrix @ (start - voltage) + added))
        if len(groups):
            voltage[floating] = _factor_solve(folded, charge)[member]
        moved = matrix @ (voltage - start)
        imbalance = np.asarray(fold.T @ (moved - added))
        scale = (abs(matrix) @ np.abs(voltage - start)).max(initial=0.0) + np.abs(added).max(initial=0.0)
        residual = _ratio(np.abs(imbalance).max(initial=0.0), scale)
        _certify(residual)
        return SettledState(_shape(voltage, flat), _shape(moved, flat), residual)

    def _check_charge(self, floating: Index, member: Index) -> None:
        """Refuse groups of floating nodes whose charge does not determine their voltage."""
        if len(floating) == 0:
            return
        # One vertex per floating group and one, the last, for everything whose voltage is known.
        known = int(member.max()) + 1
        vertex = np.full(self.size + 1, known)
        vertex[floating] = member
        a, b, value = _joined(self._capacitors)
        keep = value > 0
        links = (np.ones(keep.sum()), (vertex[a[keep]], vertex[b[keep]]))
        _, label = connected_components(sp.coo_array(links, shape=(known + 1, known + 1)), directed=False)
        lost = np.flatnonzero(label[member] != label[known])
        if len(lost):
            raise InputError(
                f"node {self.name(int(floating[lost[0]]))} floats without capacitance to any driven node or ground",
                hint="its voltage is not determined",
            )

    def _elements(
        self, a: NodeList | int | str, b: NodeList | int | str, values: ArrayLike, what: str, unit: str
    ) -> tuple[Index, Index, FloatArray]:
        number = np.atleast_1d(np.asarray(values, dtype=float)).ravel()
        ends = self.index(a), self.index(b)
        try:
            left, right, number = np.broadcast_arrays(*ends, number)
        except ValueError:
            raise InputError(f"{what}s: the number of nodes and the number of values differ") from None
        if not (np.isfinite(number).all() and (number >= 0).all()):
            raise InputError(f"a {what} ({unit}) must be finite and not negative")
        return left, right, number

    def _matrix(self, elements: list[tuple[Index, Index, FloatArray]]) -> sp.csc_array:
        a, b, value = _joined(elements)
        rows = np.concatenate([a, b, a, b])
        columns = np.concatenate([a, b, b, a])
        data = np.concatenate([value, value, -value, -value])
        keep = (rows >= 0) & (columns >= 0) & (np.concatenate([a != b] * 4))
        return sp.csc_array((data[keep], (rows[keep], columns[keep])), shape=(self.size, self.size))

    def _components(self, elements: list[tuple[Index, Index, FloatArray]]) -> Index:
        """Label (nodes,) of the group that each node forms with those its elements tie it to (ground ties none)."""
        a, b, value = _joined(elements)
        keep = (a >= 0) & (b >= 0) & (value > 0)
        graph = sp.coo_array((np.ones(keep.sum()), (a[keep], b[keep])), shape=(self.size, self.size))
        _, labels = connected_components(graph, directed=False)
        return np.asarray(labels, dtype=np.int64)

    def _grounded(self, elements: list[tuple[Index, Index, FloatArray]], labels: Index) -> BoolArray:
        """Per label, whether one of its nodes has an element to ground."""
        a, b, value = _joined(elements)
        reach = np.zeros(labels.max(initial=-1) + 1, dtype=bool)
        for one, other in ((a, b), (b, a)):
            reach[labels[one[(one >= 0) & (other < 0) & (value > 0)]]] = True
        return reach

    def _driven(self, driven: NodeList, volts: ArrayLike) -> tuple[Index, FloatArray, bool]:
        held = self.index(driven)
        level = np.asarray(volts, dtype=float)
        flat = level.ndim < 2
        if level.ndim == 0:
            level = np.full(len(held), float(level))
        if level.ndim > 2 or len(level) != len(held):
            raise InputError(f"{len(held)} driven nodes but voltages of shape {level.shape}")
        if not np.isfinite(level).all():
            raise InputError("a driven voltage is not finite")
        if (held < 0).any():
            raise InputError("ground cannot be driven: it is 0 V")
        unique, count = np.unique(held, return_counts=True)
        if (count > 1).any():
            raise InputError(f"node {self.name(int(unique[count > 1][0]))} is driven twice")
        return held, level[:, None] if level.ndim == 1 else level, flat

    def _initial(self, initial: ArrayLike | None) -> tuple[FloatArray, bool]:
        if initial is None:
            return np.zeros((self.size, 1)), True
        start = np.asarray(initial, dtype=float)
        if start.ndim not in (1, 2) or len(start) != self.size or not np.isfinite(start).all():
            raise InputError(f"initial voltages must be finite, shape ({self.size},) or ({self.size}, vectors)")
        return start.reshape(self.size, -1), start.ndim == 1

    def _injected(self, injected: tuple[NodeList, ArrayLike] | None, vectors: int, what: str) -> FloatArray:
        total = np.zeros((self.size, vectors))
        if injected is not None:
            nodes = self.index(injected[0])
            values = np.asarray(injected[1], dtype=float)
            values = values[:, None] if values.ndim == 1 else np.atleast_2d(values)
            if not np.isfinite(values).all() or (nodes < 0).any():
                raise InputError(f"an injected {what} must be finite and must not go into ground")
            try:
                np.add.at(total, nodes, np.broadcast_to(values, (len(nodes), vectors)))
            except ValueError:
                raise InputError(f"injected {what}s of shape {values.shape} do not fit {len(nodes)} nodes") from None
        return total


def _joined(elements: list[tuple[Index, Index, FloatArray]]) -> tuple[Index, Index, FloatArray]:
    if not elements:
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing, np.zeros(0)
    a, b, value = zip(*elements, strict=True)
    return np.concatenate(a), np.concatenate(b), np.concatenate(value)


def _solve_free(matrix: sp.csc_array, voltage: FloatArray, source: FloatArray, free: Index, held: Index) -> None:
    """Fill in `voltage[free]` so that currents balance there; nodes outside `free` and `held` are not connected."""
    if len(free) == 0:
        return
    rows = matrix[free]
    right = source[free] - rows[:, held] @ voltage[held]
    voltage[free] = _factor_solve(sp.csc_array(rows[:, free]), right)


def _factor_solve(matrix: sp.csc_array, right: FloatArray) -> FloatArray:
    """Solve a symmetric positive definite system with several right-hand sides and one step of refinement."""
    # Scaling by the diagonal keeps SuperLU's arithmetic away from the tiny numbers of capacitances.
    scale = 1.0 / np.sqrt(matrix.diagonal())
    scaled = sp.csc_array(sp.diags_array(scale) @ matrix @ sp.diags_array(scale))
    factor = splu(
        scaled, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True, "Equil": False}
    )
    target = scale[:, None] * right
    solution = factor.solve(target)
    solution = solution + factor.solve(target - scaled @ solution)
    return np.asarray(scale[:, None] * solution)


def _ratio(value: float, scale: float) -> float:
    return float(value / scale) if scale > 0 else 0.0


def _certify(residual: float) -> None:
    if not residual <= RESIDUAL_LIMIT:
        raise SolverError(f"the linear network could not be solved: residual {residual:.1e} (limit {RESIDUAL_LIMIT:g})")


def _shape(values: FloatArray, flat: bool) -> FloatArray:
    return values[:, 0] if flat else values

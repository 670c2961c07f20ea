"""Capacitance matrix of a periodic cell by finite elements (NGSolve), from one mesh and three polynomial orders.

The potential solves div(k grad u) = 0 between the conductors, with u = 1 on one net and 0 on the others; the entry
C_ij is the bilinear form of the solutions i and j, so its error is the product of their energy errors. At the 90
degree edges of the metal the field grows as r^(-1/3) and the error of the p-version falls as p^(-8/3) (Babuska and
Suri, "The p and h-p versions of the finite element method", SIAM Review 36 (1994), edge exponent 2/3); that
leading term is removed by extrapolation over the two highest orders.

The change from order to order does not see a fault of the mesh or of the periodic sides. Every solution is therefore
certified by an invariance (`interconnect.invariance`): couplings of mirror images must agree, and where the cell has no
symmetry, so must a copy of it whose period begins elsewhere. What they differ by counts in the stated error.
"""

import importlib.metadata
import importlib.util
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from interconnect.arrays import FloatArray
from interconnect.errors import InputError, SolverError
from interconnect.geometry import GROUND, Box, CellGeometry
from interconnect.invariance import clear_shift, crosses_side, symmetric_nets, translated
from interconnect.optional import optional_library

EPSILON_0 = 8.8541878128e-12
"""Vacuum permittivity, F/m (CODATA 2018)."""

DEFAULT_ORDER = 5
MAX_ORDER = 8
MAX_UNKNOWNS = 600_000
MESH_TRIALS = 8
EDGE_RATE = 8.0 / 3.0
"""Order of convergence in p of a capacitance whose field is singular at 90 degree edges."""

REFERENCE_FRACTION = 0.02
"""Couplings below this fraction of the nets' totals are judged against it, not against themselves."""

Matrix = FloatArray


@dataclass(frozen=True, slots=True)
class FieldSolution:
    """Maxwell matrix (F) of all nets but ground, its estimated relative error, and the size of the problem.

    relative_error: the larger of the change from order to order and of what `certificate` leaves unexplained.
    certificate: largest relative difference of two capacitances that an invariance makes equal. invariance: which one,
    `symmetry` or `translation`.
    """

    capacitance: Matrix
    relative_error: float
    certificate: float
    invariance: Literal["symmetry", "translation"]
    order: int
    elements: int
    unknowns: int


def available() -> bool:
    """Whether NGSolve is installed (it is not imported to find out)."""
    return importlib.util.find_spec("ngsolve") is not None and importlib.util.find_spec("netgen") is not None


def version() -> str:
    """NGSolve's version, for cache keys and provenance."""
    return importlib.metadata.version("ngsolve")


def solve_cell(
    geometry: CellGeometry, *, order: int = DEFAULT_ORDER, refine: float | None = None, level: float = 1.0
) -> FieldSolution:
    """Solve the cell; `order` (3..8) is the highest polynomial order.

    `refine` is an upper bound (m) on the element size along metal edges; `level` scales all element sizes. Both are
    for convergence studies: the default mesh with extrapolation is accurate to about 0.1 % on 100 nm class cells.

    Raises:
        InputError: order out of range, or a geometry that cannot be made periodic.
        SolverError: NGSolve failed, or the problem is too large.
    """
    if not 3 <= order <= MAX_ORDER:
        raise InputError(f"the field solver's order must be 3 to {MAX_ORDER}, got {order}")
    ng, failure = _library("ngsolve"), _library("netgen.meshing").NgException

    quiet = ng.ngsglobals.msg_level
    ng.ngsglobals.msg_level = 0
    try:
        cell = translated(geometry, clear_shift(geometry))
        matrices, elements, unknowns = _solve_orders(ng, cell, (order - 2, order - 1, order), refine, level)
        best = extrapolate(matrices[1], order - 1, matrices[2], order)
        before = extrapolate(matrices[0], order - 2, matrices[1], order - 1)
        change = _relative_change(best, before)
        images = () if crosses_side(cell) else symmetric_nets(geometry)
        if images:
            certificate = max(_relative_change(best, best[np.ix_(image, image)]) for image in images)
            error = max(change, certificate)
        else:
            # Of a copy at lower orders the change from order to order explains a part.
            moved = translated(cell, clear_shift(cell, rank=1))
            low, high = _solve_orders(ng, moved, (order - 2, order - 1), refine, level)[0]
            certificate = _relative_change(best, extrapolate(low, order - 2, high, order - 1))
            error = max(change, certificate - change)
    except failure as error_:  # pragma: no cover (depends on the mesher)
        raise SolverError(f"geometry {geometry.name}: the field solver failed: {str(error_).strip()}") from None
    finally:
        ng.ngsglobals.msg_level = quiet
    return FieldSolution(best, error, certificate, "symmetry" if images else "translation", order, elements, unknowns)


def _solve_orders(
    ng: Any, geometry: CellGeometry, orders: tuple[int, ...], refine: float | None, level: float
) -> tuple[list[Matrix], int, int]:
    """Maxwell matrices (F) by polynomial order on one mesh, its elements, and the unknowns of the last order."""
    unit = min(min(box.size) for box in geometry.boxes) if geometry.boxes else min(geometry.period)
    mesh = _mesh(geometry, unit, refine, level)
    nets = [net for net in geometry.nets if net != GROUND]
    matrices, unknowns = [], 0
    for p in orders:
        matrix, unknowns = _solve_order(ng, mesh, geometry, nets, p)
        matrices.append(matrix * (EPSILON_0 * unit))
    return matrices, int(mesh.ne), unknowns


def extrapolate(low: Matrix, p_low: int, high: Matrix, p_high: int) -> Matrix:
    """Remove the leading p^(-8/3) error term from solutions of two polynomial orders."""
    ratio = (p_low / p_high) ** EDGE_RATE
    return np.asarray((high - ratio * low) / (1.0 - ratio))


def _library(name: str) -> Any:
    """A module of NGSolve."""
    return optional_library(name, extra="fieldsolver", purpose="Field solutions")


def _relative_change(best: Matrix, before: Matrix) -> float:
    """Largest change of an entry, relative to the entry or to 2 % of the two nets' totals, whichever is larger."""
    if best.size == 0:
        return 0.0
    total = np.sqrt(np.diag(best))
    scale = np.maximum(np.abs(best), REFERENCE_FRACTION * np.outer(total, total))
    return float(np.max(np.abs(best - before) / scale))


def _solve_order(ng: Any, mesh: Any, geometry: CellGeometry, nets: list[str], order: int) -> tuple[Matrix, int]:
    """Capacitance in units of epsilon_0 times the length unit; inner unknowns are condensed out element by element."""
    dirichlet = "|".join([*nets, GROUND])
    space = ng.Periodic(ng.H1(mesh, order=order, dirichlet=dirichlet))
    if space.ndof > MAX_UNKNOWNS:
        raise SolverError(
            f"geometry {geometry.name}: the field solver needs {space.ndof} unknowns (limit {MAX_UNKNOWNS}); "
            "use a smaller supercell or a lower order"
        )
    u, v = space.TnT()
    permittivity = mesh.MaterialCF({f"slab{i}": k for i, (_, _, k) in enumerate(_slabs(geometry))})
    form = ng.BilinearForm(space, symmetric=True, condense=True)
    form += permittivity * ng.grad(u) * ng.grad(v) * ng.dx
    form.Assemble()
    inverse = form.mat.Inverse(space.FreeDofs(True), inverse="sparsecholesky")
    # The matrix of a condensed form is the Schur complement, whose form equals the full energy of each solution.
    solutions = []
    images = []
    for net in nets:
        field = ng.GridFunction(space)
        field.Set(1, definedon=mesh.Boundaries(net))
        residual = field.vec.CreateVector()
        residual.data = form.mat * field.vec
        field.vec.data -= inverse * residual
        image = field.vec.CreateVector()
        image.data = form.mat * field.vec
        solutions.append(field.vec)
        images.append(image)
    matrix = np.array([[ng.InnerProduct(a, b) for b in images] for a in solutions], dtype=float)
    matrix = matrix.reshape(len(nets), len(nets))
    return 0.5 * (matrix + matrix.T), int(space.ndof)


def _slabs(geometry: CellGeometry) -> list[tuple[float, float, float]]:
    """(bottom, top, k) of the dielectrics between floor and ceiling, neighbours of equal k merged."""
    merged: list[tuple[float, float, float]] = []
    for slab in sorted(geometry.slabs, key=lambda s: s.bottom):
        bottom, top = max(slab.bottom, geometry.floor), min(slab.top, geometry.ceiling)
        if top <= bottom:
            continue
        if merged and merged[-1][2] == slab.k:
            merged[-1] = (merged[-1][0], top, slab.k)
        else:
            merged.append((bottom, top, slab.k))
    return merged


def _mesh(geometry: CellGeometry, unit: float, refine: float | None, level: float) -> Any:
    """A mesh in which no element reaches from one side of the period to the other.

    Such an element would meet its own copy: its shape functions then share unknowns, and the solution is far off while
    all polynomial orders agree.
    """
    ng, parameters = _library("ngsolve"), _library("netgen.meshing").MeshingParameters
    shape = _library("netgen.occ").OCCGeometry(_domain(geometry, unit, refine))
    size = level * max(*geometry.period, geometry.ceiling - geometry.floor) / unit
    fine = {"curvaturesafety": 2.0 / level, "segmentsperedge": 1.0 / level} if level < 1.0 else {}
    # Netgen's threads spin while they wait: the same mesh takes eight times the CPU with them.
    kind = {"quad_dominated": False, "parallel_meshing": False}
    for _ in range(MESH_TRIALS):
        mesh = ng.Mesh(shape.GenerateMesh(mp=parameters(maxh=size, **kind, **fine)))
        spanned = _spanned_period(mesh, geometry, unit)
        if spanned is None:
            return mesh
        size = min(0.4 * spanned, 0.8 * size)
    raise SolverError(f"geometry {geometry.name}: no mesh with several elements across the period was found")


def _spanned_period(mesh: Any, geometry: CellGeometry, unit: float) -> float | None:
    """The shortest period (in units) that a single element bridges, or None."""
    points = np.array([vertex.point for vertex in mesh.vertices])
    corners = points[np.array([[vertex.nr for vertex in element.vertices] for element in mesh.Elements()])]
    low, high = corners.min(axis=1), corners.max(axis=1)
    periods = [
        length / unit
        for axis, length in enumerate(geometry.period)
        if ((low[:, axis] < 1e-6) & (high[:, axis] > length / unit - 1e-6)).any()
    ]
    return min(periods, default=None)


def _domain(geometry: CellGeometry, unit: float, refine: float | None) -> Any:
    """The dielectric between floor and ceiling as an OCC shape: faces named per net, opposite sides identified."""
    occ = _library("netgen.occ")
    nets: dict[str, Any] = {}
    for box in wrapped_boxes(geometry):
        solid = occ.Box(
            occ.Pnt(*(value / unit for value in box.lower)), occ.Pnt(*(value / unit for value in box.upper))
        )
        nets[box.net] = nets[box.net] + solid if box.net in nets else solid
    for net, solid in nets.items():
        solid.faces.name = net
        if refine is not None:
            solid.edges.maxh = refine / unit
    width, depth = (value / unit for value in geometry.period)
    floor, ceiling = geometry.floor / unit, geometry.ceiling / unit
    pieces = []
    for i, (bottom, top, _) in enumerate(_slabs(geometry)):
        piece = occ.Box(occ.Pnt(0, 0, bottom / unit), occ.Pnt(width, depth, top / unit))
        piece.faces.name = "open"
        for face in piece.faces:
            if min(abs(face.center.z - floor), abs(face.center.z - ceiling)) < 1e-9:
                face.name = GROUND
        for solid in nets.values():
            piece = piece - solid
        piece.solids.name = f"slab{i}"
        pieces.append(piece)
    shape = occ.Glue(pieces) if len(pieces) > 1 else pieces[0]
    _name_metal(geometry, shape, unit)
    _identify(geometry, shape, (width, depth))
    return shape


def _name_metal(geometry: CellGeometry, shape: Any, unit: float) -> None:
    """Give faces of metal that a dielectric merely touches their net's name.

    Where a box ends at a boundary between two dielectrics, the face belongs to the dielectric beyond; it inherits the
    box's name only if the box's face lies inside it as a whole.
    """
    boxes = wrapped_boxes(geometry)
    lower = np.array([box.lower for box in boxes]).reshape(-1, 3) / unit - 1e-6
    upper = np.array([box.upper for box in boxes]).reshape(-1, 3) / unit + 1e-6
    for face in shape.faces:
        if face.name != "open":
            continue
        low, high = (np.array([point[axis] for axis in range(3)]) for point in face.bounding_box)
        inside = np.flatnonzero(((low >= lower) & (high <= upper)).all(axis=1))
        if len(inside):
            face.name = boxes[inside[0]].net


def _identify(geometry: CellGeometry, shape: Any, period: tuple[float, float]) -> None:
    """Pair each face on the side x = 0 (y = 0) with its copy one period away."""
    occ = _library("netgen.occ")
    faces = [(face, np.array([face.center.x, face.center.y, face.center.z])) for face in shape.faces]
    for axis, length in enumerate(period):
        step = np.eye(3)[axis] * length
        near = [item for item in faces if abs(item[1][axis]) < 1e-9]
        far = [item for item in faces if abs(item[1][axis] - length) < 1e-9]
        shift = occ.gp_Trsf.Translation(occ.gp_Vec(*step))
        for face, center in near:
            matches = [other for other, place in far if np.linalg.norm(place - center - step) < 1e-6]
            if len(near) != len(far) or len(matches) != 1 or abs(matches[0].mass - face.mass) > 1e-6 * face.mass:
                raise InputError(
                    f"geometry {geometry.name}: the metal on the {'xy'[axis]} = 0 side of the period does not continue "
                    "on the opposite side",
                    hint="let lines run through the whole period and keep other boxes off its sides",
                )
            face.Identify(matches[0], f"periodic_{'xy'[axis]}", occ.IdentificationType.PERIODIC, shift)


def wrapped_boxes(geometry: CellGeometry) -> list[Box]:
    """The conductors with their copies one period away, as far as they reach into the period."""
    width, depth = geometry.period
    boxes = []
    for box in geometry.boxes:
        if box.kind == "resistor":
            continue
        for i in (-1, 0, 1):
            for j in (-1, 0, 1):
                lower = (box.lower[0] + i * width, box.lower[1] + j * depth, box.lower[2])
                upper = (box.upper[0] + i * width, box.upper[1] + j * depth, box.upper[2])
                tol = 1e-6 * min(width, depth)
                if upper[0] > tol and upper[1] > tol and lower[0] < width - tol and lower[1] < depth - tol:
                    boxes.append(Box(box.net, box.layer, box.kind, lower, upper))
    return boxes

"""From extractions of supercells to the pair capacitances of one cell."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import nnls

from interconnect.extraction import Extraction
from interconnect.negligible import NEGLIGIBLE_SHARE, without_negligible


@dataclass(frozen=True, slots=True)
class Pair:
    """One unknown pair capacitance, called `name`, between two nets of a supercell; equal nets: it drops out."""

    name: str
    a: str
    b: str


@dataclass(frozen=True, slots=True)
class Observation:
    """One extracted supercell and every pair of the cells in it, by the nets that its vias make of them."""

    extraction: Extraction
    pairs: tuple[Pair, ...]


def pair_capacitances(observations: Sequence[Observation], reference: Iterable[str]) -> tuple[dict[str, float], float]:
    """Pair capacitances per cell (F) that explain the extractions best, and the largest misfit of a coupling.

    Every coupling of two nets is the sum of the pairs between them. Non-negative least squares (Lawson and Hanson).
    reference: the pairs whose sum is the bit line's total (a name may come twice); the misfit is relative to it.
    """
    names = list(dict.fromkeys(p.name for o in observations for p in o.pairs))
    index = {name: i for i, name in enumerate(names)}
    rows, observed = [], []
    for o in observations:
        nets = o.extraction.nets
        place = {net: i for i, net in enumerate(nets)}
        for i, a in enumerate(nets):
            for b in nets[i + 1 :]:
                line = np.zeros(len(names))
                for p in o.pairs:
                    if {place[p.a], place[p.b]} == {place[a], place[b]}:
                        line[index[p.name]] += 1
                rows.append(line)
                observed.append(o.extraction.coupling(a, b))
    matrix, target = np.array(rows), np.array(observed)
    scale = float(target.max())
    solution, _ = nnls(matrix, target / scale)
    values = _without_negligible({name: float(solution[i]) * scale for name, i in index.items()}, observations)
    misfit = float(np.abs(matrix @ solution * scale - target).max())
    return values, misfit / sum(values[name] for name in reference)


def _without_negligible(values: dict[str, float], observations: Sequence[Observation]) -> dict[str, float]:
    """Pairs below `NEGLIGIBLE_SHARE` of the totals of both their nets are zero."""
    bound = dict.fromkeys(values, 0.0)
    for o in observations:
        total = dict.fromkeys(o.extraction.nets, 0.0)
        for p in o.pairs:
            for net in {p.a, p.b}:
                total[net] += values[p.name]
        for p in o.pairs:
            bound[p.name] = max(bound[p.name], NEGLIGIBLE_SHARE * min(total[p.a], total[p.b]))
    return {name: value if value >= bound[name] else 0.0 for name, value in values.items()}


def without_floating(extraction: Extraction, floating: Collection[str]) -> Extraction:
    """The extraction with these nets left to float, exactly: each carries no net charge.

    With the Maxwell matrix C = [[C_kk, C_kf], [C_fk, C_ff]] of kept and floating nets, charges on the kept nets are
    (C_kk - C_kf C_ff^-1 C_fk) V_k: the Schur complement of the floating block.
    """
    if not floating:
        return extraction
    keep = [i for i, net in enumerate(extraction.nets) if net not in floating]
    gone = [i for i, net in enumerate(extraction.nets) if net in floating]
    c = extraction.capacitance
    reduced = c[np.ix_(keep, keep)] - c[np.ix_(keep, gone)] @ np.linalg.solve(
        c[np.ix_(gone, gone)], c[np.ix_(gone, keep)]
    )
    symmetric = without_negligible(0.5 * (reduced + reduced.T))
    return replace(extraction, nets=tuple(extraction.nets[i] for i in keep), capacitance=symmetric)

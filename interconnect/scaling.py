"""What a process may do to a stack: factors on its lengths and permittivities, named corners, statistical spread."""

from dataclasses import dataclass, fields

from interconnect.provenance import Provenance


@dataclass(frozen=True, slots=True)
class Scaling:
    """Factors on the drawn stack, 1 = nominal.

    `width`: of lines and cuts, which keep their centres (spaces shrink as lines grow; a tab's ends move as its sides
    do, and a cut as wide as its line stays so);
    `thickness`: of every metal, which keeps its resistivity; `ild`: height of the dielectric below, between and above
    metals; `k`: permittivities; `via_resistance`: every cut.
    """

    width: float = 1.0
    thickness: float = 1.0
    ild: float = 1.0
    k: float = 1.0
    via_resistance: float = 1.0


PARAMETERS: tuple[str, ...] = tuple(field.name for field in fields(Scaling))
GLOBAL_PARAMETERS = ("width", "thickness", "ild", "k")
"""What varies from die to die and moves all cells together."""


@dataclass(frozen=True, slots=True)
class Corner:
    """A named process corner of the metals, e.g. `Cmax`, with the source of its factors."""

    name: str
    scaling: Scaling
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Spread:
    """Statistical variation of a stack, one standard deviation each.

    `width`, `thickness`, `ild`, `k`: relative, from die to die. `via_resistance`: of the logarithm, cut by cut.
    `edge_sigma` (m) and `edge_correlation` (m): a line edge's position and how far along the line it keeps it.
    `capacitor_area` (m): a capacitor's relative sigma is this over the square root of its area.
    """

    width: float
    thickness: float
    ild: float
    k: float
    via_resistance: float
    edge_sigma: float
    edge_correlation: float
    capacitor_area: float
    provenance: dict[str, Provenance]

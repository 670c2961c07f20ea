"""The metal stack (back end of line): layers, vias and dielectrics, every value with its status and source."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from interconnect.errors import InputError
from interconnect.geometry import Slab
from interconnect.provenance import Provenance, Status
from interconnect.scaling import Corner, Spread
from interconnect.suggestion import suggest


@dataclass(frozen=True, slots=True)
class Enclosure:
    """By how much a metal must reach beyond a cut, m: `sides` on every side, `ends` on two opposite sides."""

    sides: float
    ends: float


@dataclass(frozen=True, slots=True)
class Metal:
    """One metal layer. Heights and lengths in m, `sheet_resistance` ohm/sq, `tcr` 1/K.

    `provenance` maps each field's name to where its number comes from. min_area: m^2; None: the stack states no rule.
    """

    name: str
    bottom: float
    thickness: float
    min_width: float
    min_space: float
    sheet_resistance: float
    tcr: float
    provenance: Mapping[str, Provenance]
    min_area: float | None = None

    @property
    def top(self) -> float:
        """Height of the upper face, m."""
        return self.bottom + self.thickness

    def resistance(self, length: float, width: float, delta_temperature: float = 0.0) -> float:
        """Resistance (ohm) of a line of `length` and `width` (m), `delta_temperature` (K) above the reference."""
        return self.sheet_resistance * length / width * (1.0 + self.tcr * delta_temperature)


@dataclass(frozen=True, slots=True)
class ViaLayer:
    """The cuts between two metals. `size` and `space` m, `height` m (derived), `resistance` ohm per cut, `tcr` 1/K.

    enclosed_below, enclosed_above: by the lower and by the upper metal; None: the stack states no rule.
    """

    name: str
    below: str
    above: str
    size: float
    space: float
    height: float
    resistance: float
    tcr: float
    provenance: Mapping[str, Provenance]
    enclosed_below: Enclosure | None = None
    enclosed_above: Enclosure | None = None


@dataclass(frozen=True, slots=True)
class Dielectric:
    """A horizontal layer of dielectric: `slab` (m, m, relative permittivity) with a name."""

    name: str
    slab: Slab
    provenance: Mapping[str, Provenance]


@dataclass(frozen=True, slots=True)
class Stack:
    """A metal stack; `metals` and `vias` are ordered upwards. `reference_temperature` in degC.

    `sha256` is the hash of the file it was read from. `corners` and `spread` tell how the process varies, if known.
    `width_factor`: lines and cuts come out wider than drawn by it; a corner's, applied by the extraction. `node`: name
    of the process generation, m; None: unknown. grid: that drawn coordinates must lie on, m; None: not stated.
    """

    name: str
    title: str
    status: Status
    metals: tuple[Metal, ...]
    vias: tuple[ViaLayer, ...]
    dielectrics: tuple[Dielectric, ...]
    reference_temperature: float
    notes: tuple[str, ...]
    sha256: str
    corners: tuple[Corner, ...] = ()
    spread: Spread | None = None
    width_factor: float = 1.0
    node: float | None = None
    grid: float | None = None

    def metal(self, name: str) -> Metal:
        """The metal layer called `name`; InputError if the stack has none."""
        return self.metals[self.index(name)]

    def index(self, name: str) -> int:
        """Position of metal `name`, 0 at the bottom."""
        for i, metal in enumerate(self.metals):
            if metal.name == name:
                return i
        hint = suggest(name, (metal.name for metal in self.metals))
        raise InputError(f"stack {self.name} has no metal {name!r}", hint=hint)

    def via(self, name: str) -> ViaLayer:
        """The via layer called `name`."""
        for via in self.vias:
            if via.name == name:
                return via
        hint = suggest(name, (via.name for via in self.vias))
        raise InputError(f"stack {self.name} has no via layer {name!r}", hint=hint)

    def via_between(self, below: str, above: str) -> ViaLayer:
        """The cuts that join two neighbouring metals; InputError if the stack has no such via layer."""
        self.metal(below), self.metal(above)
        for via in self.vias:
            if (via.below, via.above) == (below, above):
                return via
        raise InputError(f"stack {self.name} has no via from {below!r} up to {above!r}")

    def corner(self, name: str) -> Corner:
        """The process corner called `name` (case does not matter); InputError if the stack has none."""
        for corner in self.corners:
            if corner.name.lower() == name.lower():
                return corner
        known = ", ".join(["nominal", *(corner.name for corner in self.corners)])
        raise InputError(f"stack {self.name} has no corner {name!r}", hint=f"it has {known}")

    def slabs(self, floor: float, ceiling: float) -> tuple[Slab, ...]:
        """The dielectric layers between two heights (m), clipped to them."""
        inside = [
            Slab(max(d.slab.bottom, floor), min(d.slab.top, ceiling), d.slab.k)
            for d in self.dielectrics
            if d.slab.bottom < ceiling and d.slab.top > floor
        ]
        if not inside or inside[0].bottom > floor or inside[-1].top < ceiling:
            raise InputError(f"stack {self.name}: its dielectrics do not fill the heights {floor:g} to {ceiling:g} m")
        return tuple(inside)

    def plane_floor(self, row_layer: str) -> float:
        """Height (m) of the plane below: the top of the next lower metal, or the substrate (0) under the lowest."""
        i = self.index(row_layer)
        return self.metals[i - 1].top if i else 0.0

    def plane_ceiling(self, column_layer: str) -> float:
        """Height (m) of the plane above: the bottom of the next higher metal.

        Raises:
            InputError: `column_layer` is the top metal, which has no plane above it.
        """
        i = self.index(column_layer)
        if i + 1 == len(self.metals):
            raise InputError(f"stack {self.name}: {column_layer!r} is the top metal, there is no plane above it")
        return self.metals[i + 1].bottom

    def provenances(self) -> Iterator[tuple[str, Provenance]]:
        """Every value's path (`metals.M2.thickness`) and provenance."""
        for group, items in (("metals", self.metals), ("vias", self.vias), ("dielectrics", self.dielectrics)):
            for item in items:
                for field, source in item.provenance.items():
                    yield f"{group}.{item.name}.{field}", source

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of any result on this stack must know: which of its values are estimates."""
        weak = {path.rsplit(".", 1)[1] for path, source in self.provenances() if source.status == "estimate"}
        if not weak:
            return ()
        if all(source.status == "estimate" for _, source in self.provenances()):
            return (f"{self.name}: every value is an estimate, not foundry data",)
        return (f"{self.name}: some values are estimates ({', '.join(sorted(weak))})",)

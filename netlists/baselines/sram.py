"""Baselines `sram_6t` and `sram_8t`: a latch read through its access transistors or through a port of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from interconnect.errors import InputError
from interconnect.provenance import Provenance, Value
from netlists.baselines.area import SRAM_6T_45NM, CellArea, scaled_area
from netlists.baselines.base import BaselineDevice, BitRead, check_sizes
from netlists.parameters import parameter

_RATIO_8T = 1.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sram6T(BitRead):
    """Sizes of the 6T cell; defaults are an own choice (estimate), pull-down to access ratio 2 for the read."""

    kind: ClassVar[str] = "sram_6t"
    title: ClassVar[str] = "6T SRAM, read through the access transistors"

    pull_down_width: float = parameter(0.2e-6, "m", "width of the pull-down NMOS")
    access_width: float = parameter(0.1e-6, "m", "width of the access NMOS")
    pull_up_width: float = parameter(0.09e-6, "m", "width of the pull-up PMOS")
    length: float = parameter(50e-9, "m", "channel length")
    bl_wire: float = parameter(80e-18, "F", "local bit-line wire per row: about 0.4 um at 0.2 fF/um")
    wl_wire: float = parameter(180e-18, "F", "word-line wire per cell: about 0.9 um at 0.2 fF/um")

    def __post_init__(self) -> None:
        check_sizes(self, ("pull_down_width", "access_width", "pull_up_width"))
        if self.pull_down_width < self.access_width:
            raise InputError(
                f"is {self.pull_down_width:.4g} m, less than the access width {self.access_width:.4g} m",
                where=f"local cell {self.kind}.pull_down_width",
                hint="otherwise the access transistors overwrite the latch",
            )

    @property
    def pins(self) -> tuple[str, ...]:
        """Of the subcircuits."""
        return ("bl", "blb", "wl", "vdd", "q", "qb")

    @property
    def word_gate_width(self) -> float:
        """Of both access transistors, m."""
        return 2 * self.access_width

    @property
    def devices(self) -> tuple[BaselineDevice, ...]:
        """Latch and access transistors."""
        return self._latch()

    def _latch(self) -> tuple[BaselineDevice, ...]:
        """The six transistors; the ones ending in _b drive or touch node qb."""
        return (
            BaselineDevice("down", "n", self.pull_down_width),
            BaselineDevice("down_b", "n", self.pull_down_width),
            BaselineDevice("up", "p", self.pull_up_width),
            BaselineDevice("up_b", "p", self.pull_up_width),
            BaselineDevice("access", "n", self.access_width),
            BaselineDevice("access_b", "n", self.access_width),
        )

    def initial(self, symbol: int, vdd: float) -> Mapping[str, float]:
        """State of the latch, V: q at the supply stores 1."""
        return {"q": vdd * symbol, "qb": vdd * (1 - symbol)}

    def area(self, node: float) -> CellArea:
        """Published 45 nm cell, scaled."""
        return scaled_area(SRAM_6T_45NM, 45e-9, node, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sram8T(Sram6T):
    """Sizes of the 8T cell: a 6T latch whose write port is idle here, and two NMOS in series as a read port; defaults
    are an own choice (estimate)."""

    kind: ClassVar[str] = "sram_8t"
    title: ClassVar[str] = "8T SRAM, read through two transistors of their own"

    read_width: float = parameter(0.12e-6, "m", "width of both read transistors")
    pull_down_width: float = parameter(0.12e-6, "m", "width of the pull-down NMOS")
    wl_wire: float = parameter(240e-18, "F", "read word-line wire per cell: about 1.2 um at 0.2 fF/um")

    def __post_init__(self) -> None:
        Sram6T.__post_init__(self)
        check_sizes(self, ("read_width",))

    @property
    def pins(self) -> tuple[str, ...]:
        """Of the subcircuits."""
        return ("bl", "wl", "vdd", "q", "qb")

    @property
    def word_gate_width(self) -> float:
        """Of the selecting transistor of the read port, m."""
        return self.read_width

    @property
    def devices(self) -> tuple[BaselineDevice, ...]:
        """Latch, write access and read port."""
        port = (BaselineDevice("read", "n", self.read_width), BaselineDevice("select", "n", self.read_width))
        return (*self._latch(), *port)

    def area(self, node: float) -> CellArea:
        """1.3 times the published 45 nm 6T cell, scaled: an estimate."""
        source = (
            f"{_RATIO_8T:g} times ({SRAM_6T_45NM.provenance.source}); the factor is an assumption for two more NMOS"
        )
        anchor = Value(_RATIO_8T * SRAM_6T_45NM.value, "m^2", Provenance("estimate", source))
        return scaled_area(anchor, 45e-9, node, 1.0)

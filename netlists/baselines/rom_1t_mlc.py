"""Baseline `rom_1t_mlc`: one NMOS whose source is tied by a via to one of K driven source lines.

After the multi-source-driven multi-level ROM of doi 10.1109/JSSC.2023.3326955 (its circuit sizes are not public). The
local bit line starts at ground and settles to the level of the source line, so all levels must lie where an NMOS with
its gate at the supply passes them fully: below the supply less threshold and body effect, with room for speed.
"""

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from interconnect.provenance import Provenance, Value
from netlists.baselines.area import CellArea, scaled_area
from netlists.baselines.base import LARGEST_TOP_LEVEL, OneTransistor, check_sizes
from netlists.parameters import parameter, require, require_whole

AREA_PER_BIT_65NM = Value(
    0.096e-12,
    "m^2",
    Provenance("published", "0.096 um2 per bit of a 65 nm multi-level ROM, doi 10.1109/JSSC.2023.3326955"),
)
MACRO_65NM = Value(
    3.984e12,
    "bit/m^2",
    Provenance("published", "3,984 kb/mm2 of a fabricated 2 Mb macro, doi 10.1109/JSSC.2023.3326955"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rom1TMlc(OneTransistor):
    """Sizes and levels of the multi-level ROM cell; defaults are an own choice (estimate)."""

    kind: ClassVar[str] = "rom_1t_mlc"
    title: ClassVar[str] = "multi-level mask ROM, one transistor, source tied to one of K driven lines"
    reading: ClassVar[Literal["discharge", "level"]] = "level"

    states: int = parameter(4, "", "source lines to choose from, 2 to 8: log2 of it bits per cell")
    top_level: float = parameter(0.45, "", "level of the highest source line as a fraction of the supply, up to 0.5")
    width: float = parameter(0.12e-6, "m", "width of the cell transistor")
    length: float = parameter(50e-9, "m", "channel length")
    bl_wire: float = parameter(40e-18, "F", "local bit-line wire per row: about 0.2 um at 0.2 fF/um")
    wl_wire: float = parameter(60e-18, "F", "word-line wire per cell: about 0.3 um at 0.2 fF/um")

    def __post_init__(self) -> None:
        where = f"local cell {self.kind}"
        require_whole(self.states, 2, 8, where=f"{where}.states")
        require(
            math.isfinite(self.top_level) and 0 < self.top_level <= LARGEST_TOP_LEVEL,
            f"is {self.top_level!r}",
            where=f"{where}.top_level",
            hint=f"above 0 and up to {LARGEST_TOP_LEVEL:g} of the supply, what an NMOS passes fully and fast",
        )
        check_sizes(self, ("width",))

    @property
    def pins(self) -> tuple[str, ...]:
        """Bit line, word line and the source lines above ground, lowest first (symbol 0 is tied to ground)."""
        return ("bl", "wl", *(f"level{k}" for k in range(1, self.states)))

    @property
    def symbols(self) -> int:
        """One per source line."""
        return self.states

    def levels(self, vdd: float) -> tuple[float, ...]:
        """Voltages of the source lines, equally spaced from ground, V."""
        return tuple(vdd * self.top_level * k / (self.states - 1) for k in range(self.states))

    def area(self, node: float) -> CellArea:
        """Published area per bit at 65 nm times 2 bits, scaled.

        The published cell is taken to hold 2 bits (4 lines). Any other number of lines keeps its area: an estimate.
        """
        published = AREA_PER_BIT_65NM
        source = f"{published.provenance.source}, times 2 bits per cell"
        if self.states != 4:
            source += f", taken for {self.states} source lines as well"
        anchor = Value(2 * published.value, "m^2", Provenance("published" if self.states == 4 else "estimate", source))
        area = scaled_area(anchor, 65e-9, node, math.log2(self.states))
        return replace(area, macro=MACRO_65NM, macro_node=65e-9)

"""What one cell kind gives at one group size: figures with their sources, and the levels that the page draws."""

from dataclasses import dataclass

from interconnect.arrays import FloatArray, IntArray

SOURCES = {
    "ngspice": "simulated with ngspice: transistor-level drivers and reset, extracted metal",
    "linear": "exact solution of the metal as a linear network or its charge balance",
    "model": "closed form, regression or behavioral model",
}
"""What the page's column of sources means."""


@dataclass(frozen=True, slots=True)
class CellComparison:
    """One cell kind at one group size, nominal condition; V or A by `unit`, J, s, m2, Mb/mm2.

    lsb: level per count, all rows active; lsb_metal: of the metal alone, ideal drivers and reset (linear). swing: from
    the lowest to the highest count. margin: distance of the weakest level with all rows active to its nearest
    threshold, in LSB and in sigma of that level. cell, switch, noise, pattern, converter: sigmas of a conversion in
    LSB, root mean square over the layer's conversions. code_error: expected over the layer; code_error_common: with
    thresholds of the mean column, None where all are alike; csnr: of the layer through the macro, dB, None where no
    error was seen. gain_spread: relative, of the gain over columns of the layer's data; None where all columns are
    alike. energy_*: low, mid, high. settling: from the input edge to 0.1 LSB of the end. density_*: of bits, log2 of
    the levels per cell; weight_density: of weight bits, periphery under the array.
    """

    letter: str
    kind: str
    title: str
    rows: int
    levels: int
    unit: str
    area: float
    pitch: tuple[float, float]
    columns_per_weight: int
    lsb: float
    lsb_metal: float
    swing: float
    margin_lsb: float
    margin_sigma: float
    weakest: int
    cell: float
    switch: float
    noise: float
    pattern: float
    converter: float
    code_error: float
    code_error_common: float | None
    csnr: float | None
    csnr_fitted: float | None
    gain_spread: float | None
    energy_rows: float
    energy_reset: float
    energy_conversion: tuple[float, float, float]
    energy_mac: tuple[float, float, float]
    read_time: float
    settling: float
    density_cells: float
    density_macro: tuple[float, float, float] | None
    weight_density: tuple[float, float, float] | None
    extraction: str

    @property
    def margin(self) -> float:
        """Margin of the weakest level, V or A."""
        return self.margin_lsb * self.lsb


@dataclass(frozen=True)
class CellLevels:
    """Levels with all rows active, for the plots. count: signed for a cell that subtracts; level, sigma: V or A;
    line: the straight line that the thresholds expect. All (counts,)."""

    count: IntArray
    level: FloatArray
    sigma: FloatArray
    line: FloatArray


@dataclass(frozen=True)
class CellReading:
    """A fact, its levels, and the assumptions behind it as lines of text."""

    fact: CellComparison
    levels: CellLevels
    assumptions: tuple[str, ...]


@dataclass(frozen=True)
class CellsPage:
    """All readings, by rows and letter. source: of the layer, in words. simulated, cached: simulations."""

    name: str
    condition: str
    technology: str
    layer: str
    array: str
    readings: tuple[CellReading, ...]
    refused: tuple[str, ...]
    warnings: tuple[str, ...]
    not_included: tuple[str, ...]
    simulated: int
    cached: int
    simulation_seconds: float

    @property
    def rows(self) -> tuple[int, ...]:
        """Group sizes, in order."""
        return tuple(dict.fromkeys(r.fact.rows for r in self.readings))

    def at(self, rows: int) -> tuple[CellReading, ...]:
        """Readings of one group size."""
        return tuple(r for r in self.readings if r.fact.rows == rows)

"""One design point: what was varied and every figure that a reader compares."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DesignPoint:
    """A macro of the design space at the nominal condition. Pitches m; densities Mb/mm2 of via bits (mid values).

    cell, row_pitch, column_pitch, rows, columns (of one plane), planes, group_rows, adc_bits, columns_per_adc,
    double_sampling, resistance (ohm, None for charge): what was varied. lsb: V or A per count. sigma: of a conversion
    at the layer's levels, counts.
    code_error: expected share of wrong codes of the layer. csnr: dB, no fit removed; None without any error.
    density_raw: cells over their footprint; density_macro: with periphery under the array; weight_density likewise in
    weight bits. energy_per_mac: J. tops, tops_per_mm2: one macro. adc_share, driver_share,
    lcc_share: area of converters, row drivers and segment circuits over the macro's.
    meets_target: code_error within the configured target.
    """

    label: str
    cell: str
    row_pitch: float
    column_pitch: float
    rows: int
    columns: int
    resistance: float | None
    double_sampling: bool
    planes: int
    group_rows: int
    adc_bits: int
    columns_per_adc: int
    lsb: float
    unit: str
    sigma_noise: float
    sigma_mismatch: float
    sigma_pattern: float
    sigma: float
    code_error: float
    csnr: float | None
    density_raw: float
    density_macro: float
    weight_density: float
    energy_per_mac: float
    tops: float
    tops_per_mm2: float
    adc_share: float
    driver_share: float
    lcc_share: float
    meets_target: bool

    @property
    def key(self) -> tuple[object, ...]:
        """What identifies the point: everything that was varied."""
        return (
            self.cell, self.row_pitch, self.column_pitch, self.rows, self.columns, self.resistance,
            self.double_sampling, self.planes, self.group_rows, self.adc_bits, self.columns_per_adc,
        )  # fmt: skip

    @property
    def sharpness(self) -> float:
        """CSNR for comparisons: infinite where no error occurred, dB."""
        return float("inf") if self.csnr is None else self.csnr

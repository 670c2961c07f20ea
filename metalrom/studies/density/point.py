"""One design point: what was varied and every figure that a reader compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter

from metalrom.studies.density.space import Settings, settings_key


@dataclass(frozen=True, slots=True)
class DesignPoint:
    """A macro of the design space at the nominal condition. Pitches m; densities Mb/mm2 of via bits (mid values).

    settings: what was varied. rows, columns: of one plane. lsb: V or A per count. sigma: of a conversion at the layer's
    levels, counts, and its parts. code_error: expected share of wrong codes of the layer. csnr: dB, no fit removed,
    expected over chips. density: cells over their footprint; density_macro: of a full macro with periphery under the
    array; weight_density likewise in weight bits; utilisation: share of the cells that the layer fills. energy_per_mac,
    energy_per_conversion: J. latency, read_time: s. tops, tops_per_mm2, tops_per_watt: one macro. shares: the largest
    parts of the macro's area. meets_target: code_error within the configured target. extraction: method behind the
    cell's capacitances.
    """

    settings: Settings
    cell: str
    readout: str
    mapping: str
    row_pitch: float
    column_pitch: float
    rows: int
    columns: int
    planes: int
    group_rows: int
    columns_per_adc: int
    lsb: float
    unit: str
    sigma_noise: float
    sigma_mismatch: float
    sigma_pattern: float
    sigma: float
    code_error: float
    csnr: float
    density: float
    density_macro: float
    weight_density: float
    utilisation: float
    energy_per_mac: float
    energy_per_conversion: float
    latency: float
    read_time: float
    tops: float
    tops_per_mm2: float
    tops_per_watt: float
    shares: str
    meets_target: bool
    extraction: str

    @property
    def key(self) -> str:
        """What identifies the point."""
        return settings_key(self.settings)

    @property
    def kind(self) -> str:
        """Cell and readout: points of one kind compete with each other."""
        return f"{self.cell}, {self.readout}"

    @property
    def label(self) -> str:
        """Short text for tables."""
        pitches = f"{self.row_pitch * 1e9:.0f} x {self.column_pitch * 1e9:.0f} nm"
        named = ("cell.", "array.", "mapping", "readout.kind", "variation.", "readout.converter.kind")
        other = [f"{k.removeprefix('readout.')} {v}" for k, v in self.settings if not k.startswith(named)]
        sizes = f"{self.planes} plane(s), {self.group_rows} rows, {self.columns_per_adc} columns a converter"
        return ", ".join([f"{self.kind} {pitches}", self.mapping, sizes, *other])

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `from_dict` reads them back."""
        return asdict(self) | {"settings": dict(self.settings)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DesignPoint:
        """The point of `to_dict`. Raises TypeError, LookupError, AttributeError or ValueError for anything else."""
        return TypeAdapter(cls).validate_python({**data, "settings": tuple(data["settings"].items())})

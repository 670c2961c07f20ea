"""Our metal-ROM macro as a comparison sees it: area and energy of one tile, from a run or from the shipped example."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import Field

from interconnect.errors import InputError
from interconnect.validation import validate
from interconnect.yamlfile import read_yaml
from metalrom.macro.cost import RelativeErrors
from metalrom.macro.estimate import estimate_macro
from metalrom.macro.merit import OPERATIONS_PER_MAC
from metalrom.run.folder import open_run
from metalrom.studies.systems.description import DATA, SourcedNumber, SourceStatus, _Frozen
from metalrom.studies.systems.merit import normalised_to_one_bit
from netlists.mapping import MacroShape

EXAMPLE = DATA / "example_macro.yaml"

ORIGIN = "simulated and estimated by metalrom, not silicon"


class MetalMacro(_Frozen):
    """One tile of a characterized macro.

    tile_area: mm2, periphery under the array. energy_per_mac: fJ at the macro's own input and weight bits, as its
    activations drive it. bits_per_weight: that a weight is counted with, see `MacroGeometry`. code_error: expected
    wrong codes at the nominal condition. origin: where the numbers come from. example: whether it is the shipped one.
    """

    name: str
    origin: str
    technology: str
    condition: str
    configuration: str
    rows: int = Field(ge=1)
    columns: int = Field(ge=1)
    planes: int = Field(ge=1)
    weight_bits: int = Field(ge=2, le=16)
    bits_per_weight: float = Field(gt=0, le=16)
    input_bits: int = Field(ge=2, le=16)
    columns_per_weight: int = Field(ge=1)
    tile_area: SourcedNumber
    energy_per_mac: SourcedNumber
    code_error: float = Field(ge=0, le=1)
    warnings: tuple[str, ...]
    example: bool = False

    @property
    def shape(self) -> MacroShape:
        """Rows, columns and planes of a tile."""
        return MacroShape(rows=self.rows, columns=self.columns, planes=self.planes)

    @property
    def density(self) -> SourcedNumber:
        """Weight bits of a full tile over its area, Mb/mm2."""
        bits = self.shape.cells / self.columns_per_weight * self.bits_per_weight * 1e-6
        return _inverse(self.tile_area, bits, "Mb/mm2")

    @property
    def efficiency(self) -> SourcedNumber:
        """TOPS/W at the macro's bits."""
        return _inverse(self.energy_per_mac, OPERATIONS_PER_MAC * 1e3, "TOPS/W")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, with the figures that follow."""
        one_bit = normalised_to_one_bit(self.efficiency.mid, self.input_bits, self.weight_bits)
        return {
            **self.model_dump(),
            "density": self.density.model_dump(),
            "efficiency": self.efficiency.model_dump(),
            "efficiency_1b_mid": one_bit,
        }


def macro_of_run(out: Path) -> MetalMacro:
    """The macro of a finished `metalrom run`, a whole tile in use. Raises InputError for an unfinished run."""
    run = open_run(out)
    results, table = run.results, run.table
    geometry = replace(results.macro_geometry, tiles=1, utilisation=1.0)
    estimate = estimate_macro(
        geometry,
        table,
        results.condition,
        histogram=np.array(results.layer.histogram, dtype=np.int64),
        errors=RelativeErrors(results.fit_error, results.monte_carlo_error, results.extraction_error),
    )
    origin = f"run {results.name} of metalrom {results.provenance.get('metalrom', '?')}, {ORIGIN}"
    area, energy = estimate.footprint.stacked, estimate.energy_per_mac
    return MetalMacro(
        name=results.name,
        origin=origin,
        technology=results.technology,
        condition=results.condition,
        configuration=results.provenance.get("configuration", "unknown"),
        rows=geometry.rows,
        columns=geometry.columns,
        planes=geometry.planes,
        weight_bits=geometry.weight_bits,
        bits_per_weight=geometry.bits_per_weight,
        input_bits=geometry.input_bits,
        columns_per_weight=geometry.bit_columns_per_weight,
        tile_area=_fact(area.to_dict(1e6), "mm2", f"{origin}; periphery under the array"),
        energy_per_mac=_fact(energy.to_dict(1e15), "fJ/MAC", f"{origin}; {estimate.readout_label}"),
        code_error=results.quality[0].code_error_expected,
        warnings=results.warnings,
    )


@cache
def example_macro() -> MetalMacro:
    """The summary of the shipped example's run that comes along."""
    data, _ = read_yaml(EXAMPLE)
    return validate(MetalMacro, data, where=str(EXAMPLE))


def example_text(macro: MetalMacro) -> str:
    """What `example_macro.yaml` holds for the macro of a run of examples/minilm_layer.yaml."""
    lines = [
        "# Summary of a run of examples/minilm_layer.yaml, used by `metalrom compare` where no run is given.",
        "# Written by metalrom.studies.systems.metal.example_text from the run's output folder.",
    ]
    data = macro.model_copy(update={"example": True}).model_dump(mode="json")
    return "\n".join(lines) + "\n" + yaml.safe_dump(data, sort_keys=False, width=120, allow_unicode=True)


def _fact(ends: dict[str, float], unit: str, source: str) -> SourcedNumber:
    status: SourceStatus = "estimate"
    # Six digits: what follows is far inside the range.
    low, mid, high = (float(f"{ends[name]:.6g}") for name in ("low", "mid", "high"))
    return SourcedNumber(low=low, mid=mid, high=high, unit=unit, status=status, source=source)


def _inverse(fact: SourcedNumber, numerator: float, unit: str) -> SourcedNumber:
    if not fact.low > 0:
        raise InputError("a tile without area or energy cannot be compared")
    return SourcedNumber(
        low=numerator / fact.high,
        mid=numerator / fact.mid,
        high=numerator / fact.low,
        unit=unit,
        status=fact.status,
        source=fact.source,
    )

"""Our metal-ROM macro as a comparison sees it: area and energy of one tile, from a run or from the shipped example."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, cached_property
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
from metalrom.macro.geometry import TERNARY_VALUES
from metalrom.macro.merit import OPERATIONS_PER_MAC
from metalrom.macro.quantity import Span
from metalrom.macro.scaling import metal_and_silicon, tile_at_node
from metalrom.run.folder import open_run
from metalrom.studies.systems.description import DATA, Frozen, SourcedNumber, SourceStatus
from metalrom.studies.systems.merit import normalised_to_one_bit
from netlists.devices.area import area_at_node
from netlists.mapping import MacroShape

EXAMPLE = DATA / "example_macro.yaml"
TERNARY_EXAMPLE = DATA / "ternary_macro.yaml"
TERNARY_SOURCE = "examples/minilm_trits.yaml with `weights.bits: ternary`"

ORIGIN = "simulated and estimated by metalrom, not silicon"


class MetalMacro(Frozen):
    """One tile of a characterized macro.

    group_rows: rows that a conversion sums. metal_area, silicon_area: of a tile, mm2, as drawn; the silicon lies under
    the metals. edge_width: of the ring around it, um. metal_node, device_node: process generation of each, nm; None:
    unknown. levels: of a cell. tile_time: of a matrix-vector product on a full tile, ns. energy_per_mac: fJ at the
    macro's own input and weight bits, as its activations drive it. bits_per_weight: that a weight is counted with, see
    `MacroGeometry`. code_error: expected wrong codes at the nominal condition. origin: where the numbers come from.
    example: whether it is the shipped one.
    """

    name: str
    origin: str
    technology: str
    condition: str
    configuration: str
    rows: int = Field(ge=1)
    columns: int = Field(ge=1)
    planes: int = Field(ge=1)
    group_rows: int = Field(ge=1)
    weight_bits: int = Field(ge=2, le=16)
    bits_per_weight: float = Field(gt=0, le=16)
    input_bits: int = Field(ge=2, le=16)
    columns_per_weight: int = Field(ge=1)
    levels: int = Field(ge=2)
    metal_node: float | None = Field(gt=0)
    device_node: float | None = Field(gt=0)
    metal_area: SourcedNumber
    silicon_area: SourcedNumber
    edge_width: float = Field(ge=0)
    tile_time: SourcedNumber
    energy_per_mac: SourcedNumber
    code_error: float = Field(ge=0, le=1)
    warnings: tuple[str, ...]
    example: bool = False

    @property
    def shape(self) -> MacroShape:
        """Rows, columns and planes of a tile."""
        return MacroShape(rows=self.rows, columns=self.columns, planes=self.planes)

    @cached_property
    def tile_area(self) -> SourcedNumber:
        """Area of a tile with the periphery under its metals, mm2."""
        metal, silicon = (Span(f.low, f.mid, f.high) * 1e-6 for f in (self.metal_area, self.silicon_area))
        area = tile_at_node(metal, silicon, self.edge_width * 1e-6, metals=1.0, devices=1.0, node=1.0)
        return _fact(area.to_dict(1e6), "mm2", f"{self.origin}; periphery under the array")

    @cached_property
    def density(self) -> SourcedNumber:
        """Weight bits of a full tile over its area, Mb/mm2."""
        return _inverse(self.tile_area, self._tile_megabits, "Mb/mm2")

    @property
    def cell_density(self) -> SourcedNumber:
        """Weight bits of a full tile over its metals, without periphery, Mb/mm2."""
        return _inverse(self.metal_area, self._tile_megabits, "Mb/mm2")

    @property
    def _tile_megabits(self) -> float:
        return self.shape.cells / self.columns_per_weight * self.bits_per_weight * 1e-6

    @property
    def ternary_columns(self) -> int:
        """Columns of a ternary weight: one of ternary cells, else a plus and a minus column."""
        return 1 if self.levels == TERNARY_VALUES else 2

    def at_node(self, node: float) -> MetalMacro:
        """The macro as if its metals and transistors shrank ideally to `node`, nm, the rule for everybody's area."""
        if self.metal_node is None or self.device_node is None:
            words = "the process generation of this macro is unknown: its area is not scaled"
            return self.model_copy(update={"warnings": (*self.warnings, words)})
        metal, device = (area_at_node(1.0, drawn, node) for drawn in (self.metal_node, self.device_node))
        areas = {"metal_area": _times(self.metal_area, metal), "silicon_area": _times(self.silicon_area, device)}
        nodes = {"metal_node": node, "device_node": node, "edge_width": self.edge_width * device**0.5}
        # not model_copy, which would take along what was computed from the old areas
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**{**fields, **areas, **nodes})

    @property
    def efficiency(self) -> SourcedNumber:
        """TOPS/W at the macro's bits."""
        return _inverse(self.energy_per_mac, OPERATIONS_PER_MAC * 1e3, "TOPS/W")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, with the figures that follow."""
        one_bit = normalised_to_one_bit(self.efficiency.mid, self.input_bits, self.weight_bits)
        return {
            **self.model_dump(),
            "tile_area": self.tile_area.model_dump(),
            "density": self.density.model_dump(),
            "cell_density": self.cell_density.model_dump(),
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
    geometry.known_rules  # noqa: B018 - says what is missing
    metal, silicon = metal_and_silicon(estimate)
    return MetalMacro(
        name=results.name,
        origin=origin,
        technology=results.technology,
        condition=results.condition,
        configuration=results.provenance.get("configuration", "unknown"),
        rows=geometry.rows,
        columns=geometry.columns,
        planes=geometry.planes,
        group_rows=geometry.group_rows,
        weight_bits=geometry.weight_bits,
        bits_per_weight=geometry.bits_per_weight,
        input_bits=geometry.input_bits,
        columns_per_weight=geometry.bit_columns_per_weight,
        levels=geometry.levels,
        metal_node=_nanometres(results.metal_node),
        device_node=_nanometres(results.device_node),
        metal_area=_fact(metal.to_dict(1e6), "mm2", f"{origin}; what a tile takes of the metals"),
        silicon_area=_fact(silicon.to_dict(1e6), "mm2", f"{origin}; what a tile takes of the silicon under them"),
        edge_width=float(f"{geometry.edge_width * 1e6:.6g}"),
        tile_time=_fact(estimate.latency.to_dict(1e9), "ns", f"{origin}; a product on a full tile"),
        energy_per_mac=_fact(estimate.energy_per_mac.to_dict(1e15), "fJ/MAC", f"{origin}; {estimate.readout_label}"),
        code_error=results.quality[0].code_error_expected,
        warnings=results.warnings,
    )


@cache
def example_macro() -> MetalMacro:
    """The summary of the shipped example's run that comes along."""
    return _shipped(EXAMPLE)


@cache
def ternary_example() -> MetalMacro:
    """The same of a macro of ternary cells, read by the chain of transistors."""
    return _shipped(TERNARY_EXAMPLE)


def _shipped(path: Path) -> MetalMacro:
    data, _ = read_yaml(path)
    return validate(MetalMacro, data, where=str(path))


def example_text(macro: MetalMacro, of: str = "examples/minilm_layer.yaml") -> str:
    """What a shipped summary holds for the macro of a run of the example `of`."""
    lines = [
        f"# Summary of a run of {of}, used by `metalrom compare` where no run is given.",
        "# Written by metalrom.studies.systems.metal.example_text from the run's output folder.",
    ]
    data = macro.model_copy(update={"example": True}).model_dump(mode="json")
    return "\n".join(lines) + "\n" + yaml.safe_dump(data, sort_keys=False, width=120, allow_unicode=True)


def _fact(ends: dict[str, float], unit: str, source: str) -> SourcedNumber:
    status: SourceStatus = "estimate"
    # Six digits: what follows is far inside the range.
    low, mid, high = (float(f"{ends[name]:.6g}") for name in ("low", "mid", "high"))
    return SourcedNumber(low=low, mid=mid, high=high, unit=unit, status=status, source=source)


def _nanometres(node: float | None) -> float | None:
    return None if node is None else float(f"{node * 1e9:.6g}")


def _times(fact: SourcedNumber, scale: float) -> SourcedNumber:
    return fact.model_copy(update={end: getattr(fact, end) * scale for end in ("low", "mid", "high")})


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

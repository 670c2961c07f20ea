"""A design point from a readout table: what the layer gets from it, and the macro's area, energy and speed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from characterization.tables.table import ReadoutTable
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray, IntArray
from metalrom.design.design import Design
from metalrom.macro.estimate import MacroEstimate, estimate_layer
from metalrom.run.characterize import histogram
from metalrom.run.evaluate import billed_geometry
from metalrom.studies.density.point import DesignPoint
from metalrom.studies.density.space import Settings

SHOWN = 3
"""Parts of the area that a point names."""
MOST = 200.0
"""dB; a CSNR beyond is given as this."""


@dataclass(frozen=True)
class LayerReading:
    """What a layer gets from a table: expected code error, CSNR (dB), (active, count) histogram, and sigmas of a
    conversion in counts, root mean square over the layer."""

    code_error: float
    csnr: float
    used: IntArray
    noise: float
    mismatch: float
    pattern: float
    total: float


@dataclass(frozen=True)
class LayerUse:
    """How a layer uses its conversions. by_magnitude: histograms (magnitudes, active, count); magnitudes: of the place
    values of its columns; inputs: mean square of the place values of its input bits; signal: variance of its exact
    outputs; outputs: how many these are."""

    by_magnitude: IntArray
    magnitudes: tuple[int, ...]
    inputs: float
    signal: float
    outputs: int

    @property
    def used(self) -> IntArray:
        """The histogram of all columns."""
        return np.asarray(self.by_magnitude.sum(axis=0))


def layer_use(design: Design, rows: int) -> LayerUse:
    """The use of a design's layer in groups of `rows`."""
    y = design.activations.values @ design.weights.values.astype(np.int64)
    return LayerUse(
        by_magnitude=histogram(design, rows, by_significance=True),
        magnitudes=design.read_scheme.magnitudes,
        inputs=float(np.mean(4.0 ** np.arange(design.config.inputs.bits))),
        signal=float(np.var(y)),
        outputs=y.size,
    )


def read_layer(table: ReadoutTable, use: LayerUse) -> LayerReading:
    """The layer through a table, at its first condition, expected over chips.

    CSNR: variance of the exact outputs over the mean square of their error, that of every conversion times its place
    values squared, as if conversions erred apart: sum over magnitudes m of m^2 n_m E[(code - count)^2] E[4^bit].
    """
    condition, used = table.conditions[0], use.used
    count = np.arange(table.max_count + 1.0)
    codes = np.arange(table.adc.codes, dtype=np.float64)
    wrong = (codes[None, :] - count[:, None]) ** 2
    square = np.where(
        table.valid, np.einsum("ack,ck->ac", np.nan_to_num(table.code_probability(condition)), wrong), 0.0
    )
    per_magnitude = np.einsum("mac,ac->m", use.by_magnitude, square) * np.square(use.magnitudes, dtype=np.float64)
    error = float(per_magnitude.sum()) * use.inputs / use.outputs
    weights = np.where(table.valid, used, 0.0) / used.sum()
    lsb = table.lsb(condition)

    def rms(values: FloatArray) -> float:
        return float(np.sqrt(np.sum(weights * np.nan_to_num(values) ** 2))) / lsb

    return LayerReading(
        code_error=table.mean_code_error(condition, used),
        csnr=min(10.0 * math.log10(use.signal / max(error, use.signal * 10 ** (-MOST / 10))), MOST),
        used=used,
        noise=rms(table.sigma_noise[0]),
        mismatch=rms(table.sigma_static[0]),
        pattern=rms(table.sigma_pattern[0]),
        total=rms(table.total_sigma(condition)),
    )


def rate_design(
    design: Design,
    settings: Settings,
    setup: Testbench,
    table: ReadoutTable,
    results: Mapping[str, Any],
    reading: LayerReading,
) -> DesignPoint:
    """The point of a design whose conversions behave as the table says.

    results: of the procedures that the bill of the readout is made of.
    """
    c, shape = design.config, billed_geometry(design, setup, results)
    inputs, outputs = design.weights.values.shape
    layer = estimate_layer(shape, table, table.conditions[0], inputs=inputs, outputs=outputs, histogram=reading.used)
    cost, fill = layer.macro, layer.macro.geometry.utilisation
    model = design.models[design.worst_plane]
    return DesignPoint(
        settings=settings,
        cell=c.cell.kind,
        readout=readout_word(setup),
        mapping=c.mapping,
        row_pitch=model.pitch[0],
        column_pitch=model.pitch[1],
        rows=shape.rows,
        columns=shape.columns,
        planes=shape.planes,
        group_rows=table.rows,
        columns_per_adc=shape.columns_per_adc,
        lsb=table.lsb(table.conditions[0]),
        unit=table.unit,
        sigma_noise=reading.noise,
        sigma_mismatch=reading.mismatch,
        sigma_pattern=reading.pattern,
        sigma=reading.total,
        code_error=reading.code_error,
        csnr=reading.csnr,
        density=cost.density_raw.mid,
        density_macro=cost.footprint.density_stacked.mid / fill,
        weight_density=cost.footprint.weight_density_stacked.mid / fill,
        utilisation=fill,
        energy_per_mac=layer.merit.energy_per_mac.mid,
        energy_per_conversion=cost.energy_per_conversion.mid,
        latency=layer.latency.mid,
        read_time=table.read_time,
        tops=cost.tops.mid,
        tops_per_mm2=cost.footprint.tops_per_mm2_stacked.mid,
        tops_per_watt=layer.merit.tops_per_watt.mid,
        shares=area_shares(cost),
        meets_target=reading.code_error <= c.readout.code_error_target,
        extraction=model.method,
    )


def readout_word(setup: Testbench) -> str:
    """The kind of readout: ideal, the converter of a chain, or inverter."""
    if setup.chain is not None:
        return str(type(setup.chain.converter).__name__.removeprefix("Column").lower())
    return "ideal" if setup.inverter is None else "inverter"


def area_shares(cost: MacroEstimate) -> str:
    """The largest parts of the macro's area in words."""
    parts = sorted(((part.value.mid, name) for name, part in cost.area.items()), reverse=True)[:SHOWN]
    return ", ".join(f"{name} {100 * value / cost.footprint.stacked.mid:.0f} %" for value, name in parts)

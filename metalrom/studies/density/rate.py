"""Design points of one probed column: the layer through the macro engine, and the macro's area, energy and speed."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from characterization.tables.table import ReadoutTable
from metalrom.macro.estimate import MacroEstimate, estimate_macro
from metalrom.macro.geometry import MacroGeometry
from metalrom.macro.quality import csnr
from metalrom.run.characterize import histogram
from metalrom.run.evaluate import macro_geometry, macro_of
from metalrom.studies.density.point import DesignPoint
from metalrom.studies.density.probe import ProbedVariant
from metalrom.studies.density.space import ColumnVariant


def rate(variant: ColumnVariant, probed: ProbedVariant) -> Iterator[DesignPoint]:
    """Every design point of this column and group size: converter bits x planes x columns per converter."""
    design = variant.design
    section = design.config.explore
    n = probed.rows
    full_bits = max(1, math.ceil(math.log2(n + 1)))
    used = histogram(design, n)
    base = macro_geometry(design, n)
    for less in section.adc_bits_less:
        bits = full_bits - less
        if bits < 1:
            continue
        codes = min(n + 1, 2**bits)
        table = probed.table.with_adc(codes=codes) if codes >= 2 else probed.table
        error = table.mean_code_error(table.conditions[0], used)
        quality = layer_csnr(variant, table, section.vectors)
        for planes in section.planes:
            for columns in section.columns_per_adc:
                if planes > variant.max_planes or columns > base.columns:
                    continue
                shape = replace(base, planes=planes, columns_per_adc=columns, adc_bits=bits)
                cost = estimate_macro(shape, table, table.conditions[0], histogram=used)
                yield _point(variant, probed, shape, cost, error, quality)


def layer_csnr(variant: ColumnVariant, table: ReadoutTable, vectors: int) -> float | None:
    """CSNR (dB, no fit) of the layer through the macro engine on its first `vectors` inputs; None if exact."""
    design = variant.design
    x = design.activations.values[:vectors]
    w = design.weights.values.astype(np.int64)
    raw = csnr(x @ w, macro_of(design, table, table.conditions[0]).matmul(x, w, call=0)).raw
    return raw if math.isfinite(raw) else None


def _point(
    variant: ColumnVariant,
    probed: ProbedVariant,
    shape: MacroGeometry,
    cost: MacroEstimate,
    error: float,
    quality: float | None,
) -> DesignPoint:
    model = variant.design.models[0]
    converter = math.hypot(probed.table.adc.offset_sigma, probed.table.adc.noise_sigma) / probed.lsb
    return DesignPoint(
        label=variant.label,
        cell=variant.cell,
        row_pitch=model.pitch[0],
        column_pitch=model.pitch[1],
        rows=shape.rows,
        columns=shape.columns,
        resistance=variant.resistance,
        double_sampling=variant.double_sampling,
        planes=shape.planes,
        group_rows=probed.rows,
        adc_bits=shape.adc_bits,
        columns_per_adc=shape.columns_per_adc,
        lsb=probed.lsb,
        unit=probed.table.unit,
        sigma_noise=probed.noise,
        sigma_mismatch=probed.mismatch,
        sigma_pattern=probed.pattern,
        sigma=math.hypot(probed.noise, probed.mismatch, probed.pattern, converter),
        code_error=error,
        csnr=quality,
        density_raw=cost.density_raw.mid,
        density_macro=cost.density_stacked.mid,
        weight_density=cost.weight_density_stacked.mid,
        energy_per_mac=cost.energy_per_mac.mid,
        tops=cost.tops.mid,
        tops_per_mm2=cost.tops_per_mm2_stacked.mid,
        adc_share=cost.area["adc"].value.mid / cost.stacked.mid,
        driver_share=cost.area["row_drivers"].value.mid / cost.stacked.mid,
        lcc_share=cost.area["lcc_reset"].value.mid / cost.stacked.mid,
        meets_target=error <= variant.design.config.readout.code_error_target,
    )

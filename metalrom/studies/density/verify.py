"""A full characterization of chosen design points, beside what the exploration said of them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from characterization.procedures import with_requirements
from metalrom.design.setup import group_setup
from metalrom.folders import cache_folder
from metalrom.macro.quality import csnr
from metalrom.run.characterize import histogram, measure_group
from metalrom.run.evaluate import macro_of
from metalrom.studies.density.point import DesignPoint
from metalrom.studies.density.probe import variant_variation
from metalrom.studies.density.space import ColumnVariant
from ngspice_runner import Cache, Workers


@dataclass(frozen=True, slots=True)
class Verified:
    """A design point again, now from levels, patterns and Monte-Carlo samples in ngspice. csnr: dB, None if exact."""

    point: DesignPoint
    lsb: float
    code_error: float
    csnr: float | None
    simulations: int


def verify(variant: ColumnVariant, point: DesignPoint, *, jobs: Workers, announce: Callable[[str], None]) -> Verified:
    """Characterize the column of `point` at the nominal condition. Raises EngineError when simulations fail."""
    design = variant.design
    setup = replace(group_setup(design, point.group_rows, nominal_only=True), variation=variant_variation(variant))
    announce(f"characterizing {point.label}, {point.group_rows} rows, in full")
    with Cache(cache_folder("simulations")) as cache:
        done = measure_group(setup, with_requirements(("adc_margin",)), cache, jobs=jobs)
    codes = min(point.group_rows + 1, 2**point.adc_bits)
    table = done.table.with_adc(codes=codes)
    condition = table.conditions[0]
    x, w = design.activations.values, design.weights.values.astype(np.int64)
    raw = csnr(x @ w, macro_of(design, table, condition).matmul(x, w, call=0)).raw
    return Verified(
        point,
        lsb=table.lsb(condition),
        code_error=table.mean_code_error(condition, histogram(design, point.group_rows)),
        csnr=raw if math.isfinite(raw) else None,
        simulations=len(done.data),
    )

"""What one kind of column gives at every group size: probed with ngspice, completed by closed forms, as readout tables.

Ten reads per group size are simulated: the corners of the (driven rows, count) triangle and its edge centres, the near
and the far end of the rows and of the bit line, and a reset switch that is one sigma off. They give the level as
count (a + b count + c driven rows), the spread between near and far places, and what the switch leaves behind. Thermal
noise, cell mismatch and the neighbour's data follow in closed form.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from characterization.campaign import CampaignOutcome, Task, run_tasks
from characterization.patterns import FAR, NEAR, build_pattern
from characterization.procedures.adc_margin import margin_assumptions, read_time, thermal_noise
from characterization.tables.table import AdcModel, ReadoutTable
from characterization.testbench import Testbench, Variation
from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from metalrom.design.setup import group_setup
from metalrom.design.variation import configured_variation as configured_variation
from metalrom.design.variation import roughness_variation
from metalrom.studies.density.space import ColumnVariant
from netlists.case import Deviations
from netlists.cells.base import CellModel
from ngspice_runner import Cache, EngineError, Workers

RANDOM = "random0"


@dataclass(frozen=True)
class ProbedVariant:
    """One column variant at one group size: its table with a code per count, and sigmas of a conversion in counts.

    noise, mismatch, pattern: root mean square over the layer's conversions.
    """

    rows: int
    table: ReadoutTable
    noise: float
    mismatch: float
    pattern: float

    @property
    def lsb(self) -> float:
        """Mean spacing of two counts, V or A."""
        return self.table.lsb(self.table.conditions[0])


def probe_variant(
    variant: ColumnVariant,
    groups: tuple[int, ...],
    histogram: Callable[[int], FloatArray],
    *,
    cache: Cache | None,
    jobs: Workers,
) -> tuple[tuple[ProbedVariant, ...], int, int]:
    """Probe a variant at every group size: (results, simulations run now, answered by the cache).

    Raises EngineError when a probe fails, InputError for a cell that the readout cannot serve.
    """
    setup = replace(group_setup(variant.design, 1, nominal_only=True), variation=variant_variation(variant))
    if setup.levels > 2 or not setup.balanced:
        raise InputError(
            f"{variant.label}: ten reads do not determine the levels of a cell of several symbols, or of one whose "
            "load depends on its data",
            where=f"{variant.design.path}: explore.cells",
            hint="explore cells of one bit whose load is the same for both; metalrom cells compares all kinds",
        )
    plans = {rows: _plan(replace(setup, rows=rows)) for rows in groups}
    outcome = run_tasks(setup, [t for plan in plans.values() for t in plan], cache=cache, workers=jobs)
    bad = [s for s in outcome.samples if s.verdict != "ok"]
    if bad:
        raise EngineError(f"a probe of {variant.label} with {bad[0].active} rows failed: verdict {bad[0].verdict}")
    out, start = [], 0
    for rows, plan in plans.items():
        part = replace(outcome, samples=outcome.samples[start : start + len(plan)])
        out.append(_probed(replace(setup, rows=rows), plan, part, histogram(rows), variant.label))
        start += len(plan)
    return tuple(out), outcome.simulated, outcome.cached


def _plan(setup: Testbench) -> list[Task]:
    """The reads of one group size, as (driven rows, count, pattern, deviations)."""
    n, condition = setup.rows, setup.conditions[0]
    half = n // 2
    sigma = setup.technology.devices.sigma_vth("nmos", setup.periphery.reset_width, setup.periphery.length)
    shifted = Deviations(reset=np.full(3, sigma))
    reads = [(n, 0, RANDOM), (half, 0, RANDOM), (half, half, RANDOM)]
    reads += [(n, count, place) for count in (half, n) for place in (RANDOM, NEAR, FAR)]
    tasks = []
    for i, (active, count, place) in enumerate([*reads, (n, 0, RANDOM)]):
        seed = np.random.SeedSequence([setup.seed, 5, n, active, count])
        pattern = build_pattern(place, n, active, count, setup.columns, seed, setup.ones)
        case = pattern.case(setup.columns, setup.ones, Deviations() if i < len(reads) else shifted)
        tasks.append(Task("explore_probe", condition, active, count, place, -1 if i < len(reads) else 0, case))
    return tasks


def variant_variation(variant: ColumnVariant) -> Variation:
    """Cell mismatch of this geometry: line-edge roughness of the stack on the drawn gap; the configuration's otherwise.

    A longer tab averages more of the roughness. A resistor keeps the configured sigma: it is no matter of its lines.
    """
    return roughness_variation(variant.design) or configured_variation(variant.design)


def neighbour_share(model: CellModel) -> float:
    """Counts by which a neighbour's 1 moves this bit line per driven row, relative to an own 1 (0 where it cannot)."""
    if model.mode != "charge":
        return 0.0
    on, off = (model.capacitance("bl_next", b, "row_out") for b in (1, 0))
    return (on - off) / model.switched


def _probed(
    setup: Testbench, plan: list[Task], outcome: CampaignOutcome, histogram: FloatArray, label: str
) -> ProbedVariant:
    """The table of a probed group."""
    n, half = setup.rows, setup.rows // 2
    level = {(t.active, t.count, t.pattern, t.draw): s.level for t, s in zip(plan, outcome.samples, strict=True)}
    places = (RANDOM, NEAR, FAR)

    def middle(count: int) -> float:
        return float(np.mean([level[n, count, place, -1] for place in places]))

    empty = level[n, 0, RANDOM, -1]
    slope = (level[half, 0, RANDOM, -1] - empty) / (half - n)
    # level less that of count 0 = count (a + b count + c driven), from three points of the triangle
    points = np.array([[half, half**2, half**2], [half, half**2, half * n], [n, n**2, n**2]], dtype=float)
    rise = np.array(
        [level[half, half, RANDOM, -1] - level[half, 0, RANDOM, -1], middle(half) - empty, middle(n) - empty]
    )
    a, b, c = np.linalg.solve(points, rise)
    lsb = float(rise[2]) / n
    if not lsb > 0:
        raise InputError(
            f"{label}: a group of {n} rows has levels that do not rise with the count; check the cell and the timing"
        )
    active, count = np.meshgrid(np.arange(n + 1.0), np.arange(n + 1.0), indexing="ij")
    valid = count <= active
    ends = [0.0, *(abs(level[n, k, FAR, -1] - level[n, k, NEAR, -1]) / math.sqrt(12.0) for k in (half, n))]
    place = np.interp(count, [0.0, half, n], ends)
    neighbour = lsb * neighbour_share(setup.model) * np.sqrt(active * setup.ones * (1.0 - setup.ones))
    cells = lsb * setup.variation.cell_sigma * setup.mismatch_gain * np.sqrt(count)
    device = abs(level[n, 0, RANDOM, 0] - empty)
    condition = setup.conditions[0]
    noise = thermal_noise(setup, lsb, condition.vdd, condition.kelvin, active, count)

    def masked(values: FloatArray) -> FloatArray:
        return np.where(valid, values, np.nan)[None]

    full = next(i for i, t in enumerate(plan) if t.active == t.count == n)
    table = ReadoutTable.from_arrays(
        cell=setup.model.kind,
        unit=setup.unit,
        rows=n,
        conditions=(condition,),
        level=masked(empty + slope * (active - n) + count * (a + b * count + c * active)),
        sigma_static=masked(np.hypot(cells, device)),
        sigma_noise=masked(noise),
        sigma_pattern=masked(np.hypot(place, neighbour)),
        row_energy=np.arange(n + 1.0)[None] * (outcome.samples[full].row_energy / (n * setup.columns)),
        read_time=read_time(setup),
        adc=AdcModel(n + 1, setup.converter.assumed_offset * lsb, setup.converter.noise_sigma * lsb),
        assumptions=margin_assumptions(setup),
        provenance={
            "source": "ten reads by ngspice per group size; noise, cell mismatch and neighbours in closed form"
        },
    )
    weights = np.where(valid, histogram, 0.0) / histogram.sum()

    def rms(values: FloatArray) -> float:
        return float(np.sqrt(np.sum(weights * np.nan_to_num(values[0]) ** 2))) / lsb

    return ProbedVariant(n, table, rms(table.sigma_noise), rms(table.sigma_static), rms(table.sigma_pattern))

"""Whole chips drawn at random: what all cells share (metal, process, supply), and what every one has for itself.

Sample k of a seed is always the same chip, whatever else is drawn: each source of variation has a generator of its own
from SeedSequence(seed, spawn_key=(k, stream)).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from characterization.models.settled_column import MIN_FACTOR
from interconnect.errors import InputError
from interconnect.scaling import GLOBAL_PARAMETERS, Scaling, Spread
from interconnect.variation import STEP, global_factors
from netlists.case import Deviations
from netlists.cells.base import CellModel
from netlists.condition import Condition
from netlists.devices.draws import GlobalDraw, GlobalSpread, global_draw, local_draws
from netlists.periphery import Periphery
from netlists.technology import Technology

BuildModel = Callable[[Scaling], CellModel]
"""The cell's model with this scaling applied to its geometry and stack, see `scaled_cell`."""

_METAL, _CELLS, _AMBIENT = 2, 3, 4  # 0 and 1 are the transistors' (netlists.devices.draws)


@dataclass(frozen=True, slots=True)
class MetalSensitivity:
    """d ln value / d ln parameter of every element of a cell, by parameter and element; `nominal`: the model itself."""

    nominal: CellModel
    exponents: Mapping[str, Mapping[str, float]]

    def factor(self, element: str, factors: Mapping[str, float]) -> float:
        """On an element's value: a product of powers, first order in logarithms."""
        return math.exp(sum(self.exponents[p].get(element, 0.0) * math.log(f) for p, f in factors.items()))

    def model(self, factors: Mapping[str, float]) -> CellModel:
        """The cell with its capacitors (not its resistors) moved by the global factors of a chip."""
        variants = tuple(
            replace(
                v,
                elements=tuple(
                    replace(e, value=e.value * self.factor(e.name, factors)) if e.is_capacitor else e
                    for e in v.elements
                ),
            )
            for v in self.nominal.variants
        )
        return replace(self.nominal, variants=variants).rounded()


def metal_sensitivity(build: BuildModel, *, step: float = STEP) -> MetalSensitivity:
    """Central differences of a cell's elements in the logarithms of width, thickness, ILD and k: nine models.

    Raises InputError for an element that is not positive at every step (it has no logarithm), or lines that meet.
    """
    nominal = build(Scaling())
    names = {e.name: e.value for v in nominal.variants for e in v.elements}
    exponents: dict[str, dict[str, float]] = {}
    span = math.log((1 + step) / (1 - step))
    for parameter in GLOBAL_PARAMETERS:
        low, high = (build(replace(Scaling(), **{parameter: f})) for f in (1 - step, 1 + step))
        exponents[parameter] = {}
        for name, value in names.items():
            a, b = (max(m.value(name, s) for s in range(m.symbols)) for m in (low, high))
            if value == 0.0 and a == b == 0.0:
                continue
            if not (a > 0 and b > 0 and value > 0):
                raise InputError(f"element {name} of {nominal.kind} is not positive when {parameter} moves by {step:g}")
            exponents[parameter][name] = math.log(b / a) / span
    return MetalSensitivity(nominal, exponents)


@dataclass(frozen=True, slots=True)
class Ambient:
    """vdd_sigma: relative standard deviation of the supply. temperatures: (lowest, highest), degC, drawn evenly; None:
    the condition's own."""

    vdd_sigma: float = 0.0
    temperatures: tuple[float, float] | None = None


@dataclass(frozen=True)
class ChipDraw:
    """One chip at one column.

    deviations, condition: for a `ColumnStimulus` and its deck. model: the cell with its capacitances. metal: global
    factors by parameter. devices: global draw of the transistors; its thresholds are in the deviations, its factors
    on the drive (drive_n, drive_p) are not, since a deck has no place for them; a settled level does not see them.
    """

    sample: int
    deviations: Deviations
    condition: Condition
    model: CellModel
    metal: Mapping[str, float]
    devices: GlobalDraw


@dataclass(frozen=True)
class ChipSource:
    """Draws chips for columns of (rows, columns) cells.

    metal: sensitivities of the cell and spread: of the stack. devices: chip-to-chip spread of the transistors.
    cell_sigma: relative sigma of one cell's varying element.
    """

    technology: Technology
    periphery: Periphery
    condition: Condition
    rows: int
    columns: int
    metal: MetalSensitivity
    spread: Spread
    devices: GlobalSpread
    cell_sigma: float
    ambient: Ambient = Ambient()

    def __post_init__(self) -> None:
        if self.rows < 1 or self.columns < 1 or not (math.isfinite(self.cell_sigma) and self.cell_sigma >= 0):
            raise InputError(f"{self.rows} x {self.columns} cells of sigma {self.cell_sigma!r}", where="chip draws")
        a = self.ambient
        if not (0 <= a.vdd_sigma < 0.2) or (a.temperatures and not a.temperatures[0] <= a.temperatures[1]):
            raise InputError(f"{a}", where="chip draws", hint="a relative supply sigma below 0.2, (low, high) degC")

    def draw(self, seed: int, sample: int) -> ChipDraw:
        """Chip number `sample` of a seed; bit-identical for the same two. Raises InputError for negative ones."""
        devices = global_draw(self.devices, seed, sample)
        p, kit = self.periphery, self.technology.devices
        metal = {n: float(v[0]) for n, v in global_factors(self.spread, 1, _sequence(seed, sample, _METAL)).items()}
        normal = np.random.default_rng(_sequence(seed, sample, _CELLS)).standard_normal((self.rows, self.columns))
        reset = local_draws(kit, "nmos", np.full(self._resets, p.reset_width), p.length, seed, sample, group=0)
        pull_down = local_draws(kit, "nmos", np.full(self.rows, p.driver_nmos_width), p.length, seed, sample, group=1)
        pull_up = local_draws(kit, "pmos", np.full(self.rows, p.driver_pmos_width), p.length, seed, sample, group=0)
        deviations = Deviations(
            cell=np.maximum(1.0 + self.cell_sigma * normal, MIN_FACTOR),
            reset=reset + devices.vth_n,
            driver_nmos=pull_down + devices.vth_n,
            driver_pmos=pull_up + devices.vth_p,
            row_wire=self.metal.factor(f"R_{self._row_prefix}", metal),
            bl_wire=self.metal.factor(f"R_{self.metal.nominal.bit_lines[0].prefix}", metal),
        )
        return ChipDraw(sample, deviations, self._condition(seed, sample), self.metal.model(metal), metal, devices)

    @cached_property
    def _resets(self) -> tuple[int, ...]:
        lines = len(self.metal.nominal.bit_lines)
        return (self.columns,) if lines == 1 else (lines, self.columns)

    @property
    def _row_prefix(self) -> str:
        return self.metal.nominal.lines[0].prefix

    def _condition(self, seed: int, sample: int) -> Condition:
        rng = np.random.default_rng(_sequence(seed, sample, _AMBIENT))
        supply, even = rng.standard_normal(), rng.random()
        vdd = self.condition.vdd * (1.0 + self.ambient.vdd_sigma * supply)
        temperature = self.condition.temperature
        if self.ambient.temperatures:
            low, high = self.ambient.temperatures
            temperature = low + (high - low) * even
        return replace(self.condition, vdd=float(vdd), temperature=float(temperature))


def _sequence(seed: int, sample: int, stream: int) -> np.random.SeedSequence:
    if seed < 0 or sample < 0:
        raise InputError(f"seed {seed} and sample {sample} must not be negative", where="chip draws")
    return np.random.SeedSequence(seed, spawn_key=(sample, stream))

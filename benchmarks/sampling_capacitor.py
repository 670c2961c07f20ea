"""The sampling capacitor of a readout chain: what a small and a large one cost, and which one serves.

    python benchmarks/sampling_capacitor.py [CONFIG] [--capacitors 5,20,100,5000] [--target 1e-4]

Default: examples/minilm_chain.yaml (fetch minilm first) at its nominal condition. For every capacitor the chain is
simulated anew: settling of every phase sets the timing (10 % more than needed), then noise, gain, supply currents and
drawn parts follow. Levels and mismatch are those of the configured chain times the ratio of the gains; all the rest is
measured at the capacitor itself. The last line is the smallest capacitor that meets the target, by bisection.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import metalrom
from characterization.column_testbench import ColumnTestbench
from characterization.procedures.chain_energy import measure_chain_energy
from characterization.procedures.chain_margin import chain_noise
from characterization.procedures.chain_settling import BAND, ChainSettling, settling_at
from characterization.readout.chain_noise import measure_chain_noise
from characterization.tables.table import ReadoutTable
from characterization.testbench import Testbench
from metalrom.design.design import Design
from metalrom.folders import cache_folder
from metalrom.macro.estimate import estimate_layer
from metalrom.run.characterize import characterize, histogram
from metalrom.run.evaluate import macro_geometry
from metalrom.run.readout_cost import chain_cost, chain_geometry
from netlists.readout.chain import EDGE
from ngspice_runner import Cache

SLACK = 1.1
"""Time that a phase is given over the time it needs."""

STEPS = 7
"""Of the bisection, which ends within 3 % of the capacitor."""

HEADING = (
    f"{'C, fF':>8} {'gain':>6} {'noise, mV':>9} {'noise, LSB':>10} {'code error':>10} {'read, ns':>8} "
    f"{'fJ/conv':>8} {'fJ/MAC':>8} {'caps, um2':>9} {'tile, um2':>9} {'Mb/mm2':>7} {'latency, us':>11}"
)


@dataclass(frozen=True)
class CapacitorPoint:
    """A capacitor (F) and what follows: noise V rms, error per conversion, s, J, m2."""

    capacitance: float
    gain: float
    noise: float
    noise_lsb: float
    error: float
    read: float
    conversion: float
    mac: float
    capacitors: float
    tile: float
    density: float
    latency: float

    def row(self) -> str:
        """One line of the table."""
        return (
            f"{self.capacitance * 1e15:8.1f} {self.gain:6.3f} {self.noise * 1e3:9.3f} {self.noise_lsb:10.4f} "
            f"{self.error:10.2e} {self.read * 1e9:8.2f} {self.conversion * 1e15:8.0f} {self.mac * 1e15:8.0f} "
            f"{self.capacitors * 1e12:9.0f} {self.tile * 1e12:9.0f} {self.density:7.2f} {self.latency * 1e6:11.1f}"
        )


class Study:
    """The configured design, its table, and the bench on which other capacitors are measured."""

    def __init__(self, design: Design, cache: Cache) -> None:
        self.design, self.cache = design, cache
        done = characterize(design)
        self.setup: Testbench = replace(done.setup, conditions=done.setup.conditions[:1])
        self.table: ReadoutTable = done.table
        self.used = histogram(design, done.table.rows)
        noise = done.results["chain_noise"]
        self.gain = noise.at(self.setup.conditions[0]).gain
        self.known: dict[float, CapacitorPoint] = {}

    def at(self, capacitance: float) -> CapacitorPoint:
        """Everything at one capacitor (F)."""
        if capacitance not in self.known:
            self.known[capacitance] = self._measured(capacitance)
        return self.known[capacitance]

    def _measured(self, capacitance: float) -> CapacitorPoint:
        chain, condition = self.setup.chain, self.setup.conditions[0]
        assert chain is not None
        chain = replace(chain, sampler=replace(chain.sampler, capacitance=capacitance))
        bench = ColumnTestbench(self.setup, cache=self.cache)
        found = settling_at(self.setup, bench, chain, condition)
        line, rows, bus = (math.ceil(10e9 * SLACK * p.needed) / 10e9 for p in found)  # to 0.1 ns
        timing = replace(chain.timing, settle_reset=line, settle_rows=rows, settle_bus=bus)
        setup = replace(self.setup, chain=replace(chain, timing=timing))
        bench = ColumnTestbench(setup, cache=self.cache)
        phases = tuple(
            replace(p, given=given - EDGE, missing=0.0) for p, given in zip(found, (line, rows, bus), strict=True)
        )
        noise = measure_chain_noise(setup, bench).points[0]
        table = self._table(setup, noise)
        energy = measure_chain_energy(setup, bench, {})
        cost = chain_cost(self.design, setup, energy, ChainSettling(BAND, phases))
        geometry = chain_geometry(macro_geometry(self.design, table.rows), cost)
        inputs, outputs = self.design.weights.values.shape
        layer = estimate_layer(geometry, table, condition, inputs=inputs, outputs=outputs, histogram=self.used)
        macro = layer.macro
        middle = float(np.hypot(noise.line(np.zeros(1))[0], noise.comparator))
        return CapacitorPoint(
            capacitance,
            noise.gain,
            middle,
            middle / table.lsb(condition),
            table.mean_code_error(condition, self.used),
            timing.decides,
            macro.energy_per_conversion.mid,
            macro.energy_per_mac.mid,
            macro.area["capacitors"].value.mid / geometry.tiles / macro.geometry.tiles,
            macro.footprint.stacked.mid / macro.geometry.tiles,
            macro.footprint.weight_density_stacked.mid,
            layer.latency.mid,
        )

    def _table(self, setup: Testbench, noise: object) -> ReadoutTable:
        """The configured chain's table at another gain, with the noise that was measured there."""
        t, ratio = self.table, noise.gain / self.gain  # type: ignore[attr-defined]
        active, count = np.meshgrid(np.arange(t.rows + 1.0), np.arange(t.max_count + 1.0), indexing="ij")
        own = chain_noise(setup, noise, t.adc.noise_sigma, active, count)  # type: ignore[arg-type]
        return t.replace(
            level=t.level * ratio,
            threshold=t.threshold * ratio,
            sigma_static=t.sigma_static * ratio,
            sigma_pattern=t.sigma_pattern * ratio,
            sigma_noise=np.where(t.valid, own, np.nan)[None],
            adc=replace(t.adc, offset_sigma=t.adc.offset_sigma * ratio),
        )

    def smallest(self, target: float, low: float, high: float) -> CapacitorPoint | None:
        """The smallest capacitor between two that meets the target; None if the larger one does not."""
        if self.at(high).error > target:
            return None
        for _ in range(STEPS):
            middle = math.sqrt(low * high)
            low, high = (low, middle) if self.at(middle).error <= target else (middle, high)
        return self.at(high)


def main() -> None:
    """Print the prediction, the table and the optimum."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", nargs="?", type=Path, default=Path("examples/minilm_chain.yaml"))
    parser.add_argument("--capacitors", default="5,20,100,5000", help="fF, separated by commas")
    parser.add_argument("--target", type=float, help="code error; default: the configuration's")
    args = parser.parse_args()
    design = metalrom.load(args.config)
    target = args.target or design.config.readout.code_error_target
    print(
        "prediction: kT/C falls as 1/C and the gain rises to that of the follower, so noise in LSB and code errors "
        "fall towards a floor;\nthe reset phase grows as C / gm, bias and time with it; the capacitors' area as C"
    )
    with Cache(cache_folder("simulations")) as cache:
        study = Study(design, cache)
        print(HEADING)
        for text in args.capacitors.split(","):
            print(study.at(float(text) * 1e-15).row(), flush=True)
        best = study.smallest(target, 5e-15, 200e-15)
        if best is None:
            print(f"no capacitor up to 200 fF meets a code error of {target:g}")
            best = min(study.known.values(), key=lambda p: p.error * p.mac * p.latency * p.tile)
            print("least product of error, energy, latency and area among those measured:")
        else:
            print(f"smallest capacitor with a code error of at most {target:g}:")
        print(best.row())


if __name__ == "__main__":
    main()

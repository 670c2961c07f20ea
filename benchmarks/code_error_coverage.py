"""Coverage of the 95 % interval of the code error: the whole estimate repeated on other chips and patterns.

    python benchmarks/code_error_coverage.py [--repeats 400] [--simulated 40] [--workers 2]

Every repeat plans transfer and mismatch with a seed of its own, so that patterns and chips are drawn anew, and fits
levels and spreads as a run does. The interval that follows from this one small sample is asked whether it holds the
code error of a very large sample of the same column. Two studies:

- linear: levels of a column of 24 rows by the exact linear network with drawn cells, Gaussian devices and the
  extraction and noise off by draws from their stated intervals. The truth has the exact spread of every level, which
  the form that estimates fit holds to first order, and levels and patterns of thousands of reads.
- simulated: a column of 8 rows in ngspice, its driver and reset transistors drawn too; the truth is an estimate from 20
  times as many chips.

What is expected is printed before anything is counted.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from scipy.stats import binom

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from characterization.campaign import Task, run_tasks
from characterization.dataset import Dataset, Sample
from characterization.linear_column import ChargeColumn, linear_column
from characterization.procedure_registry import with_requirements
from characterization.readout.code_error import clopper_pearson
from characterization.sign_off import SignOff, sign_off
from characterization.tables.table import ReadoutTable
from characterization.testbench import Converter, Testbench, Variation
from characterization.uncertainty import CLOSED_FORM_NOISE, SIGMAS, readout_uncertainty
from interconnect.arrays import FloatArray
from interconnect.extraction import extract
from metalrom.folders import cache_folder
from netlists.cells import make_cell
from netlists.cells.base import Plane
from netlists.condition import Condition
from netlists.periphery import Timing, default_periphery
from netlists.technology import load_technology
from ngspice_runner import Cache

TECHNOLOGY = load_technology("generic28", "open45")
PLANE = Plane("M2", "M3")
CONDITION = Condition("tt", TECHNOLOGY.devices.vdd, 27.0)
ONES, COLUMNS = 0.3, 256
DEVICES = 0.02
"""Sigma of what reset switch and drivers leave on a level in the linear study, LSB."""


@dataclass(frozen=True)
class Study:
    """A column and its estimates. samples: chips of one estimate. truth: chips and patterns of the truth."""

    name: str
    rows: int
    cell_sigma: float
    samples: int
    truth: tuple[int, int]


LINEAR = Study("linear", 24, 0.05, 60, (30, 200))
SIMULATED = Study("simulated", 8, 0.09, 40, (800, 40))


def setup_of(study: Study, seed: int) -> Testbench:
    """The column of a study; the seed draws its patterns and chips."""
    cell = make_cell("cap_balanced", {})
    model = cell.model(TECHNOLOGY.stack, PLANE, partial(extract, cache_dir=cache_folder("extraction")))
    return Testbench(
        technology=TECHNOLOGY,
        model=model,
        periphery=default_periphery(TECHNOLOGY.devices),
        timing=Timing(),
        rows=study.rows,
        columns=COLUMNS,
        conditions=(CONDITION,),
        variation=Variation(study.cell_sigma, "chosen"),
        converter=Converter(0.05, 0.05, 5e-9, sample_capacitance=20e-15),
        ones=ONES,
        samples=study.samples,
        seed=seed,
    )


def histogram(rows: int) -> FloatArray:
    """Reads of a layer whose inputs and weights are ones with the share ONES, independently."""
    n = np.arange(rows + 1)
    driven = binom.pmf(n, rows, ONES)
    out: FloatArray = driven[:, None] * binom.pmf(n[None, :], n[:, None], ONES)
    return out


def planned(setup: Testbench) -> list[Task]:
    """Reads of an estimate."""
    return [t for p in with_requirements(("adc_margin",)) for t in p.plan(setup)]


def estimated(setup: Testbench, data: Dataset, noise_factor: float = 1.0) -> tuple[ReadoutTable, SignOff]:
    """Table and figures of an estimate, by the code of a run; noise_factor: what is wrong with its noise."""
    results: dict[str, object] = {}
    for procedure in with_requirements(("adc_margin",)):
        results[procedure.name] = procedure.analyse(setup, data, results)
    table: ReadoutTable = results["adc_margin"].table  # type: ignore[attr-defined]
    adc = replace(table.adc, noise_sigma=table.adc.noise_sigma * noise_factor)
    table = table.replace(sigma_noise=table.sigma_noise * noise_factor, adc=adc)
    return table, sign_off(table, CONDITION, readout_uncertainty(setup, results, 0), histogram(setup.rows))


class LinearChips:
    """Reads of chips by the linear network: a level is what the driven rows couple over the whole line's capacitance.

    A cell's deviation moves its coupling, and the load of the line by the same capacitance: a counted cell moves the
    level by what the supply is above it, any other one by the level itself. The spread of chips is known exactly.
    """

    def __init__(self, setup: Testbench) -> None:
        self.columns: dict[int, ChargeColumn] = {}
        self.devices: dict[int, float] = {}
        self.setup = setup
        self.lsb = float(self._column(0).weight[:, 1].mean())
        self.share = self.lsb / CONDITION.vdd  # of one cell's coupling in the whole capacitance of the line

    def _column(self, position: int) -> ChargeColumn:
        place = position // 64 * 64  # the level moves by a few per mille of an LSB along the row lines
        if place not in self.columns:
            found = linear_column(self.setup, CONDITION, place)
            assert isinstance(found, ChargeColumn)
            self.columns[place] = found
        return self.columns[place]

    def spread(self) -> FloatArray:
        """Sigma of the level over chips by (active, count), V: every cell's deviation to first order."""
        n, v = self.setup.rows, CONDITION.vdd
        active, count = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
        column = self._column(0)
        driven = float(column.own.mean() + ONES * column.weight[:, [0, 2]].sum(axis=1).mean())
        level = self.lsb * count + driven * active
        cells = count * (1 - level / v) ** 2 + (n - count) * (level / v) ** 2
        out: FloatArray = self.lsb * np.sqrt(self.setup.variation.cell_sigma**2 * cells + DEVICES**2)
        return out

    def read(self, task: Task) -> Sample:
        """One task's level."""
        case, column = task.case, self._column(task.case.position)
        bits, driven = np.asarray(case.bits, dtype=float), np.asarray(case.inputs, dtype=float)
        deviation = np.zeros(len(bits)) if task.draw < 0 else np.asarray(case.deviations.cell)[:, 1] - 1.0
        rise = column.own + (bits * column.weight).sum(axis=1) + deviation * bits[:, 1] * column.weight[:, 1]
        level = float(driven @ rise) / (1.0 + self.share * float(deviation.sum()))
        if task.draw >= 0:
            level += DEVICES * self.lsb * self._device(task.draw)
        c = CONDITION
        place = (task.active, task.count, task.pattern, task.draw)
        return Sample(
            task.procedure,
            c.corner,
            c.vdd,
            c.temperature,
            self.setup.rows,
            *place,
            level,
            1e-15 * task.active,
            "ok",
            "",
        )

    def _device(self, draw: int) -> float:
        """What a chip's reset switch and drivers leave, in sigma: the same at every read of it."""
        if draw not in self.devices:
            seed = np.random.SeedSequence([self.setup.seed, 99, draw])
            self.devices[draw] = float(np.random.default_rng(seed).standard_normal())
        return self.devices[draw]


def linear_estimate(study: Study, seed: int) -> tuple[ReadoutTable, SignOff]:
    """One estimate by the linear network, its extraction and noise off by draws from their stated intervals."""
    setup = setup_of(study, seed)
    chips = LinearChips(setup)
    samples = [chips.read(t) for t in planned(setup)]
    rng = np.random.default_rng(np.random.SeedSequence([seed, 98]))
    known = readout_uncertainty_size(setup)
    signal, noise = 1.0 + np.array(known) / SIGMAS * rng.standard_normal(2)
    data = Dataset(tuple(replace(s, level=s.level * signal) for s in samples))
    return estimated(setup, data, noise_factor=float(noise))


def readout_uncertainty_size(setup: Testbench) -> tuple[float, float]:
    """Halves of the stated 95 % intervals of the signal and of the noise, relative."""
    return setup.model.relative_error, CLOSED_FORM_NOISE


@dataclass(frozen=True)
class Held:
    """Which figures' intervals held the truth."""

    code_error: bool
    margin: bool
    csnr: bool


def held(found: SignOff, square: float, true_error: float, true_square: float, margin: float) -> Held:
    """margin: the true one of the level that the estimate calls the weakest."""
    low, high = found.code_error_interval
    assert found.margin_interval_sigma is not None
    change = 10 * np.log10(square / true_square)
    return Held(
        low <= true_error <= high,
        found.margin_interval_sigma[0] <= margin <= found.margin_interval_sigma[1],
        found.csnr_change_dB[0] <= change <= found.csnr_change_dB[1],
    )


def mean_square(table: ReadoutTable) -> float:
    """Expected squared error of a code over the reads, counts squared."""
    weight = histogram(table.rows)
    errors = table.at(CONDITION).squared_errors()
    return float(np.nansum(errors * weight) / weight[table.valid].sum())


def judge(study: Study, estimates: list[tuple[ReadoutTable, SignOff]], truth: tuple[ReadoutTable, float]) -> None:
    """Print how many intervals hold the truth."""
    table, true_error = truth
    true_square, margins = mean_square(table), table.margins(CONDITION)
    rows = []
    for t, found in estimates:
        worst = t.worst_margin()
        rows.append(held(found, mean_square(t), true_error, true_square, float(margins[worst.active, worst.count])))
    errors = np.array([f.code_error for _, f in estimates])
    widths = [f.code_error_interval[1] / f.code_error_interval[0] for _, f in estimates]
    print(f"  truth {true_error:.3e}; estimates {errors.min():.2e} to {errors.max():.2e}, ", end="")
    print(f"median {np.median(errors):.3e}, {np.median(errors) / true_error:.3f} of the truth")
    print(f"  median interval spans a factor of {np.median(widths):.2f}")
    for name in ("code_error", "margin", "csnr"):
        inside, number = sum(getattr(r, name) for r in rows), len(rows)
        low, high = clopper_pearson(inside, number)
        print(f"  {name}: {inside} of {number} intervals hold the truth: {100 * inside / number:.1f} % ", end="")
        print(f"({100 * low:.1f} to {100 * high:.1f})", flush=True)
    causes = estimates[0][1].causes
    for cause in causes:
        print(f"  first estimate, {cause.cause} alone: {cause.code_error[0]:.2e} to {cause.code_error[1]:.2e}")


def expected(repeats: int) -> str:
    """How many of so many 95 % intervals hold the truth, in 95 % of studies."""
    low, high = binom.interval(0.95, repeats, 0.95)
    return f"{low:.0f} to {high:.0f}"


def truth_setup(study: Study) -> Testbench:
    """The column with many more chips and patterns."""
    chips, patterns = study.truth
    return replace(setup_of(study, 1_000_003), samples=chips, patterns=patterns)


def linear_study(study: Study, repeats: int) -> None:
    began = time.process_time()
    print(f"{study.name}: {repeats} estimates of {study.rows} rows from {study.samples} chips; ", end="")
    print(f"expected to hold the truth: {expected(repeats)}", flush=True)
    setup = truth_setup(study)
    chips = LinearChips(setup)
    table, _ = estimated(setup, Dataset(tuple(chips.read(t) for t in planned(setup))))
    table = table.replace(sigma_static=np.where(table.valid, chips.spread(), np.nan)[None])
    truth = table, table.mean_code_error(CONDITION, histogram(study.rows))
    estimates = [linear_estimate(study, seed) for seed in range(1, repeats + 1)]
    judge(study, estimates, truth)
    print(f"  {time.process_time() - began:.0f} s CPU")


def simulated_study(study: Study, repeats: int, workers: int) -> None:
    print(f"{study.name}: {repeats} estimates of {study.rows} rows from {study.samples} chips in ngspice; ", end="")
    print(f"expected to hold the truth: {expected(repeats)}", flush=True)
    spent, estimates = 0.0, []
    with Cache(cache_folder("simulations")) as cache:
        for seed in (None, *range(1, repeats + 1)):
            setup = truth_setup(study) if seed is None else setup_of(study, seed)
            outcome = run_tasks(setup, planned(setup), cache=cache, workers=workers)
            spent += outcome.cpu_seconds
            estimates.append(estimated(setup, Dataset(outcome.samples)))
    table, figures = estimates[0]
    judge(study, estimates[1:], (table, figures.code_error))
    print(f"  {spent:.0f} s CPU in ngspice")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=400, help="by the linear network; 0: none")
    parser.add_argument("--simulated", type=int, default=40, help="in ngspice; 0: none")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    if options.repeats:
        linear_study(LINEAR, options.repeats)
    if options.simulated:
        simulated_study(SIMULATED, options.simulated, options.workers)


if __name__ == "__main__":
    main()

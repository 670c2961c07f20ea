"""What a few decks tell of a column and its readout, and how columns that differ in several ways follow from it.

A column is calibrated once in full: levels of a few counts, nominal and with every device one sigma off, noise,
supplies and settling. A column that differs from it in one way takes its own nominal levels and the noise of its line;
what it keeps (devices, comparator) is scaled by its levels. One that differs in several ways is the product of the
ratios by which each of them changes every figure: exact where they act apart, as capacitances, rows and gains mostly
do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import reduce
from typing import Any, TypeVar

import numpy as np
from numpy.polynomial import Polynomial

from characterization.campaign import run_tasks
from characterization.chain_group import device_probes, nominal_probes
from characterization.column_testbench import ColumnTestbench
from characterization.failures import ConditionError
from characterization.group_levels import GroupLevels, ideal_levels, simulated_levels
from characterization.group_size import end_probes, probed_ends
from characterization.procedures.chain_energy import ChainEnergy, ChainEnergyPoint, measure_chain_energy
from characterization.procedures.chain_margin import in_reach
from characterization.procedures.chain_settling import ChainSettling, measure_chain_settling
from characterization.procedures.local_inverter import InverterFigures, InverterPoint, measure_inverter
from characterization.readout.chain_noise import (
    ChainNoisePoint,
    bus_reset_noise,
    noise_point,
    simulated_decision,
)
from characterization.readout.converter_noise import Aperture
from characterization.tables.table import ReadoutTable
from characterization.testbench import Testbench, setup_chain
from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from netlists.readout.column_converter import ColumnConverter
from ngspice_runner import Cache, Workers

SHIFTED = 3
"""Counts at which every device is shifted."""

SOURCE = "few reads by ngspice per column; noise, cell mismatch and neighbours in closed form"

Point = TypeVar("Point", ChainNoisePoint, ChainEnergyPoint, InverterPoint)


@dataclass(frozen=True)
class ChainCalibration:
    """Noise and supplies of a chain; its settling; the comparator's aperture and the bus levels of its noise, V; the
    converter behind it."""

    converter: ColumnConverter
    noise: ChainNoisePoint
    energy: ChainEnergyPoint
    settling: ChainSettling
    aperture: Aperture
    bus: tuple[float, float, float]


@dataclass(frozen=True)
class ColumnCalibration:
    """Figures of one column at its nominal condition.

    rows: of the group. share: counts that were read over the largest one, (reads,). level: V or A, (reads,), all rows
    driven. shift: change of these by one sigma of one device after the other, (devices, reads). row_energy: J per
    driven row and column. chain, inverter: of a readout by transistors. decks: simulated or found in the cache.
    """

    rows: int
    share: FloatArray
    level: FloatArray
    shift: FloatArray
    row_energy: float
    chain: ChainCalibration | None = None
    inverter: InverterPoint | None = None
    decks: int = 0

    @property
    def span(self) -> float:
        """Level of all counts less that of none, V or A."""
        return float(self.level[-1] - self.level[0])

    @property
    def line_span(self) -> float:
        """The span before a chain's series capacitor divides it."""
        return self.span / (self.chain.noise.kept if self.chain else 1.0)

    def levels(self, setup: Testbench) -> GroupLevels:
        """Levels and spreads of the setup's group."""
        if not setup.has_transistor_readout:
            return ideal_levels(setup, self.span / setup.max_count, self.shift[0])
        noise = self.chain.noise if self.chain else self.inverter
        if noise is None:
            raise InputError("the calibration is of another readout", where="readout.kind")
        if self.span <= 0:
            raise InputError("the levels do not rise with the count", where="readout")
        if setup.chain is not None and not in_reach(setup.chain, self.level):
            raise InputError("the levels leave the converter's range", where="readout.converter")
        return simulated_levels(
            setup, noise, self.share * setup.max_count, np.vstack([self.level, self.shift + self.level])
        )

    def table(self, setup: Testbench) -> ReadoutTable:
        """The readout table of the setup's group."""
        return self.levels(setup).table(setup, self.row_energy, SOURCE)

    def results(self, setup: Testbench) -> dict[str, Any]:
        """What the estimate reads of the readout, by procedure."""
        if self.inverter is not None:
            return {"local_inverter": InverterFigures((self.inverter,))}
        if self.chain is None:
            return {}
        return {
            "chain_energy": ChainEnergy(setup_chain(setup).converter.bits, (self.chain.energy,)),
            "chain_settling": self.chain.settling,
        }


def electrical_key(setup: Testbench) -> tuple[object, ...]:
    """What decides the decks of a column; two setups of one key share a calibration."""
    devices = setup.technology.devices
    return (
        setup.model.sha256, setup.rows, setup.columns, setup.conditions[0], devices.name, devices.sha256,
        setup.periphery, setup.timing, setup.chain, setup.inverter, setup.converter, setup.seed, setup.pair,
    )  # fmt: skip


def calibrate_column(
    setup: Testbench, *, like: ColumnCalibration | None = None, cache: Cache | None = None, workers: Workers = None
) -> ColumnCalibration:
    """Figures of a column by a few decks.

    Parameters
    ----------
    setup : Testbench
        The group at one condition.
    like : ColumnCalibration, optional
        Of a column that differs in one way; its devices and its comparator are kept.
    cache : Cache, optional
        Results of earlier simulations.
    workers : Workers
        Where the simulations run.

    Returns
    -------
    ColumnCalibration
        Of this column.

    Raises
    ------
    ConditionError
        If a read fails in ngspice.
    """
    condition = setup.conditions[0]
    ideal = not setup.has_transistor_readout
    full = like is None or ideal
    tasks = end_probes(setup, condition) if ideal else nominal_probes(setup)
    if full and not ideal:
        tasks += device_probes(setup, SHIFTED)
    outcome = run_tasks(setup, tasks, cache=cache, workers=workers)
    bad = [s for s in outcome.samples if s.verdict != "ok"]
    if bad:
        raise ConditionError(
            f"a read of {setup.model.kind} with {bad[0].active} rows failed in ngspice: verdict {bad[0].verdict}",
            condition,
        )
    level = np.array([s.level for s in outcome.samples])
    energy = outcome.samples[len(tasks) // 2 if ideal else 2].row_energy / (setup.rows * setup.columns)
    if ideal:
        lsb, device = probed_ends(setup, tasks, [float(v) for v in level])
        ends = np.array([0.0, lsb * setup.max_count])
        return ColumnCalibration(setup.rows, np.array([0.0, 1.0]), ends, device[None], energy, decks=len(tasks))
    count, at = (np.array([t.count for t in tasks if t.draw == d], dtype=np.float64) for d in (-1, 0))
    nominal, shifted = level[: len(count)], level[len(count) :]
    bench = ColumnTestbench(setup, cache=cache, workers=workers)
    share = count / setup.max_count
    found = ColumnCalibration(setup.rows, share, nominal, np.zeros((0, len(share))), energy, decks=len(tasks))
    if like is None:
        moved = shifted.reshape(-1, len(at)) - np.interp(at, count, nominal)
        found = replace(found, shift=_bend(moved, at / setup.max_count, share))
    else:
        found = replace(found, shift=_bend(like.shift, like.share, found.share) * (found.span / like.span))
    if setup.inverter is not None:
        return replace(found, inverter=measure_inverter(setup, bench, {}).points[0])
    return replace(found, chain=_chain(setup, bench, found, like.chain if like else None))


def _chain(
    setup: Testbench, bench: ColumnTestbench, found: ColumnCalibration, like: ChainCalibration | None
) -> ChainCalibration:
    chain, condition = setup_chain(setup), setup.conditions[0]
    common = chain.sampler.common_mode
    middle = float(np.interp(0.5, found.share, found.level))
    bus = (common + float(found.level[0] - middle), common, common + float(found.level[-1] - middle))
    known: dict[float, tuple[float, Aperture]] = {}

    def decide(level: float) -> tuple[float, Aperture]:
        if like is None:
            if level not in known:
                known[level] = simulated_decision(setup, bench, condition, level)
            return known[level]
        low, high = like.noise.ends or (like.noise.comparator,) * 2
        return float(np.interp(level, like.bus, (low, like.noise.comparator, high))), like.aperture

    noise = noise_point(setup, bench, condition, decide)
    aperture = decide(common)[1]
    converter = chain.converter
    if like is not None and like.converter == converter:
        return ChainCalibration(converter, noise, like.energy, like.settling, aperture, bus)
    energy = measure_chain_energy(setup, bench, {}).points[0]
    settling = measure_chain_settling(setup, bench, {}) if like is None else like.settling
    return ChainCalibration(converter, noise, energy, settling, aperture, bus)


def combined_column(
    anchor: ColumnCalibration,
    others: Sequence[ColumnCalibration],
    setup: Testbench,
    base: ColumnCalibration | None = None,
) -> ColumnCalibration:
    """A column that differs from `anchor` in all the ways in which `others` differ from `base`, each in one.

    Parameters
    ----------
    anchor : ColumnCalibration
        Calibrated in full.
    others : Sequence[ColumnCalibration]
        Each with `like=base`.
    setup : Testbench
        The column that is asked for.
    base : ColumnCalibration, optional
        By default the anchor: another column in full, to which the ways are alike.

    Returns
    -------
    ColumnCalibration
        Spacing, noise and energies: products of ratios; shapes of the levels: sums of changes.
    """
    base = base or anchor
    out = anchor
    if len(others) == 1 and base is anchor:
        out = others[0]
    elif others:
        span = _times(anchor.line_span, [c.line_span for c in others], base.line_span)
        span *= _kept(anchor, others, base)
        level = _shape(base, anchor.share)
        shape = _shape(anchor, anchor.share) + np.sum([_shape(c, anchor.share) - level for c in others], axis=0)
        energy = _times(anchor.row_energy, [c.row_energy for c in others], base.row_energy)
        shift = anchor.shift * (span / anchor.span)
        out = replace(anchor, level=span * shape, shift=shift, row_energy=energy)
        if anchor.inverter is not None and base.inverter is not None:
            inverters = [c.inverter for c in others if c.inverter]
            out = replace(out, inverter=_product(anchor.inverter, inverters, base.inverter))
        if anchor.chain is not None and base.chain is not None:
            kept = _kept(anchor, others, base)
            points = [_on_the_line(c.chain.noise) for c in others if c.chain]
            found = _product(_on_the_line(anchor.chain.noise), points, _on_the_line(base.chain.noise))
            noise = _at_the_bus(found, kept, setup)
            out = replace(out, chain=replace(anchor.chain, noise=noise))
    out = replace(out, rows=setup.rows)
    if out.chain is None or anchor.chain is None or base.chain is None:
        return out
    measured = [c.chain.energy for c in others if c.chain and c.chain.converter != base.chain.converter]
    energies = replace(anchor.chain.energy, converter=measured[0].converter) if measured else anchor.chain.energy
    return replace(out, chain=replace(out.chain, energy=_energy_of(energies, setup.rows / anchor.rows, setup)))


def _kept(anchor: ColumnCalibration, others: Sequence[ColumnCalibration], base: ColumnCalibration) -> float:
    """Share of a step that the series capacitor keeps: its odds, capacitor over load, are a product of ratios."""
    if anchor.chain is None or base.chain is None:
        return 1.0
    odds = [c.chain.noise.kept / (1.0 - c.chain.noise.kept) for c in (anchor, *others, base) if c.chain]
    found = _times(odds[0], odds[1:-1], odds[-1])
    return found / (1.0 + found)


def _on_the_line(point: ChainNoisePoint) -> ChainNoisePoint:
    """Gain and noise before the series capacitor divides them."""
    k = point.kept
    second = (point.second[0] / k, point.second[1] / k, point.second[2] / k)
    return replace(point, gain=point.gain / k, first=point.first / k, second=second)


def _at_the_bus(point: ChainNoisePoint, kept: float, setup: Testbench) -> ChainNoisePoint:
    """The same behind a series capacitor that keeps a share."""
    chain = setup_chain(setup)
    bus = math.sqrt(chain.converter.columns) * bus_reset_noise(chain, kept, setup.conditions[0].kelvin)
    second = (point.second[0] * kept, point.second[1] * kept, point.second[2] * kept)
    hold = point.hold if chain.timing.queue > 0.0 else ()
    return replace(
        point, gain=point.gain * kept, first=point.first * kept, second=second, bus=bus, kept=kept, hold=hold
    )


def _energy_of(known: ChainEnergyPoint, rows: float, setup: Testbench) -> ChainEnergyPoint:
    """Supplies of a chain whose rows, timing and conversion follow the setup: `rows` times the rows' as they were."""
    chain = setup_chain(setup)
    return replace(
        known,
        active=round(known.active * rows),
        cycle=chain.timing.stop,
        rows=known.rows * rows,
        row_gates=known.row_gates * rows,
        conversion=chain.converter.duration(setup.max_count + 1),
    )


def _shape(column: ColumnCalibration, share: FloatArray) -> FloatArray:
    """Levels over their span at these shares of the largest count."""
    out: FloatArray = _bend(column.level[None] / column.span, column.share, share)[0]
    return out


def _bend(values: FloatArray, share: FloatArray, wanted: FloatArray) -> FloatArray:
    """Curves (n, reads) at other shares, by the polynomial through their reads."""
    out = [Polynomial.fit(share, row, len(share) - 1)(wanted) for row in values]
    return np.asarray(out).reshape(len(values), len(wanted))


def _times(anchor: float, values: Sequence[float], base: float) -> float:
    """anchor times the ratios of values to `base`; the anchor itself where one is not positive."""
    if base <= 0 or min(values) <= 0:
        return anchor
    return float(reduce(lambda total, v: total * v / base, values, anchor))


def _product(anchor: Point, others: Sequence[Point], base: Point) -> Point:
    """Every figure of a point times its ratios to those of `base`."""
    changes: dict[str, Any] = {}
    for f in fields(anchor):
        mine, first = getattr(anchor, f.name), getattr(base, f.name)
        theirs: list[Any] = [getattr(o, f.name) for o in others]
        if isinstance(mine, float):
            changes[f.name] = _times(mine, theirs, first)
        elif isinstance(mine, tuple):
            present = [v for v in (*theirs, mine, first) if v]
            if len(present) < len(theirs) + 2:  # only some schedules have it: nothing to take ratios of
                changes[f.name] = present[0] if present else ()
                continue
            columns = zip(mine, zip(*theirs, strict=True), first, strict=True)
            changes[f.name] = tuple(_times(m, v, b) for m, v, b in columns)
    return replace(anchor, **changes)

"""Levels and spreads of a whole group from a few reads of it: closed forms between and around what was simulated.

All rows of a group are driven at a few counts, nominally and with every device of the column one sigma off in turn; the
levels between are those of the polynomial through them. Cell mismatch follows in closed form, noise and the converter's
thresholds as in `adc_margin`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import Polynomial

from characterization.fit import signed_count
from characterization.procedures.adc_margin import margin_assumptions, read_time, thermal_noise
from characterization.procedures.chain_margin import chain_noise, chain_thresholds
from characterization.procedures.inverter_margin import inverter_spread
from characterization.procedures.local_inverter import InverterFigures, InverterPoint
from characterization.procedures.mismatch import moved, spread_arguments
from characterization.readout.chain_noise import ChainNoisePoint
from characterization.readout.converter_spread import converter_spread
from characterization.tables.table import AdcModel, ReadoutTable
from characterization.testbench import Testbench, setup_chain
from interconnect.arrays import BoolArray, FloatArray
from interconnect.errors import InputError


@dataclass(frozen=True)
class GroupLevels:
    """Every possible (active, count) of a group in one row each, V or A.

    possible: (rows + 1, counts), which pairs there are; active, count, difference (`signed_count`; the count itself
    where levels are straight), level, noise (less the comparator's), mismatch: of these pairs, (pairs,). law: level
    over the difference. ends: differences of no and of all counts with all rows driven. comparator, offset: of the
    converter. lsb: mean spacing.
    """

    possible: BoolArray
    active: FloatArray
    count: FloatArray
    difference: FloatArray
    level: FloatArray
    noise: FloatArray
    mismatch: FloatArray
    law: Polynomial
    ends: tuple[float, float]
    comparator: float
    offset: float
    lsb: float

    def table(self, setup: Testbench, row_energy: float, source: str) -> ReadoutTable:
        """The group's readout table at the setup's first condition.

        Parameters
        ----------
        setup : Testbench
            The group.
        row_energy : float
            J per driven row and column.
        source : str
            Where levels and spreads come from, in words.
        """
        condition, n = setup.conditions[0], setup.rows

        def whole(values: FloatArray) -> FloatArray:
            out = np.full(self.possible.shape, np.nan)
            out[self.possible] = values
            return out[None]

        bent = setup.level_shape == "bent"
        return ReadoutTable.from_arrays(
            cell=setup.model.kind,
            unit=setup.unit,
            rows=n,
            conditions=(condition,),
            level=whole(self.level),
            sigma_static=whole(self.mismatch),
            sigma_noise=whole(self.noise),
            sigma_pattern=whole(self.lsb * neighbour_counts(setup, self.active)),
            row_energy=np.arange(n + 1.0)[None] * row_energy,
            read_time=read_time(setup),
            adc=AdcModel(setup.max_count + 1, self.offset, self.comparator),
            assumptions=margin_assumptions(setup),
            provenance={"source": source},
            levels=setup.levels,
            threshold=chain_thresholds(setup, [_Law(self.law)]) if bent else None,
        )


@dataclass(frozen=True, slots=True)
class _Law:
    """Levels over the difference alone, for any number of active rows."""

    law: Polynomial

    def of_difference(self, active: float, difference: FloatArray) -> FloatArray:
        """Levels of differences, V."""
        return np.asarray(self.law(difference))


def neighbour_counts(setup: Testbench, active: FloatArray) -> FloatArray:
    """Counts (rms) by which the neighbour column's stored data move a level; 0 for cells that do not couple to it."""
    model = setup.model
    if model.mode != "charge" or len(model.bit_lines) > 1 or model.symbol_values != (0, 1):
        return np.zeros_like(active)
    on, off = (model.capacitance("bl_next", b, "row_out") for b in (1, 0))
    out: FloatArray = abs(on - off) / model.switched * np.sqrt(active * setup.ones * (1.0 - setup.ones))
    return out


def simulated_levels(
    setup: Testbench, noise: ChainNoisePoint | InverterPoint, count: FloatArray, levels: FloatArray
) -> GroupLevels:
    """A group read through transistors.

    Parameters
    ----------
    setup : Testbench
        The group, with its chain or its inverters.
    noise : ChainNoisePoint or InverterPoint
        Noise of the readout.
    count : FloatArray
        Counts that were read with all rows driven, from 0 to the largest, shape (counts,).
    levels : FloatArray
        Levels, V, shape (1 + devices, counts): nominal ones, then those with one device after the other one sigma off.

    Returns
    -------
    GroupLevels
        Of every pair.
    """
    n, most, top = float(setup.rows), setup.levels - 1, setup.max_count

    def difference(active: FloatArray, count: FloatArray) -> FloatArray:
        return signed_count(active, count, most)[1] if setup.level_shape == "bent" else count

    at = difference(np.full(len(count), n), count)
    level, *shifts = (Polynomial.fit(at, row, len(at) - 1) for row in (levels[0], *(levels[1:] - levels[0])))
    lsb = float(levels[0, -1] - levels[0, 0]) / top
    possible, active, counts = _pairs(setup)
    d = difference(active, counts)
    driven, moving = spread_arguments(setup, active, counts)
    cells = driven if setup.level_shape == "bent" else moving
    if setup.pair and setup_chain(setup).drive == "complement":
        cells = 2.0 * cells  # a plus and a minus cell in every driven row
    device = np.sqrt(np.sum([shift(d) ** 2 for shift in shifts], axis=0))
    mismatch = np.hypot(setup.variation.cell_sigma * setup.mismatch_gain * lsb * np.sqrt(cells), device)
    if isinstance(noise, InverterPoint):
        comparator, added = noise.comparator, np.full(d.shape, noise.noise_beside(noise.comparator))
        static = np.full(possible.shape, np.nan)
        static[possible] = mismatch
        if setup.inverter is None:
            raise InputError("the readout has no inverters in the segment", where="readout.kind")
        found, _ = inverter_spread(setup, setup.inverter, InverterFigures((noise,)), static)
    else:
        chain, comparator = setup_chain(setup), noise.quietest
        added = chain_noise(setup, noise, comparator, active, counts)
        ends = [mismatch[(active == n) & (counts == c)][0] for c in (0, top)]
        read = float(np.hypot(noise.line(np.zeros(1))[0], noise.comparator))
        end = float(np.hypot(*ends) / np.sqrt(2.0))
        found = converter_spread(chain.converter, read, end, load=chain.array_load)
    return GroupLevels(
        possible, active, counts, d, np.asarray(level(d)), added, mismatch, level, (float(at[0]), float(at[-1])),
        comparator, found.total, lsb,
    )  # fmt: skip


def ideal_levels(setup: Testbench, lsb: float, device: FloatArray) -> GroupLevels:
    """A group read ideally: straight levels.

    Parameters
    ----------
    setup : Testbench
        The group.
    lsb : float
        Simulated spacing of the counts, V or A.
    device : FloatArray
        What the reset switch's sigma moves the lowest and the highest level by, V or A, (2,).

    Returns
    -------
    GroupLevels
        Of every pair. Raises InputError for levels that do not rise.
    """
    if not lsb > 0:
        raise InputError(
            f"a group of {setup.rows} rows has levels that do not rise with the count; check the cell and the timing"
        )
    condition, top = setup.conditions[0], setup.max_count
    possible, active, count = _pairs(setup)
    noise = thermal_noise(setup, lsb, condition.vdd, condition.kelvin, active, count)
    shift = device[0] + (device[1] - device[0]) * count / top
    cells = setup.variation.cell_sigma * setup.mismatch_gain * np.sqrt(moved(setup, active, count))
    law = Polynomial([0.0, lsb])
    return GroupLevels(
        possible, active, count, count, lsb * count, noise, np.hypot(lsb * cells, shift), law, (0.0, float(top)),
        setup.converter.noise_sigma * lsb, setup.converter.assumed_offset * lsb, lsb,
    )  # fmt: skip


def _pairs(setup: Testbench) -> tuple[BoolArray, FloatArray, FloatArray]:
    """Which (active, count) there are, and these pairs."""
    active, count = np.meshgrid(np.arange(setup.rows + 1.0), np.arange(setup.max_count + 1.0), indexing="ij")
    possible = count <= active * (setup.levels - 1)
    return possible, active[possible], count[possible]

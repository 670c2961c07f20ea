"""Levels of every plane of a stack from those of the simulated plane: a charge balance, calibrated by a few decks.

A plane differs from the simulated one by what a count and an active row add. The charge balance of its cell and of the
rows above it gives both to first order; reads of both planes under equal stimuli set them right, for the transistors'
load and the bend of a readout chain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.tables.planes import PlaneClass
from characterization.tables.table import ReadoutTable
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from netlists.case import ColumnStimulus
from netlists.cells.base import CellModel
from netlists.column import ColumnDeck, column_deck
from netlists.condition import NOMINAL_METALS, Condition

FOLLOW, REST = "follow", "rest"
"""What the rows of the next plane do in a deck of the calibration: the same inputs, or nothing."""


@dataclass(frozen=True, slots=True)
class PlaneSteps:
    """A plane's levels in counts of the simulated plane's step.

    plane, above: labels; above is empty for a plane without a neighbour on the metal over its columns. count, active:
    what a count and an active row add to a level beyond what they add on the simulated plane. next_plane: part of
    `active` that driven rows of the next plane cause. scale: step per count over that of the simulated plane. position:
    bottom, inner, top. planes: labels of all that this one stands for; empty: it alone. elsewhere: count and active by
    label of a condition other than the nominal one; both are those of the nominal one where it has none.
    """

    plane: str
    above: str
    count: float
    active: float
    next_plane: float
    scale: float
    position: str = ""
    planes: tuple[str, ...] = ()
    elsewhere: dict[str, tuple[float, float]] = field(default_factory=dict)

    def at(self, condition: str) -> tuple[float, float]:
        """(count, active) at a condition."""
        return self.elsewhere.get(condition, (self.count, self.active))

    @property
    def label(self) -> str:
        """The plane, and in brackets those that share its table."""
        others = [p for p in self.planes if p != self.plane]
        return f"{self.plane} (also {', '.join(others)})" if others else self.plane

    @property
    def plane_class(self) -> PlaneClass:
        """The entry of `PlaneTables`."""
        return PlaneClass(self.plane, self.planes or (self.plane,), self.position)


@dataclass(frozen=True, slots=True)
class PlaneCheck:
    """A read by transistors against the charge balance, both as differences in counts of the simulated step.

    rows_above: `follow` the inputs: this plane's level less that of the simulated plane; `rest`: less that of this
    plane with following rows. calibrated: the difference by the steps that were fitted to the reads. fitted: whether
    this read is one of these.
    """

    plane: str
    condition: str
    active: int
    count: int
    rows_above: str
    simulated: float
    linear: float
    calibrated: float
    fitted: bool


def plane_steps(setup: Testbench) -> tuple[PlaneSteps, ...]:
    """Charge balance of every plane's cell and its neighbour above, against the simulated plane's cell."""
    reference = _balance(setup, setup.model)
    step = reference["count"]
    out = []
    for plane in setup.stacked:
        found = _balance(setup, plane.model)
        out.append(
            PlaneSteps(
                plane=plane.label,
                above=plane.above,
                count=found["count"] / step - 1.0,
                active=(found["active"] + found["above"] - reference["active"] - reference["above"]) / step,
                next_plane=found["above"] / step,
                scale=found["count"] / step,
                position=plane.position,
                planes=plane.planes,
            )
        )
    return tuple(out)


def _balance(setup: Testbench, model: CellModel) -> Mapping[str, float]:
    """Level per unit of drive that a count, an active row and an active row of the next plane add."""
    lowest = min(range(model.symbols), key=model.symbol_values.__getitem__)
    load = setup.rows * model.bl_total + setup.periphery.sense_capacitance
    if setup.pair:  # what rows add to both columns cancels; counts begin at the difference of -1 a row
        return {"count": model.switched / load, "active": -model.switched / load, "above": 0.0}
    return {
        "count": model.switched / load,
        "active": model.drive(lowest) / load,
        "above": model.drive(lowest, above=True) / load,
    }


def calibrated_steps(
    setup: Testbench, bench: ColumnTestbench, table: ReadoutTable
) -> tuple[tuple[PlaneSteps, ...], tuple[PlaneCheck, ...]]:
    """Steps of every plane, set right by reads of it and of the simulated plane at every condition of nominal metals.

    Parameters
    ----------
    setup : Testbench
        With `stacked`.
    bench : ColumnTestbench
        Runs four reads per class of planes and condition: all rows active at none, half and all of the counts, to which
        the steps are fitted, and half of the rows active at half of their counts, held out. One more per class with
        rows above, all rows active at half of the counts, in which the rows above rest.
    table : ReadoutTable
        Of the simulated plane, for the volts of a count.

    Returns
    -------
    tuple[PlaneSteps, ...]
        One per class.
    tuple[PlaneCheck, ...]
        Every read.
    """
    nominal, *others = (c for c in table.conditions if c.beol == NOMINAL_METALS)
    steps, checks = _steps_at(setup, bench, table, nominal)
    for condition in others:
        found, more = _steps_at(setup, bench, table, condition)
        steps = [
            replace(s, elsewhere={**s.elsewhere, condition.label: (f.count, f.active)})
            for s, f in zip(steps, found, strict=True)
        ]
        checks += more
    return tuple(steps), tuple(checks)


def _steps_at(
    setup: Testbench, bench: ColumnTestbench, table: ReadoutTable, condition: Condition
) -> tuple[list[PlaneSteps], list[PlaneCheck]]:
    """Steps and reads of every class at one condition."""
    n, top = setup.rows, setup.max_count
    places = ((n, 0), (n, top // 2), (n, top), (n // 2, top // 4))
    active, count = np.array(places, dtype=np.float64).T
    cases = [stimulus_of(setup, draw_pattern(setup, "random0", a, c)) for a, c in places]
    resting = replace(cases[1], next_plane=np.zeros(n, dtype=np.uint8))
    # volts of one count on the table's own curve, which a readout chain bends
    local = local_steps(table, table.index(condition))
    volts = np.array([local[place] for place in places])

    def levels(label: str, model: CellModel, stimuli: Sequence[ColumnStimulus]) -> FloatArray:
        return bench.levels(
            f"planes_{label}_{condition.label}", [plane_read_deck(setup, model, condition, case) for case in stimuli]
        )

    base = levels(setup.model.plane.label, setup.model, cases)
    steps: list[PlaneSteps] = []
    checks: list[PlaneCheck] = []
    for linear, plane in zip(plane_steps(setup), setup.stacked, strict=True):
        own = base if plane.model == setup.model else levels(plane.label, plane.model, cases)
        simulated = (own - base) / volts
        fitted = _fitted(linear, active[:3], count[:3], simulated[:3])
        steps.append(fitted)
        for i, (a, c) in enumerate(places):
            balance, moved = (s.active * a + s.count * c for s in (linear, fitted))
            read = float(simulated[i])
            checks.append(PlaneCheck(plane.label, condition.label, a, c, FOLLOW, read, balance, moved, i < 3))
        if plane.above:
            (quiet,) = levels(f"{plane.label}_rest", plane.model, [resting])
            shift = -n * linear.next_plane
            moved = float((quiet - own[1]) / volts[1])
            checks.append(PlaneCheck(plane.label, condition.label, *places[1], REST, moved, shift, shift, False))
    return steps, checks


def _fitted(linear: PlaneSteps, active: FloatArray, count: FloatArray, simulated: FloatArray) -> PlaneSteps:
    """The steps that meet the simulated differences best, all arrays of shape (reads,)."""
    found = np.linalg.lstsq(np.stack([active, count], axis=1), simulated, rcond=None)[0]
    per_row, per_count = float(found[0]), float(found[1])
    return replace(linear, active=per_row, count=per_count, scale=1.0 + per_count)


def plane_read_deck(setup: Testbench, model: CellModel, condition: Condition, case: ColumnStimulus) -> ColumnDeck:
    """The read of a case on a plane of its own cell, by the setup's periphery or chain."""
    return column_deck(
        setup.technology,
        model,
        setup.periphery,
        setup.timing,
        condition,
        setup.simulated_case(case),
        chain=setup.chain,
        inverter=setup.inverter,
        reltol=setup.reltol,
    )


def nominal_metals(table: ReadoutTable) -> ReadoutTable:
    """The table at the conditions of nominal metals alone. Raises InputError where there is none."""
    kept = [i for i, c in enumerate(table.conditions) if c.beol == NOMINAL_METALS]
    if not kept:
        raise InputError("no condition of the readout table has nominal metals, of which the planes are extracted")
    return table if len(kept) == len(table.conditions) else ReadoutTable(table.dataset.isel(condition=kept))


def local_steps(table: ReadoutTable, index: int) -> FloatArray:
    """Slope of the level over the count, `unit` per count, shape (active, count), where a level is; the mean spacing
    elsewhere and where the active rows give one count alone."""
    level, lsb = table.level[index], table.lsb(table.conditions[index])
    out = np.full(level.shape, lsb)
    for active in range(1, table.rows + 1):
        valid = table.valid[active]
        out[active, valid] = np.gradient(level[active, valid])
    return out


def table_of_plane(table: ReadoutTable, steps: PlaneSteps) -> ReadoutTable:
    """The table with a plane's levels, and thresholds that a converter fixes moved with them: a reference per plane.

    The cells' static spread grows with the step, other spreads stay.
    """
    active, count = np.arange(table.rows + 1.0)[:, None], np.arange(table.max_count + 1.0)
    local = np.stack([local_steps(table, i) for i in range(len(table.conditions))])
    per_count, per_row = np.array([steps.at(c.label) for c in table.conditions]).T[:, :, None, None]
    moved = table.level + local * (per_row * active + per_count * count)
    threshold = table.threshold
    if threshold is not None:
        number = threshold.shape[2]
        between = (local[:, :, :-1] + local[:, :, 1:])[:, :, :number] / 2
        threshold = threshold + between * (per_row * active + per_count * (np.arange(number) + 0.5))
    static = table.sigma_static * (1.0 + per_count)
    return table.replace(level=moved, sigma_static=static, plane=steps.plane, threshold=threshold)

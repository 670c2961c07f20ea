"""What one read of a group of rows gives by ngspice, for many setups at once: the values that a model is fitted to.

Every row is driven and both neighbours of the column store zeros (for `settling`, ones), so that a value depends on the
setup alone and not on a drawn pattern: a model over rows and lengths then has no steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from characterization.campaign import job_of, run_decks
from characterization.device_probe import check_devices
from characterization.patterns import FAR, build_pattern
from characterization.procedures.settling import BANDS, WINDOW, settling_time
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from interconnect.suggestion import suggest
from netlists.case import ColumnStimulus, Deviations
from netlists.column import ColumnDeck, column_deck
from ngspice_runner import Cache, EngineError, Progress, Result, RunProvenance, Workers, run_many

STEPS = 20
"""Of the engine, at least, within the input edge where the time of settling is taken."""

EMPTY, FULL, SHIFTED, LONG = "empty", "full", "shifted", "long"
"""Reads of a setup: no row counts; all count; none counts and the reset switch is one sigma off; all count, far from
the drivers, observed for `WINDOW` times as long in short steps."""


@dataclass(frozen=True, slots=True)
class GroupQuantity:
    """unit: `level` is V or A, as the cell is read. meaning: in words. reads: those that it is taken from."""

    name: str
    unit: Literal["level", "J", "s"]
    meaning: str
    reads: tuple[str, ...]

    def unit_of(self, setup: Testbench) -> str:
        """Unit of the value."""
        return setup.unit if self.unit == "level" else self.unit


QUANTITIES = {
    q.name: q
    for q in (
        GroupQuantity("lsb", "level", "level per count: of all rows counting less that of none, over the rows",
                 (EMPTY, FULL)),
        GroupQuantity("level", "level", "level of all rows counting, as the converter samples it", (FULL,)),
        GroupQuantity("sigma_static", "level", "standard deviation over chips of the level of all rows counting: cell "
                 "mismatch in closed form, reset switch one sigma off in ngspice", (EMPTY, FULL, SHIFTED)),
        GroupQuantity("energy", "J", "energy the group's row drivers draw in one read of all rows, all columns",
                 (FULL,)),
        GroupQuantity("settling", "s", f"time from the start of the input edge until the level is within {BANDS[-1]:g} "
                 "of a count of its end, all rows counting, last column of the rows", (EMPTY, FULL, LONG)),
    )
}  # fmt: skip
"""By name."""


def group_quantity(name: str, *, where: str | None = None) -> GroupQuantity:
    """The quantity of that name. Raises InputError with a suggestion."""
    if name not in QUANTITIES:
        raise InputError(f"no testbench measures {name[:60]!r}", where=where, hint=suggest(name, list(QUANTITIES)))
    return QUANTITIES[name]


def check_setup(setup: Testbench) -> None:
    """Refuse a cell whose level is no function of the count alone. Raises InputError."""
    if setup.levels > 2 or not setup.balanced:
        raise InputError(
            f"the cell {setup.model.kind} holds several symbols or loads its line by its data: two reads "
            "do not determine its levels",
            where="cell.kind",
            hint="fit a cell of one bit whose load is the same for both; metalrom cells compares all kinds",
        )


class GroupBench:
    """Measures one quantity of many setups in one batch.

    cache, workers: as for `run_many`. seen: provenance of every distinct deck; closed_form: values of a formula.
    """

    def __init__(self, name: str, *, cache: Cache | None = None, workers: Workers = None) -> None:
        self.quantity = group_quantity(name)
        self.seen: dict[str, RunProvenance] = {}
        self.closed_form = 0
        self._cache, self._workers = cache, workers

    def decks(self, setup: Testbench) -> tuple[ColumnDeck, ...]:
        """The reads of one setup at its nominal condition, in the order of the quantity's `reads`."""
        check_setup(setup)
        return tuple(_deck(setup, read) for read in self.quantity.reads)

    def run(self, setups: Sequence[Testbench], *, progress: Callable[[Progress], None] | None = None) -> FloatArray:
        """Values (setups,), SI units. Raises EngineError naming the first read that fails."""
        for s in setups[:1]:
            if s.technology.devices.from_library:
                check_devices(s.technology.devices)
        decks = [self.decks(s) for s in setups]
        jobs = [job_of(s, d) for s, reads in zip(setups, decks, strict=True) for d in reads]
        results = run_many(jobs, workers=self._workers, cache=self._cache, progress=progress)
        for job, result in zip(jobs, results, strict=True):
            if not result.ok or result.provenance is None:
                raise EngineError(f"the read '{job.tag}' ended with the verdict {result.verdict.value}: {result.log}")
            self.seen.setdefault(result.provenance.key, result.provenance)
        number = len(self.quantity.reads)
        return np.array(
            [
                self._value(s, reads, results[number * i : number * (i + 1)])
                for i, (s, reads) in enumerate(zip(setups, decks, strict=True))
            ]
        )

    def _value(self, setup: Testbench, decks: Sequence[ColumnDeck], results: Sequence[Result]) -> float:
        found = dict(zip(self.quantity.reads, zip(decks, results, strict=True), strict=True))
        hold = setup.converter.integration_time if setup.unit == "A" else 0.0

        def read(name: str) -> tuple[float, float]:
            return run_decks(*found[name], double_sampling=setup.double_sampling, hold=hold)

        if self.quantity.name == "level":
            return read(FULL)[0]
        if self.quantity.name == "energy":
            return read(FULL)[1]
        low, high = read(EMPTY)[0], read(FULL)[0]
        lsb = (high - low) / setup.rows
        if self.quantity.name == "lsb":
            return lsb
        if self.quantity.name == "sigma_static":
            self.closed_form += 1
            cells = lsb * setup.variation.cell_sigma * setup.mismatch_gain * np.sqrt(setup.rows)
            return float(np.hypot(read(SHIFTED)[0] - low, cells))
        deck, result = found[LONG]
        time, level = (np.asarray(result.signals[x].values, dtype=np.float64) for x in ("time", deck.target))
        assert deck.input_at is not None  # noqa: S101 - a transient read
        return settling_time(time, level, deck.input_at, BANDS[-1] * abs(lsb))


def _deck(setup: Testbench, read: str) -> ColumnDeck:
    condition = setup.conditions[0]
    s, n, timing = setup.at(condition), setup.rows, setup.timing
    if read == LONG:
        pattern = build_pattern(FAR, n, n, n, setup.columns, np.random.SeedSequence(0), setup.ones)
        case = pattern.case(setup.columns, setup.ones)
        timing = replace(timing, read_after=WINDOW * timing.read_after, max_step=timing.input_edge / STEPS)
    else:
        bits = np.zeros((n, 3), dtype=np.uint8)
        bits[:, 1] = read == FULL
        p = s.periphery
        off = s.technology.devices.sigma_vth("nmos", p.reset_width, p.length) if read == SHIFTED else 0.0
        case = ColumnStimulus(
            bits=bits,
            inputs=np.ones(n, dtype=np.uint8),
            columns_total=setup.columns,
            ones_fraction=setup.ones,
            # a current cell has no reset switch: its shifted read is the empty one
            deviations=Deviations(reset=np.full(3, off)) if off and setup.unit == "V" else Deviations(),
        )
    return column_deck(s.technology, s.model, s.periphery, timing, condition, case)

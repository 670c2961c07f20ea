"""Level spacing, offset and static spread of a column by ngspice, as a function of rows, supply, geometry, devices.

Three reads per point: no row counts, all rows count, and no row counts with a reset switch whose threshold is one
sigma off. The cells' part of the static spread follows from line-edge roughness through the column's divider.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from characterization.campaign import run_decks
from characterization.models.box import Domain, DomainInput
from interconnect.arrays import FloatArray
from interconnect.errors import InputError, UnsupportedCell
from interconnect.variation import cell_sigma_from_ler
from netlists.case import ColumnStimulus, Deviations
from netlists.cells import make_cell
from netlists.cells.base import CellModel, Extract, Plane
from netlists.column import ColumnDeck, column_deck
from netlists.condition import Condition
from netlists.periphery import Periphery, Timing, default_periphery
from netlists.technology import Technology
from ngspice_runner import Cache, EngineError, Job, Workers, run_many

COLUMN_BOX = Domain(
    (
        DomainInput("rows", 4, 32, log=True, integer=True),
        DomainInput("vdd", 0.8, 1.1, "V", log=True),
        DomainInput("temperature", -40.0, 125.0, "degC"),
        DomainInput("reset_width", 0.12e-6, 0.4e-6, "m", log=True),
        DomainInput("sense_capacitance", 0.1e-15, 2e-15, "F", log=True),
        DomainInput("row_pitch", 180e-9, 360e-9, "m", log=True),
    )
)
"""What a column is asked for by default."""

_STEP = 1e-12
"""Row pitches are kept to this resolution, m: fine enough that levels have no steps."""


@dataclass(frozen=True, slots=True)
class ColumnFigures:
    """Of every point, shape (points,): lsb, V per count with all rows driven; offset, V of the level of count 0;
    static, V rms of the level of the full count over chips (cells and reset switch), NaN unless asked for.

    simulations: distinct decks; fresh: those not answered by the cache; cpu_seconds: of the fresh ones.
    """

    lsb: FloatArray
    offset: FloatArray
    static: FloatArray
    simulations: int
    fresh: int
    cpu_seconds: float


@dataclass
class ColumnBench:
    """Simulates the balanced cell's column at points of a box (`COLUMN_BOX`'s inputs, any ranges).

    extract: what turns a geometry into capacitances, e.g. `interconnect.extract` with a method bound. columns: on a
    row. workers, cache, timeout (s): of the runner. corner: of the transistors.
    """

    technology: Technology
    extract: Extract
    plane: Plane = field(default_factory=lambda: Plane("M2", "M3"))
    corner: str = "tt"
    columns: int = 32
    timing: Timing = field(default_factory=Timing)
    workers: Workers = None
    cache: Cache | None = None
    timeout: float = 60.0
    _models: dict[float, CellModel] = field(default_factory=dict, repr=False)

    def decks(self, box: Domain, point: FloatArray, *, static: bool = True) -> tuple[ColumnDeck, ...]:
        """The reads of one point (inputs,): count 0, full count, and count 0 with a shifted reset switch."""
        model, periphery, condition, rows = self._parts(box, point)
        sigma = self.technology.devices.sigma_vth("nmos", periphery.reset_width, periphery.length)
        out = []
        for count, shift in ((0, 0.0), (rows, 0.0), (0, sigma))[: 3 if static else 2]:
            bits = np.zeros((rows, 3), dtype=np.uint8)
            bits[:count, 1] = 1
            deviations = Deviations(reset=np.full(3, shift)) if shift else Deviations()
            case = ColumnStimulus(
                bits=bits,
                inputs=np.ones(rows, dtype=np.uint8),
                columns_total=self.columns,
                deviations=deviations,
            )
            out.append(column_deck(self.technology, model, periphery, self.timing, condition, case))
        return tuple(out)

    def run(self, box: Domain, points: FloatArray, *, static: bool = True) -> ColumnFigures:
        """Simulate all points (points, inputs); static: the third read too.

        Raises EngineError naming the first read that fails.
        """
        reads = 3 if static else 2
        decks = [deck for point in points for deck in self.decks(box, point, static=static)]
        jobs = [Job(d.text, d.outputs, stop=d.stop, timeout=self.timeout, tag=d.title) for d in decks]
        results = run_many(jobs, workers=self.workers, cache=self.cache)
        levels = np.empty(len(decks))
        cpu: dict[str, float] = {}
        for i, (deck, result) in enumerate(zip(decks, results, strict=True)):
            if not result.ok or result.provenance is None:
                raise EngineError(f"the read '{deck.title}' ended with verdict {result.verdict.value}")
            levels[i] = run_decks(deck, result)[0]
            p = result.provenance
            cpu.setdefault(p.key, 0.0 if p.cached else p.cpu_seconds)
        low, high, *off = levels.reshape(-1, reads).T
        lsb = (high - low) / np.round(points[:, box.names.index("rows")])
        spread = np.full(len(points), np.nan)
        if static:
            cells = np.array([self._cell_spread(box, p) for p in points])
            spread = np.hypot(off[0] - low, lsb * cells)
        return ColumnFigures(lsb, low, spread, len(cpu), sum(s > 0 for s in cpu.values()), sum(cpu.values()))

    def quantity(self, box: Domain, name: str) -> Callable[[FloatArray], FloatArray]:
        """One figure as a function of points: what `adaptive_fit` simulates."""
        static = name == "static"
        return lambda points: np.asarray(getattr(self.run(box, points, static=static), name), dtype=np.float64)

    def model(self, row_pitch: float) -> CellModel:
        """The cell at a row pitch (m), extracted once per picometre."""
        grid = float(f"{round(row_pitch / _STEP) * _STEP:.6g}")
        if grid not in self._models:
            self._models[grid] = make_cell("cap_balanced", {"row_pitch": grid}).model(
                self.technology.stack, self.plane, self.extract
            )
        return self._models[grid]

    def _parts(self, box: Domain, point: FloatArray) -> tuple[CellModel, Periphery, Condition, int]:
        at: dict[str, Any] = dict(zip(box.names, map(float, point), strict=True))
        missing = [n for n in COLUMN_BOX.names if n not in at]
        if missing or len(at) != COLUMN_BOX.dims:
            raise InputError(
                f"its inputs are {', '.join(at)}", where="column bench", hint=f"needed: {', '.join(COLUMN_BOX.names)}"
            )
        base = default_periphery(self.technology.devices)
        periphery = replace(base, reset_width=at["reset_width"], sense_capacitance=at["sense_capacitance"])
        condition = Condition(self.corner, at["vdd"], at["temperature"])
        return self.model(at["row_pitch"]), periphery, condition, round(at["rows"])

    def _cell_spread(self, box: Domain, point: FloatArray) -> float:
        """Sigma of the full count's level from cell mismatch, in counts: gain sigma sqrt(rows)."""
        model, _, _, rows = self._parts(box, point)
        spread = self.technology.stack.spread
        if spread is None:
            raise InputError(f"stack {self.technology.stack.name} has no spread", where="column bench")
        cell = make_cell("cap_balanced", {"row_pitch": model.pitch[0]})
        coupling = cell.lengths(self.technology.stack, self.plane).coupling
        if coupling is None:
            raise UnsupportedCell(f"the cell {cell.kind} has no law for its edge roughness", where="column bench")
        sigma = cell_sigma_from_ler(coupling.length, coupling.gap, spread.edge_sigma, spread.edge_correlation)
        varying = next(e.value for e in model.variants[1].elements if e.varies)
        return float(varying / model.switched * sigma * np.sqrt(rows))

"""What a report shows, as typed values: the flow fills them, the report draws them and computes nothing new.

A number that is not known is `None` (or NaN) and is shown as "not available"; it is never guessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from characterization.failures import FailedProcedure
from characterization.procedure_result import ProcedureResult
from characterization.sign_off import SignOff
from characterization.tables.table import Assumption, ReadoutTable
from characterization.waveform import ReadWaveform
from interconnect.arrays import BoolArray, IntArray
from interconnect.errors import InputError
from interconnect.geometry import CellGeometry
from metalrom.formatting import Figure
from metalrom.macro.merit import Merit
from metalrom.run.results import ChipDistribution, FitSummary

BitArray = NDArray[np.integer] | BoolArray


@dataclass(frozen=True, slots=True)
class MacroTable:
    """Components of one quantity (area, energy per conversion, latency): parts in one unit, and their total."""

    title: str
    rows: tuple[Figure, ...]
    total: Figure | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class CsnrRow:
    """Compute signal-to-noise ratio of the macro's products, dB; `fit` says whether gain and offset were removed."""

    case: str
    fit: str
    csnr_db: float | None


@dataclass(frozen=True, slots=True)
class ReportHeadline:
    """The macro figures of the first screen. Densities in Mb/mm2, energy in J per MAC.

    density_raw, density_macro: of stored bits, cells alone and with periphery; weight_density: of weight bits with
    periphery. density_steps: why the second is less than the first, and the third than the second. csnr: at the worst
    condition.
    """

    density_raw: Figure
    density_macro: Figure
    energy_per_mac: Figure
    csnr: CsnrRow
    csnr_fitted: CsnrRow | None = None
    weight_density: Figure | None = None
    density_steps: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class Reference:
    """A public number drawn as a comparison line (never a claim of equality)."""

    label: str
    value: float
    unit: str
    source: str


@dataclass(frozen=True, slots=True)
class CliffPoint:
    """Accuracy of a real network at one code-error probability."""

    sigma_counts: float
    code_error: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class NoiseCliff:
    """How a real network's accuracy falls with the code-error probability; `metric` names the accuracy."""

    title: str
    metric: str
    points: tuple[CliffPoint, ...]
    status: str
    source: str


@dataclass(frozen=True, slots=True)
class GroupRow:
    """What a group of `group_rows` rows per conversion would give: sigmas in counts (LSB) and P(code error)."""

    group_rows: int
    sigma_noise_counts: float | None
    sigma_mismatch_counts: float | None
    code_error: float | None
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class SpecRow:
    """One specification at one condition, in words; condition empty: the same at every one.

    certain: the whole `span` of an estimate gives the same verdict. reason: why there is no value, or what it means.
    verdict: pass, fail or undecided.
    """

    requirement: str
    value: str
    span: str
    condition: str
    passed: bool
    certain: bool
    reason: str
    source: str
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class FailedRow:
    """A condition that was asked for and could not be characterized, and why, with its verdicts."""

    condition: str
    reason: str


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """Simulations of one kind that ended with one verdict (`ok` or the name of the failure)."""

    what: str
    verdict: str
    count: int
    detail: str = ""

    @property
    def failed(self) -> bool:
        """Whether the verdict is anything but `ok`."""
        return self.verdict != "ok"


@dataclass(frozen=True, slots=True)
class Simulations:
    """How many simulations the figures rest on, run now or taken from the cache, and how many of them failed; one row
    per kind and verdict. check: computed against simulated reads, in words; empty where all were simulated."""

    count: int
    failed: int
    verdicts: tuple[VerdictRow, ...] = ()
    check: str = ""


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """One source of error of one result: fit, Monte-Carlo, extraction or technology assumption; `value` in `unit`."""

    quantity: str
    source: str
    value: float | None
    unit: str
    note: str = ""


@dataclass(frozen=True, eq=False)
class TileTop:
    """The corner of a tile that is drawn: bits (rows, columns), the cells' symbols; outputs: which output a bit column
    is part of; group_rows: the bit line is cut after so many rows; title: plane, tile and tensor in words.

    Raises InputError when the parts have different widths.
    """

    bits: BitArray
    outputs: tuple[int, ...]
    group_rows: int
    title: str

    def __post_init__(self) -> None:
        if self.bits.ndim != 2 or 0 in self.bits.shape or len(self.outputs) != self.bits.shape[1]:
            raise InputError(f"tile view: {len(self.outputs)} outputs for bits of shape {self.bits.shape}")


@dataclass(frozen=True, eq=False)
class ReportContent:
    """Everything that one report shows.

    what: headline facts (label, value in words). condition: label of the nominal condition. target_error: the code-
    error probability that the group size was chosen for. geometries: the cell with each of its symbols (the same boxes
    up to the via); symbol_values: what these count. pair: whether a conversion takes two columns. tile_bits: stored
    symbols, shape (planes, rows, columns), plane 0 lowest; tile_source says which tensor and indices they are. planes:
    one sentence per plane (metals, weight bit), lowest first. layer_errors: condition label -> P(code error) averaged
    over the conversions that the layer really does; it decides whether the target is met (without it the weakest count
    does). specs: what was asked of the run and whether it is met. failed_conditions: asked for, but not in `table`.
    failed_procedures: what else could not be reported, and where. group_choice: rows by group size; group_reason: why
    the marked one was taken. tile_top: the corner of a tile drawn from above. histogram: conversions of the layer by
    (active, count), shape (rows + 1, rows + 1). procedures: results beside the readout table by the procedure's name.
    configuration: every key with its value, defaults filled in. sign_off: figures with their intervals of every
    condition; empty where they are not known. csnr_intervals: 95 % of the raw CSNR by condition, dB. chips: drawn ones.
    waveform: of one read. verdict: of all specifications, at the worst condition. merits: latency, energy and
    efficiency by condition. cell_text: what the cell's kind says of itself. Raises InputError when parts contradict
    each other.
    """

    title: str
    subtitle: str
    what: tuple[tuple[str, str], ...]
    table: ReadoutTable
    condition: str
    target_error: float
    geometries: tuple[CellGeometry, ...]
    tile_bits: BitArray
    tile_source: str
    planes: tuple[str, ...]
    headline: ReportHeadline
    group_choice: tuple[GroupRow, ...]
    group_reason: str
    simulations: Simulations
    warnings: tuple[str, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    macro: tuple[MacroTable, ...] = ()
    csnr: tuple[CsnrRow, ...] = ()
    fits: tuple[FitSummary, ...] = ()
    error_budget: tuple[BudgetRow, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    establishes: tuple[str, ...] = ()
    not_established: tuple[str, ...] = ()
    layer_errors: Mapping[str, float] = field(default_factory=dict)
    double_sampling: bool = False
    specs: tuple[SpecRow, ...] = ()
    failed_conditions: tuple[FailedRow, ...] = ()
    failed_procedures: tuple[FailedProcedure, ...] = ()
    density_reference: Reference | None = None
    noise_cliff: NoiseCliff | None = None
    tile_top: TileTop | None = None
    histogram: IntArray | None = None
    procedures: Mapping[str, ProcedureResult] = field(default_factory=dict)
    configuration: tuple[tuple[str, str], ...] = ()
    symbol_values: tuple[int, ...] = (0, 1)
    pair: bool = False
    sign_off: tuple[SignOff, ...] = ()
    csnr_intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    chips: ChipDistribution | None = None
    waveform: ReadWaveform | None = None
    verdict: str = ""
    merits: tuple[Merit, ...] = ()
    cell_text: str = ""

    @property
    def merit(self) -> Merit | None:
        """Latency, energy and efficiency at the nominal condition; None where they are not known."""
        return next((m for m in self.merits if m.condition == self.condition), None)

    @property
    def worst(self) -> str:
        """Label of the condition with the smallest margin, which the run is judged by."""
        return self.table.worst_margin().condition

    def sign_off_at(self, condition: str) -> SignOff | None:
        """Figures with their intervals at a condition; None where there are none."""
        return next((s for s in self.sign_off if s.condition == condition), None)

    def __post_init__(self) -> None:
        self.table.index(self.condition)
        bits = np.asarray(self.tile_bits)
        if bits.ndim != 3 or 0 in bits.shape:
            raise InputError(f"report: tile_bits has shape {bits.shape}, expected (planes, rows, columns)")
        *most, last = map(str, range(len(self.symbol_values)))
        if not np.isin(bits, range(len(self.symbol_values))).all():
            raise InputError(f"report: tile_bits holds values other than {', '.join(most)} and {last}")
        if len(self.geometries) != len(self.symbol_values):
            raise InputError(f"report: {len(self.geometries)} geometries for {len(self.symbol_values)} symbols")
        if len(self.planes) != bits.shape[0]:
            raise InputError(f"report: {len(self.planes)} plane descriptions for {bits.shape[0]} planes of tile_bits")
        if not 0 < self.target_error < 1:
            raise InputError(f"report: target_error is {self.target_error:g}, expected a probability between 0 and 1")
        if sum(row.chosen for row in self.group_choice) > 1:
            raise InputError("report: more than one group size is marked as chosen")

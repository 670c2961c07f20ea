"""What a run found, as one typed value that is written to the output folder and read back by everything after it.

The readout table lies beside it under `lut/`; the report, the estimate and the exports need these two and nothing else.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from characterization.campaign import SimulationCounts
from characterization.failures import FailedCondition, FailedProcedure
from characterization.group_size import GroupCandidate
from characterization.margins import LevelMargin
from characterization.sampling_check import ConditionSampling
from characterization.sign_off import SignOff
from characterization.waveform import ReadWaveform
from interconnect.errors import DamagedFile
from interconnect.files import atomic_write_text
from interconnect.geometry import CellGeometry
from interconnect.validation import input_error
from metalrom.macro.cost import IDEAL_READOUT
from metalrom.macro.geometry import MacroGeometry
from metalrom.macro.merit import Merit
from metalrom.run.manifest import RERUN_HINT
from metalrom.run.readout_inputs import ReadoutInput
from metalrom.specs.result import SpecResult

Verdict = Literal["met", "missed", "undecided"]
"""Of all specifications of a run."""

RESULTS = "results.json"
LUT = "lut"


@dataclass(frozen=True)
class ElementValue:
    """One element of the cell: value in `unit` and what it stands for."""

    name: str
    value: float
    unit: str
    meaning: str


@dataclass(frozen=True)
class CellSummary:
    """The cell on the characterized plane. bl_total, switched: F per row (0 for a current cell); area m^2; geometries:
    of the cell with each of its symbols. text: what its kind says of itself in the report."""

    kind: str
    title: str
    mode: str
    plane: str
    elements: tuple[ElementValue, ...]
    bl_total: float
    switched: float
    area: float
    method: str
    relative_error: float
    fit_residual: float
    plane_spread: float
    geometries: tuple[CellGeometry, ...]
    text: str = ""


@dataclass(frozen=True)
class LayerSummary:
    """The stored layer. histogram: conversions by (active, count), shape (rows + 1, counts) of the chosen group."""

    source: str
    inputs: int
    outputs: int
    weight_bits: int
    input_bits: int
    activations: str
    tokens: int
    bits_stored: int
    tiles: int
    utilisation: float
    planes: tuple[str, ...]
    histogram: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class FitSummary:
    """Quality of one fitted model; errors in `unit`, None where a figure does not apply."""

    quantity: str
    condition: str
    form: str
    points: int
    held_out: int
    held_out_rms: float
    held_out_max: float | None
    unit: str
    coverage: float | None


@dataclass(frozen=True)
class LayerQuality:
    """The layer through the macro at one condition, every bit column read by the table of its plane: CSNR in dB without
    and with a gain/offset fit, code errors. code_error_expected: of the worst plane's table, as the verdict takes it.
    """

    condition: str
    csnr_raw: float | None
    csnr_fitted: float | None
    gain: float
    offset: float
    conversions: int
    code_error_rate: float
    code_error_expected: float

    @property
    def raw(self) -> float:
        """CSNR without a fit, dB; infinite where no output differs."""
        return math.inf if self.csnr_raw is None else self.csnr_raw

    @property
    def fitted(self) -> float:
        """CSNR with gain and offset removed, dB; -inf where the outputs do not follow the ideal ones at all."""
        if self.csnr_fitted is not None:
            return self.csnr_fitted
        return math.inf if self.gain > 0 else -math.inf


@dataclass(frozen=True)
class MarginAt:
    """The level with the smallest margin: condition, driven rows, count, and the plane, the worst of several."""

    condition: str
    active: int
    count: int
    plane: str


@dataclass(frozen=True)
class Headline:
    """The numbers that a run is judged by.

    margin_sigma: smallest margin over all conditions, active rows and counts, negative where a level lies beyond its
    threshold; None where nothing spreads. code_error, csnr_dB: of the layer at the condition of that margin, the CSNR
    without a fit; None where no output differs. Intervals: 95 %, see `characterization.sign_off`. verdict: of every
    specification at every condition, or at the one that it names; missed where a condition or procedure failed,
    undecided where an interval reaches across the limit of a specification that is judged by it.
    """

    margin_sigma: float | None
    margin_at: MarginAt
    code_error: float
    code_error_interval: tuple[float, float] | None
    csnr_dB: float | None
    csnr_interval_dB: tuple[float, float] | None
    verdict: Verdict
    margin_interval_sigma: tuple[float, float] | None = None


@dataclass(frozen=True)
class DrawnChip:
    """One chip: its frozen deviations' seed, step of a count over the nominal one, share of wrong codes, CSNR in dB (no
    fit; None where no output differs)."""

    seed: int
    step: float
    code_error: float
    csnr_dB: float | None


@dataclass(frozen=True)
class ChipDistribution:
    """Chips drawn at one condition. yield_share: of those whose code error is within `target`, with its 95 % interval
    (Clopper and Pearson). varies: what differs from chip to chip, in words."""

    condition: str
    target: float
    varies: str
    chips: tuple[DrawnChip, ...]
    code_error_median: float
    code_error_worst: float
    csnr_median_dB: float | None
    csnr_worst_dB: float | None
    yield_share: float
    yield_interval: tuple[float, float]


@dataclass(frozen=True)
class PlaneSummary:
    """Planes of one readout table at its worst condition: labels, lowest first; position: bottom, inner, top.

    margin_sigma: smallest over all conditions; None where nothing spreads. code_error: of the layer, by the plane's own
    thresholds, largest over all conditions; condition: where that is. simulated: whether its decks are the campaign's.
    rows_above: whether the decks hold the rows of a plane above.
    """

    planes: tuple[str, ...]
    position: str
    margin_sigma: float | None
    code_error: float
    condition: str
    simulated: bool
    rows_above: bool


@dataclass(frozen=True)
class VerdictCount:
    """How many simulations of a procedure ended with a verdict."""

    procedure: str
    verdict: str
    count: int


@dataclass(frozen=True)
class RunResults:
    """Everything a run found, apart from the readout table.

    fit_error, monte_carlo_error, extraction_error: relative errors of what was characterized.
    provenance: versions and hashes, by name. specs: every specification at every condition that it asks for.
    failed_conditions: operating points that were asked for and are not in the readout table, with the reason.
    failed_procedures: what procedures beside the table could not tell, and at which condition. simulations: values by
    method; how many the cache answered differs from run to run and stands in the manifest. readout: what stands between
    bit line and code, in words. readout_cost: what the estimate bills for it. readout_inputs: all that it rests on.
    planes: margin and code error of every readout table; empty where one serves all planes.
    sign_off: figures with their intervals, of every condition. chips: drawn at the worst one. waveform: of a read.
    sampling: reads simulated and computed at every condition; empty where all were simulated. merits: latency, energy
    and efficiency of the layer at every condition. measured: who measured the readout table; empty for a simulated one.
    metal_node, device_node: process generation of the metal stack and of the transistors, m; None where their files
    tell none.
    """

    name: str
    technology: str
    warnings: tuple[str, ...]
    condition: str
    target_error: float
    seed: int
    config: dict[str, Any]
    cell: CellSummary
    layer: LayerSummary
    candidates: tuple[GroupCandidate, ...]
    group_rows: int
    group_reason: str
    group_automatic: bool
    margins: tuple[LevelMargin, ...]
    fits: tuple[FitSummary, ...]
    quality: tuple[LayerQuality, ...]
    verdicts: tuple[VerdictCount, ...]
    macro_geometry: MacroGeometry
    fit_error: float
    monte_carlo_error: float
    extraction_error: float
    provenance: dict[str, str]
    specs: tuple[SpecResult, ...] = ()
    failed_conditions: tuple[FailedCondition, ...] = ()
    failed_procedures: tuple[FailedProcedure, ...] = ()
    simulations: SimulationCounts | None = None
    headline: Headline | None = None
    readout: str = ""
    readout_cost: str = IDEAL_READOUT
    readout_inputs: tuple[ReadoutInput, ...] = ()
    planes: tuple[PlaneSummary, ...] = ()
    sign_off: tuple[SignOff, ...] = ()
    chips: ChipDistribution | None = None
    waveform: ReadWaveform | None = None
    sampling: tuple[ConditionSampling, ...] = ()
    merits: tuple[Merit, ...] = ()
    measured: str = ""
    metal_node: float | None = None
    device_node: float | None = None

    def sign_off_at(self, condition: str) -> SignOff | None:
        """Figures with their intervals at a condition; None where the run holds none."""
        return next((s for s in self.sign_off if s.condition == condition), None)

    @property
    def passed(self) -> bool:
        """Whether every condition and procedure was characterized and every specification is met."""
        return not (self.failed_conditions or self.failed_procedures) and all(s.passed for s in self.specs)


def write_results(results: RunResults, folder: Path) -> Path:
    """Write `results.json` into the output folder."""
    # Cells of two levels and an ideal readout: files as they were before there were others.
    usual = {"symbol_values": (0, 1), "readout": None, "planes_per_adc": 1, "columns_per_conversion": 1}
    new = {name for name, value in usual.items() if getattr(results.macro_geometry, name) == value}
    left_out: dict[str, Any] = {"macro_geometry": new}
    optional = ("planes", "sampling", "measured", "metal_node", "device_node")
    left_out |= {name: True for name in optional if not getattr(results, name)}
    text = TypeAdapter(RunResults).dump_json(results, indent=1, exclude=left_out).decode()
    return atomic_write_text(folder / RESULTS, text + "\n")


def parse_results(content: bytes, *, where: str) -> RunResults:
    """What `write_results` wrote, from the file's bytes. Raises DamagedFile naming `where` for anything else."""
    try:
        return TypeAdapter(RunResults).validate_json(content)
    except ValidationError as error:
        raise DamagedFile(
            f"is damaged or of another version ({input_error(error)})", where=where, hint=RERUN_HINT
        ) from error

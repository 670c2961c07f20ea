"""SYNTHETIC report content: invented numbers of plausible size, for drawing tests only. Nothing here was simulated."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest

from characterization.loss_map import LossMap
from characterization.pattern_search import IdealLine
from characterization.plane_levels import PlaneSteps
from characterization.procedure_result import ProcedureResult
from characterization.procedures.adc import AdcFigures, AdcReading, ComparatorFigures
from characterization.procedures.chain_energy import ChainEnergy, ChainEnergyPoint
from characterization.procedures.chain_settling import ChainSettling, PhaseSettling
from characterization.procedures.comparator_noise import ComparatorNoise, ComparatorNoisePoint
from characterization.procedures.crosstalk import Crosstalk, NeighbourShift
from characterization.procedures.energy import ConditionEnergy, EnergyResult, ReadEnergy
from characterization.procedures.leakage import Leakage, StaticCurrent
from characterization.procedures.local_inverter import InverterFigures, InverterPoint
from characterization.procedures.noise import Noise, NoisePoint
from characterization.procedures.pattern_spread import PatternDeviations, PatternSpread
from characterization.procedures.planes import ForeignTable, PlanePoint, Planes
from characterization.procedures.readout_current import LevelCurve, MapPoint, ReadoutCurrent
from characterization.procedures.settling import Settling, SettlingTime
from characterization.procedures.supply import SupplyBounce, SupplyShift
from characterization.procedures.worst_pattern import WorstPattern, WorstPatterns
from characterization.readout.chain_noise import ChainNoise, ChainNoisePoint
from characterization.readout.comparator_noise import ComparatorPoint
from characterization.tables.table import AdcModel, Assumption, ReadoutTable
from interconnect.geometry import Box, BoxKind, CellGeometry, Slab
from metalrom.formatting import Figure
from metalrom.reports.content import (
    BudgetRow,
    CsnrRow,
    GroupRow,
    MacroTable,
    ReportContent,
    ReportHeadline,
    Simulations,
    VerdictRow,
)
from metalrom.reports.references import DENSITY_3D_METRO, MINILM_NOISE_CLIFF
from metalrom.run.results import FitSummary
from netlists.condition import Condition
from tests.builders import make_readout_table

NM = 1e-9
SYNTHETIC = "SYNTHETIC sample data"


def box(net: str, layer: str, kind: BoxKind, lower: tuple[float, ...], upper: tuple[float, ...]) -> Box:
    """Box with corners in nm."""
    lo, hi = (tuple(v * NM for v in corner) for corner in (lower, upper))
    return Box(net, layer, kind, (lo[0], lo[1], lo[2]), (hi[0], hi[1], hi[2]))


def shielded_cell(bit: int = 1, **names: str) -> CellGeometry:
    """Line 50 / space 50, thickness 95, dielectric 90: rows S and G below; bit line, 150 nm tab and shield above."""
    net = {"S": "S", "G": "G", "BL": "BL", **names}
    tied, y0 = (net["S"], 25) if bit else (net["G"], 125)
    return CellGeometry(
        "cap_balanced",
        (
            box(net["S"], "M4", "line", (0, 25, 90), (300, 75, 185)),
            box(net["G"], "M4", "line", (0, 125, 90), (300, 175, 185)),
            box(net["BL"], "M5", "line", (25, 0, 275), (75, 200, 370)),
            box(tied, "M5", "tab", (125, 25, 275), (175, 175, 370)),
            box(tied, "V4", "via", (125, y0, 185), (175, y0 + 50, 275)),
            box("GND", "M5", "shield", (225, 0, 275), (275, 200, 370)),
        ),
        (300 * NM, 200 * NM), 0.0, 460 * NM, (Slab(0.0, 460 * NM, 2.7),),
    )  # fmt: skip


def readout_table(rows: int = 16, *, unit: Literal["V", "A"] = "V", conditions: int = 4) -> ReadoutTable:
    """Straight synthetic levels with an off-state slope, a slight bend and 0.08 to 0.12 counts of spread."""
    corners = [Condition("tt", 1.0, 27.0), Condition("ss", 0.9, 85.0), Condition("ff", 1.1, -40.0),
               Condition("tt", 1.0, 85.0), Condition("ss", 0.9, -40.0), Condition("ff", 1.1, 85.0),
               Condition("tt", 0.9, 27.0), Condition("tt", 1.1, 27.0)][:conditions]  # fmt: skip
    n = rows + 1
    active, count = np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
    step = 0.35 / rows if unit == "V" else 2e-6
    vdd = np.array([c.vdd for c in corners])[:, None, None]
    kelvin = np.array([c.temperature + 273 for c in corners])[:, None, None]
    return make_readout_table(
        rows,
        tuple(corners),
        unit=unit,
        level=step * vdd * (count + 0.2 * active - 0.002 * count * active / n),
        sigma_static=step * 0.035 * np.sqrt(1 + active / 4),
        sigma_noise=step * 0.06 * np.sqrt(kelvin / 300),
        sigma_pattern=step * 0.02,
        row_energy=np.arange(n) * 2e-16,
        read_time=2e-9,
        adc=AdcModel(rows + 1, step * 0.02, step * 0.03),
    )


def content(**changes: Any) -> ReportContent:
    """A complete synthetic report; keyword arguments replace fields."""
    table = readout_table()
    bits = np.random.default_rng(7).integers(0, 2, (3, 3, 8))
    sample = ReportContent(
        title="cap_balanced macro, 384 × 384 layer",
        subtitle=f"{SYNTHETIC}: transistor-less 3D metal ROM that computes products with the weights in its vias; "
        "3D-METRO-style, own topology",
        what=(
            ("weights", "MiniLM-L6 layer 0 attention.query, 384 × 384, 8 bit"),
            ("array", "128 rows × 96 columns × 3 planes"),
            ("group", "16 rows per conversion"),
            ("cell", "0.06 µm², one via per bit"),
            ("stack", "open45"),
            ("read", "2 ns, 6-bit ADC per 8 columns"),
        ),
        table=table,
        condition="tt_1.00V_27C",
        target_error=1e-5,
        geometries=(shielded_cell(0), shielded_cell(1)),
        tile_bits=bits,
        tile_source="layer 0 attention.query, rows 0-2, columns 0-7, bits 0-2 of the positive part",
        planes=("plane 0: M2/M3, weight bit 0", "plane 1: M4/M5, weight bit 1", "plane 2: M6/M7, weight bit 2"),
        headline=ReportHeadline(
            Figure("density of the cells alone", 50.0, "Mb/mm2", 46.0, 54.0, "estimate", "period × planes"),
            Figure("density with periphery", 18.4, "Mb/mm2", 11.0, 26.0, "estimate", "area table"),
            Figure("energy per MAC", 1.9e-15, "J", 1.2e-15, 3.4e-15, "estimate", "energy table / MACs per conversion"),
            CsnrRow("layer 0, 512 tokens", "without a fit", 28.9),
            CsnrRow("layer 0, 512 tokens", "gain and offset removed", 31.4),
        ),
        group_choice=tuple(
            GroupRow(n, 0.0265 * n**0.5, 0.02 + 0.0006 * n, e, n == 16)
            for n, e in ((8, 2.4e-10), (16, 5.6e-6), (32, 1.5e-3), (64, 2.7e-2), (128, 0.11))
        ),
        group_reason="16 is the largest group whose predicted code error stays below the target of 1e-5.",
        simulations=Simulations(1692, 3, (
            VerdictRow("transfer, column of 16 rows", "ok", 1289),
            VerdictRow("mismatch samples", "ok", 400),
            VerdictRow("mismatch samples", "timestep_too_small", 3, "ss_0.90V_-40C, samples 12, 77, 310; left out"),
        )),
        warnings=(f"{SYNTHETIC}: no number on this page was simulated.",
                  "open45: dielectric constants are estimates, not foundry data."),
        assumptions=(
            Assumption("metal pitch and thickness", "100 nm, 95 nm", "published", "FreePDK45 stack"),
            Assumption("dielectric constant", "2.7", "estimate", "typical low-k"),
            Assumption("transistor cards", "own BSIM4, tuned to targets", "measured", "device table"),
            Assumption("ADC input noise", "0.03 counts", "assumption", "no converter was designed"),
            Assumption("ADC energy", "489 fJ at 6 bit", "published", "survey formula"),
            Assumption("capacitance mismatch", "1 % per tab", "estimate", "edge roughness"),
            Assumption("input activity", "half of the bits are 1", "user", "configuration"),
        ),
        macro=(
            MacroTable("Area", (
                Figure("cells", 61e-6, "mm2", 58e-6, 64e-6, "measured", "geometry"),
                Figure("row drivers", 12e-6, "mm2", 8e-6, 18e-6, "estimate", "transistor widths"),
                Figure("ADCs", 74e-6, "mm2", 40e-6, 130e-6, "published", "survey formula"),
                Figure("control", None, "mm2", status="assumption", source="not modelled"),
            ), Figure("total of what is known", 147e-6, "mm2", 106e-6, 212e-6, "estimate", "sum"), "Area per array."),
            MacroTable("Energy per conversion", (
                Figure("row drivers", 3.2e-15, "J", 2.9e-15, 3.6e-15, "measured", "ngspice"),
                Figure("bit line", 1.4e-15, "J", 1.2e-15, 1.6e-15, "measured", "ngspice"),
                Figure("ADC", 25e-15, "J", 14e-15, 48e-15, "published", "survey formula"),
            ), Figure("total", 29.6e-15, "J", 18.1e-15, 53.2e-15, "estimate", "sum"), "Energy of one column read."),
        ),
        csnr=(
            CsnrRow("layer 0, 512 tokens, tt_1.00V_27C", "gain and offset removed", 31.4),
            CsnrRow("layer 0, 512 tokens, tt_1.00V_27C", "without a fit", 28.9),
            CsnrRow("layer 0, 512 tokens, ss_0.90V_85C", "without a fit", None),
        ),
        fits=(
            FitSummary("level", "tt_1.00V_27C", "closed form + Gaussian process", 1289, 258, 31e-6, 140e-6, "V", 0.951),
            FitSummary("sigma of mismatch", "tt_1.00V_27C", "physics form", 400, 80, 2.1, 6.0, "%", None),
        ),
        error_budget=(
            BudgetRow("margin", "fit", 0.6, "%"),
            BudgetRow("margin", "Monte-Carlo", 2.5, "%", "400 samples"),
            BudgetRow("margin", "extraction", 0.2, "%", "order refinement"),
            BudgetRow("margin", "technology assumption", None, "%", "dielectric constant is an estimate"),
        ),
        provenance={
            "configuration": "sha256 4d1c…", "ngspice": "39.3", "technology": "open45, sha256 99ab…", "seed": "1",
        },
        establishes=(
            "With the stated stack, 16 rows per conversion meet the target in typical conditions.",
            "Every weight bit of the drawn tile is a via at the drawn place.",
        ),
        not_established=(
            "No silicon was measured.",
            "The published 165.6 Mb/mm² circuit is not public; nothing here equals it.",
        ),
        density_reference=DENSITY_3D_METRO,
        noise_cliff=MINILM_NOISE_CLIFF,
    )  # fmt: skip
    return replace(sample, **changes)


@pytest.fixture(scope="session")
def make_cell() -> Callable[..., CellGeometry]:
    """`make_cell(bit, S=..., G=..., BL=...)`: the shielded cell with net names of choice."""
    return shielded_cell


@pytest.fixture(scope="session")
def make_table() -> Callable[..., ReadoutTable]:
    """`make_table(rows, unit=..., conditions=...)`: a synthetic readout table."""
    return readout_table


@pytest.fixture(scope="session")
def make_content() -> Callable[..., ReportContent]:
    """`make_content(**changes)`: a complete synthetic report."""
    return content


@pytest.fixture(scope="session")
def sample_results() -> dict[str, ProcedureResult]:
    """A SYNTHETIC result of every built-in procedure that outputs show, with missing numbers where they may occur."""
    tt, ss = "tt_1.00V_27C", "ss_0.90V_85C"
    wave = np.linspace(0.0, 1.0, 6) * np.array([[0.01], [0.2], [0.35]])
    curve = LevelCurve(tt, (0, 2, 4), wave[:, -1], wave[:, -1] * 1.01, np.linspace(0.0, 2e-9, 6), wave)
    slow = SettlingTime(tt, "near", 4, 4, (1e-11, math.nan), 0.01, 0.02)
    genes = np.array([[1, 1, 1, 1], [1, 0, 0, 0], [0, 1, 0, 1], [1, 0, 1, 1]], dtype=np.uint8)
    high = WorstPattern(0.1, 3, 2, genes, 1e-6, 0.1, 0.1)
    worst = WorstPatterns(tt, 13, IdealLine(0.01, 0.05, 0.001), 0.02, high, replace(high, deviation=-0.2), 900)
    spread = PatternDeviations(tt, 0, 100, 0.1, 0.3, 0.4, 0.0, (None, (0.1, 0.02), (0.0, 0.03), None))
    comparator = ComparatorFigures(30, 5e-3, 6e-4, 5.2e-3, 1e-4, 3e-3, 1e-10, 5e-15)
    adc = AdcReading(tt, 0.006, 0.1, 1.0, (0.1, -0.1), (0.0, 0.1, 0.0), 0.01, (), 64, 1e-8, 1e-13, {"refs": 5e-14},
                     1e-11, 1e-14, comparator)  # fmt: skip
    return {
        "readout_current": ReadoutCurrent("V", (curve,), (MapPoint(0, 1, 0.05, 1.0, 0.05, 0.05, 1e-9),),
                                          LossMap((0, 3), (1, 14), np.array([[0.1, 0.2], [0.01, 0.02]])), 1e-9, None),
        "settling": Settling((0.5, 0.1), 8e-9, (slow,), (slow, replace(slow, condition=ss, times=(2e-11, 5e-11)))),
        "noise": Noise((NoisePoint(tt, "ideal", 2, "V", 1e-3, 1.01e-3, 0.99),)),
        "crosstalk": Crosstalk((NeighbourShift(tt, "left_1", 0, 0.1), NeighbourShift(tt, "left_1", 4, -0.2),
                                NeighbourShift(ss, "right_1", 4, 0.3))),
        "worst_pattern": replace(worst, others=(replace(worst, condition=ss),)),
        "energy": EnergyResult(16, 0.0, (ReadEnergy(tt, 1, 1, 2e-15, 1.5e-15, 5e-16),
                                         ReadEnergy(tt, 4, 4, 8e-15, 6e-15, 2e-15)),
                               (ConditionEnergy(tt, np.array([1e-16, 2e-15, 1e-16]), 1e-17, 1e-15, 2e-15),)),
        "leakage": Leakage(4, (StaticCurrent(tt, "idle", 1e-9, 1e-10, None, 2e-9),
                               StaticCurrent(tt, "reset", 1e-9, 2e-9, None, 4e-9),
                               StaticCurrent(ss, "idle", 1e-8, 1e-10, None, 2e-8))),
        "chain_noise": ChainNoise(
            (ChainNoisePoint(tt, 0.37, 3e-4, (6e-4, 7e-4, 5e-4), 2e-4, 7e-4),),
            (ComparatorPoint(tt, 41.0, 6e-4, 2e-10, 4e-4, 7e-5, 9e-5, 2e-4, (5e-11, 1e-10), (0.4, 0.6)),),
        ),
        "planes": Planes(
            (PlaneSteps("M2-M3", "M4-M5", 0.0, 0.21, 0.21, 1.0), PlaneSteps("M4-M5", "", 0.01, 0.0, 0.0, 1.01)),
            (PlanePoint("M2-M3", tt, 0.02, 5.0, 4, 2, 1e-6, 2e-6, 0.84, 0.5),
             PlanePoint("M4-M5", tt, 0.02, 5.1, 4, 2, 1e-6, 2e-6, 0.0, 2e-6)),
            (ForeignTable("M2-M3", "M4-M5", tt, 0.9, 1.0), ForeignTable("M4-M5", "M2-M3", tt, 0.9, 1.0)),
            0.84,
        ),
        "comparator_noise": ComparatorNoise((ComparatorNoisePoint(tt, 1.0, 7e-4, 7.5e-4, 6e-5, 7.2e-4, 3e-5),)),
        "chain_energy": ChainEnergy(
            5,
            (ChainEnergyPoint(tt, 24, 9e-9, 1.5e-12, 2e-13, 1e-8, 5e-15, 2e-16, 1e-16, 4e-14, 4e-6, 4.5e-14,
                              5e-6, 1e-15, 4e-16, 1e-17, {"v_dd": 4e-13}, 7e-9),),
        ),
        "chain_settling": ChainSettling(0.05, (PhaseSettling(tt, "bus after joining", 2.5e-9, 2e-9, 0.1, 1e-3),)),
        "local_inverter": InverterFigures(
            (InverterPoint(tt, 8, 0.15, 1e-3, 5e-3, 6e-2, 1e-3, 5e-2, 1e-14, 3e-14, 1e-9, 2e-13, 1e-9, 2e-15, 3e-15,
                           4e-15, 1e-15),),
        ),
        "supply": SupplyBounce(50.0, (SupplyShift(tt, 0, 0.0, 1e-5, 5e-4), SupplyShift(tt, 4, -0.01, 2e-5, 1e-3))),
        "pattern_spread": PatternSpread((spread, replace(spread, position=13))),
        "adc": AdcFigures("sar", 6, 0.05, 0.45, "sources are ideal", (adc,)),
    }  # fmt: skip

"""The whole chain: extract, choose the group, simulate, fit, tabulate, judge the layer, write everything down."""

from __future__ import annotations

import hashlib
import json
import math
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from characterization.campaign import Outcome, ProgressCallback, Task, deck_of, run_tasks
from characterization.dataset import Dataset
from characterization.fit import LevelModel
from characterization.group_size import GroupChoice, choose_group
from characterization.procedures import AdcMargin, Mismatch, Transfer, with_requirements
from characterization.setup import Setup
from characterization.table import ReadoutTable
from interconnect.errors import InputError
from interconnect.files import atomic_write_text
from metalrom import __version__
from metalrom import results as facts
from metalrom.folders import cache_folder, ensure_output_folder
from metalrom.macro import Macro, MacroGeometry, csnr
from metalrom.macro.quality import mean_code_error
from metalrom.project import Project
from ngspice_runner import Cache, EngineError

Announce = Callable[[str], None]

SAMPLE_ROWS, SAMPLE_COLUMNS = 3, 8
"""Rows and columns of the corner of the layer that the report draws."""


@dataclass(frozen=True)
class Characterized:
    """What the simulations gave: the choice of the group, all samples, models and the margin with its table."""

    setup: Setup
    choice: GroupChoice | None
    data: Dataset
    outcomes: tuple[Outcome, ...]
    transfer: Transfer
    mismatch: Mismatch
    margin: AdcMargin

    @property
    def table(self) -> ReadoutTable:
        """The readout table."""
        return self.margin.table

    @property
    def simulated(self) -> int:
        """Simulations that were run now."""
        return sum(o.simulated for o in self.outcomes)

    @property
    def cached(self) -> int:
        """Simulations that the cache answered."""
        return sum(o.cached for o in self.outcomes)


def characterize(
    project: Project,
    *,
    jobs: int | None = None,
    announce: Announce = lambda text: None,
    progress: ProgressCallback | None = None,
) -> Characterized:
    """Choose the group size (if asked to), simulate the procedures and fit the models.

    Raises InputError for a bad configuration, EngineError if ngspice is missing or a whole condition failed.
    """
    config = project.config
    announce(f"reading the layer: {project.weights.values.shape[0]} inputs, {project.activations.source}")
    announce(f"extracting the cell {config.cell.kind} on {len(project.planes)} plane(s)")
    setup = project.setup(1)
    with Cache(cache_folder("simulations")) as cache:
        rows, choice = config.array.group_rows, None
        if isinstance(rows, str):
            candidates = tuple(c for c in config.array.group_candidates if c <= config.array.rows)
            if not candidates:
                raise InputError("no candidate fits the array", where=f"{project.path}: array.group_candidates")
            announce("choosing the group size")
            choice = choose_group(
                setup,
                candidates,
                lambda n: histogram(project, n).astype(np.float64),
                config.readout.code_error_target,
                cache=cache,
                workers=jobs,
            )
            rows = choice.rows
            announce(choice.reason)
        setup = project.setup(rows)
        procedures = with_requirements(config.characterization.procedures)
        tasks: list[Task] = [task for procedure in procedures for task in procedure.plan(setup)]
        announce(f"simulating {len(tasks)} reads of a group of {rows} rows at {len(setup.conditions)} conditions")
        outcome = run_tasks(setup, tasks, cache=cache, workers=jobs, progress=progress)
    data = Dataset(outcome.samples)
    _refuse_dead_conditions(data, setup)
    announce("fitting")
    findings: dict[str, object] = {}
    for procedure in procedures:
        findings[procedure.name] = procedure.analyse(setup, data, findings)
    margin, transfer, mismatch = (findings.get(name) for name in ("adc_margin", "transfer", "mismatch"))
    if not (isinstance(margin, AdcMargin) and isinstance(transfer, Transfer) and isinstance(mismatch, Mismatch)):
        raise InputError(
            "the procedures give no readout table",
            where=f"{project.path}: characterization.procedures",
            hint="include adc_margin",
        )
    outcomes = (*((choice.outcome,) if choice else ()), outcome)
    return Characterized(setup, choice, data, outcomes, transfer, mismatch, margin)


def histogram(project: Project, rows: int) -> NDArray[np.int64]:
    """How often each (active, count) occurs when the layer runs in groups of `rows`: shape (rows + 1, rows + 1)."""
    c = project.config
    macro = Macro.ideal(rows=rows, weight_bits=c.weights.bits, input_bits=c.inputs.bits)
    return macro.count_histogram(project.activations.values, project.weights.values)


def run(
    project: Project,
    out: Path,
    *,
    jobs: int | None = None,
    announce: Announce = lambda text: None,
    progress: ProgressCallback | None = None,
) -> facts.RunResults:
    """Run everything and fill the output folder (manifest.json, netlists/, samples.csv, models.json, lut/, figures/,
    report.html, results.json). Returns what was found. Raises InputError and EngineError."""
    ensure_output_folder(out)
    done = characterize(project, jobs=jobs, announce=announce, progress=progress)
    announce("running the layer through the macro")
    found = conclude(project, done)
    announce("writing tables, netlists and the report")
    write_outputs(project, done, found, out)
    return found


def conclude(project: Project, done: Characterized) -> facts.RunResults:
    """Everything that follows from the readout table and the layer, as one value."""
    from metalrom.reports.assemble import element_facts

    c, table, setup = project.config, done.table, done.setup
    nominal = setup.conditions[0]
    used = histogram(project, table.rows)
    layer = _layer(project, used)
    quality = tuple(_quality(project, table, i, used) for i in range(len(table.conditions)))
    model = setup.model
    shares = [m.switched / m.bl_total for m in project.models] if model.mode == "charge" else [1.0]
    swing = table.lsb(nominal) * table.rows
    nominal_fit = done.transfer.models[0].quality
    return facts.RunResults(
        name=c.name,
        technology=project.technology.name,
        warnings=project.technology.warnings,
        condition=nominal.label,
        target_error=c.readout.code_error_target,
        seed=c.characterization.seed,
        config=c.model_dump(mode="json"),
        cell=facts.CellFacts(
            kind=model.kind,
            title=project.cell.title,
            mode=model.mode,
            plane=model.plane.label,
            elements=element_facts(model),
            bl_total=model.bl_total,
            switched=model.switched if model.mode == "charge" else 0.0,
            area=model.area,
            method=model.method,
            relative_error=model.relative_error,
            fit_residual=model.fit_residual,
            plane_spread=max(shares) / min(shares) - 1.0,
            geometry_one=project.geometry(project.worst_plane, (1,)),
            geometry_zero=project.geometry(project.worst_plane, (0,)),
        ),
        layer=layer,
        candidates=done.choice.candidates if done.choice else (),
        group_rows=table.rows,
        group_reason=done.choice.reason if done.choice else f"{table.rows} rows were set in the configuration",
        group_automatic=done.choice is not None,
        margins=done.margin.margins,
        fits=_fits(done),
        quality=quality,
        verdicts=_verdicts(done),
        macro_geometry=_macro_geometry(project, table),
        fit_error=nominal_fit.held_out_rms / swing,
        monte_carlo_error=done.mismatch.models[0].relative_error,
        extraction_error=model.relative_error,
        provenance=_provenance(project, done),
    )


def write_outputs(project: Project, done: Characterized, found: facts.RunResults, out: Path) -> None:
    """Fill the output folder; every file appears whole or not at all."""
    from metalrom.reports.assemble import write_run_report

    write_tables(done, out)
    facts.write_results(found, out)
    _write_netlists(done, ensure_output_folder(out / "netlists"))
    manifest = {
        "name": found.name,
        "provenance": found.provenance,
        "warnings": list(found.warnings),
        "assumptions": [
            {"name": a.name, "value": a.value, "status": a.status, "source": a.source} for a in done.table.assumptions
        ],
        "simulations": {
            "run": done.simulated,
            "cached": done.cached,
            "failed": len(done.data.failed()),
            "cpu_seconds": round(sum(o.cpu_seconds for o in done.outcomes), 3),
            "verdicts": [vars_of(v) for v in found.verdicts],
        },
        "files": {
            str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(out.rglob("*"))
            if path.is_file() and path.suffix in (".csv", ".json", ".nc", ".cir") and path.name != "manifest.json"
        },
    }
    atomic_write_text(out / "manifest.json", json.dumps(manifest, indent=1) + "\n")
    write_run_report(out)


def write_tables(done: Characterized, out: Path) -> None:
    """samples.csv, models.json and lut/: the same bytes for the same decks, whether simulated or found in the cache."""
    from metalrom.exports import FORMATS

    atomic_write_text(out / "samples.csv", done.data.to_csv())
    models = {
        "levels": [m.to_json() for m in done.transfer.models],
        "spreads": [m.to_json() for m in done.mismatch.models],
        "unit": done.table.unit,
    }
    atomic_write_text(out / "models.json", json.dumps(models, indent=1) + "\n")
    for name in FORMATS:
        FORMATS[name].write(done.table, ensure_output_folder(out / facts.LUT))


def vars_of(value: facts.VerdictFact) -> dict[str, object]:
    """Plain fields of a small fact."""
    return {"procedure": value.procedure, "verdict": value.verdict, "count": value.count}


def _refuse_dead_conditions(data: Dataset, setup: Setup) -> None:
    """A condition of which nothing succeeded is an engine failure, not a bad fit."""
    for condition in setup.conditions:
        samples = [s for s in data.samples if s.condition == condition]
        if samples and all(s.verdict != "ok" for s in samples):
            raise EngineError(
                f"every simulation at {condition.label} failed (verdict {samples[0].verdict}); "
                "try `metalrom netlist` and run the deck by hand"
            )


def _layer(project: Project, used: NDArray[np.int64]) -> facts.LayerFacts:
    c, program = project.config, project.program
    manifest = project.manifest
    sample = np.zeros((manifest.shape.planes, SAMPLE_ROWS, SAMPLE_COLUMNS), dtype=np.uint8)
    for place in manifest.placements(0):
        corner = program.bits[
            place.row_start : min(place.row_stop, place.row_start + SAMPLE_ROWS),
            place.column_start : min(place.column_stop, place.column_start + SAMPLE_COLUMNS),
        ]
        sample[place.plane, : corner.shape[0], : corner.shape[1]] = corner
    source = f"{c.weights.tensor} of {c.weights.file}" if c.weights.file else "Gaussian random weights (a dry run)"
    inputs, outputs = project.weights.values.shape
    return facts.LayerFacts(
        source=source,
        inputs=inputs,
        outputs=outputs,
        weight_bits=c.weights.bits,
        input_bits=c.inputs.bits,
        activations=project.activations.source,
        tokens=len(project.activations.values),
        bits_stored=int(program.bits.size),
        tiles=manifest.tiles,
        utilisation=manifest.utilisation,
        planes=tuple(p.label for p in project.planes),
        sample=tuple(tuple(tuple(int(b) for b in row) for row in plane) for plane in sample),
        histogram=tuple(tuple(int(n) for n in row) for row in used),
    )


def _quality(project: Project, table: ReadoutTable, index: int, used: NDArray[np.int64]) -> facts.QualityFact:
    """The layer through the macro at one condition, against the exact integer product."""
    c, condition = project.config, table.conditions[index]
    x, w = project.activations.values, project.weights.values.astype(np.int64)
    macro = Macro(
        table,
        condition,
        weight_bits=c.weights.bits,
        input_bits=c.inputs.bits,
        seed=c.characterization.seed,
        columns_per_adc=c.array.columns_per_adc,
    )
    got = macro.run(x, w)
    q = csnr(x @ w, got.y)
    return facts.QualityFact(
        condition=condition.label,
        csnr_raw=q.raw if math.isfinite(q.raw) else None,
        csnr_fitted=q.fitted if math.isfinite(q.fitted) else None,
        gain=q.gain,
        offset=q.offset,
        conversions=got.conversions,
        code_error_rate=got.code_error_rate,
        code_error_expected=mean_code_error(table, condition, used),
    )


def _fits(done: Characterized) -> tuple[facts.FitFact, ...]:
    unit = done.table.unit
    rows = []
    for level in done.transfer.models:
        q = level.quality
        rows.append(
            facts.FitFact(
                "level", level.condition.label, LevelModel.FORM, q.points, q.held_out, q.held_out_rms, q.held_out_max,
                unit, q.coverage,
            )
        )  # fmt: skip
    for spread in done.mismatch.models:
        points = len(done.data.select("mismatch", spread.condition).good())
        rows.append(
            facts.FitFact(
                "static spread", spread.condition.label, spread.FORM, points, points, spread.held_out_rms, None,
                "relative", None,
            )
        )  # fmt: skip
    return tuple(rows)


def _verdicts(done: Characterized) -> tuple[facts.VerdictFact, ...]:
    counts: dict[tuple[str, str], int] = {}
    for outcome in done.outcomes:
        for sample in outcome.samples:
            key = (sample.procedure, sample.verdict)
            counts[key] = counts.get(key, 0) + 1
    return tuple(facts.VerdictFact(*key, count) for key, count in sorted(counts.items()))


def _macro_geometry(project: Project, table: ReadoutTable) -> MacroGeometry:
    """Sizes and sharing of the macro's periphery, from the configuration."""
    from metalrom.macro.geometry import RULES

    c, p, charge = project.config, project.periphery, table.unit == "V"
    rules = RULES.get(project.technology.devices.name)
    if rules is None:
        raise InputError(
            f"no area rules for the devices {project.technology.devices.name}",
            where=f"{project.path}: technology.devices",
            hint=f"known: {', '.join(RULES)}",
        )
    driver = sum(rules.transistor_area(n) + rules.transistor_area(q) for n, q in p.stage_widths())
    small = rules.transistor_area(p.reset_width)
    # per segment: a device that selects it, and for charge a reset switch and an input device of the readout
    segment = 3 * small if charge else small
    return MacroGeometry(
        cell_area=project.models[project.worst_plane].area,
        rows=c.array.rows,
        columns=c.array.columns,
        planes=len(project.planes),
        group_rows=min(table.rows, c.array.rows),
        columns_per_adc=c.array.columns_per_adc,
        adc_bits=max(1, math.ceil(math.log2(table.adc.codes))),
        driver_area=driver,
        reset_area=segment,
        rules=rules,
        weight_bits=c.weights.bits,
        input_bits=c.inputs.bits,
    )


def _provenance(project: Project, done: Characterized) -> dict[str, str]:
    decks = hashlib.sha256("".join(s.deck for s in done.data.samples).encode()).hexdigest()
    return {
        "metalrom": __version__,
        "engine": next((o.engine for o in done.outcomes if o.engine), ""),
        "extraction": done.setup.model.method,
        "configuration": f"sha256 {project.sha256}",
        "stack": f"{project.stack.name}, sha256 {project.stack.sha256}",
        "devices": f"{project.technology.devices.name}, sha256 {project.technology.devices.sha256}",
        "cell model": f"sha256 {done.setup.model.sha256}",
        "weights": f"sha256 {hashlib.sha256(project.weights.values.tobytes()).hexdigest()} (quantized)",
        "decks": f"sha256 {decks} over {len(done.data)} decks",
        "seed": str(project.config.characterization.seed),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def _write_netlists(done: Characterized, folder: Path) -> None:
    """One readable deck per procedure and condition: its first sample of each."""
    seen: set[tuple[str, str]] = set()
    for task in (*done_tasks(done),):
        key = (task.procedure, task.condition.label)
        if key not in seen:
            seen.add(key)
            atomic_write_text(folder / f"{key[0]}_{key[1]}.cir", deck_of(done.setup, task).text)


def done_tasks(done: Characterized) -> list[Task]:
    """The tasks of the procedures that simulate, planned again (a plan is a pure function of the setup)."""
    names = dict.fromkeys(s.procedure for s in done.data.samples)
    return [task for procedure in with_requirements(tuple(names)) for task in procedure.plan(done.setup)]

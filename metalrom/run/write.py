"""What an output folder holds; tables repeat to the last byte."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from characterization.campaign_accuracy import joined_accuracy
from characterization.level_testbench import level_testbench, setup_of_plane
from characterization.linear_read import LinearReads
from characterization.procedures.document import procedures_document
from characterization.sampling_check import sampling_check, sampling_warnings
from characterization.tables.formats import FORMATS
from characterization.tables.netcdf import write_plane_tables
from interconnect.files import atomic_write_bytes, atomic_write_text
from metalrom.design.design import Design
from metalrom.folders import ensure_output_folder
from metalrom.run import results as facts
from metalrom.run.characterize import CharacterizationRun
from metalrom.run.evaluate import provenance_of, verdict_counts
from metalrom.run.folder import PROCEDURES
from metalrom.run.layer import write_stored_layer
from metalrom.run.manifest import CHARACTERIZATION, RUN, write_manifest
from metalrom.run.stored_program import write_stored_program

CONFIG_SOURCE, CONFIG = "config.yaml", "config.json"
"""The configuration as it was read, byte for byte; and what was run, with defaults and options filled in."""


def write_outputs(design: Design, done: CharacterizationRun, found: facts.RunResults, folder: Path) -> None:
    """Write everything but the report, and the manifest of it, into the folder of a run that is being made."""
    write_tables(done, folder)
    facts.write_results(found, folder)
    write_stored_layer(folder, design.weights.values.astype(np.int64), design.activations.values)
    write_stored_program(folder, design.program)
    _write_netlists(done, ensure_output_folder(folder / "netlists"))
    _write_configuration(design, folder)
    write_manifest(folder, _manifest(RUN, design, done))


def write_characterization(design: Design, done: CharacterizationRun, folder: Path) -> None:
    """Write the tables of a characterization, and the manifest of them, into the folder that is being made."""
    write_tables(done, folder)
    _write_configuration(design, folder)
    write_manifest(folder, _manifest(CHARACTERIZATION, design, done))


def _write_configuration(design: Design, folder: Path) -> None:
    if design.source is not None:
        atomic_write_bytes(folder / CONFIG_SOURCE, design.source)
    atomic_write_text(folder / CONFIG, design.config.model_dump_json(indent=1) + "\n")


def _manifest(kind: str, design: Design, done: CharacterizationRun) -> dict[str, object]:
    """What a manifest says beside the files. Raises InputError if an input was changed since it was read."""
    design.check_unchanged()
    check = sampling_check(done.sampling)
    assumptions = done.table.assumptions if "adc_margin" in done.results else ()
    return {
        "kind": kind,
        "name": design.config.name,
        "provenance": provenance_of(design, done),
        "inputs": {name: f"sha256 {digest}" for name, digest in design.input_files.items()},
        "warnings": [*design.technology.warnings, *sampling_warnings(done.sampling)],
        "assumptions": [
            {"name": a.name, "value": a.value, "status": a.status, "source": a.source} for a in assumptions
        ],
        "simulations": {
            "run": done.simulated,
            "cached": done.cached,
            "linear": done.counts.linear,
            "closed_form": done.counts.closed_form,
            "more_samples": list(done.counts.refined),
            "failed": len(done.data.failed()),
            "cpu_seconds": round(sum(o.cpu_seconds for o in done.outcomes), 3),
            "verdicts": [asdict(v) for v in verdict_counts(done)],
            "failed_conditions": [asdict(f) for f in done.failed],
            "failed_procedures": [asdict(f) for f in done.failed_procedures],
            "parallel_rows": [asdict(c) for c in done.row_checks],
            **({"sampling_check": asdict(check)} if check else {}),
            **_accuracy(done),
        },
    }


def _accuracy(done: CharacterizationRun) -> dict[str, object]:
    """Error bars of the simulations, where decks were sampled for them."""
    found = joined_accuracy([outcome.accuracy for outcome in done.outcomes])
    if found is None:
        return {}
    level = None if np.isnan(found.level) else found.level
    return {"accuracy": {**asdict(found), "level": level, "unit": done.setup.unit}}


def write_tables(done: CharacterizationRun, out: Path) -> list[Path]:
    """samples.csv, models.json, procedures.json and lut/, as far as their procedures ran: the same bytes whether
    simulated or cached."""
    written = [atomic_write_text(out / "samples.csv", done.data.to_csv())]
    models: dict[str, object] = {"unit": done.setup.unit}
    if "transfer" in done.results:
        models["levels"] = [
            {**m.to_json(), "near_patterns": float(near), "far_patterns": float(far)}
            for m, near, far in zip(done.transfer.models, done.transfer.near, done.transfer.far, strict=True)
        ]
    if "mismatch" in done.results:
        models["spreads"] = [m.to_json() for m in done.mismatch.models]
    written.append(atomic_write_text(out / "models.json", json.dumps(models, indent=1) + "\n"))
    shown = done.shown
    if shown or done.failed_procedures:
        document = procedures_document(shown, done.setup.unit, done.setup.rows, done.failed_procedures)
        text = json.dumps(document, indent=1, allow_nan=False)
        written.append(atomic_write_text(out / PROCEDURES, text + "\n"))
    if "adc_margin" in done.results:
        for name in FORMATS:
            written += FORMATS[name].write(done.table, ensure_output_folder(out / facts.LUT))
    if "adc_margin" in done.results and done.plane_tables is not None:
        written += write_plane_tables(done.plane_tables, ensure_output_folder(out / facts.LUT))
        for table in done.plane_tables.tables:
            folder = ensure_output_folder(out / facts.LUT / f"plane_{str(table.plane).replace('/', '_')}")
            for name in FORMATS:
                written += FORMATS[name].write(table, folder)
    return written


def _write_netlists(done: CharacterizationRun, folder: Path) -> list[Path]:
    """Three standalone files per condition, and the first deck of every procedure that has decks of its own."""
    texts = dict(level_netlists(done)) | dict(done.decks)
    return [atomic_write_text(folder / name, text) for name, text in texts.items()]


def level_netlists(done: CharacterizationRun) -> Iterator[tuple[str, str]]:
    """Names and texts of the standalone files of a run: at every condition the level of the smallest margin, half of
    the largest count and the largest count, all rows active; on the plane of the table.

    A condition that failed has no margins and hence no weakest level.
    """
    setup, reads = done.planned, dict[str | None, LinearReads]()
    for condition in setup.conditions:
        table = next((t for t in (done.table, done.margin.table) if condition in t.conditions), None)
        plane = None if table is None else table.plane
        shared = reads.setdefault(plane, LinearReads(setup_of_plane(setup, condition, plane)))
        places = {"mid_scale": (setup.rows, setup.max_count // 2), "full_scale": (setup.rows, setup.max_count)}
        if table is not None:
            margins = table.margins(condition)[1:]  # no conversion reads no row
            row, column = np.unravel_index(int(np.nanargmin(margins)), margins.shape)
            places["weakest"] = (int(row) + 1, int(column))
        for name, (active, count) in places.items():
            deck = level_testbench(setup, condition, active, count, plane=plane, reads=shared)
            yield f"{name}_{condition.label}.cir", deck.text

"""A finished run with a measured readout table in place of the simulated one: an output folder like any other."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from characterization.tables.formats import FORMATS
from characterization.tables.measured import measured_source, read_measured
from characterization.tables.table import ReadoutTable
from interconnect.files import atomic_write_bytes
from metalrom.exporters.run_data import RunData
from metalrom.folders import ensure_output_folder
from metalrom.macro.conversion_bill import code_error_of
from metalrom.reports.assemble import add_report
from metalrom.run.bundle import new_bundle
from metalrom.run.evaluate import layer_quality
from metalrom.run.folder import Run, open_run
from metalrom.run.headline import headline_of
from metalrom.run.judge import default_specs, judge_specs
from metalrom.run.layer import LAYER
from metalrom.run.manifest import RUN, write_manifest
from metalrom.run.results import LUT, RunResults, write_results
from metalrom.run.stored_program import PROGRAM
from metalrom.run.view import RunView
from metalrom.run.write import CONFIG, CONFIG_SOURCE
from metalrom.specs.grammar import parse_spec


def run_with_measured_table(path: Path, csv: Path, out: Path, *, source: str) -> RunResults:
    """Write an output folder whose readout table was measured.

    Parameters
    ----------
    path : Path
        Output folder of a finished run of the same macro.
    csv : Path
        The measured table, see `characterization.tables.measured.read_measured`.
    out : Path
        Folder to make.
    source : str
        Who measured what, in words.

    Returns
    -------
    RunResults
        Margins, code errors, CSNR, estimate and verdict by the measured table; nothing that only a simulation tells.

    Raises
    ------
    InputError
        For a file that is no such table, and where `out` cannot be written.
    """
    run = open_run(path)
    table = read_measured(csv, run.table, source)
    results = measured_results(run, table)
    with new_bundle(out) as folder:
        for name in (LAYER, PROGRAM, CONFIG, CONFIG_SOURCE):
            if run.holds(name):
                atomic_write_bytes(folder / name, run.read(name))
        for name in FORMATS:
            FORMATS[name].write(table, ensure_output_folder(folder / LUT))
        write_results(results, folder)
        content = {
            "kind": RUN,
            "name": results.name,
            "provenance": results.provenance,
            "warnings": list(results.warnings),
            "assumptions": [asdict(a) for a in table.assumptions],
            "simulations": {"run": 0, "cached": 0, "failed": 0},
        }
        write_manifest(folder, content)
        add_report(folder)
    return results


def measured_results(run: Run, table: ReadoutTable) -> RunResults:
    """What a measured table makes of a run's macro and layer. Raises InputError where the estimate refuses it."""
    old, source = run.results, measured_source(table)
    labels = [c.label for c in table.conditions]
    known = ("stack", "devices", "cell model", "weights", "seed", "metalrom")
    results = replace(
        old,
        name=f"{old.name} (readout measured)",
        warnings=(
            f"readout table measured: {source}; cell, periphery and read time are those of the run",
            *old.warnings,
        ),
        condition=old.condition if old.condition in labels else labels[0],
        candidates=(),
        group_reason=f"{table.rows} rows as measured",
        group_automatic=False,
        margins=table.margins_by_count(),
        fits=(),
        verdicts=(),
        fit_error=0.0,
        monte_carlo_error=0.0,
        provenance={
            **{name: value for name, value in old.provenance.items() if name in known},
            "readout table": table.provenance["measured"],
        },
        failed_conditions=(),
        failed_procedures=(),
        simulations=None,
        planes=(),
        sign_off=(),
        chips=None,
        waveform=None,
        sampling=(),
        measured=source,
    )
    used = np.array(old.layer.histogram, dtype=np.int64)
    layer, data = run.layer, RunData(run, results, table)
    quality = tuple(
        layer_quality(
            data.macro(c.label), c, layer.activations, layer.weights,
            code_error_of(results.macro_geometry.rule, table, c, used),
        )
        for c in table.conditions
    )  # fmt: skip
    results = replace(results, quality=quality)
    view = RunView(results, table)
    texts = old.config.get("specs") or ()
    specs = tuple(parse_spec(text) for text in texts) or default_specs(results.target_error)
    judged = judge_specs(specs, view)
    return replace(
        results,
        specs=judged.specs,
        headline=headline_of(table, results, judged.verdict),
        merits=tuple(view.estimate(label).merit for label in labels),
    )

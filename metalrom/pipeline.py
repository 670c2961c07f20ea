"""The whole chain, from a configuration to a filled output folder."""

from dataclasses import replace
from pathlib import Path

from characterization.campaign import ProgressCallback
from interconnect.errors import InputError
from metalrom.design.design import Design
from metalrom.reports.assemble import add_report
from metalrom.run.bundle import new_bundle
from metalrom.run.characterize import Announce, characterize
from metalrom.run.chips import draw_chips
from metalrom.run.evaluate import macro_geometry, summarize_run
from metalrom.run.results import RunResults
from metalrom.run.write import write_outputs
from ngspice_runner import Workers


def run_pipeline(
    design: Design,
    out: Path,
    *,
    jobs: Workers = None,
    announce: Announce = lambda text: None,
    progress: ProgressCallback | None = None,
) -> RunResults:
    """Run everything and write the output folder: manifest.json, config.yaml, config.json, netlists/, samples.csv,
    models.json, procedures.json, lut/, layer.npz, program.npz, results.json, figures/ and report.html.

    The folder appears when everything is in it and replaces an earlier one in one step; if the run fails or is
    interrupted, an earlier one stays as it is.

    Returns
    -------
    RunResults
        What was found, failed conditions and missed specifications included.

    Raises
    ------
    InputError
        For a bad configuration, or an `out` that holds anything but an earlier output folder or is being written to.
    EngineError
        If ngspice is missing or the nominal condition failed.
    """
    design.check_characterized()
    _ = design.specs  # what cannot be judged is refused before simulating
    names = design.config.characterization.procedures
    if "adc_margin" not in names:
        raise InputError(
            "a whole run needs the procedure adc_margin",
            where=f"{design.path}: characterization.procedures",
            hint="add it, or use `metalrom characterize`",
        )
    rows = design.config.array.group_rows
    macro_geometry(design, rows if isinstance(rows, int) else 4)  # what cannot be laid out is refused before simulating
    with new_bundle(out) as folder:
        done = characterize(design, jobs=jobs, announce=announce, progress=progress)
        announce("running the layer through the macro")
        found = summarize_run(design, done)
        worst = found.quality[done.table.index(done.table.worst_margin().condition)]
        found = replace(found, chips=draw_chips(design, done, worst))
        announce("writing tables, netlists and the report")
        write_outputs(design, done, found, folder)
        add_report(folder)
    return found

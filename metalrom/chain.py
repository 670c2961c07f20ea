"""The whole chain, from a configuration to a filled output folder."""

from __future__ import annotations

from pathlib import Path

from characterization.campaign import ProgressCallback
from interconnect.errors import InputError
from metalrom.conclusions import conclude, macro_geometry
from metalrom.flow import Announce, characterize
from metalrom.folders import ensure_output_folder
from metalrom.outputs import write_outputs
from metalrom.project import Project
from metalrom.results import RunResults
from ngspice_runner import Workers


def run(
    project: Project,
    out: Path,
    *,
    jobs: Workers = None,
    announce: Announce = lambda text: None,
    progress: ProgressCallback | None = None,
) -> RunResults:
    """Run everything and fill the output folder (manifest.json, netlists/, samples.csv, models.json, lut/, layer.npz,
    figures/, report.html, results.json). Returns what was found, failed conditions and missed specifications included.
    Raises InputError, and EngineError if ngspice is missing or the nominal condition failed."""
    project.check_characterized()
    _ = project.specs  # what cannot be judged is refused before simulating
    names = project.config.characterization.procedures
    if "adc_margin" not in names:
        raise InputError(
            "a whole run needs the procedure adc_margin",
            where=f"{project.path}: characterization.procedures",
            hint="add it, or use `metalrom characterize`",
        )
    rows = project.config.array.group_rows
    macro_geometry(
        project, rows if isinstance(rows, int) else 4
    )  # what cannot be laid out is refused before simulating
    ensure_output_folder(out)
    done = characterize(project, jobs=jobs, announce=announce, progress=progress)
    announce("running the layer through the macro")
    found = conclude(project, done)
    announce("writing tables, netlists and the report")
    write_outputs(project, done, found, out)
    return found

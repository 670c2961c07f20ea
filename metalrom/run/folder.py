"""A finished run, read from its output folder: the one reader of these folders."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from characterization.procedure_result import ProcedureResult
from characterization.procedures.document import read_procedure_results
from characterization.tables.json import parse_json_table
from characterization.tables.netcdf import PLANES_FILE, parse_plane_tables
from characterization.tables.planes import PlaneTables
from characterization.tables.table import ReadoutTable
from interconnect.errors import DamagedFile, InputError
from metalrom.run.layer import LAYER, StoredLayer, parse_stored_layer
from metalrom.run.manifest import MANIFEST, RERUN_HINT, RUN, Manifest, read_listed, read_manifest
from metalrom.run.results import LUT, RESULTS, RunResults, parse_results
from metalrom.run.stored_program import PROGRAM, parse_stored_program
from netlists.mapping import ViaProgram

PROCEDURES = "procedures.json"
TABLE = f"{LUT}/readout.json"
PLANE_TABLES = f"{LUT}/{PLANES_FILE}"


@dataclass(frozen=True)
class Run:
    """The output folder of a finished run; every part is read when it is asked for first.

    Only files that the manifest lists are opened, their bytes are checked against the listed SHA-256 and these bytes
    are parsed; links inside the folder are not followed. Every property raises InputError for a part that the run does
    not hold and DamagedFile for one that is missing or was changed.

    Attributes
    ----------
    path
        The folder.
    manifest
        What it holds, what went in, and every file's SHA-256.
    """

    path: Path
    manifest: Manifest

    @cached_property
    def results(self) -> RunResults:
        """Everything that was found, apart from the readout table."""
        return parse_results(self.read(RESULTS), where=str(self.path / RESULTS))

    @cached_property
    def table(self) -> ReadoutTable:
        """The readout table."""
        return parse_json_table(self.read(TABLE), where=str(self.path / TABLE))

    @cached_property
    def planes(self) -> PlaneTables | None:
        """The readout tables of all planes; None for a run whose planes are alike."""
        if not self.holds(PLANE_TABLES):
            return None
        return parse_plane_tables(self.read(PLANE_TABLES), where=str(self.path / PLANE_TABLES))

    @cached_property
    def layer(self) -> StoredLayer:
        """Integer weights and activations of the layer."""
        return parse_stored_layer(self.read(LAYER), where=str(self.path / LAYER))

    @cached_property
    def program(self) -> ViaProgram:
        """The via program: the symbol of every cell and what every bit column stands for."""
        return parse_stored_program(self.read(PROGRAM), where=str(self.path / PROGRAM))

    @cached_property
    def procedures(self) -> Mapping[str, ProcedureResult]:
        """Results of the procedures beside the readout table, by name; empty if none ran."""
        if not self.holds(PROCEDURES):
            return {}
        where = str(self.path / PROCEDURES)
        try:
            document = json.loads(self.read(PROCEDURES))
            if not isinstance(document, dict):
                raise DamagedFile("is not a JSON object", where=where, hint=RERUN_HINT)
            return read_procedure_results(document)
        except DamagedFile as error:
            if error.where == where:
                raise
            raise DamagedFile(f"is damaged or of another version ({error})", where=where, hint=RERUN_HINT) from error
        except (ValueError, RecursionError) as error:
            raise DamagedFile("is not a JSON document", where=where, hint=RERUN_HINT) from error

    @property
    def simulations(self) -> Mapping[str, Any]:
        """How many values came from which method in the last run."""
        found = self.manifest.content.get("simulations")
        if not isinstance(found, dict) or not all(type(found.get(key)) is int for key in ("run", "cached")):
            raise DamagedFile("records no simulations", where=str(self.path / MANIFEST), hint=RERUN_HINT)
        return found

    def holds(self, name: str) -> bool:
        """Whether the manifest lists the file `name` (path inside the folder, with `/`)."""
        return name in self.manifest.files

    def read(self, name: str) -> bytes:
        """The bytes of a listed file, checked."""
        return read_listed(self.path, self.manifest, name)

    def verify(self) -> None:
        """Read and check every listed file."""
        for name in self.manifest.files:
            self.read(name)


def open_run(path: str | Path) -> Run:
    """The output folder of a finished `metalrom run`.

    Raises
    ------
    InputError
        There is no such folder or no manifest in it, or it holds a characterization alone.
    DamagedFile
        The manifest is damaged.
    """
    folder = Path(path)
    manifest = read_manifest(folder)
    if manifest.kind != RUN:
        raise InputError(
            f"holds only a {manifest.kind}", where=str(folder), hint="give the output folder of a `metalrom run`"
        )
    return Run(folder, manifest)

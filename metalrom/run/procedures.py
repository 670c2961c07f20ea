"""Results of the procedures of a finished run, read from its folder."""

from __future__ import annotations

import json
from pathlib import Path

from characterization.procedure_result import ProcedureResult
from characterization.procedures.document import read_procedure_results
from interconnect.errors import DamagedFile
from interconnect.files import read_bytes
from metalrom.run.manifest import check_intact

PROCEDURES_FILE = "procedures.json"


def read_run_procedures(folder: Path) -> dict[str, ProcedureResult]:
    """The results in an output folder by the procedure's name; empty if only the readout table was characterized.

    Raises
    ------
    DamagedFile
        One sentence for a file that cannot be read; InputError for one that was changed after the run.
    """
    path = folder / PROCEDURES_FILE
    check_intact(folder, PROCEDURES_FILE)
    if not path.exists():
        return {}
    try:
        document = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "no JSON") from error
    if not isinstance(document, dict):
        raise _damaged(path, "no JSON object")
    try:
        return read_procedure_results(document)
    except DamagedFile as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, reason: str) -> DamagedFile:
    return DamagedFile(
        f"is damaged or of another version ({reason})", where=str(path), hint="run the configuration again"
    )

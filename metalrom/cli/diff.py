"""What `metalrom diff` prints."""

from __future__ import annotations

from pathlib import Path

from interconnect.jsonable import to_jsonable
from metalrom.cli.console import emit


def diff_runs(old: Path, new: Path, *, json: bool) -> None:
    """Compare two output folders. Raises InputError for one that is no finished run."""
    from metalrom.studies.diff.compare import compare_runs
    from metalrom.studies.diff.show import shown_difference

    found = compare_runs(old, new)
    emit({"same": found.same, **to_jsonable(found)}, as_json=json, human=lambda: shown_difference(found))

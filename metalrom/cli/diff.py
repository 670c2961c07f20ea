"""What `metalrom diff` prints."""

from __future__ import annotations

from pathlib import Path

from interconnect.plain import plain
from metalrom.cli.console import emit


def diff_runs(old: Path, new: Path, *, json: bool) -> None:
    """Compare two output folders. Raises InputError for one that is no finished run."""
    from metalrom.studies.diff.compare import compare
    from metalrom.studies.diff.show import shown_difference

    found = compare(old, new)
    emit({"same": found.same, **plain(found)}, as_json=json, human=lambda: shown_difference(found))

"""The manifest of a finished run: what it took, and the SHA-256 of every file it wrote."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interconnect.errors import InputError
from interconnect.files import read_bytes

MANIFEST = "manifest.json"


def read_manifest(folder: Path) -> Mapping[str, Any]:
    """The manifest of a run's folder. Raises InputError for one that is missing or damaged."""
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path) from error
    if not isinstance(found, dict):
        raise _damaged(path)
    return found


def check_intact(folder: Path, name: str) -> None:
    """Refuse a file that was changed since the run.

    A folder without a manifest (`metalrom characterize` writes none), a file that the manifest does not list and a
    file that is not there pass: reading it tells.

    Raises:
        InputError: a manifest that is damaged, or a file whose hash is not the listed one.
    """
    if not (folder / MANIFEST).exists() or not (folder / name).exists():
        return
    listed = read_manifest(folder).get("files")
    if not isinstance(listed, dict):
        raise _damaged(folder / MANIFEST)
    if name in listed and listed[name] != hashlib.sha256(read_bytes(folder / name)).hexdigest():
        raise InputError(
            f"was changed after the run (its SHA-256 is not that in {MANIFEST})",
            where=str(folder / name),
            hint="run the configuration again",
        )


def _damaged(path: Path) -> InputError:
    return InputError("is missing or damaged", where=str(path), hint="run the configuration again")

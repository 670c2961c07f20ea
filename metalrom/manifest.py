"""Whether a file of a finished run is still what the run wrote: its SHA-256 against that in the run's manifest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from interconnect.errors import InputError

MANIFEST = "manifest.json"


def check_intact(folder: Path, name: str) -> None:
    """Refuse a file that was changed since the run.

    A folder without a manifest (`metalrom characterize` writes none), a file that the manifest does not list and a
    file that is not there pass: reading it tells.

    Raises:
        InputError: a manifest that is damaged, or a file whose hash is not the listed one.
    """
    try:
        text = (folder / MANIFEST).read_text(encoding="utf-8")
        content = (folder / name).read_bytes()
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read ({error})", where=str(folder), hint="run the configuration again") from None
    try:
        listed = json.loads(text)["files"].get(name)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError("is damaged", where=str(folder / MANIFEST), hint="run the configuration again") from None
    if listed is not None and listed != hashlib.sha256(content).hexdigest():
        raise InputError(
            f"was changed after the run (its SHA-256 is not that in {MANIFEST})",
            where=str(folder / name),
            hint="run the configuration again",
        )

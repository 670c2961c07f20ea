"""Folders: outputs go where the user says, and where the user's cache lies."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from interconnect.errors import InputError


def ensure_output_folder(path: str | Path) -> Path:
    """Make the folder `path` with its parents and prove that a file can be made in it; returns it.

    Raises InputError if something that is no folder stands there or in the way, or if it is not writable.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):  # permission bits lie for root and on read-only disks
            pass
    except (FileExistsError, NotADirectoryError):
        raise InputError(f"output folder {folder}: a file stands in its way", hint="give another folder") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(f"output folder {folder} is not writable ({reason})", hint="give another folder") from None
    return folder


def cache_folder(*parts: str) -> Path:
    """The user's cache folder, not yet made: METALROM_CACHE, else XDG_CACHE_HOME/metalrom, else ~/.cache/metalrom.

    Raises InputError when none of them says where.
    """
    own = os.environ.get("METALROM_CACHE")
    if own:
        return Path(own).expanduser().absolute().joinpath(*parts)
    shared = os.environ.get("XDG_CACHE_HOME", "")
    if Path(shared).is_absolute():  # the XDG rules say that a relative one is to be ignored
        return Path(shared, "metalrom", *parts)
    try:
        return Path.home().joinpath(".cache", "metalrom", *parts)
    except RuntimeError:
        raise InputError("no home folder to keep a cache in", hint="set METALROM_CACHE to a folder") from None

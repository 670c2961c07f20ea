"""Folders: outputs go where the user says, and where the user's cache lies."""

import tempfile
from pathlib import Path

from interconnect.cachefolder import cache_folder
from interconnect.errors import InputError

__all__ = ["cache_folder", "ensure_output_folder"]


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
        raise InputError(
            f"output folder {folder}: a file of that name already exists", hint="give another folder"
        ) from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(f"output folder {folder} is not writable ({reason})", hint="give another folder") from None
    return folder

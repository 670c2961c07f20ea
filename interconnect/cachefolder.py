"""The user's cache: where it lies, and that nobody else can put anything into it."""

import os
import stat
from pathlib import Path

from interconnect.errors import InputError


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


def private_folder(folder: Path) -> Path:
    """A cache folder, made if it is missing, that only this user and the administrator can write.

    Raises InputError if it cannot be made or if somebody else can write it: what they leave there would be believed.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(
            f"the cache folder {folder} cannot be made ({reason})", hint="set METALROM_CACHE to another"
        ) from None
    shared = _shared(folder)
    if shared is not None:
        what = f"the cache folder {folder}" if shared == folder else f"{shared}, where the cache folder lies,"
        hint = f"`chmod go-w {shared}` if it is yours, or set METALROM_CACHE to another"
        raise InputError(f"{what} can be written by other users", hint=hint)
    return folder


def is_shared(folder: Path) -> bool:
    """Whether another user than the administrator can write `folder` or exchange it; also if it is missing."""
    return _shared(folder) is not None


def _shared(folder: Path) -> Path | None:
    """Which folder gives others the cache: itself (also if it is missing), the one above it, or none."""
    try:
        here, above = folder.stat(), folder.parent.stat()
    except OSError:
        return folder
    if here.st_uid not in (os.geteuid(), 0) or _others_write(here):
        return folder
    return folder.parent if _others_write(above) and not above.st_mode & stat.S_ISVTX else None


def _others_write(status: os.stat_result) -> bool:
    if status.st_mode & stat.S_IWOTH:
        return True
    # Where every user has a group of his own, it has his number.
    return bool(status.st_mode & stat.S_IWGRP) and status.st_gid not in (0, status.st_uid)

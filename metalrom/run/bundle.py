"""Output folders that appear whole or not at all: written beside their target, then renamed into its place."""

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from interconnect.errors import InputError
from metalrom.folders import ensure_output_folder
from metalrom.run.manifest import MANIFEST, file_names, read_manifest

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
"""Of <fcntl.h> and <linux/fs.h>."""


@contextlib.contextmanager
def new_bundle(target: Path) -> Iterator[Path]:
    """A temporary folder beside `target`; it takes the place of `target` when the block ends well.

    Until then, and if the block fails, an earlier output folder stays as it is; afterwards nothing of it is left. Two
    processes that write to one target exclude each other. What a killed process left is removed by the next one.

    Parameters
    ----------
    target
        Folder to make, with its parents. It may be missing, empty, or an earlier output folder; a link to one is
        followed.

    Raises
    ------
    InputError
        `target` holds anything that its manifest does not list, is no folder or not writable, or another process
        writes to it.
    """
    out = Path(os.path.realpath(target))
    check_replaceable(out)
    ensure_output_folder(out.parent)
    partial, previous = out.with_name(f".{out.name}.partial"), out.with_name(f".{out.name}.previous")
    with _exclusive(out):
        if previous.exists() and not out.exists():  # a kill between the two renames of a file system without exchange
            previous.rename(out)
        _remove(previous)
        _remove(partial)
        try:
            yield ensure_output_folder(partial)
            check_replaceable(out)
            _put_in_place(partial, out, previous)
        finally:
            _remove(partial)


def check_replaceable(out: Path) -> None:
    """Refuse to replace what metalrom did not write.

    Raises InputError unless `out` is missing, an empty folder, or a folder all of whose files its manifest lists.
    """
    try:
        present = sorted(path.name for path in out.iterdir())
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise InputError(
            f"output folder {out}: a file of that name already exists", hint="give another folder"
        ) from None
    except OSError as error:
        raise InputError(f"output folder {out} cannot be read ({error.strerror})", hint="give another folder") from None
    if out.is_mount():
        raise InputError("a mount point cannot be replaced", where=str(out), hint="give a folder inside it")
    if not present:
        return
    hint = "give another folder, or move the files away"
    if MANIFEST not in present:
        raise InputError(
            f"holds {present[0]!r} and no {MANIFEST}: this is not an output folder of metalrom, and its files are kept",
            where=str(out),
            hint=hint,
        )
    try:
        listed = read_manifest(out).files
    except InputError:
        raise InputError(
            f"has a damaged {MANIFEST}, which does not identify its files",
            where=str(out),
            hint="remove the folder, or give another one",
        ) from None
    foreign = [name for name in file_names(out) if name != MANIFEST and name not in listed]
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise InputError(f"holds {foreign[0]!r}{more}, which its {MANIFEST} does not list", where=str(out), hint=hint)


@contextlib.contextmanager
def _exclusive(out: Path) -> Iterator[None]:
    """Hold the lock file beside `out`; the system releases it with the process. Raises InputError if it is held."""
    path = out.with_name(f".{out.name}.lock")
    descriptor = _locked(path, out)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        os.close(descriptor)


def _locked(path: Path, out: Path) -> int:
    """Descriptor of the locked file at `path`."""
    busy = InputError("another process is writing to it", where=str(out), hint="wait for it, or give another folder")
    for _ in range(100):  # its holder removes the file: a lock on a removed one excludes nobody
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise InputError(f"output folder {out} is not writable ({error.strerror})") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    return descriptor
        except OSError as error:
            os.close(descriptor)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise busy from None
            raise InputError(f"cannot be locked ({error.strerror})", where=str(path)) from None
        os.close(descriptor)
    raise busy


def _put_in_place(partial: Path, out: Path, previous: Path) -> None:
    """Rename `partial` to `out`; what was there before is at `partial` afterwards, or gone."""
    try:
        try:
            partial.rename(out)  # nothing or an empty folder is there
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        if not _exchange(partial, out):
            _replace_in_two(partial, out, previous)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(f"cannot be replaced ({reason})", where=str(out), hint="give another folder") from None


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step; false where the system or the file system cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    done = rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), ctypes.c_uint(_RENAME_EXCHANGE))
    return int(done) == 0


def _replace_in_two(partial: Path, out: Path, previous: Path) -> None:
    """Two renames; the first is undone if the second fails, by the next run if the process dies between them."""
    out.rename(previous)
    try:
        partial.rename(out)
    except BaseException:
        previous.rename(out)
        raise
    _remove(previous)


def _remove(path: Path) -> None:
    """Remove an output folder with its content, or what stands in its place; links are not followed."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path, ignore_errors=True)

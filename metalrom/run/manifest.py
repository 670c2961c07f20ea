"""The manifest of an output folder: what it holds, what went in, and the SHA-256 of every file in it."""

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from interconnect.errors import DamagedFile, InputError
from interconnect.files import atomic_write_text

MANIFEST = "manifest.json"
LARGEST_MANIFEST = 2**24
"""Bytes."""
_LARGEST_FILE = 2**32
"""Bytes of one file of an output folder."""

RERUN_HINT = "run the configuration again"

RUN, CHARACTERIZATION = "run", "characterization"
"""Kinds of output folders."""


@dataclass(frozen=True)
class Manifest:
    """The manifest of an output folder.

    Attributes
    ----------
    files
        Path inside the folder (with `/`) -> SHA-256 of its bytes, of every file but the manifest itself.
    content
        The whole document.
    """

    files: Mapping[str, str]
    content: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """`run` or `characterization`."""
        return str(self.content.get("kind", RUN))


def write_manifest(folder: Path, content: Mapping[str, Any]) -> Path:
    """Write `manifest.json`: `content`, and the hash of every file in `folder`. Returns its path, raises InputError."""
    files = {name: _sha256(read_inside(folder, name)) for name in file_names(folder) if name != MANIFEST}
    document = {**{key: value for key, value in content.items() if key != "files"}, "files": files}
    return atomic_write_text(folder / MANIFEST, json.dumps(document, indent=1) + "\n")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an output folder.

    Raises
    ------
    InputError
        There is no such folder, or no manifest in it.
    DamagedFile
        The manifest is not a JSON object that lists files by paths inside the folder and SHA-256.
    """
    path = folder / MANIFEST
    try:
        raw = read_inside(folder, MANIFEST, limit=LARGEST_MANIFEST)
    except FileNotFoundError:
        hint = "give the output folder of a finished `metalrom run`"
        raise InputError("there is no such file", where=str(path), hint=hint) from None
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise DamagedFile("is not a JSON document", where=str(path), hint=RERUN_HINT) from error
    files = content.get("files") if isinstance(content, dict) else None
    if not isinstance(files, dict) or not all(_is_entry(name, digest) for name, digest in files.items()):
        raise DamagedFile("does not list the files of an output folder", where=str(path), hint=RERUN_HINT)
    return Manifest(files, content)


def read_listed(folder: Path, manifest: Manifest, name: str) -> bytes:
    """The bytes of a listed file, equal to those that were written.

    Raises
    ------
    InputError
        The manifest does not list the file.
    DamagedFile
        The file is missing, unreadable, no plain file, or its SHA-256 is not the listed one.
    """
    where = str(folder / name)
    if name not in manifest.files:
        raise InputError(f"is not listed in {MANIFEST}", where=where, hint=RERUN_HINT)
    try:
        content = read_inside(folder, name)
    except FileNotFoundError:
        raise DamagedFile("is missing", where=where, hint=RERUN_HINT) from None
    if _sha256(content) != manifest.files[name]:
        raise DamagedFile(
            f"was changed after the run (its SHA-256 differs from {MANIFEST})", where=where, hint=RERUN_HINT
        )
    return content


def read_inside(folder: Path, name: str, *, limit: int = _LARGEST_FILE) -> bytes:
    """The bytes of a plain file inside `folder`. Links inside it are not followed, pipes and devices not opened.

    Raises FileNotFoundError if there is none, DamagedFile for anything else that keeps it from being read.
    """
    where = str(folder / name)
    *folders, last = PurePosixPath(name).parts
    descriptor = -1
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        for part in folders:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        # A pipe is opened without waiting for its other end, and refused by its kind.
        inner = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise DamagedFile("is not a regular file", where=where, hint=RERUN_HINT)
        if state.st_size > limit:
            raise DamagedFile(f"is larger than {limit} bytes", where=where, hint=RERUN_HINT)
        with os.fdopen(descriptor, "rb") as file:
            descriptor = -1
            return file.read()
    except FileNotFoundError:
        raise
    except OSError as error:
        reason = "links are not followed" if _is_link(folder, name) else error.strerror or type(error).__name__
        raise DamagedFile(f"cannot be read ({reason})", where=where, hint=RERUN_HINT) from None
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def file_names(folder: Path) -> list[str]:
    """Everything in `folder` that is no folder, by its path inside with `/`, sorted; links are not followed."""
    found = []
    for base, folders, names in os.walk(folder, followlinks=False):
        links = [name for name in folders if Path(base, name).is_symlink()]
        found += [Path(base, name).relative_to(folder).as_posix() for name in (*names, *links)]
    return sorted(found)


def _is_entry(name: object, digest: object) -> bool:
    """Whether a line of `files` is a path inside the folder, written in the one way, and a text."""
    if not isinstance(name, str) or not isinstance(digest, str) or "\0" in name:
        return False
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and str(path) == name


def _is_link(folder: Path, name: str) -> bool:
    path = PurePosixPath(name)
    inside = [p for p in (path, *path.parents) if p.parts]
    return any((folder / p).is_symlink() for p in inside)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

"""The temporary folder of this process: folders of runs and snapshots of input files lie in it, and it goes with the
process. What a killed process left behind is removed by the next one."""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from ngspice_runner.errors import EngineError

PREFIX = "ngspice_runner-"
_lock = threading.Lock()
_folders: dict[str, str] = {}
_swept: set[str] = set()


def workspace() -> str:
    """This process's folder below the system's temporary folder. Raises EngineError when it cannot be made."""
    place = tempfile.gettempdir()
    with _lock:
        folder = _folders.get(place)
        if folder is None or not Path(folder).is_dir():
            if place not in _swept:
                _swept.add(place)
                _sweep_leftovers(place)
            try:
                folder = _folders[place] = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=place)
            except OSError as error:
                raise EngineError(f"no temporary folder can be made in {place} ({error.strerror})") from None
        return folder


def make_folder(prefix: str) -> str:
    """A new folder in it. Raises EngineError."""
    base = workspace()
    try:
        return tempfile.mkdtemp(prefix=prefix, dir=base)
    except OSError as error:
        raise EngineError(f"no temporary folder can be made in {base} ({error.strerror})") from None


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new folder in it while the block runs. Raises EngineError."""
    folder = make_folder("scratch-")
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep_leftovers(place: str) -> None:
    with contextlib.suppress(OSError):
        for entry in os.scandir(place):
            match = re.match(rf"{PREFIX}(\d+)-", entry.name)
            if match and int(match.group(1)) != os.getpid() and entry.stat().st_uid == os.getuid():
                try:
                    os.kill(int(match.group(1)), 0)
                except ProcessLookupError:
                    shutil.rmtree(entry.path, ignore_errors=True)
                except PermissionError:
                    continue


def _remove() -> None:
    for folder in _folders.values():
        shutil.rmtree(folder, ignore_errors=True)


def _forget() -> None:
    """In a forked child: the folders belong to the parent."""
    global _lock
    _lock = threading.Lock()
    _folders.clear()


atexit.register(_remove)
os.register_at_fork(after_in_child=_forget)

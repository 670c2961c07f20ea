"""Folders in which engines run, each with a thread of the sandbox that may write there alone; used again and again,
emptied in between."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from ngspice_runner.backends.sandbox import Confinement, Starter, sandbox
from ngspice_runner.workspace import make_folder

_T = TypeVar("_T")
_lock = threading.Lock()
_idle: dict[Confinement, list[RunPlace]] = {}


class RunPlace:
    """A folder, and how to start a program that may write there alone. confinement: what else it may do; None is
    anything, and all that there is without a sandbox."""

    def __init__(self, confinement: Confinement | None) -> None:
        self.folder = make_folder("run-")
        self._starter = None if confinement is None else Starter(confinement, self.folder)

    def start(self, begin: Callable[[], _T]) -> _T:
        """What `begin`, which starts a program, returns or raises. Raises OSError where the rules cannot be taken."""
        return begin() if self._starter is None else self._starter.run(begin)

    def clean(self) -> bool:
        """Remove what a run has left; False when the folder is not good for another."""
        if self._starter is None:
            return False
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        shutil.rmtree(entry.path)
                    else:
                        Path(entry.path).unlink()
        except OSError:
            return False
        return True

    def end(self) -> None:
        """Remove the folder and end its thread."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._starter is not None:
            self._starter.end()


@contextlib.contextmanager
def run_place(confinement: Confinement | None) -> Iterator[RunPlace]:
    """An empty folder for one run; without a sandbox on this machine, as for a confinement of None. Raises EngineError
    when there can be none."""
    if not sandbox().landlock:
        confinement = None
    place: RunPlace | None = None
    if confinement is not None:
        with _lock:
            idle = _idle.get(confinement)
            place = idle.pop() if idle else None
        if place is not None and not Path(place.folder).is_dir():
            place.end()
            place = None
    if place is None:
        _end_lost()
        place = RunPlace(confinement)
    try:
        yield place
    finally:
        if confinement is not None and place.clean():
            with _lock:
                _idle.setdefault(confinement, []).append(place)
        else:
            place.end()


def _end_lost() -> None:
    """End the idle places whose folders are gone, as those of an earlier temporary folder are."""
    lost: list[RunPlace] = []
    with _lock:
        for confinement, places in list(_idle.items()):
            here = [place for place in places if Path(place.folder).is_dir()]
            lost += [place for place in places if place not in here]
            _idle[confinement] = here
            if not here:
                del _idle[confinement]
    for place in lost:
        place.end()


def _forget() -> None:
    """In a forked child: folders and threads belong to the parent."""
    global _lock
    _lock = threading.Lock()
    _idle.clear()


os.register_at_fork(after_in_child=_forget)

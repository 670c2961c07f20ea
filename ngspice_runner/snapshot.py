"""Copies of input files that an engine reads in place of the files themselves, so that it reads what was hashed.

A snapshot holds the files of one deck, one folder for each different set of contents; jobs with the same files share
it. A line that names another file names its copy there, and every line stays where it is. Nothing is linked: a file
that is edited in place would change its links too.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ngspice_runner.errors import EngineError
from ngspice_runner.workspace import make_folder

_KEPT = 64
"""So many snapshots stay for later jobs; one in use stays anyway."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """folder: where the copies are, file `i` as `f<i>`; names: what the author calls them."""

    folder: str
    names: tuple[str, ...]

    def path(self, number: int) -> str:
        """The copy's path."""
        return f"{self.folder}/f{number}"

    def restore_names(self, text: str) -> str:
        """A message of the engine with the author's names in place of those of the copies."""
        if self.folder.lower() not in text.lower():
            return text
        pattern = re.compile(rf"{re.escape(self.folder)}/f(\d+)", re.IGNORECASE)
        return pattern.sub(lambda match: self.names[int(match[1])], text)


_lock = threading.Lock()
_kept: OrderedDict[Hashable, Snapshot] = OrderedDict()


def take_snapshot(
    key: Hashable, names: Sequence[str], contents: Callable[[Snapshot], Iterable[tuple[str, bytes]]]
) -> Snapshot:
    """The snapshot of a set of contents, made unless it is there.

    contents: (name in the folder, bytes) of what to write into the given snapshot. Raises EngineError.
    """
    with _lock:
        found = _kept.get(key)
        if found is not None and Path(found.folder).is_dir():
            _kept.move_to_end(key)
            return found
        made = Snapshot(make_folder("files-"), tuple(names))
        weakref.finalize(made, _remove, made.folder, os.getpid())
        try:
            for name, data in contents(made):
                path = Path(made.folder, name)
                path.write_bytes(data)
                path.chmod(0o444)
        except OSError as error:
            raise EngineError(f"input files cannot be copied to {made.folder} ({error.strerror})") from None
        _kept[key] = made
        while len(_kept) > _KEPT:
            _kept.popitem(last=False)
        return made


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _forget() -> None:
    """In a forked child: the folders belong to the parent."""
    global _lock
    _lock = threading.Lock()
    _kept.clear()


os.register_at_fork(after_in_child=_forget)

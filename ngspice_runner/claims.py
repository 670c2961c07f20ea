"""Claims on keys of one cache, so that no two threads or processes run the same job at the same time.

A claim is a record lock of one byte in `claims.lock`, at an offset made from the key. The operating system drops it
when its process ends, however it ends: a claim cannot outlive its owner, and nothing has to be cleaned up. Locks belong
to a process, so threads of one process are kept apart by a set in memory.
"""

import fcntl
import os
import threading
from pathlib import Path

_FILE = "claims.lock"
_lock = threading.Lock()
# Closing any descriptor of the file would drop every lock of the process on it: one stays open per file.
_descriptors: dict[tuple[int, str], int] = {}
_held: set[tuple[int, str, str]] = set()


class Claims:
    """Claims in the cache folder `folder`. Where locks are not supported, every claim succeeds: work goes on without
    this protection, and `trouble` says why."""

    def __init__(self, folder: Path) -> None:
        self._path = str((folder / _FILE).absolute())
        self.trouble = ""

    def take(self, key: str) -> bool:
        """Claim a key (hex digits); False when another thread or process holds it. Never waits."""
        entry = (os.getpid(), self._path, key)
        with _lock:
            if entry in _held:
                return False
            try:
                fcntl.lockf(self._descriptor(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _offset(key), os.SEEK_SET)
            except BlockingIOError:
                return False
            except OSError as error:
                self.trouble = f"{self._path}: {error.strerror}"
            _held.add(entry)
            return True

    def release(self, key: str) -> None:
        """Give a claim back; nothing happens when it is not held."""
        entry = (os.getpid(), self._path, key)
        with _lock:
            if entry not in _held:
                return
            _held.discard(entry)
            try:
                fcntl.lockf(self._descriptor(), fcntl.LOCK_UN, 1, _offset(key), os.SEEK_SET)
            except OSError as error:
                self.trouble = f"{self._path}: {error.strerror}"

    def _descriptor(self) -> int:
        owner = (os.getpid(), self._path)
        if owner not in _descriptors:
            _descriptors[owner] = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        return _descriptors[owner]


def _offset(key: str) -> int:
    """60 bits of the key; two keys with one offset only wait for each other."""
    return int(key[:15], 16)

"""Answers the one system call of a confined engine that its rules cannot describe: an open with O_TMPFILE.

The filter of `sandbox` has a listener (`seccomp_unotify(2)`); a thread waits on it and hands out nameless files.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import struct
import threading

_RECEIVE, _SEND, _ADD_FILE = 0xC0502100, 0xC0182101, 0x40182103
"""Requests of ioctl (linux/seccomp.h)."""
_NOTICE = 80


def serve(listener: int, folder: str) -> None:
    """Answer what comes to a listener with files of `folder`, until no process is left behind it. To be called
    without a filter: a thread inherits it."""
    threading.Thread(target=_work, args=(listener, folder), name="temporary files", daemon=True).start()


def _work(listener: int, folder: str) -> None:
    poller = select.poll()
    poller.register(listener, select.POLLIN)
    while poller.poll()[0][1] & select.POLLIN:
        notice = bytearray(_NOTICE)
        with contextlib.suppress(OSError):  # the process may have been killed meanwhile
            fcntl.ioctl(listener, _RECEIVE, notice)
            _answer(listener, struct.unpack_from("=Q", notice)[0], folder)
    os.close(listener)  # nobody is left behind it


def _answer(listener: int, number: int, folder: str) -> None:
    given, error = 0, -errno.EACCES
    with contextlib.suppress(OSError):
        file = _nameless_file(folder)
        try:
            given = fcntl.ioctl(listener, _ADD_FILE, bytearray(struct.pack("=QIIII", number, 0, file, 0, 0)))
            error = 0
        finally:
            os.close(file)
    with contextlib.suppress(OSError):
        fcntl.ioctl(listener, _SEND, struct.pack("=QqiI", number, given, error, 0))


def _nameless_file(folder: str) -> int:
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        return os.memfd_create("engine", os.MFD_CLOEXEC)  # file systems without nameless files

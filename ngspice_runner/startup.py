"""The start-up file and the code models of an installation, as an engine with code models reads them: copies."""

from __future__ import annotations

import hashlib
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from ngspice_runner.engine import Engine, system_spinit
from ngspice_runner.snapshot import Snapshot, take_snapshot

OWN_SCRIPTS = str(Path(__file__).resolve().parent / "scripts")
"""Folder of the start-up file of engines without code models."""
_LOADED = re.compile(rb"^([ \t]*(?:codemodel|osdi|pre_osdi)[ \t]+)(\S+)", re.IGNORECASE | re.MULTILINE)


_FRESH_NS = 2_000_000_000
_memo: dict[Path, tuple[list[tuple[int, ...]], list[Path], StartUp]] = {}


@dataclass(frozen=True, slots=True)
class StartUp:
    """scripts: folder of the start-up file, empty for that of the installation; inputs: as in `RunProvenance`."""

    scripts: str
    inputs: tuple[tuple[str, str, str], ...] = ()
    snapshot: Snapshot | None = None


def start_up(engine: Engine, code_models: bool) -> StartUp:
    """What an engine starts with. Raises EngineError when copies cannot be made."""
    if not code_models:
        return StartUp(OWN_SCRIPTS)
    spinit = system_spinit(engine)
    if spinit is None:
        return StartUp("")
    known = _memo.get(spinit)
    if known is not None and known[0] == _identities(known[1]) and Path(known[2].scripts).is_dir():
        return known[2]
    text = spinit.read_bytes()
    files = [spinit]
    numbers: dict[str, int] = {}
    for _, name in _LOADED.findall(text):
        path = Path(name.decode("utf-8", "surrogateescape"))
        if str(path) not in numbers and path.is_file():
            numbers[str(path)] = len(files)
            files.append(path)
    identities = _identities(files)
    contents = [path.read_bytes() for path in files]
    text = contents[0]
    digests = tuple(hashlib.sha256(data).hexdigest() for data in contents)

    def copies(made: Snapshot) -> list[tuple[str, bytes]]:
        def moved(match: re.Match[bytes]) -> bytes:
            number = numbers.get(match[2].decode("utf-8", "surrogateescape"))
            return match[0] if number is None else match[1] + made.path(number).encode()

        return [("spinit", _LOADED.sub(moved, text)), *((f"f{i}", contents[i]) for i in range(1, len(files)))]

    names = tuple(str(path) for path in files)
    made = take_snapshot(("start-up", names, digests), names, copies)
    found = StartUp(made.folder, tuple(zip((path.name for path in files), names, digests, strict=True)), made)
    # Times of files that changed a moment ago do not show another change.
    if all(time.time_ns() - max(entry[2:]) > _FRESH_NS for entry in identities):
        _memo[spinit] = (identities, files, found)
    else:
        _memo.pop(spinit, None)
    return found


def _identities(files: list[Path]) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = []
    for path in files:
        try:
            status = path.stat()
        except OSError:
            return []
        found.append((status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    return found


os.register_at_fork(after_in_child=_memo.clear)  # the copies belong to the parent

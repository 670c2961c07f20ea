"""Files that a deck pulls in: found the way ngspice finds them, read once, hashed for the cache key."""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ngspice_runner.deck import ParsedDeck
from ngspice_runner.randomness import FUNCTIONS

_NESTED = re.compile(
    rb"^[ \t]*\.(inc|lib)\w*[ \t]*(?:\"([^\"\r\n]*)\"|'([^'\r\n]*)'|(?<=[ \t])(\S+))[ \t]*([^\s$;*]+)?",
    re.IGNORECASE | re.MULTILINE,
)
_CODE_MODELS = re.compile(
    rb"^[ \t]*a\w*[ \t]+|\bpoly[ \t]*\(|^[ \t]*[eg]\w*[ \t][^\n]*\btable\b", re.IGNORECASE | re.MULTILINE
)
_ANALYSIS = re.compile(rb"^[ \t]*\.(op|tran|ac|dc|noise|tf|sens|pz|disto|sp|control)\b", re.IGNORECASE | re.MULTILINE)
_COMMANDS = re.compile(
    rb"^[ \t]*(?:\.control[^\n]*\n[^\n]*|\*#[ \t]*[^\s#*=+_.~-][^\n]*"
    rb"|[^*\n][^\n]*\b(?:process_file|d_process|d_cosim)\b[^\n]*)",
    re.IGNORECASE | re.MULTILINE,
)
_ODD = rb"(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?(?:[MFaA](?![a-z])|[MF](?i:hz|ohms?|farad)|(?i:meg|[tgkmunpfr])\d+)"
_SUFFIXED = re.compile(
    rb"^[ \t]*(?:[rclRCL]\w*[ \t]+[^\s*]\S*[ \t]+\S+[ \t]+("
    + _ODD
    + rb")|(?i:\.param)\b[^\n]*?=[ \t]*("
    + _ODD
    + rb"))(?![\w.])",
    re.MULTILINE,
)
_GROUNDED = re.compile(rb"^[ \t]*\.subckt[ \t][^\n]*[ \t]gnd\b[^\n]*", re.MULTILINE | re.IGNORECASE)
_FIRST = 20
"""So many of an included file's odd values are looked at."""
_FRESH_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class _Scan:
    sha256: str
    nested: tuple[str, ...]
    code_models: bool
    analysis: bool
    random: bool
    values: tuple[tuple[int, str, bool], ...]
    grounded: tuple[tuple[str, int], ...]
    command: tuple[int, str] | None
    identity: tuple[int, ...]
    settled: bool


@dataclass(frozen=True, slots=True)
class IncludeSet:
    """Everything that a deck includes.

    hashes: (name as written, SHA-256 or `missing`) in reading order, nested ones too. paths: name as written in the
    deck itself -> absolute path. missing: names in the deck itself that no file answers to. links: (relative name,
    target) of nested includes that are found from the deck's folder and not beside the file that includes them.
    commands: (path, line, text) of the first command that ngspice would execute, of each file that has one. files:
    (path, identity on disk, SHA-256 if that does not show every change). absent: paths that were looked for before the
    file that was taken.
    """

    hashes: tuple[tuple[str, str], ...] = ()
    paths: tuple[tuple[str, str], ...] = ()
    missing: tuple[tuple[str, int], ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    code_models: bool = False
    analysis: bool = False
    random: bool = False
    commands: tuple[tuple[str, int, str], ...] = ()
    files: tuple[tuple[str, tuple[int, ...], str], ...] = ()
    values: tuple[tuple[str, int, str, bool], ...] = ()
    grounded: tuple[tuple[str, int], ...] = ()
    absent: tuple[str, ...] = ()

    def changes(self) -> list[str]:
        """Paths of files that are not, or may not have been, what was hashed."""
        return [path for path, identity, sha256 in self.files if _changed(path, identity, sha256)] + [
            path for path in self.absent if os.path.lexists(path)
        ]


def _changed(path: str, identity: tuple[int, ...], sha256: str) -> bool:
    try:
        return _identity(Path(path).stat()) != identity or (
            sha256 != "" and hashlib.sha256(Path(path).read_bytes()).hexdigest() != sha256
        )
    except OSError:
        return True


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


_memo: dict[tuple[str, tuple[int, ...]], _Scan] = {}
_lock = threading.Lock()


def scan_includes(deck: ParsedDeck, folder: str | None, extra: tuple[str, ...] = ()) -> IncludeSet:
    """Find and hash the includes of a deck whose relative names start from `folder` (None: the working folder).

    Like ngspice, a relative name is looked up from the deck's folder first, then beside the including file. `extra`
    names further files that the result depends on.
    """
    if not deck.includes and not extra:
        return IncludeSet()
    base = Path(folder) if folder else Path.cwd()
    hashes: list[tuple[str, str]] = []
    paths: list[tuple[str, str]] = []
    missing: list[tuple[str, int]] = []
    links: dict[str, str] = {}
    commands: list[tuple[str, int, str]] = []
    values: list[tuple[str, int, str, bool]] = []
    grounded: list[tuple[str, int]] = []
    files: dict[str, tuple[str, tuple[int, ...], str]] = {}
    absent: dict[str, None] = {}
    seen: set[str] = set()
    flags = {"code_models": False, "analysis": False, "random": False}

    def visit(name: str, path: Path) -> None:
        scan = _scan(path)
        hashes.append((name, scan.sha256))
        flags["code_models"] |= scan.code_models
        flags["analysis"] |= scan.analysis
        flags["random"] |= scan.random
        if str(path) in seen:
            return
        seen.add(str(path))
        files[str(path)] = (str(path), scan.identity, "" if scan.settled else scan.sha256)
        values.extend((str(path), *value) for value in scan.values)
        grounded.extend(scan.grounded)
        if scan.command:
            commands.append((str(path), *scan.command))
        for inner in scan.nested:
            found = _resolve(inner, base, path.parent, absent)
            if found is None:
                hashes.append((inner, "missing"))
                continue
            if not Path(inner).is_absolute() and found == base / inner and ".." not in Path(inner).parts:
                links[inner] = str(found)
            visit(inner, found)

    for include in deck.includes:
        found = _resolve(include.name, base, base, absent)
        if found is None:
            missing.append((include.name, include.line))
            continue
        paths.append((include.name, str(found)))
        visit(include.name, found)
    for name in extra:
        found = _resolve(name, base, base, absent)
        if found is None:
            missing.append((name, 0))
        else:
            scan = _scan(found)
            hashes.append((name, scan.sha256))
            files[str(found)] = (str(found), scan.identity, "" if scan.settled else scan.sha256)
    return IncludeSet(
        hashes=tuple(hashes),
        paths=tuple(paths),
        missing=tuple(missing),
        links=tuple(links.items()),
        code_models=flags["code_models"],
        analysis=flags["analysis"],
        random=flags["random"],
        commands=tuple(commands),
        files=tuple(files.values()),
        values=tuple(values),
        grounded=tuple(grounded),
        absent=tuple(path for path in absent if not os.path.lexists(path)),
    )


def _resolve(name: str, base: Path, beside: Path, absent: dict[str, None]) -> Path | None:
    for start in (base, beside):
        candidate = (start / Path(name).expanduser()).absolute()
        if candidate.is_file():
            return candidate
        absent[str(candidate)] = None
    return None


def _scan(path: Path) -> _Scan:
    status = path.stat()
    key = (str(path), _identity(status))
    with _lock:
        known = _memo.get(key)
    if known is not None:
        return known
    data = path.read_bytes()
    nested = []
    for keyword, double, single, bare, section in _NESTED.findall(data):
        if keyword.lower() != b"lib" or section:
            nested.append((double or single or bare).decode("utf-8", "surrogateescape"))
    command = _COMMANDS.search(data)
    # A file changed within the last moments could change again without its times showing it: remember only settled
    # files.
    settled = time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > _FRESH_NS
    scan = _Scan(
        hashlib.sha256(data).hexdigest(),
        tuple(nested),
        bool(_CODE_MODELS.search(data)),
        bool(_ANALYSIS.search(data)),
        _draws(data),
        tuple(_suffixed_values(data)),
        tuple(_grounded_pins(data)),
        None
        if command is None
        else (data.count(b"\n", 0, command.start()) + 1, " ".join(command.group().decode("utf-8", "replace").split())),
        key[1],
        settled,
    )
    if settled:
        with _lock:
            if len(_memo) > 4096:
                _memo.clear()
            _memo[key] = scan
    return scan


def _suffixed_values(data: bytes) -> Iterator[tuple[int, str, bool]]:
    """(line, number, in a parameter) of numbers with an unusual suffix: values of R, C and L, and `.param`s."""
    for match in islice(_SUFFIXED.finditer(data), _FIRST):
        yield data.count(b"\n", 0, match.start()) + 1, (match[1] or match[2]).decode(), match[1] is None


def _grounded_pins(data: bytes) -> Iterator[tuple[str, int]]:
    for match in _GROUNDED.finditer(data):
        words = match.group().decode("utf-8", "replace").lower().split()
        if "gnd" in words[2:]:
            yield words[1], words.index("gnd", 2) - 2


def _draws(data: bytes) -> bool:
    lowered = data.lower()
    return (b"gauss" in lowered or b"unif" in lowered) and bool(FUNCTIONS.search(lowered))


def uses_code_models(text: str) -> bool:
    """True when a deck has `A` devices, POLY or TABLE sources, which need the engine's code models to be loaded."""
    lowered = text.lower()
    if not any(word in lowered for word in ("\na", "\n a", "\n\ta", "poly", "table")):
        return False
    return bool(_CODE_MODELS.search(lowered.partition("\n")[2].encode("utf-8", "replace")))

"""Files that a deck pulls in: found the way ngspice finds them, read once, hashed for the cache key, and copied.

The engine reads the copies of the very bytes that were hashed, so that a file may be edited at any time: between key
and start, during a job or a sweep.
"""

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
from ngspice_runner.errors import JobError
from ngspice_runner.randomness import FUNCTIONS
from ngspice_runner.snapshot import Snapshot, take_snapshot

_NESTED = re.compile(
    rb"^[ \t]*\.(inc|lib)\w*[ \t]*(?:\"([^\"\r\n]*)\"|'([^'\r\n]*)'|(?<=[ \t])(\S+))[ \t]*([^\s$;*]+)?",
    re.IGNORECASE | re.MULTILINE,
)
_DATA = re.compile(rb"\b((?:\w+_)?file[ \t]*=[ \t]*)(?:\"([^\"\r\n]+)\"|'([^'\r\n]+)'|([^\s\"')]+))", re.IGNORECASE)
"""A parameter that names a file, such as `file="stimulus.txt"` of a code model."""
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
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
_ATTEMPTS = 4
_ABSENT = -1


@dataclass(frozen=True, slots=True)
class _Scan:
    sha256: str
    nested: tuple[str, ...]
    data: tuple[str, ...]
    code_models: bool
    analysis: bool
    random: bool
    values: tuple[tuple[int, str, bool], ...]
    grounded: tuple[tuple[str, int], ...]
    command: tuple[int, str] | None


@dataclass(frozen=True, slots=True)
class IncludeSet:
    """Everything that a deck includes.

    hashes: (name as written, SHA-256 or `missing`) in reading order, nested ones too. paths: name as written in the
    deck itself -> path of the copy. missing: names in the deck itself that no file answers to. data: the same as paths,
    of parameters that name a file. commands: (path, line, text) of the first command that ngspice would execute, of
    each file that has one. inputs, variables: as in `RunProvenance`.
    """

    hashes: tuple[tuple[str, str], ...] = ()
    paths: tuple[tuple[str, str], ...] = ()
    missing: tuple[tuple[str, int], ...] = ()
    data: tuple[tuple[str, str], ...] = ()
    code_models: bool = False
    analysis: bool = False
    random: bool = False
    commands: tuple[tuple[str, int, str], ...] = ()
    values: tuple[tuple[str, int, str, bool], ...] = ()
    grounded: tuple[tuple[str, int], ...] = ()
    inputs: tuple[tuple[str, str, str], ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    snapshot: Snapshot | None = None


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


_Key = tuple[str, tuple[int, ...]]
_memo: dict[_Key, _Scan] = {}
_lock = threading.Lock()


def scan_includes(
    deck: ParsedDeck, folder: str | None, extra: tuple[str, ...] = (), *, data_files: bool = False
) -> IncludeSet:
    """Find, hash and copy the includes of a deck whose relative names start from `folder` (None: the working folder).

    Like ngspice, a relative name is looked up from the deck's folder first, then beside the including file; environment
    variables in names (`$PDK_ROOT`) count, which ngspice leaves alone. `extra` names further files that the result
    depends on. data_files: look for parameters that name a file. Raises EngineError when copies cannot be made.
    """
    if not deck.includes and not extra and not data_files:
        return IncludeSet()
    base = Path(folder) if folder else Path.cwd()
    path = ""
    for _ in range(_ATTEMPTS):
        try:
            return _Reading(base).include_set(deck, extra, data_files=data_files)
        except _ChangedError as changed:
            path = changed.key[0]
            with _lock:
                _memo.pop(changed.key, None)
    raise JobError(f"{path} changes faster than it can be read")


class _ChangedError(Exception):
    """A file is no longer what is remembered of it."""

    def __init__(self, key: _Key) -> None:
        super().__init__(key[0])
        self.key = key


class _Reading:
    """One look at a deck's files; each is read at most once, and numbered."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._numbers: dict[str, int] = {}
        self._scans: list[_Scan] = []
        self._keys: list[_Key] = []
        self._read: list[bytes | None] = []
        self._targets: list[dict[str, int]] = []
        self._hashes: list[tuple[str, str]] = []
        self._variables: dict[str, str] = {}

    def include_set(self, deck: ParsedDeck, extra: tuple[str, ...], *, data_files: bool) -> IncludeSet:
        """See `scan_includes`. Raises _ChangedError."""
        found: dict[str, int] = {}
        missing: list[tuple[str, int]] = []
        for name, line in [(i.name, i.line) for i in deck.includes] + [(name, 0) for name in extra]:
            path = self._resolve(name, self._base)
            if path is None:
                missing.append((name, line))
            else:
                found[name] = self._visit(name, path, nested=line > 0)
        data = {}
        for _, card in deck.cards if data_files else ():
            for name in _data_names(card.encode("utf-8", "surrogateescape")):
                if (path := self._resolve(name, self._base)) is not None:
                    data[name] = self._visit(name, path, nested=False)
        known = len(self._scans)  # files that are only named, not found, follow in `_targets`
        snapshot = self._snapshot() if known else None
        scans = [(key[0], scan) for key, scan in zip(self._keys, self._scans, strict=True)]
        direct = [(name, *scans[number]) for name, number in (found | data).items()]
        inputs = [(name, path, scan.sha256) for name, path, scan in direct]
        if known > len(direct):
            digest = hashlib.sha256("".join(sorted(scan.sha256 for _, scan in scans)).encode()).hexdigest()
            inputs.append(("all files", f"{known} files", digest))
        included = {name: number for name, number in found.items() if name not in extra}
        return IncludeSet(
            hashes=tuple(self._hashes),
            paths=() if snapshot is None else tuple((n, snapshot.path(i)) for n, i in included.items()),
            missing=tuple(missing),
            data=() if snapshot is None else tuple((n, snapshot.path(i)) for n, i in data.items()),
            code_models=any(scan.code_models for _, scan in scans),
            analysis=any(scan.analysis for _, scan in scans),
            random=any(scan.random for _, scan in scans),
            commands=tuple((path, *scan.command) for path, scan in scans if scan.command),
            values=tuple((path, *value) for path, scan in scans for value in scan.values),
            grounded=tuple(pin for _, scan in scans for pin in scan.grounded),
            inputs=tuple(inputs),
            variables=tuple(sorted(self._variables.items())),
            snapshot=snapshot,
        )

    def _visit(self, name: str, path: Path, *, nested: bool) -> int:
        number = self._numbers.get(str(path))
        if number is not None:
            self._hashes.append((name, self._scans[number].sha256))
            return number
        key, scan, data = _scan(path)
        number = self._numbers[str(path)] = len(self._scans)
        self._hashes.append((name, scan.sha256))
        self._scans.append(scan)
        self._keys.append(key)
        self._read.append(data)
        targets: dict[str, int] = {}
        self._targets.append(targets)
        for inner in scan.nested if nested else ():
            if (found := self._resolve(inner, path.parent)) is not None:
                targets[inner] = self._visit(inner, found, nested=True)
            else:
                self._hashes.append((inner, "missing"))
                targets[inner] = _ABSENT
        for inner in scan.data if nested else ():
            if (found := self._resolve(inner, path.parent)) is not None:
                targets[inner] = self._visit(inner, found, nested=False)
        return number

    def _resolve(self, name: str, beside: Path) -> Path | None:
        for written in dict.fromkeys((name, self._expanded(name))):
            for start in dict.fromkeys((self._base, beside)):
                candidate = (start / Path(written).expanduser()).absolute()
                if candidate.is_file():
                    return candidate
        return None

    def _expanded(self, name: str) -> str:
        if "$" not in name:
            return name

        def value(match: re.Match[str]) -> str:
            variable = match[1] or match[2]
            if variable not in os.environ:
                return match[0]
            self._variables[variable] = os.environ[variable]
            return os.environ[variable]

        return _VARIABLE.sub(value, name)

    def _snapshot(self) -> Snapshot:
        names = [key[0] for key in self._keys]
        absent = dict.fromkeys(n for targets in self._targets for n, i in targets.items() if i == _ABSENT)
        places = {name: len(names) + i for i, name in enumerate(absent)}
        targets = [{n: places[n] if i == _ABSENT else i for n, i in t.items()} for t in self._targets]
        key = (*zip(names, (s.sha256 for s in self._scans), (tuple(t.items()) for t in targets), strict=True),)

        def copies(made: Snapshot) -> Iterator[tuple[str, bytes]]:
            for number, (file, known) in enumerate(zip(self._keys, self._read, strict=True)):
                data = Path(file[0]).read_bytes() if known is None else known
                if known is None and hashlib.sha256(data).hexdigest() != self._scans[number].sha256:
                    raise _ChangedError(file)
                yield f"f{number}", _renamed(data, {n: made.path(i) for n, i in targets[number].items()})

        return take_snapshot(key, (*names, *places), copies)


def rename_data(card: str, paths: dict[str, str]) -> str:
    """A line of a deck with other names of data files."""

    def value(match: re.Match[bytes]) -> bytes:
        path = paths.get((match[2] or match[3] or match[4]).decode("utf-8", "surrogateescape"))
        return match[0] if path is None else match[1] + f'"{path}"'.encode()

    return _DATA.sub(value, card.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def unset_variables(name: str) -> list[str]:
    """Environment variables in a name that are not set."""
    return [a or b for a, b in _VARIABLE.findall(name) if (a or b) not in os.environ]


def _renamed(data: bytes, paths: dict[str, str]) -> bytes:
    """A file's content with the names of other files exchanged; its lines stay."""
    if not paths:
        return data

    def value(match: re.Match[bytes]) -> bytes:
        group = next(i for i in (2, 3, 4) if match[i] is not None)
        path = paths.get(match[group].decode("utf-8", "surrogateescape"))
        if path is None:
            return match[0]
        quotes = 1 if group < 4 else 0
        start, end = match.start(group) - quotes - match.start(), match.end(group) + quotes - match.start()
        return match[0][:start] + f' "{path}"'.encode() + match[0][end:]

    return _DATA.sub(value, _NESTED.sub(value, data))


def _data_names(data: bytes) -> tuple[str, ...]:
    if b"file" not in data.lower():
        return ()
    names = (double or single or bare for _, double, single, bare in _DATA.findall(data))
    return tuple(dict.fromkeys(name.decode("utf-8", "surrogateescape") for name in names))


def _scan(path: Path) -> tuple[_Key, _Scan, bytes | None]:
    """What is in a file, and its bytes if they were read for that."""
    status = path.stat()
    key = (str(path), _identity(status))
    with _lock:
        known = _memo.get(key)
    if known is not None:
        return key, known, None
    data = path.read_bytes()
    nested = []
    for keyword, double, single, bare, section in _NESTED.findall(data):
        if keyword.lower() != b"lib" or section:
            nested.append((double or single or bare).decode("utf-8", "surrogateescape"))
    command = _COMMANDS.search(data)
    scan = _Scan(
        hashlib.sha256(data).hexdigest(),
        tuple(nested),
        _data_names(data),
        bool(_CODE_MODELS.search(data)),
        bool(_ANALYSIS.search(data)),
        _draws(data),
        tuple(_suffixed_values(data)),
        tuple(_grounded_pins(data)),
        None
        if command is None
        else (data.count(b"\n", 0, command.start()) + 1, " ".join(command.group().decode("utf-8", "replace").split())),
    )
    # A file changed within the last moments could change again without its times showing it: remember only settled
    # files.
    if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > _FRESH_NS:
        with _lock:
            if len(_memo) > 4096:
                _memo.clear()
            _memo[key] = scan
    return key, scan, data


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

"""Results kept by content: SQLite, one row per key, each row with its own checksum.

A key covers everything that a result depends on (see `prepare`), so a row is never out of date, only damaged. A row
whose checksum fails is set aside under another key; a damaged file is renamed and a new one built from the rows that
are whole. Nothing damaged is ever served. Several processes and threads may use one file. Where the disk is full or
the file cannot be written, results are simply not kept; `Cache.trouble` says why. A folder that this user can only
read serves what is in it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from interconnect.cachefolder import cache_folder, private_folder
from interconnect.errors import InputError
from ngspice_runner.claims import Claims
from ngspice_runner.errors import JobError
from ngspice_runner.job import Result, RunProvenance, Signal, Verdict

CACHED_VERDICTS = frozenset(
    {
        Verdict.OK,
        Verdict.SUSPECT,
        Verdict.MODEL,
        Verdict.PARSE,
        Verdict.CONVERGENCE,
        Verdict.TIMESTEP,
        Verdict.NONFINITE,
    }
)
"""Verdicts that come out the same when the job runs again. Others (timeout, killed, ...) are kept for the record
only."""

_TABLE = """CREATE TABLE IF NOT EXISTS results (
    key TEXT PRIMARY KEY, verdict TEXT NOT NULL, created REAL NOT NULL, meta TEXT NOT NULL, data BLOB NOT NULL,
    checksum BLOB NOT NULL)"""
_FILE = "results.sqlite"
_DAMAGED_ROW = "damaged:"
_DAMAGE_CODES = {1, 11, 26, 522}  # SQLITE_ERROR (no such table), CORRUPT, NOTADB, IOERR_SHORT_READ


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What is in a cache: file, bytes on disk, rows by verdict, rows and files set aside as damaged."""

    path: str
    bytes: int
    rows: dict[str, int]
    damaged_rows: int
    damaged_files: tuple[str, ...]


def default_cache_folder() -> Path:
    """METALROM_CACHE, else XDG_CACHE_HOME/metalrom, else ~/.cache/metalrom."""
    return cache_folder()


class Cache:
    """A result cache in `folder` (None: the user's cache folder). Raises JobError if the folder cannot be made or
    if other users can write it."""

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self.folder = Path(folder) if folder is not None else default_cache_folder()
        self.path = self.folder / _FILE
        self.trouble = ""
        self.claims = Claims(self.folder)
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int, int] | None = None
        try:
            private_folder(self.folder)
        except InputError as error:
            raise JobError(str(error)) from None

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None and self._identity is not None and self._identity[0] == os.getpid():
                with contextlib.suppress(sqlite3.Error):
                    self._connection.close()
            self._connection = None

    def get(self, key: str, *, any_verdict: bool = False) -> Result | None:
        """The result under a key, marked as cached; None when there is none that may be served."""
        row = self._guarded(
            lambda c: c.execute(
                "SELECT key, verdict, created, meta, data, checksum FROM results WHERE key = ?", (key,)
            ).fetchone()
        )
        if row is None:
            return None
        result = decode_row(row, key)
        if result is None:
            self._guarded(
                lambda c: c.execute(
                    "UPDATE OR REPLACE results SET key = ? WHERE key = ?",
                    (f"{_DAMAGED_ROW}{time.time_ns()}:{key}", key),
                )
            )
            return None
        return result if any_verdict or result.verdict in CACHED_VERDICTS else None

    def put(self, key: str, result: Result) -> bool:
        """Keep a result (committed when this returns True); False when it could not be written: see `trouble`."""
        return self.put_many([(key, result)])

    def put_many(self, results: Sequence[tuple[str, Result]]) -> bool:
        """Keep several results in one transaction: all of them or, when this returns False, none."""
        rows = [encode_row(key, result) for key, result in results]
        return self._guarded(lambda c: _insert(c, rows)) is not None

    def stats(self) -> CacheStats:
        """Counts and sizes."""
        rows = self._rows("SELECT verdict, key LIKE 'damaged:%', COUNT(*) FROM results GROUP BY 1, 2")
        size = sum(p.stat().st_size for p in self.folder.glob(f"{_FILE}*") if ".damaged" not in p.name)
        counts = {verdict: count for verdict, damaged, count in rows if not damaged}
        return CacheStats(str(self.path), size, counts, sum(r[2] for r in rows if r[1]), self._damaged_files())

    def verify(self) -> tuple[int, int]:
        """Check every row and the file's structure: (whole rows, rows newly set aside). A damaged file is rebuilt."""
        structure = self._guarded(lambda c: c.execute("PRAGMA integrity_check").fetchone())
        if structure is not None and structure[0] != "ok":
            self._set_aside()
        keys = self._rows("SELECT key FROM results WHERE key NOT LIKE 'damaged:%'")
        whole = sum(self.get(key, any_verdict=True) is not None for (key,) in keys)
        return whole, len(keys) - whole

    def prune(self, *, older_than_days: float | None = None, failures: bool = False, damaged: bool = True) -> int:
        """Remove rows by age, failed runs, what was set aside as damaged; give the space back. Number of rows
        removed."""
        removed = 0
        if older_than_days is not None:
            limit = time.time() - older_than_days * 86400
            removed += self._delete("created < ?", limit)
        if failures:
            removed += self._delete("verdict NOT IN ('ok', 'suspect')")
        if damaged:
            removed += self._delete("key LIKE 'damaged:%'")
            for name in self._damaged_files():
                Path(name).unlink(missing_ok=True)
        self._guarded(lambda c: c.execute("VACUUM"))
        self._guarded(lambda c: c.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
        return removed

    def _rows(self, query: str) -> list[Any]:
        return self._guarded(lambda c: c.execute(query).fetchall()) or []

    def _delete(self, condition: str, *values: float) -> int:
        statement = f"DELETE FROM results WHERE {condition}"  # noqa: S608 - conditions are the fixed texts above
        cursor = self._guarded(lambda c: c.execute(statement, values))
        return 0 if cursor is None else int(cursor.rowcount)

    def _damaged_files(self) -> tuple[str, ...]:
        return tuple(sorted(str(p) for p in self.folder.glob(f"{_FILE}.damaged-*")))

    def _open(self) -> sqlite3.Connection:
        status = self.path.stat() if self.path.exists() else None
        here = (os.getpid(), status.st_dev, status.st_ino) if status else None
        if self._connection is not None and here == self._identity:
            return self._connection
        # Another process id (a fork), or another process has set the file aside: never use the old handle.
        self.close()
        if status is not None and not (os.access(self.path, os.W_OK) and os.access(self.folder, os.W_OK)):
            # Somebody else's, to be read: without the files that a journal would need beside it.
            name = f"{self.path.absolute().as_uri()}?immutable=1"
            connection = sqlite3.connect(name, uri=True, isolation_level=None, check_same_thread=False)
        else:
            connection = sqlite3.connect(self.path, timeout=60.0, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute(_TABLE)
        status = self.path.stat()
        self._connection, self._identity = connection, (os.getpid(), status.st_dev, status.st_ino)
        return connection

    def _guarded(self, action: Any) -> Any:
        """Run one statement; rebuild a damaged file once and try again; None when the file cannot be used."""
        with self._lock:
            for attempt in (1, 2):
                try:
                    return action(self._open())
                except sqlite3.DatabaseError as error:
                    code = getattr(error, "sqlite_errorcode", 1)
                    if attempt == 2 or code not in _DAMAGE_CODES:
                        self.trouble = f"{self.path}: {error}"
                        return None
                    self._set_aside()
                except OSError as error:
                    self.trouble = f"{self.path}: {error.strerror}"
                    return None
        return None

    def _set_aside(self) -> None:
        """Rename a damaged file (unless another process has done so already) and carry its whole rows over."""
        with self._lock, (self.folder / f"{_FILE}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            mine = self._identity
            self.close()
            status = self.path.stat() if self.path.exists() else None
            if status is None or (
                mine is not None and mine[0] == os.getpid() and (status.st_dev, status.st_ino) != mine[1:]
            ):
                return
            aside = f"{_FILE}.damaged-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}-{time.monotonic_ns() % 10**9}"
            for suffix in ("", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    Path(f"{self.path}{suffix}").replace(self.folder / f"{aside}{suffix}")
            rows = list(_salvage(self.folder / aside))
            connection = self._open()
            with contextlib.suppress(sqlite3.Error):
                connection.executemany("INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?, ?, ?)", rows)


_PROVENANCE = tuple(field.name for field in fields(RunProvenance))

Row = tuple[str, str, float, str, bytes, bytes]


def _insert(connection: sqlite3.Connection, rows: Sequence[Row]) -> sqlite3.Cursor:
    statement = "INSERT OR REPLACE INTO results (key, verdict, created, meta, data, checksum) VALUES (?, ?, ?, ?, ?, ?)"
    if len(rows) == 1:
        return connection.execute(statement, rows[0])
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.executemany(statement, rows)
        return connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _salvage(path: Path) -> Iterator[Row]:
    """Rows of a damaged file that can be read and whose checksum holds; each row by itself, since a scan ends at the
    first damaged page."""
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path, timeout=5.0)) as connection:
        last = None
        with contextlib.suppress(sqlite3.Error):
            last = connection.execute("SELECT MAX(rowid) FROM results").fetchone()[0]
        misses, number = 0, 0
        while misses < 10_000 and (last is None or number < last):
            number += 1
            row = None
            with contextlib.suppress(sqlite3.Error):
                row = connection.execute(
                    "SELECT key, verdict, created, meta, data, checksum FROM results WHERE rowid = ?", (number,)
                ).fetchone()
            misses = 0 if row else misses + 1
            if row and isinstance(row[0], str) and decode_row(row, row[0]) is not None:
                yield row


def _checksum(key: str, verdict: str, created: float, meta: str, data: bytes) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in (key.encode(), verdict.encode(), float(created).hex().encode(), meta.encode(), data):
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.digest()


def encode_row(key: str, result: Result) -> Row:
    """A row: JSON for what is text, all vectors as float64 bytes (bytes of equal weight together, then deflated)."""
    signals: list[list[object]] = []
    chunks: list[Any] = []
    seen: dict[int, int] = {}
    for name, signal in result.signals.items():
        identity = id(signal.values)
        if identity not in seen:
            seen[identity] = len(chunks)
            chunks.append(np.ascontiguousarray(signal.values))
        is_complex = bool(np.iscomplexobj(signal.values))
        signals.append([name, signal.name, signal.unit, is_complex, len(signal.values), seen[identity]])
    joined = b"".join(chunk.tobytes() for chunk in chunks)
    shuffled = np.frombuffer(joined, np.uint8).reshape(-1, 8).T.tobytes()
    stated = result.provenance
    provenance = {name: getattr(stated, name) for name in _PROVENANCE} if stated else None
    content = {"log": result.log, "signals": signals, "provenance": provenance, "bytes": len(joined)}
    meta = json.dumps(content | ({"measures": dict(result.measures)} if result.measures else {}))
    data, created, verdict = zlib.compress(shuffled, 1), time.time(), result.verdict.value
    return key, verdict, created, meta, data, _checksum(key, verdict, created, meta, data)


def decode_row(row: Any, key: str) -> Result | None:
    """The result of a row, None when anything about the row is damaged."""
    try:
        found, verdict, created, meta, data, checksum = row
        if found != key or checksum != _checksum(found, verdict, created, meta, data):
            return None
        content = json.loads(meta)
        shuffled = np.frombuffer(zlib.decompress(data), np.uint8)
        joined = shuffled.reshape(8, -1).T.tobytes()
        blocks: list[Any] = []
        signals: dict[str, Signal] = {}
        position = 0
        for name, inner, unit, is_complex, count, block in content["signals"]:
            if block == len(blocks):
                dtype: Any = np.complex128 if is_complex else np.float64
                blocks.append(np.frombuffer(joined, dtype, count, position))
                position += count * (16 if is_complex else 8)
            signals[name] = Signal(inner, unit, blocks[block])
        stored = content["provenance"]
        provenance = None
        if stored is not None:
            stored["notes"] = tuple(stored["notes"])
            for name in ("inputs", "variables"):
                stored[name] = tuple(tuple(entry) for entry in stored.get(name, ()))
            provenance = replace(RunProvenance(**stored), cached=True)
        return Result(Verdict(verdict), signals, content["log"], provenance, measures=content.get("measures", {}))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, zlib.error):
        return None

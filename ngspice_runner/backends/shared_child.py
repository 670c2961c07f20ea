"""The child process of the `shared` backend: PySpice's NgSpiceShared behind two pipes. Started as a script.

Usage: shared_child.py LIBRARY IN OUT: path of libngspice and two inherited file descriptors.
Protocol, both ways: 4 bytes length (little endian) and a JSON object; answers to `run` are followed by `bytes` bytes of
raw-file data, the same format that ngspice writes, so that one reader serves all backends.
Requests: {"text": deck} loads a circuit, runs it and removes it; with "points": [[command, ...], ...] the circuit is
loaded once and each point's commands are executed before its run, one answer per point.
"""

from __future__ import annotations

import json
import logging
import os
import re
import struct
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

_KINDS = {1: "time", 2: "frequency", 3: "voltage", 4: "current"}
_STALE_LIMIT = 64 * 1024 * 1024


class Log:
    """What the engine prints: through its callback, and past it straight to file descriptors 1 and 2."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._path = Path("stray.txt")
        self._file = self._path.open("wb", buffering=0)
        os.dup2(self._file.fileno(), 1)
        os.dup2(self._file.fileno(), 2)

    def take(self) -> str:
        """Everything since the last call."""
        lines, self.lines = self.lines, []
        if os.fstat(1).st_size:
            lines.append(self._path.read_bytes()[:_STALE_LIMIT].decode("utf-8", "replace"))
            os.ftruncate(1, 0)
            os.lseek(1, 0, os.SEEK_SET)
        return "\n".join(lines)


def start(log: Log) -> Any:
    """The engine, with everything it says going to `log`. PySpice takes much for an error that is none (a successful
    rescue) and prints nothing for what is one: here nothing is judged, only collected."""
    logging.disable(logging.CRITICAL)
    shared = import_module("PySpice.Spice.NgSpice.Shared")

    class Engine(shared.NgSpiceShared):  # type: ignore[misc, name-defined]
        def send_char(self, message: str | bytes, ngspice_id: int) -> int:
            text = message.decode("utf-8", "replace") if isinstance(message, bytes) else message
            log.lines.append(text.partition(" ")[2])
            return 0

        def send_stat(self, message: str | bytes, ngspice_id: int) -> int:
            return 0

        def do(self, command: str) -> None:
            try:
                self.exec_command(command)
            except (shared.NgSpiceCommandError, NameError) as error:
                if "returned" in str(error):
                    log.lines.append(f"Error on line 0: {error}")

        def load(self, text: str) -> None:
            try:
                self.load_circuit(text)
            except (shared.NgSpiceCircuitError, NameError) as error:
                if "returned" in str(error):
                    log.lines.append(f"Error on line 0: {error}")

        def ask(self, name: str) -> str:
            mark = len(log.lines)
            self.do(f"echo ${name}")
            answer = "\n".join(log.lines[mark:])
            del log.lines[mark:]
            return answer

        def plots(self) -> list[str]:
            found = self._ngspice_shared.ngSpice_AllPlots()
            names: list[str] = []
            while found[len(names)] != shared.ffi.NULL:
                names.append(shared.ffi.string(found[len(names)]).decode())
            return [name for name in reversed(names) if name != "const"]

        def raw(self, plot: str) -> bytes:
            """One plot as the engine would write it to a binary raw file."""
            self.do(f"setplot {plot}")
            title, kind = self.ask("curplottitle"), self.ask("curplotname")
            names = self._ngspice_shared.ngSpice_AllVecs(plot.encode())
            vectors: list[tuple[str, str, Any]] = []
            while names[len(vectors)] != shared.ffi.NULL:
                name = shared.ffi.string(names[len(vectors)])
                info = self._ngspice_shared.ngGet_Vec_Info(plot.encode() + b"." + name)
                if info == shared.ffi.NULL:
                    raise ValueError(f"the vector {name.decode()} of {plot} cannot be read")
                if info.v_compdata != shared.ffi.NULL:
                    values = np.frombuffer(shared.ffi.buffer(info.v_compdata, info.v_length * 16), np.complex128)
                else:
                    values = np.frombuffer(shared.ffi.buffer(info.v_realdata, info.v_length * 8), np.float64)
                vectors.append((name.decode("utf-8", "replace"), _KINDS.get(info.v_type, "notype"), values))
            return _raw_bytes(title, kind, vectors)

    return Engine()


def _raw_bytes(title: str, kind: str, vectors: list[tuple[str, str, Any]]) -> bytes:
    # The engine lists the newest vector first; a raw file begins with the sweep.
    vectors = vectors[::-1]
    first = next((i for i, v in enumerate(vectors) if v[1] in ("time", "frequency") or v[0].endswith("-sweep")), 0)
    vectors.insert(0, vectors.pop(first))
    lengths = {len(values) for _, _, values in vectors}
    if len(lengths) != 1:
        raise ValueError(f"vectors of {kind} differ in length: {sorted(lengths)}")
    is_complex = any(np.iscomplexobj(values) for _, _, values in vectors)
    table = np.column_stack([values for _, _, values in vectors])
    rows = "".join(f"\t{i}\t{_raw_name(name, unit)}\t{unit}\n" for i, (name, unit, _) in enumerate(vectors))
    header = (
        f"Title: {title}\nPlotname: {kind}\nFlags: {'complex' if is_complex else 'real'}\n"
        f"No. Variables: {len(vectors)}\nNo. Points: {lengths.pop()}\nVariables:\n{rows}Binary:\n"
    )
    return header.encode() + table.astype(np.complex128 if is_complex else np.float64, copy=False).tobytes()


def _raw_name(name: str, unit: str) -> str:
    """`b` -> `v(b)`, `v1#branch` -> `i(v1)`: the names of raw files."""
    if unit == "current":
        return f"i({name.partition('#branch')[0]})"
    if unit == "voltage" and not re.match(r"v\(", name, re.IGNORECASE):
        return f"v({name})"
    return name


def _receive(descriptor: int) -> Any:
    head = _read(descriptor, 4)
    return None if head is None else json.loads(_read(descriptor, struct.unpack("<I", head)[0]) or b"null")


def _read(descriptor: int, count: int) -> bytes | None:
    parts = []
    while count:
        part = os.read(descriptor, min(count, 1 << 20))
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _answer(descriptor: int, header: dict[str, Any], payload: bytes = b"") -> None:
    text = json.dumps(header | {"bytes": len(payload)}).encode()
    data = struct.pack("<I", len(text)) + text + payload
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _loaded_library(name: str) -> str:
    """The file that was really loaded."""
    with Path("/proc/self/maps").open() as maps:
        for line in maps:
            if "libngspice" in line:
                return line.split(None, 5)[5].strip()
    return name


def serve() -> None:
    """Serve until the parent closes its end."""
    incoming, outgoing = int(sys.argv[2]), int(sys.argv[3])
    os.environ["NGSPICE_LIBRARY_PATH"] = sys.argv[1]
    log = Log()
    try:
        engine = start(log)
    except Exception as error:
        _answer(outgoing, {"error": f"{type(error).__name__}: {error}"})
        return
    log.take()
    _answer(outgoing, {"library": _loaded_library(sys.argv[1]), "version": engine.ngspice_version})
    while (request := _receive(incoming)) is not None:
        engine.load(request["text"])
        for commands in request.get("points", [[]]):
            started = time.process_time()
            problem, payload = "", b""
            for command in commands:
                engine.do(command)
            engine.do("run")
            try:
                payload = b"".join(engine.raw(plot) for plot in engine.plots())
            except (ValueError, UnicodeError) as error:
                problem = str(error)
            engine.do("destroy all")
            text = log.take()
            _answer(outgoing, {"log": text, "problem": problem, "cpu": time.process_time() - started}, payload)
        engine.do("remcirc")
        log.take()


if __name__ == "__main__":
    serve()

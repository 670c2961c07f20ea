"""Finding ngspice and telling exactly which one it is."""

import functools
import hashlib
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from ngspice_runner.errors import EngineError

INSTALL_HINT = (
    "install it with `apt install ngspice` (Debian, Ubuntu), `dnf install ngspice` (Fedora), "
    "`brew install ngspice` (macOS) or `conda install -c conda-forge ngspice`"
)
_VERSION = re.compile(r"\b(ngspice-\d+(?:\.\d+)*\+?)")


@dataclass(frozen=True, slots=True)
class Engine:
    """One ngspice executable: absolute path, version as it reports it (`ngspice-39`), SHA-256 of the file."""

    path: str
    version: str
    sha256: str

    @property
    def release(self) -> float:
        """Its number (39.3); that of the oldest supported, 39, where it is known only after a run."""
        match = re.search(r"-(\d+(?:\.\d+)?)", self.version)
        return float(match[1]) if match else 39.0


def find_engine(path: str | os.PathLike[str] | None = None) -> Engine:
    """The ngspice to use: `path`, else environment METALROM_NGSPICE, else the first on PATH.

    Version and hash are remembered per path, modification time and size. Raises EngineError (one sentence, with the
    install commands) when there is none or when it does not answer as ngspice.
    """
    wanted = os.fspath(path) if path is not None else os.environ.get("METALROM_NGSPICE", "")
    found = shutil.which(wanted or "ngspice")
    if found is None:
        if wanted:
            raise EngineError(f"no executable ngspice at {wanted!r} (set METALROM_NGSPICE to its path); {INSTALL_HINT}")
        raise EngineError(f"ngspice is not on PATH; {INSTALL_HINT}, or set METALROM_NGSPICE to its path")
    resolved = Path(found).resolve()
    status = resolved.stat()
    identity = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
    if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) < 2_000_000_000:
        # Too fresh to be distinguished by its times: another change may fall into the same clock tick.
        _identify.cache_clear()
    return _identify(str(resolved), identity)


@functools.lru_cache(maxsize=8)
def _identify(path: str, identity: tuple[int, ...]) -> Engine:
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    try:
        answer = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20,
            check=False,
            text=True,
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"{path} does not report its version ({error}); {INSTALL_HINT}") from None
    match = _VERSION.search(answer.stdout + answer.stderr)
    if match is None:
        raise EngineError(f"{path} does not respond as ngspice; {INSTALL_HINT}")
    return Engine(path, match.group(1), digest)


def system_spinit(engine: Engine) -> Path | None:
    """The start-up file that the installation brings along (it loads the code models), None if it is not where it
    should be."""
    spinit = Path(engine.path).parent.parent / "share" / "ngspice" / "scripts" / "spinit"
    return spinit if spinit.is_file() else None

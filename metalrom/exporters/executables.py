"""Programs that read exported files: found on the path or inside an installed package, run without a shell."""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from interconnect.errors import InputError
from metalrom.exporters.exporter import ToolMissing
from ngspice_runner.backends.guard import run_guarded


@dataclass(frozen=True, slots=True)
class Ran:
    """A finished program: exit code and everything it printed."""

    code: int
    text: str

    @property
    def complaint(self) -> str:
        """The first line that speaks of an error, else the last line."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip()]
        wrong = [line for line in lines if "error" in line.lower()]
        return (wrong or lines[-1:] or [f"exit code {self.code}"])[0]


def program(name: str, hint: str, package: str | None = None, inside: str = "bin") -> Path:
    """Path of a program: on the path, else in folder `inside` of an installed Python package.

    Raises ToolMissing with the hint.
    """
    found = shutil.which(name)
    if found:
        return Path(found)
    spec = importlib.util.find_spec(package) if package else None
    for place in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(place, inside, name)
        if path.is_file() and os.access(path, os.X_OK):
            return path
    raise ToolMissing(f"{name} is not installed", hint=hint)


def package_version(name: str, hint: str) -> str:
    """Version of an installed distribution. Raises ToolMissing with the hint."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        raise ToolMissing(f"{name} is not installed", hint=hint) from None


def run_program(
    command: Sequence[str | Path], folder: Path, timeout: float, environment: Mapping[str, str] | None = None
) -> Ran:
    """Run a program in `folder`, which ends when this process does. timeout: s.

    Raises InputError if it cannot start or does not end in time.
    """
    name = Path(command[0]).name
    try:
        done = run_guarded(
            [str(part) for part in command],
            folder=str(folder),
            environment={**os.environ, **(environment or {})},
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"{name} did not end within {timeout:g} s", where=str(folder)) from None
    except OSError as error:
        raise InputError(f"{name} cannot be started ({error.strerror})") from None
    return Ran(*done)

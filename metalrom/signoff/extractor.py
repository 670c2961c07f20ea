"""A program that extracts capacitances, as this machine has it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from metalrom.exporters.executables import run_program

SECONDS = 600.0
"""One run of an extractor."""


@dataclass(frozen=True, slots=True)
class Extractor:
    """name: of the program; version: its numbers; technology: a file that it needs.

    half_walls: this version counts half of its technology's capacitance between side walls, and is not judged.
    """

    name: str
    program: str
    version: tuple[int, ...]
    half_walls: bool
    technology: Path | None = None

    @property
    def label(self) -> str:
        """Name and version."""
        return f"{self.name} {'.'.join(map(str, self.version))}"


def version_of(program: str, folder: Path) -> tuple[int, ...]:
    """Numbers of the version that a program prints; none if it prints none."""
    found = re.search(r"(\d+(?:\.\d+)+)", run_program([program, "--version"], folder, SECONDS).text)
    return tuple(map(int, found[1].split("."))) if found else ()

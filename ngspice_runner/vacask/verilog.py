"""The files that a Verilog-A model is made of."""

import re
from pathlib import Path

from ngspice_runner.errors import EngineError

_INCLUDE = re.compile(r"^\s*`include\s+\"([^\"]+)\"", re.MULTILINE)
_STANDARD = frozenset(("constants.vams", "disciplines.vams", "constants.h", "disciplines.h", "discipline.h"))
"""The compiler brings these."""


def verilog_files(source: Path) -> list[Path]:
    """A Verilog-A file and those that it includes from beside it. Raises EngineError for one that is missing."""
    found: list[Path] = []
    left = [source]
    while left:
        file = left.pop()
        if file in found:
            continue
        if not file.is_file():
            raise EngineError(f"there is no Verilog-A file {file}")
        found.append(file)
        for name in _INCLUDE.findall(file.read_text("utf-8", "replace")):
            inner = file.parent / name
            if inner.is_file() or name not in _STANDARD:
                left.append(inner)
    return found

"""Scripts of the repository as modules, and the command line of this checkout in a process of its own."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
_PROGRAM = "import sys; sys.path.insert(0, sys.argv.pop(1)); from metalrom.cli.main import main; main()"


def load_script(path: str) -> ModuleType:
    """A file of the repository as a module; what it adds to the search path is taken back."""
    name = path.removesuffix(".py").replace("/", ".")
    spec = importlib.util.spec_from_file_location(name, ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    before = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


def metalrom_command(*words: object) -> list[str]:
    """Arguments of a process that runs `metalrom WORDS`."""
    return [sys.executable, "-c", _PROGRAM, str(ROOT), *map(str, words)]

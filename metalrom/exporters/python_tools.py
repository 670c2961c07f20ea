"""Running the tools that read an export: each in a Python of its own choice, never in this process.

Such tools pin old versions of everything, so they seldom live beside this package. A consumer is looked for in the
running Python, then in those that the environment variable METALROM_CONSUMERS lists (separated as in PATH).
"""

import json
import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from metalrom.exporters.exporter import ToolMissing, ToolReading
from ngspice_runner.workspace import scratch_folder

VARIABLE = "METALROM_CONSUMERS"
TIMEOUT = 300.0
_PROBE = "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)"


@lru_cache(maxsize=64)
def python_with(module: str, listed: str) -> str | None:
    """An interpreter that can import `module`: this one or one of `listed`; None if there is none."""
    for interpreter in (sys.executable, *(p for p in listed.split(os.pathsep) if p)):
        try:
            done = subprocess.run([interpreter, "-c", _PROBE, module], timeout=60, capture_output=True)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0:
            return interpreter
    return None


def run_probe(
    consumer: str, module: str, remedy: str, script: str, folder: Path, data: Any = None
) -> dict[str, Any] | ToolReading:
    """What `script` prints (one JSON object, last line) when a Python with `module` runs it.

    Its argument is `folder`, its standard input `data` as JSON.

    A ToolReading if the tool failed. Raises ToolMissing if no Python has the module.
    """
    interpreter = python_with(module, os.environ.get(VARIABLE, ""))
    if interpreter is None:
        raise ToolMissing(
            f"{consumer} is not installed", hint=f"{remedy}, then name its Python in the variable {VARIABLE}"
        )
    with scratch_folder() as scratch:
        command = [interpreter, "-c", script, str(folder.resolve())]
        try:
            done = subprocess.run(
                command, cwd=scratch, timeout=TIMEOUT, capture_output=True, text=True, input=json.dumps(data)
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return ToolReading(consumer, f"it did not end ({type(error).__name__})")
    if done.returncode != 0:
        return ToolReading(consumer, last_line(done.stderr) or f"exit code {done.returncode}")
    try:
        answer = json.loads(last_line(done.stdout))
    except ValueError:
        answer = None
    return answer if isinstance(answer, dict) else ToolReading(consumer, "it gave no answer")


def last_line(text: str) -> str:
    """The last line that is not empty."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""

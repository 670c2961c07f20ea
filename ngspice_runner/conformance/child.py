"""The child process in which a harness is asked: `python -m ngspice_runner.conformance.child NAME`.

Questions come as lines of JSON on standard input, answers go as lines of JSON to the descriptor that standard output
was; whatever the harness prints goes nowhere.
"""

from __future__ import annotations

import ctypes.util
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from ngspice_runner.conformance.harness import HARNESSES, Answer, Question


def serve(name: str) -> None:
    """Answer questions until there are no more."""
    out = os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    # PySpice and InSpice read it when they are imported.
    os.environ.setdefault("NGSPICE_LIBRARY_PATH", ctypes.util.find_library("ngspice") or "libngspice.so.0")
    try:
        harness, trouble = HARNESSES[name], ""
    except Exception as error:  # a library that is not installed, or that does not load
        harness, trouble = None, f"{type(error).__name__}: {error}"
    out.write(json.dumps({"trouble": trouble}) + "\n")
    out.flush()
    if harness is None:
        return
    for line in sys.stdin:
        asked = json.loads(line)
        question = Question(
            Path(asked["path"]), tuple((n, at) for n, at in asked["asked"]), asked["stop"], asked["timeout"]
        )
        try:
            answer = harness(question)
        except Exception as error:  # it did not answer: no result
            answer = Answer(False, messages=f"{type(error).__name__}: {error}")
        out.write(json.dumps(asdict(answer)) + "\n")
        out.flush()


if __name__ == "__main__":
    serve(sys.argv[1])

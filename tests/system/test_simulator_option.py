"""`--simulator` does what it says, tried on one test that runs the engine and one that asks for none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGINE_TEST = "tests/ngspice_runner/test_executor.py::test_failures_do_not_stop_a_batch"
PLAIN_TEST = "tests/system/test_house.py::test_templates_hold_no_code"


@pytest.mark.parametrize(
    ("mode", "engine", "wanted"),
    [
        ("disabled", None, "1 passed, 1 skipped"),
        ("if_available", "missing", "1 passed, 1 skipped"),
        ("required", "missing", "1 failed, 1 passed"),
    ],
)
def test_modes(mode: str, engine: str | None, wanted: str, tmp_path: Path) -> None:
    environment = dict(os.environ)
    if engine:
        environment["METALROM_NGSPICE"] = str(tmp_path / engine)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--simulator", mode, ENGINE_TEST, PLAIN_TEST],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert wanted in done.stdout, done.stdout[-2000:]

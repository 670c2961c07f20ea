"""The package is cheap to import and its names resolve."""

from __future__ import annotations

import subprocess
import sys

import pytest

import interconnect


def test_every_exported_name_resolves() -> None:
    for name in interconnect.__all__:
        assert getattr(interconnect, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = interconnect.nonsense


def test_importing_loads_nothing_heavy() -> None:
    code = (
        "import sys, interconnect, interconnect.geometry, interconnect.stack;"
        "print([m for m in ('numpy', 'scipy', 'ngsolve', 'pydantic', 'yaml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

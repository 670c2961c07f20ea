"""The macro and the command line load without their heavy libraries: the command line must start fast."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("room", ["metalrom.macro", "metalrom.cli.main"])
def test_import_is_light(room):
    code = f"import sys, {room}; print(sorted({{'numpy', 'scipy', 'numba', 'xarray', 'h5py'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_unknown_name_is_an_attribute_error():
    import metalrom.macro

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = metalrom.macro.nothing

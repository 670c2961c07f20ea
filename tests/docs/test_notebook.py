"""The notebook runs from its first cell to its last, and says what the page promises."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "docs" / "notebooks" / "first_column.ipynb"


@pytest.mark.slow  # ten seconds of CPU, half of them the kernel's start and compiling
@pytest.mark.ngspice
def test_first_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat", reason="the extra `docs` is not installed")
    nbclient = pytest.importorskip("nbclient", reason="the extra `docs` is not installed")
    pytest.importorskip("ipykernel", reason="the extra `docs` is not installed")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells), "outputs are made, not kept"
    monkeypatch.setenv("METALROM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep))
    nbclient.NotebookClient(
        notebook, timeout=300, startup_timeout=240, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", ())]
    text = "".join(out.get("text", "") for out in outputs)
    assert any("image/png" in out.get("data", {}) for out in outputs)
    levels = [float(v) for v in re.findall(r"^count \d: +([\d.]+) mV", text, re.MULTILINE)]
    assert len(levels) == 9
    assert levels == sorted(levels)
    # x = -4..3 times both columns of the weights, by hand: 3(-4)+1(-3)-5(-2)+2(-1)+6(0)-1(1)+0(2)+4(3) = 4, and
    # -2(-4)+7(-3)+0(-2)+4(-1)-7(0)+1(1)+3(2)-4(3) = -22
    assert re.search(r"integer \[\[ *4 +-22\]\]", text)

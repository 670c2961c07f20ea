"""The hand-written reference pages: examples load and run, tables are complete."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import re
from pathlib import Path

import pytest

from interconnect import load_stack
from interconnect import stackfile as schema
from tests.docs.test_commands import SMALL, run_metalrom

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"


def blocks(page: str, language: str) -> list[str]:
    """Fenced blocks of a page in one language."""
    text = (REFERENCE / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_stack_file_of_the_page_loads(tmp_path: Path) -> None:
    (example,) = blocks("metal-stack.md", "yaml")
    path = tmp_path / "my_stack.yaml"
    path.write_text(example)
    stack = load_stack(path)
    assert [metal.name for metal in stack.metals] == ["M1", "M2", "M3", "M4"]
    # 385 nm - (200 + 95) nm, by hand
    assert stack.via("V1").height == pytest.approx(90e-9)
    assert stack.corner("cmax").scaling.ild == 0.9
    assert stack.metal("M1").provenance["tcr"].status == "published"
    assert stack.metal("M1").provenance["thickness"].status == "user"
    assert stack.spread is not None
    assert stack.spread.capacitor_area == pytest.approx(20e-9)


@pytest.mark.parametrize(
    ("heading", "entry"),
    [
        ("Top level", schema.StackFile),
        ("`metals`", schema.MetalEntry),
        ("`vias`", schema.ViaEntry),
        ("`dielectrics`", schema.DielectricEntry),
        ("`corners` and `spread`", schema.StackCornerEntry),
        ("`corners` and `spread`", schema.SpreadEntry),
    ],
)
def test_every_key_of_a_stack_file_is_described(heading: str, entry: type[schema.StackFile]) -> None:
    text = (REFERENCE / "metal-stack.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    keys = {
        name for row in re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", section, re.MULTILINE) for name in row.split(", ")
    }
    assert {f"`{name}`" for name in entry.model_fields} <= keys


DOCUMENTED = ("interconnect.crossbar", "ngspice_runner.job", "metalrom.api")


@pytest.mark.parametrize("name", DOCUMENTED)
def test_examples_of_docstrings_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.ngspice
def test_readers_of_the_lookup_table_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Python block of the page, on a run of the small configuration of the other tests."""
    (tmp_path / "small.yaml").write_text(SMALL)
    monkeypatch.setenv("METALROM_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    code, output = run_metalrom(["run", "small.yaml", "-o", "out"])
    assert code == 0, output
    shown = blocks("lut.md", "python")
    assert len(shown) == 3
    pytest.importorskip("pandas")
    for block in shown:
        exec(compile(block, "lut.md", "exec"), {})  # noqa: S102 - code of the documentation
    assert {path.name for path in (tmp_path / "out" / "lut").iterdir()} >= {
        "readout.nc", "readout.csv", "adc_thresholds.csv", "readout.schema.json", "readout.json",
    }  # fmt: skip

"""The commands `layout` and `audit FILE.gds`: exit codes, JSON, one sentence for what is wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import gdstk
import pytest
from typer.testing import CliRunner

from metalrom.cli.main import app
from metalrom.drawing.palette import PAINT
from tests.builders import write_config

SECTIONS = {
    "cell": {"planes": [{"row": "M2", "column": "M3"}, {"row": "M4", "column": "M5"}]},
    "array": {"rows": 8, "dummy_columns": 1},
    "weights": {"random": [12, 3], "bits": 8},
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path / "small.yaml", **SECTIONS)


def call(*words: str | Path) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [str(w) for w in words])
    return done.exit_code, done.stdout, done.stderr


def test_write_check_and_audit(config: Path, tmp_path: Path) -> None:
    for level in ("cell", "tile", "array", "macro"):
        path = tmp_path / f"{level}.oas"
        code, out, _ = call("layout", config, "--level", level, "-o", path, "--check", "--json")
        report = json.loads(out)
        assert (code, report["check"]["ok"], report["check"]["differing_vias"]) == (0, True, 0)
        assert report["level"] == level
        assert path.stat().st_size == report["bytes"]
        code, out, _ = call("audit", path, config)
        assert code == 0
        assert "hold what they should" in out
        assert "not checked: " in out


def test_a_picture_shows_every_cut_of_its_window(config: Path, tmp_path: Path) -> None:
    """The first 8 of 8 rows and of 18 columns, each cell with one cut."""
    picture = tmp_path / "corner.svg"
    assert call("layout", config, "-o", tmp_path / "x.gds", "--picture", picture)[0] == 0
    root = ElementTree.fromstring(picture.read_text())  # noqa: S314 (our own text)
    red = [r for r in root.iter("{http://www.w3.org/2000/svg}rect") if r.get("fill") == PAINT["via"].fill]
    assert len(red) == 8 * 8 + 1  # and the key's


def test_another_program_s_layout_fails(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.gds"
    assert call("layout", config, "--level", "macro", "-o", path)[0] == 0
    write_config(config, **SECTIONS, characterization={"seed": 77})  # other random weights
    code, out, _ = call("audit", path, config, "--json")
    report = json.loads(out)
    assert code == 1
    assert report["differing_vias"] > 20 == len([f for f in report["faults"] if f.startswith("via at tile")])
    assert report["differing_wires"] == report["rule_violations"] == 0


def test_a_planted_violation_fails(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.gds"
    assert call("layout", config, "-o", path)[0] == 0
    library = gdstk.read_gds(path)
    library.top_level()[0].add(gdstk.rectangle((40, 0), (40.03, 1), layer=14))
    library.write_gds(path)
    code, out, _ = call("audit", path, config)
    assert code == 1
    assert "M3 width 30 nm, must be at least 45 nm at (40, 0) to (40.03, 1) um" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--level", "chip", "-o", "x.gds"), "there is no level 'chip'"),
        (("-o", "x.txt"), "end it in .gds or .oas"),
        (("-o", "none/x.gds"), "there is no such folder"),
        (("--tile", "9", "-o", "x.gds"), "there is no tile 9"),
        (("--level", "tile", "--plane", "5", "-o", "x.gds"), "there is no plane 5"),
    ],
)
def test_bad_words_are_one_sentence(
    words: tuple[str, ...], said: str, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = call("layout", config, *words)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert said in err
    assert [p.name for p in tmp_path.iterdir()] == ["small.yaml"]


@pytest.mark.parametrize("suffix", [".gds", ".oas"])
def test_a_damaged_file_is_one_sentence(suffix: str, config: Path, tmp_path: Path) -> None:
    """Cut off; and, for OASIS, with a record that makes the reader crash."""
    path = tmp_path / f"x{suffix}"
    assert call("layout", config, "-o", path)[0] == 0
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:40] + b"\xff" * 40 + whole[80:]):
        path.write_bytes(content)
        code, out, err = call("audit", path, config)
        assert (code, out) == (2, "")
        assert "layout" in err.splitlines()[-1]


def test_files_that_are_no_layout_of_ours(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.gds"
    library = gdstk.Library()
    library.new_cell("somebody").add(gdstk.rectangle((0, 0), (1, 1)))
    library.write_gds(path)
    code, _, err = call("audit", path, config)
    assert code == 2
    assert "its top cell is called somebody" in err
    monkeypatch.setitem(sys.modules, "gdstk", None)
    code, _, err = call("layout", config, "-o", tmp_path / "y.gds")
    assert code == 2
    assert "pip install 'metalrom[layout]'" in err
    assert not (tmp_path / "y.gds").exists()

"""The papers of the repository: citation, changelog, README, contributing."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from metalrom import __version__

ROOT = Path(__file__).resolve().parents[2]


def test_citation_is_complete() -> None:
    # Keys that the Citation File Format 1.2.0 requires: cff-version, message, title, authors.
    data = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert data["cff-version"] == "1.2.0"
    assert data["message"]
    assert "metalrom" in data["title"]
    assert data["authors"]
    assert all("name" in author or "family-names" in author for author in data["authors"])
    assert data["type"] == "software"
    assert data["version"] == __version__
    assert data["license"] == "Apache-2.0"


def test_changelog_knows_this_version() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    fragments = [path for path in (ROOT / "changes").glob("*.md") if path.name != "README.md"]
    assert headings[0].startswith(__version__) or fragments, "a version in development has change fragments"
    assert "<!-- towncrier release notes start -->" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"])
def test_links_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    targets = [t.partition("#")[0] for t in re.findall(r"\]\(([^)]+)\)", text) if not t.startswith("http")]
    assert [t for t in targets if t and not (ROOT / t).exists()] == []


def test_readme_names_every_page_and_command() -> None:
    import typer

    from metalrom.cli.main import app

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    hidden = [name for name in commands if not re.search(rf"metalrom {name}\b", text)]
    assert hidden == []


def test_the_first_screen_of_the_readme() -> None:
    # What it is, two commands and a picture before the first heading.
    first = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## ")[0]
    assert len(first.splitlines()) <= 30
    assert "./run demo" in first
    assert "./run test" in first
    assert re.search(r"!\[[^\]]{20,}\]\(docs/images/\S+\)", first)


PAGES = sorted((ROOT / "docs").rglob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_code_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    packages = "interconnect|netlists|characterization|metalrom|ngspice_runner|templates|examples|tests|benchmarks"
    named = re.findall(rf"`((?:{packages})/[\w/.]+)`", text)
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_change_fragments_have_a_kind() -> None:
    # <name>.<kind>.md, one or more sentences; the kinds are those that the build of the changelog knows
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    kinds = {kind["directory"] for kind in project["tool"]["towncrier"]["type"]}
    assert kinds == {"added", "changed", "removed", "fixed", "security"}
    for path in (ROOT / "changes").glob("*.md"):
        if path.name != "README.md":
            assert re.fullmatch(r"[\w+-]+\.(\w+)\.md", path.name), path.name
            assert path.name.split(".")[1] in kinds, path.name
            assert path.read_text(encoding="utf-8").strip().endswith("."), path.name

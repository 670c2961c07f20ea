"""The papers of the repository: citation, changelog, README, contributing."""

from __future__ import annotations

import re
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
    assert headings[0] == "Unreleased" or headings[0].startswith(__version__)
    assert any(heading.startswith(__version__) for heading in headings)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
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


@pytest.mark.parametrize("page", ["theory.md", "limits.md", "howto_cell.md", "howto_procedure.md"])
def test_code_that_a_page_names_is_there(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    rooms = "interconnect|netlists|characterization|metalrom|ngspice_runner|templates|examples|tests"
    named = re.findall(rf"`((?:{rooms})/[\w/.]+)`", text)
    assert [name for name in named if not (ROOT / name).exists()] == []

"""The documentation site: built without a warning, every link and anchor there, nothing loaded from elsewhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from tests.scripts import load_script

ROOT = Path(__file__).resolve().parents[2]
LOADS = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("object", "data")}
"""Tags and attributes that make a browser fetch something; a link that is clicked is none."""
NOT_FETCHED = {"canonical", "alternate", "edit"}
"""`rel` of link elements that browsers do not load."""


@pytest.fixture(scope="session")
def generate() -> ModuleType:
    """docs/generate.py as a module."""
    return load_script("docs/generate.py")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
    pytest.importorskip("material", reason="the extra `docs` is not installed")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}  # the theme's notice about its successor
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


class Page(HTMLParser):
    """Anchors of a page, what it links to, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors.update(given[name] for name in ("id", "name") if name in given)
        for name, value in given.items():
            if (tag, name) in LOADS and not (tag == "link" and given.get("rel") in NOT_FETCHED):
                self.loads.append(value)
            elif tag == "a" and name == "href":
                self.links.append(value)


def test_no_broken_link_and_no_external_request(site: Path) -> None:
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    assert len(pages) > 25
    broken, external = [], []
    for path, page in pages.items():
        external += [f"{path.name}: {u}" for u in page.loads if urlsplit(u).scheme not in ("", "data")]
        external += [f"{path.name}: {u}" for u in page.loads if u.startswith("//")]
        if path.name == "404.html":  # written for the root of a server
            continue
        for address in (*page.links, *page.loads):
            parts = urlsplit(address)
            if parts.scheme or address.startswith("//"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path not in ("", ".") else path
            if target.is_dir():
                target /= "index.html"
            if not target.is_file():
                broken.append(f"{path.name}: {address}")
            elif parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in pages[target].anchors:
                broken.append(f"{path.name}: no anchor {address}")
    assert broken == []
    assert external == []


def test_style_sheets_load_nothing_from_elsewhere(site: Path) -> None:
    found = [
        f"{path.name}: {hit}"
        for path in site.rglob("*.css")
        for hit in re.findall(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')]+)", path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_search_works_from_a_folder(site: Path) -> None:
    # A page opened from a folder cannot fetch JSON, but it can load a script: the index is written as one.
    script = (site / "search" / "search_index.js").read_text(encoding="utf-8")
    index = json.loads(script.removeprefix("var __index = "))
    places = {entry["location"].partition("#")[0] for entry in index["docs"]}
    assert {"tutorials/first-run.html", "reference/config.html", "reference/accuracy.html"} <= places


def test_every_page_is_in_the_menu(site: Path) -> None:
    menu = Page((site / "index.html").read_text(encoding="utf-8")).links
    pages = [page.relative_to(ROOT / "docs") for page in (ROOT / "docs").rglob("*.md")]
    assert len(pages) > 35
    for page in pages:
        if page.parts[0] != "examples" and page.name != "index.md":
            assert page.with_suffix(".html").as_posix() in menu, page


def test_the_menu_is_sorted_by_purpose(generate: ModuleType) -> None:
    """Every page is named in the menu, so that none falls under "More"."""
    config = {"docs_dir": str(ROOT / "docs"), "nav": _nav()}
    generate.on_config(config)
    assert [next(iter(part)) for part in config["nav"]] == [
        "Home", "Tutorials", "How-to guides", "Reference", "Python API", "Explanation",
    ]  # fmt: skip


def _nav() -> list[Any]:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    nav: list[Any] = yaml.safe_load(text[text.index("\nnav:\n") :])["nav"]
    return nav


def test_the_python_reference_is_rendered(site: Path) -> None:
    """One public name of every package, with its parameters, as rendered from the docstrings."""
    for page, anchor in {
        "metalrom": "metalrom.api.load",
        "interconnect": "interconnect.crossbar.solve_crossbar",
        "ngspice_runner": "ngspice_runner.job.Job",
        "macro": "metalrom.macro.Macro",
        "exporters": "metalrom.exporters.register_format",
    }.items():
        html = (site / "reference" / "api" / f"{page}.html").read_text(encoding="utf-8")
        assert anchor in Page(html).anchors, anchor


def test_every_key_is_in_the_reference(generate: ModuleType) -> None:
    from metalrom.config.cell import CellSection
    from metalrom.config.schema import schema

    text = generate.pages()["reference/config.md"]
    sections = {part.partition("\n")[0].strip("` "): part for part in text.split("\n## ")[1:]}
    keys = [key for key, _, _ in generate.config_keys()]
    # An independent count: every property of every definition of the JSON schema.
    whole = schema()
    expected = len(whole["properties"]) + sum(len(d["properties"]) for d in whole["$defs"].values())
    of_kinds = set(whole["$defs"]["CellSection"]["properties"]) - set(CellSection.model_fields)
    assert len(keys) == expected - len(of_kinds)
    for name in of_kinds:  # a cell kind's parameters stand in its own table
        assert f"| `{name}` |" in generate.pages()["reference/lists.md"]
    for key in keys:
        parent, _, name = key.replace("[]", "").rpartition(".")
        if key.replace("[]", "") in sections:
            continue
        assert f"| `{name}` |" in sections[parent or "At the top"], key


def test_every_command_and_option_is_in_the_reference(generate: ModuleType) -> None:
    text = generate.pages()["reference/cli.md"]
    names = [name for name, _ in generate.commands()]
    assert {"metalrom run", "metalrom cache prune", "metalrom evaluate", "metalrom compare"} <= set(names)
    for name, command in generate.commands():
        section = text.partition(f"\n## {name.removeprefix('metalrom ')}\n")[2].partition("\n## ")[0]
        assert section, name
        for parameter in command.params:
            shown = parameter.opts if parameter.param_type_name == "option" else [parameter.metavar]
            # a vertical bar would end the cell of a table
            assert all(f"`{item}".replace("|", " or ") in section for item in shown), (name, parameter.name)


def test_names_and_licences_are_in_the_reference(generate: ModuleType) -> None:
    from characterization.procedures import PROCEDURES
    from characterization.tables.formats import FORMATS
    from metalrom.assets.catalogue import ASSETS
    from metalrom.exporters import EXPORTERS
    from metalrom.specs.quantities import QUANTITIES
    from netlists.cells import CELLS

    made = generate.pages()
    for name in (*PROCEDURES, *FORMATS, *EXPORTERS, *QUANTITIES):
        assert f"| `{name}` |" in made["reference/lists.md"], name
    for kind in CELLS:
        assert f"\n### {kind}\n" in made["reference/lists.md"]
    for name, asset in ASSETS.items():
        assert f"| `{name}` |" in made["reference/licences.md"]
        assert asset.licence.name in made["reference/licences.md"]


def test_search_finds_something_in_a_browser(site: Path, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no browser here")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=8000", f"--user-data-dir={tmp_path}"]
    offline = "--host-resolver-rules=MAP * ~NOTFOUND"
    page = f"file://{site}/index.html?q=margin"
    done = subprocess.run(
        [browser, *flags, offline, "--dump-dom", page], capture_output=True, text=True, timeout=60, check=False
    )
    if not done.stdout:
        pytest.skip("the browser does not start here")
    told = re.search(r'md-search-result__meta">(\d+) matching documents', done.stdout)
    assert told
    assert int(told[1]) >= 5

"""Every command of README and documentation is tried: executed where that is cheap, else its options are checked."""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.builders import config_text
from tests.docs import commands as found

HERE = Path(__file__).resolve().parent
ROOT: Path = found.ROOT
PAGES: list[Path] = found.pages()
FENCED = [c for page in PAGES for c in found.fenced(page)]
INLINE = [c for page in PAGES for c in found.inline(page)]

SMALL = config_text(
    name="minilm_layer",
    technology={"stack": "generic28", "devices": "open45"},
    cell={"kind": "res_via", "column_pitch": "300nm"},
    array={"columns": 64, "columns_per_adc": 8},
    inputs={"bits": 4, "source": "random", "vectors": 8},
    readout={"code_error_target": 1e-2},
    conditions={"corners": ["tt"]},
    characterization={"patterns": 2, "samples": 30, "max_levels": 5},
)
"""What stands in a page's working folder where the page means a larger configuration."""

PLACES = {"NAME": "csv"}
"""Placeholders of pages that are no file of the working folder."""


def ids(commands: list[Any]) -> list[str]:
    return [f"{c.page}: {c.text}" for c in commands]


def run_metalrom(words: list[str]) -> tuple[int, str]:
    """The command line in this process: exit code and what it wrote on standard output."""
    from metalrom.cli.main import app

    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            app(words, prog_name="metalrom")
        except SystemExit as end:
            return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small configuration, its run and the cache of both, which other tests do not see."""
    folder = tmp_path_factory.mktemp("docs_run")
    (folder / "small.yaml").write_text(SMALL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("METALROM_CACHE", str(folder / "cache"))
        code, told = run_metalrom(["run", str(folder / "small.yaml"), "-o", str(folder / "out"), "--jobs", "2"])
    assert code == 0, told
    return folder


@pytest.fixture
def place(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with everything that pages speak of, small."""
    monkeypatch.setenv("METALROM_CACHE", str(finished / "cache"))
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for name in ("CONFIG", "examples/minilm_layer.yaml"):
        (tmp_path / name).write_text(SMALL)
    for name in ("OUT", "out"):
        shutil.copytree(finished / "out", tmp_path / name)
    network = {
        "architectures": ["BertModel"], "model_type": "bert", "hidden_size": 8, "intermediate_size": 16,
        "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 50, "max_position_embeddings": 128,
        "type_vocab_size": 2,
    }  # fmt: skip
    (tmp_path / "path" / "to").mkdir(parents=True)
    (tmp_path / "path" / "to" / "config.json").write_text(json.dumps(network))
    (tmp_path / "layers.csv").write_text("name,rows,columns\nfirst,32,16\nlast,16,8\n")
    shutil.copytree(ROOT / "examples" / "own_kit", tmp_path, dirs_exist_ok=True)
    shutil.copyfile(tmp_path / "stack.yaml", tmp_path / "my_stack.yaml")
    divider = "divider\nV1 a 0 1\nR1 a out 1e3\nR2 out 0 1e3\n.op\n.end\n"
    (tmp_path / "DECK").write_text(divider)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def execute(command: Any, finished: Path, *, shrink: bool = True) -> None:
    """Run one command in the current folder; shrink: a starter that it writes is replaced by the small one.

    A run of the small configuration gives the same bytes each time (tests/system proves it), so `finished` stands for
    all of them.
    """
    words = [PLACES.get(word, word) for word in command.words]
    if words[0] == "sed":
        where = words.index(">")
        done = subprocess.run(words[:where], capture_output=True, check=True, timeout=20)
        Path(words[where + 1]).write_bytes(done.stdout)
        return
    if words[1] == "run" and Path(words[2]).read_text() == SMALL:
        check_options(words[1:], complete=True)
        out = Path(words[words.index("-o") + 1])
        shutil.rmtree(out, ignore_errors=True)  # as a run does: it replaces an earlier output folder in one step
        shutil.copytree(finished / "out", out)
        return
    code, told = run_metalrom(words[1:])
    assert code == 0, f"{command.page}: {command.text}\n{told}"
    if words[1] == "init" and shrink:
        (Path(words[2]) / "metalrom.yaml").write_text(SMALL)


def test_pages_hold_commands() -> None:
    assert len(FENCED) > 50
    assert len(INLINE) > 60
    assert {c.page for c in FENCED} >= {"README.md", "docs/tutorials/first-run.md", "docs/tutorials/real-weights.md"}


def test_every_command_has_a_class() -> None:
    assert [c for c in (*FENCED, *INLINE) if not c.kind[0]] == []
    assert [line for page in PAGES for line in found.indented(page)] == []


def test_every_rule_is_needed() -> None:
    kinds = [(rule, kind) for rule, kind, _ in found.RULES]
    used = {next(rule for rule, _ in kinds if re.match(rule, c.text)) for c in (*FENCED, *INLINE)}
    assert {rule for rule, _ in kinds} - used <= {r"(PYTHONPATH=\. )?python docs/"}


@pytest.mark.ngspice
@pytest.mark.parametrize("page", sorted({c.page for c in FENCED if c.kind[0] == "run"}))
def test_cheap_commands_run(page: str, place: Path, finished: Path) -> None:
    for command in FENCED:
        if command.page == page and command.kind[0] == "run":
            execute(command, finished)


@pytest.mark.slow
@pytest.mark.ngspice
def test_the_quick_start_as_it_stands(place: Path, finished: Path) -> None:
    for command in FENCED:
        if command.page == "docs/tutorials/first-run.md" and command.kind[0] == "run":
            execute(command, finished, shrink=False)


def check_options(words: list[str], *, complete: bool) -> None:
    """The command exists and knows these options; complete: all arguments are there, and of their type."""
    import typer

    from metalrom.cli.main import app

    root = typer.main.get_command(app)
    context = root.make_context("metalrom", list(words), resilient_parsing=True)
    rest = list(words)
    while rest and rest[0].startswith("--"):
        rest = rest[2:]
    command: Any = root
    if not complete and (not rest or rest[0].isupper() or rest[0] == "..."):  # any command
        return
    while hasattr(command, "commands") and rest:
        assert rest[0] in command.commands, words
        command = command.commands[rest.pop(0)]
    if complete:
        command.make_context(command.name, rest, parent=context)
        return
    known = {name for p in command.params for name in (*p.opts, *p.secondary_opts)} | {"--help"}
    assert {word.strip("[],").partition("=")[0] for word in rest if re.match(r"\[?--?[a-z]", word)} <= known, words


@pytest.mark.parametrize("command", [c for c in FENCED if c.kind[0] in ("parse", "run")], ids=str)
def test_commands_parse(command: Any) -> None:
    if command.words[0] == "metalrom":
        check_options([PLACES.get(w, w) for w in command.words[1:]], complete=True)


def test_inline_commands_exist() -> None:
    for command in INLINE:
        if command.words[0] == "metalrom":
            first = [w.split("|") for w in command.words[1:]]
            check_options([w[0] for w in first], complete=False)


def test_commands_that_install_name_what_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    jobs = re.findall(r"^  (\w+)[^)\n]*\) (?:shift|need|setup|usage)", (ROOT / "run").read_text(), re.MULTILINE)
    for command in (*FENCED, *INLINE):
        if command.kind[0] == "script":
            assert command.words[1] in jobs, command
        if command.kind[0] == "pip":
            for extras in re.findall(r"\[([\w,]+)\]", command.text):
                assert set(extras.split(",")) <= set(project["optional-dependencies"]), command


def test_benchmarks_and_tests_exist_with_these_options() -> None:
    for command in (*FENCED, *INLINE):
        words = [w for w in command.words if not w.startswith("PYTHONPATH=")]
        if command.kind[0] == "benchmark":
            script = ROOT / words[1]
            assert script.is_file(), command
            given = {w.partition("=")[0] for w in words[2:] if re.match(r"--?[a-z]", w)}
            assert given <= found.options_of_script(script), command
        if command.kind[0] in ("pytest", "elsewhere"):
            told = [command.kind[1]] if command.kind[0] == "elsewhere" else [w for w in words[1:] if "/" in w]
            assert all((ROOT / w.partition("::")[0]).exists() for w in told), command


BENCHMARKS = [path for path in sorted((ROOT / "benchmarks").glob("*.py")) if "__main__" in path.read_text()]


def test_no_benchmark_hides_a_package() -> None:
    # a script's own folder comes first on the path: numba once took a benchmark named coverage for the package
    for path in (ROOT / "benchmarks").glob("*.py"):
        spec = importlib.machinery.PathFinder.find_spec(path.stem, [p for p in sys.path if "benchmarks" not in p])
        known = path.stem in sys.stdlib_module_names or (spec is not None and "site-packages" in (spec.origin or ""))
        assert path.stem != "coverage", path
        assert not known, path


@pytest.mark.slow
@pytest.mark.parametrize("script", BENCHMARKS, ids=lambda path: path.name)
def test_benchmarks_start(script: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(script), "--help"],
        cwd=ROOT, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout


def test_python_blocks_name_what_exists() -> None:
    import ast

    seen = 0
    for page in PAGES:
        for language, body in found.blocks(page):
            if language != "python":
                continue
            for node in ast.walk(ast.parse(body)):
                if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in (
                    "metalrom", "netlists", "characterization", "interconnect", "ngspice_runner",
                ):  # fmt: skip
                    module = importlib.import_module(node.module or "")
                    for alias in node.names:
                        seen += 1
                        inner = f"{node.module}.{alias.name}"
                        assert hasattr(module, alias.name) or importlib.util.find_spec(inner), f"{page.name}: {inner}"
    assert seen > 40

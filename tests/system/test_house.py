"""The house keeps its own rules: imports point one way, nothing dangerous is called, nothing names one machine."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

ROOMS = ("interconnect", "templates", "netlists", "ngspice_runner", "characterization", "metalrom")
OUTER = ("tests", "benchmarks", "examples")
"""Folders that use the rooms and that no room may use."""

FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "subprocess.getoutput",
    "yaml.unsafe_load",
}
SAFE_LOADERS = {"SafeLoader", "CSafeLoader"}

MACHINE_PATHS = re.compile(r"(?<![\w.}])/(?:hom[e]|roo[t]|User[s]|wor[k]|far[m]|tm[p]|op[t]/pypi)/")
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".j2", ".cir", ".sp", ".spi", ".csv", ".ipynb", ".sh", ""}
SKIPPED = {".git", ".venv", "out", "dist", "build", "__pycache__"}


def _sources(room: str) -> list[Path]:
    return sorted(path for path in (ROOT / room).rglob("*.py") if SKIPPED.isdisjoint(path.parts))


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    """Absolute names of everything imported anywhere in a file, functions and type checking included, with the line."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            yield ".".join([*above, *([node.module] if node.module else [])]), node.lineno
        elif isinstance(node, ast.Call) and _dotted(node.func) == "importlib.import_module" and node.args:
            name = node.args[0]
            yield (str(name.value) if isinstance(name, ast.Constant) else "a name computed at run time"), node.lineno


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _lazy_imports(path: Path) -> list[str]:
    """Imports inside functions: they hide what a file depends on until it runs."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    inner = {n for f in functions for n in ast.walk(f) if isinstance(n, ast.Import | ast.ImportFrom)}
    return [f"{path.relative_to(ROOT)}:{node.lineno}" for node in sorted(inner, key=lambda node: node.lineno)]


def _dangers(path: Path) -> list[str]:
    """Calls that run text, a shell, or whatever a file says."""
    found = [f"imports {name}" for name, _ in _imports(path) if name.partition(".")[0] in FORBIDDEN_MODULES]
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    loaders = SAFE_LOADERS | {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and node.bases
        and all(_dotted(base).rpartition(".")[2] in SAFE_LOADERS for base in node.bases)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = _dotted(node.func)
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        if name in FORBIDDEN_CALLS:
            found.append(f"line {node.lineno}: {name}")
        for flag in ("shell", "allow_pickle"):
            value = keywords.get(flag)
            if value is not None and not (isinstance(value, ast.Constant) and value.value is False):
                found.append(f"line {node.lineno}: {name}({flag}=...)")
        if name in ("yaml.load", "yaml.load_all"):
            loader = keywords.get("Loader", node.args[1] if len(node.args) > 1 else ast.Constant(None))
            if _dotted(loader).rpartition(".")[2] not in loaders:
                found.append(f"line {node.lineno}: {name} without a safe loader")
    return found


def test_imports_point_one_way() -> None:
    # the layers stand in pyproject.toml; imports inside functions and for type checking count
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--no-cache"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 kept, 0 broken" in done.stdout


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_use_no_outer_folder(room: str) -> None:
    used = [f"{path}:{line}" for path in _sources(room) for name, line in _imports(path) if name.split(".")[0] in OUTER]
    assert used == []


def test_imports_stand_at_the_top() -> None:
    inner = [line for room in ROOMS for path in _sources(room) for line in _lazy_imports(path)]
    assert [line for line in inner if not line.startswith("metalrom/cli/")] == []


@pytest.mark.parametrize("room", ROOMS)
def test_nothing_runs_what_a_file_says(room: str) -> None:
    assert [f"{path.relative_to(ROOT)}: {what}" for path in _sources(room) for what in _dangers(path)] == []


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_are_typed_and_shipped(room: str) -> None:
    assert (ROOT / room / "py.typed").is_file()
    assert (
        f'"{room}"'
        in (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("tool.hatch.build.targets.wheel")[2]
    )


def test_templates_hold_no_code() -> None:
    for path in _sources("templates"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        assert all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body), path


def test_files_hold_one_concept() -> None:
    long = {str(path.relative_to(ROOT)): n for room in ROOMS for path in _sources(room) if (n := _lines(path)) > 500}
    assert long == {}


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_path_of_one_machine() -> None:
    folders = [*ROOMS, *OUTER, "docs", ".ci"]
    files = [path for folder in folders for path in (ROOT / folder).rglob("*")] + list(ROOT.iterdir())
    found = []
    for path in sorted(files):
        if path.is_file() and path.name != ".git" and path.suffix in TEXT and SKIPPED.isdisjoint(path.parts):
            text = path.read_text(encoding="utf-8", errors="replace")
            found += [f"{path.relative_to(ROOT)}: {hit[0]}" for hit in MACHINE_PATHS.finditer(text)]
    assert found == []


def test_importing_the_rooms_loads_nothing_heavy() -> None:
    # The command line must start within half a second of CPU; any one of these costs a good part of it.
    code = f"import sys, {', '.join(ROOMS)}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    heavy = {
        "scipy",
        "ngsolve",
        "skrf",
        "sklearn",
        "matplotlib",
        "xarray",
        "numba",
        "pandas",
        "h5netcdf",
        "gdstk",
        "PySpice",
    }
    assert heavy.isdisjoint(done.stdout.split())


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("def f():\n    from characterization.tables.table import X", 1),
        ("class C:\n    async def f(self):\n        import numpy, scipy\n        from . import x", 2),
        ("def f():\n    def g():\n        import numpy", 1),
        ("import numpy\nif TYPE_CHECKING:\n    from . import x", 0),
    ],
)
def test_lazy_imports_are_seen(code: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sample.py"
    path.write_text(code)
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    assert len(_lazy_imports(path)) == count


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("import pickle", 1),
        ("eval('1')", 1),
        ("subprocess.run(x, shell=True)", 1),
        ("subprocess.run(x, shell=flag)", 1),
        ("subprocess.run(x, shell=False)", 0),
        ("yaml.load(f)", 1),
        ("yaml.load(f, Loader=yaml.Loader)", 1),
        ("yaml.load(f, Loader=yaml.CSafeLoader)", 0),
        ("class Strict(yaml.SafeLoader): pass\nyaml.load(f, Loader=Strict)", 0),
        ("class Lax(yaml.Loader): pass\nyaml.load(f, Loader=Lax)", 1),
        ("class Lax(yaml.SafeLoader, yaml.Loader): pass\nyaml.load(f, Loader=Lax)", 1),
        ("np.load(f, allow_pickle=True)", 1),
        ("re.compile('x'); yaml.safe_load(f); model.eval()", 0),
    ],
)
def test_dangers_are_seen(code: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "netlists" / "sample.py"
    path.parent.mkdir()
    path.write_text(code)
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    assert len(_dangers(path)) == count


def test_machine_paths_are_seen() -> None:
    assert MACHINE_PATHS.search("open('/ho" + "me/me/x')")
    assert not MACHINE_PATHS.search("https://x.org/ho" + "me/page")

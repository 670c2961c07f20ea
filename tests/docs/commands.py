"""Commands of the documentation: found in its pages, each put into a class that says how it is tried."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHELL = {"sh", "bash", "console", "shell"}
_FENCE = re.compile(r"^( *)```+ *([\w+-]*)[^\n]*\n(.*?)^\1```+ *$", re.MULTILINE | re.DOTALL)
_STARTS = re.compile(r"\s*(metalrom|\./run|pip|python|pytest|PYTHONPATH=\S* python)\s")
_SNIPPET = re.compile(r'^--8<-- "([^"]+)"$', re.MULTILINE)
_COMMENT = re.compile(r"(^|\s)#.*$")

# First match decides. run: executed here. elsewhere: executed by the test that is named. parse: needs what a test
# machine may lack (network, root, an installation, a fetched network, hours): its options are checked.
RULES: tuple[tuple[str, str, str], ...] = (
    (r"metalrom fetch ", "parse", "network"),
    (r"metalrom evaluate ", "parse", "fetched networks"),
    (r"metalrom explore ", "parse", "minutes; tests/metalrom/explore runs it on a small space"),
    (r"metalrom optimize ", "parse", "an extra; tests/metalrom/explore runs it on a small space"),
    (r"metalrom cells ", "parse", "minutes; tests/metalrom/test_cells_page.py runs it on a small layer"),
    (r"metalrom respin ", "parse", "runs of two models; tests/metalrom/test_respin.py draws and compares two"),
    (r"metalrom .*--cluster ", "parse", "machines; tests/system runs it on a cluster of its own"),
    (r"srun ", "shell", "machines"),
    (r"metalrom (fit|predict) ", "parse", "minutes of field solutions; tests/metalrom/test_fitted.py runs a small one"),
    (r"metalrom .*(mine\.yaml|my40\.yaml|model\.gguf|asset:)", "parse", "a file of the reader"),
    (r"metalrom --plugin ", "elsewhere", "tests/docs/test_plugins.py"),
    (r"metalrom ", "run", ""),
    (r"sed ", "run", ""),
    (r"cd ", "shell", "the reader's own folder"),
    (r"\./run ", "script", "installs"),
    (r"pip install ", "pip", "network"),
    (r"python examples/slurm_cluster\.py ", "elsewhere", "tests/ngspice_runner/test_slurm.py"),
    (r"(kill %|mkdir )", "shell", "the reader's own shell"),
    (r"docker (build|run) ", "shell", "an engine for containers; tests/system has a room like one"),
    (r"(PYTHONPATH=\. )?python (benchmarks|examples)/", "benchmark", "minutes"),
    (r"(PYTHONPATH=\. )?python docs/", "benchmark", ""),
    (r"python tests/mutation", "shell", "minutes"),
    (r"python -m ngspice_runner ", "elsewhere", "tests/docs/test_harness_page.py"),
    (r"python -m (mkdocs|pytest|mypy|pip|venv)", "shell", "other tests do it, or it installs"),
    (r"pytest ", "pytest", "it is the suite itself"),
    (r"(ruff|mypy|mkdocs)\b", "shell", "the suite's other steps"),
    (r"(apt-get|dnf|brew|conda) install ", "shell", "root"),
    (r"git clone ", "shell", "network"),
    (r"\. \.venv/bin/activate$", "shell", "an installation"),
    (r"ngspice ", "elsewhere", "tests/characterization/test_level_testbench.py"),
    (r"dask (scheduler|worker) ", "shell", "machines; tests/ngspice_runner has a cluster of its own"),
    (r"jupyter execute ", "elsewhere", "tests/docs/test_notebook.py"),
    (r"(iverilog|vvp|verilator|openvaf-r) ", "shell", "tests/metalrom/exports run them"),
    (r"ACCELERGY_COMPONENT_LIBRARIES=DIR accelergy ", "shell", "tests/metalrom/exports run it"),
    (r"export METALROM_(CONSUMERS|NEUROSIM)=", "shell", "the reader's own interpreters and sources"),
    (r"python inference\.py ", "shell", "NeuroSim's own simulation, on CUDA"),
)


@dataclass(frozen=True)
class Command:
    """One command of a page. inline: between backticks, so that its arguments may be placeholders."""

    page: str
    text: str
    inline: bool = False

    @property
    def words(self) -> list[str]:
        """As a shell splits it."""
        return shlex.split(self.text)

    @property
    def kind(self) -> tuple[str, str]:
        """(class, reason); ("", "") for a command that no rule knows."""
        return next(((kind, why) for rule, kind, why in RULES if re.match(rule, self.text)), ("", ""))


def pages() -> list[Path]:
    """Every page that a reader may copy a command from."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    return sorted(path for path in found if path.is_file())


def blocks(path: Path) -> Iterator[tuple[str, str]]:
    """(language, text) of the fenced blocks of a page, included files in place."""
    for match in _FENCE.finditer(path.read_text(encoding="utf-8")):
        yield match[2], _SNIPPET.sub(lambda name: (ROOT / name[1]).read_text(encoding="utf-8").rstrip("\n"), match[3])


def fenced(path: Path) -> list[Command]:
    """Commands in fenced blocks, in order: of shell blocks, and of blocks without a language that begin with one."""
    name, found = str(path.relative_to(ROOT)), []
    for language, body in blocks(path):
        if language in SHELL or (not language and _STARTS.match(body)):
            for line in body.replace("\\\n", " ").splitlines():
                for part in _COMMENT.sub("", line).split("&&"):
                    if part.strip():
                        found.append(Command(name, " ".join(part.split())))
    return found


def inline(path: Path) -> list[Command]:
    """Commands between backticks."""
    text = _FENCE.sub("", path.read_text(encoding="utf-8"))
    found = re.findall(r"`((?:PYTHONPATH=\. )?(?:metalrom|\./run|python|pytest|pip) [^`\n]+)`", text)
    parts = [part.strip() for one in found for part in one.replace("\\|", "|").split("&&")]
    return [Command(str(path.relative_to(ROOT)), part, inline=True) for part in parts]


def indented(path: Path) -> list[str]:
    """Commands that stand indented instead of fenced, where this collection would miss them."""
    text = _FENCE.sub("", path.read_text(encoding="utf-8"))
    return re.findall(r"^(?: {4}|\t)(?:(?:metalrom|\./run|pip) |python benchmarks).*$", text, re.MULTILINE)


def options_of_script(path: Path) -> set[str]:
    """Options that a script hands to argparse, read without running it; InputError-free and without its imports."""
    found = {"-h", "--help"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument":
            found |= {a.value for a in node.args if isinstance(a, ast.Constant) and str(a.value).startswith("-")}
    return found

"""Odd command lines over every command and option, and plugins that misbehave in every way that Python allows."""

from __future__ import annotations

import ast
import functools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from benchmarks.fuzz_cases import CALLS, Case, damaged
from benchmarks.fuzz_seeds import Seeds
from metalrom.cli.main import app

ROOT = Path(__file__).resolve().parent.parent

WORDS = (
    "", " ", "-", "--", "-1", "0", "1", "2", "8", "16", "1e9", "99999999999999999999", "nan", "inf", "1e999",
    "0x10", "٣", "１",
    "1_0", "a,b", ",", ",,", "a=b", "=", "a=", "ss_0.90V_85C", "tt", "minilm", "smollm2", "ideal",
    "synthetic:", "bert-base",
    "synthetic:sigma=0.14", "synthetic:sigma=nan", "synthetic:sigma=1e999,rows=-1", "synthetic:a=b=c",
    "tcp://127.0.0.1:1",
    "tcp://", "local.json", "64x64x2", "0x0", "-1x5", "1080p", "224x224", "full", "sram", "process", "batch", "shared",
    "conditions.vdd=0.9V:1.1V", "conditions.vdd=1V:0V", "a.b=1:2", "array.group_rows=4:8", "code_error <= 1e-4 at all",
    "csnr >= 30dB", "<", "code_error", "density_macro", "1%", "0%", "-5%", "formula", "table", "noise,energy",
    "transfer",
    "naïve", "名前", "😀", "\u202eabc", "a\nb", "a" * 3000, "\x1b[31m", "%s%n", "$(id)", "csv", "netcdf",
    "v(out)", "rom_1t",
    "cap_balanced", "res_via", "generic28", "open45", "array", "cell", "column", "macro", "tile", "W", "\udcff",
)  # fmt: skip
"""No word leads out of the case's folder: what is written is written there."""
_FILES = (
    "@/c.yaml",
    "@/run",
    "@/m.json",
    "@/n.cir",
    "@/t.gds",
    "@",
    "@/nothing",
    "@/c.yaml/x",
    "@/pipe",
    "/dev/zero",
    "/dev/full",
)
_OUTPUTS = (
    "@/out",
    "@/out.cir",
    "@/out.gds",
    "@/out.oas",
    "@/out.json",
    "@/c.yaml",
    "@/a/b/c",
    "@",
    "@/c.yaml/x",
    "@/" + "n" * 300,
    "@/\n",
)
_WRITTEN = {"output", "folder", "picture"}
_READ = {
    "config",
    "file",
    "deck",
    "out",
    "old",
    "new",
    "out1",
    "out2",
    "run",
    "weights",
    "path",
    "points",
    "model",
    "macro",
}
_LEFT_OUT = {"--install-completion", "--show-completion", "--cluster", "--help"}


@functools.cache
def commands() -> dict[tuple[str, ...], list[Any]]:
    """Parameters of every command by its words."""
    found = {}
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        for word, below in (inner or {"": command}).items():
            found[(name, word) if word else (name,)] = list(below.params)
    return found


def _value(parameter: Any, rng: random.Random) -> str:
    if parameter.name in _WRITTEN:
        return rng.choice(_OUTPUTS)
    if parameter.name in _READ and rng.random() < 0.9:
        return rng.choice((*_FILES, *_FILES[:5]))
    if rng.random() < 0.4:
        return str(rng.choice((0, 1, 2, 3, 7, 30)))
    return rng.choice(WORDS)


def command_case(rng: random.Random, seeds: Seeds) -> Case:
    """Any command with any of its options, each of an odd value."""
    words, parameters = rng.choice(sorted(commands().items()))
    line = list(words)
    for parameter in parameters:
        needed = parameter.required or parameter.param_type_name == "argument"
        options = [o for o in parameter.opts if o.startswith("--")]
        if set(options) & _LEFT_OUT or rng.random() > (0.93 if needed else 0.2):
            continue
        if not options:
            line.append(_value(parameter, rng))
        elif parameter.is_flag:
            line.append(options[0])
        else:
            line += [options[0], _value(parameter, rng)]
    if rng.random() < 0.1:
        line.insert(rng.randrange(len(line) + 1), rng.choice(WORDS))
    if words[0] == "fetch":  # nothing is downloaded
        line = ["fetch", *(word for word in line[1:] if word not in ("minilm", "smollm2"))]
    files = {"c.yaml": seeds.config, **seeds.audited}
    if seeds.model:
        files["m.json"] = seeds.model
    copy = seeds.run if "@/run" in line else None
    return Case(f"command line: {words[0]}", tuple(line), files, copy=copy)


_STATEMENTS = (
    "import sys; sys.exit(0)", "import sys; sys.exit('text')", "raise SystemExit", "raise KeyboardInterrupt",
    "raise Exception",
    "raise Mute", "raise Deep", "raise StopIteration", "raise MemoryError", "raise RecursionError",
    "raise GeneratorExit",
    "raise BaseException('x')", "print('printed'); import sys; sys.stdout.write('more'); sys.stdout.flush()",
    "1/0", "return None",
    "return float('nan')", "return 'text'", "return ()", "return -1", "return {}", "return object()",
    "raise UnicodeError('\\ud800')",
    "def f(): return f()\nf()", "raise OSError(28, 'No space left on device')",
    "raise ValueError('a\\nb\\x1b[31m')", "import nothing",
    "raise ExceptionGroup('g', [ValueError('x')])", "import warnings; warnings.warn('careful')",
    "raise BrokenPipeError", "quit()",
    "import typer; raise typer.Exit(0)", "import click; raise click.Abort", "return None.x", "assert False, 'no'",
    "import logging; logging.error('logged')", "raise TimeoutError",
)  # fmt: skip
_HEAD = """
class Mute(Exception):
    def __str__(self): raise RuntimeError
    __repr__ = __str__
class Deep(Exception):
    def __str__(self): return str(self)
"""
_PLUGINS = {
    "examples/plugins/wide_cell.py": ("netlist", "@/wide.yaml", "--level", "column", "-o", "@/out.cir", "--json"),
    "examples/plugins/levels_csv.py": ("export", "@/run", "--format", "levels_csv", "-o", "@/out", "--check", "--json"),
    "examples/plugins/droop.py": ("extract", "@/c.yaml", "--method", "formula", "--json"),
}


def plugin_case(rng: random.Random, seeds: Seeds) -> Case:
    """A shipped example of a plugin with a statement put into the module or into one of its functions."""
    path, words = rng.choice(sorted(_PLUGINS.items()))
    if "@/run" in words and seeds.run is None:
        path, words = "examples/plugins/wide_cell.py", _PLUGINS["examples/plugins/wide_cell.py"]
    source = (ROOT / path).read_text(encoding="utf-8")
    what = rng.random()
    if what < 0.15:
        data = damaged(source.encode(), rng)
    elif what < 0.3:
        statement = rng.choice([s for s in _STATEMENTS if not s.startswith("return")])
        lines = source.split("\n")
        data = (
            source + _HEAD + statement + "\n" if rng.random() < 0.5 else _HEAD + statement + "\n" + "\n".join(lines)
        ).encode()
    else:
        data = _with_statement(source, rng).encode()
    files = {"p.py": data, "c.yaml": seeds.config}
    if "@/wide.yaml" in words:
        files["wide.yaml"] = (ROOT / "examples/plugins/wide.yaml").read_bytes()
    if rng.random() < 0.15:
        words = rng.choice(CALLS[:4])
    copy = seeds.run if "@/run" in words else None
    return Case("plugin", ("--plugin", "@/p.py", *words), files, copy=copy, apart=True, allowed=(130,), own_files=True)


def _with_statement(source: str, rng: random.Random) -> str:
    """The module with a statement at the beginning of one function; `Mute` and `Deep` are at hand."""
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    chosen = rng.choice(functions)
    documented = ast.get_docstring(chosen) is not None
    chosen.body[1 if documented else 0 : 1 if documented else 0] = ast.parse(rng.choice(_STATEMENTS)).body
    if rng.random() < 0.2:  # a class without one of its parts
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and len(node.body) > 1]
        if classes:
            body = rng.choice(classes).body
            del body[rng.randrange(len(body))]
    at = next((k for k, node in enumerate(tree.body) if not isinstance(node, ast.Expr | ast.ImportFrom)), 0)
    tree.body[at:at] = ast.parse(_HEAD).body
    return ast.unparse(ast.fix_missing_locations(tree))


COMMAND_KINDS: tuple[tuple[float, Callable[[random.Random, Seeds], Case]], ...] = ((8, command_case), (2, plugin_case))
"""Share of all cases -> what makes one."""

"""Do the tests notice a wrong line? Small faults are put into core modules, one at a time, and their tests run.

    python tests/mutation.py                          # 40 faults in each module of TARGETS
    python tests/mutation.py ngspice_runner/raw.py --sample 0   # all faults of one

A fault (mutant) is a swapped comparison, a moved bound, a swapped operator, a constant one off, a negated condition or
a returned None. It is killed when a test fails or the tests do not end; one that changes no result is listed in
EQUIVALENT with its reason. Exit status 1 where less than `--goal` of the others are killed. Needs `os.fork`.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType

ROOT = Path(__file__).resolve().parents[1]

TARGETS = {
    "netlists/mapping/scheme.py": ("tests/netlists/test_mapping_bounds.py", "tests/netlists/test_mapping.py"),
    "characterization/margins.py": ("tests/characterization/test_margin_functions.py",),
    "metalrom/macro/quality.py": ("tests/metalrom/test_macro_quality.py", "-k", "csnr or gain or nothing or published"),
    "interconnect/crossbar.py": (
        "tests/interconnect/test_crossbar.py",
        "-k",
        "not ngspice and not 256 and not hard_case and not any_small",
    ),
    "ngspice_runner/verdict.py": (
        "tests/ngspice_runner/test_verdict.py",
        "-k",
        "not any_text and not floats and not numbers and not arithmetic and not traps",
    ),
    "ngspice_runner/raw.py": ("tests/ngspice_runner/test_raw.py", "-k", "not engine_run"),
}
"""Module -> the quick tests that must notice a fault in it (arguments of pytest), without the engine. None with
compiled kernels: their cache would hide the fault."""

EQUIVALENT: dict[str, dict[str, str]] = {
    "ngspice_runner/verdict.py": {
        "_scan_log: end >= 0 -> end > 0": "a line cannot end before the match in it began",
        "_scan_log: 600 -> 599": "cut to 300 characters afterwards",
        "_scan_log: 600 -> 601": "cut to 300 characters afterwards",
        "_scan_log: 10000 -> 9999": "bounds the time that a broken log takes",
        "_scan_log: 10000 -> 10001": "bounds the time that a broken log takes",
        "_scan_log: len(fatal) + len(doubts) > 10000 -> len(fatal) + len(doubts) >= 10000": "the same bound",
    },
    "metalrom/macro/quality.py": {
        "csnr: ideal - ideal.mean() -> ideal + ideal.mean()": "the other factor has no mean: a constant adds nothing",
        "csnr: real - real.mean() -> real + real.mean()": "the other factor has no mean: a constant adds nothing",
    },
    "characterization/margins.py": {"rounding_error: spread > 0 -> spread >= 0": "0.5 / 0 is infinite as well"},
    "interconnect/crossbar.py": {"effective_conductance: 0 -> 1": "the cells are refused before the drives"}
    | dict.fromkeys(
        (f"module: {a} -> {b}" for a, b in ((5000, 4999), (5000, 5001), (200, 199), (200, 201))),
        "bounds the time that a circuit without a solution takes",
    ),
    "ngspice_runner/raw.py": {"next_plot: 0 -> -1 #2": "there is one plot"}
    | dict.fromkeys(
        (f"module: {a} -> {b}" for a, b in ((64, 63), (64, 65), (1024, 1023), (1024, 1025))),
        "bounds the memory that a broken file takes",
    ),
}
"""Module -> mutant -> why no result changes."""

_PRELOADED = ("numpy", "scipy.special", "scipy.optimize", "scipy.sparse.linalg", "scipy.stats", "pydantic", "yaml",
              "numba", "xarray", "hypothesis.strategies", "pytest")  # fmt: skip
_COMPARE: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}  # fmt: skip
_BINARY: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One fault: its name (function, expression before and after), its line and the module with it."""

    name: str
    line: int
    tree: ast.Module


def variants(node: ast.AST) -> Iterator[ast.AST]:
    """What a node is replaced by, one fault each."""
    if isinstance(node, ast.Compare):
        for i, operator in enumerate(node.ops):
            for other in _COMPARE.get(type(operator), ()):
                yield ast.Compare(node.left, [*node.ops[:i], other(), *node.ops[i + 1 :]], node.comparators)
    elif isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        yield ast.BinOp(node.left, _BINARY[type(node.op)](), node.right)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield from (ast.Constant(node.value + 1), ast.Constant(node.value - 1))
    elif isinstance(node, ast.If | ast.IfExp):
        changed = copy.copy(node)
        changed.test = ast.UnaryOp(ast.Not(), node.test)
        yield changed
    elif isinstance(node, ast.Return) and node.value is not None and ast.unparse(node.value) != "None":
        yield ast.Return(ast.Constant(None))


def mutants(text: str) -> list[Mutant]:
    """All faults of a module; texts, annotations, messages of errors and imports are left alone."""
    tree = ast.parse(text)
    found: list[Mutant] = []
    names: dict[str, int] = {}

    def walk(node: ast.AST, where: str) -> None:
        if isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom):
            return
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            where = node.name
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_params", "type_comment"):
                continue
            for i, child in enumerate(value) if isinstance(value, list) else ((None, value),):
                if not isinstance(child, ast.AST):
                    continue
                for other in variants(child):
                    ast.fix_missing_locations(ast.copy_location(other, child))
                    _put(node, name, i, other)
                    old, new = (" ".join(_head(n).split())[:90] for n in (child, other))
                    title = f"{where}: {old} -> {new}"
                    names[title] = names.get(title, 0) + 1
                    title += f" #{names[title]}" if names[title] > 1 else ""
                    found.append(Mutant(title, getattr(child, "lineno", 0), copy.deepcopy(tree)))
                    _put(node, name, i, child)
                walk(child, where)

    walk(tree, "module")
    return found


def _head(node: ast.AST) -> str:
    return f"if {ast.unparse(node.test)}" if isinstance(node, ast.If) else ast.unparse(node)


def _put(parent: ast.AST, name: str, index: int | None, child: ast.AST) -> None:
    if index is None:
        setattr(parent, name, child)
    else:
        getattr(parent, name)[index] = child


class _Loader(importlib.abc.MetaPathFinder, importlib.machinery.SourceFileLoader):
    """Imports one module from a syntax tree instead of its file."""

    def __init__(self, module: str, path: Path, tree: ast.Module) -> None:
        super().__init__(module, str(path))
        self.tree = tree

    def find_spec(self, name: str, path: object = None, target: ModuleType | None = None) -> object:  # type: ignore[override]
        """The module's spec, None for others."""
        return importlib.util.spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def get_code(self, name: str) -> CodeType:
        """The tree's code."""
        return compile(self.tree, self.path, "exec")  # the only place that compiles, and only a tree of this project


def passes(target: str, tests: tuple[str, ...], tree: ast.Module, limit: float) -> tuple[bool, float]:
    """Whether the tests pass with this tree in place of a module, in a child process, and how long they took (s)."""
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        os.setsid()
        with open(os.devnull, "w") as nothing:  # noqa: PTH123
            os.dup2(nothing.fileno(), 1)
            os.dup2(nothing.fileno(), 2)
        code = 70
        with contextlib.suppress(BaseException):
            import pytest

            gc.freeze()
            sys.meta_path.insert(0, _Loader(target.removesuffix(".py").replace("/", "."), ROOT / target, tree))
            options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--assert=plain", "-m", "not slow"]
            code = int(pytest.main([*options, "--simulator", "required", *tests]))
        os._exit(code)
    while (done := os.waitpid(child, os.WNOHANG))[0] == 0 and time.monotonic() - start < limit:
        time.sleep(0.02)
    if done[0] == 0:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return False, time.monotonic() - start
    return os.waitstatus_to_exitcode(done[1]) == 0, time.monotonic() - start


def main() -> int:
    """Run the faults and say how many were noticed; 1 below the goal, 2 where the tests fail without any fault."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("modules", nargs="*", default=list(TARGETS), help="modules of TARGETS; all by default")
    parser.add_argument("--sample", type=int, default=40, help="faults per module, 0: all (40)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (0)")
    parser.add_argument("--goal", type=float, default=0.9, help="share that must be noticed (0.9)")
    parser.add_argument("--seconds", type=float, default=600.0, help="bound per module (600)")
    options = parser.parse_args()
    if unknown := set(options.modules) - TARGETS.keys():
        parser.error(f"not in TARGETS: {', '.join(sorted(unknown))}")
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    sys.dont_write_bytecode = True
    for name in _PRELOADED:
        importlib.import_module(name)
    table = [("module", "mutants", "killed", "equivalent", "score")]
    low = False
    for target in options.modules:
        text = Path(target).read_text(encoding="utf-8")
        fine, seconds = passes(target, TARGETS[target], ast.parse(text), 300.0)
        if not fine:
            print(f"{target}: its tests do not pass without any fault", file=sys.stderr)
            return 2
        every = mutants(text)
        chosen = random.Random(options.seed).sample(every, min(options.sample or len(every), len(every)))
        reasons = EQUIVALENT.get(target, {})
        for name in reasons.keys() - {m.name for m in every}:
            print(f"{target}: EQUIVALENT names no fault of it: {name}", file=sys.stderr)
            return 2
        counted = [m for m in chosen if m.name not in reasons]
        start, tried, killed = time.monotonic(), 0, 0
        for mutant in sorted(counted, key=lambda m: m.line):
            if time.monotonic() - start > options.seconds:
                print(f"  time is up after {tried} of {len(counted)}")
                break
            tried += 1
            if passes(target, TARGETS[target], mutant.tree, 5.0 + 4.0 * seconds)[0]:
                print(f"  survived, {target}:{mutant.line}: {mutant.name}", flush=True)
            else:
                killed += 1
        equivalent = len(chosen) - len(counted)
        share = killed / max(tried, 1)
        low |= share < options.goal
        table.append((target, str(tried + equivalent), str(killed), str(equivalent), f"{share:.0%}"))
        print(f"{target}: {killed} of {tried} killed in {time.monotonic() - start:.0f} s", flush=True)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        print("  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]))
    return int(low)


if __name__ == "__main__":
    sys.exit(main())

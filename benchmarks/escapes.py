"""Ways in which a deck or its files try to start a program or to write outside of the run's folder, and which succeed.

    python benchmarks/escapes.py [--json]

Each attempt tries to make one file. It is run by bare ngspice, by the harness with its rules over the text alone, with
its sandbox alone (the rules switched off), and as it is by default.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from ngspice_runner import EngineError, Job, JobError, find_engine, run
from ngspice_runner.backends.sandbox import SWITCH, sandbox

HEAD = "escape\nV1 a 0 1\nR1 a 0 1k\n.op\n"
COLUMNS = ("bare ngspice", "rules alone", "sandbox alone", "default")


@dataclass(frozen=True)
class Attempt:
    """deck: what follows the circuit; files: name -> text beside the deck; environment: of the caller. `{f}` is the
    file to make, `{d}` the deck's folder."""

    name: str
    deck: str
    files: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


def control(*commands: str, section: str = ".control") -> str:
    return "\n".join([section, *commands, "quit 0", ".endc", ""])


SHELL = ".control\nshell touch {f}\n.endc\n"
COMMANDS = {
    "shell": ("shell touch {f}",),
    "shell in capitals": ("SHELL touch {f}",),
    "shell after a semicolon": ("op; shell touch {f}",),
    "shell in a condition": ("if 1", "shell touch {f}", "end"),
    "shell before loading": ("pre_shell touch {f}",),
    "shell in quotes": ('"shell" touch {f}',),
    "shell behind a backslash": ("\\shell touch {f}",),
    "exclamation mark": ("!touch {f}",),
    "back quotes": ("echo `touch {f}`",),
    "back quotes in set": ("set x = ( `touch {f}` )",),
    "unixcom": ("set unixcom", "touch {f}"),
    "alias": ("alias q shell touch {f}", "q"),
    "a variable as a command": ("foreach c shell", "$c touch {f}", "end"),
    "a variable set first": ("set c=shell", "$c touch {f}"),
    "write": ("op", "write {f}"),
    "write before loading": ("pre_write {f}",),
    "write up the tree": ("op", "write ../../../../../../../../../..{f}"),
    "write through a link": ("op", "write {d}/link/escaped"),
    "write by a variable": ("op", "set p={f}", "write $p"),
    "rawfile": ("op", "set rawfile={f}", "write"),
    "cd and write": ("op", "cd {t}", "write escaped"),
    "wrdata": ("op", "wrdata {f} v(a)"),
    "wrdata in quotes": ("op", 'wrdata "{f}" v(a)'),
    "echo >": ("echo 1 > {f}",),
    "echo > without a blank": ("echo 1 >{f}",),
    "echo >>": ("echo 1 >> {f}",),
    "echo >&": ("echo 1 >& {f}",),
    "echo before loading": ("pre_echo 1 > {f}",),
    "print >": ("op", "print v(a) > {f}"),
    "listing >": ("listing deck > {f}",),
    "let >": ("op", "let x = 1 > {f}"),
    "show >": ("op", "show r > {f}"),
    "define >": ("define q(x) x > {f}", "print q(1)"),
    "if >": ("if 1 > {f}", "echo yes", "end"),
    "snsave": ("snsave {f}",),
    "wrnodev": ("op", "wrnodev {f}"),
    "eprvcd": ("op", "eprvcd a > {f}"),
    "hardcopy": ("op", "set hcopydevtype=postscript", "hardcopy {f} v(a)"),
    "gnuplot": ("tran 1n 9n", "gnuplot {f} v(a)"),
    "aspice": ("aspice {d}/deck.cir {f}",),
    "edit": ("set editor='touch {f};'", "edit"),
    "source": ("source {d}/script",),
    "include as a command": ("include {d}/script",),
    "codemodel": ("codemodel {d}/evil.cm",),
    "codemodel before loading": ("pre_codemodel {d}/evil.cm",),
    "osdi before loading": ("pre_osdi {d}/evil.cm",),
}
FILES = {
    "included control section": (".include {d}/part.inc\n", {"part.inc": SHELL}),
    "nested include": (".include {d}/outer.inc\n", {"outer.inc": ".include part.inc\n", "part.inc": SHELL}),
    "include without a blank": ('.include"{d}/part.inc"\n', {"part.inc": SHELL}),
    "library section": (".lib {d}/kit.lib tt\n", {"kit.lib": f".lib tt\n{SHELL}.endl\n"}),
    "library and its own section": (
        ".lib {d}/kit.lib tt\n",
        {"kit.lib": f'.lib tt\n.lib "kit.lib" more\n.endl\n.lib more\n{SHELL}.endl\n'},
    ),
    "comment *# in a model file": (
        ".include {d}/part.inc\n",
        {"part.inc": ".model nn nmos level=1\n*# shell touch {f}\n"},
    ),
    "comment *# with write": (".include {d}/part.inc\n", {"part.inc": "*#\twrite {f}\n"}),
    "false condition": (".if (0)\n.include {d}/part.inc\n.endif\n", {"part.inc": SHELL}),
    "file that begins with a mark": (".include {d}/part.inc\n", {"part.inc": "\ufeff* x\n" + SHELL}),
    "carriage returns": (".include {d}/part.inc\n", {"part.inc": "* x\r\n" + SHELL.replace("\n", "\r\n")}),
    "comment *# in the deck": ("*# shell touch {f}\n", {}),
    "after .end": (".end\n" + SHELL, {}),
    "a second control section": (control("op") + SHELL, {}),
    "option rawfile": (".option rawfile={f}\n" + control("op", "write"), {}),
    ".print into a file": (".print op v(a) > {f}\n", {}),
    ".save into a file": (".save v(a) > {f}\n", {}),
    "process model": (
        'aq [a] q pp\n.model pp d_process (process_file="/usr/bin/touch" process_params=["{f}"])\n',
        {},
    ),
    ".spiceinit beside the deck": ("", {".spiceinit": "shell touch {f}\n"}),
}


def attempts() -> tuple[Attempt, ...]:
    """All of them."""
    found = [Attempt(name, control(*commands), {"script": "shell touch {f}\n"}) for name, commands in COMMANDS.items()]
    found += [Attempt(name, deck, files) for name, (deck, files) in FILES.items()]
    found += [
        Attempt(".spiceinit in HOME", "", {"home/.spiceinit": "shell touch {f}\n"}, {"HOME": "{d}/home"}),
        Attempt("spinit by SPICE_SCRIPTS", "", {"etc/spinit": "shell touch {f}\n"}, {"SPICE_SCRIPTS": "{d}/etc"}),
    ]
    return tuple(found)


@contextlib.contextmanager
def prepared(attempt: Attempt, top: Path) -> Iterator[tuple[str, Path, Path]]:
    """(deck, its folder, file that the attempt would make), with the caller's environment and folder changed."""
    folder, target = top / "deck", top / "elsewhere" / "escaped"
    for place in (folder, target.parent):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
    (folder / "link").symlink_to(target.parent)

    def filled(text: str) -> str:
        return text.replace("{f}", str(target)).replace("{d}", str(folder)).replace("{t}", str(target.parent))

    for name, text in attempt.files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(filled(text).encode())
    if "evil.cm" in attempt.deck:
        build_model(folder / "evil.cm", target)
    deck = HEAD + filled(attempt.deck) + (".end\n" if ".end\n" not in attempt.deck else "")
    (folder / "deck.cir").write_text(deck)
    before = Path.cwd()
    os.chdir(folder)
    try:
        with mock.patch.dict(os.environ, {name: filled(value) for name, value in attempt.environment.items()}):
            yield deck, folder, target
    finally:
        os.chdir(before)


def build_model(path: Path, target: Path) -> None:
    """A library that makes the target as it is loaded, where there is a C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return
    text = '#include <stdio.h>\n__attribute__((constructor)) static void go(void)\n{ FILE *f = fopen("%s", "w");'
    source = path.with_suffix(".c")
    source.write_text(text % target + " if (f) fclose(f); }\n")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(path), str(source)], check=True)


def by_engine(attempt: Attempt, top: Path) -> bool:
    """Whether the attempt succeeds with bare ngspice."""
    with prepared(attempt, top) as (_, folder, target):
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [find_engine().path, "-b", "-r", "out.raw", "deck.cir"],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=20,
                check=False,
            )
        return target.exists()


def by_harness(attempt: Attempt, top: Path, *, rules: bool = True, confined: bool = True) -> tuple[bool, str]:
    """Whether it succeeds with the harness, and what the harness says of it."""
    with contextlib.ExitStack() as stack:
        deck, folder, target = stack.enter_context(prepared(attempt, top))
        if not rules:
            stack.enter_context(mock.patch("ngspice_runner.prepare.check_permissions", return_value=False))
        if not confined:
            stack.enter_context(mock.patch.dict(os.environ, {SWITCH: "off"}))
        try:
            says = run(Job(deck, ("v(a)",), folder=str(folder), timeout=10.0)).verdict.value
        except (JobError, EngineError) as error:
            says = f"refused: {str(error).partition(': ')[2] or error}"
        return target.exists(), says


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        for attempt in attempts():
            found = [by_engine(attempt, top)]
            found += [by_harness(attempt, top, **how)[0] for how in ({"confined": False}, {"rules": False})]
            done, says = by_harness(attempt, top)
            rows.append({"attempt": attempt.name, **dict(zip(COLUMNS, [*found, done], strict=True)), "says": says})
    if asked.json:
        json.dump({"sandbox": sandbox().text, "attempts": rows}, sys.stdout, indent=1)
        return
    print(f"sandbox: {sandbox().text}\n")
    print(f"{'attempt':32}" + "".join(f"{column:>15}" for column in COLUMNS) + "  the harness says")
    for row in rows:
        marks = "".join(f"{'SUCCEEDS' if row[column] else '-':>15}" for column in COLUMNS)
        print(f"{row['attempt']:32}{marks}  {str(row['says'])[:70]}")
    totals = "".join(f"{sum(bool(row[column]) for row in rows):>15}" for column in COLUMNS)
    print(f"{f'succeed of {len(rows)}':32}{totals}")


if __name__ == "__main__":
    main()

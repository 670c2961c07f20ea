"""Nothing that a deck or its libraries say starts a program or writes outside, unless the job is trusted."""

from __future__ import annotations

from pathlib import Path

import pytest

from ngspice_runner import Job, JobError, run
from ngspice_runner.engine import find_engine
from ngspice_runner.prepare import prepare

pytestmark = pytest.mark.ngspice
HEAD = "t\nV1 a 0 1\nR1 a 0 1k\n.op\n"
SECTION = ".control\nop\n{}\nwrite x.raw\nquit 0\n.endc\n"
CONTROL = (
    "shell touch {f}",
    "SHELL touch {f}",
    "!touch {f}",
    "\\shell touch {f}",
    '"shell" touch {f}',
    "echo `touch {f}`",
    "set x=( `touch {f}` )",
    "set unixcom\ntouch {f}",
    "alias q shell touch {f}\nq",
    "foreach c shell\n$c touch {f}\nend",
    "write {f}",
    "wrdata {f} v(a)",
    "echo 1 > {f}",
    "print v(a) >> {f}",
    "let x = 1 > {f}",
    "set rawfile={f}\nwrite",
    "set p={f}\nwrite $p",
    "hardcopy {f} v(a)",
    "wrnodev {f}",
    "eprvcd a > {f}",
    "source {f}.script",
    "*# shell touch {f}",
)
IN_FILES = (
    (".include {i}", ".control\nshell touch {f}\n.endc\n"),
    (".incfoo {i} and more", ".control\nshell touch {f}\n.endc\n"),
    (".INC\t'{i}' $ models", "* a\n\t.CONTROL\nwrite {f}\n.endc\n"),
    (".lib {i} tt", ".lib tt\n.control\nwrdata {f} v(a)\n.endc\n.endl\n"),
    (".library '{i}' tt", ".lib tt\n*# shell touch {f}\n.endl\n"),
    (".include {i}", "*# echo 1 > {f}\n"),
    (".include {i}", ".controlled\nalias q shell touch {f}\nq\n.endc\n"),
    (".if (0)\n.include {i}\n.endif", ".control\nshell touch {f}\n.endc\n"),
)


def test_every_way_out_is_refused(tmp_path: Path) -> None:
    """22 commands in the deck and 8 in its files: none writes the file, each refusal names the line."""
    target, library = tmp_path / "escaped", tmp_path / "part.inc"
    (tmp_path / "escaped.script").write_text(f"shell touch {target}\n")
    decks = [HEAD + SECTION.format(command.format(f=target)) + ".end\n" for command in CONTROL]
    decks += [HEAD + f"*# shell touch {target}\n.end\n"]
    for deck in decks:
        with pytest.raises(JobError, match=r"line \d+ of the deck: .*not allowed; set the job's trust"):
            run(Job(deck, ("v(a)",)))
    for card, text in IN_FILES:
        library.write_text(text.format(f=target))
        with pytest.raises(JobError, match=rf"{library}, line \d: an included file may not execute commands"):
            run(Job(HEAD + card.format(i=library) + "\n.end\n", ("v(a)",)))
    outer = tmp_path / "outer.lib"
    outer.write_text(f"* nested\n.include {library.name}\n")
    with pytest.raises(JobError, match=r"part\.inc, line 1"):
        run(Job(HEAD + ".include outer.lib\n.end\n", ("v(a)",), folder=str(tmp_path)))
    assert not target.exists()


def test_start_up_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".spiceinit").write_text(f"shell touch {tmp_path / 'escaped'}\nset num_threads=1\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert run(Job(HEAD + ".end\n", ("v(a)",), folder=str(tmp_path))).ok
    assert not (tmp_path / "escaped").exists()


def test_trust_allows_it(tmp_path: Path) -> None:
    (tmp_path / "part.inc").write_text(f".control\nshell touch {tmp_path / 'written'}\n.endc\n")
    deck = HEAD + ".include part.inc\n.end\n"
    run(Job(deck, ("v(a)",), folder=str(tmp_path), trust=True))
    assert (tmp_path / "written").exists()


HARMLESS = (
    "* * * * * *\n*#############################\n*# \n*#=== corner tt ===\n"
    "* SKY130: monte carlo process_flag, write, shell and alias in prose; *# quoted inside\n"
    ".param mc_mm_switch=0 slope={agauss(0,1,1)*mc_mm_switch}\n"
    ".subckt n d g s b w=1 l=0.15\n+ shell=0\nm1 d g s b nn w={w} l={l}\n.ends n\n"
    ".model nn nmos level=1 vto=0.4 kp=2e-4\n"
)


def test_model_libraries_and_plain_control_sections_pass(tmp_path: Path) -> None:
    """Decoration with `*#`, prose, parameters named like commands; writing into the run's folder."""
    (tmp_path / "kit.lib").write_text(HARMLESS)
    prepare(Job(HEAD + ".include kit.lib\n.end\n", ("v(a)",), folder=str(tmp_path)), find_engine(), "process")
    for command in ("write mine.raw", 'wrdata "values.txt" v(a)', "echo done > notes.txt", "if v(a) > 0.5/2\nend"):
        prepare(Job(HEAD + SECTION.format(command) + ".end\n", ("v(a)",)), find_engine(), "process")

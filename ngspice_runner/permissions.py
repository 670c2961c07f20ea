"""What a deck must not do unless its job is trusted: start a program, or write outside of the run's folder.

ngspice executes the commands of a `.control` section and of comments that begin with `*#`, wherever they stand. In an
included file both are refused. In the deck itself a control section may analyse and write files into the run's folder;
what runs a program, executes another file or names a path is refused.
"""

from __future__ import annotations

import os
import re

from ngspice_runner.deck import ParsedDeck
from ngspice_runner.errors import JobError
from ngspice_runner.includes import IncludeSet
from ngspice_runner.job import Job

TRUST = "METALROM_TRUST"
"""Environment variable; `1` trusts every job of this process."""
_HIDDEN = re.compile(r"^[ \t]*\*#[ \t]*[^\s#*=+_.~-].*", re.MULTILINE)
_CODE = re.compile(r"^.*\b(?:process_file|d_process|d_cosim)\b.*", re.MULTILINE | re.IGNORECASE)
_WORD = re.compile(r"@?[a-z_][\w.]*(?=[\s=(,;&|<>]|$)", re.IGNORECASE)
_PLAIN_FILE = re.compile(r"\"?[\w+-][\w.+-]*\"?$")
_REDIRECTION = re.compile(r">+&?\s*(\S*)")
_FORBIDDEN = re.compile(
    r"(?:shell|cd|osdi|codemodel|use|(?:un)?alias|source|aspice|rspice|bug|edit|gnuplot|xgraph|hardcopy"
    r"|snsave|savesnap|snload|eprvcd|wrnodev|wrs2p|rehash)$"
)
"""Commands that start programs, execute or load files, or write files of a fixed name or format."""
_WRITING = frozenset(("write", "wrdata"))
_COMPARING = frozenset(("if", "while", "dowhile", "elseif", "define"))
"""Commands in which `>` compares; in all others, `let` included, it writes a file."""
_VARIABLES = re.compile(r"\b(?:unixcom|sourcepath|editor|rawfile)\b", re.IGNORECASE)


def trusts_all() -> bool:
    """True when every job is trusted (`metalrom --trust`)."""
    return os.environ.get(TRUST) == "1"


def check_permissions(job: Job, deck: ParsedDeck, includes: IncludeSet) -> bool:
    """Refuse a deck that executes or writes outside, and any command in an included file; whether a trusted job does
    so. Raises JobError with file and line."""
    if job.trust:
        commands = hidden_command(job.text) or any(executes(card) for _, card in deck.control)
        return bool(includes.commands or commands)
    for path, line, text in includes.commands:
        raise JobError(
            f"{path}, line {line}: an included file may not execute commands ({text[:60]!r}); set the job's trust "
            "(metalrom --trust COMMAND) if you know what it does"
        )
    found = hidden_command(job.text)
    line, what = found if found else next(((n, card) for n, card in deck.control if executes(card)), (0, ""))
    if line:
        raise JobError(
            f"line {line} of the deck: the control section may start other programs or write outside of its folder "
            f"({what[:60]!r}), which is not allowed; set the job's trust (metalrom --trust COMMAND) if you know what "
            "it does"
        )
    return False


def hidden_command(text: str) -> tuple[int, str] | None:
    """(line, text) of the first comment that ngspice executes (`*# command`) and of models that start a program."""
    if "*#" not in text and "d_cosim" not in text.lower() and "process" not in text.lower():
        return None
    found = _HIDDEN.search(text) or _CODE.search(text)
    return (text.count("\n", 0, found.start()) + 1, found.group().strip()) if found else None


def executes(card: str) -> bool:
    """True for a command of the deck's own control section that an untrusted deck may not have."""
    if "`" in card:
        return True
    for command in card.split(";"):
        words = command.split()
        if not words:
            continue
        match = _WORD.match(words[0])
        # A name in quotes, from a variable or behind a backslash or `!` hides the command that runs.
        if match is None:
            return True
        # ngspice runs `pre_` commands, without their prefix, before it loads the circuit.
        name = match.group().lower().removeprefix("pre_")
        if _FORBIDDEN.match(name) or (name in ("set", "setcs", "option") and _VARIABLES.search(command)):
            return True
        if name in _WRITING and len(words) > 1 and not _PLAIN_FILE.match(words[1]):
            return True
        if name not in _COMPARING and any(not _PLAIN_FILE.match(file) for file in _REDIRECTION.findall(command)):
            return True
    return False

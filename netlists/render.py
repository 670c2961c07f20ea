"""From values to deck text: Jinja2 with strict names, one number format and refusal of everything unsafe.

A template may print integers as they are; every other value has to pass one of the filters `num`, `ident` or
`comment`. A value that did not is refused, so a forgotten filter cannot let a line into a deck.
"""

import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import ChoiceLoader, FileSystemLoader, StrictUndefined, TemplateError, TemplateNotFound, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from interconnect.errors import InputError

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
_IDENTIFIER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.]*\Z")
_VECTOR = re.compile(r"(?:[vi]\([a-z0-9_.]+\)|@m[a-z0-9_.]*\[[a-z]+\])\Z")


class DeckText(str):
    """Text that a filter has checked and that may enter a deck."""

    __slots__ = ()


def number(value: float) -> DeckText:
    """A float as the shortest plain exponent text that reads back exactly: `5.0e-17`.

    ngspice reads suffixes such as `a` (atto) or `M` wrongly or not at all, so none is ever printed.

    Raises:
        InputError: not a finite number.
    """
    if isinstance(value, (bool, str)) or not math.isfinite(value):
        raise InputError(f"{value!r} is not a finite number and cannot be printed into a netlist")
    return DeckText(np.format_float_scientific(float(value), unique=True, trim="0", exp_digits=2))


def identifier(value: object) -> DeckText:
    """A name of a node, model, subcircuit or instance: letters, digits, `_` and `.` only.

    Raises:
        InputError: anything else (blank, quote, line break, `$`, `;`, ...): it could change the netlist.
    """
    text = str(value)
    if not _IDENTIFIER.match(text):
        raise InputError(f"{text!r} cannot be a name in a netlist", hint="use letters, digits, _ and . only")
    return DeckText(text)


def vector(value: object) -> DeckText:
    """A saved vector, `v(node)`, `i(source)` or `@device[parameter]` in lower case; InputError for anything else."""
    text = str(value)
    if not _VECTOR.match(text):
        raise InputError(f"{text!r} is not a vector", hint="write v(node), i(source) or @device[parameter]")
    return DeckText(text)


def comment(value: object) -> DeckText:
    """Free text for a comment or title line: one line, printable, ASCII; anything else is written as `?`.

    Raises:
        InputError: the text holds a line break or another control character.
    """
    text = str(value)
    if not text.isprintable():
        raise InputError(f"{text!r} holds a line break or control character and cannot be written into a netlist")
    return DeckText(text.encode("ascii", "replace").decode("ascii"))


def cards(text: str) -> DeckText:
    """Model cards of a loaded device set: whole lines, trusted because the technology loader read them."""
    return DeckText(text.rstrip("\n"))


class Slot:
    """What stands in a template for a value that is filled in later: it prints a mark, and bears nothing else.

    A template that computes with it, compares it or branches on it fails, so that it cannot be rendered in part.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def mark(self, filter_name: str) -> DeckText:
        """The mark in the text: name and filter of the value."""
        return DeckText(f"\0{self.name}\0{filter_name}\0")

    def __bool__(self) -> bool:
        raise TypeError("a template branches on a value that is filled in later")

    def __eq__(self, other: object) -> bool:
        raise TypeError("a template compares a value that is filled in later")

    __hash__ = None  # type: ignore[assignment]


def _finalize(value: Any) -> Any:
    if isinstance(value, Slot):
        return value.mark("")
    if isinstance(value, DeckText) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise InputError(
        f"a template prints {value!r} without a filter", hint="use | num, | ident or | comment in the template"
    )


FILTERS: dict[str, Callable[[Any], Any]] = {
    "num": number, "ident": identifier, "vector": vector, "comment": comment, "cards": cards, "": _finalize,
}  # fmt: skip
"""What a value passes on its way into a deck, by name in templates; the last one is passed without a filter."""


def _marking(name: str, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: value.mark(name) if isinstance(value, Slot) else function(value)


_USER_FOLDERS: list[Path] = []


def register_templates(folder: Path) -> None:
    """Look for templates in `folder` too, after our own: a user's cell kind brings `cells/<kind>.cir.j2` there.

    Raises InputError if it is no folder.
    """
    if not folder.is_dir():
        raise InputError(f"there is no template folder {folder}")
    if folder not in _USER_FOLDERS:
        _USER_FOLDERS.append(folder)
        _environment.cache_clear()


@lru_cache(maxsize=8)
def _environment(folder: Path | None) -> ImmutableSandboxedEnvironment:
    loaders = [FileSystemLoader(p) for p in (folder, TEMPLATES, *_USER_FOLDERS) if p is not None]
    env = ImmutableSandboxedEnvironment(
        loader=ChoiceLoader(loaders),
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    env.filters.update({name: _marking(name, function) for name, function in FILTERS.items() if name})
    return env


def user_templates(folder: Path | None) -> tuple[tuple[str, int, int], ...]:
    """Path, time and size of every file that may take the place of a built-in template or add one."""
    folders = [x for x in (folder, *_USER_FOLDERS) if x is not None]
    files = [(path, path.stat()) for x in folders for path in sorted(x.rglob("*.j2"))]
    return tuple((str(path), status.st_mtime_ns, status.st_size) for path, status in files)


def has_template(template: str, *, folder: Path | None = None) -> bool:
    """Whether there is a template of that path, built in, registered or in the user's `folder`."""
    try:
        _environment(folder).get_template(template)
    except TemplateNotFound as error:
        return error.name != template  # it is there and includes one that is not
    except TemplateSyntaxError:
        return True
    return True


def render(template: str, values: Mapping[str, Any], *, folder: Path | None = None) -> str:
    """Text of a built-in template (path below `templates/`, such as `cells/cap_balanced.cir.j2`).

    folder: a user's template folder; a file of the same path there takes precedence.

    Raises:
        InputError: no such template, an error in it, a value it names is missing, or an unsafe value.
    """
    if folder is not None and not folder.is_dir():
        raise InputError(f"there is no template folder {folder}")
    try:
        return _environment(folder).get_template(template).render(values)
    except TemplateNotFound as error:
        raise InputError(f"there is no template {error.name}") from None
    except TemplateSyntaxError as error:
        raise InputError(f"{error.message}", where=f"template {error.name}, line {error.lineno}") from None
    except TemplateError as error:
        raise InputError(f"{error.message}", where=f"template {template}") from None
    except (TypeError, ZeroDivisionError, KeyError, IndexError) as error:
        raise InputError(f"{error}", where=f"template {template}") from None

"""Cells, procedures and exporters of a user: modules that register them, imported only where the user says so.

Two ways lead in, and no other: a module or file named on the command line (`metalrom --plugin FILE ...`), and packages
that the user installed and that announce an entry point of the group `metalrom.plugins`. A configuration never names
code: it may come along with somebody's weights.
"""

import re
import sys
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from interconnect.errors import InputError, error_text, shortened

GROUP = "metalrom.plugins"
"""Entry-point group of installed plugins; each entry names a module."""

_loaded: dict[str, str] = {}
"""Module -> what the user calls it."""

_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def load_named(names: Iterable[str]) -> None:
    """Import each module (dotted name) or file (path that ends in `.py`), once.

    Raises InputError for one that is not there or that cannot be imported.
    """
    for name in names:
        if name.endswith(".py"):
            _load_file(Path(name))
        elif _MODULE.fullmatch(name):
            _import(name, where="--plugin")
        else:
            raise InputError(
                f"{shortened(repr(name))} is neither a module nor a Python file",
                where="--plugin",
                hint="a dotted name such as my_lab.cells, or a path that ends in .py",
            )


def load_installed() -> tuple[str, ...]:
    """Import what installed packages announce; returns one sentence for each that cannot be imported.

    A broken plugin must not take the other commands along, so it is reported and left out.
    """
    troubles = []
    for entry in entry_points(group=GROUP):
        try:
            _import(entry.module, where=f"entry point {entry.name} of group {GROUP}")
        except InputError as error:
            troubles.append(str(error))
    return tuple(troubles)


def loaded_plugins() -> tuple[str, ...]:
    """What was imported, as the user calls it."""
    return tuple(_loaded.values())


def plugin_of(error: BaseException) -> str | None:
    """The plugin whose code an error passed through, as the user calls it; None if it passed through none."""
    trace, found = error.__traceback__, None
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        found = next((n for m, n in _loaded.items() if module == m or module.startswith(f"{m}.")), found)
        trace = trace.tb_next
    return found


def _load_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"there is no file {path}", where="--plugin")
    name = f"metalrom_plugin_{path.stem}"
    loaded = sys.modules.get(name)
    if loaded is not None:
        if Path(loaded.__file__ or "").resolve() == path.resolve():
            return
        raise InputError(f"two plugins share the name {path.name}", where="--plugin", hint="rename one of them")
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} cannot be imported", where="--plugin")
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up while it runs
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        raise _message(str(path), error, "--plugin") from error
    _loaded[name] = str(path)


def _import(name: str, where: str) -> None:
    try:
        import_module(name)
    except BaseException as error:  # whatever a stranger's module raises
        raise _message(name, error, where) from error
    _loaded[name] = name


def _message(name: str, error: BaseException, where: str) -> InputError:
    """One sentence for what an import raised; Ctrl-C goes on as it is."""
    text = error_text(error)
    match error:
        case KeyboardInterrupt():
            raise error
        case InputError():
            return InputError(f"the plugin {name} says: {text}", where=where)
        case SystemExit():
            return InputError(f"the plugin {name} cannot be imported (it ends the program)", where=where)
    return InputError(f"the plugin {name} cannot be imported ({type(error).__name__}: {text})", where=where)

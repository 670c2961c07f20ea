"""How the command line talks: results on standard output, progress and errors on standard error, honest exit codes.

Nothing heavy is imported here; rich comes in with the first line that is printed.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import FrameType
from typing import TYPE_CHECKING, NoReturn, ParamSpec, TextIO, TypeVar

from interconnect.errors import error_text, one_line
from metalrom.cli.stop import stop_at_once
from ngspice_runner.commands.errors import BAD_INPUT as BAD_INPUT
from ngspice_runner.commands.errors import CHECK_FAILED as CHECK_FAILED
from ngspice_runner.commands.errors import DONE as DONE
from ngspice_runner.commands.errors import ENGINE_FAILED as ENGINE_FAILED
from ngspice_runner.commands.errors import explain_error

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from metalrom.cli.progress import Bar

INTERRUPTED, TERMINATED = 130, 143
"""Exit codes of Ctrl-C and SIGTERM; the others are those of `ngspice_runner.commands.errors`."""

RESUME = "run the same command again to go on: finished simulations are kept in the cache"

P = ParamSpec("P")
R = TypeVar("R")


_output: list[TextIO] = []


def result_stream() -> TextIO:
    """Where results go: standard output, also while `shielded_output` keeps others from it."""
    return _output[-1] if _output else sys.stdout


@contextlib.contextmanager
def shielded_output() -> Iterator[None]:
    """While the block runs, what somebody else's code prints goes to standard error, between results stands nothing."""
    _output.append(sys.stdout)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        _output.pop()


def results() -> Console:
    """Console of results: standard output."""
    from rich.console import Console

    return Console(file=result_stream(), highlight=False, soft_wrap=True)


@functools.cache
def messages() -> Console:
    """Console of progress and errors: standard error."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(message: str) -> None:
    """One line of progress on standard error."""
    messages().print(one_line(message), markup=False)


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error while the block runs; call the value with (done, total). Silent where no one watches."""
    with progress(title) as bar:
        yield bar.advance


def progress(title: str) -> AbstractContextManager[Bar]:
    """A bar with counts, time gone by, time left and a few words, while the block runs. Nothing off a terminal."""
    from metalrom.cli.progress import bar

    return bar(messages(), title)


def examples(*lines: str) -> str:
    """The Examples section of a command's help: one command line a line, after `metalrom`."""
    return "\n\n".join(["Examples:", *(f"  metalrom {line}".replace("[", "\\[") for line in lines)])


def emit(data: object, *, as_json: bool, human: RenderableType | Callable[[], RenderableType] | None = None) -> None:
    """Print a result: one JSON document if `as_json`, else `human` (text, a rich table, or what makes one).

    data: anything that `to_jsonable` takes. Without `human` the JSON is printed either way.
    """
    if as_json or human is None:
        from interconnect.jsonable import to_jsonable

        result_stream().write(json.dumps(to_jsonable(data), indent=2, ensure_ascii=False) + "\n")
        result_stream().flush()
    else:
        shown = human() if callable(human) else human
        show(shown, results())


def show(shown: RenderableType, console: Console) -> None:
    """Print text as it is, or tables laid out for the console's width."""
    from metalrom.cli.tables import fitted

    console.print(shown if isinstance(shown, str) else fitted(shown, console), markup=not isinstance(shown, str))


@contextlib.contextmanager
def guard(*, resume: str = RESUME) -> Iterator[None]:
    """Turn what goes wrong inside into one sentence on standard error and an exit code, never a traceback.

    InputError, JobError, pydantic's ValidationError and OSError (not writable, disk full) end with 2, EngineError and
    SolverError with 3, Ctrl-C with 130 and SIGTERM with 143 and the sentence `resume`. With METALROM_DEBUG=1 errors
    keep their traceback.
    """
    with _signals(), _sentences(resume):
        yield


@contextlib.contextmanager
def _sentences(resume: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        if _terminated:
            _stop(f"terminated; {resume}", TERMINATED)
        _stop(f"interrupted; {resume}", INTERRUPTED)
    except _Stop:
        raise
    except SystemExit:
        _stop("error: a plugin or a library ended the program before the command was done", ENGINE_FAILED)
    except BaseException as error:  # whatever a plugin raises
        if type(error).__module__.partition(".")[0] in ("click", "typer") and _plugin_of(error) is None:
            raise  # their own ways to exit
        if os.environ.get("METALROM_DEBUG", "0") not in ("", "0"):
            raise
        if isinstance(error, BrokenPipeError) and _plugin_of(error) is None:
            # the reader has gone (`| head`): nothing to tell, no one to tell it
            os.dup2(os.open(os.devnull, os.O_WRONLY), result_stream().fileno())
            raise _Stop(128 + 13) from None
        sentence, code = explain(error)
        _stop(f"error: {sentence}", code)


_terminated: list[int] = []
"""SIGTERM once it has arrived."""


def _interrupt(number: int, _: FrameType | None) -> None:
    if not _terminated:  # cleaning up takes its time: further ones must not interrupt it
        _terminated.append(number)
        raise KeyboardInterrupt


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """While the block runs, SIGTERM interrupts it once, as Ctrl-C does.

    Both, which end a program at once while it starts (see `metalrom.cli.stop`), do so again afterwards.
    """
    at_start = (signal.SIG_DFL, stop_at_once)
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) not in at_start:
        yield
        return
    _terminated.clear()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    if before[signal.SIGINT] in at_start:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def guarded(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator: run a command inside `guard()`. Goes under typer's own decorator."""

    @functools.wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        with guard():
            return function(*args, **kwargs)
        raise AssertionError("guard lets nothing through")

    return inner


def explain(error: BaseException) -> tuple[str, int]:
    """One sentence and the exit code for an error."""
    known = explain_error(error)
    if known is not None:
        return known
    pydantic = sys.modules.get("pydantic")
    if pydantic is not None and isinstance(error, pydantic.ValidationError):
        from interconnect.validation import input_error

        return str(input_error(error)), BAD_INPUT
    text = error_text(error)
    summary = f"{type(error).__name__}: {text}" if text else type(error).__name__
    plugin = _plugin_of(error)
    if plugin is not None:
        return f"the plugin {plugin} failed ({summary}); METALROM_DEBUG=1 shows where", BAD_INPUT
    plugins = sys.modules.get("metalrom.plugins")
    if plugins is not None and plugins.loaded_plugins():
        names = ", ".join(plugins.loaded_plugins())
        return f"what the plugin {names} registers does not fit ({summary}); METALROM_DEBUG=1 shows where", BAD_INPUT
    return f"internal error of metalrom; please report it, run with METALROM_DEBUG=1 ({summary})", ENGINE_FAILED


def _plugin_of(error: BaseException) -> str | None:
    """The plugin whose code an error passed through, None if none did."""
    plugins = sys.modules.get("metalrom.plugins")
    return plugins.plugin_of(error) if plugins is not None else None


class _Stop(SystemExit):
    """The end of the program that `guard` wants; any other SystemExit is somebody else's."""


def _stop(sentence: str, code: int) -> NoReturn:
    messages().print(one_line(sentence), markup=False, style="red")
    raise _Stop(code) from None

"""`--simulator required|if_available|disabled`: what tests that run ngspice do where it is missing or not wanted.

Tests are marked `ngspice` by themselves when they ask for a fixture of that name, stand in `ngspice_runner/` or are
listed in `ngspice.txt`; others take `pytestmark = pytest.mark.ngspice`. Where the engine is missing or disabled, marked
tests are skipped at once, and an unmarked one that finds no engine while it runs is skipped there, with that reason.
Unmarked tests that started the engine are listed at the end of every run.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ENGINE_PLACES = ("ngspice_runner",)
"""Folders below tests/ where any test may start the engine."""
KITS = ("freepdk45", "sky130")
UNMARKED = "starts ngspice without the mark"
_REASON = pytest.StashKey[str]()
_STARTED: list[str] = []
"""Engines that this process started."""


def _note_start(event: str, arguments: tuple[object, ...]) -> None:
    if event == "subprocess.Popen" and Path(str(arguments[0])).name.startswith("ngspice"):
        _STARTED.append(str(arguments[0]))


sys.addaudithook(_note_start)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--simulator",
        choices=("required", "if_available", "disabled"),
        default="required",
        help="tests that run ngspice: fail without it (required), skip without it (if_available), never run (disabled)",
    )


def pytest_configure(config: pytest.Config) -> None:
    # a job in the background ignores Ctrl-C and so would its children, which some tests interrupt
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "ngspice: runs the ngspice engine; see --simulator")
    mode = config.getoption("--simulator")
    reason = _trouble() if mode == "if_available" else ""
    if mode == "disabled":
        reason = "--simulator disabled"
        patch = pytest.MonkeyPatch()
        patch.setenv("METALROM_NGSPICE", str(HERE / "no-simulator"))
        config.add_cleanup(patch.undo)
    config.stash[_REASON] = reason


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    reason = config.stash[_REASON]
    long, engine, slow = _listed("long.txt"), _listed("ngspice.txt"), _listed("slow.txt")
    for item in items:
        names = {item.nodeid.partition("[")[0], item.nodeid.partition("::")[0]}
        if (names | {item.nodeid}) & slow:
            item.add_marker(pytest.mark.slow)
        if names & long:
            item.add_marker(pytest.mark.long)
        if names & engine or _runs_engine(item):
            item.add_marker(pytest.mark.ngspice)
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    return (yield from _skipping(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    return (yield from _skipping(item))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = (report for listed in terminalreporter.stats.values() for report in listed)
    names = {r.nodeid for r in reports if (UNMARKED, True) in getattr(r, "user_properties", ())}
    if names:
        terminalreporter.section(f"{UNMARKED}; add to tests/ngspice.txt")
        for name in sorted(names):
            terminalreporter.line(name)


def _skipping(item: pytest.Item) -> Generator[None, object, object]:
    started = len(_STARTED)
    try:
        result = yield
        if len(_STARTED) > started and not item.get_closest_marker("ngspice"):
            item.user_properties.append((UNMARKED, True))
        return result
    except Exception as error:
        reason = item.config.stash[_REASON]
        if reason and _is_missing_engine(error):
            pytest.skip(reason)
        raise


def _is_missing_engine(error: BaseException | None) -> bool:
    """True when an error, or one behind it, says that there is no engine."""
    while error is not None:
        if type(error).__name__ == "EngineError" and "ngspice" in str(error):
            return True
        if isinstance(error, FileNotFoundError) and error.filename == "ngspice":
            return True
        error = error.__cause__ or error.__context__
    return False


def _runs_engine(item: pytest.Item) -> bool:
    if item.get_closest_marker("ngspice") or "ngspice" in getattr(item, "fixturenames", ()):
        return True
    try:
        place = item.path.resolve().relative_to(HERE)
    except ValueError:
        return False
    return place.parts[0] in ENGINE_PLACES


def _listed(name: str) -> set[str]:
    """Tests (or whole files) that a list beside this file names."""
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def _trouble() -> str:
    """Why ngspice cannot be used, empty when it can."""
    from ngspice_runner import EngineError, find_engine

    try:
        find_engine()
    except EngineError as error:
        return str(error)
    return ""


@pytest.fixture(scope="module")
def quick_extraction() -> Iterator[None]:
    """Projects take closed formulas instead of the field solver."""
    from interconnect.extraction import extract
    from metalrom.api import Project

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Project, "extract", lambda p, g, method="auto": extract(g, p.stack, "formula"))
        yield


@pytest.fixture(scope="session")
def kits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Both kits at hand: in the cache in use, or else fetched into one of the session; skips where neither works."""
    from metalrom.assets import FetchError, asset_state, fetch
    from metalrom.folders import cache_folder

    with pytest.MonkeyPatch.context() as patch:
        if any(asset_state(name) != "fetched" for name in KITS):
            had = cache_folder("assets")
            cache = tmp_path_factory.mktemp("kits")
            # Tests that follow in this session still find what was fetched before.
            Path(cache, "assets").mkdir()
            for asset in had.iterdir() if had.is_dir() else ():
                Path(cache, "assets", asset.name).symlink_to(asset)
            patch.setenv("METALROM_CACHE", str(cache))
            try:
                for name in KITS:
                    fetch(name)
            except FetchError as error:
                pytest.skip(f"the kit cannot be fetched here: {error}")
        yield

"""`--simulator required|if_available|disabled`: what tests that run ngspice do where it is missing or not wanted.

Tests are marked `ngspice` by themselves when they ask for a fixture of that name or stand in a folder or file that runs
the engine; others take `pytestmark = pytest.mark.ngspice` or the decorator.
"""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ENGINE_PLACES = ("ngspice_runner",)
"""Folders below tests/ where any test may start the engine."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--simulator",
        choices=("required", "if_available", "disabled"),
        default="required",
        help="tests that run ngspice: fail without it (required), skip without it (if_available), never run (disabled)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "ngspice: runs the ngspice engine; see --simulator")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    mode = config.getoption("--simulator")
    reason = ""
    if mode == "disabled":
        reason = "--simulator disabled"
    elif mode == "if_available" and (trouble := _trouble()):
        reason = trouble
    for item in items:
        if _runs_engine(item):
            item.add_marker(pytest.mark.ngspice)
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


def _runs_engine(item: pytest.Item) -> bool:
    if item.get_closest_marker("ngspice") or "ngspice" in getattr(item, "fixturenames", ()):
        return True
    try:
        place = item.path.resolve().relative_to(HERE)
    except ValueError:
        return False
    return place.parts[0] in ENGINE_PLACES


def _trouble() -> str:
    """Why ngspice cannot be used, empty when it can."""
    from ngspice_runner import EngineError, find_engine

    try:
        find_engine()
    except EngineError as error:
        return str(error)
    return ""

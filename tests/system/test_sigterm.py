"""SIGTERM in the middle of every long command: started again it goes on, and ends as if nothing had happened."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.scripts import load_script

kills = load_script("benchmarks/kills.py")
COMMANDS = {**kills.COMMANDS, "characterize": ("characterize", "c.yaml", "-o", "out")}
SIMULATING = {"run", "explore", "optimize", "fit", "characterize"}  # and keep what was simulated


def simulations(place: Any) -> dict[str, float]:
    """Key of every simulation that was kept -> when it was made."""
    file = place.folder / "cache" / "simulations" / "results.sqlite"
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            return dict(connection.execute("SELECT key, created FROM results"))
    except sqlite3.OperationalError:  # not begun
        return {}


def wait(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, for `export`."""
    place = kills.Place(tmp_path_factory.mktemp("finished") / "place", None, None)
    _, said = (process := place.start(COMMANDS["run"])).communicate(timeout=600)
    assert process.returncode == 0, said
    return Path(place.folder / "out")


@pytest.mark.slow
@pytest.mark.ngspice
@pytest.mark.parametrize("command", COMMANDS)
def test_a_terminated_command_goes_on(command: str, finished: Path, tmp_path: Path) -> None:
    if command == "signoff":
        pytest.importorskip("klayout.db", reason="the extra signoff is not installed")
    if command == "evaluate" and kills.fetched_assets() is None:
        pytest.skip("minilm and wordsim are not fetched")
    calm, place = (kills.Place(tmp_path / name, kills.fetched_assets(), finished) for name in ("calm", "ended"))
    began = time.monotonic()
    output, said = (process := calm.start(COMMANDS[command])).communicate(timeout=600)
    span, code, wanted = time.monotonic() - began, process.returncode, simulations(calm)
    assert code in (0, 1), said
    assert bool(wanted) == (command in SIMULATING)

    process, half = place.start(COMMANDS[command]), len(wanted) // 2
    if wanted:
        wait(lambda: process.poll() is not None or len(simulations(place)) >= half, 600)
    else:
        wait(lambda: process.poll() is not None, span / 2)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 143, said
    assert "run the same command again" in said
    assert (place.temporary(), place.processes()) == ([], [])
    kept = simulations(place)
    assert half <= len(kept) < max(len(wanted), 1)

    again, said = (process := place.start(COMMANDS[command])).communicate(timeout=600)
    assert process.returncode == code, said
    assert place.result(again) == calm.result(output)
    assert (place.temporary(), place.processes()) == ([], [])
    assert simulations(place).keys() == wanted.keys()
    assert kept.items() <= simulations(place).items()  # none was run again

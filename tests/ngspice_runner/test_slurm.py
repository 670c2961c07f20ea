"""The documented steps for SLURM, executed: a campaign that loses a worker, against a local one."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.builders import config_text
from tests.ngspice_runner.slurm_on_loopback import missing_programs, slurm_on_loopback
from tests.scripts import metalrom_command

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "how-to" / "campaigns.md"

ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
CONFIG = config_text(
    name="campaign",
    technology={"stack": "open45", "devices": "open45"},
    cell={"kind": "res_via", "resistance": "1Mohm", "planes": [{"row": "metal2", "column": "metal3"}]},
    array={"rows": 8},
    weights={"random": [8, 2]},
    inputs={"bits": 4, "source": "random", "vectors": 4},
    readout={"code_error_target": 1e-1},
    conditions={"corners": ["tt"]},
    characterization={"sampling": "full", "patterns": 4, "samples": 60, "max_levels": 9},
)


def documented_steps() -> list[list[str]]:
    """Commands of the page's block on SLURM, as words."""
    block = re.search(r"### SLURM\n.*?```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    return [shlex.split(line.rstrip("& ")) for line in block[1].splitlines()]


def test_the_page_names_the_steps() -> None:
    install, begin, run, end = documented_steps()
    assert end == ["kill", "%1"]
    assert install[:2] == ["pip", "install"]
    assert begin[:3] == ["python", "examples/slurm_cluster.py", "scheduler.json"]
    assert run[:2] == ["metalrom", "run"]
    assert run[-2:] == ["--cluster", "scheduler.json"]


@pytest.mark.slow
@pytest.mark.skipif(bool(missing_programs()), reason=f"no SLURM here: {', '.join(missing_programs())} missing")
@pytest.mark.skipif(os.geteuid() != 0, reason="the daemons of SLURM are started as root")
@pytest.mark.skipif(importlib.util.find_spec("dask_jobqueue") is None, reason="dask-jobqueue is not installed")
def test_a_campaign_with_a_cancelled_worker_equals_a_local_one(tmp_path: Path) -> None:
    (tmp_path / "campaign.yaml").write_text(CONFIG)
    local = ENVIRONMENT | {"METALROM_CACHE": str(tmp_path / "cache_local")}
    here = metalrom_command("run", "campaign.yaml", "-o", "local", "--jobs", "2")
    subprocess.run(here, cwd=tmp_path, env=local, check=True, capture_output=True, timeout=900)
    decks = committed(tmp_path / "cache_local")
    assert decks > 100
    after = campaign_with_a_cancelled_worker(tmp_path, decks)
    assert committed(tmp_path / "cache") == decks
    same = [name for name in files(tmp_path / "local") if name != "manifest.json"]  # it counts what came from the cache
    assert files(tmp_path / "slurm_out") == files(tmp_path / "local")
    assert {"results.json", "samples.csv", "lut/readout.nc", "report.html"} <= set(same)
    different = [n for n in same if (tmp_path / "local" / n).read_bytes() != (tmp_path / "slurm_out" / n).read_bytes()]
    assert different == []
    print(f"{decks} decks, worker cancelled after {after}, {len(same)} files equal")


def campaign_with_a_cancelled_worker(folder: Path, decks: int) -> int:
    """The documented steps in `folder`; one worker is cancelled after a quarter of the decks. Returns how many were
    done by then."""
    _, begin, run, _ = documented_steps()
    daemons = folder / "slurm"
    daemons.mkdir(mode=0o755)
    with slurm_on_loopback(daemons) as slurm:
        there = slurm.environment | ENVIRONMENT | {"METALROM_CACHE": str(folder / "cache")}
        small = ["--jobs", "2", "--cores", "1", "--memory", "1GB", "--walltime", "00:30:00", "--interface", "lo"]
        with scheduler([sys.executable, str(ROOT / begin[1]), begin[2], *small], folder, there):
            words = [word.replace("CONFIG", "campaign.yaml").replace("OUT", "slurm_out") for word in run[1:]]
            campaign = subprocess.Popen(
                metalrom_command(*words), cwd=folder, env=there, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            wait(lambda: campaign.poll() is not None or committed(folder / "cache") > decks // 4)
            assert campaign.poll() is None, campaign.communicate()
            first, *_ = slurm.jobs()
            slurm.ask("scancel", str(first))
            after = committed(folder / "cache")
            assert after < decks
            wait(lambda: "CANCELLED" in slurm.ask("scontrol", "show", "job", str(first)), 60)  # the node ends it first
            _, errors = campaign.communicate(timeout=900)
            assert campaign.returncode == 0, errors.decode()
            assert first not in slurm.jobs()
    return after


@contextmanager
def scheduler(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """The script that keeps the workers until it is sent SIGTERM."""
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert "scheduler at" in process.stdout.readline()
        yield
        process.terminate()
        assert process.wait(120) == 0
    finally:
        process.kill()
        process.wait()


def files(folder: Path) -> list[str]:
    """Paths of all files below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def committed(cache: Path) -> int:
    """Results in a cache, 0 before there is one."""
    try:
        file = cache / "simulations" / "results.sqlite"
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT COUNT(*) FROM results").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def wait(condition: object, seconds: float = 600) -> None:
    """Until a condition holds."""
    deadline = time.monotonic() + seconds
    assert callable(condition)
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)

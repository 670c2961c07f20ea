"""A simulation harness for ngspice: job in, judged result out. Runs any deck; knows nothing of ROMs.

    result = ngspice_runner.run(Job(text=deck, outputs=("v(out)",)), cache=Cache())
    if result.ok: result.signals["v(out)"].values

Names load on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ngspice_runner.cache import Cache, CacheStats
    from ngspice_runner.engine import Engine, find_engine
    from ngspice_runner.errors import EngineError, JobError
    from ngspice_runner.executor import run, run_many
    from ngspice_runner.job import Job, Result, RunProvenance, Signal, Verdict
    from ngspice_runner.points import Sweep
    from ngspice_runner.scheduling import Cluster, Progress, RunInterrupted, Workers
    from ngspice_runner.sweep import run_sweep

_HOME = {
    "Cache": "cache",
    "CacheStats": "cache",
    "Cluster": "scheduling",
    "Engine": "engine",
    "EngineError": "errors",
    "Job": "job",
    "JobError": "errors",
    "Progress": "scheduling",
    "Result": "job",
    "RunInterrupted": "scheduling",
    "RunProvenance": "job",
    "Signal": "job",
    "Sweep": "points",
    "Verdict": "job",
    "Workers": "scheduling",
    "find_engine": "engine",
    "run": "executor",
    "run_many": "executor",
    "run_sweep": "sweep",
}

__all__ = [
    "Cache",
    "CacheStats",
    "Cluster",
    "Engine",
    "EngineError",
    "Job",
    "JobError",
    "Progress",
    "Result",
    "RunInterrupted",
    "RunProvenance",
    "Signal",
    "Sweep",
    "Verdict",
    "Workers",
    "find_engine",
    "run",
    "run_many",
    "run_sweep",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"ngspice_runner.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

from ngspice_runner.accuracy import SignalError as SignalError, estimate_accuracy as estimate_accuracy
from ngspice_runner.check import check_deck as check_deck
from ngspice_runner.cache import Cache as Cache, CacheStats as CacheStats
from ngspice_runner.dataset import to_xarray as to_xarray
from ngspice_runner.engine import Engine as Engine, find_engine as find_engine
from ngspice_runner.errors import EngineError as EngineError, JobError as JobError
from ngspice_runner.executor import run as run, run_many as run_many
from ngspice_runner.export import export_result as export_result
from ngspice_runner.job import (
    Job as Job,
    Result as Result,
    RunProvenance as RunProvenance,
    Signal as Signal,
    Verdict as Verdict,
)
from ngspice_runner.plot import plot_result as plot_result
from ngspice_runner.points import Sweep as Sweep
from ngspice_runner.raw import read_raw as read_raw
from ngspice_runner.scheduling import (
    Cluster as Cluster,
    Progress as Progress,
    RunInterrupted as RunInterrupted,
    Workers as Workers,
)
from ngspice_runner.study import Study as Study, StudyRow as StudyRow, run_study as run_study
from ngspice_runner.sweep import run_sweep as run_sweep
from ngspice_runner.waveforms import crossings as crossings, settling_point as settling_point, value_at as value_at

"""A dask scheduler here and its workers as SLURM jobs, until Ctrl-C or SIGTERM; for
`metalrom run CONFIG -o OUT --cluster FILE`. Needs `pip install 'metalrom[cluster]'`.

    python slurm_cluster.py FILE [--jobs 8] [--cores 16] [--memory 32GB] [--walltime 08:00:00] [--interface eth0]
"""

import argparse
import signal
import threading
from pathlib import Path

from dask_jobqueue import SLURMCluster


def main() -> None:
    """Write the scheduler's file, keep `--jobs` jobs in the queue, and cancel them at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="file for --cluster, ends with .json; made here")
    parser.add_argument("--jobs", type=int, default=8, help="SLURM jobs")
    parser.add_argument("--cores", type=int, default=16, help="cores of each job; one engine per core")
    parser.add_argument("--memory", default="32GB", help="memory of each job")
    parser.add_argument("--walltime", default="08:00:00", help="longest time of a job")
    parser.add_argument("--interface", help="network interface of the workers and the scheduler, e.g. eth0, ib0, lo")
    given = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    options = {"scheduler_file": str(given.file.absolute())}
    if given.interface:
        options["interface"] = given.interface
    with SLURMCluster(
        cores=given.cores,
        processes=given.cores,  # one thread each: one engine is one core
        memory=given.memory,
        walltime=given.walltime,
        interface=given.interface,
        scheduler_options=options,
        log_directory=str(given.file.absolute().parent / "slurm_logs"),
    ) as cluster:
        # Adaptive clusters replace the workers that were cancelled; a fixed size would only shrink.
        cluster.adapt(minimum_jobs=given.jobs, maximum_jobs=given.jobs)
        print(f"scheduler at {cluster.scheduler_address}, see {given.file}", flush=True)
        ended.wait()
    given.file.unlink(missing_ok=True)


if __name__ == "__main__":
    main()

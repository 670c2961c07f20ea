"""Where a command's simulations run, from its options."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from interconnect.errors import InputError

if TYPE_CHECKING:
    from ngspice_runner import Workers

LOCAL = "local"


@contextmanager
def simulators(jobs: int | None, cluster: str | None) -> Iterator[Workers]:
    """What to run simulations with while the block lasts.

    jobs: parallel simulations on this machine, None = one per core. cluster: None; `local`, a dask cluster of `jobs`
    workers made for the block; the address of a dask scheduler, or the file that it wrote. Raises InputError for a
    number of jobs beside somebody else's cluster or a word that is no address, EngineError when dask is missing.
    """
    if cluster is None:
        yield jobs
    elif cluster == LOCAL:
        from ngspice_runner.cluster import local_cluster

        with local_cluster(jobs) as place:
            yield place
    else:
        if jobs is not None:
            raise InputError(
                "--jobs cannot be combined with a running cluster", hint="its workers decide how many run at a time"
            )
        if "://" not in cluster and not cluster.endswith(".json"):
            raise InputError(
                f"--cluster {cluster!r} is not a scheduler", hint="local, tcp://HOST:PORT or a scheduler file (.json)"
            )
        from ngspice_runner import Cluster

        yield Cluster(cluster)

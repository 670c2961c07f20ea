"""Where a command's simulations run: the words of `--jobs` and `--cluster`."""

from __future__ import annotations

import importlib.util

import pytest

from interconnect.errors import InputError
from metalrom.cli.workers import simulators
from ngspice_runner import Cluster


def test_places() -> None:
    with simulators(None, None) as every:
        assert every is None
    with simulators(3, None) as three:
        assert three == 3
    for address in ("tcp://127.0.0.1:8786", "tls://host:1", "a/scheduler.json"):
        with simulators(None, address) as place:
            assert place == Cluster(address)


def test_wrong_words() -> None:
    with (
        pytest.raises(InputError, match="'somewhere' is not a scheduler; local, tcp://HOST:PORT"),
        simulators(None, "somewhere"),
    ):
        pass
    with (
        pytest.raises(InputError, match="--jobs cannot be combined with a running cluster"),
        simulators(2, "tcp://127.0.0.1:8786"),
    ):
        pass


@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="dask.distributed is not installed")
def test_a_cluster_of_its_own() -> None:
    with simulators(1, "local") as place:
        assert isinstance(place, Cluster)
        assert place.address.startswith("tcp://127.0.0.1:")

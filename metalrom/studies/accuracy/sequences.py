"""Token sequences that a network computes batch by batch: what the workloads on text have in common."""

from collections.abc import Sequence
from typing import Protocol

from metalrom.workloads.networks.linear import LinearLayer
from metalrom.workloads.networks.packing import batches


class LayeredNetwork(Protocol):
    """A network whose linear layers go through an operator."""

    @property
    def layers(self) -> tuple[LinearLayer, ...]: ...


class SequenceBatches:
    """Token sequences of a workload, in batches of at most `batch_tokens` tokens, or of a single longer sequence."""

    def __init__(self, network: LayeredNetwork, sequences: Sequence[Sequence[int]], batch_tokens: int) -> None:
        self._network, self._sequences = network, sequences
        self._batches = batches(sequences, batch_tokens)

    @property
    def tokens(self) -> int:
        """Tokens that one pass computes."""
        return sum(map(len, self._sequences))

    @property
    def layers(self) -> tuple[LinearLayer, ...]:
        """The layers that go through the operator."""
        return self._network.layers

    @property
    def passes(self) -> int:
        """Batches of one pass, each applying every layer once."""
        return len(self._batches)

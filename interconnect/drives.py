"""The sources of a transient taken apart into arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from interconnect.arrays import BoolArray, FloatArray
from interconnect.errors import InputError
from interconnect.network import Index, LinearNetwork
from interconnect.waveform import VoltageSources, Waveform


@dataclass(frozen=True)
class Drives:
    """All sources. One entry per source node: `node`, `wave` (index into `waves`), `level` (entries, vectors),
    `siemens` of its resistance (infinite: ideal), `owner`: index of the source. flat: no level has vectors."""

    waves: tuple[Waveform, ...]
    node: Index
    wave: Index
    level: FloatArray
    siemens: FloatArray
    owner: Index
    flat: bool

    @property
    def ideal(self) -> BoolArray:
        """Which entries hold their node."""
        return np.isinf(self.siemens)

    def values(self, times: FloatArray) -> FloatArray:
        """All waveforms at `times`, shape (times, waves)."""
        return np.stack([wave(times) for wave in self.waves], axis=1)

    def swing(self) -> float:
        """Largest voltage that any source takes, V."""
        peak = np.array([np.abs(wave.values).max() for wave in self.waves])
        return float((np.abs(self.level).max(axis=1, initial=0.0) * peak[self.wave]).max(initial=0.0))


def resolve_drives(network: LinearNetwork, sources: Sequence[VoltageSources]) -> Drives:
    """Check sources and bring them into arrays; raises InputError as `solve_transient` does."""
    if not sources:
        raise InputError("a transient needs at least one source")
    waves: dict[int, Waveform] = {}
    nodes, wave, levels, ohms = [], [], [], []
    for k, source in enumerate(sources):
        label = source.name or f"number {k}"
        at = network.index(source.nodes)
        if (at < 0).any():
            raise InputError(f"source {label} is at ground", hint="ground is 0 V")
        level, ohm = np.asarray(source.level, dtype=float), np.asarray(source.ohm, dtype=float)
        if not (np.isfinite(level).all() and np.isfinite(ohm).all() and (ohm >= 0).all()):
            raise InputError(f"source {label}: levels and resistances must be finite, resistances not negative")
        columns = level.shape[1] if level.ndim == 2 else 1
        try:
            levels.append(np.broadcast_to(level[:, None] if level.ndim == 1 else level, (len(at), columns)))
            ohms.append(np.broadcast_to(ohm, (len(at),)))
        except ValueError:
            raise InputError(
                f"source {label}: level of shape {level.shape} or ohm of shape {ohm.shape} does not fit {len(at)} nodes"
            ) from None
        waves.setdefault(id(source.waveform), source.waveform)
        wave.append(np.full(len(at), list(waves).index(id(source.waveform))))
        nodes.append(at)
    counts = {one.shape[1] for one in levels} - {1}
    if len(counts) > 1:
        raise InputError(f"the sources have levels for different numbers of vectors: {sorted(counts)}")
    vectors = max(counts, default=1)
    node, ohm = np.concatenate(nodes), np.concatenate(ohms)
    siemens = np.full(len(ohm), np.inf)
    np.divide(1.0, ohm, out=siemens, where=ohm > 0)
    held, count = np.unique(node[ohm == 0], return_counts=True)
    if (count > 1).any():
        raise InputError(f"node {network.name(int(held[count > 1][0]))} is driven by two ideal sources")
    return Drives(
        waves=tuple(waves.values()),
        node=node,
        wave=np.concatenate(wave),
        level=np.concatenate([np.broadcast_to(one, (len(one), vectors)) for one in levels]),
        siemens=siemens,
        owner=np.repeat(np.arange(len(nodes)), [len(one) for one in nodes]),
        flat=all(np.ndim(source.level) < 2 for source in sources),
    )

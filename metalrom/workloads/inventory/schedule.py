"""Which fixed matrix waits for which: the order of a network's matrix products, and its longest chain."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from interconnect.errors import InputError, shortened
from metalrom.workloads.inventory.layers import WorkloadLayer

_TOGETHER = (("q", "k", "v"), ("query", "key", "value"), ("q_proj", "k_proj", "v_proj"), ("gate", "up"))
_BESIDE = {part: roles for roles in (*_TOGETHER, ("gate_proj", "up_proj")) for part in roles}
_NAME = re.compile(rf"(?P<parent>.*?)[._](?P<role>{'|'.join(sorted(_BESIDE, key=len, reverse=True))})(\.weight)?")
"""Matrices of one attention or one gated layer, which multiply the same input (Hugging Face, GGUF)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One use of a fixed matrix: its layer, the input vectors that it multiplies one after the other, and the places in
    the schedule of the steps whose results it waits for, all of them before it."""

    layer: str
    vectors: int
    after: tuple[int, ...] = ()


def steps_by_name(layers: Sequence[WorkloadLayer]) -> tuple[Step, ...]:
    """One step for each matrix, as the names tell: queries, keys and values of one attention start together, so do gate
    and up of one gated layer; everything else waits for what stands before it in the list."""
    groups: dict[str, list[WorkloadLayer]] = {}
    for layer in layers:
        if layer.matrix is not None:
            found = _NAME.fullmatch(layer.name)
            key = f"{found['parent']} {_BESIDE[found['role']]}" if found else layer.name
            groups.setdefault(key, []).append(layer)
    steps: list[Step] = []
    before: tuple[int, ...] = ()
    for group in groups.values():
        start = len(steps)
        steps += [Step(layer.name, layer.vectors or 0, before) for layer in group]
        before = tuple(range(start, len(steps)))
    return tuple(steps)


def steps_of_graph(layers: Sequence[WorkloadLayer], after: Mapping[str, Sequence[str]]) -> tuple[Step, ...]:
    """One step for each matrix, which waits for the matrices named in `after`; a name that is not there waits for none.

    Raises InputError for a matrix that waits for an unknown one, or for itself.
    """
    vectors = {layer.name: layer.vectors or 0 for layer in layers if layer.matrix is not None}
    for name, others in after.items():
        unknown = next((other for other in others if other not in vectors), None)
        if unknown is not None:
            raise InputError(f"layer {shortened(name)} waits for {shortened(repr(unknown))}, which is no layer")
    waits = {name: len(set(after.get(name, ()))) for name in vectors}
    followers: dict[str, list[str]] = {name: [] for name in vectors}
    for name in vectors:
        for other in set(after.get(name, ())):
            followers[other].append(name)
    ready, place = [name for name, count in waits.items() if count == 0], dict[str, int]()
    steps: list[Step] = []
    for name in ready:  # grows while it is walked
        place[name] = len(steps)
        steps.append(Step(name, vectors[name], tuple(sorted(place[other] for other in set(after.get(name, ()))))))
        for follower in followers[name]:
            waits[follower] -= 1
            if waits[follower] == 0:
                ready.append(follower)
    if len(steps) < len(vectors):
        stuck = next(name for name in vectors if name not in place)
        raise InputError(
            f"layer {shortened(stuck)} waits for its own result", hint="depends_on must not run in a circle"
        )
    return tuple(steps)


def longest_chain(steps: Sequence[Step], times: Sequence[float]) -> tuple[float, tuple[int, ...]]:
    """The greatest sum of `times` along steps that wait for each other, and the places of these steps."""
    ends: list[float] = []
    come_from: list[int | None] = []
    for step, time in zip(steps, times, strict=True):
        previous = max(step.after, key=ends.__getitem__, default=None)
        come_from.append(previous)
        ends.append(time + (0.0 if previous is None else ends[previous]))
    if not ends:
        return 0.0, ()
    at: int | None = max(range(len(ends)), key=ends.__getitem__)
    longest, chain = ends[at or 0], list[int]()
    while at is not None:
        chain.append(at)
        at = come_from[at]
    return longest, tuple(reversed(chain))

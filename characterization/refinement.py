"""The second stage of a campaign: more Monte-Carlo samples where the first one found the smallest margins.

Deterministic (the same first stage names the same conditions) and resumable: a plan is a pure function of the setup,
and every simulation of either stage lies in the cache.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from characterization.campaign import Task
from characterization.dataset import Dataset, Sample
from characterization.tables.table import ReadoutTable
from characterization.testbench import Testbench


def refined(setup: Testbench, table: ReadoutTable, margin: Callable[[str], float]) -> Testbench:
    """The setup with `worst_samples` at the `worst_conditions` conditions of the table with the smallest margin.

    margin: label of a condition -> sigma. Equal margins go by the order of the conditions.
    """
    ranked = sorted(table.conditions, key=lambda c: margin(c.label))  # stable
    chosen = ranked[: setup.worst_conditions]
    return replace(setup, more_samples=tuple((c, setup.worst_samples) for c in sorted(chosen)))


def missing(tasks: Sequence[Task], data: Dataset) -> list[Task]:
    """The tasks of a plan that have no sample yet."""
    left = _by_key(data)
    return [task for task in tasks if not _taken(left, task)]


def merged(tasks: Sequence[Task], *parts: Dataset) -> Dataset:
    """The samples of several stages in the order of the whole plan."""
    left = _by_key(Dataset(tuple(s for part in parts for s in part.samples)))
    return Dataset(tuple(sample for task in tasks if (sample := _taken(left, task)) is not None))


_Key = tuple[object, ...]


def _by_key(data: Dataset) -> dict[_Key, list[Sample]]:
    out: dict[_Key, list[Sample]] = {}
    for s in data.samples:
        out.setdefault((s.procedure, s.condition, s.active, s.count, s.pattern, s.draw), []).append(s)
    return out


def _taken(left: dict[_Key, list[Sample]], task: Task) -> Sample | None:
    found = left.get((task.procedure, task.condition, task.active, task.count, task.pattern, task.draw))
    return found.pop(0) if found else None

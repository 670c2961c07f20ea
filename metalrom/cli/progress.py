"""A bar on standard error with counts, time gone by and time left."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text


def duration(seconds: float | None) -> str:
    """`0:07`, `12:30`, `3:04:05`; `-:--` for what is not known."""
    if seconds is None:
        return "-:--"
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Clock(ProgressColumn):
    """Time since the bar appeared and time left of what it counts.

    The time left is what the task's field `left` (s, None where unknown) said at `stated` (s, monotonic) less the time
    since; a batch that takes over from the last one does not restart the time gone by.
    """

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        """`1:20 gone, 0:35 left`."""
        fields = task.fields
        left = fields.get("left")
        since = time.monotonic() - fields.get("stated", 0.0)
        return Text(f"{duration(time.monotonic() - fields['begun'])} gone, {duration(left and left - since)} left")


def estimate(done: int, total: int, elapsed: float) -> float | None:
    """Seconds left of `total` equal parts when `done` took `elapsed`; None where nothing is done yet."""
    return elapsed * (total - done) / done if done else None


class Bar:
    """One line of progress. console: where it is drawn; off a terminal it is silent."""

    def __init__(self, console: Console, title: str) -> None:
        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Clock(),
            TextColumn("{task.fields[note]}"),
        )  # fmt: skip
        self.progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._begun = self._last = time.monotonic()
        self._task = self.progress.add_task(title, total=None, note="", begun=self._begun)

    def show(self, done: int, total: int, *, left: float | None, note: str = "") -> None:
        """Counts, seconds left (None: unknown) and a few words."""
        self._last = time.monotonic()
        self.progress.update(self._task, completed=done, total=total, note=note, left=left, stated=self._last)

    def restart(self, title: str) -> None:
        """Something else is counted, from the last call on."""
        self._begun = self._last
        self.progress.update(self._task, description=title, begun=self._begun)

    def advance(self, done: int, total: int) -> None:
        """Counts of equal parts, the time left judged by the time since the bar appeared."""
        self.show(done, total, left=estimate(done, total, time.monotonic() - self._begun))


@contextlib.contextmanager
def bar(console: Console, title: str) -> Iterator[Bar]:
    """A bar while the block runs."""
    made = Bar(console, title)
    with made.progress:
        yield made

"""Tables at 80 columns keep every digit; the clocks of the progress bar."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console, Group
from rich.table import Table

from metalrom.cli import progress
from metalrom.cli.tables import fitted
from metalrom.cli.workloads import _inventory_table
from metalrom.workloads.inventory import read_inventory
from ngspice_runner import Progress


def printed(shown: object, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, soft_wrap=True, highlight=False)
    console.print(fitted(shown, console))
    return console.file.getvalue()


def table(columns: int) -> tuple[Table, list[str]]:
    made = Table(title="figures", caption="a note")
    made.add_column("what is described here")
    for k in range(columns):
        made.add_column(f"c{k}", justify="right")
    numbers = [f"{12345678 + k}.25" for k in range(columns)]
    made.add_row("a quantity with a name of several words", *numbers)
    return made, numbers


@pytest.mark.parametrize("columns", [1, 3, 5, 12])
@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_number_is_cut_or_broken_at_any_width(columns: int, width: int) -> None:
    made, numbers = table(columns)
    text = printed(Group(made, "done"), width)
    assert all(number in text for number in numbers)
    assert "…" not in text
    assert max(len(line) for line in text.splitlines()) <= width
    assert {"figures", "quantity", "words", "done"} <= set(re.findall(r"\w+", text))


def test_a_wide_terminal_shows_a_table_on_one_line_per_row() -> None:
    made, numbers = table(3)
    line = next(line for line in printed(made, 120).splitlines() if numbers[0] in line)
    assert all(number in line for number in numbers)
    assert "a quantity with a name of several words" in line


def test_an_inventory_keeps_its_counts_at_80_columns() -> None:
    found = read_inventory("bert-base")
    text = printed(_inventory_table(found, None), 80)
    assert "109,482,240" in text  # parameters of bert-base-uncased, as its model card and transformers count them
    assert "…" not in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-:--"), (0, "0:00"), (-3, "0:00"), (7.4, "0:07"), (75, "1:15"), (3725, "1:02:05")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert progress.duration(seconds) == text


def test_the_time_left_counts_down_and_the_time_gone_is_that_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    bar = progress.Bar(console, "simulating")
    clock = progress.Clock()

    def text() -> str:
        return clock.render(bar.progress.tasks[0]).plain

    assert text() == "0:00 gone, -:-- left"
    now[0] = 130.0
    bar.show(10, 10, left=0.0)  # the first batch is done ...
    now[0] = 140.0
    bar.show(1, 10, left=90.0)  # ... one of the same size begins: rich's own clocks would have stopped
    assert text() == "0:40 gone, 1:30 left"
    now[0] = 170.0
    assert text() == "1:10 gone, 1:00 left"
    bar.advance(5, 10)  # half of it in 70 s
    assert text() == "1:10 gone, 1:10 left"
    bar.restart("again")
    now[0] = 180.0
    assert text().startswith("0:10 gone")


def test_what_the_cache_answers_is_no_rate() -> None:
    """100 answers from the cache and 5 simulations in 10 s: 2 s each are left of the other 10, 20 s."""
    assert Progress(105, 115, 100, 0, 10.0).remaining == pytest.approx(20.0)

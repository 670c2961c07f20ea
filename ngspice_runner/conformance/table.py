"""The scores of several harnesses in one table."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table

from ngspice_runner.conformance.cases import Case
from ngspice_runner.conformance.harness import HARNESSES
from ngspice_runner.conformance.score import CaseScore, Outcome, counts, score_harness
from ngspice_runner.errors import EngineError

_TITLES = {
    Outcome.RIGHT: "right",
    Outcome.HONEST: "honestly\nnot ok",
    Outcome.NOTED: "wrong,\nnoted",
    Outcome.WRONG: "silently\nwrong",
    Outcome.REFUSED: "good,\nrefused",
    Outcome.NOT_ASKED: "not\nasked",
}


@dataclass(frozen=True, slots=True)
class HarnessScore:
    """scores: of the cases, in order, empty where the harness cannot be loaded; trouble: why; seconds: wall time."""

    name: str
    scores: Sequence[CaseScore]
    trouble: str = ""
    seconds: float = 0.0

    @property
    def noted_good(self) -> int:
        """Good decks with a right result that carry a note or warning."""
        return sum(
            score.case.good and score.outcome is Outcome.RIGHT and score.answer is not None and score.answer.notes > 0
            for score in self.scores
        )

    def document(self) -> dict[str, object]:
        """What JSON output holds."""
        failed = {
            outcome.value: [
                f"{score.case.group}: {score.case.name}" for score in self.scores if score.outcome is outcome
            ]
            for outcome in (Outcome.WRONG, Outcome.NOTED, Outcome.REFUSED)
        }
        return {
            "harness": self.name,
            "trouble": self.trouble,
            "counts": counts(self.scores),
            "good_with_notes": self.noted_good,
            "seconds": round(self.seconds, 1),
            "cases": failed,
        }


def score_harnesses(
    names: Sequence[str],
    cases: Sequence[Case],
    pythons: Mapping[str, str],
    progress: Callable[[str, int, int], None] = lambda name, done, total: None,
) -> list[HarnessScore]:
    """The scores of harnesses; `pythons` names the interpreters of those that do not run in this one."""
    found = []
    for name in names:
        if name not in HARNESSES:
            HARNESSES[name]  # raises with a hint
        started = time.monotonic()
        try:
            python = pythons.get(name, sys.executable)
            scores = score_harness(name, cases, python=python, progress=lambda d, t, n=name: progress(n, d, t))  # type: ignore[misc]
            found.append(HarnessScore(name, scores, "", time.monotonic() - started))
        except EngineError as error:
            found.append(HarnessScore(name, (), str(error)))
    return found


def score_table(found: Sequence[HarnessScore], cases: Sequence[Case]) -> Table:
    """One row per harness, 80 columns wide; below it why one was not run."""
    groups = {group: sum(case.group == group for case in cases) for group in dict.fromkeys(c.group for c in cases)}
    title = f"{len(cases)} decks: " + ", ".join(f"{count} {group}" for group, count in groups.items())
    troubles = [f"{harness.name} not run: {harness.trouble}" for harness in found if harness.trouble]
    table = Table(title=title, title_justify="left", caption="\n".join(troubles), caption_justify="left", padding=0)
    table.add_column("harness", no_wrap=True)
    for heading in (*_TITLES.values(), "right,\nnoted", "wall s"):
        table.add_column(heading, justify="right", no_wrap=True)
    for harness in found:
        if harness.trouble:
            continue
        number = counts(harness.scores)
        cells = [str(number[outcome.value]) for outcome in _TITLES]
        table.add_row(harness.name, *cells, str(harness.noted_good), f"{harness.seconds:.0f}")
    return table

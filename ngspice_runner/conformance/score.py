"""The suite run and scored: how often a harness is right, says honestly that it is not, notes the difference, or errs.

right: accepted, and every value is the author's. honest: no result is claimed where none is right, or where the engine
reads the deck otherwise. noted: a wrong value beside a message that names the difference. wrong: a wrong value, or a
value where none is right, without a word. refused: no result for a deck that is good.
"""

from __future__ import annotations

import json
import math
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ngspice_runner.conformance.cases import Case
from ngspice_runner.conformance.harness import TAKES_END, Answer
from ngspice_runner.errors import EngineError

_START_SECONDS = 60.0
_GRACE = 30.0


class Outcome(StrEnum):
    """What a harness's answer to a case is worth."""

    RIGHT = "right"
    HONEST = "honest"
    NOTED = "noted"
    WRONG = "wrong"
    REFUSED = "refused"
    NOT_ASKED = "not asked"


@dataclass(frozen=True, slots=True)
class CaseScore:
    """The outcome of one case: values by output as the harness gives them, what it says."""

    case: Case
    outcome: Outcome
    answer: Answer | None = None


def judge_answer(case: Case, answer: Answer, second: Answer | None = None) -> Outcome:
    """The outcome of an answer; `second` is that of an equal run of a random deck."""
    values = {name: value for name, value in answer.values.items() if value is not None and math.isfinite(value)}
    accepted = answer.accepted and all(name in values for name in case.outputs)
    if not accepted:
        return Outcome.REFUSED if case.good else Outcome.HONEST
    if case.draws:
        differs = second is not None and dict(second.values) != dict(answer.values)
        return Outcome.RIGHT if differs else Outcome.NOTED if "seed" in answer.messages else Outcome.WRONG
    if case.expected and all(expected.holds(values.get(expected.output)) for expected in case.expected):
        return Outcome.RIGHT
    said = answer.messages.lower()
    return Outcome.NOTED if any(text.lower() in said for text in case.says) else Outcome.WRONG


def score_harness(
    name: str,
    cases: Sequence[Case],
    *,
    python: str = sys.executable,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[CaseScore]:
    """The scores of a harness, in the order of the cases.

    Parameters
    ----------
    name
        Of `HARNESSES`.
    cases
        To be asked.
    python
        Interpreter of the child in which the harness runs.
    progress
        Called with (done, total).

    Raises
    ------
    EngineError
        The harness cannot be loaded, with the reason.
    """
    scores = []
    child = _Child(name, python)
    try:
        for case in cases:
            if case.stop is not None and not case.good and name not in TAKES_END:
                scores.append(CaseScore(case, Outcome.NOT_ASKED))
            else:
                answer = child.ask(case)
                second = child.ask(case) if case.draws else None
                scores.append(CaseScore(case, judge_answer(case, answer, second), answer))
            progress(len(scores), len(cases))
    finally:
        child.end()
    return scores


def counts(scores: Sequence[CaseScore]) -> dict[str, int]:
    """Number of cases by outcome."""
    return {outcome.value: sum(score.outcome is outcome for score in scores) for outcome in Outcome}


class _Child:
    """A process that runs a harness; started anew after it has died or hung."""

    def __init__(self, name: str, python: str) -> None:
        self._command = [python, "-P", "-m", "ngspice_runner.conformance.child", name]
        self._start()

    def _start(self) -> None:
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(p for p in (root, os.environ.get("PYTHONPATH", "")) if p)
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise EngineError("the child has no pipes")
        self._questions, self._answers = self._process.stdin, self._process.stdout
        first = self._line(_START_SECONDS)
        if first is None or first["trouble"]:
            self.end()
            raise EngineError(first["trouble"] if first else "the harness does not start")

    def ask(self, case: Case) -> Answer:
        """What the harness says of a case."""
        with _folder() as folder:
            at = {expected.output: expected.at for expected in case.expected}
            question = {
                "path": str(case.write(folder)),
                "asked": [(name, at.get(name)) for name in case.outputs],
                "stop": case.stop,
                "timeout": case.timeout,
            }
            self._questions.write(json.dumps(question).encode() + b"\n")
            self._questions.flush()
            answer = self._line(case.timeout + _GRACE)
        if answer is None:
            self.end()
            self._start()
            return Answer(False, messages="the harness died or did not answer in time")
        return Answer(**answer)

    def _line(self, seconds: float) -> Any:
        """The next line of the child; None when it has ended or the time is up."""
        if not select.select([self._answers], [], [], seconds)[0]:
            return None
        line = self._answers.readline()
        return json.loads(line) if line else None

    def end(self) -> None:
        """Kill the child and what it has started."""
        self._process.kill()
        for pipe in (self._questions, self._answers):
            with suppress(BrokenPipeError):
                pipe.close()
        self._process.wait()


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="conformance-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)

"""Two output folders side by side."""

from __future__ import annotations

from pathlib import Path

from metalrom.run.folder import Run, open_run
from metalrom.run.results import RESULTS, RunResults
from metalrom.run.view import RunView
from metalrom.specs.result import SpecResult, failure_text
from metalrom.studies.diff.causes import attribute, causes, evidence, requested_elsewhere
from metalrom.studies.diff.changes import Attribution, Cause, ConditionChange, Difference, SpecChange
from metalrom.studies.diff.figures import changes

COMPARED_FILES = ("samples.csv", "models.json", RESULTS, "lut/readout.json", "layer.npz")
"""Files that repeat to the last byte when a run is repeated: a difference that no figure shows is still reported."""

NOT_REQUESTED = "not asked"


def compare_runs(old: Path, new: Path) -> Difference:
    """What differs between two finished runs. Raises InputError for a folder that is none."""
    return difference(open_run(old), open_run(new))


def difference(old: Run, new: Run) -> Difference:
    """What differs between two runs, most important first."""
    found = causes(old.results, new.results)
    old_view, new_view = RunView.of(old), RunView.of(new)
    numbers = changes(old_view, new_view, found)
    specs = _specs(old.results, new.results, found)
    files = tuple(name for name in COMPARED_FILES if _bytes(old, name) != _bytes(new, name))
    moved = numbers or any(s.flipped for s in specs)
    return Difference(
        old=str(old.path),
        new=str(new.path),
        specs=specs,
        conditions=_conditions(old.results, new.results, old_view, new_view),
        causes=found,
        figures=numbers,
        files=files,
        evidence=evidence(old.results, new.results),
        attribution=attribute(found) if moved else Attribution("nothing changed", ()),
    )


def _bytes(run: Run, name: str) -> bytes | None:
    return run.read(name) if run.holds(name) else None


def _specs(old: RunResults, new: RunResults, found: tuple[Cause, ...]) -> tuple[SpecChange, ...]:
    """Specifications whose verdict or presence differs; flips first.

    The same question with another limit is one change, not two. A run that recorded none (of an earlier version) tells
    nothing: every run since then is asked for something.
    """
    if not (old.specs and new.specs):
        return ()
    a, b = _by_question(old), _by_question(new)
    out = []
    for question in dict.fromkeys([*a, *b]):
        before, after = a.get(question), b.get(question)
        if before is None or after is None:
            out.append(_spec_change(before, after, False, requested_elsewhere(found)))
            continue
        flipped, limit = before.passed != after.passed, before.limit != after.limit
        if flipped or limit:
            out.append(_spec_change(before, after, flipped, _why(before, after, found)))
    return tuple(sorted(out, key=lambda change: not change.flipped))


def _why(before: SpecResult, after: SpecResult, found: tuple[Cause, ...]) -> Attribution:
    """The limit, if the value did not move; what moved the value, if the limit is the same; else all of them."""
    limit = "specs" if any(c.name == "specs" for c in found) else "readout.code_error_target"
    moved = before.value != after.value or before.reason != after.reason
    if not moved:
        return Attribution("proved", (limit,))
    figures = attribute(found)
    if before.limit == after.limit:
        return figures
    return Attribution("candidates", (limit, *figures.causes))


def _by_question(results: RunResults) -> dict[tuple[str, str, str, int], SpecResult]:
    """Results by quantity, comparison and condition; a number tells repeated ones apart."""
    out: dict[tuple[str, str, str, int], SpecResult] = {}
    for s in results.specs:
        number = 0
        where = "worst" if s.worst else s.condition
        while (key := (s.quantity, s.comparison, where, number)) in out:
            number += 1
        out[key] = s
    return out


def _spec_change(
    before: SpecResult | None, after: SpecResult | None, flipped: bool, attribution: Attribution
) -> SpecChange:
    sides = [str(s.spec) for s in (before, after) if s is not None]
    return SpecChange(
        spec=" -> ".join(dict.fromkeys(sides)),
        old=_verdict(before),
        new=_verdict(after),
        old_value=before.value_shown if before else "",
        new_value=after.value_shown if after else "",
        flipped=flipped,
        attribution=attribution,
    )


def _verdict(result: SpecResult | None) -> str:
    return NOT_REQUESTED if result is None else result.verdict


def _conditions(a: RunResults, b: RunResults, view_a: RunView, view_b: RunView) -> tuple[ConditionChange, ...]:
    """Conditions with another fate; failures first."""

    def fates(results: RunResults, view: RunView) -> dict[str, str]:
        good = dict.fromkeys((c.label for c in view.table.conditions), "characterized")
        return {
            **good,
            **{f.condition: f"failed: {failure_text(f)}" for f in results.failed_conditions},
            **{f"{p.procedure} at {p.condition or 'any'}": f"failed: {p.reason}" for p in results.failed_procedures},
        }

    old, new = fates(a, view_a), fates(b, view_b)
    out = [
        ConditionChange(label, old.get(label, NOT_REQUESTED), new.get(label, NOT_REQUESTED))
        for label in dict.fromkeys([*old, *new])
        if old.get(label) != new.get(label)
    ]
    return tuple(sorted(out, key=lambda c: "failed" not in f"{c.old} {c.new}"))

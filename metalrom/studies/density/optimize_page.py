"""The answer of an optimization: a table, a JSON document, a page and the picture of its trials."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.table import Table

from characterization.charts import MARKS, SERIES, TARGET
from interconnect.files import atomic_write_files
from interconnect.jsonable import to_jsonable
from metalrom.drawing.svg import INK
from metalrom.reports.plots import chart, svg
from metalrom.specs.quantities import QUANTITIES
from metalrom.specs.result import format_value, specification_text
from metalrom.studies.density.objective import RATED
from metalrom.studies.density.optimize import Optimization, Winner
from metalrom.studies.density.run import METHOD


def optimization_document(found: Optimization) -> dict[str, Any]:
    """Everything but the points that did not win."""
    o = found.objective
    return {
        "name": found.name,
        "objective": {"quantity": o.quantity, "direction": "minimize" if o.down else "maximize"},
        "specs": [str(s) for s in o.specs],
        "trials": found.trials,
        "points": len(found.points),
        "refused": found.refused,
        "best": None if found.best is None else found.best.file,
        "winners": [
            {
                "settings": dict(w.point.settings),
                "fast": w.fast,
                "full": w.value,
                "unit": unit(found),
                "verdict": w.verdict,
                "confirmed": w.confirmed,
                "specs": w.specs,
                "configuration": w.file,
                "point": w.point.to_dict(),
            }
            for w in found.winners
        ],
        "error": error_sentence(found),
        "full_over_fast": found.factors,
        "method": METHOD,
        "warnings": found.warnings,
    }


def unit(found: Optimization) -> str:
    """Unit of the objective."""
    return QUANTITIES[found.objective.quantity].units[0]


def error_sentence(found: Optimization) -> str:
    """The error of the fast rating, from the winners."""
    parts = [f"{found.objective.quantity} full over fast {w.value / w.fast:.3g}" for w in found.winners if w.fast]
    parts += [
        f"{name} {factor:+.3g} dB" if "dB" in QUANTITIES[name].units else f"{name} times {factor:.3g}"
        for name, factor in found.factors.items()
    ]
    return f"the fast rating against {len(found.winners)} run(s), at the conditions asked for: {', '.join(parts)}"


def answer_lines(found: Optimization) -> list[str]:
    """The answer in sentences."""
    o, best = found.objective, found.best
    asked = "; ".join(str(s) for s in o.specs) or "nothing"
    lines = [
        f"{'smallest' if o.down else 'largest'} {o.quantity} subject to {asked}: {len(found.points)} points in "
        f"{found.trials} trials, {found.refused} combinations that are none"
    ]
    if best is None:
        lines.append("no run confirms all that was asked: relax it, or characterize more with --winners")
    else:
        shown = format_value(best.value, unit(found))
        lines.append(f"confirmed by a run: {o.quantity} {shown} ({best.file}): {best.point.label}")
        if best.point.readout == "ideal":
            lines.append("WARNING: its readout is ideal, stated in numbers; readout.kind: [chain] excludes it")
        if best.point.utilisation < 1:
            lines.append(
                f"the layer fills {100 * best.point.utilisation:.0f} % of its macros; densities count these cells"
            )
    for w in found.winners:
        lines += [f"{w.file}: {_judged(w, i)}" for i in range(len(w.specs))]
    return [*lines, error_sentence(found)]


def _judged(w: Winner, index: int) -> str:
    s = w.specs[index]
    place = f" at {s.condition}" if s.condition else ""
    fast = format_value(RATED[s.quantity](w.point), s.unit)
    reason = f"; {s.reason}" if s.reason else ""
    verdict = "confirmed" if s.passed else "not confirmed"
    return f"{specification_text(s)}{place} {verdict}: run {s.value_shown}, fast rating {fast} (nominal){reason}"


def optimization_view(found: Optimization) -> Table:
    """The winners as a table, the answer below."""
    lines = [*answer_lines(found), *(f"WARNING: {w}" for w in found.warnings)]
    table = Table(title=f"{found.name}: {found.objective.quantity}", caption="\n".join(lines), caption_justify="left")
    for heading in ("configuration", "point", "fast", "run", "specifications"):
        table.add_column(heading)
    for w in found.winners:
        fast, full = (format_value(v, unit(found)) for v in (w.fast, w.value))
        table.add_row(w.file, w.point.label, fast, full, w.verdict)
    return table


def write_optimization(found: Optimization, out: Path) -> list[Path]:
    """Write optimize.json, optimize.svg and optimize.md into `out`; each appears whole or not at all."""
    page = [f"# {found.objective.quantity}: {found.name}", ""]
    page += [f"WARNING: {w}" for w in found.warnings] + [""]
    page += [f"- {line}" for line in answer_lines(found)] + [""]
    page += ["## How the figures came about", "", *(f"- {line}" for line in METHOD), ""]
    texts = {
        "optimize.json": json.dumps(to_jsonable(optimization_document(found)), indent=1) + "\n",
        "optimize.svg": trials_figure(found),
        "optimize.md": "\n".join(page),
    }
    return atomic_write_files(out, {name: text.encode() for name, text in texts.items()})


def trials_figure(found: Optimization) -> str:
    """One SVG: the objective of every point against its code error; winners marked."""
    o = found.objective
    with chart(8.0, 5.0) as figure:
        axes = figure.subplots()
        for i, kind in enumerate(dict.fromkeys(p.kind for p in found.points)):
            points = [p for p in found.points if p.kind == kind]
            axes.scatter(
                [max(p.code_error, 1e-12) for p in points], [o.value(p) for p in points], s=18, label=kind,
                color=SERIES[i % len(SERIES)], marker=MARKS[i % len(MARKS)], alpha=0.6, linewidths=0,
            )  # fmt: skip
        for w in found.winners:
            axes.scatter(
                [max(w.point.code_error, 1e-12)], [w.fast], s=90, marker="o", facecolors="none",
                edgecolors=TARGET if w.confirmed else INK,
            )  # fmt: skip
        axes.set(xscale="log", xlabel="code error, fast rating, nominal", ylabel=f"{o.quantity} ({unit(found) or '1'})")
        axes.legend(loc="best")
        figure.suptitle(f"{len(found.points)} points; rings: characterized in full", fontsize=9.5, x=0.01, ha="left")
        return svg(figure, "optimize", "objective against code error of every point")

"""The output folder of an exploration: every point as CSV, everything as JSON, the picture, the answer in words."""

import csv
import json
from dataclasses import asdict, fields
from io import StringIO
from pathlib import Path
from typing import Any

from interconnect.files import atomic_write_text
from interconnect.jsonable import to_jsonable
from metalrom.folders import ensure_output_folder
from metalrom.macro.estimate import NOT_INCLUDED, REFERENCE_DENSITY
from metalrom.studies.density.figure import frontier_figure
from metalrom.studies.density.kinds import kinds_table
from metalrom.studies.density.point import DesignPoint
from metalrom.studies.density.run import METHOD, Exploration
from metalrom.studies.density.verify import Verified


def write_exploration(found: Exploration, out: Path) -> list[Path]:
    """Write points.csv, explore.json, frontier.svg and answer.md into `out`; each appears whole or not at all."""
    folder = ensure_output_folder(out)
    text = json.dumps(to_jsonable(exploration_document(found)), indent=1) + "\n"
    return [
        atomic_write_text(folder / "points.csv", points_csv(found)),
        atomic_write_text(folder / "explore.json", text),
        atomic_write_text(folder / "frontier.svg", frontier_figure(found)),
        atomic_write_text(folder / "answer.md", exploration_text(found)),
    ]


def exploration_document(found: Exploration) -> dict[str, Any]:
    """Everything but the dominated points, with method, warnings and what is not included."""
    return {
        "name": found.name,
        "points": len(found.points),
        "reference_Mb_per_mm2": {"value": REFERENCE_DENSITY.value, **asdict(REFERENCE_DENSITY.provenance)},
        "answers": [{"cell": a.cell, "sentences": a.sentences} for a in found.answers],
        "frontier": found.frontier,
        "verified": found.verified,
        "kinds": found.kinds,
        "method": METHOD,
        "not_included": NOT_INCLUDED,
        "warnings": found.warnings,
        "simulations": {"run": found.simulated, "cached": found.cached},
    }


def points_csv(found: Exploration) -> str:
    """All points, a line each; the header names the unit where it is not plain from DesignPoint's documentation."""
    best = {p.key for p in found.frontier}
    names = [f.name for f in fields(DesignPoint)]
    buffer = StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*names, "frontier"])
    for p in found.points:
        writer.writerow([*(getattr(p, name) for name in names), p.key in best])
    return buffer.getvalue()


def exploration_text(found: Exploration) -> str:
    """The answer as a page of Markdown."""
    lines = [f"# Density against signal: {found.name}", ""]
    lines += [f"WARNING: {w}" for w in found.warnings] + [""]
    for a in found.answers:
        lines += [f"- {sentence}" for sentence in a.sentences] + [""]
    if found.verified:
        lines += [
            "## CharacterizationRun in full", "",
            "| point | per count, explored / full | code error | CSNR, dB | simulations |", "|---|---|---|---|---|",
        ]  # fmt: skip
        for v in found.verified:
            p = v.point
            lines.append(
                f"| {p.label}, {p.group_rows} rows, {p.adc_bits} bit | {p.lsb:.4g} / {v.lsb:.4g} {p.unit} | "
                f"{p.code_error:.1e} / {v.code_error:.1e} | {_db(p.csnr)} / {_db(v.csnr)} | {v.simulations} |"
            )
        lines += ["", *(s for s in (verification_text(v, found.target) for v in found.verified)), ""]
    lines += ["## Every cell kind, metal alone", "", *kinds_table(found.kinds, found.planes), ""]
    lines += ["## How the figures came about", "", *(f"- {line}" for line in METHOD)]
    lines += [f"- not included: {', '.join(NOT_INCLUDED)}", ""]
    return "\n".join(lines)


def verification_text(v: Verified, target: float) -> str:
    """One sentence: whether the full characterization keeps the code-error target that the exploration saw kept."""
    kept, seen = v.code_error <= target, v.point.code_error <= target
    words = "keeps" if kept else "misses"
    surprise = "" if kept == seen else ", unlike explored"
    p = v.point
    return f"- {p.label}, {p.group_rows} rows: characterized in full it {words} the target of {target:g}{surprise}"


def _db(value: float | None) -> str:
    return "no error seen" if value is None else f"{value:.1f}"

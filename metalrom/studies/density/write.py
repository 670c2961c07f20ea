"""The output folder of an exploration: every point as CSV, everything as JSON, the picture, the answer in words."""

import csv
import json
from dataclasses import asdict, fields
from io import StringIO
from pathlib import Path
from typing import Any

from interconnect.files import atomic_write_files
from interconnect.jsonable import to_jsonable
from metalrom.macro.estimate import CHAIN_NOT_INCLUDED, NOT_INCLUDED, REFERENCE_DENSITY
from metalrom.studies.density.figure import frontier_figure
from metalrom.studies.density.kinds import kinds_table
from metalrom.studies.density.point import DesignPoint
from metalrom.studies.density.run import METHOD, Exploration
from metalrom.studies.density.space import settings_text
from metalrom.studies.density.verify import Verified

UNVERIFIED = "the error of the fast rating was not measured: explore.verify is 0"


def write_exploration(found: Exploration, out: Path) -> list[Path]:
    """Write points.csv, explore.json, frontier.svg and answer.md into `out`; each appears whole or not at all."""
    texts = {
        "points.csv": points_csv(found),
        "explore.json": json.dumps(to_jsonable(exploration_document(found)), indent=1) + "\n",
        "frontier.svg": frontier_figure(found),
        "answer.md": exploration_text(found),
    }
    return atomic_write_files(out, {name: text.encode() for name, text in texts.items()})


def exploration_document(found: Exploration) -> dict[str, Any]:
    """Everything but the dominated points, with method, its error, warnings and what is not included."""
    return {
        "name": found.name,
        "points": len(found.points),
        "refused": dict(found.refused),
        "reference_Mb_per_mm2": {"value": REFERENCE_DENSITY.value, **asdict(REFERENCE_DENSITY.provenance)},
        "answers": [{"kind": a.kind, "sentences": a.sentences} for a in found.answers],
        "frontier": [p.to_dict() for p in found.frontier],
        "error": found.error,
        "verified": [v.to_dict() for v in found.verified],
        "kinds": found.kinds,
        "method": METHOD,
        "not_included": {"ideal": NOT_INCLUDED, "chain": CHAIN_NOT_INCLUDED},
        "warnings": found.warnings,
    }


def points_csv(found: Exploration) -> str:
    """All points, a line each; units as DesignPoint documents them, SI where nothing is said."""
    best = {p.key for p in found.frontier}
    names = [f.name for f in fields(DesignPoint) if f.name != "settings"]
    buffer = StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["settings", *names, "frontier"])
    for p in found.points:
        writer.writerow([settings_text(p.settings), *(getattr(p, name) for name in names), p.key in best])
    return buffer.getvalue()


def exploration_text(found: Exploration) -> str:
    """The answer as a page of Markdown."""
    lines = [f"# Density against signal: {found.name}", ""]
    lines += [f"WARNING: {w}" for w in found.warnings] + [""]
    for a in found.answers:
        lines += [f"- {sentence}" for sentence in a.sentences] + [""]
    lines += ["## Error of the fast rating", "", found.error.sentence if found.error else UNVERIFIED, ""]
    if found.verified:
        lines += verified_table(found.verified)
        lines += ["", *(f"- {verification_text(v, found.target)}" for v in found.verified), ""]
    if found.refused:
        lines += ["## Combinations that are none", "", *(f"- {n} x {reason}" for reason, n in found.refused), ""]
    lines += ["## Every cell kind, metal alone", "", *kinds_table(found.kinds, found.planes), ""]
    lines += ["## How the figures came about", "", *(f"- {line}" for line in METHOD)]
    lines += [f"- not included with an ideal readout: {', '.join(NOT_INCLUDED)}"]
    lines += [f"- not included with a chain: {', '.join(CHAIN_NOT_INCLUDED)}", ""]
    return "\n".join(lines)


def verified_table(verified: tuple[Verified, ...]) -> list[str]:
    """Fast rating and full characterization side by side, as lines of a Markdown table."""
    lines = [
        "| point, fast / full | per count | code error | CSNR, dB | fJ per MAC | simulations |",
        "|---|---|---|---|---|---|",
    ]
    for v in verified:
        p, full = v.point, v.full
        energy = f"{p.energy_per_mac * 1e15:.3g} / {full.energy_per_mac * 1e15:.3g}"
        lines.append(
            f"| {p.label} | {p.lsb:.4g} / {full.lsb:.4g} {p.unit} | {p.code_error:.1e} / {full.code_error:.1e} | "
            f"{p.csnr:.1f} / {full.csnr:.1f} | {energy} | {v.simulations} |"
        )
    return lines


def verification_text(v: Verified, target: float) -> str:
    """One sentence: whether the full characterization keeps the code-error target that the exploration saw kept."""
    kept, seen = v.full.code_error <= target, v.point.code_error <= target
    surprise = "" if kept == seen else ", unlike explored"
    words = "keeps" if kept else "misses"
    return f"{v.point.label}: characterized in full it {words} the target of {target:g}{surprise}"

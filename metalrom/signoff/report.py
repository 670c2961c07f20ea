"""What a sign-off found, as a table for people and as a document."""

from typing import Any

from metalrom.signoff.other_extractors import ExtractorReport
from metalrom.signoff.segment_signoff import SegmentSignOff
from metalrom.signoff.signoff import LEVEL_BOUND, RELATIVE_BOUND, SignOffResult

MOST_SHOWN = 12
"""Differences that the text names; the document holds all that were kept."""


def sign_off_document(result: SignOffResult) -> dict[str, Any]:
    """The result as a JSON document; lengths in m, capacitances in F, resistances in ohm, levels in V or A.

    Without times, so that the same layout gives the same file.
    """
    return {
        "layout": str(result.layout),
        "cells": result.plan.cells,
        "signed_off": not result.failures,
        "failures": list(result.failures),
        "drc": {
            "violations": result.drc.count,
            "rules": [rule.name for rule in result.drc.rules],
            "deck": result.deck,
            "not_checked": list(result.own.not_checked),
        },
        "own_rules": {"violations": result.own.count, "rules": len(result.own.checked)},
        "audit": {
            "differing_vias": result.audit.differing,
            "differing_wires": result.audit.wires,
            "strange_shapes": result.audit.strange,
        },
        "lvs": [{"plane": r.plane, "nets": r.nets, "devices": r.devices, "differences": r.count} for r in result.lvs],
        "netgen": result.netgen
        if isinstance(result.netgen, str)
        else [{"plane": r.plane, "verdict": r.verdict, "differences": len(r.differences)} for r in result.netgen],
        "extraction": [
            {
                "plane": plane,
                "places": [list(place) for place in cell.places],
                "worst_capacitance": _worst(cell.worst("C")),
                "worst_resistance": _worst(cell.worst("R")),
                "bound": RELATIVE_BOUND,
            }
            for plane, cell in result.cells
        ],
        "other_extractors": [_beside(report) for report in result.beside],
        "levels": [
            {
                "plane": x.plane,
                "rows": x.rows,
                "count": x.count,
                "configured": x.configured,
                "drawn": x.drawn,
                "difference_lsb": x.lsb,
                "bound_lsb": LEVEL_BOUND,
            }
            for x in result.levels
        ],
        "segments": _segments(result.segments) if result.segments else {"not_drawn": result.no_segments},
    }


def _segments(found: SegmentSignOff) -> dict[str, Any]:
    """Areas in m2, lengths in m, capacitances in F."""
    level = found.level
    return {
        "layout": str(found.layout),
        "segments": found.segments,
        "pitch": found.drawing.pitch * 1e-9,
        "height": found.drawing.height * 1e-9,
        "drc": {"violations": found.drc.count, "rules": len(found.drc.rules), "deck": found.deck},
        "own_rules": {"violations": found.own.count, "rules": len(found.own.checked)},
        "not_checked": list(found.front.not_checked),
        "lvs": {"nets": found.lvs.nets, "devices": found.lvs.devices, "differences": found.lvs.count},
        "area": {
            "drawn": found.drawing.area,
            "estimated": found.estimated,
            "parts": [{"part": p.part, "drawn": p.drawn, "estimated": p.estimated} for p in found.parts],
        },
        "wires": dict(found.circuit.wires),
        "level": None
        if level is None
        else {
            "count": level.count,
            "configured": level.configured,
            "drawn": level.drawn,
            "difference_lsb": level.lsb,
            "bound_lsb": LEVEL_BOUND,
        },
    }


def _beside(report: ExtractorReport) -> dict[str, Any]:
    """Per cell, F."""
    return {
        "tool": report.tool,
        "plane": report.plane,
        "reason": report.reason,
        "differences": len(report.differences),
        "values": [
            {"name": v.name, "drawn": v.cell, "beside": v.beside, "relative": v.relative, "bound": v.bound}
            for v in report.values
        ],
    }


def _worst(difference: Any) -> dict[str, Any] | None:
    if difference is None:
        return None
    return {
        "element": difference.name,
        "symbol": difference.symbol,
        "configured": difference.configured,
        "drawn": difference.drawn,
        "relative": difference.relative,
    }


def verdict(result: SignOffResult) -> str:
    """The outcome in words."""
    return "signed off" if not result.failures else f"NOT signed off: {len(result.failures)} differences"


def sign_off_rows(result: SignOffResult) -> list[tuple[str, str]]:
    """Every step with its outcome."""
    deck = "the klayout program is not here" if result.deck is None else f"{sum(result.deck.values())} violations"
    rows = [
        ("DRC", f"{result.drc.count} violations of {len(result.drc.rules)} rules"),
        ("DRC deck", deck),
        ("rules", f"{result.own.count} violations"),
        ("audit", f"{result.audit.differing} vias and {result.audit.wires} wires differ"),
    ]
    rows += [(f"LVS {r.plane}", f"{r.count} differences in {r.nets} nets and {r.devices} devices") for r in result.lvs]
    if isinstance(result.netgen, str):
        rows.append(("netgen", result.netgen))
    rows += [(f"netgen {r.plane}", r.verdict) for r in result.by_netgen]
    for plane, cell in result.cells:
        worst = [w for w in (cell.worst("C"), cell.worst("R")) if w]
        shown = ", ".join(f"{w.name} {100 * w.relative:+.2g} %" for w in worst)
        rows.append((f"extraction {plane}", f"worst {shown}"))
    rows += [(f"{r.tool} {r.plane}".strip(), r.verdict) for r in result.beside]
    rows += [(f"simulation {x.plane}", f"{x.lsb:+.4f} LSB at count {x.count} of {x.rows} rows") for x in result.levels]
    rows += segment_rows(result.segments) if result.segments else [("segments", f"not drawn: {result.no_segments}")]
    return rows


def sign_off_text(result: SignOffResult) -> str:
    """Step and outcome, line by line, then what differs."""
    rows = sign_off_rows(result)
    wide = max(len(name) for name, _ in rows)
    lines = [f"{result.layout}: {result.plan.cells:,} cells", *(f"  {name:<{wide}}  {text}" for name, text in rows)]
    lines.append(f"not checked: {'; '.join(result.own.not_checked)}")
    failures = result.failures
    lines += [f"- {text}" for text in failures[:MOST_SHOWN]]
    if len(failures) > MOST_SHOWN:
        lines.append(f"- and {len(failures) - MOST_SHOWN} more")
    lines.append(verdict(result))
    return "\n".join(lines)


def segment_rows(found: SegmentSignOff) -> list[tuple[str, str]]:
    """Lines of the table about the transistors of the readout."""
    deck = "" if found.deck is None else f", of the deck {sum(found.deck.values())}"
    rows = [
        ("segment DRC", f"{found.drc.count} violations of {len(found.drc.rules)} rules{deck}, own {found.own.count}"),
        (
            "segment LVS",
            f"{found.lvs.count} differences in {found.lvs.nets} nets and {found.lvs.devices} transistors",
        ),
    ]
    if (level := found.level) is not None:
        rows.append(("segment simulation", f"{level.lsb:+.4f} LSB at count {level.count}, with the drawn wires"))
    rows.append(("segment wires", ", ".join(f"{net} {farads * 1e15:.3g} fF" for net, farads in found.circuit.wires)))
    for name, drawn, estimated in (
        *((p.part, p.drawn, p.estimated) for p in found.parts),
        ("segment", found.drawing.area, found.estimated),
    ):
        beside = "no rule of its own" if estimated is None else f"{estimated * 1e12:.2f} um2 estimated"
        if estimated:
            beside += f" ({drawn / estimated:.2f} times)"
        rows.append((f"area {name}", f"{drawn * 1e12:.2f} um2 drawn, {beside}"))
    return rows

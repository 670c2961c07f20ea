"""A comparison as files: one JSON document and CSV tables."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from metalrom.studies.systems.comparison import SystemComparison, comparison_dict
from metalrom.studies.systems.placement import PlacedNetwork
from metalrom.studies.systems.published_check import CheckOutcome


def systems_document(
    found: SystemComparison, outcomes: Sequence[CheckOutcome], placed: PlacedNetwork
) -> dict[str, Any]:
    """Checks, rules, systems, cases and the placed network as plain values."""
    failed = [outcome.check.what for outcome in outcomes if not outcome.ok]
    return {
        "checks": [outcome.to_dict() for outcome in outcomes],
        "failed_checks": failed,
        **comparison_dict(found),
        "placement": placed.to_dict(),
    }


def files(data: Mapping[str, Any]) -> dict[str, bytes]:
    """compare.json and the tables cases.csv, checks.csv, placed.csv and phases.csv of a `systems_document`."""
    return {
        "compare.json": (json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode(),
        "cases.csv": _csv(_case_rows(data["cases"])),
        "checks.csv": _csv(data["checks"]),
        "placed.csv": _csv([_placed_row(row) for row in data["placement"]["placed"]]),
        "phases.csv": _csv(data["placement"]["phases"]),
    }


def _case_rows(cases: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "workload": case["workload"],
            "size": case["size"],
            "model": case["model"],
            "input": case["input"],
            "macs": case["macs"],
            "attention_macs": case["attention_macs"],
            "weights": case["weights"],
            "activations": case["activations"],
            "area_mm2": case["area_mm2"],
            "system": name,
            "level": level,
            **energy,
            "capacity_Mb": result["capacity_Mb"],
            "resident_share": result["resident_share"],
            "gain_mid": result["gain"]["mid"],
            "gain_low": result["gain"]["low"],
            "gain_high": result["gain"]["high"],
        }
        for case in cases
        for name, result in case["systems"].items()
        for level, energy in result["energy"].items()
    ]


def _placed_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A placement with every range in three columns."""
    out: dict[str, Any] = {}
    for key, value in row.items():
        if key in ("cells_mm2", "area_mm2", "tokens_per_second", "energy_per_token_J", "masks"):
            out |= {f"{key}_{end}": None if value is None else value[end] for end in ("low", "mid", "high")}
        else:
            out[key] = value
    return out


def _csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()

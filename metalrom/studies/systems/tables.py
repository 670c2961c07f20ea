"""A comparison as files: one JSON document and two CSV tables."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from metalrom.studies.systems.checks import CheckOutcome
from metalrom.studies.systems.comparison import SystemComparison, comparison_dict


def systems_document(found: SystemComparison, outcomes: Sequence[CheckOutcome]) -> dict[str, Any]:
    """Checks, rules, systems and cases as plain values."""
    failed = [outcome.check.what for outcome in outcomes if not outcome.ok]
    return {
        "checks": [outcome.to_dict() for outcome in outcomes],
        "failed_checks": failed,
        **comparison_dict(found),
    }


def files(data: Mapping[str, Any]) -> dict[str, bytes]:
    """compare.json, cases.csv and checks.csv of a `systems_document`."""
    return {
        "compare.json": (json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode(),
        "cases.csv": _csv(_case_rows(data["cases"])),
        "checks.csv": _csv(data["checks"]),
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


def _csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()

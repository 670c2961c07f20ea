"""Write docs/reference/accuracy.md from the recorded results, or record a new figure.

python benchmarks/accuracy_page.py                                        # render the page
python benchmarks/accuracy_page.py --claim 'TEXT' --figure 'TEXT'         # a re-measured figure, at the current commit

A file of `benchmarks/results/` is one section of the page: title, pages that describe its results, and a list of
results with claim, figure, command (or none), note, commit and date. `commit` is the version that was measured.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "reference" / "accuracy.md"
SECTIONS = ("chain", "metal", "circuits", "characterization", "macro")

HEAD = """\
# Accuracy

Every claim with its figure, the command that reproduces it, and the commit at which the figure was recorded. Measured
on two shared cores, Debian 12, Python 3.11, ngspice 39.3; times are CPU times, since the machine is shared. The
circumstances are on the page that a section links to. `python benchmarks/accuracy_page.py` writes this page from
`benchmarks/results/`.
"""

TAIL = """\
## Scope

The PMOS threshold target of -0.274 V holds for a criterion of 4e-8 A x W/L at 50 mV; at 1e-7 A x W/L both FreePDK45's
own card and the `open45` card read -0.315 V.

Nothing was measured on silicon. Cell mismatch, converter offset and noise, the sampling circuit and every value of
`generic28` are assumptions, and appear as such in each output ([Limits](limits.md)).
"""


def page() -> str:
    """Return the Markdown of the page, from the recorded results alone."""
    parts = [HEAD]
    for name in SECTIONS:
        section = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
        links = ", ".join(f"[{title}]({path})" for title, path in section["pages"].items())
        rows = [_row(result) for result in section["results"]]
        described = f"Described in {links}.\n\n" if links else ""
        table = "\n".join(["| claim | figure | command | commit |", "|---|---|---|---|", *rows])
        parts.append(f"## {section['title']}\n\n{described}{table}\n")
    return "\n".join([*parts, TAIL])


def _row(result: dict[str, Any]) -> str:
    command = f"`{result['command']}`" if "command" in result else ""
    how = ", ".join(part for part in (command, result.get("note")) if part)
    return f"| {result['claim']} | {result['figure']} | {how} | {result['commit']} |"


def record(claim: str, figure: str) -> Path:
    """Replace the figure of a claim, with today's date and the current commit; return the file that holds it."""
    for path in sorted(RESULTS.glob("*.json")):
        section = json.loads(path.read_text(encoding="utf-8"))
        for result in section["results"]:
            if result["claim"] == claim:
                head = ["git", "rev-parse", "--short=7", "HEAD"]
                commit = subprocess.run(head, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
                result.update(figure=figure, commit=commit, date=datetime.date.today().isoformat())
                path.write_text(json.dumps(section, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
                return path
    raise SystemExit(f"there is no claim {claim!r} in {RESULTS}")


def main() -> None:
    """Record a figure if one is given, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--claim", help="text of the claim whose figure was measured again")
    parser.add_argument("--figure", help="the new figure, with its unit")
    given = parser.parse_args()
    if (given.claim is None) != (given.figure is None):
        parser.error("--claim and --figure go together")
    if given.claim is not None:
        print(record(given.claim, given.figure))
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()

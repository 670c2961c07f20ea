"""The rules of a stack as a DRC script of the KLayout program, and what a run of it reports."""

import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from interconnect.errors import InputError
from interconnect.files import atomic_write_text
from interconnect.optional import optional_library
from interconnect.stack import Stack
from metalrom.exporters.executables import run_program
from metalrom.layout.drawing_rule import DrawingRule
from metalrom.layout.front_end import FrontEnd
from metalrom.layout.layers import LayerMap
from metalrom.layout.rule_list import drawing_rules, front_end_rules
from ngspice_runner.workspace import scratch_folder

PROGRAM = "klayout"
SECONDS = 600.0
"""A run of the program that takes longer is ended."""

_OPERATIONS: Mapping[str, str] = {
    "width": "{layer}.width({um}.um, euclidian)",
    "space": "{layer}.space({um}.um, euclidian)",
    "area": "{layer}.merged.with_area(0, {um2}.um2)",
    "size": "({layer}.merged - {layer}.merged.rectangles.with_bbox_width({um}.um).with_bbox_height({um}.um))",
    "covered": "{layer}.not_inside({other})",
    "enclosure": "{layer}.enclosed({other}, {um}.um, projection)",
    "end_enclosure": "{layer}.enclosed({other}, {um}.um, projection, two_opposite_sides_allowed)",
    "adjacent_enclosure": (
        "{layer}.enclosed({other}, {um}.um, projection, one_side_allowed, two_opposite_sides_allowed)"
    ),
    "grid": "{layer}.ongrid({um}.um)",
    "separation": "({layer}.separation({other}, {um}.um, euclidian).polygons(0) + ({layer} & {other}))",
    "beside": "{layer}.separation({other}, {um}.um, projection)",
    "extension": "{other}.enclosing({layer}, {um}.um, projection)",
    "channel": "({layer}.edges & {other}.edges).with_length(0, {um}.um)",
}

_DERIVE: Mapping[str, str] = {"and": "&", "or": "|", "not": "-"}


def deck_text(stack: Stack, layers: LayerMap, front: FrontEnd | None = None) -> str:
    """The rules of all layers of a stack, and of a front end, as a DRC script.

    Run it with `klayout -b -r DECK -rd input=FILE.gds -rd report=FILE.lyrdb`.
    """
    sources = {v.provenance[key].source for v in stack.vias for key in v.provenance if "enclosure" in key}
    lines = [
        f"# Rules of the stack {stack.name} for its metals and cuts, for KLayout 0.27.8 or later:",
        "# klayout -b -r THIS_FILE -rd input=LAYOUT.gds -rd report=RESULT.lyrdb",
        *(f"# Source: {' '.join(text.split())}" for text in sorted(sources)),
        "source($input)",
        f'report("rules of {stack.name}", $report)',
    ]
    for name, numbers in layers.layers.items():
        drawn = filter(None, (numbers.drawing, numbers.plug))
        lines.append(f"l_{name} = " + " + ".join(f"input({layer}, {kind})" for layer, kind in drawn))
    lines += [_check(rule) for rule in drawing_rules(stack, tuple(layers.layers))]
    if front is not None:
        lines.append(f"# Below the metals: {' '.join(front.provenance.source.split())}")
        lines += [f"l_{name} = input({layer}, {kind})" for name, (layer, kind) in front.layers.items()]
        lines += [f"l_{n} = l_{one} {_DERIVE[op]} l_{other}" for n, (one, op, other) in front.derived.items()]
        lines += [_check(rule) for rule in front_end_rules(front, stack)]
    return "\n".join(lines) + "\n"


def _check(rule: DrawingRule) -> str:
    operation = _OPERATIONS[rule.kind].format(
        layer=f"l_{rule.layer}",
        other=f"l_{rule.other}",
        um=f"{rule.value * 1e6:.9g}",
        um2=f"{rule.value * 1e12:.9g}",
    )
    return f'{operation}.output("{rule.name}", "{rule}")'


def run_deck(program: str, deck: Path, layout: Path) -> dict[str, int]:
    """Violations by rule that the KLayout program finds in a file; empty for none.

    Raises InputError: the program fails or takes longer than `SECONDS`.
    """
    rdb = optional_library("klayout.rdb", extra="signoff", purpose="sign-off checks")
    with scratch_folder() as folder:
        report = folder / "found.lyrdb"
        words = [
            program,
            "-b",
            "-r",
            str(deck.resolve()),
            "-rd",
            f"input={layout.resolve()}",
            "-rd",
            f"report={report}",
        ]
        done = run_program(words, folder, SECONDS, {"QT_QPA_PLATFORM": "offscreen", "KLAYOUT_HOME": str(folder)})
        if done.code != 0 or not report.is_file():
            raise InputError(f"the KLayout program failed: {done.complaint[:200]}", where=str(deck))
        found = rdb.ReportDatabase("found")
        found.load(str(report))
        names = {c.rdb_id(): c.name() for c in found.each_category()}
        return dict(Counter(names[item.category_id()] for item in found.each_item()))


def find_program() -> str | None:
    """The KLayout program of this machine, if it has one."""
    return shutil.which(PROGRAM)


def write_deck(path: Path, stack: Stack, layers: LayerMap, front: FrontEnd | None = None) -> Path:
    """Write `deck_text` to a file."""
    atomic_write_text(path, deck_text(stack, layers, front))
    return path

"""Capacitances of a block by the 2.5D engine of klayout-pex, on a netlist database that KLayout's library writes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from interconnect.errors import InputError
from interconnect.files import read_text
from metalrom.exporters.executables import run_program
from metalrom.layout.plan import Plan
from metalrom.signoff.cell_block import TOP
from metalrom.signoff.drc import klayout_db
from metalrom.signoff.extractor import SECONDS, Extractor, version_of
from ngspice_runner.workspace import scratch_folder

NAME = "klayout-pex"
PROGRAM = "kpex"
TECHNOLOGIES = {"sky130": "sky130A"}
"""Technologies in the package, by the name of the stack."""

HALF_WALLS_FROM = (0, 4, 4)
"""From this version on, half of the technology's coefficient is counted between side walls, as Magic 8.3.679 does; a
pair of met2 lines then has less than its facing walls alone as a plate capacitor."""

_NAMES = {
    "li1": "li_con", "met1": "met1_con", "met2": "met2_con", "met3": "met3_ncap", "met4": "met4_ncap",
    "met5": "met5_con", "mcon": "mcon_con", "via": "via1_con", "via2": "via2_con", "via3": "via3_ncap",
    "via4": "via4_ncap",
}  # fmt: skip
"""What the technology calls the layers of its netlist database."""


def find_kpex(stack: str) -> Extractor | str:
    """The program of this machine, or why it does not run."""
    program = shutil.which(PROGRAM)
    if program is None:
        return f"not run: {NAME} is not on this machine"
    if stack not in TECHNOLOGIES:
        return f"not run: {NAME} is given {', '.join(TECHNOLOGIES)}, not {stack}"
    with scratch_folder() as scratch:
        version = version_of(program, scratch)
    return Extractor(NAME, program, version, version >= HALF_WALLS_FROM)


def extract_with_kpex(tool: Extractor, plan: Plan, block: Any) -> str:
    """The SPICE netlist of a block drawn by `draw_block`. Raises InputError if the program fails or takes too long."""
    with scratch_folder() as scratch:
        database = scratch / f"{TOP}.lvsdb"
        write_database(plan, block, database)
        words: list[str | Path] = [tool.program, "extract", "--pdk", TECHNOLOGIES[plan.stack.name], "--2.5D"]
        words += ["--mode", "CC", "--threads", "1", "--lvsdb", database, "--out_dir", scratch]
        done = run_program(words, scratch, SECONDS)
        found = sorted(scratch.glob("*/*_k25d_pex_netlist.spice"))
        if done.code or not found:
            raise InputError(f"{tool.label} failed: {done.complaint[:200]}")
        return read_text(found[0])


def write_database(plan: Plan, block: Any, path: Path) -> None:
    """Nets of a block as KLayout finds them, in the file that the program otherwise makes by its own script."""
    db = klayout_db()
    database = db.LayoutVsSchematic(db.RecursiveShapeIterator(block, block.top_cell(), []))
    layers, drawn = plan.layers.layers, {}
    for name, of_program in _NAMES.items():
        if (index := block.find_layer(*layers[name].drawing)) is None:
            continue
        drawn[name] = database.make_polygon_layer(index, of_program)
        database.connect(drawn[name])
        number = layers[name].label
        if number and (texts := block.find_layer(*number)) is not None:
            database.connect(drawn[name], database.make_text_layer(texts, f"{name}_label"))
    for via in plan.stack.vias:
        if via.name in drawn:
            database.connect(drawn[via.below], drawn[via.name])
            database.connect(drawn[via.name], drawn[via.above])
    database.extract_netlist()
    empty = db.Circuit()
    empty.name = block.top_cell().name
    database.reference = db.Netlist()
    database.reference.add(empty)
    database.compare(db.NetlistComparer())
    database.write(str(path))

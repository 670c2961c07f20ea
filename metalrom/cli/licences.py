"""Licences of metalrom and of every installed package that it uses: a list and a bill of materials (CycloneDX)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any, Literal

from interconnect.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

Copyleft = Literal["", "strong", "weak"]

ROOT = "metalrom"
SPECIFICATION = "http://cyclonedx.org/schema/bom-1.5.schema.json"
"""CycloneDX 1.5, the standard ECMA-424 in an edition that every reader knows."""

_LONGEST_NAME = 120
"""Characters of a licence field; longer ones hold the text of the licence."""


@dataclass(frozen=True, slots=True)
class PackageLicence:
    """An installed package.

    licence: as the package states it, empty if it does not. expression: whether that is one of SPDX. copyleft: `strong`
    for the GPL and AGPL, under which a program that holds the package is distributed as a whole, `weak` for the LGPL,
    MPL and EPL. required_by: the packages that ask for it. extras: the extras of metalrom that bring it, empty for
    what every installation has.
    """

    name: str
    version: str
    licence: str
    expression: bool
    copyleft: Copyleft
    required_by: tuple[str, ...]
    extras: tuple[str, ...]


def installed_licences() -> tuple[PackageLicence, ...]:
    """metalrom, first, and the installed packages that it reaches, by name. Raises InputError if it is a checkout."""
    try:
        root = metadata.distribution(ROOT)
    except metadata.PackageNotFoundError:
        raise InputError("metalrom is not installed, only its source is here", hint="`pip install .`") from None
    core = _reached(root, "")
    asked = {extra: _reached(root, extra) for extra in root.metadata.get_all("Provides-Extra") or []}
    parents = dict(core)
    extras: dict[str, list[str]] = {}
    for extra, found in asked.items():
        for name in found.keys() - core.keys():
            extras.setdefault(name, []).append(extra)
            parents[name] = parents.get(name, set()) | found[name]
    return tuple(
        _described(name, parents[name], extras.get(name, ())) for name in sorted(parents, key=lambda n: (n != ROOT, n))
    )


def licence_table(packages: Iterable[PackageLicence]) -> Table:
    """The list for people: copyleft ones first."""
    from rich.markup import escape
    from rich.table import Table

    colour = {"strong": "bold red", "weak": "yellow", "": "default"}
    table = Table(box=None, pad_edge=False)
    for heading in ("package", "version", "licence", "copyleft", "extra"):
        table.add_column(heading, overflow="fold")
    order = {"strong": 0, "weak": 1, "": 2}
    for item in sorted(packages, key=lambda p: order[p.copyleft]):
        cells = (item.name, item.version, item.licence or "not stated", item.copyleft, ", ".join(item.extras))
        table.add_row(*map(escape, cells), style=colour[item.copyleft])
    return table


def licence_rows(packages: Iterable[PackageLicence]) -> list[dict[str, Any]]:
    """The list for `--json`."""
    return [asdict(item) for item in packages]


def bill_of_materials(packages: Iterable[PackageLicence]) -> dict[str, Any]:
    """The packages as a CycloneDX document; equal installations give equal documents (no time, no serial number)."""
    listed = tuple(packages)
    root = next(item for item in listed if item.name == ROOT)
    needs: dict[str, list[str]] = {item.name: [] for item in listed}
    for item in listed:
        for parent in item.required_by:
            needs[parent].append(item.name)
    references = {item.name: _purl(item) for item in listed}
    return {
        "$schema": SPECIFICATION,
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {**_component(root), "type": "application"}},
        "components": [_component(item) for item in listed if item is not root],
        "dependencies": [
            {"ref": references[name], "dependsOn": [references[other] for other in sorted(wanted)]}
            for name, wanted in needs.items()
        ],
    }


def _component(item: PackageLicence) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": _purl(item),
        "name": item.name,
        "version": item.version,
        "purl": _purl(item),
    }
    if item.expression:
        found["licenses"] = [{"expression": item.licence}]
    elif item.licence:
        found["licenses"] = [{"license": {"name": item.licence}}]
    notes = {"metalrom:copyleft": item.copyleft, "metalrom:extras": ",".join(item.extras)}
    properties = [{"name": name, "value": value} for name, value in notes.items() if value]
    return found | ({"properties": properties} if properties else {})


def _purl(item: PackageLicence) -> str:
    from urllib.parse import quote

    return f"pkg:pypi/{item.name}@{quote(item.version, safe='')}"


def _reached(root: metadata.Distribution, extra: str) -> dict[str, set[str]]:
    """Normalized names of the installed packages that `root` with `extra` reaches -> who asks for them."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    found: dict[str, set[str]] = {ROOT: set()}
    seen: set[tuple[str, str]] = set()
    waiting = [(ROOT, root, wanted) for wanted in dict.fromkeys(("", extra))]
    while waiting:
        parent, distribution, wanted = waiting.pop()
        if (parent, wanted) in seen:
            continue
        seen.add((parent, wanted))
        for requirement in map(Requirement, distribution.requires or []):
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": wanted}):
                continue
            name = canonicalize_name(requirement.name)
            try:
                child = metadata.distribution(name)
            except metadata.PackageNotFoundError:
                continue
            if name != parent:
                found.setdefault(name, set()).add(parent)
            waiting += [(name, child, more) for more in ("", *requirement.extras)]
    return found


def _described(name: str, parents: Iterable[str], extras: Iterable[str]) -> PackageLicence:
    about = metadata.distribution(name).metadata
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in about.get_all("Classifier") or []
        if line.startswith("License ::") and not line.endswith("OSI Approved")
    ]
    expression = " ".join(about.get_all("License-Expression") or ())
    field = " ".join(" ".join(about.get_all("License") or ()).split())
    # Older packages keep the whole text in that field.
    stated = expression or (field if len(field) <= _LONGEST_NAME and field != "UNKNOWN" else "")
    licence = stated or ", ".join(classifiers)
    copyleft = _copyleft(" ".join((expression, field[:_LONGEST_NAME], *classifiers)))
    return PackageLicence(
        name, about["Version"], licence, bool(expression), copyleft, tuple(sorted(parents)), tuple(extras)
    )


def _copyleft(text: str) -> Copyleft:
    """The strictest kind that a licence field or classifier names."""
    if re.search(r"\bA?GPL|(?<!Lesser )(?<!Library )(?<!or Lesser )General Public License", text, re.IGNORECASE):
        return "strong"
    return (
        "weak" if re.search(r"\bLGPL|General Public License|\bMPL|Mozilla|\bEPL|Eclipse", text, re.IGNORECASE) else ""
    )

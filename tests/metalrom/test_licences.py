"""Licences of the installation, and the bill of materials read by the standard's own library where that is here."""

from __future__ import annotations

import json
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from metalrom.cli import licences
from metalrom.cli.licences import ROOT, bill_of_materials, installed_licences, licence_rows


def test_every_dependency_is_listed_with_its_version() -> None:
    found = {item.name: item for item in installed_licences()}
    assert next(iter(found)) == ROOT
    assert found[ROOT].licence == "Apache-2.0"
    for line in metadata.requires(ROOT) or []:
        requirement = Requirement(line)
        if requirement.marker is None:
            item = found[canonicalize_name(requirement.name)]
            assert item.version == metadata.version(item.name)
            assert ROOT in item.required_by
            assert item.extras == ()
    # scipy and numba ask for numpy too
    assert {"scipy", "numba", ROOT} <= set(found["numpy"].required_by)
    assert "llvmlite" in found


def test_nothing_of_the_core_is_under_the_gpl() -> None:
    assert [item.name for item in installed_licences() if item.copyleft == "strong" and not item.extras] == []


@pytest.mark.skipif(not any(d.name == "PySpice" for d in metadata.distributions()), reason="PySpice is not installed")
def test_pyspice_is_marked() -> None:
    found = {item.name: item for item in installed_licences()}["pyspice"]
    assert (found.copyleft, found.extras) == ("strong", ("conformance", "pyspice"))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("GPLv3", "strong"),
        ("GPL-3.0-only", "strong"),
        ("AGPL-3.0-or-later", "strong"),
        ("GNU General Public License v3 (GPLv3)", "strong"),
        ("GNU Affero General Public License v3", "strong"),
        ("LGPL-2.1-only", "weak"),
        ("GNU Lesser General Public License v2 or later (LGPLv2+)", "weak"),
        ("GNU Library or Lesser General Public License (LGPL)", "weak"),
        ("MPL-2.0 AND MIT", "weak"),
        ("BSD-3-Clause", ""),
        ("", ""),
    ],
)
def test_copyleft_by_name(text: str, kind: str) -> None:
    assert licences._copyleft(text) == kind


def test_the_bill_of_materials_is_valid_and_complete() -> None:
    packages = installed_licences()
    document = json.loads(json.dumps(bill_of_materials(packages)))
    assert document == json.loads(json.dumps(bill_of_materials(installed_licences())))
    names = {component["name"] for component in document["components"]}
    assert names | {ROOT} == {row["name"] for row in licence_rows(packages)}
    references = {entry["ref"]: entry["dependsOn"] for entry in document["dependencies"]}
    assert f"pkg:pypi/numpy@{metadata.version('numpy')}" in references[f"pkg:pypi/metalrom@{metadata.version(ROOT)}"]
    validation = pytest.importorskip("cyclonedx.validation.json", reason="cyclonedx-python-lib is not installed")
    schema = pytest.importorskip("cyclonedx.schema")
    validator = validation.JsonStrictValidator(schema.SchemaVersion.V1_5)
    assert validator.validate_str(json.dumps(document)) is None
    model = pytest.importorskip("cyclonedx.model.bom").Bom.from_json(document)
    assert {component.name for component in model.components} == names
    assert model.validate()

"""A stranger's file or installed package adds an item of every kind; taken names are refused."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from characterization.procedure_registry import PROCEDURES
from characterization.tables.formats import FORMATS
from characterization.tables.registry import TableFormat
from interconnect.errors import InputError, UnknownName, UnsupportedCell
from interconnect.registry import Registry
from interconnect.stackfile import load_stack
from interconnect.validation import validate
from metalrom.cli import completion
from metalrom.config.cell import CellSection
from metalrom.config.readout import AdcSection
from metalrom.config.schema import schema
from metalrom.exporters import EXPORTERS, find_format, register_format
from metalrom.exporters.exporter import Exporter
from metalrom.run.readers import read_quantity
from metalrom.specs.grammar import parse_spec
from metalrom.specs.quantities import QUANTITIES, QuantityValue, SpecQuantity
from metalrom.studies.cells.variants import variants
from metalrom.studies.systems.chip import CHIPS
from metalrom.studies.systems.comparison import chosen_systems
from metalrom.studies.systems.description import DATA, SYSTEMS, register_system
from metalrom.studies.systems.metal import example_macro
from netlists.baselines.registry import BASELINE_CELLS
from netlists.cells import CELLS, make_cell, register_cell
from netlists.cells.base import Plane, require_capability
from netlists.cells.res_via import ResVia
from netlists.parameters import parameter
from netlists.readout import READOUTS
from netlists.readout.column_converter import COLUMN_CONVERTERS
from ngspice_runner.backends import BACKENDS
from tests.builders import write_config
from tests.scripts import metalrom_command

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "examples" / "plugins"
KINDS: tuple[Registry[Any], ...] = (
    CELLS, BASELINE_CELLS, PROCEDURES, FORMATS, EXPORTERS, READOUTS, COLUMN_CONVERTERS, SYSTEMS, CHIPS,
    QUANTITIES, BACKENDS,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    for registry in KINDS:
        monkeypatch.setattr(registry, "_registered", {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain(ResVia):
    """A cell of a plugin with a parameter that no shipped kind has."""

    kind: ClassVar[str] = "plain_cell"
    spacing: float = parameter(0.0, "m", "extra distance of two bit lines")


@pytest.mark.parametrize("registry", KINDS, ids=lambda r: r.group)
def test_every_built_in_item_loads_and_its_name_is_taken(registry: Registry[Any]) -> None:
    entries = registry.describe()
    assert len(entries) == len(registry) > 1
    for entry in entries:
        assert entry.origin == "built in"
        assert entry.title, entry.name
        with pytest.raises(InputError, match=f"there is already an? {registry.kind} '{entry.name}'"):
            registry.register(entry.name, object())


@pytest.mark.parametrize("registry", KINDS, ids=lambda r: r.group)
def test_an_installed_package_adds_to_every_kind(registry: Registry[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    found = [EntryPoint("stranger", "fractions:Fraction", registry.group)]
    monkeypatch.setattr("interconnect.registry.entry_points", lambda group: found if group == registry.group else [])
    monkeypatch.setattr(registry, "_announced", None)
    assert "stranger" in list(registry)
    assert registry["stranger"].__name__ == "Fraction"
    with pytest.raises(InputError, match="already"):
        registry.register("stranger", object())
    with pytest.raises(UnknownName, match=r"did you mean 'stranger'"):
        registry["strangr"]


def test_a_cell_brings_its_parameters_to_the_configuration() -> None:
    data = {"kind": "plain_cell", "resistance": "2Mohm", "spacing": "20nm", "planes": [{"row": "M2", "column": "M3"}]}
    with pytest.raises(InputError, match="there is no cell kind 'plain_cell'"):
        validate(CellSection, data, where="c.yaml")
    register_cell(Plain)
    section = validate(CellSection, data, where="c.yaml")
    assert make_cell(section.kind, section.parameters()) == Plain(resistance=2e6, spacing=2e-8)
    again = validate(CellSection, section.model_dump(mode="json"), where="again")  # as a run keeps its configuration
    assert again.parameters() == section.parameters()
    properties = schema()["$defs"]["CellSection"]["properties"]
    assert "plain_cell" in properties["kind"]["enum"]
    assert properties["spacing"]["description"] == "plain_cell: extra distance of two bit lines (m)"
    for change, told in (
        ({"spacng": "1nm"}, r"c\.yaml: spacng: unknown key 'spacng'; did you mean 'spacing'\?"),
        ({"spacing": "20nV"}, r"c\.yaml: spacing: '20nV' has the wrong unit"),
        ({"kind": "cap_balanced"}, r"c\.yaml: spacing: unknown key 'spacing'"),
    ):
        with pytest.raises(InputError, match=told):
            validate(CellSection, data | change, where="c.yaml")


def test_a_measurable_cell_is_compared_with_the_shipped_ones(tmp_path: Path) -> None:
    from metalrom.api import load

    cell = {"kind": "res_via", "resistance": "3Mohm"}
    path = write_config(
        tmp_path / "c.yaml", cell=cell, array={"rows": 8, "group_rows": None}, weights={"random": [8, 2]}
    )
    register_cell(Plain)
    found = variants(load(path))
    assert [(v.letter, v.kind) for v in found][-1] == ("G", "plain_cell")
    assert len(found) == 7


def test_a_capability_that_lacks_is_named() -> None:
    bare = type("Bare", (Plain,), {"kind": "bare", "measurable": False})
    register_cell(bare)
    with pytest.raises(
        UnsupportedCell, match=r"the cell bare cannot be characterized; its kind declares no `measurable`"
    ):
        require_capability(make_cell("bare"), "measurable", "characterized")
    CELLS.register("hollow", dataclass(type("Hollow", (), {"kind": "hollow"})))  # type: ignore[arg-type]
    with pytest.raises(UnsupportedCell, match="the cell kind hollow declares no mode, title, symbol_values, geometry"):
        make_cell("hollow")


@pytest.mark.parametrize("kind", CELLS)
def test_a_kind_tells_its_symbols_and_lengths_before_an_extraction(kind: str) -> None:
    cell, stack = make_cell(kind), load_stack("generic28")
    lengths = cell.lengths(stack, Plane("M2", "M3"))
    assert 0 < lengths.column_width < lengths.column_pitch
    if lengths.coupling is not None:
        # bit line, tab and shield share the pitch evenly, so the gap is a third of it less one line
        assert lengths.coupling.gap == pytest.approx(lengths.column_pitch / 3 - lengths.column_width)
    assert len(set(cell.symbol_values)) == len(cell.symbol_values) > 1
    assert 0 in cell.symbol_values


def test_an_exporter_and_a_table_format_share_their_names() -> None:
    exporter = Exporter("mine", "a format", "exact", {}, lambda run, at: [], lambda at, q, p: None, None)
    register_format(exporter)
    assert find_format("mine") is exporter is EXPORTERS["mine"]
    table = TableFormat("lef", "a format", "exact", (), lambda t, at: [], lambda at: None)  # type: ignore[arg-type,return-value]
    for taken in (exporter, table):
        with pytest.raises(InputError, match=f"already an export format '{taken.name}'"):
            register_format(taken)
    assert "mine" in completion.FORMATS()
    with pytest.raises(UnknownName, match="did you mean 'veriloga'"):
        find_format("verilog")


def test_a_system_is_one_file(tmp_path: Path) -> None:
    shipped = sorted((DATA / "literature").glob("*.yaml"))
    assert list(SYSTEMS) == [yaml.safe_load(path.read_text())["name"] for path in shipped]
    path = tmp_path / "mine.yaml"
    path.write_text(shipped[0].read_text().replace("name: sram-cim", "name: my-cim"))
    macro = example_macro()
    (named,) = chosen_systems([str(path)], macro)
    assert named == ("my-cim", register_system(path))
    assert chosen_systems(["my-cim"], macro) == [named]
    with pytest.raises(InputError, match="already a system 'my-cim'"):
        register_system(path)
    with pytest.raises(InputError, match="of an existing system"):
        chosen_systems([str(path)], macro)


def test_a_quantity_brings_its_reader() -> None:
    read = lambda run, condition: QuantityValue(len(condition), "the label")  # noqa: E731
    QUANTITIES.register("label_length", SpecQuantity("label_length", ("",), "characters of the label", read=read))
    assert parse_spec("label_length < 9").quantity == "label_length"
    assert read_quantity("label_length", None, "tt_1V").value == 5  # type: ignore[arg-type]


def test_only_converters_may_be_asked_for() -> None:
    assert AdcSection(kind="sar").kind == "sar"
    assert schema()["$defs"]["AdcSection"]["properties"]["kind"]["enum"] == ["sar", "flash", "ramp"]
    for kind in ("strongarm", "sra"):
        with pytest.raises(InputError, match=f"kind: there is no converter '{kind}'"):
            validate(AdcSection, {"kind": kind}, where="c.yaml")


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documented run of a plugin's cell."""
    folder = tmp_path_factory.mktemp("wide")
    words = ("--plugin", PLUGINS / "wide_cell.py", "run", PLUGINS / "wide_run.yaml", "-o", folder / "out")
    done = subprocess.run(
        metalrom_command(*words),
        env={**os.environ, "METALROM_CACHE": str(folder / "cache")},
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "out"


@pytest.mark.slow
@pytest.mark.ngspice
def test_a_cell_of_one_file_reaches_the_report(finished_run: Path) -> None:
    report = (finished_run / "report.html").read_text()
    assert "wide_run: wide_cell metal-ROM macro" in report
    assert "<svg" in report

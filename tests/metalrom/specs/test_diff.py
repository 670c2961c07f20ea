"""What `metalrom diff` says about two synthetic runs: what differs, in which order, and only causes it can prove."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from characterization.failures import FailedCondition
from characterization.procedures.document import procedures_document
from characterization.procedures.leakage import Leakage, StaticCurrent
from interconnect.errors import DamagedFile, InputError
from interconnect.jsonable import to_jsonable
from metalrom.run.folder import PROCEDURES
from metalrom.run.judge import judge_specs
from metalrom.run.manifest import write_manifest
from metalrom.run.view import RunView
from metalrom.specs.grammar import parse_spec
from metalrom.studies.diff.compare import compare_runs
from metalrom.studies.diff.show import NO_DIFFERENCE, difference_tables, why

TT, SS = "tt_1.00V_27C", "ss_1.00V_27C"


@pytest.fixture
def pair(make_folder, make_table, make_results, config):
    """`pair(new_config={...}, new_table={...}, **changes)`: difference of the synthetic run and a changed one."""

    def make(new_config=None, new_table=None, specs=(), new_specs=None, **changes):
        folders = []
        for name, keys, given, asked, replaced in (
            ("old", {}, {}, specs, {}),
            ("new", new_config or {}, new_table or {}, specs if new_specs is None else new_specs, changes),
        ):
            table = make_table(**given)
            run = make_results(table, {**config, "specs": list(asked), **keys}, **replaced)
            judged = judge_specs([parse_spec(s) for s in asked], RunView(run, table), run.failed_conditions).specs
            folders.append(make_folder(name, table, replace(run, specs=judged)))
        return compare_runs(*folders)

    return make


def provenance(make_results, make_table, **changes):
    return {**make_results(make_table()).provenance, **changes}


def text(difference):
    """The difference as the terminal shows it, plain."""
    from io import StringIO

    from rich.console import Console

    console = Console(file=StringIO(), width=220, highlight=False)
    console.print(difference_tables(difference))
    return console.file.getvalue()


def test_equal_runs_do_not_differ(pair):
    found = pair()
    assert found.same
    assert difference_tables(found) == NO_DIFFERENCE
    assert found.attribution.verdict == "nothing changed"


def test_numbers_come_with_absolute_and_relative_difference(pair):
    cell = {"kind": "cap_balanced", "row_pitch": "220nm", "planes": [{"row": "M2", "column": "M3"}]}
    found = pair(new_table={"step": 22e-3}, new_config={"cell": cell})
    lsb = next(f for f in found.figures if f.name == "lsb" and f.condition == TT)
    assert (lsb.old, lsb.new, lsb.unit) == (pytest.approx(20e-3), pytest.approx(22e-3), "V")
    assert (lsb.absolute, lsb.relative) == (pytest.approx(2e-3), pytest.approx(0.1))
    assert lsb.attribution.verdict == "proved"
    assert lsb.attribution.causes == ("cell.row_pitch",)
    margin = next(f for f in found.figures if f.name == "margin" and f.condition == SS)
    assert (margin.old, margin.new) == (pytest.approx(5.0), pytest.approx(5.5))  # 11 mV over 2 mV
    assert why(found).startswith("figures changed because of cell.row_pitch: no other recorded input")
    assert "+10 %" in text(found)


def test_sections_come_in_order_of_importance_and_the_largest_change_first(pair):
    found = pair(new_table={"step": 22e-3, "sigma": 3e-3}, new_config={"name": "other"})
    sections = [f.section for f in found.figures]
    assert sections == sorted(sections, key=["code error", "CSNR", "margin", "level", "sigma"].index)
    for section in set(sections):
        sizes = [abs(f.relative) for f in found.figures if f.section == section and f.relative is not None]
        assert sizes == sorted(sizes, reverse=True)


def test_no_cause_is_invented(pair):
    found = pair(new_table={"step": 22e-3}, new_config={"name": "other", "explore": {"verify": 2}})
    assert [(c.name, c.effect) for c in found.causes] == [("name", "nothing"), ("explore.verify", "nothing")]
    assert {f.attribution.verdict for f in found.figures} == {"unexplained"}
    assert "no recorded input that can change them did" in why(found)


def test_same_keys_and_another_version_is_that_version(pair, make_results, make_table):
    found = pair(new_table={"step": 22e-3}, provenance=provenance(make_results, make_table, engine="ngspice-42"))
    assert [(c.kind, c.name, c.old, c.new) for c in found.causes] == [("version", "engine", "ngspice-39", "ngspice-42")]
    assert found.attribution.causes == ("engine",)
    assert any("by another engine" in line for line in found.evidence)


def test_several_inputs_are_candidates(pair, make_results, make_table):
    found = pair(
        new_table={"step": 22e-3},
        new_config={"readout": {"kind": "ideal", "double_sampling": True}},
        provenance=provenance(make_results, make_table, stack="s, sha256 9", numpy="3"),
    )
    assert found.attribution.verdict == "candidates"
    assert set(found.attribution.causes) == {"readout.double_sampling", "stack", "numpy"}
    assert {c.kind for c in found.causes} == {"configuration", "technology", "version"}


def test_a_value_of_the_cell_comes_only_from_what_reaches_the_cell(pair, make_results, make_table):
    run = make_results(make_table())
    found = pair(
        new_config={"readout": {"kind": "ideal", "double_sampling": True}},
        cell=replace(run.cell, area=7e-14, bl_total=34e-18),
        provenance=provenance(make_results, make_table, stack="s, sha256 9"),
    )
    cell = [f for f in found.figures if f.section == "cell"]
    assert {f.name for f in cell} == {"area", "bit line per row"}
    assert {(f.attribution.verdict, f.attribution.causes) for f in cell} == {("proved", ("stack",))}


def test_a_hash_that_a_key_explains_is_no_second_cause(pair, make_results, make_table):
    found = pair(
        new_table={"step": 22e-3},
        new_config={"technology": {"stack": "open45"}},
        provenance=provenance(make_results, make_table, stack="o, sha256 9", configuration="sha256 7"),
    )
    assert [c.name for c in found.causes] == ["technology.stack"]


def test_comments_alone_change_nothing(pair, make_results, make_table):
    found = pair(provenance=provenance(make_results, make_table, configuration="sha256 7"))
    assert [(c.kind, c.effect) for c in found.causes] == [("configuration", "nothing")]
    assert not found.figures
    assert why(found) == "no figure and no verdict changed"


def test_flipped_specifications_come_first_with_what_flipped_them(pair):
    both = ("csnr > 10", "margin > 5.2")
    found = pair(
        specs=(*both, "lsb < 30mV"), new_specs=(*both, "lsb < 10mV"), new_table={"sigma": 1.6e-3},
        new_config={"variation": {"cell_sigma": 0.02}},
    )  # fmt: skip
    margin, lsb = sorted((s for s in found.specs if s.flipped), key=lambda s: s.new, reverse=True)
    assert (margin.spec, margin.old, margin.new) == ("margin > 5.2sigma", "fail", "pass")
    assert margin.attribution.causes == ("variation.cell_sigma",)
    assert (lsb.old, lsb.new, lsb.attribution.causes) == ("pass", "fail", ("specs",))  # the value did not move
    assert (lsb.old_value, lsb.new_value) == ("20 mV", "20 mV")
    assert [c.effect for c in found.causes] == ["figures", "specs"]
    cause = found.causes[1]
    assert (cause.old, cause.new) == ('["lsb < 30mV"]', '["lsb < 10mV"]')


def test_a_run_of_a_version_that_judged_nothing_is_not_blamed(pair):
    assert pair(specs=(), new_specs=("csnr > 10",)).specs == ()


def test_conditions_that_failed_or_were_not_asked(pair):
    reason = "9 of 9 simulations failed (verdict timeout first)"
    found = pair(
        specs=("csnr > 1 at all",),
        new_table={"corners": ("tt",)},
        new_config={"conditions": {"corners": ["tt", "ss"]}},
        failed_conditions=(FailedCondition(SS, (("timeout", 9),), reason),),
    )
    assert [(c.condition, c.old, c.new) for c in found.conditions] == [
        (SS, "characterized", f"failed: {reason} (simulations: 9 timeout)")
    ]
    assert [(s.old, s.new) for s in found.specs if s.flipped] == [("pass", "fail")]
    gone = [f for f in found.figures if f.condition == SS]
    assert gone
    assert all(f.new is None and f.relative is None for f in gone)


def test_the_document_is_json_and_the_table_is_told(pair):
    found = pair(new_table={"step": 22e-3}, new_config={"readout": {"kind": "ideal", "double_sampling": True}})
    data = to_jsonable(found)
    assert set(data) >= {"specs", "conditions", "causes", "figures", "files", "evidence", "attribution"}
    assert data["files"] == ["results.json", "lut/readout.json"]
    shown = text(found)
    for word in ("What went in", "readout.double_sampling", "What came out", "lsb", TT):
        assert word in shown


def test_another_byte_that_no_figure_shows_is_told(pair):
    found = pair(technology="another name")
    assert not found.same
    assert found.files == ("results.json",)
    assert "no figure differs, but these files do: results.json" in text(found)


def test_a_folder_that_is_no_run_is_refused(tmp_path, make_folder, make_table, make_results):
    table = make_table()
    good = make_folder("good", table, make_results(table))
    with pytest.raises(
        InputError, match=r"manifest\.json: there is no such file; give the output folder of a finished"
    ):
        compare_runs(good, tmp_path)
    (good / "results.json").write_text("{}")
    with pytest.raises(DamagedFile, match=r"results\.json: was changed after the run"):
        compare_runs(good, good)
    write_manifest(good, {})
    with pytest.raises(InputError, match=r"results\.json: is damaged or of another version"):
        compare_runs(good, good)


def test_procedures_of_finished_runs_are_compared(make_folder, make_table, make_results):
    table, folders = make_table(), []
    for name, power in (("old", 2e-9), ("new", 3e-9)):
        folders.append(make_folder(name, table, make_results(table)))
        leakage = Leakage(4, (StaticCurrent(TT, "idle", 1e-9, 0.0, None, power),))
        (folders[-1] / PROCEDURES).write_text(json.dumps(procedures_document({"leakage": leakage}, "V", 4)))
        write_manifest(folders[-1], {})
    (change,) = compare_runs(*folders).figures
    assert (change.name, change.condition, change.unit, change.old, change.new) == ("leakage", TT, "W", 2e-9, 3e-9)
    (folders[1] / PROCEDURES).write_text('{"leakage": {"rows": 4}}')
    write_manifest(folders[1], {})
    with pytest.raises(DamagedFile, match=r"leakage\.states: this key is missing"):
        compare_runs(*folders)

"""Results of procedures: written, read back to the same bytes, tabulated and drawn without knowing the procedure."""

from __future__ import annotations

import json
import math
import re
from copy import deepcopy
from typing import Any

import pytest

from characterization.charts import Chart
from characterization.failures import FailedProcedure
from characterization.procedure_result import DataclassResult, ProcedureResult
from characterization.procedures import PROCEDURES
from characterization.procedures.document import UnreadResult, procedures_document, read_procedure_results
from interconnect.errors import DamagedFile, InputError
from metalrom.reports.procedures import draw_chart, result_charts, result_rows
from metalrom.run.folder import PROCEDURES as PROCEDURES_FILE
from metalrom.run.folder import open_run
from metalrom.run.manifest import write_manifest


@pytest.fixture
def document(sample_results: dict[str, ProcedureResult]) -> dict[str, Any]:
    failed = (FailedProcedure("noise", "ss", "timeout", "it timed out"),)
    found: dict[str, Any] = json.loads(json.dumps(procedures_document(sample_results, "V", 4, failed), allow_nan=False))
    return found


def test_every_procedure_that_is_shown_declares_its_result(sample_results: dict[str, ProcedureResult]) -> None:
    declared = {name: p.result for name, p in PROCEDURES.items() if p.result is not None}
    assert set(declared) == set(sample_results)  # the samples below cover all of them
    for name, kind in declared.items():
        assert type(sample_results[name]) is kind
        assert issubclass(kind, ProcedureResult) or isinstance(sample_results[name], ProcedureResult)


def test_results_come_back_to_the_last_byte(
    document: dict[str, Any], sample_results: dict[str, ProcedureResult]
) -> None:
    assert list(document) == ["unit", "rows", "figures", *sample_results, "failed"]
    read = read_procedure_results(document)
    assert list(read) == list(sample_results)
    assert {name: type(r) for name, r in read.items()} == {name: type(r) for name, r in sample_results.items()}
    failed = (FailedProcedure("noise", "ss", "timeout", "it timed out"),)
    assert json.dumps(procedures_document(read, "V", 4, failed)) == json.dumps(document)
    settling = read["settling"]
    assert math.isnan(settling.worst[0].times[1])  # type: ignore[attr-defined]
    assert read["worst_pattern"].high.genes.dtype == "uint8"  # type: ignore[attr-defined]


def test_every_chart_is_drawn(sample_results: dict[str, ProcedureResult]) -> None:
    charts = result_charts(read_procedure_results(procedures_document(sample_results, "V", 4)))
    assert {c.procedure for c in charts} == set(sample_results)  # none without a picture
    identifiers: list[str] = []
    for named in charts:
        text = draw_chart(named)
        assert text == draw_chart(named)  # the same bytes again
        assert text.startswith("<svg")
        assert f"<title>{named.chart.title}</title>" in text
        identifiers += re.findall(r' id="([^"]+)"', text)
        assert len(named.chart.caption) > 30
    assert len(identifiers) == len(set(identifiers))  # all stand in one page
    pictures = {c.stem: draw_chart(c) for c in charts}
    for stem, words in {
        "readout_current_waves": ("count 4", "bit line, mV", "time, ns"),
        "settling_times": ("not within the window", "0.1 LSB", "sample", "time, ns"),  # the sample is at 2 ns
        "chain_noise_parts": ("tt_1.00V_27C, bus", "rms, "),
        "chain_energy_parts": ("conversion of 5 bits", "multiplexer and bus"),
        "local_inverter_parts": ("lines of 8 rows", "supply switch, select, precharge"),
        "chain_settling_phases": ("bus after joining", "time, ns"),
        "comparator_noise_sizes": ("widths x 1", "rms, "),
        "planes_errors": ("M2-M3", "M4-M5", "table of another plane", "code error"),
        "noise_points": ("closed form", "rms, mV"),
        "crosstalk_shifts": ("left 1", "right 1", "shift, LSB"),
        "worst_pattern_extremes": ("highest: 0.1\u00a0LSB", "lowest: -0.2\u00a0LSB", "count 2 of 3 active"),
        "energy_reads": ("16 columns", "fJ"),
        "leakage_power": ("idle", "nW"),
        "supply_changes": ("change, LSB",),
        "pattern_spread_deviations": ("column 14",),
        "adc_linearity": ("INL, LSB",),
    }.items():
        picture = pictures.pop(stem)
        assert [w for w in words if w not in picture] == []
    assert pictures == {}


def test_rows_are_those_of_the_results(sample_results: dict[str, ProcedureResult], document: dict[str, Any]) -> None:
    rows = result_rows(sample_results)
    assert [(name, r.name) for name, r in rows] == [(f["procedure"], f["name"]) for f in document["figures"]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["settling"].pop("bands"), r"settling\.bands: this key is missing"),
        (lambda d: d["settling"]["worst"][0].update(active="four"), r"settling\.worst\[0\]\.active: should be"),
        (
            lambda d: d["noise"]["points"][0].update(simulated="1e-3"),
            r"points\[0\]\.simulated: should be a number",
        ),
        (lambda d: d["noise"]["points"][0].update(switch="none"), r"switch: should be one of 'ideal', 'transistor'"),
        (
            lambda d: d["readout_current"]["map"].update(loss=[[1.0], [1.0, 2.0]]),
            r"map\.loss: should be a list",
        ),
        (lambda d: d["worst_pattern"]["high"].update(genes=[[None]]), r"high\.genes: should be a list of numbers"),
        (lambda d: d["supply"].update(levels=[]), r"supply: contradicts itself"),
        (lambda d: d.update(leakage=[1]), r"leakage: should be a mapping"),
        (lambda d: d["adc"]["readings"][0].update(sources=1), r"sources: should be a mapping"),
    ],
)
def test_damage_is_named(document: dict[str, Any], change: Any, words: str) -> None:
    damaged = deepcopy(document)
    change(damaged)
    with pytest.raises(DamagedFile, match=words):
        read_procedure_results(damaged)


def test_a_file_that_is_none(tmp_path: Any) -> None:
    write_manifest(tmp_path, {})
    assert open_run(tmp_path).procedures == {}
    wrong = (("{", "not a JSON document"), ("[]", "not a JSON object"), ('{"noise": {}}', "noise.points: this key"))
    for text, words in wrong:
        (tmp_path / PROCEDURES_FILE).write_text(text)
        write_manifest(tmp_path, {})
        with pytest.raises(DamagedFile, match=words) as caught:
            _ = open_run(tmp_path).procedures
        assert "run the configuration again" in str(caught.value)


def test_a_procedure_that_is_not_loaded_keeps_its_rows() -> None:
    row = {"procedure": "custom", "name": "droop", "value": 1e-3, "unit": "V", "at": ""}
    document = {"unit": "V", "rows": 4, "figures": [row], "custom": {"volts": 1e-3}}
    read = read_procedure_results(document)
    custom = read["custom"]
    assert isinstance(custom, UnreadResult)
    assert custom.reason == "the procedure custom is not loaded; name its file with --plugin"
    assert result_charts(read) == ()
    assert procedures_document(read, "V", 4) == document


class Drawn(DataclassResult):
    """Charts that cannot be drawn."""

    def figures(self) -> list[Any]:
        return []

    def charts(self) -> list[Chart]:
        return [Chart("broken", "Broken", "It divides by zero.", lambda axes: axes.plot([1 / 0]))]


def test_a_chart_that_fails_says_whose_it_is() -> None:
    (chart,) = result_charts({"custom": Drawn()})
    with pytest.raises(InputError, match=r"the chart broken of the procedure custom cannot be drawn: ZeroDivision"):
        draw_chart(chart)
    with pytest.raises(InputError, match="lower-case"):
        Chart("../x", "X", "x", lambda axes: None)

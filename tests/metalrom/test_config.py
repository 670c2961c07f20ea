"""Configurations: the examples load, and whatever is wrong in one is refused in one line that names file and key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interconnect.errors import InputError
from interconnect.yamlfile import MAX_BYTES
from metalrom.api import load
from metalrom.cli.init import write_starter
from metalrom.config.schema import Config, load_config, schema

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.yaml"))
TEXT = (EXAMPLES[0].parent / "minilm_layer.yaml").read_text(encoding="utf-8")
DATA: dict[str, Any] = yaml.safe_load(TEXT)
SECTIONS = {
    name: field.annotation
    for name, field in Config.model_fields.items()
    if isinstance(field.annotation, type) and hasattr(field.annotation, "model_fields")
}

quickly = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "project.yaml"


def changed(section: str, key: str | None, value: object) -> dict[str, Any]:
    """The example with one key replaced; key None: the whole section."""
    data = json.loads(json.dumps(DATA))
    if key is None:
        data[section] = value
    else:
        data.setdefault(section, {})[key] = value
    return data


def refusal(path: Path, content: dict[str, Any] | str | bytes) -> str:
    """The one line with which a configuration is refused."""
    if isinstance(content, dict):
        content = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    with pytest.raises(InputError) as caught:
        load_config(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert message.isprintable()
    assert len(message) < len(str(path)) + 400
    return message.removeprefix(str(path)).lstrip(":, ")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples_load(example: Path) -> None:
    config = load_config(example)
    assert config.name == example.stem
    assert Config.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize("cell", ["cap_balanced", "res_via"])
def test_starters_load(tmp_path: Path, cell: str) -> None:
    assert load_config(write_starter(tmp_path, cell)).cell.kind == cell


def test_values_arrive_in_si_units(path: Path) -> None:
    config = load_config(EXAMPLES[0].parent / "minilm_layer.yaml")
    assert (config.cell.row_pitch, config.cell.tab_length) == (2e-7, 1.5e-7)
    assert config.conditions.vdd == (1.0, 0.9, 1.1)
    assert config.conditions.temperature == (27.0, 85.0)
    assert (config.readout.offset_sigma, config.readout.code_error_target) == (0.05, 1e-4)
    path.write_text(yaml.safe_dump(changed("conditions", "temperature", ["300K", 85, "-40 °C"])), encoding="utf-8")
    assert load_config(path).conditions.temperature == pytest.approx((26.85, 85.0, -40.0), abs=1e-12)


@pytest.mark.parametrize("section", SECTIONS)
def test_an_unknown_key_of_a_section_is_told_with_path_and_suggestion(path: Path, section: str) -> None:
    field = max(SECTIONS[section].model_fields, key=len)
    wrong = field[:-2] + field[-1] + field[-2] + "x"
    message = refusal(path, changed(section, wrong, 1))
    assert message.startswith(f"{section}.{wrong}: unknown key '{wrong}'; did you mean '{field}'?")


def test_unknown_keys_at_the_top_and_in_a_list(path: Path) -> None:
    assert refusal(path, {**DATA, "arry": {}}) == "arry: unknown key 'arry'; did you mean 'array'?"
    assert refusal(path, {**DATA, "x": 1}).startswith("x: unknown key 'x'; known: name, technology, cell, ")
    planes = [{"row": "M2", "column": "M3"}, {"row": "M4", "colum": "M5"}]
    message = refusal(path, changed("cell", "planes", planes))
    assert message == "cell.planes[1].colum: unknown key 'colum'; did you mean 'column'?; and 1 more error"


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("cell", "row_pitch", "200ns", "cell.row_pitch: '200ns' has the wrong unit; give a quantity in m"),
        ("cell", "row_pitch", 200, "cell.row_pitch: 200 lacks its unit; give a quantity in m, such as 100nm"),
        ("cell", "row_pitch", 2e-7, "cell.row_pitch: 2e-07 lacks its unit"),
        ("cell", "row_pitch", "200n", "cell.row_pitch: '200n' lacks its unit"),
        ("cell", "row_pitch", "-200nm", "cell.row_pitch: should be greater than 0, got '-200nm'"),
        ("cell", "row_pitch", "0", "cell.row_pitch: should be greater than 0"),
        ("cell", "row_pitch", [1], "cell.row_pitch: [1] is not a quantity"),
        ("cell", "row_pitch", "1e400m", "cell.row_pitch: '1e400m' is out of range"),
        ("cell", "planes", [], "cell.planes: "),
        ("cell", "planes", None, "cell.planes: should be a list, got None"),
        ("cell", "planes", [3], "cell.planes[0]: should be a mapping of keys, got 3"),
        ("cell", None, [], "cell: should be a mapping of keys, got []"),
        ("array", "rows", 0, "array.rows: should be greater than or equal to 1, got 0"),
        ("array", "rows", True, "array.rows: should be a valid integer, got True"),
        ("array", "rows", 38.5, "array.rows: should be a valid integer"),
        ("array", "rows", "384", "array.rows: should be a valid integer, got '384'"),
        ("array", "rows", 10**30, "array.rows: should be less than or equal to 65536"),
        ("array", "group_rows", "best", "array.group_rows: should be a valid integer or should be 'auto', got 'best'"),
        ("array", "group_rows", 129, "array.group_rows: group_rows must be 4..128 (or auto)"),
        ("array", "group_candidates", [], "array.group_candidates: group_candidates must hold numbers in 4..64"),
        ("array", "group_candidates", [8, 100], "array.group_candidates: "),
        ("array", "group_candidates", [8, True], "array.group_candidates[1]: should be a valid integer"),
        ("weights", "random", [4, 4], "weights: give either `file` (with `tensor`) or `random`"),
        ("weights", None, {}, "weights: give either `file`"),
        ("weights", None, {"random": [4, 4], "tensor": "w"}, "weights: `tensor` and `transpose` belong to `file`"),
        ("weights", None, {"random": [-4, 4]}, "weights.random: must be (inputs, outputs), both at least 1"),
        ("weights", None, {"random": [65536, 65536]}, "weights.random: must be (inputs, outputs)"),
        ("weights", None, {"random": [4, 4, 4]}, "weights.random: "),
        ("weights", "shape", [0, 384], "weights.shape: must be (inputs, outputs)"),
        ("weights", "bits", 5, "weights.bits: should be 2, 4, 6 or 8, got 5"),
        ("weights", "transpose", "perhaps", "weights.transpose: should be a valid boolean"),
        ("inputs", "text", [], "inputs: `source: embeddings` needs at least one line of `text`"),
        ("inputs", "bits", 9, "inputs.bits: should be less than or equal to 8, got 9"),
        ("periphery", "length", "-50nm", "periphery.length: should be greater than 0"),
        ("periphery", "driver_nmos_width", "0", "periphery.driver_nmos_width: should be greater than 0"),
        ("periphery", "sense_capacitance", "-1aF", "periphery.sense_capacitance: should be greater than or equal to 0"),
        ("periphery", "read_voltage", "-0.2V", "periphery.read_voltage: should be greater than 0"),
        ("timing", "input_edge", "0ns", "timing.input_edge: should be greater than 0"),
        ("timing", "reset_end", "0.3nS", "timing.reset_end: '0.3nS' has the wrong unit"),  # siemens
        ("readout", "noise_sigma", "-2%", "readout.noise_sigma: should be greater than or equal to 0"),
        ("readout", "code_error_target", 0, "readout.code_error_target: should be greater than 0"),
        ("readout", "code_error_target", "100%", "readout.code_error_target: should be less than 1"),
        ("readout", "integration_time", "-5ns", "readout.integration_time: should be greater than 0"),
        ("variation", "cell_sigma", "2.5mm", "variation.cell_sigma: '2.5mm' must be a plain number or a percentage"),
        ("variation", "cell_sigma", -0.1, "variation.cell_sigma: should be greater than or equal to 0"),
        ("conditions", "vdd", ["-1V"], "conditions.vdd[0]: should be greater than 0"),
        ("conditions", "vdd", ["1kV"], "conditions.vdd[0]: should be less than or equal to 20"),
        ("conditions", "vdd", "1V", "conditions.vdd: should be a list, got '1V'"),
        ("conditions", "vdd", ["1V", "1000mV"], "conditions.vdd: must hold at least one value and no value twice"),
        ("conditions", "corners", [], "conditions.corners: must hold at least one value"),
        ("conditions", "corners", ["typical"], "conditions.corners[0]: should be 'tt', 'ff', 'ss', 'sf' or 'fs'"),
        ("conditions", "temperature", [1000], "conditions.temperature[0]: should be less than or equal to 300"),
        ("conditions", "temperature", ["0K"], "conditions.temperature[0]: should be greater than or equal to -100"),
        ("characterization", "seed", -1, "characterization.seed: should be greater than or equal to 0"),
        ("characterization", "samples", 5, "characterization.samples: should be greater than or equal to 30"),
        ("characterization", "timeout", "0s", "characterization.timeout: should be greater than 0"),
        (
            "mapping",
            None,
            "gray",
            "mapping: should be 'differential', 'twos_complement', 'signed_digits', 'offset', 'unsigned', 'ternary' or "
            "'trits', got 'gray'",
        ),
        ("name", None, None, "name: should be a valid string, got None"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_with_its_key(
    path: Path, section: str, key: str | None, value: object, message: str
) -> None:
    assert refusal(path, changed(section, key, value)).startswith(message)


@pytest.mark.parametrize("missing", ["name", "cell", "weights"])
def test_a_missing_key(path: Path, missing: str) -> None:
    data = {key: value for key, value in DATA.items() if key != missing}
    assert refusal(path, data) == f"{missing}: this key is missing"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (TEXT + "name: again\n", f"line {TEXT.count(chr(10)) + 1}: bad YAML: key 'name' twice"),
        (TEXT.replace("  rows: 384\n", "  rows: 384\n  rows: 128\n"), "line 24: bad YAML: key 'rows' twice"),
        (TEXT.replace("rows: 384", "rows: 0600"), "line 23: bad YAML: '0600' is not a decimal number"),
        (TEXT.replace("cell:", "cell: ["), "line "),
        ("name: [", "line 1: bad YAML"),
        ("", "must hold a mapping of keys at its top level"),
        ("---\n", "must hold a mapping of keys at its top level"),
        ("[1, 2]", "must hold a mapping of keys at its top level"),
        ("\x7fELF\x02\x01\x01\x00", "bad YAML: special characters are not allowed"),
        (bytes(range(256)) * 40, "is not UTF-8 text"),
        (TEXT.encode("utf-16"), "is not UTF-8 text"),
        (TEXT + "#" * MAX_BYTES, "is larger than 1000000 bytes"),
    ],
)
def test_files_that_are_no_configuration(path: Path, content: str | bytes, message: str) -> None:
    assert content != TEXT
    assert refusal(path, content).startswith(message)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml: cannot be read \(No such file"):
        load_config(tmp_path / "none.yaml")
    with pytest.raises(InputError, match=r"cannot be read \(Is a directory"):
        load_config(tmp_path)


HOSTILE = [
    "a\n.control",
    "a\n",
    "$(x)",
    "`x`",
    "../",
    "..",
    "/etc/passwd",
    "a b",
    "a;b",
    "a'b",
    'a"b',
    "a\x00b",
    "",
    "ñ",
]
HOSTILE += ["-x", "a" * 65]


@pytest.mark.parametrize("evil", HOSTILE)
def test_names_cannot_bring_lines_commands_or_paths_along(path: Path, evil: str) -> None:
    for section, key, value, where in (
        ("name", None, evil, "name"),
        ("cell", "kind", evil, "cell.kind"),
        ("cell", "planes", [{"row": evil, "column": "M3"}], "cell.planes[0].row"),
        ("cell", "planes", [{"row": "M2", "column": evil}], "cell.planes[0].column"),
        ("characterization", "procedures", [evil], "characterization.procedures[0]"),
    ):
        assert refusal(path, changed(section, key, value)).startswith(f"{where}: String should ")


@pytest.mark.parametrize("evil", ["a\n.control", "a\r", "a\x00b", "a\x1b[2J", "a\u2028b", "", "a" * 1001])
def test_free_text_is_one_printable_line(path: Path, evil: str) -> None:
    for section, key in (
        ("technology", "stack"),
        ("technology", "devices"),
        ("weights", "file"),
        ("weights", "tensor"),
        ("variation", "source"),
    ):
        assert refusal(path, changed(section, key, evil)).startswith(f"{section}.{key}: ")
    assert refusal(path, changed("inputs", "text", ["one", evil])).startswith("inputs.text[1]: ")


def test_hostile_keys_stay_in_one_line(path: Path) -> None:
    assert "unknown key" in refusal(path, {**DATA, "a\n.control": 1})
    assert "unknown key" in refusal(path, {**DATA, "\x1b[2J": 1})
    assert "unknown key" in refusal(path, {**DATA, "k" * 900: 1})


def load_or_refuse(path: Path, text: str) -> None:
    """Whatever the text: a configuration, or one line that names the file."""
    path.write_text(text, encoding="utf-8", newline="")
    try:
        config = load_config(path)
    except InputError as error:
        message = str(error)
    else:
        assert isinstance(config, Config)
        return
    assert message.startswith(str(path))
    assert message.isprintable()
    assert len(message) < len(str(path)) + 600


TOKENS = st.sampled_from(
    ["\n", "\t", ":", ": ", "- ", "{", "}", "[", "]", "&a ", "*a", "!!bool ", "!", "|", ">", "'", '"', "#", "%", "@",
     "`", "~", "<<: ", "? ", "0x1", "1_0", "1:2", "-1", "1e999", ".nan", ".inf", "yes", "null", "2020-13-45", "nm",
     "\x85", "\ufeff", "µ", "\U0001f600", "..."]
)  # fmt: skip


@quickly
@given(
    edits=st.lists(
        st.tuples(st.integers(0, len(TEXT)), st.integers(0, 12), TOKENS | st.text(max_size=4)), min_size=1, max_size=4
    )
)
def test_any_edit_of_the_example_loads_or_is_refused_in_one_line(path: Path, edits: list[tuple[int, int, str]]) -> None:
    text = TEXT
    for position, length, inserted in edits:
        text = text[:position] + inserted.encode("utf-8", "replace").decode() + text[position + length :]
    load_or_refuse(path, text)


LINES = TEXT.splitlines(keepends=True)


@quickly
@given(order=st.lists(st.integers(0, len(LINES) - 1), max_size=2 * len(LINES)))
def test_any_order_of_the_lines_loads_or_is_refused_in_one_line(path: Path, order: list[int]) -> None:
    load_or_refuse(path, "".join(LINES[i] for i in order))


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["1nm", "1V"])
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


@quickly
@given(data=st.data())
def test_any_value_behind_any_key_loads_or_is_refused_in_one_line(path: Path, data: st.DataObject) -> None:
    section = data.draw(st.sampled_from(sorted(Config.model_fields)))
    keys = sorted(SECTIONS[section].model_fields) if section in SECTIONS else [None]
    content = changed(section, data.draw(st.sampled_from([*keys, None])), data.draw(VALUES))
    load_or_refuse(path, yaml.safe_dump(content, allow_unicode=True))


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        (["csnr > 40 at all", "cnsr > 40"], "specs[1]: there is no quantity 'cnsr'; did you mean 'csnr'?"),
        (["energy_per_mac < 3ps"], "specs[0]: energy_per_mac: '3ps' has the wrong unit; give a quantity in J"),
        (["csnr"], "specs[0]: 'csnr' is not a specification; write for example `csnr > 40`"),
        (["csnr > 40\n"], "specs[0]: must be one line of printable text"),
        (["csnr > 40", "csnr >  40dB"], "specs: `csnr >  40dB` is listed twice"),
        ([3], "specs[0]: "),
        ("csnr > 40", "specs: should be a list"),
    ],
)
def test_specifications_that_are_none(path: Path, specs: object, message: str) -> None:
    assert refusal(path, {**DATA, "specs": specs}).startswith(message)


def test_a_specification_names_the_procedure_that_it_lacks(path: Path) -> None:
    data = {**changed("characterization", "procedures", ["transfer"]), "specs": ["csnr > 40"]}
    assert refusal(path, data) == (
        "specs[0]: csnr needs the procedure adc_margin, which is not enabled; "
        "add adc_margin to characterization.procedures"
    )


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("csnr > 40 at ss_0.90V_85C", "specs[0]: the condition ss_0.90V_85C is not characterized; did you mean"),
        ("lsb > 1uA", "specs[0]: lsb of the cell cap_balanced is in V, not A"),
    ],
)
def test_what_only_the_project_knows_is_told_when_it_is_loaded(path: Path, spec: str, message: str) -> None:
    path.write_text(yaml.safe_dump({**DATA, "specs": ["csnr > 40 at tt_1.00V_85C", spec][::-1]}), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load(path)
    assert str(caught.value).removeprefix(f"{path}: ").startswith(message)
    path.write_text(yaml.safe_dump({**DATA, "specs": ["csnr > 40 at tt_1.00V_85C"]}), encoding="utf-8")
    assert [str(s) for s in load(path).specs] == ["csnr > 40.0dB at tt_1.00V_85C"]


def test_schema_knows_every_section_and_closes_them() -> None:
    document = schema()
    assert set(document["properties"]) == set(Config.model_fields)
    assert document["additionalProperties"] is False
    assert all(part["additionalProperties"] is False for part in document["$defs"].values())
    assert json.dumps(document)


def test_a_converter_is_assumed_unless_one_is_named(path: Path) -> None:
    path.write_text(yaml.safe_dump(DATA), encoding="utf-8")
    assert load_config(path).readout.adc is None
    content = {**DATA, "readout": {"offset_sigma": "characterized", "adc": {"kind": "sar", "bits": 4, "high": "0.4V"}}}
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    readout = load_config(path).readout
    assert readout.offset_sigma == "characterized"
    assert readout.adc is not None
    assert (readout.adc.kind, readout.adc.bits, readout.adc.low, readout.adc.high) == ("sar", 4, None, 0.4)
    assert refusal(path, changed("readout", "offset_sigma", "measured")).startswith("readout.offset_sigma")
    assert refusal(path, changed("readout", "offset_sigma", -0.1)).startswith("readout.offset_sigma")
    assert refusal(path, changed("readout", "adc", {"kind": "pipeline"})).startswith("readout.adc.kind")
    assert refusal(path, changed("readout", "adc", {"kind": "sar", "bits": 2})).startswith("readout.adc.bits")

"""Every format read back bit for bit, byte-identical when repeated, and refused when damaged."""

from __future__ import annotations

import csv
import json
import time

import numpy as np
import pytest

from characterization.tables.table import AdcModel, Assumption, ReadoutTable
from interconnect.errors import InputError
from metalrom import exporters as exports
from netlists.condition import Condition

FORMATS = tuple(exports.FORMATS)


@pytest.fixture(scope="module")
def table() -> ReadoutTable:
    """Awkward on purpose: tiny numbers, a zero, negative zero, two conditions, text that needs quoting."""
    rows = 9
    rng = np.random.default_rng(7)
    conditions = (Condition("tt", 0.9, 27.0), Condition("ss", 0.81, -40.0))
    index = np.arange(rows + 1)
    valid = index[None, :] <= index[:, None]

    def spread() -> np.ndarray:
        return np.where(valid, rng.uniform(1e-7, 3e-3, (2, rows + 1, rows + 1)), np.nan)

    mean = np.where(valid, index * 5e-3 + rng.normal(0, 1e-4, (2, rows + 1, rows + 1)), np.nan)
    mean[0, 0, 0], mean[1, 1, 0] = -0.0, 5e-324
    return ReadoutTable.from_arrays(
        cell="cap_balanced",
        unit="V",
        rows=rows,
        conditions=conditions,
        level=mean,
        sigma_static=spread(),
        sigma_noise=spread(),
        sigma_pattern=spread(),
        row_energy=rng.uniform(0, 1e-15, (2, rows + 1)),
        read_time=1.1e-9,
        adc=AdcModel(codes=10, offset_sigma=1e-3, noise_sigma=0.1, tracks_active=True),
        assumptions=(Assumption("adc offset", '1 mV, "typical", σ', "estimate", "none; a guess, line\nbreak"),),
        provenance={"deck": "abc", "seed": "1"},
    )


@pytest.mark.parametrize("name", FORMATS)
def test_round_trip_is_exact(table, name, tmp_path):
    files = exports.write_table(table, name, tmp_path)
    assert files == [tmp_path / n for n in exports.FORMATS[name].file_names]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in files)  # nothing temporary stays
    report = exports.check_table(table, name, tmp_path)
    assert report.values == 2 * (4 * 55 + 10)
    back = exports.read_table(name, tmp_path)
    assert back.level.tobytes() == np.where(table.valid, table.level, np.nan).tobytes()
    assert np.signbit(back.level[0, 0, 0])
    assert back.conditions == table.conditions
    assert back.adc == table.adc
    assert back.assumptions == table.assumptions
    assert dict(back.provenance) == dict(table.provenance)


@pytest.mark.parametrize("name", FORMATS)
def test_equal_content_gives_equal_bytes(table, name, tmp_path):
    first = [p.read_bytes() for p in exports.write_table(table, name, tmp_path / "a")]
    time.sleep(1.1)  # file formats with time stamps count seconds
    again = table.replace(provenance=dict(reversed(table.provenance.items())))
    assert [p.read_bytes() for p in exports.write_table(again, name, tmp_path / "b")] == first
    other = table.level.copy()
    other[0, 3, 2] = np.nextafter(other[0, 3, 2], 1)
    changed = exports.write_table(table.replace(level=other), name, tmp_path / "c")
    assert [p.read_bytes() for p in changed] != first
    with pytest.raises(InputError, match="'mean'"):
        exports.check_table(table, name, tmp_path / "c")


@pytest.mark.parametrize("name", FORMATS)
def test_truncated_files_are_refused(table, name, tmp_path):
    for number in range(len(exports.FORMATS[name].file_names)):
        folder = tmp_path / str(number)
        path = exports.write_table(table, name, folder)[number]
        content = path.read_bytes()
        for size in (0, 1, len(content) // 2, len(content) - 2):
            path.write_bytes(content[:size])
            with pytest.raises(InputError) as caught:
                exports.read_table(name, folder)
            assert str(path) in str(caught.value) or "checksum" in str(caught.value)
            assert "\n" not in str(caught.value)
        path.unlink()
        with pytest.raises(InputError, match="cannot be read"):
            exports.read_table(name, folder)


@pytest.mark.parametrize("name", FORMATS)
def test_any_edited_byte_is_refused_or_harmless(table, name, tmp_path):
    """A flipped byte either is refused or (unused bytes of the container) leaves every value as it was."""
    rng = np.random.default_rng(11)
    for number in range(len(exports.FORMATS[name].file_names)):
        path = exports.write_table(table, name, tmp_path)[number]
        content = path.read_bytes()
        refused = 0
        for position in rng.integers(0, len(content), 60):
            edited = bytearray(content)
            edited[position] ^= 1 << int(rng.integers(0, 7))
            path.write_bytes(bytes(edited))
            try:
                exports.check_table(table, name, tmp_path)
            except InputError:
                refused += 1
        # containers have bytes that no value depends on (alignment, statistics)
        assert refused >= (20 if name in ("netcdf", "parquet") else 58)
        path.write_bytes(content)


def test_edited_number_with_valid_syntax_is_refused(table, tmp_path):
    path = exports.write_table(table, "json", tmp_path)[0]
    document = json.loads(path.read_text())
    document["arrays"]["mean"][0][4][2] *= 1.01
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match="truncated or edited"):
        exports.read_table("json", tmp_path)
    main = exports.write_table(table, "csv", tmp_path)[0]
    main.write_text(main.read_text().replace("0.9,27.0,9,9,", "0.9,27.0,9,9,1"))
    with pytest.raises(InputError, match=r"readout\.csv"):
        exports.read_table("csv", tmp_path)


def test_formats_share_one_fingerprint(table, tmp_path):
    import xarray

    for name in FORMATS:
        exports.write_table(table, name, tmp_path)
    with xarray.open_dataset(tmp_path / "readout.nc", engine="h5netcdf") as dataset:
        netcdf = dataset.attrs["content_sha256"]
    texts = [json.loads((tmp_path / n).read_text())["content_sha256"] for n in ("readout.json", "readout.schema.json")]
    assert texts == [netcdf, netcdf]


def test_netcdf_speaks_for_itself(table, tmp_path):
    """Dimensions, units, thresholds and provenance are there for a reader without this package."""
    import xarray

    exports.write_table(table, "netcdf", tmp_path)
    with xarray.open_dataset(tmp_path / "readout.nc", engine="h5netcdf") as dataset:
        assert dict(dataset.sizes) == {"condition": 2, "active": 10, "count": 10, "threshold": 9}
        assert dataset["level"].attrs["units"] == "V"
        assert dataset["row_energy"].attrs["units"] == "J"
        level = dataset["level"].sel(condition="ss_0.81V_-40C", active=9, count=4)
        assert float(level) == table.level[1, 9, 4]
        np.testing.assert_array_equal(dataset["adc_threshold"][1], table.thresholds(table.conditions[1]))
        assert json.loads(dataset.attrs["assumptions"])[0]["status"] == "estimate"
        assert json.loads(dataset.attrs["validity"])["temperature_C"] == [-40.0, 27.0]


@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_a_line_is_complete_by_itself(table, name, tmp_path):
    """Columns of CSV and Parquet state units, condition and every spread, by plain readers of the formats."""
    parquet = pytest.importorskip("pyarrow.parquet") if name == "parquet" else None
    exports.write_table(table, name, tmp_path)
    if parquet is None:
        with (tmp_path / "readout.csv").open() as file:
            lines = list(csv.DictReader(file))
    else:
        lines = parquet.read_table(tmp_path / "readout.parquet").to_pylist()
    line = lines[-1]  # ss, all nine rows driven and counted
    at = {"condition": "ss_0.81V_-40C", "corner": "ss", "metals": "nominal", "vdd_V": 0.81, "temperature_degC": -40.0}
    levels = {
        "level_V": table.level,
        "sigma_static_V": table.sigma_static,
        "sigma_noise_V": table.sigma_noise,
        "sigma_pattern_V": table.sigma_pattern,
    }
    converter = {"adc_offset_sigma_V": 1e-3, "adc_noise_sigma_V": 0.1, "row_energy_J": table.row_energy[1, 9]}
    expected = {
        **at,
        "active": 9,
        "count": 9,
        **{column: values[1, 9, 9] for column, values in levels.items()},
        **converter,
    }
    assert {column: type(value)(line[column]) for column, value in expected.items()} == expected


@pytest.mark.parametrize("column", ["adc_noise_sigma_V", "vdd_V"])
def test_parquet_columns_must_say_what_the_header_says(table, column, tmp_path):
    """A column that only repeats the header is read too: another value in it is not passed over."""
    parquet = pytest.importorskip("pyarrow.parquet")
    path = exports.write_table(table, "parquet", tmp_path)[0]
    whole = parquet.read_table(path)
    at = whole.column_names.index(column)
    changed = whole.set_column(at, whole.schema.field(at), [(whole.column(at).to_numpy() * 1.01)])
    parquet.write_table(changed, path)
    with pytest.raises(InputError, match=f"column {column} does not say what its header says"):
        exports.read_table("parquet", tmp_path)


def test_csv_is_plain(table, tmp_path):
    exports.write_table(table, "csv", tmp_path)
    with (tmp_path / "readout.csv").open() as file:
        lines = list(csv.DictReader(file))
    schema = json.loads((tmp_path / "readout.schema.json").read_text())
    assert [f["name"] for f in schema["fields"]] == list(lines[0])
    assert len(lines) == 2 * 55
    line = next(r for r in lines if r["condition"] == "tt_0.90V_27C" and r["active"] == "7" and r["count"] == "3")
    assert float(line["sigma_noise_V"]) == table.sigma_noise[0, 7, 3]
    assert float(line["code_error_probability"]) == table.code_errors(table.conditions[0])[7, 3]


def test_refusals(table, tmp_path):
    with pytest.raises(InputError, match="there is no export format 'excel'; known: netcdf, csv, json"):
        exports.write_table(table, "excel", tmp_path)
    blocked = tmp_path / "file"
    blocked.write_text("")
    for name in FORMATS:
        with pytest.raises(InputError, match=r"cannot be (made|written)"):
            exports.write_table(table, name, blocked / "folder")
    path = exports.write_table(table, "json", tmp_path)[0]
    text = path.read_text()
    path.write_text(text.replace('"content_sha256"', '"content_sha256": "0", "content_sha256"', 1))
    with pytest.raises(InputError, match="given twice"):
        exports.read_table("json", tmp_path)

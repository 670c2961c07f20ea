"""Bad input: one sentence with file and key path, exit code 2 (3 for the engine), no traceback, no partial file."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file


def refuse(done, code: int, *words: str) -> None:
    """One sentence on standard error with these words, this exit code, and nothing on standard output."""
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    message = done.stderr.strip().splitlines()[-1]
    assert message.startswith("error: ")
    for word in words:
        assert word in message, message


def edit(path: Path, old: str, new: str) -> Path:
    """Replace a piece of the configuration."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("row_pitch: 200nm", "row_pich: 200nm", ("cell.row_pich", "row_pitch")),
        ("row_pitch: 200nm", "row_pitch: 200nV", ("cell.row_pitch", "unit", "100nm")),
        ("row_pitch: 200nm", "row_pitch: 200", ("cell.row_pitch", "unit")),
        ("row_pitch: 200nm", "row_pitch: -200nm", ("cell.row_pitch",)),
        ("row_width: 50nm", "row_width: 150nm", ("cell.row_width", "pitch")),
        ("column_width: 50nm", "column_width: 20nm", ("cell.column_width", "stack")),
        ("row: M2", "row: M77", ("M77", "M7")),
        ("row: M2, column: M3", "row: M2, column: M5", ("M5",)),
        ("kind: cap_balanced", "kind: cap_balancd", ("cap_balanced",)),
        ("stack: generic28", "stack: generic29", ("generic29",)),
        ("devices: open45", "devices: open46", ("open46",)),
        ("corners: [tt]", "corners: [tq]", ("conditions.corners",)),
        ("name: small", 'name: "small\\n.control"', ("name",)),
        ("name: small", "name: $(touch x)", ("name",)),
        ("name: small", "name: ../small", ("name",)),
        ("row: M2", 'row: "M2\\n.control"', ("row",)),
        ("group_rows: 4", "group_rows: 400", ("array.group_rows",)),
        ("weights: {random: [16, 4], bits: 4}", "weights: {random: [16, 4], bits: 5}", ("weights.bits",)),
        ("weights: {random: [16, 4], bits: 4}", "weights: {file: none.safetensors, tensor: w}", ("none.safetensors",)),
        ("weights: {random: [16, 4], bits: 4}", "weights: {file: asset:nothing/model, tensor: w}", ("nothing",)),
        ("weights: {random: [16, 4], bits: 4}", "weights: {file: asset:minilm/../../x, tensor: w}", ("minilm",)),
        ("name: small", "name: small\nname: large", ("name", "twice")),
        ("name: small", "name: [", ("line",)),
    ],
)
def test_configuration(metalrom, small, tmp_path, old, new, words):
    out = tmp_path / "out"
    refuse(metalrom("run", edit(small, old, new), "-o", out), 2, str(small), *words)
    assert not out.exists() or not any(out.iterdir())


def test_plain_via_as_resistor(metalrom, small, tmp_path):
    text = small.read_text()
    start, end = text.index("cell:"), text.index("array:")
    small.write_text(
        text[:start]
        + "cell: {kind: res_via, resistance: 8ohm, planes: [{row: M2, column: M3}]}\n"
        + text[end:].replace("double_sampling: true, ", "")
    )
    refuse(metalrom("run", small, "-o", tmp_path / "out"), 2, "cell.resistance", "100000 ohm", "rows")


def test_double_sampling_of_a_current(metalrom, small, tmp_path):
    text = small.read_text()
    start, end = text.index("cell:"), text.index("array:")
    small.write_text(
        text[:start]
        + "cell: {kind: res_via, planes: [{row: M2, column: M3}]}\nvariation: {cell_sigma: 2.5%}\n"
        + text[end:]
    )
    refuse(metalrom("run", small, "-o", tmp_path / "out"), 2, "readout.double_sampling")


def weights_file(tmp_path: Path, matrix: np.ndarray) -> Path:
    """A safetensors file with one tensor `layer.weight`."""
    path = tmp_path / "w.safetensors"
    save_file({"layer.weight": matrix.astype(np.float32)}, path)
    return path


def with_file(small: Path, extra: str = "") -> Path:
    """The project with weights from w.safetensors beside it."""
    return edit(small, "weights: {random: [16, 4], bits: 4}", f"weights: {{file: w.safetensors, {extra}bits: 4}}")


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("tensor: layer.wight, ", ("layer.wight", "layer.weight")),
        ("tensor: layer.weight, shape: [8, 8], ", ("(16, 4)", "(8, 8)")),
    ],
)
def test_tensor_missing_or_misshapen(metalrom, small, tmp_path, extra, words):
    weights_file(tmp_path, np.ones((16, 4)))
    refuse(metalrom("netlist", with_file(small, extra)), 2, "w.safetensors", *words)


def test_tensor_with_nan(metalrom, small, tmp_path):
    matrix = np.ones((16, 4))
    matrix[3, 2] = np.nan
    weights_file(tmp_path, matrix)
    refuse(metalrom("netlist", with_file(small)), 2, "w.safetensors", "NaN", "3, 2")


def test_truncated_and_unreadable_weights(metalrom, small, tmp_path):
    path = weights_file(tmp_path, np.ones((16, 4)))
    whole = path.read_bytes()
    config = with_file(small)
    for data in (whole[:-9], whole[:5], b"", os.urandom(300), b"\xff" * 64):
        path.write_bytes(data)
        refuse(metalrom("netlist", config), 2, "w.safetensors")


def test_missing_configuration(metalrom, tmp_path):
    refuse(metalrom("run", tmp_path / "none.yaml", "-o", tmp_path / "out"), 2, "none.yaml")


def test_ngspice_missing(metalrom, small, tmp_path):
    done = metalrom("run", small, "-o", tmp_path / "out", env={"METALROM_NGSPICE": str(tmp_path / "no-ngspice")})
    refuse(done, 3, "no-ngspice")
    assert not (tmp_path / "out" / "results.json").exists()


def test_ngspice_failing(metalrom, small, tmp_path):
    broken = tmp_path / "ngspice"
    broken.write_text("#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'ngspice-99 : broken'; exit 0; fi\nexit 1\n")
    broken.chmod(broken.stat().st_mode | stat.S_IXUSR)
    done = metalrom("run", small, "-o", tmp_path / "out", env={"METALROM_NGSPICE": str(broken)})
    refuse(done, 3, "fail")
    assert not (tmp_path / "out" / "results.json").exists()


def test_output_folder_not_writable(metalrom, small, tmp_path):
    (tmp_path / "file").write_text("in the way")
    refuse(metalrom("run", small, "-o", tmp_path / "file"), 2, "file")
    refuse(metalrom("run", small, "-o", tmp_path / "file" / "below"), 2, "file")
    assert (tmp_path / "file").read_text() == "in the way"


def test_corrupt_cache_is_rebuilt(metalrom, small, tmp_path):
    env = {"METALROM_CACHE": str(tmp_path / "cache")}
    first = metalrom("run", small, "-o", tmp_path / "a", env=env)
    assert first.returncode == 0, first.stderr
    databases = [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]
    assert databases
    for path in databases:
        data = bytearray(path.read_bytes())
        for i in range(60, len(data), 97):
            data[i] ^= 0x55
        path.write_bytes(bytes(data))
    again = metalrom("run", small, "-o", tmp_path / "b", env=env)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "a" / "samples.csv").read_bytes() == (tmp_path / "b" / "samples.csv").read_bytes()


@pytest.mark.parametrize("command", ["report", "estimate", "export"])
def test_unfinished_or_damaged_output(metalrom, tmp_path, command):
    more = ("--format", "json", "-o", tmp_path / "x") if command == "export" else ()
    refuse(metalrom(command, tmp_path / "nothing", *more), 2, "nothing")
    damaged = tmp_path / "damaged"
    (damaged / "lut").mkdir(parents=True)
    (damaged / "results.json").write_text(json.dumps({"name": "x"}))
    (damaged / "lut" / "readout.json").write_text("{}")
    refuse(metalrom(command, damaged, *more), 2, "damaged")


def test_audit_of_something_else(metalrom, small, tmp_path):
    other = tmp_path / "other.cir"
    other.write_text("* hello\n.end\n")
    refuse(metalrom("audit", other, small), 2, "other.cir")


def test_unknown_names(metalrom, small, tmp_path):
    refuse(metalrom("fetch", "minlm"), 2, "minilm")
    refuse(metalrom("netlist", small, "--level", "colum"), 2, "column")
    refuse(metalrom("extract", small, "--method", "magic"), 2, "magic")


def test_init_writes_a_project_that_loads_and_never_overwrites(metalrom, tmp_path):
    for cell in ("cap_balanced", "res_via"):
        assert metalrom("init", tmp_path / cell, "--cell", cell).returncode == 0
        assert metalrom("netlist", tmp_path / cell / "metalrom.yaml", "--level", "cell").returncode == 0
        refuse(metalrom("init", tmp_path / cell, "--cell", cell), 2, "metalrom.yaml")
    refuse(metalrom("init", tmp_path / "other", "--cell", "sram"), 2, "sram")
